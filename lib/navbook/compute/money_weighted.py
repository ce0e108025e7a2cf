"""What the owner's money earned, counting how much of it was there and for how long: XIRR. Pure.

The rate at which all amounts, discounted to the start, add up to nothing; actual/365. Of a period under 365
days it is the rate of the period itself, never annualised. pyxirr finds the root, but knows whole days only;
flows have exact times, so its answer on a grid of days is the start of a few Newton steps on the exact ones.
Of several rates that fit (money in and out in turns) it is the one that pyxirr settles on.
"""

from __future__ import annotations

import math

import numpy as np
import pyxirr
from numpy.typing import NDArray

YEAR_DAYS = 365
YEAR_US = YEAR_DAYS * 86_400_000_000
STEPS = 30         # Newton needs three or four; what needs more has no root nearby
ENOUGH = 1e-12     # of 1 + rate: the last step that matters


def money_weighted(times_us: NDArray[np.int64], amounts: NDArray[np.float64]) -> float | None:
    """The money-weighted return, 0.1 is ten percent: a year's from 365 days on, else of the whole period.

    times_us  microseconds, rising; the first and the last span the period
    amounts   USD as the owner sees them: the first value and deposits negative, withdrawals and the last
              value positive

    None where pyxirr finds no rate: nothing was invested or nothing came back, all but a total loss; or
    where the period has no length.
    """
    elapsed = times_us - times_us[0]
    unit = min(int(elapsed[-1]), YEAR_US)    # what the rate is a rate of
    if unit == 0:
        return None
    years = elapsed / unit
    days = np.rint(years * YEAR_DAYS).astype("datetime64[D]")
    guess = pyxirr.xirr(days, amounts, silent=True)
    return _refined(guess, years, amounts) if guess is not None and np.isfinite(guess) else None


def _refined(rate: float, years: NDArray[np.float64], amounts: NDArray[np.float64]) -> float | None:
    """The root of sum(amounts * (1 + rate) ** -years) near `rate`, by Newton in log(1 + rate); None: there is none."""
    log_rate = math.log1p(rate)
    for _ in range(STEPS):
        worth = amounts * np.exp(-log_rate * years)
        slope = float(years @ worth)
        if slope == 0:
            return None
        step = float(worth.sum()) / slope
        log_rate += max(-1.0, min(1.0, step))    # no further than a factor e at once
        if abs(step) < ENOUGH:
            return math.expm1(log_rate)
    return None

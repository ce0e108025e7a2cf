"""Risk of daily returns, and the deepest fall of an index. Pure; on arrays, because a rebuild asks 20,000 times.

`returns` and `benchmark` are simple returns of the same equal steps (days), 0.01 is one percent; the risk-free
rate is 0. Every figure of a step is scaled to `per_year` steps: a mean by per_year, a deviation by its square
root, a growth by its power. A caller who wants nothing annualised under a year gives min(len(returns), 365).
A figure that is not defined is None: fewer than two steps, a denominator of zero, no up or down day.

Sources: [B] C. Bacon, Practical Portfolio Performance Measurement and Attribution, 2nd ed. 2008, chapter 4;
[S] W. Sharpe, The Sharpe Ratio, Journal of Portfolio Management 21(1), 1994; [SP] F. Sortino and L. Price,
Performance Measurement in a Downside Risk Framework, Journal of Investing 3(3), 1994; [M] Morningstar, Upside
and Downside Capture Ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY_US = 86_400_000_000
NOTHING = 1e-12    # a daily deviation or fall below this is rounding


@dataclass(frozen=True, slots=True)
class Figures:
    """Named as in schemas.PERFORMANCE; ratios are fractions, a capture of 1.1 is 110 %."""

    volatility: float | None = None              # [S] standard deviation, n - 1, times sqrt(per_year)
    benchmark_volatility: float | None = None
    sharpe: float | None = None                  # [S] mean / standard deviation, times sqrt(per_year)
    sortino: float | None = None                 # [SP] mean / downside deviation from 0, times sqrt(per_year)
    beta: float | None = None                    # [B] covariance with the benchmark / variance of the benchmark
    tracking_error: float | None = None          # [B] volatility of returns - benchmark
    information_ratio: float | None = None       # [B] difference of the two growths / tracking error
    up_capture: float | None = None              # [M] geometric means of the days on which the benchmark rose
    down_capture: float | None = None            # [M] the same of the days on which it fell


@dataclass(frozen=True, slots=True)
class Drawdown:
    """Named as in schemas.PERFORMANCE. [B]: the fall is timed from peak to trough, the recovery from trough to peak."""

    max_drawdown: float             # of the peak, negative; 0 where the index never fell
    drawdown_days: float            # from the last moment at the peak to the trough
    recovery_days: float | None     # from the trough to the first moment back at the peak; None: not yet


def figures(returns: Floats, benchmark: Floats, per_year: float) -> Figures:
    """All figures of `returns` beside `benchmark`; see the head of this file."""
    steps = len(returns)
    if steps < 2:
        return Figures()
    own, market, active = (_centred(series) for series in (returns, benchmark, returns - benchmark))
    deviation, market_deviation, error = (math.sqrt(series @ series / (steps - 1)) for series in (own, market, active))
    scale = math.sqrt(per_year)
    mean = float(returns.sum()) / steps
    up, down = benchmark > 0, benchmark < 0
    return Figures(
        volatility=deviation * scale, benchmark_volatility=market_deviation * scale,
        sharpe=_ratio(mean * scale, deviation), sortino=_ratio(mean * scale, downside_deviation(returns)),
        beta=_ratio(float(own @ market) / (steps - 1), market_deviation, power=2), tracking_error=error * scale,
        information_ratio=_ratio(_difference(growth(returns, per_year), growth(benchmark, per_year)), error * scale),
        up_capture=_ratio(growth(returns[up], 1), growth(benchmark[up], 1)),
        down_capture=_ratio(growth(returns[down], 1), growth(benchmark[down], 1)))


def downside_deviation(returns: Floats) -> float:
    """[SP] Root of the mean square of the returns below 0, over all steps, per step.

    Against another required return, subtract that from `returns` first.
    """
    short = np.minimum(returns, 0.0)
    return math.sqrt(short @ short / len(short))


def growth(returns: Floats, per_year: float) -> float | None:
    """[B] The linked return of `returns` scaled to `per_year` steps; None of no steps, or below a total loss."""
    linked = float(np.prod(1 + returns))
    return linked ** (per_year / len(returns)) - 1 if len(returns) and linked >= 0 else None


def drawdown(times_us: NDArray[np.int64], index: Floats) -> Drawdown:
    """The deepest fall of `index` below an earlier peak (of two equal ones the first).

    times_us  microseconds, rising
    index     at these times, at least one value, the first above 0
    """
    peaks = np.maximum.accumulate(index)
    depths = index / peaks - 1
    trough = int(depths.argmin())
    if depths[trough] > -NOTHING:
        return Drawdown(0.0, 0.0, 0.0)
    at_peak = index >= peaks[trough] * (1 - NOTHING)
    left = int(np.flatnonzero(at_peak[:trough])[-1])
    back = np.flatnonzero(at_peak[trough:])
    recovery = _days(times_us, trough, trough + int(back[0])) if back.size else None
    return Drawdown(float(depths[trough]), _days(times_us, left, trough), recovery)


def _centred(series: Floats) -> Floats:
    centred: Floats = series - series.sum() / len(series)
    return centred


def _ratio(part: float | None, whole: float | None, power: int = 1) -> float | None:
    """part / whole ** power, or None where either is not defined or `whole` is nothing but rounding."""
    return None if part is None or whole is None or abs(whole) < NOTHING else part / whole ** power


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _days(times_us: NDArray[np.int64], start: int, end: int) -> float:
    return float(times_us[end] - times_us[start]) / DAY_US

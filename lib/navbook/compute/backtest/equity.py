"""Equity at every candle's close, from a backtest's trades."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# mypy: no-check-untyped-defs
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from navbook.compute.backtest.kernel import OPEN
from navbook.compute.backtest.plan import funding_of

if TYPE_CHECKING:
    from navbook.compute.backtest.result import Backtest


def mark_to_market(backtest: Backtest) -> NDArray[np.float64]:
    """Gains at each close in USDT; see `Backtest.equity`."""
    ledger, end = backtest.ledger, backtest.end
    signs = np.array([float(rules.sign) for rules in backtest.rules])[ledger.rules]
    due, terms = funding_of(backtest.costs)
    minutes = backtest.candles.minutes[:end] if len(due) else np.zeros(0, np.int64)
    total = np.zeros(end)
    for which in range(len(backtest.rules)):
        mine = np.flatnonzero(ledger.rules == which)
        add_equity(total, backtest.candles.close, minutes, signs[mine], ledger.rows[mine], ledger.prices[mine],
                   ledger.codes[mine], backtest.costs.taker_fee, due, terms)
    return total

compiled = njit(cache=True, nogil=True, error_model="numpy")    # a division by zero is an infinity


@compiled
def add_equity(total, close, minutes, signs, rows, prices, codes, taker, due, terms):
    """Add one chain's gains to `total` [candle]; the chain's trades follow one another."""
    realised, row, end = 0.0, 0, len(total)
    for trade in range(len(rows)):
        first, last = rows[trade]
        entry, amount, sign = prices[trade, 0], prices[trade, 1], signs[trade]
        for flat in range(row, first):
            total[flat] += realised
        paid, place = 0.0, 0
        if len(due):
            while place < len(due) and due[place] <= minutes[first]:
                place += 1
        base = realised - amount * entry * taker
        for held in range(first, min(last, end)):
            while len(due) > place and due[place] <= minutes[held]:
                paid -= sign * amount * terms[place]
                place += 1
            total[held] += base + sign * amount * (close[held] - entry) + paid
        row = min(last, end)
        if codes[trade, 0] != OPEN:
            realised += prices[trade, 7]
    for flat in range(row, end):
        total[flat] += realised

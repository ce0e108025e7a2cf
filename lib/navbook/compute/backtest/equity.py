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


compiled = njit(cache=True, nogil=True, error_model="numpy")


def mark_to_market(backtest: Backtest) -> NDArray[np.float64]:
    """Gains at each close in USDT; see `Backtest.equity`."""
    ledger, end, candles = backtest.ledger, backtest.end, backtest.candles
    due, terms = funding_of(backtest.costs)
    due_rows = np.searchsorted(candles.minutes[:end], due) if len(due) else due    # the first candle that has paid
    total = np.empty(end)
    for which, rules in enumerate(backtest.rules):
        mine = ledger.of_rules(which) if len(backtest.rules) > 1 else ledger
        add_equity(total, which > 0, candles.close, float(rules.sign), mine.rows, mine.prices.entry,
                   mine.prices.quantity, mine.prices.pnl, mine.codes, float(backtest.costs.taker_fee), due_rows, terms)
    return total


@compiled
def fill(total, add, close, first, stop, flat, slope):
    """total[first:stop] (plus itself, with `add`) = flat + slope * close."""
    if add:
        for row in range(first, stop):
            total[row] += flat + slope * close[row]
    else:
        for row in range(first, stop):
            total[row] = flat + slope * close[row]


@compiled
def add_equity(total, add, close, sign, rows, entries, amounts, gains, codes, taker, due_rows, terms):
    """One chain's gains, [candle]; its trades follow one another."""
    realised, row, end = 0.0, 0, len(total)
    for trade in range(len(rows)):
        first, last = rows[trade, 0], min(rows[trade, 1], end)
        entry, amount = entries[trade], amounts[trade]
        fill(total, add, close, row, first, realised, 0.0)
        flat, place, row = realised - amount * entry * taker - sign * amount * entry, 0, first
        place = np.searchsorted(due_rows, first, side="right")
        while row < last:
            stop = last
            if place < len(due_rows):
                stop = min(stop, max(due_rows[place], row))
            fill(total, add, close, row, stop, flat, sign * amount)
            if stop < last:
                flat -= sign * amount * terms[place]
                place += 1
            row = stop
        if codes[trade, 0] != OPEN:
            realised += gains[trade]
    fill(total, add, close, row, end, realised, 0.0)

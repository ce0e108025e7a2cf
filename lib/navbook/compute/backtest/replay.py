"""One backtest: one set of rules, or several on one symbol."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from navbook.compute.backtest import kernel, plan
from navbook.compute.backtest.candles import Candles, prepare
from navbook.compute.backtest.result import Backtest, Ledger
from navbook.compute.brackets import BracketRules, Costs

NO_SIGNAL = np.zeros(0, np.int32)
AT_FIRST = 2**14    # trades to make room for: fresh memory is dear, and few runs need more


def run(candles: pl.DataFrame | Candles, rules: BracketRules, costs: Costs = Costs(), *,    # noqa: B008 (frozen)
        intrabar: str = "pessimistic", until: datetime | None = None) -> Backtest:
    """Replay `rules` over the candles that open before `until`.

    candles   as `prepare` takes or gives them
    intrabar  pessimistic, optimistic or path: what comes first in a candle that holds both levels

    The first candle is entered at its open, at once. From then on, candle by candle: one that opens beyond a level
    (later than the entry) exits at its open, one that touches a level exits there. The close is noticed at the first
    multiple of `check_every` at or after the candle's end; the position reopens at the first candle that opens
    `reopen_delay` after that or later, and stays closed for good when that candle opens later than `reopen_window`
    after the notice. A quantity of 0, and a margin that would be liquidated at once, open nothing and end it too.

    Raises `CandlesInvalid` and `BracketInvalid`.
    """
    ready = prepare(candles)
    rule = plan.intrabar_of(intrabar)
    end = ready.rows_before(until)
    ledger = one_chain(ready, end, rules, costs, plan.RULE_CODES[rule])
    return Backtest(ready, end, (rules,), costs, rule, "one chain", ledger)


def one_chain(candles: Candles, end: int, rules: BracketRules, costs: Costs, rule: int,
              signal: NDArray[np.int32] = NO_SIGNAL) -> Ledger:
    """The trades of one set of rules in the first `end` candles."""
    rows, prices, codes = np.empty((AT_FIRST, 2), np.int64), np.empty((AT_FIRST, 8)), np.empty((AT_FIRST, 2), np.int64)
    count, state = 0, np.array([0, 0])
    while state[1] < end:
        if count == len(rows):
            rows, prices, codes = (np.concatenate([part, np.empty_like(part)]) for part in (rows, prices, codes))
        count = kernel.run_chain(
            (candles.open, candles.high, candles.low, candles.close), candles.blocks,
            (candles.stretch_row, candles.stretch_minute), end, signal, plan.rules_of(rules, candles),
            plan.timing_of(rules), (float(costs.taker_fee), costs.slippage), plan.tiers_of(rules.tiers),
            plan.funding_of(costs), rule, state, rows, prices, codes)
    return Ledger(np.zeros(count, np.int64), np.arange(count), rows[:count], prices[:count], codes[:count])

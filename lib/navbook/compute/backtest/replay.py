"""One backtest: one set of rules, or several on one symbol; and the same under all three intrabar rules."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from navbook.compute.backtest import kernel, plan
from navbook.compute.backtest.candles import Candles, prepare
from navbook.compute.backtest.entries import ALWAYS, Rows, entry_rows
from navbook.compute.backtest.ledger import Ledger, Prices
from navbook.compute.backtest.result import Backtest
from navbook.compute.backtest.shared_wallet import event_order
from navbook.compute.brackets import BracketRules, Costs
from navbook.errors import BracketInvalid
from navbook.types import Intrabar

AT_FIRST = 2**14    # trades to make room for; few runs need more
FREE = Costs()


def run(candles: pl.DataFrame | Candles, rules: BracketRules | Sequence[BracketRules], costs: Costs = FREE, *,
        intrabar: str = "pessimistic", until: datetime | None = None, entry: pl.Expr | None = None) -> Backtest:
    """Replay `rules` over the candles that open before `until`.

    candles   as `prepare` takes or gives them
    rules     one set, or several for one symbol (a hedge is a LONG and a SHORT)
    intrabar  pessimistic, optimistic or path: what comes first in a candle that holds both levels
    entry     true at candles whose close says: enter (`entries`); without it the position is always wanted

    The first candle is entered at its open, at once. From then on, candle by candle: one that opens beyond a level
    (later than the entry) exits at its open, one that touches a level exits there. The close is noticed at the first
    multiple of `check_every` at or after the candle's end; the position reopens at the first candle that opens
    `reopen_delay` after that or later, and stays closed for good when that candle opens later than `reopen_window`
    after the notice. With `entry` it reopens at the first entry from there on, without a window. A quantity of 0, and
    a margin that would be liquidated at once, open nothing and end it too; that the margin suffices to open is for
    the live trader to see.

    Several sets of rules are run each for itself and added up, except that CROSSED ones with a wallet share it: they
    run in the order of their events, and are liquidated together. Within a candle the stops and the liquidation then
    come before the profits (pessimistic), after them (optimistic), or all as the path meets them.

    Raises `CandlesInvalid` and `BracketInvalid`.
    """
    ready, rule = prepare(candles), plan.intrabar_of(intrabar)
    several = (rules,) if isinstance(rules, BracketRules) else tuple(rules)
    if not several:
        raise BracketInvalid("rules", rules, "BracketRules, one or more")
    end = ready.rows_before(until)
    signals = [entry_rows(ready, end, entry, each) for each in several]
    if not isinstance(rules, BracketRules) and any(plan.mode_of(each) == plan.CROSS for each in several):
        ledger = event_order(ready, end, several, costs, rule, signals)
        return Backtest(ready, end, several, costs, rule, "event order", ledger)
    parts = [one_chain(ready, end, each, costs, plan.RULE_CODES[rule], signal)
             for each, signal in zip(several, signals, strict=True)]
    ledger = parts[0] if len(parts) == 1 else Ledger.merged(parts)
    return Backtest(ready, end, several, costs, rule, "alone", ledger)


def bounds(candles: pl.DataFrame | Candles, rules: BracketRules | Sequence[BracketRules], costs: Costs = FREE, *,
           until: datetime | None = None, entry: pl.Expr | None = None) -> pl.DataFrame:
    """[intrabar, …]: `Backtest.summary` under each of the three intrabar rules, side by side.

    What really happened lies in most cases between the first and the second; `ambiguous` says how many trades decide.
    """
    ready = prepare(candles)
    return pl.DataFrame([{"intrabar": rule.value, **run(ready, rules, costs, intrabar=rule, until=until,
                                                       entry=entry).summary} for rule in Intrabar])


def one_chain(candles: Candles, end: int, rules: BracketRules, costs: Costs, rule: int,
              signal: Rows = ALWAYS) -> Ledger:
    """The trades of one set of rules in the first `end` candles."""
    count, state = 0, np.array([0, 0])
    timing = (*plan.timing_of(rules), 0 if len(signal) else plan.steady_of(rules, candles))
    while state[1] < end:
        if state[0] == len(ROOM.rows):
            ROOM.double()
        count = kernel.run_chain(
            (candles.open, candles.high, candles.low, candles.close), candles.blocks,
            (candles.stretch_row, candles.stretch_minute), end, signal, plan.rules_of(rules, candles),
            timing, (float(costs.taker_fee), costs.slippage), plan.tiers_of(rules.tiers), plan.funding_of(costs), rule,
            state, ROOM.rows, ROOM.prices, ROOM.codes)
    return Ledger(np.zeros(count, np.int8), np.arange(count), ROOM.rows[:count].copy(),
                  Prices.of(ROOM.prices[:count]), ROOM.codes[:count].copy())


class Room(threading.local):
    """Where a thread leaves its trades before they are copied: always the same memory, as fresh one is dear."""

    def __init__(self) -> None:
        self.rows, self.prices = np.empty((AT_FIRST, 2), np.int32), np.empty((AT_FIRST, 8))
        self.codes = np.empty((AT_FIRST, 2), np.int8)

    def double(self) -> None:
        self.rows, self.prices, self.codes = (np.concatenate([part, np.empty_like(part)])
                                              for part in (self.rows, self.prices, self.codes))


ROOM = Room()

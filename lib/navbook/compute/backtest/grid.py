"""Every combination of a grid of rules, in one walk through the candles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from navbook.compute.backtest import kernel, plan
from navbook.compute.backtest.candles import Candles, prepare
from navbook.compute.backtest.entries import entry_rows
from navbook.compute.backtest.replay import FREE, one_chain
from navbook.compute.backtest.result import buy_and_hold, total
from navbook.compute.brackets import BracketRules, Costs, duration_ms
from navbook.compute.combinations import Combinations

FEW = 6              # combinations for which single runs are faster than a walk through all candles
CHUNK = kernel.NEAR // 2    # candles between two looks at progress and Ctrl-C
NEW_SUMS = ("pnl", "peak", "max_drawdown", "fees", "funding", "trades", "wins", "losses")
Progress = Callable[[float], None]


def sweep(candles: pl.DataFrame | Candles, rules: BracketRules, grid: Mapping[str, Sequence[Any]],
          costs: Costs = FREE, *, intrabar: str = "pessimistic", entry: pl.Expr | None = None,
          progress: Progress | None = None) -> pl.DataFrame:
    """Run every combination of `grid`, rules by their names with the values to try; the rest is as in `rules`.

    progress  is told the part that is done, 0 to 1, again and again; what it raises (and Ctrl-C) ends the sweep

    Returns one row per combination, the last name of the grid changing fastest: the values tried, then trades, wins,
    losses, pnl, fees, funding, max_drawdown, liquidations, ambiguous and excess of `Backtest.summary`. A row equals
    what `run` finds for its rules, to the last bit.

    Raises `CandlesInvalid`, and `BracketInvalid` naming the rule that is unknown, empty or holds an unusable value.
    """
    ready = prepare(candles)
    table = Combinations.of(rules, grid)
    sums = Sweep(ready, len(ready), table, costs, plan.RULE_CODES[plan.intrabar_of(intrabar)], entry).run(progress)
    return table.frame(sums, buy_and_hold(ready, len(ready)))


def pnl_by_period(candles: pl.DataFrame | Candles, rules: BracketRules, grid: Mapping[str, Sequence[Any]],
                  costs: Costs = FREE, *, every: str = "1w", intrabar: str = "pessimistic",
                  entry: pl.Expr | None = None) -> NDArray[np.float64]:
    """[period, combination]: the pnl of the trades entered in each period, of each row of `sweep`.

    every  the length of a period, from the first candle on; the last one may be shorter

    For `compute.overfitting`. Raises as `sweep` does.
    """
    ready = prepare(candles)
    length = duration_ms("every", every, least=60_000) // 60_000
    edges = [ready.row_at(minute) for minute in range(ready.first_minute + length, ready.last_minute + 1, length)]
    work = Sweep(ready, len(ready), Combinations.of(rules, grid), costs, plan.RULE_CODES[plan.intrabar_of(intrabar)],
                 entry, np.array([*edges, len(ready)]))
    work.run()
    return work.periods


@dataclass(frozen=True, eq=False)
class Sweep:
    """One walk per group of combinations."""

    candles: Candles
    end: int
    combinations: Combinations
    costs: Costs
    rule: int
    entry: pl.Expr | None
    edges: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))    # rows where periods end

    @cached_property
    def periods(self) -> NDArray[np.float64]:
        """[period, combination]: pnl by the period of the entry; filled by `run`."""
        return np.zeros((len(self.edges), self.combinations.count))

    def run(self, progress: Progress | None = None) -> dict[str, NDArray[Any]]:
        """What each combination comes to: `NEW_SUMS` without the peak, ambiguous, liquidations."""
        table = self.combinations
        sums, rare = np.zeros((table.count, 8)), np.zeros((table.count, 2), np.int64)
        done = 0
        for rules, mine in table.groups():
            share = Share(progress, done / table.count, len(mine) / table.count)
            if len(mine) < FEW or plan.mode_of(rules) == plan.CROSS:    # a wallet couples a chain's trades
                self._one_by_one(mine, sums, rare, share)
            else:
                self._walk(rules, mine, sums, rare, share)
            done += len(mine)
            share(1.0)
        return {**{name: sums[:, place] for place, name in enumerate(NEW_SUMS)},
                "ambiguous": rare[:, 0], "liquidations": rare[:, 1]}

    def _one_by_one(self, mine: NDArray[np.int64], sums: NDArray[np.float64], rare: NDArray[np.int64],
                    share: Progress) -> None:
        for done, combination in enumerate(mine):
            share(done / len(mine))
            rules = self.combinations.rules_of(int(combination))
            ledger = one_chain(self.candles, self.end, rules, self.costs,
                               self.rule, entry_rows(self.candles, self.end, self.entry, rules))
            found, counts = total(ledger)
            sums[combination, :5], sums[combination, 5:] = found, counts[:3]
            rare[combination] = counts[3:]
            if len(self.edges):
                closed = ledger.codes[:, 0] != kernel.OPEN
                so_far = np.append(0.0, np.cumsum(ledger.prices.pnl[closed]))    # as a walk adds, to the last bit
                at_edges = so_far[np.searchsorted(ledger.rows[closed, 0], self.edges, side="left")]
                self.periods[:, combination] = np.diff(at_edges, prepend=0.0)

    def _walk(self, rules: BracketRules, mine: NDArray[np.int64], sums: NDArray[np.float64],
              rare: NDArray[np.int64], share: Progress) -> None:
        candles, end, timing = self.candles, self.end, plan.timing_of(rules)
        signal = entry_rows(candles, end, self.entry, rules)
        steady = plan.steady_of(rules, candles) if not len(signal) else 0
        after = np.empty(0 if steady else end, np.uint32)
        if not steady:
            kernel.rows_after(end, signal, (candles.stretch_row, candles.stretch_minute), timing, after)
        due, terms = plan.funding_of(self.costs)
        if len(due):
            due = np.searchsorted(due, candles.minutes, side="right")
        levels, classes, most = self._classes(mine, rules.is_isolated)
        outcomes = (np.full(len(levels), 2**63, np.uint64), np.empty(len(levels), np.int64),
                    np.empty(len(levels), np.uint32), np.empty((len(levels), 3)), np.zeros(len(levels), np.bool_))
        common = (float(rules.sign), *plan.steps_of(rules, candles).numbers, rules.is_isolated)
        lowest, highest = (int(kernel.bucket_of(price)) for price in (candles.lowest, candles.highest))
        buckets, stacks = np.zeros((2, highest - lowest + 2), np.uint32), _stacks(end)
        found, scarce = np.zeros((len(mine), 8)), np.zeros((len(mine), 3), np.int64)
        # everyone enters at the first candle that allows it
        heads, following = np.full(kernel.NEAR, kernel.NONE), np.full(len(mine), kernel.NONE)
        following[:-1] = np.arange(1, len(mine))
        far_rows = np.full(len(mine), signal[0] if len(signal) else 0, np.uint32)
        state = np.array([0, 0, lowest, highest, 0 if far_rows[0] < end else kernel.NONE])
        stops = np.union1d(np.append(np.arange(CHUNK, end, CHUNK), end), self.edges)
        before = np.zeros(len(mine))
        for start, stop in pairwise([0, *stops.tolist()]):
            kernel.share_walks(
                start, stop, end, (candles.open, candles.high, candles.low, candles.close),
                candles.links, after, steady, common, (float(self.costs.taker_fee), self.costs.slippage),
                plan.tiers_of(rules.tiers), (due, terms), self.rule, levels, outcomes, classes, most,
                (heads, following, far_rows), stacks, buckets, state, found, scarce)
            if stop in self.edges:
                self.periods[np.searchsorted(self.edges, stop), mine] = found[:, 0] - before
                before = found[:, 0].copy()
            share(stop / end)
        wins, trades = np.floor_divide(found[:, 4], kernel.WON), np.mod(found[:, 4], kernel.WON)
        sums[mine] = np.stack([*found[:, :4].T, found[:, 5], trades, wins, trades - wins - scarce[:, 2]], axis=1)
        rare[mine] = scarce[:, :2]

    def _classes(self, mine: NDArray[np.int64],
                 isolated: bool) -> tuple[NDArray[np.float64], NDArray[np.uint32], NDArray[np.float64]]:
        """The different levels, which two of them each combination has, and its most trades (empty: no limits)."""
        column = self.combinations.column
        leverage = column("leverage", lambda rules: float(rules.leverage))
        notional = column("amount_usdt", lambda rules: float(rules.amount_usdt)) * leverage
        most = column("max_reopens", lambda rules: np.inf if rules.most_trades is None else rules.most_trades)[mine]
        ones = np.ones(len(notional))
        profit = np.stack([notional, column("tp_usdt", lambda rules: float(rules.tp_usdt)), ones, 0 * ones], axis=1)
        stop = np.stack([notional, column("sl_usdt", lambda rules: float(rules.sl_usdt)),
                         leverage if isolated else ones, ones], axis=1)
        levels, classes = np.unique(np.concatenate([profit[mine], stop[mine]]), axis=0, return_inverse=True)
        pairs: NDArray[np.uint32] = np.ascontiguousarray(classes.reshape(2, len(mine)).T.astype(np.uint32))
        return levels, pairs, most if np.isfinite(most).any() else np.empty(0)


def _stacks(end: int) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
    """Two empty stacks: at the bottom a height that every level reaches, at the row after the last."""
    heights, rows = np.empty((2, end + 1)), np.empty((2, end + 1), np.uint32)
    heights[:, 0], rows[:, 0] = np.inf, end
    return heights, rows


@dataclass(frozen=True)
class Share:
    """Tells `progress` of one group's part in the whole."""

    progress: Progress | None
    start: float
    size: float

    def __call__(self, part: float) -> None:
        if self.progress is not None:
            self.progress(min(self.start + self.size * part, 1.0))

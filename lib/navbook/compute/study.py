"""Everything that is asked of one backtest: what it earned, beside what, by which order of high and low, by what luck.

Pure; each answer is worked out when it is first asked for. What too short a past cannot tell is None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from navbook.compute import backtest, overfitting, validation
from navbook.compute.backtest import Backtest, BracketRules, Candles, Costs
from navbook.compute.backtest.grid import Progress
from navbook.compute.validation import HALF_AND_HALF
from navbook.errors import PriceMissing
from navbook.types import Intrabar

BLOCKS = 16                                                      # of the periods, for the probability of overfitting
PERIODS = {"1w": 10_080, "1d": 1440, "8h": 480, "1h": 60}        # minutes; the longest that gives enough is taken
DAY, YEAR_PARTS = 1440, ("90d", "30d")                           # train and test of a long walk-forward
LONG = 240 * DAY
STEPS = (60, 240, 1440, 10_080)                                  # minutes between two points of the equity
MOST_POINTS = 1500
WEEK, MONDAY_NOON = 10_080, 4 * 1440 + 720                       # minutes; the first one since the epoch

Floats = NDArray[np.float64]
Minutes = NDArray[np.int64]


class Engine(Protocol):
    """What runs the combinations of a grid: `compute.backtest` in this process, or `runner.cluster` on others."""

    def sweep(self, candles: pl.DataFrame | Candles, rules: BracketRules, grid: Mapping[str, Sequence[Any]],
              costs: Costs = ..., *, intrabar: str = ..., entry: pl.Expr | None = ...,
              progress: Progress | None = ...) -> pl.DataFrame: ...

    def pnl_by_period(self, candles: pl.DataFrame | Candles, rules: BracketRules, grid: Mapping[str, Sequence[Any]],
                      costs: Costs = ..., *, every: str = ..., intrabar: str = ...,
                      entry: pl.Expr | None = ...) -> Floats: ...


@dataclass(frozen=True, eq=False)
class Study:
    """One set of rules on one symbol, and a grid of others around it.

    legs      candles of BTC and ETH over the same time, as far as they are known
    progress  is told how far a part of the work is that may take long: its name, and 0 to 1
    engine    runs the grid
    """

    candles: Candles
    rules: BracketRules
    costs: Costs
    intrabar: Intrabar = Intrabar.PESSIMISTIC
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    legs: Mapping[str, Candles] = field(default_factory=dict)
    progress: Callable[[str, float], None] | None = None
    engine: Engine = backtest

    @cached_property
    def outcomes(self) -> dict[Intrabar, Backtest]:
        """The backtest by each reading of a candle that holds both levels."""
        return {rule: backtest.run(self.candles, self.rules, self.costs, intrabar=rule) for rule in Intrabar}

    @property
    def result(self) -> Backtest:
        return self.outcomes[self.intrabar]

    @property
    def summary(self) -> dict[str, Any]:
        return self.result.summary

    @property
    def gain(self) -> float:
        return float(self.summary["pnl"] / self.rules.amount_usdt)

    @cached_property
    def bounds(self) -> pl.DataFrame:
        """[intrabar, …]: the summary by each reading of a candle, side by side."""
        return pl.DataFrame([{"intrabar": rule.value, **found.summary} for rule, found in self.outcomes.items()])

    @cached_property
    def tried(self) -> pl.DataFrame:
        """One row a setting of the grid; as of `backtest.sweep`."""
        return self.engine.sweep(self.candles, self.rules, self.grid, self.costs, intrabar=self.intrabar,
                                 progress=self._telling("sweep"))

    @cached_property
    def benchmark(self) -> float | None:
        """What half BTC, half ETH gained, rebalanced on Mondays at noon; None where a candle of theirs is missing."""
        try:
            return float(validation.beside(self.result, self.legs)["gain"][2]) if self.legs else None
        except PriceMissing:
            return None

    @cached_property
    def luck(self) -> dict[str, Any] | None:
        """Of `overfitting.luck`: how much of the best setting's result chance and trying explain."""
        every = next((name for name, minutes in PERIODS.items() if self._minutes >= 2 * BLOCKS * minutes), None)
        if every is None or self.tried.height < 2:
            return None
        pnl = self.engine.pnl_by_period(self.candles, self.rules, self.grid, self.costs, every=every,
                                        intrabar=self.intrabar)
        return overfitting.luck(pnl, blocks=BLOCKS, progress=self._telling("test for luck"))

    @cached_property
    def redrawn(self) -> dict[str, float] | None:
        """Of `overfitting.bootstrap`: what the same trades could have come to."""
        pnl = self.result.trades["pnl"].drop_nulls()
        return overfitting.bootstrap(pnl) if pnl.len() else None

    @cached_property
    def walk_forward(self) -> pl.DataFrame | None:
        """The best setting of each stretch, traded on the stretch after it; of `validation.walk_forward`."""
        if self._minutes < DAY or self.tried.height < 2:
            return None
        train, test = YEAR_PARTS if self._minutes >= LONG else (f"{self._minutes // 2}m", f"{self._minutes // 6}m")
        return validation.walk_forward(self.candles, self.rules, self.grid, self.costs, train=train, test=test,
                                       intrabar=self.intrabar, sweep=self.engine.sweep)

    def entries(self, signals: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """[entry, …]: the summary when positions open at a signal alone, beside the one that is always in the market.
        """
        found = {"always": self.result, **{name: backtest.run(
            self.candles, self.rules, self.costs, intrabar=self.intrabar, entry=signal)
            for name, signal in signals.items()}}
        return pl.DataFrame([{"entry": name, **result.summary} for name, result in found.items()])

    @cached_property
    def equity(self) -> pl.DataFrame:
        """[time, price, strategy, pessimistic, optimistic, buy_and_hold, benchmark]: amount_usdt in each, in USDT.

        From the first candle's opening, then at round hours or days, to the last candle's end.
        """
        amount, rows = self.rules.amount_usdt, self._rows
        times, close = self.candles.minutes[rows] + 1, self.candles.close[rows]
        lines = {name: np.append(0.0, found.equity["equity_usdt"].to_numpy()[rows]) + amount for name, found in
                 (("strategy", self.result), ("pessimistic", self.outcomes[Intrabar.PESSIMISTIC]),
                  ("optimistic", self.outcomes[Intrabar.OPTIMISTIC]))}
        price = np.append(self.candles.open[0], close)
        held = None if self.benchmark is None else np.append(1.0, self._half_and_half(times)) * amount
        moments = pl.Series(np.append(self.candles.first_minute, times) * 60_000_000).cast(pl.Datetime("us", "UTC"))
        return pl.DataFrame({"time": moments, "price": price, **lines, "buy_and_hold": price / price[0] * amount,
                             "benchmark": pl.Series(held, dtype=pl.Float64) if held is not None
                             else pl.repeat(None, len(price), dtype=pl.Float64, eager=True)})

    def _telling(self, work: str) -> Progress | None:
        return partial(self.progress, work) if self.progress is not None else None

    @property
    def _minutes(self) -> int:
        return self.candles.last_minute + 1 - self.candles.first_minute

    @property
    def _rows(self) -> Minutes:
        """Candles whose ends are points of the equity."""
        step = next((step for step in STEPS if self._minutes <= step * MOST_POINTS), STEPS[-1])
        ends = self.candles.minutes + 1
        chosen = ends % step == 0
        chosen[-1] = True
        return np.flatnonzero(chosen)

    def _half_and_half(self, times: Minutes) -> Floats:
        """Growth since the first candle's opening, at the end of each minute before `times`."""
        start = self.candles.first_minute
        anchors = np.append(start, np.arange(start + 1 + (MONDAY_NOON - start - 1) % WEEK, times[-1], WEEK))
        place = np.searchsorted(anchors, times, side="left") - 1
        since, whole = np.zeros(len(times)), np.zeros(len(anchors) - 1)
        for name, weight in HALF_AND_HALF.items():
            leg = self.legs[name]
            base = np.append(leg.open[leg.row_at(start)], _closes(leg, anchors[1:]))
            since += weight * _closes(leg, times) / base[place]
            whole += weight * base[1:] / base[:-1]
        return np.append(1.0, np.cumprod(whole))[place] * since


def _closes(candles: Candles, minutes: Minutes) -> Floats:
    """The close of the last candle that ended at each of `minutes` or before."""
    rows = np.searchsorted(candles.minutes, minutes, side="left") - 1
    return candles.close[rows]

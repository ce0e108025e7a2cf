"""Does a backtest hold out of sample? Splits of time, the market beside it, and a look for clairvoyance. Pure.

Sources: R. Pardo, "Design, Testing and Optimization of Trading Systems" (1992), walk-forward analysis;
M. López de Prado, "Advances in Financial Machine Learning" (2018), chapter 7, purging and embargo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from navbook.compute import backtest
from navbook.compute.backtest import Backtest, Candles, prepare
from navbook.compute.backtest.replay import FREE
from navbook.compute.brackets import BracketRules, Costs, duration_ms
from navbook.errors import BracketInvalid, PriceMissing

WEEK, MONDAY_NOON = timedelta(weeks=1), datetime(1970, 1, 5, 12, tzinfo=UTC)
HALF_AND_HALF = {"BTC": 0.5, "ETH": 0.5}


# -- beside the market -----------------------------------------------------------------------------------------
def beside(result: Backtest, legs: Mapping[str, pl.DataFrame | Candles],
           weights: Mapping[str, float] = HALF_AND_HALF) -> pl.DataFrame:
    """[name, gain]: the strategy on its amount, holding its symbol, and the benchmark, as fractions of one period.

    legs     1m candles of each leg of the benchmark, over the same time
    weights  of the legs; restored each Monday at 12:00 UTC, as the accounts' own benchmark does

    Raises `PriceMissing` where a leg has no candle at the start, the end or a rebalance.
    """
    candles, end = result.candles, result.end
    start, stop = candles.minute(0), candles.minute(end - 1) + 1
    held = "+".join(f"{weight:.0%} {name}" for name, weight in weights.items())
    return pl.DataFrame({
        "name": ["strategy", "buy and hold", held],
        "gain": [result.summary["pnl"] / result.amount_usdt, result.buy_and_hold,
                 _rebalanced({name: prepare(legs[name]) for name in weights}, weights, start, stop)]})


def _rebalanced(legs: Mapping[str, Candles], weights: Mapping[str, float], start: int, stop: int) -> float:
    """Growth from the open of minute `start` to the end of the one before `stop`, less 1."""
    noon = int((MONDAY_NOON - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(minutes=1))
    week = int(WEEK / timedelta(minutes=1))
    moments = [start, *range(start + 1 + (noon - start - 1) % week, stop, week), stop]
    prices = {name: [_open(name, legs[name], start), *(_close(name, legs[name], moment) for moment in moments[1:])]
              for name in weights}
    value = 1.0
    for place in range(1, len(moments)):
        value *= sum(weight * prices[name][place] / prices[name][place - 1] for name, weight in weights.items())
    return value - 1


def _open(name: str, candles: Candles, minute: int) -> float:
    row = candles.row_at(minute)
    if candles.first_minute > minute or row == len(candles):
        raise PriceMissing(f"{name} has no candle at the start of the backtest.")
    return float(candles.open[row])


def _close(name: str, candles: Candles, minute: int) -> float:
    """The close of the last candle that ended at `minute` or before; at most a day old."""
    row = candles.row_at(minute) - 1
    if row < 0 or minute - candles.minute(row) > 1440:
        raise PriceMissing(f"{name} has no candle in the day before minute {minute}.")
    return float(candles.close[row])


# -- splits of time --------------------------------------------------------------------------------------------
def walk_forward(candles: pl.DataFrame | Candles, rules: BracketRules, grid: Mapping[str, Sequence[Any]],
                 costs: Costs = FREE, *, train: str = "90d", test: str = "30d", choose: str = "pnl",
                 intrabar: str = "pessimistic", entry: pl.Expr | None = None,
                 sweep: Callable[..., pl.DataFrame] = backtest.sweep) -> pl.DataFrame:
    """Choose the best of `grid` on one stretch of time, trade it on the next, and go on by the length of that.

    train, test  how long those are; a fold without candles or shorter than that is left out
    choose       the column of `sweep` to maximise
    sweep        runs the grid on each stretch: `backtest.sweep`, or what does the same elsewhere

    Returns [fold, train_from, test_from, test_to, the chosen values, train_trades, train_NAME, test_trades, test_pnl,
    test_buy_and_hold], NAME being `choose`. Each stretch starts without a position, and what is open at its end counts
    nothing, so that no trade is in two of them. Raises `BracketInvalid` where the candles suffice for no fold.
    """
    ready = prepare(candles)
    lengths = [duration_ms(key, value, least=60_000) // 60_000 for key, value in (("train", train), ("test", test))]
    rows = []
    for fold, (start, middle, stop) in enumerate(_stretches(ready, *lengths)):
        before, after = (prepare(ready.frame.slice(first, last - first)) for first, last in
                         ((ready.row_at(start), ready.row_at(middle)), (ready.row_at(middle), ready.row_at(stop))))
        tried = sweep(before, rules, grid, costs, intrabar=intrabar, entry=entry)
        if choose not in tried.columns or not tried.schema[choose].is_numeric():
            raise BracketInvalid("choose", choose, f"one of {', '.join(tried.columns[len(grid):])}")
        best = tried.row(int(tried[choose].arg_max() or 0), named=True)
        chosen = {name: best[name] for name in grid}
        found = backtest.run(after, replace(rules, **chosen), costs, intrabar=intrabar, entry=entry).summary
        rows.append({"fold": fold, "train_from": _time(start), "test_from": _time(middle), "test_to": _time(stop),
                     **chosen, "train_trades": best["trades"], f"train_{choose}": best[choose],
                     "test_trades": found["trades"], "test_pnl": found["pnl"],
                     "test_buy_and_hold": found["buy_and_hold"]})
    if not rows:
        raise BracketInvalid("train", train, f"shorter: these candles do not last for {train} and {test}")
    return pl.DataFrame(rows)


def _stretches(candles: Candles, train: int, test: int) -> Iterator[tuple[int, int, int]]:
    """(start, middle, stop) in minutes."""
    for start in range(candles.first_minute, candles.last_minute + 2 - train - test, test):
        middle, stop = start + train, start + train + test
        if candles.row_at(start) < candles.row_at(middle) < candles.row_at(stop):
            yield start, middle, stop


def _time(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def purged_splits(trades: pl.DataFrame, folds: int = 5,
                  embargo: str = "0s") -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(train, test) rows of closed trades, for cross-validation in blocks of time.

    trades   [entry_time, exit_time, …] by entry; those that are open are in neither
    embargo  how long after a test block nothing is trained on

    What was open while a test trade was is purged from the training. Raises `BracketInvalid` for too few trades.
    """
    wait = duration_ms("embargo", embargo)
    closed = np.flatnonzero(trades["exit_time"].is_not_null().to_numpy())
    if not 2 <= folds <= len(closed):
        raise BracketInvalid("folds", folds, f"from 2 to the number of closed trades ({len(closed)})")
    begin, over = (trades[name].dt.timestamp("ms").to_numpy()[closed] for name in ("entry_time", "exit_time"))
    for place in np.array_split(np.arange(len(closed)), folds):
        first, last = begin[place].min(), over[place].max()
        apart = (over < first) | (begin > last + wait)
        apart[place] = False
        yield closed[apart], closed[place]


# -- clairvoyance ----------------------------------------------------------------------------------------------
def truncation(candles: pl.DataFrame | Candles, rules: BracketRules | Sequence[BracketRules], costs: Costs = FREE, *,
               cuts: int = 10, intrabar: str = "pessimistic", entry: pl.Expr | None = None) -> pl.DataFrame:
    """[until, trades, same]: whether the trades closed by `until` are the same when all later candles are cut off.

    Where one is not, the entry expression looks into the future.
    """
    ready = prepare(candles)
    whole = backtest.run(ready, rules, costs, intrabar=intrabar, entry=entry).trades
    rows = []
    for row in np.linspace(0, len(ready), cuts + 2, dtype=int)[1:-1]:
        until = _time(ready.minute(int(row)))
        cut = backtest.run(ready, rules, costs, intrabar=intrabar, entry=entry, until=until).trades
        then, now = (table.filter(pl.col("exit_time") < until) for table in (cut, whole))
        rows.append({"until": until, "trades": now.height, "same": then.equals(now)})
    return pl.DataFrame(rows, schema_overrides={"until": pl.Datetime("us", "UTC")})

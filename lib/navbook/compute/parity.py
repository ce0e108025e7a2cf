"""Live trades beside a backtest over the same minutes: which belong together, and what makes the difference.

The difference of a pair is taken apart by replaying the candles twice more: once entered in the live minute as the
rules would have it, once with the live entry's own price, quantity and levels. Each step changes one thing, so the
parts add up to the whole:

    delay      the position was opened at another minute than in the backtest, or in one of the two alone
    slippage   the entry or the exit was filled at another price than the candle's open or the level
    fee        commission, against the backtest's rate
    funding    paid and received, against the settlements of the backtest
    manual     a person closed it, or nobody knows who
    data       the exchange closed it elsewhere than the candles say, or not at all
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from navbook.compute import brackets
from navbook.compute.backtest import kernel, prepare, replay
from navbook.compute.backtest.candles import Candles
from navbook.compute.brackets import BracketRules, Costs
from navbook.schemas import PARITY, TRADE
from navbook.types import ExitReason, Intrabar

PARTS = ("delay", "slippage", "fee", "funding", "manual", "data")
BY_HAND = (ExitReason.MANUAL, ExitReason.ORPHAN)
BY_LEVEL = (ExitReason.TAKE_PROFIT, ExitReason.STOP_LOSS)
EPOCH_MINUTE = timedelta(minutes=1)

Trade = dict[str, Any]    # a row of TRADE
Pair = tuple[Trade | None, Trade | None]    # live, backtest


def modelled(live: pl.DataFrame, candles: pl.DataFrame | Candles, rules: BracketRules, costs: Costs,
             until: datetime) -> pl.DataFrame:
    """What a backtest makes of the minutes in which `live` traded, as TRADE rows.

    live     TRADE rows of one position. Each trade that reopens none begins a chain, and so does the first one
    candles  1m candles; `until` is the end of the last chain
    """
    ready, starts = prepare(candles), live.sort("entry_time")
    begins = starts.filter((pl.col("reopen") == 0) | (pl.int_range(pl.len()) == 0))
    ends = begins["entry_time"].shift(-1).fill_null(until)
    chains = [_chain(ready, rules, costs, first, end)
              for first, end in zip(begins.iter_rows(named=True), ends, strict=True)]
    return pl.concat(chains) if chains else pl.DataFrame(schema=TRADE)


def _chain(candles: Candles, rules: BracketRules, costs: Costs, first: Trade, end: datetime) -> pl.DataFrame:
    """The trades of a backtest that begins in the minute of `first`, as the same reopening."""
    minutes = candles.frame.filter(pl.col("open_time") >= first["entry_time"].replace(second=0, microsecond=0),
                                   pl.col("open_time") < end)
    if minutes.is_empty():
        return pl.DataFrame(schema=TRADE)
    left = None if rules.max_reopens is None else max(0, rules.max_reopens - first["reopen"])
    found = replay.run(minutes, replace(rules, max_reopens=left), costs, intrabar=Intrabar.PATH).trades
    return found.with_columns(pl.col("reopen") + first["reopen"])


def report(name: str, live: pl.DataFrame, modelled: pl.DataFrame, candles: pl.DataFrame | Candles, rules: BracketRules,
           costs: Costs) -> pl.DataFrame:
    """PARITY rows: every trade of both, in pairs where both have it, and the parts of each difference.

    live, modelled  TRADE rows of one position; what is still open counts nothing
    """
    ready = prepare(candles)
    rows = [{"name": name, "number": number, **_told(pair), **_parts(pair, ready, rules, costs)}
            for number, pair in enumerate(pairs(live, modelled), 1)]
    return PARITY.rows(rows)


def pairs(live: pl.DataFrame, modelled: pl.DataFrame) -> Iterator[Pair]:
    """Trades that were open at the same time, the nearest entries together; each one comes once, in order."""
    ours, theirs = (list(frame.sort("entry_time").iter_rows(named=True)) for frame in (live, modelled))
    i = j = 0
    while i < len(ours) and j < len(theirs):
        one, other = ours[i], theirs[j]
        apart = abs(one["entry_time"] - other["entry_time"])
        if _over(one) <= other["entry_time"] or (
                i + 1 < len(ours) and abs(ours[i + 1]["entry_time"] - other["entry_time"]) < apart):
            yield one, None
            i += 1
        elif _over(other) <= one["entry_time"] or (
                j + 1 < len(theirs) and abs(theirs[j + 1]["entry_time"] - one["entry_time"]) < apart):
            yield None, other
            j += 1
        else:
            yield one, other
            i, j = i + 1, j + 1
    yield from ((one, None) for one in ours[i:])
    yield from ((None, other) for other in theirs[j:])


def summary(report: pl.DataFrame) -> dict[str, float]:
    """Sums of PARITY rows: live, backtest, their difference, and its parts."""
    columns = ("live_pnl", "backtest_pnl", "difference", *PARTS)
    return {column: float(report[column].sum()) for column in columns}


def _over(trade: Trade) -> datetime:
    """The end of the minute in which a trade ended; for one that is open, never."""
    never = datetime.max.replace(tzinfo=trade["entry_time"].tzinfo)
    return never if trade["exit_time"] is None else trade["exit_time"] + EPOCH_MINUTE


def _told(pair: Pair) -> dict[str, Any]:
    """What each of the two did."""
    live, modelled = pair
    told: dict[str, Any] = {"side": (live or modelled or {})["side"],
                            "found": "both" if live and modelled else "live only" if live else "backtest only"}
    for who, trade in (("live", live), ("backtest", modelled)):
        for column in ("entry_time", "entry_price", "exit_time", "exit_price", "reason"):
            told[f"{who}_{column}"] = trade and trade[column]
        told[f"{who}_pnl"] = _known(trade, "pnl")
    return told


def _known(trade: Trade | None, column: str) -> float:
    """0 of what is not there and of what is still open."""
    return float((trade and trade[column]) or 0.0)


def _parts(pair: Pair, candles: Candles, rules: BracketRules, costs: Costs) -> dict[str, float]:
    """The difference and its parts, in USDT. What the first four leave is the last one's."""
    live, modelled = pair
    difference = _known(live, "pnl") - _known(modelled, "pnl")
    parts = dict.fromkeys(PARTS, 0.0)
    parts["fee"] = _known(modelled, "fee") - _known(live, "fee")
    parts["funding"] = _known(live, "funding") - _known(modelled, "funding")
    begun = _gross(modelled, rules)
    if live is None:
        return {"difference": difference, **parts, "delay": -begun}
    row = candles.row_at(int(live["entry_time"].timestamp()) // 60)
    same_minute = modelled is not None and candles.row_at(int(modelled["entry_time"].timestamp()) // 60) == row
    entered = begun if same_minute else _by_the_rules(candles, row, rules, costs)
    bracketed, exit_time, reason = _as_filled(candles, row, live, rules, costs)
    parts["delay"], parts["slippage"] = entered - begun, bracketed - entered
    rest = difference - sum(parts.values())
    if live["reason"] in BY_HAND:
        parts["manual"] = rest
    elif live["reason"] in BY_LEVEL and (exit_time, reason) == (_minute(live["exit_time"]), live["reason"]):
        parts["slippage"] += rest
    else:
        parts["data"] = rest
    return {"difference": difference, **parts}


def _minute(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)


def _gross(trade: Trade | None, rules: BracketRules) -> float:
    """Profit before fee and funding."""
    if trade is None or trade["exit_price"] is None:
        return 0.0
    return float(rules.sign * trade["quantity"] * (trade["exit_price"] - trade["entry_price"]))


def _by_the_rules(candles: Candles, row: int, rules: BracketRules, costs: Costs) -> float:
    """Gross profit of a trade entered at the open of `row` as a backtest would."""
    if row >= len(candles):
        return 0.0
    entry = brackets.entry_price(rules, costs, float(candles.open[row]))
    quantity = brackets.quantity(rules, entry)
    if not quantity:
        return 0.0
    profit, stop = brackets.levels(rules, entry, quantity)
    last, price, _ = _exit(candles, row, rules, profit, stop)
    return 0.0 if last is None else rules.sign * quantity * (brackets.exit_price(rules, costs, price) - entry)


def _as_filled(candles: Candles, row: int, live: Trade, rules: BracketRules,
               costs: Costs) -> tuple[float, datetime | None, str]:
    """Gross profit, minute and reason of the exit that the candles have for the live trade's own bracket."""
    last, price, reason = _exit(candles, row, rules, live["take_profit"], live["stop_loss"])
    if last is None:
        return 0.0, None, reason
    gain = rules.sign * live["quantity"] * (brackets.exit_price(rules, costs, price) - live["entry_price"])
    return gain, candles.frame["open_time"][last], reason


def _exit(candles: Candles, row: int, rules: BracketRules, profit: float, stop: float) -> tuple[int | None, float, str]:
    """Row, price and reason of the first exit from `row` on, by the path rule; (None, 0, OPEN) where there is none."""
    up, down = (profit, stop) if rules.sign > 0 else (stop, profit)
    end = len(candles)
    last = end if row >= end else kernel.first_touch(row, end, up, down, candles.high, candles.low, candles.blocks)
    if last >= end:
        return None, 0.0, ExitReason.OPEN
    price, wins, _ = kernel.resolve(last == row, float(rules.sign), up, down, candles.high[last] >= up,
                                    candles.low[last] <= down, candles.open[last], candles.close[last], kernel.PATH)
    return int(last), float(price), ExitReason.TAKE_PROFIT if wins else ExitReason.STOP_LOSS

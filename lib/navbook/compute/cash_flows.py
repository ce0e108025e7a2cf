"""Which movements count, once each, and what they were worth at their own time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from navbook.compute import valuation
from navbook.schemas import FLOW_VALUES, TIME
from navbook.types import FlowKind, FlowStatus

SAME_MOVEMENT = timedelta(minutes=2)    # two endpoints list one movement at most this far apart
MINUTE = timedelta(minutes=1)
VAGUE = ("deposit", "withdrawal")       # sources that may list what another knows better
SPECIFIC = ("sub_transfer", "pay")
LAST_OF_HOUR = timedelta(minutes=59)
Row = Mapping[str, Any]
# Which CANDLES tell p(t); the others are for backtests.
TELLS_PRICE = (pl.col("market") == "spot") & pl.col("interval").is_in(["1m", "1h"])


def counted(cash_flows: pl.DataFrame) -> pl.DataFrame:
    """The flows of CASH_FLOWS that happened, one row a movement, with `quantity` (signed, float).

    What came from or went to another Binance account may stand among the deposits or withdrawals too, as
    internal: such a row is dropped when a transfer with a sub-account or a payment of the same account,
    asset and direction has its transaction id, or its amount within two minutes. Each takes away one row at most.
    """
    receives = pl.col("kind").is_in([kind.value for kind in FlowKind if kind.sign > 0])
    done = cash_flows.filter(pl.col("status") == FlowStatus.DONE).with_columns(
        receives=receives, quantity=pl.when(receives).then("amount").otherwise(-(pl.col("amount") + pl.col("fee"))))
    vague = done.filter(pl.col("source").is_in(VAGUE), pl.col("internal"))
    known = done.filter(pl.col("source").is_in(SPECIFIC))
    if vague.height and known.height:
        twins = {(row["account"], row["source"], row["id"]) for row, _ in pairs(
            vague.to_dicts(), known.to_dicts(), _one_side)}
        done = done.filter(pl.Series([key not in twins for key in done.select("account", "source", "id").iter_rows()]))
    return done.with_columns(pl.col("quantity").cast(pl.Float64)).drop("receives")


def pairs(left: Sequence[Row], right: Sequence[Row], fits: Callable[[Row, Row], bool]) -> list[tuple[Row, Row]]:
    """Rows of `left` and `right` that are one movement, as many pairs as there can be.

    Rows that fit pair when `tx_id` agrees, or else `amount`, with `time` within two minutes. Along a line of
    times, taking the earliest free partner each time gives the most pairs.
    """
    found: list[tuple[Row, Row]] = []
    free = sorted(right, key=_order)
    for wanted in (_by_id, _by_amount):
        taken: set[int] = set()
        matched = {id(row) for row, _ in found}
        for row in sorted(left, key=_order):
            if id(row) in matched:
                continue
            partner = next((index for index, other in enumerate(free) if index not in taken and wanted(row, other)
                            and fits(row, other)), None)
            if partner is not None:
                taken.add(partner)
                found.append((row, free[partner]))
        free = [other for index, other in enumerate(free) if index not in taken]
    return found


def _one_side(row: Row, other: Row) -> bool:
    return all(row[column] == other[column] for column in ("account", "asset", "receives"))


def _order(row: Row) -> tuple[Hashable, ...]:
    return row["time"], row["account"], row["source"], row["id"]


def _by_id(row: Row, other: Row) -> bool:
    return row["tx_id"] is not None and row["tx_id"] == other["tx_id"]


def _by_amount(row: Row, other: Row) -> bool:
    return bool(row["amount"] == other["amount"] and abs(row["time"] - other["time"]) <= SAME_MOVEMENT)


def closing_minute(time: pl.Expr) -> pl.Expr:
    """The open time of the 1m candle that closed last at or before `time`."""
    return time.dt.truncate("1m") - MINUTE


def minute_told() -> pl.Expr:
    """The minute (its open time) whose close a 1m or 1h candle tells."""
    return pl.when(pl.col("interval") == "1h").then(pl.col("open_time") + LAST_OF_HOUR).otherwise("open_time")


def closes(candles: pl.DataFrame) -> pl.DataFrame:
    """[symbol, open_time, price]: close of each stored spot minute; a minute that the exchange has no
    candle for takes the close before it. An hour's candle tells the close of its last minute."""
    return (candles.filter(TELLS_PRICE)
            .with_columns(open_time=minute_told()).sort("symbol", "open_time", "interval")
            .select("symbol", "open_time", price=pl.col("close").cast(pl.Float64).forward_fill().over("symbol"))
            .drop_nulls("price").unique(["symbol", "open_time"], keep="last", maintain_order=True))


def prices_at(times: Iterable[datetime], closed: pl.DataFrame) -> pl.DataFrame:
    """p(t): [time, symbol, price] of every stored pair at each of `times`; what is not stored is left out.

    closed  of `closes`
    """
    wanted = pl.DataFrame({"time": list(times)}, schema={"time": TIME}).unique()
    return (wanted.with_columns(open_time=closing_minute(pl.col("time")))
            .join(closed, on="open_time").select("time", "symbol", "price"))


def values(flows: pl.DataFrame, closed: pl.DataFrame, stablecoins: Collection[str]) -> pl.DataFrame:
    """FLOW_VALUES: each flow in USD at p(t) of its own time; null where nothing prices it.

    flows   of `counted`
    closed  of `closes`
    """
    valued = (valuation.priced(flows, prices_at(flows["time"], closed), stablecoins)
              .with_columns(value_usd=pl.col("quantity") * pl.col("price")))
    return FLOW_VALUES.check(valued.select(list(FLOW_VALUES.columns)).sort(FLOW_VALUES.key))


def judged(flows: pl.DataFrame, pairs_known: Collection[str], stablecoins: Collection[str]) -> pl.DataFrame:
    """FLOW_VALUES with `unpriced`: no value although the asset has a market, since some pair of it was ever priced."""
    marketed = [asset for asset in flows["asset"].unique() if any(
        route.symbols and route.symbols[0] in pairs_known for route in valuation.routes(asset, stablecoins))]
    return flows.with_columns(unpriced=pl.col("value_usd").is_null() & pl.col("asset").is_in(marketed))


def minutes_needed(cash_flows: pl.DataFrame, rebalances: Iterable[datetime], legs: Iterable[str],
                   traded: Collection[str], stablecoins: Collection[str]) -> pl.DataFrame:
    """[symbol, open_time]: the candles that price every counted flow and every due rebalance.

    legs  assets of all benchmarks: each flow is put into them at its own minute
    """
    flows = counted(cash_flows)
    leg_symbols = valuation.symbols_for(legs, stablecoins, traded)
    wanted = [(symbol, time) for time in [*flows["time"], *rebalances] for symbol in leg_symbols]
    for asset, time in flows.select("asset", "time").iter_rows():
        wanted += [(symbol, time) for symbol in valuation.symbols_for([asset], stablecoins, traded)]
    return (pl.DataFrame(wanted, schema={"symbol": pl.String(), "time": TIME}, orient="row")
            .select("symbol", open_time=closing_minute(pl.col("time"))).unique().sort(pl.all()))

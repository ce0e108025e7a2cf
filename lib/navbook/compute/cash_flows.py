"""Which movements count, once each, and what they were worth at their own time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import polars as pl

from navbook.compute import valuation
from navbook.schemas import FLOW_VALUES
from navbook.types import FlowKind, FlowStatus

SAME_MOVEMENT = timedelta(minutes=2)    # two endpoints list one movement at most this far apart
MINUTE = timedelta(minutes=1)
LAST_OF_HOUR = timedelta(minutes=59)


def counted(cash_flows: pl.DataFrame) -> pl.DataFrame:
    """The flows of CASH_FLOWS that happened, one row a movement, with `quantity` (signed, float).

    A transfer with a sub-account may stand among the deposits or withdrawals too, as internal: such a
    row is dropped when a sub_transfer of the same account, asset and direction has its transaction id,
    or its amount within two minutes. Each sub_transfer takes away one row at most.
    """
    done = cash_flows.filter(pl.col("status") == FlowStatus.DONE)
    receives = pl.col("kind").is_in([kind.value for kind in FlowKind if kind.sign > 0])
    done = done.with_columns(
        receives=receives, quantity=pl.when(receives).then("amount").otherwise(-(pl.col("amount") + pl.col("fee"))))
    transfers = done.filter(pl.col("source") == "sub_transfer")
    others = done.filter(pl.col("source") != "sub_transfer", pl.col("internal"))
    twins = (others.join(transfers, on=["account", "asset", "receives"], suffix="_sub")
             .with_columns(apart=(pl.col("time") - pl.col("time_sub")).abs(),
                           same_id=(pl.col("tx_id") == pl.col("tx_id_sub")).fill_null(False))
             .filter(pl.col("same_id") | ((pl.col("amount") == pl.col("amount_sub"))
                                          & (pl.col("apart") <= SAME_MOVEMENT)))
             .sort(pl.col("same_id").not_(), "apart", "source", "id", "id_sub")
             .unique(["account", "id_sub"], keep="first", maintain_order=True)
             .unique(["account", "source", "id"], keep="first", maintain_order=True))
    return (done.join(twins, on=["account", "source", "id"], how="anti")
            .with_columns(pl.col("quantity").cast(pl.Float64)).drop("receives"))


def closing_minute(time: pl.Expr) -> pl.Expr:
    """The open time of the 1m candle that closed last at or before `time`."""
    return time.dt.truncate("1m") - MINUTE


def minute_told() -> pl.Expr:
    """The minute (its open time) whose close a 1m or 1h candle tells."""
    return pl.when(pl.col("interval") == "1h").then(pl.col("open_time") + LAST_OF_HOUR).otherwise("open_time")


def closes(candles: pl.DataFrame) -> pl.DataFrame:
    """[symbol, open_time, price]: close of each stored spot minute; a minute that the exchange has no
    candle for takes the close before it. An hour's candle tells the close of its last minute."""
    return (candles.filter(pl.col("market") == "spot", pl.col("interval").is_in(["1m", "1h"]))
            .with_columns(open_time=minute_told()).sort("symbol", "open_time", "interval")
            .select("symbol", "open_time", price=pl.col("close").cast(pl.Float64).forward_fill().over("symbol"))
            .drop_nulls("price").unique(["symbol", "open_time"], keep="last", maintain_order=True))


def prices_at(times: Iterable[datetime], candles: pl.DataFrame) -> pl.DataFrame:
    """p(t): [time, symbol, price] of every stored pair at each of `times`; what is not stored is left out."""
    wanted = pl.DataFrame({"time": list(times)}, schema={"time": pl.Datetime("us", "UTC")}).unique()
    return (wanted.with_columns(open_time=closing_minute(pl.col("time")))
            .join(closes(candles), on="open_time").select("time", "symbol", "price"))


def values(cash_flows: pl.DataFrame, candles: pl.DataFrame, stablecoins: Collection[str]) -> pl.DataFrame:
    """FLOW_VALUES: each counted flow in USD at p(t) of its own time; null where nothing prices it."""
    flows = counted(cash_flows)
    valued = (valuation.priced(flows, prices_at(flows["time"], candles), stablecoins)
              .with_columns(value_usd=pl.col("quantity") * pl.col("price")))
    return FLOW_VALUES.check(valued.select(list(FLOW_VALUES.columns)).sort(FLOW_VALUES.key))


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
    return (pl.DataFrame(wanted, schema={"symbol": pl.String(), "time": pl.Datetime("us", "UTC")}, orient="row")
            .select("symbol", open_time=closing_minute(pl.col("time"))).unique().sort(pl.all()))

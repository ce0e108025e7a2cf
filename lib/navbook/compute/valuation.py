"""What balances are worth in USD: price routes, holdings, net asset value. Pure.

Stablecoins count 1. Any other asset X goes by the first route whose pairs have a price: X/USDT,
X/USDC or X/FDUSD, else over BTC, ETH or BNB (X/BTC times BTC/USDT).
Source: DESIGN "NAV"; BINANCE documentation, "Price ticker" (only pairs that trade are asked for).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import polars as pl

from navbook.schemas import HOLDINGS
from navbook.types import FlowStatus, Grade, Wallet

DOLLARS = ("USDT", "USDC", "FDUSD")
BRIDGES = ("BTC", "ETH", "BNB")


def routes(assets: Iterable[str], stablecoins: Collection[str]) -> pl.DataFrame:
    """Every way to price each asset, best first: [asset, rank, symbol, via, price_route].

    `symbol` prices the asset, `via` (or null) prices the bridge; both are null for a stablecoin.
    """
    rows = [(asset, rank, *way) for asset in sorted(set(assets))
            for rank, way in enumerate(_ways(asset, stablecoins))]
    schema = {"asset": pl.String, "rank": pl.Int32, "symbol": pl.String, "via": pl.String,
              "price_route": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _ways(asset: str, stablecoins: Collection[str]) -> list[tuple[str | None, str | None, str]]:
    if asset in stablecoins:
        return [(None, None, "counts 1")]
    direct = [(f"{asset}{dollar}", None, f"{asset}/{dollar}") for dollar in DOLLARS]
    bridged = [(f"{asset}{bridge}", f"{bridge}USDT", f"via_{bridge.lower()}") for bridge in BRIDGES
               if asset != bridge]
    return [*direct, *bridged]


def symbols_for(assets: Iterable[str], stablecoins: Collection[str], traded: Collection[str]) -> list[str]:
    """The pairs that price `assets`, of those in `traded`: each asset's best route only."""
    usable = (routes(assets, stablecoins).drop_nulls("symbol")
              .filter(pl.col("symbol").is_in(list(traded)), pl.col("via").is_null() | pl.col("via").is_in(list(traded)))
              .sort("asset", "rank").unique("asset", keep="first", maintain_order=True))
    return sorted({*usable["symbol"], *usable["via"].drop_nulls()})


def priced(wanted: pl.DataFrame, prices: pl.DataFrame, stablecoins: Collection[str]) -> pl.DataFrame:
    """`wanted` [asset, time, …] with `price` (USD, null where no route has one) and `price_route`.

    prices  [time, symbol, price] (float), at the very times of `wanted`
    """
    ways = routes(wanted["asset"].unique(), stablecoins)
    bridge = prices.select("time", via="symbol", bridge_price="price")
    found = (wanted.select("asset", "time").unique().join(ways, on="asset")
             .join(prices.select("time", "symbol", "price"), on=["time", "symbol"], how="left")
             .join(bridge, on=["time", "via"], how="left")
             .with_columns(price=pl.when(pl.col("symbol").is_null()).then(1.0)
                                   .when(pl.col("via").is_null()).then("price")
                                   .otherwise(pl.col("price") * pl.col("bridge_price")))
             .drop_nulls("price").sort("rank").unique(["asset", "time"], keep="first", maintain_order=True))
    return wanted.join(found.select("asset", "time", "price", "price_route"), on=["asset", "time"], how="left",
                       maintain_order="left")


def holdings(balances: pl.DataFrame, prices: pl.DataFrame, cash_flows: pl.DataFrame, snapshots: pl.DataFrame,
             stablecoins: Collection[str]) -> pl.DataFrame:
    """HOLDINGS: every balance of every snapshot with its price and value, withdrawals under way included.

    balances, prices, cash_flows, snapshots  facts, the newest row of each
    """
    quantities = balances.select("account", "time", "wallet", "asset", pl.col("quantity").cast(pl.Float64))
    moving = _in_transit(cash_flows, balances, snapshots)
    held = pl.concat([quantities, moving])
    at_snapshot = prices.select("time", "symbol", pl.col("price").cast(pl.Float64))
    valued = (priced(held, at_snapshot, stablecoins)
              .with_columns(value_usd=pl.col("quantity") * pl.col("price")))
    return HOLDINGS.check(valued.select(list(HOLDINGS.columns)))


def _in_transit(cash_flows: pl.DataFrame, balances: pl.DataFrame, snapshots: pl.DataFrame) -> pl.DataFrame:
    """Withdrawals that had left a wallet at a snapshot and were not complete: [account, time, wallet, asset, quantity].

    A refused one was under way until it came back (or, where the exchange does not say when, was seen refused).

    What a wallet still shows as `withdrawing` is not counted a second time.
    """
    came_back = pl.when(pl.col("time") > pl.col("started_at")).then("time").otherwise("seen_at")
    leaving = cash_flows.filter(pl.col("source") == "withdrawal").select(
        "account", "asset", "started_at",
        ends_at=pl.when(pl.col("status") == FlowStatus.DONE).then("time")
                  .when(pl.col("status") == FlowStatus.FAILED).then(came_back),
        gone=(pl.col("amount") + pl.col("fee")).cast(pl.Float64))
    under_way = (snapshots.select("account", "time").join(leaving, on="account")
                 .filter(pl.col("started_at") <= pl.col("time"),
                         pl.col("ends_at").is_null() | (pl.col("ends_at") > pl.col("time")))
                 .group_by("account", "time", "asset").agg(pl.col("gone").sum()))
    shown = (balances.group_by("account", "time", "asset")
             .agg(withdrawing=pl.col("withdrawing").cast(pl.Float64).sum()))
    return (under_way.join(shown, on=["account", "time", "asset"], how="left")
            .with_columns(quantity=pl.col("gone") - pl.col("withdrawing").fill_null(0.0))
            .filter(pl.col("quantity") > 0)
            .select("account", "time", pl.lit(Wallet.IN_TRANSIT.value).alias("wallet"), "asset", "quantity"))


def net_asset_value(holdings: pl.DataFrame, snapshots: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """[account, time, grade, reason, nav]: the sum of what has a price, and how far it can be trusted.

    snapshots  SNAPSHOTS; an incomplete one stays so and has no nav, any other is graded here
    tolerance  of the exchange's own total; further from it is provisional. A total that could not be
               read harms nothing, and it may hold withdrawals under way still or not any more.

    An asset that nothing prices is listed in `holdings` and left out of the sum.
    """
    moving = pl.col("wallet") == Wallet.IN_TRANSIT.value
    sums = holdings.group_by("account", "time").agg(nav=pl.col("value_usd").sum(),
                                                    moving=pl.col("value_usd").filter(moving).sum())
    with_moving = pl.col("nav") - pl.col("exchange_total_usd").cast(pl.Float64)
    without = with_moving - pl.col("moving")
    apart = pl.when(without.abs() < with_moving.abs()).then(without).otherwise(with_moving)
    allowed = tolerance * pl.max_horizontal(pl.col("exchange_total_usd").cast(pl.Float64).abs(), pl.col("nav").abs())
    known = (snapshots.select("account", "time", "exchange_total_usd", was="grade", why="reason")
             .join(sums, on=["account", "time"], how="left", maintain_order="left")
             .with_columns(pl.col("nav", "moving").fill_null(0.0)).with_columns(apart=apart, allowed=allowed))
    final = pl.col("was").is_in([Grade.INCOMPLETE.value, Grade.BACKFILLED.value])
    off = (pl.col("apart").abs() > pl.col("allowed")).fill_null(value=False)
    return known.select(
        "account", "time",
        grade=pl.when(final).then("was").when(off).then(pl.lit(Grade.PROVISIONAL.value))
                .otherwise(pl.lit(Grade.COMPLETE.value)),
        reason=pl.when(final).then("why")
                 .when(off).then(pl.format("{} USD from the exchange's own total", pl.col("apart").round(2))),
        nav=pl.when(pl.col("was") != Grade.INCOMPLETE.value).then("nav")).sort("account", "time")

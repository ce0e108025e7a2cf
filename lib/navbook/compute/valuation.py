"""What balances are worth in USD: price routes, holdings, net asset value. Pure.

Stablecoins count 1. Any other asset X goes by the first route whose pairs have a price: X/USDT,
X/USDC or X/FDUSD, else over BTC, ETH or BNB (X/BTC times BTC/USDT).
Source: DESIGN "NAV"; BINANCE documentation, "Price ticker" (only pairs that trade are asked for).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import polars as pl

from navbook.schemas import HOLDINGS
from navbook.types import COUNTED, FlowStatus, Grade, Wallet

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

    What a wallet still shows as `withdrawing` is not counted a second time.
    """
    leaving = cash_flows.filter(pl.col("source") == "withdrawal", pl.col("status") != FlowStatus.FAILED).select(
        "account", "asset", "started_at",
        ends_at=pl.when(pl.col("status") == FlowStatus.DONE).then("time"),
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


def net_asset_value(holdings: pl.DataFrame, snapshots: pl.DataFrame) -> pl.DataFrame:
    """[account, time, grade, reason, nav]: the sum of what has a price; null for an incomplete snapshot.

    An asset that nothing prices is listed in `holdings` and left out of the sum.
    """
    total = holdings.group_by("account", "time").agg(nav=pl.col("value_usd").sum())
    return (snapshots.select("account", "time", "grade", "reason")
            .join(total, on=["account", "time"], how="left")
            .with_columns(nav=pl.when(pl.col("grade").is_in([grade.value for grade in COUNTED]))
                                .then(pl.col("nav").fill_null(0.0)))
            .sort("account", "time"))


def grade(*, failed_wallets: Collection[str], nav_usd: float, total_usd: float | None,
          tolerance: float) -> tuple[Grade, str | None]:
    """How far a snapshot can be trusted as it was read, and why not further.

    nav_usd    our sum over the wallets, withdrawals under way left out, as the exchange does
    total_usd  the exchange's own; null harms nothing
    """
    if failed_wallets:
        return Grade.INCOMPLETE, f"not read: {', '.join(sorted(failed_wallets))}"
    if total_usd is not None and abs(nav_usd - total_usd) > tolerance * max(abs(total_usd), abs(nav_usd)):
        return Grade.PROVISIONAL, f"{nav_usd - total_usd:+,.2f} USD from the exchange's own total"
    return Grade.COMPLETE, None

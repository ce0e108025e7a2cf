"""What balances are worth in USD: price routes, holdings, net asset value. Pure.

Stablecoins count 1. Any other asset X goes by the first route whose pairs have a price: X/USDT,
X/USDC or X/FDUSD, else over BTC, ETH or BNB (X/BTC times BTC/USDT), else USDT/X turned over (fiat).
Source: DESIGN "NAV"; BINANCE documentation, "Price ticker" (only pairs that trade are asked for).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from navbook.compute.arrays import microseconds
from navbook.frames import by_account
from navbook.schemas import HOLDINGS, TIME
from navbook.types import FlowStatus, Wallet

DOLLARS = ("USDT", "USDC", "FDUSD")
BRIDGES = ("BTC", "ETH", "BNB")
SLOW = ("WITHDRAWAL", "FEE_WITHDRAWAL", "FIAT_WITHDRAWAL")    # kinds that leave a wallet before they are complete


@dataclass(frozen=True)
class Route:
    """A way to price an asset: the pairs it needs, and its name."""

    symbols: tuple[str, ...]    # none: a stablecoin; two: the asset in a bridge, the bridge in dollars
    name: str
    turned: bool = False        # the pair gives units of the asset for one dollar

    def price(self) -> pl.Expr:
        """The price over a frame with a column for each pair."""
        if not self.symbols:
            return pl.lit(1.0)
        first, *rest = (pl.col(symbol) for symbol in self.symbols)
        return 1 / first if self.turned else first * rest[0] if rest else first


def routes(asset: str, stablecoins: Collection[str]) -> Iterator[Route]:
    """Every way to price `asset`, best first."""
    if asset in stablecoins:
        yield Route((), "counts 1")
        return
    yield from (Route((f"{asset}{dollar}",), f"{asset}/{dollar}") for dollar in DOLLARS)
    yield from (Route((f"{asset}{bridge}", f"{bridge}USDT"), f"via_{bridge.lower()}") for bridge in BRIDGES
                if asset != bridge)
    yield Route((f"USDT{asset}",), f"USDT/{asset}", turned=True)


def symbols_for(assets: Iterable[str], stablecoins: Collection[str], traded: Collection[str]) -> list[str]:
    """The pairs that price `assets`, of those in `traded`: each asset's best route only."""
    known = set(traded)
    best = (next((route for route in routes(asset, stablecoins) if known.issuperset(route.symbols)), None)
            for asset in set(assets))
    return sorted({symbol for route in best if route for symbol in route.symbols})


def board(prices: pl.DataFrame) -> pl.DataFrame:
    """`prices` [time, symbol, price] as a row a time and a column a pair, sorted by time."""
    if prices.is_empty():
        return pl.DataFrame(schema={"time": TIME})
    return (prices.select("time", "symbol", pl.col("price").cast(pl.Float64))
            .pivot(on="symbol", index="time", values="price").sort("time"))


def quotes(assets: Iterable[str], priced_at: pl.DataFrame, stablecoins: Collection[str]) -> pl.DataFrame:
    """[time, asset, price, price_route] of `assets` at the times of a `board`, where a route has a price."""
    known = set(priced_at.columns)
    frames = []
    for asset in sorted(set(assets)):
        usable = [route for route in routes(asset, stablecoins) if known.issuperset(route.symbols)]
        if usable:
            named = [pl.when(route.price().is_not_null()).then(pl.lit(route.name)) for route in usable]
            frames.append(priced_at.select("time", asset=pl.lit(asset), price=pl.coalesce(r.price() for r in usable),
                                           price_route=pl.coalesce(named)).drop_nulls("price"))
    empty = pl.DataFrame(schema={"time": TIME, "asset": pl.String, "price": pl.Float64, "price_route": pl.String})
    return pl.concat([empty, *frames])


def quote_rows(wanted: pl.DataFrame, known: pl.DataFrame) -> pl.Series:
    """Which row of `known` quotes each of `wanted` [time, asset, …] at its very time; null where none does.

    known  of `quotes`, or like it: [time, asset, …] by asset, then time

    What a join would give, many times faster: rows come by the hundred thousand, assets by the dozen.
    """
    times, grid = microseconds(wanted["time"]), microseconds(known["time"])
    runs = known["asset"].rle().struct.unnest()
    asked = wanted["asset"].cast(pl.Enum(runs["value"]), strict=False).to_physical().fill_null(runs.height).to_numpy()
    found = np.full(len(asked), -1)
    start = 0
    for asset, length in enumerate(runs["len"]):
        rows, quoted = np.flatnonzero(asked == asset), grid[start:start + length]
        at = quoted.searchsorted(times[rows])
        found[rows] = np.where(quoted[np.minimum(at, length - 1)] == times[rows], start + at, -1)
        start += length
    return pl.Series(found).cast(pl.UInt32, strict=False)


def priced(wanted: pl.DataFrame, prices: pl.DataFrame, stablecoins: Collection[str]) -> pl.DataFrame:
    """`wanted` [asset, time, …] with `price` (USD, null where no route has one) and `price_route`.

    prices  [time, symbol, price], at the very times of `wanted`
    """
    times = wanted.select("time").unique()
    at_times = times.join(board(prices), on="time", how="left")
    return wanted.join(quotes(wanted["asset"].unique(), at_times, stablecoins), on=["asset", "time"], how="left",
                       maintain_order="left")


def holdings(balances: pl.DataFrame, prices: pl.DataFrame, cash_flows: pl.DataFrame, snapshots: pl.DataFrame,
             stablecoins: Collection[str]) -> pl.DataFrame:
    """HOLDINGS: every balance of every snapshot with its price and value, withdrawals under way included.

    balances, cash_flows, snapshots  facts, the newest row of each; balances whose snapshot is not (yet) there, for
                                     another process is storing them or was killed before it did, are left out
    prices                           the fact, or its `board`
    """
    balances = _of_snapshots(balances, snapshots)
    quantities = balances.select("account", "time", "wallet", "asset", pl.col("quantity").cast(pl.Float64))
    held = pl.concat([quantities.filter(pl.col("quantity") != 0), in_transit(cash_flows, balances, snapshots)])
    at_snapshots = board(prices) if "symbol" in prices.columns else prices
    known = quotes(held["asset"].unique(), at_snapshots, stablecoins)
    row = quote_rows(held, known)
    valued = held.with_columns(price=known["price"].gather(row), price_route=known["price_route"].gather(row)
                               ).with_columns(value_usd=pl.col("quantity") * pl.col("price"))
    return HOLDINGS.shaped(valued.select(list(HOLDINGS.columns)))


def _of_snapshots(balances: pl.DataFrame, snapshots: pl.DataFrame) -> pl.DataFrame:
    """The rows of `balances` at a time of `snapshots`. Account by account: a join takes ten times as long."""
    times = {account: rows["time"].implode() for account, rows in by_account(snapshots).items()}
    kept = [rows.filter(pl.col("time").is_in(times[account])) for account, rows in by_account(balances).items()
            if account in times]
    return pl.concat([balances.clear(), *kept])


def price_gaps(holdings: pl.DataFrame, priced_at: pl.DataFrame, stablecoins: Collection[str]) -> pl.DataFrame:
    """[account, time, assets]: snapshots that hold an asset without a price that had one before and has one after.

    An asset that nothing prices any more, or not yet, is no gap: it is listed.
    """
    missing = holdings.filter(pl.col("price").is_null())
    spans = (quotes(missing["asset"].unique(), priced_at, stablecoins).group_by("asset")
             .agg(first=pl.col("time").min(), last=pl.col("time").max()))
    return (missing.join(spans, on="asset").filter(pl.col("time").is_between("first", "last"))
            .group_by("account", "time").agg(assets=pl.col("asset").unique().sort().str.join(", ")))


def in_transit(cash_flows: pl.DataFrame, balances: pl.DataFrame, snapshots: pl.DataFrame) -> pl.DataFrame:
    """Withdrawals that had left a wallet at a snapshot and were not complete: [account, time, wallet, asset, quantity].

    A refused one was under way until it came back (or, where the exchange does not say when, was seen refused).
    What a wallet still shows as `withdrawing` is not counted a second time.
    """
    came_back = pl.when(pl.col("time") > pl.col("started_at")).then("time").otherwise("seen_at")
    leaving = cash_flows.filter(pl.col("kind").is_in(SLOW)).sort("account", "source", "id").select(
        "account", "asset", "started_at",
        ends_at=pl.when(pl.col("status") == FlowStatus.DONE).then("time")
                  .when(pl.col("status") == FlowStatus.FAILED).then(came_back),
        gone=(pl.col("amount") + pl.col("fee")).cast(pl.Float64))
    key = ["account", "time", "asset"]
    under_way = _at_snapshots(leaving, snapshots).sort(key, maintain_order=True).group_by(key, maintain_order=True).agg(
        pl.col("gone").sum())
    shown = (balances.filter(pl.col("withdrawing") != 0).group_by(key)
             .agg(withdrawing=pl.col("withdrawing").sum().cast(pl.Float64)))
    return (under_way.join(shown, on=key, how="left", maintain_order="left")
            .with_columns(quantity=pl.col("gone") - pl.col("withdrawing").fill_null(0.0))
            .filter(pl.col("quantity") > 0)
            .select("account", "time", pl.lit(Wallet.IN_TRANSIT.value).alias("wallet"), "asset", "quantity"))


def _at_snapshots(leaving: pl.DataFrame, snapshots: pl.DataFrame) -> pl.DataFrame:
    """Each row of `leaving` at each snapshot of its account in [started_at, ends_at): [account, asset, gone, time]."""
    found = [leaving.clear().select("account", "asset", "gone", time=pl.lit(None, TIME))]
    for (account,), mine in leaving.group_by("account", maintain_order=True):
        times = snapshots.filter(pl.col("account") == account)["time"].sort()
        if times.is_empty():
            continue
        grid = microseconds(times)
        first = grid.searchsorted(microseconds(mine["started_at"]))
        ends = mine["ends_at"].fill_null(times[-1])
        last = grid.searchsorted(microseconds(ends), side="left") + mine["ends_at"].is_null().to_numpy()
        spans = (mine.with_columns(at=pl.int_ranges(pl.Series(first), pl.Series(last), eager=True))
                 .explode("at").drop_nulls("at"))
        found.append(spans.select("account", "asset", "gone", time=times.gather(spans["at"])))
    return pl.concat(found)

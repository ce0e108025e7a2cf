"""`navbook backfill`: days without a snapshot, from what Binance wrote down at the end of each.

That record holds spot, cross margin and USD-M futures of the last 30 days, the futures not live, and no other wallet.
So these snapshots are graded `backfilled`: drawn, and in no return, benchmark, mark or fee. Prices are those of each
record's own minute; withdrawals under way count as always.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from navbook import schemas
from navbook.compute import cash_flows, valuation
from navbook.errors import NavbookError, SettingsInvalid, SnapshotIncomplete
from navbook.exchange import fetch, parse
from navbook.exchange.reading import Reading, merged, wallet_states
from navbook.runner import collecting, flows, locks, minutes
from navbook.runner.collecting import Collector
from navbook.runner.harvest import Harvest
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Environment, Grade, Wallet, WalletState

KEPT = timedelta(days=29)    # of days that are over, in one request of each kind
RECORDS = {"SPOT": Wallet.SPOT, "MARGIN": Wallet.MARGIN, "FUTURES": Wallet.FUTURES}
REASON = "Binance's record of the day: spot, margin and futures alone, the futures not live"


@dataclass(frozen=True)
class Backfilled:
    """The days that were added (or would be), and their value as far as the record goes."""

    days: pl.DataFrame      # [time, wallets, value_usd]
    covered: int            # days of the record that have a snapshot of their own

    def said(self, account: str, *, dry_run: bool) -> str:
        """One sentence on what was done."""
        added = "would be added" if dry_run else "are added, graded backfilled"
        return (f"{self.days.height} days of {account} {added}; {self.covered} have a snapshot of their own."
                f"{'' if dry_run or self.days.is_empty() else ' Run navbook benchmark.'}")


async def backfill(config: Settings, account: str, *, dry_run: bool = False) -> Backfilled:
    """Append a snapshot for each day of the record that has no counted one. Weight: 7,200 of 12,000 a minute.

    Raises `SettingsInvalid` where there is nothing to ask, `SnapshotIncomplete` when not all could be read; then
    nothing is stored.
    """
    if config.environment is Environment.TESTNET:
        raise SettingsInvalid("The testnet keeps no record of past days; there is nothing to fill in.")
    if tables.read(config.location, schemas.ACCOUNTS, account=account).is_empty():
        raise SettingsInvalid(f"{account} was never collected; run navbook collect first.")
    with locks.hold(config, "collect"):
        async with collecting.connect(config, config.names(account)) as collector:
            reading = await _records(collector, account)
            balances = reading.frame(schemas.BALANCES).sort(schemas.BALANCES.key)
            days = balances["time"].unique().sort()
            missing = days.filter(~days.dt.date().is_in(_covered(config, account).implode()))
            balances = balances.filter(pl.col("time").is_in(missing.implode()))
            candles, prices = await _prices(config, collector, balances, reading.time)
        snapshots = _snapshots(account, missing, balances, reading.time)
        if not dry_run:
            for schema, frame in ((schemas.RESPONSES, reading.responses), (schemas.CANDLES, candles),
                                  (schemas.PRICES, prices), (schemas.BALANCES, balances),
                                  (schemas.SNAPSHOTS, snapshots)):
                tables.append(config.location, schema, frame)
    return Backfilled(_shown(config, balances, prices, snapshots), days.len() - missing.len())


async def _records(collector: Collector, account: str) -> Reading:
    """The balances at the end of each day that is over, of every kind of record."""
    harvest = Harvest()
    now = (await collector.read(harvest, flows=False))[0].time    # tells whose key it is, and what trades; not kept
    exchange = collector.exchanges[account]
    if harvest.problems or isinstance(exchange, NavbookError):
        raise SnapshotIncomplete(" ".join(harvest.problems))
    reading, coins = Reading(account, now), collector.coins
    exchange.heard = reading.keep
    for kind in RECORDS:
        for answer in await fetch.wallets.daily(exchange, kind, now - KEPT, now):
            reading.add(schemas.BALANCES, parse.wallets.daily(answer.payload, account, kind, now, coins))
    return reading


def _covered(config: Settings, account: str) -> pl.Series:
    """The UTC days that have a snapshot which counts."""
    return flows.counted_snapshots(config, account)["time"].dt.date().unique()


async def _prices(config: Settings, collector: Collector, balances: pl.DataFrame,
                  now: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """New CANDLES, and PRICES at the times of `balances`: the close of the last minute before each, exactly."""
    symbols = valuation.symbols_for({*balances["asset"], *minutes.legs(config)}, config.stablecoins, collector.traded)
    wanted = (balances.select(pl.col("time").unique()).join(pl.DataFrame({"symbol": symbols}), how="cross")
              .with_columns(open_time=cash_flows.closing_minute(pl.col("time"))))
    known = tables.read(config.location, schemas.CANDLES, cash_flows.TELLS_PRICE)
    lacking = wanted.join(cash_flows.closes(known), on=["symbol", "open_time"], how="anti")
    candles, problems = await minutes.fetch(collector.public, lacking.select("symbol", "open_time"), now)
    if problems:
        raise SnapshotIncomplete(f"Not every day has its prices, and nothing was stored: {' '.join(problems)}")
    closes = (merged([known, candles], schemas.CANDLES).filter(pl.col("market") == "spot", pl.col("interval") == "1m")
              .drop_nulls("close").sort("open_time").select("symbol", "open_time", price="close"))
    found = wanted.sort("open_time").join_asof(closes, on="open_time", by="symbol", check_sortedness=False)
    prices = found.drop_nulls("price").select("time", "symbol", "price", seen_at=pl.lit(now, schemas.TIME))
    return candles, schemas.PRICES.check(prices)


def _snapshots(account: str, days: pl.Series, balances: pl.DataFrame, now: datetime) -> pl.DataFrame:
    def wallets(day: datetime) -> str:
        held = set(balances.filter(pl.col("time") == day)["wallet"])
        return wallet_states({wallet: WalletState.OK if wallet in held else WalletState.ABSENT
                              for wallet in RECORDS.values()})

    return schemas.SNAPSHOTS.rows([(account, day, Grade.BACKFILLED, REASON, wallets(day), None, None, now)
                                   for day in days])


def _shown(config: Settings, balances: pl.DataFrame, prices: pl.DataFrame, snapshots: pl.DataFrame) -> pl.DataFrame:
    listed = tables.read(config.location, schemas.CASH_FLOWS).clear()
    held = valuation.holdings(balances, valuation.board(prices), listed, snapshots, config.stablecoins)
    return (held.group_by("time").agg(wallets=pl.col("wallet").unique().sort().str.join(", "),
                                      value_usd=pl.col("value_usd").sum()).sort("time"))

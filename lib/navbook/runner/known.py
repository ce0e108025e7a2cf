"""What the store knows before a reading."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from navbook import schemas
from navbook.exchange import wallets
from navbook.exchange.histories import Past
from navbook.exchange.sources import MINUTE
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Wallet, WalletState


def of_settings(config: Settings) -> pl.Expr:
    """Whether a row is of an account or group that navbook.toml names. What it names no more is kept, but in no sum."""
    return pl.col("account").is_in([*config.accounts, *config.groups]) if config.accounts else pl.lit(value=True)


def unread(quarantine: pl.DataFrame) -> pl.DataFrame:
    """The rows of QUARANTINE that no parser could read to this day."""
    return quarantine.drop_nulls("reason")


@dataclass(frozen=True)
class Known:
    """The tables that a reading starts from, as they were before it."""

    location: str
    accounts: pl.DataFrame
    snapshots: pl.LazyFrame    # SNAPSHOTS with the older rows of each key: there may be more than memory holds
    wallets: pl.DataFrame      # [account, wallets, totalled], each once
    cash_flows: pl.DataFrame
    marks: pl.DataFrame
    quarantine: pl.DataFrame

    @classmethod
    def read(cls, config: Settings) -> Known:
        accounts, cash_flows, marks, quarantine = (tables.read(config.location, schema) for schema in (
            schemas.ACCOUNTS, schemas.CASH_FLOWS, schemas.HISTORY_MARKS, schemas.QUARANTINE))
        snapshots = tables.stored(config.location, schemas.SNAPSHOTS)
        read = snapshots.select("account", "wallets", totalled=pl.col("exchange_total_usd").is_not_null()).unique()
        seen = tables.collected(read, config.location, schemas.SNAPSHOTS)
        return cls(config.location, accounts, snapshots, seen, cash_flows, marks, quarantine)

    def past(self, account: str, now: datetime, lookback: timedelta, *, again: bool = False) -> Past:
        """What is known of the histories of `account`; one that was never read begins with the first reading, or
        `lookback` before now. With `again`, all are read from there once more."""
        mine = pl.col("account") == account
        first = self.accounts.filter(mine)["created_at"].min()
        marks = dict(self.marks.filter(mine).select("source", "until").iter_rows())
        begin = now - lookback
        lately = self._times(mine, pl.col("time") <= now, pl.col("time") > now - MINUTE)
        return Past(min(begin, first) if isinstance(first, datetime) else begin, {} if again else marks,
                    self.cash_flows.filter(mine), self.quarantine.filter(mine), len(lately))

    def once_ok(self, account: str) -> set[str]:
        """The wallets of `account` that were ever read, and `wallets.TOTALS` if those were."""
        mine = self.wallets.filter(pl.col("account") == account)
        read = {wallet.value for wallet in Wallet for text in mine["wallets"]
                if f'"{wallet}": "{WalletState.OK}"' in text}
        return read | ({wallets.TOTALS} if mine["totalled"].any() else set())

    def uid(self, account: str) -> int | None:
        found = self.accounts.filter(pl.col("account") == account)["uid"].drop_nulls()
        return found[0] if len(found) else None

    def gone(self, account: str, time: datetime, balances: pl.DataFrame, wallets: Collection[str]) -> pl.DataFrame:
        """BALANCES of 0 for what another reading of the very same time found in `wallets`, and this one did not.

        balances  what this one found
        """
        mine = (pl.col("account") == account) & (pl.col("time") == time)
        if self._times(mine).is_empty():
            return schemas.BALANCES.empty()
        stored = tables.scan(self.location, schemas.BALANCES).filter(mine, pl.col("wallet").is_in(wallets))
        before = tables.collected(stored, self.location, schemas.BALANCES)
        nothing = pl.lit(0, schemas.AMOUNT)
        return (before.join(balances, on=list(schemas.BALANCES.key), how="anti")
                .with_columns(quantity=nothing, withdrawing=nothing, seen_at=pl.lit(time, schemas.TIME)))

    def _times(self, *where: pl.Expr) -> pl.Series:
        return tables.collected(self.snapshots.filter(*where).select("time").unique(), self.location,
                                schemas.SNAPSHOTS)["time"]

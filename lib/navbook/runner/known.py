"""What the store knows before a reading."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from navbook import schemas
from navbook.exchange.histories import Past
from navbook.exchange.sources import MINUTE
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Wallet, WalletState


@dataclass(frozen=True)
class Known:
    """The tables that a reading starts from, as they were before it."""

    location: str
    accounts: pl.DataFrame
    snapshots: pl.DataFrame
    cash_flows: pl.DataFrame
    marks: pl.DataFrame
    quarantine: pl.DataFrame

    @classmethod
    def read(cls, config: Settings) -> Known:
        return cls(config.location, *(tables.read(config.location, schema) for schema in (
            schemas.ACCOUNTS, schemas.SNAPSHOTS, schemas.CASH_FLOWS, schemas.HISTORY_MARKS, schemas.QUARANTINE)))

    def past(self, account: str, now: datetime, lookback: timedelta, *, again: bool = False) -> Past:
        """What is known of the histories of `account`; one that was never read begins with the first reading, or
        `lookback` before now. With `again`, all are read from there once more."""
        mine = pl.col("account") == account
        first = self.accounts.filter(mine)["created_at"].min()
        marks = dict(self.marks.filter(mine).select("source", "until").iter_rows())
        begin = now - lookback
        lately = self.snapshots.filter(mine, pl.col("time") <= now, pl.col("time") > now - MINUTE).height
        return Past(min(begin, first) if isinstance(first, datetime) else begin, {} if again else marks,
                    self.cash_flows.filter(mine), self.quarantine.filter(mine), lately)

    def once_ok(self, account: str) -> set[str]:
        """The wallets of `account` that were ever read."""
        states = self.snapshots.filter(pl.col("account") == account)["wallets"].unique().to_list()
        return {wallet.value for wallet in Wallet for text in states if f'"{wallet}": "{WalletState.OK}"' in text}

    def uid(self, account: str) -> int | None:
        found = self.accounts.filter(pl.col("account") == account)["uid"].drop_nulls()
        return found[0] if len(found) else None

    def gone(self, account: str, time: datetime, balances: pl.DataFrame, wallets: Collection[str]) -> pl.DataFrame:
        """BALANCES of 0 for what another reading of the very same time found in `wallets`, and this one did not.

        balances  what this one found
        """
        mine = (pl.col("account") == account) & (pl.col("time") == time)
        if self.snapshots.filter(mine).is_empty():
            return schemas.BALANCES.empty()
        stored = tables.scan(self.location, schemas.BALANCES).filter(mine, pl.col("wallet").is_in(wallets))
        before = tables.collected(stored, self.location, schemas.BALANCES)
        nothing = pl.lit(0, schemas.AMOUNT)
        return (before.join(balances, on=list(schemas.BALANCES.key), how="anti")
                .with_columns(quantity=nothing, withdrawing=nothing, seen_at=pl.lit(time, schemas.TIME)))

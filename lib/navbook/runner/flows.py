"""The list of cash flows as a person asks for it: what counts, what it was worth, and what does not count and why."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import polars as pl

from navbook import schemas
from navbook.compute import cash_flows, flow_list, manual
from navbook.errors import SettingsInvalid
from navbook.runner import stores
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import COUNTED

NEAREST = 3    # flows named when somebody asks for one that does not exist


@dataclass(frozen=True)
class Listed:
    """Every movement of an account (or all), and what people said of them."""

    flows: pl.DataFrame      # of flow_list.flow_list
    entries: pl.DataFrame    # MANUAL_ENTRIES

    def find(self, flow: str) -> dict[str, Any]:
        """The one flow called `flow`. Raises `SettingsInvalid` naming the nearest ones, or the accounts."""
        found = self.flows.filter(pl.col("flow") == flow)
        if found.height > 1:
            raise SettingsInvalid(f"{flow} is a flow of {' and '.join(found['account'])}; say which with --account.")
        if found.is_empty():
            near = get_close_matches(flow, self.flows["flow"], NEAREST, cutoff=0.3)
            told = f"the nearest are {', '.join(near)}" if near else "none is like it"
            raise SettingsInvalid(f"There is no flow {flow}; {told}: navbook flows list --all shows them.")
        return found.row(0, named=True)


def read(config: Settings, account: str = "all") -> Listed:
    """Every listed movement of `account` as it stands now. Raises `SettingsInvalid` for an unknown account."""
    known_account(config, account)
    flows, entries = (tables.read(config.location, schema, account=account)
                      for schema in (schemas.CASH_FLOWS, schemas.MANUAL_ENTRIES))
    candles = tables.read(config.location, schemas.CANDLES, cash_flows.TELLS_PRICE)
    values = flow_values(config, flows, entries, cash_flows.closes(candles))
    starts = counted_snapshots(config, account).group_by("account").agg(start=pl.col("time").min())
    return Listed(flow_list.flow_list(flows, entries, values, starts), entries)


def flow_values(config: Settings, flows: pl.DataFrame, entries: pl.DataFrame, closed: pl.DataFrame) -> pl.DataFrame:
    """FLOW_VALUES of what counts of `flows` (CASH_FLOWS), with all that `entries` say of them.

    closed  of `cash_flows.closes`
    """
    right = manual.applied(flows, entries)
    values = cash_flows.values(cash_flows.counted(right.cash_flows), closed, config.stablecoins)
    return manual.by_hand(values, right.prices)


def counted_snapshots(config: Settings, account: str = "all") -> pl.DataFrame:
    """SNAPSHOTS that returns and benchmarks are made of."""
    snapshots = tables.read(config.location, schemas.SNAPSHOTS, account=account)
    return snapshots.filter(pl.col("grade").is_in([grade.value for grade in COUNTED]))


def known_account(config: Settings, account: str) -> None:
    """Raises `SettingsInvalid` unless the store or the configuration knows `account` (or it is all)."""
    if account != "all" and account not in config.accounts:
        stores.require(config, account)


def shown(listed: Listed, *, everything: bool) -> pl.DataFrame:
    """The list with `everything`, or only what counts as a flow."""
    counts = pl.col("standing").is_in([standing.value for standing in flow_list.FLOWS])
    return listed.flows if everything else listed.flows.filter(counts)


def hints(listed: Listed, *, everything: bool) -> list[str]:
    """What the reader of the list should know or do, a sentence each."""
    count = dict(listed.flows["standing"].value_counts().sort("standing").iter_rows())
    unpriced = count.get(flow_list.Standing.NO_PRICE)
    hidden = [f"{count[standing]} {standing}" for standing in count if standing not in flow_list.FLOWS]
    return [*([f"{unpriced} without a price: navbook flows price SOURCE:ID USD gives one."] if unpriced else []),
            *([f"Not counted: {', '.join(hidden)}; --all lists them."] if hidden and not everything else [])]

"""How a benchmark's value came about, from the derived tables: what stands there is shown, and checked.

Raises `SettingsInvalid` for what is unknown, `TablesStale` where the tables do not answer for the facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from navbook import schemas
from navbook.compute import flow_share, valuation
from navbook.errors import NavbookError, SettingsInvalid
from navbook.runner import arithmetic, flows
from navbook.runner.arithmetic import usd, when
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import OWN_BENCHMARK

NEXT = "run navbook benchmark"
CENT = 0.005


class TablesStale(NavbookError):
    """The derived tables are missing, older than the facts, or do not add up."""


@dataclass(frozen=True)
class Moment:
    """One benchmark of an account at one of its counted snapshots."""

    account: str
    benchmark: str
    time: datetime
    value: float                # as stored
    journal: pl.DataFrame       # BENCHMARK_JOURNAL up to then
    prices: dict[str, float]    # of the legs, as the snapshot was priced

    @property
    def units(self) -> dict[str, float]:
        last = self.journal.filter(pl.col("step") == pl.col("step").max())
        return dict(last.select("asset", "units_after").iter_rows())


def moment(config: Settings, account: str, time: str = "now", benchmark: str = OWN_BENCHMARK) -> Moment:
    """The stored benchmark at the last counted snapshot at or before `time`, its arithmetic checked."""
    if account not in config.groups:
        flows.known_account(config, account)
    values = tables.read(config.location, schemas.BENCHMARK_VALUES, account=account)
    if values.is_empty():
        raise TablesStale(f"There is no benchmark of {account} yet; navbook collect, then {NEXT}.")
    _refuse_unknown(benchmark, values["benchmark"].unique())
    until = None if time == "now" else tables.moment(time)
    refuse_stale(config, account, until)
    own = values.filter(pl.col("benchmark") == benchmark).sort("time")
    past = own.filter(pl.col("time") <= until) if until else own
    if past.is_empty():
        raise SettingsInvalid(f"The benchmark of {account} begins at {when(own['time'][0])}; name a later time.")
    at, value = past.select("time", "value").row(-1)
    journal = tables.read(config.location, schemas.BENCHMARK_JOURNAL, account=account, until=at)
    journal = journal.filter(pl.col("benchmark") == benchmark)
    prices = _prices(config, at, journal["asset"].unique().sort())
    return _checked(Moment(account, benchmark, at, value, journal, prices))


def _refuse_unknown(benchmark: str, known: pl.Series) -> None:
    if benchmark not in known:
        raise SettingsInvalid(f"There is no benchmark {benchmark}; there are {', '.join(sorted(known))}.")


def history_of(config: Settings, account: str) -> pl.DataFrame:
    """NAV_HISTORY of an account, or GROUP_HISTORY of a group."""
    schema = schemas.GROUP_HISTORY if account in config.groups else schemas.NAV_HISTORY
    return tables.read(config.location, schema, account=account)


def refuse_stale(config: Settings, account: str, until: datetime | None = None) -> None:
    """Raises `TablesStale` when a snapshot up to `until` is newer than the derived tables."""
    computed = history_of(config, account)["time"].max()
    members = config.groups[account].accounts if account in config.groups else [account]
    taken = tables.read(config.location, schemas.SNAPSHOTS, accounts=members)["time"]
    newest = taken.filter(taken <= until).max() if until else taken.max()
    if isinstance(computed, datetime) and isinstance(newest, datetime) and newest > computed:
        raise TablesStale(f"The tables of {account} end at {when(computed)}, and there is a snapshot of "
                          f"{when(newest)}; {NEXT}.")


def stored_prices(config: Settings, time: datetime) -> pl.DataFrame:
    """[time, symbol, price]: what the snapshot of `time` was priced with."""
    return tables.read(config.location, schemas.PRICES, pl.col("time") == time).select(
        "time", "symbol", pl.col("price").cast(pl.Float64))


def _prices(config: Settings, time: datetime, legs: pl.Series) -> dict[str, float]:
    wanted = pl.DataFrame({"asset": legs, "time": [time] * legs.len()}, schema_overrides={"time": schemas.TIME})
    priced = valuation.priced(wanted, stored_prices(config, time), config.stablecoins)
    if (missing := priced.filter(pl.col("price").is_null())["asset"]).len():
        raise TablesStale(f"The snapshot of {when(time)} holds no price of {missing[0]}; {NEXT}.")
    return dict(priced.select("asset", "price").iter_rows())


def _checked(found: Moment) -> Moment:
    """`found`, whose units at the snapshot's prices come to what is stored. Raises `TablesStale`."""
    worth = sum(held * found.prices[leg] for leg, held in found.units.items())
    if abs(worth - found.value) >= CENT + 1e-12 * abs(found.value):
        raise TablesStale(f"The benchmark {found.benchmark} of {found.account} is stored as {usd(found.value)} at "
                          f"{when(found.time)}, but its units come to {usd(worth)}; {NEXT}.")
    return found


def value_lines(config: Settings, found: Moment, last: int | None) -> Iterator[str]:
    """The arithmetic of `found`, with the `last` events in full (None: all of them)."""
    yield f"Benchmark {found.benchmark} of {found.account} at {when(found.time)}: {usd(found.value)}"
    values = tables.read(config.location, schemas.FLOW_VALUES, account=found.account)
    yield from arithmetic.journal_lines(found.journal, values, last)
    yield ""
    yield f"At the snapshot of {when(found.time)}, at its own prices"
    yield from arithmetic.value_lines(found.units, found.prices, found.value)


def flow_lines(config: Settings, flow: str, account: str = "all", benchmark: str | None = None) -> Iterator[str]:
    """What `flow` bought in each benchmark (or in one), and what that is worth at the last counted snapshot."""
    found = flows.read(config, account).find(flow)
    values = tables.read(config.location, schemas.FLOW_VALUES, account=found["account"])
    journal = tables.read(config.location, schemas.BENCHMARK_JOURNAL, account=found["account"])
    names = journal["benchmark"].unique().sort().to_list()
    if benchmark:
        _refuse_unknown(benchmark, journal["benchmark"].unique())
    if flow not in journal["fact"]:
        raise SettingsInvalid(f"{flow} changed no benchmark of {found['account']}: {_why_not(found, journal)}.")
    yield f"{found['account']}, {when(found['time'])}: {arithmetic.flow(flow, values)} = {usd(found['value_usd'])}"
    for name in [benchmark] if benchmark else names:
        now = moment(config, found["account"], benchmark=name)
        if share := flow_share.flow_share(now.journal, flow):
            yield from _share_lines(share, now)


def _why_not(found: dict[str, Any], journal: pl.DataFrame) -> str:
    """Why a flow is in no journal, as the rest of a sentence."""
    if found["standing"] != "counted":
        return f"{found['standing']}{', ' + found['why'] if found['why'] else ''}"
    if journal.is_empty():
        return f"there is none yet; {NEXT}"
    return f"it is later than the last counted snapshot, or newer than the tables; navbook collect, then {NEXT}"


def _share_lines(share: flow_share.FlowShare, now: Moment) -> Iterator[str]:
    sold = share.flow_usd < 0
    yield ""
    yield f"Benchmark {now.benchmark}: it {'sold' if sold else 'bought'}"
    for leg, price, units in share.legs:
        yield (f"     {leg:<6}{arithmetic.exact(abs(units))} at {arithmetic.at_price(price)} = "
               f"{usd(abs(units) * price)}")
    if sold:
        kept = sum(-units * now.prices[leg] for leg, _, units in share.legs)
        yield f"     kept, that would be worth {usd(kept)} at {when(now.time)}"
        return
    since = arithmetic.counted(share.since.items())
    yield (f"     {share.share_then:.2%} of it then, {share.share_now:.2%} now"
           f"{f' (since then {since})' if since else ''}")
    worth = share.share_now * now.value
    taken = f" and {usd(share.taken_usd)} that later withdrawals took" if share.taken_usd else ""
    yield (f"     worth {usd(worth)} at {when(now.time)}{taken}: "
           f"{(worth + share.taken_usd) / share.flow_usd - 1:+.2%} on {usd(share.flow_usd)}")

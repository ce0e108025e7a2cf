"""What each dashboard reads: a few frames, of one account or group, and nothing that it does not show."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import polars as pl

from navbook import schemas
from navbook.compute import flow_share, periods
from navbook.errors import NavbookError, SettingsInvalid
from navbook.publish import words
from navbook.publish.site import Site
from navbook.runner import known
from navbook.settings import NOTEBOOKS, Settings
from navbook.store import looks, tables
from navbook.types import COUNTED, OWN_BENCHMARK, WalletState

NEWEST = 25    # snapshots of every account that a page's head looks at
SHARED = ("account", "time", "grade", "reason", "nav", "benchmark_value", "twr_index", "benchmark_index")
LIVE = ("trading", "log")    # dashboards that run in a kernel, where their notebook exists


@dataclass(frozen=True, kw_only=True)
class Portfolio:
    """What the page of one account or group shows."""

    site: Site
    account: str
    history: pl.DataFrame                  # the columns that NAV_HISTORY and GROUP_HISTORY share
    histories: dict[str, pl.DataFrame]     # `periods.histories` of it
    performance: pl.DataFrame
    bridge: pl.DataFrame                   # of a group: none
    fees: pl.DataFrame                     # of a group: none
    flows: pl.DataFrame                    # FLOW_VALUES, and `made_usd` of `flow_share.made`
    holdings: pl.DataFrame                 # of the newest snapshot; of a group all members', summed up
    snapshots: pl.DataFrame                # the newest
    configs: pl.DataFrame                  # BENCHMARK_CONFIGS
    benchmark: words.Benchmark
    collected: datetime | None


def portfolio(config: Settings, account: str) -> Portfolio:
    """The page of an account, or of a group of the settings: all of it of one rebuild."""
    with looks.one(config.location):
        return _portfolio(config, account)


def _portfolio(config: Settings, account: str) -> Portfolio:
    members = config.groups[account].accounts if account in config.groups else [account]
    is_group = account in config.groups
    kind = schemas.GROUP_HISTORY if is_group else schemas.NAV_HISTORY
    history = tables.read(config.location, kind, account=account).select(SHARED)
    performance = tables.read(config.location, schemas.PERFORMANCE, account=account)
    journal = tables.read(config.location, schemas.BENCHMARK_JOURNAL, pl.col("benchmark") == OWN_BENCHMARK,
                          account=account)
    listed = tables.read(config.location, schemas.FLOW_VALUES, accounts=members)
    newest = [_newest(config, name) for name in members]
    flows = _flows_of_group(account, journal, listed) if is_group else listed.with_columns(
        fact=pl.format("{}:{}", "source", "id"))
    worth = history["benchmark_value"].drop_nulls()
    made = flow_share.made(journal, float(worth[-1]) if len(worth) else None)
    about = site(config)
    return Portfolio(
        site=about, account=account, history=history, histories=periods.histories(history, performance),
        performance=performance, bridge=tables.read(config.location, schemas.BRIDGE, account=account),
        fees=tables.read(config.location, schemas.FEES, account=account),
        flows=flows.join(made, on="fact", how="left", maintain_order="left").drop("fact"),
        holdings=_summed(account, [holdings for _, holdings in newest]) if is_group else newest[0][1],
        snapshots=_one_snapshot(account, [snapshot for snapshot, _ in newest]) if is_group else newest[0][0],
        configs=tables.read(config.location, schemas.BENCHMARK_CONFIGS, accounts=members).unique(
            "benchmark", keep="first", maintain_order=True),
        benchmark=words.benchmark(journal), collected=about.collected.get(account))


def site(config: Settings) -> Site:
    """What all pages share, as the store has it now. The run is NAVBOOK_RUN's."""
    standings = pl.concat([_standings(config, schemas.NAV_HISTORY), _standings(config, schemas.GROUP_HISTORY)])
    standings = standings.filter(known.of_settings(config))
    runs = tables.read(config.location, schemas.RUNS)
    groups = {name: tuple(group.accounts) for name, group in config.groups.items()}
    accounts = set(standings["account"]) - set(groups)
    at = {name: collected(runs, name) for name in accounts}
    for name, members in groups.items():
        times = [at.get(member) for member in members]
        at[name] = min((time for time in times if time), default=None) if None not in times else None
    return Site(environment=config.environment, run=os.environ.get("NAVBOOK_RUN") or None, standings=standings,
                collected=at, groups=groups, strategies=strategies(config), live=live(),
                versions={**tables.versions(config.location), **tables.pinned_versions()})


def names(config: Settings) -> list[str]:
    """As `Site.names`: accounts that have a history, then groups. Of the histories only the names are read."""
    kinds = (schemas.NAV_HISTORY, schemas.GROUP_HISTORY)
    found = [tables.collected(tables.stored(config.location, kind).select("account").unique(), config.location, kind)
             for kind in kinds]
    shown = pl.concat(found).filter(known.of_settings(config))["account"]
    return sorted(set(shown), key=lambda name: (name in config.groups, name))


def strategies(config: Settings) -> list[str]:
    """The backtests that the store knows, by their names."""
    return tables.read(config.location, schemas.BACKTESTS)["name"].sort().to_list()


def live() -> tuple[str, ...]:
    """The live dashboards that this navbook has a notebook for."""
    return tuple(name for name in LIVE if (NOTEBOOKS / "dashboards" / f"{name}.ipynb").exists())


def histories(config: Settings, names: Iterable[str]) -> Iterator[tuple[str, pl.DataFrame]]:
    """The history of each account and group of `names`, read when it is its turn: all together may be too many."""
    for name in names:
        kind = schemas.GROUP_HISTORY if name in config.groups else schemas.NAV_HISTORY
        yield name, tables.read(config.location, kind, account=name).select(SHARED)


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """What the page of a backtest shows."""

    site: Site
    about: dict[str, Any]       # its row of BACKTESTS
    trades: pl.DataFrame
    equity: pl.DataFrame
    sweep: pl.DataFrame
    candles: pl.DataFrame       # [open_time, close]  floats


def strategy(config: Settings, name: str) -> Strategy:
    """The page of the backtest `name`. Raises `SettingsInvalid` when the store knows none."""
    own = pl.col("name") == name
    known = tables.read(config.location, schemas.BACKTESTS, own)
    if known.is_empty():
        raise SettingsInvalid(f"There is no backtest {name}; navbook backtest --name makes one.")
    about = known.row(0, named=True)
    candles = tables.read(
        config.location, schemas.CANDLES, pl.col("market") == about["market"], pl.col("symbol") == about["symbol"],
        pl.col("interval") == "1m", pl.col("open_time").is_between(about["from_time"], about["to_time"]))
    trades, equity, sweep = (tables.read(config.location, schema, own) for schema in (
        schemas.BACKTEST_TRADES, schemas.BACKTEST_EQUITY, schemas.BACKTEST_SWEEPS))
    return Strategy(site=site(config), about=about, trades=trades, equity=equity, sweep=sweep,
                    candles=candles.select("open_time", pl.col("close").cast(pl.Float64)).drop_nulls())


def common_benchmark(config: Settings) -> words.Benchmark:
    """What the accounts are measured by, in words."""
    return words.benchmark(tables.read(config.location, schemas.BENCHMARK_JOURNAL,
                                       pl.col("benchmark") == OWN_BENCHMARK, pl.col("event") == "init"))


def lifetime(config: Settings, account: str) -> tuple[dict[str, Any] | None, str]:
    """`runner.lifetime.answer` as plain figures, or why there is none. A group has no life of its own."""
    if account in config.groups:
        return None, ""
    from navbook.runner import lifetime as life
    if life.asked(config, account) is None:
        return None, f"Not asked for yet: navbook lifetime {account} asks Binance for all years."
    try:
        found = life.answer(config, account)
    except NavbookError as problem:
        return None, f"Not known: {problem}"
    return {**asdict(found.life), "gaps": found.gaps}, ""


def _standings(config: Settings, schema: schemas.FrameSchema) -> pl.DataFrame:
    """Of each account the newest rows, the first that counts and the last that does."""
    table = tables.opened(config.location, schema, tables.pinned_versions().get(schema.name))
    if table is None:
        return schema.empty().select(SHARED)
    return _standings_at(config.location, schema.name, str(table.metadata().id), table.version())


@lru_cache(maxsize=4)
def _standings_at(location: str, name: str, table: str, version: int) -> pl.DataFrame:
    """What the pages that one kernel makes share: a version of a table never changes. `table` is its id."""
    schema = schemas.DERIVED[name]
    rows = tables.stored(location, schema, version=version).select(SHARED)
    counts = pl.col("grade").is_in([str(grade) for grade in COUNTED]) & pl.col("nav").is_not_null() & pl.col(
        "benchmark_value").is_not_null()
    lately, counting = (tables.collected(edge, location, schema) for edge in (
        rows.group_by("account").agg(since=pl.col("time").top_k(NEWEST).min()),
        rows.filter(counts).group_by("account").agg(first=pl.col("time").min(), last=pl.col("time").max())))
    edges = lately.join(counting, on="account", how="left")
    ends = pl.concat([edges["first"], edges["last"]]).implode()
    late = pl.col("time") >= pl.lit(edges["since"].min(), schemas.TIME)
    some = tables.collected(rows.filter(late | pl.col("time").is_in(ends)), location, schema)    # of millions
    wanted = (pl.col("time") >= pl.col("since")) | (pl.col("time") == pl.col("first")) | (
        pl.col("time") == pl.col("last"))
    return some.join(edges, on="account").filter(wanted).select(SHARED).sort("account", "time")


def collected(runs: pl.DataFrame, account: str) -> datetime | None:
    """When `account` was last collected without an error, on the wall's clock."""
    done = runs.filter(pl.col("job") == "collect", pl.col("status") == "ok", pl.col("account").is_in(["all", account]))
    last = done["ended_at"].max()
    return last if isinstance(last, datetime) else None


def _newest(config: Settings, account: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The newest snapshot of an account that has been valued, and its holdings then."""
    last = tables.latest(config.location, schemas.NAV_HISTORY, "time", pl.col("account") == account)
    at = pl.col("time") == pl.lit(last, schemas.TIME)
    return (tables.read(config.location, schemas.SNAPSHOTS, at, account=account),
            tables.read(config.location, schemas.HOLDINGS, at, account=account))


def _summed(group: str, members: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """HOLDINGS of all members as one account's, at the newest of their times."""
    rows = pl.concat([schemas.HOLDINGS.empty(), *members])
    return (rows.group_by("wallet", "asset", maintain_order=True)
            .agg(pl.col("quantity").sum(), pl.col("price", "price_route").first(),
                 value_usd=pl.when(pl.col("value_usd").null_count() == 0).then(pl.col("value_usd").sum()))
            .with_columns(account=pl.lit(group), time=pl.lit(rows["time"].max(), schemas.TIME))
            .select(list(schemas.HOLDINGS.columns)))


def _one_snapshot(group: str, members: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The members' newest snapshots as one: a wallet failed where one's did, a total is known where all are."""
    rows = pl.concat([schemas.SNAPSHOTS.empty(), *members])
    if rows.is_empty():
        return rows
    states: dict[str, str] = {}
    for wallets in rows["wallets"]:
        for wallet, state in json.loads(wallets or "{}").items():
            states[wallet] = state if states.get(wallet) != WalletState.FAILED else WalletState.FAILED
    total = None if rows["exchange_total_usd"].null_count() else rows["exchange_total_usd"].sum()
    reasons = "; ".join(f"{name}: {reason}" for name, reason in rows.select("account", "reason").iter_rows() if reason)
    newest = rows.sort("time").row(-1, named=True)
    return schemas.SNAPSHOTS.rows([{**newest, "account": group, "wallets": json.dumps(states),
                                    "reason": reasons or None, "exchange_total_usd": total}])


def _flows_of_group(group: str, journal: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """FLOW_VALUES of a group, with the `fact`: what its benchmark's journal took in, no moves between members."""
    moved = (journal.filter(pl.col("event").is_in(["deposit", "withdrawal"]))
             .unique("step", keep="first", maintain_order=True)
             .select("time", "fact", value_usd="flow_usd"))
    listed = members.select("kind", "asset", "quantity", "price", "price_route", "source", "id",
                            fact=pl.format("{}/{}:{}", "account", "source", "id"))
    flows = moved.join(listed, on="fact", how="left").with_columns(
        account=pl.lit(group), kind=pl.col("kind").fill_null("JOINED"), asset=pl.col("asset").fill_null("USD"),
        source=pl.col("source").fill_null("group"), id=pl.col("id").fill_null(pl.col("fact")))
    return flows.select([*schemas.FLOW_VALUES.columns, "fact"]).sort("time")

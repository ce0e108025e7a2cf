"""Facts and configuration in, derived tables out. Delete them, run again, get the same rows."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import fields
from functools import partial

import polars as pl

from navbook import schemas
from navbook.compute import benchmark, books, cash_flows, groups
from navbook.compute.books import Facts, Kept, Market, Policy
from navbook.errors import PriceMissing
from navbook.runner import fees, restating
from navbook.runner.workers import pool
from navbook.settings import Benchmark, Rebalance, Settings
from navbook.store import looks, tables
from navbook.store.rewrite import Rewrite
from navbook.types import OWN_BENCHMARK

ROWS_AT_ONCE = 800_000    # balances in a batch: what bounds the memory of a rebuild, however long the history
SHARED = ("prices", "candles")
TIMELESS = ("cash_flows", "manual_entries", "fee_payments")    # what is said later may be about an earlier time
ONLY = {"candles": (cash_flows.TELLS_PRICE,)}    # of a table, where not all of it is wanted
Progress = Callable[[int, int], None]


def read_facts(config: Settings, as_of: str = "now", accounts: Sequence[str] | None = None,
               shared: Facts | None = None) -> Facts:
    """The facts up to and including `as_of`, UTC; of all accounts or some.

    shared  holds prices and candles, where they are read already
    """
    frames = {each.name: getattr(shared, each.name) if shared and each.name in SHARED else
              tables.read(config.location, schemas.FACTS[each.name], *ONLY.get(each.name, ()), accounts=accounts,
                          until="now" if each.name in TIMELESS else as_of) for each in fields(Facts)}
    flows, last = frames.pop("cash_flows"), frames["snapshots"]["time"].max()
    return Facts(**frames, cash_flows=flows.filter(pl.col("started_at") <= last) if last else flows.clear())


def rules_of(config: Settings, account: str) -> benchmark.Rules:
    """The benchmark that `account` (or group) is measured by."""
    return rules(OWN_BENCHMARK, config.benchmark_of(account))


def all_rules(config: Settings, account: str) -> list[benchmark.Rules]:
    """Every benchmark of `account` (or group), its own first."""
    return [rules_of(config, account), *(rules(name, section) for name, section in sorted(config.benchmarks.items()))]


def rules(name: str, section: Benchmark) -> benchmark.Rules:
    """A benchmark of the configuration as the fold takes it."""
    when = section.rebalance
    return benchmark.Rules(name=name, weights=section.weights, withdrawal=section.withdrawal,
                           rebalance=(when.weekday, when.hour) if isinstance(when, Rebalance) else None)


def compute(facts: Facts, config: Settings) -> dict[str, pl.DataFrame]:
    """Every derived table by name, from `facts` alone, in memory."""
    frames = {each.name: getattr(facts, each.name) for each in fields(Facts)}
    ordered = Facts(**{name: frame.sort(schemas.FACTS[name].key) for name, frame in frames.items()})
    market = _market(ordered, config)
    kept = _keep(ordered, market, config)
    grouped = _groups(config, [kept], market)
    return {name: pl.concat(part.frames[name] for part in (kept, grouped) if name in part.frames)
            for name in [*kept.frames, schemas.GROUP_HISTORY.name]}


def run(config: Settings, as_of: str = "now", progress: Progress | None = None) -> dict[str, str]:
    """Rebuild every derived table of the store, some accounts at a time; return the content hash of each.

    Raises `PriceMissing` after everything that is known was written, when a benchmark could not be followed to the end.
    """
    seen = looks.versions(config.location, SNAPSHOTS_FIRST)    # a collect may be storing: what is seen now is read
    with looks.at(seen):
        known = tables.read(config.location, schemas.ACCOUNTS)["account"].sort().to_list()
        market = _market(read_facts(config, as_of, accounts=[]), config)
    batches = [partial(_batch, config, as_of, accounts, market, seen) for accounts in _batches(config, known)]
    with ExitStack() as stack:
        writers = _writers(stack, config)
        done = []
        for kept, written in _finished(stack, batches):
            for name, table in written.items():
                writers[name].adopt(table)
            done.append(kept)
            if progress:
                progress(len(done), len(batches))
        done.append(_write(_groups(config, done, market), writers))
        new = looks.under_way(config.location) or any(writer.changes for writer in writers.values())
        with looks.replacing(config.location) if new else nullcontext():
            hashes = {name: writer.commit() for name, writer in writers.items()}
            hashes[schemas.RESTATEMENTS.name] = restating.write(config)
    if problems := [problem for kept in done for problem in kept.problems]:
        raise PriceMissing(" ".join(problems))
    return hashes


Batch = tuple[Kept, dict[str, Rewrite]]


def _finished(stack: ExitStack, batches: Sequence[Callable[[], Batch]]) -> Iterator[Batch]:
    """What `batches` give, in their order: computed here, or where there are several, by a process for each core."""
    if len(batches) < 2:
        return (batch() for batch in batches)
    workers = stack.enter_context(pool(min(len(batches), _cores())))
    stack.callback(workers.shutdown, cancel_futures=True)    # after an error here the others need not begin
    work = [workers.submit(batch) for batch in batches]
    return (each.result() for each in work)


def _batch(config: Settings, as_of: str, accounts: Sequence[str], market: Market, seen: Mapping[str, int]) -> Batch:
    """Write every derived row of `accounts`; nobody sees them before a commit.

    seen  the versions of the facts to read
    """
    with ExitStack() as stack:
        stack.enter_context(looks.at(seen))
        writers = _writers(stack, config)
        return _write(_keep(read_facts(config, as_of, accounts, NO_PRICES), market, config), writers), writers


def _writers(stack: ExitStack, config: Settings) -> dict[str, Rewrite]:
    return {name: stack.enter_context(Rewrite(config.location, schema)) for name, schema in REBUILT.items()}


def _write(kept: Kept, writers: Mapping[str, Rewrite]) -> Kept:
    for name, frame in kept.frames.items():
        writers[name].add(frame)
    return kept.without_frames()


NO_PRICES = Facts(**{each.name: schemas.FACTS[each.name].empty() for each in fields(Facts)})    # a `Market` has them
SNAPSHOTS_FIRST = (schemas.SNAPSHOTS, *(schemas.FACTS[each.name] for each in fields(Facts) if each.name != "snapshots"))
REBUILT = {schema.name: schema for schema in (
    schemas.HOLDINGS, schemas.FLOW_VALUES, schemas.RECONCILIATION, schemas.NAV_HISTORY, schemas.BENCHMARK_VALUES,
    schemas.BENCHMARK_JOURNAL, schemas.PERFORMANCE, schemas.BENCHMARK_CONFIGS,
    schemas.FEES, schemas.BRIDGE, schemas.GROUP_HISTORY)}


def _market(shared: Facts, config: Settings) -> Market:
    return Market(shared.prices, shared.candles, config.stablecoins)


def _keep(facts: Facts, market: Market, config: Settings) -> Kept:
    """What the accounts of `facts` give; of the books, those are kept that a group needs."""
    policy = Policy(stablecoins=config.stablecoins, tolerance=config.tolerance, fee_rates=fees.rates(config),
                    fee_schedule=fees.schedule(config))
    grouped = {name for group in config.groups.values() for name in group.accounts}
    rules = {name: all_rules(config, name) for name in facts.accounts["account"]}
    return books.keep(facts, market, policy, rules, grouped)


def _groups(config: Settings, batches: Sequence[Kept], market: Market) -> Kept:
    """What the groups give, from the books of their members."""
    members = {book.name: book for kept in batches for book in kept.books}
    moved = pl.concat([cash_flows.counted(schemas.CASH_FLOWS.empty()), *(kept.moved for kept in batches)])
    found, histories = [], [schemas.GROUP_HISTORY.empty()]
    for name, group in config.groups.items():
        present = [members[account] for account in group.accounts if account in members]
        navs = groups.navs(present)
        book = books.book(name, navs, groups.flows(name, present, moved), all_rules(config, name), market)
        found.append(book)
        histories.append(book.history().join(navs.select("time", "members"), on="time", how="left")
                         .select(list(schemas.GROUP_HISTORY.columns)))
    return Kept.of(found, {"group_history": pl.concat(histories), **books.by_benchmark(found)}, moved.clear())


def _batches(config: Settings, accounts: Sequence[str]) -> list[Sequence[str]]:
    """The accounts that are read and computed together."""
    rows = tables.rows(config.location, schemas.BALANCES)
    parts = math.ceil(rows / ROWS_AT_ONCE)
    if parts > 1:
        parts = math.ceil(parts / _cores()) * _cores()    # as many for each
    size = max(1, math.ceil(len(accounts) / max(parts, 1)))
    return [accounts[start:start + size] for start in range(0, len(accounts), size)]


def _cores() -> int:
    return os.cpu_count() or 1

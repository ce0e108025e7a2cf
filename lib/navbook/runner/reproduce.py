"""`navbook reproduce`: work a run out again from the table versions that it read, and compare."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import polars as pl

from navbook import schemas, settings
from navbook.compute import verify
from navbook.errors import NavbookError, SettingsInvalid, StoreMismatch
from navbook.runner import backtest_plan, backtesting, rebuild, records
from navbook.runner.market_data import Span
from navbook.runner.records import Record
from navbook.settings import Settings
from navbook.store import rewrite, tables
from navbook.types import RunStatus

Told = Callable[[str], None]


class RunDiffers(NavbookError):
    """A run worked out again gives other rows."""


class InputsGone(NavbookError):
    """What a run read, or its folder, is no longer kept."""


def reproduce(config: Settings, run: str, told: Told) -> None:
    """Say what `run` (its name, or its folder) comes to when it is worked out again from what it read.

    Raises `RunDiffers` naming what is another now, `InputsGone` when retention has removed what it needs,
    `SettingsInvalid` for a run that is not known, or did not end well.
    """
    folder, record = _found(config, run)
    if record.status != RunStatus.OK:
        raise SettingsInvalid(f"{record.run} is {record.status}, there is nothing to compare: {record.reason}")
    if record.notebook not in WAYS:
        raise SettingsInvalid(f"{record.run} is of a notebook of your own, {record.notebook}: run it again with "
                              f"{tables.PINS}='{json.dumps(record.tables_read)}'.")
    kept = _kept_settings(config, folder)
    try:
        differs = WAYS[record.notebook](kept, record, told)
    except StoreMismatch as problem:
        raise InputsGone(f"{record.run} cannot be worked out again: retention has removed what it read. "
                         f"({problem})") from None
    if differs:
        code = records.code_version()
        raise RunDiffers(f"{record.run} differs in {'; '.join(differs)}." + (
            "" if code == record.code else f" It ran with navbook {record.code}, this is {code}."))


def _found(config: Settings, run: str) -> tuple[Path, Record]:
    name = Path(run).name
    folder = next(config.runs_folder.glob(f"*/{name}"), None) if name and "*" not in name else None
    record = Record.read(folder) if folder else None
    if folder and record:
        return folder, record
    if name in tables.read(config.location, schemas.RUNS)["run"]:
        raise InputsGone(f"The folder of {name} is gone: retention has removed it (keep_days of its job).")
    raise SettingsInvalid(f"There is no run {name}; navbook runs lists them.")


def _kept_settings(config: Settings, folder: Path) -> Settings:
    """What the run was configured with, on the store as it is found now."""
    place = folder / "config.json"
    if not place.exists():
        raise InputsGone(f"{place} is gone: what {folder.name} was configured with is not known.")
    kept = settings.load(place)
    return kept.model_copy(update={"store": config.store, "runs": config.runs, "base": config.base,
                                   "file": config.file, "environment": config.environment,
                                   "backtest": config.backtest})


def _collect(config: Settings, record: Record, told: Told) -> list[str]:
    """The exchange cannot be asked again: whether what it said is still there as it was stored."""
    rows = 0
    for name, version in record.tables_written.items():
        rows += tables.collected(tables.stored(config.location, schemas.TABLES[name], version=version)
                                 .select(pl.len()), config.location, schemas.TABLES[name]).item()
    told(f"{record.run}: same; what the exchange said is kept, {rows:,} rows in "
         f"{len(record.tables_written)} tables as this run left them.")
    return []


def _benchmark(config: Settings, record: Record, told: Told) -> list[str]:
    """Every derived table from the facts as they were, by content hash."""
    facts_read = {name: version for name, version in record.tables_read.items() if name in schemas.FACTS}
    with _pinned(facts_read):
        facts = rebuild.read_facts(config, record.parameters.get("as_of", "now"))
    unborn = {each.name: schemas.FACTS[each.name].empty() for each in fields(facts) if each.name not in facts_read}
    found = rebuild.compute(replace(facts, **unborn), config)
    hashes = {name: rewrite.content_hash(schemas.DERIVED[name], frame) for name, frame in found.items()}
    differs = [f"{name}: {found[name].height:,} rows with other contents"
               for name, digest in hashes.items() if record.hashes.get(name) != digest]
    if not differs:
        told(f"{record.run}: same; {len(hashes)} tables come out with the same content hashes, "
             f"{sum(frame.height for frame in found.values()):,} rows.")
    return differs


def _publish(config: Settings, record: Record, told: Told) -> list[str]:
    """A page shows what a rebuild wrote: that one is worked out again."""
    for folder in reversed(records.folders(config, "benchmark")):
        wrote = Record.read(folder)
        if wrote and wrote.status == RunStatus.OK and wrote.started <= record.started and all(
                wrote.hashes.get(name) == record.hashes.get(name) for name in rebuild.REBUILT):
            told(f"{record.run} shows the tables of {wrote.run}.")
            return _benchmark(_kept_settings(config, folder), wrote, told)
    raise InputsGone(f"The run that wrote the tables which {record.run} shows is not kept; navbook verify works out "
                     "the present ones again.")


def _backtest(config: Settings, record: Record, told: Told) -> list[str]:
    """The four backtest tables, from the candles and funding rates as the run left them."""
    plan = backtest_plan.Plan(**record.parameters)
    versions = record.tables_read | record.tables_written
    with _pinned(versions):
        stored = {schema.name: tables.read(config.location, schema, pl.col("name") == plan.title)
                  for schema in backtesting.TABLES}
        about = stored[schemas.BACKTESTS.name].row(0, named=True)
        span = Span(plan.market, plan.symbol, about["from_time"], about["to_time"])
        plan, filters_seen_at = backtesting.stepped(config, plan, span)
        again = backtesting.answers(plan, span, backtesting.study(config, plan, span), filters_seen_at)
    found = {name: verify.differences(schemas.DERIVED[name], frame, again[name]) for name, frame in stored.items()}
    differs = [f"{name}: {difference.rows:,} rows, first {difference.first}"
               for name, difference in found.items() if difference]
    if not differs:
        told(f"{record.run}: same; {about['trades']} trades, {about['pnl']:+,.2f} USDT, row by row.")
    return differs


WAYS: Mapping[str, Callable[[Settings, Record, Told], list[str]]] = {
    "collect": _collect, "benchmark": _benchmark, "backtest": _backtest, "publish": _publish}


@contextmanager
def _pinned(versions: Mapping[str, int]) -> Iterator[None]:
    """This process reads these versions of the tables inside the block."""
    before = os.environ.get(tables.PINS)
    os.environ[tables.PINS] = json.dumps(versions)
    try:
        yield
    finally:
        os.environ.pop(tables.PINS)
        if before is not None:
            os.environ[tables.PINS] = before

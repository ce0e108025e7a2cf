"""Carry data out: a year as CSV files with a statement, or everything as one DuckDB file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from navbook import schemas
from navbook.compute import fees, yearly
from navbook.errors import SettingsInvalid, StoreUnusable
from navbook.publish import statement, words
from navbook.runner import explain, known, queries, restating, sheets, stores
from navbook.runner.files import write_whole
from navbook.settings import Settings
from navbook.store import catalog, tables
from navbook.types import OWN_BENCHMARK


def year(config: Settings, number: int, account: str = "all", to: Path | None = None, *,
         force: bool = False) -> list[Path]:
    """Write the sheets and the statement of a year (UTC) of `account`, or of all; return the files.

    Without `to` into the folder of the runs. Writing the same again changes nothing. Raises `SettingsInvalid`
    for an unknown account, a year without data, or, unless `force`, a file with other content, and `TablesStale`.
    """
    if account != "all":
        stores.require(config, account)
    start, end = datetime(number, 1, 1, tzinfo=UTC), datetime(number + 1, 1, 1, tzinfo=UTC)
    frames = {schema.name: tables.read(config.location, schema, account=account) for schema in
              (*sheets.TABLES, schemas.PERFORMANCE, schemas.CLOSINGS, schemas.QUARANTINE, schemas.BENCHMARK_JOURNAL)}
    frames["fees"] = fees.dated(frames["fees"], frames["fee_payments"])
    for name in frames["snapshots"]["account"].unique().sort():
        explain.refuse_stale(config, name)
    if not any(_inside(frames[name], start, end).height for name in ("snapshots", "cash_flows")):
        raise SettingsInvalid(f"There is nothing of {number} in {config.location}; navbook check says what there is.")
    texts = {f"{name}.csv": text for name, text in sheets.year(frames, start, end).items()}
    texts["statement.html"] = statement.page(_stated(config, frames, start, end, account))
    folder = to or config.runs_folder / "exports" / f"{number}_{account}"
    _write(folder, texts, force=force)
    return [folder / name for name in texts]


def database(config: Settings, file: Path, *, force: bool = False) -> None:
    """Write every table and view into one DuckDB file, seen whole or not at all.

    Raises `SettingsInvalid` when `file` is there already, unless `force`; `QueryFailed` when a table cannot be
    read, `StoreUnusable` when the file cannot be written.
    """
    if file.is_dir() or not file.name:
        raise SettingsInvalid(f"{file} is a folder; name a file in it.")
    if file.exists() and not force:
        raise SettingsInvalid(f"{file} is there already; name another file, or add --force.")
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        catalog.export(config.location, beside)
        beside.replace(file)
    except (duckdb.Error, OSError) as problem:
        raise queries.failed(config.location, problem) if "The table " in str(problem) else StoreUnusable(
            str(file), str(problem)) from None
    finally:
        for left in (beside, beside.with_name(f"{beside.name}.wal")):
            left.unlink(missing_ok=True)


def _stated(config: Settings, frames: Mapping[str, pl.DataFrame], start: datetime, end: datetime,
            account: str) -> statement.Year:
    name = f"{start:%Y}"
    restated, performance = restating.now(config), frames["performance"]
    mine = pl.lit(value=True) if account == "all" else pl.col("account") == account
    return statement.Year(
        name=name, environment=config.environment,
        figures=yearly.figures(frames["nav_history"], frames["flow_values"], frames["fees"], start, end),
        months=performance.filter(pl.col("period").str.contains(rf"^{name}-\d\d$"), benchmark=OWN_BENCHMARK),
        closings=frames["closings"].filter(pl.col("month").str.starts_with(name)),
        restatements=restated.filter(pl.col("month").str.starts_with(name), mine),
        quarantined=_inside(known.unread(frames["quarantine"]), start, end).height,
        benchmark=words.benchmark(frames["benchmark_journal"].filter(benchmark=OWN_BENCHMARK)))


def _inside(frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    return frame.filter(pl.col("time").is_between(start, end, "left"))


def _write(folder: Path, texts: Mapping[str, str], *, force: bool) -> None:
    """Write all files; none when one is there with other content, unless `force`."""
    news = [name for name, text in texts.items()
            if not (folder / name).exists() or (folder / name).read_bytes() != text.encode()]
    if others := [name for name in news if (folder / name).exists() and not force]:
        raise SettingsInvalid(f"{folder / others[0]} holds something else; --force writes over it, --to FOLDER "
                              "writes elsewhere.")
    try:
        for name in news:
            write_whole(folder / name, texts[name])
    except OSError as problem:
        raise StoreUnusable(str(folder), str(problem)) from problem

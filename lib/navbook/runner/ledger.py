"""What `navbook runs` and `navbook slots` show: the tables, and what is not in them yet."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from navbook import schemas
from navbook.job import Job
from navbook.runner import locks, records, slots
from navbook.runner.records import Record
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import RunStatus

SHOWN = ("run", "job", "account", "status", "started_at", "seconds", "reason")


def runs(config: Settings, job: str | None = None, last: int = 20) -> pl.DataFrame:
    """The newest runs, oldest first, with status, seconds and reason; killed ones are closed on the way."""
    for name in _jobs(config, job):
        close(config, name)
    ended = _of(tables.read(config.location, schemas.RUNS), job).with_columns(
        seconds=(pl.col("ended_at") - pl.col("started_at")).dt.total_milliseconds() / 1000)
    going = [record for name in _jobs(config, job) if (record := _running(config, name))]
    now = pl.DataFrame([{"run": each.run, "job": each.job, "account": each.account, "status": each.status,
                         "started_at": each.started, "seconds": None, "reason": None} for each in going],
                       schema=ended.select(SHOWN).schema)
    return pl.concat([ended.select(SHOWN), now]).sort("started_at").tail(last)


def close(config: Settings, job: str) -> None:
    """Bring runs of `job` to an end whose process is gone, if nobody runs it now."""
    lock = config.jobs.get(job, Job()).named(job).lock
    if not (config.runs_folder / job).is_dir() or locks.holder(config, lock):
        return
    with locks.hold(config, lock):
        if dead := records.close_dead(config, job):
            if job in config.jobs:
                slots.settle(config, job, datetime.now(UTC), dead)
            records.register(config, dead)


def fates(config: Settings, job: str | None = None, last: int = 50, now: datetime | None = None) -> pl.DataFrame:
    """The newest slots, oldest first: those that no run has written down yet are worked out; the newest may still
    be begun."""
    now = now or datetime.now(UTC)
    known = _of(tables.read(config.location, schemas.SLOTS, until=now), job)    # a clock may have been ahead once
    settled = now - slots.ON_TIME
    unwritten = [row for name in config.jobs if job in (None, name)
                 for row in slots.fates(config, name, settled, running=_running_slot(config, name))]
    rows = pl.concat([known, schemas.SLOTS.rows(unwritten)]) if unwritten else known
    return rows.sort("time", "job").tail(last).drop("seen_at")


def _running(config: Settings, job: str) -> Record | None:
    newest = next(reversed(records.folders(config, job)), None)
    record = Record.read(newest) if newest else None
    return record if record and record.status == RunStatus.RUNNING else None


def _running_slot(config: Settings, job: str) -> datetime | None:
    record = _running(config, job)
    return datetime.fromisoformat(record.slot) if record and record.slot else None


def _of(rows: pl.DataFrame, job: str | None) -> pl.DataFrame:
    return rows if job is None else rows.filter(pl.col("job") == job)


def _jobs(config: Settings, job: str | None) -> list[str]:
    """The jobs that have ever run."""
    if job is not None:
        return [job]
    return sorted({place.parent.name for place in config.runs_folder.glob("*/*Z_*_*")})

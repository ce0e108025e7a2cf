"""The slot ledger: what became of every time at which a job was due. A slot is one such time.

Each run completes it, under the job's lock, from the last known slot to now, whatever starts the runs. What
nothing ran for is `skipped`: a snapshot is never backdated, the next one asks for the flows since. A rebuild
does the work of the ones that were missed, so its next run makes them `caught_up`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from navbook import schemas, timing
from navbook.runner.records import Record
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Fate, RunStatus

ON_TIME = timedelta(minutes=5)    # how late a run may begin and still be that of its slot
OF_THE_MOMENT = frozenset({"collect"})    # notebooks whose work cannot be done later
Row = dict[str, Any]    # of SLOTS
NOTHING = "no run began: the machine, cron or the schedule was off, or navbook.toml could not be read"


def served_by(config: Settings, job: str, now: datetime) -> datetime | None:
    """The slot that a run beginning now is for; None between slots and for jobs without a cron expression."""
    when = config.job(job).when
    return max(timing.due(when, now - ON_TIME, now), default=None) if when else None


def settle(config: Settings, job: str, now: datetime, ended: Sequence[Record] = (),
           running: datetime | None = None) -> None:
    """Write down the fate of every slot of `job` up to `now` that is not known yet.

    ended    runs that are not in the table `runs` yet
    running  the slot of a run that has not ended: left out
    """
    rows = fates(config, job, now, ended, running)
    if rows:
        tables.append(config.location, schemas.SLOTS, schemas.SLOTS.rows(rows))


def refused(config: Settings, job: str, now: datetime, fate: Fate, reason: str) -> None:
    """A run that was due could not begin: what that makes of its slot, unless its fate is known."""
    slot = served_by(config, job, now)
    if slot is not None and slot not in _known(config, job, slot)["time"]:
        tables.append(config.location, schemas.SLOTS, schemas.SLOTS.rows([_row(job, slot, fate, reason, None)]))


def unserved(config: Settings, job: str, now: datetime) -> bool:
    """Whether `job` never ran, or a slot has passed since that no run was for."""
    never = tables.read(config.location, schemas.RUNS, pl.col("job") == job).is_empty()
    return never or bool(fates(config, job, now))


def fates(config: Settings, job: str, now: datetime, ended: Sequence[Record] = (),
          running: datetime | None = None) -> list[Row]:
    """SLOTS rows that `settle` would write."""
    how = config.job(job)
    if how.when is None:
        return []
    known = _known(config, job, now)
    runs = tables.read(config.location, schemas.RUNS, pl.col("job") == job)
    rows = _served(job, known, ended)
    since = max(known["time"], default=min([*runs["started_at"], *rows], default=now))    # first: the job's first run
    going = [*runs.filter(pl.col("ended_at") >= since).select("started_at", "ended_at").iter_rows(),
             *((each.started, each.ended) for each in ended)]
    told = {*known["time"], *rows, running}
    missed = {slot: _row(job, slot, Fate.SKIPPED, _reason(slot, going), None)
              for slot in timing.due(how.when, since, now) if slot not in told}
    if how.notebook not in OF_THE_MOMENT:
        waiting = {*missed, *known.filter(pl.col("fate") == Fate.SKIPPED)["time"]} - rows.keys()
        missed |= _caught_up(job, waiting, ended)
    return [*missed.values(), *rows.values()]


def _served(job: str, known: pl.DataFrame, ended: Sequence[Record]) -> dict[datetime, Row]:
    """What `ended` made of their slots: one that went well is enough, whatever came before or after."""
    ran = set(known.filter(pl.col("fate") == Fate.RAN)["time"])
    rows: dict[datetime, Row] = {}
    for record in ended:
        slot = datetime.fromisoformat(record.slot) if record.slot else None
        if slot is None or slot in ran:
            continue
        if record.status == RunStatus.OK:
            ran.add(slot)
            rows[slot] = _row(job, slot, Fate.RAN, None, record.run)
        else:
            rows[slot] = _row(job, slot, Fate.FAILED, record.reason, record.run)
    return rows


def _caught_up(job: str, waiting: set[datetime], ended: Sequence[Record]) -> dict[datetime, Row]:
    """The slots of `waiting` whose work the last run that went well has done."""
    last = next((record for record in reversed(ended) if record.status == RunStatus.OK), None)
    return {} if last is None else {
        slot: _row(job, slot, Fate.CAUGHT_UP, f"by the run of {last.started:%Y-%m-%d %H:%M}", last.run)
        for slot in sorted(waiting) if slot <= last.started}


def _known(config: Settings, job: str, now: datetime) -> pl.DataFrame:
    """What the ledger has up to `now`: a clock that was ahead once leaves slots of a time to come."""
    return tables.read(config.location, schemas.SLOTS, pl.col("job") == job, until=now)


def _reason(slot: datetime, going: Sequence[tuple[datetime, datetime | None]]) -> str:
    busy = next((begun for begun, end in going if begun < slot and (end is None or slot <= end)), None)
    return f"the run of {busy:%H:%M:%S} was still going" if busy else NOTHING


def _row(job: str, slot: datetime, fate: Fate, reason: str | None, run: str | None) -> Row:
    return {"job": job, "time": slot, "fate": fate.value, "reason": reason, "run": run, "seen_at": datetime.now(UTC)}

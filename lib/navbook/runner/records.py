"""run.json: what ran, on what, and how it ended; true also when the process could not say so itself.

A run lives in `runs/<job>/<UTC time>_<account or all>_<8 hex>/` and, once it has ended, as a row of the table
`runs`. Who holds the job's lock closes what others left open: no process can be at it any more.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter

import navbook
from navbook import schemas, settings
from navbook.errors import FolderUnusable
from navbook.runner import logs
from navbook.runner.files import write_whole
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import RunStatus

PACKAGES = ("papermill", "polars", "deltalake", "duckdb", "python-binance", "altair")
NAME = "run.json"
ROOM = "run.json.room"    # bytes to give back when the disk is full, so that the record can still be written
ROOM_BYTES = 65_536
KILLED = "its process was gone before it could say how it ended: killed, or out of memory"
TIME_FORMAT = "%Y-%m-%dT%H%M%SZ"
FOLDER = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z_.+_[^_]+")    # of a run: when, whose, and some letters


@dataclass
class Record:
    """run.json. Times are ISO texts, UTC."""

    run: str
    job: str
    notebook: str                                  # one of ours, or a file
    account: str
    environment: str
    store: str                                     # Settings.location
    status: str                                    # types.RunStatus
    started_at: str
    parameters: dict[str, Any]
    code: str
    packages: dict[str, str]
    tables_read: dict[str, int]
    slot: str | None = None                        # the due time that it ran for
    pid: int = field(default_factory=os.getpid)
    ended_at: str | None = None
    seconds: float | None = None
    reason: str | None = None
    failing_cell: int | None = None
    tables_written: dict[str, int] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """The record in `folder`; None where there is none that can be read, as after a kill at its very start."""
        try:
            said = json.loads((folder / NAME).read_text(encoding="utf-8"))
            found = _adapter().validate_python({"notebook": said["job"], "store": "", **said})
            times = [datetime.fromisoformat(text) for text in (found.started_at, found.ended_at, found.slot) if text]
            return found if found.started_at and found.status in set(RunStatus) and all(map(_in_utc, times)) else None
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return None

    @property
    def started(self) -> datetime:
        return datetime.fromisoformat(self.started_at)

    @property
    def ended(self) -> datetime | None:
        return datetime.fromisoformat(self.ended_at) if self.ended_at else None

    def end(self, status: RunStatus, at: datetime) -> None:
        self.status, self.ended_at = status.value, at.isoformat()
        self.seconds = round((at - self.started).total_seconds(), 3)

    def write(self, folder: Path) -> None:
        """Write it whole. On a full disk the room kept for it is given back first. Raises `FolderUnusable`."""
        text = json.dumps(asdict(self), indent=1) + "\n"
        try:
            write_whole(folder / NAME, text)
        except FolderUnusable:
            (folder / ROOM).unlink(missing_ok=True)
            write_whole(folder / NAME, text)


@cache
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)


def _in_utc(time: datetime) -> bool:
    return time.utcoffset() == timedelta()


def begun(config: Settings, job: str, account: str, parameters: dict[str, Any], slot: datetime | None,
          ) -> tuple[Record, Path]:
    """A new record that says `running`, and its folder. Raises `FolderUnusable`."""
    started = datetime.now(UTC)
    folder = config.runs_folder / job / f"{started.strftime(TIME_FORMAT)}_{account}_{secrets.token_hex(4)}"
    record = Record(run=folder.name, job=job, notebook=config.job(job).notebook or job, account=account,
                    environment=config.environment, store=config.location, status=RunStatus.RUNNING.value,
                    started_at=started.isoformat(), parameters=parameters, code=code_version(),
                    packages={name: metadata.version(name) for name in PACKAGES},
                    tables_read=tables.versions(config.location), slot=slot.isoformat() if slot else None)
    record.write(folder)
    try:
        (folder / ROOM).write_bytes(bytes(ROOM_BYTES))
    except OSError as problem:
        raise FolderUnusable(folder, problem) from None
    return record, folder


def close_dead(config: Settings, job: str) -> list[Record]:
    """Close what earlier runs of `job` left open, and return those not yet in the table. Its lock is held."""
    known = set(tables.read(config.location, schemas.RUNS, pl.col("job") == job)["run"])
    return [record for folder in folders(config, job) if folder.name not in known
            and (record := _closed(config, job, folder)) and record.store in ("", config.location)]


def _closed(config: Settings, job: str, folder: Path) -> Record | None:
    record = Record.read(folder)
    if record is None:    # killed before its first word
        started, account = folder.name.rpartition("_")[0].split("_", 1)
        record = Record(run=folder.name, job=job, notebook=job, account=account,
                        environment=config.environment, store=config.location, status=RunStatus.RUNNING.value,
                        started_at=datetime.strptime(started, TIME_FORMAT).replace(tzinfo=UTC).isoformat(),
                        parameters={}, code="", packages={}, tables_read={}, pid=0)
    if record.status == RunStatus.RUNNING:
        record.reason = KILLED
        record.end(RunStatus.KILLED, max(_last_sign(folder), record.started))
        record.write(folder)
        for rest in (folder / ROOM, *folder.glob(".*.[0-9]*")):
            rest.unlink(missing_ok=True)
    return record


def _last_sign(folder: Path) -> datetime:
    """When something in the folder was written last: nobody knows better when the process ended."""
    return datetime.fromtimestamp(max(file.stat().st_mtime for file in (folder, *folder.iterdir())), UTC)


def register(config: Settings, records: list[Record]) -> None:
    """Add ended runs to the table. Raises `StoreUnusable`."""
    tables.append(config.location, schemas.RUNS, schemas.RUNS.rows([
        (record.run, record.job, record.account, record.started, record.ended, record.status, record.reason,
         record.ended) for record in records]))


def folders(config: Settings, job: str) -> list[Path]:
    """The folders of a job's runs, oldest first; what a person put beside them is none."""
    return sorted(place for place in (config.runs_folder / job).glob("*Z_*_*") if FOLDER.fullmatch(place.name)
                  and place.is_dir())


def forget(config: Settings, job: str, now: datetime) -> int:
    """Remove the folders that the job keeps no longer; their rows stay in the table. Returns how many."""
    if job not in config.jobs:
        return 0    # nobody said how long
    oldest = f"{now - timedelta(days=config.jobs[job].keep_days):{TIME_FORMAT}}"
    gone = [place for place in folders(config, job) if place.name < oldest]
    return sum(remove(place) for place in gone)


def remove(folder: Path) -> bool:
    """Whether the folder of a run went. One that cannot go is logged and ends nothing."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:    # somebody tidied up meanwhile
        return False
    except OSError as problem:
        logs.logger().warning("the folder of a run stays", operation="prune", reason=str(problem))
        return False
    return True


def code_version() -> str:
    """navbook's version and, in a checkout, the commit."""
    try:
        found = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=7"], cwd=settings.CHECKOUT,    # noqa: S607
                               capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return navbook.__version__
    commit = found.stdout.strip()
    return f"{navbook.__version__}+{commit}" if commit else navbook.__version__

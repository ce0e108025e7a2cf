"""One run of a job at a time. The operating system drops a lock with its process, however that ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from navbook.errors import FolderUnusable, Locked
from navbook.runner.files import write_whole
from navbook.settings import Settings


@contextmanager
def hold(config: Settings, job: str) -> Iterator[None]:
    """Hold the lock of `job` for this store's environment. Raises `Locked` naming the holder, `FolderUnusable`."""
    place = _place(config, job)
    lock = FileLock(place, timeout=0)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise Locked(f"{job} is already being run by {_holder(place)}; wait until it is done.") from None
    except OSError as problem:
        raise FolderUnusable(place, problem) from None
    try:
        since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        write_whole(_about(place), json.dumps({"pid": os.getpid(), "since": since}))
        yield
    finally:
        lock.release()


def holder(config: Settings, job: str) -> str | None:
    """Who runs `job` at this moment, in words; None: nobody."""
    place = _place(config, job)
    if not place.exists():
        return None
    try:
        with FileLock(place, timeout=0):
            return None
    except Timeout:
        return _holder(place)


def _place(config: Settings, job: str) -> Path:
    return config.runs_folder / ".locks" / f"{config.environment}-{job}.lock"


def _about(place: Path) -> Path:
    return place.with_suffix(".json")


def told_of(place: Path) -> tuple[object, str]:
    """The process that holds (or held last) the lock at `place`, and since when, by the note beside it."""
    try:
        by = json.loads(_about(place).read_text(encoding="utf-8"))
        return by["pid"], str(by["since"])
    except (OSError, ValueError, LookupError, TypeError):    # being written at this moment, or damaged
        return "unknown", "?"


def _holder(place: Path) -> str:
    pid, since = told_of(place)
    return f"process {pid} since {since}"

"""One run of a job at a time. The operating system drops a lock with its process, however that ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from navbook.errors import Locked
from navbook.runner.files import write_whole
from navbook.settings import Settings


@contextmanager
def hold(config: Settings, job: str) -> Iterator[None]:
    """Hold the lock of `job` for this store's environment. Raises `Locked` naming the holder."""
    place = _place(config, job)
    try:
        with FileLock(place, timeout=0):
            write_whole(place.with_suffix(".json"), json.dumps(
                {"pid": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"}))
            yield
    except Timeout:
        raise Locked(f"{job} is already being run by {_named(place)}; wait until it is done.") from None


def holder(config: Settings, job: str) -> str | None:
    """Who holds the lock of `job`, in words; None: nobody."""
    place = _place(config, job)
    try:
        with FileLock(place, timeout=0):
            return None
    except Timeout:
        return _named(place)


def _place(config: Settings, job: str) -> Path:
    place = config.runs_folder / ".locks" / f"{config.environment}-{job}.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _named(place: Path) -> str:
    told = place.with_suffix(".json")
    by = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {"pid": "unknown", "since": "?"}
    return f"process {by['pid']} since {by['since']}"

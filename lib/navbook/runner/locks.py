"""One run of a job at a time. The operating system drops a lock with its process, however that ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from navbook.errors import Locked
from navbook.runner.files import write_whole
from navbook.settings import Settings


@contextmanager
def hold(config: Settings, job: str) -> Iterator[None]:
    """Hold the lock of `job` for this store's environment. Raises `Locked` naming the holder."""
    place = config.runs_folder / ".locks" / f"{config.environment}-{job}.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    holder = place.with_suffix(".json")
    try:
        with FileLock(place, timeout=0):
            write_whole(holder, json.dumps({"pid": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"}))
            yield
    except Timeout:
        by = json.loads(holder.read_text(encoding="utf-8")) if holder.exists() else {"pid": "unknown", "since": "?"}
        raise Locked(f"{job} is already being run by process {by['pid']} since {by['since']}; "
                     "wait until it is done.") from None

"""Temporary folders that do not outlive a killed process for long: the next one that wants such a folder cleans up."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from navbook.errors import FolderUnusable

HELD = "held"    # the lock that its owner holds: the system drops it with the process


@contextmanager
def folder(purpose: str) -> Iterator[Path]:
    """A folder of this process, gone with the block; short, since a socket's path has 107 bytes."""
    prefix = f"navbook-{purpose}-"
    _clean(prefix)
    try:
        place = Path(tempfile.mkdtemp(prefix=prefix))
    except OSError as problem:
        raise FolderUnusable(tempfile.gettempdir(), problem) from None
    try:
        with FileLock(place / HELD, timeout=0):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)    # a killed kernel may still be removing its sockets


def _clean(prefix: str) -> None:
    """Remove the folders of this user that no process holds any more."""
    for place in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        held = place / HELD
        if not held.exists() or held.stat().st_uid != os.getuid():
            continue    # another user's, or one that is being made
        try:
            with FileLock(held, timeout=0):
                shutil.rmtree(place, ignore_errors=True)    # two may clean at once
        except Timeout:
            continue

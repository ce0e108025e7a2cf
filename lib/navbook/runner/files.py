"""Files that are seen whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from navbook.errors import FolderUnusable


def write_whole(path: Path, text: str) -> None:
    """Write beside the place, then rename in: a reader sees the old text or the new one. Raises `FolderUnusable`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_text(text, encoding="utf-8")
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as problem:
        raise FolderUnusable(path, problem) from None

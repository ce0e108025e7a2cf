"""Files that are seen whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from navbook.errors import FolderUnusable


def write_whole(path: Path, text: str, mode: int = 0o666) -> None:
    """Write beside the place, then rename in: a reader sees the old text or the new one. Raises `FolderUnusable`.

    mode  who may read and write it, less the umask, from the first byte on
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as problem:
        raise FolderUnusable(path, problem) from None

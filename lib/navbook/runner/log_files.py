"""Read the store's log, follow it, and let go of what is too old. The files: see `logs`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import polars as pl
from filelock import FileLock, Timeout

from navbook import schemas
from navbook.errors import FolderUnusable, SettingsInvalid, one_line
from navbook.runner import logs, printing
from navbook.runner.files import write_whole
from navbook.runner.logs import FILE
from navbook.settings import Settings

ASIDE = "navbook-*.jsonl"
LEVELS = ("debug", "info", "warning", "error", "critical")
PATIENCE_S = 0.3    # between two looks at a log that is followed

Wanted = Callable[[dict[str, Any]], bool]


def wanted(account: str | None = None, level: str | None = None, category: str | None = None,
           since: datetime | None = None, run: str | None = None) -> Wanted:
    """A test for a row: of this account, of this level or a graver one, …

    Raises `SettingsInvalid` for a level that is none.
    """
    if level and level.lower() not in LEVELS:
        raise SettingsInvalid(f"--level {level} is none of {', '.join(LEVELS)}.")
    grave = LEVELS[LEVELS.index(level.lower()):] if level else LEVELS

    def test(row: dict[str, Any]) -> bool:
        return (row.get("level", "info") in grave and (account is None or row.get("account") == account)
                and (category is None or row.get("category") == category) and (run is None or row.get("run") == run)
                and (since is None or _time(row) >= since))

    return test


def rows(config: Settings, test: Wanted) -> Iterator[dict[str, Any]]:
    """The rows that pass `test`, oldest first. A line that is torn (the disk was full) is none."""
    for file in files(config):
        with file.open(encoding="utf-8", errors="replace") as lines:
            yield from (row for line in lines if (row := _row(line)) and test(row))


def follow(config: Settings, test: Wanted) -> Iterator[dict[str, Any]]:
    """The rows that pass `test` and are written from now on; ends never."""
    place, first = config.logs_folder / FILE, True
    while True:
        if place.exists():
            with place.open(encoding="utf-8", errors="replace") as stream:
                stream.seek(0, os.SEEK_END if first else os.SEEK_SET)
                yield from (row for line in _growing(stream, place) if (row := _row(line)) and test(row))
        first = False
        time.sleep(PATIENCE_S)


def _growing(stream: TextIO, place: Path) -> Iterator[str]:
    """The whole lines of `stream`, until another file has its place."""
    begun = ""
    while True:
        if text := stream.readline():
            begun += text
            if begun.endswith("\n"):
                yield begun
                begun = ""
        elif not place.exists() or not os.path.samestat(os.fstat(stream.fileno()), place.stat()):
            return
        else:
            time.sleep(PATIENCE_S)


def text(found: Iterable[dict[str, Any]], form: str) -> str:
    """Rows as a table, as CSV (both with the columns of LOGS), or as they are: one JSON object a line."""
    if form == "json":
        return "".join(f"{line(row, form)}\n" for row in found)
    shown = [{name: _cell(row.get(name), dtype) for name, dtype in schemas.LOGS.columns.items()} | {"time": _time(row)}
             for row in found]
    frame = pl.DataFrame(shown, schema=schemas.LOGS.columns)
    if form == "table":
        frame = frame.select(column for column in frame if column.name in ("time", "level", "event")
                             or column.null_count() < frame.height)
    return printing.text(frame, form)


def line(row: dict[str, Any], form: str) -> str:
    """One row as it is followed: JSON, CSV, or words; nothing in it commands a terminal."""
    if form == "json":
        return json.dumps(row, ensure_ascii=True)
    if form == "csv":
        return text([row], form).splitlines()[1]
    named = [str(row[name]) for name in ("level", "category", "account", "event", "seconds", "reason") if row.get(name)]
    return one_line(f"{_time(row):%F %T}  {'  '.join(named)}")


def files(config: Settings) -> list[Path]:
    """The store's log files, oldest first."""
    present = config.logs_folder / FILE
    return [*sorted(config.logs_folder.glob(ASIDE)), *([present] if present.exists() else [])]


def _cell(value: Any, dtype: pl.DataType) -> Any:
    """`value` of a row as its column takes it: what is none is told as text, or not at all."""
    if value is None or dtype == pl.String:
        return value if value is None or isinstance(value, str) else json.dumps(value)
    if dtype == pl.Boolean or isinstance(value, bool):
        return value if dtype == pl.Boolean and isinstance(value, bool) else None
    return float(value) if isinstance(value, int | float) and abs(value) < 2**63 else None


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and "event" in row else None


def _time(row: dict[str, Any]) -> datetime:
    try:
        time = datetime.fromisoformat(str(row.get("time")))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)



def keep_house(config: Settings, now: datetime | None = None) -> int:
    """Once a day: put today's file aside, take out rows that are too old or too many. Returns how many went.

    A trouble with it is logged and stops nobody.
    """
    today = f"{now or datetime.now(UTC):%Y-%m-%d}"
    done = config.logs_folder / ".kept-house"
    if not config.logs_folder.exists():
        return 0
    try:
        if done.exists() and done.read_text(encoding="utf-8").strip() == today:
            return 0
        with FileLock(config.logs_folder / ".kept-house.lock", timeout=0):
            gone = prune(config, now)
            write_whole(done, f"{today}\n")
    except Timeout:
        return 0    # somebody else does it
    except (OSError, FolderUnusable) as trouble:
        with logs.session(config, "house", quiet=True) as log:
            log.warning("the log could not be pruned", reason=str(trouble))
        return 0
    return gone


def prune(config: Settings, now: datetime | None = None) -> int:
    """Take out the rows older than `keep.logs_days` and all beyond the newest `keep.logs_rows`; how many went."""
    now = now or datetime.now(UTC)
    present = config.logs_folder / FILE
    if present.exists() and present.stat().st_size:
        os.replace(present, config.logs_folder / f"navbook-{now:%Y-%m-%dT%H%M%S%f}.jsonl")
    oldest, room, gone = now - timedelta(days=config.keep.logs_days), config.keep.logs_rows, 0
    for file in sorted(config.logs_folder.glob(ASIDE), reverse=True):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        kept = [line for line in lines if (row := _row(line)) and _time(row) >= oldest]
        kept = kept[len(kept) - room:] if room < len(kept) else kept
        room -= len(kept)
        gone += len(lines) - len(kept)
        if not kept:
            file.unlink()
        elif len(kept) < len(lines):
            write_whole(file, "".join(kept))
    return gone

"""Run a notebook through papermill and keep a truthful record of it, however it ends.

Papermill's own status cannot be trusted for a killed kernel, so run.json (runner.records) is ours. The caller
holds the lock of the notebook.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from navbook import schemas
from navbook.errors import FolderUnusable, JobFailed, NavbookError
from navbook.runner import kernels, parameters, records, slots
from navbook.runner.files import write_whole
from navbook.runner.records import Record
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import RunStatus

TALKS_TO_EXCHANGE = frozenset({"collect"})    # every other job's kernel gets no key at all
PINNED = frozenset({"benchmark"})             # reads what its record says; publish reads what it just wrote
AHEAD = {"collect": "navbook.runner.collecting", "benchmark": "navbook.runner.rebuild",
         "backtest": "navbook.runner.backtesting", "publish": "navbook.runner.pages"}    # what each notebook imports


def run(config: Settings, job: str, account: str = "all", *, slot: datetime | None = None,
        timeout_minutes: float | None = None, **given: Any) -> Path:
    """Execute the notebook of `job` with the parameters `given`; return the run's folder.

    slot  the due time that this run is for

    Raises `UnknownParameter` and `SettingsInvalid` before anything ran, `JobFailed` naming the cell and the
    folder after, `FolderUnusable` when there is no place for the record.
    """
    notebook = config.notebook(config.job(job))
    if "account" in parameters.of(notebook):
        given = {"account": account, **given}
    given = parameters.checked(notebook, given)
    record, folder = begun(config, job, account, given, slot)
    try:
        with kernels.kernel(kernel_environment(config, record, folder), config.base,
                            AHEAD.get(record.notebook, "navbook")) as manager:
            from navbook.publish import render  # noqa: F401  (`_end` needs it; here the kernel starts meanwhile)
            kernels.execute(manager, notebook, folder / "notebook.ipynb", given, timeout_minutes)
    except kernels.CellFailed as failure:
        record.reason, record.failing_cell = str(failure), failure.cell
        _end(config, record, folder, RunStatus.FAILED)
        raise JobFailed(f"{job} failed: {failure} See {folder}.") from None
    except BaseException as trouble:
        record.reason = str(trouble) if isinstance(trouble, NavbookError) else _unexpected(trouble)
        _end(config, record, folder, RunStatus.FAILED)
        raise
    _end(config, record, folder, RunStatus.OK)
    return folder


def begun(config: Settings, job: str, account: str, given: dict[str, Any], slot: datetime | None,
          ) -> tuple[Record, Path]:
    """A run that says `running`, after everything before it was brought to an end in the books."""
    dead = records.close_dead(config, job)
    slots.settle(config, job, datetime.now(UTC), dead, running=slot)
    records.register(config, dead)
    return records.begun(config, job, account, given, slot)


def _unexpected(trouble: BaseException) -> str:
    return "it was stopped." if isinstance(trouble, KeyboardInterrupt) else f"{type(trouble).__name__}: {trouble}"


def _end(config: Settings, record: Record, folder: Path, status: RunStatus) -> None:
    """Say how it ended: first in run.json, then in the tables, so that a later run finds what a kill left out.

    What cannot be written then is told, unless the run has a reason of its own to tell.
    """
    record.end(status, datetime.now(UTC))
    try:
        now = tables.versions(config.location)
        record.tables_written = {name: version for name, version in now.items()
                                 if record.tables_read.get(name) != version}
        record.hashes = {name: digest for name, schema in schemas.DERIVED.items()
                         if (digest := tables.stored_hash(config.location, schema))}
        record.write(folder)
        (folder / records.ROOM).unlink(missing_ok=True)
        log(folder, "run ended", status=record.status, reason=record.reason, seconds=record.seconds)
        _page(folder, record)
        slots.settle(config, record.job, datetime.now(UTC), [record])
        records.register(config, [record])
    except NavbookError:
        if status is RunStatus.OK:
            raise


def _page(folder: Path, record: Record) -> None:
    if (folder / "notebook.ipynb").exists():
        from navbook.publish import render
        write_whole(folder / "page.html", render.page(folder / "notebook.ipynb", record.reason, record.failing_cell))


def kernel_environment(config: Settings, record: Record, folder: Path) -> dict[str, str]:
    """The variables of a job's kernel: its effective settings, and the keys of its accounts only."""
    kept = config.names(record.account) if record.notebook in TALKS_TO_EXCHANGE else []
    variables = {**kernels.variables(config, folder, kept), "NAVBOOK_RUN": record.run}
    if record.notebook in PINNED:
        variables[tables.PINS] = json.dumps({name: version for name, version in record.tables_read.items()
                                             if name in schemas.FACTS})    # what it writes, it reads as written
    return variables


def log(folder: Path, event: str, **fields: Any) -> None:
    """One JSON object as a line of the run's log. Raises `FolderUnusable`."""
    line = {"time": datetime.now(UTC).isoformat(), "level": "info", "event": event, "run": folder.name, **fields}
    try:
        with (folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
    except OSError as problem:
        raise FolderUnusable(folder / "log.jsonl", problem) from None

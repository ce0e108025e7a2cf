"""Run a notebook through papermill and keep a truthful record of it, however it ends.

Papermill's own status cannot be trusted for a killed kernel, so run.json (runner.records) is ours. The caller
holds the lock of the notebook.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from navbook import redaction, schemas
from navbook.errors import JobFailed, NavbookError
from navbook.runner import kernels, logs, parameters, records, slots
from navbook.runner.files import write_whole
from navbook.runner.records import Record
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import RunStatus

TALKS_TO_EXCHANGE = frozenset({"collect"})    # every other job's kernel gets no key at all
PINNED = frozenset({"benchmark"})             # reads what its record says; publish reads what it just wrote
AHEAD = {"collect": "navbook.runner.collecting", "benchmark": "navbook.runner.rebuild",
         "backtest": "navbook.runner.backtesting", "parity": "navbook.runner.parity",
         "publish": "navbook.runner.pages"}    # what each notebook imports


def run(config: Settings, job: str, /, account: str = "all", *, slot: datetime | None = None,
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
    with logs.session(config, job, account, folder):
        _execute(config, record, folder, notebook, timeout_minutes)
    return folder


def _execute(config: Settings, record: Record, folder: Path, notebook: Path, timeout_minutes: float | None) -> None:
    try:
        with kernels.kernel(kernel_environment(config, record, folder), config.base,
                            AHEAD.get(record.notebook, "navbook")) as manager:
            from navbook.publish import render  # noqa: F401  (`_end` needs it; here the kernel starts meanwhile)
            kernels.execute(manager, notebook, folder / "notebook.ipynb", record.parameters, timeout_minutes)
    except kernels.CellFailed as failure:
        record.reason, record.failing_cell = redaction.cleaned(str(failure)), failure.cell
        _end(config, record, folder, RunStatus.FAILED)
        raise JobFailed(f"{record.job} failed: {record.reason} See {folder}.") from None
    except BaseException as trouble:
        record.reason = redaction.cleaned(str(trouble) if isinstance(trouble, NavbookError) else _unexpected(trouble))
        _end(config, record, folder, RunStatus.FAILED)
        raise
    _end(config, record, folder, RunStatus.OK)


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
        _page(folder, record)
        slots.settle(config, record.job, datetime.now(UTC), [record])
        records.register(config, [record])
    except NavbookError:
        if status is RunStatus.OK:
            raise


def _page(folder: Path, record: Record) -> None:
    if (executed := folder / "notebook.ipynb").exists():
        from navbook.publish import render
        text = executed.read_text(encoding="utf-8")
        if (clean := redaction.without_known(text)) != text:    # an output or a traceback told a key
            write_whole(executed, clean)
        write_whole(folder / "page.html", render.page(executed, record.reason, record.failing_cell))


def kernel_environment(config: Settings, record: Record, folder: Path) -> dict[str, str]:
    """The variables of a job's kernel: its effective settings, and the keys of its accounts only."""
    kept = config.names(record.account) if record.notebook in TALKS_TO_EXCHANGE else []
    variables = {**kernels.variables(config, folder, kept), "NAVBOOK_RUN": record.run}
    if record.notebook in PINNED:
        variables[tables.PINS] = json.dumps({name: version for name, version in record.tables_read.items()
                                             if name in schemas.FACTS})    # what it writes, it reads as written
    return variables

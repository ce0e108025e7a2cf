"""Run a notebook through papermill and keep a truthful record of it, however it ends.

A run lives in `runs/<job>/<UTC time>_<account or all>_<8 hex>/`: notebook.ipynb (executed), page.html,
run.json and log.jsonl. Papermill's own status cannot be trusted for a killed kernel, so run.json is ours.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import navbook
from navbook import schemas, settings
from navbook.errors import JobFailed
from navbook.runner import kernels
from navbook.runner.files import write_whole
from navbook.settings import NOTEBOOKS, Settings
from navbook.store import tables

TALKS_TO_EXCHANGE = frozenset({"collect"})    # every other job's kernel gets no key at all
PINNED = frozenset({"benchmark"})             # reads what its record says; publish reads what it just wrote
OF_NO_ACCOUNT = frozenset({"backtest", "parity"})       # what is of a market: its notebook knows no account
AHEAD = {"collect": "navbook.runner.collecting", "benchmark": "navbook.runner.rebuild",
         "backtest": "navbook.runner.backtesting", "parity": "navbook.runner.parity",
         "publish": "navbook.runner.pages"}    # what each notebook imports
PACKAGES = ("papermill", "polars", "deltalake", "duckdb", "python-binance", "altair")


@dataclass
class Record:
    """run.json: what ran, on what, and how it ended."""

    run: str
    job: str
    account: str
    environment: str
    status: str                                    # running | ok | failed
    started_at: str
    parameters: dict[str, Any]
    code: str
    packages: dict[str, str]
    tables_read: dict[str, int]
    pid: int = field(default_factory=os.getpid)
    ended_at: str | None = None
    seconds: float | None = None
    reason: str | None = None
    failing_cell: int | None = None
    tables_written: dict[str, int] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        write_whole(folder / "run.json", json.dumps(asdict(self), indent=1) + "\n")


def run(config: Settings, job: str, account: str = "all", **parameters: Any) -> Path:
    """Execute `notebooks/<job>.ipynb`; return the run's folder.

    Raises `UnknownParameter` before anything ran, `JobFailed` naming the cell and the folder after.
    """
    given = parameters if job in OF_NO_ACCOUNT else {"account": account, **parameters}
    started = datetime.now(UTC)
    folder = config.runs_folder / job / f"{started:%Y-%m-%dT%H%M%SZ}_{account}_{secrets.token_hex(4)}"
    record = Record(run=folder.name, job=job, account=account, environment=config.environment, status="running",
                    started_at=started.isoformat(), parameters=given, code=code_version(),
                    packages={name: metadata.version(name) for name in PACKAGES},
                    tables_read=tables.versions(config.location))
    record.write(folder)
    try:
        with kernels.kernel(kernel_environment(config, record, folder), config.base, AHEAD[job]) as manager:
            from navbook.publish import render  # noqa: F401  (`_end` needs it; here the kernel starts meanwhile)
            kernels.execute(manager, NOTEBOOKS / f"{job}.ipynb", folder / "notebook.ipynb", given)
        record.status = "ok"
    except kernels.CellFailed as failure:
        record.reason, record.failing_cell = str(failure), failure.cell
        raise JobFailed(f"{job} failed: {failure} See {folder}.") from None
    except BaseException as trouble:
        record.reason = str(trouble) or type(trouble).__name__
        raise
    finally:
        _end(config, record, folder, started)
    return folder


def _end(config: Settings, record: Record, folder: Path, started: datetime) -> None:
    ended = datetime.now(UTC)
    record.status, record.ended_at = "ok" if record.status == "ok" else "failed", ended.isoformat()
    record.seconds = round((ended - started).total_seconds(), 3)
    if (folder / "notebook.ipynb").exists():
        from navbook.publish import render
        write_whole(folder / "page.html", render.page(folder / "notebook.ipynb", record.reason))
    now = tables.versions(config.location)
    record.tables_written = {name: version for name, version in now.items()
                             if record.tables_read.get(name) != version}
    record.hashes = {name: digest for name, schema in schemas.DERIVED.items()
                     if (digest := tables.stored_hash(config.location, schema))}
    record.write(folder)
    log(folder, "run ended", status=record.status, reason=record.reason, seconds=record.seconds)
    tables.append(config.location, schemas.RUNS, schemas.RUNS.rows([(
        record.run, record.job, record.account, started, ended, record.status, record.reason, ended)]))


def kernel_environment(config: Settings, record: Record, folder: Path) -> dict[str, str]:
    """The variables of a job's kernel: its effective settings, and the keys of its accounts only."""
    kept = config.names(record.account) if record.job in TALKS_TO_EXCHANGE else []
    variables = {**kernels.variables(config, folder, kept), "NAVBOOK_RUN": record.run}
    if record.job in PINNED:
        variables[tables.PINS] = json.dumps({name: version for name, version in record.tables_read.items()
                                             if name in schemas.FACTS})    # what it writes, it reads as written
    return variables


def log(folder: Path, event: str, **fields: Any) -> None:
    """One JSON object as a line of the run's log."""
    line = {"time": datetime.now(UTC).isoformat(), "level": "info", "event": event, "run": folder.name, **fields}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def code_version() -> str:
    """navbook's version and, in a checkout, the commit."""
    try:
        found = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=7"], cwd=settings.CHECKOUT,    # noqa: S607
                               capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return navbook.__version__
    commit = found.stdout.strip()
    return f"{navbook.__version__}+{commit}" if commit else navbook.__version__

"""Let go of what is no fact and old: run folders, log rows, routine backups, files of older table versions.

Small files of the facts are put together first: a table that is appended to every hour has thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from navbook import schemas
from navbook.runner import backups, locks, log_files, logs, records
from navbook.settings import Settings
from navbook.store import looks, upkeep

Told = Callable[[str], None]
STAMP = "%Y-%m-%dT%H%M%SZ"    # what a run's folder begins with


def prune(config: Settings, told: Told, *, dry_run: bool = False, now: datetime | None = None) -> None:
    """Prune by `keep` and say what went. `dry_run` says what would. Raises `Locked` while a job runs."""
    now = now or datetime.now(UTC)
    old = old_runs(config, now)
    if dry_run:
        files = sum(upkeep.unused(config.location, schema, timedelta(days=config.keep.versions_days))
                    for schema in schemas.TABLES.values())
        told(f"Would remove {len(old)} run folders and {files} files of older versions; small files of facts would be "
             "put together.")
        return
    with locks.hold(config, "collect"), locks.hold(config, "benchmark"), logs.session(config, "prune") as log:
        removed = sum(records.remove(folder) for folder in old)
        rows = log_files.prune(config, now)
        copies = backups.prune(config)
        merged = {name: upkeep.compact(config.location, schema) for name, schema in schemas.FACTS.items()}
        read = looks.under_way(config.location)    # after a rebuild that was killed: its files must stay
        files = sum(upkeep.vacuum(config.location, schema, timedelta(days=config.keep.versions_days))
                    for name, schema in {**schemas.TABLES, "before": looks.BEFORE}.items() if name not in read)
        log.info("pruned", runs=removed, log_rows=rows, backups=len(copies), files=files)
    told(f"Removed {removed} run folders, {rows} log rows, {len(copies)} backups and {files} files of older versions; "
         f"put {sum(merged.values())} small files of facts together.")


def old_runs(config: Settings, now: datetime) -> list[Path]:
    """The folders of runs that began more than `keep.runs_days` ago, but for the newest of each job."""
    limit, found = now - timedelta(days=config.keep.runs_days), []
    for job in sorted(place for place in config.runs_folder.glob("*") if place.is_dir()):
        runs = sorted((began, folder) for folder in job.iterdir() if (began := _began(folder)))
        found += [folder for began, folder in runs[:-1] if began < limit]
    return found


def _began(folder: Path) -> datetime | None:
    """When the run of `folder` began; None: it is no run's."""
    if not (folder / "run.json").exists():
        return None
    try:
        return datetime.strptime(folder.name.partition("_")[0], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None

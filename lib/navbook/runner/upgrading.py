"""Bring a store to this navbook: copy it, migrate its schema version, rebuild, and list every figure that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime

import polars as pl

from navbook import schemas
from navbook.compute import verify
from navbook.compute.books import Facts
from navbook.errors import StoreMismatch
from navbook.runner import backups, locks, logs, rebuild, records, stores
from navbook.schemas import FrameSchema
from navbook.settings import Settings
from navbook.store import tables

Told = Callable[[str], None]
FIGURES = (schemas.PERFORMANCE, schemas.FEES)    # told one by one; of the other tables the rows are counted
SAME = 1e-9                                      # relative: the last digits of another processor


def upgrade(config: Settings, told: Told) -> None:
    """Upgrade the store of `config`.

    Raises `StoreMismatch` when it is of a newer navbook, `Locked` while a job runs.
    """
    with locks.hold(config, "collect"), locks.hold(config, "benchmark"), logs.session(config, "upgrade") as log:
        stored = int(stores.claim(config).get("schema_version", "0"))
        told(f"Copied the store as it was to {backups.create(config, 'upgrade')}.")
        reason = _reason(config)
        before = {name: _read(config, schema) for name, schema in rebuild.REBUILT.items()}
        if stored < stores.SCHEMA_VERSION:
            stores.write_meta(config, schema_version=str(stores.SCHEMA_VERSION))
            told(f"The schema's version is {stores.SCHEMA_VERSION} now; it was {stored}.")
        rebuild.run(config)
        changes = list(_changes(config, before))
        for change in changes:
            told(f"  {change} ({reason})")
        told(f"Upgraded to navbook {records.code_version()}: " + (
            f"{len(changes)} changes." if changes else "every figure is what it was."))
        log.info("upgraded", stored=stored, version=stores.SCHEMA_VERSION, changes=len(changes), reason=reason)


def _read(config: Settings, schema: FrameSchema) -> pl.DataFrame | None:
    """A table as it is stored; None where an older navbook wrote what this one cannot read."""
    try:
        return tables.read(config.location, schema)
    except (StoreMismatch, pl.exceptions.PolarsError):
        return None


def _reason(config: Settings) -> str:
    """Why a figure may be another: what came after it was worked out, else the code."""
    history = tables.opened(config.location, schemas.NAV_HISTORY)
    if history is None:
        return "never worked out before"
    at = datetime.fromtimestamp(history.history(1)[0]["timestamp"] / 1000, UTC)
    newer = [each.name for each in fields(Facts) if _written_after(config, schemas.FACTS[each.name], at)]
    changed = tables.read(config.location, schemas.CONFIG_HISTORY).filter(pl.col("time") > at)["key"].unique().sort()
    reasons = [f"{what} {', '.join(names)}" for what, names in (("new", newer), ("settings:", changed)) if len(names)]
    return "; ".join(reasons) or f"navbook {records.code_version()} works it out otherwise, or navbook.toml was edited"


def _written_after(config: Settings, schema: FrameSchema, at: datetime) -> bool:
    table = tables.opened(config.location, schema)
    return table is not None and datetime.fromtimestamp(table.history(1)[0]["timestamp"] / 1000, UTC) > at


def _changes(config: Settings, before: dict[str, pl.DataFrame | None]) -> Iterator[str]:
    for name, old in before.items():
        schema = schemas.DERIVED[name]
        new = tables.read(config.location, schema)
        if old is None:
            yield f"{name}: {new.height:,} rows, which could not be read before"
        elif schema in FIGURES:
            yield from _figures(schema, old, new)
        elif difference := verify.differences(schema, old, new):
            yield f"{name}: {difference.rows:,} rows, first: {difference.first}"


def _figures(schema: FrameSchema, old: pl.DataFrame, new: pl.DataFrame) -> Iterator[str]:
    """Each figure of `schema` that changed: its key, its name, what it was and what it is."""
    numbers = [name for name, dtype in schema.columns.items() if dtype == pl.Float64()]
    both = new.join(old, on=schema.key, how="full", suffix=" before", coalesce=True, nulls_equal=True).sort(schema.key)
    for row in both.iter_rows(named=True):
        key = ", ".join(str(row[name]) for name in schema.key)
        for name in numbers:
            was, now = row[f"{name} before"], row[name]
            if not _same(was, now):
                yield f"{schema.name} {key}: {name} {_text(was)} -> {_text(now)}"


def _same(was: float | None, now: float | None) -> bool:
    if was is None or now is None:
        return was is now
    return was == now or abs(was - now) <= SAME * max(abs(was), abs(now))


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.6g}"

"""Keep the table of restatements: closed months beside what the derived tables say now."""

from __future__ import annotations

import polars as pl

from navbook import schemas
from navbook.compute import restatements
from navbook.schemas import FrameSchema
from navbook.settings import Settings
from navbook.store import rewrite, tables


def now(config: Settings) -> pl.DataFrame:
    """RESTATEMENTS of every closed month, from the tables as they are."""
    return restatements.restatements(tables.read(config.location, schemas.CLOSINGS),
                                     *(_as_written(config, schema) for schema in (schemas.PERFORMANCE, schemas.FEES)))


def write(config: Settings) -> str:
    """Replace the table; return its content hash."""
    return rewrite.replace(config.location, schemas.RESTATEMENTS, now(config))


def _as_written(config: Settings, schema: FrameSchema) -> pl.DataFrame:
    """An answer as it was just written, also in a run that is held to the versions at its start."""
    return tables.collected(tables.stored(config.location, schema), config.location, schema)

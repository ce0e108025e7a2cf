"""Keep the table of restatements: closed months beside what the derived tables say now."""

from __future__ import annotations

import polars as pl

from navbook import schemas
from navbook.compute import restatements
from navbook.settings import Settings
from navbook.store import rewrite, tables


def now(config: Settings) -> pl.DataFrame:
    """RESTATEMENTS of every closed month, from the tables as they are."""
    return restatements.restatements(*(tables.read(config.location, schema)
                                       for schema in (schemas.CLOSINGS, schemas.PERFORMANCE, schemas.FEES)))


def write(config: Settings) -> str:
    """Replace the table; return its content hash."""
    return rewrite.replace(config.location, schemas.RESTATEMENTS, now(config))

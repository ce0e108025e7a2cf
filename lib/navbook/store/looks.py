"""One look at tables that belong together, though each is committed by itself.

Before the first commit of a rebuild, the versions that the derived tables have are written down in a small table of
their own, and struck out after the last. Whoever looks meanwhile, or after a rebuild that was killed halfway, reads
those; whoever looks while it begins or ends looks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import polars as pl

from navbook import schemas
from navbook.errors import StoreUnusable
from navbook.store import rewrite, tables

BEFORE = schemas.derived("before", ("table",), "the versions from before the replacing that is under way",
                         table=pl.String(), version=pl.Int64())    # no table for people: it is in no list of them
LOOKS = 50    # at a store that others write; each takes some 50 ms


@contextmanager
def one(location: str) -> Iterator[None]:
    """In this block every derived table that is read is of one rebuild. Facts are the newest: read them after it began.
    """
    with at(together(location)):
        yield


@contextmanager
def at(known: Mapping[str, int]) -> Iterator[None]:
    """In this block tables are read at these versions, all others at their newest."""
    token = tables.LOOK.set(known)
    try:
        yield
    finally:
        tables.LOOK.reset(token)


def together(location: str) -> dict[str, int]:
    """The versions of the derived tables that belong together; `tables.ABSENT` where none was written yet.

    Raises `StoreUnusable` when they never stand still.
    """
    for _ in range(LOOKS):
        then = _version(location, BEFORE)
        if kept := under_way(location):
            return kept
        found = versions(location, schemas.DERIVED.values())
        if _version(location, BEFORE) == then:
            return found
    raise StoreUnusable(location, "its tables were replaced all the while they were looked at")


@contextmanager
def replacing(location: str) -> Iterator[None]:
    """Replace derived tables in this block: readers see none of it before its end, and nothing of one that failed.

    The caller holds the lock of the rebuild.
    """
    if not under_way(location):
        rewrite.replace(location, BEFORE, BEFORE.rows(list(versions(location, schemas.DERIVED.values()).items())))
    yield
    rewrite.replace(location, BEFORE, BEFORE.empty())


def under_way(location: str) -> dict[str, int]:
    """The versions from before the replacing that has not come to its end; empty when none is under way."""
    return dict(tables.collected(tables.stored(location, BEFORE), location, BEFORE).iter_rows())


def versions(location: str, wanted: Iterable[schemas.FrameSchema]) -> dict[str, int]:
    """The newest versions, looked up in this order: what comes later has all that an earlier one speaks of."""
    return {schema.name: _version(location, schema) for schema in wanted}


def _version(location: str, schema: schemas.FrameSchema) -> int:
    table = tables.opened(location, schema)
    return table.version() if table else tables.ABSENT

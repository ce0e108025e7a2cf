"""Append and read tables. Each is a Delta Lake table: a write is seen whole or not at all.

A table lives at `<location>/<layer>/<name>`; location is `Settings.location`, a folder or s3://bucket/prefix.
Readers never block the writer. Writers of one store take turns (runner.locks). A column that a schema
gained is null in what was written before, and joins the stored table with the next write.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from navbook import schemas
from navbook.errors import SettingsInvalid, StoreMismatch, StoreUnreadable, StoreUnusable
from navbook.schemas import FrameSchema
from navbook.store import ordering, places

PINS = "NAVBOOK_TABLE_VERSIONS"    # JSON, table -> version: a run reads what its record says it read
LOOK: ContextVar[Mapping[str, int]] = ContextVar("look", default=MappingProxyType({}))    # set by store.looks
ABSENT = -1    # the version of a table that was not there yet
UNUSABLE = re.compile(r"[*?\[\]|^\\\x00-\x1f]|%[0-9A-Fa-f]{2}")    # in a path: patterns, or what delta-rs misreads

AT_ONCE = 8    # tables that are looked at
FACTS_ARE = {"delta.checkpointInterval": "10"}    # opening reads all commits since the last: up to 100 by default
Found = TypeVar("Found")


class _Table(DeltaTable):
    """A DeltaTable that names its files as the file system does, not as a URL: "my store", not "my%20store"."""

    def file_uris(self, *arguments: Any, **named: Any) -> list[str]:
        return [unquote(uri) for uri in super().file_uris(*arguments, **named)]

    @property
    def table_uri(self) -> str:
        return unquote(super().table_uri)


def append(location: str, schema: FrameSchema, frame: pl.DataFrame) -> int:
    """Add the facts of `frame` that the store does not know yet, in one commit; return how many.

    Of one key the row seen last is the newest, in whatever order rows arrive. A row that says what was known of
    its key when it was seen adds nothing. Of two that were seen at one moment, the later to arrive is the newer.
    Raises as `FrameSchema.check` does.
    """
    new = schema.check(frame)
    if new.is_empty():
        return 0
    table = opened(location, schema)
    known = collected(_like(_rows(table, schema), new, schema), location, schema)
    content = [column for column in schema.columns if column != "seen_at"]
    moments = new.select(*schema.key, now="seen_at")
    moment = pl.col("now").dt.truncate("1ms")    # as fine as the exchange tells time
    then = (known.join(moments, on=schema.key, nulls_equal=True)
            .filter(pl.col("seen_at").dt.truncate("1ms") <= moment)
            .sort("seen_at").unique(schema.key, keep="last", maintain_order=True))    # what was known when it was seen
    new = new.join(then.select(content), on=content, how="anti", nulls_equal=True)
    same_moment = then.filter(pl.col("seen_at").dt.truncate("1ms") == moment)
    after = same_moment.select(*schema.key, after=pl.col("seen_at") + pl.duration(microseconds=1))
    new = (new.join(after, on=schema.key, how="left", nulls_equal=True)
              .with_columns(seen_at=pl.max_horizontal("seen_at", "after"))
              .select(list(schema.columns)))
    if not new.is_empty():
        _append(location, schema, table, new)
    return new.height


def stored_hash(location: str, schema: FrameSchema) -> str | None:
    """The content hash that the newest version of a derived table was written with."""
    table = opened(location, schema)
    return table.history(1)[0].get("content_hash") if table else None


def scan(location: str, schema: FrameSchema, *where: pl.Expr) -> pl.LazyFrame:
    """A table as it is now: of facts the newest row per key. Empty when never written.

    where  what the key must be; said here, the other rows are not even compared
    """
    rows = stored(location, schema, version=pinned_versions().get(schema.name)).filter(*where)
    return _newest(rows, schema) if "seen_at" in schema.columns else rows


def read(location: str, schema: FrameSchema, *where: pl.Expr, account: str = "all",
         accounts: Sequence[str] | None = None, until: str | datetime = "now") -> pl.DataFrame:
    """`scan`, collected and sorted by key; of one account or some, up to and including `until` (UTC, or "now").

    Raises `SettingsInvalid` when `until` is no time.
    """
    wanted = accounts if account == "all" else [account]
    rows = stored(location, schema, version=pinned_versions().get(schema.name)).filter(*where)
    if wanted is not None and "account" in schema.columns:
        rows = rows.filter(pl.col("account").is_in(list(wanted)))
    found = collected(rows, location, schema)
    if "seen_at" in schema.columns:
        found = ordering.newest(found, schema.key)
    else:
        found, _ = ordering.ordered(found, schema.key)
    return found.filter(pl.col("time") <= moment(until)) if until != "now" and "time" in schema.columns else found


def latest(location: str, schema: FrameSchema, column: str = "time", *where: pl.Expr) -> datetime | None:
    """The latest moment in `column`; None where no row is stored. Nothing else is held in memory."""
    moments = stored(location, schema, version=pinned_versions().get(schema.name)).filter(*where).select(column)
    found = collected(moments.max(), location, schema).item()
    return found if isinstance(found, datetime) else None


def newest_times(location: str, schema: FrameSchema, known: Sequence[str] = ()) -> pl.DataFrame:
    """[account, time] of each account's newest row in which the columns `known` are no null, by account; no other row
    is held in memory.
    """
    rows = stored(location, schema, version=pinned_versions().get(schema.name))
    newest = rows.filter(*(pl.col(name).is_not_null() for name in known)).group_by("account").agg(pl.col("time").max())
    return collected(newest, location, schema).sort("account")


def newest(location: str, schema: FrameSchema, account: str = "all", known: Sequence[str] = ()) -> pl.DataFrame:
    """Every row of each account's newest time (`newest_times`), or one's, by key."""
    times = newest_times(location, schema, known).filter((pl.col("account") == account) | (account == "all"))
    recent = read(location, schema, pl.col("time") >= pl.lit(times["time"].min(), schemas.TIME),
                  pl.col("time").is_in(times["time"].unique().implode()), account=account)
    return recent.join(times, on=["account", "time"], how="semi", maintain_order="left")


def stored(location: str, schema: FrameSchema, *, version: int | None = None) -> pl.LazyFrame:
    """Every row of a table: of facts the older ones of each key too."""
    return _rows(opened(location, schema, version), schema)


def _rows(table: DeltaTable | None, schema: FrameSchema) -> pl.LazyFrame:
    if table is None:
        return schema.empty().lazy()
    written = {field.name for field in table.schema().fields}
    return pl.scan_delta(table).select(column if column in written else pl.lit(None, dtype).alias(column)
                                       for column, dtype in schema.columns.items())


def collected(rows: pl.LazyFrame, location: str, schema: FrameSchema) -> pl.DataFrame:
    """The rows of `stored` or `scan`. A damaged Parquet file, at which polars panics, raises `StoreMismatch`."""
    try:
        return rows.collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
        raise damaged(location, schema.name, str(problem)) from None


def damaged(location: str, name: str, reason: str) -> StoreMismatch:
    """The error for a table of which a file cannot be read."""
    return StoreMismatch(f"The table {name} of {location} cannot be read, a file of it is damaged or gone; "
                         f"bring it back from a copy. ({places.reason(reason)[:200]})")


def rows(location: str, schema: FrameSchema) -> int:
    """How many rows are stored, by the table's log."""
    table = opened(location, schema)
    return int(sum(pl.DataFrame(table.get_add_actions(flatten=True))["num_records"].fill_null(0))) if table else 0


def versions(location: str) -> dict[str, int]:
    """The newest version of every table that exists."""
    return {schema.name: table.version() for schema, table in each(partial(opened, location)) if table}


def each(look: Callable[[FrameSchema], Found]) -> Iterator[tuple[FrameSchema, Found]]:
    """What `look` finds at each table; at several at once, since a bucket takes its time to answer."""
    with ThreadPoolExecutor(AT_ONCE) as looking:
        found = [looking.submit(copy_context().run, look, schema) for schema in schemas.TABLES.values()]
        yield from ((schema, each.result()) for schema, each in zip(schemas.TABLES.values(), found, strict=True))


def files(location: str, schema: FrameSchema) -> list[str]:
    """The Parquet files that make up a table at this moment (or at the pinned version). Raises `StoreMismatch`."""
    table = opened(location, schema, pinned_versions().get(schema.name))
    return table.file_uris() if table else []


def pinned_versions() -> dict[str, int]:
    """The versions to read instead of the newest ones, by table: the process's, else the look's (store.looks).

    Raises `SettingsInvalid`.
    """
    try:
        pins = json.loads(os.environ.get(PINS) or "{}")
        if all(type(version) is int and version >= 0 for version in pins.values()):
            return {**LOOK.get(), **pins}
    except (ValueError, AttributeError):
        pass
    raise SettingsInvalid(f'{PINS} must be JSON such as {{"cash_flows": 3}}: a version for each table.')


def moment(until: str | datetime) -> datetime:
    """A time that a person wrote, in UTC where it names no zone. Raises `SettingsInvalid`."""
    try:
        time = datetime.fromisoformat(until) if isinstance(until, str) else until
    except ValueError:
        raise SettingsInvalid(f"{until!r} is not a time; write it like 2026-05-01T12:00, in UTC, or now.") from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def uri(location: str, schema: FrameSchema) -> str:
    """Where a table lies. Raises `SettingsInvalid` for a place that a store cannot take."""
    if found := UNUSABLE.search(location):
        raise SettingsInvalid(f"The store {location} has {found[0]!r} in its path, which a store cannot take; "
                              "name another folder.")
    layer = "raw" if schema is schemas.RESPONSES else "facts" if schema.name in schemas.FACTS else "derived"
    return f"{location}/{layer}/{schema.name}"


def _append(location: str, schema: FrameSchema, table: DeltaTable | None, frame: pl.DataFrame) -> None:
    try:
        if table is None:
            write_deltalake(uri(location, schema), frame, mode="append", configuration=FACTS_ARE)
        else:
            write_deltalake(table, frame, mode="append", schema_mode="merge")
    except (DeltaError, OSError) as problem:
        raise StoreUnusable(uri(location, schema), places.reason(problem)) from problem


def opened(location: str, schema: FrameSchema, version: int | None = None) -> DeltaTable | None:
    """The table, None when it was never written. Raises `StoreMismatch` when it cannot be read, `StoreUnreadable`
    when its disk or bucket does not answer."""
    if version == ABSENT:
        return None
    try:
        return _Table(uri(location, schema), version=version)
    except TableNotFoundError:
        return None
    except DeltaError as problem:
        which = schema.name if version is None else f"{schema.name}, version {version},"
        raise StoreMismatch(f"The table {which} of {location} cannot be read: {places.reason(problem)}.") from problem
    except OSError as problem:
        raise StoreUnreadable(location, places.reason(problem)) from None


def _like(rows: pl.LazyFrame, frame: pl.DataFrame, schema: FrameSchema) -> pl.LazyFrame:
    """The rows whose key is one of `frame`. The span of each column lets most files be passed over unread."""
    keys = frame.select(schema.key)
    spans = [pl.col(column).is_between(pl.lit(keys[column].min()), pl.lit(keys[column].max()))
             for column in schema.key if not keys[column].has_nulls()]
    return rows.filter(*spans).join(keys.lazy(), on=schema.key, how="semi", nulls_equal=True)


def _newest(rows: pl.LazyFrame, schema: FrameSchema) -> pl.LazyFrame:
    return rows.sort("seen_at").unique(subset=schema.key, keep="last", maintain_order=True)

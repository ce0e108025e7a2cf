"""Write a derived table anew, some accounts at a time; readers see all of it at once, or the one before.

The rows go to new Parquet files beside the old ones; one commit of the Delta log then names the new files
instead of the old. A rewrite that ends early leaves the table as it was.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from hashlib import sha256
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl
from deltalake import CommitProperties, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions
from numpy.typing import NDArray

from navbook.errors import KeyRepeated, StoreUnusable
from navbook.schemas import FrameSchema
from navbook.store import ordering, places, tables

if TYPE_CHECKING:
    from hashlib import _Hash as Hash



NAMED = re.compile(r"part-[0-9a-f]{32}\.parquet")    # the files written here; delta-rs names its own otherwise


class Rewrite:
    """A table of `schema` being written anew. Use as a context; nothing changes before `commit`."""

    def __init__(self, location: str, schema: FrameSchema) -> None:
        self.location, self.schema = location, schema
        self.uri = tables.uri(location, schema)
        self.files: list[AddAction] = []
        self.digests: dict[str, str] = {}    # of the rows of each account (the first column of the key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if kind is not None:
            self._forget_files()

    def add(self, frame: pl.DataFrame) -> None:
        """Write `frame`: all rows of some accounts. Raises as `FrameSchema.check` does, and `StoreUnusable`."""
        rows, unique = ordering.ordered(self.schema.shaped(frame), self.schema.key)
        if rows.is_empty() and self.files:
            return
        if not unique:
            self.schema.check(rows)    # says which
        found = digests(rows, self.schema.key[0])
        if twice := found.keys() & self.digests.keys():
            raise KeyRepeated(self.schema.name, self.schema.key[:1], min(twice))
        self._write(rows)
        self.digests.update(found)

    def adopt(self, other: Rewrite) -> None:
        """Take over what `other`, of the same table, has written: by another process, say."""
        if twice := other.digests.keys() & self.digests.keys():
            raise KeyRepeated(self.schema.name, self.schema.key[:1], min(twice))
        self.digests.update(other.digests)
        self.files += other.files

    @property
    def changes(self) -> bool:
        """Whether `commit` would replace anything."""
        return tables.stored_hash(self.location, self.schema) != _together(self.digests)

    def commit(self, *, even_if_same: bool = False) -> str:
        """Make the rows added the whole table; return its content hash. A stored one with this hash stays,
        but for `even_if_same`: its files may have been changed behind its back."""
        if not self.files:
            self.add(self.schema.empty())
        digest = _together(self.digests)
        if not even_if_same and tables.stored_hash(self.location, self.schema) == digest:
            self._forget_files()
            return digest
        try:
            create_table_with_add_actions(
                self.uri, Schema.from_arrow(pl.Schema(self.schema.columns)), self.files, mode="overwrite",
                commit_properties=CommitProperties(custom_metadata={"content_hash": digest}))
        except (DeltaError, OSError) as problem:
            self._forget_files()
            raise StoreUnusable(self.uri, places.reason(problem)) from problem
        self.files = []    # they are the table's now, whatever becomes of the others
        return digest

    def _write(self, rows: pl.DataFrame) -> None:
        name = f"part-{secrets.token_hex(16)}.parquet"
        try:
            rows.write_parquet(parquet := BytesIO(), compression_level=1)
            content = parquet.getvalue()
            places.write(self.uri, name, content)
        except OSError as problem:
            self._forget_files()
            raise StoreUnusable(self.uri, places.reason(problem)) from problem
        self.files.append(AddAction(
            path=name, size=len(content), partition_values={}, modification_time=int(time.time() * 1000),
            data_change=True, stats=json.dumps({"numRecords": rows.height})))

    def _forget_files(self) -> None:
        """Remove what no commit names."""
        for file in self.files:
            places.remove(self.uri, file.path)
        self.files = []


def replace(location: str, schema: FrameSchema, frame: pl.DataFrame) -> str:
    """Make `frame` the whole of a derived table; return its content hash."""
    with Rewrite(location, schema) as table:
        table.add(frame)
        return table.commit()


def content_hash(schema: FrameSchema, frame: pl.DataFrame) -> str:
    """SHA-256 over the rows of `frame` by key, whatever their order."""
    return _together(digests(schema.check(frame).sort(schema.key), schema.key[0]))


def digests(rows: pl.DataFrame, by: str) -> dict[str, str]:
    """SHA-256 over the rows of each value of the column `by`; `rows` are sorted by it.

    Over each other column: its name and type, where it is null, its values as they lie in memory, and of texts
    the lengths.
    """
    runs = rows[by].rle().struct.unnest()
    ends = np.cumsum(runs["len"].to_numpy()).tolist()
    columns = [_LaidOut(column) for column in rows.drop(by).iter_columns()]
    found = {}
    for value, start, end in zip(runs["value"], [0, *ends], ends, strict=False):
        whole = sha256(f"{end - start}\n".encode())
        for column in columns:
            column.tell(whole, start, end)
        found[str(value)] = whole.hexdigest()
    return found


class _LaidOut:
    """A column as bytes: where it is null, what it holds, and where each row begins."""

    def __init__(self, column: pl.Series) -> None:
        self.name = f"{column.name} {column.dtype}\n".encode()
        whole = column.null_count() == 0
        self.nulls = np.zeros(len(column), bool) if whole else column.is_null().to_numpy()
        self.lengths: NDArray[np.uint32] | None = None
        if column.dtype == pl.String:
            texts = column if whole else column.fill_null("")
            _, offsets, content = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()
            self.content = memoryview(content or b"")
            self.offsets = np.frombuffer(offsets or bytes(8), np.int64)[:len(column) + 1]
            self.lengths = np.diff(self.offsets).astype(np.uint32)
        else:
            numbers = column.to_physical()
            values = np.ascontiguousarray((numbers if whole else numbers.fill_null(0)).to_numpy())
            self.content = memoryview(values.view(np.uint8).data)
            self.offsets = np.arange(len(column) + 1) * values.itemsize

    def tell(self, whole: Hash, start: int, end: int) -> None:
        """Add the rows from `start` to `end` to a hash."""
        whole.update(self.name)
        whole.update(np.packbits(self.nulls[start:end]).data)
        if self.lengths is not None:
            whole.update(self.lengths[start:end].data)
        whole.update(self.content[self.offsets[start]:self.offsets[end]])


def _together(parts: dict[str, str]) -> str:
    return sha256(json.dumps(sorted(parts.items())).encode()).hexdigest()

"""Take rows out of tables, and copy a store. The caller holds the locks of the store's writers (runner.locks).

A row that was taken out is out of the table's newest version; its files stay until they are vacuumed, so
that what a run read can still be read at the version that it names.
"""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyarrow.fs import FileSelector, LocalFileSystem, copy_files

from navbook import schemas
from navbook.errors import StoreUnusable
from navbook.schemas import FrameSchema
from navbook.store import looks, places, rewrite, tables

SMALL_FILES = 8    # fewer are not worth putting together
LOOKS = 50    # for a moment at which nobody writes


def time_column(schema: FrameSchema) -> str | None:
    """What places a row of this table in time: its time, or the end of its period; None: nothing does."""
    return next((column for column in ("time", "to_time") if column in schema.columns), None)


def keys_of(location: str, schema: FrameSchema, account: str, since: datetime | None = None,
            until: datetime | None = None) -> pl.DataFrame:
    """The keys of `account`'s rows, all of them or from `since` up to `until`, both included.

    The newest row of a fact decides, so that taking it out never brings an older one back.
    """
    rows = tables.scan(location, schema).filter(pl.col("account") == account)
    when = time_column(schema)
    if since is not None and until is not None and when is not None:
        rows = rows.filter(pl.col(when).is_between(since, until))
    return tables.collected(rows.select(schema.key), location, schema)


def count(location: str, schema: FrameSchema, keys: pl.DataFrame) -> int:
    """How many stored rows `delete` would take out: older rows of a fact count too."""
    rows = tables.stored(location, schema).join(keys.lazy(), on=schema.key, how="semi").select(pl.len())
    return int(tables.collected(rows, location, schema).item())


def delete(location: str, schema: FrameSchema, keys: pl.DataFrame) -> int:
    """Take all rows with these keys out of a table, in one commit; return how many. Raises `StoreUnusable`."""
    table = tables.opened(location, schema)
    if table is None or keys.is_empty():
        return 0
    same = " AND ".join(f'stored."{column}" = gone."{column}"' for column in schema.key)
    try:
        done = (table.merge(keys, predicate=same, source_alias="gone", target_alias="stored")
                .when_matched_delete().execute())
    except (DeltaError, OSError) as problem:
        raise StoreUnusable(tables.uri(location, schema), places.reason(problem)) from problem
    return int(done["num_target_rows_deleted"])


def compact(location: str, schema: FrameSchema) -> int:
    """Put the small files of a table of facts together; how many went. Older versions keep theirs until `vacuum`.

    Not for derived tables: their newest commit tells their content hash.
    """
    table = tables.opened(location, schema)
    if table is None or len(table.file_uris()) < SMALL_FILES:
        return 0
    try:
        return int(table.optimize.compact()["numFilesRemoved"])
    except (DeltaError, OSError) as problem:
        raise StoreUnusable(tables.uri(location, schema), places.reason(problem)) from problem


def unused(location: str, schema: FrameSchema, age: timedelta) -> int:
    """How many files `vacuum` would remove."""
    table = tables.opened(location, schema)
    return len(_vacuumed(table, age, dry_run=True)) + len(_left_over(table)) if table else 0


def vacuum(location: str, schema: FrameSchema, age: timedelta) -> int:
    """Remove the files that no version of the last `age` names, readers of such a version none, and those that a
    rewrite left whose process died; how many went.

    What `navbook reproduce` needs goes with them.
    """
    table = tables.opened(location, schema)
    if table is None:
        return 0
    try:
        _limit_log(table, schema, age)
        table.create_checkpoint()    # so that a reader of the newest version needs no old log
        dead = _left_over(table)
        for name in dead:
            places.remove(tables.uri(location, schema), name)
        return len(_vacuumed(table, age, dry_run=False)) + len(dead)
    except (DeltaError, OSError) as problem:
        raise StoreUnusable(tables.uri(location, schema), places.reason(problem)) from problem


def _limit_log(table: DeltaTable, schema: FrameSchema, age: timedelta) -> None:
    """Let the log of a table of facts forget what is older than `age`, with the next commit: each opening lists it.

    An answer's stays as it is, a month: its newest commit tells its content hash.
    """
    wanted = {"delta.logRetentionDuration": f"interval {age.days} days"}
    if schema.name in schemas.FACTS and not wanted.items() <= table.metadata().configuration.items():
        table.alter.set_table_properties(wanted)


def _left_over(table: DeltaTable) -> list[str]:
    """The files of `store.rewrite` that no version names. Not those of the last day: one may be under way."""
    folder = places.folder(table.table_uri)
    named = {uri.rpartition("/")[2] for uri in table.file_uris()}
    for entry in folder.get_file_info(FileSelector("_delta_log")):
        if entry.extension == "json":
            with folder.open_input_stream(entry.path) as stream:
                actions = (json.loads(line) for line in stream.read().decode().splitlines())
                named |= {action["add"]["path"] for action in actions if "add" in action}
    return [file.base_name for file in folder.get_file_info(FileSelector(""))
            if rewrite.NAMED.fullmatch(file.base_name) and file.base_name not in named
            and file.mtime and file.mtime < datetime.now(UTC) - timedelta(days=1)]


def _vacuumed(table: DeltaTable, age: timedelta, *, dry_run: bool) -> list[str]:
    files: list[str] = table.vacuum(retention_hours=int(age / timedelta(hours=1)), dry_run=dry_run,
                                    enforce_retention_duration=False)
    return files


def copy(location: str, to: Path) -> dict[str, str]:
    """Copy every table, as it is at one moment, to the new folder `to`; return the digest of each.

    The copy is a store of its own: its location is `to`. It is read back and compared before it appears
    under its name, so that it is there whole or not at all. Raises `StoreUnusable`, and `StoreMismatch`
    when a table cannot be read.
    """
    if to.exists():
        raise StoreUnusable(str(to), "it is there already")
    beside = to.with_name(f".{to.name}.{os.getpid()}")
    versions = of_one_moment(location)
    try:
        beside.mkdir(parents=True)
        for name, version in versions.items():
            _copy_table(location, schemas.TABLES[name], version, beside)
        wanted, written = digests(location, versions), digests(str(beside), versions)
        if wrong := sorted(name for name in wanted if written.get(name) != wanted[name]):
            raise StoreUnusable(str(to), f"the copy of {', '.join(wrong)} differs from what was copied")
        beside.rename(to)
    except OSError as problem:
        raise StoreUnusable(str(to), str(problem)) from problem
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return written


def of_one_moment(location: str) -> dict[str, int]:
    """The version of every table at one moment: nothing was written between two looks.

    Under endless writes the last look is as good: it takes snapshots before what they are made of. Of a rebuild that
    is under way, or was killed halfway, the derived tables are those from before it.
    """
    before = tables.versions(location)
    for _ in range(LOOKS):
        if (now := tables.versions(location)) == before:
            break
        before = now
    both = before | looks.together(location)
    return {name: version for name, version in both.items() if version != tables.ABSENT}


def digests(location: str, versions: dict[str, int]) -> dict[str, str]:
    """By table, SHA-256 over the names and contents of the files of that version."""
    return {name: _digest(location, schemas.TABLES[name], version) for name, version in versions.items()}


def _digest(location: str, schema: FrameSchema, version: int) -> str:
    files, digest = places.folder(tables.uri(location, schema)), sha256()
    try:
        for name in _names(location, schema, version):
            digest.update(name.encode())
            with files.open_input_stream(name) as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    except OSError as problem:
        raise tables.damaged(location, schema.name, str(problem)) from None
    return digest.hexdigest()


def _copy_table(location: str, schema: FrameSchema, version: int, to: Path) -> None:
    """The files of `version` and the log up to it."""
    source, target = places.folder(tables.uri(location, schema)), Path(tables.uri(str(to), schema))
    (target / "_delta_log").mkdir(parents=True)
    log = [entry.path for entry in source.get_file_info(FileSelector("_delta_log"))
           if entry.base_name[:20].isdigit() and int(entry.base_name[:20]) <= version]
    for name in (*_names(location, schema, version), *log):
        try:
            copy_files(name, str(target / name), source_filesystem=source, destination_filesystem=LocalFileSystem())
        except FileNotFoundError as problem:
            raise tables.damaged(location, schema.name, str(problem)) from None


def _names(location: str, schema: FrameSchema, version: int) -> list[str]:
    table = tables.opened(location, schema, version)
    return sorted(uri.rsplit("/", 1)[1] for uri in table.file_uris()) if table else []

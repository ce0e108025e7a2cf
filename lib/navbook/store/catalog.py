"""SQL over the store: a DuckDB connection in memory whose views read the tables' Parquet files.

A view is the list of files at the moment of connecting: connect again to see newer data. The derived tables of one
connection are of one rebuild, and what a snapshot is made of is there with it. A table that cannot be read fails the
queries that use it, and no other.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import duckdb
import polars as pl

from navbook import schemas
from navbook.errors import StoreMismatch
from navbook.schemas import FrameSchema
from navbook.store import looks, places, tables

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset  # as long to import as all the rest

Stored: TypeAlias = "list[str] | Dataset | StoreMismatch"

# The names that the first users know (seeds/portfolio-monitor.md), on top of our tables.
FAMILIAR = {
    "binance_accounts": "SELECT id, account AS account_name, created_at, uid, master FROM accounts",
    "benchmark_configs": """
        SELECT row_number() OVER (ORDER BY account, benchmark) AS id, *, initialized_at AS created_at
        FROM benchmark_configs_table""",
    "nav_history": "SELECT *, time AS timestamp FROM nav_history_table",
    "processed_transactions": """
        SELECT a.id AS account_id, f.source || ':' || f.id AS transaction_id, f.kind AS transaction_type,
               f.amount, f.time AS timestamp, f.status, f.asset, f.fee
        FROM cash_flows f JOIN accounts a USING (account)""",
    "account_processing_status": """
        SELECT a.id AS account_id, max(s.flows_until) AS last_processed_timestamp, max(s.time) AS updated_at
        FROM snapshots s JOIN accounts a USING (account) GROUP BY a.id""",
    "price_history": """
        SELECT time AS timestamp, max(price) FILTER (symbol = 'BTCUSDT') AS btc_price,
               max(price) FILTER (symbol = 'ETHUSDT') AS eth_price
        FROM prices GROUP BY time""",
}


def connect(location: str, logs: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A connection with one view per table of the store at `location`. Times are UTC.

    logs  the folder of the store's log; none: the view `logs` is empty
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    with looks.one(location):    # first, so that no fact behind an answer is missing
        for schema, found in tables.each(partial(_stored, location)):
            _add_view(connection, location, schema, found)
    connection.execute(f'CREATE VIEW logs AS {_select_logs(sorted(logs.glob("*.jsonl")) if logs else [])}')
    _add_familiar(connection)
    return connection


def table(location: str, name: str, logs: Path | None = None) -> pl.LazyFrame:
    """The table or view `name`. Raises `KeyError` with the known names."""
    if name in FAMILIAR or name == schemas.LOGS.name:
        rows: pl.DataFrame = connect(location, logs).sql(f'FROM "{name}"').pl()
        return rows.lazy()
    if name not in schemas.TABLES:
        known = sorted({*schemas.TABLES, *FAMILIAR, schemas.LOGS.name})
        raise KeyError(f"there is no table {name}; there are {', '.join(known)}")
    return tables.scan(location, schemas.TABLES[name])


def export(location: str, file: Path) -> None:
    """Write every table and view into a new DuckDB database `file`; of facts the newest row of each."""
    connection = connect(location)
    connection.execute(f"ATTACH '{_quoted(str(file))}' AS copied")
    for schema in schemas.TABLES.values():
        name = _view_name(schema)
        connection.execute(f'CREATE TABLE copied."{name}" AS FROM "{name}"')
    connection.execute("USE copied")
    _add_familiar(connection)
    connection.close()


def _add_view(connection: duckdb.DuckDBPyConnection, location: str, schema: FrameSchema, found: Stored) -> None:
    head = f'CREATE VIEW "{_view_name(schema)}" AS '
    try:
        if isinstance(found, StoreMismatch):
            raise found
        connection.execute(head + _select(schema, _source(connection, schema, found)))
    except StoreMismatch as problem:
        connection.execute(head + _told_when_used(schema, str(problem)))
    except duckdb.Error as problem:
        connection.execute(head + _told_when_used(schema, str(tables.damaged(location, schema.name, str(problem)))))


def _stored(location: str, schema: FrameSchema) -> Stored:
    """The files of a table; of one in a bucket what reads them; or why there are none to read."""
    try:
        if not places.is_bucket(location):
            return tables.files(location, schema)
        table = tables.opened(location, schema, tables.pinned_versions().get(schema.name))
        if table is None:
            return []
        dataset: Dataset = table.to_pyarrow_dataset()
        return dataset
    except StoreMismatch as problem:
        return problem


def _add_familiar(connection: duckdb.DuckDBPyConnection) -> None:
    for name, query in FAMILIAR.items():
        connection.execute(f'CREATE VIEW "{name}" AS {query}')


def _view_name(schema: FrameSchema) -> str:
    """What a table is called in SQL: its name, unless the first users know another table by it."""
    return f"{schema.name}_table" if schema.name in FAMILIAR else schema.name


def _source(connection: duckdb.DuckDBPyConnection, schema: FrameSchema, found: list[str] | Dataset) -> str | None:
    """What the table's rows are read from, in SQL; None: it has none."""
    if not isinstance(found, list):    # DuckDB's own client for buckets is an extension that has to be downloaded
        connection.register(name := f"{schema.name} in a bucket", found)
        return f'"{name}"'
    listed = ", ".join(f"'{_quoted(file)}'" for file in found)
    # a folder named price=1 would else become a column
    return f"read_parquet([{listed}], hive_partitioning = false, union_by_name = {len(found) > 1})" if found else None


def _select(schema: FrameSchema, source: str | None) -> str:
    """The newest rows, with every column of `schema`: null in the files that were written before it was."""
    if source is None:
        return f"SELECT {_nulls(schema)} WHERE false"
    columns = ", ".join(f'"{column}"' for column in schema.columns)
    rows = (f"SELECT {columns} FROM (FROM {source} UNION ALL BY NAME "    # noqa: S608  (own paths, quoted)
            f"SELECT {_nulls(schema)} WHERE false)")
    if "seen_at" not in schema.columns:
        return rows
    key = ", ".join(f'"{column}"' for column in schema.key)
    return f"{rows} QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY seen_at DESC) = 1"


def _select_logs(files: list[Path]) -> str:
    """The lines of the log as rows, without those that a full disk tore."""
    if not files:
        return f"SELECT {_nulls(schemas.LOGS)} WHERE false"
    listed = ", ".join(f"'{_quoted(str(file))}'" for file in files)
    columns = ", ".join(f"{name}: '{_sql_type(dtype)}'" for name, dtype in schemas.LOGS.columns.items())
    return (f"FROM read_json([{listed}], format = 'newline_delimited', ignore_errors = true, columns = {{{columns}}}) "
            "WHERE time IS NOT NULL")


def _told_when_used(schema: FrameSchema, problem: str) -> str:
    """A view with the right columns that fails each query which uses it, with `problem` as the reason."""
    return f"SELECT {_nulls(schema)} WHERE error('{_quoted(problem)}') IS NOT NULL"


def _nulls(schema: FrameSchema) -> str:
    return ", ".join(f'NULL::{_sql_type(dtype)} AS "{column}"' for column, dtype in schema.columns.items())


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _sql_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision}, {dtype.scale})"
    return {pl.String(): "VARCHAR", pl.Datetime("us", "UTC"): "TIMESTAMPTZ", pl.Float64(): "DOUBLE",
            pl.Int64(): "BIGINT", pl.Int32(): "INTEGER", pl.Boolean(): "BOOLEAN"}[dtype]

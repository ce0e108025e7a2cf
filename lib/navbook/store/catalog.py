"""SQL over the store: a DuckDB connection in memory whose views read the tables' Parquet files.

A view is the list of files at the moment of connecting: connect again to see newer data.
"""

from __future__ import annotations

import duckdb
import polars as pl

from navbook import schemas
from navbook.schemas import FrameSchema
from navbook.store import tables

# The names that the first users know (seeds/portfolio-monitor.md), on top of our tables.
FAMILIAR = {
    "binance_accounts": "SELECT id, account AS account_name, created_at, uid, master FROM accounts",
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


def connect(location: str) -> duckdb.DuckDBPyConnection:
    """A connection with one view per table of the store at `location`. Times are UTC."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, files in tables.files(location).items():
        schema = schemas.FACTS.get(name) or schemas.DERIVED[name]
        view = f"{name}_table" if name in FAMILIAR else name
        connection.execute(f'CREATE VIEW "{view}" AS {_select(schema, files)}')
    for name, query in FAMILIAR.items():
        connection.execute(f'CREATE VIEW "{name}" AS {query}')
    return connection


def table(location: str, name: str) -> pl.LazyFrame:
    """The table or view `name`. Raises `KeyError` with the known names."""
    schema = schemas.FACTS.get(name) or schemas.DERIVED.get(name)
    if name in FAMILIAR:
        rows: pl.DataFrame = connect(location).sql(f'FROM "{name}"').pl()
        return rows.lazy()
    if schema is None:
        known = sorted({*schemas.FACTS, *schemas.DERIVED, *FAMILIAR})
        raise KeyError(f"there is no table {name}; there are {', '.join(known)}")
    return tables.scan(location, schema)


def _select(schema: FrameSchema, files: list[str]) -> str:
    if not files:
        columns = ", ".join(f'NULL::{_sql_type(dtype)} AS "{column}"' for column, dtype in schema.columns.items())
        return f"SELECT {columns} WHERE false"
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    # a folder named price=1 would else become a column
    rows = f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"    # noqa: S608  (own paths, quoted)
    if "seen_at" not in schema.columns:
        return rows
    key = ", ".join(f'"{column}"' for column in schema.key)
    return f"{rows} QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY seen_at DESC) = 1"


def _sql_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision}, {dtype.scale})"
    return {pl.String(): "VARCHAR", pl.Datetime("us", "UTC"): "TIMESTAMPTZ", pl.Float64(): "DOUBLE",
            pl.Int64(): "BIGINT", pl.Int32(): "INTEGER", pl.Boolean(): "BOOLEAN"}[dtype]

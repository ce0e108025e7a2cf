"""navbook: does your Binance account beat half bitcoin, half ether with the same deposits?

    import navbook
    navbook.connect().sql("from nav_history").pl()
    navbook.table("nav_history").tail().collect()
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import polars as pl

__version__ = "0.1.0"


def connect(config: Path | str | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only DuckDB connection with a view for every table; connect again to see newer data."""
    from navbook import settings  # imported late: `import navbook` itself costs nothing
    from navbook.store import catalog
    loaded = settings.load(config)
    return catalog.connect(loaded.location, loaded.logs_folder)


def table(name: str, config: Path | str | None = None) -> pl.LazyFrame:
    """A table of the store as a polars LazyFrame, the newest row of each fact."""
    from navbook import settings
    from navbook.store import catalog
    loaded = settings.load(config)
    return catalog.table(loaded.location, name, loaded.logs_folder)

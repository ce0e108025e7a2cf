"""Ask the store in SQL and get text: a table, CSV or JSON.

Numbers, texts and times are written as polars writes them. What a text file has no word for (blobs,
intervals, lists, …) is written as DuckDB writes it; JSON has lists and objects of its own.
"""

from __future__ import annotations

import json
import re
from datetime import date

import duckdb
import polars as pl

from navbook.errors import NavbookError
from navbook.runner import printing
from navbook.settings import Settings
from navbook.store import catalog, tables

PLAIN = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|BOOLEAN|VARCHAR|UUID|ENUM\(.*\)|DATE"
                   r'|TIMESTAMP( WITH TIME ZONE|_S|_MS|_NS)?|"NULL"|JSON')
NESTED = re.compile(r".*\[\d*\]|(STRUCT|TUPLE|MAP)\(.*", re.DOTALL)

CALENDAR = date(1, 1, 1), date(9999, 12, 31)


class QueryFailed(NavbookError):
    """DuckDB refused a query, or its answer cannot be written."""


def sql(config: Settings, query: str, form: str) -> str:
    """The rows of `query` as text: table, csv or json. Raises `QueryFailed` with DuckDB's own words."""
    try:
        answer = catalog.connect(config.location, config.logs_folder).sql(query)
        nested = [] if answer is None or form != "json" else _nested(answer)
        frame = pl.DataFrame() if answer is None else _frame(answer, nested)
    except (duckdb.Error, pl.exceptions.PolarsError) as problem:
        raise failed(config.location, problem) from None
    if form == "csv":
        return printing.harmless(frame).write_csv()
    if form == "json":
        return f"{_json(frame, nested)}\n"
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True,
                   fmt_str_lengths=80, tbl_width_chars=200):
        return f"{frame.with_columns(printing.unprintable_as_blank())}\n"


def _nested(answer: duckdb.DuckDBPyRelation) -> list[int]:
    return [place for place, dtype in enumerate(answer.types) if NESTED.fullmatch(str(dtype))]


def _frame(answer: duckdb.DuckDBPyRelation, as_json: list[int]) -> pl.DataFrame:
    """The rows; columns that are not plain as text, those at `as_json` as JSON. Names may be repeated: by place."""
    columns = []
    for place, (name, dtype) in enumerate(zip(answer.columns, answer.types, strict=True)):
        value = f"#{place + 1}"
        if place in as_json:
            value = f"CAST(to_json({value}) AS VARCHAR)"
        elif not PLAIN.fullmatch(str(dtype)):
            value = f"CAST({value} AS VARCHAR)"
        columns.append(f'{value} AS "{name.replace(chr(34), 2 * chr(34))}"')
    frame: pl.DataFrame = answer.project(", ".join(columns)).pl()
    for name, kind in frame.schema.items():
        if kind.is_temporal() and not _writable(frame[name]):
            raise QueryFailed(f"The query's answer cannot be written: {name} holds a time outside the years 1 to 9999; "
                              f"ask for {name}::VARCHAR.")
    return frame


def _writable(times: pl.Series) -> bool:
    """Whether a calendar has all of `times`; DuckDB also knows infinity, at which polars would stop."""
    first, last = (pl.lit(day).cast(times.dtype).to_physical() for day in CALENDAR)
    return bool(times.to_frame().select(pl.all().to_physical().is_between(first, last).all()).item())


def _json(frame: pl.DataFrame, nested: list[int]) -> str:
    if not nested:
        return frame.write_json()
    rows = json.loads(frame.write_json())
    for name in (frame.columns[place] for place in nested):
        for row in rows:
            row[name] = None if row[name] is None else json.loads(row[name])
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def failed(location: str, problem: Exception) -> QueryFailed:
    """What DuckDB said, on one line; of a damaged table what the view says, or which table it is."""
    said = " ".join(str(problem).split())
    if told := re.search(r"The table \w+ of .*", said):
        return QueryFailed(told[0])
    if found := re.search(rf"{re.escape(location)}/(?:raw|facts|derived)/(\w+)/", said):
        return QueryFailed(str(tables.damaged(location, found[1], said)))
    return QueryFailed(f"The query failed: {said}")

"""Frames as text: a table for people, CSV for spreadsheets, JSON for programs.

Words from outside (notes, names) stay words: a spreadsheet runs no formula in them, a terminal no command.
"""

from __future__ import annotations

import polars as pl
from polars import selectors

FORMULA = r"^[=+\-@\t\r]"    # OWASP, "CSV injection"


def text(frame: pl.DataFrame, form: str) -> str:
    """`frame` as a `table`, `csv` or `json`; times are UTC, amounts exact and without idle zeros."""
    if form == "csv":
        frame = harmless(frame)    # before amounts become text: -5 is a number
    exact = frame.with_columns(selectors.decimal().map_batches(_plain, pl.String))
    if form == "csv":
        return exact.with_columns(selectors.datetime().dt.strftime("%FT%TZ")).write_csv()
    if form == "json":
        return exact.with_columns(selectors.datetime().dt.strftime("%FT%TZ")).write_json() + "\n"
    shown = exact.with_columns(selectors.datetime().dt.strftime("%F %T"),
                               selectors.float().map_batches(_figures, pl.String),
                               unprintable_as_blank()).with_columns(
        selectors.string().fill_null(""))
    numbers = selectors.by_name(frame.select(selectors.numeric() | selectors.decimal()).columns)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True,
                   fmt_str_lengths=60, tbl_width_chars=220):
        return f"{shown.with_columns(_right(numbers))}\n"


def unprintable_as_blank() -> pl.Expr:
    """Texts in which nothing commands a terminal."""
    return selectors.string().str.replace_all(r"\p{C}", " ")


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` whose texts no spreadsheet takes for a formula: those that begin like one get a ' before."""
    words = selectors.string()
    quoted = pl.when(words.str.contains(FORMULA)).then(pl.lit("'") + words).otherwise(words)
    return frame.with_columns(quoted.name.keep())


def _plain(amounts: pl.Series) -> pl.Series:
    """Exact amounts without the zeros that say nothing."""
    return amounts.cast(pl.String).str.replace(r"(\.\d*?)0+$", "${1}").str.strip_suffix(".")


def _figures(numbers: pl.Series) -> pl.Series:
    """Cents, but four digits of what is less than one."""
    return pl.Series(numbers.name, [None if number is None else f"{number:,.2f}" if abs(number) >= 1 or not number
                                    else f"{number:.4g}" for number in numbers], pl.String)


def _right(columns: selectors.Selector) -> pl.Expr:
    words = columns.cast(pl.String).fill_null("")
    return words.str.pad_start(words.str.len_chars().max().fill_null(0))

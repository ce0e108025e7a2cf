"""Rows in the order of their key, without sorting what is sorted: facts arrive in the order of time."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def increasing(rows: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether each row's key is greater than the one before: sorted, and none twice."""
    greater = pl.lit(value=False)
    for column in reversed(key):
        this, before = pl.col(column), pl.col(column).shift()
        greater = (this > before) | ((this == before) & greater)
    return bool(rows.select((greater.fill_null(value=False) | (pl.int_range(pl.len()) == 0)).all()).item())


def ordered(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """`rows` by `key`: put together by its first column, they are sorted already more often than not."""
    if increasing(rows, key):
        return rows
    if rows[key[0]].null_count() == 0:
        parts = rows.partition_by(key[0], as_dict=True)
        rows = pl.concat(parts[value] for value in sorted(parts))
    return rows if increasing(rows, key) else rows.sort(key)


def newest(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The last row of each key by `seen_at`, by key."""
    rows = ordered(rows, key)
    if increasing(rows, key):
        return rows
    last = pl.any_horizontal(pl.col(column).ne_missing(pl.col(column).shift(-1)) for column in key)
    return rows.sort(*key, "seen_at").filter(last | (pl.int_range(pl.len()) == pl.len() - 1))

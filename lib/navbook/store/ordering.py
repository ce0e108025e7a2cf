"""Rows in the order of their key, without sorting what is sorted: facts arrive in the order of time."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from navbook.frames import by_account


def increasing(rows: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether each row's key is greater than the one before: sorted, and none twice."""
    greater = pl.lit(value=False)
    for column in reversed(key):
        this, before = pl.col(column), pl.col(column).shift()
        greater = (this > before) | ((this == before) & greater)
    return bool(rows.select((greater.fill_null(value=False) | (pl.int_range(pl.len()) == 0)).all()).item())


def ordered(rows: pl.DataFrame, key: Sequence[str]) -> tuple[pl.DataFrame, bool]:
    """`rows` by `key`, and whether no key stands twice. Put together by account, most are sorted."""
    if key[0] == "account" and not rows["account"].is_sorted():
        parts = by_account(rows)
        rows = pl.concat((parts[account] for account in sorted(parts)), rechunk=True)
    if increasing(rows, key):
        return rows, True
    rows = rows.sort(key)
    return rows, increasing(rows, key)


def newest(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The last row of each key by `seen_at`, by key."""
    rows, unique = ordered(rows, key)
    if unique:
        return rows
    last = pl.any_horizontal(pl.col(column).ne_missing(pl.col(column).shift(-1)) for column in key)
    return rows.sort(*key, "seen_at").filter(last | (pl.int_range(pl.len()) == pl.len() - 1))

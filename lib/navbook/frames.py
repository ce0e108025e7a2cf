"""Small things that many do with frames. Facts and derived rows mostly stand together by account already."""

from __future__ import annotations

import polars as pl


def by_account(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """`rows` [account, …] of each account; where they stand together already, without copying any."""
    runs = rows["account"].rle().struct.unnest()
    if runs["value"].is_duplicated().any():
        return {str(name): part for (name,), part in rows.partition_by("account", as_dict=True).items()}
    starts = runs["len"].cum_sum() - runs["len"]
    return {name: rows.slice(start, length) for name, start, length in zip(
        runs["value"], starts, runs["len"], strict=True)}


def next_number(ids: pl.Series) -> int:
    """The number of the next entry after those named e1, e2, …: what was deleted between them is not named again."""
    highest = ids.str.extract(r"(\d+)$").cast(pl.Int64).max()
    return (highest if isinstance(highest, int) else 0) + 1

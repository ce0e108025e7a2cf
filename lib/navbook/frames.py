"""Cut a frame by account. Facts and derived rows mostly stand together by account already."""

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

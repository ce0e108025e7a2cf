"""Do the settings beside a good one agree with it? A winner that stands alone is a spike, not a plateau. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def neighbours(tried: pl.DataFrame, rules: Sequence[str]) -> pl.DataFrame:
    """`rules` and pnl of every setting, best first, beside those at most one step away in each rule.

    tried    [<rules>, pnl]  one row a setting; a step leads to the next value that was tried
    returns  [<rules>, pnl, beside, mean, worst]  how many neighbours there are, their mean and their worst pnl
    """
    ranked = tried.select(*rules, "pnl", *(pl.col(rule).rank("dense").cast(pl.Int64).alias(f"{rule} step")
                                           for rule in rules)).with_row_index("row")
    near = ranked.join(ranked, how="cross", suffix=" near").filter(
        pl.col("row") != pl.col("row near"),
        *((pl.col(f"{rule} step") - pl.col(f"{rule} step near")).abs() <= 1 for rule in rules))
    found = near.group_by("row").agg(beside=pl.len(), mean=pl.col("pnl near").mean(), worst=pl.col("pnl near").min())
    return (ranked.join(found, on="row", how="left").sort("pnl", "row", descending=[True, False])
            .select(*rules, "pnl", pl.col("beside").fill_null(0), "mean", "worst"))


def agreement(first: pl.DataFrame, second: pl.DataFrame, rules: Sequence[str]) -> float | None:
    """The rank correlation of the pnl of the same settings in two periods: 1 is the same order, 0 is chance."""
    both = first.select(*rules, "pnl").join(second.select(*rules, other="pnl"), on=list(rules))
    found = both.select(pl.corr("pnl", "other", method="spearman")).item()
    return None if found is None or found != found else float(found)

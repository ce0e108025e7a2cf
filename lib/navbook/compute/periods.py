"""What an account did since a later moment: the benchmark begins anew there, with what the account had. Pure."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from navbook.types import COUNTED, OWN_BENCHMARK

SWITCHED = ("inception", "1w", "1m", "3m", "ytd", "1y")    # the periods between which a page switches


def since(nav_history: pl.DataFrame, start: datetime) -> pl.DataFrame:
    """The rows of one account (NAV_HISTORY or GROUP_HISTORY) from `start` on, a time of a counted snapshot.

    There the benchmark gets the account's value, and from then on the same flows: beside what it was worth anyway
    it holds that difference, which grows as the benchmark does. A withdrawal above all that it holds is not
    looked at again.
    """
    rows = nav_history.filter(pl.col("time") >= start).sort("time")
    first = rows.filter(pl.col("time") == start).head(1)
    if first.is_empty() or first.select(pl.any_horizontal(pl.col("nav", "benchmark_value").is_null())).item():
        return rows
    nav, worth, index = first.select("nav", "benchmark_value", "benchmark_index").row(0)
    if not index:
        return rows
    more = (nav - worth) * pl.col("benchmark_index") / index
    return rows.with_columns(benchmark_value=pl.col("benchmark_value") + more)


def histories(nav_history: pl.DataFrame, performance: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """`since` the start of each of SWITCHED that the account is old enough for, by name; inception always.

    performance  PERFORMANCE of the account
    """
    rows = nav_history.sort("time")
    starts = dict(performance.filter(pl.col("benchmark") == OWN_BENCHMARK).select("period", "from_time").iter_rows())
    first = rows.filter(pl.col("grade").is_in([str(grade) for grade in COUNTED]), pl.col("nav").is_not_null(),
                        pl.col("benchmark_value").is_not_null())["time"].min()
    found = {"inception": rows}
    for name in SWITCHED[1:]:
        start = starts.get(name)
        if start is not None and (start != first or name == "ytd"):
            found[name] = since(rows, start)
    return found


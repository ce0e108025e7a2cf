"""The figures of a span of time, such as a year, from the derived tables."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from navbook.types import COUNTED, Grade

COLUMNS = ("account", "from_time", "to_time", "nav_from", "nav_to", "flows_usd", "gain_usd", "benchmark_from",
           "benchmark_to", "twr", "benchmark_twr", "alpha", "fee_usd", "pending_usd", "snapshots", "provisional",
           "incomplete", "unpriced")


def figures(history: pl.DataFrame, flow_values: pl.DataFrame, fees: pl.DataFrame, start: datetime,
            end: datetime) -> pl.DataFrame:
    """What every account had, received, made and owed from `start` to `end`; one row an account, sorted.

    history      NAV_HISTORY
    flow_values  FLOW_VALUES
    fees         FEES; those that fell due after `start` and up to `end` are summed
    returns      COLUMNS; provisional and incomplete count snapshots, unpriced counts flows

    As in every period, it begins at the last counted snapshot at or before `start`, else at the first, and ends
    at the last one up to `end`. Accounts without a counted snapshot inside are left out. fee_usd is null where
    there is no fee or one is not known.
    """
    up_to_end = history.filter(pl.col("time") <= end).sort("account", "time")
    spans = _spans(up_to_end, start)
    inside = (flow_values.join(spans.select("account", "from_time", "to_time"), on="account")
              .filter(pl.col("time") > pl.col("from_time"), pl.col("time") <= pl.col("to_time"))
              .group_by("account").agg(flows_usd=pl.col("value_usd").sum(), unpriced=pl.col("value_usd").null_count()))
    due = (fees.filter("final", pl.col("to_time") > start, pl.col("to_time") <= end)
           .group_by("account").agg(_whole("fee_usd"), _whole("pending_usd")))
    joined = spans
    for more in (inside, due, _grades(up_to_end, start)):
        joined = joined.join(more, on="account", how="left", maintain_order="left")
    return (joined.with_columns(pl.col("flows_usd").fill_null(0.0), pl.col("unpriced").fill_null(0),
                                alpha=pl.col("twr") - pl.col("benchmark_twr"))
            .with_columns(gain_usd=pl.col("nav_to") - pl.col("nav_from") - pl.col("flows_usd")).select(COLUMNS))


def _spans(history: pl.DataFrame, start: datetime) -> pl.DataFrame:
    """From the first snapshot of the span to its last, account by account: [account, from_time, …, benchmark_twr]."""
    time, grades = pl.col("time"), [grade.value for grade in COUNTED]
    begins = time.filter(time <= start).max().fill_null(time.min()).over("account")
    return (history.filter(pl.col("grade").is_in(grades)).filter(time >= begins)
            .group_by("account", maintain_order=True)
            .agg(from_time=time.first(), to_time=time.last(), nav_from=pl.col("nav").first(),
                 nav_to=pl.col("nav").last(), benchmark_from=pl.col("benchmark_value").first(),
                 benchmark_to=pl.col("benchmark_value").last(), twr=_growth("twr_index"),
                 benchmark_twr=_growth("benchmark_index"))
            .filter(pl.col("to_time") >= start))


def _grades(history: pl.DataFrame, start: datetime) -> pl.DataFrame:
    return history.filter(pl.col("time") >= start).group_by("account").agg(
        snapshots=pl.len(), provisional=(pl.col("grade") == Grade.PROVISIONAL).sum(),
        incomplete=(pl.col("grade") == Grade.INCOMPLETE).sum())


def _growth(index: str) -> pl.Expr:
    return pl.col(index).last() / pl.col(index).first() - 1


def _whole(column: str) -> pl.Expr:
    """The sum, null when a part of it is."""
    return pl.when(pl.col(column).is_not_null().all()).then(pl.col(column).sum()).alias(column)

"""What became of closed months: their figures then beside the same figures now."""

from __future__ import annotations

import polars as pl

from navbook.schemas import RESTATEMENTS
from navbook.types import OWN_BENCHMARK

FIGURES = ("nav_from", "nav_to", "flows_usd", "gain_usd", "twr", "benchmark_twr", "alpha", "fee_usd")
MONTH = ("account", "benchmark", "month")
HALF_A_CENT = 0.005
HALF_A_MILLIONTH = 5e-7    # of fractions; 0.00005 %


def month_figures(performance: pl.DataFrame, fees: pl.DataFrame) -> pl.DataFrame:
    """[account, benchmark, month, from_time, to_time, *FIGURES] of every month, as the tables have it now.

    performance  PERFORMANCE
    fees         FEES; a fee is of the month in which it falls due (at midnight: of the month before), and of the
                 account's own benchmark. fee_usd is null where there is none, or one is not known
    """
    last_moment = pl.col("to_time").dt.offset_by("-1us")
    due = (fees.filter("final")
           .group_by("account", month=last_moment.dt.strftime("%Y-%m"), benchmark=pl.lit(OWN_BENCHMARK))
           .agg(fee_usd=pl.when(pl.col("fee_usd").is_not_null().all()).then(pl.col("fee_usd").sum())))
    return (performance.filter(pl.col("period").str.contains(r"^\d{4}-\d{2}$")).rename({"period": "month"})
            .join(due, on=MONTH, how="left").select(*MONTH, "from_time", "to_time", *FIGURES).sort(MONTH))


def restatements(closings: pl.DataFrame, performance: pl.DataFrame, fees: pl.DataFrame) -> pl.DataFrame:
    """RESTATEMENTS: the figures of `closings` (CLOSINGS, the newest of each month) that are others now.

    Dollars that differ by less than half a cent, and fractions by less than half a millionth, are the same.
    """
    then, now = (frame.unpivot(FIGURES, index=MONTH, variable_name="figure", value_name=name)
                 for frame, name in ((closings, "closed"), (month_figures(performance, fees), "now")))
    both = then.join(now, on=[*MONTH, "figure"], how="left").with_columns(difference=pl.col("now") - pl.col("closed"))
    tolerated = pl.when(pl.col("figure").str.contains("twr|alpha")).then(HALF_A_MILLIONTH).otherwise(HALF_A_CENT)
    is_other = ((pl.col("difference").abs() >= tolerated)
                | (pl.col("closed").is_null() != pl.col("now").is_null()))
    return RESTATEMENTS.check(both.filter(is_other).select(list(RESTATEMENTS.columns)).sort(RESTATEMENTS.key))

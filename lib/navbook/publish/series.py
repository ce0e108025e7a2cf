"""What a page needs to know of a `NAV_HISTORY` frame. Looks numbers up; works none out but differences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import polars as pl

from navbook.types import COUNTED, Grade

DRAWN = 1000    # points a chart draws of one line at most
LATE = 1.75     # times the usual distance to the next snapshot: one that was missed makes it 2


class Verdict(StrEnum):
    """How an account stands against its benchmark."""

    AHEAD = "ahead"
    BEHIND = "behind"
    LEVEL = "level"
    TOO_EARLY = "too early to call"
    NOT_KNOWN = "not known now"


@dataclass(frozen=True)
class State:
    """Where one account stands."""

    account: str
    newest: dict[str, Any] | None     # the newest snapshot, whatever its grade
    known: dict[str, Any] | None      # the newest one with a figure
    since: datetime | None            # the first one with a figure
    counted: int                      # how many have one

    @property
    def is_known_now(self) -> bool:
        return self.newest is not None and self.newest == self.known

    @property
    def ahead_usd(self) -> float | None:
        """Of the last known figures: the account's value less the benchmark's."""
        return self.known["nav"] - self.known["benchmark_value"] if self.known else None

    @property
    def ahead_share(self) -> float | None:
        """`ahead_usd` as a fraction of the benchmark."""
        return self.ahead_usd / self.known["benchmark_value"] if (
            self.known and self.ahead_usd is not None and self.known["benchmark_value"] > 0) else None

    @property
    def verdict(self) -> Verdict:
        if self.known is None or self.counted < 2:
            return Verdict.TOO_EARLY if self.is_known_now else Verdict.NOT_KNOWN
        return self.last_verdict if self.is_known_now else Verdict.NOT_KNOWN

    @property
    def last_verdict(self) -> Verdict:
        """The verdict on the last known figures, in whole dollars as they are shown."""
        if self.ahead_usd is None or self.counted < 2:
            return Verdict.TOO_EARLY
        whole = round(self.ahead_usd)
        return Verdict.AHEAD if whole > 0 else Verdict.BEHIND if whole < 0 else Verdict.LEVEL


def state(nav_history: pl.DataFrame, account: str) -> State:
    """What the history of one account comes to; backfilled rows left out."""
    rows = nav_history.filter((pl.col("account") == account) & (pl.col("grade") != Grade.BACKFILLED)).sort("time")
    figures = counted(rows)
    return State(account, newest=rows.row(-1, named=True) if rows.height else None,
                 known=figures.row(-1, named=True) if figures.height else None,
                 since=figures["time"][0] if figures.height else None, counted=figures.height)


def counted(nav_history: pl.DataFrame) -> pl.DataFrame:
    """The snapshots whose figures count, oldest first."""
    return nav_history.filter(pl.col("grade").is_in([str(grade) for grade in COUNTED]),
                              pl.col("nav").is_not_null(), pl.col("benchmark_value").is_not_null()).sort("time")


def interval(nav_history: pl.DataFrame) -> timedelta | None:
    """How long it lately was from one snapshot to the next."""
    median = nav_history.sort("time")["time"].unique(maintain_order=True).diff().tail(24).median()
    return median if isinstance(median, timedelta) else None


def gaps(nav_history: pl.DataFrame) -> pl.DataFrame:
    """Where no figure is known for longer than snapshots are usually apart around there, or one has none.

    returns  [from_time, to_time, reason]  between two figures; the last may end at a snapshot without one
    """
    figures = counted(nav_history)
    unknown = (nav_history.filter(pl.col("grade") == Grade.INCOMPLETE)
               .select("time", unknown_time="time", reason=pl.col("reason").fill_null("incomplete")).sort("time"))
    seconds = pl.col("time").diff().dt.total_seconds().cast(pl.Float64)
    usual = seconds.rolling_median(25, min_samples=1, center=True)
    between = (figures.select("time", from_time=pl.col("time").shift(), late=seconds > LATE * usual)
               .join_asof(unknown, on="time", strategy="backward")
               .with_columns(failed=(pl.col("unknown_time") > pl.col("from_time")).fill_null(value=False))
               .filter(pl.col("late") | pl.col("failed"), pl.col("from_time").is_not_null())
               .select("from_time", to_time="time", reason=pl.when("failed").then("reason")
                       .otherwise(pl.lit("not collected"))))
    if figures.is_empty() or unknown.is_empty() or unknown["time"][-1] < figures["time"][-1]:
        return between
    open_end = pl.DataFrame({"from_time": [figures["time"][-1]], "to_time": [unknown["time"][-1]],
                             "reason": [unknown["reason"][-1]]}, schema=between.schema)
    return pl.concat([between, open_end])


def in_segments(nav_history: pl.DataFrame, broken_at: pl.DataFrame) -> pl.DataFrame:
    """`counted` rows with `segment`, which changes where a gap of `broken_at` ends: no line crosses it."""
    return counted(nav_history).with_columns(
        segment=pl.col("time").is_in(broken_at["to_time"].implode()).cum_sum().cast(pl.Int64))


def without_price(flow_values: pl.DataFrame, nav_history: pl.DataFrame) -> pl.DataFrame:
    """The flows since the first figure that nothing prices, oldest first. Earlier ones never counted."""
    since = counted(nav_history)["time"].min()
    unpriced = flow_values.filter(pl.col("value_usd").is_null()).sort("time")
    return unpriced if since is None else unpriced.filter(pl.col("time") > since)


def below_peak(index: str) -> pl.Expr:
    """How far the column `index` is below its highest value so far: 0 or negative."""
    return pl.col(index) / pl.col(index).cum_max() - 1


def thinned(rows: pl.DataFrame, keep_around: Iterable[datetime] = (), most: int = DRAWN) -> pl.DataFrame:
    """About `most` of `rows`: of each stretch the lowest and the highest of both values, so that no peak is lost,
    every segment's ends, and the rows around flows."""
    if rows.height <= most:
        return rows
    numbered = rows.with_row_index("row")
    stretch = pl.col("row").cast(pl.Int64) * max(1, most // 4) // rows.height
    extremes = numbered.group_by(stretch.alias("stretch")).agg(
        pl.col("row").get(place).alias(f"{name} {number}") for name in ("nav", "benchmark_value")
        for number, place in enumerate((pl.col(name).arg_min(), pl.col(name).arg_max()))).drop("stretch")
    starts = numbered.filter(pl.col("segment").diff().fill_null(1) != 0)["row"].to_list()
    kept = {0, rows.height - 1, *starts, *(row - 1 for row in starts), *(
        row for column in extremes.iter_columns() for row in column)}
    for time in keep_around:
        after = int(rows["time"].search_sorted(time))
        kept |= {after - 2, after - 1, after, after + 1}
    unsure = numbered.filter(pl.col("grade") == Grade.PROVISIONAL)["row"].to_list()
    kept.update(unsure if len(unsure) <= most // 10 else [])
    return numbered.filter(pl.col("row").is_in(list(kept))).drop("row")

"""What a manager may charge: a part of the gain above the high-water mark, where the benchmark was beaten. Pure.

Rules (DESIGN "Fees"): the mark starts at the first complete NAV; a deposit adds its value, a withdrawal W
leaves max(0, 1 - W/NAV) of it. A fee period holds what comes after its start, up to and including its end; its
last complete snapshot settles it: fee = rate * (NAV - mark) where NAV is above the mark and the period's alpha
above 0, and only then the mark moves up to NAV. The rate has no say in the mark. No complete snapshot in the
period: no fee, and the gain waits for the next one. After a flow that should have a price and has none the mark
is not known, nor is any fee until it has one.

Paying a fee is a withdrawal like any other: it takes the same part of NAV and mark, and the distance stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl

from navbook.compute import benchmark
from navbook.schemas import FEES
from navbook.types import COUNTED, FeeAction, Grade

STEPS = {"month": "1mo", "day": "1d", "hour": "1h"}
NAMES = {"month": "%Y-%m", "day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
SUMS = {"collected_usd": FeeAction.COLLECTED, "waived_usd": FeeAction.WAIVED, "adjusted_usd": FeeAction.ADJUSTED}
MONEY = ("rate", "fee_usd", *SUMS, "pending_usd")    # what `settled` adds
NOISE = 1e-9    # of the mark, and of alpha: less is rounding of floats, no gain
ACCRUED = {name: dtype for name, dtype in FEES.columns.items() if name not in MONEY}


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When fees fall due, UTC: each month on `day` at `hour`, each day at `hour`, or each full hour."""

    every: Literal["month", "day", "hour"] = "month"
    day: int = 1    # 1 to 28, which every month has
    hour: int = 0

    def edges(self, first: datetime, last: datetime) -> pl.Series:
        """The due times from the last one at or before `first` to the first one at or after `last`; at least two."""
        begin = first.replace(minute=0, second=0, microsecond=0)
        if self.every != "hour":
            begin = begin.replace(hour=self.hour)
        if self.every == "month":
            begin = begin.replace(day=self.day)
        around = pl.Series([begin, last]).dt.offset_by(pl.Series([f"-{STEPS[self.every]}", STEPS[self.every]]))
        due = pl.datetime_range(around[0], around[1], STEPS[self.every], time_unit="us", eager=True)
        start = int((due <= first).sum()) - 1
        return due.slice(start, max(int((due < last).sum()) - start, 1) + 1)


def fees(account: str, history: pl.DataFrame, flows: pl.DataFrame, payments: pl.DataFrame, rate: float,
         schedule: Schedule) -> pl.DataFrame:
    """FEES of one account: every fee period from its first complete snapshot to the one that runs.

    history   NAV_HISTORY of the account
    flows     FLOW_VALUES of the account, and `unpriced`: no value although the asset has a market
    payments  FEE_PAYMENTS of the account, the newest row of each
    rate      for the periods of which no payment says another
    """
    return settled(accrued(account, history, flows, schedule), payments, {account: rate})


def accrued(account: str, history: pl.DataFrame, flows: pl.DataFrame, schedule: Schedule) -> pl.DataFrame:
    """The fee periods of one account up to what they gained: FEES without MONEY.

    The arguments are those of `fees`. `reason` names the flow without a price where the mark is not known.
    """
    collected = history.filter(pl.col("grade") != Grade.BACKFILLED).sort("time")
    complete = collected.filter(pl.col("grade") == Grade.COMPLETE).drop_nulls("nav")
    if complete.is_empty():
        return pl.DataFrame(schema=ACCRUED)
    first, last = complete["time"][0], collected["time"][-1]
    edges = schedule.edges(first, last)
    counted = collected.filter(pl.col("grade").is_in([grade.value for grade in COUNTED])).drop_nulls("nav")
    periods = (_settling(edges, complete)
               .with_columns(account=pl.lit(account), period=pl.col("from_time").dt.strftime(NAMES[schedule.every]),
                             final=pl.col("to_time") <= last, alpha=_alpha(edges, counted)))
    later = flows.filter(pl.col("time") > first).sort("time", "id")
    unpriced = later.filter("unpriced").select(pl.format("no price for the flow {}:{}", "source", "id")).head(1)
    return (periods.with_columns(_marks(complete["nav"][0], periods, _steps(counted, later)))
            .with_columns(reason=pl.when(pl.col("mark_before").is_null())
                                   .then(pl.lit(unpriced.item() if unpriced.height else None, pl.String)))
            .select(list(ACCRUED)))


def _settling(edges: pl.Series, complete: pl.DataFrame) -> pl.DataFrame:
    """[from_time, to_time, settled_at, nav]: the last complete snapshot in each period, null where there is none.

    A snapshot at an edge belongs to the period that ends there; the very first also to the one that it begins.
    """
    last = (pl.DataFrame({"from_time": edges[:-1], "to_time": edges[1:]})
            .join_asof(complete.select("time", "nav", settled_at="time"), left_on="to_time", right_on="time"))
    inside = (pl.col("settled_at") > pl.col("from_time")) | (pl.col("from_time") <= complete["time"][0])
    return last.select("from_time", "to_time", pl.when(inside).then("settled_at"), pl.when(inside).then("nav"))


def _alpha(edges: pl.Series, counted: pl.DataFrame) -> pl.Series:
    """Between two edges each: the account's return less the benchmark's, as PERFORMANCE says of periods.

    That is from the last counted snapshot at or before the start, else the first, to the last at or before the
    end. Null where an account that had lost everything has no return.
    """
    last = counted["time"].search_sorted(edges, side="right").cast(pl.Int64) - 1
    at = counted.select("twr_index", "benchmark_index")[last.clip(0)]
    growth = pl.all() / pl.all().shift()
    alpha = at.select(growth).select(alpha=pl.col("twr_index") - pl.col("benchmark_index"))["alpha"].slice(1)
    return alpha.set(~alpha.is_finite(), None)


def _steps(counted: pl.DataFrame, flows: pl.DataFrame) -> pl.DataFrame:
    """[time, factor, added]: what each flow does to the mark, factor * mark + added; NaN without a price.

    counted  [time, nav]  sorted
    flows    [time, value_usd, unpriced]  sorted by time and id
    """
    moving = flows.filter(pl.col("value_usd").is_not_null() | pl.col("unpriced"))
    usd, before = pl.col("value_usd"), pl.col("before")
    kept = pl.when(before > 0).then((1 + usd / before).clip(lower_bound=0.0)).otherwise(0.0)
    return (moving.with_columns(before=pl.Series(benchmark.navs_before(counted, moving), dtype=pl.Float64))
            .select("time", factor=pl.when(usd < 0).then(kept).when(usd >= 0).then(1.0).otherwise(float("nan")),
                    added=pl.when(usd > 0).then(usd).otherwise(0.0)))


def _marks(mark: float, periods: pl.DataFrame, steps: pl.DataFrame) -> list[pl.Series]:
    """mark_before (at each period's settlement, else its end) and mark_after; null where not known.

    mark     the first
    periods  [to_time, settled_at, nav, alpha, final]
    steps    of `_steps`
    """
    until = periods.select(pl.coalesce("settled_at", "to_time")).to_series()
    followed = steps["time"].search_sorted(until, side="right").to_list()
    may_rise = (periods["final"] & (periods["alpha"] > NOISE)).fill_null(value=False).to_list()
    navs = periods["nav"].fill_null(float("-inf")).to_list()
    factors, added = steps["factor"].to_list(), steps["added"].to_list()
    done, before, after = 0, [], []
    for upto, nav, rises in zip(followed, navs, may_rise, strict=True):
        for step in range(done, upto):
            mark = factors[step] * mark + added[step]
        done = max(done, upto)
        before.append(mark)
        if rises and _above(nav, mark):
            mark = nav
        after.append(mark)
    return [pl.Series(name, marks, dtype=pl.Float64).fill_nan(None)
            for name, marks in (("mark_before", before), ("mark_after", after))]


def _above(nav: Any, mark: Any) -> Any:
    """Whether there is a gain, for numbers and for expressions."""
    return nav - mark > NOISE * abs(mark)


def settled(periods: pl.DataFrame, payments: pl.DataFrame, rates: Mapping[str, float]) -> pl.DataFrame:
    """FEES: what each period owes, what was paid or waived, and what is pending.

    periods   of `accrued` (or FEES, to be settled anew), of any accounts
    payments  FEE_PAYMENTS, the newest row of each
    rates     by account; 0 where it is not named

    A rate that a payment recorded stays that of its period: another setting changes open periods only. What
    was recorded of a period that the schedule does not have any more keeps a row of its own.
    """
    listed = periods.drop_nulls("from_time").select(list(ACCRUED))
    rate = pl.coalesce("agreed", pl.col("account").replace_strict(rates, default=0.0, return_dtype=pl.Float64))
    gain = (pl.when(pl.col("mark_before").is_null() & pl.col("from_time").is_not_null()).then(None)
              .when(_above(pl.col("nav"), pl.col("mark_before")) & (pl.col("alpha") > NOISE))
              .then(pl.col("nav") - pl.col("mark_before")).otherwise(0.0))
    due = pl.when("final").then("fee_usd").otherwise(0.0)
    pending = due + pl.col("adjusted_usd") - pl.col("collected_usd") - pl.col("waived_usd")
    return FEES.check(
        listed.join(_sums(payments), on=["account", "period"], how="full", coalesce=True)
        .with_columns(pl.col("final").fill_null(value=True), pl.col(list(SUMS)).fill_null(0.0), rate=rate)
        .with_columns(fee_usd=pl.col("rate") * gain, reason=_reason())
        .with_columns(pending_usd=pending).select(list(FEES.columns)).sort(FEES.key))


def dated(rows: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """FEES in which what the schedule does not have any more is of the time of its last payment (FEE_PAYMENTS)."""
    paid = payments.filter(~pl.col("revoked")).group_by("account", "period").agg(paid=pl.col("time").max())
    return rows.join(paid, on=["account", "period"], how="left", maintain_order="left").with_columns(
        to_time=pl.coalesce("to_time", "paid")).drop("paid")


def _sums(payments: pl.DataFrame) -> pl.DataFrame:
    """[account, period, agreed, collected_usd, waived_usd, adjusted_usd] of the payments that were not revoked."""
    usd = {column: pl.col("amount_usd").filter(pl.col("action") == action).sum().cast(pl.Float64)
           for column, action in SUMS.items()}
    return (payments.filter(~pl.col("revoked")).sort("time", "id").group_by("account", "period")
            .agg(agreed=pl.col("rate").drop_nulls().last(), **usd))


def _reason() -> pl.Expr:
    """Why a period has no fee that is due, the first that holds; null where it has one."""
    return (pl.when(pl.col("from_time").is_null()).then(pl.lit("no such period in the schedule"))
              .when(pl.col("mark_before").is_null()).then("reason")
              .when(~pl.col("final")).then(pl.lit("running"))
              .when(pl.col("nav").is_null()).then(pl.lit("no complete snapshot"))
              .when(~_above(pl.col("nav"), pl.col("mark_before"))).then(pl.lit("not above the mark"))
              .when(pl.col("alpha").is_null()).then(pl.lit("no return to compare"))
              .when(pl.col("alpha") <= NOISE).then(pl.lit("not ahead of the benchmark"))
              .when(pl.col("rate") == 0).then(pl.lit("the rate is 0")))

"""Accounts summed up as one: consolidated net asset value and flows. Pure.

What moves between two members is no flow of the group. A member that is counted later than the group's first
comes in with what it holds then, as a deposit: joining is no gain.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from navbook.compute import cash_flows
from navbook.compute.books import Book
from navbook.compute.cash_flows import SPECIFIC, Row
from navbook.schemas import FLOW_VALUES, TIME
from navbook.types import Grade

JOINED = "JOINED"    # the kind of the flow by which a member comes in
NAVS = {"time": TIME, "grade": pl.String(), "reason": pl.String(), "nav": pl.Float64(), "members": pl.Int64()}


def navs(members: Sequence[Book]) -> pl.DataFrame:
    """[time, grade, reason, nav, members]: the sum at each time at which all members so far were read.

    Unknown where a member's is unknown; provisional where one is.
    """
    started = [book for book in members if book.counted.any()]
    if not started:
        return pl.DataFrame(schema=NAVS)
    first = {book.name: book.navs.filter(book.counted)["time"].min() for book in started}
    rows = pl.concat([book.navs.filter(pl.col("time") >= first[book.name]).with_columns(member=pl.lit(book.name))
                      for book in started])
    begins = (pl.DataFrame({"first": list(first.values())}).sort("first")
              .with_columns(expected=pl.int_range(1, pl.len() + 1)))
    unknown = pl.col("nav").is_null() | (pl.col("grade") == Grade.INCOMPLETE)
    told = pl.format("{}: {}", "member", pl.coalesce("reason", pl.lit("not known")))
    summed = (rows.sort("time", "member").group_by("time", maintain_order=True).agg(
        nav=pl.when(unknown.any().not_()).then(pl.col("nav").sum()),
        grade=pl.when(unknown.any()).then(pl.lit(Grade.INCOMPLETE.value))
                .when((pl.col("grade") == Grade.BACKFILLED).any()).then(pl.lit(Grade.BACKFILLED.value))
                .when((pl.col("grade") != Grade.COMPLETE).any()).then(pl.lit(Grade.PROVISIONAL.value))
                .otherwise(pl.lit(Grade.COMPLETE.value)),
        reason=told.filter(pl.col("grade") != Grade.COMPLETE).str.join("; "), members=pl.len().cast(pl.Int64)))
    read = summed.join_asof(begins, left_on="time", right_on="first", strategy="backward")
    return (read.filter(pl.col("members") == pl.col("expected"))
            .with_columns(reason=pl.when(pl.col("reason") != "").then("reason")).select(list(NAVS)))


def flows(group: str, members: Sequence[Book], counted: pl.DataFrame) -> pl.DataFrame:
    """Flows of the group, as `cash_flows.judged` gives them: who joined, and what moved in and out since.

    counted  of `cash_flows.counted`: the members' flows with amounts and transaction ids
    """
    started = [book for book in members if book.counted.any()]
    begins = {book.name: book.navs.filter(book.counted)["time"][0] for book in started}
    within = _among(pl.concat([counted.clear(), *(
        counted.filter(pl.col("account") == name, pl.col("time") > begin) for name, begin in begins.items())]))
    found = [FLOW_VALUES.empty().with_columns(unpriced=pl.lit(value=False))]
    for book in started:
        start = book.navs.filter(book.counted).row(0, named=True)
        if begins[book.name] > min(begins.values()):
            found.append(FLOW_VALUES.rows([(book.name, "group", book.name, start["time"], JOINED, "USD", start["nav"],
                                            1.0, "counts 1", start["nav"])]).with_columns(unpriced=pl.lit(value=False)))
        later = book.flows.filter(pl.col("time") > start["time"])
        keys = later.select("account", "source", "id").iter_rows()
        found.append(later.filter(pl.Series([key not in within for key in keys], dtype=pl.Boolean)))
    return pl.concat(found).with_columns(account=pl.lit(group), source=pl.format("{}/{}", "account", "source"))


def _among(counted: pl.DataFrame) -> set[tuple[str, str, str]]:
    """The keys of flows whose other side is a flow of another member."""
    between = counted.filter(pl.col("source").is_in(SPECIFIC) | pl.col("internal"))
    came, left = (between.filter(side).to_dicts() for side in (pl.col("quantity") > 0, pl.col("quantity") < 0))
    matched = cash_flows.pairs(left, came, _two_members)
    return {(row["account"], row["source"], row["id"]) for pair in matched for row in pair}


def _two_members(row: Row, other: Row) -> bool:
    return bool(row["asset"] == other["asset"] and row["account"] != other["account"])

"""A year's figures begin and end where every period does, and add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navbook import schemas
from navbook.compute import yearly
from worlds import only

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def history(*rows: tuple[datetime, str, float | None], account: str = "main") -> pl.DataFrame:
    """(time, grade, nav); the index is nav over 100, the benchmark's stays 1."""
    return schemas.NAV_HISTORY.rows([dict.fromkeys(schemas.NAV_HISTORY.columns) | {
        "account": account, "time": time, "grade": grade, "nav": nav, "benchmark_value": nav,
        "twr_index": nav and nav / 100, "benchmark_index": nav and 1.0} for time, grade, nav in rows])


def flows(*rows: tuple[datetime, float | None], account: str = "main") -> pl.DataFrame:
    return schemas.FLOW_VALUES.rows([dict.fromkeys(schemas.FLOW_VALUES.columns) | {
        "account": account, "source": "deposit", "id": str(number), "time": time, "value_usd": value}
        for number, (time, value) in enumerate(rows)])


def fees(*rows: tuple[datetime, bool, float | None]) -> pl.DataFrame:
    return schemas.FEES.rows([dict.fromkeys(schemas.FEES.columns) | {
        "account": "main", "period": str(number), "to_time": due, "final": final, "fee_usd": fee, "pending_usd": fee}
        for number, (due, final, fee) in enumerate(rows)])


def figures(navs: pl.DataFrame, moved: pl.DataFrame | None = None, owed: pl.DataFrame | None = None) -> pl.DataFrame:
    return yearly.figures(navs, flows() if moved is None else moved, fees() if owed is None else owed, START, END)


def test_a_year_begins_at_the_last_snapshot_before_it_and_ends_at_its_last():
    navs = history((START - 2 * DAY, "complete", 90.0), (START - DAY, "complete", 100.0), (START + DAY, "complete", 110.0),
                   (END, "complete", 120.0), (END + DAY, "complete", 999.0))
    row = only(figures(navs))
    assert (row["from_time"], row["to_time"]) == (START - DAY, END)
    assert (row["nav_from"], row["nav_to"], row["gain_usd"]) == (100, 120, 20)
    assert (row["twr"], row["benchmark_twr"], row["alpha"]) == (pytest.approx(0.2), 0, pytest.approx(0.2))
    assert row["snapshots"] == 2, "those of the year itself"


def test_an_account_that_began_in_the_year_begins_with_its_first_snapshot():
    row = only(figures(history((START + 9 * DAY, "complete", 50.0), (START + 10 * DAY, "complete", 55.0))))
    assert (row["from_time"], row["nav_from"], row["gain_usd"]) == (START + 9 * DAY, 50, 5)


def test_what_does_not_count_is_counted_as_such_only():
    navs = history((START, "complete", 100.0), (START + DAY, "provisional", 110.0), (START + 2 * DAY, "backfilled", 7.0),
                   (START + 3 * DAY, "incomplete", None))
    row = only(figures(navs))
    assert (row["to_time"], row["nav_to"]) == (START + DAY, 110)
    assert (row["snapshots"], row["provisional"], row["incomplete"]) == (4, 1, 1)


def test_accounts_without_a_counted_snapshot_in_the_year_are_left_out():
    navs = pl.concat([history((START - DAY, "complete", 1.0), account="before"), history((END + DAY, "complete", 1.0), account="after"),
                      history((START + DAY, "incomplete", None), account="never"), history((START, "complete", 1.0))])
    assert figures(navs)["account"].to_list() == ["main"]


def test_flows_between_the_snapshots_are_no_gain_and_unpriced_ones_are_counted():
    navs = history((START, "complete", 100.0), (START + 2 * DAY, "complete", 160.0))
    moved = flows((START, 7.0), (START + DAY, 50.0), (START + DAY, None), (START + 2 * DAY, -10.0), (START + 3 * DAY, 1.0))
    row = only(figures(navs, moved))
    assert (row["flows_usd"], row["gain_usd"], row["unpriced"]) == (40, 20, 1)


@pytest.mark.parametrize(("owed", "fee"), [
    pytest.param([(END, True, 3.0), (START + DAY, True, 2.0)], 5.0, id="due at the year's last instant too"),
    pytest.param([(START, True, 3.0), (END + DAY, True, 2.0)], None, id="not before or after"),
    pytest.param([(END, False, 3.0)], None, id="one that still runs is not due"),
    pytest.param([(END, True, 3.0), (START + DAY, True, None)], None, id="one is not known"),
])
def test_fees_of_a_year_are_those_that_fell_due_in_it(owed, fee):
    navs = history((START, "complete", 100.0), (START + DAY, "complete", 100.0))
    row = only(figures(navs, owed=fees(*owed)))
    assert (row["fee_usd"], row["pending_usd"]) == (fee, fee)


@given(st.lists(st.tuples(st.integers(-400, 800), st.floats(1, 1e6)), unique_by=lambda row: row[0], min_size=1),
       st.lists(st.tuples(st.integers(-400, 800), st.floats(-1e5, 1e5))))
def test_start_flows_and_gain_add_up_to_the_end(navs, moved):
    row = figures(history(*((START + day * DAY, "complete", nav) for day, nav in sorted(navs))),
                  flows(*((START + day * DAY, value) for day, value in moved))).to_dicts()
    assert len(row) == any(0 <= day <= 365 for day, _ in navs)
    for each in row:
        assert each["nav_from"] + each["flows_usd"] + each["gain_usd"] == pytest.approx(each["nav_to"], abs=1e-3)

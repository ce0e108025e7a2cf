"""What was closed, beside what is known now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from navbook import schemas
from navbook.compute import restatements
from worlds import only

JUNE, JULY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


def performance(period: str = "2026-06", **figures: object):
    row = dict.fromkeys(schemas.PERFORMANCE.columns) | {
        "account": "main", "benchmark": "own", "period": period, "from_time": JUNE, "to_time": JULY,
        "nav_from": 100.0, "nav_to": 130.0, "flows_usd": 20.0, "gain_usd": 10.0, "twr": 0.1, "benchmark_twr": 0.04,
        "alpha": 0.06} | figures
    return schemas.PERFORMANCE.rows([row])


def fees(*due: tuple[str, datetime, float | None]):
    rows = [dict.fromkeys(schemas.FEES.columns) | {"account": account, "period": f"p{number}", "to_time": end,
                                                   "final": True, "fee_usd": fee} for number, (account, end, fee) in enumerate(due)]
    return schemas.FEES.rows(rows)


def closing(performed=None, due=None):
    """What `navbook close` would freeze."""
    figures = restatements.month_figures(performance() if performed is None else performed, fees() if due is None else due)
    return schemas.CLOSINGS.rows([row | {"seen_at": JULY} for row in figures.to_dicts()])


def test_a_month_that_stayed_as_it_was_is_not_listed():
    assert restatements.restatements(closing(), performance(), fees()).is_empty()


def test_each_figure_that_changed_is_a_line():
    late = performance(flows_usd=25.0, gain_usd=5.0, twr=0.045, alpha=0.005)
    found = restatements.restatements(closing(), late, fees())
    assert found.select("figure", "closed", "now").rows() == [
        ("alpha", 0.06, 0.005), ("flows_usd", 20.0, 25.0), ("gain_usd", 10.0, 5.0), ("twr", 0.1, 0.045)]
    assert only(found, figure="gain_usd")["difference"] == -5.0


@pytest.mark.parametrize(("figure", "change", "listed"), [
    pytest.param("nav_to", 0.0049, False, id="less than half a cent"),
    pytest.param("nav_to", -0.0051, True, id="more than half a cent"),
    pytest.param("twr", 0.0000004, False, id="less than half a millionth"),
    pytest.param("alpha", -0.0000006, True, id="more than half a millionth"),
])
def test_noise_is_no_restatement(figure, change, listed):
    before = performance()
    after = performance(**{figure: before[figure][0] + change})
    assert restatements.restatements(closing(before), after, fees()).height == listed


def test_a_figure_that_is_gone_or_new_is_listed_without_a_difference():
    gone = restatements.restatements(closing(), performance("2026-05"), fees())
    assert gone["figure"].to_list() == ["alpha", "benchmark_twr", "flows_usd", "gain_usd", "nav_from", "nav_to", "twr"]
    assert gone["now"].null_count() == gone["difference"].null_count() == 7
    new = restatements.restatements(closing(), performance(), fees(("main", JULY, 2.0)))
    assert new.select("figure", "closed", "now", "difference").rows() == [("fee_usd", None, 2.0, None)]


@pytest.mark.parametrize(("due", "fee"), [
    pytest.param([("main", JULY, 2.0)], 2.0, id="a period that ends at midnight is the old month's"),
    pytest.param([("main", JULY + timedelta(microseconds=1), 2.0)], None, id="later it is the next one's"),
    pytest.param([("main", JUNE, 2.0)], None, id="the month before"),
    pytest.param([("main", JUNE + timedelta(hours=hour), 0.5) for hour in range(25)], 12.0, id="hourly fees add up"),
    pytest.param([("main", JULY, 2.0), ("main", JULY - timedelta(days=1), None)], None, id="one is not known"),
    pytest.param([("other", JULY, 2.0)], None, id="another account's"),
])
def test_a51_a_months_fee_is_what_fell_due_in_it(due, fee):
    assert only(restatements.month_figures(performance(), fees(*due)))["fee_usd"] == fee


def test_fees_belong_to_the_accounts_own_benchmark():
    figures = restatements.month_figures(performance(benchmark="cash"), fees(("main", JULY, 2.0)))
    assert only(figures)["fee_usd"] is None


def test_only_months_are_closed():
    periods = ("inception", "1w", "1m", "3m", "1y", "ytd")
    assert all(restatements.month_figures(performance(period), fees()).is_empty() for period in periods)

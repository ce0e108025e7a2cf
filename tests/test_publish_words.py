"""Numbers, dates and verdicts as the pages say them (LOOK.md)."""

# ruff: noqa: RUF001  (the minus of the pages is U+2212)

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navbook import schemas
from navbook.publish import words
from test_publish_frames import world

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
NAN = float("nan")


@pytest.mark.parametrize(("value", "signed", "expected"), [
    pytest.param(42840.58, False, "$42,841", id="whole dollars"),
    pytest.param(1284.24, True, "+$1,284", id="a difference is signed"),
    pytest.param(-118.2, True, "−$118", id="the minus is U+2212, before the dollar"),
    pytest.param(-1500, False, "−$1,500", id="a negative value keeps its minus"),
    pytest.param(0.3, True, "$0", id="what rounds to zero has no sign"),
    pytest.param(-0.4, True, "$0", id="on neither side"),
    pytest.param(None, True, "unknown", id="not known"),
    pytest.param(NAN, False, "unknown", id="NaN is not known"),
    pytest.param(float("inf"), False, "unknown", id="nor is infinity"),
])
def test_dollars(value, signed, expected):
    assert words.dollars(value, signed=signed) == expected


@pytest.mark.parametrize(("value", "expected"), [
    (42840.58, "$42.8k"), (999.4, "$999"), (999.96, "$1k"), (1500, "$1.5k"), (5000, "$5k"), (123456, "$123k"),
    (1_250_000, "$1.2M"), (-1500, "−$1.5k"), (0, "$0"), (None, "unknown")])
def test_brief_dollars(value, expected):
    assert words.brief_dollars(value) == expected


@pytest.mark.parametrize(("fraction", "signed", "expected"), [
    (0.031, True, "+3.1\u2009%"), (-0.183, True, "−18.3\u2009%"), (0.38, False, "38.0\u2009%"),
    (0.0004, True, "0.0\u2009%"), (None, True, "unknown"), (NAN, True, "unknown")])
def test_percent(fraction, signed, expected):
    assert words.percent(fraction, signed=signed) == expected


def test_percent_of_percent_is_points():
    assert (words.points(0.0331), words.points(-0.02), words.points(None)) == ("+3.3 points", "−2.0 points", "unknown")


@pytest.mark.parametrize(("quantity", "price", "expected"), [
    (0.184, 88451.2, "0.184"), (0.18400001, 88451.2, "0.184"), (4.9, 1832.96, "4.90"), (3214.88, 1.0, "3,214.88"),
    (10300.0, 1.0, "10,300.00"), (1200.0, None, "1,200"), (0.00000123, None, "0.00000123"), (-5.5, 2.0, "−5.50"),
    (None, 1.0, "unknown")])
def test_quantity(quantity, price, expected):
    assert words.quantity(quantity, price) == expected


@pytest.mark.parametrize(("price", "expected"), [
    (88451.2, "$88,451.20"), (1.0, "$1.00"), (0.4321, "$0.4321"), (0.00001234, "$0.00001234"), (None, "unknown")])
def test_price(price, expected):
    assert words.price(price) == expected


@pytest.mark.parametrize(("time", "expected"), [
    (datetime(2026, 3, 12, 14, tzinfo=UTC), "12 Mar"), (datetime(2025, 3, 1, tzinfo=UTC), "1 Mar 2025"),
    (None, "unknown")])
def test_dates_have_a_year_only_when_it_is_not_this_one(time, expected):
    assert words.date(time, NOW) == expected


def test_moments_are_utc():
    assert words.moment(NOW, NOW) == "10 Jun, 14:00 UTC"
    assert words.moment(NOW, NOW, seconds=True) == "10 Jun, 14:00:00 UTC"


@pytest.mark.parametrize(("length", "expected"), [
    (timedelta(seconds=40), "40 s"), (timedelta(minutes=4, seconds=59), "4 min"), (timedelta(hours=31), "31 h"),
    (timedelta(hours=47, minutes=59), "47 h"), (timedelta(days=3, hours=5), "3 d 5 h"), (timedelta(days=4), "4 d"),
    (timedelta(days=40, hours=3), "40 d")])
def test_span(length, expected):
    assert words.span(length) == expected


def test_counts_and_lists():
    assert [words.count(n, "account") for n in (1, 3, 13)] == ["One account", "Three accounts", "13 accounts"]
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"


@given(st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 4), st.booleans())
def test_no_number_is_ever_shown_as_nan_or_signed_zero(value, places, signed):
    said = words.number(value, places, signed=signed, before="$")
    assert "nan" not in said
    assert "inf" not in said
    assert "-" not in said
    if said.strip("$0.") == "":
        assert said.startswith("$")


@given(st.floats(-1e12, 1e12), st.integers(0, 2))
def test_colour_and_sign_agree(value, places):
    said = words.dollars(value, places, signed=True)
    assert words.tone(value, places) == {"+": "positive", "−": "negative", "$": ""}[said[0]]


@pytest.mark.parametrize(("weights", "expected"), [
    pytest.param((0.5, 0.5), ("half bitcoin, half ether", "half/half"), id="the default"),
    pytest.param((0.6, 0.4), ("60\u2009% BTC and 40\u2009% ETH", "benchmark"), id="other weights"),
    pytest.param((1.0, 0.0), ("all bitcoin", "all BTC"), id="one leg"),
])
def test_a_benchmark_is_named_by_its_weights(weights, expected):
    journal = world(snapshots=2, gap=False, weights=weights)["benchmark_journal"]
    assert words.benchmark(journal) == expected


def test_accounts_with_different_benchmarks_have_theirs():
    half, other = (world(snapshots=2, gap=False, weights=weights)["benchmark_journal"].filter(account=name)
                   for weights, name in (((0.5, 0.5), "main"), ((0.6, 0.4), "sub")))
    assert words.benchmark(pl.concat([half, other])).full == "their benchmarks"
    assert words.benchmark(schemas.BENCHMARK_JOURNAL.empty()) == words.HALF_HALF

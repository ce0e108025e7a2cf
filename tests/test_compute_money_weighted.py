"""XIRR worked by hand: at exact times, of the period itself below a year."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navbook.compute.money_weighted import money_weighted

HOUR = 3_600_000_000
DAY = 24 * HOUR


def rate(*flows: tuple[float, float], unit: int = DAY) -> float | None:
    times, amounts = zip(*flows, strict=True)
    return money_weighted((np.array(times) * unit).astype(np.int64), np.array(amounts, dtype=float))


@pytest.mark.parametrize(("flows", "expected"), [
    pytest.param([(0, -100), (365, 110)], 0.10, id="a year"),
    pytest.param([(0, -100), (730, 121)], 0.10, id="two years, per year"),
    pytest.param([(0, -100), (73, 110)], 0.10, id="a fifth of a year: of the period, not annualised"),
    pytest.param([(0, -100), (364, 110)], 0.10, id="a day less than a year"),
    pytest.param([(0, -100), (0.25, 110)], 0.10, id="six hours"),
    pytest.param([(0, -100), (36.5, -100), (73, 231)], 0.21, id="half the money for half the time"),
    pytest.param([(0, -100), (365, 50), (730, 72)], 0.25 + 0.7825**0.5 - 1, id="100 v^2 = 50 v + 72: v = 0.25 + sqrt(0.7825)"),
    pytest.param([(0, 0), (10, -100), (20, 110)], 0.21, id="nothing before the first deposit: 10 % in half the period"),
    pytest.param([(0, -100), (30, 0)], None, id="nothing came back"),
    pytest.param([(0, 0), (30, 0)], None, id="nothing was there"),
    pytest.param([(0, -100), (0, 100)], None, id="no time"),
    pytest.param([(0, -100)], None, id="one snapshot"),
])
def test_money_weighted(flows, expected):
    assert rate(*flows) == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_hours_count():
    """100 for 30 hours and 100 for 10 of them; doubling every 30 hours: 200 + 100 * 2 ** (1 / 3)."""
    assert rate((0, -100), (20, -100), (30, 200 + 100 * 2 ** (1 / 3)), unit=HOUR) == pytest.approx(1.0)


def test_the_rate_is_the_same_on_both_sides_of_a_year():
    short, long = (rate((0, -100), (days / 2, -50), (days, 170)) for days in (365 - 1e-6, 365 + 1e-6))
    assert short == pytest.approx(long, rel=1e-6)


@given(st.floats(-0.9, 3), st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(1, 1e6)), max_size=8),
       st.floats(0.1, 1000))
def test_the_rate_that_made_the_last_value_is_found(growth, deposits, days):
    """Deposits that all grow at one rate: it comes out again, whatever their times."""
    years = min(days, 365) / 365
    flows = sorted([(0.0, 1000.0), *((share * days, usd) for share, usd in deposits)])
    last = sum(usd * (1 + growth) ** ((days - day) / 365 / years) for day, usd in flows)
    assert rate(*((day, -usd) for day, usd in flows), (days, last)) == pytest.approx(growth, rel=1e-6, abs=1e-9)

"""Risk figures worked by hand, and what must hold of any returns."""

from __future__ import annotations

from dataclasses import astuple
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navbook.compute import risk
from navbook.compute.risk import Drawdown, Figures

DAY = 86_400_000_000
OWN = np.array([0.10, -0.05, 0.20, -0.10])       # mean 0.0375; squares of deviations add up to 0.056875
MARKET = np.array([0.05, -0.10, 0.10, 0.0])      # mean 0.0125; 0.021875
PRODUCTS = 0.028125                              # of the deviations of both
daily = st.floats(-0.5, 0.5).map(lambda value: round(value, 6))
pairs = st.lists(st.tuples(daily, daily), min_size=2, max_size=40).map(np.array)


def test_every_figure_worked_by_hand():
    figures = risk.figures(OWN, MARKET, per_year=4)
    assert figures.volatility == pytest.approx(sqrt(4 * 0.056875 / 3))
    assert figures.benchmark_volatility == pytest.approx(sqrt(4 * 0.021875 / 3))
    assert figures.sharpe == pytest.approx(4 * 0.0375 / sqrt(4 * 0.056875 / 3))
    assert figures.sortino == pytest.approx(4 * 0.0375 / sqrt(4 * (0.05**2 + 0.10**2) / 4))
    assert figures.beta == pytest.approx(PRODUCTS / 0.021875)
    assert figures.tracking_error == pytest.approx(sqrt(4 * 0.0225 / 3))    # active 0.05, 0.05, 0.10, -0.10
    assert figures.information_ratio == pytest.approx((1.1286 - 1.0395) / sqrt(0.03))
    assert figures.up_capture == pytest.approx((sqrt(1.1 * 1.2) - 1) / (sqrt(1.05 * 1.1) - 1))
    assert figures.down_capture == pytest.approx(0.5)    # one down day: -5 % against -10 %; a flat day is neither


def test_a_shorter_period_is_not_annualised():
    """Four days scaled to four: the information ratio is alpha over tracking error."""
    alpha = 1.1286 - 1.0395
    figures = risk.figures(OWN, MARKET, per_year=4)
    assert figures.information_ratio == pytest.approx(alpha / figures.tracking_error)
    assert risk.growth(OWN, per_year=4) == pytest.approx(0.1286)


def test_two_years_of_days_are_scaled_to_one():
    own, market = np.tile(OWN, 2), np.tile(MARKET, 2)
    assert risk.growth(own, per_year=4) == pytest.approx(0.1286)
    assert risk.figures(own, market, 4).volatility == pytest.approx(sqrt(4 * 2 * 0.056875 / 7))


@pytest.mark.parametrize(("returns", "benchmark", "undefined"), [
    pytest.param([], [], Figures.__slots__, id="no day"),
    pytest.param([0.01], [0.02], Figures.__slots__, id="one day"),
    pytest.param([0.1] * 9, [0.01, 0.02, -0.01] * 3, ("sharpe", "sortino"), id="the account never varies, nor falls"),
    pytest.param([0.01, 0.01 + 1e-15] * 5, [0.01, -0.01] * 5, ("sharpe", "sortino"), id="rounding is no deviation"),
    pytest.param([0.01, 0.02, -0.03], [0.0] * 3, ("beta", "up_capture", "down_capture"), id="a benchmark of cash"),
    pytest.param([0.01, 0.02, -0.03], [0.01, 0.02, 0.03], ("down_capture",), id="no down day"),
    pytest.param([0.01, -0.02, 0.03], [-0.01, -0.02, -0.03], ("up_capture",), id="no up day"),
    pytest.param([0.01, 0.02, -0.03], [0.01, 0.02, -0.03], ("information_ratio",), id="the benchmark itself"),
    pytest.param([0.5, -1.5, 0.1], [0.1, 0.2, 0.3], ("information_ratio", "up_capture", "down_capture"),
                 id="more than everything lost"),
])
def test_what_is_not_defined_is_none(returns, benchmark, undefined):
    figures = risk.figures(np.array(returns), np.array(benchmark), per_year=365)
    assert {name for name in Figures.__slots__ if getattr(figures, name) is None} == set(undefined)


@given(pairs)
def test_figures_of_the_benchmark_itself(both):
    """Beta and captures of 1, no tracking error: whoever holds the benchmark is like it."""
    market = both[:, 1]
    figures = risk.figures(market, market, per_year=365)
    assert figures.tracking_error == 0
    assert figures.volatility == figures.benchmark_volatility
    assert [value for value in (figures.beta, figures.up_capture, figures.down_capture) if value is not None
            ] == pytest.approx([1.0] * sum(value is not None for value in (figures.beta, figures.up_capture,
                                                                           figures.down_capture)))


@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_days_tells_no_figure_apart(both, random):
    order = list(range(len(both)))
    random.shuffle(order)
    straight, shuffled = (astuple(risk.figures(series[:, 0], series[:, 1], 365)) for series in (both, both[order]))
    assert [value is None for value in straight] == [value is None for value in shuffled]
    assert [value for value in shuffled if value is not None] == pytest.approx(
        [value for value in straight if value is not None], rel=1e-6, abs=1e-9)


def fall(*index: float) -> Drawdown:
    return risk.drawdown(np.arange(len(index)) * DAY, np.array(index))


@pytest.mark.parametrize(("index", "expected"), [
    pytest.param((1, 1.1, 1.2), Drawdown(0.0, 0.0, 0.0), id="never fell"),
    pytest.param((1,), Drawdown(0.0, 0.0, 0.0), id="one value"),
    pytest.param((1, 0.8, 0.9), Drawdown(-0.2, 1.0, None), id="not recovered"),
    pytest.param((1, 0.8, 0.9, 1.0), Drawdown(-0.2, 1.0, 2.0), id="back at the very peak is recovered"),
    pytest.param((1, 2, 2, 1.5, 1, 1.9, 2.5), Drawdown(-0.5, 2.0, 2.0), id="the fall begins at the last moment at the peak"),
    pytest.param((1, 0.9, 1, 0.9, 1), Drawdown(-0.1, 1.0, 1.0), id="of two equal ones the first"),
    pytest.param((1, 0.9, 1.2, 0.6, 0.9), Drawdown(-0.5, 1.0, None), id="the deepest, not the last recovered"),
    pytest.param((1, 0.0, 0.0), Drawdown(-1.0, 1.0, None), id="everything lost"),
])
def test_drawdown(index, expected):
    assert astuple(fall(*index)) == pytest.approx(astuple(expected))


def test_days_of_a_drawdown_are_exact():
    hours = np.array([0, 6, 18]) * DAY // 24
    assert astuple(risk.drawdown(hours, np.array([1, 0.5, 1.5]))) == pytest.approx((-0.5, 0.25, 0.5))


@given(st.lists(daily, min_size=1, max_size=40))
def test_drawdown_against_every_pair_of_days(returns):
    index = np.cumprod([1.0, *(1 + value for value in returns)])
    pairs_of_days = [index[late] / index[early] - 1 for late in range(len(index)) for early in range(late + 1)]
    assert fall(*index).max_drawdown == pytest.approx(min(pairs_of_days), abs=1e-11)

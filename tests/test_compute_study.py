"""All that is asked of one backtest, worked out once and in agreement."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from navbook.compute import backtest, validation
from navbook.compute.backtest.entries import moving_average_cross
from navbook.compute.study import Study
from navbook.types import Intrabar

START = datetime(2026, 3, 2, tzinfo=UTC)    # a Monday
GRID = {"tp_usdt": [5, 10, 20], "sl_usdt": [5, 10]}


def walk(days: float, seed: int, price: float = 50_000.0, start: datetime = START) -> pl.DataFrame:
    """A random walk of 1m candles."""
    random, count = np.random.default_rng(seed), int(days * 1440)
    close = price * np.exp(np.cumsum(random.normal(0, 0.0006, count)))
    opens = np.append(price, close[:-1])
    high, low = (np.maximum, np.minimum)
    spread = np.abs(random.normal(0, 0.0003, (2, count)))
    times = pl.datetime_range(start, start + timedelta(minutes=count - 1), "1m", time_unit="us", time_zone="UTC", eager=True)
    return pl.DataFrame({"open_time": times, "open": opens, "high": high(opens, close) * (1 + spread[0]),
                         "low": low(opens, close) * (1 - spread[1]), "close": close})


def study(days: float = 20, *, legs: bool = True, **more) -> Study:
    candles, other = backtest.prepare(walk(days, 1)), backtest.prepare(walk(days, 2, 2500.0))
    return Study(candles, backtest.BracketRules(), backtest.Costs(), grid=GRID,
                 legs={"BTC": candles, "ETH": other} if legs else {}, **more)


@pytest.fixture(scope="module")
def whole():
    return study()


def test_the_setting_of_the_rules_is_a_row_of_the_sweep(whole):
    row = whole.tried.filter(tp_usdt=10, sl_usdt=5).row(0, named=True)
    assert {name: row[name] for name in ("trades", "pnl", "ambiguous")} == {
        name: whole.summary[name] for name in ("trades", "pnl", "ambiguous")}


def test_n7_bounds_say_the_profit_by_each_order_of_high_and_low(whole):
    pnl = dict(whole.bounds.select("intrabar", "pnl").iter_rows())
    assert pnl["pessimistic"] <= pnl["optimistic"]
    assert whole.bounds.equals(backtest.bounds(whole.candles, whole.rules))


def test_equity_ends_where_the_figures_do(whole):
    last = whole.equity.row(-1, named=True)
    assert last["time"] == START + timedelta(days=20)
    assert last["strategy"] == 100 + whole.result.equity["equity_usdt"][-1]
    assert last["buy_and_hold"] == pytest.approx(100 * (1 + whole.summary["buy_and_hold"]))
    assert last["benchmark"] == pytest.approx(100 * (1 + whole.benchmark), rel=1e-12)


def test_equity_begins_with_the_amount_in_each(whole):
    first = whole.equity.row(0, named=True)
    assert first["time"] == START
    assert (first["strategy"], first["buy_and_hold"], first["benchmark"]) == (100, 100, 100)


@pytest.mark.parametrize("days", [3, 5.4, 12.5, 19])
def test_half_and_half_of_the_curve_is_that_of_the_figure_whatever_the_mondays(days):
    """The curve goes back to half and half on Mondays at noon, as the figure does; also when one is the last minute."""
    found = study(days)
    assert found.equity["benchmark"][-1] == pytest.approx(100 * (1 + found.benchmark), rel=1e-12)
    legs = found.legs
    assert found.benchmark == validation.beside(found.result, legs)["gain"][2]


def test_without_the_legs_candles_the_benchmark_is_not_known():
    found = study(3, legs=False)
    assert found.benchmark is None
    assert found.equity["benchmark"].null_count() == found.equity.height
    late = backtest.prepare(walk(2, 2, start=START + timedelta(days=1)))
    assert Study(found.candles, found.rules, found.costs, legs={"BTC": found.candles, "ETH": late}).benchmark is None


def test_a_long_curve_has_few_points_and_its_last_minute():
    found = study(70)
    assert found.equity.height <= 1500
    assert found.equity["time"][-1] == START + timedelta(days=70)
    assert set(found.equity["time"].dt.minute()) == {0}


def test_what_too_short_a_past_cannot_tell_is_none():
    short = study(0.5)
    assert (short.luck, short.walk_forward) == (None, None)
    none = Study(short.candles, backtest.BracketRules(tp_usdt=900, sl_usdt=900), backtest.Costs(), grid=GRID)
    assert none.redrawn is None    # no trade was closed


def test_luck_looks_at_every_setting(whole):
    assert 0 <= whole.luck["overfitting"] <= 1
    assert 0 <= whole.luck["deflated"] <= 1
    assert whole.walk_forward["fold"].to_list() == [0, 1, 2]    # half, then a sixth
    assert 0 <= whole.redrawn["chance_of_loss"] <= 1


def test_entries_stand_beside_being_always_in_the_market(whole):
    signal = moving_average_cross(60, 240)
    found = whole.entries({"cross": signal})
    assert found["entry"].to_list() == ["always", "cross"]
    assert found["pnl"].to_list() == [whole.summary["pnl"], backtest.run(whole.candles, whole.rules, entry=signal).summary["pnl"]]


def test_the_chosen_order_is_the_one_that_counts():
    by_order = {order: study(5, intrabar=order).summary["pnl"] for order in Intrabar}
    assert by_order == dict(study(5).bounds.select("intrabar", "pnl").iter_rows())

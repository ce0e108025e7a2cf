"""The bracket rules: durations, rounding, levels, liquidation, reopening; and the compiled twins of the rounding."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navbook.compute import brackets
from navbook.compute.backtest import kernel
from navbook.compute.brackets import BracketRules, Costs
from navbook.errors import BracketInvalid, FundingInvalid

TIERS = [{"notionalCap": 50_000, "maintMarginRatio": 0.004, "cum": 0.0},
         {"notionalCap": 600_000, "maintMarginRatio": 0.005, "cum": 50.0}]


@pytest.mark.parametrize(("text", "length"), [
    ("1m", 60_000), ("90s", 90_000), ("1h30m", 5_400_000), ("0s", 0), ("250ms", 250), ("1d", 86_400_000),
    (timedelta(minutes=2), 120_000)])
def test_durations(text, length):
    assert brackets.duration_ms("reopen_delay", text) == length


@pytest.mark.parametrize(("key", "value"), [
    ("check_every", "0m"), ("check_every", "soon"), ("reopen_delay", "5"), ("reopen_delay", 5), ("reopen_window", "-1m"),
    ("reopen_window", ""), ("side", "BOTH"), ("amount_usdt", 0), ("amount_usdt", math.nan), ("leverage", 126),
    ("leverage", 0.5), ("tp_usdt", 0), ("sl_usdt", -5), ("sl_usdt", "5"), ("max_reopens", -1), ("max_reopens", 1.5),
    ("max_reopens", True), ("step_size", -0.1), ("tick_size", 1e-13), ("margin_type", "PORTFOLIO"), ("wallet_usdt", 0),
    ("brackets", []), ("brackets", [{"cap": 1}]), ("brackets", TIERS[::-1])])
def test_a_rule_that_cannot_be_is_refused_by_name(key, value):
    with pytest.raises(BracketInvalid) as refused:
        BracketRules(**{key: value})
    assert refused.value.key == key
    assert str(refused.value).startswith(f"{key} = ")


@pytest.mark.parametrize(("key", "value"), [("taker_fee", -0.1), ("taker_fee", 1), ("slippage_bps", 10_000)])
def test_costs_that_cannot_be_are_refused_by_name(key, value):
    with pytest.raises(BracketInvalid) as refused:
        Costs(**{key: value})
    assert refused.value.key == key


def test_funding_needs_its_columns_times_and_mark_prices():
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    good = pl.DataFrame({"time": [moment], "rate": [0.0001], "mark_price": [100.0]})
    assert Costs(funding=good).funding.equals(good)
    for bad in (good.drop("mark_price"), good.with_columns(pl.col("time").dt.replace_time_zone(None)),
                good.with_columns(mark_price=pl.lit(None, pl.Float64)), pl.concat([good, good]),
                good.with_columns(rate=pl.lit("0.1"))):
        with pytest.raises(FundingInvalid):
            Costs(funding=bad)


@pytest.mark.parametrize(("value", "size", "floored", "nearest"), [
    (0.3, 0.1, 0.3, 0.3), (0.7999999999999999, 0.1, 0.7, 0.8), (100.05, 0.1, 100.0, 100.1), (100.049, 0.1, 100.0, 100.0),
    (1.005, 0.01, 1.0, 1.01), (2.5, 5, 0.0, 5.0), (7.4, 0, 7.4, 7.4), (0.015, 0.01, 0.01, 0.02), (12.5, 25, 0.0, 25.0)])
def test_a_rounded_number_is_the_float_nearest_its_decimal(value, size, floored, nearest):
    assert brackets.floor_to(value, size) == floored
    assert brackets.nearest_to(value, size) == nearest


sizes = st.sampled_from([0.1, 0.01, 0.001, 0.5, 0.25, 0.05, 0.003, 1.0, 7.0, 1e-6, 1e-8, 25.0, 0.3])


@given(st.one_of(st.floats(1e-9, 1e6), st.integers(1, 10**7).map(lambda ticks: ticks / 1000),
                 st.integers(1, 10**7).map(lambda ticks: math.nextafter(ticks / 2000, 0))), sizes)
def test_the_compiled_rounding_is_the_decimal_one(value, size):
    grid = brackets.grid_of("tick_size", size)
    assert kernel.floor_to(value, float(grid.top), float(grid.scale)) == brackets.floor_to(value, size)
    assert kernel.nearest_to(value, float(grid.top), float(grid.scale)) == brackets.nearest_to(value, size)


@pytest.mark.parametrize(("side", "levels"), [("LONG", (110.0, 95.0)), ("SHORT", (90.0, 105.0))])
def test_levels_are_what_the_money_says(side, levels):
    rules = BracketRules(side=side, amount_usdt=10, leverage=10, tp_usdt=10, sl_usdt=5)
    assert brackets.quantity(rules, 100.0) == 1.0
    assert brackets.levels(rules, 100.0, 1.0) == levels


def test_slippage_makes_both_fills_worse():
    for side, paid, got in (("LONG", 100.1, 99.9), ("SHORT", 99.9, 100.1)):
        rules, costs = BracketRules(side=side), Costs(slippage_bps=10)
        assert brackets.entry_price(rules, costs, 100.0) == pytest.approx(paid)
        assert brackets.exit_price(rules, costs, 100.0) == pytest.approx(got)


def test_the_worked_liquidation_price():
    rules = BracketRules(amount_usdt=6000, leverage=10, margin_type="ISOLATED")
    assert round(brackets.liquidation_price(rules, 60_000.0, 1.0), 2) == 54216.87
    short = BracketRules(side="SHORT", amount_usdt=6000, leverage=10, margin_type="ISOLATED")
    assert round(brackets.liquidation_price(short, 60_000.0, 1.0), 2) == 65737.05


def test_the_tier_is_that_of_the_liquidation_price():
    rules = BracketRules(side="SHORT", amount_usdt=4900, leverage=10, margin_type="ISOLATED", brackets=TIERS)
    price = brackets.liquidation_price(rules, 49_000.0, 1.0)    # beyond 50,000 the second tier holds
    assert price == pytest.approx((4900 + 50 + 49_000) / 1.005)


def test_cross_margin_without_a_wallet_is_never_liquidated():
    assert brackets.liquidation_price(BracketRules(), 100.0, 1.0) is None
    assert brackets.liquidation_price(BracketRules(), 100.0, 10.0, wallet=200.0) == pytest.approx(800 / 9.96)
    assert brackets.liquidation_price(BracketRules(), 100.0, 10.0, wallet=2000.0) is None


def test_a_balanced_hedge_has_no_liquidation_price():
    assert brackets.liquidation_of([(1, 2.0, 100.0), (-1, 2.0, 90.0)], 50.0, brackets.FIRST_TIER) == 0


def test_a_close_is_noticed_at_a_check_and_the_position_reopens_later():
    rules = BracketRules(check_every="7m", reopen_delay="5m", reopen_window="10m", max_reopens=1)
    over = 8 * brackets.MINUTE
    notice = brackets.notice_time(rules, over)
    assert notice == 14 * brackets.MINUTE
    assert brackets.notice_time(rules, notice) == notice
    assert brackets.reopen_time(rules, notice) == 19 * brackets.MINUTE
    assert brackets.reopen_deadline(rules, notice) == 24 * brackets.MINUTE
    assert [brackets.may_reopen(rules, reopens) for reopens in (0, 1)] == [True, False]
    assert brackets.may_reopen(BracketRules(), 10**6)

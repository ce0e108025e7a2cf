"""Rows of the checklist that no other test names, worked out from facts."""

from __future__ import annotations

import json

import polars as pl
import pytest

from navbook.publish import charts, series, theme, words
from navbook.runner import rebuild
from navbook.settings import Account, Benchmark, Rebalance, Settings
from navbook.types import FlowKind
from worlds import FLAT, World, at, only

NEVER = Benchmark(rebalance="never")
MONDAYS = [at(12, days=7 * week) for week in range(3)]


def test_a18_dust_is_part_of_nav():
    """0.0005 BTC is 25 dollars, 0.00001 ETH a fortieth: neither is cut off by its quantity or its worth."""
    world = World()
    for hour in (0, 1):
        world.snapshot(at(hour), {"USDT": "100", "BTC": "0.0005", "ETH": "0.00001", "USDC": "0.05"})
    found = rebuild.compute(world.facts(), Settings(benchmark=NEVER))
    assert found["nav_history"]["nav"].to_list() == pytest.approx([125.075, 125.075], abs=1e-12)
    assert found["holdings"].group_by("time").agg(pl.col("value_usd").sum())["value_usd"].to_list() == pytest.approx(
        [125.075, 125.075], abs=1e-8)


def test_a40_every_rebalance_has_its_rows_its_count_and_the_next_one():
    world = World()
    for time in (at(0), at(days=15)):
        world.snapshot(time, {"USDT": 10_000})
    world.rebalances(MONDAYS)
    found = rebuild.compute(world.facts(), Settings(benchmark=Benchmark(rebalance=Rebalance(weekday=0, hour=12))))
    rows = found["benchmark_journal"].filter(event="rebalance")
    assert rows["time"].unique().sort().to_list() == MONDAYS
    assert rows.height == 2 * len(MONDAYS)    # one a leg
    config = only(found["benchmark_configs"])
    assert config["rebalance_count"] == 3
    assert config["last_rebalance_timestamp"] == MONDAYS[-1]
    assert config["next_rebalance_timestamp"] == at(12, days=21)


def test_a46_alpha_is_the_difference_of_the_two_returns():
    """The account gains a tenth, both coins a fifth; a deposit halfway moves neither."""
    world = World()
    world.snapshot(at(0), {"USDT": 10_000})
    world.snapshot(at(1), {"USDT": 11_000})
    world.flow(at(1.5), 5000)
    world.prices = {"BTCUSDT": "60000", "ETHUSDT": "3000"}
    world.snapshot(at(2), {"USDT": 16_000})
    row = only(rebuild.compute(world.facts(), Settings(benchmark=NEVER))["performance"], period="inception")
    assert (row["twr"], row["alpha"]) == pytest.approx((0.1, 0.1 - row["benchmark_twr"]), abs=1e-12)
    assert row["benchmark_twr"] == pytest.approx(0.2, abs=1e-12)


def test_n14_several_benchmarks_stand_side_by_side_from_the_same_flows():
    """A deposit of 6,000 at 50,000 and 2,500; then bitcoin doubles. What 10,000 and the deposit are worth by basket:

    own, half and half   0.16 BTC, 3.2 ETH             16,000 + 8,000
    btc                  0.32 BTC                      32,000
    eth                  6.4 ETH                       16,000
    cash                 16,000 USDT                   16,000
    custom, BTC 0.25 ETH 0.75   0.08 BTC, 4.8 ETH       8,000 + 12,000
    """
    hold = {"btc": {"BTC": 1.0}, "eth": {"ETH": 1.0}, "cash": {"USDT": 1.0}, "custom": {"BTC": 0.25, "ETH": 0.75}}
    config = Settings(benchmark=NEVER, accounts={"main": Account()},
                      benchmarks={name: Benchmark(weights=weights, rebalance="never") for name, weights in hold.items()})
    world = World()
    world.snapshot(at(0), {"USDT": 10_000})
    world.flow(at(1), 6000)
    world.snapshot(at(2), {"USDT": 16_000}, prices=FLAT | {"BTCUSDT": "100000"})
    found = rebuild.compute(world.facts(), config)
    last = found["benchmark_values"].filter(time=at(2))
    assert dict(last.select("benchmark", "value").rows()) == pytest.approx(
        {"own": 24_000, "btc": 32_000, "eth": 16_000, "cash": 16_000, "custom": 20_000})
    facts = found["benchmark_journal"].group_by("benchmark").agg(pl.col("fact").unique().sort())
    assert {tuple(each) for each in facts["fact"].to_list()} == {("deposit:f0", "snapshot")}
    alphas = dict(found["performance"].filter(period="inception").select("benchmark", "benchmark_twr").rows())
    assert alphas == pytest.approx({"own": 0.5, "btc": 1, "eth": 0, "cash": 0, "custom": 0.25})


def test_n14_weekly_and_never_rebalanced_differ_only_by_the_rebalances():
    config = Settings(benchmark=Benchmark(), benchmarks={"hold": NEVER}, accounts={"main": Account()})
    world = World()
    world.snapshot(at(0), {"USDT": 10_000})
    world.flow(at(6), 1000, kind=FlowKind.WITHDRAWAL)
    world.rebalances(MONDAYS)
    world.snapshot(at(days=15), {"USDT": 9000})
    journal = rebuild.compute(world.facts(), config)["benchmark_journal"]
    events = {name: journal.filter(benchmark=name, asset="BTC")["event"].to_list() for name in ("own", "hold")}
    assert events == {"own": ["init", "withdrawal", *["rebalance"] * 3], "hold": ["init", "withdrawal"]}


def test_a44_dollars_and_percent_ahead_are_the_same_on_the_page_and_at_the_end_of_the_chart():
    """10,000 becomes 11,000 while the coins gain 5 %: 500 ahead, 4.76 % of the benchmark's 10,500."""
    world = World()
    world.snapshot(at(0), {"USDT": 10_000})
    world.snapshot(at(1), {"USDT": 11_000}, prices={"BTCUSDT": "52500", "ETHUSDT": "2625"})
    history = rebuild.compute(world.facts(), Settings(benchmark=NEVER))["nav_history"]
    state = series.state(history, "main")
    assert (state.ahead_usd, state.ahead_share) == pytest.approx((500, 500 / 10_500))
    theme.enable()
    spec = json.dumps(charts.difference(history)._repr_mimebundle_(), ensure_ascii=False)
    assert f"{words.dollars(state.ahead_usd, signed=True)} ({words.percent(state.ahead_share)})" in spec

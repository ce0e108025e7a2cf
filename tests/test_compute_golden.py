"""Cases where cash moves and prices do not: every return must be 0 % (CHECKLIST, section F), and A4 to A38.

An account of 10,000 and flat prices; the whole way from facts to the derived tables, without any store.
"""

from __future__ import annotations

import polars as pl
import pytest

from navbook.runner import rebuild
from navbook.settings import Benchmark, Rebalance, Settings
from navbook.types import FlowKind
from worlds import World, at, only

NEVER = Settings(benchmark=Benchmark(rebalance="never"))
DEPOSITED = "15000"


def inception(world: World, config: Settings = NEVER) -> dict[str, object]:
    return only(rebuild.compute(world.facts(), config)["performance"], account="main", period="inception")


def hourly(world: World, after: str = DEPOSITED, seen_from: int = 11 * 60, step: int = 60) -> World:
    """Snapshots from 09:00 to 13:00: 10,000 before the minute `seen_from`, `after` from then on."""
    for minute in range(9 * 60, 13 * 60 + 1, step):
        world.snapshot(at(minutes=minute), {"USDT": after if minute >= seen_from else "10000"})
    return world


def deposit_inside_the_hour() -> World:
    world = World()
    world.flow(at(10, minutes=59, seconds=30), 5000)
    return hourly(world)


def deposit_seen_at_the_next_snapshot() -> World:
    world = World()
    world.flow(at(10, minutes=30), 5000)
    return hourly(world)


def deposit_between_ten_minute_snapshots() -> World:
    world = World()
    world.flow(at(10, minutes=25), 5000)
    return hourly(world, seen_from=10 * 60 + 30, step=10)


def deposit_of_bitcoin() -> World:
    world = World(prices={"BTCUSDT": "60000", "ETHUSDT": "2500"})
    world.flow(at(10, minutes=30), "0.5", "BTC")
    for hour in range(9, 14):
        world.snapshot(at(hour), {"USDT": 10000} | ({"BTC": "0.5"} if hour >= 11 else {}))
    return world


def transfer_from_a_sub_account() -> World:
    world = World()
    world.flow(at(10, minutes=30), 5000, kind=FlowKind.SUB_DEPOSIT)
    return hourly(world)


def withdrawal_beside_a_deposit() -> World:
    world = World()
    world.flow(at(10, minutes=20), 5000)
    world.flow(at(10, minutes=40), 1999, kind=FlowKind.WITHDRAWAL, fee="1")
    return hourly(world, after="13000")


def deposit_at_the_very_instant_of_a_snapshot() -> World:
    world = World()
    world.flow(at(11), 5000)
    return hourly(world)


@pytest.mark.parametrize("case", [
    pytest.param(deposit_inside_the_hour, id="F-A"),
    pytest.param(deposit_seen_at_the_next_snapshot, id="F-B"),
    pytest.param(deposit_between_ten_minute_snapshots, id="F-C"),
    pytest.param(deposit_of_bitcoin, id="F-D"),
    pytest.param(transfer_from_a_sub_account, id="F-E"),
    pytest.param(withdrawal_beside_a_deposit, id="F-W"),
    pytest.param(deposit_at_the_very_instant_of_a_snapshot, id="same instant"),
])
def test_f_cash_moves_and_prices_do_not(case):
    row = inception(case())
    assert [row["twr"], row["benchmark_twr"], row["alpha"]] == pytest.approx([0, 0, 0], abs=1e-12)
    assert row["gain_usd"] == pytest.approx(0, abs=1e-6)
    assert row["intervals_set_aside"] == 0


def test_f_d_values_the_coins_at_their_own_time():
    row = only(rebuild.compute(deposit_of_bitcoin().facts(), NEVER)["flow_values"])
    assert (row["value_usd"], row["price_route"]) == (pytest.approx(30_000), "BTC/USDT")


def test_f_w_counts_both_movements():
    """The withdrawal's time came as text and the deposit's as a number: neither swallows the other."""
    journal = rebuild.compute(withdrawal_beside_a_deposit().facts(), NEVER)["benchmark_journal"]
    assert journal["event"].unique(maintain_order=True).to_list() == ["init", "deposit", "withdrawal"]


def test_a4_starts_with_half_of_the_nav_in_each():
    world = World(prices={"BTCUSDT": "50000", "ETHUSDT": "2500"})
    world.snapshot(at(1), {"USDT": 10_000})
    journal = rebuild.compute(world.facts(), NEVER)["benchmark_journal"]
    assert dict(journal.select("asset", "units_after").iter_rows()) == pytest.approx({"BTC": 0.1, "ETH": 2.0})
    assert journal["event"].to_list() == ["init", "init"]


def test_a5_ignores_what_moved_before_the_start():
    world = World()
    world.flow(at(0), 5000)
    world.snapshot(at(1), {"USDT": 10_000})
    world.snapshot(at(2), {"USDT": 10_000})
    assert rebuild.compute(world.facts(), NEVER)["benchmark_journal"]["event"].unique().to_list() == ["init"]


def test_a22_withdrawals_are_valued_in_dollars():
    world = World(prices={"BTCUSDT": "60000", "ETHUSDT": "2500"})
    world.flow(at(2), "0.5", "BTC", kind=FlowKind.WITHDRAWAL)
    world.snapshot(at(3), {"USDT": 10_000})
    row = only(rebuild.compute(world.facts(), NEVER)["flow_values"])
    assert row["value_usd"] == pytest.approx(-30_000)


def test_a22_the_fee_leaves_the_account_too():
    world = World()
    world.flow(at(2), "100", kind=FlowKind.WITHDRAWAL, fee="1.5")
    world.snapshot(at(3), {"USDT": 10_000})
    assert only(rebuild.compute(world.facts(), NEVER)["flow_values"])["value_usd"] == pytest.approx(-101.5)


def test_a33_a_deposit_buys_half_and_half_at_its_own_price():
    world = World()
    world.snapshot(at(1), {"USDT": 10_000})
    world.prices = {"BTCUSDT": "40000", "ETHUSDT": "2000"}
    world.flow(at(2), 5000)
    world.snapshot(at(3), {"USDT": 15_000})
    journal = rebuild.compute(world.facts(), NEVER)["benchmark_journal"].filter(pl.col("event") == "deposit")
    assert dict(journal.select("asset", "units_after").iter_rows()) == pytest.approx(
        {"BTC": 0.1 + 2500 / 40_000, "ETH": 2 + 2500 / 2000})
    assert journal["fact"].unique().to_list() == ["deposit:f0"]
    assert journal["value_after"][0] - journal["value_before"][0] == pytest.approx(5000)


def test_a34_a_withdrawal_leaves_the_same_part_of_each_leg():
    world = World()
    world.snapshot(at(1), {"USDT": 10_000})
    world.flow(at(2), 2000, kind=FlowKind.WITHDRAWAL)
    world.snapshot(at(3), {"USDT": 8000})
    journal = rebuild.compute(world.facts(), NEVER)["benchmark_journal"].filter(pl.col("event") == "withdrawal")
    assert (journal["units_after"] / journal["units_before"]).to_list() == pytest.approx([0.8, 0.8])


def test_a34_a_share_is_a_share_of_the_account():
    """With withdrawal = "share" a fifth of the account takes a fifth of the benchmark, whatever that is worth."""
    world = World()
    world.snapshot(at(1), {"USDT": 10_000})
    world.snapshot(at(2), {"USDT": 20_000})
    world.flow(at(2, minutes=10), 5000)
    world.flow(at(2, minutes=20), 5000, kind=FlowKind.WITHDRAWAL)
    world.snapshot(at(3), {"USDT": 20_000})
    config = Settings(benchmark=Benchmark(rebalance="never", withdrawal="share"))
    journal = rebuild.compute(world.facts(), config)["benchmark_journal"].filter(pl.col("event") == "withdrawal")
    assert (journal["units_after"] / journal["units_before"]).to_list() == pytest.approx([0.8, 0.8])


def test_a35_a_withdrawal_larger_than_the_benchmark_leaves_nothing_and_warns():
    world = World()
    world.snapshot(at(1), {"USDT": 10_000})
    world.snapshot(at(2), {"USDT": 30_000})
    world.flow(at(2, minutes=30), 12_000, kind=FlowKind.WITHDRAWAL)
    world.snapshot(at(3), {"USDT": 18_000})
    answers = rebuild.compute(world.facts(), NEVER)
    journal = answers["benchmark_journal"].filter(pl.col("event") == "withdrawal")
    assert journal["units_after"].to_list() == [0, 0]
    assert "12000.00 USD from a benchmark of 10000.00" in journal["warning"][0]
    assert answers["benchmark_values"]["value"].to_list() == pytest.approx([10_000, 10_000, 0])


def test_an_empty_benchmark_follows_its_target_weights():
    """After all was withdrawn the benchmark's return is that of half bitcoin, half ether bought then."""
    world = World()
    world.snapshot(at(1), {"USDT": 10_000})
    world.flow(at(1, minutes=30), 10_000, kind=FlowKind.WITHDRAWAL)
    world.snapshot(at(2), {"USDT": 0})
    world.prices = {"BTCUSDT": "60000", "ETHUSDT": "2500"}    # bitcoin +20 %, ether 0 %
    world.flow(at(2, minutes=30), 1000)
    world.snapshot(at(3), {"USDT": 1000})
    history = rebuild.compute(world.facts(), NEVER)["nav_history"]
    assert history["benchmark_index"].to_list() == pytest.approx([1, 1, 1.1])
    assert history["benchmark_value"].to_list() == pytest.approx([10_000, 0, 1000])


WEEKLY = Settings(benchmark=Benchmark(rebalance=Rebalance(weekday=0, hour=17)))


def moved_world() -> World:
    """10,000 at 16:00 on a Monday; at 17:00 bitcoin stands 20 % higher."""
    world = World()
    world.snapshot(at(16), {"USDT": 10_000})
    world.prices = {"BTCUSDT": "60000", "ETHUSDT": "2500"}
    world.rebalances([at(17)])
    world.snapshot(at(18), {"USDT": 10_000})
    return world


def test_a37_rebalances_at_its_weekday_and_hour():
    journal = rebuild.compute(moved_world().facts(), WEEKLY)["benchmark_journal"]
    rebalance = journal.filter(pl.col("event") == "rebalance")
    assert rebalance["time"].unique().to_list() == [at(17)]
    assert dict(rebalance.select("asset", "units_after").iter_rows()) == pytest.approx(
        {"BTC": 5500 / 60_000, "ETH": 5500 / 2500})


def test_a37_each_account_may_have_its_own_schedule():
    world = moved_world()
    config = Settings(benchmark=Benchmark(rebalance="never"),
                      accounts={"main": {"benchmark": {"rebalance": {"weekday": 0, "hour": 17}}}})
    assert "rebalance" in rebuild.compute(world.facts(), config)["benchmark_journal"]["event"].to_list()


def test_a38_a_rebalance_keeps_the_value():
    journal = rebuild.compute(moved_world().facts(), WEEKLY)["benchmark_journal"]
    rebalance = journal.filter(pl.col("event") == "rebalance")
    assert rebalance["value_after"].to_list() == pytest.approx(rebalance["value_before"].to_list(), rel=1e-12)
    assert rebalance["value_before"][0] == pytest.approx(11_000)


def test_a39_a_rebalance_does_not_look_at_the_account():
    world = moved_world()
    rich = moved_world()
    rich.balance_rows = [(*row[:4], row[4] * 2 if row[1] == at(18) else row[4], *row[5:]) for row in rich.balance_rows]
    first, second = (rebuild.compute(each.facts(), WEEKLY)["benchmark_journal"] for each in (world, rich))
    assert first.equals(second)


def test_a41_missed_rebalances_happen_at_their_own_prices():
    """Nothing ran for three weeks: each Monday's rebalance is made at that Monday's price."""
    world = World()
    world.snapshot(at(16), {"USDT": 10_000})
    for week, price in enumerate(("50000", "55000", "60000", "45000")):
        world.prices = {"BTCUSDT": price, "ETHUSDT": "2500"}
        world.rebalances([at(17, days=7 * week)])
    world.snapshot(at(18, days=21), {"USDT": 10_000})
    journal = rebuild.compute(world.facts(), WEEKLY)["benchmark_journal"].filter(pl.col("event") == "rebalance")
    assert journal.filter(pl.col("asset") == "BTC")["price"].to_list() == [50_000, 55_000, 60_000, 45_000]

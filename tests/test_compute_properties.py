"""Laws that no table of cases can say, and the benchmark fold against a second implementation in exact decimals."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal, getcontext

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navbook.compute import valuation
from navbook.runner import rebuild
from navbook.settings import STABLECOINS, Benchmark, Rebalance, Settings
from navbook.types import FlowKind
from worlds import START, World, at

getcontext().prec = 50
CONFIG = Settings(benchmark=Benchmark(rebalance=Rebalance(weekday=2, hour=9)))
HOURS = 24 * 15


class Walk(World):
    """A world whose prices change by the minute, the same for whoever asks."""

    def price(self, symbol: str, time: datetime) -> Decimal:
        start = {"BTCUSDT": 50_000, "ETHUSDT": 2500}[symbol]
        minutes = int((time - START).total_seconds() // 60)
        wave = random.Random(f"{symbol} {minutes // 240}").uniform(0.7, 1.4)
        return (Decimal(start) * Decimal(str(round(wave, 4)))).quantize(Decimal("0.01"))


def random_world(seed: int) -> Walk:
    """Two weeks: snapshots every four hours, deposits and withdrawals at any minute, three Wednesdays."""
    dice = random.Random(seed)
    world = Walk()
    cash = Decimal(10_000)
    moves = sorted((dice.randrange(0, HOURS * 60), dice.choice([-3000, -500, 250, 4000])) for _ in range(dice.randrange(12)))
    for hour in range(0, HOURS + 1, 4):
        while moves and moves[0][0] <= hour * 60:
            minute, amount = moves.pop(0)
            kind = FlowKind.DEPOSIT if amount > 0 else FlowKind.WITHDRAWAL
            world.flow(at(minutes=minute, seconds=dice.randrange(60) if minute % 60 else 0), abs(amount), kind=kind)
            cash += amount
        world.snapshot(at(hour), {"USDT": str(cash)})
    world.rebalances([at(57, days=7 * week) for week in range(3)])
    return world


def by_hand(world: Walk, until: datetime) -> tuple[dict[str, Decimal], Decimal]:
    """Units and value of half bitcoin, half ether at `until`, in exact decimals, straight from DESIGN's rules."""
    def price(leg: str, time: datetime) -> Decimal:
        return world.price(f"{leg}USDT", time)

    nav = Decimal(10_000) + sum((row[7] if row[5] is FlowKind.DEPOSIT else -row[7]) for row in world.flow_rows
                                if row[3] <= START)
    units = {leg: nav / 2 / price(leg, START) for leg in ("BTC", "ETH")}
    flows = [(row[3], 0, row[2], row[7] if row[5] is FlowKind.DEPOSIT else -row[7]) for row in world.flow_rows]
    due = [(at(57, days=7 * week), 1, "", Decimal(0)) for week in range(3)]
    for time, is_rebalance, _, amount in sorted(flows + due):
        if not START < time <= until:
            continue
        value = sum(units[leg] * price(leg, time) for leg in units)
        if is_rebalance:
            units = {leg: value / 2 / price(leg, time) for leg in units}
        elif amount > 0:
            units = {leg: units[leg] + amount / 2 / price(leg, time) for leg in units}
        else:
            units = {leg: units[leg] * max(Decimal(0), 1 + amount / value) if value else Decimal(0) for leg in units}
    return units, sum(units[leg] * price(leg, until) for leg in units)


@pytest.mark.parametrize("seed", range(40))
def test_the_fold_equals_a_second_implementation_in_exact_decimals(seed):
    world = random_world(seed)
    answers = rebuild.compute(world.facts(), CONFIG)
    for hour in (0, 96, 200, HOURS):
        _units, value = by_hand(world, at(hour))
        stored = answers["benchmark_values"].filter(pl.col("time") == at(hour))["value"].item()
        assert stored == pytest.approx(float(value), rel=1e-9, abs=1e-6)
    last = answers["benchmark_journal"].sort("step").group_by("asset").last()
    assert dict(last.select("asset", "units_after").iter_rows()) == pytest.approx(
        {leg: float(held) for leg, held in by_hand(world, at(HOURS))[0].items()}, rel=1e-9, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 47), st.integers(1, 9000)), max_size=6))
def test_a45_a_return_ignores_cash_flows(moves):
    """Flat prices and any deposits: nothing was gained, by the account or by the benchmark."""
    world = World()
    cash = 10_000
    for quarter in range(13 * 4):
        for minute, amount in moves:
            if minute == quarter:
                world.flow(at(minutes=15 * quarter - 7), amount)
                cash += amount
        if quarter % 4 == 0 or quarter == 51:
            world.snapshot(at(minutes=15 * quarter), {"USDT": cash})
    performance = rebuild.compute(world.facts(), CONFIG)["performance"]
    assert performance["twr"].to_list() == pytest.approx([0.0] * performance.height, abs=1e-9)
    assert performance["benchmark_twr"].to_list() == pytest.approx([0.0] * performance.height, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_facts_in_any_order_give_the_same_answers(seed):
    facts = random_world(seed).facts()
    dice = random.Random(seed)
    shuffled = type(facts)(**{name: frame.sample(fraction=1, shuffle=True, seed=dice.randrange(10**6))
                              for name, frame in vars(facts).items()})
    first, second = (rebuild.compute(each, CONFIG) for each in (facts, shuffled))
    for name, frame in first.items():
        key = rebuild.schemas.DERIVED[name].key
        assert frame.sort(key).equals(second[name].sort(key)), name


@pytest.mark.parametrize("seed", range(5))
def test_the_past_does_not_change_when_the_future_is_cut_off(seed):
    world = random_world(seed)
    whole = rebuild.compute(world.facts(), CONFIG)["nav_history"]
    half = Walk(**{name: list(rows) if isinstance(rows, list) else rows for name, rows in vars(world).items()})
    half.snapshot_rows = [row for row in world.snapshot_rows if row[1] <= at(200)]
    half.balance_rows = [row for row in world.balance_rows if row[1] <= at(200)]
    cut = rebuild.compute(half.facts(), CONFIG)["nav_history"]
    assert cut.equals(whole.filter(pl.col("time") <= at(200)))


@given(st.sampled_from(["BTC", "ETH", "ABC", "USDT", "LDO"]),
       st.dictionaries(st.sampled_from(["BTCUSDT", "ETHUSDT", "BNBUSDT", "ABCUSDT", "ABCUSDC", "ABCBTC", "ABCETH", "LDOBNB"]),
                       st.integers(1, 10**6).map(float)))
def test_a12_the_first_route_whose_pairs_have_a_price_wins(asset, prices):
    """The vectorised pricing equals the rule as one reads it."""
    def expected() -> tuple[float | None, str | None]:
        if asset in STABLECOINS:
            return 1.0, "counts 1"
        for dollar in ("USDT", "USDC", "FDUSD"):
            if asset + dollar in prices:
                return prices[asset + dollar], f"{asset}/{dollar}"
        for bridge in ("BTC", "ETH", "BNB"):
            if asset + bridge in prices and f"{bridge}USDT" in prices:
                return prices[asset + bridge] * prices[f"{bridge}USDT"], f"via_{bridge.lower()}"
        return None, None

    stored = pl.DataFrame([(START, symbol, price) for symbol, price in prices.items()], orient="row",
                          schema={"time": pl.Datetime("us", "UTC"), "symbol": pl.String, "price": pl.Float64})
    wanted = pl.DataFrame({"asset": [asset], "time": [START]}, schema={"asset": pl.String, "time": pl.Datetime("us", "UTC")})
    found = valuation.priced(wanted, stored, STABLECOINS)
    assert (found["price"].item(), found["price_route"].item()) == expected()


def test_walk_prices_are_the_same_for_whoever_asks():
    assert Walk().price("BTCUSDT", START) == Walk().price("BTCUSDT", START + timedelta(minutes=239))

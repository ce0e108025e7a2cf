"""The bridge from one net asset value to the next: a case worked by hand, and worlds that know their own parts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navbook import schemas
from navbook.compute import bridge
from worlds import at, only

RESIDUAL = "residual_usd"
ALL_PARTS = (*bridge.PARTS, RESIDUAL)
QUANTITY = pl.Float64()


@dataclass
class Books:
    """What one account held at its snapshots, and what happened between them."""

    snapshots: list[tuple[datetime, float]] = field(default_factory=list)
    holdings: list[tuple[object, ...]] = field(default_factory=list)
    flows: list[tuple[object, ...]] = field(default_factory=list)
    income: list[tuple[object, ...]] = field(default_factory=list)
    rewards: list[tuple[object, ...]] = field(default_factory=list)
    quotes: list[tuple[object, ...]] = field(default_factory=list)

    def snapshot(self, time: datetime, prices: Mapping[str, float | None], *, counted: bool = True,
                 **wallets: Mapping[str, float]) -> float:
        """Quantities by wallet and asset; `prices` are quotes too. Returns the net asset value."""
        rows = [("main", time, wallet, asset, float(quantity), prices[asset], "", quantity * (prices[asset] or 0.0))
                for wallet, assets in wallets.items() for asset, quantity in assets.items()]
        self.holdings += [row if row[5] is not None else (*row[:7], None) for row in rows]
        self.quotes += [(time, asset, price) for asset, price in prices.items() if price is not None]
        nav = sum(row[7] for row in rows)
        if counted:
            self.snapshots.append((time, nav))
        return nav

    def frames(self, order: random.Random | None = None) -> dict[str, pl.DataFrame]:
        """The frames that `bridge` takes; all but snapshots and quotes in an order of `order`."""
        time = schemas.TIME
        rows = {"holdings": (self.holdings, schemas.HOLDINGS.columns),
                "flows": (self.flows, {"time": time, "asset": pl.String, "quantity": QUANTITY, "value_usd": QUANTITY}),
                "income": (self.income, {"time": time, "kind": pl.String, "asset": pl.String, "amount": QUANTITY}),
                "rewards": (self.rewards, {"time": time, "asset": pl.String, "amount": QUANTITY}),
                "quotes": (self.quotes, {"time": time, "asset": pl.String, "price": QUANTITY})}
        shuffled = {name: (order.sample(list(found), len(found)) if order else found, schema)
                    for name, (found, schema) in rows.items()}
        navs = pl.DataFrame(self.snapshots, schema={"time": time, "nav": QUANTITY}, orient="row")
        return {"navs": navs} | {name: pl.DataFrame(found, schema=schema, orient="row")
                                 for name, (found, schema) in shuffled.items()
                                 } | {"quotes": pl.DataFrame(self.quotes, schema=rows["quotes"][1],
                                                             orient="row").sort("asset", "time")}

    def bridge(self, *periods: tuple[str, datetime, datetime]) -> pl.DataFrame:
        return bridge.bridge("main", periods, **self.frames())

    def parts(self) -> dict[str, float]:
        """The parts from the first snapshot to the last."""
        row = only(self.bridge(("inception", self.snapshots[0][0], self.snapshots[-1][0])))
        return {part: row[part] for part in ALL_PARTS}


def nothing_but(**parts: float) -> dict[str, float]:
    return dict.fromkeys(ALL_PARTS, 0.0) | parts


def a_day_with_everything() -> Books:
    books = Books()
    books.snapshot(at(0), {"USDT": 1, "BTC": 50_000, "BNB": 600},
                   spot={"USDT": 1000, "BTC": 0.1}, futures={"USDT": 500, "BNB": 0.05})
    books.flows = [(at(5), "BTC", 0.02, 1020.0)]                      # at 51,000
    books.rewards = [(at(6), "SOL", 0.5)]
    books.income = [(at(1), "TRANSFER", "USDT", 200.0), (at(8), "FUNDING_FEE", "USDT", -3.0),
                    (at(9), "REALIZED_PNL", "USDT", 40.0), (at(9), "COMMISSION", "USDT", -2.0),
                    (at(9), "COMMISSION", "BNB", -0.01)]
    # 0.01 BTC bought for 505 USDT, worth 520 now; a position is 25 USDT in profit
    books.snapshot(at(24), {"USDT": 1, "BTC": 52_000, "BNB": 610, "SOL": 100},
                   spot={"USDT": 1000 - 200 - 505, "BTC": 0.13, "SOL": 0.5},
                   futures={"USDT": 500 + 200 + 40 - 3 - 2 + 25, "BNB": 0.04})
    return books


def test_n3_every_part_worked_by_hand():
    row = only(a_day_with_everything().bridge(("inception", at(0), at(24))))
    assert row == {
        "account": "main", "period": "inception", "from_time": at(0), "to_time": at(24), "nav_from": 6530.0,
        "flows_usd": 1020.0, "realised_usd": 40.0, "funding_usd": -3.0,
        "commission_usd": -8.1,       # 2 USDT, and 0.01 BNB at 610
        "rewards_usd": 50.0,
        "price_effect_usd": 245.5,    # 0.1 BTC x 2000, 0.02 BTC x 1000 since the deposit, 0.05 BNB x 10, 25 unrealised
        "residual_usd": 15.0,         # the purchase, against the price of the snapshot
        "nav_to": 7889.4}


def test_a_transfer_to_futures_leaves_nothing():
    books = Books()
    books.snapshot(at(0), {"USDT": 1}, spot={"USDT": 1000})
    books.income = [(at(1), "TRANSFER", "USDT", 400.0)]
    books.snapshot(at(2), {"USDT": 1}, spot={"USDT": 600}, futures={"USDT": 400})
    assert books.parts() == nothing_but()
    books.income = []
    assert books.parts() == nothing_but(price_effect_usd=400.0, residual_usd=-400.0)    # as the docstring warns


def test_a_transfer_between_other_wallets_leaves_nothing():
    books = Books()
    books.snapshot(at(0), {"BTC": 50_000}, spot={"BTC": 1})
    books.snapshot(at(1), {"BTC": 60_000}, spot={"BTC": 0.4}, earn_flexible={"BTC": 0.6})
    assert books.parts() == nothing_but(price_effect_usd=10_000.0)


def test_profit_that_was_unrealised_and_becomes_realised_counts_once():
    books = Books()
    for hour, margin in enumerate((1000, 1070, 1080)):
        books.snapshot(at(hour), {"USDT": 1}, futures={"USDT": margin})
    books.income = [(at(1, minutes=30), "REALIZED_PNL", "USDT", 80.0)]
    opened, closed = books.bridge(("open", at(0), at(1)), ("closed", at(1), at(2))).to_dicts()
    assert (opened["price_effect_usd"], opened["realised_usd"]) == (70, 0)
    assert (closed["price_effect_usd"], closed["realised_usd"]) == (-70, 80)


@pytest.mark.parametrize(("quoted", "price_effect", "residual"), [
    pytest.param(True, 200, 0, id="at the next snapshot's quote"),
    pytest.param(False, 0, 200, id="without a quote at its last price"),
])
def test_what_is_sold_out(quoted, price_effect, residual):
    books = Books()
    books.snapshot(at(0), {"USDT": 1, "ETH": 2000}, spot={"ETH": 1, "USDT": 10})
    books.snapshot(at(1), {"USDT": 1} | ({"ETH": 2200} if quoted else {}), spot={"USDT": 2210})
    books.snapshot(at(2), {"USDT": 1, "ETH": 3000}, spot={"USDT": 10, "ETH": 2200 / 3000})    # bought again
    assert books.parts() == nothing_but(price_effect_usd=price_effect, residual_usd=residual)


def test_what_has_no_price_counts_nowhere_and_shows_as_price_effect_when_it_gets_one():
    books = Books()
    books.snapshot(at(0), {"NEW": None, "USDT": 1}, spot={"NEW": 100, "USDT": 50})
    books.rewards = [(at(0, minutes=30), "NEW", 100.0)]
    books.snapshot(at(1), {"NEW": None, "USDT": 1}, spot={"NEW": 200, "USDT": 50})
    books.snapshot(at(2), {"NEW": 0.5, "USDT": 1}, spot={"NEW": 200, "USDT": 50})
    before, after = books.bridge(("before", at(0), at(1)), ("after", at(1), at(2))).to_dicts()
    assert {part: before[part] for part in ALL_PARTS} == nothing_but()
    assert {part: after[part] for part in ALL_PARTS} == nothing_but(price_effect_usd=100)


def test_a_flow_without_value_and_income_of_an_unknown_kind_are_in_the_residual():
    books = Books()
    books.snapshot(at(0), {"USDT": 1, "BTC": 50_000}, spot={"USDT": 100}, futures={"USDT": 100})
    books.flows = [(at(1), "BTC", 0.01, None)]
    books.income = [(at(1), "SOMETHING_NEW", "USDT", 7.0)]
    books.snapshot(at(2), {"USDT": 1, "BTC": 50_000}, spot={"USDT": 100, "BTC": 0.01}, futures={"USDT": 107})
    assert books.parts() == nothing_but(residual_usd=507)


def test_a_withdrawal_under_way_and_its_fee():
    """In transit it moves with its price; complete, it is a flow of its own time."""
    books = Books()
    books.snapshot(at(0), {"BTC": 50_000}, spot={"BTC": 1})
    books.snapshot(at(1), {"BTC": 51_000}, spot={"BTC": 0.7}, in_transit={"BTC": 0.3})
    books.flows = [(at(1, minutes=30), "BTC", -0.3, -0.3 * 51_500)]
    books.snapshot(at(2), {"BTC": 52_000}, spot={"BTC": 0.7})
    assert books.parts() == nothing_but(flows_usd=-15_450, price_effect_usd=1000 + 0.7 * 1000 + 0.3 * 500)


def test_snapshots_that_do_not_count_are_passed_over():
    books = Books()
    books.snapshot(at(0), {"BTC": 50_000}, spot={"BTC": 1})
    books.snapshot(at(1), {"BTC": 51_000}, counted=False, spot={"BTC": 7}, futures={"BTC": 7})
    books.snapshot(at(2), {"BTC": 52_000}, spot={"BTC": 1})
    assert books.parts() == nothing_but(price_effect_usd=2000)


def test_a_period_between_snapshots_starts_and_ends_at_the_last_one_before():
    books = Books()
    for hour in range(5):
        books.snapshot(at(hour), {"BTC": 50_000 + 100 * hour}, spot={"BTC": 1})
    rows = books.bridge(("inside", at(1.5), at(3.9)), ("before", at(-9), at(2)), ("after", at(90), at(99)),
                        ("far before", at(-9), at(-8)))
    assert rows.select("from_time", "to_time", "price_effect_usd").rows() == [
        (at(1), at(3), 200.0), (at(0), at(2), 200.0), (at(4), at(4), 0.0), (at(0), at(0), 0.0)]


def test_what_happens_at_the_instant_of_a_snapshot_belongs_to_the_interval_that_it_ends():
    books = Books()
    books.flows = [(at(hour), "USDT", 1.0, 1.0) for hour in range(4)]
    for hour in range(4):
        books.snapshot(at(hour), {"USDT": 1}, spot={"USDT": 100 + hour})
    assert books.bridge(("middle", at(1), at(2)))["flows_usd"].to_list() == [1.0]
    assert books.parts() == nothing_but(flows_usd=3.0)


def test_no_snapshot_and_no_period():
    assert Books().bridge(("inception", at(0), at(1))).is_empty()
    assert a_day_with_everything().bridge().is_empty()


ASSETS = ("USDT", "BTC", "ETH", "BNB")
SPOT_KINDS = ("REALIZED_PNL", "FUNDING_FEE", "COMMISSION", "BFUSD_REWARD", "TRANSFER")


def random_world(seed: int) -> tuple[Books, dict[str, float]]:
    """Snapshots with everything between them but trades away from the snapshot's price; and the true parts."""
    dice, books, truth = random.Random(seed), Books(), nothing_but()
    prices = {"USDT": 1.0, "BTC": 50_000.0, "ETH": 2500.0, "BNB": 600.0}
    spot = {asset: dice.uniform(0, 1000) / prices[asset] for asset in ASSETS}
    futures = {"USDT": 500.0, "BNB": 0.1}
    books.snapshot(at(0), prices, spot=spot, futures=futures)
    for hour in range(1, dice.randint(2, 8)):
        before = dict(prices)
        prices = {asset: price if asset == "USDT" else price * dice.uniform(0.8, 1.25) for asset, price in prices.items()}
        truth["price_effect_usd"] += sum(quantity * (prices[asset] - before[asset])
                                         for wallet in (spot, futures) for asset, quantity in wallet.items())
        for _ in range(dice.randint(0, 3)):
            asset, when = dice.choice(ASSETS), at(hour - dice.random())
            quantity, price = dice.uniform(-0.2, 1) * 1000 / prices[asset], before[asset] * dice.uniform(0.9, 1.1)
            books.flows.append((when, asset, quantity, quantity * price))
            truth["flows_usd"] += quantity * price
            truth["price_effect_usd"] += quantity * (prices[asset] - price)
            spot[asset] += quantity
        for _ in range(dice.randint(0, 4)):
            kind, asset, amount = dice.choice(SPOT_KINDS), dice.choice(list(futures)), dice.uniform(-5, 5)
            books.income.append((at(hour - dice.random()), kind, asset, amount))
            futures[asset] += amount
            if kind == "TRANSFER":
                spot[asset] -= amount
            else:
                truth[bridge.KINDS[kind]] += amount * prices[asset]
        if dice.random() < 0.5:
            unrealised = dice.uniform(-50, 50)
            futures["USDT"] += unrealised
            truth["price_effect_usd"] += unrealised
        if dice.random() < 0.3:
            books.rewards.append((at(hour), "BNB", 0.001))
            spot["BNB"] += 0.001
            truth["rewards_usd"] += 0.001 * prices["BNB"]
        sold, bought = dice.sample(ASSETS, 2)    # all of it, at the price of the snapshot
        spot[bought] += spot[sold] * prices[sold] / prices[bought]
        spot[sold] = 0.0
        held = {asset: quantity for asset, quantity in spot.items() if quantity}    # what is 0 has no row
        books.snapshot(at(hour), prices, spot=held, futures=futures)
    return books, truth


@given(st.integers(0, 10**9))
def test_n3_parts_are_those_that_the_world_was_made_of(seed):
    books, truth = random_world(seed)
    parts = books.parts()
    assert abs(parts.pop(RESIDUAL)) < 0.045    # rounding of eight numbers
    assert parts == pytest.approx({part: truth[part] for part in parts}, abs=0.0051)


def cents(usd: float) -> int:
    return round(usd * 100)


@given(st.integers(0, 10**9), st.floats(0, 8), st.floats(0, 8))
def test_n3_parts_add_up_to_the_cent(seed, start, end):
    """In any period of any world, also one whose facts do not fit together; in whole cents."""
    books, _ = random_world(seed)
    books.income, books.flows = books.income[1:], [*books.flows, (at(1), "DOGE", 3.0, 1234.5678)]
    row = only(books.bridge(("any", at(start), at(end))))
    assert cents(row["nav_from"]) + sum(cents(row[part]) for part in ALL_PARTS) == cents(row["nav_to"])
    assert all(row[part] == cents(row[part]) / 100 for part in ALL_PARTS)


@settings(max_examples=25)
@given(st.integers(0, 10**9))
def test_two_periods_are_one_to_the_cent(seed):
    books, _ = random_world(seed)
    last = books.snapshots[-1][0]
    one, two, whole = books.bridge(("one", at(0), at(1)), ("two", at(1), last), ("whole", at(0), last)).to_dicts()
    for part in ALL_PARTS:
        assert one[part] + two[part] == pytest.approx(whole[part], abs=0.07)    # each part is rounded, the residual last


@settings(max_examples=25)
@given(st.integers(0, 10**9), st.randoms(use_true_random=False))
def test_facts_in_any_order_make_the_same_bridge(seed, order):
    books, _ = random_world(seed)
    period = ("inception", at(0), at(9))
    assert bridge.bridge("main", [period], **books.frames(order)).equals(books.bridge(period))

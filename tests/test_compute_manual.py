"""Flows added, marked and priced by hand: what they change, and that undoing them changes it back."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navbook import schemas
from navbook.compute import cash_flows, flow_list, manual
from navbook.compute.flow_list import Standing
from navbook.settings import STABLECOINS
from navbook.types import Action, FlowKind, FlowStatus
from worlds import World, at, entries, only

NOTHING = schemas.MANUAL_ENTRIES.empty()


def mark(source: str, flow: str, kind: FlowKind | None = None, **more: object) -> dict[str, object]:
    return {"action": Action.MARK, "source": source, "flow": flow, "kind": kind, **more}


def priced(source: str, flow: str, price: str, **more: object) -> dict[str, object]:
    return {"action": Action.PRICE, "source": source, "flow": flow, "price_usd": Decimal(price), **more}


def added(hours: float, amount: str, asset: str = "USDT", kind: FlowKind = FlowKind.DEPOSIT,
          **more: object) -> dict[str, object]:
    return {"action": Action.ADD, "time": at(hours), "kind": kind, "asset": asset, "amount": Decimal(amount), **more}


def worth(world: World, said: pl.DataFrame) -> pl.DataFrame:
    facts = world.facts()
    put_right = manual.applied(facts.cash_flows, said)
    values = cash_flows.values(cash_flows.counted(put_right.cash_flows), cash_flows.closes(facts.candles), STABLECOINS)
    return manual.by_hand(values, put_right.prices)


def standings(world: World, said: pl.DataFrame = NOTHING, start: float = 0) -> dict[str, tuple[str, str]]:
    starts = pl.DataFrame({"account": ["main"], "start": [at(start)]}, schema={"account": pl.String, "start": schemas.TIME})
    listed = flow_list.flow_list(world.facts().cash_flows, said, worth(world, said), starts)
    return {row["flow"]: (row["standing"], row["why"]) for row in listed.iter_rows(named=True)}


def test_without_entries_flows_are_as_they_were():
    world = World()
    world.flow(at(1), 5000)
    flows = world.facts().cash_flows
    assert manual.applied(flows, NOTHING).cash_flows.equals(flows)


def test_an_added_flow_counts_at_its_own_time():
    world = World()
    world.candle_before(at(5))
    said = entries(added(5, "0.5", "BTC"), added(6, "100", kind=FlowKind.WITHDRAWAL))
    values = worth(world, said)
    bought = only(values, source="manual", id="e1")
    assert (bought["time"], bought["value_usd"], bought["price_route"]) == (at(5), 25_000, "BTC/USDT")
    assert only(values, source="manual", id="e2")["value_usd"] == -100


def test_an_added_flow_may_bring_its_own_price():
    values = worth(World(), entries(added(5, "200", "OBSCURE", price_usd=Decimal("1.5"))))
    assert (only(values)["value_usd"], only(values)["price_route"]) == (300, "by hand")


@pytest.mark.parametrize(("kind", "left"), [
    pytest.param(None, [], id="ignored: it is no flow"),
    pytest.param(FlowKind.FEE_WITHDRAWAL, [FlowKind.FEE_WITHDRAWAL], id="of another kind"),
])
def test_a_mark_changes_the_kind_or_takes_the_flow_out(kind, left):
    world = World()
    world.flow(at(1), 500, kind=FlowKind.WITHDRAWAL, flow_id="w1")
    assert worth(world, entries(mark("withdrawal", "w1", kind)))["kind"].to_list() == left


def test_a_mark_of_another_account_changes_nothing():
    world = World(accounts=("main", "sub"))
    world.flow(at(1), 500, flow_id="d1", account="sub")
    assert worth(world, entries(mark("deposit", "d1")))["account"].to_list() == ["sub"]


def test_of_two_marks_the_newest_counts_until_it_is_revoked():
    world = World()
    world.flow(at(1), 500, kind=FlowKind.WITHDRAWAL, flow_id="w1")
    fee, ignored = mark("withdrawal", "w1", FlowKind.FEE_WITHDRAWAL), mark("withdrawal", "w1")
    assert worth(world, entries(fee, ignored)).is_empty()
    assert only(worth(world, entries(fee, ignored | {"revoked": True})))["kind"] == FlowKind.FEE_WITHDRAWAL


def test_a_flow_that_is_ignored_does_not_come_back_as_its_twin():
    """A transfer from the master stands among the deposits too: no flow means neither of the two."""
    world = World()
    world.flow(at(1), 500, kind=FlowKind.SUB_DEPOSIT, flow_id="t1", tx_id="t1")
    world.flow(at(1, minutes=1), 500, internal=True, flow_id="d1", tx_id="t1")
    assert worth(world, NOTHING)["id"].to_list() == ["t1"]
    said = entries(mark("sub_transfer", "t1"))
    assert worth(world, said).is_empty()
    assert standings(world, said) == {"sub_transfer:t1": (Standing.IGNORED, "marked by e1"),
                                      "deposit:d1": (Standing.TWIN, "listed as sub_transfer:t1")}


def test_a_price_by_hand_stands_before_the_markets():
    world = World()
    world.flow(at(1), 2, "BTC", flow_id="d1")
    row = only(worth(world, entries(priced("deposit", "d1", "49000"), priced("deposit", "d1", "48000"))))
    assert (row["price"], row["price_route"], row["value_usd"]) == (48_000, "by hand", 96_000)


def test_a68_a_price_given_later_puts_the_flow_in_at_its_own_time():
    world = World()
    world.flow(at(1), 100, "OBSCURE", flow_id="d1")
    assert only(worth(world, NOTHING))["value_usd"] is None
    row = only(worth(world, entries(priced("deposit", "d1", "2.5"))))
    assert (row["time"], row["value_usd"]) == (at(1), 250)


def test_a68_a_candle_that_comes_later_puts_the_flow_in_at_its_own_time():
    world = World(prices={"BTCUSDT": "50000", "ETHUSDT": "2500"})
    world.flow(at(1), 100, "SOL", flow_id="d1")
    assert only(worth(world, NOTHING))["value_usd"] is None
    world.prices = {**world.prices, "SOLUSDT": "150"}
    world.candle_before(at(1))
    assert (only(worth(world, NOTHING))["time"], only(worth(world, NOTHING))["value_usd"]) == (at(1), 15_000)


def test_what_is_not_counted_says_why():
    world = World()
    world.flow(at(-1), 1, flow_id="early")
    world.flow(at(0), 1, flow_id="with the first snapshot")
    world.flow(at(1), 1, flow_id="counted")
    world.flow(at(2), 1, flow_id="pending", status=FlowStatus.PENDING)
    world.flow(at(3), 1, flow_id="failed", status=FlowStatus.FAILED)
    world.flow(at(4), 1, "OBSCURE", flow_id="unpriced")
    world.flow(at(5), 1, flow_id="gift")
    world.flow(at(6), 1, flow_id="known")
    said = entries(mark("deposit", "gift"), priced("deposit", "known", "1"), added(7, "3"))
    assert standings(world, said) == {
        "deposit:early": (Standing.BEFORE, ""), "deposit:with the first snapshot": (Standing.BEFORE, ""),
        "deposit:counted": (Standing.COUNTED, ""), "deposit:pending": (Standing.PENDING, ""),
        "deposit:failed": (Standing.FAILED, ""), "deposit:unpriced": (Standing.NO_PRICE, ""),
        "deposit:gift": (Standing.IGNORED, "marked by e1"), "deposit:known": (Standing.COUNTED, "priced by e2"),
        "manual:e3": (Standing.COUNTED, "added by e3")}


def some_world() -> World:
    world = World()
    for number in range(3):
        world.flow(at(number), 100 + number, flow_id=f"f{number}")
        world.flow(at(number, minutes=1), 100 + number, flow_id=f"f{number}", kind=FlowKind.SUB_DEPOSIT, tx_id=f"f{number}")
        world.flow(at(number), 100 + number, flow_id=f"f{number}", source="internal", internal=True, tx_id=f"f{number}")
    return world


SAID = st.one_of(
    st.builds(lambda number, kind: mark("deposit", f"f{number}", kind), st.integers(0, 4),
              st.sampled_from([None, FlowKind.C2C_BUY, FlowKind.FIAT_DEPOSIT])),
    st.builds(lambda number: mark("sub_transfer", f"f{number}"), st.integers(0, 4)),
    st.builds(lambda number, price: priced("deposit", f"f{number}", price), st.integers(0, 4), st.sampled_from("123")),
    st.builds(lambda hours, amount: added(hours, amount), st.integers(0, 9), st.sampled_from(["5", "0.1"])))


@given(st.lists(st.tuples(SAID, st.booleans()), max_size=8), st.randoms())
def test_order_and_repetition_change_nothing(said, random):
    facts = some_world().facts()
    frame = entries(*({**entry, "revoked": revoked} for entry, revoked in said))
    once = manual.applied(facts.cash_flows, frame)
    order = random.sample(range(frame.height), frame.height)
    flows = facts.cash_flows.sample(fraction=1, shuffle=True, seed=random.randrange(100))
    shuffled = manual.applied(flows, frame[order])
    twice = manual.applied(once.cash_flows, frame)
    assert once.cash_flows.equals(shuffled.cash_flows)
    assert once.prices.equals(shuffled.prices)
    assert cash_flows.counted(once.cash_flows).sort("source", "id").equals(
        cash_flows.counted(twice.cash_flows).sort("source", "id"))


@given(st.lists(SAID, max_size=6))
def test_revoking_everything_leaves_no_trace(said):
    facts = some_world().facts()
    undone = manual.applied(facts.cash_flows, entries(*({**entry, "revoked": True} for entry in said)))
    assert undone.cash_flows.equals(facts.cash_flows.sort(manual.FLOW))
    assert undone.prices.is_empty()

"""What a deposit bought in the benchmark, and what became of it: a case by hand, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navbook.compute.benchmark import Event, Rules, replay
from navbook.compute.flow_share import flow_share, made
from worlds import at

RULES = Rules(name="own", weights={"BTC": 0.5, "ETH": 0.5}, rebalance=None)
START = {"BTC": 50_000.0, "ETH": 2500.0}


def journal(*happened: tuple[str, float], prices: list[dict[str, float]] | None = None):
    """Events at 1 h, 2 h, …, after a start of 10,000; flat prices unless they are given."""
    events = [Event(time=at(0), kind="init", fact="snapshot", flow_usd=10_000.0)]
    events += [Event(time=at(hour), kind=kind, fact=f"{kind}:{hour}", flow_usd=usd)
               for hour, (kind, usd) in enumerate(happened, 1)]
    at_events = prices or [START] * len(happened)
    return replay("main", RULES, events, {at(hour): then for hour, then in enumerate([START, *at_events])}).journal()


def test_a_deposit_is_thinned_by_later_ones_and_bears_its_part_of_withdrawals():
    share = flow_share(journal(("deposit", 5000), ("withdrawal", -3000), ("deposit", 3000), ("rebalance", 0)), "deposit:1")
    assert share.legs == [("BTC", 50_000, pytest.approx(0.05)), ("ETH", 2500, pytest.approx(1))]
    assert share.share_then == pytest.approx(1 / 3)
    assert share.taken_usd == pytest.approx(1000)
    assert share.share_now == pytest.approx(4000 / 15_000)
    assert share.since == {"deposit": 1, "rebalance": 1, "withdrawal": 1}


def test_a_withdrawal_sold_units_and_is_no_share():
    share = flow_share(journal(("withdrawal", -2500)), "withdrawal:1")
    assert share.legs == [("BTC", 50_000, pytest.approx(-0.025)), ("ETH", 2500, pytest.approx(-0.5))]
    assert (share.share_then, share.share_now) == (0, 0)


def test_what_a_withdrawal_empties_is_gone():
    share = flow_share(journal(("deposit", 5000), ("withdrawal", -20_000), ("deposit", 1000)), "deposit:1")
    assert (share.share_now, share.taken_usd) == (0, pytest.approx(5000))


def test_a_flow_that_is_not_in_it():
    assert flow_share(journal(), "deposit:9") is None


MOVES = st.one_of(st.tuples(st.just("deposit"), st.floats(1, 50_000)), st.tuples(st.just("withdrawal"), st.floats(-4000, -1)),
                  st.tuples(st.just("rebalance"), st.just(0.0)))
QUOTES = st.fixed_dictionaries({"BTC": st.floats(20_000, 90_000), "ETH": st.floats(1000, 5000)})


@given(st.lists(st.tuples(MOVES, QUOTES), min_size=1, max_size=12))
def test_the_start_and_all_deposits_are_the_whole(moves):
    """Shares add up to one, as long as there is anything; and what withdrawals took adds up to what left."""
    line = journal(*(move for move, _ in moves), prices=[quote for _, quote in moves])
    bought = line.filter(line["event"].is_in(["init", "deposit"]))["fact"].unique()
    shares = [flow_share(line, fact) for fact in bought]
    events = line.unique("step", keep="first").sort("step")
    if events["value_after"][-1] > 1:
        assert sum(share.share_now for share in shares) == pytest.approx(1)
    left = events.filter(events["event"] == "withdrawal").select("value_before", "value_after").sum().row(0)
    assert sum(share.taken_usd for share in shares) == pytest.approx(left[0] - left[1], abs=1e-6)


def test_what_the_benchmark_made_of_a_deposit():
    """5,000 of 15,000 at the start's prices; then everything doubles, and a third of it leaves."""
    double = {"BTC": 100_000.0, "ETH": 5000.0}
    line = journal(("deposit", 5000), ("withdrawal", -10_000), ("deposit", 4000), prices=[START, double, double])
    found = dict(made(line, 24_000.0).iter_rows())
    assert found == {"deposit:1": pytest.approx(10_000 - 5000), "deposit:3": pytest.approx(0, abs=1e-6)}
    assert made(line, None)["made_usd"].to_list() == [None, None]


@given(st.lists(st.tuples(MOVES, QUOTES), min_size=1, max_size=12), st.floats(0, 90_000))
def test_followed_forward_event_by_event_it_is_the_same(moves, worth):
    line = journal(*(move for move, _ in moves), prices=[quote for _, quote in moves])
    steps = line.unique("step", keep="first").sort("step").rows(named=True)
    for fact, usd in made(line, worth).iter_rows():
        at_step = next(number for number, step in enumerate(steps) if step["fact"] == fact)
        own = steps[at_step]["flow_usd"]
        share, taken = own / steps[at_step]["value_after"], 0.0
        for step in steps[at_step + 1:]:
            if step["event"] == "withdrawal":
                taken += share * (step["value_before"] - step["value_after"])
            elif step["event"] == "deposit":
                share *= step["value_before"] / step["value_after"]
        assert usd == pytest.approx(share * worth + taken - own, rel=1e-9, abs=1e-6)

"""What a position needs, decided from what is known of it; the rules' times come from the backtester's own functions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navbook.compute import decisions
from navbook.compute.brackets import MINUTE, BracketRules
from navbook.compute.decisions import (
    Cancel,
    Close,
    Enter,
    GiveUp,
    LastTrade,
    LiveExit,
    Postpone,
    Protect,
    Resolve,
    Settle,
    TradeState,
)
from navbook.types import ExitOrder, ExitReason

NOW = 1_780_272_000_000
RULES = BracketRules()
STOP, PROFIT = LiveExit(ExitOrder.STOP, 95.0, "s"), LiveExit(ExitOrder.PROFIT, 110.0, "p")


def trade(state=TradeState.OPEN, **known):
    return LastTrade(**{"state": state, "reopen": 0, "due": NOW, "until": NOW + 600_000, "take_profit": 110.0,
                        "stop_loss": 95.0} | known)


def closed(ago, **known):
    """Closed in the first second of a minute, so many ms before NOW."""
    return trade(TradeState.CLOSED, closed_at=NOW - ago, **known)


@pytest.mark.parametrize(("last", "held", "exits", "wanted"), [
    pytest.param(None, 0, (), (Enter(0, NOW, NOW + 600_000),), id="never traded: open"),
    pytest.param(None, 2, (), (Postpone(0, NOW, NOW + 600_000),), id="the leg is somebody else's"),
    pytest.param(trade(TradeState.ENTERING, is_sent=True), 0, (), (Resolve(),), id="sent: look it up first"),
    pytest.param(trade(TradeState.ENTERING, is_sent=True, until=NOW - 1), 2, (), (Resolve(),), id="even when it is late"),
    pytest.param(trade(TradeState.ENTERING), 0, (), (Enter(0, NOW, NOW + 600_000),), id="not sent: enter"),
    pytest.param(trade(TradeState.ENTERING, retry_at=NOW + 1), 0, (), (), id="not before the next try"),
    pytest.param(trade(TradeState.ENTERING, until=NOW - 1), 0, (), (GiveUp(NOW - 1),), id="too late"),
    pytest.param(trade(), 2, (), (Protect(ExitOrder.STOP, 95.0),), id="the stop first, alone"),
    pytest.param(trade(), 2, (PROFIT,), (Protect(ExitOrder.STOP, 95.0),), id="the stop is gone"),
    pytest.param(trade(), 2, (STOP,), (Protect(ExitOrder.PROFIT, 110.0),), id="then the take profit"),
    pytest.param(trade(), 2, (STOP, PROFIT), (), id="all is well"),
    pytest.param(trade(stop_loss=96.0), 2, (STOP, PROFIT), (Protect(ExitOrder.STOP, 96.0, ("s",)),), id="another stop"),
    pytest.param(trade(), 2, (STOP, LiveExit(ExitOrder.STOP, 95.0, "t"), PROFIT), (Cancel("t"),), id="one too many"),
    pytest.param(trade(), 0, (STOP, PROFIT), (Settle(),), id="empty: settle it"),
    pytest.param(trade(closing=ExitReason.MANUAL), 2, (STOP, PROFIT), (Close(ExitReason.MANUAL),), id="to be closed"),
    pytest.param(trade(stop_tries=3), 2, (), (Close(ExitReason.MANUAL),), id="its stop was refused three times"),
    pytest.param(closed(30_000), 0, (STOP,), (Cancel("s"),), id="a leftover"),
    pytest.param(closed(30_000), 2, (STOP,), (), id="waiting, and somebody else holds the leg"),
    pytest.param(trade(TradeState.VOID), 0, (), (), id="never filled: the end"),
    pytest.param(closed(6 * MINUTE, is_last=True), 0, (), (), id="closed for good"),
])
def test_what_is_to_be_done(last, held, exits, wanted):
    assert decisions.decide(RULES, last, held, exits, NOW) == wanted


@pytest.mark.parametrize(("after", "wanted"), [
    (5 * MINUTE - 1000, ()),                                     # B24: 4:59
    (5 * MINUTE, (Enter(1, NOW + 5 * MINUTE, NOW + 10 * MINUTE),)),    # 5:00
    (10 * MINUTE, (Enter(1, NOW + 5 * MINUTE, NOW + 10 * MINUTE),)),
    (10 * MINUTE + 1000, (GiveUp(NOW + 10 * MINUTE),)),          # B25
])
def test_b24_b25_five_minutes_after_the_notice_within_ten(after, wanted):
    """Closed anywhere in the minute before NOW, it is noticed at NOW, whenever somebody looks."""
    for ago in (1, 59_999):
        assert decisions.decide(RULES, closed(ago), 0, (), NOW + after) == wanted


def test_b27_no_more_often_than_the_rules_say():
    rules = BracketRules(max_reopens=2)
    assert decisions.decide(rules, closed(MINUTE, reopen=1), 0, (), NOW + 5 * MINUTE) != ()
    assert decisions.decide(rules, closed(MINUTE, reopen=2), 0, (), NOW + 5 * MINUTE) == ()


@pytest.mark.parametrize(("every", "retry", "wanted"), [
    ("1m", 0, NOW + MINUTE), ("5m", 0, NOW + MINUTE), ("30s", 0, NOW + 30_000), ("45s", 0, NOW + 45_000 - NOW % 45_000),
    ("1m", NOW + 30_000, NOW + 30_000), ("1m", NOW - 1, NOW + MINUTE)])
def test_b26_checks_fall_on_multiples_and_tries_between(every, retry, wanted):
    """A protection is looked at each minute, however seldom a close may be noticed."""
    assert decisions.next_check(BracketRules(check_every=every), retry, NOW) == wanted
    assert decisions.next_check(BracketRules(check_every=every), 0, wanted - 1) == wanted or retry


def test_the_same_decision_has_the_same_name():
    name = decisions.client_id("0a1b2c3d", "btc_long", 7, NOW, "E", 0)
    assert name == decisions.client_id("0a1b2c3d", "btc_long", 7, NOW, "E", 0)
    assert re.fullmatch(r"[.A-Z:/a-z0-9_-]{1,36}", name)
    assert decisions.instance_of(name) == "0a1b2c3d"
    others = {decisions.client_id(*each) for each in (
        ("0a1b2c3e", "btc_long", 7, NOW, "E", 0), ("0a1b2c3d", "eth", 7, NOW, "E", 0),
        ("0a1b2c3d", "btc_long", 8, NOW, "E", 0), ("0a1b2c3d", "btc_long", 7, NOW + 1, "E", 0),
        ("0a1b2c3d", "btc_long", 7, NOW, "S", 0), ("0a1b2c3d", "btc_long", 7, NOW, "E", 1))}
    assert len(others | {name}) == 7
    assert [decisions.instance_of(text) for text in ("x-nb-1-2", "web_1", "nb-1", "")] == [None] * 4


states = st.builds(
    LastTrade, state=st.sampled_from(list(TradeState)), reopen=st.integers(0, 3), due=st.just(NOW),
    until=st.integers(NOW - MINUTE, NOW + MINUTE), retry_at=st.integers(NOW - 2, NOW + 2), is_sent=st.booleans(),
    take_profit=st.just(110.0), stop_loss=st.just(95.0), closing=st.sampled_from([None, ExitReason.MANUAL]),
    stop_tries=st.integers(0, 4), closed_at=st.integers(NOW - 20 * MINUTE, NOW), is_last=st.booleans())


@given(last=st.none() | states, held=st.sampled_from([0, 1]), exits=st.lists(st.sampled_from([STOP, PROFIT]), max_size=3),
       limit=st.none() | st.integers(0, 3))
def test_whatever_is_known_it_never_opens_twice_and_protects_with_the_stop_first(last, held, exits, limit):
    intents = decisions.decide(BracketRules(max_reopens=limit), last, held, tuple(exits), NOW)
    entries = [intent for intent in intents if type(intent) is Enter]
    if entries:
        assert not held
        assert len(intents) == 1
        assert last is None or (last.state in (TradeState.ENTERING, TradeState.CLOSED) and not exits)
        assert last is None or last.state is not TradeState.ENTERING or not last.is_sent
    if last is not None and last.state is TradeState.OPEN and held:
        if STOP not in exits:
            assert intents[0] in (Protect(ExitOrder.STOP, 95.0), Close(last.closing or ExitReason.MANUAL))
        assert not any(isinstance(intent, Cancel) and intent.client_id == "s" for intent in intents) or exits.count(STOP) > 1

"""Balances are a fold: over opening state and events, whatever the order of posting and the path of the clock."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_sandbox.accounts import read_account
from binance_sandbox.event_fields import read_event
from binance_sandbox.fields import Fields
from binance_sandbox.generator import Generator
from binance_sandbox.ledger import Ledger, Position
from binance_sandbox.market import Market
from test_sandbox_support import DAY, HOUR, START, running

MARKET = Market(Generator(1))
MOMENTS = st.integers(0, 200).map(lambda steps: START + steps * HOUR)
AMOUNTS = st.integers(1, 10**10).map(lambda units: str(Decimal(units) / 10**8))


def event(kind, **more):
    return st.fixed_dictionaries({"type": st.just(kind), "account": st.sampled_from(["a", "b"]), "time": MOMENTS, **more})


MONEY = {"asset": st.sampled_from(["BTC", "USDT"]), "amount": AMOUNTS}
EVENTS = st.lists(st.one_of(
    event("deposit", status=st.sampled_from([0, 1, 2, 6]), **MONEY),
    event("withdrawal", status=st.sampled_from([2, 3, 6]), fee=AMOUNTS, **MONEY),
    event("transfer", from_wallet=st.just("spot"), to_wallet=st.sampled_from(["funding", "futures"]), **MONEY),
    event("fill", symbol=st.just("BTCUSDT"), side=st.sampled_from(["BUY", "SELL"]), quantity=AMOUNTS,
          market=st.sampled_from(["spot", "futures"]), position_side=st.sampled_from(["BOTH", "LONG", "SHORT"])),
), max_size=12)


def ledger(events):
    book = Ledger(MARKET)
    for name in ("a", "b"):
        account = {"name": name, "api_key": name, "api_secret": name, "balances": {"spot": {"USDT": "100000"}}}
        book.add_account(read_account(Fields(account), START))
    for fields in events:
        book.add_event(read_event(Fields(fields), START, book.events))
    return book


def seen(book, now):
    return {name: (book.holdings(name, now).wallets, book.holdings(name, now).positions) for name in book.accounts}


@settings(database=None, deadline=None, max_examples=60)
@given(events=EVENTS, shuffled=st.randoms(use_true_random=False), now=MOMENTS)
def test_the_order_of_posting_does_not_matter(events, shuffled, now):
    other = list(events)
    shuffled.shuffle(other)
    assert seen(ledger(events), now) == seen(ledger(other), now)


@settings(database=None, deadline=None, max_examples=60)
@given(events=EVENTS, moments=st.lists(MOMENTS, min_size=1, max_size=6), late=EVENTS)
def test_the_path_of_the_clock_does_not_matter(events, moments, late):
    """Back and forth, and with events posted in between for the past."""
    book = ledger(events)
    for moment in moments:
        book.holdings("a", moment)
    for fields in late:
        book.add_event(read_event(Fields(fields), START, book.events))
        book.holdings("b", moments[0])
    assert seen(book, moments[-1]) == seen(ledger(events + late), moments[-1])


@settings(database=None, deadline=None, max_examples=60)
@given(trades=st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(90, 110)), min_size=1, max_size=10),
       mark=st.integers(80, 120))
def test_a_position_earns_what_its_trades_earn(trades, mark):
    """Realised plus unrealised = what all trades are worth at the mark, whatever was averaged."""
    position, realised = Position("X", "BOTH"), Decimal(0)
    for amount, price in trades:
        realised += position.fill(Decimal(amount), Decimal(price), 0)
    worth = sum(amount * (mark - price) for amount, price in trades)
    assert realised + position.amount * (mark - position.entry) == pytest.approx(Decimal(worth), abs=Decimal("1e-15"))


@pytest.mark.parametrize(("fills", "amount", "entry", "realised"), [
    pytest.param([(2, 100), (1, 130)], 3, 110, 0, id="adding averages the entry"),
    pytest.param([(2, 100), (-1, 120)], 1, 100, 20, id="reducing realises and keeps the entry"),
    pytest.param([(2, 100), (-2, 90)], 0, 0, -20, id="closing"),
    pytest.param([(2, 100), (-3, 110)], -1, 110, 20, id="turning: the rest opens at the new price"),
    pytest.param([(-2, 100), (1, 90)], -1, 100, 10, id="a short gains from a falling price"),
])
def test_position(fills, amount, entry, realised):
    position, profit = Position("X", "BOTH"), Decimal(0)
    for signed, price in fills:
        profit += position.fill(Decimal(signed), Decimal(price), 0)
    assert (position.amount, position.entry, profit) == (amount, entry, realised)


def test_a_hedge_side_never_crosses_zero():
    position = Position("X", "LONG")
    position.fill(Decimal(1), Decimal(100), 0)
    assert position.fill(Decimal(-5), Decimal(110), 0) == 10
    assert position.amount == 0


def test_the_same_event_twice_is_two_events():
    deposit = {"type": "deposit", "account": "a", "asset": "BTC", "amount": "1", "time": START}
    book = ledger([deposit, deposit])
    assert book.holdings("a", START).wallets["spot"]["BTC"].free == 2
    assert len(book.events) == 2


def test_clock_and_past_events_over_http():
    with running() as sandbox:
        sandbox.account(balances={"spot": {"USDT": "100"}})
        sandbox.control("events", type="deposit", account="alice", asset="USDT", amount="50", time=START + DAY)
        assert sandbox.spot() == {"USDT": "100.00000000"}
        sandbox.set_clock(START + 2 * DAY)
        assert sandbox.spot() == {"USDT": "150.00000000"}
        sandbox.control("events", type="deposit", account="alice", asset="USDT", amount="7", time=START + 1)    # the past
        assert sandbox.spot() == {"USDT": "157.00000000"}
        sandbox.control("clock", advance_ms=-2 * DAY + 1)
        assert sandbox.spot() == {"USDT": "107.00000000"}
        sandbox.set_clock(START)
        assert sandbox.spot() == {"USDT": "100.00000000"}


@pytest.mark.parametrize(("content", "key"), [
    ({}, "type"), ({"type": "gift"}, "type"), ({"type": "deposit"}, "account"),
    ({"type": "deposit", "account": "nobody", "asset": "BTC", "amount": 1}, "account"),
    ({"type": "deposit", "account": "alice", "asset": "btc", "amount": 1}, "asset"),
    ({"type": "deposit", "account": "alice", "asset": "BTC"}, "amount"),
    ({"type": "deposit", "account": "alice", "asset": "BTC", "amount": "-1"}, "amount"),
    ({"type": "deposit", "account": "alice", "asset": "BTC", "amount": "0.123456789"}, "amount"),
    ({"type": "deposit", "account": "alice", "asset": "BTC", "amount": 1, "time": 1_700_000_000}, "time"),
    ({"type": "deposit", "account": "alice", "asset": "BTC", "amount": 1, "status": 4}, "status"),
    ({"type": "deposit", "account": "alice", "asset": "BTC", "amount": 1, "complete_time": START - 1}, "complete_time"),
    ({"type": "deposit", "account": "alice", "asset": "BTC", "amount": 1, "colour": "red"}, "colour"),
    ({"type": "withdrawal", "account": "alice", "asset": "BTC", "amount": 1, "fee": "x"}, "fee"),
    ({"type": "transfer", "account": "alice", "asset": "BTC", "amount": 1, "from_wallet": "spot"}, "to_wallet"),
    ({"type": "sub_transfer", "account": "alice", "to": "bob", "asset": "BTC", "amount": 1}, "to"),
    ({"type": "fill", "account": "alice", "symbol": "BTCUSDT", "side": "buy", "quantity": 1}, "side"),
    ({"type": "fill", "account": "alice", "symbol": "LTCUSDT", "side": "BUY", "quantity": 1}, "symbol"),
    ({"type": "fill", "account": "alice", "symbol": "BTCUSDT", "side": "BUY", "quantity": 0}, "quantity"),
    ({"type": "fill", "account": "alice", "symbol": "BTCUSDT", "side": "BUY", "quantity": 1, "time": 10**12}, "price"),
])
def test_wrong_events_name_the_key(sandbox, content, key):
    assert sandbox.control("events", expect=400, **content)["key"] == key


@pytest.fixture(scope="module")
def sandbox():
    with running() as sandbox:
        sandbox.account("alice")
        sandbox.account("bob")
        yield sandbox

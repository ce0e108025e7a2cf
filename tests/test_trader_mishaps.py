"""What people do to a trader: they mistype, change navbook.toml, panic in the middle; and the store that fails it."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from decimal import Decimal

import pytest

from exchanges import START, by_path, canned, keys_of, milliseconds, talk
from navbook import schemas
from navbook.errors import AnswerUnreadable, SettingsInvalid, TradeRefused
from navbook.exchange import orders_read
from navbook.runner import trading_view
from navbook.store import tables
from navbook.trader import commands, entering, showing, wishes
from navbook.trader.desk import Desk
from test_sandbox_support import MINUTE, running
from traders import PRICE, Floor, fresh_floor


@pytest.fixture(scope="module")
def exchange():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def floor(exchange, tmp_path, monkeypatch):
    monkeypatch.setattr("navbook.trader.panicking.ROUND_S", 0.01)
    floor = fresh_floor(exchange, tmp_path, monkeypatch)
    floor.price(3000, "ETHUSDT")
    return floor


def panic(floor, **terms):
    commands.panic(floor.config, None, floor.said.append, **terms)


def held(floor):
    return {leg: amount for leg, amount in floor.legs().items() if amount}


# -- a clock that runs -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("end", [
    pytest.param(lambda floor: floor.work(lambda trader: wishes.fulfil(trader, "close", "long")), id="closed by hand"),
    pytest.param(panic, id="panic")])
def test_what_happens_after_the_check_began_is_known_all_the_same(tmp_path, monkeypatch, end):
    """Fills are later than the time that the check began at: neither an opening nor a result may miss them."""
    with running("--speed", "1") as sandbox:
        floor = Floor(sandbox, tmp_path, monkeypatch)
        floor.price(PRICE)
        floor.position()
        assert floor.check(), floor.said
        end(floor)
        [trade] = floor.trades()
        assert (trade.reason, trade.exit_price) == ("MANUAL", PRICE)
        assert trade.pnl == -trade.fee < 0
        assert held(floor) == {}


# -- navbook.toml is changed while a position is open --------------------------------------------------------------
@pytest.mark.parametrize("other", [{"symbol": "ETHUSDT"}, {"side": "SHORT"}], ids=["symbol", "side"])
def test_panic_closes_what_was_opened_as_another_leg(floor, other):
    floor.check()
    floor.positions["long"] |= other
    panic(floor)
    assert (held(floor), len(floor.desk.waiting)) == ({}, 0)
    assert [(trade.symbol, trade.side, trade.reason) for trade in floor.trades()] == [("BTCUSDT", "LONG", "MANUAL")]


@pytest.mark.parametrize("other", [{"symbol": "ETHUSDT"}, {"side": "SHORT"}], ids=["symbol", "side"])
def test_what_was_opened_as_another_leg_stays_protected_and_alone(floor, other):
    floor.check()
    stop = floor.stops()
    floor.positions["long"] |= other
    floor.check(1)
    assert (list(held(floor)), floor.stops(), len(floor.desk.waiting)) == ([("BTCUSDT", "LONG")], stop, 2)
    assert "OPEN as BTCUSDT LONG since" in showing.status(floor.config, None)
    [leg] = trading_view.look(floor.config, floor.account, [floor.account]).legs
    assert (leg.symbol, leg.side, len(leg.protected)) == ("BTCUSDT", "LONG", 2)
    floor.price(PRICE - 1000)
    floor.check(1)
    assert [trade.reason for trade in floor.trades()] == ["SL"]
    assert held(floor) == {}


def test_what_only_waited_to_open_another_leg_is_not_opened(floor):
    floor.fault("/fapi/v1/order", method="POST", code=-2019, count=1)
    floor.check()
    floor.positions["long"] |= {"symbol": "ETHUSDT"}
    floor.check(1)
    assert (floor.opened(), [trade.state for trade in floor.trades()]) == (0, ["void"])
    assert floor.told("BTCUSDT LONG is not opened: navbook.toml names another leg now")


# -- words that cannot be meant ----------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["61,000", "1e400", "NaN", "-Infinity", "", "sixty"])
def test_a_level_that_is_no_price_is_refused(floor, text):
    floor.check()
    before = floor.waiting()
    with pytest.raises((SettingsInvalid, TradeRefused), match=r"is no price; write it like 61000\.5|do not fit"):
        floor.work(lambda trader: wishes.fulfil(trader, "edit", "long", take_profit=text))
    assert floor.waiting() == before


@pytest.mark.parametrize("usdt", [float("nan"), float("inf")])
def test_a_level_in_usdt_that_is_no_number_is_refused(floor, usdt):
    floor.check()
    with pytest.raises((SettingsInvalid, TradeRefused)):
        floor.work(lambda trader: wishes.fulfil(trader, "edit", "long", tp_usdt=usdt))


def test_a_fault_in_what_was_asked_is_answered_and_checks_go_on(floor, monkeypatch):
    async def breaks(*arguments, **content):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("navbook.trader.loop.POLL_S", {"sandbox": 0.02})
    monkeypatch.setattr(wishes, "fulfil", breaks)

    async def live(trader):
        running = asyncio.create_task(trader.run())
        with floor.journal() as journal:
            wish = journal.ask("open", "long")
            while journal.answered(wish) is None or not floor.opened():
                await asyncio.sleep(0.02)
            assert journal.answered(wish) == ("ZeroDivisionError: a fault of ours", True)
        trader.ending.set()
        await running

    floor.work(lambda trader: asyncio.wait_for(live(trader), 20))
    assert len(floor.stops()) == 1


def test_what_nobody_waits_for_any_more_is_not_done(floor, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("navbook.trader.commands.time.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        commands._asked(floor.config, floor.account, "close", "long", {})
    with floor.journal() as journal:
        assert journal.asked() == []


def test_force_is_of_the_position_that_it_was_said_of(floor):
    wide = {"leverage": 50, "margin_type": "ISOLATED", "sl_usdt": 400}
    floor.positions = {"one": {"account": floor.account, "symbol": "BTCUSDT", "side": "LONG", **wide},
                       "two": {"account": floor.account, "symbol": "ETHUSDT", "side": "LONG", **wide}}

    async def both(trader):
        await wishes.fulfil(trader, "open", "one", force=True)
        await wishes.fulfil(trader, "open", "two")

    floor.work(both)
    assert list(held(floor)) == [("BTCUSDT", "LONG")]
    assert floor.told("two  ! Not opened, and stays closed: the stop at")


# -- a panic in the middle ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("place", "name"), [(entering.modes, "contract"), (Desk, "look")],
                         ids=["an entry is made ready", "it is being decided"])
def test_after_a_panic_a_trader_that_hung_opens_nothing(floor, monkeypatch, place, name):
    calm = getattr(place, name)

    async def hangs(*arguments):
        found = await calm(*arguments)
        monkeypatch.setattr(place, name, calm)
        await asyncio.to_thread(panic, floor)
        return found

    monkeypatch.setattr(place, name, hangs)
    floor.check()
    assert (floor.opened(), held(floor)) == (0, {})
    assert all(trade.state == "void" for trade in floor.trades())


def test_a_stop_that_comes_while_a_trader_starts_ends_it(floor, monkeypatch):
    async def live(trader):
        with floor.journal() as journal:
            journal.write("stop", "asked")
        await asyncio.wait_for(trader.run(), 20)

    floor.work(live)
    assert floor.opened() == 0


# -- the store ---------------------------------------------------------------------------------------------------
def test_a_store_that_fails_ends_no_trader(floor):
    folder = floor.folder / "data" / "sandbox" / "facts"
    folder.mkdir(parents=True)
    (folder / "orders").write_text("no table")
    assert floor.check()
    assert floor.told("The journal could not be copied into the store, which is tried again")
    assert len(floor.stops()) == 1
    (folder / "orders").unlink()
    floor.check(1)
    assert tables.read(floor.config.location, schemas.ORDERS).height == 3


@pytest.mark.parametrize(("spoilt", "is_told"), [("FUNDING_FEE", True), ("COMMISSION", False)])
def test_a_settlement_that_cannot_be_read_is_in_no_result(spoilt, is_told):
    """Neither left out without a word, nor does another row keep a result away."""
    good = {"symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "income": "-0.5", "asset": "USDT", "time": milliseconds(START),
            "tranId": 1, "tradeId": "", "info": ""}
    rows = [good, good | {"incomeType": spoilt, "income": None, "tranId": 2}]
    with canned(by_path({"/fapi/v1/income": rows})) as (url, _):
        def read():
            return talk(url, lambda exchange: orders_read.funding(
                exchange, "main", "BTCUSDT", START - timedelta(hours=1), START + timedelta(hours=1)), keys_of("main"))

        if is_told:
            with pytest.raises(AnswerUnreadable, match="GET /fapi/v1/income"):
                read()
        else:
            assert read() == [(START, Decimal("-0.5"))]


# -- what is shown -----------------------------------------------------------------------------------------------
def test_the_page_shows_the_orders_that_wait_at_the_exchange(floor):
    floor.check()
    for order in list(floor.desk.waiting.values()):
        floor.sandbox.read("/fapi/v1/algoOrder", floor.account, "DELETE", clientAlgoId=order.client_id)
    shown = str(trading_view.shown(floor.config))
    assert "Unprotected: long." in shown
    assert "None of ours waits there." in shown


def test_without_a_key_the_page_says_when_the_orders_were_seen(floor, monkeypatch):
    floor.check()
    floor.sandbox.control("clock", advance_ms=3 * MINUTE)
    for part in floor.sandbox.keys[floor.account]:
        monkeypatch.delenv(f"NAVBOOK_{floor.account.upper()}_{part.upper()}")
    shown = str(trading_view.shown(floor.config))
    assert re.search(r"One position open, protected when the trader looked last, \d+ \w+, \d\d:\d\d UTC\.", shown)
    assert "As the trader saw them" in shown


def test_a_result_that_nobody_knows_is_not_summed_as_nothing(floor):
    floor.check()
    with floor.journal() as journal:
        journal.change(1, floor.now, state="closed", reason="ORPHAN", exit_time=floor.now)
    assert "1 trades: 0 won, 0 lost, 1 without a known result" in showing.history(floor.config, None, "table")
    assert "0 won, 0 lost, 1 unknown" in str(trading_view.shown(floor.config))

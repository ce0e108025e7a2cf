"""The life of positions on the exchange: opened, protected, closed in every way, reopened, edited, taken over."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import polars as pl
import pytest

from commands import navbook
from navbook import schemas
from navbook.errors import Locked, OrdersForbidden, TradeRefused
from navbook.runner import locks
from navbook.store import tables
from navbook.trader import checking, commands, showing, wishes
from test_sandbox_support import MINUTE, running
from traders import FAST, PRICE, Floor, fresh_floor

TAKE_PROFIT, STOP = Decimal("60625.0"), Decimal("59687.5")    # of 0.016 BTC at 60 000, 10 and 5 USDT away

pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.fixture(scope="module")
def exchange():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def floor(exchange, tmp_path, monkeypatch):
    return fresh_floor(exchange, tmp_path, monkeypatch)


def by_hand(floor, side="SELL", quantity="0.016", **more):
    """An order of the account's owner, past navbook."""
    return floor.sandbox.read("/fapi/v1/order", floor.account, "POST", symbol="BTCUSDT", side=side, type="MARKET",
                              quantity=quantity, positionSide="LONG", **more)


def asked(floor, what, **content):
    return floor.work(lambda trader: wishes.fulfil(trader, what, "long", **content))


# -- opened and protected ----------------------------------------------------------------------------------------
def test_b15_b16_b17_b20_opened_with_stop_and_take_profit(floor):
    """B12: margin and notional are both told. B20: the store's row has all of it."""
    assert floor.check()
    [trade] = floor.trades()
    assert (trade.quantity, trade.entry_price) == (Decimal("0.016"), 60_000)
    assert floor.waiting() == {"STOP_MARKET": STOP, "TAKE_PROFIT_MARKET": TAKE_PROFIT}
    assert floor.told("margin 100 USDT, notional 960.00 USDT")
    with floor.journal() as journal:
        placed = {order.part: order for order in journal.orders(trade.id)}
    assert {order.client_id for order in placed.values()} == (
        {algo.client_id for algo in floor.desk.waiting.values()} | {order.client_id for order in floor.desk.orders.values()})
    [row] = tables.read(floor.config.location, schemas.POSITIONS).iter_rows(named=True)
    assert (row["state"], row["symbol"], row["side"], row["reopen"]) == ("open", "BTCUSDT", "LONG", 0)
    assert (row["amount_usdt"], row["leverage"], row["tp_usdt"], row["sl_usdt"]) == (100, 10, 10, 5)
    assert (row["entry_order"], row["stop_order"], row["profit_order"]) == tuple(placed[part].client_id for part in "ESP")
    assert tables.read(floor.config.location, schemas.ORDERS).height == 3


def test_b49_a_leg_holds_one_position(floor):
    floor.check()
    with pytest.raises(TradeRefused, match="is open already"):
        asked(floor, "open")
    assert floor.opened() == 1


def test_b49_a_leg_of_somebody_else_is_not_touched(floor):
    """It is tried again for as long as the window is open; then it stays closed."""
    floor.sandbox.read("/fapi/v1/positionSide/dual", floor.account, "POST", dualSidePosition="true")
    by_hand(floor, "BUY")
    assert not floor.check()
    assert floor.told("already holds 0.016 that is not ours")
    assert not floor.check(11)
    assert floor.told("Stays closed")
    assert floor.legs() == {("BTCUSDT", "LONG"): Decimal("0.016")}
    assert floor.waiting() == {}


@pytest.mark.parametrize("kind", ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
def test_b33_what_is_missing_comes_back_within_a_minute(floor, kind):
    floor.check()
    gone = next(algo for algo in floor.desk.waiting.values() if algo.type == kind)
    floor.sandbox.read("/fapi/v1/algoOrder", floor.account, "DELETE", algoId=gone.id)
    assert set(floor.waiting()) != {"STOP_MARKET", "TAKE_PROFIT_MARKET"}
    floor.check(1)
    assert floor.waiting() == {"STOP_MARKET": STOP, "TAKE_PROFIT_MARKET": TAKE_PROFIT}
    assert floor.told("stands again")


@pytest.mark.parametrize(("kind", "price", "reason"), [("STOP_MARKET", 59_000, "SL"), ("TAKE_PROFIT_MARKET", 61_000, "TP")])
def test_b33_what_the_price_has_passed_is_closed_at_market(floor, kind, price, reason):
    floor.check()
    gone = next(algo for algo in floor.desk.waiting.values() if algo.type == kind)
    floor.sandbox.read("/fapi/v1/algoOrder", floor.account, "DELETE", algoId=gone.id)
    floor.price(price)
    floor.check(1)
    [trade] = floor.trades()
    assert (trade.state, trade.reason, trade.exit_price) == ("closed", reason, price)
    assert floor.waiting() == {}


def test_b32_orders_of_others_are_not_touched(floor):
    """Neither a stop on our own leg nor one elsewhere."""
    floor.check()
    for symbol, side in (("BTCUSDT", "LONG"), ("ETHUSDT", "SHORT")):
        floor.sandbox.read("/fapi/v1/algoOrder", floor.account, "POST", algoType="CONDITIONAL", symbol=symbol,
                           side="SELL" if side == "LONG" else "BUY", positionSide=side, type="STOP_MARKET", quantity="1",
                           triggerPrice="1000" if side == "LONG" else "90000", clientAlgoId=f"web_{symbol}")
    floor.price(61_000)
    floor.check(1)
    assert [algo.client_id for algo in floor.desk.waiting.values()] == ["web_BTCUSDT", "web_ETHUSDT"]


# -- closed ------------------------------------------------------------------------------------------------------
def test_b23_b39_closed_by_hand_in_three_parts(floor):
    """MANUAL; the fills are all counted, less the fees of both sides, and stored once."""
    floor.check()
    for price, part in ((60_100, "0.004"), (60_200, "0.004"), (60_050, "0.008")):
        floor.price(price)
        by_hand(floor, quantity=part)
    floor.check(1)
    [trade] = floor.trades()
    quote = Decimal("0.004") * (60_100 + 60_200) + Decimal("0.008") * 60_050
    fee = (Decimal("0.016") * 60_000 + quote) * Decimal("0.0005")
    assert (trade.reason, trade.fee) == ("MANUAL", fee)
    assert trade.pnl == quote - Decimal("0.016") * 60_000 - fee
    floor.check(1)
    assert tables.stored(floor.config.location, schemas.FILLS).collect().height == 4
    assert floor.waiting() == {}


def test_b22_liquidated(floor):
    floor.position(leverage=50, margin_type="ISOLATED", sl_usdt=50.0, amount_usdt=200.0)
    floor.check()
    stop = next(algo for algo in floor.desk.waiting.values() if algo.type == "STOP_MARKET")
    floor.sandbox.state.futures.end_algo(stop, "CANCELED")    # it is gone before anybody looks
    floor.price(58_000)
    floor.check(1)
    assert floor.trades()[0].reason == "LIQUIDATION"


def test_b42_closed_on_demand_it_stays_closed(floor):
    floor.check()
    assert "by hand, 60000" in asked(floor, "close")
    [trade] = floor.trades()
    assert (trade.reason, trade.is_last) == ("MANUAL", True)
    floor.check(20)
    assert len(floor.trades()) == 1
    with pytest.raises(TradeRefused, match="closed already"):
        asked(floor, "close")
    asked(floor, "open")
    assert floor.trades()[1].parent is None


def test_a_reset_of_the_testnet_is_no_loss(floor, tmp_path, monkeypatch):
    floor.check()
    with running(start=floor.now) as wiped:
        again = Floor(wiped, floor.folder, monkeypatch, account=floor.account, positions=floor.positions)
        again.price(PRICE)
        for _ in range(3):
            again.check(1)
        [lost] = again.trades()
        assert (lost.reason, lost.note, lost.pnl) == ("ORPHAN", "environment_reset", None)
        assert again.told("No loss is recorded.")
        assert again.history()["pnl"].to_list() == [None]
        again.check(6)
        assert again.opened() == 1    # and it goes on


# -- reopened ----------------------------------------------------------------------------------------------------
def test_b21_b24_b28_noticed_within_a_minute_and_reopened_after_five(floor):
    floor.check()
    floor.price(61_000)
    floor.check(1)
    assert floor.trades()[0].reason == "TP"
    floor.sandbox.control("clock", advance_ms=5 * MINUTE - 1000)    # closed in the minute before, noticed now
    floor.check()
    assert len(floor.trades()) == 1
    floor.sandbox.control("clock", advance_ms=1000)
    floor.check()
    first, second = floor.trades()
    assert (second.parent, second.reopen, second.entry_price) == (first.id, 1, 61_000)


def test_b25_down_for_longer_than_the_window(floor):
    floor.check()
    floor.price(61_000)
    floor.check(1)
    floor.check(12)
    assert len(floor.trades()) == 1
    assert floor.told("Stays closed: it could not be opened by")


def test_b26_two_failures_then_one_position(floor):
    """Half a minute apart, on the way to the next check."""
    floor.fault("/fapi/v1/order", method="POST", code=-2019, count=2)

    async def tries(trader):
        for _ in range(3):
            now = floor.now
            await trader.check(now)
            floor.sandbox.control("clock", now=checking.next_check(trader.desk, trader.plans, now))
        return floor.now - start

    start = floor.now
    assert floor.work(tries) == 120_000    # 0:00, 0:30, 1:00, and then the next minute
    assert floor.opened() == len(floor.trades()) == 1
    with floor.journal() as journal:
        assert [order.status for order in journal.orders(1, "E")] == ["REJECTED", "REJECTED", "FILLED"]


def test_b27_the_last_reopening_says_so(floor):
    floor.position(max_reopens=1, **FAST)
    up = iter((61_000, 62_000, 63_000))
    floor.checks(None, lambda: floor.price(next(up)), None, lambda: floor.price(next(up)), None, None)
    assert [trade.reopen for trade in floor.trades()] == [0, 1]
    assert floor.told("reopened 1 times, as max_reopens says")


# -- edited, cancelled, taken over -------------------------------------------------------------------------------
def test_b40_b41_new_levels_replace_the_live_orders(floor):
    floor.check()
    asked(floor, "edit", tp_usdt=20, stop_loss="59000.04")
    assert floor.waiting() == {"STOP_MARKET": Decimal("59000.0"), "TAKE_PROFIT_MARKET": Decimal("61250.0")}
    with pytest.raises(TradeRefused, match="do not fit a LONG"):
        asked(floor, "edit", take_profit="58000")
    with floor.journal() as journal:
        stop = journal.orders(1, "S")[-1].client_id
    assert "stands again" in asked(floor, "cancel", order=stop)
    assert floor.waiting()["STOP_MARKET"] == Decimal("59000.0")
    with pytest.raises(TradeRefused, match="no conditional order of long"):
        asked(floor, "cancel", order="web_1")


def test_another_navbook_is_not_traded_beside_unless_it_is_taken_over(floor, tmp_path):
    floor.check()
    first = floor.folder
    floor.folder = tmp_path / "elsewhere"
    floor.folder.mkdir()
    with pytest.raises(OrdersForbidden, match="has orders of another navbook"):
        floor.check()
    assert floor.check(take_over=True)
    [taken] = floor.trades()
    assert (taken.quantity, taken.entry_price, taken.stop_loss) == (Decimal("0.016"), 60_000, STOP)
    floor.price(61_000)
    floor.check(1)
    assert floor.trades()[0].reason == "TP"
    assert floor.opened() == 1
    floor.folder = first


def test_panic_names_what_a_lost_journal_left_and_closes_it_when_asked(floor, tmp_path):
    floor.check()
    first = floor.folder
    floor.folder = tmp_path / "elsewhere"
    floor.folder.mkdir()
    commands.panic(floor.config, None, floor.said.append)
    assert floor.told("BTCUSDT LONG has orders of another navbook")
    assert len(floor.waiting()) == 2
    commands.panic(floor.config, None, floor.said.append, take_over=True)
    assert not any(floor.legs().values())
    assert not floor.desk.waiting
    assert [trade.reason for trade in floor.trades()] == ["MANUAL"]
    floor.folder = first


def test_panic_closes_all_of_ours_and_nothing_else(floor):
    """Entries may be forbidden meanwhile; a position of somebody else stays."""
    floor.position("short", side="SHORT")
    floor.check()
    floor.sandbox.read("/fapi/v1/order", floor.account, "POST", symbol="ETHUSDT", side="BUY", type="MARKET",
                       quantity="1", positionSide="LONG")
    floor.fault("/fapi/v1/order", method="POST", mode="drop", count=1)
    commands.panic(floor.config, None, floor.said.append)
    assert {leg: held for leg, held in floor.legs().items() if held} == {("ETHUSDT", "LONG"): 1}
    assert not floor.desk.waiting
    assert [trade.reason for trade in floor.trades()] == ["MANUAL", "MANUAL"]
    floor.check(20)
    assert len(floor.trades()) == 2


# -- the loop ----------------------------------------------------------------------------------------------------
async def until(condition, seconds=10.0):
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to pass")


def test_b31_b34_b35_the_loop_outlives_its_own_faults_and_ends_when_told(floor, monkeypatch):
    """It follows the exchange's clock, does what other processes ask, and its status turns red and green again."""
    monkeypatch.setattr("navbook.trader.loop.POLL_S", {"sandbox": 0.02})
    check, broken = checking.check, []

    async def breaking(*arguments):
        if broken:
            raise RuntimeError(broken.pop())
        return await check(*arguments)

    monkeypatch.setattr(checking, "check", breaking)

    async def live(trader):
        running = asyncio.create_task(trader.run())
        await until(lambda: floor.opened() == 1)
        broken.append("a fault of ours")
        floor.sandbox.control("clock", advance_ms=MINUTE)
        await until(lambda: "RED, The check failed: RuntimeError: a fault of ours" in showing.status(floor.config, None))
        await until(lambda: "green" in showing.status(floor.config, None))
        with floor.journal() as journal:
            wish = journal.ask("close", "long")
            await until(lambda: journal.answered(wish))
            assert "by hand" in journal.answered(wish)[0]
            refused = journal.ask("close", "long")
            await until(lambda: journal.answered(refused))
            assert journal.answered(refused)[1]
            journal.write("stop", "asked")
        await running

    floor.work(live)


def test_b35_one_trader_an_account(floor):
    """The second ends at once with 75, and says who the first is; panic does not wait for it."""
    with locks.hold(floor.config, commands.lock_of(floor.account)):
        with pytest.raises(Locked, match="is already being run by process"):
            commands.step(floor.config, None, floor.said.append)
        assert "running" in showing.status(floor.config, None)


def test_b34_start_and_stop_at_the_command_line(floor, tmp_path, monkeypatch):
    """Restarted, nothing runs by itself."""
    import subprocess

    from commands import NAVBOOK, clean_environment
    floor.check()
    keys = {f"NAVBOOK_{floor.account.upper()}_{part.upper()}": value
            for part, value in floor.sandbox.keys[floor.account].items()}
    process = subprocess.Popen([NAVBOOK, "trade", "start"], cwd=floor.folder, env=clean_environment() | keys,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout.readline().startswith(f"Trading long on sandbox with {floor.account}")
    stopped = navbook("trade", "stop", folder=floor.folder)
    assert stopped.returncode == 0, stopped.stderr
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "what is open stays protected" in said
    assert "stopped" in showing.status(floor.config, None)
    assert floor.waiting()
    orders = navbook("trade", "orders", "--format", "csv", folder=floor.folder).stdout.splitlines()
    assert [row.split(",")[:2] for row in orders[1:]] == [["long", "stop"], ["long", "take profit"]] or len(orders) == 3


def test_history_counts_what_was_won(floor):
    """B38, B46: counts, share and sums are those of the rows."""
    floor.position(**FAST)
    up = iter((61_000, 59_000))
    floor.checks(None, lambda: floor.price(next(up)), None, lambda: floor.price(next(up)), None)
    rows = floor.history()
    assert rows["reason"].to_list() == ["TP", "SL"]
    told = showing.history(floor.config, None, "table")
    assert f"2 trades: 1 won (50%), 1 lost; {rows['pnl'].sum():+,.2f} USDT, fees {rows['fee'].sum():,.2f}" in told
    assert "3 trades: 0 entering, 1 open, 2 closed, 0 void." in showing.status(floor.config, None)
    assert rows.drop("name").schema == pl.Schema(schemas.TRADE)

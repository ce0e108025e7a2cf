"""Conditional orders over HTTP: the Algo service, its codes, triggers along the price path, and what becomes of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from test_sandbox_futures_support import BTC, trader_for
from test_sandbox_support import DAY, HOUR, MINUTE, running

STOP = {"algoType": "CONDITIONAL", "symbol": BTC, "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "58000", "quantity": "0.01"}
CLOSE = {key: value for key, value in STOP.items() if key != "quantity"} | {"closePosition": "true"}


@pytest.fixture(scope="module")
def sandbox():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def trader(sandbox, request):
    return trader_for(sandbox, request.node.name)


def next_minute(trader):
    return trader.sandbox.now // MINUTE * MINUTE + MINUTE


# -- codes -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("code", "change"), [
    (-1102, {"algoType": ""}), (-4122, {"algoType": "VP"}), (-1116, {"type": "MARKET"}), (-1117, {"side": "HOLD"}),
    (-1121, {"symbol": "NOSUCH"}), (-1102, {"triggerPrice": ""}), (-1102, {"quantity": ""}), (-1102, {"type": "STOP"}),
    (-4061, {"positionSide": "LONG"}), (-1100, {"workingType": "INDEX"}), (-1115, {"timeInForce": "DAY"}),
    (-4014, {"triggerPrice": "58000.05"}), (-1111, {"quantity": "0.0101"}), (-4005, {"quantity": "121"}), (-4164, {"symbol": "ETHUSDT", "quantity": "0.001", "triggerPrice": "2000"}),
    (-2021, {"triggerPrice": "60000"}), (-2021, {"triggerPrice": "60000.1", "workingType": "MARK_PRICE"}),
    (-2021, {"side": "BUY", "triggerPrice": "59999.9"}), (-2021, {"type": "TAKE_PROFIT_MARKET", "triggerPrice": "59999.9"}),
    (-2021, {"type": "TAKE_PROFIT_MARKET", "side": "BUY", "triggerPrice": "60000.1"}),
    (-2021, {"type": "STOP", "price": "60000", "triggerPrice": "60001"}),
    (-1102, {"type": "TRAILING_STOP_MARKET"}), (-2007, {"type": "TRAILING_STOP_MARKET", "callbackRate": "10.1"}),
    (-2021, {"type": "TRAILING_STOP_MARKET", "callbackRate": "1", "activatePrice": "59000"}),
    (-2021, {"type": "TRAILING_STOP_MARKET", "side": "BUY", "callbackRate": "1", "activatePrice": "61000"}),
    (-4015, {"clientAlgoId": "x" * 37}), (-5040, {"timeInForce": "GTD", "goodTillDate": "1"}),
])
def test_refused(trader, code, change):
    if change.get("symbol") == "ETHUSDT":
        trader.price(2100, "ETHUSDT")
    assert trader.refused("POST", "v1/algoOrder", **STOP | change) == code


def test_close_position(trader):
    """Without quantity and reduceOnly, only to close, only with a position, one of a kind."""
    assert trader.refused("POST", "v1/algoOrder", **CLOSE) == -4509
    trader.market("BUY", "0.1")
    assert trader.refused("POST", "v1/algoOrder", **CLOSE, quantity="0.1") == -4137
    assert trader.refused("POST", "v1/algoOrder", **CLOSE, reduceOnly="true") == -1106
    assert trader.refused("POST", "v1/algoOrder", **CLOSE | {"type": "STOP", "price": "57000"}) == -4136
    assert trader.refused("POST", "v1/algoOrder", **CLOSE | {"side": "BUY", "triggerPrice": "61000"}) == -4509    # would not close it
    row = trader.ask("POST", "v1/algoOrder", **CLOSE)
    assert (row["timeInForce"], row["quantity"], row["reduceOnly"], row["closePosition"]) == ("GTE_GTC", "0.000", True, True)
    assert row["algoId"] >= 10**15
    assert trader.refused("POST", "v1/algoOrder", **CLOSE | {"triggerPrice": "57000"}) == -4130
    trader.algo("SELL", "TAKE_PROFIT_MARKET", 62_000, closePosition="true")    # the other kind is fine
    assert len(trader.ask("GET", "v1/openAlgoOrders", symbol=BTC)) == 2


def test_client_ids_and_looking_up(trader):
    row = trader.ask("POST", "v1/algoOrder", **STOP, clientAlgoId="a:b/c.d")
    assert (row["orderType"], row["algoStatus"], row["triggerPrice"], row["price"]) == ("STOP_MARKET", "NEW", "58000.00", "0.00")
    assert "actualOrderId" not in row
    assert trader.refused("POST", "v1/algoOrder", **STOP, clientAlgoId="a:b/c.d") == -4116
    assert trader.ask("GET", "v1/algoOrder", clientAlgoId="a:b/c.d")["actualOrderId"] == ""
    assert trader.refused("GET", "v1/algoOrder") == -1102
    assert trader.refused("GET", "v1/algoOrder", algoId=1) == -2013
    assert trader.refused("DELETE", "v1/algoOrder", algoId=1) == -2011
    assert trader.refused("GET", "v1/order", symbol=BTC, orderId=row["algoId"]) == -2013    # another space of ids
    assert trader.ask("DELETE", "v1/algoOrder", algoId=row["algoId"]) == {
        "algoId": row["algoId"], "clientAlgoId": "a:b/c.d", "code": "200", "msg": "success"}
    assert trader.refused("DELETE", "v1/algoOrder", clientAlgoId="a:b/c.d") == -2011
    assert trader.algo_state(row["algoId"])["algoStatus"] == "CANCELED"
    trader.ask("POST", "v1/algoOrder", **STOP, clientAlgoId="a:b/c.d")    # free again
    assert [row["algoStatus"] for row in trader.ask("GET", "v1/allAlgoOrders", symbol=BTC)] == ["CANCELED", "NEW"]
    assert trader.ask("GET", "v1/openOrders") == []


def test_two_hundred_at_most(trader):
    for place in range(200):
        trader.algo("SELL", "STOP_MARKET", 40_000 + place, quantity="0.01")
        if place % 100 == 99:
            trader.wait(10_000)
    assert trader.refused("POST", "v1/algoOrder", **STOP) == -4045


# -- triggers --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("side", "kind", "trigger", "to"), [
    ("SELL", "STOP_MARKET", 59_000, 59_000), ("SELL", "TAKE_PROFIT_MARKET", 61_000, 61_000),
    ("BUY", "STOP_MARKET", 61_000, 61_500), ("BUY", "TAKE_PROFIT_MARKET", 59_000, 58_500),
])
def test_a_price_that_a_call_sets_triggers_at_once(trader, side, kind, trigger, to):
    """At the trigger is enough; a jump fills where it lands."""
    row = trader.algo(side, kind, trigger, quantity="0.01", workingType="MARK_PRICE")
    trader.price((60_000 + trigger) // 2)
    assert trader.algo_state(row["algoId"])["algoStatus"] == "NEW"
    trader.price(to)
    seen = trader.algo_state(row["algoId"])
    assert (seen["algoStatus"], seen["actualPrice"], seen["actualType"], seen["actualQty"]) == ("FINISHED", f"{to}.00000", "MARKET", "0.010")
    real = trader.order(int(seen["actualOrderId"]))
    assert (real["status"], real["avgPrice"], real["type"]) == ("FILLED", f"{to}.00", "MARKET")
    assert real["clientOrderId"] != seen["clientAlgoId"]
    assert trader.trades()[0]["orderId"] == real["orderId"]
    assert trader.refused("DELETE", "v1/algoOrder", algoId=row["algoId"]) == -2011


@pytest.mark.parametrize(("candles", "first", "price", "after"), [
    pytest.param([(60_000, 61_500, 58_500, 60_500)], "stop", 59_000, 15_000, id="rises: open, low, high, close"),
    pytest.param([(60_000, 61_500, 58_500, 59_500)], "take", 61_000, 15_000, id="falls: open, high, low, close"),
    pytest.param([(60_000, 60_100, 59_900, 60_000), (58_000, 62_000, 57_500, 61_000)], "stop", 58_000, 60_000, id="a gap fills at the open"),
    pytest.param([(60_000, 60_100, 59_900, 60_000), (62_000, 62_500, 58_000, 60_000)], "take", 62_000, 60_000, id="a gap in favour, too"),
    pytest.param([(60_000, 60_900, 59_100, 60_500), (60_500, 61_000, 60_000, 60_200)], "take", 61_000, 75_000, id="touching is enough"),
])
def test_the_path_decides_between_stop_and_take_profit(trader, candles, first, price, after):
    trader.market("BUY", "0.1")
    rows = {"stop": trader.algo("SELL", "STOP_MARKET", 59_000, closePosition="true"),
            "take": trader.algo("SELL", "TAKE_PROFIT_MARKET", 61_000, closePosition="true")}
    start = next_minute(trader)
    trader.candles(*candles, start=start)
    trader.wait(10 * MINUTE)
    states = {name: trader.algo_state(row["algoId"]) for name, row in rows.items()}
    other = "take" if first == "stop" else "stop"
    assert (states[first]["algoStatus"], states[other]["algoStatus"]) == ("FINISHED", "EXPIRED")
    assert Decimal(states[first]["actualPrice"]) == price
    assert states[first]["triggerTime"] == states[other]["updateTime"] == start + after
    assert trader.amounts() == {}


def test_hedge_both_sides_with_both_exits(trader):
    trader.ask("POST", "v1/positionSide/dual", dualSidePosition="true")
    trader.market("BUY", "0.1", positionSide="LONG")
    trader.market("SELL", "0.2", positionSide="SHORT")
    assert trader.refused("POST", "v1/algoOrder", **CLOSE | {"side": "BUY", "triggerPrice": "61000"}, positionSide="LONG") == -4136
    assert trader.refused("POST", "v1/algoOrder", **STOP, positionSide="LONG", reduceOnly="true") == -1106
    rows = [trader.algo(side, kind, trigger, closePosition="true", positionSide=held) for side, held, kind, trigger in (
        ("SELL", "LONG", "TAKE_PROFIT_MARKET", 61_000), ("SELL", "LONG", "STOP_MARKET", 59_500),
        ("BUY", "SHORT", "TAKE_PROFIT_MARKET", 59_000), ("BUY", "SHORT", "STOP_MARKET", 60_500))]
    start = next_minute(trader)
    trader.candles((60_000, 61_200, 58_900, 59_900), start=start)    # up first: the short's stop, the long's profit
    trader.wait(2 * MINUTE)
    assert [trader.algo_state(row["algoId"])["algoStatus"] for row in rows] == ["FINISHED", "EXPIRED", "EXPIRED", "FINISHED"]
    assert [(row["positionSide"], row["price"], row["realizedPnl"]) for row in trader.trades()[2:]] == [
        ("SHORT", "60500.00", "-100.00000000"), ("LONG", "61000.00", "100.00000000")]


def test_stop_limit_orders_rest_after_their_trigger(trader):
    """TRIGGERED while the real order is open, FINISHED when it is done."""
    trader.market("BUY", "0.1")
    row = trader.algo("SELL", "STOP", 59_000, price="59200", quantity="0.1", reduceOnly="true")
    now = next_minute(trader)
    trader.candles((60_000, 60_000, 58_800, 58_900), (58_900, 59_300, 58_900, 59_300), start=now)
    trader.wait(now + MINUTE - 1 - trader.sandbox.now)
    seen = trader.algo_state(row["algoId"])
    assert (seen["algoStatus"], seen["actualType"]) == ("TRIGGERED", "LIMIT")
    assert [order["orderId"] for order in trader.ask("GET", "v1/openOrders")] == [int(seen["actualOrderId"])]
    trader.wait(2 * MINUTE)
    assert trader.algo_state(row["algoId"])["algoStatus"] == "FINISHED"
    assert trader.order(int(seen["actualOrderId"]))["avgPrice"] == "59200.00"
    assert trader.trades()[-1]["maker"] is True


@pytest.mark.parametrize(("side", "rows", "price"), [
    pytest.param("SELL", [(60_000, 62_000, 60_000, 62_000), (62_000, 62_000, 61_000, 61_000)], "61380.00000", id="one percent below 62 000"),
    pytest.param("BUY", [(60_000, 60_000, 58_000, 58_000), (58_000, 59_000, 58_000, 59_000)], "58580.00000", id="one percent above 58 000"),
    pytest.param("SELL", [(60_000, 60_000, 59_500, 59_500), (59_500, 59_500, 59_300, 59_300)], "59400.00000", id="from where it began"),
])
def test_trailing_stops_follow_the_price(trader, side, rows, price):
    row = trader.ask("POST", "v1/algoOrder", **STOP | {"type": "TRAILING_STOP_MARKET", "side": side, "callbackRate": "1", "triggerPrice": ""})
    assert (row["callbackRate"], row["activatePrice"]) == ("1", "")
    trader.candles(*rows, start=next_minute(trader))
    trader.wait(HOUR)
    seen = trader.algo_state(row["algoId"])
    assert (seen["algoStatus"], seen["actualPrice"]) == ("FINISHED", price)


def test_a_trailing_stop_waits_for_its_activation(trader):
    row = trader.ask("POST", "v1/algoOrder", **STOP | {"type": "TRAILING_STOP_MARKET", "callbackRate": "1", "activatePrice": "61000", "triggerPrice": ""})
    trader.price(59_000)
    trader.price(60_999)
    trader.price(59_000)
    assert trader.algo_state(row["algoId"])["algoStatus"] == "NEW"
    trader.price(61_000)
    trader.price(60_390)
    assert trader.algo_state(row["algoId"])["algoStatus"] == "FINISHED"


# -- what becomes of them --------------------------------------------------------------------------------------
def test_rejected_without_position_or_margin(trader):
    """In one-way mode a stop without reduceOnly opens a position instead: the orphan of BINANCE.md 7.2."""
    trader.market("BUY", "0.01")
    reducing = trader.algo("SELL", "STOP_MARKET", 59_000, quantity="0.01", reduceOnly="true")
    opening = trader.algo("SELL", "STOP_MARKET", 58_900, quantity="0.01")
    dear = trader.algo("SELL", "STOP_MARKET", 58_800, quantity="100")
    trader.market("SELL", "0.01")
    trader.price(58_500)
    assert [trader.algo_state(row["algoId"])["algoStatus"] for row in (reducing, opening, dear)] == ["REJECTED", "FINISHED", "REJECTED"]
    assert trader.amounts() == {f"{BTC} BOTH": "-0.010"}
    assert trader.algo_state(reducing["algoId"])["actualOrderId"] == ""


def test_rejected_in_hedge_mode_when_less_is_held(trader):
    trader.ask("POST", "v1/positionSide/dual", dualSidePosition="true")
    trader.market("BUY", "0.02", positionSide="LONG")
    row = trader.algo("SELL", "STOP_MARKET", 59_000, quantity="0.02", positionSide="LONG")
    trader.market("SELL", "0.02", positionSide="LONG")
    assert trader.algo_state(row["algoId"])["algoStatus"] == "NEW"    # not tied to the position
    trader.price(58_500)
    assert trader.algo_state(row["algoId"])["algoStatus"] == "REJECTED"


def test_rejected_by_a_fault(trader):
    trader.market("BUY", "0.02")
    trader.sandbox.control("faults", path="/fapi/v1/algoOrder", mode="reject")
    row = trader.algo("SELL", "STOP_MARKET", 59_000, closePosition="true")
    trader.price(58_500)
    assert trader.algo_state(row["algoId"])["algoStatus"] == "REJECTED"
    assert trader.amounts() == {f"{BTC} BOTH": "0.020"}    # unprotected: an alarm


def test_delays(trader):
    """TRIGGERING for a while, and a sibling that goes only some time after its position."""
    trader.sandbox.control("futures", trigger_delay_ms=500, expire_delay_ms=3000)
    try:
        trader.market("BUY", "0.02")
        stop = trader.algo("SELL", "STOP_MARKET", 59_000, closePosition="true")
        take = trader.algo("SELL", "TAKE_PROFIT_MARKET", 61_000, closePosition="true")
        trader.price(58_500)
        assert trader.algo_state(stop["algoId"])["algoStatus"] == "TRIGGERING"
        assert trader.refused("DELETE", "v1/algoOrder", algoId=stop["algoId"]) == -4117
        trader.wait(500)
        assert (trader.algo_state(stop["algoId"])["algoStatus"], trader.amounts()) == ("FINISHED", {})
        assert trader.algo_state(take["algoId"])["algoStatus"] == "NEW"
        trader.wait(2999)
        assert trader.algo_state(take["algoId"])["algoStatus"] == "NEW"
        trader.wait(1)
        assert trader.algo_state(take["algoId"])["algoStatus"] == "EXPIRED"
    finally:
        trader.sandbox.control("futures", trigger_delay_ms=0, expire_delay_ms=0)


def test_good_till_a_date(trader):
    until = trader.sandbox.now // 1000 * 1000 + DAY
    row = trader.ask("POST", "v1/algoOrder", **STOP, timeInForce="GTD", goodTillDate=until)
    assert row["goodTillDate"] == until
    trader.wait(DAY)
    assert trader.algo_state(row["algoId"])["algoStatus"] == "EXPIRED"

"""Plain futures orders over HTTP: modes, filters, codes, fills, looking up, changing, cancelling."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from test_sandbox_futures_support import BTC, Trader, trader_for
from test_sandbox_support import DAY, HOUR, MINUTE, START, running

MARKET = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
LIMIT = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "59000", "timeInForce": "GTC"}


@pytest.fixture(scope="module")
def sandbox():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def trader(sandbox, request):
    return trader_for(sandbox, request.node.name)


# -- replies ---------------------------------------------------------------------------------------------------
def test_a_market_order_fills_at_once_and_the_reply_names_no_price(trader):
    reply = trader.ask("POST", "v1/order", **MARKET)
    assert (reply["status"], reply["executedQty"], reply["cumQty"]) == ("NEW", "0.000", "0.000")    # an ACK
    assert not {"avgPrice", "cumQuote", "cumBase"} & set(reply)
    seen = trader.order(reply["orderId"])
    assert (seen["status"], seen["avgPrice"], seen["executedQty"], seen["cumQuote"]) == ("FILLED", "60000.00", "0.010", "600.00000")
    result = trader.market("BUY", "0.01")
    assert (result["status"], result["executedQty"]) == ("FILLED", "0.010")
    assert "avgPrice" not in result


def test_the_older_reply_behind_a_switch(trader):
    trader.sandbox.control("futures", older_replies=True)
    try:
        result = trader.market("BUY", "0.01")
        assert (result["avgPrice"], result["cumQuote"]) == ("60000.00", "600.00000")
        acked = trader.ask("POST", "v1/order", **MARKET)
        assert (acked["avgPrice"], acked["cumQuote"]) == ("0.00", "0.00000")
    finally:
        trader.sandbox.control("futures", older_replies=False)


def test_a_fill_costs_the_takers_fee_and_books(trader):
    trader.market("BUY", "0.1")
    trader.price(61_000)
    trader.market("SELL", "0.1")
    first, last = trader.trades()
    assert (first["commission"], first["realizedPnl"], first["maker"], first["buyer"]) == ("3.00000000", "0.00000000", False, True)
    assert (last["commission"], last["realizedPnl"], last["quoteQty"], last["baseQty"]) == ("3.05000000", "100.00000000", "6100.00000", "0")
    assert trader.wallet() == Decimal("10000") + 100 - 3 - Decimal("3.05")
    assert [(row["incomeType"], row["income"]) for row in trader.income()] == [
        ("COMMISSION", "-3.00000000"), ("REALIZED_PNL", "100.00000000"), ("COMMISSION", "-3.05000000")]
    assert trader.ask("GET", "v3/positionRisk") == []


def test_a_limit_order_rests_and_fills_as_maker_when_the_price_comes(trader):
    order = trader.limit("BUY", "0.1", 59_000)
    row = trader.positions()[f"{BTC} BOTH"]
    assert (row["positionAmt"], row["bidNotional"], row["openOrderInitialMargin"]) == ("0.000", "5900.00000000", "295.00000000")
    now = trader.sandbox.now // MINUTE * MINUTE + MINUTE
    trader.candles((60_000, 60_100, 58_900, 59_500), start=now)
    trader.wait(2 * MINUTE)
    seen = trader.order(order["orderId"])
    assert (seen["status"], seen["avgPrice"]) == ("FILLED", "59000.00")
    trade = trader.trades()[0]
    assert (trade["maker"], trade["commission"]) == (True, "1.18000000")
    assert trade["time"] == now + 30_000    # it closes below its open: open, high, low, close


# -- codes -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("code", "change"), [
    (-1102, {"symbol": ""}), (-1121, {"symbol": "NOSUCH"}), (-1121, {"symbol": "ETHBTC"}), (-1117, {"side": "HOLD"}),
    (-1116, {"type": "ICEBERG"}), (-1102, {"quantity": ""}), (-1100, {"quantity": "1e-3"}), (-1100, {"quantity": "abc"}),
    (-4003, {"quantity": "0"}), (-4003, {"quantity": "-1"}), (-1111, {"quantity": "0.0101"}), (-4005, {"quantity": "121"}),
    (-4164, {"symbol": "ETHUSDT", "quantity": "0.001"}),
    (-1106, {"price": "60000"}), (-1106, {"timeInForce": "GTC"}), (-4061, {"positionSide": "LONG"}), (-4060, {"positionSide": "UP"}),
    (-2022, {"reduceOnly": "true"}), (-4136, {"closePosition": "true"}), (-2019, {"quantity": "10"}), (-2027, {"quantity": "100"}),
    (-4015, {"newClientOrderId": "x" * 37}), (-1100, {"newClientOrderId": "a b"}), (-1130, {"newOrderRespType": "FULL"}),
    (-4120, {"type": "STOP"}), (-4120, {"type": "STOP_MARKET"}), (-4120, {"type": "TAKE_PROFIT"}),
    (-4120, {"type": "TAKE_PROFIT_MARKET"}), (-4120, {"type": "TRAILING_STOP_MARKET"}),
])
def test_market_orders_refused(trader, code, change):
    if code == -2027:
        trader.ask("POST", "v1/leverage", symbol=BTC, leverage=125)
    assert trader.refused("POST", "v1/order", **MARKET | change) == code


@pytest.mark.parametrize(("code", "change"), [
    (-1102, {"price": ""}), (-1102, {"timeInForce": ""}), (-1115, {"timeInForce": "DAY"}), (-4001, {"price": "0"}),
    (-4013, {"price": "500"}), (-4002, {"price": "9999999"}), (-4014, {"price": "59000.05"}), (-1111, {"price": "59000.001"}),
    (-4016, {"price": "63000.1"}), (-4024, {"side": "SELL", "price": "56999.9"}), (-4005, {"quantity": "1001"}),
    (-4164, {"symbol": "ETHUSDT", "quantity": "0.001", "price": "2000"}),
    (-5022, {"timeInForce": "GTX", "price": "60000"}), (-5021, {"timeInForce": "FOK"}),
    (-1102, {"timeInForce": "GTD"}), (-5040, {"timeInForce": "GTD", "goodTillDate": START + 1000}),
    (-5037, {"priceMatch": "BEST"}), (-1106, {"priceMatch": "QUEUE"}),
])
def test_limit_orders_refused(trader, code, change):
    if change.get("symbol") == "ETHUSDT":
        trader.price(2000, "ETHUSDT")
    assert trader.refused("POST", "v1/order", **LIMIT | change) == code


def test_a_step_that_is_coarser_than_the_precision(trader):
    """-4023 needs a step that is no power of ten; -4004 one above the smallest decimal."""
    trader.sandbox.control("symbols", symbol="SOLUSDT", futures_step="0.05")
    trader.price(150, "SOLUSDT")
    try:
        sol = MARKET | {"symbol": "SOLUSDT"}
        assert trader.refused("POST", "v1/order", **sol | {"quantity": "1.02"}) == -4023
        assert trader.refused("POST", "v1/order", **sol | {"quantity": "0.01"}) == -4004
    finally:
        trader.sandbox.control("symbols", symbol="SOLUSDT", futures_step="0.01")


def test_client_ids(trader):
    order = trader.limit("BUY", "0.01", 59_000, newClientOrderId="mine:1/a.b-c_d")
    assert order["clientOrderId"] == "mine:1/a.b-c_d"
    assert trader.refused("POST", "v1/order", **LIMIT, newClientOrderId="mine:1/a.b-c_d") == -4116
    assert trader.ask("GET", "v1/order", symbol=BTC, origClientOrderId="mine:1/a.b-c_d")["orderId"] == order["orderId"]
    assert trader.ask("GET", "v1/openOrder", symbol=BTC, origClientOrderId="mine:1/a.b-c_d")["orderId"] == order["orderId"]
    trader.ask("DELETE", "v1/order", symbol=BTC, origClientOrderId="mine:1/a.b-c_d")
    trader.limit("BUY", "0.01", 59_000, newClientOrderId="mine:1/a.b-c_d")    # free again


def test_looking_up_and_cancelling(trader):
    assert trader.refused("GET", "v1/order", symbol=BTC) == -1102
    assert trader.refused("GET", "v1/order", symbol=BTC, orderId=1) == -2013
    assert trader.refused("GET", "v1/openOrder", symbol=BTC, orderId=1) == -2013
    assert trader.refused("DELETE", "v1/order", symbol=BTC, orderId=1) == -2011
    order = trader.limit("BUY", "0.01", 59_000)
    assert [row["orderId"] for row in trader.ask("GET", "v1/openOrders")] == [order["orderId"]]
    cancelled = trader.ask("DELETE", "v1/order", symbol=BTC, orderId=order["orderId"])
    assert (cancelled["status"], "avgPrice" in cancelled) == ("CANCELED", False)
    assert trader.refused("DELETE", "v1/order", symbol=BTC, orderId=order["orderId"]) == -2011
    assert trader.ask("GET", "v1/openOrders", symbol=BTC) == []
    row = trader.ask("GET", "v1/allOrders", symbol=BTC)[0]
    assert (row["status"], row["pair"], row["cumBase"], row["avgPrice"]) == ("CANCELED", BTC, "0", "0.00")


def test_everything_of_a_symbol_at_once(trader):
    trader.market("BUY", "0.01")
    trader.limit("BUY", "0.01", 59_000)
    trader.limit("BUY", "0.02", 58_900)
    stop = trader.algo("SELL", "STOP_MARKET", 58_000, closePosition="true")
    done = {"code": 200, "msg": "The operation of cancel all open order is done."}
    assert trader.ask("DELETE", "v1/allOpenOrders", symbol=BTC) == done
    assert trader.ask("GET", "v1/openOrders") == []
    assert trader.algo_state(stop["algoId"])["algoStatus"] == "NEW"    # a conditional order is not one of them
    trader.limit("BUY", "0.01", 59_000)
    assert trader.ask("DELETE", "v1/algoOpenOrders", symbol=BTC) == done
    assert len(trader.ask("GET", "v1/openOrders")) == 1


def test_modify(trader):
    order = trader.limit("BUY", "0.01", 59_000)
    change = {"symbol": BTC, "orderId": order["orderId"], "side": "BUY"}
    assert trader.refused("PUT", "v1/order", **change, quantity="0.01", price="59000") == -5027
    assert trader.refused("PUT", "v1/order", **change, quantity="0.01", price="59000.05") == -4014
    assert trader.refused("PUT", "v1/order", **change, quantity="5", price="59000") == -2019
    assert trader.refused("PUT", "v1/order", **change, quantity="0.02", price="59000", reduceOnly="true") == -5047
    changed = trader.ask("PUT", "v1/order", **change, quantity="0.02", price="59500")
    assert (changed["orderId"], changed["origQty"], changed["price"], changed["status"]) == (order["orderId"], "0.020", "59500.00", "NEW")
    assert "avgPrice" not in changed
    assert trader.ask("GET", "v1/orderAmendment", symbol=BTC)[0]["amendment"]["price"] == {"before": "59000", "after": "59500"}
    trader.ask("PUT", "v1/order", **change, quantity="0.02", price="60100")    # crosses: fills at the price, not its own
    assert trader.order(order["orderId"])["avgPrice"] == "60000.00"


def test_batches(trader):
    texts = [LIMIT, LIMIT | {"price": "1"}, MARKET | {"type": "STOP_MARKET"}, {**LIMIT, "quantity": "0.02", "newClientOrderId": "b"}]
    rows = trader.ask("POST", "v1/batchOrders", batchOrders=json.dumps(texts))
    assert [row.get("code", row.get("status")) for row in rows] == ["NEW", -4013, -4120, "NEW"]
    assert trader.refused("POST", "v1/batchOrders", batchOrders=json.dumps([LIMIT] * 6)) == -4082
    assert trader.refused("POST", "v1/batchOrders", batchOrders="[") == -1130
    change = {"symbol": BTC, "side": "BUY", "orderId": rows[0]["orderId"], "quantity": "0.03", "price": "58000"}
    assert [row.get("code", row.get("origQty")) for row in trader.ask("PUT", "v1/batchOrders", batchOrders=json.dumps([change, change]))] == ["0.030", -5027]
    gone = trader.ask("DELETE", "v1/batchOrders", symbol=BTC, orderIdList=json.dumps([rows[0]["orderId"], 7]))
    assert [row.get("code", row.get("status")) for row in gone] == ["CANCELED", -2011]
    gone = trader.ask("DELETE", "v1/batchOrders", symbol=BTC, origClientOrderIdList='["b"]')
    assert [row["status"] for row in gone] == ["CANCELED"]


def test_an_order_on_trial_changes_nothing(trader):
    reply = trader.ask("POST", "v1/order/test", **MARKET)
    assert (reply["status"], reply["orderId"]) == ("NEW", 0)
    assert trader.refused("POST", "v1/order/test", **MARKET | {"quantity": "10"}) == -2019
    assert trader.ask("GET", "v1/allOrders", symbol=BTC) == []


def test_time_in_force(trader):
    ioc = trader.limit("BUY", "0.01", 59_000, timeInForce="IOC")
    assert trader.order(ioc["orderId"])["status"] == "EXPIRED"
    fok = trader.limit("BUY", "0.01", 60_500, timeInForce="FOK", newOrderRespType="RESULT")
    assert (fok["status"], trader.order(fok["orderId"])["avgPrice"]) == ("FILLED", "60000.00")
    gtx = trader.limit("SELL", "0.01", 60_100, timeInForce="GTX")
    assert trader.order(gtx["orderId"])["status"] == "NEW"
    until = trader.sandbox.now + 3_600_000
    gtd = trader.limit("BUY", "0.01", 58_000, timeInForce="GTD", goodTillDate=until)
    trader.wait(HOUR - 1000)
    assert trader.order(gtd["orderId"])["status"] == "NEW"
    trader.wait(1000)
    assert (trader.order(gtd["orderId"])["status"], trader.order(gtd["orderId"])["updateTime"]) == ("EXPIRED", until)
    matched = trader.ask("POST", "v1/order", symbol=BTC, side="BUY", type="LIMIT", quantity="0.01", timeInForce="GTC", priceMatch="QUEUE")
    assert (matched["price"], trader.order(matched["orderId"])["status"]) == ("59999.90", "NEW")


def test_a_countdown_cancels_plain_orders(trader):
    order = trader.limit("BUY", "0.01", 59_000)
    assert trader.ask("POST", "v1/countdownCancelAll", symbol=BTC, countdownTime=5000) == {"symbol": BTC, "countdownTime": "5000"}
    trader.wait(4999)
    assert trader.order(order["orderId"])["status"] == "NEW"
    trader.wait(1)
    assert trader.order(order["orderId"])["status"] == "CANCELED"
    other = trader.limit("BUY", "0.01", 59_000)
    trader.ask("POST", "v1/countdownCancelAll", symbol=BTC, countdownTime=5000)
    trader.ask("POST", "v1/countdownCancelAll", symbol=BTC, countdownTime=0)
    trader.wait(10_000)
    assert trader.order(other["orderId"])["status"] == "NEW"


def test_too_many_open_orders(trader):
    for _ in range(40):
        trader.ask("POST", "v1/batchOrders", batchOrders=json.dumps([LIMIT | {"quantity": "0.001", "price": "57000"}] * 5))
        trader.wait(10_000)    # 300 orders in ten seconds at most
    assert trader.refused("POST", "v1/order", **LIMIT) == -2025


# -- reducing --------------------------------------------------------------------------------------------------
def test_reduce_only_in_one_way_mode(trader):
    trader.market("BUY", "0.02")
    rest = trader.limit("SELL", "0.02", 61_000, reduceOnly="true")
    cut = trader.market("SELL", "0.05", reduceOnly="true")
    assert (cut["status"], cut["executedQty"]) == ("EXPIRED", "0.020")    # what was there, and no more
    assert trader.amounts() == {}
    assert trader.order(rest["orderId"])["status"] == "EXPIRED"    # nothing is left that it could reduce
    assert trader.refused("POST", "v1/order", **MARKET, reduceOnly="true") == -2022


def test_one_way_orders_turn_a_position(trader):
    trader.market("BUY", "0.02")
    trader.price(61_000)
    trader.market("SELL", "0.05")
    row = trader.positions()[f"{BTC} BOTH"]
    assert (row["positionAmt"], row["entryPrice"], trader.trades()[1]["realizedPnl"]) == ("-0.030", "61000", "20.00000000")


def test_hedge_mode(trader):
    assert trader.ask("GET", "v1/positionSide/dual") == {"dualSidePosition": False}
    assert trader.refused("POST", "v1/positionSide/dual", dualSidePosition="false") == -4059
    order = trader.limit("BUY", "0.01", 59_000)
    assert trader.refused("POST", "v1/positionSide/dual", dualSidePosition="true") == -4067
    trader.ask("DELETE", "v1/order", symbol=BTC, orderId=order["orderId"])
    trader.market("BUY", "0.01")
    stop = trader.algo("SELL", "STOP_MARKET", 58_000, quantity="0.01")
    assert trader.refused("POST", "v1/positionSide/dual", dualSidePosition="true") == -4067    # a waiting one counts
    trader.ask("DELETE", "v1/algoOrder", algoId=stop["algoId"])
    assert trader.refused("POST", "v1/positionSide/dual", dualSidePosition="true") == -4068
    trader.market("SELL", "0.01")
    assert trader.ask("POST", "v1/positionSide/dual", dualSidePosition="TRUE") == {"code": 200, "msg": "success"}
    assert trader.refused("POST", "v1/positionSide/dual", dualSidePosition="true") == -4059
    assert trader.refused("POST", "v1/order", **MARKET) == -4061
    assert trader.refused("POST", "v1/order", **MARKET, positionSide="LONG", reduceOnly="true") == -1106
    trader.market("BUY", "0.02", positionSide="LONG")
    trader.market("SELL", "0.03", positionSide="SHORT")
    assert trader.amounts() == {f"{BTC} LONG": "0.020", f"{BTC} SHORT": "-0.030"}
    assert trader.refused("POST", "v1/order", **MARKET | {"side": "SELL", "quantity": "0.03"}, positionSide="LONG") == -2022
    trader.market("SELL", "0.02", positionSide="LONG")
    trader.market("BUY", "0.03", positionSide="SHORT")
    assert trader.amounts() == {}
    assert [row["positionSide"] for row in trader.ask("GET", "v2/positionRisk", symbol=BTC)] == ["BOTH", "LONG", "SHORT"]


# -- settings --------------------------------------------------------------------------------------------------
def test_leverage(trader):
    for wrong in (0, 126):
        assert trader.refused("POST", "v1/leverage", symbol=BTC, leverage=wrong) == -4028
    assert trader.refused("POST", "v1/leverage", symbol="SOLUSDT", leverage=101) == -4028
    assert trader.ask("POST", "v1/leverage", symbol=BTC, leverage=100) == {"leverage": 100, "maxNotionalValue": "600000", "symbol": BTC}
    assert trader.ask("GET", "v1/symbolConfig", symbol=BTC)[0] == {
        "symbol": BTC, "marginType": "CROSSED", "isAutoAddMargin": False, "leverage": 100, "maxNotionalValue": "600000"}
    trader.market("BUY", "3")    # 180 000
    assert trader.refused("POST", "v1/leverage", symbol=BTC, leverage=125) == -2027    # 50 000 at most
    assert trader.refused("POST", "v1/leverage", symbol=BTC, leverage=10) == -2028    # would need 18 000


def test_margin_types(trader):
    assert trader.refused("POST", "v1/marginType", symbol=BTC, marginType="CROSSED") == -4046
    assert trader.refused("POST", "v1/marginType", symbol=BTC, marginType="SOME") == -1130
    order = trader.limit("BUY", "0.01", 59_000)
    assert trader.refused("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED") == -4047
    trader.ask("DELETE", "v1/order", symbol=BTC, orderId=order["orderId"])
    trader.market("BUY", "0.01")
    assert trader.refused("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED") == -4048
    assert trader.refused("POST", "v1/positionMargin", symbol=BTC, amount=10, type=1) == -4049
    trader.market("SELL", "0.01")
    assert trader.ask("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED") == {"code": 200, "msg": "success"}
    assert trader.refused("POST", "v1/positionMargin", symbol=BTC, amount=10, type=1) == -4054
    trader.market("BUY", "0.01")
    assert trader.refused("POST", "v1/leverage", symbol=BTC, leverage=10) == -4161
    assert trader.refused("POST", "v1/multiAssetsMargin", multiAssetsMargin="true") == -4167
    assert trader.ask("POST", "v1/positionMargin", symbol=BTC, amount="10.5", type=1) == {
        "amount": 10.5, "code": 200, "msg": "Successfully modify position margin.", "type": 1}
    assert trader.refused("POST", "v1/positionMargin", symbol=BTC, amount="10.6", type=2) == -4051
    assert trader.refused("POST", "v1/positionMargin", symbol=BTC, amount="100000", type=1) == -4050
    row = trader.positions()[f"{BTC} BOTH"]
    assert (row["isolatedWallet"], row["isolatedMargin"], row["positionInitialMargin"]) == ("40.50000000", "40.50000000", "30.00000000")
    assert trader.asset()["crossWalletBalance"] == str(trader.wallet() - Decimal("40.5"))
    kinds = [(row["deltaType"], row["amount"], row["type"]) for row in trader.ask("GET", "v1/positionMargin/history", symbol=BTC)]
    assert kinds == [("TRADE", "30.00000000", 1), ("USER_ADJUST", "10.50000000", 1)]


def test_multi_assets_mode(sandbox):
    trader = Trader(sandbox, "multi", usdt="1000", BTC="1", USDC="500")
    trader.price(60_000)
    assert trader.ask("GET", "v3/account")["totalWalletBalance"] == "1000.00000000"    # USDT alone
    assert trader.refused("POST", "v1/multiAssetsMargin", multiAssetsMargin="false") == -4171
    assert trader.refused("POST", "v1/order", **MARKET | {"quantity": "2"}) == -2019
    order = trader.limit("BUY", "0.01", 59_000)
    assert trader.refused("POST", "v1/multiAssetsMargin", multiAssetsMargin="true") == -4170
    trader.ask("DELETE", "v1/allOpenOrders", symbol=BTC, orderId=order["orderId"])
    trader.ask("POST", "v1/multiAssetsMargin", multiAssetsMargin="true")
    assert trader.refused("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED") == -4168
    account = trader.ask("GET", "v3/account")
    assert account["totalWalletBalance"] == "61500.00000000"
    assert account["availableBalance"] == "58500.00000000"    # a coin counts 95 %
    trader.market("BUY", "2")
    assert trader.ask("GET", "v1/accountConfig")["multiAssetsMargin"] is True
    trader.price(59_000)
    trader.market("SELL", "2")
    assert trader.wallet() < 0    # the loss stays in USDT
    assert trader.refused("POST", "v1/multiAssetsMargin", multiAssetsMargin="false") == -4172


def test_leaving_multi_assets_mode_with_too_little(sandbox):
    trader = Trader(sandbox, "multi2", usdt="10", BTC="1")
    trader.price(60_000)
    trader.ask("POST", "v1/multiAssetsMargin", multiAssetsMargin="true")
    trader.market("BUY", "0.1")
    assert trader.refused("POST", "v1/multiAssetsMargin", multiAssetsMargin="false") == -4169


def test_fees_in_bnb(sandbox):
    trader = Trader(sandbox, "burner", BNB="1")
    trader.price(60_000)
    trader.price(600, "BNBUSDT")
    assert trader.ask("GET", "v1/feeBurn") == {"feeBurn": False}
    assert trader.ask("POST", "v1/feeBurn", feeBurn="true") == {"code": 200, "msg": "success"}
    trader.market("BUY", "0.1")
    trade = trader.trades()[0]
    assert (trade["commission"], trade["commissionAsset"]) == ("0.00450000", "BNB")    # 3 USDT, less a tenth
    assert (trader.wallet(), trader.wallet("BNB")) == (10_000, Decimal("0.9955"))


def test_what_can_be_read(trader):
    brackets = trader.ask("GET", "v1/leverageBracket", symbol=BTC)
    assert brackets[0]["brackets"][1] == {"bracket": 2, "initialLeverage": 100, "notionalCap": 600000, "notionalFloor": 50000,
                                          "maintMarginRatio": 0.005, "cum": 50.0}
    assert {row["symbol"] for row in trader.ask("GET", "v1/leverageBracket")} >= {BTC, "ETHUSDT"}
    assert trader.ask("GET", "v1/commissionRate", symbol=BTC)["takerCommissionRate"] == "0.000500"
    assert [row["limit"] for row in trader.ask("GET", "v1/rateLimit/order")] == [300, 1200]
    config = trader.ask("GET", "v1/accountConfig")
    assert (config["dualSidePosition"], config["canTrade"]) == (False, True)
    trader.market("BUY", "0.01")
    assert trader.ask("GET", "v1/adlQuantile")[0]["symbol"] == BTC


def test_permissions(sandbox):
    """A key that may read reads; its orders are turned away. An account without futures may not even read."""
    sandbox.account("reader", balances={"futures": {"USDT": "100"}})
    assert sandbox.signed("/fapi/v1/openOrders", "reader").body == []
    for method, path in (("POST", "order"), ("DELETE", "order"), ("POST", "algoOrder"), ("POST", "leverage"), ("POST", "positionSide/dual")):
        answer = sandbox.signed(f"/fapi/v1/{path}", "reader", method, **MARKET)
        assert (answer.status, answer.body["code"]) == (401, -2015), path
    sandbox.account("nofutures")
    assert sandbox.signed("/fapi/v1/openOrders", "nofutures").body["code"] == -2015


# -- history ---------------------------------------------------------------------------------------------------
def test_windows_and_ageing():
    with running() as sandbox:
        trader = Trader(sandbox)
        trader.price(60_000)
        filled = trader.market("BUY", "0.01")
        gone = trader.limit("BUY", "0.01", 59_000)
        trader.ask("DELETE", "v1/order", symbol=BTC, orderId=gone["orderId"])
        stop = trader.algo("SELL", "STOP_MARKET", 58_000, quantity="0.01")
        trader.ask("DELETE", "v1/algoOrder", algoId=stop["algoId"])
        for path in ("allOrders", "userTrades", "allAlgoOrders"):
            assert trader.refused("GET", f"v1/{path}", symbol=BTC, startTime=START, endTime=START + 7 * DAY + 1) == -4165
        assert trader.refused("GET", "v1/userTrades", symbol=BTC, fromId=1, startTime=START) == -1128
        trader.wait(3 * DAY)
        assert len(trader.ask("GET", "v1/allOrders", symbol=BTC)) == 2
        trader.wait(1)
        assert [row["orderId"] for row in trader.ask("GET", "v1/allOrders", symbol=BTC)] == [filled["orderId"]]
        assert trader.refused("GET", "v1/order", symbol=BTC, orderId=gone["orderId"]) == -2013
        assert trader.refused("GET", "v1/algoOrder", algoId=stop["algoId"]) == -2013
        trader.wait(5 * DAY)
        assert trader.ask("GET", "v1/allOrders", symbol=BTC) == []    # the last seven days
        assert len(trader.ask("GET", "v1/allOrders", symbol=BTC, orderId=1)) == 1
        assert len(trader.ask("GET", "v1/allOrders", startTime=START, endTime=START + DAY)) == 1
        assert trader.trades() == []
        assert len(trader.ask("GET", "v1/userTrades", symbol=BTC, startTime=START)) == 1
        assert len(trader.ask("GET", "v1/userTrades", symbol=BTC, fromId=0)) == 1
        trader.wait(90 * DAY)
        assert trader.refused("GET", "v1/order", symbol=BTC, orderId=filled["orderId"]) == -2013
        assert trader.ask("GET", "v1/userTrades", symbol=BTC, fromId=0) == []
        assert trader.refused("GET", "v1/income", startTime=START, endTime=START + 95 * DAY) == -4165


def test_told_fills_are_positions_like_any_other(sandbox):
    """They show as trades, can be closed by orders, and are isolated where the symbol is."""
    trader = Trader(sandbox, "told", usdt="10000")
    trader.price(60_000)
    trader.ask("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED")
    trader.ask("POST", "v1/leverage", symbol=BTC, leverage=10)
    sandbox.control("events", type="fill", market="futures", account="told", symbol=BTC, side="BUY", quantity="0.1", price="60000")
    row = trader.positions()[f"{BTC} BOTH"]
    assert (row["isolatedWallet"], row["liquidationPrice"]) == ("600.00000000", "54216.86746987")
    trader.price(61_000)
    assert trader.market("SELL", "0.1", reduceOnly="true")["status"] == "FILLED"
    assert [row["realizedPnl"] for row in trader.trades()] == ["0.00000000", "100.00000000"]
    assert trader.positions() == {}


# -- faults ----------------------------------------------------------------------------------------------------
def test_partial_fills_and_rejections_by_fault(trader):
    trader.sandbox.control("faults", path="/fapi/v1/order", mode="partial", fraction="0.4")
    part = trader.market("BUY", "0.1")
    assert (part["status"], part["executedQty"]) == ("PARTIALLY_FILLED", "0.040")
    trader.price(60_100)
    assert (trader.order(part["orderId"])["status"], trader.order(part["orderId"])["avgPrice"]) == ("FILLED", "60060.00")
    trader.sandbox.control("faults", path="/fapi/v1/order", mode="expire", fraction="0.5")
    bound = trader.market("BUY", "0.1")
    assert (bound["status"], bound["executedQty"]) == ("EXPIRED", "0.050")
    trader.sandbox.control("faults", path="/fapi/v1/order", mode="reject")
    assert trader.refused("POST", "v1/order", **MARKET) == -2020
    assert trader.amounts() == {f"{BTC} BOTH": "0.150"}


def test_an_answer_that_was_lost_and_one_that_is_stale(trader):
    trader.sandbox.control("faults", path="/fapi/v1/order", mode="unknown", executed=True)
    lost = trader.sandbox.signed("/fapi/v1/order", trader.name, "POST", **MARKET, newClientOrderId="lost")
    assert lost.status == 503
    trader.sandbox.control("faults", path="/fapi/v1/order", mode="stale")
    assert trader.refused("GET", "v1/order", symbol=BTC, origClientOrderId="lost") == -2013    # not yet
    assert trader.ask("GET", "v1/order", symbol=BTC, origClientOrderId="lost")["status"] == "FILLED"
    assert trader.amounts() == {f"{BTC} BOTH": "0.010"}


def test_an_average_price_that_is_not_known_yet(trader):
    """B14: avgPrice "0" on a filled order; the fills know."""
    order = trader.market("BUY", "0.01")
    trader.sandbox.control("faults", path="/fapi/v1/order", mode="unpriced")
    seen = trader.order(order["orderId"])
    assert (seen["status"], seen["avgPrice"], seen["executedQty"]) == ("FILLED", "0.00", "0.010")
    assert trader.trades()[0]["price"] == "60000.00"


def test_symbols_that_stopped_trading():
    with running() as sandbox:
        trader = Trader(sandbox)
        trader.price(60_000)
        trader.market("BUY", "0.1")
        trader.market("BUY", "0.1", symbol="ETHUSDT")
        sandbox.control("symbols", symbol=BTC, status="HALT")
        assert trader.refused("POST", "v1/order", **MARKET) == -4141
        assert trader.refused("POST", "v1/algoOrder", algoType="CONDITIONAL", symbol=BTC, side="SELL", type="STOP_MARKET", triggerPrice="50000", closePosition="true") == -4141
        statuses = {row["symbol"]: row["status"] for row in sandbox.get("/fapi/v1/exchangeInfo")["symbols"]}
        assert (statuses[BTC], statuses["ETHUSDT"]) == ("SETTLING", "TRADING")
        sandbox.control("symbols", symbol=BTC, status="DELISTED")
        assert trader.refused("POST", "v1/order", **MARKET) == -1121
        trader.wait(DAY)    # a position without a price earns and loses nothing, and liquidates nobody
        assert set(trader.amounts()) == {f"{BTC} BOTH", "ETHUSDT BOTH"}

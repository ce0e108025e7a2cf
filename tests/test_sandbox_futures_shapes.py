"""Futures answers have the field names and JSON types of what Binance sent; a recording beats the documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from test_sandbox_futures_support import BTC, Trader
from test_sandbox_shapes import assert_same_shape
from test_sandbox_support import running

API = Path(__file__).parents[2] / "shared/data/api"
pytestmark = pytest.mark.skipif(not API.is_dir(), reason=f"the recordings are not at {API}")


@pytest.fixture(scope="module")
def trader():
    """Something of everything: trades, open and closed orders, a liquidation, funding, amendments."""
    with running() as sandbox:
        sandbox.control("limits", enforced=False)
        trader = Trader(sandbox, usdt="20000")
        trader.price(60_000)
        trader.price(2000, "ETHUSDT")
        trader.ask("POST", "v1/marginType", symbol="ETHUSDT", marginType="ISOLATED")
        trader.market("BUY", "0.1", symbol="ETHUSDT")
        trader.price(1500, "ETHUSDT")
        trader.market("BUY", "0.1", symbol="ETHUSDT")
        trader.market("BUY", "0.1")
        trader.wait(8 * 3_600_000)
        trader.limit("SELL", "0.1", 61_000)
        order = trader.limit("SELL", "0.1", 61_500)
        trader.ask("PUT", "v1/order", symbol=BTC, orderId=order["orderId"], side="SELL", quantity="0.1", price="61600")
        trader.algo("SELL", "TAKE_PROFIT", 62_000, price="62000", quantity="0.1")
        yield trader


def of_symbol(rows: Any, symbol: str = BTC) -> Any:
    return [row for row in rows if row["symbol"] == symbol]


def recorded(name: str) -> Any:
    return json.loads((API / "recorded" / f"{name}.json").read_text("utf-8"))


def test_recorded_order_replies(trader):
    """Of July 2026 without avgPrice and cumQuote, of the months before with them, field for field in the same order."""
    log = [row["payload"] for row in recorded("futures-testnet-order-log") if isinstance(row["payload"], dict) and "orderId" in row["payload"]]
    for theirs in log:
        older = "avgPrice" in theirs
        trader.sandbox.control("futures", older_replies=older)
        ours = trader.limit("SELL", "0.1", 62_500) if theirs["type"] == "LIMIT" else trader.ask(
            "POST", "v1/order", symbol=BTC, side="BUY", type="MARKET", quantity="0.01")
        assert list(ours) == list(theirs)
        assert_same_shape(ours, theirs)
        same = ("status", "executedQty", "timeInForce", "type", "reduceOnly", "closePosition", "stopPrice", "workingType", "priceProtect",
                "origType", "priceMatch", "selfTradePreventionMode", "goodTillDate", "positionSide")
        assert {key: ours[key].rstrip("0") if "Qty" in key else ours[key] for key in same} == {
            key: theirs[key].rstrip("0") if "Qty" in key else theirs[key] for key in same}
    assert {"avgPrice" in theirs for theirs in log} == {True, False}
    trader.sandbox.control("futures", older_replies=False)


def test_recorded_balances_and_errors(trader):
    log = [row["payload"] for row in recorded("futures-testnet-order-log")]
    balances = next(payload for payload in log if isinstance(payload, list))
    assert_same_shape(trader.ask("GET", "v2/balance"), balances)
    assert list(trader.ask("GET", "v2/balance")[0]) == list(balances[0])
    errors = [payload for payload in log if isinstance(payload, dict) and "code" in payload and payload["code"] in (-4003, -4164)]
    for theirs, quantity in zip(errors, ("0", "0.001"), strict=True):
        symbol = BTC if quantity == "0" else "ETHUSDT"
        answer = trader.sandbox.signed("/fapi/v1/order", method="POST", symbol=symbol, side="BUY", type="MARKET", quantity=quantity)
        assert (answer.status, answer.body["code"], answer.body["msg"].replace("than 20 ", "than 100 ")) == (400, theirs["code"], theirs["msg"])


def test_the_order_quoted_in_2021():
    """responses-quoted-from-public-threads: filled in the reply itself, 811 at 1.49490; every field of then is there."""
    theirs = recorded("responses-quoted-from-public-threads")[0]["payload"]
    with running("--older-replies") as sandbox:
        other = Trader(sandbox)
        other.price(theirs["avgPrice"], theirs["symbol"])
        ours = other.market("BUY", theirs["origQty"], symbol=theirs["symbol"])
    assert_same_shape(ours, theirs)
    same = ("symbol", "status", "timeInForce", "type", "reduceOnly", "closePosition", "side", "positionSide", "workingType", "priceProtect",
            "origType")
    assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}
    assert all(float(ours[key]) == float(theirs[key]) for key in ("avgPrice", "cumQuote", "executedQty", "cumQty", "price", "stopPrice"))


def test_the_recorded_refusal_of_a_signature(trader):
    theirs = next(row["payload"] for row in recorded("futures-testnet-order-log")
                  if isinstance(row["payload"], dict) and row["payload"].get("code") == -1022)
    answer = trader.sandbox.ask("POST", f"/fapi/v1/order?timestamp={trader.sandbox.now}&signature={'0' * 64}", headers={"X-MBX-APIKEY": "alicekey"})
    assert (answer.status, answer.body) == (400, theirs)


def test_the_recorded_symbols(trader):
    """Steps, ticks, minima and limits are those of production on 2026-07-03, for every symbol of the generator."""
    theirs = {row["symbol"]: row for row in recorded("fapi-v1-exchangeInfo-2026-07-03")["symbols"]}
    ours = trader.sandbox.get("/fapi/v1/exchangeInfo")["symbols"]
    assert {BTC, "ETHUSDT", "SOLUSDT", "BNBUSDT"} <= {row["symbol"] for row in ours}
    for row in ours:
        known, filters = theirs[row["symbol"]], {each["filterType"]: each for each in row["filters"]}
        assert filters == {each["filterType"]: each for each in known["filters"]}, row["symbol"]
        assert {key: value for key, value in row.items() if key != "filters"} == {key: value for key, value in known.items() if key != "filters"}


def test_recorded_funding(trader):
    history = trader.sandbox.get("/fapi/v1/fundingRate", symbol=BTC)
    assert_same_shape(history, recorded("fapi-v1-fundingRate-BTCUSDT-2026-07-04"))
    theirs = {row["symbol"]: row for row in recorded("fapi-v1-fundingInfo-2026-07-04")}
    for row in trader.sandbox.get("/fapi/v1/fundingInfo"):
        if row["symbol"] in theirs and row["symbol"] in (BTC, "ETHUSDT", "SOLUSDT", "BNBUSDT"):
            assert row == theirs[row["symbol"]]


ARTEFACTS = ("icebergQuantity",)    # the documentation's "None"


@pytest.mark.parametrize(("path", "name", "params", "but"), [
    ("v1/order", "query_order", {"symbol": BTC, "orderId": "limit"}, ("activatePrice", "priceRate")),
    ("v1/openOrder", "query_current_open_order", {"symbol": BTC, "orderId": "limit"}, ("activatePrice", "priceRate")),
    ("v1/openOrders", "current_all_open_orders", {}, ("activatePrice", "priceRate")),
    ("v1/allOrders", "all_orders", {"symbol": BTC}, ("activatePrice", "priceRate")),
    ("v1/forceOrders", "users_force_orders", {}, ()),
    ("v1/orderAmendment", "get_order_modify_history", {"symbol": BTC}, ("modifyId",)),
    ("v1/openAlgoOrders", "current_all_algo_open_orders", {}, ARTEFACTS),
    ("v1/allAlgoOrders", "query_all_algo_orders", {"symbol": BTC}, ARTEFACTS),
    ("v1/userTrades", "account_trade_list", {"symbol": BTC}, ()),
    ("v1/income", "get_income_history", {}, ()),
    ("v1/positionMargin/history", "get_position_margin_change_history", {"symbol": "ETHUSDT"}, ()),
    ("v1/accountConfig", "futures_account_configuration", {}, ()),
    ("v1/symbolConfig", "symbol_configuration", {"symbol": BTC}, ()),
    ("v1/positionSide/dual", "get_current_position_mode", {}, ()),
    ("v1/multiAssetsMargin", "get_current_multi_assets_mode", {}, ()),
    ("v1/feeBurn", "get_bnb_burn_status", {}, ()),
    ("v1/commissionRate", "user_commission_rate", {"symbol": BTC}, ()),
    ("v1/rateLimit/order", "query_user_rate_limit", {}, ()),
    ("v1/leverageBracket", "notional_and_leverage_brackets", {"symbol": BTC}, ()),
    ("v2/account", "account_information_v2", {}, ()),
    ("v3/account", "account_information_v3", {}, ()),
    ("v2/positionRisk", "position_information_v2", {"symbol": BTC}, ()),
    ("v3/positionRisk", "position_information_v3", {}, ()),
    ("v1/assetIndex", "asset_index", {"symbol": "BTCUSD"}, ()),
    ("v1/ticker/24hr", "ticker24hr_price_change_statistics", {"symbol": BTC}, ()),
    ("v1/ticker/bookTicker", "symbol_order_book_ticker", {"symbol": BTC}, ()),
    ("v1/openInterest", "open_interest", {"symbol": BTC}, ()),
    ("v1/premiumIndex", "mark_price", {"symbol": BTC}, ()),
])
def test_documented_examples(trader, path, name, params, but):
    documented = json.loads((API / "documented/um_futures.json").read_text("utf-8"))[name]["example"]
    if params.get("orderId") == "limit":
        params = params | {"orderId": trader.ask("GET", "v1/openOrders")[0]["orderId"]}
    ours = trader.ask("GET", path, **params)
    assert ours, path
    assert_same_shape(ours, documented, path, but)


def test_the_documented_reply_of_an_algo_order(trader):
    theirs = json.loads((API / "documented/um_futures.json").read_text("utf-8"))
    row = trader.algo("SELL", "TAKE_PROFIT", 62_000, price="62000", quantity="0.1")
    assert_same_shape(row, theirs["new_algo_order"]["example"], but=ARTEFACTS)
    assert row["icebergQuantity"] is None
    assert_same_shape(trader.algo_state(row["algoId"]), theirs["query_algo_order"]["example"], but=ARTEFACTS)
    assert trader.ask("DELETE", "v1/algoOrder", algoId=row["algoId"]) | {"algoId": 0, "clientAlgoId": ""} == {
        "algoId": 0, "clientAlgoId": "", "code": "200", "msg": "success"}


def test_the_recorded_position_to_the_last_digit(trader):
    """ccxt-static-responses: its amount, entry, mark and leverage give its other figures."""
    theirs = next(row for row in recorded("ccxt-static-responses")["responses"] if row["endpoint"] == "GET /fapi/v3/positionRisk")["payload"][0]
    with running() as sandbox:
        other = Trader(sandbox, usdt="25.72470371")    # what its liquidation price says about its wallet
        other.price(theirs["entryPrice"])
        other.ask("POST", "v1/leverage", symbol=BTC, leverage=80)
        sandbox.control("events", type="fill", market="futures", account="alice", symbol=BTC, side="BUY", quantity="0.009", price=theirs["entryPrice"])
        other.price(theirs["markPrice"])
        ours = other.positions()[f"{BTC} BOTH"]
    loose = ("adl", "updateTime", "liquidationPrice")    # ccxt turned numbers into texts; the wallet has eight decimals alone
    assert {key: ours[key] for key in theirs if key not in loose} == {key: value for key, value in theirs.items() if key not in loose}
    assert float(ours["liquidationPrice"]) == pytest.approx(float(theirs["liquidationPrice"]), abs=1e-5)


def test_the_position_quoted_in_2021(trader):
    """responses-quoted-from-public-threads: a long at a loss."""
    theirs = recorded("responses-quoted-from-public-threads")[1]["payload"][0]
    with running() as sandbox:
        other = Trader(sandbox, usdt="100000")
        other.price(theirs["markPrice"])
        other.ask("POST", "v1/leverage", symbol=BTC, leverage=1)
        sandbox.control("events", type="fill", market="futures", account="alice", symbol=BTC, side="BUY", quantity="0.02", price=theirs["entryPrice"])
        ours = next(row for row in other.ask("GET", "v2/positionRisk", symbol=BTC))
    same = ("positionAmt", "entryPrice", "markPrice", "unRealizedProfit", "liquidationPrice", "leverage", "marginType", "isolatedMargin",
            "isAutoAddMargin", "positionSide", "notional")
    assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}

"""Every row of trouble that a trader must know (BINANCE.md section 11, CHECKLIST.md B14) comes with one `POST faults`."""

from __future__ import annotations

import http.client
import re
from pathlib import Path

import pytest

from test_sandbox_futures_support import BTC, Trader
from test_sandbox_support import running

TABLE = Path(__file__).parents[2] / "shared/BINANCE.md"
CODES = (
    -1000, -1001, -1002, -1003, -1006, -1007, -1008, -1013, -1015, -1016, -1020, -1021, -1022, -1100, -1101, -1102, -1103, -1104, -1105,
    -1106, -1111, -1112, -1114, -1115, -1116, -1117, -1118, -1121, -1122, -1125, -1128, -1130, -1131, -2008, -2010, -2011, -2013, -2014,
    -2015, -2016, -2017, -2018, -2019, -2020, -2021, -2022, -2023, -2024, -2025, -2027, -2028, -3003, -4000, -4003, -4004, -4005, -4013,
    -4014, -4016, -4023, -4024, -4028, -4045, -4046, -4047, -4048, -4059, -4060, -4061, -4062, -4067, -4068, -4087, -4088, -4105, -4106,
    -4107, -4109, -4116, -4117, -4118, -4120, -4130, -4131, -4137, -4138, -4141, -4142, -4161, -4164, -4168, -4171, -4189, -4192, -4202,
    -4203, -4204, -4205, -4206, -4207, -4208, -4209, -4400, -4401, -4402, -4403, -4509, -4531, -5021, -5022, -5027, -5028, -5047, -6021,
    -9000)
STATUSES = {-1002: 401, -1003: 429, -1008: 503, -1015: 429, -2014: 401, -2015: 401}
ORDER = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
PATH = "/fapi/v1/order"


@pytest.fixture(scope="module")
def trader():
    with running() as sandbox:
        sandbox.control("limits", enforced=False)
        trader = Trader(sandbox, usdt="100000")
        trader.price(60_000)
        yield trader


@pytest.fixture(autouse=True)
def _clear(trader):
    trader.sandbox.control("faults", method="DELETE")


def order(trader, **change):
    return trader.sandbox.signed(PATH, "alice", "POST", **ORDER | change)


def held(trader):
    return trader.amounts().get(f"{BTC} BOTH", "0")


@pytest.mark.skipif(not TABLE.is_file(), reason=f"the table is not at {TABLE}")
def test_the_list_is_the_whole_table():
    text = TABLE.read_text("utf-8")
    rows = text[text.index("### 11.2"):text.index("Sources §11")].splitlines()
    named = set()
    for cell in (row.split("|")[1] for row in rows if row.startswith("| ")):
        named |= {int(code) for code in re.findall(r"-\d{4,5}", cell)}
        for first, last in re.findall(r"(-\d{4})…(-\d{4})", cell):
            named |= set(range(int(last), int(first) + 1))
    assert named <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_code_in_place_of_an_order(trader, code):
    """Its status and text, once; nothing was executed."""
    before = held(trader)
    trader.sandbox.control("faults", path=PATH, code=code)
    answer = order(trader)
    assert (answer.status, answer.body["code"]) == (STATUSES.get(code, 400), code)
    assert len(answer.body["msg"]) > 10
    assert "Rehearsed" not in answer.body["msg"]
    assert held(trader) == before
    assert order(trader, side="SELL").status == 200


@pytest.mark.parametrize("code", [-1000, -1001, -1006, -1007, -1021, -4116])
def test_a_code_although_the_order_was_executed(trader, code):
    before = float(held(trader))
    trader.sandbox.control("faults", path=PATH, code=code, executed=True)
    assert order(trader, newClientOrderId=f"sure{code}").body["code"] == code
    assert float(held(trader)) == pytest.approx(before + 0.01)
    assert trader.ask("GET", "v1/order", symbol=BTC, origClientOrderId=f"sure{code}")["status"] == "FILLED"


@pytest.mark.parametrize(("fault", "status", "code"), [
    pytest.param({"status": 429}, 429, -1003, id="too many requests"),
    pytest.param({"status": 429, "retry_after": 0}, 429, -1003, id="too many requests, at once again"),
    pytest.param({"status": 418}, 418, -1003, id="banned"),
    pytest.param({"mode": "unknown"}, 503, -1000, id="503: it may have happened"),
    pytest.param({"mode": "unavailable"}, 503, -1000, id="503: it did not"),
    pytest.param({"mode": "throttled"}, 503, -1008, id="503: only closing orders"),
    pytest.param({"status": 504}, 504, -1000, id="the gateway's patience ended"),
    pytest.param({"mode": "reject"}, 400, -2020, id="the matching engine refuses"),
])
def test_by_status_and_mode(trader, fault, status, code):
    before = held(trader)
    trader.sandbox.control("faults", path=PATH, **fault)
    answer = order(trader)
    assert (answer.status, answer.body["code"], held(trader)) == (status, code, before)
    assert answer.headers.get("retry-after") == {429: str(fault.get("retry_after", 1)), 418: "120"}.get(status)


@pytest.mark.parametrize("fault", [{"mode": "drop"}, {"mode": "truncated"}, {"mode": "html", "executed": True}])
def test_accepted_and_the_answer_is_lost(trader, fault):
    before, name = float(held(trader)), f"lost-{fault['mode']}"
    trader.sandbox.control("faults", path=PATH, **fault)
    try:
        assert not isinstance(order(trader, newClientOrderId=name).body, dict)
    except (http.client.HTTPException, ConnectionError, ValueError):
        trader.sandbox.connection.close()
    assert float(held(trader)) == pytest.approx(before + 0.01)
    assert trader.ask("GET", "v1/order", symbol=BTC, origClientOrderId=name)["status"] == "FILLED"


def test_a_stale_read_does_not_know_the_order_yet(trader):
    number = order(trader).body["orderId"]
    trader.sandbox.control("faults", path=PATH, mode="stale")
    assert trader.refused("GET", "v1/order", symbol=BTC, orderId=number) == -2013
    assert trader.order(number)["status"] == "FILLED"


@pytest.mark.parametrize("older", [False, True])
def test_no_average_price_so_that_the_fills_must_be_used(trader, older):
    """B14: with one call both the order's answer and the look-up of it say "0"; only userTrades knows."""
    trader.sandbox.control("futures", older_replies=older)
    trader.sandbox.control("faults", path=PATH, mode="unpriced", count=2)
    placed = trader.market("BUY", "0.01")
    seen = trader.order(placed["orderId"])
    assert {placed["status"], seen["status"]} == {"FILLED"}
    assert {float(placed["avgPrice"]), float(seen["avgPrice"]), float(seen["cumQuote"])} == {0.0}
    assert [row["price"] for row in trader.ask("GET", "v1/userTrades", symbol=BTC, orderId=placed["orderId"])] == ["60000.00"]
    assert trader.order(placed["orderId"])["avgPrice"] == "60000.00"
    trader.sandbox.control("futures", older_replies=False)


def test_partly_filled_and_the_rest_expired(trader):
    trader.sandbox.control("faults", path=PATH, mode="expire", fraction="0.3")
    placed = trader.market("BUY", "0.01")
    assert (placed["status"], placed["executedQty"]) == ("EXPIRED", "0.003")


def test_the_position_mode_is_switched_from_outside(trader):
    """Between our reading it and our order: one call, and the order answers -4061."""
    other = Trader(trader.sandbox, "switched")
    assert other.ask("GET", "v1/positionSide/dual") == {"dualSidePosition": False}
    trader.sandbox.control("faults", path=PATH, mode="meanwhile", call="POST /fapi/v1/positionSide/dual", params={"dualSidePosition": True})
    assert other.refused("POST", "v1/order", **ORDER) == -4061
    assert other.ask("GET", "v1/positionSide/dual") == {"dualSidePosition": True}
    assert other.ask("POST", "v1/order", **ORDER, positionSide="LONG")["status"] == "NEW"


def test_a_triggered_order_is_rejected(trader):
    trader.sandbox.control("faults", path="/fapi/v1/algoOrder", mode="reject")
    number = trader.algo("SELL", "STOP_MARKET", 59_000, quantity="0.01")["algoId"]
    trader.price(58_000)
    assert trader.algo_state(number)["algoStatus"] == "REJECTED"
    trader.price(60_000)


def test_filters_change_and_a_symbol_closes_between_two_calls(trader):
    change = {"path": PATH, "mode": "meanwhile", "call": "POST /sandbox/symbols"}
    trader.sandbox.control("faults", **change, params={"symbol": BTC, "futures_step": "0.1"})
    assert order(trader).body["code"] in (-1111, -4004)
    trader.sandbox.control("symbols", symbol=BTC, futures_step="0.001")
    trader.sandbox.control("faults", **change, params={"symbol": BTC, "status": "HALT"})
    assert order(trader).body["code"] == -4141
    trader.sandbox.control("symbols", symbol=BTC, status="TRADING")

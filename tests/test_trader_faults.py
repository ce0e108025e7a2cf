"""Whatever goes wrong at the exchange: nothing is opened twice, nothing stays without a stop, and the log says so."""

from __future__ import annotations

import re

import pytest

from navbook.runner import alerts
from test_sandbox_support import running
from traders import FAST, PRICE, fresh_floor

ORDER = {"path": "/fapi/v1/order", "method": "POST"}
EXIT = {"path": "/fapi/v1/algoOrder", "method": "POST"}
UNSURE, NOTHING = "may have been carried out or not", "could not be reached"


@pytest.fixture(scope="module")
def exchange():
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def floor(exchange, tmp_path, monkeypatch):
    floor = fresh_floor(exchange, tmp_path, monkeypatch, **FAST)
    yield floor
    floor.heal()
    exchange.control("symbols", symbol="BTCUSDT", status="TRADING", futures_tick="0.10", futures_step="0.001")
    exchange.control("futures", expire_delay_ms=0, trigger_delay_ms=0)


def live_through(floor, *faults, count=2):
    """Open in trouble, reach the target, reopen, reach the stop, reopen: nothing is doubled, bare or left over."""
    def trouble():
        for fault in faults:
            floor.fault(**{"count": count} | fault)

    floor.checks(trouble, lambda: floor.price(PRICE + 1000), None, lambda: floor.price(PRICE - 1000), None, None,
                 floor.heal, None)
    safe(floor)


def safe(floor):
    filled = [trade for trade in floor.trades() if trade.quantity]
    assert floor.opened() == len(filled) >= 1
    assert max(floor.naked.values(), default=0) <= 1
    held = sum(trade.quantity for trade in filled if trade.state == "open")
    assert sum(floor.legs().values()) == held
    if held:
        assert set(floor.waiting()) == {"STOP_MARKET", "TAKE_PROFIT_MARKET"}
        assert len(floor.stops()) == 1
    else:
        assert floor.waiting() == {}


WRITES = [
    pytest.param({"code": -1007, "executed": True}, UNSURE, id="-1007, done"),
    pytest.param({"code": -1007}, UNSURE, id="-1007, not done"),
    pytest.param({"code": -1001, "executed": True}, UNSURE, id="-1001, done"),
    pytest.param({"mode": "unknown", "executed": True}, UNSURE, id="503 unknown, done"),
    pytest.param({"mode": "unknown"}, UNSURE, id="503 unknown, not done"),
    pytest.param({"mode": "unavailable"}, NOTHING, id="503 unavailable"),
    pytest.param({"mode": "throttled"}, NOTHING, id="-1008"),
    pytest.param({"mode": "html"}, UNSURE, id="a page"),
    pytest.param({"mode": "html", "executed": True}, UNSURE, id="a page, done"),
    pytest.param({"mode": "truncated"}, UNSURE, id="half an answer"),
    pytest.param({"mode": "drop"}, UNSURE, id="dropped after it was done"),
    pytest.param({"mode": "drop", "executed": False}, UNSURE, id="dropped before"),
    pytest.param({"status": 429, "retry_after": 0}, NOTHING, id="429"),
    pytest.param({"status": 418, "retry_after": 1}, NOTHING, id="418"),
    pytest.param({"code": -1021}, "-1021", id="-1021"),
    pytest.param({"code": -2019}, r"refused \(-2019\)", id="-2019"),
    pytest.param({"mode": "delay", "delay_ms": 1100}, "took 1", id="slow"),
]


@pytest.mark.parametrize(("fault", "words"), WRITES)
def test_b29_an_entry_in_trouble(floor, fault, words):
    live_through(floor, {**ORDER, **fault}, count=1 if "delay_ms" in fault else 2)
    assert any(re.search(words, line) for line in floor.said), floor.said


@pytest.mark.parametrize(("fault", "words"), WRITES)
def test_b18_a_stop_in_trouble(floor, fault, words):
    live_through(floor, {**EXIT, **fault}, count=1 if "delay_ms" in fault else 2)
    assert any(re.search(words, line) for line in floor.said), floor.said


@pytest.mark.parametrize(("fault", "words"), [
    pytest.param({**ORDER, "mode": "partial"}, "its rest is cancelled", id="an entry fills in part and stays"),
    pytest.param({**ORDER, "mode": "expire"}, r"Only a part .* \(EXPIRED\)", id="an entry fills in part and expires"),
    pytest.param({**ORDER, "mode": "reject"}, r"refused \(-2020\)", id="an entry is refused"),
    pytest.param({**EXIT, "mode": "partial"}, "at its", id="an exit fills in two parts"),
    pytest.param({**EXIT, "mode": "expire"}, "passed", id="an exit fills in part and expires"),
    pytest.param({**EXIT, "mode": "reject"}, "refused to carry it out", id="an exit is refused when it triggers"),
])
def test_b22_b23_the_engine_does_half_of_it(floor, fault, words):
    live_through(floor, fault)
    assert any(re.search(words, line) for line in floor.said), floor.said
    for trade in floor.trades():
        if trade.pnl is not None:
            gain = (trade.exit_price - trade.entry_price) * trade.quantity
            assert abs(trade.pnl - (gain - trade.fee + trade.funding)) < 1e-8


@pytest.mark.parametrize("path", ["v3/positionRisk", "v1/openAlgoOrders", "v1/userTrades", "v1/order", "v1/algoOrder",
                                  "v1/income", "v2/ticker/price", "v3/account"])
@pytest.mark.parametrize("fault", [{"status": 500}, {"mode": "truncated"}, {"mode": "stale"}], ids=str)
def test_reads_in_trouble(floor, path, fault):
    """Even if they are for many checks; what is read late is only noticed late."""
    live_through(floor, {"path": f"/fapi/{path}", "method": "GET", **fault}, count=5)
    if fault != {"mode": "stale"} and path != "v1/order":    # asked where something is in doubt
        assert floor.told(NOTHING)


def test_b14_an_order_without_a_price_is_priced_by_its_fills(floor):
    live_through(floor, {"path": "/fapi/v1/order", "mode": "unpriced"}, count=9)
    assert floor.trades()[0].entry_price == PRICE


def test_b7_the_position_mode_is_changed_from_outside(floor):
    live_through(floor, {**ORDER, "mode": "meanwhile", "call": "POST /fapi/v1/positionSide/dual",
                         "params": {"dualSidePosition": "false"}}, count=1)
    assert floor.told("The position mode was changed from outside; it is set again.")


@pytest.mark.parametrize("params", [{"symbol": "BTCUSDT", "status": "HALT"},
                                    {"symbol": "BTCUSDT", "futures_step": "0.01", "futures_tick": "1"}], ids=str)
def test_the_symbol_changes_between_two_calls(floor, params):
    def back_to_normal():
        floor.sandbox.control("symbols", symbol="BTCUSDT", status="TRADING")

    floor.checks(lambda: floor.fault(**ORDER, mode="meanwhile", call="POST /sandbox/symbols", params=params), None,
                 back_to_normal, None, None)
    safe(floor)
    assert floor.told("Not opened:")


def test_b18_trouble_is_an_alert_until_a_check_goes_well(floor):
    seen = []
    floor.checks(lambda: floor.fault(**EXIT, mode="unknown", count=99), None,
                 lambda: (seen.append(alerts.opened(floor.config)), floor.heal()), None, None, None)
    assert {alert.level for alert in seen[0].values()} == {"critical"}
    assert all(cause.startswith(f"trader of {floor.account}") for cause in seen[0])
    assert alerts.opened(floor.config) == {}
    safe(floor)


def test_b32_an_exit_that_outlives_its_position_is_cancelled(floor):
    """B32: the exchange may take its time to end it."""
    floor.sandbox.control("futures", expire_delay_ms=3_600_000)
    live_through(floor)
    assert floor.told("left over from a closed position")


def test_an_exit_that_is_triggering_is_waited_for(floor):
    floor.sandbox.control("futures", trigger_delay_ms=90_000)
    live_through(floor)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_everything_at_once(floor, share):
    up, down = (lambda: floor.price(PRICE + 1000)), (lambda: floor.price(PRICE - 1000))
    floor.checks(lambda: floor.trouble(share), *[up, None, down, None] * 6, floor.heal, None, None)
    safe(floor)
    assert len([trade for trade in floor.trades() if trade.quantity]) >= 4

"""Trouble on demand, and the log of requests."""

from __future__ import annotations

import http.client
import json
import time

import pytest

from test_sandbox_support import START, running

PATH = "/api/v3/account"


@pytest.fixture(scope="module")
def sandbox():
    with running() as sandbox:
        sandbox.account(balances={"spot": {"BTC": 1}})
        yield sandbox


@pytest.fixture(autouse=True)
def _clear(sandbox):
    sandbox.control("faults", method="DELETE")


def fault(sandbox, path=PATH, **more):
    answer = sandbox.ask("POST", "/sandbox/faults", json.dumps({"path": path, **more}).encode())
    assert answer.status == 200, answer.raw


@pytest.mark.parametrize(("given", "status", "code"), [
    ({"status": 429}, 429, -1003), ({"status": 418}, 418, -1003), ({"code": -1021}, 400, -1021), ({"code": -2015}, 401, -2015),
    ({"status": 503, "code": -1008}, 503, -1008), ({"status": 500}, 500, -1000), ({"code": -4242, "msg": "Mine."}, 400, -4242),
])
def test_errors(sandbox, given, status, code):
    fault(sandbox, **given)
    answer = sandbox.signed(PATH)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert answer.body["msg"] == given.get("msg", answer.body["msg"]) != ""
    assert ("retry-after" in answer.headers) == (status in (418, 429))
    assert sandbox.signed(PATH).status == 200    # once, unless `count` says otherwise


def test_retry_after(sandbox):
    fault(sandbox, status=429, retry_after=0)
    assert sandbox.signed(PATH).headers["retry-after"] == "0"
    fault(sandbox, status=429)
    assert sandbox.signed(PATH).headers["retry-after"] == "1"


def test_count_and_paths(sandbox):
    fault(sandbox, path="/sapi/*", code=-1000, count=2)
    assert sandbox.signed(PATH).status == 200
    assert sandbox.signed("/sapi/v1/account/info").status == 400
    assert sandbox.signed("/sapi/v1/account/apiRestrictions").status == 400
    assert sandbox.signed("/sapi/v1/account/info").status == 200
    fault(sandbox, path="/sapi/v1/account", code=-1000)    # exact: another path
    assert sandbox.signed("/sapi/v1/account/info").status == 200


def test_html(sandbox):
    fault(sandbox, mode="html")
    answer = sandbox.signed(PATH)
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (403, "text/html")
    assert "<html>" in answer.body


def test_truncated(sandbox):
    fault(sandbox, mode="truncated")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        sandbox.signed(PATH)
    assert sandbox.signed(PATH).status == 200


def test_drop(sandbox):
    fault(sandbox, mode="drop")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        sandbox.signed(PATH, timestamp=START)
    sandbox.connection.close()
    assert sandbox.signed(PATH).status == 200


def test_delay(sandbox):
    fault(sandbox, delay_ms=300)
    began = time.perf_counter()
    assert sandbox.signed(PATH, timestamp=START).status == 200
    assert time.perf_counter() - began > 0.29


def test_the_three_503s(sandbox):
    for mode, code, text in (("unavailable", -1000, "Service Unavailable."), ("throttled", -1008, "Request throttled"),
                             ("unknown", -1000, "Unknown error, please check your request")):
        fault(sandbox, path="/fapi/v1/time", mode=mode)
        answer = sandbox.ask("GET", "/fapi/v1/time")
        assert (answer.status, answer.body["code"]) == (503, code)
        assert answer.body["msg"].startswith(text)


TRANSFER = {"type": "MAIN_FUNDING", "asset": "BTC", "amount": "0.001"}


def funding(sandbox):
    rows = sandbox.read("/sapi/v1/asset/get-funding-asset", "mover", "POST")
    return rows[0]["free"] if rows else "0"


@pytest.fixture
def mover(sandbox):
    if "mover" not in sandbox.keys:
        sandbox.account("mover", balances={"spot": {"BTC": 1}}, permissions={"enableReading": True, "permitsUniversalTransfer": True})
    return funding(sandbox)


@pytest.mark.parametrize(("given", "moved"), [
    ({"mode": "drop"}, True), ({"mode": "drop", "executed": False}, False), ({"code": -1007}, False),
    ({"code": -1007, "executed": True}, True), ({"mode": "unknown", "executed": True}, True), ({"mode": "truncated"}, True),
    ({"mode": "html", "executed": True}, True), ({"mode": "html", "status": 451}, False), ({"mode": "unavailable"}, False),
])
def test_accepted_or_not_the_answer_is_lost(sandbox, mover, given, moved):
    fault(sandbox, path="/sapi/v1/asset/transfer", **given)
    try:
        answer = sandbox.signed("/sapi/v1/asset/transfer", "mover", "POST", **TRANSFER)
        assert answer.status != 200
    except (http.client.HTTPException, ConnectionError, ValueError):
        sandbox.connection.close()
    assert (funding(sandbox) != mover) == moved


def test_stale(sandbox):
    sandbox.set_clock(START)
    sandbox.control("events", type="deposit", account="alice", asset="ETH", amount=1, time=START - 1500)
    for given, seen in (({}, []), ({"stale_ms": 1000}, ["ETH"])):
        fault(sandbox, mode="stale", path="/sapi/v1/capital/deposit/hisrec", **given)
        assert [row["coin"] for row in sandbox.read("/sapi/v1/capital/deposit/hisrec")] == seen
        fault(sandbox, mode="stale", **given)
        assert ("ETH" in sandbox.spot()) == bool(seen)
    assert "ETH" in sandbox.spot()


def test_meanwhile_somebody_changes_something(sandbox):
    """Position mode, filters, a listing, a price: changed from outside between two of our calls."""
    if "hedger" not in sandbox.keys:
        sandbox.account("hedger", balances={"futures": {"USDT": 10}}, permissions={"enableReading": True, "enableFutures": True})
    mode = "/fapi/v1/positionSide/dual"
    assert sandbox.read(mode, "hedger") == {"dualSidePosition": False}
    fault(sandbox, path=mode, mode="meanwhile", call=f"POST {mode}", params={"dualSidePosition": True}, skip=1)
    assert [sandbox.read(mode, "hedger")["dualSidePosition"] for _ in range(2)] == [False, True]
    assert [row["path"] for row in sandbox.get("/sandbox/requests")[-2:]] == [mode, mode]

    info = "/api/v3/exchangeInfo"
    fault(sandbox, path=info, mode="meanwhile", call="POST /sandbox/symbols", params={"symbol": "SOLUSDT", "tick": "0.1", "step": "0.5"})
    filters = {row["filterType"]: row for row in sandbox.get(info, symbol="SOLUSDT")["symbols"][0]["filters"]}
    assert (filters["PRICE_FILTER"]["tickSize"], filters["LOT_SIZE"]["stepSize"]) == ("0.10", "0.50")
    fault(sandbox, path="/api/v3/ticker/price", mode="meanwhile", call="POST /sandbox/prices", params={"symbol": "BTCUSDT", "price": 12345})
    assert sandbox.get("/api/v3/ticker/price", symbol="BTCUSDT")["price"] == "12345.00000000"


def test_halted_and_delisted(sandbox):
    ticker = "/api/v3/ticker/price"
    sandbox.control("events", type="deposit", account="alice", asset="XMR", amount=1, time=START)
    before = sandbox.get(ticker, symbol="XMRBTC")["price"]

    def worth():
        rows = sandbox.read("/sapi/v3/asset/getUserAsset", method="POST", asset="XMR", needBtcValuation="true")
        return rows[0]["btcValuation"]

    assert worth() != "0.00000000"
    sandbox.control("symbols", symbol="XMRBTC", status="BREAK")
    sandbox.control("clock", advance_ms=60 * 86_400_000)
    assert sandbox.get(ticker, symbol="XMRBTC")["price"] == before    # the last, stale price is still listed
    assert "XMRBTC" not in {row["symbol"] for row in sandbox.get(ticker, symbolStatus="TRADING")}
    assert sandbox.ask("GET", f"{ticker}?symbol=XMRBTC&symbolStatus=TRADING").body["code"] == -1220
    assert sandbox.get("/api/v3/exchangeInfo", symbol="XMRBTC")["symbols"][0]["status"] == "BREAK"
    assert worth() == "0.00000000"    # an asset without a price
    sandbox.control("symbols", symbol="XMRBTC", status="DELISTED")
    assert sandbox.ask("GET", f"{ticker}?symbol=XMRBTC").body["code"] == -1121
    sandbox.control("symbols", symbol="XMRBTC", status="TRADING")
    sandbox.set_clock(START)
    assert sandbox.get(ticker, symbol="XMRBTC")["price"] == before


def test_now_and_then(sandbox):
    """A share of the requests; the same seed has the same luck."""
    def luck():
        with running("--seed", "5") as own:
            own.control("faults", path="/api/v3/time", status=503, code=-1000, probability="0.25")
            return [own.ask("GET", "/api/v3/time").status for _ in range(200)]

    first = luck()
    assert 30 < first.count(503) < 70
    assert luck() == first


def test_one_method_alone(sandbox):
    fault(sandbox, path="/sapi/v1/asset/transfer", code=-1000, method="GET")
    assert sandbox.signed("/sapi/v1/asset/transfer", method="POST").body["code"] == -2015
    assert sandbox.signed("/sapi/v1/asset/transfer", type="MAIN_FUNDING").body["code"] == -1000


@pytest.mark.parametrize("code", [-1006, -1013, -1111, -2008, -2010, -2013, -2019, -2021, -2022, -2027, -4003, -4045, -4046, -4059,
                                  -4061, -4116, -4120, -4130, -4164, -4192, -4509, -5021, -5028])
def test_every_code_has_its_text(sandbox, code):
    fault(sandbox, path="/fapi/v1/time", code=code)
    body = sandbox.ask("GET", "/fapi/v1/time").body
    assert body["code"] == code
    assert "Rehearsed" not in body["msg"]


def test_cleared(sandbox):
    fault(sandbox, code=-1000, count=99)
    sandbox.control("faults", method="DELETE")
    assert sandbox.signed(PATH).status == 200


@pytest.mark.parametrize(("content", "key"), [
    ({}, "path"), ({"path": "api"}, "path"), ({"path": "/x"}, "status"), ({"path": "/x", "mode": "fire"}, "mode"),
    ({"path": "/x", "status": "429"}, "status"), ({"path": "/x", "status": 429, "count": 0}, "count"),
    ({"path": "/x", "status": 429, "when": 1}, "when"), ({"path": "/x", "mode": "html", "probability": 2}, "probability"),
    ({"path": "/x", "mode": "meanwhile"}, "call"), ({"path": "/x", "mode": "meanwhile", "call": "POST /nowhere"}, "call"),
    ({"path": "/x", "mode": "meanwhile", "call": "GET /api/v3/time", "account": "nobody"}, "account"),
    ({"path": "/x", "mode": "meanwhile", "call": "GET /api/v3/time", "params": 1}, "params"),
    ({"path": "/x", "status": 700}, "status"), ({"path": "/x", "status": 204}, "status"),
    ({"path": "/x", "mode": "partial", "fraction": 1}, "fraction"), ({"path": "/x", "mode": "stale", "stale_ms": -1}, "stale_ms"),
])
def test_wrong_faults_name_the_key(sandbox, content, key):
    assert sandbox.control("faults", expect=400, **content)["key"] == key


def test_a_method_is_written_as_on_the_wire(sandbox):
    answer = sandbox.ask("POST", "/sandbox/faults", b'{"path": "/x", "status": 500, "method": "get"}')
    assert (answer.status, answer.body["key"]) == (400, "method")


@pytest.mark.parametrize(("content", "key"), [
    ({}, "symbol"), ({"symbol": "NOPE"}, "symbol"), ({"symbol": "BTCUSDT", "status": "GONE"}, "status"),
    ({"symbol": "BTCUSDT", "tick": 0}, "tick"), ({"symbol": "BTCUSDT", "colour": "red"}, "colour"),
])
def test_wrong_symbols_name_the_key(sandbox, content, key):
    assert sandbox.control("symbols", expect=400, **content)["key"] == key


def test_control_wants_json_objects(sandbox):
    for body in (b"{", b"[]", b"\xff"):
        answer = sandbox.ask("POST", "/sandbox/clock", body)
        assert (answer.status, answer.body["key"]) == (400, "body")
    for content, key in (({}, "now"), ({"now": 1, "advance_ms": 1}, "now"), ({"now": "x"}, "now"), ({"now": 17}, "now"),
                         ({"advance_ms": 1.5}, "advance_ms"), ({"advance_ms": 1, "x": 1}, "x")):
        assert sandbox.control("clock", expect=400, **content)["key"] == key


def test_requests_are_logged_without_secrets(sandbox):
    sandbox.set_clock(START + 1000)
    sandbox.signed(PATH)
    fault(sandbox, status=429)
    sandbox.signed(PATH, timestamp=START)
    log = sandbox.get("/sandbox/requests")
    assert log[-1] == {"method": "GET", "path": PATH, "weight": 20, "status": 429, "time": START + 1000}
    assert log[-2]["status"] == 200
    assert not any(row["path"].startswith("/sandbox") for row in log[-2:])
    sandbox.set_clock(START)

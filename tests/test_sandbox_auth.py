"""Keys, signatures and timing, as BINANCE.md sections 2.2, 2.3 and 13 (6 to 9) state them."""

from __future__ import annotations

import time
from hashlib import sha256
from hmac import digest

import pytest

from binance_sandbox.auth import sign, signed_by, without_signature
from binance_sandbox.clock import Clock
from test_sandbox_support import KEYS, START, running

ACCOUNT = "/api/v3/account"


@pytest.fixture(scope="module")
def sandbox():
    with running() as sandbox:
        sandbox.account("alice", balances={"spot": {"BTC": "1"}})
        sandbox.account("blind", permissions={"enableReading": False})
        yield sandbox


def test_documented_signature():
    secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
    text = (b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
            b"&timestamp=1591702613943")
    expected = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    assert sign(secret, text).decode() == expected
    assert signed_by(secret, text + b"&signature=" + expected.encode(), b"", expected.upper())
    query, body = text[:59], text[59:]    # query and body are joined without an "&"
    assert signed_by(secret, query, body + b"&signature=x", expected)


def test_only_the_signature_is_removed():
    assert without_signature("a=1&signature=xyz&b=2") == "a=1&b=2"
    assert without_signature("signature=xyz") == ""


@pytest.mark.parametrize("sent", ["a=x%3Ay%2Fz%40w", "a=x:y/z@w", "a=two+words"])
def test_signed_before_or_after_encoding(sent):
    """python-binance signs the plain text and lets its HTTP library encode it."""
    for text in (sent, sent.replace("%3A", ":").replace("%2F", "/").replace("%40", "@").replace("+", " ")):
        assert signed_by("secret", b"", f"{sent}&signature=1".encode(), sign("secret", text.encode()).decode())


@pytest.mark.parametrize(("headers", "query", "status", "code", "text"), [
    pytest.param({}, "", 401, -2014, "API-key format invalid.", id="no key"),
    pytest.param({"X-MBX-APIKEY": "nobody"}, "", 401, -2015, "Invalid API-key", id="unknown key before parameters"),
    pytest.param({"X-MBX-APIKEY": "alicekey"}, "signature=x", 400, -1102, "'timestamp'", id="no timestamp"),
    pytest.param({"X-MBX-APIKEY": "alicekey"}, "timestamp=1", 400, -1102, "'signature'", id="no signature"),
    pytest.param({"X-MBX-APIKEY": "alicekey"}, "timestamp=1x&signature=x", 400, -1100, "'timestamp'", id="no number"),
    pytest.param({"X-MBX-APIKEY": "alicekey"}, "timestamp=1&signature=x", 400, -1021, "recvWindow", id="time before signature"),
    pytest.param({"X-MBX-APIKEY": "alicekey"}, f"timestamp={START}&signature=é", 400, -1022, "Signature", id="signature"),
    pytest.param({"X-MBX-APIKEY": "blindkey"}, f"timestamp={START}&signature=x", 400, -1022, "Signature",
                 id="signature before permission"),
])
def test_check_order(sandbox, headers, query, status, code, text):
    answer = sandbox.ask("GET", f"{ACCOUNT}?{query}".replace("é", "%C3%A9"), headers=headers)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert text in answer.body["msg"]
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"


def test_permission_after_signature(sandbox):
    answer = sandbox.signed(ACCOUNT, "blind")
    assert (answer.status, answer.body["code"]) == (401, -2015)


@pytest.mark.parametrize(("offset", "window", "text"), [
    (-6000, {}, "Timestamp for this request is outside of the recvWindow."),
    (-2500, {"recvWindow": 1000}, "Timestamp for this request is outside of the recvWindow."),
    (600_000, {}, "Timestamp for this request was 1000ms ahead of the server's time."),
])
def test_timestamp(sandbox, offset, window, text):
    answer = sandbox.signed(ACCOUNT, timestamp=START + offset, **window)
    assert (answer.status, answer.body) == (400, {"code": -1021, "msg": text})


def test_recv_window(sandbox):
    assert sandbox.signed(ACCOUNT, timestamp=START - 9000, recvWindow=10_000).status == 200
    assert sandbox.signed(ACCOUNT, timestamp=START - 900, recvWindow="1000.5").status == 200
    assert sandbox.signed(ACCOUNT, recvWindow=60_001).body["code"] == -1131


def test_a_standing_clock_takes_both_readings():
    """A client that synchronised when the clock was set goes on with the wall; a new one starts at the clock."""
    wall = iter([0.0, 30.0, 30.0, 30.0])
    clock = Clock(START, wall=lambda: next(wall))
    assert (clock.now(), clock.at_wall_pace()) == (START, START + 30_000)


def test_the_wall_clock_is_strict():
    with running(start=None) as sandbox:
        sandbox.account()
        assert abs(sandbox.now - time.time() * 1000) < 2000
        assert sandbox.signed(ACCOUNT).status == 200
        assert "outside" in sandbox.signed(ACCOUNT, timestamp=sandbox.now - 5500).body["msg"]
        assert "ahead" in sandbox.signed(ACCOUNT, timestamp=sandbox.now + 3000).body["msg"]


def test_post_is_signed_over_query_and_body(sandbox):
    body = f"needBtcValuation=True&timestamp={START}".encode()
    query = "asset=BTC"
    signature = digest(b"alicesecret", query.encode() + body, sha256).hex()
    answer = sandbox.ask("POST", f"/sapi/v3/asset/getUserAsset?{query}", body + f"&signature={signature}".encode(),
                         {"X-MBX-APIKEY": "alicekey"})    # and no Content-Type
    assert answer.body[0]["btcValuation"] == "1.00000000"


def test_on_a_duplicate_key_the_query_wins(sandbox):
    query, body = f"asset=BTC&timestamp={START}", b"asset=ETH"
    signature = digest(b"alicesecret", query.encode() + body, sha256).hex()
    answer = sandbox.ask("POST", f"/sapi/v3/asset/getUserAsset?{query}&signature={signature}", body,
                         {"X-MBX-APIKEY": "alicekey"})
    assert [row["asset"] for row in answer.body] == ["BTC"]


def test_unknown_paths_are_json_and_case_sensitive(sandbox):
    for method, path in (("GET", "/api/v3/nothing"), ("GET", "/api/V3/ping"), ("POST", "/api/v3/ping")):
        answer = sandbox.ask(method, path)
        assert (answer.status, answer.body["code"]) == (404, -5000)


def test_weights_are_told(sandbox):
    sandbox.set_clock(START + 60_000)    # a new minute
    assert sandbox.signed(ACCOUNT).headers["x-mbx-used-weight-1m"] == "21"    # with the 1 of /time
    assert sandbox.ask("GET", "/fapi/v1/klines?symbol=BTCUSDT&interval=1h&limit=1000").headers["x-mbx-used-weight-1m"] == "5"
    assert sandbox.signed("/sapi/v1/asset/wallet/balance").headers["x-sapi-used-ip-weight-1m"] == "60"
    assert sandbox.signed("/sapi/v1/capital/withdraw/history").headers["x-sapi-used-uid-weight-1m"] == "18000"
    sandbox.set_clock(START)


def test_a_key_is_its_account(sandbox):
    sandbox.account("other", **KEYS)
    uids = {sandbox.read(ACCOUNT)["uid"]}
    sandbox.keys["other"] = KEYS
    uids.add(sandbox.read(ACCOUNT, "other")["uid"])
    assert len(uids) == 2

"""Trouble on demand, and the log of requests."""

from __future__ import annotations

import http.client
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
    sandbox.control("faults", path=path, **more)


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


def test_cleared(sandbox):
    fault(sandbox, code=-1000, count=99)
    sandbox.control("faults", method="DELETE")
    assert sandbox.signed(PATH).status == 200


@pytest.mark.parametrize(("content", "key"), [
    ({}, "path"), ({"path": "api"}, "path"), ({"path": "/x"}, "status"), ({"path": "/x", "mode": "fire"}, "mode"),
    ({"path": "/x", "status": "429"}, "status"), ({"path": "/x", "status": 429, "count": 0}, "count"),
    ({"path": "/x", "status": 429, "when": 1}, "when"),
])
def test_wrong_faults_name_the_key(sandbox, content, key):
    assert sandbox.control("faults", expect=400, **content)["key"] == key


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
    assert not any(row["path"].startswith("/sandbox") for row in log)
    sandbox.set_clock(START)

"""Windows, headers, 429 and 418, as BINANCE.md section 3 and DESIGN.md ("binance_sandbox") state them."""

from __future__ import annotations

import re

import pytest

from binance_sandbox.clock import Clock
from binance_sandbox.limits import IGNORED, Limits, Pool, TooMany
from test_sandbox_support import MINUTE, START, running

WITHDRAWALS, SNAPSHOT = "/sapi/v1/capital/withdraw/history", "/sapi/v1/accountSnapshot"


@pytest.fixture
def sandbox():
    with running() as sandbox:
        sandbox.account()
        yield sandbox


def spend(limits, now=START, weight=1, pool=Pool.API, path="GET /x", address="here", account="me"):
    return limits.spend(pool, path, address, account, weight, now)


def test_a_window_is_full_at_its_limit_and_new_in_the_next_minute():
    limits = Limits()
    assert spend(limits, weight=6000) == ({"X-MBX-USED-WEIGHT": "6000", "X-MBX-USED-WEIGHT-1M": "6000"}, None)
    headers, refusal = spend(limits, START + 40_001)
    assert headers["X-MBX-USED-WEIGHT-1M"] == "6001"
    assert (refusal.status, refusal.code, refusal.headers) == (429, -1003, {"Retry-After": "20"})
    assert spend(limits, START + MINUTE) == ({"X-MBX-USED-WEIGHT": "1", "X-MBX-USED-WEIGHT-1M": "1"}, None)


@pytest.mark.parametrize(("pool", "most", "shared"), [
    pytest.param(Pool.FAPI, 2400, True, id="fapi and dapi are one"),
    pytest.param(Pool.SAPI_IP, 12_000, False, id="each sapi endpoint has its own"),
    pytest.param(Pool.SAPI_UID, 180_000, False, id="and its own per account"),
    pytest.param(Pool.FUNDING, 500, True, id="funding rates"),
])
def test_pools(pool, most, shared):
    limits = Limits()
    assert spend(limits, weight=most, pool=pool)[1] is None
    assert (spend(limits, pool=pool, path="GET /y")[1] is not None) == shared
    assert spend(limits, pool=pool)[1] is not None
    assert spend(limits, pool=pool, address="there", account="you")[1] is None
    assert spend(limits, pool=Pool.API)[1] is None


def test_who_goes_on_is_banned_and_longer_each_time():
    limits, now = Limits(), START
    for length in (2 * MINUTE, 4 * MINUTE, 8 * MINUTE):
        spend(limits, now, weight=6001)
        refusals = [spend(limits, now)[1] for _ in range(IGNORED)]
        assert [refusal.status for refusal in refusals] == [429] * (IGNORED - 1) + [418]
        assert re.search(f"IP banned until {now + length}\\.", refusals[-1].msg)
        assert refusals[-1].headers["Retry-After"] == str(length // 1000)
        assert spend(limits, now + length - 1, pool=Pool.SAPI_IP)[1].status == 418    # everywhere
        now += length
        assert spend(limits, now)[1] is None


def test_a_clock_set_back_forgives():
    limits = Limits()
    for _ in range(IGNORED + 1):
        spend(limits, weight=6001)
    assert spend(limits)[1].status == 418
    assert spend(limits, START - MINUTE)[1] is None


def test_orders():
    limits = Limits()
    headers = [limits.count_order("futures", "me", (1, 1), START) for _ in range(300)][-1]
    assert headers == {"X-MBX-ORDER-COUNT-10S": "300", "X-MBX-ORDER-COUNT-1M": "300"}
    with pytest.raises(TooMany, match="300 orders per 10 SECOND") as refused:
        limits.count_order("futures", "me", (1, 1), START)
    assert (refused.value.code, refused.value.status, refused.value.headers) == (-1015, 429, {"Retry-After": "10"})
    limits.count_order("futures", "you", (1, 1), START)
    assert limits.order_counts("futures", "me", START + 10_000) == [0, 300]


def test_a_standing_clock_waits_with_the_wall():
    wall = [0.0]
    clock = Clock(START, wall=lambda: wall[0])
    assert clock.for_limits() == START
    wall[0] = 61.0
    assert (clock.now(), clock.for_limits()) == (START, START + 61_000)
    clock.set(START + 7_200_000)
    assert clock.for_limits() == START + 7_200_000


def test_over_http(sandbox):
    """withdraw/history costs 18 000 of 180 000: ten a minute and account."""
    sandbox.account("bob")
    answers = [sandbox.signed(WITHDRAWALS) for _ in range(11)]
    assert [answer.status for answer in answers] == [200] * 10 + [429]
    assert answers[9].headers["x-sapi-used-uid-weight-1m"] == "180000"
    assert 1 <= int(answers[10].headers["retry-after"]) <= 60
    assert answers[10].body["code"] == -1003
    assert sandbox.signed(WITHDRAWALS, "bob").status == 200
    assert sandbox.signed("/sapi/v1/account/info").headers["x-sapi-used-ip-weight-1m"] == "1"
    sandbox.set_clock(START + MINUTE)
    assert sandbox.signed(WITHDRAWALS).headers["x-sapi-used-uid-weight-1m"] == "18000"
    assert [row["status"] for row in sandbox.get("/sandbox/requests")].count(429) == 1


def test_the_headers_of_each_product(sandbox):
    assert sandbox.ask("GET", "/api/v3/exchangeInfo").headers["x-mbx-used-weight"] == "20"
    for path in ("/fapi/v1/ping", "/dapi/v1/ping"):
        assert "x-mbx-used-weight" not in sandbox.ask("GET", path).headers
    assert sandbox.ask("GET", "/fapi/v1/time").headers["x-mbx-used-weight-1m"] == "3"
    refused = sandbox.ask("GET", "/api/v3/account").headers    # errors are charged, too
    assert refused["x-mbx-used-weight-1m"] == "40"


def test_a_ban_over_http_and_limits_switched_off(sandbox):
    answers = [sandbox.signed(SNAPSHOT, type="SPOT") for _ in range(5 + IGNORED + 1)]
    assert [answer.status for answer in answers] == [200] * 5 + [429] * IGNORED + [418]
    assert "IP banned until" in answers[-1].body["msg"]
    assert sandbox.ask("GET", "/api/v3/ping").status == 418
    assert sandbox.ask("GET", "/sandbox/state").status == 200
    sandbox.control("limits", enforced=False)
    assert sandbox.signed(SNAPSHOT, type="SPOT").status == 200
    assert sandbox.control("limits", expect=400, enforced="no")["key"] == "enforced"


def test_the_demo_trips_none():
    """navbook makes some 16 requests in each 4-hour slot, the clock moving between."""
    with running("--scenario", "demo") as sandbox:
        paths = ["/api/v3/account", WITHDRAWALS, "/sapi/v1/capital/deposit/hisrec", "/sapi/v1/asset/wallet/balance"]
        for slot in range(60):
            sandbox.set_clock(START + slot * 4 * 60 * MINUTE)
            for name in ("main", "swing", "sub"):
                assert [sandbox.signed(path, name, timestamp=START + slot * 4 * 60 * MINUTE).status for path in paths] == [200] * 4

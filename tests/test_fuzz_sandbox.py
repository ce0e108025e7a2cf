"""Scenario files and calls that are nonsense: the sandbox names the key at fault, and never answers with a 500 or a hang."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from binance_sandbox import app, world
from binance_sandbox.errors import SandboxError
from binance_sandbox.event_fields import READERS
from fuzzing import ANYTHING, NUMBERS, STRINGS, as_json, examples, in_time, spoilt
from test_fuzz_settings import TOML

START = 1_780_272_000_000    # 2026-06-01T00:00Z
FILE = Path("fuzz.toml")
ACCOUNTS = [{"name": "main", "api_key": "k" * 64, "api_secret": "s" * 64, "permissions": {"enableReading": True, "enableFutures": True},
             "balances": {"spot": {"USDT": "100"}, "futures": {"USDT": "1000"}}}, {"name": "sub", "api_key": "l" * 64, "api_secret": "s" * 64, "master": "main"}]
EVENT = {"deposit": {"asset": "USDT", "amount": "5"}, "withdrawal": {"asset": "USDT", "amount": "5", "fee": "1", "status": 6},
         "transfer": {"asset": "USDT", "amount": "1", "from_wallet": "spot", "to_wallet": "funding"}, "sub_transfer": {"asset": "USDT", "amount": "1", "to": "sub"},
         "pay": {"asset": "USDT", "amount": "-1"}, "dividend": {"asset": "BNB", "amount": "1"},
         "fill": {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "price": "50000", "market": "futures"},
         "convert": {"from_asset": "USDT", "from_amount": "1", "to_asset": "BNB", "to_amount": "1"},
         "dust": {"from_asset": "USDT", "from_amount": "1", "to_amount": "1"}, "fiat": {"side": "deposit", "asset": "EUR", "amount": "1"},
         "c2c": {"side": "BUY", "asset": "USDT", "amount": "1", "fiat": "EUR", "total_price": "1"}, "earn_subscribe": {"asset": "USDT", "amount": "1"},
         "earn_redeem": {"asset": "USDT", "amount": "1"}, "reward": {"asset": "USDT", "amount": "1"}, "borrow": {"asset": "USDT", "amount": "1"},
         "repay": {"asset": "USDT", "amount": "1"}, "interest": {"asset": "USDT", "amount": "1"}}
EVENTS = st.sampled_from([{"type": kind, "account": "main", **EVENT[kind]} for kind in sorted(EVENT)])
CALLS = {
    "clock": {"now": START + 60_000}, "accounts": ACCOUNTS[0] | {"name": "third", "api_key": "t" * 64}, "prices": {"symbol": "BTCUSDT", "price": "50000"},
    "futures": {"older_replies": True, "expire_delay_ms": 0, "trigger_delay_ms": 0}, "funding": {"symbol": "BTCUSDT", "rate": "0.0001", "interval_hours": 8},
    "symbols": {"symbol": "BTCUSDT", "status": "HALT", "tick": "0.01"}, "limits": {"enforced": False},
    "faults": {"path": "/api/v3/account", "status": 500, "count": 1, "mode": "error"}}
GETS = sorted(path for table in (app.PUBLIC, app.SIGNED) for method, path, *_ in table if method == "GET")
PARAMS = st.dictionaries(st.sampled_from(("symbol", "limit", "startTime", "endTime", "interval", "fromId", "recvWindow", "timestamp", "symbols", "asset", "type",
                                          "page", "period", "pair", "contractType", "symbolStatus", "windowSize")),
                         STRINGS | st.sampled_from(("BTCUSDT", "1m", "1", "1000", str(START))), max_size=4)


def test_every_kind_of_event_is_fuzzed():
    assert set(EVENT) == set(READERS)


@st.composite
def scenarios(draw: st.DrawFn) -> str:
    event = {"at": "1d 2h", **draw(EVENTS)}
    table = {"accounts": ACCOUNTS, "events": [event]}
    where = draw(st.sampled_from((table["accounts"][0], event, table, table["accounts"][0]["balances"]["spot"])))
    key = draw(st.sampled_from([*where, "unknown", "time", "complete_after", "prices"]))
    changed = {**where, key: draw(TOML)} if draw(st.booleans()) else {name: value for name, value in where.items() if name != key}
    if where is table:
        return tomlkit.dumps(changed)
    if where is event:
        return tomlkit.dumps({**table, "events": [changed]})
    account = changed if where is table["accounts"][0] else {**ACCOUNTS[0], "balances": {"spot": changed}}
    return tomlkit.dumps({**table, "accounts": [account, ACCOUNTS[1]]})


@given(scenarios() | st.text(max_size=30) | st.sampled_from([f'[[events]]\nat = "1d"\ntype = "deposit"\naccount = "main"\nasset = "USDT"\namount = {number}\nstatus = {number}'
                                                             for number in ("nan", "inf", "1e999999", "1e99999999999", "-0.0")]))
@examples(80, weight=8)
def test_any_scenario_is_played_or_refused_by_its_key(text):
    FILE.write_bytes(text.encode("utf-8", "surrogatepass"))
    with in_time():
        try:
            state = world.build_state(world.Options(scenario=str(FILE), start=START))
        except SandboxError as refusal:
            problem = str(refusal)
        else:
            for name in state.ledger.accounts:
                state.ledger.holdings(name, START + 10**9)
            return
    assert problem.startswith("--scenario: fuzz.toml")


def asked(application: Any, method: str, path: str, query: str = "", body: bytes = b"") -> tuple[int, bytes]:
    """What the app answers, without a socket; what it does not catch is raised here."""
    said: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.update(status=message.get("status", said.get("status")), body=said["body"] + message.get("body", b""))

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "scheme": "http",
             "headers": [(b"host", b"127.0.0.1:8600"), (b"x-mbx-apikey", b"k" * 64)], "server": ("127.0.0.1", 8600), "client": ("127.0.0.1", 1), "http_version": "1.1",
             "state": {}}
    with in_time():
        asyncio.run(application(scope, receive, send))
    return said["status"], said["body"]


def fresh() -> Any:
    FILE.write_text(tomlkit.dumps({"accounts": ACCOUNTS}), encoding="utf-8")
    return app.create_app(world.build_state(world.Options(scenario=str(FILE), start=START)))


@given(st.data())
@examples(80, weight=8)
def test_any_control_call_is_carried_out_or_refused_by_its_key(data):
    application = fresh()
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from([*CALLS, "events"]))
        good = data.draw(EVENTS) if name == "events" else CALLS[name]
        body = data.draw(st.one_of(spoilt(good).map(as_json), st.sampled_from(NUMBERS).map(lambda number: f'{{"now": {number}, "advance_ms": {number}}}'),
                                   ANYTHING.map(as_json), st.just(as_json(good))))
        status, said = asked(application, "POST", f"/sandbox/{name}", body=body.encode("utf-8", "surrogatepass"))
        assert status in (200, 400), said
        assert status == 200 or "key" in json.loads(said), said
    assert asked(application, "GET", "/sandbox/state")[0] == 200


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """One for all questions; they change nothing but the count of what was asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("sandbox"))
        return fresh()


@given(path=st.sampled_from(GETS), params=PARAMS)
@examples(80, weight=4)
def test_any_question_is_answered_as_binance_would(application, path, params):
    status, said = asked(application, "GET", path, urlencode(params, errors="surrogatepass"))
    assert status in (200, 400, 401, 403, 404, 418, 429), (status, said)
    if status != 200:
        assert "msg" in json.loads(said)


@given(STRINGS | st.datetimes().map(str) | st.sampled_from(("2026-06-01T00:00Z", "0001-01-01T00:00+14:00")))
@examples(60)
def test_any_start_is_a_time_or_refused(text):
    with in_time():
        try:
            assert isinstance(world.read_start(text), int)
        except SandboxError as refusal:
            problem = str(refusal)
        else:
            return
    assert problem.startswith("--start: ")

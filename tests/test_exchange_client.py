"""Every host by the environment; a read is tried again while nothing happened; no secret is ever told."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from binance.async_client import AsyncClient

from exchanges import START, babbling, canned, keys_of, nobody, says, talk
from navbook.errors import AnswerUnreadable, ExchangeError, ExchangeUnavailable, RequestRejected, SettingsInvalid
from navbook.exchange import budget, client, fetch, histories, wallets
from navbook.exchange.histories import Past
from navbook.exchange.reading import Reading
from navbook.types import Environment

NOWHERE = "not-in-this-environment.invalid"
TIME, ACCOUNT = "/api/v3/time", "/api/v3/account"
DEPOSITS, SUB_HISTORY = "/sapi/v1/capital/deposit/hisrec", "/sapi/v1/sub-account/transfer/subUserHistory"
DEMO = {"demo-api.binance.com", "demo-fapi.binance.com", "demo-dapi.binance.com"}


pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.fixture
def reader(binance):
    """An account that may be read."""
    return binance.account({"spot": {"USDT": "5"}})


def server_time(exchange):
    return exchange.ask("GET /api/v3/time", exchange.wire.get_server_time)


# -- hosts --------------------------------------------------------------------------------------------------------
def hosts(environment: Environment, url: str | None = None) -> dict[str, str]:
    """The host behind every attribute, derived address and socket of a client."""
    async def addresses(exchange):
        wire = exchange.wire
        found = {name: getattr(wire, name) for name in dir(wire) if name.endswith("_URL")}
        made = {"api": wire._create_api_uri, "margin": wire._create_margin_api_uri, "papi": wire._create_papi_api_uri,
                "website": wire._create_website_uri, "futures": wire._create_futures_api_uri,
                "futures data": wire._create_futures_data_api_uri, "coin": wire._create_futures_coin_api_url,
                "coin data": wire._create_futures_coin_data_api_url, "options": wire._create_options_api_uri}
        assert {name for name in dir(wire) if name.startswith("_create_")} == {call.__name__ for call in made.values()}
        found |= {name: call("x") for name, call in made.items()}
        return found | {"ws_api": wire.ws_api._url, "ws_future": wire.ws_future._url}

    async def built():
        async with client.connect(environment, url) as exchange:
            return await addresses(exchange)

    found = asyncio.run(built())
    assert set(found) >= {name for name in dir(AsyncClient) if name.endswith("_URL")}
    return {name: urlsplit(address).hostname for name, address in found.items()}


def test_a_sandbox_knows_no_other_host():
    found = hosts(Environment.SANDBOX, "http://127.0.0.1:8600/")
    assert set(found.values()) == {"127.0.0.1", NOWHERE}
    assert {found[name] for name in ("api", "margin", "futures", "coin", "papi", "futures data")} == {"127.0.0.1"}


def test_b6_the_testnet_knows_no_production_host():
    """Neither where python-binance's own switches would leave one: /sapi, /papi, options, sockets."""
    found = hosts(Environment.TESTNET)
    assert set(found.values()) == {*DEMO, NOWHERE}
    assert {found[name] for name in ("margin", "papi", "options", "website", "ws_api", "ws_future")} == {NOWHERE}
    assert (found["api"], found["futures"], found["coin"]) == (
        "demo-api.binance.com", "demo-fapi.binance.com", "demo-dapi.binance.com")


def test_live_is_exactly_production():
    urls = client.base_urls(Environment.LIVE, "http://127.0.0.1:8600")
    known = {name: urls[name] for name in urls if NOWHERE not in urls[name]}
    assert known == {name: getattr(AsyncClient, name).format("", "com") if name in ("API_URL", "MARGIN_API_URL")
                     else getattr(AsyncClient, name).format("com") for name in known}
    assert set(known) == {"API_URL", "MARGIN_API_URL", "FUTURES_URL", "FUTURES_DATA_URL", "FUTURES_COIN_URL",
                          "FUTURES_COIN_DATA_URL", "PAPI_URL"}
    assert set(hosts(Environment.LIVE).values()) == {
        "api.binance.com", "fapi.binance.com", "dapi.binance.com", "papi.binance.com", NOWHERE}


@pytest.mark.parametrize("address", [
    "https://api.binance.com", "https://fapi.binance.com:443/", "http://API.Binance.COM", "https://api1.binance.com",
    "https://binance.us", "https://testnet.binancefuture.com", "https://user@api.binance.com/", "https://demo-api.binance.com",
])
def test_no_host_of_binance_passes_for_a_sandbox(address):
    with pytest.raises(SettingsInvalid, match="a host of Binance"):
        client.base_urls(Environment.SANDBOX, address)


@pytest.mark.parametrize("address", [None, "", "127.0.0.1:8600", "/tmp", "http://[x"])
def test_a_sandbox_needs_an_address(address):
    with pytest.raises(SettingsInvalid, match="needs the address of a sandbox"):
        client.base_urls(Environment.SANDBOX, address)


@pytest.mark.parametrize("address", ["http://binance-sandbox:8600", "http://binance:1", "http://my.binance.example.org/x/"])
def test_a_sandbox_may_have_any_other_name(address):
    assert client.base_urls(Environment.SANDBOX, address)["FUTURES_URL"] == f"{address.rstrip('/')}/fapi"


# -- what is tried again ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", [
    pytest.param({"status": 500, "code": -1000}, id="an error of theirs"),
    pytest.param({"status": 503, "mode": "html"}, id="a page of a gateway"),
    pytest.param({"status": 408, "code": -1007}, id="their own time-out"),
    pytest.param({"status": 400, "code": -1001}, id="nothing happened, whatever the status"),
    pytest.param({"mode": "truncated"}, id="half an answer"),
    pytest.param({"mode": "drop"}, id="a connection that broke"),
])
def test_one_bad_answer_is_forgotten(binance, reader, fault):
    binance.fault(ACCOUNT, **fault)
    answer = binance.talk(fetch.wallets.spot, reader)
    assert answer.payload["balances"] == [{"asset": "USDT", "free": "5.00000000", "locked": "0.00000000"}]
    assert len(binance.asked(ACCOUNT)) == 2


@pytest.mark.parametrize(("fault", "told"), [
    ({"status": 500, "code": -1000}, r"HTTP 500 \(-1000\), An unknown error"),
    ({"status": 502, "mode": "html"}, r"HTTP 502\."),
    ({"status": 408, "code": -1007}, r"HTTP 408 \(-1007\)"),
    ({"mode": "truncated"}, "its answer is not JSON"),
    ({"mode": "drop"}, "Server disconnected"),
])
def test_a_bad_answer_that_stays_is_told_with_its_endpoint(binance, reader, fault, told):
    binance.fault(ACCOUNT, count=99, **fault)
    with pytest.raises(ExchangeUnavailable, match=rf"^GET /api/v3/account could not be reached: {told}") as caught:
        binance.talk(fetch.wallets.spot, reader)
    assert caught.value.endpoint == "GET /api/v3/account"
    assert ".." not in str(caught.value)
    assert len(binance.asked(ACCOUNT)) in (client.TRIES, 2 * client.TRIES), "aiohttp repeats a GET that was cut off itself"


def test_a_slow_answer_is_not_waited_for(binance, monkeypatch):
    monkeypatch.setattr(client, "TIMEOUT_S", 0.2)
    binance.fault(TIME, delay_ms=500)
    assert binance.talk(server_time).payload["serverTime"]
    binance.fault(TIME, delay_ms=500, count=3)
    with pytest.raises(ExchangeUnavailable, match="no answer in time"):
        binance.talk(server_time)
    patience = time.monotonic() + 10    # the exchange works on what nobody waits for any more, and tells it late
    while len(binance.asked(TIME)) < 5:
        assert time.monotonic() < patience
        time.sleep(0.05)


def test_429_waits_as_long_as_it_is_told(binance):
    binance.fault(TIME, status=429, retry_after=1)
    began = time.monotonic()
    assert binance.talk(server_time).payload["serverTime"]
    assert time.monotonic() - began >= 1
    assert len(binance.asked(TIME)) == 2


@pytest.mark.parametrize(("status", "told"), [(429, budget.LONGEST_WAIT_S + 1), (418, 120), (418, 1)])
def test_a_ban_and_a_long_wait_end_the_run(binance, status, told):
    """418 comes from going on after a 429: every further request makes it longer."""
    binance.fault("/*", status=status, retry_after=told, count=9)
    began = time.monotonic()
    with pytest.raises(ExchangeUnavailable, match=rf"HTTP {status} \(-1003\), Too much request weight") as caught:
        binance.talk(server_time)
    assert caught.value.retry_after == told
    assert time.monotonic() - began < 1
    assert len(binance.asked()) == 1


@pytest.mark.parametrize("fault", [
    {"status": 400, "code": -1121}, {"status": 401, "code": -2015}, {"status": 403, "mode": "html"},
    {"status": 404, "mode": "html"}, {"status": 451, "mode": "html"},
], ids=str)
def test_what_binance_refuses_is_not_asked_again(binance, reader, fault):
    binance.fault(ACCOUNT, count=9, **fault)
    with pytest.raises(RequestRejected, match="GET /api/v3/account was refused") as caught:
        binance.talk(fetch.wallets.spot, reader)
    assert (caught.value.code, caught.value.status) == (fault.get("code", 0), fault["status"])
    assert len(binance.asked(ACCOUNT)) == 1


@pytest.mark.parametrize("status", [403, 451])
def test_b48_a_page_in_place_of_an_answer_means_the_region(binance, status):
    binance.fault(TIME, status=status, mode="html")
    with pytest.raises(RequestRejected, match=f"HTTP {status}: Binance does not serve this network or region"):
        binance.talk(server_time)


# -- keys and clocks ------------------------------------------------------------------------------------------------
def test_a64_an_unknown_key_is_told_with_what_to_check(binance):
    with pytest.raises(RequestRejected, match=r"\(-2015\): .* Check the key, its IP list and its permissions\."):
        binance.talk(fetch.wallets.spot, "nobody")


def test_a64_a_wrong_secret_is_told_with_what_to_check(binance, reader):
    with pytest.raises(RequestRejected, match=r"\(-1022\): .* Check that the API secret belongs to the key\."):
        talk(binance.url, fetch.wallets.spot, keys_of(reader, secret="another secret"))


def test_a64_a_key_of_another_environment_is_told(binance, reader):
    binance.fault(ACCOUNT, code=-2008, msg="Invalid Api-Key ID.")
    with pytest.raises(RequestRejected, match=r"\(-2008\): Invalid Api-Key ID\. The key is of another environment"):
        binance.talk(fetch.wallets.spot, reader)


@pytest.mark.parametrize("moved", [timedelta(hours=1), timedelta(days=-30), timedelta(seconds=20)])
def test_a_clock_that_moved_is_asked_for_and_followed(binance, reader, moved):
    async def conversation(exchange):
        before = exchange.wire.timestamp_offset
        binance.clock(START + moved)
        await fetch.wallets.spot(exchange)
        return exchange.wire.timestamp_offset - before

    assert binance.talk(conversation, reader) == pytest.approx(moved / timedelta(milliseconds=1), abs=2000)
    assert binance.asked() == [TIME, ACCOUNT, TIME, ACCOUNT]


def test_a_clock_that_never_agrees_is_told(binance, reader):
    binance.fault(ACCOUNT, code=-1021, count=9)
    with pytest.raises(ExchangeUnavailable, match=r"its clock and ours still disagree \(-1021\)"):
        binance.talk(fetch.wallets.spot, reader)
    assert len(binance.asked(ACCOUNT)) == client.TRIES


def test_asking_for_the_time_never_asks_for_the_time_first(binance, reader):
    binance.fault("/*", code=-1021, count=99)
    with pytest.raises(RequestRejected, match=r"GET /api/v3/time was refused \(-1021\)"):
        binance.talk(fetch.wallets.spot, reader)
    assert binance.asked() == [TIME]


def test_the_exchanges_time_is_ours(binance):
    assert binance.talk(lambda exchange: exchange.synchronise()) == START


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"serverTime": null}', b'{"serverTime": "soon"}', b'{"serverTime": 1e99}',
                                  b"5", b'{"serverTime": NaN}', b'{"serverTime": 1e999}', b""])
def test_a_time_that_is_none_is_refused(body):
    with canned(says(200, body)) as (url, _), pytest.raises(AnswerUnreadable, match="GET /api/v3/time"):
        talk(url, lambda exchange: exchange.synchronise())


# -- servers that are not Binance -------------------------------------------------------------------------------------
def test_nobody_listening_is_one_sentence():
    url = nobody()
    with pytest.raises(ExchangeUnavailable) as caught:
        talk(url, server_time)
    assert re.fullmatch(r"GET /api/v3/time could not be reached: Cannot connect to host 127\.0\.0\.1:\d+ .*"
                        r"\. Nothing was done; try again later\.", str(caught.value))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    with canned(says(status, b"", Location="/elsewhere")) as (url, asked):
        with pytest.raises(RequestRejected, match=f"HTTP {status}: redirects are not followed"):
            talk(url, server_time)
        assert asked == [TIME]


@pytest.mark.parametrize("status", [400, 404, 429, 500])
@pytest.mark.parametrize("body", [
    b"[]", b'"x"', b"null", b"5", b"{}", b'{"code": "abc", "msg": 5}', b'{"code": null}', b'{"code": {}, "msg": []}', b"",
    b"\xff\xfe\x00", b"<html>", b"[" * 100_000, b'{"code": 1e999}', b'{"code": -1003}',
], ids=lambda body: repr(body)[:20])
def test_an_error_of_any_form_is_one_of_ours(monkeypatch, status, body):
    monkeypatch.setattr(client, "TRIES", 1)
    with canned(says(status, body)) as (url, _), pytest.raises(ExchangeError, match="GET /api/v3/time") as caught:
        talk(url, server_time)
    assert "None" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 500])
def test_what_they_say_becomes_a_part_of_our_sentence(monkeypatch, status):
    """No escape sequence reaches a terminal, no page fills a log."""
    monkeypatch.setattr(client, "TRIES", 1)
    with canned(says(status, b'{"code": -9, "msg": " \\u001b[31mred\\nand  so on.%s "}' % (b" more" * 200))) as (url, _):
        with pytest.raises(ExchangeError, match=r"-9\).*\[31mred and so on\. more more") as caught:
            talk(url, server_time)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 320


@pytest.mark.parametrize("body", [b"<html>", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"nul"],
                         ids=lambda body: repr(body)[:20])
def test_a_success_that_is_not_json_is_no_answer(monkeypatch, body):
    monkeypatch.setattr(client, "TRIES", 1)
    with canned(says(200, body)) as (url, _), pytest.raises(ExchangeUnavailable, match="its answer is not JSON"):
        talk(url, server_time)


def test_an_answer_keeps_its_words_and_its_digits():
    body = b'{"price": 0.1000000000000000055511151231257827, "name": "\xe2\x93\xa2"}'
    with canned(says(200, body)) as (url, _):
        answer = talk(url, server_time)
    assert answer.body == body.decode()
    assert str(answer.payload["price"]) == "0.1000000000000000055511151231257827"


@pytest.mark.parametrize("told", ["0", "7", "soon", "-1", "1.5", "²", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_is_a_number_or_nothing(monkeypatch, told):
    monkeypatch.setattr(client, "TRIES", 1)
    with canned(says(429, b"{}", Retry_After=told.encode().decode("latin-1"))) as (url, _), pytest.raises(ExchangeUnavailable) as caught:
        talk(url, server_time)
    assert caught.value.retry_after == (float(told) if told in ("0", "7") else None)


# -- secrets ----------------------------------------------------------------------------------------------------------
def assert_tells_no_secret(*things: object) -> None:
    for thing in things:
        for told in (str(thing), repr(thing), str(getattr(thing, "args", "")), str(vars(thing) if hasattr(thing, "__dict__") else "")):
            assert not re.search(r"key-of-|secret-of-|signature|[0-9a-f]{64}", told), told


def echo(path, headers):
    """What a careless proxy says: everything that it was sent."""
    key = {name.lower(): value for name, value in headers.items()}["x-mbx-apikey"]
    said = f"{key} http://x{path} {path.replace('&', ' ')} {headers}".replace('"', "'")
    return 400, b'{"code": -9, "msg": "%s"}' % said.encode(), {}


@pytest.mark.parametrize("server", [
    pytest.param(lambda: canned(echo), id="a server that echoes"),
    pytest.param(lambda: canned(lambda path, sent: (500, echo(path, sent)[1], {})), id="one that fails and echoes"),
    pytest.param(lambda: canned(lambda path, sent: (200, str((path, sent)).encode(), {})), id="a page that echoes"),
    pytest.param(lambda: canned(lambda path, sent: (302, b"", {"Location": path})), id="a redirect"),
    pytest.param(lambda: babbling(b"HTTP/9 what\r\n\r\n"), id="no HTTP at all"),
    pytest.param(lambda: babbling(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), id="broken HTTP"),
    pytest.param(lambda: babbling(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"), id="less than announced"),
    pytest.param(lambda: babbling(b""), id="silence"),
])
def test_no_error_tells_a_key_or_a_signature(monkeypatch, server):
    monkeypatch.setattr(client, "TRIES", 1)

    async def refused(exchange):
        with pytest.raises(ExchangeError, match=r"could not be reached|was refused") as caught:
            await exchange.ask("GET /api/v3/account", exchange.wire.get_account)
        return caught.value

    async def conversation():
        async with client.connect(Environment.SANDBOX, url, keys_of("main")) as exchange:
            assert_tells_no_secret(exchange)
            return await refused(exchange)

    with server() as found:
        url = found if isinstance(found, str) else found[0]
        problem = asyncio.run(conversation())
    assert_tells_no_secret(problem)
    assert problem.__suppress_context__
    assert len(str(problem)) < 400


def test_nothing_that_is_kept_tells_a_key_or_a_signature(binance, reader):
    async def conversation(exchange):
        reading = Reading(reader, START)
        await wallets.read(exchange, reading, ("USDT",), (), lambda balances: 0.0)
        await histories.cash_flows(exchange, reading, Past(START - timedelta(days=1)), is_sub=False)
        return reading

    reading = binance.talk(conversation, reader)
    assert len(reading.answers) >= 6
    assert_tells_no_secret(reading, *(answer for _, answer in reading.answers), reading.responses.write_csv(), keys_of(reader))


def test_a_key_that_cannot_be_sent_is_no_answer_of_theirs(binance):
    """A line break in a header: nothing was sent."""
    with pytest.raises(ExchangeUnavailable, match="header") as caught:
        talk(binance.url, fetch.wallets.spot, keys_of("a\nb"))
    assert_tells_no_secret(caught.value)

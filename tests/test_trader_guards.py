"""Where orders may go, with which key, and what may be configured: refused before anything is sent."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from commands import navbook, sentence
from navbook.errors import ExchangeUnavailable, OrdersForbidden, RequestRejected, SettingsInvalid
from navbook.exchange import client, orders
from navbook.exchange.contracts import Contract
from navbook.settings import Keys
from navbook.trader import plans
from navbook.types import Environment, Side
from stores import configured
from test_sandbox_support import running
from traders import FAST, Floor

KEYS = Keys(api_key="k" * 64, api_secret="s" * 64)


@contextmanager
def server(answer):
    """A web server on this machine that answers with `answer(handler)`; what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.command, self.path))
            answer(self)

        do_POST = do_DELETE = do_PUT = do_GET

        def log_message(self, *arguments):
            """Say nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}", asked
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def tell(handler, body, status=200, **headers):
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def sends(environment, url, *, let_in=True):
    """An order through a client of `environment`, after it was let in."""
    async def send():
        async with client.connect(environment, url, KEYS) as exchange:
            if let_in:
                await orders.allow(exchange)
            await orders.market(exchange, "BTCUSDT", Side.LONG, 1, "nb-1-E1", opens=True)

    asyncio.run(send())


@pytest.mark.parametrize("address", ["https://fapi.binance.com", "http://127.0.0.1@fapi.binance.com",
                                     "https://demo-fapi.binance.com", "https://FAPI.Binance.com:443/x"])
def test_b6_no_sandbox_lives_at_a_host_of_binance(address):
    with pytest.raises(SettingsInvalid, match="a host of Binance"):
        sends(Environment.SANDBOX, address)


def test_b6_live_only_reads():
    with pytest.raises(OrdersForbidden, match="which only reads"):
        sends(Environment.LIVE, None)


@pytest.mark.parametrize("environment", [Environment.LIVE, Environment.TESTNET])
def test_b6_nothing_is_sent_to_a_host_that_was_not_checked(environment):
    """Not even by code that forgets to ask: the wire itself refuses, before a connection is made."""
    with pytest.raises(OrdersForbidden, match="No order was sent"):
        sends(environment, None, let_in=False)


def test_b6_what_does_not_answer_as_a_sandbox_is_none(tmp_path):
    with server(lambda handler: tell(handler, b'{"now": 1}')) as (url, asked), pytest.raises(OrdersForbidden):
        sends(Environment.SANDBOX, url)
    assert asked == [("GET", "/sandbox/state")]


def test_b6_a_redirect_is_followed_nowhere():
    """Neither when it is asked whether it is a sandbox, nor with an order."""
    with running() as sandbox:
        def away(handler):
            tell(handler, b"", 307, Location=sandbox.url + handler.path)

        with server(away) as (url, asked), pytest.raises(OrdersForbidden, match="no sandbox"):
            sends(Environment.SANDBOX, url)
        assert asked == [("GET", "/sandbox/state")]

        def orders_away(handler):
            if handler.path == "/sandbox/state":
                tell(handler, b'{"now": 1, "seed": 1, "accounts": []}')
            else:
                away(handler)

        with server(orders_away) as (url, asked), pytest.raises(RequestRejected, match="redirects are not followed"):
            sends(Environment.SANDBOX, url)
        assert asked == [("GET", "/sandbox/state"), ("POST", "/fapi/v1/order")]
        assert not [row for row in sandbox.control("requests", method="GET") if row["path"].startswith("/fapi")]


def test_b48_a_region_that_is_not_served_is_told_in_plain_words():
    def nobody(handler):
        tell(handler, b'{"now": 1, "seed": 1, "accounts": []}' if "sandbox" in handler.path else b"<html>", 200 if
             "sandbox" in handler.path else 451)

    with server(nobody) as (url, _), pytest.raises(RequestRejected, match="does not serve this network or region"):
        sends(Environment.SANDBOX, url)


def test_an_order_to_nobody_was_not_carried_out():
    with server(lambda handler: tell(handler, b'{"now": 1, "seed": 1, "accounts": []}')) as (url, _):
        gone = url

    async def send():
        async with client.connect(Environment.SANDBOX, gone, KEYS) as exchange:
            exchange.wire.orders_to = gone
            await orders.market(exchange, "BTCUSDT", Side.LONG, 1, "nb-1-E1", opens=True)

    with pytest.raises(ExchangeUnavailable):
        asyncio.run(send())


# -- the key and the account -------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def exchange():
    with running() as sandbox:
        yield sandbox


def test_a_key_that_can_withdraw_is_refused(exchange, tmp_path, monkeypatch):
    floor = Floor(exchange, tmp_path, monkeypatch, account="rich")
    exchange.state.ledger.accounts["rich"].permissions["enableWithdrawals"] = True
    floor.position(**FAST)
    with pytest.raises(OrdersForbidden, match="can withdraw"):
        floor.check()
    assert floor.desk.orders == {}


def test_b7_one_way_positions_of_somebody_else_are_left_alone(exchange, tmp_path, monkeypatch):
    floor = Floor(exchange, tmp_path, monkeypatch, account="oneway")
    exchange.read("/fapi/v1/order", "oneway", "POST", symbol="ETHUSDT", side="BUY", type="MARKET", quantity="1")
    floor.position(**FAST)
    with pytest.raises(OrdersForbidden, match="one-way mode"):
        floor.check()
    assert floor.legs() == {("ETHUSDT", "BOTH"): 1}


def test_b7_b9_modes_are_set_where_they_differ(exchange, tmp_path, monkeypatch):
    """A second time nothing is left to set; the exchange's "no need to change" is no error."""
    floor = Floor(exchange, tmp_path, monkeypatch, account="modes")
    floor.position(leverage=20, margin_type="ISOLATED", max_reopens=0)
    assert floor.check()
    desk = floor.desk
    assert (desk.hedge, desk.leverage("BTCUSDT"), "BTCUSDT" in desk.isolated) == (True, 20, True)
    asked = len([row for row in exchange.state.requests if row.method == "POST"])
    assert floor.check()
    assert len([row for row in exchange.state.requests if row.method == "POST"]) == asked


@pytest.mark.parametrize(("rules", "words"), [
    ({"symbol": "NOPEUSDT"}, "knows no futures symbol NOPEUSDT"),                    # B10
    ({"symbol": "SOLUSDT", "leverage": 110}, "allows; its brackets end at 100"),     # B8
])
def test_b8_b10_what_the_host_does_not_have(exchange, tmp_path, monkeypatch, rules, words):
    floor = Floor(exchange, tmp_path, monkeypatch, account=f"host{rules['symbol']}")
    floor.position(**rules)
    with pytest.raises(SettingsInvalid, match=words):
        floor.check()


@pytest.mark.parametrize(("rules", "words"), [
    ({"amount_usdt": 1.0, "leverage": 1}, "invalid quantity"),                             # B13: a quantity of 0
    ({"amount_usdt": 4.0, "leverage": 10, "symbol": "SOLUSDT"}, None),
    ({"amount_usdt": 10.0, "leverage": 4, "symbol": "ETHUSDT"}, None),
    ({"amount_usdt": 60_000.0, "leverage": 100, "symbol": "BTCUSDT"}, "leverage 100 is above the 50"),    # B8
    ({"leverage": 100, "sl_usdt": 200.0, "margin_type": "ISOLATED"}, "lies beyond the liquidation at"),    # B19
])
def test_b13_b19_what_cannot_be_opened_stays_closed(exchange, tmp_path, monkeypatch, rules, words):
    exchange.control("prices", symbol="BTCUSDT", price="60000")
    exchange.control("prices", symbol="ETHUSDT", price="2500")
    floor = Floor(exchange, tmp_path, monkeypatch, account=f"not{abs(hash(str(rules)))}")
    floor.position(**FAST | rules)
    assert floor.check() == (words is None)
    assert bool(floor.desk.orders) == (words is None)
    if words:
        assert floor.told(words)
        assert floor.trades()[0].state == "void"
        assert not floor.check(1) or not floor.desk.orders    # it is not tried again
    if "liquidation" in str(words):    # both prices are shown, and it can be forced
        assert floor.told("the stop at 5")
        assert len(floor.trades()) == 1


# -- settings ----------------------------------------------------------------------------------------------------
SECTION = '[trade.a]\naccount = "main"\nsymbol = "BTCUSDT"\n'


@pytest.mark.parametrize(("more", "words"), [
    (SECTION + "leverage = 126", "between 1 and 125"),
    (SECTION + "leverage = 2.5", "whole number"),
    (SECTION + "amount_usdt = 0.5", "less than 1 USDT"),
    (SECTION + "side = 'UP'", "LONG or SHORT"),
    (SECTION + "tick_size = 0.1", "tick_size is not one of its settings"),
    (SECTION + "take_profit = 10", "take_profit is not one of its settings"),
    (SECTION + "reopen_delay = 'soon'", "a duration such as"),
    ('[trade.a]\naccount = "you"\nsymbol = "BTCUSDT"', "account = 'you' is none of main"),
    ('[trade.a]\naccount = "main"\nsymbol = "btc"', "no symbol such as BTCUSDT"),
    (SECTION + SECTION.replace(".a]", ".b]"), "are the same leg"),
    (SECTION + SECTION.replace(".a]", ".b]") + "side = 'SHORT'\nleverage = 20", "two values of leverage"),
])
def test_positions_that_cannot_be(tmp_path, more, words):
    with pytest.raises(SettingsInvalid, match=words):
        plans.plans(configured(tmp_path, more=more))


def test_defaults_are_those_of_the_rules(tmp_path):
    [plan] = plans.plans(configured(tmp_path, more=SECTION))
    assert (plan.rules.amount_usdt, plan.rules.tp_usdt, plan.rules.sl_usdt, plan.rules.leverage) == (100, 10, 5, 10)
    assert plan.on(Contract(symbol="BTCUSDT", status="TRADING", tick=1, step=2, least=0, most=9, least_notional=5)
                   ).tick_size == 1


def test_a_sandbox_that_ends_with_the_command_is_no_place_for_positions(tmp_path):
    (tmp_path / "navbook.toml").write_text("[accounts.main]\n" + SECTION)
    assert "start one with navbook sandbox" in sentence(navbook("trade", "step", folder=tmp_path))

"""The trading page over a real trader on the local Binance: B4, B5, B36-B38, B43, B44, B46, B47."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from exchanges import talk
from locals import traded
from navbook import settings
from navbook.errors import OrdersForbidden
from navbook.exchange import fetch, orders, orders_read
from navbook.publish import words
from navbook.publish.trading import LegState
from navbook.runner import trading_view
from navbook.settings import Settings
from navbook.trader.journal import Journal, place
from navbook.types import ExitOrder, Side

START = datetime.fromisoformat("2026-03-02T00:00Z")
TOML = """[trade.btc_long]
account = "main"
symbol = "BTCUSDT"
tp_usdt = 4
sl_usdt = 3
[trade.eth_short]
account = "main"
symbol = "ETHUSDT"
side = "SHORT"
tp_usdt = 400
sl_usdt = 50
max_reopens = 2
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Twelve hours of a trader with two positions, on generated prices; the exchange goes on standing there."""
    with traded(tmp_path_factory.mktemp("played"), TOML, "2026-03-02T00:01", "2026-03-02T04:00") as local:
        yield local


@pytest.fixture
def config(played, monkeypatch) -> Settings:
    for part, value in (("KEY", "key-of-main"), ("SECRET", "secret-of-main")):
        monkeypatch.setenv(f"NAVBOOK_MAIN_API_{part}", value.ljust(64, "x"))
    played.server.control("DELETE", "faults")
    return settings.load(played.folder / "navbook.toml")


def look(config: Settings):
    return trading_view.look(config, "main", ["main"])


def text(config: Settings) -> str:
    return " ".join(trading_view.shown(config).striptags().split())


def asked(config: Settings, call):
    return talk(config.sandbox_url, call, settings.keys("main", config.environment))


def test_b36_positions_are_the_exchanges(config):
    held = {row.position_side: row for row in asked(config, orders_read.held)}
    opened = {leg.side: leg for leg in look(config).in_state(LegState.OPEN)}
    assert held
    assert {side.value for side in opened} == set(held)
    for side, leg in opened.items():
        row = held[side]
        assert (leg.quantity, leg.entry_price, leg.mark, leg.floating, leg.liquidation) == tuple(
            float(value) for value in (row.quantity, row.entry, row.mark, row.profit, row.liquidation))
        assert leg.protected == frozenset(ExitOrder)


def test_b37_the_wallet_is_the_exchanges(config):
    told = asked(config, fetch.wallets.futures)[0].payload
    metrics = look(config).metrics
    assert (metrics.equity, metrics.available, metrics.floating, metrics.margin) == tuple(float(told[name]) for name in (
        "totalMarginBalance", "availableBalance", "totalUnrealizedProfit", "totalInitialMargin"))


def test_b38_b46_the_history_counts_every_trade_of_the_journal(config):
    found = look(config)
    with closing(Journal(place(config, "main"))) as journal:
        trades = journal.trades()
    closed = [trade for trade in trades if trade.pnl is not None]
    assert found.closed.height == len(closed) > 0
    assert found.closed["pnl"].sum() == pytest.approx(float(sum(trade.pnl for trade in closed)))
    won = sum(trade.pnl > 0 for trade in closed)
    said = text(config)
    assert f"{won} won, {len(closed) - won} lost" in said
    assert f"trades: {len(found.in_state(LegState.OPEN))} open, {len(closed)} closed" in said


def test_b40_our_orders_are_listed_as_they_wait(config):
    waiting = {(row.symbol, row.kind.value, float(row.trigger)) for row in asked(config, orders_read.open_conditional)}
    symbols = {leg.name: leg.symbol for leg in look(config).legs}
    assert {(symbols[row["name"]], row["kind"], row["trigger"])
            for row in look(config).orders.iter_rows(named=True)} == waiting


def test_b44_the_countdown_runs_down_and_ends(config):
    leg = replace(look(config).legs[0], state=LegState.WAITING, reopens_at=START + timedelta(minutes=5))
    assert leg.left(START) == timedelta(minutes=5)
    assert leg.left(START + timedelta(minutes=3)) == timedelta(minutes=2)
    assert leg.left(START + timedelta(minutes=5)) is None


def test_b47_the_rules_in_words_are_the_settings(config):
    said = text(config)
    assert "eth_short : Market entry with a margin of $100 at 10\N{MULTIPLICATION SIGN}, a notional of $1,000. The take " \
           "profit at a gain of $400 and the stop at a loss of $50" in said.replace("eth_short:", "eth_short :")
    assert "5 min later the position reopens at the new price, or not at all after 10 min; 2 times at most." in said


def test_without_a_key_public_prices_do_and_the_wallet_is_the_traders(config, monkeypatch):
    """What a page under Voila has: its server gets no key."""
    known = look(config)
    monkeypatch.delenv("NAVBOOK_MAIN_API_KEY")
    found = look(config)
    assert found.troubles == ()
    assert replace(found.metrics, noted_at=None) == known.metrics
    assert found.metrics.noted_at == found.checked_at == known.now
    assert f"as the trader saw it, {known.now:%H:%M:%S}" in text(config)
    for leg, before in zip(found.legs, known.legs, strict=True):
        if leg.floating is not None:
            assert leg.floating == pytest.approx(before.floating, abs=1e-6)
        assert (leg.state, leg.protected, leg.mark) == (before.state, before.protected, before.mark)


def test_b5_a_wrong_key_is_told_with_its_reason_and_prices_stay(config, monkeypatch):
    monkeypatch.setenv("NAVBOOK_MAIN_API_SECRET", "another")
    found = look(config)
    assert found.troubles == ("The secret does not belong to the key; set both again. (-1022)",)
    assert all(leg.mark for leg in found.legs)
    assert "Connection: The secret does not belong to the key" in text(config)


@pytest.mark.usefixtures("no_backoff")
def test_b5_b43_b48_an_exchange_that_cannot_be_asked_is_told(config, played):
    """The wallet that the trader saw last is shown as that, with its day: nobody knows what day it is now."""
    played.fault("/fapi/v1/time", status=451, count=9)
    found = look(config)
    assert (found.now, found.metrics.noted_at) == (None, found.checked_at)
    assert f"as the trader saw it, {words.moment(found.checked_at)}" in text(config)
    assert "does not serve this network or region" in found.troubles[0]
    assert "Floating unknown." in text(config) or "Nothing is open." in text(config)


def test_the_page_sends_no_order_and_writes_nothing(config, played):
    with closing(Journal(place(config, "main"))) as journal:
        before = len(journal.trades()), len(journal.events(10_000))
    count = len(played.server.control("GET", "requests"))
    trading_view.shown(config)
    sent = played.server.control("GET", "requests")[count:]
    assert sent
    assert {request["method"] for request in sent} == {"GET"}
    with closing(Journal(place(config, "main"))) as journal:
        assert (len(journal.trades()), len(journal.events(10_000))) == before


def test_a_connection_like_the_pages_lets_no_order_out(config):
    async def conversation(exchange):
        await orders.market(exchange, "BTCUSDT", Side.LONG, Decimal(1), "nb-test-E1", opens=True)

    with pytest.raises(OrdersForbidden):
        asked(config, conversation)


@pytest.mark.parametrize(("toml", "words"), [
    ("", "No position is configured in navbook.toml."),
    ('[trade.a]\naccount = "nobody"\nsymbol = "BTCUSDT"\n', "account = 'nobody' is none of main"),
])
def test_b4_where_nothing_is_configured_the_page_says_how(tmp_path, toml, words):
    (tmp_path / "navbook.toml").write_text(f"[accounts.main]\n{toml}", encoding="utf-8")
    said = text(settings.load(tmp_path / "navbook.toml"))
    assert words in said
    assert "navbook account add main" in said
    assert "Equity" not in said


def test_a_position_that_never_traded_is_shown_as_such(config, tmp_path):
    fresh = config.model_copy(update={"store": str(tmp_path / "fresh")})
    found = look(fresh)
    assert {leg.state for leg in found.legs} == {LegState.NEVER}
    assert "Nothing is open." in text(fresh)
    assert not place(fresh, "main").exists(), "looking makes no journal"

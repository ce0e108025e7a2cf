"""What the trading page says: protected or not, what comes next, the rules in words; text from outside stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from navbook.publish import trading, trading_charts, trading_page, trading_tables, trading_words
from navbook.publish.markup import Html
from navbook.publish.trading import Leg, LegState, Look, Metrics, Rules
from navbook.schemas import TRADE
from navbook.types import ExitOrder, Side

NOW = datetime(2026, 6, 10, 14, 6, 48, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = Rules(amount_usdt=100, leverage=10, tp_usdt=10, sl_usdt=5, check_every=MINUTE, reopen_delay=5 * MINUTE,
              reopen_window=10 * MINUTE, max_reopens=None)
OPEN = Leg(name="btc_long", symbol="BTCUSDT", side=Side.LONG, rules=RULES, state=LegState.OPEN, entry_time=NOW - 60 * MINUTE,
           entry_price=89204.9, quantity=0.056, take_profit=92773.1, stop_loss=87599.3, mark=88451.2, liquidation=80641.3,
           floating=-42.25, protected=frozenset(ExitOrder),
           prices=pl.DataFrame({"time": [NOW - 120 * MINUTE, NOW], "close": [89000.0, 88451.2]},
                               schema_overrides={"time": pl.Datetime("us", "UTC")}))
WAITING = Leg(name="sol_long", symbol="SOLUSDT", side=Side.LONG, rules=RULES, state=LegState.WAITING, closed_at=NOW - 4 * MINUTE,
              reason="SL", pnl=-52.0, noticed=NOW.replace(minute=5, second=0), reopens_at=NOW.replace(minute=10, second=0),
              gives_up_at=NOW.replace(minute=15, second=0))


def closed(*pnls: float, name: str = "btc_long") -> pl.DataFrame:
    row = {"name": name, "side": "LONG", "entry_time": NOW - 90 * MINUTE, "exit_time": NOW - 5 * MINUTE, "entry_price": 1.5,
           "exit_price": 1.6, "quantity": 1.0, "take_profit": 2.0, "stop_loss": 1.0, "reason": "TP", "fee": 0.5,
           "funding": -0.25, "reopen": 0}
    return pl.DataFrame([row | {"pnl": pnl} for pnl in pnls], schema={"name": pl.String(), **TRADE}, orient="row")


def look(*legs: Leg, trades: pl.DataFrame | None = None, **changed) -> Look:
    orders = pl.DataFrame(schema={"name": pl.String(), "kind": pl.String(), "trigger": pl.Float64(), "mark": pl.Float64()})
    known = {"environment": "testnet", "account": "main", "accounts": ["main"], "host": "demo-fapi.binance.com", "now": NOW,
             "orders": orders, "orders_at": NOW, "closed": closed() if trades is None else trades, "trader": True,
             "metrics": Metrics(equity=1000, available=900, floating=-42.25, margin=100)}
    return Look(legs=legs, **(known | changed))


def text(html) -> str:
    """What it says; a block's end is a blank."""
    return " ".join(Html(re.sub(r"</(p|h1|h2|h3|span|td|th|li)>", " ", str(html))).striptags().split()).replace(" .", ".")


@pytest.mark.parametrize(("legs", "said"), [
    ((), "Nothing is open."),
    ((OPEN,), "One position open, protected. Floating \N{MINUS SIGN}$42.25."),
    ((OPEN, replace(OPEN, name="eth_short")), "Two positions open, both protected. Floating \N{MINUS SIGN}$84.50."),
    ((OPEN, WAITING), "One position open, protected. Floating \N{MINUS SIGN}$42.25. sol_long reopens in 3 min 12 s."),
    ((replace(WAITING, reopens_at=NOW),), "Nothing is open. sol_long is about to reopen."),
    ((replace(OPEN, protected=frozenset([ExitOrder.PROFIT])),), "Unprotected: btc_long. btc_long has no stop at the exchange."),
    ((replace(OPEN, protected=frozenset()), WAITING),
     "Unprotected: btc_long. btc_long has no stop and no take profit at the exchange."),
    ((replace(OPEN, floating=None),), "One position open, protected. Floating unknown."),
])
def test_the_verdict(legs, said):
    assert text(trading_words.verdict(look(*legs))).startswith(said + " The trader runs")


def test_b31_a_trader_that_is_stopped_or_in_trouble_is_told_before_the_verdict():
    assert text(trading_words.banners(look(OPEN))) == ""
    assert "The trader does not run: nothing is noticed" in text(trading_words.banners(look(OPEN, trader=False)))
    assert text(trading_words.banners(look(replace(OPEN, state=LegState.CLOSED), trader=False))) == ""
    assert "The trader's last check: it broke" in text(trading_words.banners(look(trouble="it broke")))


def test_b37_b38_figures_of_the_wallet_and_the_trades():
    said = text(trading_words.key_figures(look(OPEN, trades=closed(10.0, -4.0, 0.0))))
    assert "Equity, futures $1,000.00 wallet + floating" in said
    assert ["Margin", "used", "$100.00", "10.0", "%", "of", "equity"][0] in said
    assert "Closed +$6.00 1 won, 1 lost (50.0" in said
    assert "Funding and fees \N{MINUS SIGN}$2.25" in said


def test_without_a_wallet_its_figures_are_unknown_with_the_reason():
    said = text(trading_words.key_figures(look(OPEN, metrics=None, without_metrics="needs a key")))
    assert said.count("unknown needs a key") == 3
    assert "$0" not in said.split("Closed")[0]


def test_b44_the_countdown_shows_what_is_left_and_when_it_gives_up():
    said = text(trading_tables.waiting(look(WAITING)))
    assert "SOLUSDT long, closed 14:02 by stop, \N{MINUS SIGN}$52.00" in said
    assert "3 min 12 s noticed 14:05 reopens 14:10 gives up 14:15" in said


@pytest.mark.parametrize(("changed", "said"), [
    ({}, "A check every 1 min notices a close; 5 min later the position reopens at the new price, or not at all after 10 min; "
         "as often as it closes."),
    ({"max_reopens": 3}, "3 times at most."), ({"max_reopens": 0}, "notices a close; the position is not reopened."),
    ({"tp_usdt": 12.5}, "The take profit at a gain of $12.50"), ({"leverage": 20}, "a notional of $2,000."),
    ({"check_every": timedelta(seconds=30)}, "A check every 30 s"),
])
def test_b47_the_rules_in_words(changed, said):
    assert said in trading_tables.in_words(replace(RULES, **changed))


def test_positions_with_other_rules_have_their_own_paragraph():
    found = text(trading_tables.rules(look(OPEN, replace(OPEN, name="b", rules=replace(RULES, sl_usdt=9)))))
    assert "btc_long: Market entry" in found.replace("btc_long :", "btc_long:")
    assert "a loss of $9" in found


@pytest.mark.parametrize(("seconds", "said"), [(0, "0 s"), (40, "40 s"), (60, "1 min"), (192, "3 min 12 s"),
                                               (3600, "1 h"), (27_240, "7 h 34 min"), (104_400, "1 d 5 h")])
def test_lengths(seconds, said):
    assert trading.lasting(timedelta(seconds=seconds)) == said


def test_every_position_has_its_picture_and_nothing_is_drawn_without_prices():
    drawn = trading_charts.positions(look(OPEN, replace(OPEN, name="bare", prices=trading.NO_PRICES)))
    assert drawn.count("<svg") == 1
    assert "TP 92,773.1" in drawn
    assert "var(--positive, #006F66)" in drawn
    assert "No prices to draw." in drawn


def test_words_from_outside_are_text():
    evil = "<script>alert(1)</script>"
    shown = trading_page.page(look(replace(OPEN, note=evil), trades=closed(1.0, name=evil), troubles=(evil,), trouble=evil,
                                   host=evil, instance=evil), timedelta(seconds=5))
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_b4_how_to_begin():
    said = text(trading_page.unconfigured("sandbox", "No position is configured."))
    for step in ("testnet", "navbook account add main", "navbook account test main", "[trade.btc_long]", "navbook trade start"):
        assert step in said

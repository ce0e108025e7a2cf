"""Collecting again and again: marks, quarantine, candles of late legs, and what a run costs."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from commands import navbook
from locals import READ_ONLY, START, local_exchange
from navbook import schemas
from navbook.errors import SnapshotIncomplete
from navbook.exchange import candles as exchange_candles
from navbook.exchange import client
from navbook.runner import collecting
from navbook.store import tables
from navbook.types import Grade
from worlds import only

EVERYTHING = {"spot": {"USDT": "100"}, "funding": {"USDT": "7"}, "futures": {"USDT": "30"}, "coin_futures": {"BTC": "0.5"},
              "margin": {"ETH": "2"}, "isolated_margin": {"SOL": "3", "USDT": "4"},
              "earn_flexible": {"BTC": "0.1", "BFUSD": "50"}, "earn_locked": {"ETH": "1.5"}}
WORTH = 100 + 7 + 30 + 0.5 * 50_000 + 2 * 2500 + 3 * 100 + 4 + 0.1 * 50_000 + 50 + 1.5 * 2500


@pytest.fixture
def local(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "wait_random_exponential", lambda **_: lambda state: 0.01)
    with local_exchange(tmp_path, monkeypatch) as exchange:
        exchange.prices(BTCUSDT=50_000, ETHUSDT=2500, SOLUSDT=100)
        yield exchange


def hour(number: float, **parts: float):
    return START + timedelta(hours=number, **parts)


def weights(local, path: str = "/") -> dict[str, int]:
    """What was spent since the last look, by path."""
    spent: dict[str, int] = {}
    for request in local.server.control("GET", "requests"):
        if request["path"].startswith(path):
            spent[request["path"]] = spent.get(request["path"], 0) + request["weight"]
    return spent


# -- wallets ----------------------------------------------------------------------------------------------------------
def test_a19_the_sum_of_every_wallet_is_the_exchanges_own_total(local):
    local.account("main", EVERYTHING)
    local.collect(hour(1))
    local.rebuild()
    snapshot = only(local.read("snapshots"))
    assert snapshot["grade"] == Grade.COMPLETE
    assert float(snapshot["exchange_total_usd"]) == pytest.approx(WORTH)
    assert local.read("nav_history")["nav"].to_list() == pytest.approx([WORTH])
    held = local.read("holdings").group_by("wallet").agg(pl.col("value_usd").sum())
    assert held["value_usd"].sum() == pytest.approx(WORTH, abs=1e-8)
    totals = local.read("wallet_totals")
    assert totals.filter(pl.col("wallet") == "earn")["value_usd"].item() == pytest.approx(Decimal(8800))


def test_the_smallest_account_costs_what_the_readme_says(local):
    """Spot 20, funding 1, totals 60, flags 1; each wallet that is there adds its own."""
    local.account("main", {"spot": {"USDT": "1"}})
    local.collect(hour(1))
    wallets = {path: weight for path, weight in weights(local).items() if "histor" not in path}
    assert {path: wallets[path] for path in ("/api/v3/account", "/sapi/v1/asset/get-funding-asset",
                                             "/sapi/v1/asset/wallet/balance", "/sapi/v1/account/info")} == {
        "/api/v3/account": 20, "/sapi/v1/asset/get-funding-asset": 1, "/sapi/v1/asset/wallet/balance": 60,
        "/sapi/v1/account/info": 1}
    assert not [path for path in wallets if "/margin/" in path or "simple-earn" in path or path.startswith(("/fapi", "/dapi"))]


def test_what_was_sold_between_two_readings_of_one_moment_is_gone(local):
    """Two runs in one second of the exchange: the second one has the last word, of what is no more, too."""
    local.account("main", {"spot": {"USDT": "100", "BTC": "1"}})
    local.collect(hour(1))
    local.event("fill", "main", hour(1), symbol="BTCUSDT", side="SELL", quantity="1", price="50000")
    local.collect()
    local.rebuild()
    held = {asset: quantity for asset, quantity in local.read("balances").select("asset", "quantity").iter_rows() if quantity}
    assert held == {"USDT": 50_100}
    assert local.read("nav_history")["nav"].to_list() == [50_100]


def test_a_portfolio_margin_account_is_told_and_never_valued(local):
    local.account("main", {"spot": {"USDT": "100"}}, permissions={**READ_ONLY, "enablePortfolioMarginTrading": True})
    with pytest.raises(SnapshotIncomplete, match=r"^main: this is a portfolio margin account, [^.]*\.toml, [^.]*\.$"):
        local.collect(hour(1))
    assert only(local.read("snapshots"))["reason"] == "not supported: portfolio margin"
    local.rebuild()
    assert local.read("nav_history")["nav"].to_list() == [None]


# -- histories --------------------------------------------------------------------------------------------------------
def test_a6_the_first_reading_looks_back_as_far_as_it_is_told(local):
    local.account("main", {"spot": {"USDT": "1000"}})
    for days in (100, 20):
        local.event("pay", "main", START - timedelta(days=days), asset="USDT", amount=str(days))
    local.collect(hour(1))
    assert local.read("cash_flows")["amount"].to_list() == [20]
    assert set(local.read("history_marks")["until"]) == {hour(1)}
    assert local.read("snapshots")["flows_until"].to_list() == [hour(1)]


def test_a6_a_history_that_an_older_navbook_never_read_begins_with_the_account(local):
    """After an update: not 90 days back from now, but from the first snapshot on."""
    local.account("main", {"spot": {"USDT": "1000"}})
    local.collect(hour(1))
    local.event("pay", "main", hour(24), asset="USDT", amount="5")
    marks = local.read("history_marks").with_columns(seen_at=pl.lit(hour(2), schemas.TIME))
    nothing = marks.filter(pl.col("source") == "pay").with_columns(until=pl.lit(None, schemas.TIME))
    tables.append(local.config().location, schemas.HISTORY_MARKS, nothing)
    local.server.control("POST", "limits", enforced=False)
    local.collect(hour(24 * 200))
    assert only(local.read("cash_flows"))["amount"] == 5


def test_a32_a_look_back_is_listed_first_and_then_applied(local):
    """`--dry-run` writes nothing; the same without it adds what it listed."""
    local.account("main", {"spot": {"USDT": "1000"}})
    local.account("sub", {}, master="main")
    local.collect(hour(1))
    local.event("sub_transfer", "main", START - timedelta(days=120), to="sub", asset="USDT", amount="5")
    local.config()
    keys = {name: value for name, value in os.environ.items() if name.startswith("NAVBOOK_")}
    listed = navbook("collect", "--days", "150", "--dry-run", folder=local.folder, variables=keys)
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert [line.split("  ")[1:5] for line in lines[:2]] == [["main", "SUB_WITHDRAWAL", "5 USDT", "done"],
                                                             ["sub", "SUB_DEPOSIT", "5 USDT", "done"]]
    assert lines[-1] == "2 flows of the last 150 days are not known yet; nothing was written."
    assert local.read("cash_flows").is_empty()
    local.clock(hour(2))
    asyncio.run(collecting.collect(local.config(), lookback=timedelta(days=150)))
    assert local.read("cash_flows").height == 2


def test_a_row_that_cannot_be_read_is_kept_told_once_and_empties_nothing(local):
    local.account("main", {"spot": {"USDT": "1000"}})
    local.event("deposit", "main", hour(0, minutes=30), asset="USDT", amount="5")
    local.event("dividend", "main", hour(0, minutes=40), asset="BNB", amount="1")
    local.monkeypatch.setattr("navbook.exchange.parse.archives.words", unreadable)
    with pytest.raises(SnapshotIncomplete, match="1 row of GET /sapi/v1/asset/assetDividend could not be read and went into"):
        local.collect(hour(1))
    assert only(local.read("quarantine"))["reason"] == "what is this"
    assert (local.read("cash_flows").height, local.read("rewards").height) == (1, 0)
    local.collect(hour(2))
    local.monkeypatch.undo()
    local.use_keys("main", "key-of-main".ljust(64, "x"), "secret-of-main".ljust(64, "x"))
    local.collect(hour(3))
    assert only(local.read("rewards"))["amount"] == 1
    assert only(local.read("quarantine"))["reason"] is None
    assert local.read("snapshots")["grade"].to_list() == [Grade.COMPLETE] * 3


def unreadable(*parts):
    raise ValueError("what is this")


# -- candles ----------------------------------------------------------------------------------------------------------
def candles(local) -> dict[str, int]:
    return dict(local.read("candles").group_by("symbol").len().iter_rows())


def test_a_leg_that_is_configured_later_gets_its_price_at_every_past_snapshot(local):
    """One page of hours, not a request for each; and the minute of a snapshot off the hour."""
    local.account("main", {"spot": {"USDT": "1000"}})
    for number in (1, 2, 3, 30):
        local.collect(hour(number))
    local.collect(hour(31, minutes=7))
    assert "SOLUSDT" not in candles(local)
    late = local.config('[benchmark]\nrebalance = "never"\n[benchmarks.solana]\nweights = { SOL = 1.0 }\nrebalance = "never"\n')
    before = len(local.server.control("GET", "requests"))
    local.clock(hour(32))
    asyncio.run(collecting.collect(late))
    asked = [request["path"] for request in local.server.control("GET", "requests")[before:]]
    assert asked.count("/api/v3/klines") == 2
    kept = local.read("candles").filter(pl.col("symbol") == "SOLUSDT")
    assert kept.select("interval", "open_time").sort("open_time").rows() == [
        ("1h", hour(0)), ("1h", hour(1)), ("1h", hour(2)), ("1h", hour(29)), ("1m", hour(31, minutes=6))]
    local.clock(hour(33))
    assert "candles" not in asyncio.run(collecting.collect(late)), "nothing is asked twice"


def test_one_pair_that_fails_takes_no_other_candle_with_it(local):
    local.account("main", {"spot": {"USDT": "1000"}})
    local.event("deposit", "main", hour(0, minutes=30), asset="SOL", amount="5")
    local.monkeypatch.setattr(exchange_candles, "PARALLEL", 1)
    local.fault("/api/v3/klines", status=500, code=-1000, count=3)    # three tries of one pair
    with pytest.raises(SnapshotIncomplete, match=r"^no candles of \w+USDT: GET /api/v3/klines could not be reached"):
        local.collect(hour(1))
    assert sum(candles(local).values()) == 2
    local.server.control("DELETE", "faults")
    local.collect(hour(2))
    assert candles(local) == {"BTCUSDT": 1, "ETHUSDT": 1, "SOLUSDT": 1}
    local.rebuild()
    assert only(local.read("flow_values"))["value_usd"] is not None


def test_rebalances_of_every_benchmark_have_their_minutes(local):
    local.account("main", {"spot": {"USDT": "1000"}})
    extra = ('[benchmark]\nrebalance = "never"\n[benchmarks.weekly]\nweights = { BTC = 0.5, SOL = 0.5 }\n'
             'rebalance = { weekday = 1, hour = 3 }\n')
    local.clock(hour(1))
    asyncio.run(collecting.collect(local.config(extra)))
    local.clock(hour(24 * 10))
    asyncio.run(collecting.collect(local.config(extra)))
    sol = local.read("candles").filter(pl.col("symbol") == "SOLUSDT")
    told = sol.select(pl.when(pl.col("interval") == "1h").then(pl.col("open_time") + pl.duration(minutes=59)).otherwise("open_time"))
    assert sorted(told.to_series()) == [hour(26, minutes=59), hour(24 * 7 + 26, minutes=59)]


def test_prices_of_what_was_added_by_hand_are_fetched(local):
    local.account("main", {"spot": {"USDT": "1000"}})
    local.collect(hour(1))
    entry = {"id": "e1", "account": "main", "action": "add", "time": hour(0, minutes=20), "kind": "DEPOSIT", "asset": "SOL",
             "amount": Decimal(3), "revoked": False, "seen_at": hour(1)}
    tables.append(local.config().location, schemas.MANUAL_ENTRIES,
                  schemas.MANUAL_ENTRIES.rows([dict.fromkeys(schemas.MANUAL_ENTRIES.columns) | entry]))
    local.collect(hour(2))
    assert candles(local) == {"BTCUSDT": 1, "ETHUSDT": 1, "SOLUSDT": 1}

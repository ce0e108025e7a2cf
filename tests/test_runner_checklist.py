"""Rows of the checklist that no other test names, from a local exchange to the tables."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from locals import START, local_exchange
from navbook.errors import NavbookError
from navbook.runner import collecting, commands
from worlds import only


@pytest.fixture
def local(tmp_path, monkeypatch):
    with local_exchange(tmp_path, monkeypatch) as exchange:
        exchange.prices(BTCUSDT=50_000, ETHUSDT=2500)
        yield exchange


def hour(number: float):
    return START + timedelta(hours=number)


def test_a3_an_account_that_is_added_has_a_benchmark_after_the_next_run(local):
    local.account("main", {"spot": {"USDT": "10000"}})
    local.collect(hour(1))
    local.rebuild()
    assert local.read("benchmark_configs")["account"].to_list() == ["main"]
    local.account("second", {"spot": {"USDT": "500"}})
    local.collect(hour(2))
    local.rebuild()
    row = only(local.read("benchmark_configs"), account="second", benchmark="own")
    assert (row["initialized_at"], row["btc_units"], row["eth_units"]) == (hour(2), pytest.approx(0.005), pytest.approx(0.1))
    assert only(local.read("benchmark_configs"), account="main", benchmark="own")["initialized_at"] == hour(1)


@pytest.mark.usefixtures("no_backoff")
def test_a10_without_prices_there_is_no_nav_and_no_old_price_takes_their_place(local):
    local.account("main", {"spot": {"BTC": "1"}})
    local.collect(hour(1))
    local.fault("/api/v3/ticker/price", status=500, code=-1000, count=9)
    with pytest.raises(NavbookError, match="price"):
        local.collect(hour(80))
    local.server.control("DELETE", "faults")
    local.rebuild()
    history = local.read("nav_history").sort("time")
    assert history.filter(time=hour(1))["nav"].to_list() == [50_000]
    late = history.filter(time=hour(80))
    assert late["nav"].to_list() in ([], [None])
    assert all(late["reason"])


def test_a32_older_transfers_are_listed_first_and_added_then(local):
    """The first collection looks 90 days back; a transfer of four months ago is found by --days."""
    local.account("main", {"spot": {"USDT": "20000"}})
    local.account("sub", {"spot": {"USDT": "10000"}}, master="main")
    local.event("sub_transfer", "main", START - timedelta(days=120), to="sub", asset="USDT", amount="5000")
    local.collect(hour(1))
    assert local.read("cash_flows").is_empty()
    told: list[str] = []
    local.clock(hour(2))
    commands.look_back(local.config(), "all", 200, told.append, dry_run=True)
    assert [line for line in told if "SUB_" in line] == [line for line in told if "sub_transfer:" in line]
    assert len([line for line in told if "SUB_" in line]) == 2
    assert told[-1].endswith("nothing was written.")
    assert local.read("cash_flows").is_empty()
    local.clock(hour(3))
    commands.look_back(local.config(), "all", 200, told.append, dry_run=False)
    assert sorted(local.read("cash_flows")["kind"]) == ["SUB_DEPOSIT", "SUB_WITHDRAWAL"]
    local.clock(hour(4))
    assert asyncio.run(collecting.unknown_flows(local.config(), "all", timedelta(days=200))).is_empty()

"""Days that nobody collected, brought back from the exchange's own record of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from commands import navbook
from locals import START, local_exchange
from navbook.errors import ExchangeUnavailable, SettingsInvalid, SnapshotIncomplete
from navbook.runner import backfill
from navbook.types import Grade

DAY = timedelta(days=1)
KEYS = {"NAVBOOK_MAIN_API_KEY": "key-of-main".ljust(64, "x"), "NAVBOOK_MAIN_API_SECRET": "secret-of-main".ljust(64, "x")}


@pytest.fixture
def local(tmp_path, monkeypatch):
    """10,000 USDT and half a bitcoin since the first day; 1,000 USDT in futures; 5,000 more on the third."""
    with local_exchange(tmp_path, monkeypatch) as exchange:
        exchange.prices(BTCUSDT=50_000, ETHUSDT=2500)
        exchange.account("main", {"spot": {"USDT": "10000", "BTC": "0.5"}, "futures": {"USDT": "1000"}})
        exchange.event("deposit", "main", START + 2 * DAY + timedelta(hours=7), asset="USDT", amount="5000")
        yield exchange


def run(local, **more):
    return asyncio.run(backfill.backfill(local.config(), "main", **more))


def test_n10_days_before_the_first_snapshot_are_filled_in(local):
    """Spot and futures at the end of each day, at the prices of its last minutes; a deposit shows from its day on."""
    local.collect(START + 5 * DAY)
    assert run(local, dry_run=True).days.height == 5
    assert local.read("snapshots").height == 1    # a dry run writes nothing
    local.clock(START + 5 * DAY + timedelta(minutes=2))    # a minute of its own for the exchange's limits
    found = run(local)
    assert found.days["value_usd"].to_list() == [36_000, 36_000, 41_000, 41_000, 41_000]
    assert found.days["time"].to_list() == [START + day * DAY - timedelta(seconds=1) for day in range(1, 6)]
    assert found.days["wallets"].unique().to_list() == ["futures, spot"]
    local.rebuild()
    history = local.read("nav_history").sort("time")
    assert history["grade"].to_list() == [Grade.BACKFILLED] * 5 + [Grade.COMPLETE]
    assert history["nav"].to_list() == [36_000, 36_000, 41_000, 41_000, 41_000, 41_000]
    assert history["btc_price"].to_list() == [50_000] * 6


def test_n10_what_is_backfilled_is_in_no_return_and_no_benchmark(local):
    local.prices(BTCUSDT=60_000)
    local.collect(START + 4 * DAY)
    local.prices(BTCUSDT=66_000)
    local.collect(START + 6 * DAY)
    before = local.rebuild()
    run(local)
    after = local.rebuild()
    assert after["nav_history"].height > before["nav_history"].height
    for name in ("performance", "benchmark_values", "benchmark_journal", "flow_values"):
        assert after[name].equals(before[name]), name


def test_n10_a_day_with_a_snapshot_that_counts_is_left_alone(local):
    local.collect(START + 3 * DAY + timedelta(hours=5))
    local.clock(START + 5 * DAY)
    found = run(local)
    assert (found.days.height, found.covered) == (4, 1)
    assert START + 4 * DAY - timedelta(seconds=1) not in found.days["time"].to_list()
    before = {name: local.read(name).height for name in ("snapshots", "balances", "prices")}
    local.clock(START + 5 * DAY + timedelta(minutes=2))    # a minute of its own for the exchange's limits
    run(local)
    assert {name: local.read(name).height for name in before} == before    # a second time adds nothing


def test_a_record_that_cannot_be_read_fills_nothing_in(local):
    local.collect(START + 5 * DAY)
    local.fault("/sapi/v1/accountSnapshot", status=500, code=-1000, count=9)
    with pytest.raises(ExchangeUnavailable, match=r"accountSnapshot.* could not be reached"):
        run(local)
    assert local.read("snapshots").height == 1


def test_an_account_that_was_never_collected_is_refused(local):
    with pytest.raises(SettingsInvalid, match="main was never collected; run navbook collect first"):
        run(local)


def test_a_key_of_another_account_is_refused(local):
    local.collect(START + 5 * DAY)
    local.account("other", {"spot": {"USDT": "1"}})
    local.use_keys("main", "key-of-other".ljust(64, "x"), "secret-of-other".ljust(64, "x"))
    with pytest.raises(SnapshotIncomplete, match="belongs to the Binance uid"):
        run(local)


def test_the_command_line(local, tmp_path):
    local.collect(START + 2 * DAY)
    result = navbook("backfill", "main", folder=tmp_path, variables=KEYS)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == (
        "2 days of main are added, graded backfilled; 0 have a snapshot of their own. Run navbook benchmark.")

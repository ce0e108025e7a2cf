"""From a real exchange over HTTP to facts and figures: what a trader's deposits, withdrawals and bad days do."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from locals import START, local_exchange
from navbook import schemas
from navbook.errors import SnapshotIncomplete
from navbook.runner import collecting, rebuild
from navbook.store import tables
from navbook.types import Grade
from worlds import only


@pytest.fixture
def local(tmp_path, monkeypatch):
    with local_exchange(tmp_path, monkeypatch) as exchange:
        exchange.prices(BTCUSDT=50_000, ETHUSDT=2500)
        yield exchange


def hour(number: float, **parts: float):
    return START + timedelta(hours=number, **parts)


def inception(local, account="main"):
    return only(local.rebuild()["performance"], account=account, period="inception")


def assert_nothing_gained(row):
    assert [row["twr"], row["benchmark_twr"], row["alpha"]] == pytest.approx([0, 0, 0], abs=1e-12)


def test_f_a_deposit_inside_the_snapshots_hour(local):
    local.account("main", {"spot": {"USDT": "10000"}})
    local.event("deposit", "main", hour(10, minutes=59, seconds=30), asset="USDT", amount="5000")
    for number in (9, 10, 11, 12):
        local.collect(hour(number))
    assert_nothing_gained(inception(local))
    assert local.read("nav_history")["nav"].to_list() == [10_000, 10_000, 15_000, 15_000]


def test_f_c_deposit_between_ten_minute_snapshots(local):
    local.account("main", {"spot": {"USDT": "10000"}})
    local.event("deposit", "main", hour(10, minutes=25), asset="USDT", amount="5000")
    for minute in range(0, 60, 10):
        local.collect(hour(10, minutes=minute))
    assert_nothing_gained(inception(local))


def test_f_b_deposit_that_the_exchange_lists_three_days_late(local):
    """The balance shows it at 11:00; its row comes later, stamped 10:30. The next rebuild puts it right."""
    local.account("main", {"spot": {"USDT": "10000"}})
    local.event("deposit", "main", hour(10, minutes=30), asset="USDT", amount="5000")
    local.collect(hour(10))
    local.fault("/sapi/v1/capital/deposit/hisrec", status=500, code=-1000, count=3)
    with pytest.raises(SnapshotIncomplete, match="cash flows could not be read"):
        local.collect(hour(11))
    local.rebuild()
    assert local.read("nav_history")["grade"].to_list() == [Grade.COMPLETE, Grade.PROVISIONAL]
    local.collect(hour(83))
    assert_nothing_gained(inception(local))
    assert set(local.read("nav_history")["grade"]) == {Grade.COMPLETE}


def test_f_d_deposit_of_half_a_bitcoin(local):
    local.prices(BTCUSDT=60_000)
    local.account("main", {"spot": {"USDT": "10000"}})
    local.event("deposit", "main", hour(10, minutes=30), asset="BTC", amount="0.5")
    for number in (10, 11, 12):
        local.collect(hour(number))
    assert_nothing_gained(inception(local))
    assert only(local.read("flow_values"))["value_usd"] == pytest.approx(30_000)


def test_f_e_transfer_from_the_master(local):
    """A28, A30: external to each account; the master sees it leave, the sub-account sees it come, the sum is zero."""
    local.account("main", {"spot": {"USDT": "20000"}})
    local.account("sub", {"spot": {"USDT": "10000"}}, master="main")
    local.event("sub_transfer", "main", hour(10, minutes=30), to="sub", asset="USDT", amount="5000")
    for number in (10, 11, 12):
        local.collect(hour(number))
    assert_nothing_gained(inception(local, "sub"))
    assert_nothing_gained(inception(local, "main"))
    assert local.read("flow_values").select("account", "kind", "value_usd").sort("account").rows() == [
        ("main", "SUB_WITHDRAWAL", -5000), ("sub", "SUB_DEPOSIT", 5000)]


def test_f_w_withdrawal_with_a_text_time_beside_a_deposit(local):
    local.account("main", {"spot": {"USDT": "10000"}})
    local.event("deposit", "main", hour(10, minutes=20), asset="USDT", amount="5000")
    local.event("withdrawal", "main", hour(10, minutes=40), asset="USDT", amount="1999", fee="1")
    for number in (10, 11, 12):
        local.collect(hour(number))
    assert_nothing_gained(inception(local))
    assert local.read("flow_values")["value_usd"].to_list() == pytest.approx([5000, -2000])
    assert local.read("nav_history")["nav"].to_list() == [10_000, 13_000, 13_000]


def test_a1_several_accounts_one_moment(local):
    for name in ("one", "two", "three"):
        local.account(name, {"spot": {"USDT": "100"}})
    local.collect(hour(1))
    snapshots = local.read("snapshots")
    assert snapshots["account"].to_list() == ["one", "three", "two"]
    assert snapshots["time"].n_unique() == 1


def test_a2_one_failing_account_does_not_stop_the_others(local):
    for name in ("one", "two", "three"):
        local.account(name, {"spot": {"USDT": "100"}})
    local.config()
    local.server.control("POST", "faults", path="/api/v3/account", status=401, code=-2015, count=1)
    with pytest.raises(SnapshotIncomplete, match="-2015"):
        local.collect(hour(1))
    assert sorted(local.read("snapshots")["grade"]) == [Grade.COMPLETE, Grade.COMPLETE, Grade.INCOMPLETE]


def test_a2_an_account_without_keys_is_named(local):
    local.account("one", {"spot": {"USDT": "100"}})
    local.account("two", keys=False)
    with pytest.raises(SnapshotIncomplete, match="NAVBOOK_TWO_API_KEY"):
        local.collect(hour(1))
    assert only(local.read("snapshots"), account="one")["grade"] == Grade.COMPLETE


def test_a4_the_benchmark_starts_with_half_of_the_nav_in_each(local):
    local.account("main", {"spot": {"USDT": "10000"}})
    local.collect(hour(1))
    journal = local.rebuild()["benchmark_journal"]
    assert dict(journal.select("asset", "units_after").iter_rows()) == pytest.approx({"BTC": 0.1, "ETH": 2.0})


def test_a7_prices_are_asked_for_once_a_run(local):
    for name in ("one", "two", "three", "four", "five"):
        local.account(name, {"spot": {"BTC": "1"}})
    local.collect(hour(1))
    asked = [request["path"] for request in local.server.control("GET", "requests")]
    assert asked.count("/api/v3/ticker/price") == 1


def test_a11_free_and_locked_count(local):
    local.account("main", {"spot": {"ETH": "2"}})
    local.collect(hour(1))
    local.rebuild()
    assert local.read("nav_history")["nav"].to_list() == [5000]


def test_a12_an_asset_with_only_a_bitcoin_pair(local):
    local.prices(RAREBTC="0.001")
    local.account("main", {"spot": {"RARE": "10"}})
    local.collect(hour(1))
    local.rebuild()
    held = only(local.read("holdings"), asset="RARE")
    assert (held["value_usd"], held["price_route"]) == (pytest.approx(500), "via_btc")


def test_a13_stablecoins_count_one(local):
    local.account("main", {"spot": {"USDC": "30"}, "futures": {"BNFCR": "100"}})
    local.collect(hour(1))
    local.rebuild()
    assert local.read("nav_history")["nav"].to_list() == [130]


def test_a14_futures_count_by_margin_balance(local):
    """Wallet 100, unrealised -20: 80."""
    local.account("main", {"futures": {"USDT": "100"}})
    local.event("fill", "main", hour(0, minutes=30), symbol="BTCUSDT", side="BUY", quantity="0.01", price="50000",
                market="futures")
    local.clock(hour(1))
    local.prices(BTCUSDT=48_000)
    local.collect()
    held = only(local.read("balances"), wallet="futures")
    assert held["quantity"] == Decimal(80)
    assert only(local.read("snapshots"))["grade"] == Grade.COMPLETE


def test_a15_a_negative_futures_asset_subtracts(local):
    local.account("main", {"spot": {"USDT": "100"}, "futures": {"BNFCR": "-50"}})
    local.collect(hour(1))
    local.rebuild()
    assert local.read("nav_history")["nav"].to_list() == [50]


def test_a20_a_wallet_that_cannot_be_read_makes_the_snapshot_incomplete(local):
    """Shown without a figure, in no return; never a smaller NAV."""
    local.account("main", {"spot": {"USDT": "10000"}, "funding": {"USDT": "500"}})
    local.collect(hour(1))
    local.fault("/sapi/v1/asset/get-funding-asset", status=500, code=-1000, count=10)
    with pytest.raises(SnapshotIncomplete, match="main: the funding wallet could not be read"):
        local.collect(hour(2))
    local.server.control("DELETE", "faults")
    local.collect(hour(3))
    assert_nothing_gained(inception(local))
    history = local.read("nav_history")
    assert history["nav"].to_list() == [10_500, None, 10_500]
    assert history["grade"].to_list() == [Grade.COMPLETE, Grade.INCOMPLETE, Grade.COMPLETE]
    assert history["reason"].to_list() == [None, "not read: funding", None]


def test_a21_a_coin_without_any_market_is_listed_and_harms_nothing(local):
    local.account("main", {"spot": {"USDT": "10000"}})
    local.event("deposit", "main", hour(1, minutes=30), asset="LUNAX", amount="1200")
    local.collect(hour(1))
    local.collect(hour(2))
    assert_nothing_gained(inception(local))
    assert only(local.read("flow_values"))["value_usd"] is None
    assert only(local.read("holdings"), asset="LUNAX")["value_usd"] is None
    assert set(local.read("nav_history")["grade"]) == {Grade.COMPLETE}


def test_a26_a_pending_deposit_counts_when_it_succeeds(local):
    local.account("main", {"spot": {"USDT": "10000"}})
    local.event("deposit", "main", hour(1, minutes=30), asset="USDT", amount="5000", complete_time=hour(3, minutes=30))
    for number in (1, 2, 3):
        local.collect(hour(number))
    assert local.read("cash_flows")["status"].to_list() == ["pending"]
    for number in (4, 5):
        local.collect(hour(number))
    assert_nothing_gained(inception(local))
    assert only(local.read("flow_values"))["time"] == hour(3, minutes=30)


def test_a_withdrawal_under_way_is_still_the_accounts(local):
    """It left the wallet at 01:30 and completed at 03:30: NAV is whole in between, and the flow counts then."""
    local.account("main", {"spot": {"USDT": "10000"}})
    local.event("withdrawal", "main", hour(1, minutes=30), asset="USDT", amount="2000", fee="1",
                complete_time=hour(3, minutes=30))
    for number in (1, 2, 3, 4):
        local.collect(hour(number))
    assert_nothing_gained(inception(local))
    assert local.read("nav_history")["nav"].to_list() == [10_000, 10_000, 10_000, 7999]
    assert set(local.read("nav_history")["grade"]) == {Grade.COMPLETE}
    assert local.read("holdings").filter(pl.col("wallet") == "in_transit")["time"].to_list() == [hour(2), hour(3)]


def test_a_refused_withdrawal_leaves_the_past_as_it_was(local):
    """Under way at 02:00, refused at 03:30: the 02:00 snapshot keeps its NAV, and nothing was lost or gained."""
    local.account("main", {"spot": {"USDT": "10000"}})
    local.event("withdrawal", "main", hour(1, minutes=30), asset="USDT", amount="9000", status=3,
                complete_time=hour(3, minutes=30))
    for number in (1, 2):
        local.collect(hour(number))
    local.rebuild()
    assert local.read("nav_history")["nav"].to_list() == [10_000, 10_000]
    local.collect(hour(4))
    assert_nothing_gained(inception(local))
    assert local.read("nav_history")["nav"].to_list() == [10_000, 10_000, 10_000]


def test_nothing_of_a_key_whose_uid_is_unknown_is_kept(local, tmp_path, monkeypatch):
    """The spot wallet, which tells the uid, fails: the other account's deposit must not get in."""
    local.account("main", {"spot": {"USDT": "1"}})
    local.collect(hour(1))
    with local_exchange(tmp_path, monkeypatch) as other:
        other.account("main", {"spot": {"USDT": "7"}}, email="another@example.com")
        other.event("deposit", "main", hour(1, minutes=30), asset="USDT", amount="5")
        other.fault("/api/v3/account", status=500, code=-1000, count=9)
        with pytest.raises(SnapshotIncomplete, match="the spot wallet could not be read"):
            other.collect(hour(2))
    assert local.read("cash_flows").is_empty()
    assert local.read("snapshots")["grade"].to_list() == [Grade.COMPLETE, Grade.INCOMPLETE]


def test_a27_collecting_again_adds_nothing(local):
    local.server.control("POST", "limits", enforced=False)    # more than ten readings of withdrawals in a minute
    local.account("main", {"spot": {"USDT": "10000"}})
    for minute in (5, 6):
        local.event("deposit", "main", hour(0, minutes=minute), asset="USDT", amount="50", id="x" * 255 + str(minute))
    local.collect(hour(1))
    first = local.read("cash_flows")
    for _ in range(9):
        added = local.collect()
        assert {name for name, rows in added.items() if rows} <= {"responses"}    # the window asked for is another
    assert local.read("cash_flows").equals(first)
    assert first.height == 2


def test_a31_two_equal_transfers_in_one_minute_both_count(local):
    local.account("main", {"spot": {"USDT": "20000"}})
    local.account("sub", {}, master="main")
    for second in (10, 20):
        local.event("sub_transfer", "main", hour(0, minutes=30, seconds=second), to="sub", asset="USDT", amount="5")
    local.collect(hour(1))
    local.rebuild()
    assert local.read("flow_values").group_by("account").len().sort("account").rows() == [("main", 2), ("sub", 2)]


def test_a37_a_rebalance_that_nothing_ran_for_is_made_at_its_own_price(local):
    local.account("main", {"spot": {"USDT": "10000"}})
    local.collect(hour(10))
    local.server.control("POST", "prices", symbol="BTCUSDT", candles=[
        [int(hour(11, minutes=59).timestamp() * 1000), "60000", "60000", "60000", "60000", "1"]])
    local.clock(hour(30))
    config = local.config("")
    asyncio.run(collecting.collect(config))
    answers = rebuild.compute(rebuild.read_facts(config), config)
    rebalance = answers["benchmark_journal"].filter(pl.col("event") == "rebalance")
    assert rebalance["time"].unique().to_list() == [hour(12)]
    assert dict(rebalance.select("asset", "price").iter_rows())["BTC"] == 60_000


def test_wallets_that_were_never_opened_are_absent(local):
    local.account("main", {"spot": {"USDT": "1"}})
    local.collect(hour(1))
    assert only(local.read("snapshots"))["wallets"] == (
        '{"coin_futures": "absent", "earn_flexible": "absent", "earn_locked": "absent", "funding": "ok", '
        '"futures": "absent", "isolated_margin": "absent", "margin": "absent", "other": "absent", "spot": "ok"}')


def test_another_binance_account_under_the_same_name_is_refused(local, tmp_path, monkeypatch):
    local.account("main", {"spot": {"USDT": "1"}})
    local.collect(hour(1))
    with local_exchange(tmp_path, monkeypatch) as other:
        other.server.control("POST", "accounts", name="main", api_key="another".ljust(64, "y"), api_secret="z" * 64,
                             permissions={"enableReading": True}, balances={"spot": {"USDT": "7"}})
        other.use_keys("main", "another".ljust(64, "y"), "z" * 64)
        other.sections = ["[accounts.main]"]
        with pytest.raises(SnapshotIncomplete, match="give the new account another name"):
            other.collect(hour(2))
    assert local.read("snapshots").height == 1


def test_deleting_the_derived_tables_and_rebuilding_gives_the_same_hashes(local):
    """N1, A80: answers are rebuilt from facts; the hash says they are the same."""
    local.account("main", {"spot": {"USDT": "10000", "BTC": "0.1"}})
    local.event("deposit", "main", hour(1, minutes=30), asset="USDT", amount="5000")
    for number in (1, 2, 3):
        local.collect(hour(number))
    local.rebuild()
    location = local.config().location
    rebuilt = {name: schema for name, schema in schemas.DERIVED.items() if not name.startswith(("backtest", "parity"))}
    before = {name: tables.stored_hash(location, schema) for name, schema in rebuilt.items()}
    shutil.rmtree(f"{location}/derived")
    local.rebuild()
    assert {name: tables.stored_hash(location, schema) for name, schema in rebuilt.items()} == before
    assert None not in before.values()

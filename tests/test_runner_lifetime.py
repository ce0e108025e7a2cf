"""`navbook lifetime`: asked of an exchange over HTTP, on an account that navbook meets for the first time."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from commands import navbook
from locals import START, local_exchange
from navbook import schemas
from navbook.errors import PriceMissing, SettingsInvalid, SnapshotIncomplete
from navbook.runner import life_histories, lifetime, manual
from navbook.runner.manual import Added
from navbook.store import tables

DAY = timedelta(days=1)
NOW = START + 150 * DAY
LATER = NOW + timedelta(minutes=2)    # the next minute of the exchange's limits
NEVER = '[benchmark]\nrebalance = "never"\n'


@pytest.fixture
def local(tmp_path, monkeypatch):
    """An account of five months: 4,000 USDT, 0.02 BTC, and 1,000 out again; bitcoin at 50,000 and ether at 2,500 throughout."""
    with local_exchange(tmp_path, monkeypatch) as exchange:
        exchange.prices(BTCUSDT=50_000, ETHUSDT=2500)
        exchange.account("main")
        exchange.event("deposit", "main", START + 10 * DAY, asset="USDT", amount="4000")
        exchange.event("deposit", "main", START + 100 * DAY, asset="BTC", amount="0.02")
        exchange.event("withdrawal", "main", START + 120 * DAY, asset="USDT", amount="999", fee="1")
        exchange.clock(NOW)
        yield exchange


def ask(local):
    told = []
    asyncio.run(life_histories.ask(local.config(NEVER), "main", told.append))
    return told


def asked_of(local, path):
    return [request for request in local.server.control("GET", "requests") if request["path"] == path]


def test_a_life_of_which_navbook_saw_nothing(local):
    """The first run needs no past value: flows, one snapshot of today, and the price of each flow's minute."""
    local.prices(BTCUSDT=100_000, ETHUSDT=2500)
    assert ask(local)
    found = lifetime.answer(local.config(NEVER), "main")
    life = found.life
    assert (life.deposits, life.withdrawals, life.first_flow) == (2, 1, START + 10 * DAY)
    assert (life.deposited_usd, life.withdrawn_usd) == (5000, 1000)
    # 0.04 BTC + 0.8 ETH, 0.01 + 0.2 more, a fifth out: 0.04 BTC + 0.8 ETH
    assert (life.nav, life.held_value) == (5000, pytest.approx(6000))
    assert (life.gain_usd, life.held_gain_usd) == (1000, pytest.approx(2000))
    assert life.mwr < life.held_mwr
    sentence, *gaps = lifetime.lines(found)
    assert sentence.startswith("Since 2026-03-12, 2 deposits and 1 withdrawal: main is 1,000.00 USD behind the same flows "
                               "held in 50% BTC, 50% ETH, never rebalanced (")
    assert [gap for gap in gaps if gap.startswith(("- pay before", "- c2c before", "- Withdrawals before 2025-03-12"))]


def test_flows_before_the_first_snapshot_touch_no_benchmark_and_a_second_run_asks_little(local):
    ask(local)
    local.rebuild()
    assert local.read("benchmark_journal")["event"].unique().to_list() == ["init"]
    assert local.read("cash_flows").height == 3
    before = len(asked_of(local, "/sapi/v1/capital/deposit/hisrec"))
    assert before > 30    # 89-day windows since 2017
    local.clock(LATER)
    assert ask(local) == []
    assert len(asked_of(local, "/sapi/v1/capital/deposit/hisrec")) - before <= 2
    assert len(asked_of(local, "/sapi/v1/capital/withdraw/history")) <= 10    # so many a minute are allowed


def test_a_history_that_cannot_be_read_is_asked_for_again(local):
    local.fault("/sapi/v1/fiat/payments", status=500, code=-1000, count=9)
    with pytest.raises(SnapshotIncomplete, match="could not be read"):
        ask(local)
    local.server.control("DELETE", "faults")
    local.clock(LATER)
    assert lifetime.asked(local.config(NEVER), "main") is None
    ask(local)
    assert lifetime.asked(local.config(NEVER), "main").withdrawals_from == START + 10 * DAY - life_histories.QUIET


def test_what_people_add_belongs_to_the_life(local):
    ask(local)
    config = local.config(NEVER)
    manual.add(config, Added(account="main", kind="", asset="USDT", amount="10000", time="2026-03-05", opening=True))
    manual.mark(config, "withdrawal:" + local.read("cash_flows").filter(source="withdrawal")["id"][0], "ignore")
    local.clock(LATER)
    ask(local)    # for the price of the new flow's minute
    life = lifetime.answer(config, "main").life
    assert (life.deposits, life.deposited_usd, life.withdrawals) == (3, 15_000, 0)
    assert life.held_value == pytest.approx(15_000)


def test_a_flow_without_a_price_is_a_gap(local):
    local.event("deposit", "main", START + 30 * DAY, asset="OBSCURE", amount="7")
    ask(local)
    assert any("(7 OBSCURE, 2026-04-01) has no price" in gap for gap in lifetime.answer(local.config(NEVER), "main").gaps)


def test_without_a_snapshot_or_a_flow_there_is_no_answer(local):
    with pytest.raises(SettingsInvalid, match="There is no snapshot of main"):
        lifetime.answer(local.config(NEVER), "main")
    local.account("empty", {"spot": {"USDT": "5"}})
    asyncio.run(life_histories.ask(local.config(NEVER), "empty", lambda count: None))
    with pytest.raises(SettingsInvalid, match="holds no cash flow of empty that has a value"):
        lifetime.answer(local.config(NEVER), "empty")
    with pytest.raises(PriceMissing, match="holds no price of SOL; run navbook collect"):
        lifetime.answer(local.config('[benchmark]\nweights = { SOL = 1.0 }\n'), "empty")


def test_the_command_line(local, tmp_path):
    local.config(NEVER)
    keys = {"NAVBOOK_MAIN_API_KEY": "key-of-main".ljust(64, "x"), "NAVBOOK_MAIN_API_SECRET": "secret-of-main".ljust(64, "x")}
    result = navbook("lifetime", "main", "--format", "json", folder=tmp_path, variables=keys)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["deposited_usd"] == 5000
    again = navbook("lifetime", "main", "--stored", folder=tmp_path)
    assert "Since 2026-03-12, 2 deposits and 1 withdrawal" in again.stdout, again.stderr
    assert tables.read(local.config(NEVER).location, schemas.SNAPSHOTS).height == 1

"""All processes of a machine share one budget; a ban is remembered by those that come later."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import time
from pathlib import Path

import pytest

from exchanges import canned, keys_of, says, talk
from navbook.errors import ExchangeUnavailable
from navbook.exchange import budget, client, fetch
from navbook.exchange.budget import Budget
from navbook.types import Environment, Purpose

HOST, ACCOUNT, KLINES = "api.example", "GET /api/v3/account", "GET /fapi/v1/klines"
pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.fixture
def early(monkeypatch):
    """The first second of a minute: no test waits for the next one."""
    clock = 60 * (time.time() // 60) + 1
    monkeypatch.setattr(budget.time, "time", lambda: clock)


def server_time(exchange):
    return exchange.ask("GET /api/v3/time", exchange.wire.get_server_time)


def most(purpose: Purpose, endpoint: str = KLINES, key: str = "") -> int:
    """How often `endpoint` may be asked until one has to wait."""
    mine, count = Budget(key, purpose), 0
    while isinstance(turn := mine._try(endpoint, HOST), budget.Turn):
        mine.answered(turn, 200)
        count += 1
    mine.close()
    return count


def test_a_download_leaves_room_for_a_collection_and_that_for_a_trade(early):
    """2400 a minute, 5 a page: other clients of this machine have used what was used before."""
    assert most(Purpose.DOWNLOAD) == 400
    assert most(Purpose.DOWNLOAD) == 0
    assert most(Purpose.COLLECT) == 56
    assert most(Purpose.DOWNLOAD) == most(Purpose.COLLECT) == 0
    assert most(Purpose.TRADE) == 24
    assert most(Purpose.TRADE, ACCOUNT) == 300, "/api is counted apart"


def test_the_exchanges_own_count_is_the_truth(early):
    mine = Budget("", Purpose.COLLECT)
    mine.answered(mine._try(KLINES, HOST), 200, {"X-MBX-USED-WEIGHT-1M": "2000"})
    mine.close()
    assert most(Purpose.DOWNLOAD) == 0, "somebody else uses this address, too"
    assert most(Purpose.COLLECT) == 56


def test_requests_under_way_count(early):
    mine = Budget("", Purpose.DOWNLOAD)
    assert sum(isinstance(mine._try(KLINES, HOST), budget.Turn) for _ in range(450)) == 400
    assert 0 < mine._try(KLINES, HOST) <= 60, "to the next minute"
    mine.close()


def test_what_one_account_may_ask_is_counted_by_key(early):
    path = "GET /sapi/v1/capital/withdraw/history"
    assert most(Purpose.COLLECT, path, "one") == 10
    assert most(Purpose.COLLECT, path, "one") == 0
    assert most(Purpose.COLLECT, path, "other") == 10
    assert b"other" not in budget.place().read_bytes()


def _ask(host: str, state: str, results: multiprocessing.Queue) -> None:
    import os
    os.environ["XDG_STATE_HOME"] = state
    mine, count = Budget("", Purpose.DOWNLOAD), 0
    minute = time.time() // 60
    while isinstance(turn := mine._try(KLINES, host), budget.Turn) and time.time() // 60 == minute:
        mine.answered(turn, 200)
        count += 1
    results.put((minute, count))


def test_two_processes_share_one_minute(tmp_path):
    while time.time() % 60 > 50:
        time.sleep(0.5)    # not over a minute's end
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_ask, args=(HOST, str(tmp_path / "both"), results)) for _ in range(2)]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    by_minute = {minute: sum(count for other, count in found if other == minute) for minute, _ in found}
    assert max(by_minute.values()) == 400


# -- bans -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("status", "retry_after"), [(418, 300), (418, 1), (429, 61)])
def test_a_ban_is_remembered_by_the_next_run(binance, status, retry_after):
    binance.fault("/api/v3/time", status=status, retry_after=retry_after)
    for _ in range(3):
        with pytest.raises(ExchangeUnavailable, match=rf"HTTP {status}") as caught:
            binance.talk(server_time)
    assert retry_after - 1 <= caught.value.retry_after <= retry_after + 1
    assert "UTC" in str(caught.value)
    assert len(binance.asked()) == 1, "the others were not even sent"


def test_a_ban_ends_at_its_time(binance):
    binance.fault("/api/v3/time", status=418, retry_after=1)
    with pytest.raises(ExchangeUnavailable):
        binance.talk(server_time)
    time.sleep(1.05)
    assert binance.talk(server_time).payload["serverTime"]


def test_a_418_on_one_path_stops_all_others_of_the_run(binance):
    account = binance.account({"spot": {"USDT": "5"}})

    async def conversation(exchange):
        binance.fault("/sapi/v1/*", status=418, retry_after=120, count=9)
        with pytest.raises(ExchangeUnavailable):
            await fetch.wallets.key_rights(exchange)
        calls = [fetch.wallets.spot(exchange), fetch.wallets.futures(exchange), server_time(exchange)]
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = binance.talk(conversation, account)
    assert all(isinstance(answer, ExchangeUnavailable) and "HTTP 418" in str(answer) for answer in answers)
    assert binance.asked().count("/api/v3/account") == binance.asked().count("/fapi/v3/account") == 0


def test_a_short_429_is_waited_for_by_the_next_run(binance):
    binance.fault("/api/v3/time", status=429, retry_after=1, count=3)
    with pytest.raises(ExchangeUnavailable):
        binance.talk(server_time)
    began = time.monotonic()
    assert binance.talk(server_time).payload["serverTime"]
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize("clock", [-3600, 10 * 86_400])
def test_a_clock_that_was_moved_locks_nobody_out(monkeypatch, clock):
    with canned(says(418, b"{}")) as (url, asked):
        for _ in range(2):
            with pytest.raises(ExchangeUnavailable):
                talk(url, server_time)
        assert len(asked) == 1
        now = time.time
        monkeypatch.setattr(budget.time, "time", lambda: now() + clock)
        with pytest.raises(ExchangeUnavailable):
            talk(url, server_time)
        assert len(asked) == 2


# -- the database ------------------------------------------------------------------------------------------------------
def test_a_damaged_database_is_begun_anew(early, tmp_path):
    assert most(Purpose.COLLECT, ACCOUNT) > 0
    for file in budget.place().parent.iterdir():
        file.write_bytes(b"no database" * 1000)
    assert most(Purpose.COLLECT, ACCOUNT) > 0


def test_a_home_that_cannot_be_written_is_no_trouble(early, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(budget.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    assert most(Purpose.DOWNLOAD) == 400
    assert most(Purpose.DOWNLOAD) == 0, "shared among the temporary files"
    monkeypatch.setattr(budget.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    assert most(Purpose.DOWNLOAD) == 400, "each process by itself"


def test_a_disk_that_fills_up_stops_nobody(early, monkeypatch, caplog):
    mine = Budget("", Purpose.COLLECT)
    mine.database.close()
    mine.database = sqlite3.connect(f"file:{Path(budget.place())}?mode=ro", uri=True, isolation_level=None)
    assert isinstance(mine._try(ACCOUNT, HOST), budget.Turn)
    assert "not shared" in caplog.text
    mine.close()


def test_a_turn_is_cheap():
    mine = Budget("", Purpose.TRADE)
    began = time.perf_counter()
    for number in range(200):
        mine.answered(mine._try("GET /sapi/v1/x", f"{number}"), 200, {"X-SAPI-USED-IP-WEIGHT-1M": "1"})
    assert (time.perf_counter() - began) / 200 < 0.005, "some 50 microseconds on a quiet machine"
    mine.close()


def test_a_key_is_nowhere_in_the_database(binance):
    account = binance.account({"spot": {"USDT": "5"}})
    binance.talk(fetch.wallets.spot, account)
    written = b"".join(file.read_bytes() for file in budget.place().parent.iterdir())
    assert keys_of(account).api_key.get_secret_value().encode() not in written


def test_hosts_are_where_requests_go():
    async def hosts():
        async with client.connect(Environment.LIVE) as exchange:
            return [exchange._host(endpoint) for endpoint in (ACCOUNT, "GET /sapi/v1/x?type=A", KLINES, "GET /dapi/v1/account")]

    assert asyncio.run(hosts()) == ["api.binance.com", "api.binance.com", "fapi.binance.com", "dapi.binance.com"]

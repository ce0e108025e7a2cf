"""Whole accounts: each wallet ok, absent or failed; what could not be read is said, what could is kept."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest

from exchanges import START, canned, keys_of, local_binance, milliseconds, talk
from navbook import schemas
from navbook.errors import ExchangeUnavailable, RequestRejected
from navbook.exchange import client, gather
from navbook.exchange.gather import Reading
from navbook.runner.sandbox import World, started
from navbook.types import Environment
from worlds import only

ACCOUNT, FUNDING, FUTURES = "/api/v3/account", "/sapi/v1/asset/get-funding-asset", "/fapi/v3/account"
TOTALS, FLAGS = "/sapi/v1/asset/wallet/balance", "/sapi/v1/account/info"
DEPOSITS, WITHDRAWALS = "/sapi/v1/capital/deposit/hisrec", "/sapi/v1/capital/withdraw/history"
SUBS, WITH_SUB = "/sapi/v1/sub-account/list", "/sapi/v1/sub-account/universalTransfer"
SPOT_AND_FUNDING = {"spot": {"USDT": "100"}, "funding": {"USDT": "7"}}
ALL_WALLETS = {**SPOT_AND_FUNDING, "futures": {"USDT": "30"}}


@pytest.fixture(scope="module")
def running():
    with local_binance() as binance:
        yield binance


@pytest.fixture
def binance(running):
    running.fresh()
    return running


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch):
    """What the host itself asks for is still waited for."""
    monkeypatch.setattr(client, "wait_random_exponential", lambda **_: lambda state: 0.01)


def at(minutes: float = 0, **parts: float) -> datetime:
    return START - timedelta(days=1) + timedelta(minutes=minutes, **parts)


def wallets(binance, account: str, once_ok: tuple[str, ...] = (), environment: Environment = Environment.SANDBOX) -> Reading:
    async def conversation(exchange):
        exchange.environment = environment
        reading = Reading(account, START)
        await gather.wallets(exchange, reading, ("BTC", "ETH"), once_ok)
        return reading

    return binance.talk(conversation, account)


def flows(binance, account: str, *, is_sub: bool = False, environment=Environment.SANDBOX) -> Reading:
    async def conversation(exchange):
        exchange.environment = environment
        reading = Reading(account, START)
        await gather.cash_flows(exchange, reading, at(-60), is_sub=is_sub)
        return reading

    return binance.talk(conversation, account)


def quantities(reading: Reading) -> dict[str, dict[str, Decimal]]:
    rows = gather.merged(reading.balances, schemas.BALANCES)
    return {wallet: dict(rows.filter(pl.col("wallet") == wallet).select("asset", "quantity").iter_rows())
            for wallet in rows["wallet"].unique()}


def kinds(reading: Reading) -> list[tuple[str, Decimal]]:
    rows = gather.merged(reading.flows, schemas.CASH_FLOWS)
    return sorted(rows.select("kind", "amount").iter_rows())


# -- wallets ----------------------------------------------------------------------------------------------------------
def test_every_wallet_that_is_there_is_read(binance):
    reading = wallets(binance, binance.account(ALL_WALLETS))
    assert reading.wallets == {"spot": "ok", "funding": "ok", "futures": "ok"}
    assert quantities(reading) == {"spot": {"USDT": 100}, "funding": {"USDT": 7}, "futures": {"USDT": 30}}
    assert (reading.total_usd, reading.problems) == (137, [])
    assert reading.uid


def test_futures_that_were_never_opened_are_absent(binance):
    """-2015, and the account's own flags and totals say the same."""
    reading = wallets(binance, binance.account(SPOT_AND_FUNDING))
    assert reading.wallets == {"spot": "ok", "funding": "ok", "futures": "absent"}
    assert reading.problems == []


def test_a_wallet_that_was_once_read_is_never_absent_again(binance):
    reading = wallets(binance, binance.account(SPOT_AND_FUNDING), once_ok=("futures",))
    assert reading.wallets["futures"] == "failed"
    assert "the futures wallet could not be read: GET /fapi/v3/account was refused (-2015)" in only_problem(reading)
    assert binance.asked(FLAGS) == [], "what was there cannot be argued away"


def test_futures_that_the_flags_call_open_have_failed(binance):
    """-2015 may mean a missing permission or a wrong address."""
    account = binance.account(ALL_WALLETS)
    binance.fault(FUTURES, code=-2015)
    reading = wallets(binance, account)
    assert reading.wallets == {"spot": "ok", "funding": "ok", "futures": "failed"}
    assert "Check the key, its IP list and its permissions." in only_problem(reading)
    assert set(quantities(reading)) == {"spot", "funding"}


@pytest.mark.parametrize("fault", [{"code": -2015}, {"status": 500, "count": 9}, {"mode": "truncated", "count": 9}], ids=str)
def test_futures_whose_flags_are_not_known_have_failed(binance, fault):
    account = binance.account(SPOT_AND_FUNDING)
    binance.fault(FLAGS, **fault)
    assert wallets(binance, account).wallets["futures"] == "failed"


@pytest.mark.parametrize("code", [-1000, -1121, -4109])
def test_another_refusal_of_futures_is_a_failure(binance, code):
    account = binance.account(SPOT_AND_FUNDING)
    binance.fault(FUTURES, code=code, count=9)
    assert wallets(binance, account).wallets["futures"] == "failed"


def test_a20_a_wallet_that_fails_leaves_the_others(binance):
    account = binance.account(ALL_WALLETS)
    binance.fault(FUNDING, status=500, code=-1000, count=9)
    reading = wallets(binance, account)
    assert reading.wallets == {"spot": "ok", "funding": "failed", "futures": "ok"}
    assert set(quantities(reading)) == {"spot", "futures"}
    assert only_problem(reading).startswith(f"{account}: the funding wallet could not be read: POST {FUNDING} could not be reached")


@pytest.mark.parametrize(("path", "wallet"), [(ACCOUNT, "spot"), (FUNDING, "funding"), (FUTURES, "futures")])
@pytest.mark.parametrize("fault", [{"status": 403, "mode": "html"}, {"mode": "truncated"}, {"mode": "drop"}, {"status": 418}], ids=str)
def test_a20_whatever_goes_wrong_is_that_wallets_alone(binance, monkeypatch, path, wallet, fault):
    monkeypatch.setattr(client, "TRIES", 1)
    account = binance.account(ALL_WALLETS)
    binance.fault(path, count=9, **fault)
    reading = wallets(binance, account)
    assert {name for name, state in reading.wallets.items() if state == "failed"} == {wallet}
    assert f"the {wallet} wallet could not be read" in only_problem(reading)


def test_totals_that_a_key_may_not_read_harm_nothing(binance):
    account = binance.account(SPOT_AND_FUNDING)
    binance.fault(TOTALS, code=-2015)
    reading = wallets(binance, account)
    assert reading.wallets == {"spot": "ok", "funding": "ok", "futures": "absent"}
    assert (reading.total_usd, reading.problems) == (None, [])


def test_totals_that_fail_are_told_and_harm_no_wallet(binance):
    account = binance.account(ALL_WALLETS)
    binance.fault(TOTALS, status=500, count=9)
    reading = wallets(binance, account)
    assert set(reading.wallets.values()) == {"ok"}
    assert reading.total_usd is None
    assert f"{account}: the exchange's own total is unknown: GET {TOTALS} could not be reached" in only_problem(reading)


def test_a_wrong_key_fails_every_wallet(binance):
    reading = wallets(binance, "nobody")
    assert set(reading.wallets.values()) == {"failed"}
    assert len(reading.problems) == 3
    assert all("(-2015)" in problem for problem in reading.problems)


def test_the_testnet_has_no_sapi_to_ask(binance):
    account = binance.account(ALL_WALLETS)
    reading = wallets(binance, account, environment=Environment.TESTNET)
    assert reading.wallets == {"spot": "ok", "funding": "absent", "futures": "ok"}
    assert flows(binance, account, environment=Environment.TESTNET).flows_until == START
    assert not [path for path in binance.asked() if path.startswith("/sapi")]


def test_what_the_exchange_said_is_kept_word_for_word(binance):
    reading = wallets(binance, binance.account(SPOT_AND_FUNDING))
    kept = dict(reading.responses.select("endpoint", "body").iter_rows())
    assert set(kept) == {"spot", "funding", "wallet_totals", "account_flags"}
    assert json.loads(kept["account_flags"])["isFutureEnabled"] is False
    assert reading.responses["part"].to_list() == [0, 0, 0, 0]


# -- cash flows -------------------------------------------------------------------------------------------------------
def test_deposits_and_withdrawals_are_read_up_to_the_readings_time(binance):
    account = binance.account(SPOT_AND_FUNDING)
    binance.event("deposit", account, at(10), asset="USDT", amount="5")
    binance.event("withdrawal", account, at(20), asset="USDT", amount="3", fee="1")
    reading = flows(binance, account)
    assert kinds(reading) == [("DEPOSIT", 5), ("WITHDRAWAL", 3)]
    assert (reading.flows_until, reading.problems) == (START, [])


@pytest.mark.parametrize(("path", "kept"), [
    (DEPOSITS, [("WITHDRAWAL", 3)]), (WITHDRAWALS, [("DEPOSIT", 5)]), (SUBS, [("DEPOSIT", 5), ("WITHDRAWAL", 3)]),
])
def test_cash_flows_that_cannot_be_read_whole_are_known_until_never(binance, path, kept):
    """What was read is kept: the next reading asks for the rest."""
    account = binance.account(SPOT_AND_FUNDING)
    binance.event("deposit", account, at(10), asset="USDT", amount="5")
    binance.event("withdrawal", account, at(20), asset="USDT", amount="3")
    binance.fault(path, status=500, code=-1000, count=9)
    reading = flows(binance, account)
    assert reading.flows_until is None
    assert f"{account}: cash flows could not be read: GET {path} could not be reached" in only_problem(reading)
    assert kinds(reading) == kept


def test_slow_flows_are_waited_for_when_others_have_failed(binance):
    """Nothing goes on behind the back of a reading that was handed over: `exchanges.talk` looks."""
    account = binance.account(SPOT_AND_FUNDING)
    binance.event("withdrawal", account, at(20), asset="USDT", amount="3")
    binance.fault(DEPOSITS, code=-1121)
    binance.fault(WITHDRAWALS, delay_ms=300)
    reading = flows(binance, account)
    assert reading.flows_until is None
    assert kinds(reading) == [("WITHDRAWAL", 3)]


def test_one_trouble_of_all_flows_is_told_once_for_each_path(binance):
    reading = flows(binance, "nobody")
    assert only_problem(reading).count("was refused (-2015)") == 3


def test_a29_master_and_sub_account_each_see_a_transfer(binance):
    main = binance.account(SPOT_AND_FUNDING)
    sub = binance.account(SPOT_AND_FUNDING, master=main)
    binance.event("sub_transfer", main, at(10), to=sub, asset="USDT", amount="5")
    binance.event("sub_transfer", sub, at(20), to=main, asset="USDT", amount="2")
    seen = flows(binance, main)
    assert kinds(seen) == [("SUB_DEPOSIT", 2), ("SUB_WITHDRAWAL", 5)]
    assert kinds(flows(binance, sub, is_sub=True)) == [("SUB_DEPOSIT", 5), ("SUB_WITHDRAWAL", 2)]
    mine, theirs = (gather.merged(reading.flows, schemas.CASH_FLOWS) for reading in (seen, flows(binance, sub, is_sub=True)))
    assert sorted(mine["id"]) == sorted(theirs["id"])
    assert set(mine["time"]) == set(theirs["time"]) == {at(10), at(20)}


def test_a29_what_moves_between_two_sub_accounts_is_theirs_alone(binance):
    main = binance.account(SPOT_AND_FUNDING)
    one, two = (binance.account(SPOT_AND_FUNDING, master=main) for _ in range(2))
    binance.event("sub_transfer", one, at(10), to=two, asset="USDT", amount="5")
    reading = flows(binance, main)
    assert (kinds(reading), reading.flows_until) == ([], START)
    assert kinds(flows(binance, one, is_sub=True)) == [("SUB_WITHDRAWAL", 5)]
    assert kinds(flows(binance, two, is_sub=True)) == [("SUB_DEPOSIT", 5)]


def test_a29_a_sub_accounts_key_without_its_master_is_told(binance):
    sub = binance.account(SPOT_AND_FUNDING, master=binance.account())
    reading = flows(binance, sub)
    assert reading.flows_until is None
    assert "(-12022)" in only_problem(reading)
    assert "Is this key a sub-account's?" in only_problem(reading)


def test_an_account_that_can_have_no_sub_accounts_has_no_transfers(binance):
    account = binance.account(SPOT_AND_FUNDING)
    binance.fault(SUBS, code=-12015)
    reading = flows(binance, account)
    assert (reading.flows_until, reading.problems) == (START, [])


def test_a31_two_equal_transfers_in_one_minute_are_two(binance):
    main = binance.account(SPOT_AND_FUNDING)
    sub = binance.account(master=main)
    for second in (1, 2):
        binance.event("sub_transfer", main, at(10, seconds=second), to=sub, asset="USDT", amount="5")
    assert kinds(flows(binance, main)) == [("SUB_WITHDRAWAL", 5)] * 2
    assert kinds(flows(binance, sub, is_sub=True)) == [("SUB_DEPOSIT", 5)] * 2


# -- answers of another form ------------------------------------------------------------------------------------------
GOOD = {ACCOUNT: {"uid": 7, "balances": [{"asset": "BTC", "free": "1", "locked": "0"}]},
        FUNDING: [{"asset": "BTC", "free": "1"}], FUTURES: {"assets": [{"asset": "USDT", "marginBalance": "1"}]},
        TOTALS: [{"walletName": "Spot", "balance": "9"}], FLAGS: {"isFutureEnabled": False}, DEPOSITS: [], WITHDRAWALS: [],
        SUBS: {"subAccounts": [{"email": "sub@x.com"}]}, WITH_SUB: {"result": [], "totalCount": 0}}
NOT_OPENED = (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})


def told_by(answers: dict[str, object]):
    """A reading of a server that says `answers` by path; a tuple is a status and a body."""
    def answer(path, headers):
        said = {**GOOD, **answers, "/api/v3/time": {"serverTime": milliseconds(START)}}[path.split("?")[0]]
        status, body = said if isinstance(said, tuple) else (200, said)
        return status, json.dumps(body).encode(), {}

    async def conversation(exchange):
        reading = Reading("main", START)
        await asyncio.gather(gather.wallets(exchange, reading, ("BTC",), ()),
                             gather.cash_flows(exchange, reading, at(-60), is_sub=False))
        return reading

    with canned(answer) as (url, _):
        return talk(url, conversation, keys_of("main"))


def only_problem(reading: Reading) -> str:
    assert len(reading.problems) == 1, reading.problems
    assert "\n" not in reading.problems[0]
    return reading.problems[0]


@pytest.mark.parametrize("body", [None, [], {}, [None], [{"asset": 5}], {"code": -1, "msg": "no"}], ids=repr)
@pytest.mark.parametrize("path", sorted(GOOD))
def test_no_answer_of_any_form_stops_a_reading(path, body):
    answers = {path: body} if path != FLAGS else {path: body, FUTURES: NOT_OPENED}
    reading = told_by(answers)
    wrong = {ACCOUNT: "spot", FUNDING: "funding", FUTURES: "futures", FLAGS: "futures"}.get(path)
    empty = body == [] and isinstance(GOOD[path], list)
    assert {name for name, state in reading.wallets.items() if state == "failed"} == ({wrong} if wrong and not empty else set())
    assert (reading.flows_until is None) is (path in (DEPOSITS, WITHDRAWALS, SUBS, WITH_SUB) and not empty)
    assert bool(reading.problems) is not empty
    assert len(reading.balances) == sum(state == "ok" for state in reading.wallets.values())
    assert json.dumps(body) in reading.responses["body"].to_list(), "what cannot be read is kept all the more"


@pytest.mark.parametrize(("totals", "state"), [
    ([{"walletName": "USDⓈ-M Futures", "balance": "0"}, {"walletName": "Spot", "balance": "5"}], "absent"),
    ([{"walletName": "COIN-M Futures", "balance": "3"}], "absent"),
    ([{"walletName": "USDⓈ-M Futures", "balance": "0.01"}], "failed"),
    ([{"walletName": "USD-M Futures", "balance": "-5"}], "failed"),
    (NOT_OPENED, "absent"),
])
def test_flags_and_totals_must_agree_that_futures_are_absent(totals, state):
    assert told_by({FUTURES: NOT_OPENED, TOTALS: totals}).wallets["futures"] == state
    assert told_by({FUTURES: NOT_OPENED, TOTALS: totals, FLAGS: {"isFutureEnabled": True}}).wallets["futures"] == "failed"


def test_one_asset_twice_is_that_wallets_failure():
    twice = [{"asset": "BTC", "free": "1"}, {"asset": "BTC", "free": "2"}]
    reading = told_by({FUNDING: twice})
    assert reading.wallets == {"spot": "ok", "funding": "failed", "futures": "ok"}
    assert "two rows with the same account, time, wallet, asset" in only_problem(reading)


# -- candles ----------------------------------------------------------------------------------------------------------
def candles(url: str, *wanted: tuple[str, datetime]) -> pl.DataFrame:
    needed = pl.DataFrame(list(wanted), schema={"symbol": pl.String(), "open_time": schemas.TIME}, orient="row")
    return talk(url, lambda exchange: gather.closing_candles(exchange, needed, START))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """BTCUSDT at minutes 0 to 2 and 6: an outage between them."""
    folder = tmp_path_factory.mktemp("candles")
    rows = [f"{milliseconds(at(minute))},{minute + 1},{minute + 1},{minute + 1},{minute + 1},1" for minute in (0, 1, 2, 6)]
    (folder / "BTCUSDT-1m.csv").write_text("\n".join(["open_time,open,high,low,close,volume", *rows]) + "\n")
    with started(World(start=START.isoformat(), scenario="", candles=str(folder))) as server:
        yield server.url


def test_a_minute_that_the_exchange_has_is_one_candle(recorded):
    found = candles(recorded, ("BTCUSDT", at(1)), ("BTCUSDT", at(1)))
    assert found.select("open_time", "close").rows() == [(at(1), 2)]


def test_a_minute_of_an_outage_takes_the_candle_before_it_and_is_marked(recorded):
    found = candles(recorded, ("BTCUSDT", at(4)), ("BTCUSDT", at(5)), ("BTCUSDT", at(6)))
    assert found.select("open_time", "close", "volume").rows() == [(at(2), 3, 1), (at(4), None, 0), (at(5), None, 0),
                                                                   (at(6), 7, 1)]


def test_a_minute_before_the_first_candle_is_marked_alone(recorded):
    row = only(candles(recorded, ("BTCUSDT", at(-5))))
    assert (row["open_time"], row["close"], row["market"], row["interval"]) == (at(-5), None, "spot", "1m")


def test_no_minutes_are_no_candles(recorded):
    assert candles(recorded).equals(schemas.CANDLES.empty())


def test_candles_of_many_minutes_come_sorted_once_each(binance):
    wanted = [("BTCUSDT", at(minute)) for minute in range(40)] + [("ETHUSDT", at(minute)) for minute in range(40)]
    found = candles(binance.url, *reversed(wanted))
    assert found.select("symbol", "open_time").rows() == wanted
    assert all(earlier < later for earlier, later in pairwise(found.select(schemas.CANDLES.key).rows()))
    assert found["close"].null_count() == 0


def test_candles_that_cannot_be_read_are_told(binance):
    with pytest.raises(RequestRejected, match=r"GET /api/v3/klines was refused \(-1121\)"):
        candles(binance.url, ("BTCUSDT", at(1)), ("NOPEUSDT", at(1)))
    binance.fault("/api/v3/klines", status=500, count=99)
    with pytest.raises(ExchangeUnavailable, match="GET /api/v3/klines"):
        candles(binance.url, ("BTCUSDT", at(1)), ("ETHUSDT", at(1)))


# -- frames -----------------------------------------------------------------------------------------------------------
def test_merged_keeps_one_row_a_key_the_last_one():
    rows = [schemas.PRICES.rows([(START, "BTCUSDT", Decimal(price), START)]) for price in (1, 2)]
    assert gather.merged(rows, schemas.PRICES)["price"].to_list() == [2]
    assert gather.merged([], schemas.PRICES).equals(schemas.PRICES.empty())


def test_wallet_states_are_json(binance):
    reading = wallets(binance, binance.account(SPOT_AND_FUNDING))
    assert json.loads(gather.wallet_states(reading.wallets)) == {"spot": "ok", "funding": "ok", "futures": "absent"}


def test_pages_are_numbered_by_endpoint():
    reading = Reading("main", START)
    reading.keep("deposits", client.Answer("[1]", [1]), client.Answer("[2]", [2]))
    reading.keep("withdrawals", client.Answer("[3]", [3]))
    reading.keep("deposits", client.Answer("[4]", [4]))
    assert reading.responses.select("endpoint", "part", "body").rows() == [
        ("deposits", 0, "[1]"), ("deposits", 1, "[2]"), ("withdrawals", 0, "[3]"), ("deposits", 2, "[4]")]

"""Every history since its mark: what is read is kept, what fails is asked again, what cannot be read is set aside."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from exchanges import START, by_path, canned, keys_of, milliseconds, talk
from navbook import schemas
from navbook.exchange import fetch, histories, sources
from navbook.exchange.histories import Past
from navbook.exchange.reading import Reading
from navbook.types import Environment, Wallet, WalletState
from worlds import only

DEPOSITS, WITHDRAWALS = "/sapi/v1/capital/deposit/hisrec", "/sapi/v1/capital/withdraw/history"
SUBS, WITH_SUB, AS_SUB = ("/sapi/v1/sub-account/list", "/sapi/v1/sub-account/universalTransfer",
                          "/sapi/v1/sub-account/transfer/subUserHistory")
PAY, C2C, FIAT = "/sapi/v1/pay/transactions", "/sapi/v1/c2c/orderMatch/listUserOrderHistory", "/sapi/v1/fiat/orders"
CARD, INCOME, FILLS = "/sapi/v1/fiat/payments", "/fapi/v1/income", "/fapi/v1/userTrades"
BALANCES = {"spot": {"USDT": "1000", "EUR": "1000"}, "funding": {"USDT": "1000"}}
LONG_AGO = START - timedelta(days=90)
pytestmark = pytest.mark.usefixtures("no_backoff")


def at(minutes: float = 0, **parts: float) -> datetime:
    return START - timedelta(days=1) + timedelta(minutes=minutes, **parts)


def flows(binance, account: str, past: Past | None = None, *, is_sub: bool = False, time: datetime = START,
          environment: Environment = Environment.SANDBOX) -> Reading:
    async def conversation(exchange):
        exchange.environment = environment
        reading = Reading(account, time)
        await histories.cash_flows(exchange, reading, past or Past(LONG_AGO), is_sub=is_sub)
        histories.quarantined(reading, past or Past(LONG_AGO))
        return reading

    return binance.talk(conversation, account)


def archives(binance, account: str, past: Past | None = None, **states: WalletState) -> Reading:
    async def conversation(exchange):
        reading = Reading(account, START, wallets=states or {Wallet.SPOT: WalletState.OK})
        await histories.archives(exchange, reading, past or Past(LONG_AGO), is_sub=False)
        return reading

    return binance.talk(conversation, account)


def kinds(reading: Reading) -> list[tuple[str, Decimal]]:
    return sorted(reading.frame(schemas.CASH_FLOWS).select("kind", "amount").iter_rows())


def marks(reading: Reading) -> dict[str, datetime | None]:
    return dict(reading.frame(schemas.HISTORY_MARKS).select("source", "until").iter_rows())


def after(reading: Reading) -> Past:
    """What the next reading knows."""
    return Past(LONG_AGO, marks(reading), reading.frame(schemas.CASH_FLOWS), reading.frame(schemas.QUARANTINE))


def only_problem(reading: Reading) -> str:
    assert len(reading.problems) == 1, reading.problems
    assert "\n" not in reading.problems[0]
    return reading.problems[0]


# -- cash flows -------------------------------------------------------------------------------------------------------
def test_every_kind_of_cash_flow_is_read_up_to_the_readings_time(binance):
    account = binance.account(BALANCES)
    binance.event("deposit", account, at(10), asset="USDT", amount="5")
    binance.event("withdrawal", account, at(20), asset="USDT", amount="3", fee="1")
    binance.event("pay", account, at(30), asset="USDT", amount="7")
    binance.event("pay", account, at(40), asset="USDT", amount="-8")
    binance.event("fiat", account, at(50), side="deposit", asset="EUR", amount="100", fee="1")
    binance.event("fiat", account, at(60), side="withdrawal", asset="EUR", amount="50", fee="2")
    binance.event("fiat", account, at(70), side="buy", asset="EUR", amount="200", coin="BTC", coin_amount="0.004")
    binance.event("fiat", account, at(75), side="buy", asset="EUR", amount="30", coin="BTC", coin_amount="0.001",
                  payment_method="Cash Balance")
    binance.event("fiat", account, at(80), side="sell", asset="EUR", amount="20", coin="USDT", coin_amount="21")
    binance.event("c2c", account, at(90), side="BUY", asset="USDT", amount="11", fiat="EUR", total_price="10", fee="0.5")
    binance.event("c2c", account, at(95), side="SELL", asset="USDT", amount="12", fiat="EUR", total_price="10", fee="0.5")
    reading = flows(binance, account)
    assert kinds(reading) == [
        ("C2C_BUY", Decimal("10.5")), ("C2C_SELL", 12), ("CARD_BUY", Decimal("0.004")), ("CARD_SELL", 21), ("DEPOSIT", 5),
        ("FIAT_DEPOSIT", 100), ("FIAT_WITHDRAWAL", 50), ("PAY_DEPOSIT", 7), ("PAY_WITHDRAWAL", 8), ("WITHDRAWAL", 3)]
    assert (reading.flows_until, reading.problems) == (START, [])
    assert set(marks(reading).values()) == {START}
    traded = only(reading.frame(schemas.CONVERTS))
    assert (traded["from_asset"], traded["from_amount"], traded["to_asset"]) == ("EUR", 30, "BTC")


def test_what_leaves_and_arrives_is_what_the_balance_shows(binance):
    """The sum of all flows of an asset is the change of its balance, fees included."""
    account = binance.account(BALANCES)
    binance.event("withdrawal", account, at(20), asset="USDT", amount="3", fee="1")
    binance.event("pay", account, at(40), asset="USDT", amount="-8")
    binance.event("fiat", account, at(50), side="deposit", asset="EUR", amount="100", fee="1")
    binance.event("fiat", account, at(60), side="withdrawal", asset="EUR", amount="50", fee="2")
    binance.event("c2c", account, at(90), side="BUY", asset="USDT", amount="11", fiat="EUR", total_price="10", fee="0.5")
    binance.event("c2c", account, at(95), side="SELL", asset="USDT", amount="12", fiat="EUR", total_price="10", fee="0.5")
    incoming = pl.col("kind").str.contains("DEPOSIT|BUY")
    moved = (flows(binance, account).frame(schemas.CASH_FLOWS)
             .select("asset", change=pl.when(incoming).then(pl.col("amount")).otherwise(-(pl.col("amount") + pl.col("fee"))))
             .group_by("asset").agg(pl.col("change").sum()))
    held = {"EUR": 0.0, "USDT": 0.0}
    state = next(found for found in binance.control("GET", "state")["accounts"] if found["name"] == account)
    for wallet in ("spot", "funding"):
        for asset, amount in state["balances"].get(wallet, {}).items():
            held[asset] += float(amount["free"] if isinstance(amount, dict) else amount)
    assert {asset: float(change) for asset, change in moved.iter_rows()} == pytest.approx(
        {"EUR": held["EUR"] - 1000, "USDT": held["USDT"] - 2000})


@pytest.mark.parametrize(("path", "source", "kept"), [
    (DEPOSITS, "deposit", [("WITHDRAWAL", 3)]), (WITHDRAWALS, "withdrawal", [("DEPOSIT", 5)]),
    (SUBS, "sub_transfer", [("DEPOSIT", 5), ("WITHDRAWAL", 3)]), (PAY, "pay", [("DEPOSIT", 5), ("WITHDRAWAL", 3)]),
    (C2C, "c2c", [("DEPOSIT", 5), ("WITHDRAWAL", 3)])])
def test_a_source_that_fails_keeps_its_mark_and_the_others_what_they_read(binance, path, source, kept):
    account = binance.account(BALANCES)
    binance.event("deposit", account, at(10), asset="USDT", amount="5")
    binance.event("withdrawal", account, at(20), asset="USDT", amount="3")
    binance.fault(path, status=500, code=-1000, count=9)
    reading = flows(binance, account)
    assert reading.flows_until is None
    assert f"{account}: cash flows could not be read: GET {path} could not be reached" in only_problem(reading)
    assert kinds(reading) == kept
    assert source not in marks(reading)
    known = Past(LONG_AGO, {**marks(reading), source: START - timedelta(days=40)})
    assert flows(binance, account, known).flows_until == START - timedelta(days=40), "up to when all are known"
    binance.control("DELETE", "faults")
    assert flows(binance, account, known).flows_until == START


def test_a_mark_far_back_is_asked_from_and_no_gap_is_left(binance):
    """A flow of the time when the source did not answer, older than what is asked for each time."""
    account = binance.account(BALANCES)
    binance.event("pay", account, START - timedelta(days=50), asset="USDT", amount="7")
    everything = {source.name: START for source in sources.of_flows(is_sub=False)}
    assert kinds(flows(binance, account, Past(LONG_AGO, everything))) == []
    behind = Past(LONG_AGO, {**everything, "pay": START - timedelta(days=51)})
    assert kinds(flows(binance, account, behind)) == [("PAY_DEPOSIT", 7)]


def test_what_is_under_way_is_asked_for_until_it_settles(binance):
    account = binance.account(BALANCES)
    binance.event("deposit", account, START - timedelta(days=100), asset="USDT", amount="5", complete_time=milliseconds(at(5)))
    began = START - timedelta(days=100)
    pending = (account, "deposit", "x", began, began, "DEPOSIT", "USDT", Decimal(5), Decimal(0), "pending", False, None,
               None, None, began)
    everything = {source.name: START for source in sources.of_flows(is_sub=False)}
    assert kinds(flows(binance, account, Past(LONG_AGO, everything))) == []
    waiting = Past(LONG_AGO, everything, schemas.CASH_FLOWS.rows([pending]))
    assert only(flows(binance, account, waiting).frame(schemas.CASH_FLOWS))["time"] == at(5)


@pytest.mark.parametrize(("seconds", "lately", "asked"), [
    pytest.param(0, 1, False, id="the same moment: nothing can be new"), pytest.param(5, 1, True, id="a second time"),
    pytest.param(59, 2, False, id="a third time within a minute"), pytest.param(60, 2, True, id="after a minute"),
])
def test_fiat_orders_are_asked_twice_a_minute_at_most(binance, seconds, lately, asked):
    """Two of 45 000 of the account's 180 000; up to when they are known is told as it is."""
    account, later = binance.account(BALANCES), START + timedelta(seconds=seconds)
    first = flows(binance, account)
    assert len(binance.asked(FIAT)) == 2
    second = flows(binance, account, replace(after(first), lately=lately), time=later)
    assert len(binance.asked(FIAT)) == (4 if asked else 2)
    assert second.flows_until == (later if asked else START)


def test_the_testnet_has_no_flows(binance):
    reading = flows(binance, binance.account(BALANCES), environment=Environment.TESTNET)
    assert reading.flows_until == START
    assert not [path for path in binance.asked() if path.startswith("/sapi")]


def test_slow_flows_are_waited_for_when_others_have_failed(binance):
    """Nothing goes on behind the back of a reading that was handed over: `exchanges.talk` looks."""
    account = binance.account(BALANCES)
    binance.event("withdrawal", account, at(20), asset="USDT", amount="3")
    binance.fault(DEPOSITS, code=-1121)
    binance.fault(WITHDRAWALS, delay_ms=300)
    reading = flows(binance, account)
    assert reading.flows_until is None
    assert kinds(reading) == [("WITHDRAWAL", 3)]


def test_one_trouble_of_all_flows_is_told_once_for_each_path(binance):
    told = only_problem(flows(binance, "nobody"))
    assert told.count("was refused (-2015)") == told.count("GET /sapi") == 9


def test_what_the_exchange_does_not_offer_an_account_holds_nothing_back(binance):
    """A region or a sub-account without C2C: its own business error, at the first time it was ever asked."""
    account = binance.account(BALANCES)
    binance.fault(C2C, code=-9000, count=9)
    reading = flows(binance, account)
    assert (reading.flows_until, reading.problems) == (START, [])
    note = only(reading.frame(schemas.HISTORY_MARKS), source="c2c")
    assert note["until"] is None
    assert f"GET {C2C} was refused (-9000)" in note["note"]
    once_read = Past(LONG_AGO, {**marks(reading), "c2c": START - timedelta(days=1)})
    assert "(-9000)" in only_problem(flows(binance, account, once_read)), "where it once answered, it is a failure"


def test_a_refusal_within_a_successful_answer_is_a_failure():
    said = {"code": "000002", "message": "illegal parameter", "success": False}
    reading = told_by({PAY: said})
    assert reading.flows_until is None
    assert f"GET {PAY} was refused (2): illegal parameter" in only_problem(reading)


# -- sub-accounts -----------------------------------------------------------------------------------------------------
def test_a29_master_and_sub_account_each_see_a_transfer(binance):
    main = binance.account(BALANCES)
    sub = binance.account(BALANCES, master=main)
    binance.event("sub_transfer", main, at(10), to=sub, asset="USDT", amount="5")
    binance.event("sub_transfer", sub, at(20), to=main, asset="USDT", amount="2")
    seen = flows(binance, main)
    assert kinds(seen) == [("SUB_DEPOSIT", 2), ("SUB_WITHDRAWAL", 5)]
    other_side = flows(binance, sub, is_sub=True)
    assert kinds(other_side) == [("SUB_DEPOSIT", 5), ("SUB_WITHDRAWAL", 2)]
    mine, theirs = (reading.frame(schemas.CASH_FLOWS) for reading in (seen, other_side))
    assert sorted(mine["id"]) == sorted(theirs["id"])
    assert set(mine["time"]) == set(theirs["time"]) == {at(10), at(20)}


def test_a29_what_moves_between_two_sub_accounts_is_theirs_alone(binance):
    main = binance.account(BALANCES)
    one, two = (binance.account(BALANCES, master=main) for _ in range(2))
    binance.event("sub_transfer", one, at(10), to=two, asset="USDT", amount="5")
    reading = flows(binance, main)
    assert (kinds(reading), reading.flows_until) == ([], START)
    assert kinds(flows(binance, one, is_sub=True)) == [("SUB_WITHDRAWAL", 5)]
    assert kinds(flows(binance, two, is_sub=True)) == [("SUB_DEPOSIT", 5)]


def test_a29_a_sub_accounts_key_without_its_master_is_told(binance):
    sub = binance.account(BALANCES, master=binance.account())
    reading = flows(binance, sub)
    assert reading.flows_until is None
    assert "(-12022)" in only_problem(reading)
    assert "Is this key a sub-account's?" in only_problem(reading)


def test_an_account_that_can_have_no_sub_accounts_has_no_transfers(binance):
    account = binance.account(BALANCES)
    binance.fault(SUBS, code=-12015)
    reading = flows(binance, account)
    assert (reading.flows_until, reading.problems) == (START, [])


def test_a31_two_equal_transfers_in_one_minute_are_two(binance):
    main = binance.account(BALANCES)
    sub = binance.account(master=main)
    for second in (1, 2):
        binance.event("sub_transfer", main, at(10, seconds=second), to=sub, asset="USDT", amount="5")
    assert kinds(flows(binance, main)) == [("SUB_WITHDRAWAL", 5)] * 2
    assert kinds(flows(binance, sub, is_sub=True)) == [("SUB_DEPOSIT", 5)] * 2


# -- settling ---------------------------------------------------------------------------------------------------------
def c2c(status: str, created: datetime) -> dict[str, object]:
    return {"orderNumber": "1", "tradeType": "BUY", "asset": "USDT", "fiat": "EUR", "amount": "5", "totalPrice": "5",
            "orderStatus": status, "createTime": milliseconds(created), "commission": "0"}


def test_a26_what_was_seen_pending_and_tells_no_completion_counts_when_it_was_seen_done():
    """A C2C order of 10:30 that was still under way at 11:00 came later, whatever its creation says."""
    def reading(status: str, past: Past, time: datetime) -> Reading:
        orders = {"code": "000000", "data": [c2c(status, at(0))], "success": True}
        return told_by({C2C: lambda path: orders if "tradeType=BUY" in path else NOTHING}, past, time)

    first = reading("TRADING", Past(LONG_AGO), at(30))
    assert only(first.frame(schemas.CASH_FLOWS))["status"] == "pending"
    second = reading("COMPLETED", after(first), at(60))
    done = only(second.frame(schemas.CASH_FLOWS))
    assert (done["status"], done["time"], done["started_at"]) == ("done", at(60), at(0))
    third = reading("COMPLETED", after(second), at(90))
    assert only(third.frame(schemas.CASH_FLOWS))["time"] == at(60), "and stays there"
    assert only(reading("COMPLETED", Past(LONG_AGO), at(90)).frame(schemas.CASH_FLOWS))["time"] == at(0)


# -- quarantine -------------------------------------------------------------------------------------------------------
DEPOSIT = {"id": "1", "amount": "5", "coin": "USDT", "status": 1, "insertTime": milliseconds(at(5)), "transferType": 0}


def test_a_row_that_cannot_be_read_goes_into_quarantine_and_the_others_are_kept():
    reading = told_by({DEPOSITS: [DEPOSIT, {**DEPOSIT, "id": "2", "amount": "five"}, "what"]})
    assert kinds(reading) == [("DEPOSIT", 5)]
    kept = reading.frame(schemas.QUARANTINE).sort("reason")
    assert kept["endpoint"].to_list() == [f"GET {DEPOSITS}"] * 2
    assert "five" in kept["reason"][0]
    assert json.loads(kept["body"][0])["id"] == "2"
    assert kept["body"][1] == '"what"'
    assert reading.flows_until == START
    assert only_problem(reading) == (f"main: 2 rows of GET {DEPOSITS} could not be read and went into quarantine; the "
                                     "others were kept.")


def test_a_row_in_quarantine_is_told_once_and_tried_each_time(monkeypatch):
    """A parser that was mended reads it, even when the exchange has long forgotten the row."""
    first = told_by({DEPOSITS: [{**DEPOSIT, "status": "fine"}]})
    assert kinds(first) == []
    second = told_by({DEPOSITS: [{**DEPOSIT, "status": "fine"}]}, after(first))
    assert (second.problems, second.frame(schemas.QUARANTINE).height) == ([], 0)
    original = histories.parse.flows.integer
    monkeypatch.setattr("navbook.exchange.parse.flows.integer", lambda value: 1 if value == "fine" else original(value))
    third = told_by({DEPOSITS: []}, after(first))
    assert kinds(third) == [("DEPOSIT", 5)]
    assert only(third.frame(schemas.QUARANTINE))["reason"] is None
    assert kinds(told_by({DEPOSITS: []}, after(third))) == [], "it is a fact by now"


def test_two_rows_of_one_id_are_never_one_of_them_lost_in_silence():
    reading = told_by({DEPOSITS: [DEPOSIT, {**DEPOSIT, "amount": "6"}]})
    assert kinds(reading) == [("DEPOSIT", 5)]
    assert only(reading.frame(schemas.QUARANTINE))["reason"] == "another row of this answer has the same id"


NOTHING = {"code": "000000", "message": "success", "data": [], "success": True}
GOOD = {DEPOSITS: [], WITHDRAWALS: [], SUBS: {"subAccounts": [{"email": "sub@x.com"}]}, WITH_SUB: {"totalCount": 0},
        PAY: NOTHING, C2C: NOTHING, FIAT: NOTHING, CARD: {"code": "000000", "success": True}}


def told_by(answers: dict[str, object], past: Past | None = None, time: datetime = START) -> Reading:
    """A reading of a server that says `answers` by path; a function is given the whole path."""
    past = past or Past(LONG_AGO)

    async def conversation(exchange):
        reading = Reading("main", time)
        await histories.cash_flows(exchange, reading, past, is_sub=False)
        histories.quarantined(reading, past)
        return reading

    with canned(by_path({**GOOD, **answers}, time)) as (url, _):
        return talk(url, conversation, keys_of("main"))


@pytest.mark.parametrize("body", [None, [], {}, [None], [{"asset": 5}], {"code": -1, "msg": "no"}], ids=repr)
@pytest.mark.parametrize("path", sorted(GOOD))
def test_no_answer_of_any_form_stops_a_reading(path, body):
    reading = told_by({path: body})
    is_list = isinstance(GOOD[path], list) and isinstance(body, list)
    assert (reading.flows_until is None) is not is_list
    assert bool(reading.problems) is not (is_list and not body)
    assert json.dumps(body) in reading.responses["body"].to_list(), "what cannot be read is kept all the more"
    assert reading.frame(schemas.QUARANTINE).height == (len(body) if is_list else 0)


# -- archives ---------------------------------------------------------------------------------------------------------
def test_what_binance_forgets_is_archived(binance):
    account = binance.account({"spot": {"USDT": "1000", "SHIB": "5"}, "earn_flexible": {"USDT": "50"}})
    binance.event("dividend", account, at(10), asset="BNB", amount="1", info="Launchpool")
    binance.event("dividend", account, at(20), asset="BNB", amount="-0.5")
    binance.event("convert", account, at(30), from_asset="USDT", from_amount="20", to_asset="BNB", to_amount="0.06")
    binance.event("dust", account, at(40), from_asset="SHIB", from_amount="5", to_amount="0.001", fee="0.00002")
    binance.event("reward", account, at(50), asset="USDT", amount="0.01")
    binance.event("transfer", account, at(60), from_wallet="spot", to_wallet="funding", asset="USDT", amount="9")
    ok = WalletState.OK
    reading = archives(binance, account, spot=ok, funding=ok, earn_flexible=ok)
    assert reading.problems == []
    rewards = reading.frame(schemas.REWARDS).sort("time")
    assert rewards.select("source", "amount").rows() == [("dividend", 1), ("dividend", Decimal("-0.5")),
                                                         ("earn_flexible", Decimal("0.01"))]
    assert sorted(reading.frame(schemas.CONVERTS)["source"]) == ["convert", "dust"]
    moved = only(reading.frame(schemas.TRANSFERS))
    assert (moved["kind"], moved["amount"], moved["status"]) == ("MAIN_FUNDING", 9, "CONFIRMED")


def test_futures_are_archived_with_the_fills_of_every_symbol_they_traded(binance):
    """Also of a position that was opened without a fee, which income does not tell."""
    account = binance.account({"futures": {"USDT": "1000"}})
    binance.event("fill", account, at(10), symbol="BTCUSDT", side="BUY", quantity="0.01", price="50000", market="futures",
                  commission="0.2")
    binance.event("fill", account, at(20), symbol="BTCUSDT", side="SELL", quantity="0.01", price="51000", market="futures",
                  commission="0.2")
    binance.event("fill", account, at(30), symbol="ETHUSDT", side="BUY", quantity="1", price="2500", market="futures")

    async def conversation(exchange):
        reading = Reading(account, START, wallets={Wallet.FUTURES: WalletState.OK})
        exchange.heard = reading.keep
        await fetch.wallets.futures(exchange)
        await histories.archives(exchange, reading, Past(LONG_AGO), is_sub=False)
        return reading

    reading = binance.talk(conversation, account)
    assert reading.problems == []
    income = reading.frame(schemas.INCOME)
    assert dict(income.group_by("kind").agg(pl.col("amount").sum()).iter_rows()) == {"REALIZED_PNL": 10, "COMMISSION": Decimal("-0.4")}
    fills = reading.frame(schemas.FILLS).sort("time")
    assert fills.select("symbol", "side", "quantity", "fee").rows() == [
        ("BTCUSDT", "BUY", Decimal("0.01"), Decimal("0.2")), ("BTCUSDT", "SELL", Decimal("0.01"), Decimal("0.2")), ("ETHUSDT", "BUY", 1, 0)]
    assert marks(reading)["futures"] == START


@pytest.mark.parametrize(("fault", "kept"), [({"code": -1121, "count": 9}, True), ({"status": 500, "count": 9}, False)])
def test_a_symbol_that_is_gone_takes_no_other_history_with_it(binance, fault, kept):
    account = binance.account({"futures": {"USDT": "1000"}})
    binance.event("fill", account, at(10), symbol="BTCUSDT", side="BUY", quantity="0.01", price="50000", market="futures",
                  commission="0.2")
    binance.fault(FILLS, **fault)
    reading = archives(binance, account, futures=WalletState.OK)
    assert ("futures" in marks(reading)) is kept
    assert bool(reading.problems) is not kept
    assert reading.frame(schemas.INCOME).height == 1


def test_archives_that_fail_are_told_and_asked_again(binance):
    account = binance.account(BALANCES)
    binance.fault("/sapi/v1/asset/assetDividend", status=500, count=9)
    reading = archives(binance, account)
    assert "not all of its history could be archived: GET /sapi/v1/asset/assetDividend" in only_problem(reading)
    assert "dividend" not in marks(reading)
    assert "convert" in marks(reading)


def test_what_changes_seldom_is_asked_once_a_day(binance):
    account = binance.account({"futures": {"USDT": "1"}, "earn_locked": {"USDT": "50"}})
    states = {"spot": WalletState.OK, "funding": WalletState.OK, "earn_locked": WalletState.OK, "futures": WalletState.OK}
    first = archives(binance, account, **states)
    asked = len(binance.asked())
    archives(binance, account, after(first), **states)
    assert set(binance.asked()[asked:]) - {"/api/v3/time"} == {"/sapi/v1/asset/assetDividend", "/sapi/v1/convert/tradeFlow"}


def test_directions_are_those_between_wallets_that_are_there():
    ok = WalletState.OK
    assert sources.directions({"spot": ok, "funding": ok, "futures": WalletState.ABSENT}) == ["MAIN_FUNDING", "FUNDING_MAIN"]
    everything = sources.directions(dict.fromkeys(Wallet, ok))
    assert len(everything) == len(set(everything)) == 20
    assert {"MAIN_ISOLATED_MARGIN", "MARGIN_UMFUTURE"} <= set(everything)
    assert not {"UMFUTURE_CMFUTURE", "CMFUTURE_UMFUTURE"} & set(everything)


def test_every_endpoint_is_one_source():
    """So that a row in quarantine finds its parser again."""
    endpoints = [source.endpoint for source in sources.EVERY_SOURCE]
    assert len(endpoints) == len(set(endpoints))

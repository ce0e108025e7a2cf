"""Every wallet ok, absent or failed, with no more calls than it takes; what could not be read is said."""

from __future__ import annotations

import json
from decimal import Decimal

import polars as pl
import pytest

from exchanges import START, by_path, canned, keys_of, talk
from navbook import schemas
from navbook.exchange import client, wallets
from navbook.exchange.reading import Reading, merged, wallet_states
from navbook.types import Environment, WalletState

ACCOUNT, FUNDING, FUTURES = "/api/v3/account", "/sapi/v1/asset/get-funding-asset", "/fapi/v3/account"
COIN, MARGIN, ISOLATED = "/dapi/v1/account", "/sapi/v1/margin/account", "/sapi/v1/margin/isolated/account"
FLEXIBLE, LOCKED = "/sapi/v1/simple-earn/flexible/position", "/sapi/v1/simple-earn/locked/position"
BFUSD, RWUSD = "/sapi/v1/bfusd/account", "/sapi/v1/rwusd/account"
TOTALS, FLAGS, UNIFIED = "/sapi/v1/asset/wallet/balance", "/sapi/v1/account/info", "/sapi/v2/portfolio/account"
SPOT_AND_FUNDING = {"spot": {"USDT": "100"}, "funding": {"USDT": "7"}}
WITH_FUTURES = {**SPOT_AND_FUNDING, "futures": {"USDT": "30"}}
EVERYTHING = {"spot": {"USDT": "100"}, "funding": {"USDT": "7"}, "futures": {"USDT": "30"}, "coin_futures": {"BTC": "0.5"},
              "margin": {"ETH": "2"}, "isolated_margin": {"SOL": "3", "USDT": "4"}, "earn_flexible": {"BTC": "0.1"},
              "earn_locked": {"ETH": "1.5"}}
EVERYTHING_READ = {wallet: {asset: Decimal(amount) for asset, amount in held.items()} for wallet, held in EVERYTHING.items()}
EARN_WORTH = 1e9    # of EVERYTHING: what is left unexplained is not the point
ABSENT = dict.fromkeys(("coin_futures", "margin", "isolated_margin", "earn_flexible", "earn_locked", "other"), "absent")
pytestmark = pytest.mark.usefixtures("no_backoff")


def read(binance, account: str, once_ok: tuple[str, ...] = (), environment: Environment = Environment.SANDBOX,
         worth=lambda balances: 0.0) -> Reading:
    async def conversation(exchange):
        exchange.environment = environment
        reading = Reading(account, START)
        await wallets.read(exchange, reading, ("BTC", "ETH"), once_ok, worth)
        return reading

    return binance.talk(conversation, account)


def quantities(reading: Reading) -> dict[str, dict[str, Decimal]]:
    rows = reading.frame(schemas.BALANCES)
    return {wallet: dict(rows.filter(pl.col("wallet") == wallet).select("asset", "quantity").iter_rows())
            for wallet in rows["wallet"].unique()}


def only_problem(reading: Reading) -> str:
    assert len(reading.problems) == 1, reading.problems
    assert "\n" not in reading.problems[0]
    return reading.problems[0]


def states(**differing: str) -> dict[str, str]:
    return {"spot": "ok", "funding": "ok", "futures": "ok", **ABSENT, **differing}


# -- every wallet -----------------------------------------------------------------------------------------------------
def test_every_wallet_that_is_there_is_read(binance):
    reading = read(binance, binance.account(EVERYTHING))
    assert reading.wallets == dict.fromkeys(wallets.EVERY_WALLET, "ok") | {"other": "absent"}
    assert quantities(reading) == EVERYTHING_READ
    assert reading.problems == []
    assert reading.uid


def test_n2_the_exchanges_own_value_of_each_wallet_is_a_fact(binance):
    """The sum of the parts is the total; flexible and locked Earn have one value."""
    reading = read(binance, binance.account(EVERYTHING))
    totals = reading.frame(schemas.WALLET_TOTALS)
    assert dict(totals.select("name", "wallet").iter_rows()) == {
        "Spot": "spot", "Funding": "funding", "Cross Margin": "margin", "Isolated Margin": "isolated_margin",
        "USDⓈ-M Futures": "futures", "COIN-M Futures": "coin_futures", "Earn": "earn", "Options": "other",
        "Trading Bots": "other", "Copy Trading": "other"}
    assert totals["value_usd"].sum() == reading.total_usd
    assert only_value(totals, "Funding") == 7


def only_value(totals: pl.DataFrame, name: str) -> Decimal:
    return totals.filter(pl.col("name") == name)["value_usd"].item()


def test_a17_each_kind_of_earn_is_a_line_of_its_own(binance):
    account = binance.account({"spot": {"USDT": "1"}, "earn_flexible": {"BTC": "0.1", "USDT": "5"}, "earn_locked": {"BTC": "2"}})
    found = quantities(read(binance, account))
    assert found == {"spot": {"USDT": 1}, "earn_flexible": {"BTC": Decimal("0.1"), "USDT": 5}, "earn_locked": {"BTC": 2}}


def test_what_is_owed_on_margin_is_taken_off(binance):
    account = binance.account({"spot": {"USDT": "1"}, "margin": {"USDT": "100"}})
    binance.event("borrow", account, START, asset="BTC", amount="0.5", wallet="margin")
    binance.event("interest", account, START, asset="BTC", amount="0.1", wallet="margin")
    assert quantities(read(binance, account))["margin"] == {"USDT": 100, "BTC": Decimal("-0.1")}, "the coins and their debt"


# -- with no more calls than it takes ---------------------------------------------------------------------------------
ALWAYS = {ACCOUNT, FUNDING, TOTALS, FLAGS}


@pytest.mark.parametrize(("balances", "asked"), [
    pytest.param({"spot": {"USDT": "1"}}, set(), id="spot alone"),
    pytest.param({"futures": {"USDT": "1"}}, {FUTURES, COIN}, id="futures, which open both kinds"),
    pytest.param({"margin": {"USDT": "1"}}, {MARGIN}, id="cross margin"),
    pytest.param({"isolated_margin": {"USDT": "1"}}, {MARGIN, ISOLATED}, id="isolated margin"),
    pytest.param({"earn_locked": {"USDT": "1"}}, {FLEXIBLE, LOCKED}, id="earn"),
    pytest.param({"earn_flexible": {"NOPRICE": "5"}}, {FLEXIBLE, LOCKED}, id="earn worth nothing to the exchange"),
])
def test_only_what_may_hold_something_is_asked(binance, balances, asked):
    account = binance.account(balances)
    reading = read(binance, account, worth=lambda held: float(sum(total.value for total in reading_totals(held))))
    assert set(binance.asked()) - {"/api/v3/time"} == ALWAYS | asked
    assert len(binance.asked()) == len(ALWAYS | asked) + 1
    assert reading.problems == []
    assert {wallet for wallet in balances if reading.wallets[wallet] != "ok"} == set()


def reading_totals(held: pl.DataFrame):
    """What explains Earn's total here: one USDT is one dollar, and NOPRICE is worth nothing."""
    class Value:
        value = sum(held.filter(pl.col("asset") == "USDT")["quantity"])
    return [Value]


def test_a_wallet_that_was_once_read_is_asked_for_ever(binance):
    account = binance.account({"spot": {"USDT": "1"}})
    reading = read(binance, account, once_ok=("earn_flexible", "margin"))
    assert {FLEXIBLE, MARGIN} <= set(binance.asked())
    assert (reading.wallets["earn_flexible"], reading.wallets["margin"]) == ("ok", "failed")
    assert "the margin wallet could not be read: GET /sapi/v1/margin/account was refused (-3003)" in only_problem(reading)


def test_without_totals_every_product_is_asked(binance):
    account = binance.account(SPOT_AND_FUNDING)
    binance.fault(TOTALS, code=-2015)
    reading = read(binance, account)
    assert {FUTURES, COIN, MARGIN, ISOLATED, FLEXIBLE, LOCKED} <= set(binance.asked())
    assert (reading.wallets, reading.problems) == (states(futures="absent", earn_flexible="ok", earn_locked="ok"), [])
    assert reading.total_usd is None


@pytest.mark.parametrize(("explained", "more"), [(1000.0, set()), (400.0, {BFUSD, RWUSD})])
def test_dollar_earners_are_asked_where_positions_do_not_explain_earn(binance, explained, more):
    account = binance.account({"spot": {"USDT": "1"}, "earn_flexible": {"USDT": "400", "BFUSD": "600"}})
    reading = read(binance, account, worth=lambda balances: explained)
    assert {BFUSD, RWUSD} & set(binance.asked()) == more
    assert quantities(reading)["earn_flexible"] == {"USDT": 400} | ({"BFUSD": 600} if more else {})


def test_a_dollar_earner_that_fails_fails_earn(binance):
    account = binance.account({"spot": {"USDT": "1"}, "earn_flexible": {"USDT": "400", "BFUSD": "600"}})
    binance.fault(BFUSD, status=500, count=9)
    reading = read(binance, account)
    assert reading.wallets["earn_flexible"] == "failed"
    assert f"GET {BFUSD} could not be reached" in only_problem(reading)


# -- never opened, or not to be read ----------------------------------------------------------------------------------
def test_a_product_that_the_flags_call_open_has_failed(binance):
    """-2015 may mean a missing permission or a wrong address."""
    account = binance.account(WITH_FUTURES)
    binance.fault(FUTURES, code=-2015)
    reading = read(binance, account)
    assert reading.wallets == states(futures="failed", coin_futures="ok")
    assert "Check the key, its IP list and its permissions." in only_problem(reading)


def test_a_wallet_that_was_once_read_is_never_absent_again(binance):
    reading = read(binance, binance.account(SPOT_AND_FUNDING), once_ok=("futures",))
    assert reading.wallets["futures"] == "failed"
    assert "the futures wallet could not be read: GET /fapi/v3/account was refused (-2015)" in only_problem(reading)


@pytest.mark.parametrize("fault", [{"code": -2015}, {"status": 500, "count": 9}, {"mode": "truncated", "count": 9}], ids=str)
def test_products_whose_flags_are_not_known_have_failed(binance, fault):
    account = binance.account(SPOT_AND_FUNDING)
    binance.fault(FLAGS, **fault)
    reading = read(binance, account)
    assert reading.wallets == states(futures="failed", coin_futures="failed", margin="failed", isolated_margin="failed",
                                     earn_flexible="ok", earn_locked="ok")


@pytest.mark.parametrize("code", [-1000, -1121, -4109])
def test_another_refusal_is_a_failure(binance, code):
    account = binance.account(WITH_FUTURES)
    binance.fault(FUTURES, code=code, count=9)
    assert read(binance, account).wallets["futures"] == "failed"


PATHS = {"spot": ACCOUNT, "funding": FUNDING, "futures": FUTURES, "coin_futures": COIN, "margin": MARGIN,
         "isolated_margin": ISOLATED, "earn_flexible": FLEXIBLE, "earn_locked": LOCKED}


@pytest.mark.parametrize("wallet", PATHS)
@pytest.mark.parametrize("fault", [{"status": 500, "code": -1000}, {"status": 403, "mode": "html"}, {"mode": "truncated"},
                                   {"mode": "drop"}], ids=str)    # 418 stops everything: test_exchange_budget
def test_a20_whatever_goes_wrong_is_that_wallets_alone(binance, monkeypatch, wallet, fault):
    monkeypatch.setattr(client, "TRIES", 1)
    binance.control("POST", "limits", enforced=False)
    account = binance.account(EVERYTHING)
    binance.fault(PATHS[wallet], count=9, **fault)
    reading = read(binance, account, worth=lambda balances: 0.0 if wallet.startswith("earn") else EARN_WORTH)
    assert {name for name, state in reading.wallets.items() if state == "failed"} == {wallet}
    assert f"{account}: the {wallet} wallet could not be read" in only_problem(reading)
    assert set(quantities(reading)) == set(EVERYTHING) - {wallet}


def test_totals_that_fail_are_told_and_harm_no_wallet(binance):
    account = binance.account(WITH_FUTURES)
    binance.fault(TOTALS, status=500, count=9)
    reading = read(binance, account)
    assert "failed" not in set(reading.wallets.values())
    assert reading.total_usd is None
    assert f"{account}: the exchange's own total is unknown: GET {TOTALS} could not be reached" in only_problem(reading)


def test_a_wrong_key_fails_what_is_asked_and_tells_once(binance):
    reading = read(binance, "nobody")
    assert {name for name, state in reading.wallets.items() if state == "ok"} == set()
    assert len(reading.told) == 1
    assert "the spot wallet could not be read" in reading.told[0]
    assert "(-2015)" in reading.told[0]


def test_the_testnet_has_no_sapi_to_ask(binance):
    reading = read(binance, binance.account(WITH_FUTURES), environment=Environment.TESTNET)
    assert reading.wallets == states(funding="absent", coin_futures="ok")
    assert not [path for path in binance.asked() if path.startswith("/sapi")]


def test_what_the_exchange_said_is_kept_word_for_word(binance):
    reading = read(binance, binance.account(SPOT_AND_FUNDING))
    kept = dict(reading.responses.select("endpoint", "body").iter_rows())
    assert {name.split()[1] for name in kept} == {*ALWAYS, "/api/v3/time"} - {"/api/v3/time"}
    assert json.loads(kept[f"GET {FLAGS}"])["isFutureEnabled"] is False
    assert set(reading.responses["part"]) == {0}


# -- portfolio margin -------------------------------------------------------------------------------------------------
def test_a_portfolio_margin_account_is_refused_in_one_sentence(binance):
    name = binance.account(WITH_FUTURES, permissions={"enableReading": True, "enablePortfolioMarginTrading": True})
    reading = read(binance, name)
    assert {wallet for wallet, state in reading.wallets.items() if state != "failed"} == {"spot", "funding"}
    assert reading.told == [f"{name}: this is a portfolio margin account, whose wallets navbook cannot value; take it out "
                            "of navbook.toml, or leave portfolio margin."]
    assert FUTURES not in binance.asked()


def test_an_account_that_could_have_portfolio_margin_but_has_not_is_read():
    """The flag stands, and the unified account's own endpoint knows nothing of it."""
    flags = {"isFutureEnabled": True, "isMarginEnabled": True, "isPortfolioMarginRetailEnabled": True}
    none = (400, {"code": -21001, "msg": "Request ID is not a Portfolio Margin Account."})
    assert told_by({FLAGS: flags, UNIFIED: none}).wallets["spot"] == "ok"
    assert told_by({FLAGS: flags, UNIFIED: {"uniMMR": "1"}}).wallets["futures"] == "failed"


# -- other wallets ----------------------------------------------------------------------------------------------------
def totals(**values: str) -> list[dict[str, object]]:
    return [{"walletName": name.replace("_", " "), "balance": value, "activate": True} for name, value in values.items()]


def test_wallets_without_a_name_here_count_at_the_exchanges_value():
    reading = told_by({TOTALS: totals(Spot="9", Options="5", Trading_Bots="2.5", Something_New="-1")})
    assert reading.wallets["other"] == "ok"
    assert quantities(reading)["other"] == {"USDT": Decimal("6.5")}


@pytest.mark.parametrize(("once_ok", "answer", "state"), [
    ((), totals(Spot="9", Options="0"), "absent"), (("other",), totals(Spot="9", Options="0"), "ok"),
    ((), (401, {"code": -2015, "msg": "no"}), "absent"), (("other",), (401, {"code": -2015, "msg": "no"}), "failed"),
])
def test_other_wallets_that_cannot_be_told_fail_only_where_there_were_some(once_ok, answer, state):
    reading = told_by({TOTALS: answer}, once_ok)
    assert reading.wallets["other"] == state
    assert "other" not in quantities(reading)


@pytest.mark.parametrize(("once_ok", "answer", "told"), [
    ((), (401, {"code": -2015, "msg": "no"}), False), (("totals",), (401, {"code": -2015, "msg": "no"}), True),
    ((), (403, {"code": 0}), True), ((), (451, {"code": 0}), True), ((), (400, {"code": -1022, "msg": "no"}), True),
])
def test_totals_that_cannot_be_told_are_a_problem_but_for_a_key_that_never_could(once_ok, answer, told):
    """Found by the soak: a firewall's page, taken for a missing right, left a snapshot without its reconciliation."""
    reading = told_by({TOTALS: answer}, once_ok)
    assert reading.totals is None
    assert [f"main: the exchange's own total is unknown: GET {TOTALS} was refused" in problem
            for problem in reading.problems] == [True] * told


# -- answers of another form ------------------------------------------------------------------------------------------
ASSETS = {"assets": [{"asset": "USDT", "marginBalance": "1"}], "positions": []}
GOOD = {ACCOUNT: {"uid": 7, "balances": [{"asset": "BTC", "free": "1", "locked": "0"}]},
        FUNDING: [{"asset": "BTC", "free": "1"}], FUTURES: ASSETS, COIN: ASSETS,
        MARGIN: {"userAssets": [{"asset": "BTC", "netAsset": "-1"}]},
        ISOLATED: {"assets": [{side: {"asset": side, "netAsset": "1"} for side in ("baseAsset", "quoteAsset")}]},
        FLEXIBLE: {"rows": [{"asset": "BTC", "totalAmount": "1"}], "total": 1},
        LOCKED: {"rows": [{"asset": "BTC", "amount": "1"}, {"asset": "BTC", "amount": "2"}], "total": 2},
        BFUSD: {"bfusdAmount": "0"}, RWUSD: {"rwusdAmount": "0"},
        TOTALS: [{"walletName": "Spot", "balance": "9"}], FLAGS: {"isFutureEnabled": False, "isMarginEnabled": False}}
NOT_OPENED = (401, {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."})


def told_by(answers: dict[str, object], once_ok: tuple[str, ...] = ()) -> Reading:
    """A reading of a server that says `answers` by path; a tuple is a status and a body."""
    async def conversation(exchange):
        reading = Reading("main", START)
        await wallets.read(exchange, reading, ("BTC",), once_ok, lambda balances: 0.0)
        return reading

    with canned(by_path({**GOOD, **answers})) as (url, _):
        return talk(url, conversation, keys_of("main"))


@pytest.mark.parametrize("body", [None, [], {}, [None], [{"asset": 5}], {"code": -1, "msg": "no"}], ids=repr)
@pytest.mark.parametrize("path", sorted(GOOD))
def test_no_answer_of_any_form_stops_a_reading(path, body):
    answers = {path: body} if path != FLAGS else {path: body, FUTURES: NOT_OPENED}
    if path in (BFUSD, RWUSD):
        answers[TOTALS] = totals(Earn="50")
    reading = told_by(answers)
    wrong = next((wallet for wallet, known in PATHS.items() if known == path),
                 {FLAGS: "futures", BFUSD: "earn_flexible", RWUSD: "earn_flexible"}.get(path))
    empty = body == [] and isinstance(GOOD[path], list)
    assert {name for name, state in reading.wallets.items() if state == "failed"} == ({wrong} if wrong and not empty else set())
    assert bool(reading.problems) is not empty
    assert json.dumps(body) in reading.responses["body"].to_list(), "what cannot be read is kept all the more"


@pytest.mark.parametrize(("told", "state"), [
    ([{"walletName": "USDⓈ-M Futures", "balance": "0"}, {"walletName": "Spot", "balance": "5"}], "absent"),
    ([{"walletName": "COIN-M Futures", "balance": "3"}], "absent"),
    ([{"walletName": "USDⓈ-M Futures", "balance": "0.01"}], "failed"),
    ([{"walletName": "USD-M Futures", "balance": "-5"}], "failed"),
    (NOT_OPENED, "absent"),
])
def test_flags_and_totals_must_agree_that_futures_are_absent(told, state):
    assert told_by({FUTURES: NOT_OPENED, TOTALS: told}).wallets["futures"] == state
    opened = {"isFutureEnabled": True, "isMarginEnabled": False}
    assert told_by({FUTURES: NOT_OPENED, TOTALS: told, FLAGS: opened}).wallets["futures"] == "failed"


@pytest.mark.parametrize(("told", "state"), [
    ([{"walletName": "Spot", "balance": "5"}], "absent"),
    ([{"walletName": "Earn", "balance": "0", "activate": True}], "failed"),
    (NOT_OPENED, "failed"),
])
def test_a_wallet_without_a_flag_is_absent_by_the_totals_alone(told, state):
    assert told_by({LOCKED: NOT_OPENED, TOTALS: told}).wallets["earn_locked"] == state


def test_one_asset_twice_is_that_wallets_failure():
    reading = told_by({FUNDING: [{"asset": "BTC", "free": "1"}, {"asset": "BTC", "free": "2"}]})
    assert reading.wallets["funding"] == "failed"
    assert "two rows with the same account, time, wallet, asset" in only_problem(reading)


def test_positions_of_one_asset_are_summed_over_rows_and_pages(monkeypatch):
    monkeypatch.setattr("navbook.exchange.fetch.wallets.EARN_PAGE", 2)
    pages = [{"rows": [{"asset": "BTC", "amount": "1"}, {"asset": "BTC", "amount": "2"}]}, {"rows": [{"asset": "BTC", "amount": "4"}]}]
    reading = told_by({LOCKED: lambda path: pages["current=2" in path]})
    assert quantities(reading)["earn_locked"] == {"BTC": 7}


# -- frames -----------------------------------------------------------------------------------------------------------
def test_merged_keeps_one_row_a_key_the_last_one():
    rows = [schemas.PRICES.rows([(START, "BTCUSDT", Decimal(price), START)]) for price in (1, 2)]
    assert merged(rows, schemas.PRICES)["price"].to_list() == [2]
    assert merged([], schemas.PRICES).equals(schemas.PRICES.empty())


def test_wallet_states_are_json():
    assert json.loads(wallet_states({"spot": WalletState.OK, "futures": WalletState.ABSENT})) == {"spot": "ok", "futures": "absent"}


def test_answers_are_numbered_by_endpoint():
    reading = Reading("main", START)
    for endpoint, body in (("a", "[1]"), ("a", "[2]"), ("b", "[3]"), ("a", "[4]")):
        reading.keep(endpoint, client.Answer(body, json.loads(body)))
    assert reading.responses.select("endpoint", "part", "body").rows() == [
        ("a", 0, "[1]"), ("a", 1, "[2]"), ("b", 0, "[3]"), ("a", 2, "[4]")]

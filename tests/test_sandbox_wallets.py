"""Wallets, money in and out, sub-accounts and futures as a client sees them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from test_sandbox_support import DAY, HOUR, START, running

DEPOSITS, WITHDRAWALS = "/sapi/v1/capital/deposit/hisrec", "/sapi/v1/capital/withdraw/history"
WALLETS = "/sapi/v1/asset/wallet/balance"
UNIVERSAL, SUB_HISTORY = "/sapi/v1/sub-account/universalTransfer", "/sapi/v1/sub-account/transfer/subUserHistory"


@pytest.fixture
def sandbox():
    with running() as sandbox:
        yield sandbox


def event(sandbox, kind, account="alice", **more):
    return sandbox.control("events", type=kind, account=account, **more)


def test_a_deposit_is_pending_until_it_completes(sandbox):
    sandbox.account()
    event(sandbox, "deposit", asset="USDT", amount="12.5", time=START, complete_time=START + HOUR, id="4711", tx_id="0xabc")
    row = sandbox.read(DEPOSITS)[0]
    assert (row["id"], row["amount"], row["coin"], row["status"], row["insertTime"]) == ("4711", "12.5", "USDT", 0, START)
    assert "completeTime" not in row
    assert sandbox.spot() == {}
    sandbox.set_clock(START + HOUR)
    row = sandbox.read(DEPOSITS)[0]
    assert (row["status"], row["completeTime"], row["txId"], row["walletType"], row["transferType"]) == (1, START + HOUR, "0xabc", 0, 0)
    assert sandbox.spot() == {"USDT": "12.50000000"}


def test_deposit_statuses_and_wallets(sandbox):
    sandbox.account()
    for status in (0, 1, 2, 6, 7, 8):
        event(sandbox, "deposit", asset="BTC", amount=1, status=status)
    event(sandbox, "deposit", asset="USDC", amount=9, wallet="funding", transfer_type=1)
    balances = sandbox.read("/api/v3/account", omitZeroBalances="true")["balances"]
    assert balances == [{"asset": "BTC", "free": "1.00000000", "locked": "1.00000000"}]    # 6 is not yet withdrawable
    assert [row["status"] for row in sandbox.read(DEPOSITS, status=6)] == [6]
    funding = sandbox.read("/sapi/v1/asset/get-funding-asset", method="POST")
    assert [(row["asset"], row["free"]) for row in funding] == [("USDC", "9")]
    internal = sandbox.read(DEPOSITS, coin="USDC")[0]
    assert (internal["walletType"], internal["transferType"]) == (1, 1)
    assert internal["txId"].startswith("Off-chain transfer ")


def test_a_withdrawal_leaves_free_at_once(sandbox):
    sandbox.account(balances={"spot": {"ETH": 5}})
    sandbox.set_clock(START + 1999)
    event(sandbox, "withdrawal", asset="ETH", amount="2", fee="0.01", complete_time=START + HOUR)
    event(sandbox, "withdrawal", asset="ETH", amount="1", status=3, time=START, complete_time=START + 2 * HOUR)
    assert sandbox.spot() == {"ETH": "1.99000000"}
    asset = sandbox.read("/sapi/v3/asset/getUserAsset", method="POST")[0]
    assert (asset["free"], asset["withdrawing"]) == ("1.99", "3.01")
    rows = sandbox.read(WITHDRAWALS)
    assert [(row["amount"], row["transactionFee"], row["status"]) for row in rows] == [("2.00000000", "0.01", 4), ("1.00000000", "0", 4)]
    assert rows[0]["applyTime"] == "2026-06-01 00:00:01"    # a text in UTC, whole seconds
    sandbox.set_clock(START + 3 * HOUR)
    rows = sandbox.read(WITHDRAWALS)
    assert [(row["status"], row["completeTime"]) for row in rows] == [(6, "2026-06-01 01:00:00"), (3, "2026-06-01 02:00:00")]
    assert sandbox.spot() == {"ETH": "2.99000000"}    # the refused one came back
    assert sandbox.read("/sapi/v3/asset/getUserAsset", method="POST")[0]["withdrawing"] == "0"


@pytest.mark.parametrize("path", [DEPOSITS, WITHDRAWALS])
def test_capital_windows(path):
    with running() as sandbox:
        sandbox.account()
        kind = "deposit" if path == DEPOSITS else "withdrawal"
        for days in (0, 1, 89, 91, 200):
            event(sandbox, kind, asset="BTC", amount=days + 1, time=START - days * DAY)
        event(sandbox, kind, asset="BTC", amount=1000, time=START + HOUR)    # not yet

        def amounts(**window):
            return [int(Decimal(row["amount"])) for row in sandbox.read(path, **window)]

        assert amounts() == [1, 2, 90]    # the last 90 days, newest first
        assert amounts(startTime=START - 89 * DAY, endTime=START - DAY) == [2, 90]    # both ends included
        assert amounts(endTime=START - 88 * DAY) == [90, 92]
        assert amounts(limit=1, offset=1) == [2]
        assert amounts(coin="ETH") == []
        for window in ({"startTime": START - 90 * DAY, "endTime": START}, {"startTime": START - 91 * DAY}):
            answer = sandbox.signed(path, **window)
            assert (answer.status, answer.body["code"]) == (400, -4047)


def test_sub_account_transfers_from_both_sides(sandbox):
    sandbox.account("alice", balances={"spot": {"BTC": 1}})
    sandbox.account("sub", master="alice", email="sub@example.org", balances={"futures": {"USDT": 10}})
    sandbox.account("other")
    there = event(sandbox, "sub_transfer", to="sub", asset="BTC", amount="0.25", time=START - DAY)
    event(sandbox, "sub_transfer", "sub", to="alice", asset="USDT", amount="3", from_wallet="futures", time=START - HOUR)
    assert sandbox.control("events", expect=400, type="sub_transfer", account="alice", to="other", asset="BTC", amount=1)["key"] == "to"
    assert (sandbox.spot("alice"), sandbox.spot("sub")) == ({"BTC": "0.75000000", "USDT": "3.00000000"}, {"BTC": "0.25000000"})

    sent = sandbox.read(UNIVERSAL)    # from the master
    assert sent["totalCount"] == 1
    assert {key: sent["result"][0][key] for key in ("tranId", "fromEmail", "toEmail", "amount", "createTimeStamp", "status")} == {
        "tranId": int(there["id"]), "fromEmail": "alice@example.com", "toEmail": "sub@example.org", "amount": "0.25",
        "createTimeStamp": START - DAY, "status": "SUCCESS"}
    assert sandbox.read(UNIVERSAL, toEmail="sub@example.org") == sent
    back = sandbox.read(UNIVERSAL, fromEmail="sub@example.org")["result"]
    assert [(row["asset"], row["fromAccountType"], row["toAccountType"]) for row in back] == [("USDT", "USDT_FUTURE", "SPOT")]
    assert sandbox.signed(UNIVERSAL, fromEmail="a", toEmail="b").status == 400
    assert sandbox.signed(UNIVERSAL, startTime=START - 8 * DAY).status == 400
    assert sandbox.read(UNIVERSAL, startTime=START - 7 * DAY)["totalCount"] == 1
    assert sandbox.read(UNIVERSAL, "other") == {"result": [], "totalCount": 0}

    out, into = sandbox.read(SUB_HISTORY, "sub"), sandbox.read(SUB_HISTORY, "sub", type=1)    # default: outs alone
    assert [(row["asset"], row["type"], row["counterParty"]) for row in out] == [("USDT", 2, "master")]
    assert [(row["asset"], row["type"], row["email"], row["qty"]) for row in into] == [("BTC", 1, "alice@example.com", "0.25")]
    assert into[0]["tranId"] == int(there["id"])


def test_sub_account_list(sandbox):
    sandbox.account("alice")
    sandbox.account("sub", master="alice")
    assert [row["email"] for row in sandbox.read("/sapi/v1/sub-account/list")["subAccounts"]] == ["sub@example.com"]
    for path in ("/sapi/v1/sub-account/list", UNIVERSAL):
        assert sandbox.signed(path, "sub").body["code"] == -12022
    assert sandbox.signed(SUB_HISTORY, "alice").body["code"] == -12022
    sandbox.account("alone")
    assert sandbox.read("/sapi/v1/sub-account/list", "alone") == {"subAccounts": []}


def test_wallet_balance(sandbox):
    for symbol, price in (("BTCUSDT", 50_000), ("ETHUSDT", 2500), ("USDCUSDT", 1)):
        sandbox.control("prices", symbol=symbol, price=price)
    sandbox.account(balances={"spot": {"BTC": 1, "NOPRICE": 7}, "funding": {"USDC": 100}, "earn_flexible": {"ETH": 2},
                              "earn_locked": {"ETH": 1}, "margin": {"BTC": -1}})
    rows = {row["walletName"]: row for row in sandbox.read(WALLETS, quoteAsset="USDT", needBalanceDetail="true")}
    assert list(rows) == ["Spot", "Funding", "Cross Margin", "Isolated Margin", "USDⓈ-M Futures", "COIN-M Futures", "Earn",
                          "Options", "Trading Bots", "Copy Trading"]
    assert [row["balance"] for row in rows.values()] == ["50000", "100", "-50000", "0", "0", "0", "7500", "0", "0", "0"]
    assert [name for name, row in rows.items() if row["activate"]] == ["Spot", "Funding", "Cross Margin", "Earn"]
    assert rows["Spot"]["assetBalances"][0] == {"asset": "BTC", "assetName": "Bitcoin", "free": "1", "locked": "0", "freeze": "0",
                                                "withdrawing": "0", "btcValuation": "1.00000000"}
    in_btc = {row["walletName"]: row["balance"] for row in sandbox.read(WALLETS)}
    assert (in_btc["Spot"], in_btc["Earn"]) == ("1", "0.15")
    assert "assetBalances" not in sandbox.read(WALLETS)[0]


def test_futures_opened_or_not(sandbox):
    sandbox.account("never")
    sandbox.account("empty", balances={"futures": {}})
    sandbox.account("allowed", permissions={"enableFutures": True})
    sandbox.account("later", balances={"spot": {"USDT": 10}})
    event(sandbox, "transfer", "later", from_wallet="spot", to_wallet="futures", asset="USDT", amount=10, time=START + HOUR)
    for path in ("/fapi/v2/account", "/fapi/v3/account", "/fapi/v3/balance", "/fapi/v3/positionRisk"):
        assert [sandbox.signed(path, name).status for name in ("never", "empty", "allowed", "later")] == [401, 200, 200, 401]
    assert sandbox.signed("/fapi/v3/account", "never").body["code"] == -2015
    enabled = {name: sandbox.read("/sapi/v1/account/info", name)["isFutureEnabled"] for name in ("never", "empty", "allowed", "later")}
    assert enabled == {"never": False, "empty": True, "allowed": True, "later": False}
    sandbox.set_clock(START + HOUR)
    assert sandbox.read("/sapi/v1/account/info", "later")["isFutureEnabled"]
    assert sandbox.read("/fapi/v3/account", "later")["totalWalletBalance"] == "10.00000000"


def test_futures_account(sandbox):
    sandbox.account(balances={"futures": {"USDT": 1000, "USDC": 50}})
    sandbox.control("prices", symbol="BTCUSDT", price=50_000)
    event(sandbox, "fill", market="futures", symbol="BTCUSDT", side="BUY", quantity="0.1", price=48_000, commission="2")
    event(sandbox, "fill", market="futures", symbol="BTCUSDT", side="SELL", quantity="0.04", price=49_000)
    account = sandbox.read("/fapi/v3/account")
    assert account["totalWalletBalance"] == "1038.00000000"    # 1000 - 2 + 0.04 * 1000
    assert account["totalUnrealizedProfit"] == "120.00000000"    # 0.06 * 2000
    assert account["totalMarginBalance"] == "1158.00000000"
    assert account["totalInitialMargin"] == "150.00000000"
    assets = {row["asset"]: row for row in account["assets"]}
    assert assets["USDC"]["marginBalance"] == "50.00000000"    # not in the totals of single-asset mode
    assert [(row["symbol"], row["positionSide"], row["positionAmt"], row["notional"]) for row in account["positions"]] == [
        ("BTCUSDT", "BOTH", "0.060", "3000.00000000")]
    risk = sandbox.read("/fapi/v3/positionRisk")[0]
    assert (risk["entryPrice"], risk["markPrice"], risk["unRealizedProfit"]) == ("48000", "50000.00000000", "120.00000000")
    balance = {row["asset"]: row for row in sandbox.read("/fapi/v3/balance")}
    assert (balance["USDT"]["balance"], balance["USDT"]["crossUnPnl"]) == ("1038.00000000", "120.00000000")
    every = sandbox.read("/fapi/v2/positionRisk")
    assert {row["symbol"]: row["positionAmt"] for row in every}["ETHUSDT"] == "0.000"
    assert len(sandbox.read("/fapi/v2/account")["positions"]) == len(every)
    value = {row["walletName"]: row["balance"] for row in sandbox.read(WALLETS, quoteAsset="USDT")}["USDⓈ-M Futures"]
    assert Decimal(value) == pytest.approx(Decimal(1208), abs=Decimal(1))


def test_margin_balance_is_wallet_and_profit_at_any_time():
    with running("--scenario", "demo") as sandbox:
        for hour in range(0, 88 * 24, 331):
            sandbox.set_clock(START + hour * HOUR + 1234)
            account = sandbox.read("/fapi/v3/account", "swing")
            for asset in account["assets"]:
                profit = sum(Decimal(row["unrealizedProfit"]) for row in account["positions"] if row["symbol"].endswith(asset["asset"]))
                assert Decimal(asset["marginBalance"]) == Decimal(asset["walletBalance"]) + Decimal(asset["unrealizedProfit"])
                assert Decimal(asset["unrealizedProfit"]) == profit


def test_hedge_sides(sandbox):
    sandbox.account(balances={"futures": {"USDT": 1000}})
    for side, position_side in (("BUY", "LONG"), ("SELL", "SHORT")):
        event(sandbox, "fill", market="futures", symbol="ETHUSDT", side=side, quantity=1, position_side=position_side)
    rows = sandbox.read("/fapi/v3/positionRisk", symbol="ETHUSDT")
    assert [(row["positionSide"], row["positionAmt"]) for row in rows] == [("LONG", "1.000"), ("SHORT", "-1.000")]


def test_other_movements(sandbox):
    sandbox.account(balances={"spot": {"USDT": 100}})
    event(sandbox, "transfer", asset="USDT", amount=40, from_wallet="spot", to_wallet="funding")
    event(sandbox, "pay", asset="USDT", amount="-15")
    event(sandbox, "dividend", asset="BNB", amount="0.5")
    event(sandbox, "fill", symbol="BNBUSDT", side="SELL", quantity="0.2", price=600, commission="0.12")
    assert sandbox.spot() == {"BNB": "0.30000000", "USDT": "179.88000000"}
    assert sandbox.get("/sandbox/state")["accounts"][0]["balances"] == {
        "spot": {"BNB": "0.3", "USDT": "179.88"}, "funding": {"USDT": "25"}}


def test_rights(sandbox):
    sandbox.account("reader")
    sandbox.account("trader", permissions={"enableFutures": True, "enableWithdrawals": True})
    reader = sandbox.read("/sapi/v1/account/apiRestrictions", "reader")
    assert {name for name, value in reader.items() if value is True} == {"enableReading"}
    assert reader["createTime"] == START
    trader = sandbox.read("/sapi/v1/account/apiRestrictions", "trader")
    assert {name for name, value in trader.items() if value is True} == {"enableReading", "enableFutures", "enableWithdrawals"}


@pytest.mark.parametrize(("content", "key"), [
    ({}, "name"), ({"name": "x y"}, "name"), ({"name": "x"}, "api_key"), ({"name": "x", "api_key": "k"}, "api_secret"),
    ({"name": "alice", "api_key": "k", "api_secret": "s"}, "name"),
    ({"name": "x", "api_key": "alicekey", "api_secret": "s"}, "api_key"),
    ({"name": "x", "api_key": "k", "api_secret": "s", "master": "nobody"}, "master"),
    ({"name": "x", "api_key": "k", "api_secret": "s", "permissions": {"enableFlying": True}}, "permissions.enableFlying"),
    ({"name": "x", "api_key": "k", "api_secret": "s", "permissions": {"enableFutures": 1}}, "permissions.enableFutures"),
    ({"name": "x", "api_key": "k", "api_secret": "s", "balances": {"pocket": {}}}, "balances.pocket"),
    ({"name": "x", "api_key": "k", "api_secret": "s", "balances": {"spot": {"BTC": "-1"}}}, "balances.spot.BTC"),
    ({"name": "x", "api_key": "k", "api_secret": "s", "balances": {"spot": {"BTC": "one"}}}, "balances.spot.BTC"),
    ({"name": "x", "api_key": "k", "api_secret": "s", "balances": {"spot": []}}, "balances.spot"),
    ({"name": "x", "api_key": "k", "api_secret": "s", "secret": "?"}, "secret"),
])
def test_wrong_accounts_name_the_key(one, content, key):
    assert one.control("accounts", expect=400, **content)["key"] == key


@pytest.fixture(scope="module")
def one():
    with running() as sandbox:
        sandbox.account("alice")
        yield sandbox

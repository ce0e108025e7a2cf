"""Every kind of event, and the history that shows it; paging and windows with their errors. BINANCE.md sections 4, 5, 9."""

from __future__ import annotations

from decimal import Decimal

import pytest

from test_sandbox_support import DAY, HOUR, START, running

TRANSFERS, EARN = "/sapi/v1/asset/transfer", "/sapi/v1/simple-earn"
MOVER = {"enableReading": True, "permitsUniversalTransfer": True, "enableInternalTransfer": True}


@pytest.fixture
def sandbox():
    with running() as sandbox:
        for symbol, price in (("BTCUSDT", 50_000), ("ETHUSDT", 2500), ("BNBUSDT", 500), ("USDCUSDT", 1)):
            sandbox.control("prices", symbol=symbol, price=price)
        yield sandbox


def event(sandbox, what, account="alice", **more):
    return sandbox.control("events", type=what, account=account, **more)


def code(answer):
    assert 400 <= answer.status < 500, answer.raw
    return answer.body["code"]


# -- spot ------------------------------------------------------------------------------------------------------
def test_my_trades(sandbox):
    sandbox.account(balances={"spot": {"USDT": 100_000}})
    times = [START - days * DAY for days in (9, 3, 2, 2, 0)]
    for place, time in enumerate(times):
        event(sandbox, "fill", symbol="BTCUSDT", side="BUY" if place % 2 else "SELL", quantity=place + 1, price=40_000, time=time,
              commission="0.5", **({"commission_asset": "BNB"} if place == 4 else {}))
    path = "/api/v3/myTrades"
    rows = sandbox.read(path, symbol="BTCUSDT")
    assert [Decimal(row["qty"]) for row in rows] == [1, 2, 3, 4, 5]    # ascending; two of one millisecond in one order
    assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
    assert (rows[0]["commissionAsset"], rows[1]["commissionAsset"], rows[4]["commissionAsset"]) == ("USDT", "BTC", "BNB")
    assert (rows[1]["isBuyer"], rows[1]["quoteQty"], rows[1]["time"]) == (True, "80000.00000000", times[1])
    assert sandbox.read(path, symbol="BTCUSDT", limit=2) == rows[-2:]
    assert sandbox.read(path, symbol="BTCUSDT", fromId=rows[1]["id"], limit=2) == rows[1:3]
    assert sandbox.read(path, symbol="BTCUSDT", startTime=times[1], limit=1) == rows[1:2]
    assert sandbox.read(path, symbol="BTCUSDT", startTime=times[2], endTime=times[2] + DAY) == rows[2:4]
    assert sandbox.read(path, symbol="BTCUSDT", orderId=rows[2]["orderId"]) == rows[2:3]
    assert sandbox.read(path, symbol="ETHUSDT") == []
    assert code(sandbox.signed(path, symbol="BTCUSDT", startTime=START - DAY - 1, endTime=START)) == -1127
    assert code(sandbox.signed(path, symbol="BTCUSDT", fromId=1, startTime=START)) == -1128
    assert code(sandbox.signed(path)) == -1102
    assert code(sandbox.signed(path, symbol="NOPE")) == -1121
    order = sandbox.read("/api/v3/order", symbol="BTCUSDT", orderId=rows[0]["orderId"])
    assert (order["status"], order["cummulativeQuoteQty"]) == ("FILLED", "40000.00000000")
    assert sandbox.read("/api/v3/allOrders", symbol="BTCUSDT")[0] == order
    assert code(sandbox.signed("/api/v3/order", symbol="BTCUSDT", orderId=1)) == -2013
    assert sandbox.read("/api/v3/account/commission", symbol="BTCUSDT")["standardCommission"]["taker"] == "0.00100000"


def test_trades_add_up_to_the_candle(sandbox):
    sandbox.set_clock(START + HOUR)
    candles = sandbox.get("/api/v3/klines", symbol="SOLUSDT", interval="1m", startTime=START, limit=30)
    rows = sandbox.get("/api/v3/aggTrades", symbol="SOLUSDT", startTime=START, endTime=START + HOUR // 2 - 1)
    assert len(rows) == 120
    for candle, trades in zip(candles, [rows[place:place + 4] for place in range(0, 120, 4)], strict=True):
        prices = [Decimal(row["p"]) for row in trades]
        assert (prices[0], max(prices), min(prices), prices[-1]) == tuple(map(Decimal, candle[1:5]))
        assert sum(Decimal(row["q"]) for row in trades) == Decimal(candle[5])
        assert candle[0] <= trades[0]["T"] < trades[-1]["T"] == candle[6]
    assert [row["a"] for row in rows] == list(range(rows[0]["a"], rows[0]["a"] + 120))
    assert sandbox.get("/api/v3/aggTrades", symbol="SOLUSDT", fromId=rows[7]["a"], limit=5) == rows[7:12]
    assert sandbox.get("/api/v3/aggTrades", symbol="SOLUSDT", limit=3)[-1]["T"] < START + HOUR
    assert sandbox.get("/api/v3/trades", symbol="SOLUSDT", limit=3)[0]["id"] == sandbox.get("/api/v3/aggTrades", symbol="SOLUSDT", limit=3)[0]["a"]


def test_a_day_in_one_row(sandbox):
    sandbox.set_clock(START + DAY)
    ticker = sandbox.get("/api/v3/ticker/24hr", symbol="SOLUSDT")
    rows = sandbox.get("/api/v3/klines", symbol="SOLUSDT", interval="1h", startTime=START, limit=24)
    assert Decimal(ticker["lastPrice"]) == Decimal(sandbox.get("/api/v3/ticker/price", symbol="SOLUSDT")["price"])
    assert Decimal(ticker["highPrice"]) == max(Decimal(row[2]) for row in rows)
    assert float(ticker["volume"]) == pytest.approx(sum(float(row[5]) for row in rows), rel=1e-3)
    best = sandbox.get("/api/v3/ticker/bookTicker", symbol="SOLUSDT")
    assert Decimal(best["askPrice"]) - Decimal(best["bidPrice"]) == Decimal("0.01")
    assert len(sandbox.get("/api/v3/depth", symbol="SOLUSDT", limit=7)["bids"]) == 7


# -- wallets ---------------------------------------------------------------------------------------------------
def test_simple_earn(sandbox):
    sandbox.account(balances={"spot": {"BTC": 2, "USDT": 1000}, "earn_flexible": {"BFUSD": 100, "RWUSD": 50}})
    event(sandbox, "earn_subscribe", asset="BTC", amount=1)
    event(sandbox, "earn_subscribe", asset="USDT", amount=400, product="locked", time=START - DAY)
    event(sandbox, "earn_redeem", asset="BTC", amount="0.25")
    event(sandbox, "reward", asset="BTC", amount="0.001")
    event(sandbox, "reward", asset="BNB", amount="0.5", kind="BONUS")
    event(sandbox, "reward", asset="USDT", amount="3", product="locked")
    assert sandbox.spot() == {"BNB": "0.50000000", "BTC": "1.25000000", "LDBTC": "0.75100000", "USDT": "603.00000000"}
    flexible = sandbox.read(f"{EARN}/flexible/position")
    assert flexible["total"] == 1    # BFUSD and RWUSD are products of their own
    row = flexible["rows"][0]
    assert (row["totalAmount"], row["cumulativeRealTimeRewards"], row["productId"]) == ("0.75100000", "0.00100000", "BTC001")
    locked = sandbox.read(f"{EARN}/locked/position")["rows"][0]
    assert (locked["asset"], locked["amount"], locked["purchaseTime"]) == ("USDT", "400.00000000", START - DAY)
    account = sandbox.read(f"{EARN}/account")
    assert account["totalFlexibleAmountInUSDT"] == "37700.00000000"    # with 150 of BFUSD and RWUSD
    assert account["totalAmountInUSDT"] == "38100.00000000"
    earn = {row["walletName"]: row["balance"] for row in sandbox.read("/sapi/v1/asset/wallet/balance", quoteAsset="USDT")}
    assert earn["Earn"] == "38100"
    assert earn["Spot"] == "63353"    # and the mirror is not counted twice
    assert sandbox.read("/sapi/v1/bfusd/account")["bfusdAmount"] == "100"
    assert sandbox.read("/sapi/v1/rwusd/account")["rwusdAmount"] == "50"
    for history, total in (("flexible/history/rewardsRecord", 2), ("locked/history/rewardsRecord", 1),
                           ("flexible/history/subscriptionRecord", 1), ("locked/history/subscriptionRecord", 1),
                           ("flexible/history/redemptionRecord", 1), ("locked/history/redemptionRecord", 0)):
        assert sandbox.read(f"{EARN}/{history}")["total"] == total
        assert code(sandbox.signed(f"{EARN}/{history}", startTime=START - 31 * DAY, endTime=START)) == -6021
    assert [row["rewards"] for row in sandbox.read(f"{EARN}/flexible/history/rewardsRecord", type="BONUS")["rows"]] == ["0.50000000"]
    assert sandbox.read(TRANSFERS, type="MAIN_FUNDING") == {"total": 0}    # a subscription is no transfer


def test_pages(sandbox):
    sandbox.account()
    for place in range(25):
        event(sandbox, "reward", asset="BTC", amount=place + 1, time=START - place * HOUR)
    path = f"{EARN}/flexible/history/rewardsRecord"
    first, third = sandbox.read(path), sandbox.read(path, current=3)
    assert (first["total"], len(first["rows"]), len(third["rows"])) == (25, 10, 5)
    assert [int(Decimal(row["rewards"])) for row in sandbox.read(path, current=2, size=20)["rows"]] == [21, 22, 23, 24, 25]
    assert len(sandbox.read(path, size=1000)["rows"]) == 25    # cut to 100
    assert code(sandbox.signed(path, size=0)) == -1130


def test_cross_margin(sandbox):
    sandbox.account("never")
    assert code(sandbox.signed("/sapi/v1/margin/account", "never")) == -3003
    sandbox.account(balances={"margin": {"BTC": 1, "USDT": -10_000}})
    event(sandbox, "borrow", asset="ETH", amount=2)
    event(sandbox, "interest", asset="USDT", amount=5)
    event(sandbox, "repay", asset="ETH", amount="0.5", time=START)
    account = sandbox.read("/sapi/v1/margin/account")
    rows = {row["asset"]: row for row in account["userAssets"]}
    assert (rows["ETH"]["free"], rows["ETH"]["borrowed"], rows["ETH"]["netAsset"]) == ("1.50000000", "1.50000000", "0.00000000")
    assert (rows["USDT"]["borrowed"], rows["USDT"]["interest"], rows["USDT"]["netAsset"]) == ("10000.00000000", "5.00000000", "-10005.00000000")
    for row in rows.values():
        assert Decimal(row["netAsset"]) == Decimal(row["free"]) + Decimal(row["locked"]) - Decimal(row["borrowed"]) - Decimal(row["interest"])
    assert account["totalNetAssetOfBtc"] == "0.79990000"
    assert Decimal(account["marginLevel"]) == pytest.approx(Decimal(1.075 / 0.2751), rel=Decimal("1e-4"))
    worth = {row["walletName"]: row["balance"] for row in sandbox.read("/sapi/v1/asset/wallet/balance")}
    assert worth["Cross Margin"] == "0.7999"
    interest = sandbox.read("/sapi/v1/margin/interestHistory")["rows"]
    assert [(row["asset"], row["interest"], row["interestAccuredTime"]) for row in interest] == [("USDT", "5.00000000", START)]
    assert code(sandbox.signed("/sapi/v1/margin/interestHistory", startTime=START - 31 * DAY)) == -6021
    assert [row["amount"] for row in sandbox.read("/sapi/v1/margin/borrow-repay", type="BORROW")["rows"]] == ["2"]
    sandbox.account("quiet", balances={"margin": {"BTC": 1}})
    assert sandbox.read("/sapi/v1/margin/account", "quiet")["marginLevel"] == "999"


def test_isolated_margin(sandbox):
    sandbox.account(balances={"isolated_margin": {"ETH": 2, "USDT": -1000, "BTC": "0.1"}})
    account = sandbox.read("/sapi/v1/margin/isolated/account")
    net = {}
    for row in account["assets"]:
        for side in ("baseAsset", "quoteAsset"):
            asset = row[side]["asset"]
            net[asset] = net.get(asset, 0) + Decimal(row[side]["netAsset"])
    assert net == {"BTC": Decimal("0.1"), "ETH": 2, "USDT": -1000}
    assert [row["symbol"] for row in account["assets"]] == ["BTCUSDT", "ETHUSDT"]
    assert account["totalNetAssetOfBtc"] == "0.18000000"
    named = sandbox.read("/sapi/v1/margin/isolated/account", symbols="ETHUSDT,SOLUSDT")
    assert set(named) == {"assets"}    # and no totals
    assert [row["isolatedCreated"] for row in named["assets"]] == [True, False]
    assert code(sandbox.signed("/sapi/v1/margin/isolated/account", symbols=",".join(["BTCUSDT"] * 6))) == -1130


def test_coin_futures(sandbox):
    sandbox.account(balances={"coin_futures": {"BTC": "0.5", "ETH": 3}})
    account = sandbox.read("/dapi/v1/account")
    rows = {row["asset"]: row for row in account["assets"]}
    assert (rows["BTC"]["marginBalance"], rows["ETH"]["walletBalance"], rows["BNB"]["marginBalance"]) == ("0.50000000", "3.00000000", "0.00000000")
    assert {row["asset"]: row["balance"] for row in sandbox.read("/dapi/v1/balance")}["BTC"] == "0.50000000"
    assert sandbox.read("/dapi/v1/positionRisk", pair="BTCUSD")[0]["markPrice"] == "50000.00000000"
    info = {row["symbol"]: row for row in sandbox.get("/dapi/v1/exchangeInfo")["symbols"]}
    assert (info["BTCUSD_PERP"]["contractSize"], info["ETHUSD_PERP"]["contractSize"]) == (100, 10)
    assert sandbox.get("/dapi/v1/premiumIndex", symbol="BTCUSD_PERP")[0]["markPrice"] == "50000.00000000"
    sandbox.set_clock(START + HOUR)
    row = sandbox.get("/dapi/v1/klines", symbol="SOLUSD_PERP", interval="1m", limit=1, endTime=START + 60_000)[0]
    spot = sandbox.get("/api/v3/klines", symbol="SOLUSDT", interval="1m", limit=1, endTime=START + 60_000)[0]
    assert (row[5], float(row[7])) == (str(int(float(spot[7]) / 10)), pytest.approx(float(spot[5]), abs=1e-3))
    assert sandbox.read("/dapi/v1/income") == []
    sandbox.account("never")
    assert code(sandbox.signed("/dapi/v1/account", "never")) == -2015
    assert sandbox.ask("GET", "/dapi/v1/klines?symbol=BTCUSDT&interval=1m").body["code"] == -1121


# -- moves -----------------------------------------------------------------------------------------------------
def test_universal_transfers(sandbox):
    sandbox.account(balances={"spot": {"USDT": 100}}, permissions=MOVER)
    made = sandbox.read(TRANSFERS, method="POST", type="MAIN_UMFUTURE", asset="USDT", amount="30.5")
    assert list(made) == ["tranId"]
    assert sandbox.spot() == {"USDT": "69.50000000"}
    assert sandbox.read("/fapi/v3/balance")[0]["balance"] == "30.50000000"
    event(sandbox, "transfer", asset="USDT", amount=1, from_wallet="spot", to_wallet="futures", time=START - 8 * DAY)
    rows = sandbox.read(TRANSFERS, type="MAIN_UMFUTURE")
    assert rows == {"total": 1, "rows": [{"asset": "USDT", "amount": "30.5", "type": "MAIN_UMFUTURE", "status": "CONFIRMED",
                                          "tranId": made["tranId"], "timestamp": START}]}    # the last seven days
    assert sandbox.read(TRANSFERS, type="MAIN_UMFUTURE", startTime=START - 9 * DAY)["total"] == 2
    assert sandbox.read(TRANSFERS, type="UMFUTURE_MAIN") == {"total": 0}
    assert code(sandbox.signed(TRANSFERS)) == -1102
    assert code(sandbox.signed(TRANSFERS, type="NOWHERE_MAIN")) == -1130
    assert code(sandbox.signed(TRANSFERS, type="ISOLATEDMARGIN_MARGIN")) == -1102    # fromSymbol
    assert code(sandbox.signed(TRANSFERS, type="MAIN_UMFUTURE", startTime=START - 200 * DAY)) == -9000
    for wrong, expected in (({"amount": 1000}, -5013), ({"amount": "x"}, -1100), ({"amount": 0}, -1130), ({}, -1102)):
        assert code(sandbox.signed(TRANSFERS, method="POST", type="MAIN_UMFUTURE", asset="USDT", **wrong)) == expected


def test_margin_cannot_be_moved_away(sandbox):
    sandbox.account(balances={"futures": {"USDT": 100}}, permissions=MOVER)
    event(sandbox, "fill", market="futures", symbol="BTCUSDT", side="BUY", quantity="0.01")    # 500 USDT, 25 of margin
    back = {"method": "POST", "type": "UMFUTURE_MAIN", "asset": "USDT"}
    assert code(sandbox.signed(TRANSFERS, amount=80, **back)) == -5013
    assert sandbox.signed(TRANSFERS, amount=75, **back).status == 200


def test_transfers_in_a_family(sandbox):
    sandbox.account("alice", balances={"spot": {"USDT": 100}}, permissions=MOVER)
    sandbox.account("sub", master="alice", permissions=MOVER)
    path = "/sapi/v1/sub-account/universalTransfer"
    sent = sandbox.read(path, method="POST", toEmail="sub@example.com", fromAccountType="SPOT", toAccountType="USDT_FUTURE",
                        asset="USDT", amount=40, clientTranId="mine")
    assert sent["clientTranId"] == "mine"
    row = sandbox.read(path, clientTranId="mine")["result"][0]
    assert (row["tranId"], row["toAccountType"], row["clientTranId"]) == (sent["tranId"], "USDT_FUTURE", "mine")
    assert sandbox.read("/fapi/v3/balance", "sub")[0]["balance"] == "40.00000000"
    event(sandbox, "sub_transfer", to="sub", asset="USDT", amount=7)
    spot = sandbox.read("/sapi/v1/sub-account/sub/transfer/history")
    assert [(row["from"], row["to"], row["qty"]) for row in spot] == [("alice@example.com", "sub@example.com", "7")]
    assert sandbox.read("/sapi/v4/sub-account/assets", email="sub@example.com")["balances"][0]["free"] == "7"
    assert sandbox.read("/sapi/v3/sub-account/assets", email="sub@example.com")["balances"][0]["free"] == 7.0
    for wrong, expected in (({"toEmail": "no@x"}, -12001), ({"toEmail": "sub@example.com", "fromAccountType": "PURSE"}, -1130), ({}, -9000)):
        params = {"fromAccountType": "SPOT", "toAccountType": "SPOT", "asset": "USDT", "amount": 1, **wrong}
        assert code(sandbox.signed(path, method="POST", **params)) == expected
    assert code(sandbox.signed(path, "sub", "POST", fromAccountType="SPOT", toAccountType="SPOT", asset="USDT", amount=1)) == -12022


def test_income_of_other_kinds(sandbox):
    sandbox.account(balances={"spot": {"USDT": 1000, "SOL": "0.01"}})
    event(sandbox, "convert", from_asset="USDT", from_amount=500, to_asset="BTC", to_amount="0.01", time=START - DAY)
    event(sandbox, "convert", from_asset="USDT", from_amount=9, to_asset="ETH", to_amount=1, status="FAIL")
    event(sandbox, "dust", from_asset="SOL", from_amount="0.01", to_amount="0.003", fee="0.0001")
    event(sandbox, "dividend", asset="BNB", amount=2, info="Launchpool", time=START - 100 * DAY)
    event(sandbox, "dividend", asset="BNB", amount=-1, time=START)
    assert sandbox.spot() == {"BNB": "1.00290000", "BTC": "0.01000000", "USDT": "500.00000000"}
    path = "/sapi/v1/convert/tradeFlow"
    flow = sandbox.read(path, startTime=START - 2 * DAY, endTime=START, limit=1)
    assert (flow["moreData"], flow["list"][0]["orderStatus"]) == (True, "FAIL")
    row = sandbox.read(path, startTime=START - 2 * DAY, endTime=START - HOUR)["list"][0]
    assert (row["fromAmount"], row["toAmount"], row["ratio"], row["inverseRatio"]) == ("500", "0.01", "0.00002", "50000")
    assert code(sandbox.signed(path)) == -1102
    assert code(sandbox.signed(path, startTime=START - 31 * DAY, endTime=START)) == -1127
    dust = sandbox.read("/sapi/v1/asset/dribblet")
    assert dust["total"] == 1
    assert dust["userAssetDribblets"][0]["userAssetDribbletDetails"][0]["fromAsset"] == "SOL"
    dividends = sandbox.read("/sapi/v1/asset/assetDividend")
    assert [(row["amount"], row["direction"], row["enInfo"]) for row in dividends["rows"]] == [("1", -1, "BNB distribution"), ("2", 1, "Launchpool")]
    assert code(sandbox.signed("/sapi/v1/asset/assetDividend", startTime=START - 181 * DAY)) == -6021


def test_fiat_c2c_and_pay(sandbox):
    sandbox.account(balances={"spot": {"EUR": 100}})
    event(sandbox, "fiat", side="deposit", asset="EUR", amount=50, fee=1)
    event(sandbox, "fiat", side="withdrawal", asset="EUR", amount=20, fee=2)
    event(sandbox, "fiat", side="deposit", asset="EUR", amount=999, status="Failed")
    event(sandbox, "fiat", side="buy", asset="EUR", amount=30, coin="BTC", coin_amount="0.001")
    event(sandbox, "fiat", side="buy", asset="EUR", amount=10, fee="0.5", coin="ETH", coin_amount="0.01", payment_method="Cash Balance")
    event(sandbox, "fiat", side="sell", asset="EUR", amount=5, coin="ETH", coin_amount="0.004")
    assert sandbox.spot() == {"BTC": "0.00100000", "ETH": "0.00600000", "EUR": "117.50000000"}
    orders = sandbox.read("/sapi/v1/fiat/orders", transactionType=0)
    assert (orders["code"], orders["total"], orders["success"]) == ("000000", 2, True)
    paid = [row for row in orders["data"] if row["status"] == "Successful"]
    assert [(row["indicatedAmount"], row["amount"], row["totalFee"]) for row in paid] == [("51.00", "50.00", "1.00")]
    assert [row["paymentMethod"] for row in sandbox.read("/sapi/v1/fiat/payments", transactionType=0)["data"]].count("Cash Balance") == 1
    assert sandbox.read("/sapi/v1/fiat/payments", transactionType=1)["data"][0]["sourceAmount"] == "0.004"
    assert "data" not in sandbox.read("/sapi/v1/fiat/payments", transactionType=1, endTime=START - DAY)
    assert code(sandbox.signed("/sapi/v1/fiat/orders")) == -1102

    event(sandbox, "c2c", side="BUY", asset="USDT", amount=100, fiat="EUR", total_price=92)
    event(sandbox, "c2c", side="SELL", asset="USDT", amount=30, fiat="EUR", total_price=27, fee="0.1")
    event(sandbox, "c2c", side="BUY", asset="USDT", amount=5, fiat="EUR", total_price=5, status="CANCELLED")
    event(sandbox, "pay", asset="USDT", amount="-9.9")
    funding = sandbox.read("/sapi/v1/asset/get-funding-asset", method="POST")
    assert [(row["asset"], row["free"]) for row in funding] == [("USDT", "60")]
    path = "/sapi/v1/c2c/orderMatch/listUserOrderHistory"
    assert {row["orderStatus"] for row in sandbox.read(path, tradeType="BUY")["data"]} == {"COMPLETED", "CANCELLED"}
    assert sandbox.read(path)["total"] == 3
    assert sandbox.read(path, startTimestamp=START + 1, endTimestamp=START + 2)["total"] == 0
    assert code(sandbox.signed(path, startTimestamp=START - 31 * DAY, endTimestamp=START)) == -1127
    pay = sandbox.read("/sapi/v1/pay/transactions")["data"]
    assert [(row["orderType"], row["amount"], row["currency"]) for row in pay] == [("PAY", "-9.9", "USDT")]
    assert code(sandbox.signed("/sapi/v1/pay/transactions", startTime=START - 91 * DAY)) == -1127


def test_account_snapshots(sandbox):
    sandbox.account(balances={"spot": {"BTC": 1}, "futures": {"USDT": 500}, "margin": {"BTC": 1, "USDT": -50}})
    sandbox.set_clock(START + 3 * DAY + HOUR)
    event(sandbox, "deposit", asset="BTC", amount=1, time=START + DAY + HOUR)
    path = "/sapi/v1/accountSnapshot"
    spot = sandbox.read(path, type="SPOT")
    assert (spot["code"], spot["msg"]) == (200, "")
    assert [row["updateTime"] for row in spot["snapshotVos"]] == [START + day * DAY - 1000 for day in (1, 2, 3)]
    assert [row["data"]["balances"][0]["free"] for row in spot["snapshotVos"]] == ["1.00000000", "2.00000000", "2.00000000"]
    assert sandbox.read(path, type="FUTURES")["snapshotVos"][0]["data"]["assets"] == [
        {"asset": "USDT", "marginBalance": "500.00000000", "walletBalance": "500.00000000"}]
    assert sandbox.read(path, type="MARGIN")["snapshotVos"][0]["data"]["totalLiabilityOfBtc"] == "0.00100000"
    sandbox.set_clock(START + 4 * DAY)    # five a minute
    assert code(sandbox.signed(path)) == -1102
    assert code(sandbox.signed(path, type="SPOT", limit=6)) == -1130
    assert code(sandbox.signed(path, type="SPOT", startTime=START - 31 * DAY, endTime=START)) == -1127


def test_the_callers_own_name_of_a_withdrawal(sandbox):
    sandbox.account(balances={"spot": {"BTC": 5}})
    event(sandbox, "withdrawal", asset="BTC", amount=1, order_id="mine", time=START - DAY)
    event(sandbox, "withdrawal", asset="BTC", amount=2, time=START - 2 * DAY)
    path = "/sapi/v1/capital/withdraw/history"
    assert [row.get("withdrawOrderId") for row in sandbox.read(path)] == ["mine", None]
    assert [row["amount"] for row in sandbox.read(path, withdrawOrderId="mine")] == ["1.00000000"]


@pytest.mark.parametrize(("content", "key"), [
    ({"type": "convert", "from_asset": "BTC", "from_amount": 1, "to_asset": "ETH"}, "to_amount"),
    ({"type": "convert", "to_asset": "ETH", "from_asset": "btc"}, "from_asset"), ({"type": "dust"}, "from_asset"),
    ({"type": "fiat", "side": "lend"}, "side"), ({"type": "fiat", "side": "buy", "asset": "EUR", "amount": 1}, "coin"),
    ({"type": "fiat", "side": "deposit", "asset": "EUR", "amount": 1, "status": "Gone"}, "status"),
    ({"type": "c2c", "side": "BUY", "fiat": "EUR"}, "total_price"), ({"type": "earn_subscribe", "product": "gold"}, "product"),
    ({"type": "earn_redeem", "asset": "BTC"}, "amount"), ({"type": "reward", "kind": "LUCK"}, "kind"),
    ({"type": "interest", "asset": "BTC", "amount": 1, "wallet": "spot"}, "wallet"), ({"type": "pay", "order_type": "X"}, "order_type"),
    ({"type": "borrow", "asset": "BTC", "amount": 1, "rate": 1}, "rate"), ({"type": "lottery"}, "type"),
])
def test_wrong_events_name_the_key(one, content, key):
    assert one.control("events", expect=400, account="alice", **content)["key"] == key


@pytest.fixture(scope="module")
def one():
    with running() as sandbox:
        sandbox.account("alice")
        yield sandbox

"""Clients that nobody here wrote, with nothing changed but the base URLs: python-binance and ccxt read everything."""

from __future__ import annotations

import asyncio
import re
import time
from decimal import Decimal

import ccxt
import pytest
from binance import AsyncClient, Client
from binance.exceptions import BinanceAPIException

from test_sandbox_support import DAY, START, running


@pytest.fixture(scope="module")
def sandbox():
    with running("--scenario", "demo") as sandbox:
        sandbox.set_clock(START + 88 * DAY)
        yield sandbox


def client_class(url, base=AsyncClient):
    """python-binance finds its hosts in class attributes."""
    bases = {"API_URL": f"{url}/api", "MARGIN_API_URL": f"{url}/sapi", "FUTURES_URL": f"{url}/fapi", "FUTURES_COIN_URL": f"{url}/dapi"}
    return type("SandboxClient", (base,), bases)


def with_client(sandbox, name, use):
    """Run `use(client)` for one account."""
    async def run():
        sandbox.spot(name)    # its keys
        keys = sandbox.keys[name]
        client = await client_class(sandbox.url).create(keys["api_key"], keys["api_secret"])
        try:
            return await use(client)
        finally:
            await client.close_connection()

    return asyncio.run(run())


def test_everything_that_can_be_read(sandbox):
    async def read(client):
        return {
            "account": await client.get_account(omitZeroBalances="true"),
            "rights": await client.get_account_api_permissions(),
            "funding": await client.funding_wallet(needBtcValuation=True),
            "assets": await client.get_user_asset(),
            "deposits": await client.get_deposit_history(),
            "withdrawals": await client.get_withdraw_history(),
            "wallets": await client.margin_v1_get_asset_wallet_balance(quoteAsset="USDT", needBalanceDetail="true"),
            "info": await client.margin_v1_get_account_info(),
            "subs": await client.get_sub_account_list(),
            "moves": await client.get_universal_transfer_history(startTime=START + 17 * DAY, endTime=START + 23 * DAY),
            "futures": await client.futures_account(version=3),
            "futures_v2": await client.futures_account(),
            "balance": await client.futures_account_balance(),
            "positions": await client.futures_position_information(),
            "price": await client.get_symbol_ticker(symbol="BTCUSDT"),
            "prices": await client.get_all_tickers(),
            "mark": await client.futures_mark_price(symbol="BTCUSDT"),
            "futures_price": await client.futures_symbol_ticker(symbol="BTCUSDT"),
            "klines": await client.get_klines(symbol="BTCUSDT", interval="4h", limit=5),
            "futures_klines": await client.futures_klines(symbol="BTCUSDT", interval="4h", limit=5),
            "history": await client.get_historical_klines("ETHUSDT", "1h", START, START + 60 * DAY),
            "exchange": await client.get_exchange_info(),
            "futures_exchange": await client.futures_exchange_info(),
        }

    seen = with_client(sandbox, "swing", read)
    assert seen["account"]["uid"] == next(row["uid"] for row in sandbox.get("/sandbox/state")["accounts"] if row["name"] == "swing")
    assert len(seen["history"]) == 60 * 24 + 1    # pages until the last one, both ends included
    assert len(seen["deposits"]) == 3
    assert len(seen["withdrawals"]) == 2
    assert [row["positionAmt"] for row in seen["positions"]] == ["0.100", "-1.900"]
    assert Decimal(seen["price"]["price"]) == Decimal(seen["mark"]["markPrice"]) == Decimal(seen["futures_klines"][-1][4])
    assert seen["subs"] == {"subAccounts": []}
    assert [row["asset"] for row in seen["funding"]] == ["USDC"]


def test_a_family(sandbox):
    async def master(client):
        return await client.get_universal_transfer_history(startTime=START + 17 * DAY, endTime=START + 23 * DAY)

    async def sub(client):
        window = {"startTime": START, "endTime": START + 30 * DAY}
        return [await client.get_subaccount_transfer_history(type=1, **window),
                await client.get_subaccount_transfer_history(**window)]

    moved = with_client(sandbox, "main", master)["result"][0]
    received, sent = with_client(sandbox, "sub", sub)
    assert sent == []
    assert (received[0]["tranId"], received[0]["qty"]) == (moved["tranId"], moved["amount"])


def test_errors_arrive_as_errors(sandbox):
    async def futures(client):
        with pytest.raises(BinanceAPIException) as refused:
            await client.futures_account(version=3)
        return refused.value

    error = with_client(sandbox, "main", futures)
    assert (error.status_code, error.code) == (401, -2015)


def test_a_client_survives_a_moved_clock_by_reading_the_time_again(sandbox):
    async def read(client):
        sandbox.control("clock", advance_ms=DAY)
        with pytest.raises(BinanceAPIException) as late:
            await client.get_account()
        now = (await client.get_server_time())["serverTime"]
        client.timestamp_offset += now - (START + 88 * DAY)
        return late.value.code, await client.get_account()

    code, account = with_client(sandbox, "main", read)
    assert code == -1021
    assert account["accountType"] == "SPOT"
    sandbox.set_clock(START + 88 * DAY)


NOW = START + 88 * DAY
WINDOW = {"startTime": NOW - 20 * DAY, "endTime": NOW}
BTC, PERPETUAL = {"symbol": "BTCUSDT"}, {"symbol": "BTCUSD_PERP"}
READS = {
    "": ["get_server_time", "get_exchange_info", "get_all_tickers", "get_orderbook_tickers", "get_ticker", "get_account", "get_open_orders",
         "get_system_status", "get_account_status", "get_account_api_trading_status", "get_account_api_permissions", "get_dust_log",
         "get_asset_dividend_history", "get_trade_fee", "get_asset_details", "get_sub_account_list", "get_deposit_history",
         "get_withdraw_history", "get_margin_all_assets", "get_margin_all_pairs", "get_all_isolated_margin_symbols", "get_margin_account",
         "get_isolated_margin_account", "get_margin_interest_history", "get_user_asset", "funding_wallet", "get_all_coins_info",
         "get_universal_transfer_history", "get_simple_earn_account", "get_simple_earn_flexible_product_position",
         "get_simple_earn_locked_product_position", "get_pay_trade_history", "get_c2c_trade_history", "margin_v1_get_asset_wallet_balance",
         "margin_v1_get_account_info", "futures_ping", "futures_exchange_info", "futures_account", "futures_account_balance",
         "futures_position_information", "futures_income_history", "futures_mark_price", "futures_ticker", "futures_orderbook_ticker",
         "futures_coin_ping", "futures_coin_exchange_info", "futures_coin_account", "futures_coin_account_balance", "futures_coin_ticker",
         "futures_coin_position_information", "futures_coin_income_history", "futures_coin_mark_price", "futures_coin_symbol_ticker"],
    "BTCUSDT": ["get_symbol_info", "get_orderbook_ticker", "get_order_book", "get_recent_trades", "get_historical_trades", "get_avg_price",
                "get_aggregate_trades", "get_my_trades", "get_all_orders", "get_margin_price_index", "futures_order_book",
                "futures_aggregate_trades", "futures_recent_trades", "futures_account_trades", "futures_get_all_orders", "futures_funding_rate"],
    "BTCUSD_PERP": ["futures_coin_order_book", "futures_coin_aggregate_trades", "futures_coin_funding_rate"],
}


def test_python_binance_reads_everything():
    """The synchronous one, of an account that has something in every wallet."""
    balances = {wallet: {"BTC": 1} for wallet in ("spot", "funding", "coin_futures", "margin", "isolated_margin", "earn_flexible", "earn_locked")}
    with running() as sandbox:
        sandbox.set_clock(NOW)
        keys = sandbox.account(balances={**balances, "futures": {"USDT": 100}}) and sandbox.keys["alice"]
        client = client_class(sandbox.url, Client)(keys["api_key"], keys["api_secret"])
        client.timestamp_offset = NOW - int(time.time() * 1000)
        for symbol, names in READS.items():
            for name in names:
                assert getattr(client, name)(**({"symbol": symbol} if symbol else {})) is not None, name
        assert client.get_convert_trade_history(**WINDOW)["list"] == []
        assert client.query_universal_transfer_history(type="MAIN_UMFUTURE")["total"] == 0
        for side in (0, 1):
            assert client.get_fiat_deposit_withdraw_history(transactionType=side)["success"]
            assert client.get_fiat_payments_history(transactionType=side)["success"]
        assert client.get_account_snapshot(type="SPOT")["code"] == 200
        assert client.get_asset_balance(asset="LDBTC")["free"] == "1.00000000"
        assert [row["asset"] for row in client.get_simple_earn_locked_product_position()["rows"]] == ["BTC"]
        client.close_connection()


def ccxt_exchange(kind, sandbox, name="swing"):
    """ccxt's `kind`, every address moved to the sandbox."""
    sandbox.spot(name)
    keys = sandbox.keys[name]
    exchange = getattr(ccxt, kind)({"apiKey": keys["api_key"], "secret": keys["api_secret"], "enableRateLimit": False})
    for key, address in exchange.urls["api"].items():
        exchange.urls["api"][key] = re.sub(r"^https://[^/]+", sandbox.url, address)
    exchange.options["timeDifference"] = exchange.milliseconds() - NOW
    return exchange


def test_ccxt_binance(sandbox):
    exchange = ccxt_exchange("binance", sandbox)
    markets = exchange.load_markets()    # with keys: currencies and margin pairs, too
    assert {"BTC/USDT", "ETH/BTC", "BTC/USDT:USDT", "BTC/USD:BTC"} <= set(markets)
    assert markets["BTC/USDT"]["precision"] == {"amount": 1e-05, "price": 0.01, "base": 1e-08, "quote": 1e-08}
    assert markets["BTC/USDT"]["margin"]
    assert exchange.currencies["BTC"]["networks"]
    assert exchange.fetch_balance()["total"]["BTC"] == float(sandbox.spot("swing")["BTC"])
    assert exchange.fetch_balance({"type": "funding"})["total"] == {"USDC": 3700.0}
    assert exchange.fetch_balance({"type": "future"})["total"]["USDT"] > 9000
    assert len(exchange.fetch_deposits(since=START)) == 3
    assert len(exchange.fetch_withdrawals(since=START)) == 2
    moved = exchange.fetch_transfers(since=START, params={"type": "MAIN_UMFUTURE", "endTime": NOW})
    assert {row["toAccount"] for row in moved} <= {"linear", "future"}
    assert exchange.fetch_ticker("BTC/USDT")["last"] == exchange.fetch_tickers()["BTC/USDT"]["last"]
    rows = exchange.fetch_ohlcv("ETH/BTC", "1h", since=START, limit=3)
    assert [row[0] for row in rows] == [START, START + 3_600_000, START + 7_200_000]
    assert len(exchange.fetch_trades("BTC/USDT", limit=7)) == 7
    assert exchange.fetch_my_trades("BTC/USDT") == []
    assert exchange.fetch_trading_fee("BTC/USDT")["taker"] == 0.001
    assert exchange.fetch_status()["status"] == "ok"
    assert len(exchange.fetch_order_book("BTC/USDT", limit=5)["bids"]) == 5
    assert exchange.fetch_my_dust_trades() == []


def test_ccxt_binanceusdm(sandbox):
    exchange = ccxt_exchange("binanceusdm", sandbox)
    markets = exchange.load_markets()
    assert markets["BTC/USDT:USDT"]["linear"]
    assert exchange.fetch_balance()["total"]["USDT"] > 9000
    positions = {row["symbol"]: (row["side"], row["contracts"]) for row in exchange.fetch_positions()}
    assert positions == {"BTC/USDT:USDT": ("long", 0.1), "ETH/USDT:USDT": ("short", 1.9)}
    spot = ccxt_exchange("binance", sandbox)
    spot.load_markets()
    assert exchange.fetch_ticker("BTC/USDT:USDT")["last"] == spot.fetch_ticker("BTC/USDT")["last"]
    assert len(exchange.fetch_ohlcv("BTC/USDT:USDT", "4h", limit=5)) == 5
    assert exchange.fetch_funding_rate("BTC/USDT:USDT")["fundingRate"] is not None
    assert exchange.fetch_open_orders("BTC/USDT:USDT") == []
    assert len(exchange.fetch_deposits(since=START)) == 3


def test_ccxt_binancecoinm(sandbox):
    exchange = ccxt_exchange("binancecoinm", sandbox)
    assert exchange.load_markets()["BTC/USD:BTC"]["contractSize"] == 100
    assert exchange.fetch_balance()["total"] == {}
    assert exchange.fetch_ticker("BTC/USD:BTC")["last"] > 0
    assert exchange.fetch_positions() == []

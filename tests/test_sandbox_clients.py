"""A client that nobody here wrote: python-binance with nothing changed but the base URLs."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from binance import AsyncClient
from binance.exceptions import BinanceAPIException

from test_sandbox_support import DAY, START, running


@pytest.fixture(scope="module")
def sandbox():
    with running("--scenario", "demo") as sandbox:
        sandbox.set_clock(START + 88 * DAY)
        yield sandbox


def client_class(url):
    """python-binance finds its hosts in class attributes."""
    bases = {"API_URL": f"{url}/api", "MARGIN_API_URL": f"{url}/sapi", "FUTURES_URL": f"{url}/fapi", "FUTURES_COIN_URL": f"{url}/dapi"}
    return type("SandboxClient", (AsyncClient,), bases)


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

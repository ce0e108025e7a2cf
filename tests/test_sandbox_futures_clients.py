"""Futures with clients that nobody here wrote: open both sides, protect, trigger, close, read the history."""

from __future__ import annotations

import asyncio
import time

import ccxt
import pytest
from binance import AsyncClient, Client
from binance.exceptions import BinanceAPIException

from test_sandbox_futures_support import BTC, Trader
from test_sandbox_support import DAY, MINUTE, running

BASES = {"API_URL": "api", "MARGIN_API_URL": "sapi", "FUTURES_URL": "fapi", "FUTURES_DATA_URL": "futures/data", "FUTURES_COIN_URL": "dapi"}


@pytest.fixture
def trader():
    with running() as sandbox:
        trader = Trader(sandbox, usdt="20000")
        trader.price(60_000)
        yield trader


def based(client, url):
    """python-binance finds its hosts in class attributes."""
    return type(client.__name__, (client,), {name: f"{url}/{path}" for name, path in BASES.items()})


def test_python_binance(trader):
    keys = trader.sandbox.keys["alice"]
    client = based(Client, trader.sandbox.url)(keys["api_key"], keys["api_secret"])
    client.timestamp_offset = client.futures_time()["serverTime"] - int(time.time() * 1000)
    assert client.futures_change_position_mode(dualSidePosition=True)["msg"] == "success"
    with pytest.raises(BinanceAPIException) as already:
        client.futures_change_position_mode(dualSidePosition=True)
    assert already.value.code == -4059
    assert client.futures_change_leverage(symbol=BTC, leverage=10)["leverage"] == 10
    assert client.futures_leverage_bracket(symbol=BTC)[0]["brackets"][0]["initialLeverage"] == 125
    long = client.futures_create_order(symbol=BTC, side="BUY", positionSide="LONG", type="MARKET", quantity="0.1", newOrderRespType="RESULT")
    short = client.futures_create_order(symbol=BTC, side="SELL", positionSide="SHORT", type="MARKET", quantity="0.2", newOrderRespType="RESULT")
    assert (long["status"], short["status"], "avgPrice" in long) == ("FILLED", "FILLED", False)
    assert client.futures_get_order(symbol=BTC, orderId=long["orderId"])["avgPrice"] == "60000.00"
    exits = [client.futures_create_order(symbol=BTC, side=side, positionSide=held, type=kind, stopPrice=price, closePosition=True)
             for side, held, kind, price in (("SELL", "LONG", "TAKE_PROFIT_MARKET", 61000), ("SELL", "LONG", "STOP_MARKET", 59500),
                                             ("BUY", "SHORT", "TAKE_PROFIT_MARKET", 59000), ("BUY", "SHORT", "STOP_MARKET", 62000))]
    assert len(client.futures_get_open_orders(symbol=BTC, conditional=True)) == 4
    with pytest.raises(BinanceAPIException) as early:
        client.futures_create_order(symbol=BTC, side="SELL", positionSide="LONG", type="STOP_MARKET", stopPrice=60001, quantity="0.1")
    assert early.value.code == -2021
    start = trader.sandbox.now // MINUTE * MINUTE + MINUTE
    trader.candles((60_000, 61_200, 60_000, 61_100), start=start)
    trader.wait(2 * MINUTE)
    client.timestamp_offset += 2 * MINUTE
    states = [client.futures_get_order(algoId=row["algoId"], symbol=BTC) for row in exits]
    assert [row["algoStatus"] for row in states] == ["FINISHED", "EXPIRED", "NEW", "NEW"]
    real = client.futures_get_order(symbol=BTC, orderId=states[0]["actualOrderId"])
    assert (real["status"], real["avgPrice"]) == ("FILLED", "61000.00")
    assert client.futures_cancel_order(symbol=BTC, algoId=exits[2]["algoId"])["code"] == "200"
    assert client.futures_cancel_all_algo_open_orders(symbol=BTC)["code"] == 200
    client.futures_create_order(symbol=BTC, side="BUY", positionSide="SHORT", type="MARKET", quantity="0.2")
    assert client.futures_position_information() == []
    trades = client.futures_account_trades(symbol=BTC)
    assert [(row["positionSide"], row["realizedPnl"]) for row in trades[2:]] == [("LONG", "100.00000000"), ("SHORT", "-220.00000000")]
    income = client.futures_income_history()
    assert sum(float(row["income"]) for row in income) == pytest.approx(float(client.futures_account(version=3)["totalWalletBalance"]) - 20_000)
    assert [row["status"] for row in client.futures_get_all_orders(symbol=BTC)] == ["FILLED"] * 4
    limit = client.futures_create_order(symbol=BTC, side="BUY", positionSide="LONG", type="LIMIT", quantity="0.1", price=60000, timeInForce="GTC")
    changed = client.futures_modify_order(symbol=BTC, orderId=limit["orderId"], side="BUY", quantity="0.1", price=60001)
    assert changed["price"] == "60001.00"
    batch = client.futures_place_batch_order(batchOrders=[{"symbol": BTC, "side": "BUY", "positionSide": "LONG", "type": "LIMIT", "quantity": "0.1",
                                                           "price": "59000", "timeInForce": "GTC"}])
    assert batch[0]["status"] == "NEW"
    assert client.futures_cancel_all_open_orders(symbol=BTC)["code"] == 200
    assert client.futures_countdown_cancel_all(symbol=BTC, countdownTime=0)["countdownTime"] == "0"
    assert len(client.futures_stream_get_listen_key()) == 64


def test_python_binance_async(trader):
    async def trade():
        keys = trader.sandbox.keys["alice"]
        client = await based(AsyncClient, trader.sandbox.url).create(keys["api_key"], keys["api_secret"])
        try:
            await client.futures_change_margin_type(symbol=BTC, marginType="ISOLATED")
            await client.futures_create_order(symbol=BTC, side="BUY", type="MARKET", quantity="0.1")
            await client.futures_change_position_margin(symbol=BTC, amount=100, type=1)
            stop = await client.futures_create_order(symbol=BTC, side="SELL", type="STOP_MARKET", stopPrice=59000, quantity="0.1", reduceOnly=True,
                                                     workingType="MARK_PRICE", clientAlgoId="my-stop")    # it drops a newClientOrderId
            trader.price(58_990)
            state = await client.futures_get_algo_order(clientAlgoId="my-stop")
            return stop, state, await client.futures_account_trades(symbol=BTC), await client.futures_position_information()
        finally:
            await client.close_connection()

    stop, state, trades, positions = asyncio.run(trade())
    assert (stop["clientAlgoId"], stop["workingType"], state["algoStatus"], positions) == ("my-stop", "MARK_PRICE", "FINISHED", [])
    assert trades[-1]["realizedPnl"] == "-101.00000000"


def test_ccxt(trader):
    exchange = ccxt.binanceusdm({**{"apiKey": "alicekey", "secret": "alicesecret"}, "options": {"adjustForTimeDifference": True}})
    for name, url in list(exchange.urls["api"].items()):
        if isinstance(url, str) and ".com" in url:
            path = url.split(".com", 1)[1]
            exchange.urls["api"][name] = trader.sandbox.url + path
    exchange.load_time_difference()
    markets = exchange.load_markets()
    symbol = "BTC/USDT:USDT"
    assert (markets[symbol]["precision"]["amount"], markets[symbol]["precision"]["price"], markets[symbol]["limits"]["cost"]["min"]) == (0.001, 0.1, 50)
    exchange.set_position_mode(True)
    exchange.set_leverage(10, symbol)
    long = exchange.create_order(symbol, "market", "buy", 0.1, params={"positionSide": "LONG"})
    assert (long["status"], long["filled"]) == ("closed", 0.1)
    exchange.create_order(symbol, "market", "sell", 0.1, params={"positionSide": "SHORT"})
    take = exchange.create_order(symbol, "market", "sell", 0.1, params={"positionSide": "LONG", "takeProfitPrice": 61_000})
    stop = exchange.create_order(symbol, "market", "sell", 0.1, params={"positionSide": "LONG", "stopLossPrice": 59_000})
    assert {row["id"] for row in exchange.fetch_open_orders(symbol, params={"trigger": True})} == {take["id"], stop["id"]}
    assert [(row["side"], row["contracts"], row["entryPrice"]) for row in exchange.fetch_positions([symbol])] == [("long", 0.1, 60_000), ("short", 0.1, 60_000)]
    trader.price(61_000)
    seen = exchange.fetch_order(take["id"], symbol, params={"trigger": True})
    assert seen["info"]["algoStatus"] == "FINISHED"
    exchange.cancel_order(stop["id"], symbol, params={"trigger": True})
    assert exchange.fetch_open_orders(symbol, params={"trigger": True}) == []
    limit = exchange.create_order(symbol, "limit", "buy", 0.1, 60_500, params={"positionSide": "SHORT"})
    assert exchange.fetch_order(limit["id"], symbol)["status"] == "open"
    exchange.cancel_order(limit["id"], symbol)
    exchange.create_order(symbol, "market", "buy", 0.1, params={"positionSide": "SHORT"})
    assert [trade["info"]["realizedPnl"] for trade in exchange.fetch_my_trades(symbol)][2:] == ["100.00000000", "-100.00000000"]
    assert exchange.fetch_balance()["USDT"]["total"] == pytest.approx(20_000 - 3 * 2 - 3.05 * 2)
    assert exchange.fetch_ticker(symbol)["last"] == 61_000
    assert exchange.fetch_funding_rate(symbol)["markPrice"] == 61_000
    assert len(exchange.fetch_orders(symbol)) == 5
    trader.wait(DAY)
    exchange.load_time_difference()
    assert exchange.fetch_funding_history(symbol) == []
    with pytest.raises(ccxt.ExchangeError, match=r"-2022|-4061"):
        exchange.create_order(symbol, "market", "sell", 0.1, params={"positionSide": "LONG"})

"""Prices, candles, funding rates and filters, which need no key."""

from __future__ import annotations

from datetime import datetime

from navbook.exchange.client import Answer, Exchange
from navbook.exchange.values import milliseconds

KLINES = 1000           # the most of one answer; of futures 1500, at twice the weight
FUNDING_RATES = 1000    # the most of one answer
KLINES_OF = {"spot": "GET /api/v3/klines", "um": "GET /fapi/v1/klines"}    # by market
FUNDING = "GET /fapi/v1/fundingRate"
CONTRACTS = "GET /fapi/v1/exchangeInfo"


async def tickers(exchange: Exchange) -> Answer:
    """Last price of every pair that trades; without the status Binance lists dead pairs at old prices. Weight 4."""
    return await exchange.ask("GET /api/v3/ticker/price", exchange.wire.get_symbol_ticker, symbolStatus="TRADING")


async def last_candle(exchange: Exchange, symbol: str, minute: datetime) -> Answer:
    """The spot 1m candle that opens at `minute`, or the last one before it. Weight 2."""
    return await exchange.ask(KLINES_OF["spot"], exchange.wire.get_klines, symbol=symbol, interval="1m",
                              endTime=milliseconds(minute), limit=1)


async def candles(exchange: Exchange, symbol: str, interval: str, first: datetime, last: datetime,
                  market: str = "spot") -> Answer:
    """The candles that open in [first, last], the first `KLINES` of them. Weight 2, of USD-M futures (um) 5."""
    call = exchange.wire.get_klines if market == "spot" else exchange.wire.futures_klines
    return await exchange.ask(KLINES_OF[market], call, symbol=symbol, interval=interval,
                              startTime=milliseconds(first), endTime=milliseconds(last), limit=KLINES)


async def funding_rates(exchange: Exchange, symbol: str, first: datetime, last: datetime) -> Answer:
    """The settlements in [first, last] of a USD-M perpetual, the first `FUNDING_RATES` of them. Its own pool: 500 in
    five minutes."""
    return await exchange.ask(FUNDING, exchange.wire.futures_funding_rate, symbol=symbol,
                              startTime=milliseconds(first), endTime=milliseconds(last), limit=FUNDING_RATES)


async def contracts(exchange: Exchange) -> Answer:
    """Every USD-M contract with its filters, one or two megabytes. Weight 1."""
    return await exchange.ask(CONTRACTS, exchange.wire.futures_exchange_info)

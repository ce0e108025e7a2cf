"""Prices and candles, which need no key."""

from __future__ import annotations

from datetime import datetime

from navbook.exchange.client import Answer, Exchange
from navbook.exchange.values import milliseconds

KLINES = 1000    # the most of one answer


async def tickers(exchange: Exchange) -> Answer:
    """Last price of every pair that trades; without the status Binance lists dead pairs at old prices. Weight 4."""
    return await exchange.ask("GET /api/v3/ticker/price", exchange.wire.get_symbol_ticker, symbolStatus="TRADING")


async def last_candle(exchange: Exchange, symbol: str, minute: datetime) -> Answer:
    """The spot 1m candle that opens at `minute`, or the last one before it. Weight 2."""
    return await exchange.ask("GET /api/v3/klines", exchange.wire.get_klines, symbol=symbol, interval="1m",
                              endTime=milliseconds(minute), limit=1)


async def candles(exchange: Exchange, symbol: str, interval: str, first: datetime, last: datetime) -> Answer:
    """The spot candles that open in [first, last], no more than `KLINES`. Weight 2."""
    return await exchange.ask("GET /api/v3/klines", exchange.wire.get_klines, symbol=symbol, interval=interval,
                              startTime=milliseconds(first), endTime=milliseconds(last), limit=KLINES)

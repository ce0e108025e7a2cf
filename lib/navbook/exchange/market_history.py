"""A market's past without a hole: every 1m candle of a stretch, every funding settlement; and its filters."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import polars as pl

from navbook import schemas
from navbook.errors import AnswerUnreadable
from navbook.exchange import fetch, parse
from navbook.exchange.client import Exchange
from navbook.exchange.fetch.market import FUNDING, FUNDING_RATES, KLINES
from navbook.exchange.paging import MILLISECOND
from navbook.exchange.reading import merged
from navbook.exchange.values import from_ms

PARALLEL = 8    # pages asked for at once
MINUTE = timedelta(minutes=1)


async def minutes(exchange: Exchange, market: str, symbol: str, first: datetime, last: datetime,
                  seen_at: datetime) -> pl.DataFrame:
    """CANDLES of `symbol` that open in [first, last], as many as there are.

    market  spot, or um for USD-M futures

    The first page reaches over what is before the symbol's listing; the others are asked side by side. Raises
    `ExchangeError`.
    """
    async def page(start: datetime, end: datetime) -> pl.DataFrame:
        async with turns:
            answer = await fetch.market.candles(exchange, symbol, "1m", start, end, market)
        return parse.market.candles(answer.payload, symbol, seen_at, "1m", market)

    turns = asyncio.Semaphore(PARALLEL)
    found = [await page(first, last)]
    if found[0].height == KLINES:
        starts = [found[0]["open_time"][-1] + MINUTE]
        while starts[-1] + KLINES * MINUTE <= last:
            starts.append(starts[-1] + KLINES * MINUTE)
        found += await asyncio.gather(*(page(start, min(start + (KLINES - 1) * MINUTE, last))
                                        for start in starts if start <= last))
    return merged(found, schemas.CANDLES).sort("open_time")


async def settlements(exchange: Exchange, symbol: str, first: datetime, last: datetime,
                      seen_at: datetime) -> pl.DataFrame:
    """FUNDING_RATES of a USD-M perpetual that were settled in [first, last]. Raises `ExchangeError`."""
    found, start = [schemas.FUNDING_RATES.empty()], first
    while True:
        answer = await fetch.market.funding_rates(exchange, symbol, start, last)
        found.append(parse.market.funding_rates(answer.payload, symbol, seen_at))
        if len(answer.payload) < FUNDING_RATES:
            return merged(found, schemas.FUNDING_RATES).sort("time")
        after = from_ms(answer.payload[-1]["fundingTime"]) + MILLISECOND
        if after <= start:
            raise AnswerUnreadable(FUNDING, f"its page after {start:%Y-%m-%d %H:%M} goes back in time")
        start = after


async def symbol_filters(exchange: Exchange, symbol: str, seen_at: datetime) -> pl.DataFrame:
    """SYMBOL_FILTERS of a USD-M contract, as they are now. Raises `ExchangeError`."""
    return parse.market.symbol_filters((await fetch.market.contracts(exchange)).payload, symbol, seen_at)

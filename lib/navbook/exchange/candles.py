"""The candles that say p(t), the close of the last spot minute at or before t, with as few requests as they need.

A minute that ends a whole hour is told by the hour's candle: its close is the same number. Hours and minutes that lie
close together come in pages of 1000. One pair that cannot be read leaves the others alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl

from navbook import schemas
from navbook.errors import NavbookError, RequestRejected
from navbook.exchange import fetch, parse
from navbook.exchange.client import Exchange
from navbook.exchange.fetch.market import KLINES
from navbook.exchange.reading import merged

PARALLEL = 8             # klines asked for at once
MOST_PAGES = 2000        # of one run, at weight 2: two thirds of a minute's 6000; what is left comes with the next run
MINUTE, LAST_OF_HOUR, HOUR = timedelta(minutes=1), timedelta(minutes=59), timedelta(hours=1)
Progress = Callable[[int, int], None]    # pages done, of how many


@dataclass(frozen=True)
class Page:
    """One request: the candles of `symbol` that open in [first, last]."""

    symbol: str
    interval: str
    first: datetime
    last: datetime
    wanted: tuple[datetime, ...]    # the minutes it is asked for


async def closing(exchange: Exchange, needed: pl.DataFrame, seen_at: datetime,
                  progress: Progress = lambda done, of: None) -> tuple[pl.DataFrame, list[str]]:
    """CANDLES that say p(t) for each minute of `needed` [symbol, open_time], and why some could not be read.

    Where the exchange has no candle for the minute (an outage), the last one before it comes too, and
    the minute itself gets a row without prices: that it is missing is a fact.
    """
    plan = list(pages(needed))
    left, plan = max(0, len(plan) - MOST_PAGES), plan[:MOST_PAGES]
    turns, done = asyncio.Semaphore(PARALLEL), 0
    found, problems, unknown = [schemas.CANDLES.empty()], [], set()

    async def ask(page: Page) -> None:
        nonlocal done
        async with turns:
            if page.symbol in unknown:
                return    # a pair that is gone is gone for every page of it
            try:
                found.append(await _page(exchange, page, seen_at))
            except NavbookError as problem:
                problems.append(f"no candles of {page.symbol}: {problem}")
                if isinstance(problem, RequestRejected):
                    unknown.add(page.symbol)
        done += 1
        progress(done, len(plan))

    await asyncio.gather(*(ask(page) for page in plan))
    if left:
        problems.append(f"{left} {'page' if left == 1 else 'pages'} of candles left for the next run.")
    return merged(found, schemas.CANDLES).sort(schemas.CANDLES.key), sorted(set(problems))


def pages(needed: pl.DataFrame) -> Iterator[Page]:
    """The requests that bring the minutes of `needed` [symbol, open_time]; newest first, so that a limit hits the past.
    """
    found = [page for (symbol,), minutes in needed.unique().sort("open_time").group_by("symbol", maintain_order=True)
             for page in _pages_of(str(symbol), minutes["open_time"].to_list())]
    yield from sorted(found, key=lambda page: (page.last, page.symbol), reverse=True)


def _pages_of(symbol: str, minutes: list[datetime]) -> Iterator[Page]:
    ends_of_hours = (minute for minute in minutes if minute.minute == LAST_OF_HOUR / MINUTE)
    by_hour = [group for group in _groups(ends_of_hours, HOUR) if len(group) > 1]
    for group in by_hour:
        yield Page(symbol, "1h", group[0] - LAST_OF_HOUR, group[-1] - LAST_OF_HOUR, tuple(group))
    told = {minute for group in by_hour for minute in group}
    for group in _groups((minute for minute in minutes if minute not in told), MINUTE):
        yield Page(symbol, "1m", group[0], group[-1], tuple(group))


def _groups(times: Iterable[datetime], step: timedelta) -> Iterator[list[datetime]]:
    """`times`, sorted, in runs that one page of candles of `step` covers."""
    group: list[datetime] = []
    for time in times:
        if group and time - group[0] >= KLINES * step:
            yield group
            group = []
        group.append(time)
    if group:
        yield group


async def _page(exchange: Exchange, page: Page, seen_at: datetime) -> pl.DataFrame:
    if len(page.wanted) == 1:
        return await _minute(exchange, page.symbol, page.wanted[0], seen_at)
    answer = await fetch.market.candles(exchange, page.symbol, page.interval, page.first, page.last)
    found = parse.market.candles(answer.payload, page.symbol, seen_at, page.interval)
    opens = [minute - LAST_OF_HOUR if page.interval == "1h" else minute for minute in page.wanted]
    kept = found.filter(pl.col("open_time").is_in(opens))
    told = set(kept["open_time"])
    gaps = [await _minute(exchange, page.symbol, minute, seen_at)
            for minute, opened in zip(page.wanted, opens, strict=True) if opened not in told]
    return merged([kept, *gaps], schemas.CANDLES)


async def _minute(exchange: Exchange, symbol: str, minute: datetime, seen_at: datetime) -> pl.DataFrame:
    answer = await fetch.market.last_candle(exchange, symbol, minute)
    found = parse.market.candles(answer.payload, symbol, seen_at)
    if not found.filter(pl.col("open_time") == minute).is_empty():
        return found
    gap = dict.fromkeys(schemas.CANDLES.columns) | {
        "market": "spot", "symbol": symbol, "interval": "1m", "open_time": minute,
        "volume": Decimal(0), "seen_at": seen_at}
    return found.vstack(schemas.CANDLES.rows([gap]))

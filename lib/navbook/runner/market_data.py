"""Candles, funding rates and filters of a market for a backtest: what the store has, what it lacks from the exchange.

A minute that the exchange has no candle of gets a row without prices, as everywhere in CANDLES, so that it is not
asked for again. Minutes before the first candle or after the last one of a span get none: one request reaches over
all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from navbook import schemas
from navbook.settings import Settings
from navbook.store import tables

if TYPE_CHECKING:    # loading it takes a second, and what is all stored asks nobody
    from navbook.exchange.client import Exchange

MINUTE = timedelta(minutes=1)
SETTLES_EVERY = timedelta(hours=8)    # at 0, 8 and 16 o'clock; some contracts more often
PRICES = ("open", "high", "low", "close")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Span:
    """The minutes of a symbol that open from `first` on and before `end`, both whole minutes in UTC.

    market  spot, or um for USD-M futures
    """

    market: str
    symbol: str
    first: datetime
    end: datetime

    def __len__(self) -> int:
        return max(0, (self.end - self.first) // MINUTE)

    @property
    def only(self) -> list[pl.Expr]:
        """What rows of CANDLES must be."""
        return [pl.col("market") == self.market, pl.col("symbol") == self.symbol, pl.col("interval") == "1m",
                pl.col("open_time") >= self.first, pl.col("open_time") < self.end]


def candles(config: Settings, span: Span) -> pl.DataFrame:
    """[open_time, open, high, low, close, volume] of the minutes that have a candle, as floats."""
    rows = _stored(config, schemas.CANDLES).filter(*span.only).select(
        "open_time", pl.col(*PRICES, "volume").cast(pl.Float64), "seen_at")
    return _newest(tables.collected(rows, config.location, schemas.CANDLES), "open_time").drop_nulls("open")


def funding(config: Settings, span: Span) -> pl.DataFrame:
    """[time, rate, mark_price] of the settlements of a span, floats; none on the spot market.

    Where the exchange did not tell the mark price, the last trade's stands for it.
    """
    rows = _stored(config, schemas.FUNDING_RATES).filter(
        pl.col("market") == span.market, pl.col("symbol") == span.symbol,
        pl.col("time") >= span.first, pl.col("time") <= span.end)
    found = _newest(tables.collected(rows, config.location, schemas.FUNDING_RATES), "time").select(
        "time", pl.col("rate", "mark_price").cast(pl.Float64))
    if not found["mark_price"].has_nulls():
        return found
    last = candles(config, span).select(time=pl.col("open_time") + MINUTE, last="close")
    return (found.join_asof(last, on="time").with_columns(pl.coalesce("mark_price", "last").alias("mark_price"))
            .drop("last").drop_nulls())


class Filters(NamedTuple):
    """What the exchange rounds to; `seen_at`: when it said so."""

    step_size: float
    tick_size: float
    seen_at: datetime


def filters(config: Settings, span: Span) -> Filters | None:
    """The filters of the symbol of `span` that were seen last; None where the store has none."""
    rows = tables.read(config.location, schemas.SYMBOL_FILTERS, pl.col("market") == span.market,
                       pl.col("symbol") == span.symbol)
    for step, tick, seen_at in rows.select("step_size", "tick_size", "seen_at").iter_rows():
        return Filters(float(step), float(tick), seen_at)
    return None


async def fetch(config: Settings, exchange: Exchange, span: Span, now: datetime, progress: Progress) -> int:
    """Add what the store lacks of the candles of `span` that are closed by `now`; return how many came.

    Month by month, each stored at once: a fetch that ends early goes on where it was. Raises `ExchangeError`.
    """
    closed = Span(span.market, span.symbol, span.first, min(span.end, now.replace(second=0, microsecond=0)))
    from navbook.exchange import market_history
    parts, added = _stretches(lacking(config, closed)), 0
    for done, (first, last) in enumerate(parts, 1):
        found = await market_history.minutes(exchange, span.market, span.symbol, first, last, now)
        added += tables.append(config.location, schemas.CANDLES, found)
        progress(done, len(parts))
    if parts:
        tables.append(config.location, schemas.CANDLES, _gaps(config, closed, now))
    return added


async def fetch_funding(config: Settings, exchange: Exchange, span: Span, now: datetime) -> int:
    """Add the settlements of `span` up to `now` that the store lacks; return how many. Raises `ExchangeError`."""
    from navbook.exchange import market_history
    missing = unsettled(config, span)
    missing = missing.filter(missing <= now)
    if missing.is_empty():
        return 0
    first = max(span.first, missing[0] - SETTLES_EVERY) + MINUTE
    found = await market_history.settlements(exchange, span.symbol, first, missing[-1], now)
    return tables.append(config.location, schemas.FUNDING_RATES, found)


async def fetch_filters(config: Settings, exchange: Exchange, span: Span, now: datetime) -> int:
    """Keep the filters of a USD-M contract as they are now; return how many are new. Raises `ExchangeError`."""
    if span.market != "um":
        return 0
    from navbook.exchange import market_history
    found = await market_history.symbol_filters(exchange, span.symbol, now)
    return tables.append(config.location, schemas.SYMBOL_FILTERS, found)


def unsettled(config: Settings, span: Span) -> pl.Series:
    """When every contract settles after the first minute of `span`, as far as the store has no rate of it."""
    if span.market != "um":
        return pl.Series(dtype=schemas.TIME)
    every = pl.datetime_range(span.first.replace(hour=0, minute=0), span.end, SETTLES_EVERY, time_unit="us",
                              time_zone="UTC", eager=True)
    return every.filter((every > span.first) & ~every.is_in(funding(config, span)["time"].implode()))


def lacking(config: Settings, span: Span) -> pl.Series:
    """The minutes of `span` of which the store has no row."""
    every = pl.datetime_range(span.first, span.end, "1m", closed="left", time_unit="us", time_zone="UTC", eager=True)
    known = tables.collected(_stored(config, schemas.CANDLES).filter(*span.only).select("open_time"),
                             config.location, schemas.CANDLES)["open_time"]
    if known.n_unique() == len(every):
        return every.clear()
    return every.filter(~every.is_in(known.implode())).sort()


def _stretches(missing: pl.Series) -> list[tuple[datetime, datetime]]:
    """First and last minute of each run of `missing` without a hole, none longer than a month."""
    runs = pl.DataFrame({"minute": missing}).with_columns(
        run=((pl.col("minute").diff() != MINUTE) | (pl.col("minute").dt.truncate("1mo").diff() > timedelta(0)))
        .fill_null(value=False).cum_sum())
    ends = runs.group_by("run", maintain_order=True).agg(first=pl.col("minute").first(), last=pl.col("minute").last())
    return list(ends.select("first", "last").iter_rows())


def _gaps(config: Settings, span: Span, now: datetime) -> pl.DataFrame:
    """CANDLES without prices for each minute between two candles of `span` that has none."""
    known = candles(config, span)["open_time"]
    between = lacking(config, span)
    between = between.filter((between > known.min()) & (between < known.max())) if known.len() else between.clear()
    gap = dict.fromkeys(schemas.CANDLES.columns) | {"market": span.market, "symbol": span.symbol, "interval": "1m",
                                                    "volume": Decimal(0), "seen_at": now}
    return schemas.CANDLES.rows([{**gap, "open_time": minute} for minute in between])


def _newest(rows: pl.DataFrame, time: str) -> pl.DataFrame:
    """What was said last of each `time`, in its order."""
    ordered = rows.sort(time, "seen_at").drop("seen_at")
    return ordered.unique(time, keep="last", maintain_order=True) if ordered[time].is_duplicated().any() else ordered


def _stored(config: Settings, schema: schemas.FrameSchema) -> pl.LazyFrame:
    return tables.stored(config.location, schema, version=tables.pinned_versions().get(schema.name))

"""Prices, candles, funding rates and filters, which need no key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from navbook import schemas
from navbook.exchange.fetch.market import CONTRACTS, FUNDING, KLINES_OF
from navbook.exchange.rows import read, strict
from navbook.exchange.values import amount, from_ms, given, moved, text

SETTLEMENT = ("market", "symbol", "time")


def prices(payload: Any, time: datetime) -> pl.DataFrame:
    """PRICES of `GET /api/v3/ticker/price`: one row per pair that trades."""
    def row(ticker: Any) -> tuple[Any, ...]:
        return time, text(ticker["symbol"]), moved(ticker["price"]), time

    return strict(schemas.PRICES, "GET /api/v3/ticker/price", payload, row)


def candles(payload: Any, symbol: str, seen_at: datetime, interval: str = "1m", market: str = "spot") -> pl.DataFrame:
    """CANDLES of `GET /api/v3/klines` or `GET /fapi/v1/klines`: [open time ms, open, high, low, close, volume, …]."""
    def row(kline: Any) -> tuple[Any, ...]:
        open_time, first, high, low, last, volume = kline[:6]
        parts = (moved(part) for part in (first, high, low, last, volume))
        return (market, symbol, interval, from_ms(open_time), *parts, seen_at)

    return strict(schemas.CANDLES, f"{KLINES_OF[market]} ({symbol})", payload, row)


def funding_rates(payload: Any, symbol: str, seen_at: datetime) -> pl.DataFrame:
    """FUNDING_RATES of `GET /fapi/v1/fundingRate`; a special rate beside the regular one adds to it.

    Settlements are told some milliseconds late; here they are on their minute. Old rows have no mark price.
    """
    def row(settled: Any) -> tuple[Any, ...]:
        mark = given(settled.get("markPrice"))
        return ("um", symbol, from_ms(settled["fundingTime"]), amount(settled["fundingRate"]),
                None if mark is None else amount(mark), seen_at)

    rows = read(f"{FUNDING} ({symbol})", payload, row)
    frame = pl.DataFrame(rows, schema=schemas.FUNDING_RATES.columns, orient="row")
    return schemas.FUNDING_RATES.check(
        frame.with_columns(pl.col("time").dt.round("1m")).group_by(SETTLEMENT, maintain_order=True)
        .agg(pl.col("rate").sum().cast(schemas.AMOUNT), pl.col("mark_price", "seen_at").last()))


def symbol_filters(payload: Any, symbol: str, seen_at: datetime) -> pl.DataFrame:
    """SYMBOL_FILTERS of `GET /fapi/v1/exchangeInfo`, the row of `symbol`; none where there is no such contract.

    An entry is a market order, whose quantity lies on MARKET_LOT_SIZE as well as on LOT_SIZE: the coarser one holds.
    """
    def row(contract: Any) -> tuple[Any, ...] | None:
        if contract["symbol"] != symbol:
            return None
        filters = {each["filterType"]: each for each in contract["filters"]}
        steps = [moved(filters[name]["stepSize"]) for name in ("LOT_SIZE", "MARKET_LOT_SIZE") if name in filters]
        return "um", symbol, max(steps), moved(filters["PRICE_FILTER"]["tickSize"]), seen_at

    return strict(schemas.SYMBOL_FILTERS, CONTRACTS, payload, row, "symbols")

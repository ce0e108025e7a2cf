"""Prices and candles, which need no key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from navbook import schemas
from navbook.exchange.rows import strict
from navbook.exchange.values import amount, from_ms, text


def prices(payload: Any, time: datetime) -> pl.DataFrame:
    """PRICES of `GET /api/v3/ticker/price`: one row per pair that trades."""
    def row(ticker: Any) -> tuple[Any, ...]:
        return time, text(ticker["symbol"]), amount(ticker["price"]), time

    return strict(schemas.PRICES, "GET /api/v3/ticker/price", payload, row)


def candles(payload: Any, symbol: str, seen_at: datetime, interval: str = "1m") -> pl.DataFrame:
    """CANDLES of `GET /api/v3/klines`: [open time ms, open, high, low, close, volume, close time, …]."""
    def row(kline: Any) -> tuple[Any, ...]:
        open_time, first, high, low, last, volume = kline[:6]
        parts = (amount(part) for part in (first, high, low, last, volume))
        return ("spot", symbol, interval, from_ms(open_time), *parts, seen_at)

    return strict(schemas.CANDLES, f"GET /api/v3/klines ({symbol})", payload, row)

"""Tickers and klines, which spot and futures answer alike but for their scales."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .candles import (
    CLOSE,
    HIGH,
    INTERVALS,
    LOW,
    OPEN,
    OPEN_TIME,
    QUOTE_VOLUME,
    TAKER_BASE,
    TAKER_QUOTE,
    TRADES,
    VOLUME,
    close_time,
)
from .errors import WireError, invalid_symbol, invalid_value
from .money import float_text
from .pairs import Pair
from .wire import Call


def pair_named(call: Call, symbol: str) -> Pair:
    """The pair that a call names. Raises `WireError` where there is none."""
    pair = call.market.pair(symbol, call.now)
    if pair is None:
        raise invalid_symbol()
    return pair


def price_text(call: Call, pair: Pair, places: int) -> str:
    """The pair's price now; the pair must trade."""
    price = call.market.price(pair.symbol, call.now)
    return "" if price is None else float_text(float(price), places)


def symbols_asked(call: Call) -> list[str]:
    """The `symbols` parameter, a JSON array of names."""
    try:
        names = json.loads(call.params["symbols"])
    except json.JSONDecodeError:
        names = None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise WireError(-1100, "Illegal characters found in parameter 'symbols'; legal range is "
                               "'^\\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\\]$'.")
    return names


def klines(call: Call, most: int, places: Callable[[Pair], int], volume_places: int) -> list[list[Any]]:
    """Twelve fields a candle, ascending, the running one last. Source: BINANCE.md section 4."""
    symbol, interval = call.text("symbol"), call.text("interval")
    pair = call.market.pairs.get(symbol)
    if pair is None:
        raise invalid_symbol()
    if interval not in INTERVALS:
        raise WireError(-1120, "Invalid interval.")
    limit = call.integer("limit", 500) or 0
    if not 1 <= limit <= most:
        raise invalid_value("limit")
    if call.params.get("timeZone", "0") not in ("0", "00:00", "0:00", "+0", "-0"):
        raise invalid_value("timeZone")    # candles start on UTC boundaries here
    rows = call.market.klines(symbol, interval, call.now, call.moment("startTime"), call.moment("endTime"), limit)
    found = [_kline(row, interval, places(pair), volume_places) for row in rows.tolist()]
    if call.unit > 1:    # a candle ends with the last instant that the unit knows
        for candle in found:
            candle[0], candle[6] = candle[0] * call.unit, (candle[6] + 1) * call.unit - 1
    return found


def _kline(row: list[float], interval: str, places: int, volume_places: int) -> list[Any]:
    open_time = int(row[OPEN_TIME])
    prices = [float_text(row[column], places) for column in (OPEN, HIGH, LOW, CLOSE)]
    return [open_time, *prices, float_text(row[VOLUME], volume_places), close_time(interval, open_time),
            float_text(row[QUOTE_VOLUME], volume_places), int(row[TRADES]), float_text(row[TAKER_BASE], volume_places),
            float_text(row[TAKER_QUOTE], volume_places), "0"]

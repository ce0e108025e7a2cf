"""Trades that nobody made: each 1m candle is shown as four, one per price of its path, that add up to it.

A trade's id is its place since 2017: four to a minute. It happens when its quarter of the minute is over.
"""

from __future__ import annotations

from typing import Any

from .candles import CLOSE, OPEN, OPEN_TIME, QUARTER, VOLUME, Rows, path
from .clock import MINUTE
from .money import decimal_of, fixed, float_text
from .prices_wire import pair_named
from .wire import Call

FIRST = 1_483_228_800_000    # 2017-01-01
PER_MINUTE = 4
MOST = 1000


def agg_trades(call: Call) -> list[dict[str, Any]]:
    """Compressed trades, ascending. Source: BINANCE.md section 4."""
    return [{"a": number, "p": price, "q": quantity, "f": number, "l": number, "T": call.stamp(time), "m": fell,
             "M": True} for number, price, quantity, time, fell in _asked(call)]


def trades(call: Call) -> list[dict[str, Any]]:
    """The same, one by one; `fromId` on historicalTrades."""
    return [{"id": number, "price": price, "qty": quantity, "quoteQty": _product(price, quantity),
             "time": call.stamp(time), "isBuyerMaker": fell, "isBestMatch": True}
            for number, price, quantity, time, fell in _asked(call)]


def futures_agg_trades(call: Call) -> list[dict[str, Any]]:
    """As /fapi has them: no `M`, and a quantity without what is never shown in a book."""
    return [{"a": number, "p": price, "q": quantity, "nq": quantity, "f": number, "l": number, "T": time, "m": fell}
            for number, price, quantity, time, fell in _asked(call)]


def futures_trades(call: Call) -> list[dict[str, Any]]:
    return [{"id": number, "price": price, "qty": quantity, "quoteQty": _product(price, quantity), "time": time,
             "isBuyerMaker": fell, "isRPITrade": False} for number, price, quantity, time, fell in _asked(call)]


Trade = tuple[int, str, str, int, bool]


def _asked(call: Call) -> list[Trade]:
    symbol, limit = call.text("symbol"), call.limit(500, MOST)
    pair_named(call, symbol)
    first, start, end = call.integer("fromId"), call.moment("startTime"), call.moment("endTime")
    if first is not None:
        start = FIRST + first // PER_MINUTE * MINUTE
    minutes = -(-limit // PER_MINUTE) + 2
    opening = None if start is None else start // MINUTE * MINUTE
    rows = call.market.klines(symbol, "1m", call.seen, opening, end, minutes)
    found = [trade for row in rows for trade in _of(row, call.seen)
             if (first is None or trade[0] >= first) and (start is None or first is not None or trade[3] >= start)
             and (end is None or trade[3] <= end)]
    return found[-limit:] if start is None else found[:limit]


def _of(row: Rows, now: int) -> list[Trade]:
    """What happened in a minute up to `now`."""
    opened = int(row[OPEN_TIME])
    passed = min((now - opened) // QUARTER, 3) + 1
    shown = PER_MINUTE if passed == PER_MINUTE else passed - 1
    volume = decimal_of(float(row[VOLUME]))
    if not shown or not volume:
        return []
    share = (volume / shown).quantize(volume) if volume.as_tuple().exponent else volume / shown
    shares = [share] * (shown - 1) + [volume - share * (shown - 1)]
    first, prices = (opened - FIRST) // MINUTE * PER_MINUTE, path(row)[:shown]
    fell = bool(row[CLOSE] < row[OPEN])
    return [(first + place, float_text(price, 8), fixed(quantity), opened + (place + 1) * QUARTER - 1, fell)
            for place, (price, quantity) in enumerate(zip(prices, shares, strict=True))]


def _product(price: str, quantity: str) -> str:
    return fixed(decimal_of(float(price)) * decimal_of(float(quantity)))

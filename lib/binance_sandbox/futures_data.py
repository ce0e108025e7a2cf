"""`/futures/data`: statistics of the whole market, period by period.

The sandbox knows its accounts and its candles alone: open interest is what the accounts hold, taker volumes are the
candles', a perpetual is never dearer than its index, and as many are long as are short. 30 days back, as Binance.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .candles import CLOSE, OPEN_TIME, TAKER_BASE, VOLUME, Rows
from .clock import DAY, HOUR, MINUTE
from .errors import invalid_value
from .fapi_wire import contract_named
from .money import ZERO, fixed, float_text
from .wire import Call

PERIODS = {"5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR, "2h": 2 * HOUR, "4h": 4 * HOUR,
           "6h": 6 * HOUR, "12h": 12 * HOUR, "1d": DAY}
BACK = 30 * DAY
EVEN = {"longShortRatio": "1.0000", "longAccount": "0.5000", "shortAccount": "0.5000"}
Endpoint = Callable[[Call], list[dict[str, Any]]]


def _candles(call: Call, symbol: str) -> Rows:
    """The finished candles of `period`: with startTime the first ones of the window, else the newest."""
    period, limit = call.text("period"), call.limit(30, 500)
    if period not in PERIODS:
        raise invalid_value("period")
    start, end = call.moment("startTime"), call.moment("endTime")
    first = max(start or 0, call.now - BACK)
    last = min(end if end is not None else call.now, call.now - PERIODS[period])
    rows: Rows = call.market.klines(symbol, period, call.now, first, last, 10_000)
    return rows[:limit] if start is not None else rows[-limit:]


def open_interest(call: Call) -> list[dict[str, Any]]:
    """At the beginning of each period."""
    contract = contract_named(call)
    rows = []
    for row in _candles(call, contract.symbol):
        held = interest(call, contract.symbol, int(row[OPEN_TIME]))
        rows.append({"symbol": contract.symbol, "sumOpenInterest": fixed(held),
                     "sumOpenInterestValue": fixed(held * Decimal(repr(float(row[CLOSE])))),
                     "CMCCirculatingSupply": "0.00000000", "timestamp": int(row[OPEN_TIME])})
    return rows


def interest(call: Call, symbol: str, time: int) -> Decimal:
    """What the accounts here held at `time`, longs alone."""
    ledger = call.state.ledger
    return sum((position.amount for name in ledger.accounts
                for position in ledger.holdings(name, time).positions.values()
                if position.symbol == symbol and position.amount > 0), ZERO)


def ratios(call: Call) -> list[dict[str, Any]]:
    """Accounts or positions of top traders, or of all: even."""
    symbol = contract_named(call).symbol
    return [{"symbol": symbol, **EVEN, "timestamp": int(row[OPEN_TIME])} for row in _candles(call, symbol)]


def taker_volumes(call: Call) -> list[dict[str, Any]]:
    rows = []
    for row in _candles(call, contract_named(call).symbol):
        bought, sold = float(row[TAKER_BASE]), float(row[VOLUME] - row[TAKER_BASE])
        rows.append({"buySellRatio": float_text(bought / sold if sold else 1.0, 4), "buyVol": float_text(bought, 4),
                     "sellVol": float_text(sold, 4), "timestamp": int(row[OPEN_TIME])})
    return rows


def basis(call: Call) -> list[dict[str, Any]]:
    """Of the perpetual; there are no other contracts."""
    contract = contract_named(call, call.text("pair"))
    if call.text("contractType") != "PERPETUAL":
        return []
    return [{"indexPrice": price, "contractType": "PERPETUAL", "basisRate": "0", "futuresPrice": price,
             "annualizedBasisRate": "", "basis": "0", "pair": contract.symbol, "timestamp": int(row[OPEN_TIME])}
            for row in _candles(call, contract.symbol)
            for price in (float_text(float(row[CLOSE]), contract.price_places),)]


# path below /futures/data, what answers
READS: dict[str, Endpoint] = {
    "openInterestHist": open_interest, "topLongShortAccountRatio": ratios, "topLongShortPositionRatio": ratios,
    "globalLongShortAccountRatio": ratios, "takerlongshortRatio": taker_volumes, "basis": basis,
}

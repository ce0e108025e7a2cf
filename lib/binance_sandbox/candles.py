"""1m candles as arrays, what happens inside one, and the longer candles made of them.

Rows are float64 arrays [n, 10]; the columns below. A price is the float nearest to its decimal, a time is ms.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from .clock import DAY, HOUR, MINUTE

Rows = NDArray[np.float64]
(OPEN_TIME, OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME, TRADES, TAKER_BASE, TAKER_QUOTE) = range(10)
COLUMNS = 10

QUARTER = MINUTE // 4
WEEK = 7 * DAY
MONDAY = 4 * DAY    # 1970-01-05 was a Monday
MONTH = 31 * DAY    # an upper bound: months are counted by the calendar
INTERVALS = {"1m": MINUTE, "3m": 3 * MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR,
             "2h": 2 * HOUR, "4h": 4 * HOUR, "6h": 6 * HOUR, "8h": 8 * HOUR, "12h": 12 * HOUR, "1d": DAY,
             "3d": 3 * DAY, "1w": WEEK, "1M": MONTH}


def no_rows() -> Rows:
    """Candles, none of them."""
    return np.empty((0, COLUMNS))


def path(row: Rows) -> tuple[float, float, float, float]:
    """The four prices that a minute passes, one per quarter of it (DESIGN.md, "Intrabar rule": `path`)."""
    first, high, low, last = (float(value) for value in row[OPEN:CLOSE + 1])
    return (first, low, high, last) if last >= first else (first, high, low, last)


def price_in(row: Rows, now: int) -> float:
    """The price at `now` inside the minute of `row`, or its close when the minute is over."""
    return path(row)[min((now - int(row[OPEN_TIME])) // QUARTER, 3)]


def so_far(row: Rows, now: int) -> Rows:
    """`row` as it looks at `now`: only what happened up to then."""
    passed = min((now - int(row[OPEN_TIME])) // QUARTER, 3) + 1
    if passed == 4:
        return row
    prices = path(row)[:passed]
    running = row.copy()
    running[HIGH], running[LOW], running[CLOSE] = max(prices), min(prices), prices[-1]
    running[VOLUME:] = np.round(row[VOLUME:] * ((passed - 1) / 4), 8)
    running[TRADES] = np.floor(running[TRADES])
    return running


def flat(minutes: NDArray[np.float64], prices: NDArray[np.float64] | float) -> Rows:
    """Candles without trades: one price, no volume."""
    rows = np.zeros((len(minutes), COLUMNS))
    rows[:, OPEN_TIME] = minutes
    rows[:, OPEN:CLOSE + 1] = np.reshape(prices, (-1, 1))
    return rows


def bucket(interval: str, times: NDArray[np.float64]) -> NDArray[np.int64]:
    """The open time of the `interval` candle that each of `times` belongs to."""
    moments = times.astype(np.int64)
    if interval == "1M":
        months = moments.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64)
    length = INTERVALS[interval]
    shift = MONDAY if interval == "1w" else 0
    return (moments - shift) // length * length + shift


def close_time(interval: str, open_time: int) -> int:
    """The last millisecond of a candle."""
    if interval != "1M":
        return open_time + INTERVALS[interval] - 1
    month = datetime.fromtimestamp(open_time / 1000, UTC)
    following = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    return int(following.timestamp() * 1000) - 1


def aggregate(rows: Rows, interval: str) -> Rows:
    """`interval` candles made of shorter ones; minutes that are missing leave nothing behind."""
    if not len(rows):
        return rows
    opens = bucket(interval, rows[:, OPEN_TIME])
    starts = np.flatnonzero(np.diff(opens, prepend=opens[0] - 1))
    merged = np.empty((len(starts), COLUMNS))
    merged[:, OPEN_TIME] = opens[starts]
    merged[:, OPEN] = rows[starts, OPEN]
    merged[:, HIGH] = np.maximum.reduceat(rows[:, HIGH], starts)
    merged[:, LOW] = np.minimum.reduceat(rows[:, LOW], starts)
    merged[:, CLOSE] = rows[np.append(starts[1:], len(rows)) - 1, CLOSE]
    merged[:, VOLUME:] = np.round(np.add.reduceat(rows[:, VOLUME:], starts, axis=0), 8)
    return merged

"""What control calls say about one symbol's price: it covers the source from its start until the next such call.

Candles given by a call hold their last close when they are over, and minutes between them are flat, so a price
made by a call has a candle for every minute.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from .candles import CLOSE, OPEN_TIME, Rows, flat, price_in
from .clock import MINUTE


@dataclass(frozen=True)
class Stretch:
    """A price from `start` on, or the candles `rows` of which the first opens at `start`."""

    start: int
    price: float = 0.0
    rows: Rows | None = None

    def price_at(self, now: int) -> float:
        return self.price if self.rows is None else price_in(self._row(now, self.rows), now)

    def candle(self, minute: int) -> Rows:
        """The candle of a minute that lies inside this stretch."""
        row: Rows = self.candles(minute, minute + MINUTE)[0]
        return row

    def candles(self, start: int, end: int) -> Rows:
        """The candles of the whole minutes from `start` up to `end`; both inside this stretch."""
        minutes = np.arange(start, end, MINUTE, dtype=np.float64)
        if self.rows is None:
            return flat(minutes, self.price)
        last = np.searchsorted(self.rows[:, OPEN_TIME], minutes, side="right") - 1
        dense = flat(minutes, self.rows[last, CLOSE])
        given = self.rows[last, OPEN_TIME] == minutes
        dense[given] = self.rows[last[given]]
        return dense

    def _row(self, now: int, rows: Rows) -> Rows:
        row: Rows = rows[int(np.searchsorted(rows[:, OPEN_TIME], now, side="right")) - 1]
        return row


class Overlay:
    """The stretches of one symbol in the order of their starts."""

    def __init__(self) -> None:
        self.stretches: list[Stretch] = []

    @property
    def start(self) -> int:
        return self.stretches[0].start

    def set_price(self, start: int, price: float) -> None:
        """`price` holds from `start` until the next stretch; candles given earlier end here."""
        self._insert([Stretch(start, price)], start, start + 1)

    def set_candles(self, rows: Rows) -> None:
        """`rows` hold for their minutes and their last close until the next stretch."""
        start, end = int(rows[0, OPEN_TIME]), int(rows[-1, OPEN_TIME]) + MINUTE
        self._insert([Stretch(start, rows=rows)], start, end)

    def _insert(self, new: list[Stretch], start: int, end: int) -> None:
        kept = [stretch for stretch in self.stretches if not start <= stretch.start < end]
        self.stretches = sorted([*kept, *new], key=lambda stretch: stretch.start)

    def at(self, now: int) -> Stretch | None:
        """The stretch in force at `now`."""
        passed = bisect_right(self.stretches, now, key=lambda stretch: stretch.start)
        return self.stretches[passed - 1] if passed else None

    def starting(self, after: int, until: int) -> list[Stretch]:
        """The stretches that begin later than `after` and not later than `until`."""
        return [stretch for stretch in self.stretches if after < stretch.start <= until]

    def whole_minutes(self, start: int, end: int) -> list[Rows]:
        """The candles from `start` up to `end` of minutes that lie in one stretch alone, stretch by stretch."""
        ends = [stretch.start for stretch in self.stretches[1:]] + [end]
        parts = []
        for stretch, until in zip(self.stretches, ends, strict=True):
            first, last = max(start, -(-stretch.start // MINUTE) * MINUTE), min(end, until // MINUTE * MINUTE)
            if first < last:
                parts.append(stretch.candles(first, last))
        return parts

    def broken_minutes(self, start: int, end: int) -> list[int]:
        """The minutes from `start` up to `end` in whose middle a stretch begins."""
        minutes = {stretch.start // MINUTE * MINUTE for stretch in self.stretches if stretch.start % MINUTE}
        return sorted(minute for minute in minutes if start <= minute < end)

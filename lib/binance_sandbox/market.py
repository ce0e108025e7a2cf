"""What everything costs, and the candles that show it: one price for spot, futures and mark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

import numpy as np

from .candles import (
    CLOSE,
    HIGH,
    INTERVALS,
    LOW,
    OPEN,
    OPEN_TIME,
    QUARTER,
    VOLUME,
    Rows,
    aggregate,
    bucket,
    flat,
    no_rows,
    price_in,
    so_far,
)
from .clock import DAY, MINUTE
from .money import decimal_of
from .overlay import Overlay
from .pairs import Pair, pair_of


class Source(Protocol):
    """Where candles come from: `generator.Generator` or `recorded.Recorded`."""

    pairs: dict[str, Pair]
    span: tuple[int, int] | None    # open times of the first and last minute that all recorded symbols share

    @property
    def funding(self) -> Mapping[str, Mapping[int, Decimal]]:
        """Recorded rates: symbol -> settlement (ms), ascending -> rate."""

    def first(self, symbol: str) -> int: ...
    def rows(self, symbol: str, start: int, end: int) -> Rows: ...
    def row_at(self, symbol: str, now: int) -> Rows | None: ...
    def days(self, symbol: str, start: int, end: int) -> Rows: ...


TRADING, DELISTED = "TRADING", "DELISTED"
STATUSES = (TRADING, "HALT", "BREAK", "END_OF_DAY", "CANCEL_ONLY")    # as the wire knows them; DELISTED is ours


@dataclass(frozen=True)
class Stop:
    """A symbol does not trade any more from `since` on; its price stays, or goes too when it is delisted."""

    status: str
    since: int


class Market:
    """Prices and candles of every symbol at any time; control calls cover the source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.pairs = dict(source.pairs)
        self._overlays: dict[str, Overlay] = {}
        self._stops: dict[str, Stop] = {}

    # -- prices ------------------------------------------------------------------------------------------------
    def price(self, symbol: str, now: int) -> Decimal | None:
        """The price of `symbol` at `now`; None before it has one. In a gap the last close holds."""
        value = self._price(symbol, now)
        return None if value is None else decimal_of(value)

    def _price(self, symbol: str, now: int) -> float | None:
        stop = self._stops.get(symbol)
        if stop and now >= stop.since:
            if stop.status == DELISTED:
                return None
            now = stop.since    # the last price stays on the board
        overlay = self._overlays.get(symbol)
        if overlay and (stretch := overlay.at(now)):
            return stretch.price_at(now)
        row = self.source.row_at(symbol, now) if symbol in self.source.pairs else None
        return None if row is None else price_in(row, now)

    def live_price(self, symbol: str, now: int) -> Decimal | None:
        """The same, for pairs that trade alone."""
        return self.price(symbol, now) if self.status(symbol, now) == TRADING else None

    def listed(self, now: int) -> list[Pair]:
        """The pairs that have a price at `now`, be it their last one."""
        return [pair for symbol, pair in self.pairs.items() if self._price(symbol, now) is not None]

    def trading(self, now: int) -> list[Pair]:
        """The pairs that trade at `now`."""
        return [pair for pair in self.listed(now) if self.status(pair.symbol, now) == TRADING]

    def status(self, symbol: str, now: int) -> str:
        """TRADING, unless a control call stopped it: HALT, BREAK, END_OF_DAY, CANCEL_ONLY or DELISTED."""
        stop = self._stops.get(symbol)
        return stop.status if stop and now >= stop.since else TRADING

    def pair(self, symbol: str, now: int) -> Pair | None:
        """The pair, if it is listed at `now`."""
        return self.pairs.get(symbol) if self._price(symbol, now) is not None else None

    # -- the path ----------------------------------------------------------------------------------------------
    def minutes(self, symbol: str, start: int, end: int) -> Rows:
        """The finished 1m candles with start <= open_time < end, both whole minutes, whatever the time is."""
        return self._finished(symbol, start, end)

    def points(self, symbol: str, after: int, until: int) -> list[tuple[int, Decimal, bool]]:
        """Where the price goes in (after, until], both in one minute: when, where, and whether it jumped there.

        It jumps to the open of a minute and to what a control call says; between the others it passes all prices.
        """
        minute, overlay = until // MINUTE * MINUTE, self._overlays.get(symbol)
        jumps = {minute} | {stretch.start for stretch in overlay.starting(after, until)} if overlay else {minute}
        times = jumps | {minute + quarter * QUARTER for quarter in range(4)}
        found = [(time, self.price(symbol, time), time in jumps) for time in sorted(times) if after < time <= until]
        return [(time, price, jump) for time, price, jump in found if price is not None]

    # -- control -----------------------------------------------------------------------------------------------
    def set_price(self, symbol: str, start: int, price: Decimal) -> None:
        self._overlay(symbol).set_price(start, float(price))

    def set_status(self, symbol: str, status: str, now: int) -> None:
        """Stop `symbol`, or let it trade again."""
        self._stops.pop(symbol, None)
        if status != TRADING:
            self._stops[symbol] = Stop(status, now)

    def set_filters(self, symbol: str, **filters: str) -> None:
        """Other ticks, steps or minima from now on; the names are those of `Pair`."""
        self.pairs[symbol] = replace(self.pairs[symbol], **filters)  # type: ignore[arg-type]

    def set_candles(self, symbol: str, rows: Rows) -> None:
        self._overlay(symbol).set_candles(rows)

    def _overlay(self, symbol: str) -> Overlay:
        if symbol not in self.pairs and (pair := pair_of(symbol)):
            self.pairs[symbol] = pair
        return self._overlays.setdefault(symbol, Overlay())

    # -- candles -----------------------------------------------------------------------------------------------
    def klines(self, symbol: str, interval: str, now: int, start: int | None, end: int | None, limit: int) -> Rows:
        """Candles of `interval` as they look at `now`, ascending; the running one is unfinished.

        start, end  bounds of open_time, both included. With `start` the first `limit` candles from there on,
                    without it the newest `limit` up to `end` or now.
        """
        stop = self._stops.get(symbol)
        now = min(now, stop.since) if stop else now    # no candle later than the last trade
        last = min(now, now if end is None else end)
        if start is not None and start > last:
            return no_rows()
        if start is not None:
            return self._first(symbol, interval, now, start, last, limit)
        return self._newest(symbol, interval, now, last, limit)

    def _first(self, symbol: str, interval: str, now: int, start: int, last: int, limit: int) -> Rows:
        """Search forwards; a gap in the candles makes the search longer, not the answer shorter."""
        opening, length = max(start, self._beginning(symbol)), INTERVALS[interval]
        reach = length * (limit + 1)
        while True:
            until = min(last, opening + reach)
            found = self._candles(symbol, interval, now, start, opening, until)
            if len(found) >= limit or until >= last:
                return found[:limit]
            reach *= 4

    def _newest(self, symbol: str, interval: str, now: int, last: int, limit: int) -> Rows:
        """Search backwards, likewise."""
        beginning, reach = self._beginning(symbol), INTERVALS[interval] * (limit + 1)
        while True:
            opening = last - reach
            found = self._candles(symbol, interval, now, opening, opening, last)
            if len(found) >= limit or opening <= beginning:
                return found[-limit:]
            reach *= 4

    def _beginning(self, symbol: str) -> int:
        """A moment before which `symbol` has no candle."""
        starts = [self.source.first(symbol)] if symbol in self.source.pairs else []
        starts += [overlay.start] if (overlay := self._overlays.get(symbol)) else []
        return min(starts)

    def _candles(self, symbol: str, interval: str, now: int, start: int, opening: int, last: int) -> Rows:
        """The `interval` candles with start <= open_time <= last, given that none that counts opens before
        `opening`."""
        times = bucket(interval, np.array([max(opening, 0), last], dtype=np.float64))
        begin, until = int(times[0]), int(times[1])
        end = min(now + 1, until + INTERVALS[interval])
        merged = aggregate(self._shorter(symbol, interval, begin, end, now), interval)
        opens = merged[:, OPEN_TIME]
        return merged[(opens >= start) & (opens <= last)]

    def _shorter(self, symbol: str, interval: str, start: int, end: int, now: int) -> Rows:
        """What to make the candles of: 1d candles for the whole days behind us where long ones are asked for."""
        if INTERVALS[interval] < DAY or symbol not in self.source.pairs:
            return self._minutes(symbol, start, end, now)
        overlay = self._overlays.get(symbol)
        today = min(now, end, overlay.start if overlay else now) // DAY * DAY
        if today <= start:
            return self._minutes(symbol, start, end, now)
        return np.concatenate((self.source.days(symbol, start, today), self._minutes(symbol, today, end, now)))

    def _minutes(self, symbol: str, start: int, end: int, now: int) -> Rows:
        """1m candles with start <= open_time < end; the running one as far as it got."""
        running = now // MINUTE * MINUTE
        start, end = -(-start // MINUTE) * MINUTE, -(-end // MINUTE) * MINUTE
        rows = self._finished(symbol, start, min(end, running))
        if start <= running < end and (row := self._minute(symbol, running, now)) is not None:
            rows = np.concatenate((rows, row[None, :]))
        return rows

    def _finished(self, symbol: str, start: int, end: int) -> Rows:
        overlay = self._overlays.get(symbol)
        cover = overlay.start // MINUTE * MINUTE if overlay else end
        parts = [self._source_rows(symbol, start, min(end, cover))]
        if overlay and end > cover:
            parts += overlay.whole_minutes(start, end)
            minutes = overlay.broken_minutes(start, end)
            broken = (self._minute(symbol, minute, minute + MINUTE - 1) for minute in minutes)
            parts += [row[None, :] for row in broken if row is not None]
        rows = np.concatenate(parts)
        return rows[np.argsort(rows[:, OPEN_TIME])] if len(parts) > 1 else rows

    def _source_rows(self, symbol: str, start: int, end: int) -> Rows:
        return self.source.rows(symbol, start, end) if symbol in self.source.pairs and start < end else no_rows()

    def _minute(self, symbol: str, minute: int, now: int) -> Rows | None:
        """The candle of `minute` as it looks at `now`, put together where a control call broke it."""
        overlay = self._overlays.get(symbol)
        later = overlay.starting(minute, now) if overlay else []
        first_end = later[0].start if later else now    # what was seen at that instant stays seen
        stretch = overlay.at(minute) if overlay else None
        if stretch:
            row: Rows | None = stretch.candle(minute)
        else:
            found = self._source_rows(symbol, minute, minute + MINUTE)
            row = found[0] if len(found) else None
        pieces = [] if row is None else [so_far(row, first_end)]
        pieces += [flat(np.array([float(minute)]), stretch.price_at(stretch.start))[0] for stretch in later]
        return _joined(pieces) if pieces else None


def _joined(pieces: list[Rows]) -> Rows:
    """One candle of the parts of a minute."""
    joined = pieces[0].copy()
    joined[HIGH] = max(piece[HIGH] for piece in pieces)
    joined[LOW] = min(piece[LOW] for piece in pieces)
    joined[CLOSE] = pieces[-1][CLOSE]
    joined[OPEN], joined[VOLUME:] = pieces[0][OPEN], sum(piece[VOLUME:] for piece in pieces)
    return joined

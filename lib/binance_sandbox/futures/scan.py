"""The first minute in which anything could happen; everything before it needs no second look.

It may be too careful, never too bold: a minute that it names can turn out to be quiet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..candles import CLOSE, HIGH, LOW, OPEN_TIME
from ..clock import DAY, MINUTE
from ..market import Market
from .contracts import Contract
from .model import TRAILING, Algo, Order

Series = NDArray[np.float64]
LONGEST = 5 * DAY                 # looked at in one go
SLACK = 1e-9                      # floats here, Decimals where it counts


@dataclass(frozen=True)
class Band:
    """Lowest and highest price, minute by minute, and of all of them."""

    low: Series
    high: Series
    lowest: float
    highest: float


@dataclass
class Levels:
    """What would touch a symbol's orders: a price at or above `up`, at or below `down`, or a trailing order's."""

    up: float = float("inf")
    down: float = float("-inf")
    trailing: list[Algo] = field(default_factory=list)

    def add_order(self, order: Order) -> None:
        if order.type == "MARKET":    # the rest of a partial fill: the next price will do
            self.up = 0.0
        elif order.side == "BUY":
            self.down = max(self.down, float(order.price))
        else:
            self.up = min(self.up, float(order.price))

    def add_algo(self, algo: Algo) -> None:
        if algo.type == TRAILING and algo.extreme is not None:
            self.trailing.append(algo)
            return
        activating = algo.type == TRAILING
        level, rises = (algo.activate, algo.side == "SELL") if activating else (algo.trigger, algo.rises)
        if rises:
            self.up = min(self.up, float(level))
        else:
            self.down = max(self.down, float(level))

    def touched(self, band: Band) -> NDArray[np.bool_] | None:
        """The minutes that touch a level; None where none does."""
        up, down = self.up * (1 - SLACK), self.down + abs(self.down) * SLACK
        if band.highest < up and band.lowest > down and not self.trailing:
            return None
        found = (band.high >= up) | (band.low <= down)
        for algo in self.trailing:
            found |= _trailed(algo, band.low, band.high)
        return np.asarray(found)


def _trailed(algo: Algo, low: Series, high: Series) -> NDArray[np.bool_]:
    best, part = float(algo.extreme or 0), float(algo.callback) / 100
    if algo.side == "SELL":
        return np.asarray(low <= np.maximum(np.maximum.accumulate(high), best) * (1 - part) * (1 + SLACK))
    return np.asarray(high >= np.minimum(np.minimum.accumulate(low), best) * (1 + part) * (1 - SLACK))


@dataclass(frozen=True)
class Exposure:
    """Positions on one margin, as floats. legs: symbol, amount, entry, contract (None: margin in a coin)."""

    wallet: float
    legs: tuple[tuple[str, float, float, Contract | None], ...]

    def touched(self, bands: dict[str, Band]) -> NDArray[np.bool_] | None:
        """The minutes whose worst price might liquidate it; None where none does, not even all worst ones at once."""
        if self._left({symbol: (band.lowest, band.highest) for symbol, band in bands.items()}) > 0:
            return None
        return np.asarray(self._left({symbol: (band.low, band.high) for symbol, band in bands.items()}) <= 0)

    def _left(self, bands: dict[str, tuple[Any, Any]]) -> Any:
        """Margin balance at the worst prices, less the maintenance margin and a little; numbers or series."""
        left = self.wallet - SLACK * (1 + abs(self.wallet))
        for symbol in dict.fromkeys(leg[0] for leg in self.legs):
            low, high = bands[symbol]
            mine = [leg for leg in self.legs if leg[0] == symbol]
            net = sum(amount for _, amount, _, _ in mine)
            left = left + net * (low if net > 0 else high) - sum(amount * entry for _, amount, entry, _ in mine)
            for _, amount, _, contract in mine:
                if contract is not None:
                    left = left - _most_maintenance(contract, abs(amount) * high)
        return left


def _most_maintenance(contract: Contract, notional: Any) -> Any:
    """Maintenance margin is convex in the notional: the largest of its lines."""
    if isinstance(notional, float):
        bracket = contract.bracket_of_float(notional)
        return notional * bracket[1] - bracket[2]
    lines = [notional * rate - cum for _, rate, cum in contract.float_brackets]
    return np.maximum.reduce(lines)


def band(market: Market, symbol: str, start: int, end: int) -> Band:
    """Lowest and highest price of each minute from `start` up to `end`; in a gap the last close holds."""
    rows = market.minutes(symbol, start, end)
    count = (end - start) // MINUTE
    if len(rows) == count:
        return _band(rows[:, LOW], rows[:, HIGH])
    price = market.price(symbol, start)
    flat = np.full(count, float("nan") if price is None else float(price))
    minutes = np.arange(start, end, MINUTE, dtype=np.float64)
    last = np.searchsorted(rows[:, OPEN_TIME], minutes, side="right") - 1
    known = last >= 0
    flat[known] = rows[last[known], CLOSE]
    low, high = flat.copy(), flat.copy()
    there = known.copy()
    there[known] = rows[last[known], OPEN_TIME] == minutes[known]
    low[there], high[there] = rows[last[there], LOW], rows[last[there], HIGH]
    return _band(low, high)


def _band(low: Series, high: Series) -> Band:
    return Band(low, high, float(low.min()), float(high.max()))


def first_touch(levels: dict[str, Levels], exposures: list[Exposure], bands: dict[str, Band], count: int) -> int:
    """The index of the first of `count` minutes that may touch anything; `count` when none does."""
    touches = [level.touched(bands[symbol]) for symbol, level in levels.items()]
    touches += [exposure.touched(bands) for exposure in exposures]
    found = [touch for touch in touches if touch is not None and touch.any()]
    return min((int(touch.argmax()) for touch in found), default=count)

"""Seeded prices: the candle of a symbol at a minute is a function of seed, symbol and minute alone.

Each coin has a daily log price against USDT from 2017 to 2039: shocks with fat tails, shared with the market by
the coin's `market` part, pulled back to the coin's usual level. Each day is then bridged minute by minute from one
daily close to the next. Cross pairs are the ratio of their two coins, so routes agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from .candles import CLOSE, COLUMNS, HIGH, LOW, OPEN, OPEN_TIME, VOLUME, Rows, aggregate, no_rows
from .clock import DAY, MINUTE
from .moods import Mood
from .pairs import KNOWN, Pair, tick_places

GENESIS = 1_483_228_800_000    # 2017-01-01
DAYS = 8400                    # up to 2039-12-31
MINUTES = DAY // MINUTE
SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "USDCUSDT", "BTCUSDC", "ETHBTC", "BNBBTC", "XMRBTC")

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Coin:
    """How the made-up price of a coin moves."""

    level: float         # usual price, USDT
    reach: float         # how far the log price strays from it (one standard deviation)
    volatility: float    # daily, of the log price
    market: float        # correlation with the market's shocks; 0.9 for both of BTC and ETH gives them 0.8
    turnover: float      # USDT traded per minute


COINS = {
    "BTC": Coin(70_000, 0.20, 0.024, 0.90, 1_200_000),
    "ETH": Coin(2_600, 0.23, 0.030, 0.89, 600_000),
    "BNB": Coin(570, 0.15, 0.024, 0.78, 90_000),
    "SOL": Coin(145, 0.25, 0.036, 0.80, 200_000),
    "XMR": Coin(230, 0.20, 0.030, 0.50, 8_000),
    "USDC": Coin(1, 0.0003, 0.0001, 0.0, 100_000),
}


class Generator:
    """A source of candles (see `market.Source`) that never ends and never repeats."""

    span: tuple[int, int] | None = None
    funding: Mapping[str, Mapping[int, Decimal]] = MappingProxyType({})    # `futures.funding` makes them

    def __init__(self, seed: int, mood: Mood | None = None, start: int = GENESIS) -> None:
        """mood  of the market from the day of `start` (ms) on"""
        self.seed, self.mood, self.first_day = seed, mood, (start - GENESIS) // DAY
        self.pairs: dict[str, Pair] = {symbol: KNOWN[symbol] for symbol in SYMBOLS}
        # Pure functions of the seed, so remembering them changes nothing but the time they take.
        self._daily = lru_cache(maxsize=None)(self._make_daily)
        self._shocks = lru_cache(maxsize=16)(self._make_shocks)
        self._coin_day = lru_cache(maxsize=64)(self._make_coin_day)
        self._day = lru_cache(maxsize=256)(self._make_day)
        self._day_candle = lru_cache(maxsize=None)(self._make_day_candle)

    def first(self, symbol: str) -> int:
        """When the first candle opens."""
        return GENESIS

    def rows(self, symbol: str, start: int, end: int) -> Rows:
        """1m candles with start <= open_time < end."""
        first, last = max(start, GENESIS), min(end, GENESIS + DAYS * DAY)
        if first >= last:
            return no_rows()
        days = range((first - GENESIS) // DAY, (last - 1 - GENESIS) // DAY + 1)
        found = np.concatenate([self._day(symbol, day) for day in days])
        origin = GENESIS + days[0] * DAY
        rows: Rows = found[-(-(first - origin) // MINUTE):-(-(last - origin) // MINUTE)]
        return rows

    def row_at(self, symbol: str, now: int) -> Rows | None:
        """The last 1m candle that opened at or before `now`."""
        day, rest = divmod(min(now, GENESIS + DAYS * DAY - 1) - GENESIS, DAY)
        return None if day < 0 else self._day(symbol, day)[rest // MINUTE]

    def days(self, symbol: str, start: int, end: int) -> Rows:
        """1d candles of whole days with start <= open_time < end."""
        first, last = -(-(max(start, GENESIS) - GENESIS) // DAY), min((end - GENESIS) // DAY, DAYS)
        if first >= last:
            return no_rows()
        return np.stack([self._day_candle(symbol, day) for day in range(first, last)])

    def _random(self, name: str, day: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, crc32(name.encode()), day])

    def _make_daily(self, coin: str) -> Series:
        """Log price at each midnight, one more than there are days."""
        kind, size = COINS[coin], DAYS + 1
        own, market = _fat(self._random(f"daily {coin}", 0), size), _fat(self._random("daily market", 0), size)
        shocks = kind.volatility * (kind.market * market + np.sqrt(1 - kind.market**2) * own)
        pull = kind.volatility**2 / (2 * kind.reach**2)    # keeps the standard deviation at `reach`
        strays, stray = [], float(own[0]) * kind.reach
        if self.mood is None:
            for shock in shocks.tolist():
                strays.append(stray)
                stray += shock - pull * stray
            return np.asarray(np.log(kind.level) + np.array(strays))
        home = 0.0    # where the price is pulled back to: in a mood, where it was when that began
        for day, shock in enumerate(shocks.tolist()):
            if day == self.first_day:
                home, pull = stray, pull * self.mood.pull
            strays.append(stray)
            stray += shock * (self.mood.volatility if day >= self.first_day else 1) - pull * (stray - home)
        moved = self.mood.path(np.arange(size) - float(self.first_day)) * min(kind.market / 0.9, 1)
        return np.asarray(np.log(kind.level) + np.array(strays) + moved)

    def _volatility(self, kind: Coin, day: int) -> float:
        """Of a day, with the mood."""
        return kind.volatility * (self.mood.volatility if self.mood and day >= self.first_day else 1)

    def _make_shocks(self, name: str, day: int) -> Series:
        return _fat(self._random(f"minutes {name}", day), MINUTES)

    def _make_coin_day(self, coin: str, day: int) -> Series:
        """Log price at the edges of the day's minutes: a bridge from one midnight to the next."""
        if coin == "USDT":
            return np.zeros(MINUTES + 1)
        kind = COINS[coin]
        steps = kind.market * self._shocks("market", day) + np.sqrt(1 - kind.market**2) * self._shocks(coin, day)
        walk = np.concatenate(([0.0], np.cumsum(steps * self._volatility(kind, day) / np.sqrt(MINUTES))))
        start, end = self._daily(coin)[day:day + 2]
        return np.asarray(start + walk + np.arange(MINUTES + 1) / MINUTES * (end - start - walk[-1]))

    def _make_day(self, symbol: str, day: int) -> Rows:
        """The day's 1440 candles."""
        pair = self.pairs[symbol]
        edges = self._coin_day(pair.base, day) - self._coin_day(pair.quote, day)
        places, kind, random = tick_places(pair.tick), COINS[pair.base], self._random(symbol, day)
        prices = np.exp(edges)
        wicks = np.exp(random.exponential(0.35 * self._volatility(kind, day) / np.sqrt(MINUTES), (2, MINUTES)))
        rows = np.empty((MINUTES, COLUMNS))
        rows[:, OPEN_TIME] = GENESIS + day * DAY + np.arange(MINUTES) * MINUTE
        rows[:, OPEN], rows[:, CLOSE] = np.round(prices[:-1], places), np.round(prices[1:], places)
        rows[:, HIGH] = np.round(np.maximum(prices[:-1], prices[1:]) * wicks[0], places)
        rows[:, LOW] = np.round(np.minimum(prices[:-1], prices[1:]) / wicks[1], places)
        rows[:, VOLUME:] = self._volumes(random, kind, pair.base, day, rows[:, CLOSE])
        return rows

    def _volumes(self, random: np.random.Generator, kind: Coin, base: str, day: int, prices: Series) -> Rows:
        """volume, quote volume, trades, taker's base, taker's quote; turnover is in USDT, so price it in USDT."""
        dollars = kind.turnover * random.lognormal(-0.3, 0.8, MINUTES)
        volume = np.round(dollars / np.exp(self._daily(base)[day]), 5)
        taker = np.round(volume * random.uniform(0.35, 0.65, MINUTES), 5)
        return np.column_stack((volume, np.round(volume * prices, 8), np.floor(dollars / 700) + 1, taker,
                                np.round(taker * prices, 8)))

    def _make_day_candle(self, symbol: str, day: int) -> Rows:
        row: Rows = aggregate(self._day(symbol, day), "1d")[0]
        return row


def _fat(random: np.random.Generator, size: int) -> Series:
    """Student's t with five degrees of freedom, scaled to variance one: now and then a day of four sigmas."""
    return np.asarray(random.standard_t(5, size) / np.sqrt(5 / 3))

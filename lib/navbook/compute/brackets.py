"""The bracket strategy's rules as pure functions: what the backtester replays and the live trader sends.

A trade is a market entry with a take profit and a stop, both of them conditional market orders. Numbers are
floats; where one is rounded, its shortest decimal (`repr`) is rounded exactly, and the result is the float nearest
to the decimal that comes out. Times are ms since the epoch, UTC.

Source: DESIGN "Try1"; BINANCE documentation, "Leverage and margin" (liquidation).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any

import polars as pl

from navbook.errors import BracketInvalid, FundingInvalid
from navbook.types import MarginType, Side

MINUTE = 60_000
UNITS = {"ms": 1, "s": 1000, "m": MINUTE, "h": 60 * MINUTE, "d": 1440 * MINUTE, "w": 7 * 1440 * MINUTE}
DURATION = re.compile(r"(\d+)(ms|[smhdw])")
FINEST = 12           # decimals of a tick or step; beyond that floats have none to round
MOST_ROUNDS = 24      # of tiers, until the liquidation price settles


# -- rules -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Tier:
    """A range of notional up to and with `cap`, with the maintenance margin notional * rate - cum."""

    cap: float
    rate: float
    cum: float


FIRST_TIER = (Tier(math.inf, 0.004, 0.0),)    # without brackets of the host: the usual first one, without an end


@dataclass(frozen=True, kw_only=True)
class BracketRules:
    """How one position (a side of a symbol) is opened, protected and reopened.

    side           LONG or SHORT
    amount_usdt    margin of a trade; its notional is amount_usdt * leverage
    leverage       1 to 125
    tp_usdt        what the take profit gains and `sl_usdt` what the stop loses, before fees
    check_every    a close is noticed at a multiple of this since the epoch
    reopen_delay   from there to the next entry; one that opens later than `reopen_window` is none
    max_reopens    0, 1, N; None: no limit
    step_size      of the quantity, tick_size of the levels; 0: not rounded
    margin_type    CROSSED or ISOLATED
    wallet_usdt    the cross wallet; None: cross positions are not liquidated
    brackets       the host's tiers (rows of GET /fapi/v1/leverageBracket); None: 0.4 % of any notional

    Durations are texts such as "30s", "5m", "1h30m". Raises `BracketInvalid` naming the rule at fault.
    """

    side: Side = Side.LONG
    amount_usdt: float = 100
    leverage: float = 10
    tp_usdt: float = 10
    sl_usdt: float = 5
    check_every: str | timedelta = "1m"
    reopen_delay: str | timedelta = "5m"
    reopen_window: str | timedelta = "10m"
    max_reopens: int | None = None
    step_size: float = 0
    tick_size: float = 0
    margin_type: MarginType = MarginType.CROSSED
    wallet_usdt: float | None = None
    brackets: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._choose("side", Side)
        self._choose("margin_type", MarginType)
        for key in ("amount_usdt", "tp_usdt", "sl_usdt"):
            _number(key, getattr(self, key), above=0)
        if not 1 <= _number("leverage", self.leverage) <= 125:
            raise BracketInvalid("leverage", self.leverage, "between 1 and 125")
        if self.wallet_usdt is not None:
            _number("wallet_usdt", self.wallet_usdt, above=0)
        for key in ("check_every", "reopen_delay", "reopen_window"):
            duration_ms(key, getattr(self, key), least=1 if key == "check_every" else 0)
        if self.max_reopens is not None and (
                isinstance(self.max_reopens, bool) or not isinstance(self.max_reopens, int) or self.max_reopens < 0):
            raise BracketInvalid("max_reopens", self.max_reopens, "a whole number from 0 on, or None for no limit")
        for key in ("step_size", "tick_size"):
            grid_of(key, getattr(self, key))
        object.__setattr__(self, "brackets", tiers_of(self.brackets))

    def _choose(self, key: str, choices: type[Side] | type[MarginType]) -> None:
        try:
            object.__setattr__(self, key, choices(getattr(self, key)))
        except ValueError:
            raise BracketInvalid(key, getattr(self, key), " or ".join(choices)) from None

    @property
    def sign(self) -> int:
        return self.side.sign

    @property
    def notional(self) -> float:
        return float(self.amount_usdt * self.leverage)

    @property
    def most_trades(self) -> int | None:
        return None if self.max_reopens is None else self.max_reopens + 1

    @cached_property
    def check_ms(self) -> int:
        return duration_ms("check_every", self.check_every)

    @cached_property
    def delay_ms(self) -> int:
        return duration_ms("reopen_delay", self.reopen_delay)

    @cached_property
    def window_ms(self) -> int:
        return duration_ms("reopen_window", self.reopen_window)

    @property
    def is_isolated(self) -> bool:
        return self.margin_type is MarginType.ISOLATED

    @property
    def tiers(self) -> tuple[Tier, ...]:
        return self.brackets or FIRST_TIER


RULE_NAMES = tuple(rule.name for rule in fields(BracketRules))


@dataclass(frozen=True, eq=False)
class Costs:
    """What trading costs.

    taker_fee      fraction of the notional, paid at entry and exit
    slippage_bps   1/10000 of the price by which the entry, the take profit and the stop fill worse (gaps too). A
                   liquidation does not slip: its price is the exchange's own
    funding        frame [time, rate, mark_price]: paid by positions with entry_time < time <= exit_time, by longs
                   where the rate is positive. None: there is none

    Raises `BracketInvalid` for a number, `FundingInvalid` for a frame that cannot be used.
    """

    taker_fee: float = 0.0005
    slippage_bps: float = 0
    funding: pl.DataFrame | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= _number("taker_fee", self.taker_fee) < 1:
            raise BracketInvalid("taker_fee", self.taker_fee, "a fraction from 0 on, below 1 (0.0005 is 0.05 %)")
        if not 0 <= _number("slippage_bps", self.slippage_bps) < 10_000:
            raise BracketInvalid("slippage_bps", self.slippage_bps, "from 0 on, below 10000")
        if self.funding is not None:
            object.__setattr__(self, "funding", checked_funding(self.funding))

    @property
    def slippage(self) -> float:
        return self.slippage_bps / 10_000


def checked_funding(frame: pl.DataFrame) -> pl.DataFrame:
    """[time, rate, mark_price] sorted by time, floats. Raises `FundingInvalid`."""
    if missing := {"time", "rate", "mark_price"} - set(frame.columns):
        raise FundingInvalid(f"it lacks {', '.join(sorted(missing))}")
    dtype = frame.schema["time"]
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone != "UTC":
        raise FundingInvalid(f"time is {dtype}, not a Datetime in UTC")
    for column in ("rate", "mark_price"):
        if not frame.schema[column].is_numeric():
            raise FundingInvalid(f"{column} is {frame.schema[column]}, not a number")
    terms = frame.select("time", pl.col("rate", "mark_price").cast(pl.Float64)).sort("time")
    wrong = (pl.any_horizontal(pl.all().is_null()) | ~pl.col("rate").is_finite() | ~pl.col("mark_price").is_finite()
             | (pl.col("mark_price") <= 0) | pl.col("time").is_duplicated())
    if (bad := terms.filter(wrong)).height:
        raise FundingInvalid(f"the row {bad.row(0)} lacks a time, a rate or a positive mark price, or repeats a time")
    return terms


def _number(key: str, value: object, above: float = -math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or not math.isfinite(value):
        raise BracketInvalid(key, value, "a number")
    if value <= above:
        raise BracketInvalid(key, value, f"above {above:g}")
    return float(value)


def duration_ms(key: str, value: object, least: int = 0) -> int:
    """The length of "90s", "5m", "1h30m" or a timedelta. Raises `BracketInvalid` naming `key`."""
    wanted = "a duration such as 30s, 1m or 2h" + (", above zero" if least else "")
    if isinstance(value, timedelta):
        length = value // timedelta(milliseconds=1)
    elif isinstance(value, str) and value and not DURATION.sub("", value):
        length = sum(int(count) * UNITS[unit] for count, unit in DURATION.findall(value))
    else:
        raise BracketInvalid(key, value, wanted)
    if length < least:
        raise BracketInvalid(key, value, wanted)
    return length


def tiers_of(brackets: object) -> tuple[Tier, ...] | None:
    """Tiers from rows as the exchange answers them (notionalCap, maintMarginRatio and cum) or from `Tier`s.

    Raises `BracketInvalid`.
    """
    if brackets is None:
        return None
    rows = brackets.get("brackets") if isinstance(brackets, Mapping) else brackets
    try:
        if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
            raise TypeError
        tiers = tuple(row if isinstance(row, Tier)
                      else Tier(float(row["notionalCap"]), float(row["maintMarginRatio"]), float(row["cum"]))
                      for row in rows)
    except (KeyError, TypeError, ValueError):
        tiers = ()
    if not tiers or any(not 0 <= tier.rate < 1 for tier in tiers) or sorted(tiers, key=lambda t: t.cap) != list(tiers):
        raise BracketInvalid("brackets", brackets, "rows of leverageBracket (notionalCap, maintMarginRatio, cum), "
                                                   "the smallest first")
    return tiers


# -- rounding --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Grid:
    """Multiples of `top` / `scale`, two whole numbers; top 0: everything."""

    top: int
    scale: int


def grid_of(key: str, size: float) -> Grid:
    """The grid of a tick or step size. Raises `BracketInvalid`."""
    if _number(key, size) < 0:
        raise BracketInvalid(key, size, "0 (no rounding) or above")
    exact = Decimal(repr(float(size)))
    scale = 10 ** max(0, -int(exact.normalize().as_tuple().exponent))
    if scale > 10 ** FINEST:
        raise BracketInvalid(key, size, f"of at most {FINEST} decimals")
    return Grid(int(exact * scale), scale)


def floor_to(value: float, size: float) -> float:
    """The largest multiple of `size` that is not above `value`; `value` itself when `size` is 0."""
    return _rounded(value, size, ROUND_FLOOR)


def nearest_to(value: float, size: float) -> float:
    """The multiple of `size` nearest to `value`, the upper one of two; `value` itself when `size` is 0."""
    return _rounded(value, size, ROUND_HALF_UP)


def _rounded(value: float, size: float, how: str) -> float:
    if not size:
        return value
    unit, exact = Decimal(repr(float(size))), Decimal(repr(float(value)))
    if how == ROUND_HALF_UP:    # half up, below zero too
        exact, how = exact + unit / 2, ROUND_FLOOR
    return float((exact / unit).to_integral_value(how) * unit)


# -- one trade -------------------------------------------------------------------------------------------------
def entry_price(rules: BracketRules, costs: Costs, price: float) -> float:
    """What a market entry at `price` pays."""
    return price * (1 + rules.sign * costs.slippage)


def exit_price(rules: BracketRules, costs: Costs, price: float) -> float:
    """What a take profit or a stop that triggers at `price` gets."""
    return price * (1 - rules.sign * costs.slippage)


def quantity(rules: BracketRules, entry: float) -> float:
    """Base units of a trade entered at `entry`: amount * leverage / entry, floored to the step. 0 opens nothing."""
    return floor_to(rules.notional / entry, rules.step_size)


def levels(rules: BracketRules, entry: float, quantity: float) -> tuple[float, float]:
    """Take profit and stop of a trade, each on the nearest tick (half up)."""
    take_profit = entry + rules.sign * (rules.tp_usdt / quantity)
    stop_loss = entry - rules.sign * (rules.sl_usdt / quantity)
    return nearest_to(take_profit, rules.tick_size), nearest_to(stop_loss, rules.tick_size)


def fee(costs: Costs, quantity: float, entry: float, exit: float) -> float:
    """Commission of both sides of a trade."""
    return quantity * entry * costs.taker_fee + quantity * exit * costs.taker_fee


def pnl(rules: BracketRules, quantity: float, entry: float, exit: float, fee: float, funding: float) -> float:
    """Profit of a closed trade; `funding` is positive when it was received."""
    return rules.sign * quantity * (exit - entry) - fee + funding


def liquidation_price(rules: BracketRules, entry: float, quantity: float, wallet: float | None = None) -> float | None:
    """The price at which the exchange takes the position; None when there is none.

    wallet  the cross wallet after the entry's fee. An isolated position has its own, notional / leverage

    The position stands alone on its margin, and what funding does to the margin while it is open is left out.
    Source: BINANCE documentation, "How to calculate liquidation price".
    """
    margin = quantity * entry / rules.leverage if rules.is_isolated else wallet
    if margin is None:
        return None
    price = liquidation_of(((rules.sign, quantity, entry),), margin, rules.tiers)
    return price if price > 0 else None


def maintenance(rules: BracketRules, notional: float) -> float:
    """Margin at or below which a position of `notional` is liquidated; nothing opens on less."""
    tier = _tier(rules.tiers, notional)
    return notional * tier.rate - tier.cum


def liquidation_of(legs: Sequence[tuple[int, float, float]], wallet: float, tiers: Sequence[Tier]) -> float:
    """The mark price at which `legs` (sign, quantity, entry; of one symbol) are liquidated together; 0: none."""
    chosen, seen = tuple(_tier(tiers, amount * entry) for _, amount, entry in legs), set()
    price = 0.0
    for _ in range(MOST_ROUNDS):
        top, slope = wallet, 0.0
        for (sign, amount, entry), tier in zip(legs, chosen, strict=True):
            top += tier.cum - sign * amount * entry
            slope += amount * tier.rate - sign * amount
        if sum(sign * amount for sign, amount, _ in legs) == 0 or slope == 0:
            return 0.0
        price = top / slope
        if price <= 0 or chosen in seen:
            break
        seen.add(chosen)
        there = tuple(_tier(tiers, amount * price) for _, amount, _ in legs)
        if there == chosen:
            break
        chosen = there
    return max(price, 0.0)


def _tier(tiers: Sequence[Tier], notional: float) -> Tier:
    return next((tier for tier in tiers if notional <= tier.cap), tiers[-1])


# -- when ------------------------------------------------------------------------------------------------------
def notice_time(rules: BracketRules, minute_end: int) -> int:
    """The check at which a close in the minute that ends at `minute_end` is noticed."""
    return -(-minute_end // rules.check_ms) * rules.check_ms


def reopen_time(rules: BracketRules, notice: int) -> int:
    """The earliest moment of the next entry."""
    return notice + rules.delay_ms


def reopen_deadline(rules: BracketRules, notice: int) -> int:
    """The last moment of the next entry; later the position stays closed for good."""
    return notice + rules.window_ms


def may_reopen(rules: BracketRules, reopens: int) -> bool:
    """Whether a position that was reopened `reopens` times may be so once more."""
    return rules.max_reopens is None or reopens < rules.max_reopens


def minute_end(time: int) -> int:
    """When the minute that `time` falls in is over."""
    return time // MINUTE * MINUTE + MINUTE


def reopening(rules: BracketRules, reopens: int, minute_end: int) -> tuple[int, int] | None:
    """The earliest and the last moment of the entry that follows a close in the minute ending at `minute_end`.

    reopens  how often the closed position had been reopened; None: it may not be so again
    """
    if not may_reopen(rules, reopens):
        return None
    notice = notice_time(rules, minute_end)
    return reopen_time(rules, notice), reopen_deadline(rules, notice)

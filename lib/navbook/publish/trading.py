"""What the trading page shows: positions, orders, trades and the wallet at one moment, as plain values.

runner.trading_view reads them; trading_words, trading_tables and trading_charts show them. None of these can send an
order. Names and notes from outside are text, never HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import polars as pl

from navbook.publish import words
from navbook.types import ExitOrder, Side

FRESH = timedelta(minutes=2)    # a trader looks once a minute
NO_PRICES = pl.DataFrame(schema={"time": pl.Datetime("us", "UTC"), "close": pl.Float64()})


class LegState(StrEnum):
    """Where a position stands."""

    OPEN = "open"
    OPENING = "opening"    # decided; not known to be filled
    WAITING = "waiting"    # closed, and to be reopened
    CLOSED = "closed"      # for good, or until somebody opens it
    NEVER = "never opened"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The settings of a position; money in USDT."""

    amount_usdt: float
    leverage: float
    tp_usdt: float
    sl_usdt: float
    check_every: timedelta
    reopen_delay: timedelta
    reopen_window: timedelta
    max_reopens: int | None


@dataclass(frozen=True, kw_only=True)
class Leg:
    """A position and its newest trade. None: not known, or not there."""

    name: str
    symbol: str
    side: Side
    rules: Rules
    state: LegState
    reopens: int = 0
    entry_time: datetime | None = None
    entry_price: float | None = None
    quantity: float | None = None
    take_profit: float | None = None
    stop_loss: float | None = None
    mark: float | None = None
    liquidation: float | None = None
    floating: float | None = None              # USDT
    protected: frozenset[ExitOrder] = frozenset()    # which of its two orders wait at the exchange
    closed_at: datetime | None = None
    reason: str | None = None
    pnl: float | None = None                   # of the trade that closed last
    noticed: datetime | None = None            # when its close was; then reopens, or gives up
    reopens_at: datetime | None = None
    gives_up_at: datetime | None = None
    note: str = ""
    prices: pl.DataFrame = field(default_factory=lambda: NO_PRICES)

    def left(self, now: datetime | None) -> timedelta | None:
        """The time until it reopens; None once that has come, or where it is not known."""
        if now is None or self.reopens_at is None or self.reopens_at <= now:
            return None
        return self.reopens_at - now


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The futures wallet, USDT, as the exchange tells it."""

    equity: float
    available: float
    floating: float
    margin: float
    noted_at: datetime | None = None    # when the trader saw it, where the page cannot ask itself


@dataclass(frozen=True, kw_only=True)
class Look:
    """All that the page shows, read at `now` of the exchange.

    orders    [name, kind, trigger, mark] of our conditional orders that wait
    closed    the position's name and TRADE columns of every closed trade
    troubles  what a check of connection and key found wrong, as sentences
    trader    whether its loop runs; None: nobody knows
    """

    environment: str
    account: str
    accounts: Sequence[str]
    host: str
    now: datetime | None
    legs: Sequence[Leg] = ()
    orders: pl.DataFrame
    closed: pl.DataFrame
    metrics: Metrics | None = None
    without_metrics: str = ""                 # why there are none
    troubles: Sequence[str] = ()
    trader: bool | None = None
    instance: str = ""
    checked_at: datetime | None = None
    orders_at: datetime | None = None         # when it was seen which orders wait: `now` where the page could ask
    trouble: str = ""                         # of the trader's last check
    versions: Mapping[str, int] = field(default_factory=dict)

    def in_state(self, state: LegState) -> list[Leg]:
        return [leg for leg in self.legs if leg.state is state]

    @property
    def is_fresh(self) -> bool:
        """Whether what is said of orders was seen just now, or in a check of the last two minutes."""
        return self.now is not None and self.orders_at is not None and self.now - self.orders_at <= FRESH


KINDS = {ExitOrder.STOP: "Stop", ExitOrder.PROFIT: "Take profit"}


# -- how they are said -----------------------------------------------------------------------------------------------
def lasting(length: timedelta) -> str:
    """A length to its two largest units: 40 s, 3 min 12 s, 7 h 34 min, 1 d 5 h; minute for 1 min."""
    seconds = max(0, int(length.total_seconds()))
    for unit, name, rest, small in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit:
            left = seconds % unit // rest
            return f"{seconds // unit} {name} {left} {small}" if left else f"{seconds // unit} {name}"
    return f"{seconds} s"


def price(value: float | None) -> str:
    """A price as the exchange gives it; an average to eight places."""
    return words.UNKNOWN if value is None else f"{round(value, 8):,}".removesuffix(".0")


def money(value: float) -> str:
    """Dollars, with cents where there are some."""
    return words.dollars(value, 2).removesuffix(".00")


def won(closed: pl.DataFrame) -> str:
    """"116 won, 174 lost (40.0 %)"; what made nothing is neither, and what is not known is said."""
    won, lost = closed.filter(pl.col("pnl") > 0).height, closed.filter(pl.col("pnl") < 0).height
    share = f" ({words.percent(won / (won + lost), signed=False)})" if won + lost else ""
    unknown = closed["pnl"].null_count()
    return f"{won} won, {lost} lost{share}{f', {unknown} unknown' if unknown else ''}"


def total(values: Sequence[float | None]) -> float | None:
    """The sum; None as soon as one is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None

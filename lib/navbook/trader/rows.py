"""The rows of the journal: trades and the orders of each, and how SQLite's values become them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from navbook.compute.decisions import LastTrade, TradeState
from navbook.types import ExitReason, MarginType, Side

ENTRY, STOP, PROFIT, CLOSE = "E", "S", "P", "C"    # parts of a trade that orders play
INTENDED, UNKNOWN, ABSENT = "INTENDED", "UNKNOWN", "ABSENT"    # of an order that the exchange told no status of
MADE = (Decimal, Side, MarginType, TradeState, ExitReason, bool)    # columns that are more than text and numbers
Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Trade:
    """A row of `trades`: one opening and closing of a position. What is not known yet is None."""

    id: int
    name: str
    symbol: str
    side: Side
    parent: int | None           # the trade that it reopened
    reopen: int
    amount_usdt: Decimal
    leverage: Decimal
    tp_usdt: Decimal
    sl_usdt: Decimal
    margin_type: MarginType
    due: int
    until: int
    state: TradeState
    retry_at: int
    closing: ExitReason | None
    is_last: bool
    quantity: Decimal | None
    entry_price: Decimal | None
    entry_time: int | None
    take_profit: Decimal | None
    stop_loss: Decimal | None
    exit_time: int | None
    exit_price: Decimal | None
    reason: ExitReason | None
    fee: Decimal | None
    funding: Decimal | None
    pnl: Decimal | None
    note: str | None
    changed: int

    def as_decided(self, *, is_sent: bool, stop_tries: int) -> LastTrade:
        return LastTrade(state=self.state, reopen=self.reopen, due=self.due, until=self.until, retry_at=self.retry_at,
                         is_sent=is_sent, take_profit=float(self.take_profit or 0),
                         stop_loss=float(self.stop_loss or 0), closing=self.closing, stop_tries=stop_tries,
                         closed_at=self.exit_time or 0, is_last=self.is_last)


@dataclass(frozen=True, kw_only=True)
class Intended:
    """A row of `orders`. `sent` is the wall's time in seconds, the only one that passes where a clock stands."""

    client_id: str
    trade: int
    part: str
    attempt: int
    symbol: str
    side: Side
    quantity: Decimal | None
    trigger: Decimal | None
    status: str
    order_id: str | None
    algo_id: str | None
    created: int
    changed: int
    sent: float
    note: str | None

    @property
    def is_open_ended(self) -> bool:
        """Whether nobody knows yet what became of it."""
        return self.status in (INTENDED, UNKNOWN)

    @property
    def is_spent(self) -> bool:
        """Whether the exchange took or refused it; the next order of its part needs another id."""
        return self.status not in (INTENDED, UNKNOWN, ABSENT)


def made(kind: type[Row], row: sqlite3.Row) -> Row:
    """A row of the journal as a value of `kind`."""
    return kind(**{name: None if row[name] is None else make(row[name]) for name, make in _makers(kind)})    # type: ignore[arg-type]


@cache
def _makers(kind: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """How each column of a row becomes the value that its field is of."""
    hints = get_type_hints(kind)
    wanted = {each.name: {hints[each.name], *get_args(hints[each.name])} for each in fields(kind)}
    return tuple((name, next((make for make in MADE if make in types), _as_it_is)) for name, types in wanted.items())


def _as_it_is(value: Any) -> Any:
    return value



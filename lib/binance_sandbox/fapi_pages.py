"""What lists of `/fapi` still show, and which page of it. Source: BINANCE.md sections 7.1 and 13 (points 24, 25)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from .clock import DAY
from .errors import WireError
from .wire import Call

UNSEEN_AFTER_DAYS, FORGOTTEN_AFTER_DAYS = 3, 90    # without a fill; any
UNDER_WAY = ("NEW", "PARTIALLY_FILLED", "TRIGGERING")


class Listed(Protocol):
    """An order of either kind."""

    id: int
    status: str
    updated: int

    @property
    def placed(self) -> int: ...
    @property
    def lost(self) -> bool: ...


Row = TypeVar("Row", bound=Listed)


def visible(order: Listed, call: Call) -> bool:
    """What ended without a fill: three days; anything: ninety. A stale answer does not know it yet."""
    days, since = (UNSEEN_AFTER_DAYS, order.updated) if order.lost else (FORGOTTEN_AFTER_DAYS, order.placed)
    return order.placed <= call.seen and (order.status in UNDER_WAY or call.now - since <= days * DAY)


def page(call: Call, orders: Sequence[Row], first: str) -> Sequence[Row]:
    """Of orders ascending by id those from the id `first` on, else the first or the newest of the week asked for."""
    limit, since = call.limit(500, 1000), call.integer(first)
    if since is not None:
        return [order for order in orders if order.id >= since][:limit]
    start, end = week(call)
    within = [order for order in orders if start <= order.placed <= end]
    return within[:limit] if call.params.get("startTime") else within[-limit:]


def rules_window(days: int) -> WireError:
    """The error for a span longer than `days`."""
    return WireError(-4165, f"Maximum time interval is {days} days.")


def week(call: Call) -> tuple[int, int]:
    """startTime and endTime, at most seven days apart; one of them alone stands for the week that it begins or ends."""
    start, end = call.integer("startTime"), call.integer("endTime")
    if start is not None and end is None:
        end = min(call.now, start + 7 * DAY)
    last = call.now if end is None else end
    first = last - 7 * DAY if start is None else start
    if last - first > 7 * DAY:
        raise rules_window(7)
    return first, last

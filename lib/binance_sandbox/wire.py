"""What an endpoint gets (`Call`) and how its answer is written. Parameters: BINANCE.md section 2.1."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import Response

from .accounts import Account
from .clock import DAY
from .errors import WireError, illegal_characters, invalid_value, key_rejected, mandatory
from .faults import Fault
from .ledger import Holdings
from .market import Market
from .state import State

JSON_TYPE = "application/json;charset=UTF-8"
WHOLE_NUMBER = "^[0-9]{1,20}$"
MICROSECONDS_FROM = 10**14    # a time that large was not meant as ms
WORTH_ZIPPING = 1000          # bytes


@dataclass
class Call:
    """One request to an endpoint: its parameters, the account behind its key, and the moment it counts for.

    fault   one that is left to the endpoint (`faults.ENGINE`)
    headers of the answer; an endpoint may add some
    unit    of the times in the answer, per ms: 1, or 1000 where spot was asked for microseconds
    """

    state: State
    path: str
    params: dict[str, str]
    now: int
    caller: Account | None = None    # None on endpoints that ask for no signature
    fault: Fault | None = None
    headers: dict[str, str] = field(default_factory=dict)
    unit: int = 1
    stale_ms: int = 0

    @property
    def market(self) -> Market:
        return self.state.market

    @property
    def seen(self) -> int:
        """The last moment that the answer may know of: now, unless a fault makes it stale."""
        return self.now - self.stale_ms

    @property
    def account(self) -> Account:
        if self.caller is None:
            raise key_rejected()
        return self.caller

    @property
    def holdings(self) -> Holdings:
        return self.state.ledger.holdings(self.account.name, self.seen)

    def count_order(self, product: str = "futures", counts: tuple[int, int] = (1, 1)) -> None:
        """Book `counts` new orders on the shorter and the longer counter. Raises -1015 where one is full."""
        clock, uid = self.state.clock.for_limits(), str(self.account.uid)
        self.headers |= self.state.limits.count_order(product, uid, counts, clock)

    def stamp(self, time: int) -> int:
        """A time of the answer in the unit that was asked for."""
        return time * self.unit

    def text(self, name: str) -> str:
        """A mandatory parameter."""
        if not self.params.get(name):
            raise mandatory(name)
        return self.params[name]

    def integer(self, name: str, default: int | None = None) -> int | None:
        value = self.params.get(name)
        if not value:
            return default
        if not value.isdecimal() or len(value) > 20:
            raise illegal_characters(name, WHOLE_NUMBER)
        return int(value)

    def moment(self, name: str) -> int | None:
        """A time in ms; microseconds are understood."""
        value = self.integer(name)
        return value // 1000 if value is not None and value >= MICROSECONDS_FROM else value

    def limit(self, default: int, most: int, name: str = "limit") -> int:
        """A page size; more than `most` is cut to it."""
        value = self.integer(name, default) or 0
        if value < 1:
            raise invalid_value(name)
        return min(value, most)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.params.get(name)
        if not value:
            return default
        if value.lower() not in ("true", "false"):
            raise illegal_characters(name, "^(true|false)$")
        return value.lower() == "true"

    def page(self, rows: list[Any], default: int, most: int, *, size: str = "size", current: str = "current",
             ) -> list[Any]:
        """The page of `rows` that `current` (from 1) and `size` name."""
        length, number = self.limit(default, most, size), self.limit(1, 10**9, current)
        return rows[(number - 1) * length:number * length]

    def window(self, days: int, error: WireError, *, including: bool = False, default: int | None = None,
               names: tuple[str, str] = ("startTime", "endTime")) -> tuple[int, int]:
        """startTime and endTime, by default the last `days`; `error` when they lie further apart.

        including  whether a span of exactly `days` is still allowed
        default    days without a start, where they are fewer than `days`
        """
        start, end = self.moment(names[0]), self.moment(names[1])
        last = self.now if end is None else min(end, max(self.now, start or 0))    # nothing happened after now
        back = (default if default is not None else days) * DAY
        first = last - back + (0 if including else 1) if start is None else start
        if last - first > days * DAY or (last - first == days * DAY and not including):
            raise error
        return first, last


def parameters(query: bytes, body: bytes) -> dict[str, str]:
    """The parameters of query and body; on a duplicate key the query wins."""
    sent = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True) if body else []
    sent += parse_qsl(query.decode("ascii", "replace"), keep_blank_values=True) if query else []
    return dict(sent)


def encode(content: Any) -> bytes:
    """JSON as Binance writes it, in bytes."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def reply(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer with JSON."""
    return Response(encode(content), status, headers, JSON_TYPE)


def error_reply(error: WireError, headers: dict[str, str] | None = None) -> Response:
    """An error as Binance words it."""
    return reply({"code": error.code, "msg": error.msg}, error.status, {**(headers or {}), **error.headers})


def zipped(response: Response) -> Response:
    """The same answer, compressed where that pays; the same bytes for the same answer."""
    body = bytes(response.body)
    if len(body) >= WORTH_ZIPPING:
        response.body = gzip.compress(body, 1, mtime=0)
        response.headers["content-length"] = str(len(response.body))
        response.headers["content-encoding"] = "gzip"
    response.headers["vary"] = "Accept-Encoding"
    return response

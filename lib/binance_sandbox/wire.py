"""What an endpoint gets (`Call`) and how its answer is written. Parameters: BINANCE.md section 2.1."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import Response

from .accounts import Account
from .clock import DAY
from .errors import WireError, illegal_characters, invalid_value, key_rejected, mandatory
from .ledger import Holdings
from .market import Market
from .state import State

JSON_TYPE = "application/json;charset=UTF-8"
WHOLE_NUMBER = "^[0-9]{1,20}$"


@dataclass
class Call:
    """One request to an endpoint: its parameters, the account behind its key, and the moment it counts for."""

    state: State
    path: str
    params: dict[str, str]
    now: int
    caller: Account | None = None    # None on endpoints that ask for no signature

    @property
    def market(self) -> Market:
        return self.state.market

    @property
    def account(self) -> Account:
        if self.caller is None:
            raise key_rejected()
        return self.caller

    @property
    def holdings(self) -> Holdings:
        return self.state.ledger.holdings(self.account.name, self.now)

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

    def window(self, days: int, error: WireError, *, including: bool = False) -> tuple[int, int]:
        """startTime and endTime, by default the last `days`; `error` when they lie further apart.

        including  whether a span of exactly `days` is still allowed
        """
        start, end = self.integer("startTime"), self.integer("endTime")
        last = self.now if end is None else end
        first = last - days * DAY + (0 if including else 1) if start is None else start
        if last - first > days * DAY or (last - first == days * DAY and not including):
            raise error
        return first, last


def parameters(query: bytes, body: bytes) -> dict[str, str]:
    """The parameters of query and body; on a duplicate key the query wins."""
    sent = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True) if body else []
    sent += parse_qsl(query.decode("ascii", "replace"), keep_blank_values=True) if query else []
    return dict(sent)


def encode(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def reply(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(content), status, headers, JSON_TYPE)


def error_reply(error: WireError, headers: dict[str, str] | None = None) -> Response:
    return reply({"code": error.code, "msg": error.msg}, error.status, headers)

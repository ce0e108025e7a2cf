"""Trouble on demand: what `POST /sandbox/faults` queues and which request meets it.

The list is that of BINANCE.md section 13; a fault whose mode is one of `ENGINE` is left to the endpoint, which
finds it as `call.fault`.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .errors import BadInput
from .fields import Fields
from .texts import STATUSES, TEXTS, UNAVAILABLE, UNKNOWN_OUTCOME

ENGINE = ("partial", "expire", "reject", "unpriced")
MODES = ("error", "html", "truncated", "drop", "delay", "stale", "meanwhile", "unavailable", "unknown", "throttled",
         *ENGINE)
METHODS = ("GET", "POST", "PUT", "DELETE")
LAST_STATUS, BODILESS = 599, (204, 205, 304)
CODES = {401: -2015, 418: -1003, 429: -1003}         # of a status that names none
RETRY_AFTER = {429: 1, 418: 120}                     # seconds, unless the fault says otherwise
BY_MODE = {"html": 403, "unavailable": 503, "unknown": 503, "throttled": 503}
STALE_MS = 2000
FOREVER = 1 << 62


@dataclass(kw_only=True)
class Fault:
    """Meets the next `count` requests for `path`, after letting the first `skip` of them pass.

    path         exact, or a beginning that ends in `*`; method narrows it
    mode         error: status and code in place of the answer; with `executed` the request is carried out first.
                 html: status and a page. truncated: half of the answer. drop: the connection ends, by default after
                 the request was carried out. delay: nothing but `delay_ms`. unavailable, unknown, throttled: the three
                 503s of futures. stale: the answer does not know yet what happened in the last `stale_ms`.
                 meanwhile: somebody else makes `call` with `params` first. partial, expire (both with the share
                 `fraction` filled), reject: the order engine does so. unpriced: a filled order's avgPrice is 0.
    probability  of meeting a request at all; drawn from the sandbox's seed
    """

    path: str
    mode: str
    method: str | None = None
    status: int = 400
    code: int = -1000
    msg: str = ""
    count: int = 1
    skip: int = 0
    probability: float = 1.0
    delay_ms: int = 0
    retry_after: int | None = None
    executed: bool = False
    stale_ms: int = STALE_MS
    fraction: str = "0.5"
    call: str | None = None
    account: str | None = None    # who makes `call`; none: the one whose request it is
    params: dict[str, Any] | None = None

    def meets(self, method: str, path: str) -> bool:
        if self.method not in (None, method):
            return False
        return path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path


def read_fault(fields: Fields, calls: Collection[str], accounts: Collection[str]) -> Fault:
    """The fault that a control call describes; raises `BadInput`.

    calls     what `meanwhile` can call, such as "POST /fapi/v1/positionSide/dual"
    """
    path = fields.text("path")
    if not path.startswith(("/", "*")):
        raise BadInput("path", f"expected a path such as /api/v3/account or /sapi/*, got {path!r}")
    delay = fields.integer("delay_ms", 0)
    given = "status" in fields or "code" in fields
    mode = fields.choice("mode", MODES, "error" if given or not delay else "delay")
    if mode == "error" and not given:
        raise BadInput("status", "is missing: give a status, a code, a delay_ms or a mode")
    probability = _probability(fields)
    method = fields.choice("method", METHODS) if "method" in fields else None
    fault = Fault(path=path, mode=mode, delay_ms=delay, method=method,
                  count=fields.integer("count", 1 if probability == 1 else FOREVER, least=1),
                  skip=fields.integer("skip", 0), probability=probability,
                  executed=fields.flag("executed", default=mode == "drop"),
                  stale_ms=fields.integer("stale_ms", STALE_MS), fraction=_fraction(fields))
    _read_answer(fields, fault)
    _read_meanwhile(fields, fault, calls, accounts)
    fields.done()
    return fault


def _read_answer(fields: Fields, fault: Fault) -> None:
    """Status, code, msg and Retry-After of what is answered in place."""
    code = fields.integer("code", -1008 if fault.mode == "throttled" else 0, least=-100_000)
    busy = 503 if code == -1008 and fault.path.startswith("/fapi") else 400
    fault.status = fields.integer("status", BY_MODE.get(fault.mode, STATUSES.get(code, busy)), least=200)
    if fault.status > LAST_STATUS or fault.status in BODILESS:
        raise fields.wrong("status", f"{fault.status} is no status that an answer with a text can have")
    fault.code = code or CODES.get(fault.status, -1000)
    text = {"unavailable": UNAVAILABLE, "unknown": UNKNOWN_OUTCOME}.get(fault.mode) or TEXTS.get(fault.code)
    if fault.code == -1008 and not fault.path.startswith("/fapi"):
        text = "Server is currently overloaded with other requests. Please try again in a few minutes."
    fault.msg = fields.text("msg", text or "Rehearsed by /sandbox/faults.")
    retry_after = fields.integer("retry_after", RETRY_AFTER.get(fault.status, -1), least=-1)
    fault.retry_after = None if retry_after < 0 else retry_after


def _read_meanwhile(fields: Fields, fault: Fault, calls: Collection[str], accounts: Collection[str]) -> None:
    if fault.mode != "meanwhile":
        return
    fault.call, fault.account = fields.text("call"), fields.optional_text("account")
    if fault.call not in calls:
        expected = "one of the exchange's or the control surface's, such as 'POST /fapi/v1/positionSide/dual'"
        raise fields.wrong("call", f"expected {expected}, got {fault.call!r}")
    if fault.account is not None and fault.account not in accounts:
        raise fields.wrong("account", f"there is no account {fault.account!r}")
    params = fields.take("params")
    if params is not None and not isinstance(params, dict):
        raise fields.wrong("params", "expected a table of keys and values")
    fault.params = {key: str(value) if isinstance(value, Decimal) else value for key, value in (params or {}).items()}


def _probability(fields: Fields) -> float:
    given = "probability" in fields
    value = float(fields.amount("probability")) if given else 1.0
    if not 0 < value <= 1:
        raise fields.wrong("probability", f"expected a number above 0 and up to 1, got {value}")
    return value


def _fraction(fields: Fields) -> str:
    value = fields.amount("fraction", Decimal("0.5"))
    if value >= 1:
        raise fields.wrong("fraction", f"expected a share below 1, got {value}")
    return f"{value.normalize():f}"


class Faults:
    """The queue; of several that meet a request the oldest goes first."""

    def __init__(self, seed: int = 1) -> None:
        self.queue: list[Fault] = []
        self._chance = random.Random(seed)    # noqa: S311  (rehearsed bad luck, no secret)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets; it is used up by that."""
        for fault in self.queue:
            if not fault.meets(method, path):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.probability < 1 and self._chance.random() >= fault.probability:
                continue
            fault.count -= 1
            if not fault.count:
                self.queue.remove(fault)
            return fault
        return None

"""Trouble on demand: what `POST /sandbox/faults` queues and which request meets it."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BadInput
from .fields import Fields

MODES = ("error", "html", "truncated", "drop", "delay")
MESSAGES = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1003: "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please use WebSocket "
           "Streams for live updates to avoid polling the API.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
}
CODES = {401: -2015, 418: -1003, 429: -1003}         # of a status that names none
STATUSES = {-1003: 429, -2014: 401, -2015: 401}      # of a code that names none
RETRY_AFTER = {429: 1, 418: 120}                     # seconds, unless the fault says otherwise


@dataclass(kw_only=True)
class Fault:
    """Meets the next `count` requests for `path`.

    path   exact, or a beginning that ends in `*`
    mode   error: status and code in place of the answer. html: status and a page. truncated: half of the answer.
           drop: the request is carried out, its answer never arrives. delay: nothing but `delay_ms`.
    """

    path: str
    mode: str
    status: int
    code: int
    msg: str
    count: int
    delay_ms: int
    retry_after: int | None

    def meets(self, path: str) -> bool:
        return path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path


def read_fault(fields: Fields) -> Fault:
    """The fault that a control call describes; raises `BadInput`."""
    path = fields.text("path")
    if not path.startswith(("/", "*")):
        raise BadInput("path", f"expected a path such as /api/v3/account or /sapi/*, got {path!r}")
    delay = fields.integer("delay_ms", 0)
    given = "status" in fields or "code" in fields
    mode = fields.choice("mode", MODES, "error" if given or not delay else "delay")
    if mode == "error" and not given:
        raise BadInput("status", "is missing: give a status, a code, a delay_ms or a mode")
    code = fields.integer("code", 0, least=-100_000)
    status = fields.integer("status", STATUSES.get(code, 403 if mode == "html" else 400), least=200)
    code = code or CODES.get(status, -1000)
    msg = fields.text("msg", MESSAGES.get(code, "Rehearsed by /sandbox/faults."))
    retry_after = fields.integer("retry_after", RETRY_AFTER.get(status, -1), least=-1)
    count = fields.integer("count", 1, least=1)
    fields.done()
    return Fault(path=path, mode=mode, status=status, code=code, msg=msg, count=count, delay_ms=delay,
                 retry_after=None if retry_after < 0 else retry_after)


class Faults:
    """The queue; of several that meet a request the oldest goes first."""

    def __init__(self) -> None:
        self.queue: list[Fault] = []

    def take(self, path: str) -> Fault | None:
        for fault in self.queue:
            if fault.meets(path):
                fault.count -= 1
                if not fault.count:
                    self.queue.remove(fault)
                return fault
        return None

"""Turn an endpoint (a function of a `Call`) into what Starlette serves: faults, weight, signature, log, errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .accounts import Account
from .auth import account_of, authenticate
from .errors import BadInput, WireError
from .faults import ENGINE, Fault
from .fields import Fields
from .limits import Pool
from .state import LoggedRequest, State
from .wire import Call, error_reply, parameters, reply, zipped

Endpoint = Callable[[Call], Any]
Weight = int | Callable[[dict[str, str]], int]
Served = Callable[[Request], Awaitable[Response]]

KEY_ALONE = "key"    # a guard: the header is enough
PAGE = "<html><head><title>{0} Forbidden</title></head><body><h1>{0} Forbidden</h1></body></html>"
INSTEAD = ("error", "html", "unavailable", "unknown", "throttled")    # modes that answer in place of the endpoint


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: bytes
    body: bytes
    key: str | None
    address: str
    unit: int


def served(state: State, endpoint: Endpoint, pool: Pool, weight: Weight, *, guard: str | None) -> Served:
    """Serve `endpoint` for `state`.

    guard  None: anybody. `KEY_ALONE`: whoever sends a known key. Else the right that the signing key must have.
    """
    async def serve(request: Request) -> Response:
        asked = await _asked(request)
        fault = state.faults.take(asked.method, asked.path)
        if fault and fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        call = Call(state, asked.path, parameters(asked.query, asked.body), state.clock.now(), unit=asked.unit)
        state.futures.advance(call.now)
        cost = weight if isinstance(weight, int) else weight(call.params)
        call.headers, refusal = state.limits.spend(pool, f"{asked.method} {asked.path}", asked.address, asked.key or "",
                                                   cost, state.clock.for_limits())
        response = error_reply(refusal, call.headers) if refusal else answer(call, endpoint, asked, guard, fault)
        state.requests.append(LoggedRequest(asked.method, asked.path, cost, response.status_code, call.now))
        return zipped(response) if _may_zip(request, fault) else response

    return serve


async def _asked(request: Request) -> Asked:
    scope = request.scope
    in_microseconds = request.headers.get("x-mbx-time-unit", "").upper() == "MICROSECOND"
    return Asked(scope["method"], scope["path"], scope["query_string"], await request.body(),
                 request.headers.get("x-mbx-apikey"), scope["client"][0] if scope["client"] else "",
                 1000 if in_microseconds and scope["path"].startswith("/api/") else 1)


def _may_zip(request: Request, fault: Fault | None) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "") and (fault is None or fault.mode != "truncated")


def answer(call: Call, endpoint: Endpoint, asked: Asked, guard: str | None, fault: Fault | None) -> Response:
    """What the endpoint says, or the first error; and what a fault makes of it."""
    if fault and not fault.executed and fault.mode in (*INSTEAD, "drop"):
        return Dropped() if fault.mode == "drop" else in_place(fault, call.headers)
    try:
        call.caller = _caller(call, asked, guard)
        if fault:
            prepare(call, fault)
        response = reply(endpoint(call), headers=call.headers)
    except WireError as error:
        response = error_reply(error, call.headers)
    if fault is None:
        return response
    return in_place(fault, call.headers) if fault.mode in INSTEAD else spoilt(response, fault)


def _caller(call: Call, asked: Asked, guard: str | None) -> Account | None:
    state = call.state
    if guard is None:
        return None
    if guard == KEY_ALONE:
        return account_of(state.ledger, asked.key)
    return authenticate(state.ledger, state.clock, asked.key, asked.query, asked.body, call.params, guard)


# -- faults ----------------------------------------------------------------------------------------------------
def prepare(call: Call, fault: Fault) -> None:
    """What a fault does before the endpoint is asked."""
    if fault.mode == "stale":
        call.stale_ms = fault.stale_ms
    elif fault.mode == "meanwhile":
        meanwhile(call, fault)
    elif fault.mode in ENGINE:
        call.fault = fault


def meanwhile(call: Call, fault: Fault) -> None:
    """Somebody else is quicker: their call is carried out first. The log shows it, and whether it worked."""
    assert fault.call is not None
    state, params = call.state, fault.params or {}
    method, _, path = fault.call.partition(" ")
    caller = state.ledger.accounts[fault.account] if fault.account else call.caller
    status = 200
    try:
        if path.startswith("/sandbox/"):
            state.calls[fault.call](state, Fields(params))
        else:
            texts = {key: str(value).lower() if isinstance(value, bool) else str(value)
                     for key, value in params.items()}
            state.calls[fault.call](Call(state, path, texts, call.now, caller))
    except (WireError, BadInput) as error:
        status = error.status if isinstance(error, WireError) else 400
    state.requests.append(LoggedRequest(method, path, 0, status, call.now))


def in_place(fault: Fault, headers: dict[str, str]) -> Response:
    """What a fault answers instead of the endpoint."""
    if fault.retry_after is not None:
        headers = {**headers, "Retry-After": str(fault.retry_after)}
    if fault.mode == "html":
        return Response(PAGE.format(fault.status), fault.status, headers, "text/html")
    return reply({"code": fault.code, "msg": fault.msg}, fault.status, headers)


class Dropped(Response):
    """Closes the connection where an answer was due."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["transport"].abort()    # put there by `server._Protocol`
        while (await receive())["type"] != "http.disconnect":
            pass


def spoilt(response: Response, fault: Fault) -> Response:
    """An answer cut in half, or none at all, after the request was carried out."""
    if fault.mode == "truncated":
        half = bytes(response.body)[:len(response.body) // 2]
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return Response(half, response.status_code, headers)
    return Dropped() if fault.mode == "drop" else response

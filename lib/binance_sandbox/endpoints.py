"""Turn an endpoint (a function of a `Call`) into what Starlette serves: faults, weight, signature, log, errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .auth import authenticate
from .errors import WireError
from .faults import Fault
from .limits import Pool
from .state import LoggedRequest, State
from .wire import Call, error_reply, parameters, reply

Endpoint = Callable[[Call], Any]
Weight = int | Callable[[dict[str, str]], int]
Served = Callable[[Request], Awaitable[Response]]

PAGE = "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"


def served(state: State, endpoint: Endpoint, pool: Pool, weight: Weight, *, signed: bool) -> Served:
    """Serve `endpoint` for `state`."""

    async def serve(request: Request) -> Response:
        path = request.scope["path"]
        fault = state.faults.take(path)
        if fault and fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        body = await request.body()
        query: bytes = request.scope["query_string"]
        call = Call(state, path, parameters(query, body), state.clock.now())
        cost = weight if isinstance(weight, int) else weight(call.params)
        key = request.headers.get("x-mbx-apikey")
        headers = state.limits.spend(pool, path, key or "", cost, state.clock.for_limits())
        response = None if fault is None else in_place(fault, headers)
        if response is None:
            response = answer(call, endpoint, headers, (key, query, body) if signed else None)
        if fault:
            response = spoilt(response, fault)
        state.requests.append(LoggedRequest(request.method, path, cost, response.status_code, call.now))
        return response

    return serve


def answer(call: Call, endpoint: Endpoint, headers: dict[str, str],
           signature: tuple[str | None, bytes, bytes] | None) -> Response:
    """What the endpoint says, or the first error. `signature` is key, query and body as sent."""
    try:
        if signature:
            key, query, body = signature
            call.caller = authenticate(call.state.ledger, call.state.clock, key, query, body, call.params)
        return reply(endpoint(call), headers=headers)
    except WireError as error:
        return error_reply(error, headers)


def in_place(fault: Fault, headers: dict[str, str]) -> Response | None:
    """What a fault answers instead of the endpoint; None when the endpoint is to be asked."""
    if fault.retry_after is not None:
        headers = {**headers, "Retry-After": str(fault.retry_after)}
    if fault.mode == "error":
        return reply({"code": fault.code, "msg": fault.msg}, fault.status, headers)
    if fault.mode == "html":
        return Response(PAGE, fault.status, headers, "text/html")
    return None


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


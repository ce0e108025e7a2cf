"""Keep web pages out: a page in somebody's browser may send requests to this machine, too.

Programs send no `Origin`, browsers do where a page asks another site. And on a loopback address only names of
this machine are answered to, for a page may let its own name lead here (DNS rebinding).
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Guard:
    """ASGI middleware that answers 403 to what a web page sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (reason := refusal(Headers(scope=scope), (scope.get("server") or ("",))[0])):
            await JSONResponse({"error": reason, "key": "Host"}, 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def refusal(headers: Headers, server: str) -> str | None:
    """Why a request that came in at the address `server` is not answered; None: it is."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return f"A web page of {origin} has no business here."
    if _is_loopback(server) and not _is_loopback(_name(host)):
        return f"{host} is no name of this machine; ask for 127.0.0.1."
    return None


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False

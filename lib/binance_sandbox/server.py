"""Run the app on a socket: one line when it is ready, a clean end on Ctrl-C, SIGTERM or a parent's death."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from ipaddress import ip_address

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from .errors import SandboxError

IDLE_SECONDS = 75    # keep-alive; longer than clients keep a connection, so that they close it, not we


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; raises `SandboxError` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only on sockets that say they are TCP; with it every answer takes 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise SandboxError(f"Cannot listen on {host}:{port} ({reason}); stop what uses that port or choose another "
                           "with --port (0 takes a free one).") from None
    return listener


def config(app: Starlette) -> uvicorn.Config:
    """How uvicorn serves `app`: silently, and able to hang up."""
    return uvicorn.Config(app, http=_Protocol, log_config=None, access_log=False, lifespan="off",
                          timeout_keep_alive=IDLE_SECONDS, timeout_graceful_shutdown=1)


def run(app: Starlette, listener: socket.socket, *, with_parent: bool) -> None:
    """Serve until told to stop. with_parent: end of stdin is such a word."""
    server = _Server(config(app))
    if with_parent:
        threading.Thread(target=_watch_stdin, args=(server,), daemon=True).start()
    server.run(sockets=[listener])


class _Protocol(H11Protocol):
    """Hands the connection to the app, since ASGI has no word for hanging up (`endpoints.Dropped`)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets and self.started:
            host, port = sockets[0].getsockname()[:2]
            whom = " (this machine only)" if ip_address(host).is_loopback else " (open to the network)"
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            print(f"binance_sandbox{whom} listening on {url}", flush=True)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """End cleanly, with exit code 0; uvicorn would raise the signal again."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield


def _watch_stdin(server: uvicorn.Server) -> None:
    with suppress(OSError):    # closed before we started: over as well
        while os.read(0, 65_536):    # not sys.stdin: its lock could not be taken at interpreter shutdown
            pass
    server.should_exit = True

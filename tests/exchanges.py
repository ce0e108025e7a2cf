"""Exchanges for the tests of navbook.exchange: the local Binance, one for a module, and servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import Any, TypeVar

from pydantic import SecretStr

from connections import Connection
from navbook.exchange import client
from navbook.exchange.client import Exchange
from navbook.runner.sandbox import Sandbox, World, started
from navbook.settings import Keys
from navbook.types import Environment

START = datetime(2026, 6, 1, tzinfo=UTC)
T = TypeVar("T")
NAMES = count(1)    # of accounts: every test has its own


def milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def keys_of(name: str, secret: str | None = None) -> Keys:
    return Keys(api_key=SecretStr(f"key-of-{name}".ljust(64, "k")), api_secret=SecretStr(secret or f"secret-of-{name}".ljust(64, "s")))


def talk(url: str, conversation: Callable[[Exchange], Coroutine[Any, Any, T]], keys: Keys | None = None) -> T:
    """Run `conversation` on an exchange at `url`, connected for it alone; nothing may go on after it."""
    async def whole() -> T:
        async with client.connect(Environment.SANDBOX, url, keys) as exchange:
            if keys:
                await exchange.synchronise()
            answer = await conversation(exchange)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"still running: {left}"
            return answer

    return asyncio.run(whole())


@dataclass
class LocalBinance:
    """The local Binance over its control surface, which is asked over one connection."""

    server: Sandbox
    asked_before: int = 0
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = Connection(self.url.removeprefix("http://"), timeout=30)

    @property
    def url(self) -> str:
        return self.server.url

    def control(self, method: str, name: str, /, **content: Any) -> Any:
        self.connection.request(method, f"/sandbox/{name}", json.dumps(content) if content else None)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer

    def fresh(self) -> None:
        """As at the start, for the next test: the clock, no faults, nothing asked."""
        self.control("DELETE", "faults")
        self.clock(START)
        self.asked_before = len(self.control("GET", "requests"))

    def clock(self, time: datetime) -> None:
        self.control("POST", "clock", now=milliseconds(time))

    def account(self, balances: dict[str, dict[str, str]] | None = None, **more: Any) -> str:
        """A new account that a key may read; its name."""
        name = f"account{next(NAMES)}"
        keys = keys_of(name)
        self.control("POST", "accounts", **{
            "name": name, "api_key": keys.api_key.get_secret_value(), "api_secret": keys.api_secret.get_secret_value(),
            "permissions": {"enableReading": True}, "balances": balances or {}, **more})
        return name

    def event(self, kind: str, account: str, time: datetime, **fields: Any) -> None:
        self.control("POST", "events", type=kind, account=account, time=milliseconds(time), **fields)

    def fault(self, path: str, **fault: Any) -> None:
        self.control("POST", "faults", path=path, **fault)

    def asked(self, path: str | None = None) -> list[str]:
        """The paths that this test asked for, in order; with `path`, those."""
        paths = [request["path"] for request in self.control("GET", "requests")[self.asked_before:]]
        return [found for found in paths if path in (None, found)]

    def talk(self, conversation: Callable[[Exchange], Coroutine[Any, Any, T]], account: str | None = None) -> T:
        return talk(self.url, conversation, keys_of(account) if account else None)


@contextmanager
def local_binance(start: datetime = START) -> Iterator[LocalBinance]:
    """An exchange without accounts, on generated prices, its clock standing still."""
    with started(World(start=start.isoformat(), scenario="")) as server:
        binance = LocalBinance(server)
        try:
            yield binance
        finally:
            binance.connection.close()


Canned = Callable[[str, dict[str, str]], tuple[int, bytes, dict[str, str]]]    # path with query, headers -> answer


@contextmanager
def canned(answer: Canned) -> Iterator[tuple[str, list[str]]]:
    """A web server that says what `answer` says; its address, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append(self.path.split("?")[0])
            status, body, headers = answer(self.path, dict(self.headers))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = reply

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join(10)


def by_path(answers: dict[str, object], time: datetime = START) -> Canned:
    """What `answers` say by path, at `time`: JSON, a status with JSON, or a function that is given the whole path."""
    def answer(path: str, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        said = {"/api/v3/time": {"serverTime": milliseconds(time)}, **answers}[path.split("?")[0]]
        said = said(path) if callable(said) else said
        status, body = said if isinstance(said, tuple) else (200, said)
        return status, json.dumps(body).encode(), {}

    return answer


def says(status: int, body: bytes = b"", **headers: str) -> Canned:
    """The same answer to everything."""
    return lambda path, sent: (status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def babbling(words: bytes) -> Iterator[str]:
    """A server that does not speak HTTP; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(words)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

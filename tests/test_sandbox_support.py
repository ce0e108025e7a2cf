"""Start a sandbox and talk to it over HTTP; the other test_sandbox modules use this."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from typing import Any
from urllib.parse import urlencode

import uvicorn

from binance_sandbox import server, world
from binance_sandbox.__main__ import parser
from binance_sandbox.app import create_app
from connections import Connection

START = 1_780_272_000_000    # 2026-06-01T00:00Z
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
KEYS = {"api_key": "k" * 64, "api_secret": "s" * 64}


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]
    raw: bytes


@dataclass
class Sandbox:
    """A running server and the connection to it."""

    url: str
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    state: Any = None    # what it is made of, where it runs in this process

    def __post_init__(self) -> None:
        self.connection = Connection(self.url.removeprefix("http://"), timeout=10)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        raw = response.read()
        kind = response.getheader("content-type", "")
        parsed = json.loads(raw) if kind.startswith("application/json") else raw.decode()
        return Answer(response.status, parsed, {name.lower(): value for name, value in response.getheaders()}, raw)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.ask("GET", f"{path}?{urlencode(params)}")
        assert answer.status == 200, answer.raw
        return answer.body

    def control(self, what: str, /, *, method: str = "POST", expect: int = 200, **content: Any) -> Any:
        answer = self.ask(method, f"/sandbox/{what}", json.dumps(content).encode())
        assert answer.status == expect, answer.raw
        return answer.body

    def account(self, name: str = "alice", **more: Any) -> dict[str, Any]:
        """A new account with keys that follow from its name."""
        keys = {"api_key": f"{name}key", "api_secret": f"{name}secret"}
        self.keys[name] = keys
        return self.control("accounts", **({"name": name, "balances": {}} | keys | more))

    def signed(self, path: str, name: str = "alice", method: str = "GET", **params: Any) -> Answer:
        keys = self.keys.get(name) or self._demo_keys(name)
        timestamp = params.pop("timestamp", None) or self.now
        query = urlencode({**params, "timestamp": timestamp})
        signature = digest(keys["api_secret"].encode(), query.encode(), sha256).hex()
        return self.ask(method, f"{path}?{query}&signature={signature}", headers={"X-MBX-APIKEY": keys["api_key"]})

    def read(self, path: str, name: str = "alice", method: str = "GET", **params: Any) -> Any:
        answer = self.signed(path, name, method, **params)
        assert answer.status == 200, answer.raw
        return answer.body

    def spot(self, name: str = "alice") -> dict[str, str]:
        balances = self.read("/api/v3/account", name, omitZeroBalances="true")["balances"]
        return {row["asset"]: row["free"] for row in balances}

    @property
    def now(self) -> int:
        return self.get("/api/v3/time")["serverTime"]

    def set_clock(self, now: int) -> None:
        self.control("clock", now=now)

    def _demo_keys(self, name: str) -> dict[str, str]:
        accounts = self.get("/sandbox/state")["accounts"]
        self.keys |= {row["name"]: {key: row[key] for key in ("api_key", "api_secret")} for row in accounts}
        return self.keys[name]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "binance_sandbox", *arguments]


@contextmanager
def running(*arguments: str, start: int | None = START) -> Iterator[Sandbox]:
    """A sandbox on a free port whose clock stands at `start`, served by a thread; it ends with the block."""
    options = parser().parse_args(arguments)
    state = world.build_state(world.Options(scenario=options.scenario, seed=options.seed, start=start,
                                            speed=options.speed, candles=options.candles,
                                            older_replies=options.older_replies))
    listener = server.bind("127.0.0.1", 0)
    serving = uvicorn.Server(server.config(create_app(state)))
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listener]})
    thread.start()
    sandbox = Sandbox(f"http://127.0.0.1:{listener.getsockname()[1]}", state=state)
    try:
        yield sandbox
    finally:
        sandbox.connection.close()
        serving.should_exit = True
        thread.join()


@contextmanager
def started(*arguments: str, start: int | None = START) -> Iterator[Sandbox]:
    """The same in a process of its own, as a person or navbook starts it."""
    given = [] if start is None else ["--start", datetime.fromtimestamp(start / 1000, UTC).isoformat()]
    process = subprocess.Popen(command("--port", "0", "--with-parent", *given, *arguments), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("binance_sandbox (this machine only) listening on "), line
        sandbox = Sandbox(line.split()[-1])
        yield sandbox
        sandbox.connection.close()
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()

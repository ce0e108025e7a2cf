"""The one place that starts the local Binance; from then on everything goes over HTTP.

Its world is kept in the store: scenario, seed, start and candle folder, so that the next command finds
the same exchange, at its present time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from navbook import schemas, settings, vault
from navbook.errors import ExchangeUnavailable, RequestRejected, SettingsInvalid, StoreMismatch
from navbook.runner import stores
from navbook.settings import Account, Settings
from navbook.store import tables
from navbook.types import Environment

HISTORY = timedelta(days=90)
GRID = timedelta(hours=4)
READY = "listening on "


@dataclass(frozen=True)
class World:
    """What a sandbox is a function of, besides its clock and its requests."""

    start: str                    # ISO time, UTC: the scenario's events count from here
    candles: str | None = None    # a folder of recorded 1m candles; none: the seeded generator
    seed: int = 1
    scenario: str = "demo"        # empty: no accounts

    def arguments(self) -> list[str]:
        folder = ["--candles", self.candles] if self.candles else []
        scenario = ["--scenario", self.scenario] if self.scenario else []
        return [*scenario, "--seed", str(self.seed), "--start", self.start, *folder]


def kept_world(config: Settings, candles: Path | None = None) -> World | None:
    """The world that the store remembers. Raises `StoreMismatch` when it is not made of `candles`."""
    meta = stores.claim(config)
    if meta.get("candles") == stores.IMPORTED:
        raise StoreMismatch(f"The store {config.location} holds imported candles; give a demo a store of its own: "
                            "NAVBOOK_STORE=FOLDER.")
    text = meta.get("world")
    world = World(**json.loads(text)) if text else None
    if world is None and not tables.read(config.location, schemas.ACCOUNTS).is_empty():
        raise StoreMismatch(f"The store {config.location} holds accounts of another sandbox; give the demo's a store "
                            "of their own: NAVBOOK_STORE=FOLDER.")
    if world and candles and world.candles != str(candles.resolve()):
        raise StoreMismatch(f"The store {config.location} holds a demo of {world.candles or 'generated prices'}; "
                            f"give the demo of {candles} a store of its own: NAVBOOK_STORE=FOLDER navbook demo …")
    return world


def keep(config: Settings, world: World) -> World:
    """Let the store remember `world`."""
    stores.write_meta(config, world=json.dumps(asdict(world)))
    return world


def new_world(now: datetime, candles: Path | None = None, first: datetime | None = None) -> World:
    """A world whose history begins 90 days before `now` on the four-hour grid, or with the `first` candle."""
    start = on_grid(now) - HISTORY
    if first is not None and first > start:
        start = on_grid(first + GRID - timedelta(minutes=1))
    return World(start=start.isoformat(), candles=str(candles.resolve()) if candles else None)


def on_grid(time: datetime) -> datetime:
    """The last multiple of four hours at or before `time`, UTC."""
    return datetime.fromtimestamp(time.timestamp() // GRID.total_seconds() * GRID.total_seconds(), UTC)


def _from_ms(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox, spoken to through its control surface."""

    url: str

    def control(self, method: str, name: str, /, **content: Any) -> Any:
        """One call of /sandbox/<name>. Raises `ExchangeUnavailable`."""
        return self._call(method, f"/sandbox/{name}", content)

    def _call(self, method: str, path: str, content: dict[str, Any]) -> Any:
        request = urllib.request.Request(self.url + path, method=method,    # noqa: S310  (a loopback address)
                                         data=json.dumps(content).encode() if content else None,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:    # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            raise RequestRejected(f"{method} {path}", problem.code, problem.read().decode(), problem.code) from None
        except (OSError, ValueError) as problem:
            raise ExchangeUnavailable(f"{method} {path} of {self.url}", str(problem)) from problem

    def last_minute(self) -> datetime:
        """The last minute that all recorded candle files share."""
        return _from_ms(self.control("GET", "state")["candles"]["last"])

    def first_minute(self, symbol: str) -> datetime:
        """The first recorded minute of `symbol`. Raises `SettingsInvalid` where there is none."""
        try:
            klines = self._call("GET", f"/api/v3/klines?symbol={symbol}&interval=1m&startTime=0&limit=1", {})
        except RequestRejected:
            raise SettingsInvalid(f"The demo needs candles of {symbol}; put {symbol}-1m*.parquet or .csv into the "
                                  "folder.") from None
        return _from_ms(klines[0][0])

    def set_clock(self, now: datetime) -> None:
        self.control("POST", "clock", now=int(now.timestamp() * 1000))

    def accounts(self) -> list[dict[str, Any]]:
        accounts: list[dict[str, Any]] = self.control("GET", "state")["accounts"]
        return accounts


@contextmanager
def started(world: World) -> Iterator[Sandbox]:
    """A sandbox of `world` on a free port of loopback; it ends with the block, or with this process."""
    command = [sys.executable, "-m", "binance_sandbox", "--port", "0", "--with-parent", *world.arguments()]
    with tempfile.TemporaryFile("w+") as complaints:    # a pipe that nobody empties would stop the server
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints,
                                   text=True, env=settings.without_secrets(os.environ))
        try:
            line = process.stdout.readline() if process.stdout else ""
            if READY not in line:
                complaints.seek(0)
                raise SettingsInvalid(complaints.read().strip() or "The sandbox did not start.")
            yield Sandbox(line.split(READY)[1].strip())
        finally:
            process.terminate()
            process.communicate(timeout=10)


@contextmanager
def for_command(config: Settings) -> Iterator[Settings]:
    """`config` as a command needs it: with a sandbox to talk to, where it names none.

    Accounts and keys that nobody set are the sandbox's own demo accounts; the keys are put into this
    process's environment, where `settings.keys` looks for them.
    """
    if config.environment is not Environment.SANDBOX:
        yield config
    elif config.sandbox_url:
        yield with_accounts_of(Sandbox(config.sandbox_url), config) if config.is_demo else config
    else:
        now = datetime.now(UTC)
        world = kept_world(config) or keep(config, new_world(now))
        with started(world) as sandbox:
            sandbox.set_clock(sandbox.last_minute() if world.candles else now)
            yield with_accounts_of(sandbox, config)


@contextmanager
def for_prices(config: Settings) -> Iterator[Settings]:
    """As `for_command`, for what asks no account; a store of imported candles needs no sandbox."""
    if config.environment is Environment.SANDBOX and not config.sandbox_url and (
            stores.read_meta(config).get("candles") != stores.IMPORTED):
        with for_command(config) as ready:
            yield ready
    else:
        yield config


def with_accounts_of(sandbox: Sandbox, config: Settings) -> Settings:
    """`config` with the sandbox's address and, in a demo, its accounts; keys that nobody set come from the sandbox."""
    present = {account["name"]: account for account in sandbox.accounts()}
    if config.is_demo and not present:
        raise SettingsInvalid(f"The sandbox at {sandbox.url} has no account; start it with --scenario demo, or add "
                              "accounts and write a navbook.toml.")
    accounts = ({name: Account(master=account.get("master")) for name, account in present.items()}
                if config.is_demo else config.accounts)
    kept = vault.kept(config)
    for name in accounts:
        variable = f"NAVBOOK_{settings.variable_of(name)}_API"
        if name in present and name not in kept and not any(known.startswith(f"{variable}_") for known in os.environ):
            os.environ[f"{variable}_KEY"] = present[name]["api_key"]
            os.environ[f"{variable}_SECRET"] = present[name]["api_secret"]
    return config.model_copy(update={"accounts": accounts, "sandbox_url": sandbox.url})

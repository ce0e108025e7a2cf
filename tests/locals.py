"""A local Binance for one test, its clock standing still, and a configuration that talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from navbook import schemas, settings
from navbook.runner import collecting, rebuild, sandbox
from navbook.store import tables
from navbook.trader import commands

START = datetime(2026, 3, 2, tzinfo=UTC)    # a Monday
READ_ONLY = {"enableReading": True}
TRADES = READ_ONLY | {"enableFutures": True}


def milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


@dataclass
class Local:
    """Speaks the control surface, and runs navbook's jobs in this process."""

    server: sandbox.Sandbox
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    sections: list[str] = field(default_factory=list)

    def account(self, name: str, balances: dict[str, dict[str, str]] | None = None, *, keys: bool = True,
                **more: object) -> None:
        """An account on the exchange and in navbook.toml; `keys` puts its keys into the environment."""
        self.server.control("POST", "accounts", **{
            "name": name, "api_key": f"key-of-{name}".ljust(64, "x"), "api_secret": f"secret-of-{name}".ljust(64, "x"),
            "permissions": READ_ONLY, "balances": balances or {}, **more})
        if keys:
            self.use_keys(name, f"key-of-{name}".ljust(64, "x"), f"secret-of-{name}".ljust(64, "x"))
        self.sections.append(f"[accounts.{name}]" + (f'\nmaster = "{more["master"]}"' if "master" in more else ""))

    def use_keys(self, name: str, key: str, secret: str) -> None:
        self.monkeypatch.setenv(f"NAVBOOK_{settings.variable_of(name)}_API_KEY", key)
        self.monkeypatch.setenv(f"NAVBOOK_{settings.variable_of(name)}_API_SECRET", secret)

    def prices(self, **prices: float | str) -> None:
        for symbol, price in prices.items():
            self.server.control("POST", "prices", symbol=symbol, price=str(price))

    def event(self, kind: str, account: str, time: datetime, **fields: object) -> None:
        self.server.control("POST", "events", type=kind, account=account, time=milliseconds(time),
                            **{name: milliseconds(value) if isinstance(value, datetime) else value
                               for name, value in fields.items()})

    def clock(self, time: datetime) -> None:
        self.server.set_clock(time)

    def fault(self, path: str, **fault: object) -> None:
        self.server.control("POST", "faults", path=path, **fault)

    def config(self, extra: str = '[benchmark]\nrebalance = "never"\n') -> settings.Settings:
        """What a user with this navbook.toml has."""
        file = self.folder / "navbook.toml"
        file.write_text(f'sandbox_url = "{self.server.url}"\n' + extra + "\n".join(self.sections), encoding="utf-8")
        return settings.load(file)

    def collect(self, time: datetime | None = None) -> dict[str, int]:
        """One `navbook collect --no-notebook`, at `time` where it is given."""
        if time:
            self.clock(time)
        return asyncio.run(collecting.collect(self.config()))

    def rebuild(self) -> dict[str, pl.DataFrame]:
        config = self.config()
        return {name: tables.read(config.location, schemas.DERIVED[name]) for name in rebuild.run(config)}

    def read(self, name: str) -> pl.DataFrame:
        schema = schemas.FACTS.get(name) or schemas.DERIVED[name]
        return tables.read(self.config().location, schema)


@contextmanager
def local_exchange(folder: Path, monkeypatch: pytest.MonkeyPatch, start: datetime = START) -> Iterator[Local]:
    """An exchange without accounts, on generated prices."""
    world = sandbox.World(start=start.isoformat(), scenario="")
    with sandbox.started(world) as server:
        yield Local(server, folder, monkeypatch)


@contextmanager
def traded(folder: Path, toml: str, since: str, until: str) -> Iterator[Local]:
    """An exchange on generated prices on which a trader has played the positions of `toml`; it goes on standing there."""
    with pytest.MonkeyPatch.context() as monkeypatch, local_exchange(folder, monkeypatch) as local:
        local.account("main", {"futures": {"USDT": "5000"}}, permissions=TRADES)
        commands.replay(local.config(toml), None, since, until, lambda line: None, lambda done, of: None)
        yield local

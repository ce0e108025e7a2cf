"""One request budget for all processes of this machine: Binance counts weight per address, not per program.

What is used in this minute, and until when the address may ask nothing (429, 418), stands in a small SQLite
database of the machine, so that a download, an hourly collection and the trader do not add up to a ban, and a ban
is not made longer by the next run. The exchange's own count, told with each answer, corrects ours. A download
leaves room to collections, these to trades. Source: BINANCE documentation, "LIMITS".
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from navbook.errors import ExchangeUnavailable
from navbook.types import Purpose

SHARE = {Purpose.TRADE: 1.0, Purpose.COLLECT: 0.95, Purpose.DOWNLOAD: 5 / 6}    # of a minute's weight
WEIGHTS = {"/api/v3/account": 20, "/api/v3/klines": 2, "/fapi/v1/klines": 5, "/fapi/v1/income": 30,
           "/dapi/v1/income": 20, "/fapi/v1/userTrades": 5, "/dapi/v1/userTrades": 20,
           "/sapi/v1/asset/wallet/balance": 60,
           "/sapi/v1/simple-earn/flexible/position": 150, "/sapi/v1/simple-earn/locked/position": 150}
USUAL = 5    # weight of any other: the answer tells the truth
# How often a minute one account may ask what weighs most (180 000 over the weight), or an address what is counted
# apart.
A_MINUTE = {"GET /sapi/v1/capital/withdraw/history": 10, "GET /sapi/v1/fiat/orders": 4, "GET /fapi/v1/fundingRate": 80}
MINUTE_S = 60.0
LONGEST_WAIT_S = 60    # a longer rest ends the run instead of holding it
UNTOLD_S = 120         # a ban without Retry-After: the shortest there is
LONGEST_BAN_S = 3 * 86_400
TABLES = """
    CREATE TABLE IF NOT EXISTS spent (host, pool, minute, told, under_way, PRIMARY KEY (host, pool, minute))
        WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS asked (host, who, endpoint, at);
    CREATE INDEX IF NOT EXISTS asked_of ON asked (host, who, endpoint, at);
    CREATE TABLE IF NOT EXISTS rests (host PRIMARY KEY, status, since, until) WITHOUT ROWID;
"""
_Run = Callable[[str, tuple[Any, ...]], list[Any]]


@dataclass(frozen=True)
class Pool:
    """What a request's weight counts against."""

    name: str
    a_minute: int
    header: str    # in which an answer tells how much is used


@dataclass(frozen=True)
class Turn:
    """A request that may be sent."""

    host: str
    path: str
    pool: Pool
    minute: int
    weight: int


def pool_of(path: str) -> Pool:
    """/api has one pool for each address, /fapi and /dapi share one, and below /sapi each path has its own."""
    if path.startswith("/sapi/"):
        return Pool(path, 12_000, "X-SAPI-USED-IP-WEIGHT-1M")
    if path.startswith(("/fapi/", "/dapi/", "/futures/")):
        return Pool("futures", 2400, "X-MBX-USED-WEIGHT-1M")
    return Pool("api", 6000, "X-MBX-USED-WEIGHT-1M")


class Budget:
    """The machine's budget as one key's client sees it."""

    def __init__(self, key: str, purpose: Purpose) -> None:
        self.who = sha256(key.encode()).hexdigest()[:16] if key else ""    # the key itself is never written
        self.by_itself = token_hex(8)
        self.purpose = purpose
        self.database = _opened()

    async def turn(self, endpoint: str, host: str, *, in_time: bool = True) -> Turn:
        """Wait until `endpoint` ("GET /api/v3/account") may be asked of `host`; what to give back to `answered`.

        in_time  the host's minutes are ours; a sandbox whose clock is moved forgets what was used, so there weights
                 are not counted, and what is asked so often a minute by each client for itself

        Raises `ExchangeUnavailable` while the address is banned or has to wait long: nothing is sent then.
        """
        while isinstance(found := self._try(endpoint, host, in_time), float):
            await asyncio.sleep(found)
        return found

    def answered(self, turn: Turn, status: int | None = None, headers: Mapping[str, str] | None = None) -> None:
        """What came back, None when nothing did: the exchange's count, and how long it wants to hear nothing."""
        told = (headers or {}).get(turn.pool.header, "")
        used = int(told) if told.isdecimal() else None
        with self._transaction() as run:
            run("UPDATE spent SET told = max(told, coalesce(?, told + ?)), under_way = max(0, under_way - ?) "
                "WHERE host = ? AND pool = ? AND minute = ?",
                (used, turn.weight, turn.weight, turn.host, turn.pool.name, turn.minute))
            if status in (418, 429):
                self._rest(run, turn.host, status, (headers or {}).get("Retry-After", ""))

    def close(self) -> None:
        self.database.close()

    def _try(self, endpoint: str, host: str, in_time: bool = True) -> Turn | float:
        """A turn, or the seconds to wait for one."""
        now, path = time.time(), endpoint.partition("?")[0].split(" ")[-1]
        pool, weight, minute = pool_of(path), WEIGHTS.get(path, USUAL), int(now // MINUTE_S)
        with self._transaction() as run:
            for status, left in run("SELECT status, until - ? FROM rests WHERE host = ? AND since <= ? AND until > ?",
                                    (now, host, now, now)):
                return _rested(endpoint, status, left, now)
            if left := self._left(run, endpoint.partition("?")[0], host, now, self.who if in_time else self.by_itself):
                return left
            if not in_time:
                return Turn(host, path, pool, minute, weight)
            run("INSERT OR IGNORE INTO spent VALUES (?, ?, ?, 0, 0)", (host, pool.name, minute))
            at = (host, pool.name, minute)
            (used,) = run("SELECT told + under_way FROM spent WHERE host = ? AND pool = ? AND minute = ?", at)[0]
            if used + weight > SHARE[self.purpose] * pool.a_minute:
                return (minute + 1) * MINUTE_S - now
            run("UPDATE spent SET under_way = under_way + ? WHERE host = ? AND pool = ? AND minute = ?", (weight, *at))
        return Turn(host, path, pool, minute, weight)

    def _left(self, run: _Run, endpoint: str, host: str, now: float, who: str) -> float:
        """Seconds until `who` may ask `endpoint` again; 0: now, which is noted."""
        most = A_MINUTE.get(endpoint)
        if most is None:
            return 0.0
        asker = (host, who, endpoint)
        times = run("SELECT at FROM asked WHERE host = ? AND who = ? AND endpoint = ? AND at > ? AND at <= ? "
                    "ORDER BY at", (*asker, now - MINUTE_S, now))
        if len(times) >= most:
            return max(0.001, float(times[-most][0]) + MINUTE_S - now)
        run("INSERT INTO asked VALUES (?, ?, ?, ?)", (*asker, now))
        return 0.0

    def _rest(self, run: _Run, host: str, status: int, told: str) -> None:
        if not told.isdecimal() and status == 429:
            return    # it does not say how long: the client's own back-off decides
        now = time.time()
        until = now + min(float(told) if told.isdecimal() else UNTOLD_S, LONGEST_BAN_S)
        run("INSERT INTO rests VALUES (?, ?, ?, ?) ON CONFLICT (host) DO UPDATE SET since = excluded.since, "
            "status = max(status, excluded.status), until = max(until, excluded.until)", (host, status, now, until))

    @contextmanager
    def _transaction(self) -> Iterator[_Run]:
        """All or nothing, one process at a time. A database that fails (a full disk) stops no reading."""
        try:
            self.database.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as problem:
            self._go_alone(problem)
            self.database.execute("BEGIN IMMEDIATE")
        try:
            yield lambda query, values: self.database.execute(query, values).fetchall()
            self.database.execute("COMMIT")
        except sqlite3.Error as problem:
            self._go_alone(problem)
        except BaseException:
            self.database.execute("ROLLBACK")
            raise

    def _go_alone(self, problem: sqlite3.Error) -> None:
        _unshared(problem)
        self.database.close()
        self.database = _database(":memory:")


def _rested(endpoint: str, status: int, left: float, now: float) -> float:
    if status != 418 and left <= LONGEST_WAIT_S:
        return max(left, 0.001)
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now + left))
    told = "this address is banned" if status == 418 else "this address has to wait"
    raise ExchangeUnavailable(endpoint, f"HTTP {status}: {told} until {until} UTC", left)


def place() -> Path:
    """The machine's database: XDG_STATE_HOME, else ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "navbook" / "requests.sqlite"


def _opened() -> sqlite3.Connection:
    """The machine's database; where the home cannot be written, one among the temporary files; else one of our own."""
    aside = Path(tempfile.gettempdir()) / f"navbook-{os.getuid()}" / "requests.sqlite"
    problem: Exception | None = None
    for file in (place(), aside):
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return _database(str(file))
        except sqlite3.DatabaseError as trouble:    # it holds a few minutes: a damaged one is no loss
            problem = trouble
            file.unlink(missing_ok=True)
        except OSError as trouble:
            problem = trouble
    _unshared(problem)
    return _database(":memory:")


def _database(name: str) -> sqlite3.Connection:
    database = sqlite3.connect(name, timeout=5, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(TABLES)
        now = time.time()
        database.execute("DELETE FROM spent WHERE minute < ?", (now // MINUTE_S - 5,))
        database.execute("DELETE FROM asked WHERE at < ?", (now - 5 * MINUTE_S,))
        database.execute("DELETE FROM rests WHERE until < ? OR since > ?", (now, now + LONGEST_BAN_S))
    except sqlite3.Error:
        database.close()
        raise
    return database


def _unshared(problem: Exception | None) -> None:
    logging.getLogger("navbook").warning("the request budget is not shared with other processes: %s", problem)

"""What the trader knows and must not forget: a SQLite file per account, on disk before anything is sent.

WAL and full synchronisation: what was committed survives the process and the power. Several processes may read and
ask (`ask`); one trades, the holder of the account's lock. Amounts are decimals as text, times ms since the epoch.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from navbook.compute.decisions import TradeState
from navbook.exchange.orders_read import Wallet
from navbook.settings import Settings
from navbook.trader.rows import ENTRY, INTENDED, Intended, Trade, made

BUSY_S = 15.0
ENDING, PANIC = "stop", "panic"    # the key of how a trader is asked to end, and its hurried form
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS trades (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, parent INTEGER,
    reopen INTEGER NOT NULL, amount_usdt TEXT NOT NULL, leverage TEXT NOT NULL, tp_usdt TEXT NOT NULL,
    sl_usdt TEXT NOT NULL, margin_type TEXT NOT NULL, due INTEGER NOT NULL, until INTEGER NOT NULL,
    state TEXT NOT NULL, retry_at INTEGER NOT NULL, closing TEXT, is_last INTEGER NOT NULL,
    quantity TEXT, entry_price TEXT, entry_time INTEGER, take_profit TEXT, stop_loss TEXT,
    exit_time INTEGER, exit_price TEXT, reason TEXT, fee TEXT, funding TEXT, pnl TEXT, note TEXT,
    changed INTEGER NOT NULL, stored INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX IF NOT EXISTS trades_of_a_name ON trades (name, id);
CREATE TABLE IF NOT EXISTS orders (
    client_id TEXT PRIMARY KEY, trade INTEGER NOT NULL REFERENCES trades, part TEXT NOT NULL,
    attempt INTEGER NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, quantity TEXT, trigger TEXT,
    status TEXT NOT NULL, order_id TEXT, algo_id TEXT, created INTEGER NOT NULL, changed INTEGER NOT NULL,
    sent REAL NOT NULL, note TEXT, stored INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX IF NOT EXISTS orders_of_a_trade ON orders (trade, part, attempt);
CREATE TABLE IF NOT EXISTS fills (symbol TEXT NOT NULL, id TEXT NOT NULL, trade INTEGER, row TEXT NOT NULL,
    stored INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (symbol, id)) STRICT;
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, level TEXT NOT NULL,
    name TEXT NOT NULL, kind TEXT NOT NULL, said TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS requests (id INTEGER PRIMARY KEY, what TEXT NOT NULL, name TEXT NOT NULL,
    content TEXT NOT NULL, asked REAL NOT NULL, answer TEXT, failed INTEGER) STRICT;
"""


def place(config: Settings, account: str) -> Path:
    """Where the journal of `account` is: with the store, or with the runs where the store is no folder."""
    root = config.runs_folder / str(config.environment) if config.in_bucket else Path(config.location)
    return root / "trader" / f"{account}.sqlite"


class Journal:
    """The journal in `file`, which is made where there is none."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self._connection = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if not self._all("SELECT 1 FROM sqlite_master WHERE name = 'requests'"):
            self._connection.executescript(SCHEMA)
        if self.read("instance") is None:
            with self.together():    # of two processes that begin at once the first names it
                self._run("INSERT OR IGNORE INTO meta VALUES ('instance', ?)", secrets.token_hex(4))
        self.instance = self.read("instance") or ""

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is written in the block is on disk whole, or not at all."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _run(self, statement: str, *values: Any) -> int:
        with closing(self._connection.execute(statement, [_plain(value) for value in values])) as done:
            return int(done.lastrowid or 0)

    def _all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with closing(self._connection.execute(query, [_plain(value) for value in values])) as found:
            return list(found.fetchall())

    # -- small facts ---------------------------------------------------------------------------------------------
    def read(self, key: str) -> str | None:
        found = self._all("SELECT value FROM meta WHERE key = ?", key)
        return str(found[0][0]) if found else None

    def write(self, key: str, value: object) -> None:
        self._run("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key,
                  str(value))

    def note_wallet(self, now: int, wallet: Wallet) -> None:
        self.write("wallet", json.dumps([now, {name: str(usd) for name, usd in asdict(wallet).items()}]))

    def noted_wallet(self) -> tuple[int, Wallet] | None:
        """When the wallet was noted last, ms, and how it was."""
        text = self.read("wallet")
        if text is None:
            return None
        now, told = json.loads(text)
        return now, Wallet(**{name: Decimal(usd) for name, usd in told.items()})

    # -- trades --------------------------------------------------------------------------------------------------
    def trades(self, name: str | None = None) -> list[Trade]:
        rows = (self._all("SELECT * FROM trades ORDER BY id") if name is None
                else self._all("SELECT * FROM trades WHERE name = ? ORDER BY id", name))
        return [made(Trade, row) for row in rows]

    def trade(self, number: int) -> Trade:
        return made(Trade, self._all("SELECT * FROM trades WHERE id = ?", number)[0])

    def last(self, name: str) -> Trade | None:
        rows = self._all("SELECT * FROM trades WHERE name = ? ORDER BY id DESC LIMIT 1", name)
        return made(Trade, rows[0]) if rows else None

    def unfinished(self) -> list[Trade]:
        rows = self._all("SELECT * FROM trades WHERE state IN (?, ?) ORDER BY id", TradeState.ENTERING, TradeState.OPEN)
        return [made(Trade, row) for row in rows]

    def begin(self, now: int, **values: Any) -> Trade:
        """A new trade that is about to be entered."""
        number = self._insert("trades", {"state": TradeState.ENTERING, "retry_at": 0, "is_last": False, **values,
                                         "changed": now})
        return self.trade(number)

    def change(self, number: int, now: int, **values: Any) -> Trade:
        self._update("trades", "id", number, {**values, "changed": now, "stored": 0})
        return self.trade(number)

    # -- orders --------------------------------------------------------------------------------------------------
    def orders(self, trade: int, part: str | None = None) -> list[Intended]:
        rows = (self._all("SELECT * FROM orders WHERE trade = ? ORDER BY created, attempt", trade) if part is None
                else self._all("SELECT * FROM orders WHERE trade = ? AND part = ? ORDER BY attempt", trade, part))
        return [made(Intended, row) for row in rows]

    def is_in_doubt(self, trade: Trade) -> bool:
        """Whether its entry is on the way, and nobody knows yet what became of it."""
        return trade.state is TradeState.ENTERING and any(row.is_open_ended for row in self.orders(trade.id, ENTRY))

    def order(self, client_id: str) -> Intended | None:
        rows = self._all("SELECT * FROM orders WHERE client_id = ?", client_id)
        return made(Intended, rows[0]) if rows else None

    def intend(self, now: int, client_id: str, **values: Any) -> Intended:
        """Write down an order that is about to be sent; the same one again replaces what it was."""
        row = {**values, "client_id": client_id, "status": INTENDED, "created": now, "changed": now,
               "sent": time.time(), "stored": 0}
        columns = ", ".join(row)
        self._run(f"INSERT OR REPLACE INTO orders ({columns}) VALUES ({_marks(row)})", *row.values())    # noqa: S608
        return made(Intended, self._all("SELECT * FROM orders WHERE client_id = ?", client_id)[0])

    def learn(self, client_id: str, now: int, **values: Any) -> None:
        self._update("orders", "client_id", client_id, {**values, "changed": now, "stored": 0})

    def keep_fills(self, trade: int, rows: list[dict[str, Any]]) -> None:
        """Fills as FILLS has them."""
        for row in rows:
            self._run("INSERT OR IGNORE INTO fills (symbol, id, trade, row) VALUES (?, ?, ?, ?)", row["symbol"],
                      row["id"], trade, json.dumps(row, default=str))

    # -- what was said -------------------------------------------------------------------------------------------
    def say(self, time: int, level: str, name: str, kind: str, said: str) -> None:
        self._run("INSERT INTO events (time, level, name, kind, said) VALUES (?, ?, ?, ?, ?)", time, level, name, kind,
                  said)

    def events(self, most: int = 100) -> list[dict[str, Any]]:
        """The newest, oldest first: time, level, name, kind, said."""
        rows = self._all("SELECT * FROM events ORDER BY id DESC LIMIT ?", most)
        return [dict(row) for row in reversed(rows)]

    # -- what other processes ask --------------------------------------------------------------------------------
    def ask(self, what: str, name: str, **content: Any) -> int:
        return self._run("INSERT INTO requests (what, name, content, asked) VALUES (?, ?, ?, ?)", what, name,
                         json.dumps(content), time.time())

    def asked(self) -> list[tuple[int, str, str, dict[str, Any]]]:
        rows = self._all("SELECT id, what, name, content FROM requests WHERE answer IS NULL ORDER BY id")
        return [(row["id"], row["what"], row["name"], json.loads(row["content"])) for row in rows]

    def answer(self, request: int, said: str, *, failed: bool = False) -> None:
        """The first answer stays."""
        self._run("UPDATE requests SET answer = ?, failed = ? WHERE id = ? AND answer IS NULL", said, failed, request)

    def answered(self, request: int) -> tuple[str, bool] | None:
        rows = self._all("SELECT answer, failed FROM requests WHERE id = ? AND answer IS NOT NULL", request)
        return (rows[0]["answer"], bool(rows[0]["failed"])) if rows else None

    # -- what the store lacks ------------------------------------------------------------------------------------
    def unstored(self, table: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self._all(f"SELECT rowid AS number, * FROM {table} WHERE stored = 0")]    # noqa: S608

    def mark_stored(self, table: str, rows: list[dict[str, Any]]) -> None:
        """The store has `rows` as they were; what changed meanwhile is to be stored again."""
        with self.together():
            for row in rows:
                self._run(f"UPDATE {table} SET stored = 1 WHERE rowid = ? AND {_same(row)}", row["number"],    # noqa: S608
                          *([row["changed"]] if "changed" in row else []))

    def _insert(self, table: str, values: dict[str, Any]) -> int:
        return self._run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({_marks(values)})",    # noqa: S608
                         *values.values())

    def _update(self, table: str, key: str, value: object, values: dict[str, Any]) -> None:
        named = ", ".join(f"{column} = ?" for column in values)
        self._run(f"UPDATE {table} SET {named} WHERE {key} = ?", *values.values(), value)    # noqa: S608


def _marks(values: dict[str, Any]) -> str:
    return ", ".join("?" * len(values))


def _same(row: dict[str, Any]) -> str:
    return "changed = ?" if "changed" in row else "TRUE"


def _plain(value: Any) -> Any:
    """As SQLite takes it; an enumeration's member is its text."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bool):
        return int(value)
    return str(value) if isinstance(value, str) else value

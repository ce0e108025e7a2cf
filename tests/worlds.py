"""Small worlds of facts for tests: name what a test is about, the rest is filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from navbook import schemas
from navbook.compute.books import Facts
from navbook.types import FlowKind, FlowStatus

START = datetime(2026, 3, 2, tzinfo=UTC)    # a Monday, midnight
FLAT = {"BTCUSDT": "50000", "ETHUSDT": "2500"}


def at(hours: float = 0, **parts: float) -> datetime:
    """`hours` (and days, minutes, …) after START."""
    return START + timedelta(hours=hours, **parts)


@dataclass
class World:
    """Facts of some accounts. `prices` holds for every minute, or is a function of symbol and time."""

    prices: Mapping[str, str] = field(default_factory=lambda: dict(FLAT))
    accounts: tuple[str, ...] = ("main",)
    snapshot_rows: list[tuple[object, ...]] = field(default_factory=list)
    balance_rows: list[tuple[object, ...]] = field(default_factory=list)
    price_rows: dict[tuple[datetime, str], Decimal] = field(default_factory=dict)
    flow_rows: list[tuple[object, ...]] = field(default_factory=list)
    candle_rows: dict[tuple[str, datetime], Decimal] = field(default_factory=dict)

    def price(self, symbol: str, time: datetime) -> Decimal:
        return Decimal(self.prices[symbol])

    def snapshot(self, time: datetime, balances: Mapping[str, object] | None = None, *, account: str = "main",
                 wallet: str = "spot", grade: str = "complete", prices: Mapping[str, str] | None = None,
                 withdrawing: str = "0") -> None:
        """One snapshot with `balances` {asset: quantity}, priced with the world's prices (or `prices`)."""
        self.snapshot_rows.append((account, time, grade, None, "{}", None, time, time))
        for asset, quantity in (balances or {}).items():
            self.balance_rows.append((account, time, wallet, asset, Decimal(str(quantity)), Decimal(withdrawing), time))
        for symbol in self.prices:
            self.price_rows[time, symbol] = Decimal((prices or {}).get(symbol) or self.price(symbol, time))

    def flow(self, time: datetime, amount: object, asset: str = "USDT", *, kind: FlowKind = FlowKind.DEPOSIT,
             account: str = "main", fee: str = "0", status: FlowStatus = FlowStatus.DONE, flow_id: str | None = None,
             source: str | None = None, internal: bool = False, tx_id: str | None = None,
             started_at: datetime | None = None) -> None:
        """One movement, and the candles that price it."""
        source = source or ("sub_transfer" if kind.value.startswith("SUB") else kind.value.lower())
        self.flow_rows.append((account, source, flow_id or f"f{len(self.flow_rows)}", time, started_at or time, kind,
                               asset, Decimal(str(amount)), Decimal(fee), status, internal, tx_id, None, None, time))
        self.candle_before(time)

    def candle_before(self, time: datetime) -> None:
        minute = time.replace(second=0, microsecond=0) - timedelta(minutes=1)
        for symbol in self.prices:
            self.candle_rows[symbol, minute] = self.price(symbol, time)

    def rebalances(self, times: Iterable[datetime]) -> None:
        for time in times:
            self.candle_before(time)

    def facts(self) -> Facts:
        candles = [("spot", symbol, "1m", minute, close, close, close, close, Decimal(1), minute)
                   for (symbol, minute), close in self.candle_rows.items()]
        return Facts(
            accounts=schemas.ACCOUNTS.rows([(name, position, 1000 + position, None, START, START)
                                            for position, name in enumerate(self.accounts, 1)]),
            snapshots=schemas.SNAPSHOTS.rows(self.snapshot_rows).sort("account", "time"),
            balances=schemas.BALANCES.rows(self.balance_rows),
            prices=schemas.PRICES.rows([(time, symbol, price, time) for (time, symbol), price in self.price_rows.items()]),
            cash_flows=schemas.CASH_FLOWS.rows(self.flow_rows), candles=schemas.CANDLES.rows(candles))


def calm(balances: Mapping[str, object], hours: int = 4) -> World:
    """One account that is read each hour and holds the same; a deposit of 100 comes in between."""
    world = World()
    for hour in range(hours):
        world.snapshot(at(hour), balances)
    world.flow(at(1.5), 100)
    return world


def only(frame: pl.DataFrame, **equal: object) -> dict[str, object]:
    """The one row of `frame` whose columns equal `equal`."""
    rows = frame.filter(*(pl.col(name) == value for name, value in equal.items())).to_dicts()
    assert len(rows) == 1, rows
    return rows[0]


def entries(*said: dict[str, object]) -> pl.DataFrame:
    """MANUAL_ENTRIES: each names what it is about; ids are e1, e2, … and the later ones newer."""
    blank = dict.fromkeys(schemas.MANUAL_ENTRIES.columns) | {"account": "main", "revoked": False}
    rows = [blank | {"id": f"e{number}", "seen_at": at(number)} | entry for number, entry in enumerate(said, 1)]
    return schemas.MANUAL_ENTRIES.rows(rows)

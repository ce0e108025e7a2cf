"""A trader on a sandbox of this process: tests move the clock and the price, break things, and look into the engine."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, zip_longest
from pathlib import Path
from typing import Any

import polars as pl

from navbook import settings
from navbook.compute import backtest
from navbook.compute.brackets import Costs
from navbook.settings import Settings
from navbook.trader import keeping, loop, plans
from navbook.trader.journal import Journal, place
from navbook.trader.rows import Trade
from test_sandbox_support import MINUTE, START, Sandbox, running

FAST = {"check_every": "1m", "reopen_delay": "0s", "reopen_window": "10m"}    # a close reopens at the next check
TRADING = {"enableReading": True, "enableFutures": True}
BTC, PRICE = "BTCUSDT", 60_000
NUMBER = count(1)
FAULTS: list[dict[str, Any]] = [    # each way in which the sandbox can trouble a request
    {"code": -1007, "executed": True}, {"code": -1001, "executed": True}, {"code": -1021}, {"code": -2019}, {"status": 500},
    {"status": 429, "retry_after": 0}, {"status": 418, "retry_after": 1}, {"mode": "html"}, {"mode": "html", "executed": True},
    {"mode": "truncated"}, {"mode": "drop"}, {"mode": "drop", "executed": False}, {"mode": "delay", "delay_ms": 1100},
    {"mode": "stale"}, {"mode": "unavailable"}, {"mode": "unknown"}, {"mode": "unknown", "executed": True}, {"mode": "throttled"},
    {"mode": "partial"}, {"mode": "expire"}, {"mode": "reject"}, {"mode": "unpriced"},
    {"mode": "meanwhile", "call": "POST /fapi/v1/positionSide/dual", "params": {"dualSidePosition": "false"}}]


def hasty(monkeypatch: Any) -> None:
    """What a trader would wait for between two attempts is over at once; what the host itself asks for is still waited for."""
    monkeypatch.setattr("navbook.exchange.client.wait_random_exponential", lambda **_: lambda state: 0.01)
    monkeypatch.setattr("navbook.trader.entering.BETWEEN_S", 0.01)
    monkeypatch.setattr("navbook.trader.loop.REPLAY_WAIT_S", 0.01)


def ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


@dataclass
class Floor:
    """One account's positions, and the sandbox that they are traded on."""

    sandbox: Sandbox
    folder: Path
    monkeypatch: Any
    positions: dict[str, dict[str, Any]] = field(default_factory=dict)
    account: str = "main"
    said: list[str] = field(default_factory=list)
    naked: Counter[tuple[str, str]] = field(default_factory=Counter)    # checks in a row without a stop, by leg

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sandbox.account(self.account, permissions=TRADING, balances={"futures": {"USDT": "1000000"}})
        self.sandbox.control("limits", enforced=False)
        for part, value in self.sandbox.keys[self.account].items():
            self.monkeypatch.setenv(f"NAVBOOK_{settings.variable_of(self.account)}_{part.upper()}", value)

    # -- the world -----------------------------------------------------------------------------------------------
    def price(self, price: object, symbol: str = BTC) -> None:
        self.sandbox.control("prices", symbol=symbol, price=str(price))

    def fault(self, path: str, **fault: Any) -> None:
        answer = self.sandbox.ask("POST", "/sandbox/faults", json.dumps({"path": path, **fault}).encode())
        assert answer.status == 200, answer.raw

    def trouble(self, share: float) -> None:
        """From now on so much of the requests meet a fault, each kind as often as the others."""
        each = share / len(FAULTS)
        for before, fault in enumerate(FAULTS):    # of the requests that met none of those before
            self.fault("/fapi/*", **fault, probability=f"{each / (1 - each * before):.8f}")

    def heal(self) -> None:
        self.sandbox.control("faults", method="DELETE")

    @property
    def now(self) -> int:
        return self.sandbox.state.clock.now()

    def position(self, name: str = "long", symbol: str = BTC, side: str = "LONG", **rules: Any) -> None:
        self.positions[name] = {"account": self.account, "symbol": symbol, "side": side, **rules}

    @property
    def config(self) -> Settings:
        file = self.folder / "navbook.toml"
        sections = [f"[trade.{name}]\n" + "\n".join(f"{key} = {value!r}" for key, value in rules.items())
                    for name, rules in self.positions.items()]
        file.write_text(f'sandbox_url = "{self.sandbox.url}"\n[accounts.{self.account}]\n' + "\n".join(sections),
                        encoding="utf-8")
        return settings.load(file)

    # -- the trader ----------------------------------------------------------------------------------------------
    def work(self, do: Callable[[loop.Trader], Any], **terms: bool) -> Any:
        """Whatever `do` does with a trader that comes to its work anew."""
        async def work() -> Any:
            async with loop.at_work(self.config, self.account, self.said.append, **terms) as trader:
                return await do(trader)

        return asyncio.run(work())

    def check(self, minutes: int = 0, **terms: bool) -> bool:
        """One check by a new trader, `minutes` after now."""
        if minutes:
            self.sandbox.control("clock", advance_ms=minutes * MINUTE)
        return self.work(lambda trader: trader.check(trader.desk.now), **terms)

    def checks(self, *steps: Callable[[], None] | None) -> None:
        """A trader comes to its work; then step after step, a minute apart, each with a check, whatever goes wrong."""
        async def several(trader: loop.Trader) -> None:
            for number, step in enumerate(steps):
                if number:
                    self.sandbox.control("clock", advance_ms=MINUTE)
                if step:
                    step()
                await trader._surely(self.now)
                self.look()

        self.work(several)

    def replay(self, first: int, last: int, **terms: bool) -> None:
        self.work(lambda trader: trader.replay(first, last, lambda done, of: None), **terms)

    def look(self) -> None:
        """Count how long each leg has been without a stop."""
        for key, amount in self.legs().items():
            self.naked[key] = 0 if not amount or self.stops(*key) else self.naked[key] + 1

    # -- what there is -------------------------------------------------------------------------------------------
    @property
    def desk(self) -> Any:
        return self.sandbox.state.futures.desk(self.account)

    def legs(self) -> dict[tuple[str, str], Decimal]:
        held = self.sandbox.state.ledger.holdings(self.account, self.now).positions
        return {(position.symbol, position.side): abs(position.amount) for position in held.values()}

    def waiting(self, symbol: str = BTC, side: str = "LONG") -> dict[str, Decimal]:
        """Trigger of each conditional order of a leg, by its type."""
        return {algo.type: algo.trigger for algo in self.desk.waiting.values()
                if (algo.symbol, algo.position_side) == (symbol, side)}

    def stops(self, symbol: str = BTC, side: str = "LONG") -> list[Decimal]:
        return [algo.trigger for algo in self.desk.waiting.values()
                if (algo.symbol, algo.position_side, algo.type) == (symbol, side, "STOP_MARKET")
                and algo.status in ("NEW", "TRIGGERING")]

    def opened(self) -> int:
        """How many orders of ours ever opened anything."""
        return sum(order.executed > 0 and (order.side == "BUY") == (order.position_side == "LONG")
                   for order in self.desk.orders.values() if order.client_id.startswith("nb-"))

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        with closing(Journal(place(self.config, self.account))) as journal:
            yield journal

    def trades(self) -> list[Trade]:
        with self.journal() as journal:
            return journal.trades()

    def history(self) -> pl.DataFrame:
        with self.journal() as journal:
            return keeping.history(journal)

    def told(self, words: str) -> bool:
        return any(words in line for line in self.said)


def fresh_floor(sandbox: Sandbox, folder: Path, monkeypatch: Any, **rules: Any) -> Floor:
    """An account of its own with a position, on a sandbox that others use too: at a whole minute and at 60 000."""
    hasty(monkeypatch)
    floor = Floor(sandbox, folder, monkeypatch, account=f"trader{next(NUMBER)}")
    floor.heal()
    sandbox.control("clock", now=-(-floor.now // MINUTE) * MINUTE)
    floor.price(PRICE)
    floor.position(**rules)
    return floor


@contextmanager
def trading_floor(folder: Path, monkeypatch: Any, *arguments: str, start: int = START) -> Iterator[Floor]:
    with running(*arguments, start=start) as sandbox:
        yield Floor(sandbox, folder, monkeypatch)


# -- beside the backtest -----------------------------------------------------------------------------------------
def candles(sandbox: Sandbox, symbol: str, first: int, last: int) -> pl.DataFrame:
    """The minutes that open in [first, last], as the sandbox's klines tell them."""
    rows: list[Any] = []
    for start in range(first, last + 1, 1500 * MINUTE):
        rows += sandbox.get("/fapi/v1/klines", symbol=symbol, interval="1m", startTime=start,
                            endTime=min(last, start + 1499 * MINUTE), limit=1500)
    return pl.DataFrame({"open_time": pl.Series([row[0] for row in rows]).cast(pl.Datetime("ms", "UTC")),
                         **{name: [float(row[place]) for row in rows]
                            for place, name in enumerate(("open", "high", "low", "close"), 1)}})


def funding(sandbox: Sandbox, symbol: str, minutes: pl.DataFrame) -> pl.DataFrame:
    """The settlements of these minutes, at the prices that the sandbox pays them at."""
    first, last = ms(minutes["open_time"][0]), ms(minutes["open_time"][-1])
    rows = sandbox.get("/fapi/v1/fundingRate", symbol=symbol, startTime=first, endTime=last, limit=1000)
    rates = pl.DataFrame({"time": pl.Series([row["fundingTime"] for row in rows], dtype=pl.Int64).cast(
        pl.Datetime("ms", "UTC")).dt.round("1m"), "rate": [float(row["fundingRate"]) for row in rows]},
        schema_overrides={"rate": pl.Float64})
    return rates.join(minutes.select(time="open_time", mark_price="open"), on="time")


def backtested(sandbox: Sandbox, config: Settings, first: int, last: int) -> pl.DataFrame:
    """[name, …]: the trades that a backtest closes in the minutes from `first` on, before `last`."""
    filters = {row["symbol"]: {each["filterType"]: each for each in row["filters"]}
               for row in sandbox.get("/fapi/v1/exchangeInfo")["symbols"]}
    found = []
    for plan in plans.plans(config):
        minutes = candles(sandbox, plan.symbol, first, last)
        steps = filters[plan.symbol]
        rules = backtest.BracketRules(**{key: getattr(plan.rules, key) for key in (
            "side", "amount_usdt", "leverage", "tp_usdt", "sl_usdt", "check_every", "reopen_delay", "reopen_window",
            "max_reopens")}, tick_size=float(steps["PRICE_FILTER"]["tickSize"]),
            step_size=float(steps["LOT_SIZE"]["stepSize"]))
        trades = backtest.run(minutes, rules, Costs(funding=funding(sandbox, plan.symbol, minutes)), intrabar="path").trades
        found.append(trades.select(pl.lit(plan.name).alias("name"), pl.all()))
    return until(pl.concat(found), last)


def until(trades: pl.DataFrame, last: int) -> pl.DataFrame:
    """What was closed in a minute before `last`."""
    return trades.filter(pl.col("exit_time") < datetime.fromtimestamp(last / 1000, UTC)).sort("name", "entry_time")


def same_trades(lived: pl.DataFrame, wanted: pl.DataFrame) -> None:
    """Times, prices, quantities and reasons are the same; sums to the eighth decimal, as far as the exchange counts."""
    exactly = ["name", "side", "entry_time", "entry_price", "quantity", "take_profit", "stop_loss", "exit_time",
               "exit_price", "reason", "reopen"]
    pairs = zip_longest(lived.select(exactly).iter_rows(), wanted.select(exactly).iter_rows())
    first = next(((ours, theirs) for ours, theirs in pairs if ours != theirs), None)
    assert first is None, f"{lived.height} trades lived, {wanted.height} backtested; the first that differ: {first}"
    for column in ("fee", "funding", "pnl"):
        apart = (lived[column] - wanted[column]).abs().max()
        assert apart is None or apart < 1e-6, f"{column}: {apart}"

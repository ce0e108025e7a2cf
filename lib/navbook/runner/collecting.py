"""Read all accounts at one moment and add what the exchange said to the facts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from navbook import schemas, settings
from navbook.compute import benchmark, cash_flows, grading, valuation
from navbook.errors import NavbookError, SettingsInvalid, SnapshotIncomplete
from navbook.exchange import client, fetch, gather, parse
from navbook.exchange.client import Exchange
from navbook.exchange.gather import Reading
from navbook.runner import rebuild
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import COUNTED, FlowStatus, Grade, Wallet, WalletState

LOOK_AGAIN = timedelta(days=7)    # transfers are asked for again this far back: some show up late


@dataclass(frozen=True)
class Known:
    """What the store knows before a reading."""

    accounts: pl.DataFrame
    snapshots: pl.DataFrame
    cash_flows: pl.DataFrame
    candles: pl.DataFrame

    @classmethod
    def read(cls, config: Settings) -> Known:
        return cls(*(tables.read(config.location, schema) for schema in
                     (schemas.ACCOUNTS, schemas.SNAPSHOTS, schemas.CASH_FLOWS, schemas.CANDLES)))

    def flows_since(self, account: str, now: datetime, lookback_days: int) -> datetime:
        """Where to ask for cash flows from: a week before the last time, or before the oldest pending one."""
        of_account = pl.col("account") == account
        until = self.snapshots.filter(of_account)["flows_until"].max()
        if until is None:
            return now - timedelta(days=lookback_days)
        pending = self.cash_flows.filter(of_account, pl.col("status") == FlowStatus.PENDING)["started_at"].min()
        return min(until, pending or until) - LOOK_AGAIN    # type: ignore[operator, return-value]

    def once_ok(self, account: str) -> set[str]:
        """The wallets of `account` that were ever read."""
        states = self.snapshots.filter(pl.col("account") == account)["wallets"].unique().to_list()
        return {wallet.value for wallet in Wallet for text in states if f'"{wallet}": "{WalletState.OK}"' in text}


@dataclass
class Harvest:
    """The fact frames of one or more readings, ready to be appended."""

    frames: dict[str, list[pl.DataFrame]]
    problems: list[str]

    @classmethod
    def empty(cls) -> Harvest:
        return cls({name: [] for name in schemas.FACTS}, [])

    def add(self, schema: schemas.FrameSchema, frame: pl.DataFrame) -> None:
        self.frames[schema.name].append(frame)

    def frame(self, schema: schemas.FrameSchema) -> pl.DataFrame:
        return gather.merged(self.frames[schema.name], schema)

    def store(self, location: str) -> dict[str, int]:
        """Append everything; snapshots last, since a reader starts from them. Returns rows added by table."""
        order = sorted(self.frames, key=lambda name: name == schemas.SNAPSHOTS.name)
        return {name: tables.append(location, schemas.FACTS[name], self.frame(schemas.FACTS[name]))
                for name in order if self.frames[name]}


class Collector:
    """Open connections to all accounts of `config`; `read` as often as wanted."""

    def __init__(self, config: Settings, names: list[str], known: Known, public: Exchange,
                 exchanges: dict[str, Exchange | NavbookError]) -> None:
        self.config, self.names, self.known = config, names, known
        self.public, self.exchanges = public, exchanges
        self.traded: set[str] = set()

    async def read(self, harvest: Harvest, *, flows: bool = True) -> list[Reading]:
        """One snapshot of every account at one time; with `flows`, the cash flows up to then."""
        now = await self.public.synchronise()
        for exchange in self._open().values():
            exchange.wire.timestamp_offset = self.public.wire.timestamp_offset
        tickers = parse.prices((await fetch.tickers(self.public)).payload, now)
        self.traded = set(tickers["symbol"])
        readings = await asyncio.gather(*(self._account(name, now, flows) for name in self.names))
        for reading in readings:
            if reading.wallets.get(Wallet.SPOT) is WalletState.FAILED:
                reading.forget()    # the key's uid is unknown: it may be another account's
        kept = [reading for reading in readings if self._is_the_same_account(reading, harvest)]
        self._keep(harvest, kept, tickers)
        return list(readings)

    def _open(self) -> dict[str, Exchange]:
        return {name: exchange for name, exchange in self.exchanges.items() if isinstance(exchange, Exchange)}

    async def _account(self, name: str, now: datetime, flows: bool) -> Reading:
        reading = Reading(name, now)
        exchange = self.exchanges[name]
        if isinstance(exchange, NavbookError):
            reading.wallets = dict.fromkeys((Wallet.SPOT, Wallet.FUNDING, Wallet.FUTURES), WalletState.FAILED)
            reading.problems.append(f"{name}: {exchange}")
            return reading
        tasks = [gather.wallets(exchange, reading, self._coins(), self.known.once_ok(name))]
        if flows:
            since = self.known.flows_since(name, now, self.config.lookback_days)
            is_sub = self.config.accounts[name].master is not None
            tasks.append(gather.cash_flows(exchange, reading, since, is_sub=is_sub))
        await asyncio.gather(*tasks)
        return reading

    def _coins(self) -> set[str]:
        """Assets that have a market of their own, by the pairs that trade."""
        quotes = (*valuation.DOLLARS, *valuation.BRIDGES)
        return {symbol.removesuffix(quote) for symbol in self.traded for quote in quotes if symbol.endswith(quote)}

    def _is_the_same_account(self, reading: Reading, harvest: Harvest) -> bool:
        """Whether the key belongs to the uid that the store knows; if not, the harvest says so."""
        stored = self.known.accounts.filter(pl.col("account") == reading.account)["uid"].to_list()
        if not stored or None in (stored[0], reading.uid) or stored[0] == reading.uid:
            return True
        harvest.problems.append(
            f"{reading.account}: its key belongs to the Binance uid {reading.uid}, but {self.config.location} holds "
            f"this account with {stored[0]}; give the new account another name, or another store.")
        return False

    def _keep(self, harvest: Harvest, readings: list[Reading], tickers: pl.DataFrame) -> None:
        assets = {asset for reading in readings for frame in (*reading.balances, *reading.flows)
                  for asset in frame["asset"]}
        symbols = valuation.symbols_for({*assets, *self.legs()}, self.config.stablecoins, self.traded)
        prices = tickers.filter(pl.col("symbol").is_in(symbols))
        harvest.add(schemas.PRICES, prices)
        accounts = self._accounts(readings)
        harvest.add(schemas.ACCOUNTS, accounts)
        self.known = replace(self.known, accounts=gather.merged([self.known.accounts, accounts], schemas.ACCOUNTS))
        for reading in readings:
            harvest.problems += reading.told
            for frame in reading.balances:
                harvest.add(schemas.BALANCES, frame)
            for frame in reading.flows:
                harvest.add(schemas.CASH_FLOWS, frame)
            harvest.add(schemas.RESPONSES, reading.responses)
        harvest.add(schemas.SNAPSHOTS, self._snapshots(readings, prices))

    def legs(self) -> set[str]:
        """BTC and ETH, and every asset in a benchmark of the configuration."""
        return {"BTC", "ETH"}.union(*(self.config.benchmark_of(name).weights for name in self.names))

    def _accounts(self, readings: list[Reading]) -> pl.DataFrame:
        """ACCOUNTS rows of the readings: new accounts get the next ids, in the order of the configuration."""
        known = {row["account"]: row for row in self.known.accounts.iter_rows(named=True)}
        rows = []
        for reading in readings:
            old = known.get(reading.account)
            row = {"account": reading.account, "id": old["id"] if old else len(known) + 1,
                   "uid": reading.uid if reading.uid is not None else old and old["uid"],
                   "master": self.config.accounts[reading.account].master,
                   "created_at": old["created_at"] if old else reading.time, "seen_at": reading.time}
            known[reading.account] = row
            rows.append(row)
        return schemas.ACCOUNTS.rows(rows)

    def _snapshots(self, readings: list[Reading], prices: pl.DataFrame) -> pl.DataFrame:
        """SNAPSHOTS of the readings, graded by what could be read and by the exchange's own total."""
        read = schemas.SNAPSHOTS.rows([
            (reading.account, reading.time, *_first_grade(reading), gather.wallet_states(reading.wallets),
             reading.total_usd, reading.flows_until, reading.time) for reading in readings])
        balances = gather.merged((frame for reading in readings for frame in reading.balances), schemas.BALANCES)
        flows = gather.merged((frame for reading in readings for frame in reading.flows), schemas.CASH_FLOWS)
        held = valuation.holdings(balances, prices, flows, read, self.config.stablecoins)
        reconciled = grading.reconciliation(held, schemas.WALLET_TOTALS.empty(), read, self.config.tolerance)
        graded = grading.net_asset_value(read, reconciled)
        return schemas.SNAPSHOTS.check(read.drop("grade", "reason").join(
            graded.select("account", "time", "grade", "reason"), on=["account", "time"])
            .select(list(schemas.SNAPSHOTS.columns)))

    async def candles(self, harvest: Harvest, now: datetime) -> None:
        """Fetch the minutes that price every known flow and every rebalance due by `now`, if not stored yet."""
        flows = gather.merged([self.known.cash_flows, *harvest.frames[schemas.CASH_FLOWS.name]], schemas.CASH_FLOWS)
        snapshots = pl.concat([self.known.snapshots, *harvest.frames[schemas.SNAPSHOTS.name]])
        counted = snapshots.filter(pl.col("grade").is_in([grade.value for grade in COUNTED]))
        due: set[datetime] = set()
        for name in self.names:
            start = counted.filter(pl.col("account") == name)["time"].min()
            if isinstance(start, datetime):
                due.update(benchmark.rebalances(rebuild.rules_of(self.config, name), start, now))
        needed = cash_flows.minutes_needed(flows, due, self.legs(), self.traded, self.config.stablecoins)
        spot = self.known.candles.filter(pl.col("market") == "spot", pl.col("interval") == "1m")
        missing = needed.join(spot, on=["symbol", "open_time"], how="anti")
        harvest.add(schemas.CANDLES, await gather.closing_candles(self.public, missing, now))


def _first_grade(reading: Reading) -> tuple[Grade, str | None]:
    failed = sorted(wallet for wallet, state in reading.wallets.items() if state is WalletState.FAILED)
    return (Grade.INCOMPLETE, f"not read: {', '.join(failed)}") if failed else (Grade.COMPLETE, None)


@asynccontextmanager
async def connect(config: Settings, names: list[str]) -> AsyncIterator[Collector]:
    """A `Collector` for `names`, its connections closed at the end of the block. Sends nothing by itself."""
    exchanges: dict[str, Exchange | NavbookError] = {}
    async with AsyncExitStack() as stack:
        for name in names:
            try:
                keys = settings.keys(name, config.environment)
                exchanges[name] = await stack.enter_async_context(
                    client.connect(config.environment, config.sandbox_url, keys))
            except SettingsInvalid as problem:
                exchanges[name] = problem
        public = await stack.enter_async_context(client.connect(config.environment, config.sandbox_url))
        yield Collector(config, names, Known.read(config), public, exchanges)


async def collect(config: Settings, account: str = "all") -> dict[str, int]:
    """One snapshot and the cash flows of all accounts (or one), appended to the facts; rows added by table.

    Raises `SnapshotIncomplete` after everything that is known was stored, `ExchangeError` when nothing is.
    """
    names = config.names(account)
    harvest = Harvest.empty()
    async with connect(config, names) as collector:
        readings = await collector.read(harvest)
        try:
            await collector.candles(harvest, readings[0].time)
        except NavbookError as problem:
            harvest.problems.append(str(problem))
    rows = harvest.store(config.location)
    if harvest.problems:
        raise SnapshotIncomplete(" ".join(harvest.problems))
    return rows

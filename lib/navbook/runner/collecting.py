"""Read all accounts at one moment and add what the exchange said to the facts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from navbook import schemas, vault
from navbook.compute import valuation
from navbook.errors import ExchangeError, KeyUnsafe, NavbookError, SettingsInvalid, SnapshotIncomplete
from navbook.exchange import check, client, fetch, histories, parse, wallets
from navbook.exchange.client import Exchange
from navbook.exchange.reading import Reading, merged, wallet_states
from navbook.runner import logs, minutes
from navbook.runner.harvest import Harvest
from navbook.runner.known import Known
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Grade, Wallet, WalletState


class Collector:
    """Open connections to all accounts of `config`; `read` as often as wanted."""

    def __init__(self, config: Settings, names: list[str], known: Known, public: Exchange,
                 exchanges: dict[str, Exchange | NavbookError]) -> None:
        self.config, self.names, self.known = config, names, known
        self.public, self.exchanges = public, exchanges
        self.tickers = schemas.PRICES.empty()
        self.once_ok = {name: known.once_ok(name) for name in names}
        self.vetted = False

    async def read(self, harvest: Harvest, *, flows: bool = True, lookback: timedelta | None = None) -> list[Reading]:
        """One snapshot of every account at one time; with `flows`, everything that happened up to then.

        lookback  how far to read all histories again, whatever was read before; none: since their marks
        """
        now = await self.public.synchronise()
        for exchange in self.exchanges.values():
            if isinstance(exchange, Exchange):
                exchange.wire.timestamp_offset = self.public.wire.timestamp_offset
        self.tickers = parse.market.prices((await fetch.market.tickers(self.public)).payload, now)
        if not self.vetted:
            await asyncio.gather(*(self._vet(name) for name in self.names))
            self.vetted = True
        readings = await asyncio.gather(*(self._logged(name, now, flows, lookback) for name in self.names))
        for reading in readings:
            if reading.wallets.get(Wallet.SPOT) is WalletState.FAILED:
                reading.forget()    # the key's uid is unknown: it may be another account's
        kept: list[Reading] = []
        for reading in readings:
            if self._is_the_same_account(reading, harvest) and self._is_no_twin(reading, kept, harvest):
                kept.append(reading)
        self._keep(harvest, kept)
        return list(readings)

    async def _logged(self, name: str, now: datetime, flows: bool, lookback: timedelta | None) -> Reading:
        with logs.timed("account read", account=name) as told:
            reading = await self._account(name, now, flows, lookback)
            failed = sorted(wallet for wallet, state in reading.wallets.items() if state is WalletState.FAILED)
            told |= {"success": not failed and not reading.told, "wallets_failed": failed,
                     "answers": len(reading.answers), "flows": reading.frame(schemas.CASH_FLOWS).height,
                     "reason": " ".join(reading.told) or None}
        return reading

    async def _vet(self, name: str) -> None:
        """Put the reason in the place of a connection whose key may do too much."""
        exchange = self.exchanges[name]
        if isinstance(exchange, Exchange):
            try:
                await check.refuse_withdrawals(exchange)
            except KeyUnsafe as problem:
                self.exchanges[name] = problem
            except ExchangeError:
                pass    # rights that cannot be told forbid nothing; what else cannot be read says why

    async def _account(self, name: str, now: datetime, flows: bool, lookback: timedelta | None) -> Reading:
        reading, exchange = Reading(name, now), self.exchanges[name]
        if isinstance(exchange, NavbookError):
            reading.wallets = dict.fromkeys(wallets.EVERY_WALLET, WalletState.FAILED)
            reading.problems.append(f"{name}: {exchange}")
            return reading
        past = self.known.past(name, now, lookback or timedelta(days=self.config.lookback_days), again=bool(lookback))
        tasks = [wallets.read(exchange, reading, self.coins, self.once_ok[name], self._worth)]
        is_sub = self.config.accounts[name].master is not None
        if flows:
            tasks.append(histories.cash_flows(exchange, reading, past, is_sub=is_sub))
        await asyncio.gather(*tasks)
        if flows and reading.wallets.get(Wallet.SPOT) is WalletState.OK:
            await histories.archives(exchange, reading, past, is_sub=is_sub)
            histories.quarantined(reading, past)
        return reading

    @property
    def traded(self) -> set[str]:
        """The pairs that the exchange prices."""
        return set(self.tickers["symbol"])

    @property
    def coins(self) -> set[str]:
        """Assets that have a market of their own, by the pairs that trade."""
        quotes = (*valuation.DOLLARS, *valuation.BRIDGES)
        return {symbol.removesuffix(quote) for symbol in self.tickers["symbol"] for quote in quotes
                if symbol.endswith(quote)}

    def _worth(self, balances: pl.DataFrame) -> float:
        """`balances` in USD at this moment's prices; what has none counts nothing."""
        held = balances.select("asset", "time", pl.col("quantity").cast(pl.Float64))
        prices = self.tickers.with_columns(pl.col("price").cast(pl.Float64))
        valued = valuation.priced(held, prices, self.config.stablecoins)
        return float(valued.select((pl.col("quantity") * pl.col("price")).sum()).item())

    def _is_the_same_account(self, reading: Reading, harvest: Harvest) -> bool:
        """Whether the key belongs to the uid that the store knows; if not, the harvest says so."""
        stored = self.known.uid(reading.account)
        if stored is None or reading.uid in (None, stored):
            return True
        harvest.problems.append(
            f"{reading.account}: its key belongs to the Binance uid {reading.uid}, but {self.config.location} holds "
            f"this account with {stored}; give the new account another name, or another store.")
        return False

    def _is_no_twin(self, reading: Reading, before: list[Reading], harvest: Harvest) -> bool:
        """Whether no account of navbook.toml that was here first has this uid; if one has, the harvest says so."""
        if reading.uid is None:
            return True
        stored = self.known.accounts.filter(pl.col("uid") == reading.uid).sort("id")["account"]
        first = [*(name for name in stored if name in self.config.accounts),
                 *(other.account for other in before if other.uid == reading.uid), reading.account][0]
        if first == reading.account:
            return True
        harvest.problems.append(f"{reading.account}: its key belongs to the Binance account that {first} is already, "
                                "which would count twice; give it its own key, or take it out of navbook.toml.")
        return False

    def _keep(self, harvest: Harvest, readings: list[Reading]) -> None:
        for reading in readings:
            read = [wallet for wallet, state in reading.wallets.items() if state is WalletState.OK]
            self.once_ok[reading.account].update(read, [] if reading.totals is None else [wallets.TOTALS])
            reading.add(schemas.BALANCES, self.known.gone(reading.account, reading.time,
                                                          reading.frame(schemas.BALANCES), read))
            harvest.take(reading)
        assets = {asset for reading in readings for frames in reading.frames.values() for frame in frames
                  if "asset" in frame.columns for asset in frame["asset"]}
        symbols = valuation.symbols_for({*assets, *minutes.legs(self.config)}, self.config.stablecoins, self.traded)
        prices = self.tickers.filter(pl.col("symbol").is_in(symbols))
        accounts = self._accounts(readings)
        harvest.add(schemas.PRICES, prices)
        harvest.add(schemas.ACCOUNTS, accounts)
        self.known = replace(self.known, accounts=merged([self.known.accounts, accounts], schemas.ACCOUNTS))
        harvest.add(schemas.SNAPSHOTS, schemas.SNAPSHOTS.rows([
            (reading.account, reading.time, *_first_grade(reading), wallet_states(reading.wallets),
             reading.total_usd, reading.flows_until, reading.time) for reading in readings]))

    def _accounts(self, readings: list[Reading]) -> pl.DataFrame:
        """ACCOUNTS rows of the readings: new accounts get the next ids, in the order of the configuration."""
        known = {row["account"]: row for row in self.known.accounts.iter_rows(named=True)}
        rows = []
        for reading in readings:
            old = known.get(reading.account)
            following = max((row["id"] for row in known.values()), default=0) + 1    # one may be gone from between
            row = {"account": reading.account, "id": old["id"] if old else following,
                   "uid": reading.uid if reading.uid is not None else old and old["uid"],
                   "master": self.config.accounts[reading.account].master,
                   "created_at": old["created_at"] if old else reading.time, "seen_at": reading.time}
            known[reading.account] = row
            rows.append(row)
        return schemas.ACCOUNTS.rows(rows)

    async def candles(self, harvest: Harvest, now: datetime) -> None:
        """Fetch the minutes that price what is known up to `now`, if not stored yet; those that fail are told."""
        flows = merged([self.known.cash_flows, harvest.frame(schemas.CASH_FLOWS)], schemas.CASH_FLOWS)
        snapshots = pl.concat([self.known.snapshots, harvest.frame(schemas.SNAPSHOTS).lazy()])
        wanted = minutes.needed(self.config, flows, snapshots, harvest.frame(schemas.PRICES), self.traded, now)
        found, problems = await minutes.fetch(self.public, wanted, now)
        harvest.add(schemas.CANDLES, found)
        harvest.problems += problems


def _first_grade(reading: Reading) -> tuple[Grade, str | None]:
    if reading.unsupported:
        return Grade.INCOMPLETE, "not supported: portfolio margin"
    failed = sorted(wallet for wallet, state in reading.wallets.items() if state is WalletState.FAILED)
    return (Grade.INCOMPLETE, f"not read: {', '.join(failed)}") if failed else (Grade.COMPLETE, None)


@asynccontextmanager
async def connect(config: Settings, names: list[str]) -> AsyncIterator[Collector]:
    """A `Collector` for `names`, its connections closed at the end of the block. Sends nothing by itself."""
    exchanges: dict[str, Exchange | NavbookError] = {}
    async with AsyncExitStack() as stack:
        for name in names:
            try:
                exchanges[name] = await stack.enter_async_context(
                    client.connect(config.environment, config.sandbox_url, vault.keys(config, name)))
            except SettingsInvalid as problem:
                exchanges[name] = problem
        public = await stack.enter_async_context(client.connect(config.environment, config.sandbox_url))
        yield Collector(config, names, Known.read(config), public, exchanges)


async def collect(config: Settings, account: str = "all", lookback: timedelta | None = None) -> dict[str, int]:
    """One snapshot and the histories of all accounts (or one), appended to the facts; rows added by table.

    lookback  as in `Collector.read`

    Raises `SnapshotIncomplete` after everything that is known was stored, `ExchangeError` when nothing is.
    """
    with logs.session(config, "collect", account):
        harvest = await _harvest(config, account, lookback)
        with logs.timed("facts stored") as told:
            rows = harvest.store(config)
            told["rows"] = rows
        if harvest.problems:
            raise SnapshotIncomplete(" ".join(harvest.problems))
        return rows


async def _harvest(config: Settings, account: str, lookback: timedelta | None) -> Harvest:
    harvest = Harvest()
    async with connect(config, config.names(account)) as collector:
        readings = await collector.read(harvest, lookback=lookback)
        await collector.candles(harvest, readings[0].time)
    return harvest


async def unknown_flows(config: Settings, account: str, lookback: timedelta) -> pl.DataFrame:
    """CASH_FLOWS of the last `lookback` that the store does not know yet; nothing is written.

    Raises `SnapshotIncomplete` when not all of them could be read.
    """
    harvest = Harvest()
    async with connect(config, config.names(account)) as collector:
        await collector.read(harvest, lookback=lookback)
    if harvest.problems:
        raise SnapshotIncomplete(" ".join(harvest.problems))
    known = tables.read(config.location, schemas.CASH_FLOWS)
    return harvest.frame(schemas.CASH_FLOWS).join(known, on=list(schemas.CASH_FLOWS.key), how="anti").sort("time", "id")

"""Read every wallet of an account with the cheapest set of calls that cannot give a wrong number.

Spot, funding, the account's flags and the exchange's own totals are asked always. A product (futures, margin,
Simple Earn) is asked unless flag and totals agree that it was never opened: one that is worth 0 to the exchange may
still hold what the exchange cannot price. A refusal (-2015, …) means absent only where they agree as well, and a
wallet that was read once never becomes absent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl

from navbook import schemas
from navbook.errors import ExchangeError, NavbookError, RequestRejected
from navbook.exchange import fetch, parse
from navbook.exchange.client import Answer, Exchange
from navbook.exchange.parse.wallets import EARN, Total
from navbook.exchange.reading import Reading
from navbook.types import Environment, Wallet, WalletState

KEY_REFUSED = frozenset({-1022, -2008, -2014, -2015})
NOT_OPENED = frozenset({-2015, -3003, -11001, *range(-20999, -19999)})    # or a right is missing: see _never_opened
NOT_PORTFOLIO_MARGIN = -21001
RIGHT_MISSING = frozenset({-1002, -2015})
TOTALS = "totals"    # in `once_ok`: the exchange's own totals, which a firewall or a doubted key can hide for a while
DOLLAR_EARNERS = ("BFUSD", "RWUSD")
EXPLAINED, EXPLAINED_USD = 0.002, 1.0    # Earn that its positions explain: the exchange prices by an index of its own
Worth = Callable[[pl.DataFrame], float]  # BALANCES -> USD


@dataclass(frozen=True)
class Product:
    """A wallet that an account may never have opened."""

    wallet: Wallet
    ask: Callable[[Exchange], Awaitable[list[Answer]]]
    parsed: Callable[[Any, str, datetime], pl.DataFrame]
    flag: str | None = None        # of account/info: false until it is opened
    shares: str | None = None      # the flag of its twin, which says something where totals cannot be read
    total: str | None = None       # our name of the exchange's total, where it is not the wallet's

    def totals(self, reading: Reading) -> list[Total]:
        return [total for total in reading.totals or () if total.wallet == (self.total or self.wallet)]


PRODUCTS = (
    Product(Wallet.FUTURES, fetch.wallets.futures, parse.wallets.futures, flag="isFutureEnabled"),
    Product(Wallet.COIN_FUTURES, fetch.wallets.coin_futures, parse.wallets.coin_futures, shares="isFutureEnabled"),
    Product(Wallet.MARGIN, fetch.wallets.margin, parse.wallets.margin, flag="isMarginEnabled"),
    Product(Wallet.ISOLATED_MARGIN, fetch.wallets.isolated_margin, parse.wallets.isolated_margin,
            shares="isMarginEnabled"),
    Product(Wallet.EARN_FLEXIBLE, fetch.wallets.earn_flexible, parse.wallets.earn_flexible, total=EARN),
    Product(Wallet.EARN_LOCKED, fetch.wallets.earn_locked, parse.wallets.earn_locked, total=EARN),
)
ON_TESTNET = (Wallet.FUTURES, Wallet.COIN_FUTURES)    # there is no /sapi
EVERY_WALLET = (Wallet.SPOT, Wallet.FUNDING, *(product.wallet for product in PRODUCTS), Wallet.OTHER)


@dataclass
class Visit:
    """One reading of one account's wallets."""

    exchange: Exchange
    reading: Reading
    tradable: Collection[str]     # assets with a market of their own
    once_ok: Collection[str]      # wallets (and TOTALS) that were read before: they can fail, but never be absent again
    worth: Worth
    flags: dict[str, bool] | None = None

    async def read(self) -> None:
        on_testnet = self.exchange.environment is Environment.TESTNET
        await asyncio.gather(self.spot(), *(() if on_testnet else (self.funding(), self.totals(), self.ask_flags())))
        self.reading.unsupported = await self.refusal()
        if self.reading.key_refused or self.reading.unsupported:    # no product would answer, or mean what it says
            self.reading.wallets = {**dict.fromkeys(EVERY_WALLET, WalletState.FAILED), **self.reading.wallets}
            return
        await asyncio.gather(*(self.product(product) for product in PRODUCTS
                               if not on_testnet or product.wallet in ON_TESTNET))
        await self.dollar_earners()
        self.other()
        for wallet in EVERY_WALLET:
            self.reading.wallets.setdefault(wallet, WalletState.ABSENT)

    async def spot(self) -> None:
        def parsed(payload: Any, account: str, time: datetime) -> pl.DataFrame:
            self.reading.uid = parse.wallets.uid(payload)
            return parse.wallets.spot(payload, account, time, self.tradable)

        await self.wallet(Wallet.SPOT, _alone(fetch.wallets.spot(self.exchange)), parsed)

    async def funding(self) -> None:
        await self.wallet(Wallet.FUNDING, _alone(fetch.wallets.funding(self.exchange)), parse.wallets.funding)

    async def totals(self) -> None:
        """The exchange's own totals. A key that never could read them harms nothing: they stay unknown."""
        reading = self.reading
        try:
            answer = await fetch.wallets.totals(self.exchange)
            reading.totals = parse.wallets.totals(answer.payload)
            rows = parse.wallets.wallet_totals(reading.totals, reading.account, reading.time)
            reading.add(schemas.WALLET_TOTALS, rows)
        except NavbookError as problem:
            reading.totals = None
            refused = isinstance(problem, RequestRejected) and problem.code in RIGHT_MISSING
            if refused and TOTALS not in self.once_ok:
                return    # spot says so too when the key itself is wrong
            reading.problems.append(f"{reading.account}: the exchange's own total is unknown: {problem}")

    async def ask_flags(self) -> None:
        """What the account opened; without an answer every product is asked, and none can be absent."""
        try:
            self.flags = parse.wallets.account_flags((await fetch.wallets.account_flags(self.exchange)).payload)
        except ExchangeError:
            self.flags = None

    # -- products ------------------------------------------------------------------------------------------------------
    async def product(self, product: Product) -> None:
        if self.needs_no_question(product):
            return
        try:
            await self.wallet(product.wallet, product.ask(self.exchange), product.parsed, passes=NOT_OPENED)
        except RequestRejected as problem:
            if not self.never_opened(product):
                self.failed(product.wallet, problem)

    def needs_no_question(self, product: Product) -> bool:
        """Whether flag and totals, both known, agree that it was never opened: then it can hold nothing."""
        listed = product.totals(self.reading)
        return (product.wallet not in self.once_ok and self.flags is not None and bool(listed)
                and not any(total.active or total.value for total in listed)
                and (product.flag is None or self.flags.get(product.flag) is False))

    def never_opened(self, product: Product) -> bool:
        """Whether a refusal means that there is no such wallet, by all that the account says of itself."""
        if product.wallet in self.once_ok or self.flags is None:
            return False
        if product.flag:
            return self.flags.get(product.flag) is False and not any(one.value for one in product.totals(self.reading))
        if self.reading.totals is None:
            return product.shares is not None and self.flags.get(product.shares) is False
        return not any(one.active or one.value for one in product.totals(self.reading))

    async def dollar_earners(self) -> None:
        """BFUSD and RWUSD lie in Earn, but not in its lists: asked where the positions do not explain Earn's total."""
        reading, held = self.reading, self.reading.frame(schemas.BALANCES)
        if reading.wallets.get(Wallet.EARN_FLEXIBLE) is not WalletState.OK:
            return
        earn = held.filter(pl.col("wallet").is_in([Wallet.EARN_FLEXIBLE.value, Wallet.EARN_LOCKED.value]))
        total = sum(float(one.value) for one in reading.totals or () if one.wallet == EARN)
        if reading.totals is not None and abs(total - self.worth(earn)) <= max(EXPLAINED_USD, EXPLAINED * abs(total)):
            return
        listed = set(earn.filter(pl.col("wallet") == Wallet.EARN_FLEXIBLE)["asset"])
        await asyncio.gather(*(self.dollar_earner(asset) for asset in DOLLAR_EARNERS if asset not in listed))

    async def dollar_earner(self, asset: str) -> None:
        try:
            await self.wallet(Wallet.EARN_FLEXIBLE, _alone(fetch.wallets.dollar_earner(self.exchange, asset)),
                              partial(parse.wallets.dollar_earner, asset),
                              passes=NOT_OPENED)
        except RequestRejected as problem:
            if self.flags is None or self.reading.totals is None:
                self.failed(Wallet.EARN_FLEXIBLE, problem)    # else: what its total holds beyond, reconciliation tells

    def other(self) -> None:
        """Options, bots, copy trading and whatever comes next, at the exchange's own value."""
        reading = self.reading
        found = [total for total in reading.totals or () if total.wallet == Wallet.OTHER]
        once = Wallet.OTHER in self.once_ok
        if reading.totals is None:
            reading.wallets[Wallet.OTHER] = WalletState.FAILED if once else WalletState.ABSENT
        elif once or any(total.value for total in found):
            reading.wallets[Wallet.OTHER] = WalletState.OK
            reading.add(schemas.BALANCES, parse.wallets.other(found, reading.account, reading.time))

    # -- outcomes ------------------------------------------------------------------------------------------------------
    async def wallet(self, wallet: Wallet, asked: Awaitable[list[Answer]],
                     parsed: Callable[[Any, str, datetime], pl.DataFrame], passes: Collection[int] = ()) -> None:
        """Read one wallet; a failure becomes its state, but codes in `passes` are raised."""
        reading = self.reading
        try:
            frames = [parsed(answer.payload, reading.account, reading.time) for answer in await asked]
            reading.add(schemas.BALANCES, _one_row_an_asset(frames))
            reading.wallets.setdefault(wallet, WalletState.OK)
        except NavbookError as problem:
            if isinstance(problem, RequestRejected) and problem.code in passes:
                raise
            self.failed(wallet, problem)

    def failed(self, wallet: Wallet, problem: NavbookError) -> None:
        reading = self.reading
        reading.wallets[wallet] = WalletState.FAILED
        sentence = f"{reading.account}: the {wallet} wallet could not be read: {problem}"
        reading.problems.append(sentence)
        if wallet is Wallet.SPOT and isinstance(problem, RequestRejected) and problem.code in KEY_REFUSED:
            reading.key_refused = sentence

    async def refusal(self) -> str | None:
        """Why the whole account cannot be valued. The flag alone also stands where margin could be unified, but is not.
        """
        if not (self.flags and self.flags.get("isPortfolioMarginRetailEnabled")):
            return None
        try:
            await fetch.wallets.portfolio_margin(self.exchange)
        except RequestRejected as problem:
            if problem.code == NOT_PORTFOLIO_MARGIN:
                return None
        except ExchangeError as problem:
            return f"{self.reading.account}: it may be a portfolio margin account, which cannot be told: {problem}"
        return (f"{self.reading.account}: this is a portfolio margin account, whose wallets navbook cannot value; take "
                "it out of navbook.toml, or leave portfolio margin.")


async def read(exchange: Exchange, reading: Reading, tradable: Collection[str], once_ok: Collection[str],
               worth: Worth) -> None:
    """Fill in balances, wallet states and the exchange's own totals. `Visit` explains the arguments."""
    exchange.heard = reading.keep
    await Visit(exchange, reading, tradable, once_ok, worth).read()


async def _alone(asked: Awaitable[Answer]) -> list[Answer]:
    return [await asked]


def _one_row_an_asset(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """The balances of several pages; an asset may stand on more than one."""
    whole = pl.concat([schemas.BALANCES.empty(), *frames])
    if len(frames) == 1:
        return whole
    amounts = [pl.col(name).sum() for name in ("quantity", "withdrawing")]
    together = whole.group_by([*schemas.BALANCES.key, "seen_at"], maintain_order=True).agg(amounts)
    return together.select(list(schemas.BALANCES.columns))

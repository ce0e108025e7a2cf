"""Read whole accounts: every wallet, the exchange's own total, the cash flows; say what could not be read.

One account's trouble never stops another: a reading carries its failures, and what was read is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from navbook import schemas
from navbook.errors import ExchangeError, NavbookError, RequestRejected
from navbook.exchange import fetch, parse
from navbook.exchange.client import Answer, Exchange
from navbook.types import Environment, Wallet, WalletState

NOT_OPENED = -2015       # also a missing permission: `_never_opened` tells them apart
KEY_REFUSED = frozenset({-1022, -2008, -2014, -2015})
NOT_A_MASTER = -12022    # the key is a sub-account's
SUB_ACCOUNT_ERRORS = range(-12999, -11999)
ABSENT_ON_TESTNET = (Wallet.FUNDING,)    # /sapi does not exist there
PARALLEL = 8             # klines asked for at once: far below the host's limit of weight


@dataclass
class Reading:
    """What one account answered at `time`."""

    account: str
    time: datetime
    uid: int | None = None
    wallets: dict[str, WalletState] = field(default_factory=dict)
    balances: list[pl.DataFrame] = field(default_factory=list)
    total_usd: Decimal | None = None
    values_usd: dict[str, Decimal] = field(default_factory=dict)    # the exchange's own name of a wallet -> its total
    flows: list[pl.DataFrame] = field(default_factory=list)
    flows_until: datetime | None = None
    problems: list[str] = field(default_factory=list)    # one sentence each, for people
    key_refused: str | None = None                       # the sentence that says all when nothing could be read
    answers: list[tuple[str, Answer]] = field(default_factory=list)

    def keep(self, name: str, *answers: Answer) -> None:
        self.answers.extend((name, answer) for answer in answers)

    def forget(self) -> None:
        """Keep that it was tried, and nothing of what was read."""
        self.balances, self.flows, self.answers, self.flows_until = [], [], [], None

    @property
    def told(self) -> list[str]:
        """The problems; only the one that matters when the key itself is wrong."""
        nothing = all(state is WalletState.FAILED for state in self.wallets.values())
        return [self.key_refused] if self.key_refused and nothing else self.problems

    @property
    def responses(self) -> pl.DataFrame:
        parts: dict[str, int] = {}
        rows = []
        for name, answer in self.answers:
            parts[name] = part = parts.get(name, -1) + 1
            rows.append((self.account, self.time, name, part, answer.body, self.time))
        return schemas.RESPONSES.rows(rows)


async def wallets(exchange: Exchange, reading: Reading, tradable: Iterable[str], once_ok: Iterable[str]) -> None:
    """Fill in balances, wallet states and the exchange's own total.

    tradable  assets with a market of their own
    once_ok   wallets that were read before: they can fail, but never be absent again
    """
    await asyncio.gather(_totals(exchange, reading), _spot(exchange, reading, tradable),
                         _funding(exchange, reading))
    await _futures(exchange, reading, once_ok)    # last: whether it is absent rests on the totals


async def _spot(exchange: Exchange, reading: Reading, tradable: Iterable[str]) -> None:
    def parsed(answer: Answer) -> pl.DataFrame:
        reading.uid = parse.uid(answer.payload)
        return parse.spot_balances(answer.payload, reading.account, reading.time, tradable)

    await _wallet(reading, Wallet.SPOT, fetch.spot_account(exchange), parsed)


async def _funding(exchange: Exchange, reading: Reading) -> None:
    if exchange.environment is Environment.TESTNET:
        reading.wallets[Wallet.FUNDING] = WalletState.ABSENT
        return
    await _wallet(reading, Wallet.FUNDING, fetch.funding_wallet(exchange),
                  lambda answer: parse.funding_balances(answer.payload, reading.account, reading.time))


async def _futures(exchange: Exchange, reading: Reading, once_ok: Iterable[str]) -> None:
    try:
        await _wallet(reading, Wallet.FUTURES, fetch.futures_account(exchange),
                      lambda answer: parse.futures_balances(answer.payload, reading.account, reading.time),
                      passes=(NOT_OPENED,))
    except RequestRejected as problem:
        if Wallet.FUTURES not in once_ok and await _never_opened(exchange, reading):
            reading.wallets[Wallet.FUTURES] = WalletState.ABSENT
        else:
            _failed(reading, Wallet.FUTURES, problem)


async def _never_opened(exchange: Exchange, reading: Reading) -> bool:
    """Whether the account's own flags, and the wallet totals where they can be read, show no futures."""
    if exchange.environment is Environment.TESTNET:
        return False
    try:
        answer = await fetch.account_flags(exchange)
        reading.keep("account_flags", answer)
        enabled = parse.futures_enabled(answer.payload)
    except ExchangeError:
        return False
    return not enabled and not any(value for name, value in reading.values_usd.items()
                                   if "Futures" in name and "COIN" not in name)


async def _totals(exchange: Exchange, reading: Reading) -> None:
    """The exchange's own total. A key that may not read it harms nothing: the total stays unknown."""
    if exchange.environment is Environment.TESTNET:
        return
    try:
        answer = await fetch.wallet_totals(exchange)
        reading.keep("wallet_totals", answer)
        reading.values_usd = parse.wallet_values(answer.payload)
        reading.total_usd = parse.wallet_totals(answer.payload)
    except RequestRejected:
        return    # -2015: the right is missing; spot says so too when the key itself is wrong
    except NavbookError as problem:
        reading.problems.append(f"{reading.account}: the exchange's own total is unknown: {problem}")


async def _wallet(reading: Reading, wallet: Wallet, asked: Awaitable[Answer],
                  parsed: Callable[[Answer], pl.DataFrame], passes: tuple[int, ...] = ()) -> None:
    """Read one wallet; a failure becomes its state, but codes in `passes` are raised."""
    try:
        answer = await asked
        reading.keep(wallet, answer)
        reading.balances.append(parsed(answer))
        reading.wallets[wallet] = WalletState.OK
    except NavbookError as problem:
        if isinstance(problem, RequestRejected) and problem.code in passes:
            raise
        _failed(reading, wallet, problem)


def _failed(reading: Reading, wallet: Wallet, problem: NavbookError) -> None:
    reading.wallets[wallet] = WalletState.FAILED
    sentence = f"{reading.account}: the {wallet} wallet could not be read: {problem}"
    reading.problems.append(sentence)
    if wallet is Wallet.SPOT and isinstance(problem, RequestRejected) and problem.code in KEY_REFUSED:
        reading.key_refused = sentence


async def cash_flows(exchange: Exchange, reading: Reading, since: datetime, *, is_sub: bool) -> None:
    """Fill in deposits, withdrawals and transfers with sub-accounts from `since` to the reading's time.

    Sets `flows_until` only when every kind could be read.
    """
    if exchange.environment is Environment.TESTNET:
        reading.flows_until = reading.time    # no /sapi, no deposits: nothing can move there
        return
    kinds = (_deposits, _withdrawals, _as_sub if is_sub else _with_subs)
    failures = await _all(kind(exchange, reading, since) for kind in kinds)
    if failures:
        told = " ".join(dict.fromkeys(map(str, failures)))
        reading.problems.append(f"{reading.account}: cash flows could not be read: {told}")
    else:
        reading.flows_until = reading.time


async def _all(tasks: Iterable[Coroutine[Any, Any, None]]) -> list[NavbookError]:
    """Run `tasks` to the end of each, whatever becomes of the others; return what they raised."""
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    raised = [outcome for outcome in outcomes if outcome is not None]
    for failure in raised:
        if not isinstance(failure, NavbookError):
            raise failure
    return [failure for failure in raised if isinstance(failure, NavbookError)]


async def _deposits(exchange: Exchange, reading: Reading, since: datetime) -> None:
    earliest = min(since, reading.time - fetch.HISTORY_WINDOW)    # costs no further request
    answers = await fetch.deposits(exchange, earliest, reading.time)
    _keep_flows(reading, "deposits", answers,
                lambda payload: parse.deposits(payload, reading.account, reading.time))


async def _withdrawals(exchange: Exchange, reading: Reading, since: datetime) -> None:
    earliest = min(since, reading.time - fetch.HISTORY_WINDOW)
    answers = await fetch.withdrawals(exchange, earliest, reading.time)
    _keep_flows(reading, "withdrawals", answers,
                lambda payload: parse.withdrawals(payload, reading.account, reading.time))


async def _as_sub(exchange: Exchange, reading: Reading, since: datetime) -> None:
    answers = await fetch.transfers_as_sub(exchange, since, reading.time)
    _keep_flows(reading, "transfers_as_sub", answers,
                lambda payload: parse.transfers_as_sub(payload, reading.account, reading.time))


async def _with_subs(exchange: Exchange, reading: Reading, since: datetime) -> None:
    try:
        listed = await fetch.sub_accounts(exchange)
    except RequestRejected as problem:
        if problem.code == NOT_A_MASTER or problem.code not in SUB_ACCOUNT_ERRORS:
            raise
        return    # an account for which Binance never opened sub-accounts
    reading.keep("sub_accounts", *listed)
    emails = [email for answer in listed for email in parse.sub_account_emails(answer.payload)]
    for email in emails:
        answers = await fetch.transfers_with_sub(exchange, email, since, reading.time)
        parsed = partial(parse.transfers_with_sub, account=reading.account, sub_email=email, seen_at=reading.time,
                         siblings=emails)
        _keep_flows(reading, "transfers_with_sub", answers, parsed)


def _keep_flows(reading: Reading, name: str, answers: list[Answer], parsed: Callable[[Any], pl.DataFrame]) -> None:
    reading.keep(name, *answers)
    reading.flows.extend(parsed(answer.payload) for answer in answers)


async def closing_candles(exchange: Exchange, needed: pl.DataFrame, seen_at: datetime) -> pl.DataFrame:
    """CANDLES that say p(t) for each minute of `needed` [symbol, open_time].

    Where the exchange has no candle for the minute (an outage), the last one before it comes too, and
    the minute itself gets a row without prices: that it is missing is a fact.
    """
    turns = asyncio.Semaphore(PARALLEL)
    candles = [schemas.CANDLES.empty()]

    async def ask(symbol: str, minute: datetime) -> None:
        async with turns:
            answer = await fetch.last_closed_candle(exchange, symbol, minute)
        found = parse.candles(answer.payload, symbol, seen_at)
        if found.filter(pl.col("open_time") == minute).is_empty():
            gap = dict.fromkeys(schemas.CANDLES.columns) | {
                "market": "spot", "symbol": symbol, "interval": "1m", "open_time": minute,
                "volume": Decimal(0), "seen_at": seen_at}
            found = found.vstack(schemas.CANDLES.rows([gap]))
        candles.append(found)

    for failure in await _all(ask(symbol, minute) for symbol, minute in
                              needed.select("symbol", "open_time").unique().sort(pl.all()).iter_rows()):
        raise failure
    return pl.concat(candles).unique(schemas.CANDLES.key).sort(schemas.CANDLES.key)


def merged(frames: Iterable[pl.DataFrame], schema: schemas.FrameSchema) -> pl.DataFrame:
    """The rows of `frames` once each; pages and windows overlap. Of one key, the last row stays."""
    return schema.check(pl.concat([schema.empty(), *frames]).unique(schema.key, keep="last", maintain_order=True))


def wallet_states(wallets: Mapping[str, WalletState]) -> str:
    """The states as the JSON text that `snapshots` keeps."""
    return "{" + ", ".join(f'"{wallet}": "{state}"' for wallet, state in sorted(wallets.items())) + "}"

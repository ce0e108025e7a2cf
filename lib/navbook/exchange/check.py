"""Try a key: does it reach the exchange, is it known there, may it read, and may it do more than it should?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from navbook.errors import ExchangeError, ExchangeUnavailable, KeyUnsafe, RequestRejected
from navbook.exchange import fetch, orders_read, parse
from navbook.exchange.client import Exchange
from navbook.types import Environment

ADDRESS = re.compile(r"request ip:\s*([0-9a-f.:]*[0-9a-f])", re.IGNORECASE)    # as Binance adds it to -2015
OTHER_ENVIRONMENT, NO_KEY, WRONG_SECRET = -2008, -2014, -1022
REFUSED = -2015    # of a wrong address and a missing right alike, on some hosts of an unknown key, too
WITHDRAWS = "The key can withdraw, which navbook refuses; make one on Binance without that right."
Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that a check found. `error`: nothing can be read, or much could be lost."""

    level: Level
    about: str    # network, region, clock, environment, key, secret, address, reading, trading, withdrawing, margin
    told: str     # one sentence, with what to do


async def key(exchange: Exchange, *, trades: bool = False) -> list[Finding]:
    """What is right and wrong with the key of `exchange`; never raises for what the exchange says.

    trades  whether the key is meant to trade futures, not only to read
    """
    try:
        await exchange.synchronise()
    except ExchangeError as problem:
        return [_unreached(problem)]
    reached = Finding("ok", "network", "The exchange answers.")
    if exchange.environment is Environment.TESTNET:
        return [reached, await _on_testnet(exchange)]
    try:
        rights = parse.wallets.key_rights((await fetch.wallets.key_rights(exchange)).payload)
    except RequestRejected as problem:
        return [reached, await _refused(exchange, problem)]
    except ExchangeError as problem:
        return [_unreached(problem)]
    if not rights["enableReading"]:
        return [reached, _no_reading()]
    return [reached, Finding("ok", "key", "The key is known and may read."), *_audit(rights, trades=trades)]


async def refuse_withdrawals(exchange: Exchange) -> None:
    """Raise `KeyUnsafe` when the key of `exchange` may withdraw, and as `ask` does when its rights cannot be read.

    The testnet does not tell, and has nothing to withdraw.
    """
    if await orders_read.may_withdraw(exchange):
        raise KeyUnsafe(WITHDRAWS)


def _unreached(problem: ExchangeError) -> Finding:
    if isinstance(problem, RequestRejected) and problem.status in (403, 451):
        return Finding("error", "region", f"{problem} Use an address that Binance serves.")
    if isinstance(problem, ExchangeUnavailable) and "-1021" in problem.reason:
        return Finding("error", "clock", f"{problem}")
    return Finding("error", "network", f"{problem}")


async def _on_testnet(exchange: Exchange) -> Finding:
    """There is no /sapi to tell the key's rights."""
    try:
        await fetch.wallets.futures(exchange)
    except RequestRejected as problem:
        return _by_code(problem) or Finding("error", "key", f"{problem}")
    except ExchangeError as problem:
        return _unreached(problem)
    return Finding("ok", "key", "The key is known and may read; the testnet does not tell its other rights.")


def _by_code(problem: RequestRejected) -> Finding | None:
    if problem.code == OTHER_ENVIRONMENT:
        return Finding("error", "environment", "The key is not of this environment: it belongs to another (live, "
                                               "testnet), or was deleted. (-2008)")
    if problem.code == NO_KEY:
        return Finding("error", "key", "This is not the form of a Binance key: mistyped or cut off. (-2014)")
    if problem.code == WRONG_SECRET:
        return Finding("error", "secret", "The secret does not belong to the key; set both again. (-1022)")
    return None


async def _refused(exchange: Exchange, problem: RequestRejected) -> Finding:
    """Tell apart what -2015 lumps together: a call that needs a known key and no right goes through, or not."""
    if problem.code != REFUSED:
        return _by_code(problem) or _unreached(problem)
    if told := ADDRESS.search(str(problem)):
        return Finding("error", "address", f"Binance does not take this key from {told[1]}; add that address to the "
                                           "key's list. (-2015)")
    try:
        await fetch.wallets.delist_schedule(exchange)
    except RequestRejected:
        return Finding("error", "key", "The key is not known here, or not from this address: check the key, its "
                                       "environment, and its list of addresses. (-2015)")
    except ExchangeError as failed:
        return _unreached(failed)
    return _no_reading()


def _no_reading() -> Finding:
    return Finding("error", "reading", "The key is known but may not read: allow \"Enable Reading\" on Binance, and "
                                       "check its list of addresses. (-2015)")


def _audit(rights: dict[str, bool], *, trades: bool) -> list[Finding]:
    """What a key should not be able to do, or should. Source: BINANCE documentation, "apiRestrictions"."""
    found = []
    if rights.get("enableWithdrawals"):
        found.append(Finding("error", "withdrawing", WITHDRAWS))
    moving = [name for name in ("enableInternalTransfer", "permitsUniversalTransfer") if rights.get(name)]
    if moving:
        found.append(Finding("warning", "withdrawing", "The key can move assets between accounts and wallets "
                                                       f"({', '.join(moving)}); navbook needs neither."))
    trading = [name for name in ("enableSpotAndMarginTrading", "enableMargin", "enableFutures", "enableVanillaOptions",
                                 "enableFixApiTrade") if rights.get(name)]
    if trades and "enableFutures" not in trading:
        found.append(Finding("error", "trading", "The key may not trade futures, which [trade] needs of it: allow "
                                                 "\"Enable Futures\" on Binance."))
    elif trading and not trades:
        found.append(Finding("warning", "trading", f"The key can trade ({', '.join(trading)}); reading needs no such "
                                                   "right."))
    if not rights.get("ipRestrict"):
        found.append(Finding("warning", "address", "The key works from any address; bind it to this machine's."))
    if rights.get("enablePortfolioMarginTrading"):
        found.append(Finding("warning", "margin", "The key is made for portfolio margin, which navbook cannot value."))
    return found

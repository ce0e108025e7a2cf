"""What each wallet holds, what the exchange says it is worth, and which wallets an account has.

A row that does not fit fails the whole wallet: leaving it out would make the account smaller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from unicodedata import normalize

import polars as pl

from navbook import schemas
from navbook.errors import AnswerUnreadable
from navbook.exchange.rows import UNREADABLE, as_object, listed, read, strict, why
from navbook.exchange.values import LARGEST, ZERO, amount, flag, from_ms, integer, text, total
from navbook.types import Wallet

EARN = "earn"    # the exchange has one total for Simple Earn, flexible and locked
# Binance's names of its wallets, without the circle around an S; any other name is `Wallet.OTHER`.
NAMES = {"spot": Wallet.SPOT, "funding": Wallet.FUNDING, "cross margin": Wallet.MARGIN,
         "isolated margin": Wallet.ISOLATED_MARGIN, "usds-m futures": Wallet.FUTURES, "usd-m futures": Wallet.FUTURES,
         "coin-m futures": Wallet.COIN_FUTURES, "earn": EARN}
SNAPSHOT_WALLETS = {    # of GET /sapi/v1/accountSnapshot: type -> wallet, list of assets, their amounts
    "SPOT": (Wallet.SPOT, "balances", ("free", "locked")),
    "MARGIN": (Wallet.MARGIN, "userAssets", ("netAsset",)),
    "FUTURES": (Wallet.FUTURES, "assets", ("marginBalance",))}


@dataclass(frozen=True)
class Total:
    """The exchange's own value of one wallet, in the asset that was asked for."""

    name: str        # as the exchange calls it
    wallet: str      # as we do
    value: Decimal
    active: bool     # whether it was ever opened; said of all where the exchange does not say


def spot(payload: Any, account: str, time: datetime, tradable: Iterable[str]) -> pl.DataFrame:
    """BALANCES of `GET /api/v3/account`. LD* rows mirror Simple Earn and are left out.

    tradable  assets that have a market of their own: LDO is a coin, LDBTC is a mirror
    """
    markets = set(tradable)

    def row(balance: Any) -> tuple[Any, ...] | None:
        asset = text(balance["asset"])
        if _is_mirror(asset, markets):
            return None
        return _balance(account, time, Wallet.SPOT, asset, total(amount(balance["free"]), amount(balance["locked"])))

    return strict(schemas.BALANCES, "GET /api/v3/account", payload, row, "balances")


def _is_mirror(asset: str, markets: set[str]) -> bool:
    return asset.startswith("LD") and len(asset) > 3 and asset not in markets


def uid(payload: Any) -> int | None:
    """The account's number in `GET /api/v3/account`, where it is told."""
    endpoint = "GET /api/v3/account"
    found = as_object(endpoint, payload).get("uid")
    try:
        return None if found is None else integer(found)
    except UNREADABLE as problem:
        raise AnswerUnreadable(endpoint, f"uid: {problem}") from None


def funding(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `POST /sapi/v1/asset/get-funding-asset`: free + locked + freeze + withdrawing."""
    def row(balance: Any) -> tuple[Any, ...] | None:
        locked, freeze, withdrawing = (amount(balance.get(part, "0")) for part in ("locked", "freeze", "withdrawing"))
        return _balance(account, time, Wallet.FUNDING, text(balance["asset"]),
                        total(amount(balance["free"]), locked, freeze, withdrawing), withdrawing)

    return strict(schemas.BALANCES, "POST /sapi/v1/asset/get-funding-asset", payload, row)


def futures(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `GET /fapi/v3/account`: marginBalance (wallet + unrealised) of each asset, signed.

    The account's totals are of no use: they count USDT only, or apply haircuts.
    """
    return _margin_balances("GET /fapi/v3/account", Wallet.FUTURES, payload, account, time)


def coin_futures(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `GET /dapi/v1/account`: marginBalance of each coin, in the coin."""
    return _margin_balances("GET /dapi/v1/account", Wallet.COIN_FUTURES, payload, account, time)


def _margin_balances(endpoint: str, wallet: Wallet, payload: Any, account: str, time: datetime) -> pl.DataFrame:
    def row(asset: Any) -> tuple[Any, ...] | None:
        return _balance(account, time, wallet, text(asset["asset"]), amount(asset["marginBalance"]))

    return strict(schemas.BALANCES, endpoint, payload, row, "assets")


def open_positions(endpoint: str, payload: Any) -> dict[str, datetime]:
    """When each open position of a futures account changed last, by symbol."""
    rows = read(endpoint, payload, lambda position: (text(position["symbol"]), amount(position["positionAmt"]),
                                                     from_ms(position.get("updateTime") or 0)), "positions")
    return {symbol: changed for symbol, held, changed in rows if held}


def margin(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `GET /sapi/v1/margin/account`: netAsset of each, what is owed taken off; may be negative."""
    def row(asset: Any) -> tuple[Any, ...] | None:
        return _balance(account, time, Wallet.MARGIN, text(asset["asset"]), amount(asset["netAsset"]))

    return strict(schemas.BALANCES, "GET /sapi/v1/margin/account", payload, row, "userAssets")


def isolated_margin(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `GET /sapi/v1/margin/isolated/account`: the net assets of all pairs, both sides, summed by asset."""
    endpoint = "GET /sapi/v1/margin/isolated/account"
    pairs = read(endpoint, payload, lambda pair: [(text(pair[side]["asset"]), amount(pair[side]["netAsset"]))
                                                  for side in ("baseAsset", "quoteAsset")], "assets")
    return _summed(endpoint, Wallet.ISOLATED_MARGIN, [side for pair in pairs for side in pair], account, time)


def earn_flexible(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `GET /sapi/v1/simple-earn/flexible/position`: totalAmount; what is pledged is within it."""
    return _positions("GET /sapi/v1/simple-earn/flexible/position", Wallet.EARN_FLEXIBLE, "totalAmount", payload,
                      account, time)


def earn_locked(payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `GET /sapi/v1/simple-earn/locked/position`: amount; rewards count when they are paid."""
    return _positions("GET /sapi/v1/simple-earn/locked/position", Wallet.EARN_LOCKED, "amount", payload, account, time)


def _positions(endpoint: str, wallet: Wallet, column: str, payload: Any, account: str, time: datetime) -> pl.DataFrame:
    rows = read(endpoint, listed(payload, "rows"), lambda row: (text(row["asset"]), amount(row[column])), "rows")
    return _summed(endpoint, wallet, rows, account, time)


def dollar_earner(asset: str, payload: Any, account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of `GET /sapi/v1/bfusd/account` or its twin for RWUSD: Earn products outside the list of positions."""
    endpoint = f"GET /sapi/v1/{asset.lower()}/account"
    try:
        held = amount(as_object(endpoint, payload)[f"{asset.lower()}Amount"])
    except UNREADABLE as problem:
        raise AnswerUnreadable(endpoint, why(problem)) from None
    return _summed(endpoint, Wallet.EARN_FLEXIBLE, [(asset, held)], account, time)


def _summed(endpoint: str, wallet: Wallet, held: Iterable[tuple[str, Decimal]], account: str,
            time: datetime) -> pl.DataFrame:
    sums: dict[str, Decimal] = {}
    try:
        for asset, quantity in held:
            sums[asset] = total(sums.get(asset, ZERO), quantity)
    except ValueError as problem:
        raise AnswerUnreadable(endpoint, str(problem)) from None
    rows = [_balance(account, time, wallet, asset, quantity) for asset, quantity in sums.items()]
    return schemas.BALANCES.rows([row for row in rows if row])


def totals(payload: Any) -> list[Total]:
    """Every wallet of `GET /sapi/v1/asset/wallet/balance`, also those that we have no name for."""
    def row(wallet: Any) -> Total:
        name = text(wallet["walletName"])
        return Total(name, NAMES.get(normalize("NFKC", name).casefold(), Wallet.OTHER), amount(wallet["balance"]),
                     flag(wallet.get("activate", True)))

    endpoint = "GET /sapi/v1/asset/wallet/balance"
    found = read(endpoint, payload, row)
    if sum(abs(one.value) for one in found) >= LARGEST:    # so that any sum of them fits
        raise AnswerUnreadable(endpoint, "its values together are no amount")
    return found


def wallet_totals(found: Iterable[Total], account: str, time: datetime) -> pl.DataFrame:
    """WALLET_TOTALS: one row a name; values of one name are added up."""
    sums: dict[tuple[str, str], Decimal] = {}
    for one in found:
        sums[one.name, one.wallet] = total(sums.get((one.name, one.wallet), ZERO), one.value)
    return schemas.WALLET_TOTALS.rows([(account, time, name, wallet, value, time)
                                       for (name, wallet), value in sums.items()])


def other(found: Iterable[Total], account: str, time: datetime) -> pl.DataFrame:
    """BALANCES of the wallets that only their total tells of: options, bots, copy trading; in USDT."""
    value = total(*(one.value for one in found if one.wallet == Wallet.OTHER))
    row = _balance(account, time, Wallet.OTHER, "USDT", value)
    return schemas.BALANCES.rows([row] if row else [])


def account_flags(payload: Any) -> dict[str, bool]:
    """What an account ever opened, by `GET /sapi/v1/account/info`: isFutureEnabled, isMarginEnabled, …"""
    endpoint = "GET /sapi/v1/account/info"
    flags = {name: value for name, value in as_object(endpoint, payload).items() if name.startswith("is")}
    for name in ("isFutureEnabled", "isMarginEnabled"):
        if not isinstance(flags.get(name), bool):
            raise AnswerUnreadable(endpoint, f"{name} is {flags.get(name)!r}")
    return {name: value for name, value in flags.items() if isinstance(value, bool)}


def key_rights(payload: Any) -> dict[str, bool]:
    """What a key may do, by `GET /sapi/v1/account/apiRestrictions`: enableReading, ipRestrict, …"""
    endpoint = "GET /sapi/v1/account/apiRestrictions"
    rights = {name: value for name, value in as_object(endpoint, payload).items() if isinstance(value, bool)}
    if "enableReading" not in rights:
        raise AnswerUnreadable(endpoint, "it does not tell enableReading")
    return rights


def daily(payload: Any, account: str, kind: str, seen_at: datetime, tradable: Iterable[str]) -> pl.DataFrame:
    """BALANCES of `GET /sapi/v1/accountSnapshot`, at the end of each UTC day (23:59:59), of one wallet.

    kind      SPOT, MARGIN (net of what is owed) or FUTURES (margin balance; the exchange says: not live)
    tradable  as in `spot`
    """
    markets = set(tradable)
    endpoint = f"GET /sapi/v1/accountSnapshot?type={kind}"
    wallet, key, parts = SNAPSHOT_WALLETS[kind]

    def held(row: Any) -> tuple[str, Decimal]:
        return text(row["asset"]), total(*(amount(row[part]) for part in parts))

    rows = []
    for time, holdings in read(endpoint, payload, lambda day: (from_ms(day["updateTime"]), day["data"]), "snapshotVos"):
        for asset, quantity in read(endpoint, holdings, held, key):
            if quantity and not (wallet is Wallet.SPOT and _is_mirror(asset, markets)):
                rows.append((account, time, wallet, asset, quantity, ZERO, seen_at))
    return schemas.BALANCES.rows(list(dict.fromkeys(rows)))


def _balance(account: str, time: datetime, wallet: Wallet, asset: str, quantity: Decimal,
             withdrawing: Decimal = ZERO) -> tuple[Any, ...] | None:
    return (account, time, wallet, asset, quantity, withdrawing, time) if quantity else None

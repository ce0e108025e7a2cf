"""A twin of an account: a local Binance that holds its balances and flows at the prices of its newest snapshot.

Try there what you would not try on the account: collecting the twin gives the same net asset value. What the
sandbox has no wallet for (`other`, `in_transit`) lies in the twin's funding wallet; flows of every kind are told as
deposits, withdrawals, Pay or transfers with a sub-account. Nothing of the account's key is in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from navbook import schemas
from navbook.errors import SettingsInvalid
from navbook.runner import sandbox, stores
from navbook.runner.sandbox import Sandbox, World
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import COUNTED, FlowKind, FlowStatus, Wallet

ELSEWHERE = {Wallet.OTHER: Wallet.FUNDING, Wallet.IN_TRANSIT: Wallet.FUNDING}
PLACES = Decimal("1e-8")       # what the exchange tells of an amount
MOMENT = timedelta(seconds=1)


@contextmanager
def started(config: Settings, account: str) -> Iterator[tuple[Sandbox, datetime]]:
    """A running twin of `account` and the time of the snapshot that it is of; it ends with the block.

    Raises `SettingsInvalid` when there is no account or no counted snapshot of it.
    """
    stores.require(config, account)
    taken = tables.read(config.location, schemas.SNAPSHOTS, account=account).filter(
        pl.col("grade").is_in([grade.value for grade in COUNTED])).sort("time")
    if taken.is_empty():
        raise SettingsInvalid(f"There is no complete snapshot of {account} to copy; run navbook collect.")
    time: datetime = taken["time"][-1]
    with sandbox.started(World(start=time.isoformat(), scenario="")) as local:
        _fill(local, config, account, time)
        yield local, time


def _fill(local: Sandbox, config: Settings, account: str, time: datetime) -> None:
    prices = tables.read(config.location, schemas.PRICES, pl.col("time") == time)
    for symbol, price in prices.select("symbol", "price").iter_rows():
        local.control("POST", "prices", symbol=symbol, price=f"{price:f}")
    balances = _balances(tables.read(config.location, schemas.BALANCES, pl.col("time") == time, account=account))
    flows = list(_events(config, account, time))
    moved: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for event, change in flows:
        moved[event.get("wallet", Wallet.SPOT), event["asset"]] += change
    opening = {wallet: {asset: max(amount - moved.get((wallet, asset), Decimal(0)), _least(wallet))
                        for asset, amount in assets.items()} for wallet, assets in balances.items()}
    _accounts(local, config, account, opening)
    for event, _ in flows:
        local.control("POST", "events", **event)
    for (wallet, asset), change in moved.items():    # what was bought and sold between the flows
        had = opening.get(wallet, {}).get(asset, Decimal(0)) + change
        if gap := balances.get(wallet, {}).get(asset, Decimal(0)) - had:
            local.control("POST", "events", type="dividend", account=account, asset=asset, amount=f"{gap:f}",
                          wallet=wallet, time=_ms(time - MOMENT), info="twin: what it holds now")


def _least(wallet: str) -> Decimal:
    """Only margin can owe."""
    return Decimal("-Infinity") if wallet in (Wallet.MARGIN, Wallet.ISOLATED_MARGIN) else Decimal(0)


def _balances(rows: pl.DataFrame) -> dict[str, dict[str, Decimal]]:
    held: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for wallet, asset, quantity in rows.select("wallet", "asset", "quantity").iter_rows():
        held[ELSEWHERE.get(wallet, wallet)][asset] += quantity.quantize(PLACES)
    return held


def _accounts(local: Sandbox, config: Settings, account: str, opening: dict[str, dict[str, Decimal]]) -> None:
    """The account and, for its transfers, its master or one sub-account."""
    master = config.accounts[account].master if account in config.accounts else None
    balances = {wallet: {asset: f"{amount:f}" for asset, amount in assets.items()}
                for wallet, assets in opening.items()}
    names = [(_other(account), {}, None), (account, balances, _other(account))] if master else [
        (account, balances, None), (_other(account), {}, account)]
    for name, held, of in names:
        own = {"master": of} if of else {}
        local.control("POST", "accounts", name=name, api_key=f"TwinKeyOf{name}".ljust(64, "0")[:64],
                      api_secret=f"TwinSecretOf{name}".ljust(64, "0")[:64], balances=held,
                      permissions={"enableReading": True, "ipRestrict": True}, **own)


def _other(account: str) -> str:
    return f"{account}-other"


def _events(config: Settings, account: str, time: datetime) -> Iterator[tuple[dict[str, Any], Decimal]]:
    """The flows that count as control events of a sandbox, each with what it adds to its wallet."""
    flows = tables.read(config.location, schemas.CASH_FLOWS, account=account, until=time - 2 * MOMENT)
    for row in flows.filter(pl.col("status") == FlowStatus.DONE.value).sort("time").iter_rows(named=True):
        kind, amount, fee = FlowKind(row["kind"]), row["amount"].quantize(PLACES), row["fee"].quantize(PLACES)
        event = {"account": account, "asset": row["asset"], "amount": f"{amount:f}", "time": _ms(row["time"])}
        if kind.name.startswith("SUB_"):
            there, back = (account, _other(account)) if kind.sign < 0 else (_other(account), account)
            yield {**event, "type": "sub_transfer", "account": there, "to": back}, kind.sign * amount
        elif kind.name.startswith("PAY_"):
            yield {**event, "type": "pay", "amount": f"{kind.sign * amount:f}", "wallet": "funding"}, kind.sign * amount
        elif kind.sign > 0:
            yield {**event, "type": "deposit"}, amount
        else:
            yield {**event, "type": "withdrawal", "fee": f"{fee:f}"}, -amount - fee


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def says(account: str, local: Sandbox, time: datetime) -> list[str]:
    """What to tell somebody who looks at the twin."""
    return [f"A twin of {account} as of {time:%Y-%m-%d %H:%M:%S} UTC: {local.url} (Ctrl-C ends it)",
            "In an empty folder, without keys and without touching your store:",
            f"  NAVBOOK_SANDBOX_URL={local.url} navbook collect && NAVBOOK_SANDBOX_URL={local.url} navbook benchmark"]

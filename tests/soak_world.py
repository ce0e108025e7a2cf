"""The world that a soak drives: two accounts, and what happens to them hour by hour.

A function of the seed alone, so that the same world can be driven twice. Nothing happens within a minute of a whole
hour: an answer that is two seconds behind says the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from locals import Local

START = datetime(2025, 3, 3, tzinfo=UTC)    # a Monday
HOUR = timedelta(hours=1)
A_DAY = 3    # things that happen, on the average
LATE = 0.1    # of them are told one to three days later
TOML = """[benchmark]
rebalance = { weekday = 0, hour = 12 }
[benchmarks.bitcoin]
weights = { BTC = 1.0 }
[groups.family]
accounts = ["main", "sub"]
"""
OPENING: dict[str, dict[str, dict[str, str]]] = {
    "main": {"spot": {"BTC": "2", "ETH": "20", "USDT": "90000"}, "funding": {"USDC": "40000"},
             "futures": {"USDT": "60000"}, "earn_flexible": {"USDT": "5000"}},
    "sub": {"spot": {"BTC": "1", "USDT": "50000"}}}


@dataclass(frozen=True)
class Event:
    """What happened at `time`, and the exchange's lists show from `told` on."""

    told: datetime
    time: datetime
    kind: str
    account: str
    fields: Mapping[str, object]


Drawn = tuple[str, str, dict[str, object]]    # kind, account, fields


def deposit(draw: random.Random, time: datetime) -> Drawn:
    asset, most = draw.choice([("USDT", 4000), ("BTC", 0.05), ("ETH", 1), ("USDC", 2000)])
    wallet = "funding" if asset == "USDC" else "spot"
    fields = {"asset": asset, "amount": amount(draw, most), "wallet": wallet}
    return "deposit", draw.choice(["main", "sub"]) if wallet == "spot" else "main", fields | sometimes_later(draw, time)


def withdrawal(draw: random.Random, time: datetime) -> Drawn:
    asset, most = draw.choice([("USDT", 3000), ("BTC", 0.03)])
    return "withdrawal", draw.choice(["main", "sub"]), {
        "asset": asset, "amount": amount(draw, most), "fee": "0.0001", **sometimes_later(draw, time)}


def between_accounts(draw: random.Random, time: datetime) -> Drawn:
    there, back = draw.sample(["main", "sub"], 2)
    return "sub_transfer", there, {"to": back, "asset": "USDT", "amount": amount(draw, 1500)}


def between_wallets(draw: random.Random, time: datetime) -> Drawn:
    there, back = draw.sample(["spot", "futures"], 2)
    return "transfer", "main", {"from_wallet": there, "to_wallet": back, "asset": "USDT", "amount": amount(draw, 800)}


def gift(draw: random.Random, time: datetime) -> Drawn:
    return draw.choice([
        ("dividend", "main", {"asset": "USDT", "amount": amount(draw, 20)}),
        ("reward", "main", {"asset": "USDT", "amount": amount(draw, 2)}),
        ("pay", "main", {"asset": "USDC", "amount": amount(draw, 200)})])


def position(draw: random.Random, time: datetime) -> Drawn:
    """A futures fill: it opens, grows, shrinks or turns the one position of its symbol."""
    symbol, most = draw.choice([("BTCUSDT", 0.08), ("ETHUSDT", 1.5)])
    return "fill", "main", {"market": "futures", "symbol": symbol, "side": draw.choice(["BUY", "SELL"]),
                            "quantity": f"{draw.uniform(most / 4, most):.3f}", "commission": "1.2"}


def trade(draw: random.Random, time: datetime) -> Drawn:
    return "fill", draw.choice(["main", "sub"]), {"symbol": "BTCUSDT", "side": draw.choice(["BUY", "SELL"]),
                                                  "quantity": f"{draw.uniform(0.002, 0.02):.4f}"}


HAPPENS: dict[Callable[[random.Random, datetime], Drawn], float] = {
    deposit: 4, withdrawal: 3, between_accounts: 2, between_wallets: 2, gift: 3, position: 4, trade: 3}


def calendar(days: int, seed: int) -> list[Event]:
    """What happens in `days`, in the order in which the exchange tells it."""
    draw = random.Random(seed)
    return sorted(_events(days, draw), key=lambda event: event.told)


def _events(days: int, draw: random.Random) -> Iterator[Event]:
    for _ in range(days * A_DAY):
        time = START + draw.randrange(1, days * 24) * HOUR - timedelta(seconds=draw.randrange(60, 3540))
        kind, account, fields = draw.choices(list(HAPPENS), list(HAPPENS.values()))[0](draw, time)
        told = time + timedelta(hours=draw.randrange(24, 72)) if draw.random() < LATE else time
        yield Event(told, time, kind, account, fields)


def amount(draw: random.Random, most: float) -> str:
    return f"{draw.uniform(most / 10, most):.4f}"


def sometimes_later(draw: random.Random, time: datetime) -> dict[str, object]:
    """A third of what moves on a chain takes up to nine hours."""
    return {"complete_time": time + timedelta(minutes=draw.randrange(5, 540))} if draw.random() < 1 / 3 else {}


def open_accounts(local: Local) -> None:
    """Both accounts, and navbook.toml for them."""
    local.account("main", OPENING["main"])
    local.account("sub", OPENING["sub"], master="main", email="sub@example.com")
    local.config(TOML)

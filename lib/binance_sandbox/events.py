"""What can happen to an account: each kind of event, how it is read, and which amounts it moves when.

An event is known from its `time` on. Its id follows from its content, so posting the same events in another order
gives the same world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from .accounts import WALLETS
from .fields import Fields
from .money import ZERO
from .pairs import pair_of

CREDITED = (1, 6)            # deposit: success; credited but not withdrawable
DEPOSIT_STATUSES = (0, 1, 2, 6, 7, 8)
WITHDRAWN = 6                # withdrawal: completed
WITHDRAWAL_REFUSED = (1, 3, 5)
WITHDRAWAL_STATUSES = (0, 1, 2, 3, 4, 5, 6)
NETWORKS = {"BTC": "BTC", "ETH": "ETH", "USDT": "TRX", "USDC": "ETH", "SOL": "SOL", "BNB": "BSC"}


@dataclass(frozen=True, kw_only=True)
class Posting:
    """`amount` of `asset` enters (or leaves) a wallet's `bucket`: free, locked or withdrawing."""

    time: int
    account: str
    wallet: str
    asset: str
    amount: Decimal
    bucket: str = "free"


@dataclass(frozen=True, kw_only=True)
class Event:
    id: str
    time: int      # ms
    account: str

    @property
    def number(self) -> int:
        """The id as Binance's integers want it."""
        return int(self.id) if self.id.isdigit() else int(sha256(self.id.encode()).hexdigest()[:11], 16)

    def postings(self) -> Iterator[Posting]:
        """The amounts it moves; none where a price decides (`Fill`)."""
        yield from ()


@dataclass(frozen=True, kw_only=True)
class _Move(Event):
    """A movement of one amount across the account's border."""

    asset: str
    amount: Decimal
    wallet: str

    def _post(self, time: int, amount: Decimal, bucket: str = "free") -> Posting:
        return Posting(time=time, account=self.account, wallet=self.wallet, asset=self.asset, amount=amount,
                       bucket=bucket)


@dataclass(frozen=True, kw_only=True)
class Deposit(_Move):
    final_status: int
    complete_time: int | None    # None: it never completes
    network: str
    tx_id: str
    transfer_type: int           # 0 external, 1 from another Binance account

    def status(self, now: int) -> int:
        done = self.complete_time is None or now >= self.complete_time
        return self.final_status if done else 0

    def postings(self) -> Iterator[Posting]:
        if self.final_status in CREDITED and self.complete_time is not None:
            yield self._post(self.complete_time, self.amount, "free" if self.final_status == 1 else "locked")


@dataclass(frozen=True, kw_only=True)
class Withdrawal(_Move):
    fee: Decimal                 # on top of `amount`
    final_status: int
    complete_time: int | None
    network: str
    tx_id: str
    transfer_type: int

    def status(self, now: int) -> int:
        done = self.complete_time is None or now >= self.complete_time
        return self.final_status if done else 4

    def postings(self) -> Iterator[Posting]:
        """What leaves `free` waits in `withdrawing` until it is sent, or comes back when it was refused."""
        total = self.amount + self.fee
        yield self._post(self.time, -total)
        yield self._post(self.time, total, "withdrawing")
        if self.complete_time is not None:
            yield self._post(self.complete_time, -total, "withdrawing")
            if self.final_status in WITHDRAWAL_REFUSED:
                yield self._post(self.complete_time, total)


@dataclass(frozen=True, kw_only=True)
class Gift(_Move):
    """A Binance Pay payment (signed) or a dividend."""

    kind: str

    def postings(self) -> Iterator[Posting]:
        yield self._post(self.time, self.amount)


@dataclass(frozen=True, kw_only=True)
class Transfer(Event):
    """From one wallet to another; of one account, or of two in a family (`to` is the other)."""

    asset: str
    amount: Decimal
    from_wallet: str
    to_wallet: str
    to: str

    def postings(self) -> Iterator[Posting]:
        for account, wallet, sign in ((self.account, self.from_wallet, -1), (self.to, self.to_wallet, 1)):
            yield Posting(time=self.time, account=account, wallet=wallet, asset=self.asset, amount=sign * self.amount)


@dataclass(frozen=True, kw_only=True)
class Fill(Event):
    """A trade. Without `price` it happens at the market's price at its time."""

    symbol: str
    market: str            # spot | futures
    side: str              # BUY | SELL
    position_side: str     # BOTH | LONG | SHORT
    quantity: Decimal
    price: Decimal | None
    commission: Decimal    # spot: of the asset received; futures: of the margin asset


def read_event(fields: Fields, now: int, taken: Mapping[str, object]) -> Event:
    """The event that a control call or a scenario describes; raises `BadInput`.

    taken  the ids in use; an event without an id gets one that follows from its content
    """
    kind = fields.choice("type", tuple(READERS))
    time = fields.time("time", now)
    account = fields.text("account", fields.optional_text("from") if kind == "sub_transfer" else None)
    given = fields.optional_text("id")
    if given in taken:
        raise fields.wrong("id", f"{given!r} is taken by another event")
    details = READERS[kind](fields, time, account)
    fields.done()
    build = details.pop("build")
    content = f"{kind}|{account}|{time}|{sorted((key, str(value)) for key, value in details.items())}"
    identity = given or _identity(content, taken)
    if details.get("tx_id") == "":
        details["tx_id"] = _transaction_id(identity, details["transfer_type"])
    event: Event = build(id=identity, time=time, account=account, **details)
    return event


def _identity(content: str, taken: Mapping[str, object]) -> str:
    """The first free one in a row of ids that follow from `content`: the same event twice is two events."""
    repeats = 0
    while (identity := str(int(sha256(f"{content}|{repeats}".encode()).hexdigest()[:13], 16))) in taken:
        repeats += 1
    return identity


def _transaction_id(identity: str, transfer_type: int) -> str:
    digest = sha256(f"transaction {identity}".encode()).hexdigest()
    return f"Off-chain transfer {int(digest[:9], 16)}" if transfer_type else digest


def _read_deposit(fields: Fields, time: int, account: str) -> dict[str, Any]:
    details = _read_chain(fields, time, DEPOSIT_STATUSES, default=1, final=(1, 2, 6, 7))
    return {"build": Deposit, **details}


def _read_withdrawal(fields: Fields, time: int, account: str) -> dict[str, Any]:
    fee = fields.amount("fee", ZERO)
    details = _read_chain(fields, time, WITHDRAWAL_STATUSES, default=WITHDRAWN, final=(WITHDRAWN, *WITHDRAWAL_REFUSED))
    return {"build": Withdrawal, "fee": fee, **details}


def _read_chain(fields: Fields, time: int, statuses: tuple[int, ...], default: int,
                final: tuple[int, ...]) -> dict[str, Any]:
    """What deposits and withdrawals share. A final status is reached at once unless `complete_time` says when."""
    details = _read_move(fields, "spot", ("spot", "funding"))
    status = fields.integer("status", default)
    if status not in statuses:
        raise fields.wrong("status", f"{status} is none of {', '.join(map(str, statuses))}")
    given = "complete_time" in fields
    complete_time = fields.time("complete_time", time)
    if complete_time < time:
        raise fields.wrong("complete_time", "lies before time")
    if given and status not in final:
        raise fields.wrong("complete_time", f"status {status} is not a completion")
    transfer_type = fields.integer("transfer_type", 0)
    if transfer_type not in (0, 1):
        raise fields.wrong("transfer_type", f"{transfer_type} is none of 0, 1")
    return {**details, "final_status": status, "complete_time": complete_time if status in final else None,
            "network": fields.text("network", NETWORKS.get(details["asset"], "ETH")),
            "tx_id": fields.optional_text("tx_id") or "",
            "transfer_type": transfer_type}


def _read_move(fields: Fields, wallet: str, wallets: tuple[str, ...] = WALLETS, *,
               signed: bool = False) -> dict[str, Any]:
    return {"asset": fields.asset(), "amount": fields.amount("amount", signed=signed),
            "wallet": fields.choice("wallet", wallets, wallet)}


def _read_pay(fields: Fields, time: int, account: str) -> dict[str, Any]:
    return {"build": Gift, "kind": "pay", **_read_move(fields, "funding", signed=True)}


def _read_dividend(fields: Fields, time: int, account: str) -> dict[str, Any]:
    return {"build": Gift, "kind": "dividend", **_read_move(fields, "spot")}


def _read_transfer(fields: Fields, time: int, account: str) -> dict[str, Any]:
    wallets = {"from_wallet": fields.choice("from_wallet", WALLETS), "to_wallet": fields.choice("to_wallet", WALLETS)}
    return {"build": Transfer, "asset": fields.asset(), "amount": fields.amount("amount"), "to": account, **wallets}


def _read_sub_transfer(fields: Fields, time: int, account: str) -> dict[str, Any]:
    wallets = {"from_wallet": fields.choice("from_wallet", WALLETS, "spot"),
               "to_wallet": fields.choice("to_wallet", WALLETS, "spot")}
    return {"build": Transfer, "asset": fields.asset(), "amount": fields.amount("amount"), "to": fields.text("to"),
            **wallets}


def _read_fill(fields: Fields, time: int, account: str) -> dict[str, Any]:
    symbol = fields.text("symbol")
    if pair_of(symbol) is None:
        raise fields.wrong("symbol", f"cannot tell the quote asset of {symbol!r}")
    quantity, price = fields.amount("quantity"), fields.amount("price") if "price" in fields else None
    for key, value in (("quantity", quantity), ("price", price)):
        if value == 0:
            raise fields.wrong(key, "must be above zero")
    return {"build": Fill, "symbol": symbol, "market": fields.choice("market", ("spot", "futures"), "spot"),
            "side": fields.choice("side", ("BUY", "SELL")), "quantity": quantity, "price": price,
            "position_side": fields.choice("position_side", ("BOTH", "LONG", "SHORT"), "BOTH"),
            "commission": fields.amount("commission", ZERO)}


READERS: dict[str, Callable[[Fields, int, str], dict[str, Any]]] = {
    "deposit": _read_deposit, "withdrawal": _read_withdrawal, "transfer": _read_transfer, "pay": _read_pay,
    "sub_transfer": _read_sub_transfer, "dividend": _read_dividend, "fill": _read_fill,
}


"""What can happen to an account: each kind of event, and which amounts it moves when.

An event is known from its `time` on; `event_fields` reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256

CREDITED = (1, 6)            # deposit: success; credited but not withdrawable
DEPOSIT_STATUSES = (0, 1, 2, 6, 7, 8)
WITHDRAWN = 6                # withdrawal: completed
WITHDRAWAL_REFUSED = (1, 3, 5)
WITHDRAWAL_STATUSES = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, kw_only=True)
class Posting:
    """`amount` of `asset` enters (or leaves) a wallet's `bucket`: free, locked, withdrawing; borrowed and interest
    are debts."""

    time: int
    account: str
    wallet: str
    asset: str
    amount: Decimal
    bucket: str = "free"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to an account at a time."""

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
    """Coins that came over a chain."""

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
    """Coins that left over a chain."""

    fee: Decimal                 # on top of `amount`
    final_status: int
    complete_time: int | None
    network: str
    tx_id: str
    transfer_type: int
    order_id: str | None         # the caller's own name for it

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
    note: str    # orderType of Pay; what the dividend is called

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
    client_id: str = ""

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
    commission_asset: str | None = None    # spot: what the commission was paid in, where it is another


@dataclass(frozen=True, kw_only=True)
class Exchange(Event):
    """A convert, or dust that became BNB: one asset for another at an agreed amount."""

    kind: str    # convert | dust
    wallet: str
    from_asset: str
    from_amount: Decimal
    to_asset: str
    to_amount: Decimal
    fee: Decimal    # dust: the service charge, in `to_asset`
    status: str

    def postings(self) -> Iterator[Posting]:
        if self.status == "SUCCESS":
            for asset, amount in ((self.from_asset, -self.from_amount), (self.to_asset, self.to_amount - self.fee)):
                yield Posting(time=self.time, account=self.account, wallet=self.wallet, asset=asset, amount=amount)


@dataclass(frozen=True, kw_only=True)
class Fiat(_Move):
    """Money of a bank: deposited or withdrawn, or paid for a coin (`buy`), or got for one (`sell`).

    `asset` and `amount` are the fiat; on `buy` and `sell`, `coin` and `coin_amount` are what moves on Binance.
    """

    side: str    # deposit | withdrawal | buy | sell
    fee: Decimal    # on top of `amount`
    method: str
    status: str
    coin: str
    coin_amount: Decimal

    def postings(self) -> Iterator[Posting]:
        if self.status not in ("Successful", "Completed", "Finished"):
            return
        if self.side in ("deposit", "withdrawal"):
            yield self._post(self.time, self.amount if self.side == "deposit" else -self.amount - self.fee)
            return
        sign = 1 if self.side == "buy" else -1
        yield Posting(time=self.time, account=self.account, wallet=self.wallet, asset=self.coin,
                      amount=sign * self.coin_amount)
        if self.method == "Cash Balance":    # not a card: the fiat lies on Binance
            yield self._post(self.time, -sign * self.amount - self.fee)


@dataclass(frozen=True, kw_only=True)
class C2C(_Move):
    """A trade with another person: coins against fiat that never touches Binance."""

    side: str    # BUY | SELL
    fiat: str
    total_price: Decimal
    fee: Decimal    # in the coin
    status: str

    def postings(self) -> Iterator[Posting]:
        if self.status == "COMPLETED":
            yield self._post(self.time, (self.amount if self.side == "BUY" else -self.amount) - self.fee)


@dataclass(frozen=True, kw_only=True)
class Reward(_Move):
    """What Simple Earn pays. Real-time rewards stay in the position, all others reach spot."""

    product: str    # flexible | locked
    kind: str       # REALTIME | BONUS | REWARDS

    def postings(self) -> Iterator[Posting]:
        yield self._post(self.time, self.amount)


@dataclass(frozen=True, kw_only=True)
class Loan(_Move):
    """Margin: borrowed, repaid, or charged as interest; net, only interest costs."""

    kind: str      # borrow | repay | interest
    symbol: str    # isolated margin; else empty

    def postings(self) -> Iterator[Posting]:
        if self.kind == "interest":
            yield self._post(self.time, self.amount, "interest")
            return
        sign = 1 if self.kind == "borrow" else -1
        yield self._post(self.time, sign * self.amount)
        yield self._post(self.time, sign * self.amount, "borrowed")

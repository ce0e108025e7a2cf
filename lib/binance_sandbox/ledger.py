"""Who holds what at a time: a fold over opening balances and the events up to then.

Nothing is stored but accounts and events. Moving the clock forwards applies what lies between; an event in the
past, or the clock set back, folds again from the opening.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from .accounts import Account
from .errors import BadInput
from .events import Deposit, Event, Fill, Posting, Transfer, Withdrawal
from .market import Market
from .money import ZERO, cut

E = TypeVar("E", bound=Event)


@dataclass
class Amounts:
    """What one wallet holds of one asset, and owes of it."""

    free: Decimal = ZERO
    locked: Decimal = ZERO
    withdrawing: Decimal = ZERO
    borrowed: Decimal = ZERO
    interest: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.free + self.locked + self.withdrawing - self.borrowed - self.interest


@dataclass
class Position:
    """USDⓈ-M. `amount` in the base asset, negative when short; `entry` is the average price."""

    symbol: str
    side: str              # BOTH | LONG | SHORT
    amount: Decimal = ZERO
    entry: Decimal = ZERO
    updated: int = 0
    isolated: Decimal = ZERO    # of the wallet, kept for this position alone
    traded: bool = False        # an order has a part in it: it pays funding (what `fill` events tell does not)

    def fill(self, signed: Decimal, price: Decimal, time: int) -> Decimal:
        """Trade `signed` base units at `price`; returns the profit this realises, in the quote asset."""
        if self.side == "LONG":      # a hedge side never crosses zero: what exceeds it has nothing to close
            signed = max(signed, -self.amount)
        if self.side == "SHORT":
            signed = min(signed, -self.amount)
        held, self.amount, self.updated = self.amount, self.amount + signed, time
        if held * signed >= 0:
            self.entry = (held * self.entry + signed * price) / self.amount if self.amount else ZERO
            return ZERO
        closed = min(abs(held), abs(signed)).copy_sign(held)
        profit = closed * (price - self.entry)
        if held * self.amount <= 0:    # closed, or turned: the rest was opened at this price
            self.entry = price if self.amount else ZERO
        return profit


    def isolated_change(self, leverage: int | None, signed: Decimal, price: Decimal) -> Decimal:
        """How trading `signed` at `price` changes the isolated wallet; leverage None: the margin is not isolated."""
        held, after = self.amount, self.amount + signed
        if self.side == "LONG":
            after = max(after, ZERO)
        if self.side == "SHORT":
            after = min(after, ZERO)
        kept = min(abs(held), abs(after)) if held * after > 0 else ZERO
        released = self.isolated * (1 - kept / abs(held)) if held else ZERO
        opened = (abs(after) - kept) * price / leverage if leverage else ZERO
        return cut(opened) - cut(released)


@dataclass(frozen=True, kw_only=True)
class Traded:
    """What an order's fill did to a position; its money moves by postings of its own."""

    time: int
    account: str
    symbol: str
    side: str
    signed: Decimal = ZERO
    price: Decimal = ZERO
    isolated: Decimal = ZERO    # change of the isolated wallet


@dataclass(frozen=True)
class Told:
    """A futures trade of a `fill` event, as the account's history shows it."""

    fill: Fill
    price: Decimal
    profit: Decimal


@dataclass
class Holdings:
    """One account at one moment."""

    wallets: dict[str, dict[str, Amounts]] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)    # by symbol and position side
    updated: dict[str, int] = field(default_factory=dict)    # wallet -> ms of its last change

    def amounts(self, wallet: str, asset: str) -> Amounts:
        return self.wallets.setdefault(wallet, {}).setdefault(asset, Amounts())

    def add(self, wallet: str, asset: str, amount: Decimal, time: int, bucket: str = "free") -> None:
        amounts = self.amounts(wallet, asset)
        setattr(amounts, bucket, getattr(amounts, bucket) + amount)
        self.updated[wallet] = time

    def position(self, symbol: str, side: str) -> Position:
        return self.positions.setdefault((symbol, side), Position(symbol, side))


def opened_futures(account: Account, holdings: Holdings) -> bool:
    """Whether the account ever opened futures; USDⓈ-M and COIN-M open together."""
    return bool({"futures", "coin_futures"} & set(holdings.wallets)) or account.permissions["enableFutures"]


def opened_margin(account: Account, holdings: Holdings) -> bool:
    """Whether the account ever opened cross margin; an isolated account needs it."""
    return bool({"margin", "isolated_margin"} & set(holdings.wallets)) or account.permissions["enableMargin"]


@dataclass(frozen=True, order=True)
class _Step:
    """One movement in its place of the order: by time, events before what the futures engine did, then by the
    event's id, then as the event says."""

    time: int
    rank: int
    id: str
    part: int
    movement: Posting | Fill | Traded = field(compare=False)


class Ledger:
    """All accounts, all events, and what follows from them at any time."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.accounts: dict[str, Account] = {}
        self.by_key: dict[str, Account] = {}
        self.events: dict[str, Event] = {}
        self._steps: list[_Step] = []
        self._facts = 0
        self._leverages: dict[str, int | None] = {}    # of told fills: what was set when they first counted
        self.isolated_leverage: Callable[[str, str], int | None] = lambda account, symbol: None
        self.forget()

    # -- what happened -----------------------------------------------------------------------------------------
    def add_account(self, account: Account) -> None:
        """Raises `BadInput` when the name or the key is taken, or the master is unknown."""
        if account.name in self.accounts:
            raise BadInput("name", f"{account.name!r} is taken")
        if account.api_key in self.by_key:
            raise BadInput("api_key", f"belongs to {self.by_key[account.api_key].name!r} already")
        if any(account.email == other.email for other in self.accounts.values()):
            raise BadInput("email", f"{account.email!r} is taken")
        if account.master is not None:
            if account.master not in self.accounts:
                raise BadInput("master", f"there is no account {account.master!r}")
            if self.accounts[account.master].master is not None:
                raise BadInput("master", f"{account.master!r} is a sub-account itself")
        self.accounts[account.name] = self.by_key[account.api_key] = account
        self.forget()

    def add_event(self, event: Event) -> None:
        """Raises `BadInput` when it names an account or a price that does not exist."""
        self._check(event)
        self.events[event.id] = event
        movements: Iterable[Posting | Fill] = (event,) if isinstance(event, Fill) else event.postings()
        for part, movement in enumerate(movements):
            self._insert(_Step(movement.time, 0, event.id, part, movement))

    def record(self, movement: Posting | Traded) -> None:
        """Something that the futures engine did; it stays done whatever is told of the past later."""
        self._facts += 1
        self._insert(_Step(movement.time, 1, "", self._facts, movement))

    def drop_facts(self, after: int) -> None:
        """Undo what the futures engine did later than `after`."""
        self._steps = [step for step in self._steps if not step.rank or step.time <= after]
        self.forget()

    def next_step(self, after: int) -> int | None:
        """When something moves next, later than `after`."""
        place = bisect_right(self._steps, after, key=lambda step: step.time)
        return self._steps[place].time if place < len(self._steps) else None

    def _insert(self, step: _Step) -> None:
        if self._applied and step < self._steps[self._applied - 1]:
            self.forget()
        insort(self._steps, step)

    def _check(self, event: Event) -> None:
        if event.account not in self.accounts:
            raise BadInput("account", f"there is no account {event.account!r}")
        if isinstance(event, Transfer):
            if event.to not in self.accounts:
                raise BadInput("to", f"there is no account {event.to!r}")
            if self.head(event.account) != self.head(event.to):
                raise BadInput("to", f"{event.to!r} and {event.account!r} do not share a master")
        if isinstance(event, Fill):
            if event.symbol not in self.market.pairs:
                raise BadInput("symbol", f"{event.symbol} does not trade here")
            if event.market == "futures" and not self.market.pairs[event.symbol].on_futures:
                raise BadInput("symbol", f"{event.symbol} is no USDⓈ-M contract")
            if event.price is None and self.market.price(event.symbol, event.time) is None:
                moment = datetime.fromtimestamp(event.time // 1000, UTC)
                raise BadInput("price", f"{event.symbol} has no price before its first candle, as on "
                                        f"{moment:%Y-%m-%d %H:%M}; give one, or start later")

    def head(self, name: str) -> str:
        """The master of an account's family, itself when it has none."""
        return self.accounts[name].master or name

    # -- what follows ------------------------------------------------------------------------------------------
    def forget(self) -> None:
        """Fold from the opening next time: accounts, past events or past prices have changed."""
        self._now, self._applied = -1, 0
        self._books: dict[str, Holdings] = {}
        self._told: dict[str, list[Told]] = {}

    def told(self, name: str) -> list[Told]:
        """The futures trades of the account's `fill` events, up to where `holdings` was last asked for."""
        return self._told.get(name, [])

    def holdings(self, name: str, now: int) -> Holdings:
        """What the account holds at `now`; not to be changed by the caller."""
        if now < self._now or not self._books:
            self.forget()
            self._books = {account: _opening(self.accounts[account]) for account in self.accounts}
        while self._applied < len(self._steps) and self._steps[self._applied].time <= now:
            self._apply(self._steps[self._applied].movement)
            self._applied += 1
        self._now = now
        return self._books[name]

    def _apply(self, movement: Posting | Fill | Traded) -> None:
        book = self._books[movement.account]
        if isinstance(movement, Posting):
            book.add(movement.wallet, movement.asset, movement.amount, movement.time, movement.bucket)
            return
        if isinstance(movement, Traded):
            _trade(book, movement)
            return
        price = movement.price or self.market.price(movement.symbol, movement.time)
        if price is None:
            raise LookupError(f"{movement.symbol} lost its price at {movement.time}")
        if movement.market == "spot":
            self._spot_fill(book, movement, price)
        else:
            self._futures_fill(book, movement, price)

    def _spot_fill(self, book: Holdings, fill: Fill, price: Decimal) -> None:
        """Both assets move; the commission is taken from the one received, unless it names another."""
        pair, sign = self.market.pairs[fill.symbol], 1 if fill.side == "BUY" else -1
        book.add("spot", pair.base, sign * fill.quantity, fill.time)
        book.add("spot", pair.quote, -sign * cut(fill.quantity * price), fill.time)
        received = pair.base if sign > 0 else pair.quote
        book.add("spot", fill.commission_asset or received, -fill.commission, fill.time)

    def _futures_fill(self, book: Holdings, fill: Fill, price: Decimal) -> None:
        """The position changes; profit and commission reach the wallet in the margin asset, unless the commission
        names another."""
        signed = fill.quantity if fill.side == "BUY" else -fill.quantity
        position = book.position(fill.symbol, fill.position_side)
        if fill.id not in self._leverages:
            self._leverages[fill.id] = self.isolated_leverage(fill.account, fill.symbol)
        position.isolated += position.isolated_change(self._leverages[fill.id], signed, price)
        profit = cut(position.fill(signed, price, fill.time))
        self._told.setdefault(fill.account, []).append(Told(fill, price, profit))
        position.traded = position.traded and bool(position.amount)
        asset = self.market.pairs[fill.symbol].quote
        book.add("futures", asset, profit, fill.time)
        book.add("futures", fill.commission_asset or asset, -fill.commission, fill.time)

    # -- histories ---------------------------------------------------------------------------------------------
    def deposits(self, name: str, start: int, end: int) -> list[Deposit]:
        """Deposits of an account with start <= time <= end, newest first."""
        found = self._between(start, end)
        return [event for event in found if isinstance(event, Deposit) and event.account == name]

    def withdrawals(self, name: str, start: int, end: int) -> list[Withdrawal]:
        """Withdrawals, likewise."""
        found = self._between(start, end)
        return [event for event in found if isinstance(event, Withdrawal) and event.account == name]

    def of(self, kind: type[E], name: str, start: int, end: int) -> list[E]:
        """Events of a kind that an account had with start <= time <= end, newest first."""
        return [event for event in self._between(start, end) if isinstance(event, kind) and event.account == name]

    def family_transfers(self, start: int, end: int) -> list[Transfer]:
        """Transfers between two accounts, newest first."""
        found = self._between(start, end)
        return [event for event in found if isinstance(event, Transfer) and event.to != event.account]

    def _between(self, start: int, end: int) -> list[Event]:
        found = [event for event in self.events.values() if start <= event.time <= end]
        return sorted(found, key=lambda event: (-event.time, event.id))


def _trade(book: Holdings, movement: Traded) -> None:
    position = book.position(movement.symbol, movement.side)
    position.isolated += movement.isolated
    if movement.signed:
        position.fill(movement.signed, movement.price, movement.time)
        position.traded = bool(position.amount)
    book.updated["futures"] = movement.time


def _opening(account: Account) -> Holdings:
    wallets = {wallet: {asset: _opened_with(wallet, amount) for asset, amount in assets.items()}
               for wallet, assets in account.opening.items()}
    return Holdings(wallets=wallets)


def _opened_with(wallet: str, amount: Decimal) -> Amounts:
    """What is negative in a margin wallet was borrowed."""
    if amount < 0 and wallet in ("margin", "isolated_margin"):
        return Amounts(borrowed=-amount)
    return Amounts(free=amount)

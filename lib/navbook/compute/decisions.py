"""What a live position needs now, decided from what is known of it. Sends nothing, reads no clock.

The same rules as in a backtest, by the same functions of `compute.brackets`. `decide` is asked until nothing is left
to do; each answer is carried out whole, or leaves a state from which the next answer goes on. So it does not matter
where a trader is stopped. Times are ms since the epoch, UTC.

Source: DESIGN "Try1"; BINANCE documentation, "What a careful client must do".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from navbook.compute import brackets
from navbook.compute.brackets import MINUTE, BracketRules
from navbook.types import ExitOrder, ExitReason

RETRY_MS = 30_000         # between two tries of an entry
MOST_STOP_TRIES = 3       # then the position is closed at market
PREFIX = "nb-"            # of the client ids of all orders that are a navbook's


class TradeState(StrEnum):
    """How far a trade has come."""

    ENTERING = "entering"    # decided; nothing is known to be filled
    OPEN = "open"
    CLOSED = "closed"
    VOID = "void"            # nothing ever filled


@dataclass(frozen=True, kw_only=True)
class LastTrade:
    """The newest trade of a position.

    due, until    the moments between which its entry may happen
    retry_at      no try of it before this
    is_sent       an entry was sent, and what became of it is not known
    closing       why it is to be closed at market; None: it is not
    stop_tries    how often in a row its stop was refused
    closed_at     the last fill of a closed one
    is_last       no trade follows, whatever the rules say
    """

    state: TradeState
    reopen: int
    due: int
    until: int
    retry_at: int = 0
    is_sent: bool = False
    take_profit: float = 0.0
    stop_loss: float = 0.0
    closing: ExitReason | None = None
    stop_tries: int = 0
    closed_at: int = 0
    is_last: bool = False


@dataclass(frozen=True)
class LiveExit:
    """A take profit or stop of ours that waits at the exchange."""

    kind: ExitOrder
    trigger: float
    client_id: str


# -- intents -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Enter:
    """Open at market, then protect."""

    reopen: int
    due: int
    until: int


@dataclass(frozen=True)
class Postpone(Enter):
    """It is time to open, but the leg is somebody else's: try again."""


@dataclass(frozen=True)
class Resolve:
    """Look up what became of an entry before anything else."""


@dataclass(frozen=True)
class Protect:
    """Place a stop or a take profit in place of those named."""

    kind: ExitOrder
    trigger: float
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Close:
    """Close at market."""

    reason: ExitReason


@dataclass(frozen=True)
class Settle:
    """The leg is empty: find out how it was closed, and what came of it."""


@dataclass(frozen=True)
class Cancel:
    """An order of ours that protects nothing."""

    client_id: str


@dataclass(frozen=True)
class GiveUp:
    """The moment to open has passed: the position stays closed."""

    until: int


Intent = Enter | Resolve | Protect | Close | Settle | Cancel | GiveUp


# -- decisions ---------------------------------------------------------------------------------------------------
def decide(rules: BracketRules, trade: LastTrade | None, held: float, exits: tuple[LiveExit, ...],
           now: int) -> tuple[Intent, ...]:
    """What is to be done now, in this order; nothing when all is as it should be.

    trade   the newest trade of the position, None before the first
    held    what the leg holds at the exchange, whoever opened it
    exits   our conditional orders that wait on the leg
    """
    if trade is None:
        return _enter(held, 0, now, now + rules.window_ms)
    if trade.state is TradeState.OPEN:
        return _while_open(trade, held, exits)
    if trade.state is TradeState.ENTERING and trade.is_sent:
        return (Resolve(),)
    if exits and not held:
        return tuple(Cancel(exit.client_id) for exit in exits)
    if trade.state is TradeState.ENTERING:
        return _now_or_never(trade, held, trade.reopen, trade.due, trade.until, now)
    if trade.is_last or trade.state is TradeState.VOID:
        return ()
    span = brackets.reopening(rules, trade.reopen, brackets.minute_end(trade.closed_at))
    return _now_or_never(trade, held, trade.reopen + 1, *span, now) if span else ()


def _now_or_never(trade: LastTrade, held: float, reopen: int, due: int, until: int, now: int) -> tuple[Intent, ...]:
    if now > until:
        return (GiveUp(until),)
    return _enter(held, reopen, due, until) if now >= max(due, trade.retry_at) else ()


def _enter(held: float, reopen: int, due: int, until: int) -> tuple[Intent, ...]:
    return ((Postpone if held else Enter)(reopen, due, until),)


def _while_open(trade: LastTrade, held: float, exits: tuple[LiveExit, ...]) -> tuple[Intent, ...]:
    if not held:
        return (Settle(),)
    if trade.closing:
        return (Close(trade.closing),)
    if trade.stop_tries >= MOST_STOP_TRIES:
        return (Close(ExitReason.MANUAL),)
    return (_protection(ExitOrder.STOP, trade.stop_loss, exits)    # the stop first, and alone
            or _protection(ExitOrder.PROFIT, trade.take_profit, exits))


def _protection(kind: ExitOrder, level: float, exits: tuple[LiveExit, ...]) -> tuple[Intent, ...]:
    """One order of `kind` at `level`, and no other."""
    there = [exit for exit in exits if exit.kind is kind]
    right = [exit for exit in there if exit.trigger == level]
    if not right:
        return (Protect(kind, level, tuple(exit.client_id for exit in there)),)
    return tuple(Cancel(exit.client_id) for exit in there if exit is not right[0])


def next_check(rules: BracketRules, retry_at: int, now: int) -> int:
    """When the position is to be looked at again: at the next multiple of `check_every`, within a minute at the
    latest, and when an entry is to be tried again."""
    following = min(now // every * every + every for every in (rules.check_ms, MINUTE))
    return min(following, retry_at) if retry_at > now else following


def client_id(instance: str, name: str, number: int, due: int, part: str, attempt: int) -> str:
    """The name of an order: the same for the same decision, so that it is found again whatever happened.

    instance   whose it is; orders of another one are left alone
    part       E of an entry, S of a stop, P of a take profit, C of a close
    """
    decision = f"{instance}|{name}|{number}|{due}|{part}|{attempt}"
    return f"{PREFIX}{instance}-{part}{sha256(decision.encode()).hexdigest()[:20]}"    # Binance allows 36 characters


def instance_of(client_id: str) -> str | None:
    """Which navbook an order is from; None: from none."""
    parts = client_id.split("-")
    return parts[1] if client_id.startswith(PREFIX) and len(parts) == 3 else None

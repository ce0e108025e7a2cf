"""Single values of Binance's answers: exact amounts, names, ids, times. Each raises `ValueError` for what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import Any

ZERO = Decimal(0)
EXACT = Context(prec=76, traps=[InvalidOperation])    # sums of amounts keep every digit
LARGEST = Decimal(10) ** 20     # of an amount: what is left of the point in schemas.AMOUNT
SMALLEST = Decimal(1).scaleb(-18)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)    # a time beyond is seconds or microseconds taken for milliseconds


def amount(value: Any) -> Decimal:
    """An amount as Binance prints it, to 18 decimals."""
    try:
        number = Decimal(str(value)).quantize(SMALLEST, context=EXACT)
    except InvalidOperation:
        raise ValueError(f"{shown(value)} is not an amount") from None
    if not number.is_finite() or abs(number) >= LARGEST:
        raise ValueError(f"{shown(value)} is not an amount")
    return number


def moved(value: Any) -> Decimal:
    """An amount that came or went: never below zero."""
    number = amount(value)
    if number < 0:
        raise ValueError(f"the amount {value} is below zero")
    return number


def total(*amounts: Decimal) -> Decimal:
    """The exact sum. Raises `ValueError` when it does not fit."""
    together = ZERO
    for number in amounts:
        together = EXACT.add(together, number)
    return amount(together)


def text(value: Any) -> str:
    """A name: of an asset, a pair, a person."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{shown(value)} is not a name")
    value.encode()    # half a surrogate pair fails here, with a ValueError
    return value


def words(*parts: Any) -> str | None:
    """What people wrote, joined; None where they wrote nothing."""
    return " ".join(text(str(part)) for part in parts if part not in (None, "")) or None


def identity(value: Any) -> str:
    """An id, which may come as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def integer(value: Any) -> int:
    """A whole number that came as a number or as text."""
    vast = isinstance(value, Decimal) and value.adjusted() > 20    # int() would write out all its zeros
    if isinstance(value, bool) or vast or (number := int(value)) != (number if isinstance(value, str) else value):
        raise ValueError(f"{shown(value)} is not a whole number")
    return number


def flag(value: Any) -> bool:
    """True or false, and nothing that only looks like it."""
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false")
    return value


def given(value: Any) -> Any:
    """`value`, or None where Binance means that there is none: null, empty text, 0 or "0"."""
    return None if value in (None, "", 0, "0") else value


def from_ms(milliseconds: Any) -> datetime:
    """A time in milliseconds since the epoch; exact."""
    return _plausible(EPOCH + timedelta(milliseconds=integer(milliseconds)), milliseconds)


def from_text(value: Any) -> datetime:
    """A time such as "2026-05-14 09:31:07", which Binance means as UTC; some rows carry milliseconds instead."""
    if not isinstance(value, str) or value.isdecimal():
        return from_ms(value)
    time = datetime.fromisoformat(value)
    return _plausible(time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC), value)


def _plausible(time: datetime, value: Any) -> datetime:
    if not EPOCH <= time < LATEST:
        raise ValueError(f"{shown(value)} is no time since 1970")
    return time


def milliseconds(time: datetime) -> int:
    """Since the epoch, exactly; `timestamp()` would go through a float."""
    return (time - EPOCH) // timedelta(milliseconds=1)


def shown(value: Any) -> str:
    """`value` as a part of a sentence."""
    told = repr(value)
    return told if len(told) <= 100 else f"{told[:100]}…"

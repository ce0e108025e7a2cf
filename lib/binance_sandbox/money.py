"""Amounts and prices: Decimal or shortest float inside, text on the wire, never an exponent."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal

ZERO = Decimal(0)
SCALE = Decimal("0.00000001")    # Binance keeps eight decimals of everything
WIDE = Context(prec=60)          # the largest amount times the largest price still fits


def fixed(amount: Decimal, places: int = 8) -> str:
    """`amount` with exactly `places` decimals: 0.5 -> "0.50000000"."""
    return f"{amount or ZERO:.{places}f}"


def plain(amount: Decimal) -> str:
    """`amount` without trailing zeros: 0.50 -> "0.5"."""
    text = f"{amount or ZERO:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def float_text(value: float, places: int) -> str:
    """The decimal nearest to `value`, at least `places` decimals; a longer one is kept whole.

    Recorded prices are floats that came from decimals: their shortest repr is that decimal again.
    """
    text = repr(value)
    if "e" in text:
        text = f"{Decimal(text):f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(places, "0")
    return f"{whole}.{fraction}" if fraction else whole


def decimal_of(value: float) -> Decimal:
    """The decimal nearest to `value`, not its binary expansion."""
    return Decimal(repr(value))


def cut(amount: Decimal) -> Decimal:
    """`amount` cut to the eight decimals that a wallet keeps."""
    return amount.quantize(SCALE, ROUND_DOWN, WIDE)

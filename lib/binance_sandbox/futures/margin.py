"""Margins and liquidation prices: arithmetic alone. Source: BINANCE.md section 8.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ..money import ZERO, cut
from .contracts import Contract

MOST_ROUNDS = 24    # brackets there are, twice: enough to settle or to find that they flap


@dataclass(frozen=True)
class Leg:
    """One side of a symbol: `amount` in the base asset, negative when short."""

    amount: Decimal
    entry: Decimal


def maintenance(contract: Contract, notional: Decimal) -> Decimal:
    """Margin below which a position of `notional` (absolute) is liquidated."""
    bracket = contract.bracket(notional)
    return notional * bracket.rate - bracket.cum


def liquidation_price(contract: Contract, legs: Sequence[Leg], wallet: Decimal, other_maintenance: Decimal = ZERO,
                      other_profit: Decimal = ZERO) -> Decimal:
    """The mark price at which `legs` (all sides of one symbol that share a margin) are liquidated; 0 when none is.

    wallet  cross wallet balance, or the isolated wallet (then nothing else counts)
    other_maintenance, other_profit  of all other positions on that wallet
    """
    price, seen = ZERO, set()
    chosen = tuple(contract.bracket(abs(leg.amount) * leg.entry) for leg in legs)
    for _ in range(MOST_ROUNDS):
        pairs = list(zip(legs, chosen, strict=True))
        free = wallet - other_maintenance + other_profit
        free += sum((bracket.cum - leg.amount * leg.entry for leg, bracket in pairs), ZERO)
        slope = sum((abs(leg.amount) * bracket.rate - leg.amount for leg, bracket in pairs), ZERO)
        if not slope:
            return ZERO
        price = free / slope
        if price <= 0 or chosen in seen:
            break
        seen.add(chosen)
        there = tuple(contract.bracket(abs(leg.amount) * price) for leg in legs)
        if there == chosen:
            break
        chosen = there
    return cut(price) if price > 0 and _balanced_by_none(legs) else ZERO


def _balanced_by_none(legs: Sequence[Leg]) -> bool:
    """Equal long and short have no liquidation price: the profit of one is the loss of the other."""
    return sum((leg.amount for leg in legs), ZERO) != 0

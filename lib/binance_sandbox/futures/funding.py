"""Funding: how much is paid, and when. Source: BINANCE.md section 8.2.

Rates are those that were recorded, times included, wherever a recording reaches; else seeded and small, near the
usual 0.01 %. A control call sets a symbol's rate or interval from then on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256

from .contracts import Contract

USUAL = Decimal("0.00010000")
SCALE = Decimal("0.00000001")


@dataclass(frozen=True)
class Rule:
    """What a control call said: from `since` on; None leaves the rest as it was."""

    since: int
    rate: Decimal | None
    interval: int | None    # ms


@dataclass
class Funding:
    """recorded  rates that happened: symbol -> settlement (ms), ascending -> rate"""

    seed: int
    recorded: Mapping[str, Mapping[int, Decimal]] = field(default_factory=dict)
    rules: dict[str, list[Rule]] = field(default_factory=dict)    # ascending

    def __post_init__(self) -> None:
        self._times = {symbol: tuple(rates) for symbol, rates in self.recorded.items()}

    def set(self, symbol: str, since: int, rate: Decimal | None, interval: int | None) -> None:
        """Replaces what an earlier call said for later times."""
        before = [rule for rule in self.rules.get(symbol, []) if rule.since < since]
        last = before[-1] if before else Rule(0, None, None)
        rule = Rule(since, last.rate if rate is None else rate, last.interval if interval is None else interval)
        self.rules[symbol] = [*before, rule]

    def rule(self, symbol: str, time: int) -> Rule:
        rules = self.rules.get(symbol, [])
        place = bisect_right(rules, time, key=lambda rule: rule.since)
        return rules[place - 1] if place else Rule(0, None, None)

    def interval(self, contract: Contract, time: int) -> int:
        return self.rule(contract.symbol, time).interval or contract.funding_interval

    def next_time(self, contract: Contract, after: int) -> int:
        """The first settlement later than `after`. A new interval counts from the call that set it."""
        interval = self.interval(contract, after)
        regular = (after // interval + 1) * interval
        times = self._times.get(contract.symbol)
        if not times or after >= times[-1] or self.rule(contract.symbol, after).interval:
            return regular
        following = times[bisect_right(times, after)]
        return min(regular, following) if after < times[0] else following

    def due(self, contract: Contract, time: int) -> bool:
        return self.next_time(contract, time - 1) == time

    def rate(self, contract: Contract, time: int) -> Decimal:
        """What is paid at the settlement of `time`, per notional; longs pay where it is positive."""
        said = self.rule(contract.symbol, time - 1).rate
        if said is not None:
            return said
        if (happened := self.recorded.get(contract.symbol, {}).get(time)) is not None:
            return happened
        digest = sha256(f"funding|{self.seed}|{contract.symbol}|{time}".encode()).digest()
        if digest[0] < 96:    # often exactly the interest rate, as recorded
            return USUAL
        spread = int.from_bytes(digest[1:5], "big") / 2**32 + int.from_bytes(digest[5:9], "big") / 2**32 - 1
        cap = Decimal(contract.limits.funding_cap)
        return max(-cap, min(cap, (USUAL / 2 + Decimal(spread) * USUAL).quantize(SCALE)))

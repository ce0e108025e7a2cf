"""Positions of one symbol that share a cross wallet, in the order of their events.

What one of them gains or loses moves the price at which all are liquidated, so that none can be replayed alone.
Candles at which nothing can happen are passed over; the others are gone through with the rules of
`compute.brackets`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from navbook.compute import brackets
from navbook.compute.backtest import kernel, plan
from navbook.compute.backtest.candles import Candles
from navbook.compute.backtest.entries import Rows
from navbook.compute.backtest.ledger import Ledger, Prices
from navbook.compute.brackets import BracketRules, Costs
from navbook.errors import BracketInvalid
from navbook.types import Intrabar

STOP, PROFIT, TAKEN = 0, 1, 2
NOWHERE = float("inf")


@dataclass
class Leg:
    """One position of the wallet: what holds while it is open, and when it may open again."""

    which: int
    rules: BracketRules
    next_row: int
    reopens: int = 0
    entered: int = -1          # row of the entry; -1 while there is none
    entry: float = 0.0
    quantity: float = 0.0
    take_profit: float = 0.0
    stop_loss: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.entered >= 0

    @property
    def sign(self) -> int:
        return self.rules.sign

    def level(self, kind: int) -> float:
        return self.stop_loss if kind == STOP else self.take_profit

    def ahead(self, kind: int, price: float) -> float:
        """How far `price` has to go to the level; zero or less: it is there, or beyond."""
        return self.sign * (price - self.stop_loss if kind == STOP else self.take_profit - price)

    def reached(self, kind: int, price: float) -> bool:
        return self.ahead(kind, price) <= 0


def event_order(candles: Candles, end: int, rules: Sequence[BracketRules], costs: Costs, intrabar: Intrabar,
                signals: Sequence[Rows]) -> Ledger:
    """The trades of all `rules`, by exit. Raises `BracketInvalid` where they do not share one wallet."""
    wallets = {each.wallet_usdt for each in rules}
    if len(wallets) > 1:
        raise BracketInvalid("wallet_usdt", sorted(wallets, key=str), "the same for all positions that share it")
    if any(each.is_isolated for each in rules):
        raise BracketInvalid("margin_type", "ISOLATED", "CROSSED for all positions that share a wallet")
    if len({each.tiers for each in rules}) > 1:
        raise BracketInvalid("brackets", "several", "the same for all positions of a symbol")
    return _Replay(candles, end, rules, costs, intrabar, signals).run()


class _Replay:
    def __init__(self, candles: Candles, end: int, rules: Sequence[BracketRules], costs: Costs, intrabar: Intrabar,
                 signals: Sequence[Rows]) -> None:
        self.candles, self.end, self.costs, self.intrabar, self.signals = candles, end, costs, intrabar, signals
        self.legs = [Leg(which, each, self._allowed(which, 0)) for which, each in enumerate(rules)]
        self.tiers, self.wallet = rules[0].tiers, float(rules[0].wallet_usdt or 0.0)
        self.realised = 0.0
        self.funding = plan.funding_of(costs)
        self.trades: list[tuple[int, int, tuple[int, int], tuple[float, ...], tuple[int, bool]]] = []

    def run(self) -> Ledger:
        row = min((leg.next_row for leg in self.legs), default=self.end)
        while row < self.end:
            self._candle(row)
            row = self._next_event(row + 1)
        for leg in self.legs:
            if leg.is_open:
                self._note(leg, self.end, (0.0, 0.0, 0.0, 0.0), kernel.OPEN, unclear=False)
        which, reopens, rows, prices, codes = zip(*self.trades, strict=True) if self.trades else ((),) * 5
        shape = len(self.trades)
        return Ledger(np.array(which, np.int8), np.array(reopens, np.int64), np.array(rows, np.int32).reshape(shape, 2),
                      Prices.of(np.array(prices, float).reshape(shape, 8)), np.array(codes, np.int8).reshape(shape, 2))

    # -- which candles -----------------------------------------------------------------------------------------
    def _next_event(self, row: int) -> int:
        """The first candle from `row` on that enters, or touches a level."""
        entries = min((leg.next_row for leg in self.legs if not leg.is_open), default=self.end)
        up, down = NOWHERE, -NOWHERE
        for leg in self.legs:
            if leg.is_open:
                above, below = ((leg.take_profit, leg.stop_loss) if leg.sign > 0 else (leg.stop_loss, leg.take_profit))
                up, down = min(up, above), max(down, below)
        if (taken := self._liquidation()) is not None:
            up, down = (up, max(down, taken)) if self._net() > 0 else (min(up, taken), down)
        if row >= self.end or (up == NOWHERE and down == -NOWHERE):
            return max(row, entries)
        return int(kernel.first_touch(row, max(row, min(entries, self.end)), up, down, self.candles.high,
                                      self.candles.low, self.candles.blocks))

    def _candle(self, row: int) -> None:
        opened, high, low, close = (float(prices[row]) for prices in (
            self.candles.open, self.candles.high, self.candles.low, self.candles.close))
        self._go(row, float(self.candles.close[row - 1]) if row else opened, opened, (STOP, PROFIT, TAKEN), jump=True)
        for leg in self.legs:
            if not leg.is_open and leg.next_row == row:
                self._enter(leg, row, opened)
        self._both = self._hang_on_order(low, high)
        for kinds, targets in self._stages(opened, high, low, close):
            here = opened
            for target in targets:
                self._go(row, here, target, kinds, jump=False)
                here = target

    def _hang_on_order(self, low: float, high: float) -> set[int]:
        """Positions that this candle may close with a profit, and otherwise as well."""
        taken = self._liquidation()
        gone = taken is not None and (low <= taken if self._net() > 0 else high >= taken)
        return {leg.which for leg in self.legs if leg.is_open
                and (leg.reached(PROFIT, low) or leg.reached(PROFIT, high))
                and (gone or leg.reached(STOP, low) or leg.reached(STOP, high))}

    def _stages(self, opened: float, high: float, low: float,
                close: float) -> Iterator[tuple[tuple[int, ...], tuple[float, ...]]]:
        """What may happen, in order, and where the price goes meanwhile."""
        path = (low, high) if close >= opened else (high, low)
        if self.intrabar is Intrabar.PATH:
            yield (STOP, TAKEN), (opened,)    # slippage may put a liquidation between the entry and the open
            yield (PROFIT,), (opened,)
            yield (STOP, PROFIT, TAKEN), path
        elif self.intrabar is Intrabar.PESSIMISTIC:
            yield (STOP, TAKEN), path
            yield (PROFIT,), path
        else:
            yield (PROFIT,), path
            yield (STOP, TAKEN), path

    # -- inside a candle ---------------------------------------------------------------------------------------
    def _go(self, row: int, here: float, target: float, kinds: tuple[int, ...], *, jump: bool) -> None:
        """The price goes from `here` to `target`; what it meets happens, the nearest first.

        What lies behind `here` already, after a gap or after rounding, comes before; of equals the stop comes first.
        """
        while True:
            met = [(leg.ahead(kind, here), kind, leg.which) for leg in self.legs if leg.is_open
                   for kind in kinds if kind != TAKEN and leg.reached(kind, target)]
            taken = self._liquidation() if TAKEN in kinds else None
            if taken is not None and (target <= taken if self._net() > 0 else target >= taken):
                met.append((here - taken if self._net() > 0 else taken - here, TAKEN, -1))
            if not met:
                return
            _, kind, which = min(met)
            if kind == TAKEN:
                for leg in [leg for leg in self.legs if leg.is_open]:
                    self._exit(leg, row, target if jump or taken is None else taken, kernel.LIQUIDATION, jump=jump)
            else:
                leg = self.legs[which]
                price = brackets.exit_price(leg.rules, self.costs, target if jump else leg.level(kind))
                self._exit(leg, row, price, kernel.SL if kind == STOP else kernel.TP, jump=jump)

    def _enter(self, leg: Leg, row: int, opened: float) -> None:
        leg.next_row = self.end
        entry = brackets.entry_price(leg.rules, self.costs, opened)
        quantity = brackets.quantity(leg.rules, entry)
        if quantity <= 0:
            return
        leg.entry, leg.quantity = entry, quantity
        leg.take_profit, leg.stop_loss = brackets.levels(leg.rules, entry, quantity)
        leg.entered = row
        held = [each for each in self.legs if each.is_open]
        profit = sum(each.sign * each.quantity * (entry - each.entry) for each in held)
        if self._margin() + profit <= sum(brackets.maintenance(each.rules, each.quantity * entry) for each in held):
            leg.entered = -1

    def _exit(self, leg: Leg, row: int, price: float, code: int, *, jump: bool) -> None:
        due, terms = self.funding
        fee, paid = brackets.fee(self.costs, leg.quantity, leg.entry, price), 0.0
        if len(due):
            first, last = (np.searchsorted(due, self.candles.minute(at), side="right") for at in (leg.entered, row))
            paid = -leg.sign * leg.quantity * sum(terms[first:last].tolist(), 0.0)
        gain = brackets.pnl(leg.rules, leg.quantity, leg.entry, price, fee, paid)
        self.realised += gain
        self._note(leg, row, (price, fee, paid, gain), code, unclear=not jump and leg.which in self._both)
        leg.entered, leg.reopens = -1, leg.reopens + 1
        leg.next_row = self._reopen_row(leg, row)

    def _note(self, leg: Leg, row: int, exit_prices: tuple[float, ...], code: int, *, unclear: bool) -> None:
        self.trades.append((leg.which, leg.reopens, (leg.entered, row),
                            (leg.entry, leg.quantity, leg.take_profit, leg.stop_loss, *exit_prices), (code, unclear)))

    # -- when and how much -------------------------------------------------------------------------------------
    def _reopen_row(self, leg: Leg, row: int) -> int:
        span = brackets.reopening(leg.rules, leg.reopens - 1, (self.candles.minute(row) + 1) * brackets.MINUTE)
        if span is None:
            return self.end
        first, last = span
        found = self.candles.row_at(-(-first // brackets.MINUTE))
        if found >= self.end:
            return self.end
        late = self.candles.minute(found) * brackets.MINUTE > last
        if late and not len(self.signals[leg.which]):
            return self.end
        return self._allowed(leg.which, found)

    def _allowed(self, which: int, row: int) -> int:
        signal = self.signals[which]
        if row >= self.end:
            return self.end
        return int(signal[row]) if len(signal) else row

    def _net(self) -> float:
        return sum(leg.sign * leg.quantity for leg in self.legs if leg.is_open)

    def _margin(self) -> float:
        """The cross wallet: with what was realised, less the entry fees of what is open."""
        return self.wallet + self.realised - sum(
            leg.quantity * leg.entry * self.costs.taker_fee for leg in self.legs if leg.is_open)

    def _liquidation(self) -> float | None:
        held = [(leg.sign, leg.quantity, leg.entry) for leg in self.legs if leg.is_open]
        return brackets.liquidation_of(held, self._margin(), self.tiers) or None if held else None


"""Runs the clock: prices move along their path, orders trigger and fill, funding is paid, margins are called.

`advance` does in order what lies between two moments, and gives the same result in one step or in many. At one
instant the ledger's events come first, then funding (of who was there before), then the prices (symbol by symbol),
then what is due (expiry, countdowns). Inside a minute the price passes everything between two points of its path; to
a minute's open and to a price that a control call sets it jumps. Levels are met in the order in which the price
passes them; triggered orders fill at their trigger, or after a jump where the price landed; resting LIMIT orders at
their own price, as makers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial

from ..candles import QUARTER
from ..clock import MINUTE
from ..ledger import Ledger, Position
from ..market import Market
from ..money import ZERO, decimal_of
from . import scan
from .matching import Matching
from .model import TRAILING, Algo
from .statement import Statement


class Futures(Matching):
    """The engine. Everything up to and including `time` has happened."""

    def __init__(self, market: Market, ledger: Ledger, seed: int, now: int) -> None:
        super().__init__(market, ledger, seed, now)
        self._priced = now                     # prices up to here did what they do
        self._hits = 0                         # how often a price did anything

    # -- the clock ---------------------------------------------------------------------------------------------
    def advance(self, now: int) -> None:
        """Let everything happen up to and including `now`."""
        while self.time < now:
            due = self._next_due(now)
            funding = bool(self._paying(due))
            before = due - 1 if funding else due
            if not self._move_prices(before) and self._priced < before:
                continue    # something happened on the way: more may be due
            if funding:
                self.time = due
                for account, position in self._paying(due):
                    self.pay_funding(account, position, self.contract(position.symbol))
                self._move_prices(due)
            self.settle()

    def may_rewind(self, target: int) -> bool:
        """Whether the clock can go back to `target`: orders that did something later cannot be undone."""
        return target >= self.changed

    def rewind(self, target: int) -> None:
        """The clock was set back. What the engine did by itself to positions that were told is undone; it will
        happen again."""
        self.ledger.drop_facts(target)
        for desk in self.desks.values():
            desk.forget(target)
        self.time = self._priced = target

    def reprice(self, symbol: str) -> None:
        """A control call changed the price of `symbol` at this very moment: look at it again."""
        price = self.market.price(symbol, self.time) if symbol in self._watched() else None
        if price is not None:
            self._move(symbol, price, jump=True)
            self.at.clear()

    def _next_due(self, now: int) -> int:
        """The next moment after `time`, at most `now`, at which something else than a price changes."""
        moments = [now]
        if (step := self.ledger.next_step(self.time)) is not None:
            moments.append(step)
        for desk in self.desks.values():
            moments += desk.countdowns.values()
            moments += [order.good_till for order in desk.open_orders.values() if order.good_till]
            moments += [moment for algo in desk.waiting.values() for moment in (algo.due, algo.good_till) if moment]
        moments += [self.funding.next_time(self.contract(position.symbol), self.time)
                    for _, position in self._positions() if position.traded]
        return min(moment for moment in moments if moment > self.time)

    def _paying(self, due: int) -> list[tuple[str, Position]]:
        """Positions whose funding is settled at `due`."""
        return [(account, position) for account, position in self._positions()
                if position.traded and self.funding.due(self.contract(position.symbol), due)]

    def _positions(self) -> Iterator[tuple[str, Position]]:
        for account in self.ledger.accounts:
            for _, position in sorted(self.ledger.holdings(account, self.time).positions.items()):
                if position.amount:
                    yield account, position

    def _watched(self) -> set[str]:
        """Symbols whose price can do anything."""
        found = {position.symbol for _, position in self._positions()}
        for desk in self.desks.values():
            found |= desk.symbols_in_use
        return found

    # -- prices ------------------------------------------------------------------------------------------------
    def _move_prices(self, until: int) -> bool:
        """Prices in (_priced, until]; minutes that touch nothing are passed over. False: it stopped where something
        happened."""
        while self._priced < until:
            watched = sorted(self._watched())
            if not self._moves(watched, until):
                self._reach(until)
                break
            start, trailing = (self._priced + 1) // MINUTE * MINUTE, self._trailing()
            broken = start <= self._priced or start + MINUTE - 1 > until
            end = min(start + scan.LONGEST, (until + (1 if trailing else MINUTE)) // MINUTE * MINUTE)
            if trailing and broken:    # inside a minute, what trails is known point by point alone
                end = start + MINUTE
            exposures, before = self._exposures(), self._priced
            bands = self._bands({*watched, *(leg[0] for exposure in exposures for leg in exposure.legs)}, start, end)
            quiet = scan.first_touch(self._levels(watched), exposures, bands, (end - start) // MINUTE)
            self._reach(max(self._priced, min(start + quiet * MINUTE - 1, until)))
            if quiet and broken:
                self._follow_points(trailing, before)
            elif quiet:
                self._follow_bands(trailing, bands, quiet)
            busy = start + quiet * MINUTE
            if self._priced < until and busy < end and not self._walk(watched, min(busy + MINUTE - 1, until)):
                return False
        return True

    def _moves(self, watched: list[str], until: int) -> bool:
        """Whether any price changes up to `until`; between two points of the path none does."""
        if until - self._priced >= QUARTER:
            return bool(watched)
        return any(self.market.points(symbol, self._priced, until) for symbol in watched)

    def _reach(self, time: int) -> None:
        self._priced, self.time = time, max(self.time, time)

    def _bands(self, symbols: set[str], start: int, end: int) -> dict[str, scan.Band]:
        return {symbol: scan.band(self.market, symbol, start, end) for symbol in symbols}

    def _levels(self, watched: list[str]) -> dict[str, scan.Levels]:
        levels = {symbol: scan.Levels() for symbol in watched}
        for desk in self.desks.values():
            for order in desk.open_orders.values():
                levels[order.symbol].add_order(order)
            for algo in desk.waiting.values():
                if algo.status == "NEW":
                    levels[algo.symbol].add_algo(algo)
        return levels

    def _walk(self, watched: list[str], until: int) -> bool:
        """Point by point to `until`, in the same minute. False: it stopped at a point where something happened."""
        for symbol in watched:
            if (price := self.market.price(symbol, self._priced)) is not None:
                self.at[symbol] = price
        points = sorted((time, symbol, price, jump) for symbol in watched
                        for time, price, jump in self.market.points(symbol, self._priced, until))
        hits = self._hits
        for time, symbol, price, jump in points:
            if time > self._priced and self._hits > hits:
                break
            self._reach(time)
            self._move(symbol, price, jump=jump)
        if self._hits == hits:
            self._reach(until)
        self.at.clear()
        return self._hits == hits

    def _move(self, symbol: str, target: Decimal, *, jump: bool) -> None:
        """The price of `symbol` goes to `target`; everything on its way happens."""
        here = self.at.get(symbol, target)
        self.paused.clear()
        while hit := self._nearest(symbol, here, target):
            level, act = hit
            self._hits += 1
            here = here if jump else level
            self.at[symbol] = target if jump else level
            act(self.at[symbol])
        self.at[symbol] = target
        for algo in self._trailing(active=False):
            if algo.symbol == symbol:
                self._follow(algo, target)

    def _nearest(self, symbol: str, here: Decimal, target: Decimal) -> tuple[Decimal, Callable[[Decimal], None]] | None:
        """What a price going from `here` to `target` meets first, and where."""
        low, high = min(here, target), max(here, target)
        hits = [(abs(level - here), rank, number, level, act)
                for level, rank, number, act in self._met(symbol, target)
                for level in (min(max(level, low), high),)]
        if not hits:
            return None
        _, _, _, level, act = min(hits, key=lambda hit: hit[:3])
        return level, act

    def _met(self, symbol: str, target: Decimal) -> Iterator[tuple[Decimal, int, int, Callable[[Decimal], None]]]:
        """Everything that the price `target` sets off: its level, its rank and number among equals, what to do."""
        for desk in self.desks.values():
            for order in desk.open_orders.values():
                if order.symbol == symbol and order.id not in self.paused and order.marketable(target):
                    level = target if order.type == "MARKET" else order.price
                    yield level, 0, order.id, partial(self.rest_met, order)
            for algo in desk.waiting.values():
                if algo.symbol == symbol and algo.status == "NEW" and algo.reached(target):
                    assert algo.level is not None
                    yield algo.level, 1, algo.id, partial(self.trigger, algo)
        for place, account in enumerate(self.ledger.accounts):
            yield from self._called(account, place, symbol, target)

    def _called(self, account: str, place: int, symbol: str,
                target: Decimal) -> Iterator[tuple[Decimal, int, int, Callable[[Decimal], None]]]:
        """The margins of an account that are gone at `target`."""
        holdings = self.ledger.holdings(account, self.time)
        there = Statement(self.desk(account), holdings, self.contract,
                          lambda other: target if other == symbol else self.price(other))
        for group in there.groups():
            mine = [position for position in group.positions if position.symbol == symbol]
            if (mine or symbol in dict(group.coins)) and there.gone(group):
                level = there.liquidation_price(mine[0]) if mine and not group.coins else target
                yield level or target, 2, place, partial(self.liquidate, account, group)

    # -- trailing ----------------------------------------------------------------------------------------------
    def _trailing(self, *, active: bool = True) -> list[Algo]:
        return [algo for desk in self.desks.values() for algo in desk.waiting.values()
                if algo.type == TRAILING and algo.status == "NEW" and (algo.extreme is not None or not active)]

    def _follow(self, algo: Algo, price: Decimal) -> None:
        """A trailing order becomes active at its activation price, then keeps the best price since."""
        best = max if algo.side == "SELL" else min
        if algo.extreme is None:
            if best(price, algo.activate) == price:
                algo.extreme, self.changed = price, self.time
        elif best(algo.extreme, price) != algo.extreme:
            algo.extreme, self.changed = price, self.time

    def _follow_points(self, trailing: list[Algo], after: int) -> None:
        for algo in trailing:
            for _, price, _ in self.market.points(algo.symbol, after, self._priced):
                self._follow(algo, price)

    def _follow_bands(self, trailing: list[Algo], bands: dict[str, scan.Band], minutes: int) -> None:
        for algo in trailing:
            low, high = bands[algo.symbol].low, bands[algo.symbol].high
            best = high[:minutes].max() if algo.side == "SELL" else low[:minutes].min()
            self._follow(algo, decimal_of(float(best)))

    # -- for the scan ----------------------------------------------------------------------------------------------
    def _exposures(self) -> list[scan.Exposure]:
        found = []
        for account in self.ledger.accounts:
            statement = self.statement(account)
            for group in statement.groups():
                legs = [(position.symbol, float(position.amount), float(position.entry), self.contract(position.symbol))
                        for position in group.positions]
                coins = [(symbol, float(amount), 0.0, None) for symbol, amount in group.coins]
                dollars = group.wallet - sum((amount * statement.mark(symbol) for symbol, amount in group.coins), ZERO)
                found.append(scan.Exposure(float(dollars), (*legs, *coins)))
        return found

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
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from hashlib import sha256

from ..candles import QUARTER
from ..clock import MINUTE
from ..events import Posting
from ..ledger import Ledger, Position, Traded
from ..market import Market
from ..money import ZERO, cut, decimal_of
from ..pairs import Pair
from . import scan
from .contracts import Contract, contract_of
from .funding import Funding
from .model import TRAILING, Algo, Amendment, Desk, Income, MarginChange, Order, Trade
from .statement import USD, Group, Statement, opens

MAKER, TAKER = Decimal("0.0002"), Decimal("0.0005")
BNB_SHARE = Decimal("0.9")    # of the commission, when it is paid in BNB
FIRST_ORDER, FIRST_ALGO = 8_389_766_000_000, 2_000_000_000_000_000    # ids start where production's are
FIRST_TRADE, FIRST_INCOME = 6_540_000_000, 970_000_000
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass
class Options:
    """What `POST /sandbox/futures` sets. Delays in ms of the sandbox's clock."""

    older_replies: bool = False    # avgPrice and cumQuote in order replies, as before 2026-06-30
    expire_delay_ms: int = 0       # between a position's end and that of its closePosition orders
    trigger_delay_ms: int = 0      # between TRIGGERING and TRIGGERED


class Futures:
    """The engine. Everything up to and including `time` has happened."""

    def __init__(self, market: Market, ledger: Ledger, seed: int, now: int) -> None:
        self.market, self.ledger, self.seed, self.time = market, ledger, seed, now
        self.options, self.funding = Options(), Funding(seed, market.source.funding)
        self.desks: dict[str, Desk] = {}
        self.listen_keys: dict[str, tuple[int, int]] = {}    # account -> since, until
        self.changed = 0                       # when an order last did anything
        self._contracts: dict[str, tuple[Pair, Contract]] = {}
        self._at: dict[str, Decimal] = {}      # prices on their way between two points
        self._priced = now                     # prices up to here did what they do
        self._hits = 0                         # how often a price did anything
        self._paused: set[int] = set()         # orders whose rest waits for the next point
        self._numbers = {"order": FIRST_ORDER, "algo": FIRST_ALGO, "trade": FIRST_TRADE}
        ledger.isolated_leverage = self._isolated_leverage

    # -- looking -----------------------------------------------------------------------------------------------
    def desk(self, account: str) -> Desk:
        return self.desks.setdefault(account, Desk(account))

    def contract(self, symbol: str) -> Contract:
        pair, known = self.market.pairs[symbol], self._contracts.get(symbol)
        if known is None or known[0] is not pair:    # a control call may change the pair
            known = self._contracts[symbol] = (pair, contract_of(pair))
        return known[1]

    def price(self, symbol: str) -> Decimal | None:
        return self._at.get(symbol) or self.market.price(symbol, self.time)

    def statement(self, account: str) -> Statement:
        return Statement(self.desk(account), self.ledger.holdings(account, self.time), self.contract, self.price)

    def position(self, account: str, symbol: str, side: str) -> Position:
        held = self.ledger.holdings(account, self.time).positions.get((symbol, side))
        return held or Position(symbol, side)

    def _isolated_leverage(self, account: str, symbol: str) -> int | None:
        desk = self.desks.get(account)
        return desk.leverage(symbol) if desk and symbol in desk.isolated else None

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
                    self._pay_funding(account, position, self.contract(position.symbol))
                self._move_prices(due)
            self._settle()

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
            self._at.clear()

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
                self._at[symbol] = price
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
        self._at.clear()
        return self._hits == hits

    def _move(self, symbol: str, target: Decimal, *, jump: bool) -> None:
        """The price of `symbol` goes to `target`; everything on its way happens."""
        here = self._at.get(symbol, target)
        self._paused.clear()
        while hit := self._nearest(symbol, here, target):
            level, act = hit
            self._hits += 1
            here = here if jump else level
            self._at[symbol] = target if jump else level
            act(self._at[symbol])
        self._at[symbol] = target
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
                if order.symbol == symbol and order.id not in self._paused and order.marketable(target):
                    level = target if order.type == "MARKET" else order.price
                    yield level, 0, order.id, partial(self._rest_met, order)
            for algo in desk.waiting.values():
                if algo.symbol == symbol and algo.status == "NEW" and algo.reached(target):
                    assert algo.level is not None
                    yield algo.level, 1, algo.id, partial(self._trigger, algo)
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
                yield level or target, 2, place, partial(self._liquidate, account, group)

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

    # -- orders ------------------------------------------------------------------------------------------------
    def number(self, kind: str) -> int:
        """The next id; orders, algo orders and trades count on their own."""
        self._numbers[kind] += 1
        return self._numbers[kind]

    def name(self, number: int) -> str:
        """A client id for an order that came without one."""
        value = int(sha256(f"{self.seed}|{number}".encode()).hexdigest()[:40], 16)
        letters: list[str] = []
        for _ in range(22):
            value, rest = divmod(value, len(ALPHABET))
            letters.append(ALPHABET[rest])
        return "".join(letters)

    def place(self, order: Order) -> None:
        """Take in an order that passed the rules."""
        price = self.price(order.symbol)
        assert price is not None
        self._enter(order, price)

    def _enter(self, order: Order, price: Decimal) -> None:
        self.changed, order.updated = self.time, self.time
        desk = self.desk(order.account)
        desk.orders[order.id] = desk.open_orders[order.id] = order
        if order.marketable(price):
            if order.time_in_force == "GTX":
                self._close(order, "EXPIRED")
            else:
                self._execute(order, price, maker=False)
        if order.open and order.time_in_force in ("IOC", "FOK"):
            self._close(order, "EXPIRED")

    def _rest_met(self, order: Order, price: Decimal) -> None:
        """A resting order's price came; the rest of a MARKET order takes what there is."""
        market = order.type == "MARKET"
        self._execute(order, price if market else order.price, maker=not market)

    def _execute(self, order: Order, price: Decimal, *, maker: bool) -> None:
        """Fill what can be filled: all, unless less is held than it would reduce, or a fault says otherwise."""
        quantity, mode = order.left, order.rehearsal
        if not opens(order):
            quantity = min(quantity, self.closable(order.account, order.symbol, order.position_side, order.sign))
        if mode is not None:
            step = self.contract(order.symbol).step
            quantity = quantity * order.fraction // step * step
        if quantity:
            self._fill(order, quantity, price, maker=maker)
        order.rehearsal = None
        if mode == "partial" and order.open and order.left:
            self._paused.add(order.id)
        elif order.open and order.left:
            self._close(order, "EXPIRED")

    def _fill(self, order: Order, quantity: Decimal, price: Decimal, *, maker: bool) -> None:
        """Trade: the position, the money, the trade and its income."""
        desk, contract = self.desk(order.account), self.contract(order.symbol)
        position = self.position(order.account, order.symbol, order.position_side)
        signed, held = order.sign * quantity, position.amount
        leverage = desk.leverage(order.symbol) if order.symbol in desk.isolated else None
        isolated = position.isolated_change(leverage, signed, price)
        profit = cut(replace(position).fill(signed, price, self.time))
        commission, asset = self._commission(order, quantity * price, maker=maker)
        self.ledger.record(Traded(time=self.time, account=order.account, symbol=order.symbol, side=order.position_side,
                                  signed=signed, price=price, isolated=isolated))
        number = self.number("trade")
        desk.trades.append(Trade(
            id=number, order=order.id, symbol=order.symbol, side=order.side, position_side=order.position_side,
            price=price, quantity=quantity, profit=profit, commission=commission, commission_asset=asset,
            margin_asset=contract.margin_asset, time=self.time, maker=maker))
        self._book(desk, "REALIZED_PNL", order.symbol, profit, contract.margin_asset, trade=str(number))
        self._book(desk, "COMMISSION", order.symbol, -commission, asset, trade=str(number))
        if isolated:
            desk.margin_changes.append(MarginChange(symbol=order.symbol, side=order.position_side, kind="TRADE",
                                                    amount=isolated, asset=contract.margin_asset, time=self.time))
        order.executed, order.quote = order.executed + quantity, order.quote + quantity * price
        order.status, order.updated = "PARTIALLY_FILLED", self.time
        if not order.left:
            self._close(order, "FILLED")
        if held * (held + signed) <= 0 and held:
            self._orphaned(desk, order.symbol, order.position_side)

    def _commission(self, order: Order, quote: Decimal, *, maker: bool) -> tuple[Decimal, str]:
        """What a trade costs and in which asset; a liquidation has a fee of its own instead."""
        asset = self.contract(order.symbol).margin_asset
        if order.forced:
            return ZERO, asset
        amount = cut(quote * (MAKER if maker else TAKER))
        price = self.price("BNBUSDT") if self.desk(order.account).fee_burn and "BNBUSDT" in self.market.pairs else None
        in_bnb = cut(amount * BNB_SHARE / price) if price else ZERO
        if in_bnb and self.statement(order.account).wallet("BNB") >= in_bnb:
            return in_bnb, "BNB"
        return amount, asset

    def _book(self, desk: Desk, kind: str, symbol: str, amount: Decimal, asset: str, trade: str = "") -> None:
        """Move money and say so in the income."""
        if not amount:
            return
        self.ledger.record(Posting(time=self.time, account=desk.account, wallet="futures", asset=asset, amount=amount))
        number = self._numbers.get(kind, FIRST_INCOME) + 1
        self._numbers[kind] = number
        desk.income.append(Income(id=number, kind=kind, symbol=symbol, amount=amount, asset=asset, time=self.time,
                                  info=kind, trade=trade))

    def _close(self, order: Order, status: str) -> None:
        """The order is over."""
        desk = self.desk(order.account)
        order.status, order.updated = status, self.time
        desk.open_orders.pop(order.id, None)
        if order.algo is not None:
            algo = desk.algos[order.algo]
            algo.status, algo.updated = "FINISHED", self.time

    def _orphaned(self, desk: Desk, symbol: str, side: str) -> None:
        """A position is gone, and with it what was there to close it alone."""
        for algo in list(desk.waiting.values()):
            if (algo.close_position and (algo.symbol, algo.position_side, algo.status) == (symbol, side, "NEW")
                    and not self.closable(desk.account, symbol, side, algo.sign)):
                algo.due = self.time + self.options.expire_delay_ms
                if not self.options.expire_delay_ms:
                    self.end_algo(algo, "EXPIRED")
        for order in list(desk.open_orders.values()):
            if (order.reduce_only and (order.symbol, order.position_side) == (symbol, side)
                    and not self.closable(desk.account, symbol, side, order.sign)):
                self._close(order, "EXPIRED")

    def closable(self, account: str, symbol: str, side: str, sign: int) -> Decimal:
        """How much of a position an order of that direction could close."""
        amount = self.position(account, symbol, side).amount
        return abs(amount) if amount * sign < 0 else ZERO

    def cancel(self, order: Order) -> None:
        self.changed = self.time
        self._close(order, "CANCELED")

    def modify(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """A changed order is matched anew."""
        order.amendments.append(Amendment(id=FIRST_INCOME + order.id % 10**6 * 100 + len(order.amendments),
                                          time=self.time, price=(order.price, price),
                                          quantity=(order.quantity, quantity)))
        order.quantity, order.price = quantity, price
        if quantity <= order.executed:
            self.cancel(order)
            return
        status = order.status
        self.place(order)
        if order.open:
            order.status = status

    # -- algo orders -------------------------------------------------------------------------------------------
    def place_algo(self, algo: Algo) -> None:
        self.changed = self.time
        desk, price = self.desk(algo.account), self.price(algo.symbol)
        desk.algos[algo.id] = desk.waiting[algo.id] = algo
        if algo.type == TRAILING and not algo.activate:
            algo.extreme = price

    def end_algo(self, algo: Algo, status: str) -> None:
        self.changed = self.time
        algo.status, algo.updated, algo.due = status, self.time, 0
        self.desk(algo.account).waiting.pop(algo.id, None)

    def _trigger(self, algo: Algo, price: Decimal) -> None:
        self.changed = algo.triggered = algo.updated = self.time
        if self.options.trigger_delay_ms:
            algo.status, algo.due = "TRIGGERING", self.time + self.options.trigger_delay_ms
        else:
            self._forward(algo, price)

    def _forward(self, algo: Algo, price: Decimal) -> None:
        """The real order goes into the matching engine, or is refused there."""
        held = self.closable(algo.account, algo.symbol, algo.position_side, algo.sign)
        if algo.close_position and not held:
            self.end_algo(algo, "EXPIRED")
            return
        order = Order(
            id=0, account=algo.account, symbol=algo.symbol, client_id="", side=algo.side,
            position_side=algo.position_side, type="LIMIT" if algo.price else "MARKET",
            quantity=held if algo.close_position else algo.quantity, time=self.time, price=algo.price,
            orig_type=algo.type, stop_price=algo.trigger,
            time_in_force="GTC" if algo.time_in_force == "GTE_GTC" else algo.time_in_force,
            reduce_only=algo.reduce_only and not self.desk(algo.account).hedge, close_position=algo.close_position,
            working_type=algo.working_type, price_protect=algo.price_protect, price_match=algo.price_match,
            self_trade=algo.self_trade, good_till=algo.good_till, algo=algo.id, rehearsal=algo.rehearsal,
            fraction=algo.fraction)
        if algo.rehearsal == "reject" or self._refused(order, held, price):
            self.end_algo(algo, "REJECTED")
            return
        self.end_algo(algo, "TRIGGERED")
        order.id = self.number("order")
        order.client_id, algo.actual = self.name(order.id), order
        self._enter(order, price)

    def _refused(self, order: Order, held: Decimal, price: Decimal) -> bool:
        """Whether the matching engine turns a triggered order down: nothing to reduce, price, size, or margin."""
        contract, statement = self.contract(order.symbol), self.statement(order.account)
        if order.price and not contract.within_band(order.side, order.price, price):
            return True
        if order.reduce_only:
            return not held
        if order.closes:
            return held < order.quantity
        more = order.sign * order.quantity * (order.price or price)
        return (statement.missing(order.symbol, order.position_side, more) > 0
                or statement.exposure(order.symbol, order.position_side, more)
                > contract.most_notional(statement.desk.leverage(order.symbol)))

    # -- what is due -------------------------------------------------------------------------------------------
    def _paying(self, due: int) -> list[tuple[str, Position]]:
        """Positions whose funding is settled at `due`."""
        return [(account, position) for account, position in self._positions()
                if position.traded and self.funding.due(self.contract(position.symbol), due)]

    def _settle(self) -> None:
        """What expires or is forwarded at this moment."""
        now = self.time
        for desk in list(self.desks.values()):
            for symbol in [symbol for symbol, due in desk.countdowns.items() if due <= now]:
                del desk.countdowns[symbol]
                for order in [order for order in desk.open_orders.values() if order.symbol == symbol]:
                    self.cancel(order)
            for order in list(desk.open_orders.values()):
                if 0 < order.good_till <= now:
                    self.changed = now
                    self._close(order, "EXPIRED")
            for algo in list(desk.waiting.values()):
                self._settle_algo(algo)

    def _settle_algo(self, algo: Algo) -> None:
        if 0 < algo.due <= self.time:
            price = self.price(algo.symbol)
            algo.due = 0
            if algo.status == "TRIGGERING" and price is not None:
                self._forward(algo, price)
            elif not self.closable(algo.account, algo.symbol, algo.position_side, algo.sign):
                self.end_algo(algo, "EXPIRED")
        elif 0 < algo.good_till <= self.time:
            self.end_algo(algo, "EXPIRED")

    def _pay_funding(self, account: str, position: Position, contract: Contract) -> None:
        """Mark price times amount times rate; on an isolated position it changes its own margin."""
        price = self.price(position.symbol)
        amount = cut(-position.amount * (price or ZERO) * self.funding.rate(contract, self.time))
        desk = self.desk(account)
        self._book(desk, "FUNDING_FEE", position.symbol, amount, contract.margin_asset)
        self.changed = self.time
        if position.symbol in desk.isolated:
            self.ledger.record(Traded(time=self.time, account=account, symbol=position.symbol, side=position.side,
                                      isolated=amount))

    def _liquidate(self, account: str, group: Group, price: Decimal) -> None:
        """Close everything on a margin that is gone. The insurance fund takes the fee, and bears what is missing."""
        desk, statement = self.desk(account), self.statement(account)
        symbols = {position.symbol for position in group.positions}
        for order in list(desk.open_orders.values()):
            if order.symbol in symbols or not group.isolated:
                self.cancel(order)
        left, fee = group.wallet, ZERO
        for position in group.positions:
            mark = statement.mark(position.symbol)
            left += cut(statement.profit(position))
            fee += cut(abs(statement.notional(position)) * self.contract(position.symbol).liquidation_fee)
            if position.traded:
                self.changed = self.time
            self._force(account, position, mark)
        charge = min(fee, left)    # below zero: the fund pays
        asset = "USDT" if group.asset == USD else group.asset
        self._book(desk, "INSURANCE_CLEAR", group.positions[0].symbol, -charge, asset)

    def _force(self, account: str, position: Position, mark: Decimal) -> None:
        """The liquidation's own order."""
        number, side = self.number("order"), "SELL" if position.amount > 0 else "BUY"
        order = Order(id=number, account=account, symbol=position.symbol, side=side,
                      client_id=f"autoclose-{self.time}{number % 10**6:06}",
                      position_side=position.side, type="LIMIT", quantity=abs(position.amount), time=self.time,
                      price=self.contract(position.symbol).on_tick(mark), time_in_force="IOC", orig_type="LIMIT",
                      forced=True)
        self.desk(account).orders[number] = order
        self._fill(order, order.quantity, mark, maker=False)

    # -- margin ------------------------------------------------------------------------------------------------
    def add_margin(self, account: str, position: Position, amount: Decimal) -> None:
        """Move margin between an isolated position and the cross wallet."""
        self.changed = self.time
        self.ledger.record(Traded(time=self.time, account=account, symbol=position.symbol, side=position.side,
                                  isolated=amount))
        self.desk(account).margin_changes.append(MarginChange(
            symbol=position.symbol, side=position.side, kind="USER_ADJUST", amount=amount,
            asset=self.contract(position.symbol).margin_asset, time=self.time))

    # -- for the scan ------------------------------------------------------------------------------------------
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

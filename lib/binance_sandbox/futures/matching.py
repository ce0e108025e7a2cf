"""What orders do at one moment: they fill, rest, wait, trigger and end; funding is paid, margins are called.

Nothing here moves the clock or a price (`engine` does). Fills are whole, at the price that is given; triggered orders
go on as orders of their own; money and positions are kept by the ledger, everything else by an account's desk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256

from ..events import Posting
from ..ledger import Ledger, Position, Traded
from ..market import Market
from ..money import ZERO, cut
from ..pairs import Pair
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


class Matching:
    """The state of the engine at `time`, and what changes it."""

    def __init__(self, market: Market, ledger: Ledger, seed: int, now: int) -> None:
        self.market, self.ledger, self.seed, self.time = market, ledger, seed, now
        self.options, self.funding = Options(), Funding(seed, market.source.funding)
        self.desks: dict[str, Desk] = {}
        self.listen_keys: dict[str, tuple[int, int]] = {}    # account -> since, until
        self.changed = 0                          # when an order last did anything
        self.at: dict[str, Decimal] = {}          # prices on their way between two points
        self.paused: set[int] = set()             # orders whose rest waits for the next point
        self._contracts: dict[str, tuple[Pair, Contract]] = {}
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
        return self.at.get(symbol) or self.market.price(symbol, self.time)

    def statement(self, account: str) -> Statement:
        return Statement(self.desk(account), self.ledger.holdings(account, self.time), self.contract, self.price)

    def position(self, account: str, symbol: str, side: str) -> Position:
        held = self.ledger.holdings(account, self.time).positions.get((symbol, side))
        return held or Position(symbol, side)

    def _isolated_leverage(self, account: str, symbol: str) -> int | None:
        desk = self.desks.get(account)
        return desk.leverage(symbol) if desk and symbol in desk.isolated else None

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

    def rest_met(self, order: Order, price: Decimal) -> None:
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
            self.paused.add(order.id)
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

    def trigger(self, algo: Algo, price: Decimal) -> None:
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
    def settle(self) -> None:
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

    def pay_funding(self, account: str, position: Position, contract: Contract) -> None:
        """Mark price times amount times rate; on an isolated position it changes its own margin."""
        price = self.price(position.symbol)
        amount = cut(-position.amount * (price or ZERO) * self.funding.rate(contract, self.time))
        desk = self.desk(account)
        self._book(desk, "FUNDING_FEE", position.symbol, amount, contract.margin_asset)
        self.changed = self.time
        if position.symbol in desk.isolated:
            self.ledger.record(Traded(time=self.time, account=account, symbol=position.symbol, side=position.side,
                                      isolated=amount))

    def liquidate(self, account: str, group: Group, price: Decimal) -> None:
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

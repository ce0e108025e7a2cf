"""An account's margins at one moment: what positions and orders need, what is left, what is liquidated together.

Single-asset mode: each margin asset stands for itself. Multi-assets mode: everything counts in USD, coins with a
haircut, and every position is cross (BINANCE.md 8.4; the haircut is ours, one number for all coins).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from ..ledger import Amounts, Holdings, Position
from ..money import ZERO, cut
from ..pairs import STABLECOINS
from .contracts import Contract
from .margin import Leg, liquidation_price, maintenance
from .model import Desk, Order

HAIRCUT = Decimal("0.95")    # what a coin counts as margin in multi-assets mode
USD = "USD"                  # the margin that all assets share in multi-assets mode
DOLLARS = (*STABLECOINS, "BNFCR", "BFUSD", "LDUSDT", "RWUSD", "U")


@dataclass(frozen=True)
class Group:
    """Positions on one margin: they are liquidated together."""

    asset: str
    wallet: Decimal
    positions: tuple[Position, ...]
    isolated: bool
    coins: tuple[tuple[str, Decimal], ...] = ()    # symbol and amount of margin that is not dollars, in `wallet` too


class Statement:
    """prices  the mark price of a symbol, None where it has none"""

    def __init__(self, desk: Desk, holdings: Holdings, contract: Callable[[str], Contract],
                 prices: Callable[[str], Decimal | None]) -> None:
        self.desk, self.holdings, self.contract, self._prices = desk, holdings, contract, prices
        self.positions = [position for _, position in sorted(holdings.positions.items()) if position.amount]

    # -- one position ------------------------------------------------------------------------------------------
    def mark(self, symbol: str) -> Decimal:
        return self._prices(symbol) or ZERO

    def notional(self, position: Position) -> Decimal:
        """Signed, at the mark price."""
        return position.amount * self.mark(position.symbol)

    def profit(self, position: Position) -> Decimal:
        mark = self._prices(position.symbol)
        return ZERO if mark is None else position.amount * (mark - position.entry)

    def maintenance(self, position: Position) -> Decimal:
        return maintenance(self.contract(position.symbol), abs(self.notional(position)))

    def initial(self, position: Position) -> Decimal:
        return abs(self.notional(position)) / self.desk.leverage(position.symbol)

    def is_isolated(self, position: Position) -> bool:
        return position.symbol in self.desk.isolated

    def liquidation_price(self, position: Position) -> Decimal:
        """0 where none is."""
        group = next(group for group in self.groups() if position in group.positions)
        together = [other for other in group.positions if other.symbol == position.symbol]
        others = [other for other in group.positions if other.symbol != position.symbol]
        return liquidation_price(
            self.contract(position.symbol), [Leg(each.amount, each.entry) for each in together], group.wallet,
            sum((self.maintenance(other) for other in others), ZERO),
            sum((self.profit(other) for other in others), ZERO))

    # -- groups ------------------------------------------------------------------------------------------------
    def groups(self) -> list[Group]:
        """Everything that can be liquidated."""
        alone = [position for position in self.positions if self.is_isolated(position)]
        shared = [position for position in self.positions if not self.is_isolated(position)]
        found = [Group(self.margin_asset(position), position.isolated, (position,), True) for position in alone]
        if self.desk.multi_assets:
            coins = tuple((f"{asset}USDT", amounts.total * HAIRCUT) for asset, amounts in self._wallet().items()
                          if asset not in DOLLARS and amounts.total)
            return [*found, Group(USD, self.worth(), tuple(shared), False, coins)] if shared else found
        for asset in dict.fromkeys(self.margin_asset(position) for position in shared):
            mine = tuple(position for position in shared if self.margin_asset(position) == asset)
            found.append(Group(asset, self.cross_wallet(asset), mine, False))
        return found

    def gone(self, group: Group) -> bool:
        """Whether what is left no longer covers the maintenance margin."""
        left = group.wallet + sum((self.profit(position) for position in group.positions), ZERO)
        return left <= sum((self.maintenance(position) for position in group.positions), ZERO)

    def margin_asset(self, position: Position) -> str:
        return self.contract(position.symbol).margin_asset

    # -- one asset ---------------------------------------------------------------------------------------------
    def _wallet(self) -> dict[str, Amounts]:
        return self.holdings.wallets.get("futures", {})

    def wallet(self, asset: str) -> Decimal:
        amounts = self._wallet().get(asset)
        return amounts.total if amounts else ZERO

    def cross_wallet(self, asset: str) -> Decimal:
        """The wallet without what isolated positions keep for themselves."""
        return self.wallet(asset) - sum((position.isolated for position in self._of(asset)), ZERO)

    def _of(self, asset: str) -> list[Position]:
        return [position for position in self.positions if self.margin_asset(position) == asset]

    def unrealised(self, asset: str, *, cross: bool = False) -> Decimal:
        return sum((cut(self.profit(position)) for position in self._of(asset)
                    if not (cross and self.is_isolated(position))), ZERO)

    def maintenance_of(self, asset: str) -> Decimal:
        return sum((self.maintenance(position) for position in self._of(asset)), ZERO)

    def position_margin(self, asset: str, *, cross: bool = False) -> Decimal:
        return sum((self.initial(position) for position in self._of(asset)
                    if not (cross and self.is_isolated(position))), ZERO)

    def order_margin(self, asset: str) -> Decimal:
        symbols = sorted({order.symbol for order in self.desk.open_orders.values()})
        return sum((self.open_order_margin(symbol, side) for symbol in symbols for side in self.desk.sides()
                    if self.contract(symbol).margin_asset == asset), ZERO)

    def available(self, asset: str) -> Decimal:
        """What new orders may use, never below zero; in multi-assets mode in USD, whatever the asset."""
        if self.desk.multi_assets:
            assets = {self.margin_asset(position) for position in self.positions}
            assets |= {self.contract(order.symbol).margin_asset for order in self.desk.open_orders.values()}
            left = self.worth() + sum((self.unrealised(each) - self.position_margin(each) - self.order_margin(each)
                                       for each in assets), ZERO)
            return max(left, ZERO)
        left = self.cross_wallet(asset) + self.unrealised(asset, cross=True)
        return max(left - self.position_margin(asset, cross=True) - self.order_margin(asset), ZERO)

    def worth(self) -> Decimal:
        """All assets in USD, coins after the haircut."""
        return sum((self.wallet(asset) * self.rate(asset) for asset in self._wallet()), ZERO)

    def rate(self, asset: str) -> Decimal:
        """USD that one unit counts as margin."""
        return Decimal(1) if asset in DOLLARS else self.mark(f"{asset}USDT") * HAIRCUT

    # -- open orders -------------------------------------------------------------------------------------------
    def working(self, symbol: str, position_side: str) -> tuple[Decimal, Decimal]:
        """Notional of the open orders that may open something: to buy, to sell."""
        orders = [order for order in self.desk.open_orders.values()
                  if order.symbol == symbol and order.position_side == position_side and opens(order)]
        return (sum((order.left * order.price for order in orders if order.side == "BUY"), ZERO),
                sum((order.left * order.price for order in orders if order.side == "SELL"), ZERO))

    def open_order_margin(self, symbol: str, position_side: str, more: Decimal = ZERO) -> Decimal:
        """What open orders need beyond the position's own margin. more: signed notional of one order more."""
        return (self.exposure(symbol, position_side, more)
                - abs(self._held(symbol, position_side))) / self.desk.leverage(symbol)

    def exposure(self, symbol: str, position_side: str, more: Decimal = ZERO) -> Decimal:
        """The largest notional that position and open orders of a side can grow to."""
        bids, asks = self.working(symbol, position_side)
        bids, asks = bids + max(more, ZERO), asks + max(-more, ZERO)
        held = self._held(symbol, position_side)
        return max(abs(held), abs(held + bids), abs(held - asks))

    def missing(self, symbol: str, position_side: str, more: Decimal) -> Decimal:
        """What one order of signed notional `more` lacks of margin; zero or less: nothing."""
        needed = (self.open_order_margin(symbol, position_side, more)
                  - self.open_order_margin(symbol, position_side))
        return needed - self.available(self.contract(symbol).margin_asset) if needed > 0 else ZERO

    def _held(self, symbol: str, position_side: str) -> Decimal:
        position = self.holdings.positions.get((symbol, position_side))
        return self.notional(position) if position else ZERO

    def rows(self, symbols: Iterable[str] | None = None) -> list[Position]:
        """Positions to list: open ones, and empty ones of symbols with open orders."""
        wanted = {(position.symbol, position.side) for position in self.positions}
        wanted |= {(order.symbol, order.position_side) for order in self.desk.open_orders.values()}
        if symbols is not None:
            wanted |= {(symbol, side) for symbol in symbols for side in self.desk.sides()}
        return [self.holdings.positions.get(key) or Position(*key) for key in sorted(wanted)]


def opens(order: Order) -> bool:
    """Whether an order can make a position larger."""
    return not order.reduce_only and not order.closes

"""What the engine keeps: orders, algo orders, trades, income, and per account a desk that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from ..money import ZERO

LEVERAGE = 20    # of a symbol that nobody set
OPEN = ("NEW", "PARTIALLY_FILLED")
STOPS = ("STOP", "STOP_MARKET")
TAKES = ("TAKE_PROFIT", "TAKE_PROFIT_MARKET")
TRAILING = "TRAILING_STOP_MARKET"
CONDITIONAL = (*STOPS, *TAKES, TRAILING)


@dataclass(kw_only=True)
class Order:
    """A plain order, or the real one of an algo order that was triggered."""

    id: int
    account: str
    symbol: str
    client_id: str
    side: str               # BUY | SELL
    position_side: str      # BOTH | LONG | SHORT
    type: str               # LIMIT | MARKET
    quantity: Decimal
    time: int
    price: Decimal = ZERO
    orig_type: str = ""
    stop_price: Decimal = ZERO
    time_in_force: str = "GTC"
    reduce_only: bool = False
    close_position: bool = False
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    price_match: str = "NONE"
    self_trade: str = "EXPIRE_MAKER"
    good_till: int = 0
    status: str = "NEW"
    executed: Decimal = ZERO
    quote: Decimal = ZERO     # what was traded, in the quote asset
    updated: int = 0
    algo: int | None = None
    amendments: list[Amendment] = field(default_factory=list)
    forced: bool = False      # a liquidation's
    rehearsal: str | None = None      # a fault: partial | expire, with this fraction filled
    fraction: Decimal = ZERO

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1

    @property
    def left(self) -> Decimal:
        return self.quantity - self.executed

    @property
    def open(self) -> bool:
        return self.status in OPEN

    @property
    def placed(self) -> int:
        return self.time

    @property
    def lost(self) -> bool:
        """Whether it ended without a fill."""
        return self.status in ("CANCELED", "EXPIRED") and not self.executed

    def marketable(self, price: Decimal) -> bool:
        """Whether it trades where the price is."""
        return self.type == "MARKET" or (price <= self.price if self.side == "BUY" else price >= self.price)

    @property
    def average(self) -> Decimal:
        return self.quote / self.executed if self.executed else ZERO

    @property
    def closes(self) -> bool:
        """Whether its positionSide says that it can only reduce (hedge mode)."""
        return (self.position_side, self.side) in (("LONG", "SELL"), ("SHORT", "BUY"))


@dataclass(frozen=True, kw_only=True)
class Amendment:
    """A change of an order that waits."""

    id: int
    time: int
    price: tuple[Decimal, Decimal]       # before, after
    quantity: tuple[Decimal, Decimal]


@dataclass(kw_only=True)
class Algo:
    """A conditional order of the Algo service."""

    id: int
    account: str
    symbol: str
    client_id: str
    type: str                # one of CONDITIONAL
    side: str
    position_side: str
    quantity: Decimal
    created: int
    trigger: Decimal = ZERO
    price: Decimal = ZERO
    time_in_force: str = "GTC"
    working_type: str = "CONTRACT_PRICE"
    price_match: str = "NONE"
    close_position: bool = False
    price_protect: bool = False
    reduce_only: bool = False
    activate: Decimal = ZERO          # trailing
    callback: Decimal = ZERO          # trailing, percent
    self_trade: str = "EXPIRE_MAKER"
    good_till: int = 0
    status: str = "NEW"
    updated: int = 0
    triggered: int = 0
    actual: Order | None = None
    extreme: Decimal | None = None    # trailing: the best price since it is active
    due: int = 0                      # when it expires, or is forwarded; 0: nothing is due
    rehearsal: str | None = None      # a fault: reject, or what befalls its real order
    fraction: Decimal = ZERO

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1

    @property
    def waiting(self) -> bool:
        return self.status in ("NEW", "TRIGGERING")

    @property
    def placed(self) -> int:
        return self.created

    @property
    def lost(self) -> bool:
        """Whether it ended without a fill; what was triggered and filled counts as filled."""
        return self.status in ("CANCELED", "EXPIRED", "REJECTED")

    @property
    def rises(self) -> bool:
        """Whether a rising price triggers it."""
        return (self.side == "BUY") == (self.type not in TAKES)

    @property
    def level(self) -> Decimal | None:
        """The price that triggers it now; a trailing one has none before it is active."""
        if self.type != TRAILING:
            return self.trigger
        if self.extreme is None:
            return None
        return self.extreme * (1 + self.sign * self.callback / 100)

    def reached(self, price: Decimal) -> bool:
        level = self.level
        return level is not None and (price >= level if self.rises else price <= level)


@dataclass(frozen=True, kw_only=True)
class Trade:
    """A fill of an order."""

    id: int
    order: int
    symbol: str
    side: str
    position_side: str
    price: Decimal
    quantity: Decimal
    profit: Decimal
    commission: Decimal
    commission_asset: str
    margin_asset: str
    time: int
    maker: bool


@dataclass(frozen=True, kw_only=True)
class Income:
    """`id` is unique within its kind alone, as on Binance."""

    id: int
    kind: str
    symbol: str
    amount: Decimal
    asset: str
    time: int
    info: str = ""
    trade: str = ""


@dataclass(frozen=True, kw_only=True)
class MarginChange:
    """Margin put to an isolated position, or taken from it."""

    symbol: str
    side: str
    kind: str         # USER_ADJUST | TRADE
    amount: Decimal
    asset: str
    time: int


@dataclass
class Desk:
    """Everything of one account that is not a balance or a position."""

    account: str
    hedge: bool = False
    multi_assets: bool = False
    fee_burn: bool = False
    leverages: dict[str, int] = field(default_factory=dict)
    isolated: set[str] = field(default_factory=set)
    orders: dict[int, Order] = field(default_factory=dict)
    open_orders: dict[int, Order] = field(default_factory=dict)
    algos: dict[int, Algo] = field(default_factory=dict)
    waiting: dict[int, Algo] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    income: list[Income] = field(default_factory=list)
    margin_changes: list[MarginChange] = field(default_factory=list)
    countdowns: dict[str, int] = field(default_factory=dict)    # symbol -> when its orders are cancelled

    def leverage(self, symbol: str) -> int:
        return self.leverages.get(symbol, LEVERAGE)

    def sides(self) -> tuple[str, ...]:
        return ("LONG", "SHORT") if self.hedge else ("BOTH",)

    @property
    def symbols_in_use(self) -> set[str]:
        """Of open orders and waiting algo orders."""
        return {order.symbol for order in self.open_orders.values()} | {algo.symbol for algo in self.waiting.values()}

    def forget(self, after: int) -> None:
        """What was forced on it later than `after`: the clock was set back."""
        self.orders = {number: order for number, order in self.orders.items() if order.time <= after}
        self.trades = [trade for trade in self.trades if trade.time <= after]
        self.income = [row for row in self.income if row.time <= after]
        self.margin_changes = [row for row in self.margin_changes if row.time <= after]

"""What every step of a check works with: the exchange, the journal, the contracts, and what was seen."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from navbook.compute import decisions
from navbook.compute.decisions import LiveExit
from navbook.errors import NavbookError
from navbook.exchange import orders_read
from navbook.exchange.client import Exchange
from navbook.exchange.contracts import Contract
from navbook.exchange.orders_read import Conditional
from navbook.trader.journal import Journal
from navbook.trader.plans import Plan
from navbook.trader.rows import PROFIT, STOP, Intended, Trade
from navbook.types import ExitOrder, Side

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PARTS = {ExitOrder.STOP: STOP, ExitOrder.PROFIT: PROFIT}
LEVELS = ("info", "warning", "alert")    # what goes well; what is being mended; what a person should look at


class NotNow(NavbookError):
    """Nothing more can be done for a position in this check; why was said already."""


@dataclass
class Seen:
    """What the exchange shows: what each leg holds, and our conditional orders that wait there."""

    held: dict[tuple[str, Side], Decimal] = field(default_factory=dict)
    exits: dict[tuple[str, Side], list[LiveExit]] = field(default_factory=dict)

    def of(self, plan: Plan) -> tuple[Decimal, tuple[LiveExit, ...]]:
        return self.held.get(plan.leg, Decimal(0)), tuple(self.exits.get(plan.leg, ()))

    def add(self, plan: Plan, order: Conditional) -> None:
        if order.kind is not None:
            self.exits.setdefault(plan.leg, []).append(LiveExit(order.kind, float(order.trigger), order.client_id))

    def drop(self, plan: Plan, client_id: str) -> None:
        self.exits[plan.leg] = [exit for exit in self.exits.get(plan.leg, ()) if exit.client_id != client_id]


@dataclass
class Desk:
    """now: the exchange's time of the check in hand, ms. told: hears what is said, beside the journal."""

    exchange: Exchange
    journal: Journal
    account: str
    told: Callable[[str], None]
    contracts: dict[str, Contract] = field(default_factory=dict)
    contracts_read_at: int = 0
    force: bool = False                                          # open although the stop lies beyond the liquidation
    forced: set[str] = field(default_factory=set)                # the same, of single positions
    now: int = 0
    began: float = field(default_factory=time.time)              # wall; an order sent before is of an earlier process
    stop_tries: Counter[int] = field(default_factory=Counter)    # refused in a row, by trade
    filters_are_stale: bool = False
    troubles: int = 0                                            # warnings and alerts since the check began
    alerts: dict[str, str] = field(default_factory=dict)         # by position ("": all), not yet sent to anybody

    @property
    def time(self) -> datetime:
        return at(self.now)

    def say(self, name: str, kind: str, said: str, level: str = "info") -> None:
        """One sentence for the log. An alert is something that a person should look at."""
        self.troubles += level != "info"
        if level == "alert":
            self.alerts[name] = said
        self.journal.say(self.now, level, name, kind, said)
        self.told(f"{self.time:%Y-%m-%d %H:%M:%S}  {name or self.account}  {'! ' * (level == 'alert')}{said}")

    def client_id(self, trade: Trade, part: str) -> tuple[str, int]:
        """The name and number of the next order of a trade's part: that of the last one, when it
        may never have arrived."""
        attempt = sum(row.is_spent for row in self.journal.orders(trade.id, part))
        return decisions.client_id(self.journal.instance, trade.name, trade.id, trade.due, part, attempt), attempt

    def intend(self, trade: Trade, part: str, quantity: Decimal | None = None,
               trigger: Decimal | None = None) -> Intended:
        """An order that is about to be sent, on disk."""
        client_id, attempt = self.client_id(trade, part)
        return self.journal.intend(self.now, client_id, trade=trade.id, part=part, attempt=attempt,
                                   symbol=trade.symbol, side=trade.side, quantity=quantity, trigger=trigger)

    def learn(self, client_id: str, status: str, **more: object) -> None:
        self.journal.learn(client_id, self.now, status=status, **more)

    def begin(self, plan: Plan, reopen: int, due: int, until: int, parent: int | None = None) -> Trade:
        """A trade that is to be entered between `due` and `until`."""
        rules = plan.rules
        return self.journal.begin(
            self.now, name=plan.name, symbol=plan.symbol, side=plan.side, parent=parent, reopen=reopen, due=due,
            until=until, amount_usdt=exact(float(rules.amount_usdt)), leverage=exact(float(rules.leverage)),
            tp_usdt=exact(float(rules.tp_usdt)), sl_usdt=exact(float(rules.sl_usdt)), margin_type=rules.margin_type)

    def change(self, trade: Trade, **values: object) -> Trade:
        return self.journal.change(trade.id, self.now, **values)

    async def look(self, symbols: set[str]) -> Seen:
        """[45; 6 of one symbol] What is held, and which of our orders wait."""
        only = next(iter(symbols)) if len(symbols) == 1 else None
        held = await orders_read.held(self.exchange, only)
        waiting = await orders_read.open_conditional(self.exchange, only)
        seen = Seen({(row.symbol, Side(row.position_side)): row.quantity for row in held
                     if row.position_side in Side.__members__})
        for order in waiting:
            if order.kind is not None and self.is_ours(order.client_id) and order.position_side in Side.__members__:
                exits = seen.exits.setdefault((order.symbol, Side(order.position_side)), [])
                exits.append(LiveExit(order.kind, float(order.trigger), order.client_id))
        return seen

    def is_ours(self, client_id: str) -> bool:
        """Whether this journal's trader sent it; one that it took over is in the journal too."""
        return (decisions.instance_of(client_id) == self.journal.instance
                or self.journal.order(client_id) is not None)


def at(ms: int) -> datetime:
    """A time of the journal."""
    return EPOCH + timedelta(milliseconds=ms)


def exact(number: float) -> Decimal:
    """The decimal that a float of the rules shows as."""
    return Decimal(repr(number))


def shown(amount: Decimal | None) -> str:
    """An amount in a sentence: without zeros at its end."""
    return "?" if amount is None else f"{amount.normalize():f}"

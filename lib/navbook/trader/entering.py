"""Open a position: what may be opened, the order, and what became of it."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from decimal import Decimal

from navbook.compute import brackets
from navbook.compute.brackets import BracketRules
from navbook.compute.decisions import RETRY_MS, Enter, TradeState
from navbook.errors import ExchangeError, ExchangeUnavailable, OutcomeUnknown, RequestRejected
from navbook.exchange import orders, orders_read
from navbook.exchange.contracts import Contract
from navbook.exchange.orders_read import UNDER_WAY, Order
from navbook.trader import modes
from navbook.trader.desk import Desk, NotNow, Seen, at, exact, shown
from navbook.trader.journal import ENDING, PANIC
from navbook.trader.plans import Plan
from navbook.trader.rows import ABSENT, ENTRY, UNKNOWN, Intended, Trade
from navbook.types import MarginType

VISIBLE_MS = 5000       # the exchange shows an order at the latest so long after it took it
VISIBLE_S = 2.0         # the same on the wall's clock, for orders of a process that ended
LOOKS, BETWEEN_S = 4, 0.25    # at an order that is still filling
BEFORE = timedelta(minutes=5)    # an order's fills may be dated before our clock's idea of it
FEE_ROOM = Decimal("0.0005")     # of the notional: what the entry's commission takes from the margin
SURELY_MS = 60_000      # what holds the leg after that is somebody else's


async def enter(desk: Desk, plan: Plan, intent: Enter, seen: Seen) -> None:
    """Open the position, or say why not and when it is tried again. Raises `NotNow`, `ExchangeError`."""
    trade = _entering(desk, plan, intent)
    try:
        contract = await modes.contract(desk, plan)
        price = await orders_read.price(desk.exchange, plan.symbol)
        rules = plan.on(contract)
        quantity = exact(brackets.quantity(rules, float(price)))
        if refusal := await _refusal(desk, plan, contract, rules, price, quantity):
            _never(desk, trade, refusal)
        order = _intend(desk, trade, quantity)
        answer = await orders.market(desk.exchange, plan.symbol, plan.side, quantity, order.client_id, opens=True)
    except OutcomeUnknown as problem:
        desk.learn(order.client_id, UNKNOWN, note=problem.reason)
        desk.say(plan.name, "unknown", str(problem), "warning")
        await resolve(desk, plan, desk.journal.trade(trade.id), seen)
    except RequestRejected as problem:
        await _rejected(desk, plan, trade, problem)
    except ExchangeUnavailable as problem:
        _try_later(desk, trade, str(problem), sent=True)
    else:
        await _taken(desk, plan, trade, orders_read.order_row(answer.payload), seen)


def _entering(desk: Desk, plan: Plan, intent: Enter) -> Trade:
    """The trade that is about to be entered; a new one unless an earlier try left it. Raises `NotNow` in a panic."""
    with desk.journal.together():
        if desk.journal.read(ENDING) == PANIC:
            raise NotNow
        last = desk.journal.last(plan.name)
        if last is not None and last.state is TradeState.ENTERING:
            return last
        return desk.begin(plan, intent.reopen, intent.due, intent.until, last.id if last and intent.reopen else None)


def _intend(desk: Desk, trade: Trade, quantity: Decimal) -> Intended:
    """The entry, on disk. Raises `NotNow` where another process's panic has ended the trade meanwhile."""
    with desk.journal.together():
        if desk.journal.trade(trade.id).state is not TradeState.ENTERING:
            raise NotNow
        return desk.intend(trade, ENTRY, quantity=quantity)


async def postpone(desk: Desk, plan: Plan, intent: Enter, seen: Seen) -> None:
    """The leg is not free. Raises `NotNow`."""
    _try_later(desk, _entering(desk, plan, intent),
               f"{plan.symbol} {plan.side} already holds {shown(seen.held[plan.leg])} that is not ours")


# -- may it be opened --------------------------------------------------------------------------------------------
async def _refusal(desk: Desk, plan: Plan, contract: Contract, rules: BracketRules, price: Decimal,
                   quantity: Decimal) -> str | None:
    """Why this position can never be opened; None when it may be."""
    if quantity <= 0 or quantity < contract.least:
        return (f"invalid quantity: {rules.notional:g} USDT of {plan.symbol} at {shown(price)} are "
                f"{shown(quantity)}, less than the least order of {shown(contract.least)}; raise amount_usdt or "
                "leverage")
    if quantity > contract.most:
        return (f"invalid quantity: {shown(quantity)} {plan.symbol} is more than a market order may have, "
                f"{shown(contract.most)}; lower amount_usdt or leverage")
    if quantity * price < contract.least_notional:
        return (f"invalid quantity: a notional of {shown(quantity * price)} USDT is below the least of "
                f"{shown(contract.least_notional)}; raise amount_usdt or leverage")
    most = contract.leverage_for(rules.notional)
    if rules.leverage > most:
        return (f"leverage {rules.leverage:g} is above the {most} that {plan.symbol} allows for a notional of "
                f"{rules.notional:g} USDT; lower leverage or amount_usdt")
    if desk.force or plan.name in desk.forced:
        return None
    return await _beyond_liquidation(desk, rules, price, quantity)


async def _beyond_liquidation(desk: Desk, rules: BracketRules, price: Decimal, quantity: Decimal) -> str | None:
    """Why the stop could not help: the exchange would take the position before."""
    wallet = None
    if rules.margin_type is MarginType.CROSSED:
        wallet = float(await orders_read.cross_margin(desk.exchange) - quantity * price * FEE_ROOM)
        if wallet <= 0:
            return None    # too little to open anything: the exchange will say so
    taken = brackets.liquidation_price(rules, float(price), float(quantity), wallet)
    _, stop = brackets.levels(rules, float(price), float(quantity))
    if taken is None or rules.sign * (stop - taken) > 0:
        return None
    return (f"the stop at {stop:.10g} lies beyond the liquidation at {taken:.10g}, entered at {shown(price)}; lower "
            "leverage or sl_usdt, or open it with --force")


# -- what became of the order ------------------------------------------------------------------------------------
async def resolve(desk: Desk, plan: Plan, trade: Trade, seen: Seen) -> None:
    """Look up an entry of which nobody knows what became. Raises `NotNow` while it may still appear."""
    sent = desk.journal.orders(trade.id, ENTRY)[-1]
    found = await orders_read.order(desk.exchange, plan.symbol, sent.client_id)
    if found is not None:
        desk.say(plan.name, "found", f"The entry that was in doubt is known: {found.status}.")
        await _taken(desk, plan, trade, found, seen)
        return
    if not _would_show(desk, sent, held=bool(seen.held.get(plan.leg))):
        desk.learn(sent.client_id, UNKNOWN)
        desk.change(trade, retry_at=desk.now + RETRY_MS)
        desk.say(plan.name, "unknown", "Nobody knows yet whether the entry was carried out; it is looked up again "
                                       "before anything else.", "warning")
        raise NotNow
    with desk.journal.together():
        desk.learn(sent.client_id, ABSENT)
        desk.change(trade, retry_at=0)
    desk.say(plan.name, "absent", "The entry never reached the exchange; it is sent again.", "warning")


def _would_show(desk: Desk, sent: Intended, *, held: bool) -> bool:
    """Whether the exchange had time enough to show the order, had it taken it."""
    if held:
        return desk.now - sent.created >= SURELY_MS
    if desk.now - sent.created >= VISIBLE_MS:
        return True
    return sent.sent < desk.began and time.time() - sent.sent >= VISIBLE_S


async def _taken(desk: Desk, plan: Plan, trade: Trade, order: Order, seen: Seen) -> None:
    """The exchange has the order: see what it filled, and what at."""
    order = await finished(desk, plan, order)
    if not order.executed:
        desk.learn(order.client_id, order.status, order_id=order.order_id)
        _try_later(desk, trade, f"the entry ended {order.status} without a fill")
    price, when, rows = await _fills_of(desk, plan, order)
    contract = await modes.contract(desk, plan)
    levels = brackets.levels(plan.on(contract), float(price), float(order.executed))
    profit, stop = (exact(level) for level in levels)
    with desk.journal.together():
        desk.learn(order.client_id, order.status, order_id=order.order_id, quantity=order.executed)
        desk.journal.keep_fills(trade.id, rows)
        desk.change(trade, state=TradeState.OPEN, quantity=order.executed, entry_price=price, entry_time=when,
                    take_profit=profit, stop_loss=stop, retry_at=0)
        desk.say(plan.name, "opened", f"Opened {plan.side} {shown(order.executed)} {plan.symbol} at {shown(price)}, "
                                      f"margin {plan.rules.amount_usdt:g} USDT, notional "
                                      f"{order.executed * price:.2f} USDT; take profit {shown(profit)}, stop "
                                      f"{shown(stop)}." + _part(trade, desk, order))
    seen.held[plan.leg] = order.executed


def _part(trade: Trade, desk: Desk, order: Order) -> str:
    wanted = desk.journal.orders(trade.id, ENTRY)[-1].quantity
    return "" if order.executed == order.quantity else (f" Only a part of {shown(order.quantity or wanted)} was filled "
                                                        f"({order.status}).")


async def finished(desk: Desk, plan: Plan, order: Order) -> Order:
    """The order when it can fill no more; what still waits after a few looks is cancelled."""
    for _ in range(LOOKS):
        if order.status not in UNDER_WAY:
            return order
        await asyncio.sleep(BETWEEN_S)
        order = await orders_read.order(desk.exchange, plan.symbol, order.client_id) or order
    if order.status in UNDER_WAY:
        desk.say(plan.name, "partial", f"A market order filled {shown(order.executed)} of {shown(order.quantity)} and "
                                       "stays open; its rest is cancelled.", "warning")
        await orders.cancel(desk.exchange, plan.symbol, order.client_id)
    return await orders_read.order(desk.exchange, plan.symbol, order.client_id) or order


async def _fills_of(desk: Desk, plan: Plan, order: Order) -> tuple[Decimal, int, list[dict[str, object]]]:
    """Average price and time of what an order filled: by its fills, else by the order, else by the position."""
    rows = []
    try:
        until = at(await orders_read.clock(desk.exchange))    # it filled after the check began
        every = await orders_read.fills(desk.exchange, desk.account, plan.symbol, desk.time - BEFORE, until)
        rows = [row for row in every if row["order_id"] == order.order_id]
        if sum((row["quantity"] for row in rows), Decimal(0)) == order.executed:
            quote = sum((row["price"] * row["quantity"] for row in rows), Decimal(0))
            return quote / order.executed, int((max(row["time"] for row in rows) - at(0)).total_seconds() * 1000), rows
        desk.say(plan.name, "unpriced", "The fills of the entry are not listed yet; its price is taken from the order "
                                        "or the position.", "warning")
    except ExchangeError as problem:
        desk.say(plan.name, "unpriced", str(problem), "warning")
    known = order if order.average else await orders_read.order(desk.exchange, plan.symbol, order.client_id)
    if known is not None and known.average:
        return known.average, known.updated, []
    for row in await orders_read.held(desk.exchange, plan.symbol):
        if row.position_side == plan.side and row.entry:
            return row.entry, order.updated, []
    desk.say(plan.name, "unpriced", "Nothing tells at what price the entry was filled; the last price stands for it.",
             "alert")
    return await orders_read.price(desk.exchange, plan.symbol), order.updated, []


# -- when it could not be ----------------------------------------------------------------------------------------
async def _rejected(desk: Desk, plan: Plan, trade: Trade, problem: RequestRejected) -> None:
    for row in desk.journal.orders(trade.id, ENTRY)[-1:]:
        if row.is_open_ended:
            desk.learn(row.client_id, "REJECTED", note=str(problem))
    if problem.code in orders.STALE_FILTERS:
        desk.filters_are_stale = True
    if problem.code in orders.WRONG_MODE:
        desk.say(plan.name, "mode", f"{problem} The position mode was changed from outside; it is set again.",
                 "warning")
        await modes.hedge(desk)
        return
    _try_later(desk, trade, str(problem))


def _try_later(desk: Desk, trade: Trade, why: str, *, sent: bool = False) -> None:
    """Say it and try again in half a minute. Raises `NotNow`."""
    if sent:
        for row in desk.journal.orders(trade.id, ENTRY)[-1:]:
            if row.is_open_ended:
                desk.learn(row.client_id, ABSENT, note=why)
    desk.change(trade, retry_at=desk.now + RETRY_MS, note=why)
    desk.say(trade.name, "not opened", f"Not opened: {why.rstrip('.')}. It is tried again every 30 s until "
                                       f"{at(trade.until):%H:%M:%S} UTC.", "warning")
    raise NotNow


def _never(desk: Desk, trade: Trade, why: str) -> None:
    """What cannot be opened at all ends the chain. Raises `NotNow`."""
    desk.change(trade, state=TradeState.VOID, is_last=True, note=why)
    desk.say(trade.name, "refused", f"Not opened, and stays closed: {why}.", "alert")
    raise NotNow


def give_up(desk: Desk, plan: Plan, until: int) -> None:
    """The window has passed."""
    trade = desk.journal.last(plan.name)
    assert trade is not None    # decide says so of a trade alone
    why = f"it could not be opened by {at(until):%Y-%m-%d %H:%M:%S} UTC, the end of reopen_window"
    state = {"state": TradeState.VOID} if trade.state is TradeState.ENTERING else {}
    desk.change(trade, is_last=True, note=why if state else trade.note, **state)
    desk.say(plan.name, "gave up", f"Stays closed: {why}. navbook trade open {plan.name} opens it again.", "warning")



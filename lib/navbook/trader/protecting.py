"""Keep a stop and a take profit at the exchange for every open position, the stop first; cancel what is left over."""

from __future__ import annotations

from navbook.compute.decisions import MOST_STOP_TRIES, Protect
from navbook.errors import OutcomeUnknown, RequestRejected
from navbook.exchange import orders, orders_read
from navbook.exchange.orders_read import Conditional
from navbook.trader.desk import PARTS, Desk, NotNow, Seen, exact, shown
from navbook.trader.plans import Plan
from navbook.trader.rows import UNKNOWN, Trade
from navbook.types import ExitOrder, ExitReason

WORDS = {ExitOrder.STOP: "stop", ExitOrder.PROFIT: "take profit"}
REASONS = {ExitOrder.STOP: ExitReason.STOP_LOSS, ExitOrder.PROFIT: ExitReason.TAKE_PROFIT}
MOST_TRIES = 3    # of one order whose answer was lost


async def protect(desk: Desk, plan: Plan, trade: Trade, intent: Protect, seen: Seen) -> None:
    """Place the order, unless one that was in doubt turns out to stand. Raises `NotNow`, `ExchangeUnavailable`."""
    kind = WORDS[intent.kind]
    if await _still_there(desk, plan, trade, intent, seen):
        return
    for client_id in intent.replaces:    # the exchange allows one of a kind: the old one first
        await cancel(desk, plan, client_id, seen)
    again = bool(intent.replaces or desk.journal.orders(trade.id, PARTS[intent.kind]))
    for _ in range(MOST_TRIES):
        order = desk.intend(trade, PARTS[intent.kind], trigger=exact(intent.trigger))
        try:
            answer = await orders.conditional(desk.exchange, plan.symbol, plan.side, intent.kind,
                                              exact(intent.trigger), order.client_id)
        except OutcomeUnknown as problem:
            desk.learn(order.client_id, UNKNOWN, note=problem.reason)
            desk.say(plan.name, "unknown", str(problem), "warning")
            if await _still_there(desk, plan, trade, intent, seen):
                return
        except RequestRejected as problem:
            await _refused(desk, plan, trade, intent, problem, order.client_id, seen)
            return
        else:
            _stands(desk, plan, trade, intent, orders_read.conditional_row(answer.payload), seen)
            if again:
                desk.say(plan.name, "protected", f"The {kind} stands again, at {shown(exact(intent.trigger))}.")
            return
    desk.say(plan.name, "unknown", f"Nobody knows whether the {kind} was taken; the next check looks again.", "alert")
    raise NotNow


def _stands(desk: Desk, plan: Plan, trade: Trade, intent: Protect, order: Conditional, seen: Seen) -> None:
    desk.learn(order.client_id, order.status, algo_id=order.algo_id)
    if intent.kind is ExitOrder.STOP:
        desk.stop_tries.pop(trade.id, None)
    seen.add(plan, order)


async def _still_there(desk: Desk, plan: Plan, trade: Trade, intent: Protect, seen: Seen) -> bool:
    """Whether one of the orders sent earlier protects after all; what became of the others is learnt.

    Raises `NotNow` when one of them has just triggered: it is closing the position.
    """
    for row in desk.journal.orders(trade.id, PARTS[intent.kind]):
        if row.client_id in intent.replaces or row.status in ENDED:
            continue
        found = await orders_read.conditional(desk.exchange, row.client_id)
        if found is None:
            continue
        desk.learn(row.client_id, found.status, algo_id=found.algo_id, order_id=found.actual_id or None)
        if found.is_live and float(found.trigger) == intent.trigger:
            _stands(desk, plan, trade, intent, found, seen)
            return True
        if found.is_live:
            await cancel(desk, plan, row.client_id, seen)
        elif found.status == "REJECTED":
            desk.say(plan.name, "rejected", f"The {WORDS[intent.kind]} triggered and the exchange refused to carry it "
                                            "out.", "alert")
        elif found.status in ("TRIGGERED", "FINISHED") and row.status not in ("TRIGGERED", "FINISHED"):
            await _look_again(desk, plan, seen)
    return False


ENDED = frozenset({"REJECTED", "CANCELED", "EXPIRED", "FINISHED"})


async def _look_again(desk: Desk, plan: Plan, seen: Seen) -> None:
    """What the leg holds by now. Raises `NotNow` when that is nothing: the next look settles it."""
    for row in await orders_read.held(desk.exchange, plan.symbol):
        if (row.symbol, row.position_side) == (plan.symbol, plan.side):
            seen.held[plan.leg] = row.quantity
            return
    seen.held.pop(plan.leg, None)
    raise NotNow


async def _refused(desk: Desk, plan: Plan, trade: Trade, intent: Protect, problem: RequestRejected, client_id: str,
                   seen: Seen) -> None:
    """Act on why: the price has passed the level, the position is gone, an order is there already, or none of these."""
    kind = WORDS[intent.kind]
    if problem.code in orders.ALREADY_THERE and await _still_there(desk, plan, trade, intent, seen):
        return
    desk.learn(client_id, "REJECTED", note=str(problem))
    if problem.code in orders.PASSED:
        desk.change(trade, closing=REASONS[intent.kind])
        desk.say(plan.name, "passed", f"The price has passed the {kind} at {shown(exact(intent.trigger))} already: the "
                                      "position is closed at market.", "warning")
        return
    if problem.code == orders.NO_POSITION:
        await _look_again(desk, plan, seen)
    if problem.code in orders.STALE_FILTERS:
        desk.filters_are_stale = True
    if intent.kind is ExitOrder.PROFIT:
        desk.say(plan.name, "unprotected", f"The take profit could not be placed: {problem} The stop stands; the next "
                                           "check tries again.", "alert")
        raise NotNow
    desk.stop_tries[trade.id] += 1
    tries = desk.stop_tries[trade.id]
    desk.say(plan.name, "unprotected", f"The stop could not be placed ({tries} of {MOST_STOP_TRIES}): {problem}" + (
        " The position is closed at market." if tries >= MOST_STOP_TRIES else ""), "alert")


async def cancel(desk: Desk, plan: Plan, client_id: str, seen: Seen) -> None:
    """A conditional order of ours that shall wait no longer. Raises as `Exchange.send` does."""
    try:
        waited = await orders.cancel_conditional(desk.exchange, client_id)
    except OutcomeUnknown as problem:
        desk.say(plan.name, "unknown", str(problem), "warning")
        found = await orders_read.conditional(desk.exchange, client_id)
        if found is not None and found.is_live:
            raise NotNow from None
        waited = True
    desk.learn(client_id, "CANCELED" if waited else "GONE")
    seen.drop(plan, client_id)


async def sweep(desk: Desk, plan: Plan, client_id: str, seen: Seen) -> None:
    """A leftover of a closed position."""
    await cancel(desk, plan, client_id, seen)
    desk.say(plan.name, "swept", "An order was left over from a closed position, and is cancelled.")

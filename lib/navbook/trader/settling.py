"""Close a position at market, and work out how one was closed and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from navbook.compute import brackets
from navbook.compute.decisions import TradeState
from navbook.errors import ExchangeUnavailable, OutcomeUnknown, RequestRejected
from navbook.exchange import orders, orders_read
from navbook.trader import entering
from navbook.trader.desk import PARTS, Desk, NotNow, Seen, at, shown
from navbook.trader.plans import Plan
from navbook.trader.protecting import REASONS
from navbook.trader.rows import ABSENT, CLOSE, ENTRY, UNKNOWN, Trade
from navbook.types import ExitReason

MOST_UNSEEN, UNSEEN_MS = 3, 10_000    # checks, and how long, that wait for closing fills to be listed
MOST_TRIES = 3
USDT = "USDT"
RESET = "environment_reset"
WORDS = {ExitReason.TAKE_PROFIT: "at its take profit", ExitReason.STOP_LOSS: "at its stop",
         ExitReason.MANUAL: "by hand", ExitReason.LIQUIDATION: "by liquidation"}
Fill = dict[str, Any]    # a row of FILLS


# -- closing -----------------------------------------------------------------------------------------------------
async def close(desk: Desk, plan: Plan, trade: Trade, reason: ExitReason, seen: Seen) -> None:
    """Send what closes our part of the leg. Raises `NotNow`, `ExchangeUnavailable`."""
    if trade.closing is None:
        trade = desk.change(trade, closing=reason, note="its stop could not be placed")
    ours = (trade.quantity or Decimal(0)) - await _closed_by_us(desk, plan, trade)
    quantity = min(ours, seen.held[plan.leg])
    if quantity <= 0:
        seen.held.pop(plan.leg, None)
        return
    for _ in range(MOST_TRIES):
        order = desk.intend(trade, CLOSE, quantity=quantity)
        try:
            answer = await orders.market(desk.exchange, plan.symbol, plan.side, quantity, order.client_id, opens=False)
            told = orders_read.order_row(answer.payload)
        except OutcomeUnknown as problem:
            desk.learn(order.client_id, UNKNOWN, note=problem.reason)
            desk.say(plan.name, "unknown", str(problem), "warning")
            found = await orders_read.order(desk.exchange, plan.symbol, order.client_id)
            if found is None:
                continue    # a second close is refused where the first one closed: nothing can be closed twice
            told = found
        except RequestRejected as problem:
            await _not_closed(desk, plan, order.client_id, problem, seen)
            return
        except ExchangeUnavailable as problem:
            desk.learn(order.client_id, ABSENT, note=str(problem))
            raise
        done = await entering.finished(desk, plan, told)
        desk.learn(done.client_id, done.status, order_id=done.order_id, quantity=done.executed)
        _less(seen, plan, done.executed)
        return
    desk.say(plan.name, "unknown", "Nobody knows whether the position was closed; the next check looks again.", "alert")
    raise NotNow


async def _closed_by_us(desk: Desk, plan: Plan, trade: Trade) -> Decimal:
    """What our closing orders filled so far; one that was in doubt is looked up."""
    filled = Decimal(0)
    for row in desk.journal.orders(trade.id, CLOSE):
        if row.is_open_ended:
            found = await orders_read.order(desk.exchange, plan.symbol, row.client_id)
            if found is not None:
                desk.learn(row.client_id, found.status, order_id=found.order_id, quantity=found.executed)
                filled += found.executed
        elif row.order_id is not None:
            filled += row.quantity or 0
    return filled


def _less(seen: Seen, plan: Plan, closed: Decimal) -> None:
    left = seen.held[plan.leg] - closed
    seen.held[plan.leg] = left
    if left <= 0:
        seen.held.pop(plan.leg)
        seen.exits.pop(plan.leg, None)    # the exchange ends them with the position; the next look checks it


async def _not_closed(desk: Desk, plan: Plan, client_id: str, problem: RequestRejected, seen: Seen) -> None:
    desk.learn(client_id, "REJECTED", note=str(problem))
    if problem.code in orders.NOTHING_TO_REDUCE:
        held = await orders_read.held(desk.exchange, plan.symbol)
        if not any((row.symbol, row.position_side) == (plan.symbol, plan.side) for row in held):
            seen.held.pop(plan.leg, None)
            return
    if problem.code in orders.STALE_FILTERS:
        desk.filters_are_stale = True
    desk.say(plan.name, "not closed", f"The position could not be closed: {problem} The next check tries again.",
             "alert")
    raise NotNow


# -- what came of it ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Outcome:
    """Amounts in USDT; `fee` is positive, `funding` too when it was received."""

    reason: ExitReason
    time: int
    price: Decimal
    fee: Decimal
    funding: Decimal
    pnl: Decimal


async def settle(desk: Desk, plan: Plan, trade: Trade, seen: Seen) -> None:
    """Write down how the position was closed. Raises `NotNow` while the exchange does not tell all of it."""
    known = await _orders_of(desk, trade)
    until = at(await orders_read.clock(desk.exchange))    # it may have been closed since the check began
    fills = await orders_read.fills(desk.exchange, desk.account, plan.symbol, at(trade.entry_time or trade.due), until)
    fills = [row for row in fills if row["position_side"] == plan.side]
    exits = _closing(fills, trade)
    if sum((row["quantity"] for row in exits), Decimal(0)) < (trade.quantity or 0):
        await _not_told(desk, plan, trade, is_protected=bool(seen.exits.get(plan.leg)))
        return
    entry_ids = {row.order_id for row in desk.journal.orders(trade.id, ENTRY)}
    entries = [row for row in fills if row["order_id"] in entry_ids]
    outcome = await _outcome(desk, plan, trade, known, entries, exits)
    with desk.journal.together():
        desk.journal.keep_fills(trade.id, [*entries, *exits])
        after = desk.change(trade, state=TradeState.CLOSED, exit_time=outcome.time, exit_price=outcome.price,
                            reason=outcome.reason, fee=outcome.fee, funding=outcome.funding, pnl=outcome.pnl)
        desk.say(plan.name, "closed", _sentence(plan, after))
    desk.stop_tries.pop(trade.id, None)


def _sentence(plan: Plan, trade: Trade) -> str:
    assert trade.reason is not None
    assert trade.pnl is not None
    told = (f"Closed {plan.side} {shown(trade.quantity)} {plan.symbol} {WORDS[trade.reason]}, "
            f"{shown(trade.exit_price)}: {trade.pnl:+.2f} USDT.")
    if trade.is_last:
        return f"{told} It stays closed."
    span = brackets.reopening(plan.rules, trade.reopen, brackets.minute_end(trade.exit_time or 0))
    if span is None:
        return f"{told} It stays closed: it was reopened {trade.reopen} times, as max_reopens says."
    return f"{told} It reopens at {at(span[0]):%H:%M:%S} UTC."


async def _orders_of(desk: Desk, trade: Trade) -> dict[str, ExitReason]:
    """Why each order of ours closed: id of the order that filled -> reason."""
    known = {}
    for kind, part in PARTS.items():
        for row in desk.journal.orders(trade.id, part):
            found = await orders_read.conditional(desk.exchange, row.client_id)
            if found is not None:
                desk.learn(row.client_id, found.status, algo_id=found.algo_id, order_id=found.actual_id or None)
                known[found.actual_id] = REASONS[kind]
    for row in desk.journal.orders(trade.id, CLOSE):
        if row.order_id:
            known[row.order_id] = trade.closing or ExitReason.MANUAL
    return known


def _closing(fills: Iterable[Fill], trade: Trade) -> list[Fill]:
    """The fills that closed the trade, oldest first; not more than it held."""
    side, left, found = "SELL" if trade.side.sign > 0 else "BUY", trade.quantity or Decimal(0), []
    for row in sorted(fills, key=lambda row: (row["time"], int(row["id"]))):
        if row["side"] == side and left > 0:
            part = min(left, row["quantity"])
            found.append(row if part == row["quantity"] else {**row, "quantity": part, **{
                key: row[key] * part / row["quantity"] for key in ("fee", "realized_pnl")}})
            left -= part
    return found


async def _outcome(desk: Desk, plan: Plan, trade: Trade, known: dict[str, ExitReason], entries: list[Fill],
                   exits: list[Fill]) -> Outcome:
    quantity = sum((row["quantity"] for row in exits), Decimal(0))
    quote = sum((row["price"] * row["quantity"] for row in exits), Decimal(0))
    last = exits[-1]
    fee = Decimal(0)
    for row in [*entries, *exits]:
        fee += row["fee"] * await _usdt_per(desk, row["fee_asset"]) if row["fee"] else 0
    funding = await _funding(desk, plan, trade, last["time"])
    gain = plan.side.sign * (quote - (trade.entry_price or 0) * quantity)
    return Outcome(await _reason(desk, plan, known, last), int((last["time"] - at(0)).total_seconds() * 1000),
                   quote / quantity, fee, funding, gain - fee + funding)


async def _usdt_per(desk: Desk, asset: str) -> Decimal:
    return Decimal(1) if asset == USDT else await orders_read.price(desk.exchange, f"{asset}USDT")


async def _reason(desk: Desk, plan: Plan, known: dict[str, ExitReason], last: Fill) -> ExitReason:
    """By the order of the last fill: ours, the exchange's own, or somebody else's."""
    if reason := known.get(last["order_id"]):
        return reason
    order = await orders_read.order(desk.exchange, plan.symbol, order_id=last["order_id"])
    return ExitReason.LIQUIDATION if order is not None and order.is_forced else ExitReason.MANUAL


async def _funding(desk: Desk, plan: Plan, trade: Trade, end: datetime) -> Decimal:
    """What the leg received, less what it paid, after its entry and up to its last fill.

    The exchange does not say which side of a hedge a settlement was for; the sign of the rate does.
    """
    since = at(trade.entry_time or trade.due)
    paid = await orders_read.funding(desk.exchange, desk.account, plan.symbol, since, end)
    together = [time for time, _ in paid]
    total = Decimal(0)
    for time, amount in paid:
        if together.count(time) > 1:
            rate = await orders_read.funding_rate(desk.exchange, plan.symbol, time)
            if (amount < 0) != (plan.side.sign * rate > 0):
                continue
        total += amount
    return total


# -- when the exchange does not tell -----------------------------------------------------------------------------
async def _not_told(desk: Desk, plan: Plan, trade: Trade, *, is_protected: bool) -> None:
    """The leg shows empty, and nothing says why: wait for a few checks, then say what is known. Raises `NotNow`.

    is_protected  its take profit or stop still waits, which no exchange keeps for a position that is gone
    """
    unseen = f"not told {trade.id}"
    checks, since = map(int, (desk.journal.read(unseen) or f"0 {desk.now}").split())
    checks += not is_protected
    desk.journal.write(unseen, f"{checks} {since}")
    if checks < MOST_UNSEEN or desk.now - since < UNSEEN_MS:
        desk.say(plan.name, "not told", "The leg shows empty, but the exchange does not tell yet what closed it; the "
                                        "next check looks again.", "warning")
        raise NotNow
    entry = desk.journal.orders(trade.id, ENTRY)
    gone = entry and await orders_read.order(desk.exchange, plan.symbol, entry[-1].client_id) is None
    note = RESET if gone else "closed, and the exchange lists no fills of it"
    desk.change(trade, state=TradeState.CLOSED, exit_time=desk.now, reason=ExitReason.ORPHAN, note=note)
    if gone:
        desk.say(plan.name, RESET, "The exchange knows neither the position nor its orders any more: it was reset. No "
                                   "loss is recorded.", "alert")
    else:
        desk.say(plan.name, "orphan", "The position is gone and the exchange lists no fills that closed it; its result "
                                      "is not known.", "alert")

"""Orders and positions that this journal does not explain: another trader's, or of a plan that is gone."""

from __future__ import annotations

from collections.abc import Sequence

from navbook.compute import brackets, decisions
from navbook.compute.brackets import BracketRules
from navbook.compute.decisions import TradeState
from navbook.errors import OrdersForbidden
from navbook.exchange import orders_read
from navbook.exchange.contracts import Contract
from navbook.exchange.orders_read import Conditional, Held
from navbook.trader import modes, protecting
from navbook.trader.desk import PARTS, Desk, Seen, exact, shown
from navbook.trader.plans import Plan
from navbook.trader.rows import Trade
from navbook.types import ExitOrder


async def other_traders(desk: Desk, plans: Sequence[Plan], *, take_over: bool) -> None:
    """Refuse to trade beside another instance of navbook, or take over what it left on our legs.

    Raises `OrdersForbidden`.
    """
    for plan in plans:
        waiting = await orders_read.open_conditional(desk.exchange, plan.symbol)
        theirs = [order for order in waiting if order.position_side == plan.side
                  and decisions.instance_of(order.client_id) and not desk.is_ours(order.client_id)]
        if theirs and not take_over:
            instance = decisions.instance_of(theirs[0].client_id)
            raise OrdersForbidden(f"{plan.symbol} {plan.side} has orders of another navbook ({instance}): stop that "
                                  "one first. If it is gone for good, --take-over makes its positions this one's.")
        if theirs:
            await _take_over(desk, plan, theirs)


async def _take_over(desk: Desk, plan: Plan, theirs: list[Conditional]) -> None:
    held = [row for row in await orders_read.held(desk.exchange, plan.symbol) if row.position_side == plan.side]
    last = desk.journal.last(plan.name)
    if not held or (last is not None and last.state is TradeState.OPEN):
        for order in theirs:
            await protecting.cancel(desk, plan, order.client_id, Seen())
        desk.say(plan.name, "took over", f"{len(theirs)} orders that another navbook left behind are cancelled.")
        return
    _adopt(desk, plan, await modes.contract(desk, plan), held[0], theirs)
    desk.say(plan.name, "took over", f"{plan.side} {shown(held[0].quantity)} {plan.symbol}, entered at "
                                     f"{shown(held[0].entry)} by another navbook, is this one's now.")


def _adopt(desk: Desk, plan: Plan, contract: Contract, held: Held, theirs: list[Conditional]) -> None:
    """A trade as if we had opened it; its levels are those of the orders that protect it."""
    rules = plan.on(contract)
    profit, stop = brackets.levels(rules, float(held.entry), float(held.quantity))
    levels = {ExitOrder.PROFIT: exact(profit), ExitOrder.STOP: exact(stop),
              **{order.kind: order.trigger for order in theirs if order.kind}}
    with desk.journal.together():
        trade = desk.begin(plan, 0, desk.now, desk.now)
        desk.change(trade, state=TradeState.OPEN, quantity=held.quantity, entry_price=held.entry, entry_time=desk.now,
                    take_profit=levels[ExitOrder.PROFIT], stop_loss=levels[ExitOrder.STOP], note="taken over")
        for number, order in enumerate(theirs):
            if order.kind is not None:
                desk.journal.intend(desk.now, order.client_id, trade=trade.id, part=PARTS[order.kind],
                                    attempt=-1 - number, symbol=plan.symbol, side=plan.side, quantity=None,
                                    trigger=order.trigger)
                desk.learn(order.client_id, order.status, algo_id=order.algo_id)


def as_opened(desk: Desk, plans: Sequence[Plan]) -> list[Plan]:
    """`plans`, and what navbook.toml no longer names, or names as another leg: that is protected until it closes, and
    not reopened. What only waited to be opened is not opened any more.
    """
    legs = {plan.name: plan.leg for plan in plans}
    left = [trade for trade in desk.journal.unfinished() if legs.get(trade.name) != (trade.symbol, trade.side)]
    open_still = {trade.name: trade for trade in left
                  if trade.state is TradeState.OPEN or desk.journal.is_in_doubt(trade)}
    for trade in left:
        if trade.name in open_still and not trade.is_last:
            desk.change(trade, is_last=True)
            desk.say(trade.name, "kept", f"{trade.symbol} {trade.side} is open, and navbook.toml names it no more: it "
                                         "is protected until it closes, and not reopened.", "warning")
        elif trade.name not in open_still and trade.name in legs:
            desk.change(trade, state=TradeState.VOID, is_last=True, note="navbook.toml names another leg")
            desk.say(trade.name, "refused", f"{trade.symbol} {trade.side} is not opened: navbook.toml names another "
                                            f"leg now, which navbook trade open {trade.name} opens.", "warning")
    return [*(plan for plan in plans if plan.name not in open_still),
            *(_as_opened(desk, trade) for trade in open_still.values())]


def _as_opened(desk: Desk, trade: Trade) -> Plan:
    rules = BracketRules(side=trade.side, amount_usdt=float(trade.amount_usdt), leverage=float(trade.leverage),
                         tp_usdt=float(trade.tp_usdt), sl_usdt=float(trade.sl_usdt), max_reopens=0,
                         margin_type=trade.margin_type)
    return Plan(name=trade.name, account=desk.account, symbol=trade.symbol, rules=rules)

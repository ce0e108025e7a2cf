"""What a person asks of a running trader: open, close, change the levels, cancel."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from navbook.compute import brackets
from navbook.compute.decisions import TradeState
from navbook.errors import SettingsInvalid, TradeRefused
from navbook.exchange.values import amount
from navbook.trader import checking, protecting
from navbook.trader.desk import Desk, Seen, exact, shown
from navbook.trader.plans import Plan
from navbook.trader.rows import Trade
from navbook.types import ExitReason

if TYPE_CHECKING:
    from navbook.trader.loop import Trader


async def fulfil(trader: Trader, what: str, name: str, **content: object) -> str:
    """Do it, make a check, and say what came of it. Raises `TradeRefused`, `SettingsInvalid`, `ExchangeError`."""
    desk, plan = trader.desk, _plan(trader, name)
    known = {"open": open_position, "close": close_position, "edit": edit, "cancel": cancel}
    if what not in known:
        raise SettingsInvalid(f"A trader cannot {what}.")
    await known[what](desk, plan, **content)    # type: ignore[operator]
    await checking.check(desk, [plan], desk.now)    # of this one alone: nothing else is opened by it
    return _now(desk, plan)


def _plan(trader: Trader, name: str) -> Plan:
    for plan in trader.plans:
        if plan.name == name:
            return plan
    raise SettingsInvalid(f"No position {name} is traded here; there are {', '.join(p.name for p in trader.plans)}.")


def _now(desk: Desk, plan: Plan) -> str:
    said = [event["said"] for event in desk.journal.events() if event["name"] == plan.name]
    return f"{plan.name}: {said[-1]}" if said else f"{plan.name}: nothing to do."


def _open(desk: Desk, plan: Plan) -> Trade:
    """Its open trade. Raises `TradeRefused`."""
    last = desk.journal.last(plan.name)
    if last is None or last.state is not TradeState.OPEN:
        raise TradeRefused(f"{plan.name} is not open; navbook trade status shows what is.")
    return last


async def open_position(desk: Desk, plan: Plan, *, force: bool = False) -> None:
    """A new chain of trades, now. Raises `TradeRefused` while the leg is open or being opened."""
    last = desk.journal.last(plan.name)
    if last is not None and last.state in (TradeState.OPEN, TradeState.ENTERING):
        raise TradeRefused(f"{plan.name} is {last.state} already: {plan.symbol} {plan.side} holds one position at a "
                           f"time. Close it first: navbook trade close {plan.name}.")
    if force:
        desk.forced.add(plan.name)
    desk.begin(plan, 0, desk.now, desk.now + plan.rules.window_ms)


async def close_position(desk: Desk, plan: Plan) -> None:
    """Close it at market for good; one that waits to reopen no longer does. Raises `TradeRefused`."""
    last = desk.journal.last(plan.name)
    if last is None or last.state is TradeState.VOID or (last.state is TradeState.CLOSED and last.is_last):
        raise TradeRefused(f"{plan.name} is closed already, and nothing waits to reopen it.")
    if last.state is TradeState.OPEN:
        desk.change(last, closing=ExitReason.MANUAL, is_last=True)
        return
    waiting = last.state is TradeState.ENTERING and not any(row.is_open_ended for row in desk.journal.orders(last.id))
    desk.change(last, is_last=True, **({"state": TradeState.VOID} if waiting else {}))
    desk.say(plan.name, "stays closed", "It does not reopen: it was closed by hand.")


async def edit(desk: Desk, plan: Plan, *, tp_usdt: float | None = None, sl_usdt: float | None = None,
               take_profit: str | None = None, stop_loss: str | None = None) -> None:
    """Other levels for an open position, in USDT or as prices; its live orders are replaced.

    Raises `TradeRefused` for a level on the wrong side of the entry's other one, `SettingsInvalid` for no number.
    """
    trade = _open(desk, plan)
    rules = plan.on(desk.contracts[plan.symbol])
    entry, quantity = float(trade.entry_price or 0), float(trade.quantity or 0)
    profit, stop = (float(trade.take_profit or 0), float(trade.stop_loss or 0))
    sign = rules.sign
    if tp_usdt is not None:
        profit = brackets.nearest_to(entry + sign * (tp_usdt / quantity), rules.tick_size)
    if sl_usdt is not None:
        stop = brackets.nearest_to(entry - sign * (sl_usdt / quantity), rules.tick_size)
    if take_profit is not None:
        profit = brackets.nearest_to(_price("take-profit", take_profit), rules.tick_size)
    if stop_loss is not None:
        stop = brackets.nearest_to(_price("stop-loss", stop_loss), rules.tick_size)
    if not (sign * stop < sign * profit and min(stop, profit) > 0 and max(stop, profit) < inf):
        raise TradeRefused(f"A stop at {stop:.10g} and a take profit at {profit:.10g} do not fit a {plan.side} entered "
                           f"at {entry:.10g}: the stop lies {'below' if sign > 0 else 'above'} the take profit.")
    desk.change(trade, take_profit=exact(profit), stop_loss=exact(stop))
    desk.say(plan.name, "edited", f"Take profit {shown(exact(profit))}, stop {shown(exact(stop))} from now on.")


def _price(option: str, text: str) -> float:
    try:
        return float(amount(text))
    except ValueError:
        raise SettingsInvalid(f"--{option} {text} is no price; write it like 61000.5.") from None


async def cancel(desk: Desk, plan: Plan, *, order: str) -> None:
    """Cancel one conditional order of ours. Raises `TradeRefused` where it is not."""
    row = desk.journal.order(order)
    if row is None or row.trigger is None or desk.journal.trade(row.trade).name != plan.name:
        raise TradeRefused(f"{order} is no conditional order of {plan.name}; navbook trade orders lists them.")
    await protecting.cancel(desk, plan, order, Seen())
    desk.say(plan.name, "cancelled", f"{order} is cancelled. While the position is open, the next check protects it "
                                     "again.")

"""The kill switch: close what is ours, cancel what is ours, whatever else is going on."""

from __future__ import annotations

import asyncio
from contextlib import closing

from navbook import vault
from navbook.compute import decisions
from navbook.compute.decisions import TradeState
from navbook.errors import ExchangeError
from navbook.exchange import client, orders, orders_read
from navbook.settings import Settings
from navbook.trader import adopting, checking, keeping
from navbook.trader.desk import Desk, shown
from navbook.trader.journal import Journal, place
from navbook.trader.loop import Told
from navbook.trader.plans import Plan, of_account
from navbook.trader.rows import Trade
from navbook.types import ExitReason, Purpose

WAIT_S = 5.0    # for a running trader to finish its step
ROUNDS, ROUND_S = 4, 1.0


async def everything(config: Settings, account: str, told: Told, *, take_over: bool = False) -> list[str]:
    """What could not be closed or cancelled, in words; nothing when all is.

    Needs neither the account's lock nor that entries are allowed. A position is closed first, and keeps its stop
    until then. take_over: after ours, what another navbook left on the legs of navbook.toml.
    """
    keys = vault.keys(config, account)
    async with client.connect(config.environment, config.sandbox_url, keys, Purpose.TRADE) as exchange:
        with closing(Journal(place(config, account))) as journal:
            desk = Desk(exchange, journal, account, told)
            exchange.stumbled = lambda said: desk.say("", "stumbled", said)
            await orders.allow(exchange)
            desk.now = await orders_read.clock(exchange)
            plans = of_account(config, account)
            left = await _closed(desk, plans)
            left += await _others(desk, plans, take_over=take_over)
            keeping.try_to_store(config, desk)
            return left


async def _closed(desk: Desk, plans: list[Plan]) -> list[str]:
    with desk.journal.together():    # a trader that hangs may be about to send one
        for trade in [desk.journal.last(plan.name) for plan in plans] + desk.journal.unfinished():
            if trade is not None:
                _end(desk, trade)
    every = adopting.as_opened(desk, plans)
    left: list[str] = []
    for number in range(ROUNDS):
        await asyncio.sleep(ROUND_S if number else 0)
        try:
            desk.now = await orders_read.clock(desk.exchange)
            traded = [plan for plan in every if desk.journal.last(plan.name)]
            if traded:
                await checking.check(desk, traded, desk.now)
            left = [*_still_open(desk), *await _cancelled(desk)]
        except ExchangeError as problem:
            desk.say("", "failed", str(problem), "alert")
            left = [str(problem)]
        if not left:
            break
    return left


def _end(desk: Desk, trade: Trade) -> None:
    """Nothing follows it; what is open closes, what was never sent is dropped."""
    if trade.state is TradeState.OPEN:
        desk.change(trade, closing=ExitReason.MANUAL, is_last=True)
    elif trade.state is TradeState.ENTERING:
        is_sent = desk.journal.is_in_doubt(trade)
        desk.change(trade, is_last=True, **({"closing": ExitReason.MANUAL} if is_sent else {"state": TradeState.VOID}))
    elif not trade.is_last:
        desk.change(trade, is_last=True)


def _still_open(desk: Desk) -> list[str]:
    return [f"{trade.name} ({trade.symbol} {trade.side}, {shown(trade.quantity)})"
            for trade in desk.journal.unfinished()]


async def _cancelled(desk: Desk) -> list[str]:
    """Cancel every order of ours that waits, on whatever symbol; those that could not be."""
    left = []
    kept = {trade.id for trade in desk.journal.unfinished()}    # what is still open keeps its protection
    for order in await orders_read.open_conditional(desk.exchange):
        row = desk.journal.order(order.client_id)
        if not desk.is_ours(order.client_id) or (row is not None and row.trade in kept):
            continue
        try:
            await orders.cancel_conditional(desk.exchange, order.client_id)
        except ExchangeError as problem:
            left.append(f"order {order.client_id}: {problem}")
    return left


async def _others(desk: Desk, plans: list[Plan], *, take_over: bool) -> list[str]:
    """What another navbook has waiting: closed with `take_over`, else named. Its journal may be lost."""
    left: list[str] = []
    if take_over:
        try:
            await adopting.other_traders(desk, plans, take_over=True)
        except ExchangeError as problem:
            left.append(f"what another navbook left could not be taken over: {problem}")
        left += await _closed(desk, plans)
    try:
        theirs = {(order.symbol, order.position_side): instance
                  for order in await orders_read.open_conditional(desk.exchange)
                  if (instance := decisions.instance_of(order.client_id)) and not desk.is_ours(order.client_id)}
    except ExchangeError as problem:
        return [*left, f"what another navbook left could not be seen: {problem}"]
    for (symbol, side), instance in sorted(theirs.items()):
        desk.say("", "left alone", f"{symbol} {side} has orders of another navbook ({instance}), left as they are. If "
                 "that one is gone for good: navbook trade panic --take-over, with the leg in navbook.toml.", "warning")
    return left

"""One check: look at the exchange, decide, carry out, and look again until nothing is left to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from navbook.compute import decisions
from navbook.compute.decisions import (
    Cancel,
    Close,
    Enter,
    GiveUp,
    Intent,
    LastTrade,
    Postpone,
    Protect,
    Resolve,
    Settle,
)
from navbook.errors import ExchangeError, NavbookError
from navbook.trader import entering, protecting, settling
from navbook.trader.desk import Desk, NotNow, Seen
from navbook.trader.plans import Plan
from navbook.trader.rows import Trade

MOST_STEPS = 12    # of one position in one check; every way through takes fewer


async def check(desk: Desk, plans: Sequence[Plan], now: int) -> bool:
    """Bring every position to where it should be at `now`. False: something is left, and the log says what.

    Raises `ExchangeError` when the exchange cannot be looked at.
    """
    desk.now, desk.troubles = now, 0
    symbols = {plan.symbol for plan in plans}
    seen = await desk.look(symbols)
    busy = [plan for plan in plans if await _carried_out(desk, plan, seen)]
    if busy:    # what was placed must be there: the exchange has the last word
        seen = await desk.look(symbols)
        for plan in busy:
            await _carried_out(desk, plan, seen)
    return not desk.troubles


async def _carried_out(desk: Desk, plan: Plan, seen: Seen) -> bool:
    """Whether anything had to be done for `plan`; what could not be done is said."""
    done = False
    try:
        for _ in range(MOST_STEPS):
            trade = desk.journal.last(plan.name)
            held, exits = seen.of(plan)
            intents = decisions.decide(plan.rules, _as_decided(desk, trade), float(held), exits, desk.now)
            if not intents:
                return done
            done = True
            for intent in intents:
                await _carry_out(desk, plan, trade, intent, seen)
        desk.say(plan.name, "unfinished", "A check left something to do; the next one goes on.", "alert")
    except NotNow:
        return done
    except ExchangeError as problem:
        desk.say(plan.name, "failed", str(problem), "warning")
    return done


def _as_decided(desk: Desk, trade: Trade | None) -> LastTrade | None:
    if trade is None:
        return None
    return trade.as_decided(is_sent=desk.journal.is_in_doubt(trade), stop_tries=desk.stop_tries[trade.id])


async def _carry_out(desk: Desk, plan: Plan, trade: Trade | None, intent: Intent, seen: Seen) -> None:
    if isinstance(intent, Postpone):
        await entering.postpone(desk, plan, intent, seen)
    elif isinstance(intent, Enter):
        await entering.enter(desk, plan, intent, seen)
    elif isinstance(intent, GiveUp):
        entering.give_up(desk, plan, intent.until)
    elif trade is None:
        raise NavbookError(f"{plan.name} has no trade that {intent} could be about.")
    elif isinstance(intent, Resolve):
        await entering.resolve(desk, plan, trade, seen)
    elif isinstance(intent, Protect):
        await protecting.protect(desk, plan, trade, intent, seen)
    elif isinstance(intent, Close):
        await settling.close(desk, plan, trade, intent.reason, seen)
    elif isinstance(intent, Settle):
        await settling.settle(desk, plan, trade, seen)
    elif isinstance(intent, Cancel):
        await protecting.sweep(desk, plan, intent.client_id, seen)
    else:
        assert_never(intent)


def next_check(desk: Desk, plans: Sequence[Plan], now: int) -> int:
    """When to look again."""
    moments = []
    for plan in plans:
        last = desk.journal.last(plan.name)
        moments.append(decisions.next_check(plan.rules, last.retry_at if last else 0, now))
    return min(moments)

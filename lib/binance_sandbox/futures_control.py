"""`/sandbox/futures` and `/sandbox/funding`: how the futures engine behaves, and what funding costs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .clock import HOUR
from .errors import BadInput
from .fields import Fields
from .money import plain
from .state import State


def show_futures(state: State, fields: Fields) -> dict[str, Any]:
    """The options, and what every account has waiting."""
    engine = state.futures
    accounts = {name: {"open_orders": len(desk.open_orders), "waiting_algo_orders": len(desk.waiting),
                       "trades": len(desk.trades), "hedge": desk.hedge, "multi_assets": desk.multi_assets}
                for name, desk in sorted(engine.desks.items())}
    return {**asdict(engine.options), "changed": engine.changed, "accounts": accounts}


def set_futures(state: State, fields: Fields) -> dict[str, Any]:
    """Options that are not named stay as they are."""
    options = state.futures.options
    chosen = {"older_replies": fields.flag("older_replies", options.older_replies),
              "expire_delay_ms": fields.integer("expire_delay_ms", options.expire_delay_ms),
              "trigger_delay_ms": fields.integer("trigger_delay_ms", options.trigger_delay_ms)}
    fields.done()
    for name, value in chosen.items():
        setattr(options, name, value)
    return asdict(options)


def set_funding(state: State, fields: Fields) -> dict[str, Any]:
    """`rate` and `interval_hours` of a symbol hold from now on."""
    symbol, now, engine = fields.text("symbol"), state.clock.now(), state.futures
    if symbol not in state.market.pairs or not state.market.pairs[symbol].on_futures:
        raise BadInput("symbol", f"{symbol!r} is no USDⓈ-M contract here")
    if "rate" not in fields and "interval_hours" not in fields:
        raise BadInput("rate", "is missing: give a rate or interval_hours")
    rate = fields.amount("rate", signed=True) if "rate" in fields else None
    hours = fields.integer("interval_hours", least=1) if "interval_hours" in fields else None
    if hours is not None and 24 % hours:
        raise BadInput("interval_hours", f"expected a part of a day, got {hours}")
    fields.done()
    engine.funding.set(symbol, now, rate, None if hours is None else hours * HOUR)
    contract = engine.contract(symbol)
    due = engine.funding.next_time(contract, now)
    return {"symbol": symbol, "next_time": due, "next_rate": plain(engine.funding.rate(contract, due))}

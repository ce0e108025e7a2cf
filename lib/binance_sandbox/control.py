"""`/sandbox`: look into the sandbox and steer it. Source: DESIGN.md, "binance_sandbox".

Wrong calls get a 400 with `{"error": …, "key": …}`, naming the key at fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from .accounts import Account, read_account
from .candles import CLOSE, COLUMNS, OPEN, OPEN_TIME, QUOTE_VOLUME, TAKER_BASE, TAKER_QUOTE, VOLUME, Rows
from .clock import MINUTE
from .errors import BadInput
from .event_fields import read_event
from .faults import read_fault
from .fields import Fields, amount
from .market import DELISTED, STATUSES
from .money import plain
from .pairs import pair_of
from .state import State
from .wire import reply

FILTERS = ("tick", "step", "futures_tick", "futures_step", "futures_min_notional")
Control = Callable[[State, Fields], Any]


async def answer(state: State, control: Control, request: Request) -> Response:
    """Run one control call on the JSON object of its body."""
    try:
        body = await request.body()
        fields = Fields(json.loads(body, parse_float=Decimal) if body else {})
        state.futures.advance(state.clock.now())
        return reply(control(state, fields))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return reply({"error": f"body: is not JSON ({error})", "key": "body"}, 400)
    except BadInput as error:
        return reply({"error": str(error), "key": error.key}, 400)


def show_state(state: State, fields: Fields) -> dict[str, Any]:
    now, span = state.clock.now(), state.market.source.span
    return {"now": now, "seed": state.seed, "scenario": state.scenario,
            "start": state.start if state.scenario else None, "speed": state.clock.speed,
            "candles": None if span is None else {"first": span[0], "last": span[1]},
            "accounts": [_show_account(state, account, now) for account in state.ledger.accounts.values()]}


def _show_account(state: State, account: Account, now: int) -> dict[str, Any]:
    holdings = state.ledger.holdings(account.name, now)
    balances = {wallet: {asset: plain(amounts.total) for asset, amounts in sorted(assets.items())}
                for wallet, assets in holdings.wallets.items()}
    positions = [{"symbol": position.symbol, "position_side": position.side, "amount": plain(position.amount),
                  "entry_price": plain(position.entry), "update_time": position.updated}
                 for _, position in sorted(holdings.positions.items()) if position.amount]
    return {"name": account.name, "uid": account.uid, "email": account.email, "api_key": account.api_key,
            "api_secret": account.api_secret, "public_key": account.public_key, "master": account.master,
            "permissions": account.permissions, "balances": balances, "positions": positions}


def show_requests(state: State, fields: Fields) -> list[dict[str, Any]]:
    return [asdict(request) for request in state.requests]


def set_clock(state: State, fields: Fields) -> dict[str, Any]:
    """`now` sets it, `advance_ms` moves it; both may go back, but not behind what a futures order did."""
    if ("now" in fields) == ("advance_ms" in fields):
        raise BadInput("now", "give either now or advance_ms")
    if "now" in fields:
        target = fields.time("now")
    else:
        target = state.clock.now() + fields.integer("advance_ms", least=-(1 << 53))
    fields.done()
    if target < state.futures.time:
        if not state.futures.may_rewind(target):
            raise BadInput("now", f"futures orders did something up to {state.futures.changed}, which cannot be "
                                  "undone; go back less far, or start a new sandbox")
        state.futures.rewind(target)
    state.clock.set(target)
    state.futures.advance(target)
    return {"now": target}


def add_account(state: State, fields: Fields) -> dict[str, Any]:
    account = read_account(fields, state.clock.now())
    state.ledger.add_account(account)
    return {"name": account.name, "uid": account.uid, "email": account.email}


def add_event(state: State, fields: Fields) -> dict[str, Any]:
    event = read_event(fields, state.clock.now(), state.ledger.events)
    state.ledger.add_event(event)
    return {"id": event.id, "time": event.time}


def set_price(state: State, fields: Fields) -> dict[str, Any]:
    """`price` holds from now until the next; `candles` for their minutes and on until the next."""
    symbol = fields.text("symbol")
    if symbol not in state.market.pairs and pair_of(symbol) is None:
        raise BadInput("symbol", f"{symbol!r} is unknown and its quote asset is none of the usual")
    if ("price" in fields) == ("candles" in fields):
        raise BadInput("price", "give either price or candles")
    if "price" in fields:
        price = fields.amount("price")
        if not price:
            raise BadInput("price", "must be above zero")
        fields.done()
        state.market.set_price(symbol, state.clock.now(), price)
    else:
        rows = _read_candles(fields.take("candles"))
        fields.done()
        state.market.set_candles(symbol, rows)
    state.ledger.forget()    # fills without a price look theirs up
    state.futures.reprice(symbol)
    return {"symbol": symbol}


def set_symbol(state: State, fields: Fields) -> dict[str, Any]:
    """Change a symbol from now on: whether it trades, and how fine its filters are (names as in `pairs.Pair`)."""
    symbol = fields.text("symbol")
    if symbol not in state.market.pairs:
        raise BadInput("symbol", f"{symbol!r} does not trade here")
    status = fields.choice("status", (*STATUSES, DELISTED)) if "status" in fields else None
    filters = {name: f"{fields.amount(name):f}" for name in FILTERS if name in fields}
    for name in filters:
        if not Decimal(filters[name]):
            raise BadInput(name, "must be above zero")
    fields.done()
    if status:
        state.market.set_status(symbol, status, state.clock.now())
    state.market.set_filters(symbol, **{name: _as_filter(value) for name, value in filters.items()})
    return {"symbol": symbol, "status": state.market.status(symbol, state.clock.now())}


def _as_filter(value: str) -> str:
    """Two decimals at least, as short as it can be: "0.10000000" -> "0.10"."""
    whole, _, fraction = value.partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction.ljust(2, '0')}" if fraction else whole


def set_limits(state: State, fields: Fields) -> dict[str, Any]:
    """`enforced` false: limits are counted and told, but nothing is refused."""
    state.limits.enforced = fields.flag("enforced", default=True)
    fields.done()
    return {"enforced": state.limits.enforced}


def _read_candles(given: object) -> Rows:
    """Rows [open_time ms, open, high, low, close, volume?] of whole minutes, each later than the one before."""
    if not isinstance(given, list) or not given:
        raise BadInput("candles", "expected a list of rows [open_time, open, high, low, close, volume]")
    rows = np.zeros((len(given), COLUMNS))
    for index, row in enumerate(given):
        key = f"candles[{index}]"
        if not isinstance(row, list) or len(row) not in (5, 6):
            raise BadInput(key, "expected [open_time, open, high, low, close, volume]")
        rows[index, :len(row)] = [float(amount(value, key)) for value in row]
        first, high, low, last = rows[index, OPEN:CLOSE + 1]
        if rows[index, OPEN_TIME] % MINUTE or (index and rows[index, OPEN_TIME] <= rows[index - 1, OPEN_TIME]):
            raise BadInput(key, "open_time must be a whole minute, later than the row before")
        if not 0 < low <= min(first, last) <= max(first, last) <= high:
            raise BadInput(key, "open and close must lie between low and high, all above zero")
    rows[:, QUOTE_VOLUME] = np.round(rows[:, VOLUME] * rows[:, CLOSE], 8)
    rows[:, TAKER_BASE], rows[:, TAKER_QUOTE] = rows[:, VOLUME] / 2, rows[:, QUOTE_VOLUME] / 2
    return rows


def add_fault(state: State, fields: Fields) -> dict[str, Any]:
    state.faults.queue.append(read_fault(fields, state.calls, state.ledger.accounts))
    return show_faults(state, fields)


def show_faults(state: State, fields: Fields) -> dict[str, Any]:
    """Those that still wait; `count` is how many requests each has left."""
    return {"faults": [asdict(fault) for fault in state.faults.queue]}


def clear_faults(state: State, fields: Fields) -> dict[str, Any]:
    state.faults.queue.clear()
    return {"faults": []}

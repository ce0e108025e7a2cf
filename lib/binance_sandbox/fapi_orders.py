"""`/fapi/v1/order` and its kin: place, change, cancel and look up plain orders. Source: BINANCE.md section 7.1."""

from __future__ import annotations

from copy import copy
from decimal import Decimal
from typing import Any

from .clock import DAY
from .errors import WireError, invalid_value, mandatory
from .fapi_pages import FORGOTTEN_AFTER_DAYS, page, rules_window, visible, week
from .fapi_wire import (
    amendment_row,
    as_accepted,
    contract_named,
    desk_of,
    history_row,
    order_reply,
    order_row,
    tradable,
)
from .futures import rules
from .futures.model import CONDITIONAL, Order
from .money import ZERO
from .wire import Call

DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}
REHEARSED = ("partial", "expire", "reject")    # faults that befall the order itself
MATCHES = ("OPPONENT", "OPPONENT_5", "OPPONENT_10", "OPPONENT_20", "QUEUE", "QUEUE_5", "QUEUE_10", "QUEUE_20")


def new_order(call: Call) -> dict[str, Any]:
    call.count_order()
    return place(call)


def test_order(call: Call) -> dict[str, Any]:
    """Every check, and nothing happens."""
    order, _ = _read(call)
    return {**order_reply(call.state.futures, order), "avgPrice": "0.00000", "cumQuote": "0"}


def place(call: Call) -> dict[str, Any]:
    """Put one order into the engine; what `new_order` and a batch do."""
    engine = call.state.futures
    order, _ = _read(call)
    if call.fault and call.fault.mode in REHEARSED:
        if call.fault.mode == "reject":
            raise WireError(-2020, "Unable to fill.")
        order.rehearsal, order.fraction = call.fault.mode, Decimal(call.fault.fraction)
    order.id = engine.number("order")
    order.client_id = order.client_id or engine.name(order.id)
    engine.place(order)
    reply = _priced(call, order_reply(engine, order))
    return reply if call.params.get("newOrderRespType") == "RESULT" else as_accepted(reply, engine, order)


def _read(call: Call) -> tuple[Order, Decimal]:
    """The order that the parameters describe, checked; and the mark price."""
    desk, params = desk_of(call), call.params
    side, kind = side_of(call), call.text("type")
    if kind in CONDITIONAL:
        raise WireError(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints "
                               "instead.")
    if kind not in rules.PLAIN_TYPES:
        raise WireError(-1116, "Invalid orderType.")
    contract, position_side = tradable(call), params.get("positionSide") or "BOTH"
    rules.check_side(desk, position_side)
    if params.get("reduceOnly") and desk.hedge:
        raise rules.not_required("reduceOnly")
    if rules.truth(params, "closePosition"):
        raise WireError(-4136, f"Target strategy invalid for orderType {kind},closePosition true")
    quantity = rules.number(params, "quantity")
    if quantity is None:
        raise mandatory("quantity")
    mark = call.state.futures.price(contract.symbol)
    assert mark is not None    # it trades
    in_force, price, match = _limit_terms(call, kind, side, mark, contract.tick)
    response = params.get("newOrderRespType") or "ACK"
    if response not in ("ACK", "RESULT"):
        raise invalid_value("newOrderRespType")
    order = Order(
        id=0, account=call.account.name, symbol=contract.symbol, client_id=rules.client_id(params, "newClientOrderId"),
        side=side, position_side=position_side, type=kind, quantity=quantity, time=call.now, price=price,
        time_in_force=in_force, reduce_only=rules.truth(params, "reduceOnly"), price_match=match,
        self_trade=params.get("selfTradePreventionMode") or "EXPIRE_MAKER",
        good_till=rules.check_good_till(params, in_force, call.now), updated=call.now)
    rules.check_order(call.state.futures, order, mark)
    return order, mark


def _limit_terms(call: Call, kind: str, side: str, mark: Decimal, tick: Decimal) -> tuple[str, Decimal, str]:
    """timeInForce, price and priceMatch; a MARKET order has none of them."""
    params, match = call.params, call.params.get("priceMatch") or "NONE"
    if kind == "MARKET":
        for name in ("timeInForce", "price"):
            if params.get(name):
                raise rules.not_required(name)
        return "GTC", ZERO, "NONE"
    in_force = call.text("timeInForce")
    if in_force not in rules.TIMES_IN_FORCE:
        raise WireError(-1115, "Invalid timeInForce.")
    price = rules.number(params, "price")
    if match == "NONE":
        if price is None:
            raise mandatory("price")
        return in_force, price, match
    if match not in MATCHES:
        raise WireError(-5037, "Invalid price match")
    if price is not None:
        raise rules.not_required("price")
    behind = (-tick if side == "BUY" else tick) if match.startswith("QUEUE") else ZERO
    return in_force, mark // tick * tick + behind, match


def side_of(call: Call) -> str:
    """BUY or SELL. Raises -1117."""
    side = call.text("side")
    if side not in ("BUY", "SELL"):
        raise WireError(-1117, "Invalid side.")
    return side


# -- one order -------------------------------------------------------------------------------------------------
def _named(call: Call) -> Order | None:
    """The order of orderId or origClientOrderId, whatever became of it; of one name the newest."""
    contract, desk = contract_named(call), desk_of(call)
    number, name = call.integer("orderId"), call.params.get("origClientOrderId")
    if number is None and not name:
        raise WireError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    if number is not None:
        order = desk.orders.get(number)
        return order if order and order.symbol == contract.symbol and name in (None, "", order.client_id) else None
    found = [order for order in desk.orders.values() if (order.client_id, order.symbol) == (name, contract.symbol)]
    return next((order for order in found if order.open), found[-1] if found else None)


def get_order(call: Call) -> dict[str, Any]:
    order = _named(call)
    if order is None or not visible(order, call):
        raise WireError(-2013, "Order does not exist.")
    return _priced(call, order_row(call.state.futures, order))


def _priced(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    """As it is, unless a fault keeps the price back: an avgPrice of zero on a filled order, in every reply."""
    if call.fault and call.fault.mode == "unpriced":
        return {**row, "avgPrice": "0.00", "cumQuote": "0.00"}
    return row


def open_order(call: Call) -> dict[str, Any]:
    order = _named(call)
    if order is None or not order.open or order.time > call.seen:
        raise WireError(-2013, "Order does not exist.")
    return order_row(call.state.futures, order)


def cancel_order(call: Call) -> dict[str, Any]:
    order = _named(call)
    if order is None or not order.open:
        raise WireError(-2011, "Unknown order sent.")
    call.state.futures.cancel(order)
    return order_reply(call.state.futures, order)


def modify_order(call: Call) -> dict[str, Any]:
    """A LIMIT order's quantity and price; both must be sent."""
    call.count_order()
    return modify(call)


def modify(call: Call) -> dict[str, Any]:
    order, engine = _named(call), call.state.futures
    side = side_of(call)
    quantity, price = rules.number(call.params, "quantity"), rules.number(call.params, "price")
    for name, value in (("quantity", quantity), ("price", price)):
        if value is None:
            raise mandatory(name)
    assert quantity is not None
    assert price is not None
    if order is None or not order.open or order.side != side:
        raise WireError(-2013, "Order does not exist.")
    if order.type != "LIMIT":
        raise WireError(-5025, "Limit order only.")
    if rules.truth(call.params, "reduceOnly") and not order.reduce_only:
        raise WireError(-5047, "The order is not a reduce only order.")
    if (quantity, price) == (order.quantity, order.price):
        raise WireError(-5027, "No need to modify the order.")
    if len(order.amendments) >= 10_000:
        raise WireError(-5026, "Exceed maximum modify order limit.")
    _check_modified(call, order, quantity, price)
    engine.modify(order, quantity, price)
    return {**order_reply(engine, order), "pair": order.symbol}


def _check_modified(call: Call, order: Order, quantity: Decimal, price: Decimal) -> None:
    """As a new order would be, without the one that it replaces."""
    engine, desk = call.state.futures, desk_of(call)
    changed = copy(order)
    changed.quantity, changed.price = quantity, price
    mark = engine.price(order.symbol)
    assert mark is not None
    waiting = desk.open_orders.pop(order.id)
    try:
        rules.check_order(engine, changed, mark)
    finally:
        desk.open_orders[waiting.id] = waiting


def amendments(call: Call) -> list[dict[str, Any]]:
    contract, desk = contract_named(call), desk_of(call)
    start, end = call.window(90, rules_window(90), including=True)
    number, name = call.integer("orderId"), call.params.get("origClientOrderId")
    found = [(order, amendment, count) for order in desk.orders.values() if order.symbol == contract.symbol
             and number in (None, order.id) and name in (None, "", order.client_id)
             for count, amendment in enumerate(order.amendments, 1) if start <= amendment.time <= end]
    return [amendment_row(*row) for row in found[-call.limit(50, 100):]]


# -- several ---------------------------------------------------------------------------------------------------
def open_orders(call: Call) -> list[dict[str, Any]]:
    desk, symbol = desk_of(call), call.params.get("symbol")
    if symbol:
        contract_named(call)
    return [order_row(call.state.futures, order) for order in desk.open_orders.values()
            if symbol in (None, "", order.symbol) and order.time <= call.seen]


def open_orders_weight(params: dict[str, str]) -> int:
    return 1 if params.get("symbol") else 40


def all_orders(call: Call) -> list[dict[str, Any]]:
    """Ascending by id; with orderId from there on, else the newest of the window."""
    desk, symbol = desk_of(call), call.params.get("symbol")
    if symbol:
        contract_named(call)
    rows = [order for order in desk.orders.values() if symbol in (None, "", order.symbol) and visible(order, call)]
    return [history_row(call.state.futures, order) for order in page(call, rows, "orderId")]


def force_orders(call: Call) -> list[dict[str, Any]]:
    """Liquidations; nothing here deleverages."""
    desk, symbol = desk_of(call), call.params.get("symbol")
    if symbol:
        contract_named(call)
    kind = call.params.get("autoCloseType") or "LIQUIDATION"
    if kind not in ("LIQUIDATION", "ADL"):
        raise invalid_value("autoCloseType")
    start, end = week(call)
    start = max(start, call.now - FORGOTTEN_AFTER_DAYS * DAY)
    rows = [order for order in desk.orders.values() if order.forced and kind == "LIQUIDATION"
            and symbol in (None, "", order.symbol) and start <= order.time <= end]
    return [history_row(call.state.futures, order) for order in rows[-call.limit(50, 100):]]


def force_weight(params: dict[str, str]) -> int:
    return 20 if params.get("symbol") else 50


def cancel_all(call: Call) -> dict[str, Any]:
    """The plain orders of a symbol; conditional ones stay."""
    contract, desk = contract_named(call), desk_of(call)
    for order in [order for order in desk.open_orders.values() if order.symbol == contract.symbol]:
        call.state.futures.cancel(order)
    return DONE


def countdown(call: Call) -> dict[str, Any]:
    """Cancel a symbol's plain orders when nobody asks again in time; 0 stops it."""
    contract, desk = contract_named(call), desk_of(call)
    call.text("countdownTime")
    time = call.integer("countdownTime") or 0
    desk.countdowns.pop(contract.symbol, None)
    if time:
        desk.countdowns[contract.symbol] = call.now + time
        call.state.futures.changed = call.now
    return {"symbol": contract.symbol, "countdownTime": str(time)}

"""`/fapi/v1/batchOrders`: up to five plain orders in one request. Source: BINANCE.md section 7.1."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from typing import Any

from .errors import WireError, invalid_value
from .fapi_orders import cancel_order, modify, place
from .wire import Call

BATCH, BATCH_TO_CANCEL = 5, 10


def new_batch(call: Call) -> list[dict[str, Any]]:
    call.count_order(counts=(BATCH, 1))
    return _batch(call, place)


def modify_batch(call: Call) -> list[dict[str, Any]]:
    call.count_order(counts=(BATCH, 1))
    return _batch(call, modify)


def _batch(call: Call, one: Callable[[Call], dict[str, Any]]) -> list[dict[str, Any]]:
    """Each item on its own: an answer, or its error in place of it."""
    try:
        items = json.loads(call.text("batchOrders"))
    except json.JSONDecodeError:
        items = None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise WireError(-1130, "Data sent for parameter 'batchOrders' is not valid.")
    if not 1 <= len(items) <= BATCH:
        raise WireError(-4082, "Invalid number of batch place orders.")
    return [_alone(call, one, {key: _text(value) for key, value in item.items()}) for item in items]


def cancel_batch(call: Call) -> list[dict[str, Any]]:
    numbers, names = _list(call, "orderIdList"), _list(call, "origClientOrderIdList")
    if not numbers and not names:
        raise WireError(-1102, "Param 'origClientOrderIdList' or 'orderIdList' must be sent, but both were empty/null!")
    wanted = [{"orderId": _text(number)} for number in numbers] or [{"origClientOrderId": name} for name in names]
    return [_alone(call, cancel_order, {"symbol": call.text("symbol"), **item}) for item in wanted[:BATCH_TO_CANCEL]]


def _list(call: Call, name: str) -> list[Any]:
    try:
        found = json.loads(call.params.get(name) or "[]")
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, list):
        raise invalid_value(name)
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _alone(call: Call, one: Callable[[Call], dict[str, Any]], params: dict[str, str]) -> dict[str, Any]:
    item = copy(call)
    item.params = params
    try:
        return one(item)
    except WireError as error:
        return {"code": error.code, "msg": error.msg}

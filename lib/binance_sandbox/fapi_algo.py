"""`/fapi/v1/algoOrder`: the Algo service, where conditional orders live. Source: BINANCE.md section 7.2."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .errors import WireError
from .fapi_orders import DONE, REHEARSED, side_of
from .fapi_pages import page, visible
from .fapi_wire import (
    algo_query_row,
    algo_reply,
    algo_row,
    contract_named,
    desk_of,
    tradable,
)
from .futures import rules
from .futures.model import Algo
from .wire import Call


def new_algo(call: Call) -> dict[str, Any]:
    call.count_order()
    engine, desk = call.state.futures, desk_of(call)
    if call.text("algoType") != "CONDITIONAL":
        raise WireError(-4122, "Invalid algo type.")
    side_of(call)
    call.text("type")
    contract = tradable(call)
    algo = rules.read_algo(call.params, desk, call.account.name, contract.symbol, call.now)
    mark = last = engine.price(contract.symbol)
    assert mark is not None
    assert last is not None
    rules.check_algo(engine, algo, mark, last)
    if call.fault and call.fault.mode in REHEARSED:
        algo.rehearsal, algo.fraction = call.fault.mode, Decimal(call.fault.fraction)
    algo.id = engine.number("algo")
    algo.client_id = algo.client_id or engine.name(algo.id)
    engine.place_algo(algo)
    return algo_reply(engine, algo)


def _named(call: Call) -> Algo | None:
    """The order of algoId or clientAlgoId; no symbol is needed."""
    desk, number, name = desk_of(call), call.integer("algoId"), call.params.get("clientAlgoId")
    if number is None and not name:
        raise WireError(-1102, "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!")
    if number is not None:
        return desk.algos.get(number)
    found = [algo for algo in desk.algos.values() if algo.client_id == name]
    return next((algo for algo in found if algo.waiting), found[-1] if found else None)


def get_algo(call: Call) -> dict[str, Any]:
    algo = _named(call)
    if algo is None or not visible(algo, call):
        raise WireError(-2013, "Order does not exist.")
    return algo_query_row(call.state.futures, algo)


def cancel_algo(call: Call) -> dict[str, Any]:
    """`code` is a text here."""
    algo = _named(call)
    if algo is not None and algo.status == "TRIGGERING":
        raise WireError(-4117, "Stop order is triggering.")
    if algo is None or algo.status != "NEW":
        raise WireError(-2011, "Unknown order sent.")
    call.state.futures.end_algo(algo, "CANCELED")
    return {"algoId": algo.id, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}


def cancel_all_algos(call: Call) -> dict[str, Any]:
    """The conditional orders of a symbol; plain ones stay. `code` is a number here."""
    contract, desk = contract_named(call), desk_of(call)
    for algo in [algo for algo in desk.waiting.values() if (algo.symbol, algo.status) == (contract.symbol, "NEW")]:
        call.state.futures.end_algo(algo, "CANCELED")
    return DONE


def open_algos(call: Call) -> list[dict[str, Any]]:
    desk, symbol, number = desk_of(call), call.params.get("symbol"), call.integer("algoId")
    if symbol:
        contract_named(call)
    return [algo_row(call.state.futures, algo) for algo in desk.waiting.values()
            if symbol in (None, "", algo.symbol) and number in (None, algo.id) and algo.created <= call.seen]


def all_algos(call: Call) -> list[dict[str, Any]]:
    """Ascending by id; with algoId from there on, else the newest of the window."""
    contract, desk = contract_named(call), desk_of(call)
    rows = [algo for algo in desk.algos.values() if algo.symbol == contract.symbol and visible(algo, call)]
    return [algo_row(call.state.futures, algo) for algo in page(call, rows, "algoId")]

"""How the futures engine's orders, trades and income look on the wire. Source: BINANCE.md section 7."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .errors import WireError, key_rejected
from .futures.contracts import Contract
from .futures.engine import Futures
from .futures.model import Algo, Amendment, Desk, Income, Order, Trade
from .ledger import opened_futures
from .market import TRADING
from .money import ZERO, cut, fixed, plain
from .pairs import Pair
from .prices_wire import pair_named
from .wire import Call


def desk_of(call: Call) -> Desk:
    """The caller's orders and settings, unless USDⓈ-M was never opened."""
    if not opened_futures(call.account, call.holdings):
        raise key_rejected()
    return call.state.futures.desk(call.account.name)


def contract_named(call: Call, symbol: str | None = None) -> Contract:
    """The contract of the `symbol` parameter. Raises -1121."""
    pair = pair_named(call, symbol or call.text("symbol"))
    if not pair.on_futures:
        raise WireError(-1121, "Invalid symbol.")
    return call.state.futures.contract(pair.symbol)


def tradable(call: Call) -> Contract:
    """The same for new orders. Raises -4141 when it was stopped."""
    contract = contract_named(call)
    if call.market.status(contract.symbol, call.now) != TRADING:
        raise WireError(-4141, "Symbol is closed.")
    return contract


def contracts(call: Call) -> list[Pair]:
    """The pairs that trade as contracts now."""
    return [pair for pair in call.market.trading(call.now) if pair.on_futures]


def order_reply(engine: Futures, order: Order) -> dict[str, Any]:
    """What POST, PUT and DELETE answer: since 2026-06-30 without avgPrice and cumQuote."""
    contract, older = engine.contract(order.symbol), engine.options.older_replies
    return {
        "orderId": order.id, "symbol": order.symbol, "status": order.status, "clientOrderId": order.client_id,
        "price": fixed(order.price, contract.price_places),
        **({"avgPrice": fixed(order.average, contract.price_places)} if older else {}),
        "origQty": fixed(order.quantity, contract.quantity_places),
        "executedQty": fixed(order.executed, contract.quantity_places),
        "cumQty": fixed(order.executed, contract.quantity_places),
        **({"cumQuote": _quote(contract, order.quote)} if older else {}), "timeInForce": order.time_in_force,
        "type": order.type, "reduceOnly": order.reduce_only, "closePosition": order.close_position,
        "side": order.side, "positionSide": order.position_side,
        "stopPrice": fixed(order.stop_price, contract.price_places), "workingType": order.working_type,
        "priceProtect": order.price_protect, "origType": order.orig_type or order.type,
        "priceMatch": order.price_match, "selfTradePreventionMode": order.self_trade,
        "goodTillDate": order.good_till, "updateTime": order.updated,
    }


def as_accepted(reply: dict[str, Any], engine: Futures, order: Order) -> dict[str, Any]:
    """An ACK tells nothing of the matching."""
    contract = engine.contract(order.symbol)
    nothing = fixed(ZERO, contract.quantity_places)
    older = {"avgPrice": fixed(ZERO, contract.price_places), "cumQuote": _quote(contract, ZERO)}
    return {**reply, "status": "NEW", "executedQty": nothing, "cumQty": nothing,
            **{key: value for key, value in older.items() if key in reply}}


def order_row(engine: Futures, order: Order) -> dict[str, Any]:
    """What GET order and openOrders answer."""
    contract = engine.contract(order.symbol)
    row = order_reply(engine, order)
    del row["cumQty"]
    return {**row, "avgPrice": fixed(order.average, contract.price_places), "cumQuote": _quote(contract, order.quote),
            "time": order.time}


def history_row(engine: Futures, order: Order) -> dict[str, Any]:
    """A row of allOrders and forceOrders, which tell a little more."""
    return {**order_row(engine, order), "pair": order.symbol, "cumBase": "0"}


def _quote(contract: Contract, quote: Decimal) -> str:
    return fixed(quote, contract.price_places + contract.quantity_places)


def trade_row(contract: Contract, trade: Trade) -> dict[str, Any]:
    """A fill as userTrades lists it."""
    quote = fixed(trade.price * trade.quantity, contract.price_places + contract.quantity_places)
    return {
        "symbol": trade.symbol, "id": trade.id, "orderId": trade.order, "side": trade.side,
        "price": at_least(trade.price, contract.price_places),
        "qty": at_least(trade.quantity, contract.quantity_places),
        "realizedPnl": fixed(trade.profit), "marginAsset": trade.margin_asset, "quoteQty": quote,
        "baseQty": "0", "commission": fixed(trade.commission), "commissionAsset": trade.commission_asset,
        "time": trade.time, "positionSide": trade.position_side, "buyer": trade.side == "BUY", "maker": trade.maker,
        "pair": trade.symbol,
    }


def income_row(income: Income) -> dict[str, Any]:
    """A payment as income lists it."""
    return {"symbol": income.symbol, "incomeType": income.kind, "income": fixed(income.amount), "asset": income.asset,
            "time": income.time, "info": income.info, "tranId": income.id, "tradeId": income.trade}


def amendment_row(order: Order, amendment: Amendment, count: int) -> dict[str, Any]:
    """A change of an order as orderAmendment lists it."""
    before, after = amendment.price
    less, more = amendment.quantity
    return {"amendmentId": amendment.id, "symbol": order.symbol, "pair": order.symbol, "orderId": order.id,
            "clientOrderId": order.client_id, "time": amendment.time,
            "amendment": {"price": {"before": plain(before), "after": plain(after)},
                          "origQty": {"before": plain(less), "after": plain(more)}, "count": count}}


def algo_reply(engine: Futures, algo: Algo) -> dict[str, Any]:
    """What POST answers."""
    row = algo_row(engine, algo)
    for later in ("actualOrderId", "actualPrice", "tpTriggerPrice", "tpPrice", "slTriggerPrice", "slPrice",
                  "tpOrderType"):
        del row[later]
    return {**row, "activatePrice": plain(algo.activate) if algo.activate else "",
            "callbackRate": plain(algo.callback) if algo.callback else ""}


def algo_row(engine: Futures, algo: Algo) -> dict[str, Any]:
    """A row of the lists of algo orders."""
    contract, actual = engine.contract(algo.symbol), algo.actual
    places = contract.price_places
    zero = fixed(ZERO, places)
    row = {
        "algoId": algo.id, "clientAlgoId": algo.client_id, "algoType": "CONDITIONAL", "orderType": algo.type,
        "symbol": algo.symbol, "side": algo.side, "positionSide": algo.position_side,
        "timeInForce": algo.time_in_force, "quantity": fixed(algo.quantity, contract.quantity_places),
        "algoStatus": algo.status, "actualOrderId": str(actual.id) if actual else "",
        "actualPrice": fixed(actual.average if actual else ZERO, 5), "triggerPrice": fixed(algo.trigger, places),
        "price": fixed(algo.price, places), "icebergQuantity": None, "tpTriggerPrice": zero, "tpPrice": zero,
        "slTriggerPrice": zero, "slPrice": zero, "tpOrderType": "", "selfTradePreventionMode": algo.self_trade,
        "workingType": algo.working_type, "priceMatch": algo.price_match, "closePosition": algo.close_position,
        "priceProtect": algo.price_protect, "reduceOnly": algo.reduce_only, "createTime": algo.created,
        "updateTime": algo.updated, "triggerTime": algo.triggered, "goodTillDate": algo.good_till,
    }
    if algo.callback:
        row |= {"activatePrice": plain(algo.activate), "callbackRate": plain(algo.callback)}
    return row


def algo_query_row(engine: Futures, algo: Algo) -> dict[str, Any]:
    """What GET of one algo order answers."""
    actual = algo.actual
    kind = "LIMIT" if algo.price else "MARKET"
    quantity = fixed(actual.executed if actual else ZERO, engine.contract(algo.symbol).quantity_places)
    return {**algo_row(engine, algo), "actualType": actual.type if actual else kind, "actualQty": quantity}


def at_least(amount: Decimal, places: int) -> str:
    """With the precision's decimals; a finer amount that a control call made is kept."""
    text = plain(cut(amount))
    have = len(text.partition(".")[2])
    return text if have > places else fixed(amount, places)

"""What Binance refuses before an order reaches the engine, with its codes. Source: BINANCE.md sections 6.3 and 7."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from ..errors import WireError, illegal_characters, mandatory
from ..money import ZERO, plain
from .contracts import MOST_ALGO_ORDERS, MOST_OPEN_ORDERS, Contract
from .engine import Futures
from .model import CONDITIONAL, STOPS, TAKES, TRAILING, Algo, Desk, Order
from .statement import opens

CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?|-?\.[0-9]{1,20}")
PLAIN_TYPES = ("LIMIT", "MARKET")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD", "RPI")
POSITION_SIDES = ("BOTH", "LONG", "SHORT")
LAST_GOOD_TILL = 253_402_300_799_000
SOONEST_GOOD_TILL_MS = 600_000


# -- errors ----------------------------------------------------------------------------------------------------
def not_required(name: str) -> WireError:
    """-1106: a parameter that has no place here."""
    return WireError(-1106, f"Parameter '{name.lower()}' sent when not required.")


def reduce_only_rejected() -> WireError:
    """-2022: there is nothing to reduce."""
    return WireError(-2022, "ReduceOnly Order is rejected.")


def margin_insufficient() -> WireError:
    """-2019: the wallet cannot bear it."""
    return WireError(-2019, "Margin is insufficient.")


def wrong_position_side() -> WireError:
    """-4061: the side does not fit the mode."""
    return WireError(-4061, "Order's position side does not match user's setting.")


def duplicate_id() -> WireError:
    """-4116: the client's id is in use."""
    return WireError(-4116, "ClientOrderId is duplicated.")


def immediately() -> WireError:
    """-2021: the trigger would be met at once."""
    return WireError(-2021, "Order would immediately trigger.")


# -- values ----------------------------------------------------------------------------------------------------
def number(params: dict[str, str], name: str) -> Decimal | None:
    """An amount or a price; None where it was not sent."""
    text = params.get(name)
    if text is None or text == "":
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = None
    if value is None or not NUMBER.fullmatch(text):
        raise illegal_characters(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
    return value


def client_id(params: dict[str, str], name: str) -> str:
    """What the client calls its order, "" where it does not."""
    given = params.get(name, "")
    if len(given) > 36:
        raise WireError(-4015, "Client order id length should be less than 36 chars")
    if given and not CLIENT_ID.fullmatch(given):
        raise illegal_characters(name, "^[\\.A-Z\\:/a-z0-9_-]{1,36}$")
    return given


def check_quantity(contract: Contract, quantity: Decimal, *, market: bool) -> None:
    """LOT_SIZE or MARKET_LOT_SIZE."""
    if quantity <= 0:
        raise WireError(-4003, "Quantity less than or equal to zero.")
    check_decimals(quantity, contract.quantity_places)
    if quantity < contract.step:    # minQty is one step
        raise WireError(-4004, "Quantity less than min quantity.")
    if quantity > (contract.market_max_quantity if market else contract.max_quantity):
        raise WireError(-4005, "Quantity greater than max quantity.")
    if quantity % contract.step:
        raise WireError(-4023, "Quantity not increased by step size.")


def check_price(contract: Contract, price: Decimal) -> None:
    """PRICE_FILTER."""
    if price <= 0:
        raise WireError(-4001, "Price less than 0.")
    check_decimals(price, contract.price_places)
    if price < contract.min_price:
        raise WireError(-4013, "Price less than min price.")
    if price > contract.max_price:
        raise WireError(-4002, "Price greater than max price.")
    if (price - contract.min_price) % contract.tick:
        raise WireError(-4014, "Price not increased by tick size.")


def check_decimals(value: Decimal, places: int) -> None:
    """More decimals than the precision; zeros at the end count, too."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > places and value != value.quantize(Decimal(1).scaleb(-places)):
        raise WireError(-1111, "Precision is over the maximum defined for this asset.")


def check_band(contract: Contract, side: str, price: Decimal, mark: Decimal) -> None:
    """PERCENT_PRICE."""
    if contract.within_band(side, price, mark):
        return
    bound = contract.on_tick(mark * (1 + (contract.band if side == "BUY" else -contract.band)))
    if side == "BUY":
        raise WireError(-4016, f"Limit price can't be higher than {plain(bound)}.")
    raise WireError(-4024, f"Limit price can't be lower than {plain(bound)}.")


def check_notional(contract: Contract, notional: Decimal) -> None:
    """Refuse an order that is worth too little."""
    if notional < contract.min_notional:
        raise WireError(-4164, f"Order's notional must be no smaller than {plain(contract.min_notional)} (unless you "
                               "choose reduce only).")


def check_side(desk: Desk, position_side: str) -> None:
    """Refuse a side that does not fit the account's mode."""
    if position_side not in POSITION_SIDES:
        raise WireError(-4060, "Invalid position side.")
    if (position_side == "BOTH") == desk.hedge:
        raise wrong_position_side()


def check_good_till(params: dict[str, str], time_in_force: str, now: int) -> int:
    """The time until which a GTD order waits, 0 for any other."""
    given = params.get("goodTillDate", "")
    if time_in_force != "GTD":
        return 0
    if not given.isdecimal():
        raise mandatory("goodTillDate")
    if not now + SOONEST_GOOD_TILL_MS < int(given) < LAST_GOOD_TILL:
        raise WireError(-5040, "The goodTillDate timestamp must be greater than the current time plus 600 seconds and "
                               f"smaller than {LAST_GOOD_TILL}")
    return int(given) // 1000 * 1000


# -- plain orders ----------------------------------------------------------------------------------------------
def check_order(engine: Futures, order: Order, mark: Decimal) -> None:
    """Everything that can be wrong with a new or a changed plain order. Raises `WireError`."""
    desk, contract = engine.desk(order.account), engine.contract(order.symbol)
    check_quantity(contract, order.quantity, market=order.type == "MARKET")
    if order.type == "LIMIT":
        check_price(contract, order.price)
        check_band(contract, order.side, order.price, mark)
    if order.client_id and any(other.client_id == order.client_id and other is not order
                               for other in desk.open_orders.values()):
        raise duplicate_id()
    held = engine.closable(order.account, order.symbol, order.position_side, order.sign)
    if opens(order):
        check_notional(contract, order.quantity * (order.price or mark))
        _check_margin(engine, order, mark)
    elif not held or (order.closes and order.quantity > held):
        raise reduce_only_rejected()
    if sum(other.symbol == order.symbol for other in desk.open_orders.values()) >= MOST_OPEN_ORDERS:
        raise WireError(-2025, "Reach max open order limit.")
    _check_matching(order, mark)


def _check_margin(engine: Futures, order: Order, mark: Decimal) -> None:
    statement = engine.statement(order.account)
    more = order.sign * order.left * (mark if order.marketable(mark) else order.price)
    leverage = statement.desk.leverage(order.symbol)
    if (statement.exposure(order.symbol, order.position_side, more)
            > max(engine.contract(order.symbol).most_notional(leverage),
                  statement.exposure(order.symbol, order.position_side))):
        raise WireError(-2027, "Exceeded the maximum allowable position at current leverage.")
    if statement.missing(order.symbol, order.position_side, more) > 0:
        raise margin_insufficient()


def _check_matching(order: Order, mark: Decimal) -> None:
    """Orders that the matching engine refuses and does not record."""
    if order.time_in_force == "GTX" and order.marketable(mark):
        raise WireError(-5022, "Due to the order could not be executed as maker, the Post Only order will be rejected. "
                               "The order will not be recorded in the order history")
    if order.time_in_force == "FOK" and not order.marketable(mark):
        raise WireError(-5021, "Due to the order could not be filled immediately, the FOK order has been rejected. "
                               "The order will not be recorded in the order history")


# -- conditional orders ----------------------------------------------------------------------------------------
def check_algo(engine: Futures, algo: Algo, mark: Decimal, last: Decimal) -> None:
    """Everything that can be wrong with a new conditional order; margin and position are no part of it."""
    desk, contract = engine.desk(algo.account), engine.contract(algo.symbol)
    if not algo.close_position:
        check_quantity(contract, algo.quantity, market=not algo.price)
    for price in (algo.trigger, algo.price, algo.activate):
        if price:
            check_price(contract, price)
    if algo.client_id and any(other.client_id == algo.client_id for other in desk.waiting.values()):
        raise duplicate_id()
    if len(desk.waiting) >= MOST_ALGO_ORDERS:
        raise WireError(-4045, "Reach max stop order limit.")
    price = mark if algo.working_type == "MARK_PRICE" else last
    if algo.close_position:
        _check_close_position(engine, desk, algo)
    if algo.type == TRAILING:
        _check_trailing(algo, price)
    elif algo.reached(price):
        raise immediately()
    if not (algo.reduce_only or algo.close_position or _closes(algo)):
        check_notional(contract, algo.quantity * (algo.price or algo.trigger or price))


def _closes(algo: Algo) -> bool:
    return (algo.position_side, algo.side) in (("LONG", "SELL"), ("SHORT", "BUY"))


def _check_close_position(engine: Futures, desk: Desk, algo: Algo) -> None:
    if not engine.closable(algo.account, algo.symbol, algo.position_side, algo.sign):
        raise WireError(-4509, "Time in Force (TIF) GTE can only be used with open positions.")
    kind = STOPS if algo.type in STOPS else TAKES
    if any(other.close_position and other.type in kind
           and (other.symbol, other.side, other.position_side) == (algo.symbol, algo.side, algo.position_side)
           for other in desk.waiting.values()):
        raise WireError(-4130, "An open stop or take profit order with GTE and closePosition in the direction is "
                               "existing.")


def _check_trailing(algo: Algo, price: Decimal) -> None:
    if not Decimal("0.1") <= algo.callback <= 10:
        raise WireError(-2007, "Invalid callBack rate.")
    wrong = algo.activate <= price if algo.side == "SELL" else algo.activate >= price
    if algo.activate and wrong:
        raise immediately()


def read_algo(params: dict[str, str], desk: Desk, account: str, symbol: str, now: int) -> Algo:
    """The conditional order that a request describes. Raises `WireError` where parameters do not go together."""
    kind = params.get("type", "")
    if kind not in CONDITIONAL:
        raise WireError(-1116, "Invalid orderType.")
    position_side = params.get("positionSide") or "BOTH"
    check_side(desk, position_side)
    side, close = params["side"], truth(params, "closePosition")
    reduce_only = truth(params, "reduceOnly")
    if params.get("reduceOnly") and (desk.hedge or (close and reduce_only)):
        raise not_required("reduceOnly")
    quantity = number(params, "quantity")
    if close:
        _check_strategy(kind, side, position_side, quantity)
    elif quantity is None:
        raise mandatory("quantity")
    working = params.get("workingType") or "CONTRACT_PRICE"
    if working not in ("MARK_PRICE", "CONTRACT_PRICE"):
        raise illegal_characters("workingType", "^(MARK_PRICE|CONTRACT_PRICE)$")
    in_force = params.get("timeInForce") or "GTC"
    if in_force not in (*TIMES_IN_FORCE, "GTE_GTC"):
        raise WireError(-1115, "Invalid timeInForce.")
    return Algo(
        id=0, account=account, symbol=symbol, client_id=client_id(params, "clientAlgoId"), type=kind, side=side,
        position_side=position_side, quantity=ZERO if close else quantity or ZERO, created=now, updated=now,
        trigger=_needed(params, "triggerPrice", kind != TRAILING),
        price=_needed(params, "price", kind in ("STOP", "TAKE_PROFIT") and not params.get("priceMatch")),
        activate=number(params, "activatePrice") or ZERO, callback=_needed(params, "callbackRate", kind == TRAILING),
        time_in_force="GTE_GTC" if close else in_force, working_type=working, close_position=close,
        price_match=params.get("priceMatch") or "NONE", price_protect=truth(params, "priceProtect"),
        reduce_only=reduce_only or close, self_trade=params.get("selfTradePreventionMode") or "EXPIRE_MAKER",
        good_till=check_good_till(params, in_force, now))


def _check_strategy(kind: str, side: str, position_side: str, quantity: Decimal | None) -> None:
    """closePosition closes everything at market, and only closes."""
    if quantity:
        raise WireError(-4137, "Quantity must be zero with closePosition equals true")
    opening = (position_side, side) in (("LONG", "BUY"), ("SHORT", "SELL"))
    if opening or kind not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
        raise WireError(-4136, f"Target strategy invalid for orderType {kind},closePosition true")


def _needed(params: dict[str, str], name: str, needed: bool) -> Decimal:
    value = number(params, name)
    if not needed:
        return ZERO
    if value is None:
        raise mandatory(name)
    return value


def truth(params: dict[str, str], name: str) -> bool:
    """A boolean in whatever case; false where it was not sent."""
    value = params.get(name, "").lower()
    if value not in ("", "true", "false"):
        raise illegal_characters(name, "^(true|false)$")
    return value == "true"

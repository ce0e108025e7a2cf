"""`/api/v3`: the spot account and what it traded. Source: BINANCE.md section 4.

Orders cannot be placed on spot: what there is to see are the fills that events tell of, each a filled MARKET order.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .clock import DAY
from .errors import WireError
from .events import Fill
from .ledger import Amounts
from .money import ZERO, cut, fixed
from .spot import RATE_LIMITS, filters, trading_pair
from .wire import Call

MORE_THAN_A_DAY = WireError(-1127, "More than 24 hours between startTime and endTime.")
NO_SUCH_ORDER = WireError(-2013, "Order does not exist.")
NOT_LENT = ("BFUSD", "RWUSD")    # Earn products of their own, without a mirror on spot
COMMISSION = {"maker": "0.00100000", "taker": "0.00100000", "buyer": "0.00000000", "seller": "0.00000000"}
NO_COMMISSION = dict.fromkeys(COMMISSION, "0.00000000")


def account(call: Call) -> dict[str, Any]:
    """Balances of every asset known here, zeros included unless `omitZeroBalances`; LD* mirrors flexible Earn."""
    holdings, nothing = call.holdings, Amounts()
    wallet = {**holdings.wallets.get("spot", {}), **mirrors(holdings.wallets.get("earn_flexible", {}))}
    assets = set(wallet)
    if call.flag("omitZeroBalances"):
        assets = {asset for asset in assets if wallet[asset].free or wallet[asset].locked}
    else:
        assets.update(asset for pair in call.market.pairs.values() for asset in (pair.base, pair.quote))
    balances = [{"asset": asset, "free": fixed(amounts.free), "locked": fixed(amounts.locked)}
                for asset in sorted(assets) for amounts in (wallet.get(asset, nothing),)]
    return {
        "makerCommission": 10, "takerCommission": 10, "buyerCommission": 0, "sellerCommission": 0,
        "commissionRates": COMMISSION, "canTrade": True, "canWithdraw": True, "canDeposit": True, "brokered": False,
        "requireSelfTradePrevention": False, "preventSor": False,
        "updateTime": call.stamp(holdings.updated.get("spot", call.account.created)), "accountType": "SPOT",
        "balances": balances, "permissions": ["SPOT"], "uid": call.account.uid,
    }


def mirrors(flexible: dict[str, Amounts]) -> dict[str, Amounts]:
    """How spot shows flexible Earn positions: LDBTC for BTC."""
    return {f"LD{asset}": amounts for asset, amounts in flexible.items() if asset not in NOT_LENT}


def commission(call: Call) -> dict[str, Any]:
    """What a trade of `symbol` costs."""
    pair = trading_pair(call)
    return {"symbol": pair.symbol, "standardCommission": COMMISSION, "specialCommission": NO_COMMISSION,
            "taxCommission": NO_COMMISSION,
            "discount": {"enabledForAccount": True, "enabledForSymbol": True, "discountAsset": "BNB",
                         "discount": "0.75000000"}}


# -- trades and orders -----------------------------------------------------------------------------------------
def my_trades(call: Call) -> list[dict[str, Any]]:
    """The newest, or the first from a time or an id on; ascending either way."""
    trading_pair(call)
    rows = [_trade(call, number, fill) for number, fill in _fills(call)]
    order_id = call.integer("orderId")
    rows = [row for row in rows if order_id in (None, row["orderId"])]
    return _window(call, rows, "id")


def all_orders(call: Call) -> list[dict[str, Any]]:
    """Every fill as the order that made it; `orderId` counts as the first id wanted."""
    trading_pair(call)
    rows = [_order(call, number, fill) for number, fill in _fills(call)]
    return _window(call, rows, "orderId", first="orderId")


def order(call: Call) -> dict[str, Any]:
    trading_pair(call)
    asked, name = call.integer("orderId"), call.params.get("origClientOrderId")
    if asked is None and not name:
        raise WireError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    for number, fill in _fills(call):
        row = _order(call, number, fill)
        if asked in (None, row["orderId"]) and name in (None, "", row["clientOrderId"]):
            return row
    raise NO_SUCH_ORDER


def trades_weight(params: dict[str, str]) -> int:
    return 5 if params.get("orderId") else 20


def nothing(call: Call) -> list[Any]:
    """Open orders, order lists, allocations: there are none."""
    if call.params.get("symbol"):
        trading_pair(call)
    return []


def no_list(call: Call) -> None:
    raise NO_SUCH_ORDER


def nothing_weight(params: dict[str, str]) -> int:
    return 6 if params.get("symbol") else 80


def order_limits(call: Call) -> list[dict[str, Any]]:
    return [{**limit, "count": 0} for limit in RATE_LIMITS if limit["rateLimitType"] == "ORDERS"]


def my_filters(call: Call) -> dict[str, Any]:
    """The pair's own; the account has none of its own."""
    return {"exchangeFilters": [], "symbolFilters": filters(trading_pair(call)), "assetFilters": []}


def _fills(call: Call) -> list[tuple[int, Fill]]:
    """The account's spot trades of `symbol`, ascending, each with a number that ascends with time."""
    found = [fill for fill in call.state.ledger.of(Fill, call.account.name, 0, call.seen)
             if fill.market == "spot" and fill.symbol == call.params["symbol"]]
    numbered: list[tuple[int, Fill]] = []
    for fill in sorted(found, key=lambda fill: (fill.time, fill.id)):
        number = fill.time * 100    # room for a hundred within a millisecond
        if numbered and numbered[-1][0] >= number:
            number = numbered[-1][0] + 1
        numbered.append((number, fill))
    return numbered


def _window(call: Call, rows: list[dict[str, Any]], key: str, first: str = "fromId") -> list[dict[str, Any]]:
    """Of ascending `rows` those between startTime and endTime, or from the id `first` on, or the newest."""
    limit, start, end = call.limit(500, 1000), call.moment("startTime"), call.moment("endTime")
    since = call.integer(first)
    if since is not None and (start is not None or end is not None):
        raise WireError(-1128, "Combination of optional parameters invalid.")
    if start is not None and end is not None and end - start > DAY:
        raise MORE_THAN_A_DAY
    rows = [row for row in rows if (since is None or row[key] >= since)
            and (start is None or row["time"] >= start * call.unit)
            and (end is None or row["time"] <= end * call.unit)]
    return rows[-limit:] if since is None and start is None else rows[:limit]


def _price(call: Call, fill: Fill) -> Decimal:
    return fill.price or call.market.price(fill.symbol, fill.time) or ZERO


def _trade(call: Call, number: int, fill: Fill) -> dict[str, Any]:
    price, pair = _price(call, fill), call.market.pairs[fill.symbol]
    received = pair.base if fill.side == "BUY" else pair.quote
    return {"symbol": fill.symbol, "id": number, "orderId": number, "orderListId": -1, "price": fixed(price),
            "qty": fixed(fill.quantity), "quoteQty": fixed(cut(price * fill.quantity)),
            "commission": fixed(fill.commission), "commissionAsset": fill.commission_asset or received,
            "time": call.stamp(fill.time), "isBuyer": fill.side == "BUY", "isMaker": False, "isBestMatch": True}


def _order(call: Call, number: int, fill: Fill) -> dict[str, Any]:
    quote = fixed(cut(_price(call, fill) * fill.quantity))
    return {"symbol": fill.symbol, "orderId": number, "orderListId": -1, "clientOrderId": f"web_{fill.number:x}",
            "price": "0.00000000", "origQty": fixed(fill.quantity), "executedQty": fixed(fill.quantity),
            "origQuoteOrderQty": "0.00000000", "cummulativeQuoteQty": quote, "status": "FILLED", "timeInForce": "GTC",
            "type": "MARKET", "side": fill.side, "stopPrice": "0.00000000", "icebergQty": "0.00000000",
            "time": call.stamp(fill.time), "updateTime": call.stamp(fill.time), "isWorking": True,
            "workingTime": call.stamp(fill.time), "selfTradePreventionMode": "EXPIRE_MAKER"}

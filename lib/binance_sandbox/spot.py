"""`/api/v3`: prices, candles and the spot account. Source: BINANCE.md section 4."""

from __future__ import annotations

from typing import Any

from .errors import WireError
from .ledger import Amounts
from .money import fixed
from .pairs import Pair
from .prices_wire import klines as read_klines
from .prices_wire import pair_named, price_text, symbols_asked
from .wire import Call

PLACES = 8    # every price and amount of spot
MOST_KLINES = 1000
ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]
STATUSES = ("TRADING", "HALT", "BREAK", "END_OF_DAY", "CANCEL_ONLY")
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300_000},
]


def ping(call: Call) -> dict[str, Any]:
    return {}


def time(call: Call) -> dict[str, Any]:
    return {"serverTime": call.now}


def exchange_info(call: Call) -> dict[str, Any]:
    pairs = _pairs_asked(call)
    return {"timezone": "UTC", "serverTime": call.now, "rateLimits": RATE_LIMITS, "exchangeFilters": [],
            "symbols": [_symbol(pair) for pair in pairs]}


def ticker_price(call: Call) -> Any:
    """One object for `symbol`, else an array."""
    prices = [{"symbol": pair.symbol, "price": price_text(call, pair, PLACES)} for pair in _pairs_asked(call)]
    return prices[0] if "symbol" in call.params else prices


def ticker_weight(params: dict[str, str]) -> int:
    return 2 if "symbol" in params else 4


def klines(call: Call) -> list[list[Any]]:
    return read_klines(call, MOST_KLINES, lambda pair: PLACES, PLACES)


def account(call: Call) -> dict[str, Any]:
    """Balances of every asset known here, zeros included unless `omitZeroBalances`."""
    holdings, nothing = call.holdings, Amounts()
    wallet = holdings.wallets.get("spot", {})
    assets = set(wallet)
    if call.flag("omitZeroBalances"):
        assets = {asset for asset in assets if wallet[asset].free or wallet[asset].locked}
    else:
        assets.update(asset for pair in call.market.pairs.values() for asset in (pair.base, pair.quote))
    balances = [{"asset": asset, "free": fixed(amounts.free), "locked": fixed(amounts.locked)}
                for asset in sorted(assets) for amounts in (wallet.get(asset, nothing),)]
    return {
        "makerCommission": 10, "takerCommission": 10, "buyerCommission": 0, "sellerCommission": 0,
        "commissionRates": {"maker": "0.00100000", "taker": "0.00100000", "buyer": "0.00000000",
                            "seller": "0.00000000"},
        "canTrade": True, "canWithdraw": True, "canDeposit": True, "brokered": False,
        "requireSelfTradePrevention": False, "preventSor": False,
        "updateTime": holdings.updated.get("spot", call.account.created), "accountType": "SPOT",
        "balances": balances, "permissions": ["SPOT"], "uid": call.account.uid,
    }


def _pairs_asked(call: Call) -> list[Pair]:
    """The trading pairs named by symbol, symbols or symbolStatus; one unknown name spoils the whole call."""
    if "symbol" in call.params and "symbols" in call.params:
        raise WireError(-1128, "Combination of optional parameters invalid.")
    status = call.params.get("symbolStatus", "TRADING")
    if status not in STATUSES:
        raise WireError(-1122, "Invalid symbolStatus.")
    if "symbol" in call.params:
        pairs = [pair_named(call, call.text("symbol"))]
    elif "symbols" in call.params:
        pairs = [pair_named(call, symbol) for symbol in symbols_asked(call)]
    else:
        return call.market.trading(call.now) if status == "TRADING" else []
    if status != "TRADING":    # every pair here trades
        raise WireError(-1220, "The symbol's status does not match the requested symbolStatus.")
    return pairs


def _symbol(pair: Pair) -> dict[str, Any]:
    return {
        "symbol": pair.symbol, "status": "TRADING", "baseAsset": pair.base, "baseAssetPrecision": 8,
        "quoteAsset": pair.quote, "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8, "orderTypes": ORDER_TYPES, "icebergAllowed": True, "ocoAllowed": True,
        "otoAllowed": True, "opoAllowed": True, "quoteOrderQtyMarketAllowed": True, "allowTrailingStop": True,
        "cancelReplaceAllowed": True, "amendAllowed": True, "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": True, "isMarginTradingAllowed": True, "filters": _filters(pair), "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]], "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"],
    }


def _filters(pair: Pair) -> list[dict[str, Any]]:
    """As recorded for BTCUSDT on 2026-07-03, with the pair's own tick and step."""
    return [
        {"filterType": "PRICE_FILTER", "minPrice": pair.tick, "maxPrice": "1000000.00000000", "tickSize": pair.tick},
        {"filterType": "LOT_SIZE", "minQty": pair.step, "maxQty": "9000.00000000", "stepSize": pair.step},
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "160.64030255", "stepSize": "0.00000000"},
        {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000,
         "minTrailingBelowDelta": 10, "maxTrailingBelowDelta": 2000},
        {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "2", "bidMultiplierDown": "0.5",
         "askMultiplierUp": "2", "askMultiplierDown": "0.5", "avgPriceMins": 5},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True,
         "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]

"""`/api/v3`: prices, candles and trades. Source: BINANCE.md section 4."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .candles import CLOSE, HIGH, LOW, OPEN, OPEN_TIME, QUOTE_VOLUME, VOLUME, Rows
from .clock import DAY, MINUTE
from .errors import WireError, invalid_symbol
from .market import STATUSES, TRADING
from .money import decimal_of, fixed, float_text
from .pairs import Pair
from .prices_wire import klines as read_klines
from .prices_wire import pair_named, price_text, symbols_asked
from .trades_wire import FIRST, PER_MINUTE
from .wire import Call

PLACES = 8    # every price and amount of spot
MOST_KLINES = 1000
BOOK_QUANTITIES = ("3.06359000", "1.78648000")    # bid, ask: as recorded on 2026-07-15
ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]
NO_REFERENCE = WireError(-2043, "This symbol doesn't have a reference price.")
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300_000},
]


def ping(call: Call) -> dict[str, Any]:
    return {}


def time(call: Call) -> dict[str, Any]:
    return {"serverTime": call.stamp(call.now)}


def exchange_info(call: Call) -> dict[str, Any]:
    pairs = _pairs_asked(call)
    return {"timezone": "UTC", "serverTime": call.stamp(call.now), "rateLimits": RATE_LIMITS, "exchangeFilters": [],
            "symbols": [_symbol(pair, call.market.status(pair.symbol, call.now)) for pair in pairs]}


def ticker_price(call: Call) -> Any:
    """One object for `symbol`, else an array; without symbolStatus, halted pairs keep their last price."""
    prices = [{"symbol": pair.symbol, "price": price_text(call, pair, PLACES)} for pair in _pairs_asked(call)]
    return prices[0] if "symbol" in call.params else prices


def book_ticker(call: Call) -> Any:
    """The price as best bid, and one tick above it as best ask."""
    rows = [_best(call, pair) for pair in _pairs_asked(call)]
    return rows[0] if "symbol" in call.params else rows


def depth(call: Call) -> dict[str, Any]:
    """A book of equal steps around the price."""
    pair, limit = pair_named(call, call.text("symbol")), call.limit(100, 5000)
    bid, ask, tick = *_bid_ask(call, pair), Decimal(pair.tick)
    bids = [[fixed(bid - step * tick), BOOK_QUANTITIES[0]] for step in range(limit) if bid > step * tick]
    asks = [[fixed(ask + step * tick), BOOK_QUANTITIES[1]] for step in range(limit)]
    return {"lastUpdateId": _last_id(call), "bids": bids, "asks": asks}


def futures_depth(call: Call) -> dict[str, Any]:
    """As /fapi has it: with two times."""
    return {**depth(call), "E": call.now, "T": call.now}


def average_price(call: Call) -> dict[str, Any]:
    """Of the last five minutes' closes."""
    pair = pair_named(call, call.text("symbol"))
    rows = call.market.klines(pair.symbol, "1m", call.now, None, None, 5)
    return {"mins": 5, "price": fixed(decimal_of(round(float(rows[:, CLOSE].mean()), PLACES))),
            "closeTime": call.stamp(call.now)}


def klines(call: Call) -> list[list[Any]]:
    return read_klines(call, MOST_KLINES, lambda pair: PLACES, PLACES)


def ticker_weight(params: dict[str, str]) -> int:
    return 2 if "symbol" in params else 4


def depth_weight(params: dict[str, str]) -> int:
    limit = int(params["limit"]) if params.get("limit", "").isdecimal() else 100
    return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1000 else 250


# -- statistics ------------------------------------------------------------------------------------------------
def ticker_24h(call: Call) -> Any:
    """The last 24 hours."""
    rows = [_statistics(call, pair, call.now - DAY + 1, full=call.params.get("type") != "MINI")
            for pair in _pairs_asked(call)]
    return rows[0] if "symbol" in call.params else rows


def ticker_24h_weight(params: dict[str, str]) -> int:
    return 2 if "symbol" in params else 80


def ticker_day(call: Call) -> Any:
    """The UTC day so far."""
    return _of_named(call, call.now // DAY * DAY)


def ticker_window(call: Call) -> Any:
    """The last `windowSize`, a day unless asked otherwise."""
    size = call.params.get("windowSize") or "1d"
    units = {"m": MINUTE, "h": 60 * MINUTE, "d": DAY}
    if size[:-1].isdecimal() and size[-1] in units and 0 < int(size[:-1]) * units[size[-1]] <= 7 * DAY:
        return _of_named(call, call.now - int(size[:-1]) * units[size[-1]] + 1)
    raise WireError(-1100, "Illegal characters found in parameter 'windowSize'.")


def _of_named(call: Call, start: int) -> Any:
    """Statistics of the pairs that `symbol` or `symbols` names."""
    if "symbol" not in call.params and "symbols" not in call.params:
        raise WireError(-1128, "Combination of optional parameters invalid.")
    rows = [_statistics(call, pair, start, full=False) for pair in _pairs_asked(call)]
    return rows[0] if "symbol" in call.params else rows


def _statistics(call: Call, pair: Pair, start: int, *, full: bool) -> dict[str, Any]:
    minutes = (call.now - start) // MINUTE + 2
    rows = call.market.klines(pair.symbol, "1m", call.now, start // MINUTE * MINUTE, None, minutes)
    last = float(price_text(call, pair, PLACES))
    opened = float(rows[0, OPEN]) if len(rows) else last
    volume, turnover = float(rows[:, VOLUME].sum()), float(rows[:, QUOTE_VOLUME].sum())
    row = {
        "symbol": pair.symbol, "priceChange": _eight(last - opened),
        "priceChangePercent": f"{(last / opened - 1) * 100:.3f}",
        "weightedAvgPrice": _eight(turnover / volume if volume else last), "openPrice": _eight(opened),
        "highPrice": _eight(float(rows[:, HIGH].max()) if len(rows) else last),
        "lowPrice": _eight(float(rows[:, LOW].min()) if len(rows) else last), "lastPrice": _eight(last),
        "volume": _eight(volume), "quoteVolume": _eight(turnover), "openTime": call.stamp(start),
        "closeTime": call.stamp(call.now), **_ids(rows),
    }
    if not full:
        return row
    best = _best(call, pair)
    return {**row, "prevClosePrice": _eight(opened), "lastQty": BOOK_QUANTITIES[1],
            **{key: value for key, value in best.items() if key != "symbol"}}


def _ids(rows: Rows) -> dict[str, int]:
    """First and last of the made-up trades, and how many there are."""
    if not len(rows):
        return {"firstId": -1, "lastId": -1, "count": 0}
    first, last = ((int(rows[place, OPEN_TIME]) - FIRST) // MINUTE * PER_MINUTE for place in (0, -1))
    return {"firstId": first, "lastId": last + PER_MINUTE - 1, "count": last + PER_MINUTE - first}


def _eight(value: float) -> str:
    return fixed(decimal_of(round(value, PLACES)))


# -- pairs -----------------------------------------------------------------------------------------------------
def _bid_ask(call: Call, pair: Pair) -> tuple[Decimal, Decimal]:
    price = call.market.price(pair.symbol, call.now) or Decimal(0)
    return price, price + Decimal(pair.tick)


def _best(call: Call, pair: Pair) -> dict[str, str]:
    bid, ask = (float_text(float(price), PLACES) for price in _bid_ask(call, pair))
    return {"symbol": pair.symbol, "bidPrice": bid, "bidQty": BOOK_QUANTITIES[0], "askPrice": ask,
            "askQty": BOOK_QUANTITIES[1]}


def _last_id(call: Call) -> int:
    return (call.now - FIRST) // 100


def _pairs_asked(call: Call) -> list[Pair]:
    """The pairs named by symbol, symbols or symbolStatus; one unknown name spoils the whole call."""
    if "symbol" in call.params and "symbols" in call.params:
        raise WireError(-1128, "Combination of optional parameters invalid.")
    status = call.params.get("symbolStatus")
    if status is not None and status not in STATUSES:
        raise WireError(-1122, "Invalid symbolStatus.")
    names = [call.text("symbol")] if "symbol" in call.params else None
    if "symbols" in call.params:
        names = symbols_asked(call)
    if names is None:
        return [pair for pair in call.market.listed(call.now)
                if status in (None, call.market.status(pair.symbol, call.now))]
    pairs = [pair_named(call, name) for name in names]
    if any(status not in (None, call.market.status(pair.symbol, call.now)) for pair in pairs):
        raise WireError(-1220, "The symbol's status does not match the requested symbolStatus.")
    return pairs


def trading_pair(call: Call) -> Pair:
    """The pair that `symbol` names; it may have stopped trading, but must be known."""
    pair = call.market.pairs.get(call.text("symbol"))
    if pair is None:
        raise invalid_symbol()
    return pair


def _symbol(pair: Pair, status: str) -> dict[str, Any]:
    return {
        "symbol": pair.symbol, "status": status, "baseAsset": pair.base, "baseAssetPrecision": 8,
        "quoteAsset": pair.quote, "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8, "orderTypes": ORDER_TYPES, "icebergAllowed": True, "ocoAllowed": True,
        "otoAllowed": True, "opoAllowed": True, "quoteOrderQtyMarketAllowed": True, "allowTrailingStop": True,
        "cancelReplaceAllowed": True, "amendAllowed": True, "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": status == TRADING, "isMarginTradingAllowed": True, "filters": filters(pair),
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]], "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"],
    }


def filters(pair: Pair) -> list[dict[str, Any]]:
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

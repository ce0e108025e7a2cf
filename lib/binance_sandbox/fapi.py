"""`/fapi`: what USDⓈ-M futures tell everybody: symbols, prices, funding. Source: BINANCE.md sections 6.1 to 6.3."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from . import futures_data
from .clock import DAY, HOUR
from .fapi_wire import contract_named, contracts
from .futures.contracts import MOST_OPEN_ORDERS, limits_of
from .futures.statement import DOLLARS, HAIRCUT
from .market import TRADING
from .money import fixed, float_text
from .pairs import Pair
from .prices_wire import klines as read_klines
from .prices_wire import pair_named, price_text
from .wire import Call

MOST_KLINES = 1500
AUTO_EXCHANGE = {"USDT": "-10000", "BTC": "-0.10000000", "BNB": "0", "ETH": "0", "USDC": "-10000", "FDUSD": "0",
                 "BNFCR": "-5000", "BFUSD": "0", "LDUSDT": "0", "RWUSD": "0", "USD1": "-5000", "U": "-5000"}
ORDER_TYPES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
]


# -- public ----------------------------------------------------------------------------------------------------
def exchange_info(call: Call) -> dict[str, Any]:
    """The whole list; Binance knows no parameters here."""
    return {"timezone": "UTC", "serverTime": call.now, "futuresType": "U_MARGINED", "rateLimits": RATE_LIMITS,
            "exchangeFilters": [],
            "assets": [{"asset": asset, "marginAvailable": True, "autoAssetExchange": threshold}
                       for asset, threshold in AUTO_EXCHANGE.items()],
            "symbols": [_symbol(call, pair) for pair in call.market.listed(call.now) if pair.on_futures]}


def klines(call: Call) -> list[list[Any]]:
    return read_klines(call, MOST_KLINES, lambda pair: pair.price_precision, 3)


def klines_weight(params: dict[str, str]) -> int:
    limit = params.get("limit") or "500"
    asked = int(limit) if limit.isdecimal() else 500
    return 1 if asked < 100 else 2 if asked < 500 else 5 if asked <= 1000 else 10


def ticker_price(call: Call) -> Any:
    """One object for `symbol`, else an array."""
    prices = [{"symbol": pair.symbol, "price": price_text(call, pair, pair.price_precision), "time": call.now}
              for pair in _asked(call)]
    return prices[0] if call.params.get("symbol") else prices


def ticker_weight(params: dict[str, str]) -> int:
    return 1 if params.get("symbol") else 2


def premium_index(call: Call) -> Any:
    """Mark price and funding; the mark is the one price there is."""
    rows = [_premium(call, pair) for pair in _asked(call)]
    return rows[0] if call.params.get("symbol") else rows


def premium_weight(params: dict[str, str]) -> int:
    return 1 if params.get("symbol") else 10


def _premium(call: Call, pair: Pair) -> dict[str, Any]:
    price, engine = price_text(call, pair, 8), call.state.futures
    contract = engine.contract(pair.symbol)
    due = engine.funding.next_time(contract, call.now)
    return {"symbol": pair.symbol, "markPrice": price, "indexPrice": price, "estimatedSettlePrice": price,
            "lastFundingRate": fixed(engine.funding.rate(contract, due)), "interestRate": "0.00010000",
            "nextFundingTime": due, "time": call.now}


def book_ticker(call: Call) -> Any:
    """One price, bid and asked: there is no spread."""
    rows = [{"symbol": pair.symbol, "bidPrice": price, "bidQty": "10.000", "askPrice": price, "askQty": "10.000",
             "time": call.now, "lastUpdateId": call.now}
            for pair in _asked(call) for price in (price_text(call, pair, pair.price_precision),)]
    return rows[0] if call.params.get("symbol") else rows


def book_weight(params: dict[str, str]) -> int:
    return 2 if params.get("symbol") else 5


def pair_klines(call: Call) -> list[list[Any]]:
    """continuousKlines and indexPriceKlines name a pair where the others name a symbol."""
    call.params.setdefault("symbol", call.text("pair"))
    if call.params.get("contractType", "PERPETUAL") != "PERPETUAL":
        return []
    return klines(call)


def index_klines(call: Call) -> list[list[Any]]:
    call.params.setdefault("symbol", call.text("pair"))
    return mark_klines(call)


def open_interest(call: Call) -> dict[str, Any]:
    """What the accounts here hold, longs alone."""
    contract = contract_named(call)
    held = futures_data.interest(call, contract.symbol, call.now)
    return {"openInterest": fixed(held, contract.quantity_places), "symbol": contract.symbol, "time": call.now}


def mark_klines(call: Call) -> list[list[Any]]:
    """The mark is the one price there is; nothing is traded at it."""
    return [[*row[:5], "0", row[6], "0", row[8], "0", "0", "0"] for row in klines(call)]


def premium_klines(call: Call) -> list[list[Any]]:
    """There is no premium."""
    return [[row[0], *["0.00000000"] * 4, "0", row[6], "0", row[8], "0", "0", "0"] for row in klines(call)]


def constituents(call: Call) -> dict[str, Any]:
    """The index is the spot price of this exchange alone."""
    pair = pair_named(call, contract_named(call).symbol)
    return {"symbol": pair.symbol, "time": call.now, "constituents": [
        {"exchange": "binance", "symbol": pair.symbol, "price": price_text(call, pair, 8), "weight": "1.00000000"}]}


def adl_risk(call: Call) -> Any:
    """Nobody is deleveraged here."""
    rows = [{"symbol": pair.symbol, "adlRisk": "low", "updateTime": call.now // HOUR * HOUR} for pair in _asked(call)]
    return rows[0] if call.params.get("symbol") else rows


def insurance_fund(call: Call) -> dict[str, Any]:
    """The fund takes and gives what it must; nobody counts it."""
    return {"symbols": [pair.symbol for pair in _asked(call)], "assets": []}


def trading_schedule(call: Call) -> dict[str, Any]:
    """Of contracts on stocks and metals, which do not trade here."""
    return {"updateTime": call.now // DAY * DAY, "marketSchedules": {}}


def ticker_24h(call: Call) -> Any:
    rows = [_last_day(call, pair) for pair in _asked(call)]
    return rows[0] if call.params.get("symbol") else rows


def day_weight(params: dict[str, str]) -> int:
    return 1 if params.get("symbol") else 40


def _last_day(call: Call, pair: Pair) -> dict[str, Any]:
    places, start = pair.price_precision, call.now - DAY
    rows = call.market.klines(pair.symbol, "1m", call.now, start, None, 1441)
    first, last = Decimal(repr(float(rows[0, 1]))), Decimal(repr(float(rows[-1, 4])))
    volume, quote = round(float(rows[:, 5].sum()), 3), round(float(rows[:, 6].sum()), 2)
    return {"symbol": pair.symbol, "priceChange": fixed(last - first, places),
            "priceChangePercent": fixed((last / first - 1) * 100, 3),
            "weightedAvgPrice": float_text(round(quote / volume, places) if volume else float(last), places),
            "lastPrice": fixed(last, places), "lastQty": "1.000", "openPrice": fixed(first, places),
            "highPrice": float_text(float(rows[:, 2].max()), places),
            "lowPrice": float_text(float(rows[:, 3].min()), places), "volume": float_text(volume, 3),
            "quoteVolume": float_text(quote, 2), "openTime": start, "closeTime": call.now, "firstId": 1,
            "lastId": int(rows[:, 7].sum()) + 1, "count": int(rows[:, 7].sum())}


def asset_index(call: Call) -> Any:
    """What a margin asset counts in multi-assets mode: one haircut for all coins."""
    symbol = call.params.get("symbol")
    every = [row for row in (_index(call, asset) for asset in AUTO_EXCHANGE) if row]
    rows = [row for row in every if symbol in (None, "", row["symbol"])]
    return rows[0] if symbol and rows else rows


def asset_index_weight(params: dict[str, str]) -> int:
    return 1 if params.get("symbol") else 10


def _index(call: Call, asset: str) -> dict[str, Any] | None:
    price = Decimal(1) if asset in DOLLARS else call.market.price(f"{asset}USDT", call.now)
    if price is None:
        return None
    buffer = Decimal(0) if asset in DOLLARS else 1 - HAIRCUT
    low, high = fixed(price * (1 - buffer)), fixed(price * (1 + buffer))
    return {"symbol": f"{asset}USD", "time": call.now, "index": fixed(price), "bidBuffer": fixed(buffer),
            "askBuffer": fixed(buffer), "bidRate": low, "askRate": high, "autoExchangeBidBuffer": fixed(buffer),
            "autoExchangeAskBuffer": fixed(buffer), "autoExchangeBidRate": low, "autoExchangeAskRate": high}


# -- funding ---------------------------------------------------------------------------------------------------
def funding_rates(call: Call) -> list[dict[str, Any]]:
    """Ascending. With startTime the first of the window, else the newest up to endTime or now."""
    start, end, limit = call.integer("startTime"), call.integer("endTime"), call.limit(100, 1000)
    symbol, last = call.params.get("symbol"), min(call.now, call.now if end is None else end)
    pairs = [contract_named(call).symbol] if symbol else [pair.symbol for pair in contracts(call)]
    rows = [row for name in pairs for row in _settled(call, name, start, last, limit)]
    rows.sort(key=lambda row: (row["fundingTime"], row["symbol"]))
    return rows[:limit] if start is not None else rows[-limit:]


def _settled(call: Call, symbol: str, start: int | None, last: int, limit: int) -> list[dict[str, Any]]:
    """One symbol's settlements, at most `limit` of them."""
    engine, contract = call.state.futures, call.state.futures.contract(symbol)
    interval = engine.funding.interval(contract, last)
    time = engine.funding.next_time(contract, (last - limit * interval if start is None else start) - 1)
    rows: list[dict[str, Any]] = []
    while time <= last and len(rows) < limit + 1:
        if (price := call.market.price(symbol, time)) is not None:
            rows.append({"symbol": symbol, "fundingRate": fixed(engine.funding.rate(contract, time)),
                         "fundingTime": time, "markPrice": fixed(price), "rateType": "Regular"})
        time = engine.funding.next_time(contract, time)
    return rows[:limit] if start is not None else rows[-limit:]


def funding_info(call: Call) -> list[dict[str, Any]]:
    """Cap, floor and interval."""
    rows = []
    for pair in contracts(call):
        contract = call.state.futures.contract(pair.symbol)
        cap, interval = contract.limits.funding_cap, call.state.futures.funding.interval(contract, call.now)
        rows.append({"symbol": pair.symbol, "adjustedFundingRateCap": cap, "adjustedFundingRateFloor": f"-{cap}",
                     "fundingIntervalHours": interval // HOUR, "disclaimer": True, "updateTime": None})
    return rows


def _asked(call: Call) -> list[Pair]:
    symbol = call.params.get("symbol")
    return [pair_named(call, symbol)] if symbol else contracts(call)


# -- exchangeInfo ----------------------------------------------------------------------------------------------
def _symbol(call: Call, pair: Pair) -> dict[str, Any]:
    """As recorded on 2026-07-03."""
    limits = limits_of(pair)
    status = TRADING if call.market.status(pair.symbol, call.now) == TRADING else "SETTLING"
    return {
        "symbol": pair.symbol, "pair": pair.symbol, "contractType": "PERPETUAL", "deliveryDate": 4_133_404_800_000,
        "onboardDate": pair.onboard, "status": status, "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000", "baseAsset": pair.base, "quoteAsset": pair.quote, "marginAsset": pair.quote,
        "pricePrecision": pair.price_precision, "quantityPrecision": pair.quantity_precision, "baseAssetPrecision": 8,
        "quotePrecision": 8, "underlyingType": "COIN", "underlyingSubType": list(limits.kinds),
        "triggerProtect": f"{Decimal(limits.band):.4f}", "liquidationFee": limits.liquidation_fee,
        "marketTakeBound": limits.band, "maxMoveOrderLimit": 10_000,
        "filters": _filters(pair), "orderTypes": ORDER_TYPES, "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": list(limits.permissions),
    }


def _filters(pair: Pair) -> list[dict[str, Any]]:
    tick, step, limits = pair.futures_tick, pair.futures_step, limits_of(pair)
    band = Decimal(limits.band)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": limits.min_price, "maxPrice": limits.max_price, "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": limits.max_quantity, "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": limits.market_max_quantity, "stepSize": step},
        {"filterType": "MAX_NUM_ORDERS", "limit": MOST_OPEN_ORDERS},
        {"filterType": "MIN_NOTIONAL", "notional": pair.futures_min_notional},
        {"filterType": "PERCENT_PRICE", "multiplierUp": f"{1 + band:.4f}", "multiplierDown": f"{1 - band:.4f}",
         "multiplierDecimal": "4"},
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]

"""`/dapi`: COIN-M futures. Wallets in coins; there are contracts and prices, but nobody can hold a position.

Source: BINANCE.md section 9. One price for spot, futures and mark: that of the coin's USDT pair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .clock import DAY, HOUR, MINUTE
from .errors import WireError, invalid_symbol, key_rejected
from .ledger import Amounts, Holdings, opened_futures
from .money import ZERO, fixed, float_text
from .pairs import Pair
from .prices_wire import klines as read_klines
from .prices_wire import price_text
from .wire import Call

MARGIN_COINS = ("BTC", "ETH", "BNB", "SOL")
SIZES = {"BTC": 100}    # USD per contract; 10 for all others
LEVERAGE = "20"
FUNDING_INTERVAL = 8 * HOUR
PERPETUAL = "_PERP"
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
]
ORDER_TYPES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
BRACKETS = ((125, 5, "0.004", "0"), (100, 10, "0.005", "0.005"), (50, 20, "0.01", "0.055"), (20, 50, "0.025", "0.355"))


# -- contracts -------------------------------------------------------------------------------------------------
def contracts(call: Call) -> list[Pair]:
    """The USDT pairs of the coins that have a contract."""
    return [pair for pair in call.market.trading(call.now) if pair.quote == "USDT" and pair.base in MARGIN_COINS]


def asked(call: Call) -> list[Pair]:
    """Those that symbol (BTCUSD_PERP) or pair (BTCUSD) names."""
    symbol, pair = call.params.get("symbol"), call.params.get("pair")
    found = [known for known in contracts(call)
             if symbol in (None, "", _symbol(known)) and pair in (None, "", f"{known.base}USD")]
    if not found and (symbol or pair):
        raise invalid_symbol()
    return found


def _symbol(pair: Pair) -> str:
    return f"{pair.base}USD{PERPETUAL}"


def _named(pair: Pair) -> dict[str, str]:
    return {"symbol": _symbol(pair), "pair": f"{pair.base}USD"}


def exchange_info(call: Call) -> dict[str, Any]:
    return {"timezone": "UTC", "serverTime": call.now, "rateLimits": RATE_LIMITS, "exchangeFilters": [],
            "symbols": [_contract(pair) for pair in contracts(call)]}


def _contract(pair: Pair) -> dict[str, Any]:
    tick = "0.1" if pair.base == "BTC" else "0.01"
    return {**_named(pair), "contractType": "PERPETUAL", "deliveryDate": 4_133_404_800_000,
            "onboardDate": 1_596_006_000_000, "contractStatus": "TRADING", "contractSize": SIZES.get(pair.base, 10),
            "marginAsset": pair.base, "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000",
            "baseAsset": pair.base, "quoteAsset": "USD", "pricePrecision": 1 if pair.base == "BTC" else 2,
            "quantityPrecision": 0, "baseAssetPrecision": 8, "quotePrecision": 8, "equalQtyPrecision": 4,
            "maxMoveOrderLimit": 10_000, "triggerProtect": "0.0500", "underlyingType": "COIN", "underlyingSubType": [],
            "liquidationFee": "0.015000", "marketTakeBound": "0.05", "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4520958", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "1000000", "stepSize": "1"},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "1", "maxQty": "60000", "stepSize": "1"},
                {"filterType": "MAX_NUM_ORDERS", "limit": 200},
                {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500",
                 "multiplierDecimal": "4"}],
            "orderTypes": ORDER_TYPES, "timeInForce": ["GTC", "IOC", "FOK", "GTX"]}


# -- prices ----------------------------------------------------------------------------------------------------
def ticker_price(call: Call) -> list[dict[str, Any]]:
    """An array, also of one."""
    return [{"symbol": _symbol(pair), "ps": f"{pair.base}USD", "price": price_text(call, pair, 1), "time": call.now}
            for pair in asked(call)]


def book_ticker(call: Call) -> list[dict[str, Any]]:
    return [{**_named(pair), "bidPrice": price, "bidQty": "100", "askPrice": price, "askQty": "100", "time": call.now,
             "lastUpdateId": call.now} for pair in asked(call) for price in (price_text(call, pair, 1),)]


def ticker_24h(call: Call) -> list[dict[str, Any]]:
    return [_day(call, pair) for pair in asked(call)]


def _day(call: Call, pair: Pair) -> dict[str, Any]:
    rows = call.market.klines(pair.symbol, "1m", call.now, (call.now - DAY) // MINUTE * MINUTE, None, 1442)
    last, first = float(price_text(call, pair, 1)), float(rows[0, 1])
    base, contracts_traded = float(rows[:, 5].sum()), float(rows[:, 6].sum()) / SIZES.get(pair.base, 10)
    return {**_named(pair), "priceChange": _text(last - first), "priceChangePercent": f"{(last / first - 1) * 100:.3f}",
            "weightedAvgPrice": _text(float(rows[:, 6].sum()) / base if base else last), "lastPrice": _text(last),
            "lastQty": "100", "openPrice": _text(first), "highPrice": _text(float(rows[:, 2].max())),
            "lowPrice": _text(float(rows[:, 3].min())), "volume": str(int(contracts_traded)), "baseVolume": _text(base),
            "openTime": call.now - DAY, "closeTime": call.now, "firstId": 0, "lastId": len(rows), "count": len(rows)}


def _text(value: float) -> str:
    return float_text(round(value, 8), 1)


def premium_index(call: Call) -> list[dict[str, Any]]:
    """An array, also of one."""
    following = (call.now // FUNDING_INTERVAL + 1) * FUNDING_INTERVAL
    return [{**_named(pair), "markPrice": price, "indexPrice": price, "estimatedSettlePrice": price,
             "lastFundingRate": "0.00010000", "interestRate": "0.00010000", "nextFundingTime": following,
             "time": call.now} for pair in asked(call) for price in (price_text(call, pair, 8),)]


def on_pair(endpoint: Callable[[Call], Any]) -> Callable[[Call], Any]:
    """`endpoint` of the contract's USDT pair, under the contract's name."""
    def answer(call: Call) -> Any:
        symbol = call.text("symbol")
        pair = _of(call, symbol)
        found = endpoint(Call(call.state, call.path, {**call.params, "symbol": pair.symbol}, call.now))
        return {**found, "symbol": symbol, "pair": f"{pair.base}USD"} if isinstance(found, dict) else found

    return answer


def _of(call: Call, symbol: str) -> Pair:
    pair = next((known for known in contracts(call) if symbol in (_symbol(known), f"{known.base}USD")), None)
    if pair is None:
        raise invalid_symbol()
    return pair


def funding_rates(call: Call) -> list[dict[str, Any]]:
    """The same rate every eight hours, ascending."""
    pair, limit = _of(call, call.text("symbol")), call.limit(100, 1000)
    start, end = call.moment("startTime"), min(call.moment("endTime") or call.now, call.now)
    times = range(-(-(start or 0) // FUNDING_INTERVAL) * FUNDING_INTERVAL, end + 1, FUNDING_INTERVAL)
    return [{"symbol": _symbol(pair), "fundingTime": time, "fundingRate": "0.00010000", "markPrice": ""}
            for time in (times[-limit:] if start is None else times[:limit])]


def open_interest(call: Call) -> dict[str, Any]:
    """In contracts."""
    symbol = call.text("symbol")
    pair = _of(call, symbol)
    return {**_named(pair), "openInterest": "0", "contractType": "PERPETUAL", "time": call.now}


def klines(call: Call) -> list[list[Any]]:
    """Volumes in contracts and, where the quote volume would be, in the coin."""
    pair = _of(call, call.params.get("symbol") or call.text("pair"))
    size = SIZES.get(pair.base, 10)
    rows = read_klines(Call(call.state, call.path, {**call.params, "symbol": pair.symbol}, call.now), 1500,
                       lambda known: 1, 3)
    return [[*row[:5], str(int(float(row[7]) / size)), row[6], row[5], row[8], str(int(float(row[10]) / size)), row[9],
             "0"] for row in rows]


# -- account ---------------------------------------------------------------------------------------------------
def _opened(call: Call) -> Holdings:
    if not opened_futures(call.account, call.holdings):
        raise key_rejected()
    return call.holdings


def _assets(call: Call) -> list[tuple[str, Amounts, int]]:
    """Every margin coin with what the wallet holds, and when that changed last."""
    holdings = _opened(call)
    wallet = holdings.wallets.get("coin_futures", {})
    return [(asset, wallet.get(asset, Amounts()), holdings.updated.get("coin_futures", 0) if asset in wallet else 0)
            for asset in [*MARGIN_COINS, *sorted(set(wallet) - set(MARGIN_COINS))]]


def balance(call: Call) -> list[dict[str, Any]]:
    """In coins."""
    return [{"accountAlias": f"sb{call.account.uid:x}", "asset": asset, "balance": fixed(amounts.total),
             "withdrawAvailable": fixed(max(amounts.free, ZERO)), "crossWalletBalance": fixed(amounts.total),
             "crossUnPnl": fixed(ZERO), "availableBalance": fixed(max(amounts.free, ZERO)), "updateTime": updated}
            for asset, amounts, updated in _assets(call)]


def account(call: Call) -> dict[str, Any]:
    nothing = dict.fromkeys(("maintMargin", "initialMargin", "positionInitialMargin", "openOrderInitialMargin",
                             "crossUnPnl"), fixed(ZERO))
    assets = [{"asset": asset, "walletBalance": fixed(amounts.total), "unrealizedProfit": fixed(ZERO),
               "marginBalance": fixed(amounts.total), **nothing, "maxWithdrawAmount": fixed(max(amounts.free, ZERO)),
               "crossWalletBalance": fixed(amounts.total), "availableBalance": fixed(max(amounts.free, ZERO)),
               "updateTime": updated} for asset, amounts, updated in _assets(call)]
    return {"assets": assets, "positions": [_position(pair) for pair in contracts(call)], "canDeposit": True,
            "canTrade": True, "canWithdraw": True, "feeTier": 0, "updateTime": 0}


def _position(pair: Pair) -> dict[str, Any]:
    return {"symbol": _symbol(pair), "initialMargin": "0", "maintMargin": "0", "unrealizedProfit": "0.00000000",
            "positionInitialMargin": "0", "openOrderInitialMargin": "0", "leverage": LEVERAGE, "isolated": False,
            "positionSide": "BOTH", "entryPrice": "0.00000000", "breakEvenPrice": "0.0", "maxQty": "50",
            "notionalValue": "0", "isolatedWallet": "0", "positionAmt": "0", "updateTime": 0}


def position_risk(call: Call) -> list[dict[str, Any]]:
    _opened(call)
    coin, name = call.params.get("marginAsset"), call.params.get("pair")
    return [{"symbol": _symbol(pair), "positionAmt": "0", "entryPrice": "0.00000000", "breakEvenPrice": "0.0",
             "markPrice": price_text(call, pair, 8), "unRealizedProfit": "0.00000000", "liquidationPrice": "0",
             "leverage": LEVERAGE, "maxQty": "50", "marginType": "cross", "isolatedMargin": "0.00000000",
             "isAutoAddMargin": "false", "positionSide": "BOTH", "notionalValue": "0", "isolatedWallet": "0",
             "updateTime": 0} for pair in contracts(call)
            if coin in (None, "", pair.base) and name in (None, "", f"{pair.base}USD")]


def brackets(key: str) -> Callable[[Call], list[dict[str, Any]]]:
    """leverageBracket by `key`: v1 names the pair, v2 the symbol; `qtylFloor` is spelt so."""
    def answer(call: Call) -> list[dict[str, Any]]:
        floors = [0, *(cap for _, cap, _, _ in BRACKETS)]
        rows = [{"bracket": number, "initialLeverage": leverage, "qtyCap": cap, "qtylFloor": floors[number - 1],
                 "maintMarginRatio": float(ratio), "cum": float(cum)}
                for number, (leverage, cap, ratio, cum) in enumerate(BRACKETS, 1)]
        return [{key: _named(pair)[key], "brackets": rows} for pair in asked(call)]

    return answer


def commission(call: Call) -> dict[str, str]:
    _opened(call)
    call.text("symbol")
    return {"symbol": _symbol(asked(call)[0]), "makerCommissionRate": "0.000100", "takerCommissionRate": "0.000500"}


def nothing(call: Call) -> list[Any]:
    """Orders, trades, income: there are none."""
    _opened(call)
    if call.params.get("symbol"):
        asked(call)
    return []


def no_order(call: Call) -> None:
    """Neither plain nor conditional."""
    _opened(call)
    raise WireError(-2013, "Order does not exist.")

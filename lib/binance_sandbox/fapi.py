"""`/fapi`: USDⓈ-M prices, account, balances and positions. Source: BINANCE.md section 6.

There is no engine yet: leverage is one number for all, margins use the first bracket, nothing liquidates.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from .clock import HOUR
from .errors import key_rejected
from .ledger import Holdings, Position, opened_futures
from .money import ZERO, cut, fixed, float_text, plain
from .pairs import Pair
from .prices_wire import klines as read_klines
from .prices_wire import pair_named, price_text
from .valuation import profit_of, unrealised
from .wire import Call

MOST_KLINES = 1500
LEVERAGE = 20
MAINTENANCE_RATE = Decimal("0.004")    # BTCUSDT's first bracket
TAKER_FEE = Decimal("0.0005")
MAX_NOTIONAL = "100000000"
FUNDING_INTERVAL = 8 * HOUR
MARGIN_ASSETS = ("USDT", "BTC", "BNB", "ETH", "USDC")    # listed even when empty, like Binance does
AUTO_EXCHANGE = {"USDT": "-10000", "USDC": "-10000", "BTC": "-0.10000000"}
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
            "assets": [{"asset": asset, "marginAvailable": True, "autoAssetExchange": AUTO_EXCHANGE.get(asset, "0")}
                       for asset in MARGIN_ASSETS],
            "symbols": [_symbol(pair) for pair in _contracts(call)]}


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
    price = price_text(call, pair, 8)
    return {"symbol": pair.symbol, "markPrice": price, "indexPrice": price, "estimatedSettlePrice": price,
            "lastFundingRate": "0.00010000", "interestRate": "0.00010000",
            "nextFundingTime": (call.now // FUNDING_INTERVAL + 1) * FUNDING_INTERVAL, "time": call.now}


def _contracts(call: Call) -> list[Pair]:
    return [pair for pair in call.market.trading(call.now) if pair.on_futures]


def _asked(call: Call) -> list[Pair]:
    symbol = call.params.get("symbol")
    return [pair_named(call, symbol)] if symbol else _contracts(call)


# -- account ---------------------------------------------------------------------------------------------------
def account_v3(call: Call) -> dict[str, Any]:
    """Totals (USDT alone: single-asset mode), every margin asset, and the open positions."""
    holdings = _opened(call)
    assets = [_asset(call, holdings, asset) for asset in _margin_assets(holdings)]
    positions = [_account_position(call, position) for position in _open(holdings)]
    return {**_totals(assets), "assets": assets, "positions": positions}


def account_v2(call: Call) -> dict[str, Any]:
    """As v3, with the account's settings, and every symbol among the positions."""
    holdings = _opened(call)
    assets = [{**_asset(call, holdings, asset), "marginAvailable": True} for asset in _margin_assets(holdings)]
    settings = {"feeTier": 0, "feeBurn": False, "canTrade": True, "canDeposit": True, "canWithdraw": True,
                "updateTime": 0, "multiAssetsMargin": False, "tradeGroupId": -1}
    positions = [_account_position_v2(call, position) for position in _every_position(call, holdings)]
    return {**settings, **_totals(assets), "assets": assets, "positions": positions}


def balance(call: Call) -> list[dict[str, Any]]:
    """Wallet balances without unrealised profit."""
    holdings = _opened(call)
    rows = []
    for asset in _margin_assets(holdings):
        row = _asset(call, holdings, asset)
        rows.append({"accountAlias": f"sb{call.account.uid:x}", "asset": asset, "balance": row["walletBalance"],
                     "crossWalletBalance": row["crossWalletBalance"], "crossUnPnl": row["crossUnPnl"],
                     "availableBalance": row["availableBalance"], "maxWithdrawAmount": row["maxWithdrawAmount"],
                     "marginAvailable": True, "updateTime": row["updateTime"]})
    return rows


def position_risk_v3(call: Call) -> list[dict[str, Any]]:
    """Open positions alone."""
    return [_risk_v3(call, position) for position in _open(_opened(call)) if _matches(call, position)]


def position_risk_v2(call: Call) -> list[dict[str, Any]]:
    """Every symbol, with zeros where nothing is open."""
    every = _every_position(call, _opened(call))
    return [_risk_v2(call, position) for position in every if _matches(call, position)]


def _opened(call: Call) -> Holdings:
    """The caller's holdings, unless USDⓈ-M was never opened."""
    if not opened_futures(call.account, call.holdings):
        raise key_rejected()
    if symbol := call.params.get("symbol"):
        pair_named(call, symbol)
    return call.holdings


def _matches(call: Call, position: Position) -> bool:
    return call.params.get("symbol") in (None, "", position.symbol)


def _open(holdings: Holdings) -> list[Position]:
    return [position for _, position in sorted(holdings.positions.items()) if position.amount]


def _every_position(call: Call, holdings: Holdings) -> Iterator[Position]:
    """The open positions, and an empty one for each side of a contract that has none."""
    for pair in _contracts(call):
        mine = [position for position in _open(holdings) if position.symbol == pair.symbol]
        yield from mine or [Position(pair.symbol, "BOTH")]


def _margin_assets(holdings: Holdings) -> list[str]:
    return [*MARGIN_ASSETS, *sorted(set(holdings.wallets.get("futures", {})) - set(MARGIN_ASSETS))]


def _totals(assets: list[dict[str, Any]]) -> dict[str, str]:
    """Single-asset mode: the totals are those of USDT."""
    usdt = next(row for row in assets if row["asset"] == "USDT")
    return {"totalInitialMargin": usdt["initialMargin"], "totalMaintMargin": usdt["maintMargin"],
            "totalWalletBalance": usdt["walletBalance"], "totalUnrealizedProfit": usdt["unrealizedProfit"],
            "totalMarginBalance": usdt["marginBalance"], "totalPositionInitialMargin": usdt["positionInitialMargin"],
            "totalOpenOrderInitialMargin": usdt["openOrderInitialMargin"],
            "totalCrossWalletBalance": usdt["crossWalletBalance"], "totalCrossUnPnl": usdt["crossUnPnl"],
            "availableBalance": usdt["availableBalance"], "maxWithdrawAmount": usdt["maxWithdrawAmount"]}


def _asset(call: Call, holdings: Holdings, asset: str) -> dict[str, Any]:
    """One margin asset: marginBalance = walletBalance + unrealizedProfit."""
    amounts = holdings.wallets.get("futures", {}).get(asset)
    wallet = amounts.total if amounts else ZERO
    profit = unrealised(call.market, holdings, call.now).get(asset, ZERO)
    notional = sum((abs(_notional(call, position)) for position in _open(holdings)
                    if call.market.pairs[position.symbol].quote == asset), ZERO)
    margin = cut(notional / LEVERAGE)
    available = max(wallet + profit - margin, ZERO)
    return {
        "asset": asset, "walletBalance": fixed(wallet), "unrealizedProfit": fixed(profit),
        "marginBalance": fixed(wallet + profit), "maintMargin": fixed(notional * MAINTENANCE_RATE),
        "initialMargin": fixed(margin), "positionInitialMargin": fixed(margin), "openOrderInitialMargin": fixed(ZERO),
        "crossWalletBalance": fixed(wallet), "crossUnPnl": fixed(profit), "availableBalance": fixed(available),
        "maxWithdrawAmount": fixed(max(min(available, wallet - margin), ZERO)),
        "updateTime": holdings.updated.get("futures", 0) if amounts else 0,
    }


# -- positions -------------------------------------------------------------------------------------------------
def _mark(call: Call, symbol: str) -> Decimal:
    return call.market.price(symbol, call.now) or ZERO


def _mark_text(call: Call, position: Position) -> str:
    return float_text(float(_mark(call, position.symbol)), 8)


def _notional(call: Call, position: Position) -> Decimal:
    """Signed, at the mark price."""
    return cut(position.amount * _mark(call, position.symbol))


def _profit(call: Call, position: Position) -> str:
    return fixed(profit_of(call.market, position, call.now))


def _margins(call: Call, position: Position) -> tuple[str, str]:
    notional = abs(_notional(call, position))
    return fixed(notional / LEVERAGE), fixed(notional * MAINTENANCE_RATE)


def _amount(call: Call, position: Position) -> str:
    """At least the contract's precision; a finer amount that a control call made is kept."""
    places = call.market.pairs[position.symbol].quantity_precision
    return float_text(float(position.amount), places)


def _entry(position: Position) -> str:
    return plain(cut(position.entry))


def _break_even(position: Position) -> str:
    """Entry and the fee to close, as in the recorded position of 2024-07-28."""
    return plain(cut(position.entry * (1 + TAKER_FEE.copy_sign(position.amount)))) if position.amount else "0.0"


def _account_position(call: Call, position: Position) -> dict[str, Any]:
    initial, maintenance = _margins(call, position)
    return {"symbol": position.symbol, "positionSide": position.side, "positionAmt": _amount(call, position),
            "unrealizedProfit": _profit(call, position), "isolatedMargin": "0",
            "notional": fixed(_notional(call, position)), "isolatedWallet": "0", "initialMargin": initial,
            "maintMargin": maintenance, "updateTime": position.updated}


def _account_position_v2(call: Call, position: Position) -> dict[str, Any]:
    initial, maintenance = _margins(call, position)
    return {"symbol": position.symbol, "initialMargin": initial, "maintMargin": maintenance,
            "unrealizedProfit": _profit(call, position), "positionInitialMargin": initial,
            "openOrderInitialMargin": "0", "leverage": str(LEVERAGE), "isolated": False,
            "entryPrice": _entry(position), "breakEvenPrice": _break_even(position), "maxNotional": MAX_NOTIONAL,
            "bidNotional": "0", "askNotional": "0", "positionSide": position.side,
            "positionAmt": _amount(call, position), "notional": fixed(_notional(call, position)),
            "isolatedWallet": "0", "updateTime": position.updated}


def _risk_v3(call: Call, position: Position) -> dict[str, Any]:
    initial, maintenance = _margins(call, position)
    return {"symbol": position.symbol, "positionSide": position.side, "positionAmt": _amount(call, position),
            "entryPrice": _entry(position), "breakEvenPrice": _break_even(position),
            "markPrice": _mark_text(call, position), "unRealizedProfit": _profit(call, position),
            "liquidationPrice": "0", "isolatedMargin": "0",
            "notional": fixed(_notional(call, position)),
            "marginAsset": call.market.pairs[position.symbol].quote, "isolatedWallet": "0", "initialMargin": initial,
            "maintMargin": maintenance, "positionInitialMargin": initial, "openOrderInitialMargin": "0", "adl": 2,
            "bidNotional": "0", "askNotional": "0", "updateTime": position.updated}


def _risk_v2(call: Call, position: Position) -> dict[str, Any]:
    return {"symbol": position.symbol, "positionAmt": _amount(call, position), "entryPrice": _entry(position),
            "breakEvenPrice": _break_even(position), "markPrice": _mark_text(call, position),
            "unRealizedProfit": _profit(call, position), "liquidationPrice": "0", "leverage": str(LEVERAGE),
            "maxNotionalValue": MAX_NOTIONAL, "marginType": "cross", "isolatedMargin": "0.00000000",
            "isAutoAddMargin": "false", "positionSide": position.side, "notional": fixed(_notional(call, position)),
            "isolatedWallet": "0", "updateTime": position.updated}


def _symbol(pair: Pair) -> dict[str, Any]:
    """As recorded on 2026-07-03."""
    return {
        "symbol": pair.symbol, "pair": pair.symbol, "contractType": "PERPETUAL", "deliveryDate": 4_133_404_800_000,
        "onboardDate": pair.onboard, "status": "TRADING", "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000", "baseAsset": pair.base, "quoteAsset": pair.quote, "marginAsset": pair.quote,
        "pricePrecision": pair.price_precision, "quantityPrecision": pair.quantity_precision, "baseAssetPrecision": 8,
        "quotePrecision": 8, "underlyingType": "COIN", "underlyingSubType": [], "triggerProtect": "0.0500",
        "liquidationFee": "0.012500", "marketTakeBound": "0.05", "maxMoveOrderLimit": 10_000,
        "filters": _filters(pair), "orderTypes": ORDER_TYPES, "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY", "DCA", "PSB"],
    }


def _filters(pair: Pair) -> list[dict[str, Any]]:
    tick, step = pair.futures_tick, pair.futures_step
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000", "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "120", "stepSize": step},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": pair.futures_min_notional},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]

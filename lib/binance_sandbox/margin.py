"""`/sapi/v1/margin`: cross and isolated margin. Source: BINANCE.md sections 5.2 and 5.4.

An account that never opened margin gets -3003. What the isolated wallet holds is shown pair by pair: each coin in
its USDT pair, and quote assets in the first pair that has a coin (BTCUSDT where there is none).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .clock import DAY
from .errors import WireError, invalid_symbol, invalid_value
from .events import Loan
from .ledger import Amounts, opened_margin
from .money import ZERO, fixed, plain
from .pairs import QUOTES, Pair
from .prices_wire import price_text
from .spot import trading_pair
from .valuation import converted
from .wire import Call

DAYS = 30
NO_ACCOUNT = WireError(-3003, "Margin account does not exist.")
TOO_LONG = WireError(-6021, "Query time range must not exceed 30 days.")
NO_DEBT = "999"
DAILY_INTEREST, YEARLY_INTEREST = "0.00010000", "0.03650000"
MOST_SYMBOLS = 5


def account(call: Call) -> dict[str, Any]:
    """Cross margin; netAsset = free + locked - borrowed - interest."""
    if not opened_margin(call.account, call.holdings):
        raise NO_ACCOUNT
    wallet = held_or_owed(call, "margin")
    assets = set(wallet) | {asset for pair in call.market.pairs.values() for asset in (pair.base, pair.quote)}
    owned, owed = totals(call, wallet)
    collateral = converted(call.market, "BTC", owned - owed, "USDT", call.seen)
    return {
        "created": True, "borrowEnabled": True, "tradeEnabled": True, "transferInEnabled": True,
        "transferOutEnabled": True, "marginLevel": level(owned, owed), "collateralMarginLevel": level(owned, owed),
        "totalAssetOfBtc": fixed(owned), "totalLiabilityOfBtc": fixed(owed), "totalNetAssetOfBtc": fixed(owned - owed),
        "TotalCollateralValueInUSDT": fixed(collateral), "accountType": "MARGIN_1",
        "userAssets": [_user_asset(asset, wallet.get(asset, Amounts())) for asset in sorted(assets)]}


def held_or_owed(call: Call, wallet: str) -> dict[str, Amounts]:
    """The assets of a margin wallet that hold or owe anything."""
    return {asset: amounts for asset, amounts in call.holdings.wallets.get(wallet, {}).items()
            if amounts.free or amounts.locked or amounts.borrowed or amounts.interest}


def debt(amounts: Amounts) -> tuple[Decimal, Decimal]:
    """What is free, and what was borrowed: what events took below zero was borrowed, too."""
    return max(amounts.free, ZERO), amounts.borrowed + max(-amounts.free, ZERO)


def totals(call: Call, wallet: dict[str, Amounts]) -> tuple[Decimal, Decimal]:
    """What is owned and what is owed, in BTC."""
    owned = owed = ZERO
    for asset, amounts in wallet.items():
        free, borrowed = debt(amounts)
        owned += converted(call.market, asset, free + amounts.locked, "BTC", call.seen)
        owed += converted(call.market, asset, borrowed + amounts.interest, "BTC", call.seen)
    return owned, owed


def level(owned: Decimal, owed: Decimal) -> str:
    """Owned by owed, as Binance prints it."""
    return fixed(owned / owed) if owed else NO_DEBT


def _user_asset(asset: str, amounts: Amounts) -> dict[str, str]:
    free, borrowed = debt(amounts)
    return {"asset": asset, "borrowed": fixed(borrowed), "free": fixed(free), "interest": fixed(amounts.interest),
            "locked": fixed(amounts.locked), "netAsset": fixed(amounts.total)}


# -- isolated --------------------------------------------------------------------------------------------------
def isolated_account(call: Call) -> dict[str, Any]:
    """Pair by pair; totals only where no `symbols` are named."""
    if not opened_margin(call.account, call.holdings):
        raise NO_ACCOUNT
    wallet = held_or_owed(call, "isolated_margin")
    pairs = isolated_pairs(call, wallet)
    if names := call.params.get("symbols"):
        asked = names.split(",")
        if len(asked) > MOST_SYMBOLS:
            raise invalid_value("symbols")
        if any(name not in call.market.pairs for name in asked):
            raise invalid_symbol()
        return {"assets": [_isolated(call, call.market.pairs[name], pairs.get(name, {})) for name in asked]}
    owned, owed = totals(call, wallet)
    return {"assets": [_isolated(call, call.market.pairs[symbol], amounts) for symbol, amounts in pairs.items()],
            "totalAssetOfBtc": fixed(owned), "totalLiabilityOfBtc": fixed(owed),
            "totalNetAssetOfBtc": fixed(owned - owed)}


def isolated_pairs(call: Call, wallet: dict[str, Amounts]) -> dict[str, dict[str, Amounts]]:
    """The wallet's assets by the pair that shows them."""
    pairs: dict[str, dict[str, Amounts]] = {}
    for asset, amounts in sorted(wallet.items()):
        for quote in QUOTES if asset not in ("USDT", "USDC", "FDUSD") else ():
            if f"{asset}{quote}" in call.market.pairs:
                pairs[f"{asset}{quote}"] = {asset: amounts}
                break
    for asset, amounts in sorted(wallet.items()):
        if not any(asset in shown for shown in pairs.values()):
            home = next((symbol for symbol in pairs if call.market.pairs[symbol].quote == asset), f"BTC{asset}")
            pairs.setdefault(home if home in call.market.pairs else "BTCUSDT", {})[asset] = amounts
    return pairs


def _isolated(call: Call, pair: Pair, amounts: dict[str, Amounts]) -> dict[str, Any]:
    base, quote = (amounts.get(asset, Amounts()) for asset in (pair.base, pair.quote))
    owned, owed = totals(call, amounts)
    return {"baseAsset": _side(call, pair.base, base), "quoteAsset": _side(call, pair.quote, quote),
            "symbol": pair.symbol, "isolatedCreated": bool(amounts), "enabled": True, "marginLevel": level(owned, owed),
            "marginLevelStatus": "EXCESSIVE", "marginRatio": "10.00000000", "indexPrice": price_text(call, pair, 8),
            "liquidatePrice": "0", "liquidateRate": "0", "tradeEnabled": True}


def _side(call: Call, asset: str, amounts: Amounts) -> dict[str, Any]:
    row = _user_asset(asset, amounts)
    return {**row, "borrowEnabled": True, "repayEnabled": True,
            "netAssetOfBtc": fixed(converted(call.market, asset, amounts.total, "BTC", call.seen)),
            "totalAsset": fixed(debt(amounts)[0] + amounts.locked)}


# -- market data -----------------------------------------------------------------------------------------------
def all_pairs(call: Call) -> list[dict[str, Any]]:
    """Cross margin pairs: each has an id."""
    return [{**row, "id": 351637150141315861 + place} for place, row in enumerate(isolated_all_pairs(call))]


def isolated_all_pairs(call: Call) -> list[dict[str, Any]]:
    return [{"symbol": pair.symbol, "base": pair.base, "quote": pair.quote, "isMarginTrade": True,
             "isBuyAllowed": True, "isSellAllowed": True} for pair in call.market.trading(call.now)
            if call.params.get("symbol") in (None, "", pair.symbol)]


def all_assets(call: Call) -> list[dict[str, Any]]:
    assets = {asset for pair in call.market.trading(call.now) for asset in (pair.base, pair.quote)}
    return [{"assetFullName": asset, "assetName": asset, "isBorrowable": True, "isMortgageable": True,
             "userMinBorrow": "0.00000000", "userMinRepay": "0.00000000"} for asset in sorted(assets)]


def price_index(call: Call) -> dict[str, Any]:
    pair = trading_pair(call)
    return {"calcTime": call.now, "price": price_text(call, pair, 8), "symbol": pair.symbol}


def cross_data(call: Call) -> list[dict[str, Any]]:
    """What borrowing costs, asset by asset."""
    return [{"vipLevel": 0, "coin": asset, "transferIn": True, "borrowable": True, "dailyInterest": DAILY_INTEREST,
             "yearlyInterest": YEARLY_INTEREST, "borrowLimit": "180", "marginablePairs": []}
            for asset in (row["assetName"] for row in all_assets(call)) if call.params.get("coin") in (None, "", asset)]


def isolated_data(call: Call) -> list[dict[str, Any]]:
    return [{"vipLevel": 0, "symbol": row["symbol"], "leverage": "10",
             "data": [{"coin": row[side], "dailyInterest": DAILY_INTEREST, "borrowLimit": "180"}
                      for side in ("base", "quote")]} for row in isolated_all_pairs(call)]


def interest_rates(call: Call) -> list[dict[str, Any]]:
    return [{"asset": call.text("asset"), "dailyInterestRate": DAILY_INTEREST, "timestamp": call.now // DAY * DAY,
             "vipLevel": 0}]


# -- histories -------------------------------------------------------------------------------------------------
def interest_history(call: Call) -> dict[str, Any]:
    """`interestAccuredTime` is spelt so."""
    rows = [{"txId": loan.number, "interestAccuredTime": loan.time, "asset": loan.asset, "rawAsset": loan.asset,
             "principal": fixed(_principal(call, loan)), "interest": fixed(loan.amount), "interestRate": "0.00000000",
             "type": "ON_BORROW", "isolatedSymbol": loan.symbol} for loan in _loans(call, ("interest",))]
    return {"rows": call.page(rows, 10, 100), "total": len(rows)}


def borrow_repay(call: Call) -> dict[str, Any]:
    kind = call.text("type").lower()
    if kind not in ("borrow", "repay"):
        raise invalid_value("type")
    rows = [{"txId": loan.number, "asset": loan.asset, "amount": plain(loan.amount), "principal": plain(loan.amount),
             "interest": "0", "timestamp": loan.time, "status": "CONFIRMED", "isolatedSymbol": loan.symbol}
            for loan in _loans(call, (kind,))]
    return {"rows": call.page(rows, 10, 100), "total": len(rows)}


def _loans(call: Call, kinds: tuple[str, ...]) -> list[Loan]:
    start, end = call.window(DAYS, TOO_LONG, including=True)
    return [loan for loan in call.state.ledger.of(Loan, call.account.name, start, min(end, call.seen))
            if loan.kind in kinds and call.params.get("asset") in (None, "", loan.asset)
            and call.params.get("isolatedSymbol") in (None, "", loan.symbol)]


def _principal(call: Call, loan: Loan) -> Decimal:
    amounts = call.holdings.wallets.get(loan.wallet, {}).get(loan.asset, Amounts())
    return debt(amounts)[1]

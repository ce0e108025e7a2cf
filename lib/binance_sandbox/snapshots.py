"""`/sapi/v1/accountSnapshot`: what Binance wrote down at the end of each UTC day. Source: BINANCE.md section 5.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .clock import DAY
from .errors import WireError, invalid_value
from .ledger import Holdings
from .margin import debt
from .money import ZERO, fixed
from .valuation import converted, held, profit_of, unrealised
from .wire import Call

DAYS, FEWEST = 30, 7
TOO_LONG = WireError(-1127, "More than 720 hours between startTime and endTime.")


def account_snapshots(call: Call) -> dict[str, Any]:
    """Ascending; a day is stamped 23:59:59 and only there when it is over and the account existed."""
    kind = call.text("type")
    if kind not in SNAPSHOTS:
        raise invalid_value("type")
    limit = call.integer("limit", FEWEST) or 0
    if not FEWEST <= limit <= DAYS:
        raise invalid_value("limit")
    start, end = call.window(DAYS, TOO_LONG, including=True)
    start = max(start, call.now - DAYS * DAY, call.account.created)
    stamps = range((start // DAY + 1) * DAY - 1000, min(end, call.seen) + 1, DAY)
    rows = [{"type": kind.lower(), "updateTime": stamp, "data": SNAPSHOTS[kind](call, stamp)}
            for stamp in stamps[-limit:]]
    return {"code": 200, "msg": "", "snapshotVos": rows}


def _then(call: Call, stamp: int) -> Holdings:
    return call.state.ledger.holdings(call.account.name, stamp)


def _spot(call: Call, stamp: int) -> dict[str, Any]:
    wallet = held(_then(call, stamp), "spot")
    total = sum((converted(call.market, asset, amounts.total, "BTC", stamp) for asset, amounts in wallet.items()), ZERO)
    return {"totalAssetOfBtc": fixed(total),
            "balances": [{"asset": asset, "free": fixed(amounts.free), "locked": fixed(amounts.locked)}
                         for asset, amounts in sorted(wallet.items())]}


def _margin(call: Call, stamp: int) -> dict[str, Any]:
    wallet = _then(call, stamp).wallets.get("margin", {})
    owned = owed = ZERO
    rows = []
    for asset, amounts in sorted(wallet.items()):
        free, borrowed = debt(amounts)
        owned += converted(call.market, asset, free + amounts.locked, "BTC", stamp)
        owed += converted(call.market, asset, borrowed + amounts.interest, "BTC", stamp)
        rows.append({"asset": asset, "borrowed": fixed(borrowed), "free": fixed(free),
                     "interest": fixed(amounts.interest), "locked": fixed(amounts.locked),
                     "netAsset": fixed(amounts.total)})
    return {"marginLevel": fixed(owned / owed) if owed else "999.00000000", "totalAssetOfBtc": fixed(owned),
            "totalLiabilityOfBtc": fixed(owed), "totalNetAssetOfBtc": fixed(owned - owed), "userAssets": rows}


def _futures(call: Call, stamp: int) -> dict[str, Any]:
    holdings = _then(call, stamp)
    profits = unrealised(call.market, holdings, stamp)
    totals = {asset: amounts.total for asset, amounts in holdings.wallets.get("futures", {}).items()}
    positions = [{"entryPrice": fixed(position.entry), "markPrice": fixed(call.market.price(symbol, stamp) or ZERO),
                  "positionAmt": fixed(position.amount), "symbol": symbol,
                  "unRealizedProfit": fixed(profit_of(call.market, position, stamp))}
                 for (symbol, _), position in sorted(holdings.positions.items()) if position.amount]
    return {"assets": [{"asset": asset, "marginBalance": fixed(total + profits.get(asset, ZERO)),
                        "walletBalance": fixed(total)} for asset, total in sorted(totals.items())],
            "position": positions}


SNAPSHOTS: dict[str, Callable[[Call, int], dict[str, Any]]] = {"SPOT": _spot, "MARGIN": _margin, "FUTURES": _futures}

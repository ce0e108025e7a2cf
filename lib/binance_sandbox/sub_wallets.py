"""`/sapi/v2/sub-account/futures` and `/sapi/v1/sub-account/margin`: a sub-account's wallets as its master sees them.

The figures are those that the sub-account's own key reads; names and shapes differ
(../shared/data/api/documented/sub_account.json).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from . import dapi, fapi_account, margin
from .accounts import Account
from .errors import WireError, invalid_value
from .ledger import opened_futures, opened_margin
from .money import ZERO, fixed
from .sub_accounts import member, subs
from .unused import MARGIN
from .wire import Call

UM, CM = 1, 2    # futuresType
NAMES = {"maintMargin": "maintenanceMargin", "totalMaintMargin": "totalMaintenanceMargin"}
ASSET = ("asset", "initialMargin", "maintMargin", "marginBalance", "maxWithdrawAmount", "openOrderInitialMargin",
         "positionInitialMargin", "unrealizedProfit", "walletBalance")
TOTALS = ("totalInitialMargin", "totalMaintMargin", "totalMarginBalance", "totalOpenOrderInitialMargin",
          "totalPositionInitialMargin", "totalUnrealizedProfit", "totalWalletBalance")
RIGHTS = ("canDeposit", "canTrade", "canWithdraw", "feeTier", "updateTime")
MARGIN_TOTALS = ("totalAssetOfBtc", "totalLiabilityOfBtc", "totalNetAssetOfBtc")


def status(call: Call) -> list[dict[str, Any]]:
    """Which products each sub-account has opened."""
    rows = []
    for account in subs(call):
        if call.params.get("email") in (None, "", account.email):
            holdings = call.state.ledger.holdings(account.name, call.seen)
            rows.append({"email": account.email, "isSubUserEnabled": True, "isUserActive": True,
                         "insertTime": account.created, "isMarginEnabled": opened_margin(account, holdings),
                         "isFutureEnabled": opened_futures(account, holdings), "mobile": 0})
    return rows


def futures_account(call: Call) -> dict[str, Any]:
    asked, email = _as_sub(call)
    if _futures_type(call) == CM:
        found = dapi.account(asked)
        return {"deliveryAccountResp": {"email": email, "assets": _assets(found), **_some(found, RIGHTS)}}
    found = fapi_account.account_v2(asked)
    return {"futureAccountResp": {"email": email, "assets": _assets(found),
                                  **_some(found, (*RIGHTS, "maxWithdrawAmount", *TOTALS))}}


def futures_positions(call: Call) -> dict[str, Any]:
    """Of COIN-M there are none."""
    asked, _ = _as_sub(call)
    if _futures_type(call) == CM:
        return {"deliveryPositionRiskVos": []}
    held = [row for row in fapi_account.position_risk_v2(asked) if Decimal(row["positionAmt"])]
    return {"futurePositionRiskVos": [
        {"entryPrice": row["entryPrice"], "leverage": row["leverage"], "maxNotional": row["maxNotionalValue"],
         "liquidationPrice": row["liquidationPrice"], "markPrice": row["markPrice"],
         "positionAmount": row["positionAmt"], "symbol": row["symbol"], "unrealizedProfit": row["unRealizedProfit"]}
        for row in held]}


def futures_summary(call: Call) -> dict[str, Any]:
    """USDⓈ-M of all sub-accounts that opened it, in USD."""
    if _futures_type(call) == CM:
        raise invalid_value("futuresType")
    rows = [{"email": account.email, **_some(fapi_account.account_v2(_of(call, account)), TOTALS), "asset": "USD"}
            for account in subs(call)
            if opened_futures(account, call.state.ledger.holdings(account.name, call.seen))]
    return {"futureAccountSummaryResp": {**_summed(rows, [NAMES.get(key, key) for key in TOTALS]), "asset": "USD",
                                         "subAccountList": call.page(rows, 10, 20, size="limit", current="page")}}


def margin_account(call: Call) -> dict[str, Any]:
    asked, email = _as_sub(call)
    found = margin.account(asked)
    return {"email": email, "marginLevel": found["marginLevel"], **_some(found, MARGIN_TOTALS),
            "marginTradeCoeffVo": MARGIN["/sapi/v1/margin/tradeCoeff"], "marginUserAssetVoList": found["userAssets"]}


def margin_summary(call: Call) -> dict[str, Any]:
    rows = [{"email": account.email, **_some(margin.account(_of(call, account)), MARGIN_TOTALS)}
            for account in subs(call)
            if opened_margin(account, call.state.ledger.holdings(account.name, call.seen))]
    return {**_summed(rows, list(MARGIN_TOTALS)), "subAccountList": rows}


def _futures_type(call: Call) -> int:
    call.text("futuresType")
    kind = call.integer("futuresType")
    if kind not in (UM, CM):
        raise invalid_value("futuresType")
    return kind


def _as_sub(call: Call) -> tuple[Call, str]:
    """The call as the sub-account of `email` would make it, and that email."""
    email, name = call.text("email"), member(call, "email")
    if name == call.account.name:
        raise WireError(-12001, "Sub-account does not exist.")
    return _of(call, call.state.ledger.accounts[name]), email


def _of(call: Call, account: Account) -> Call:
    return Call(call.state, call.path, {}, call.now, account, stale_ms=call.stale_ms)


def _assets(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [_some(row, ASSET) for row in found["assets"]]


def _some(row: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Those of `row`, as this endpoint spells them."""
    return {NAMES.get(key, key): row[key] for key in keys}


def _summed(rows: list[dict[str, Any]], keys: list[str]) -> dict[str, str]:
    return {key: fixed(sum((Decimal(row[key]) for row in rows), ZERO)) for key in keys}

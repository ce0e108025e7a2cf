"""`/sapi`: rights, wallets, money in and out. Source: BINANCE.md sections 5.1 to 5.3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .errors import WireError, invalid_symbol, invalid_value
from .events import Deposit, Withdrawal
from .ledger import Amounts, opened_futures
from .money import ZERO, fixed, plain
from .valuation import converted, held, usdt_price, wallet_value
from .wire import Call

# Binance's names for its wallets, with the wallets of ours that they show (BINANCE.md section 5.2).
WALLET_NAMES: dict[str, tuple[str, ...]] = {
    "Spot": ("spot",), "Funding": ("funding",), "Cross Margin": ("margin",), "Isolated Margin": ("isolated_margin",),
    "USDⓈ-M Futures": ("futures",), "COIN-M Futures": ("coin_futures",), "Earn": ("earn_flexible", "earn_locked"),
    "Options": (), "Trading Bots": (), "Copy Trading": (),
}
ALWAYS_ACTIVE = ("Spot", "Funding")
ASSET_NAMES = {"BTC": "Bitcoin", "ETH": "Ethereum", "USDT": "TetherUS", "USDC": "USD Coin", "SOL": "Solana"}
CAPITAL_DAYS = 90


# -- rights ----------------------------------------------------------------------------------------------------
def api_restrictions(call: Call) -> dict[str, Any]:
    return {**call.account.permissions, "createTime": call.account.created}


def account_info(call: Call) -> dict[str, Any]:
    """Which products the account has opened; agrees with what they answer."""
    return {"vipLevel": 0, "isMarginEnabled": bool({"margin", "isolated_margin"} & set(call.holdings.wallets)),
            "isFutureEnabled": opened_futures(call.account, call.holdings), "isOptionsEnabled": False,
            "isPortfolioMarginRetailEnabled": False}


# -- wallets ---------------------------------------------------------------------------------------------------
def wallet_balance(call: Call) -> list[dict[str, Any]]:
    """What each wallet is worth in `quoteAsset`, BTC unless asked otherwise."""
    target = call.params.get("quoteAsset") or "BTC"
    if usdt_price(call.market, target, call.now) is None:
        raise invalid_symbol()
    detailed = call.flag("needBalanceDetail")
    return [_wallet(call, name, wallets, target, detailed) for name, wallets in WALLET_NAMES.items()]


def _wallet(call: Call, name: str, wallets: tuple[str, ...], target: str, detailed: bool) -> dict[str, Any]:
    values = [wallet_value(call.market, call.holdings, wallet, target, call.now) for wallet in wallets]
    active = name in ALWAYS_ACTIVE or bool(set(wallets) & set(call.holdings.wallets))
    if name == "USDⓈ-M Futures":
        active = opened_futures(call.account, call.holdings)
    row: dict[str, Any] = {"activate": active, "balance": plain(sum(values, ZERO)), "walletName": name}
    if detailed:
        row["assetBalances"] = [_asset_balance(call, asset, amounts) for wallet in wallets
                                for asset, amounts in sorted(held(call.holdings, wallet).items())]
    return row


def _asset_balance(call: Call, asset: str, amounts: Amounts) -> dict[str, Any]:
    row = _amounts(call, asset, amounts, valued=True)
    return {"asset": asset, "assetName": ASSET_NAMES.get(asset, asset), **{key: row[key] for key in list(row)[1:]}}


def _amounts(call: Call, asset: str, amounts: Amounts, valued: bool) -> dict[str, str]:
    worth = converted(call.market, asset, amounts.total, "BTC", call.now) if valued else ZERO
    return {"asset": asset, "free": plain(amounts.free), "locked": plain(amounts.locked), "freeze": "0",
            "withdrawing": plain(amounts.withdrawing), "btcValuation": fixed(worth) if valued else "0"}


def funding_asset(call: Call) -> list[dict[str, str]]:
    return _positive_assets(call, "funding")


def user_asset(call: Call) -> list[dict[str, str]]:
    """Spot assets above zero, with what is being withdrawn, which /api/v3/account does not tell."""
    rows = _positive_assets(call, "spot")
    return [{**row, "ipoable": "0", "btcValuation": row.pop("btcValuation")} for row in rows]


def _positive_assets(call: Call, wallet: str) -> list[dict[str, str]]:
    asked, valued = call.params.get("asset"), call.flag("needBtcValuation")
    return [_amounts(call, asset, amounts, valued) for asset, amounts in sorted(held(call.holdings, wallet).items())
            if asked in (None, "", asset)]


# -- money in and out ------------------------------------------------------------------------------------------
def deposit_history(call: Call) -> list[dict[str, Any]]:
    """Newest first; times are ms."""
    start, end = call.window(CAPITAL_DAYS, WireError(-4047, "Time interval must be within 0-90 days"))
    found = call.state.ledger.deposits(call.account.name, start, min(end, call.now))
    tx_id = call.params.get("txId")
    found = [deposit for deposit in found if _asked(call, deposit) and tx_id in (None, "", deposit.tx_id)]
    return [_deposit(deposit, call.now, call.flag("includeSource")) for deposit in _page(call, found)]


def _deposit(deposit: Deposit, now: int, with_source: bool) -> dict[str, Any]:
    status = deposit.status(now)
    row = {
        "id": deposit.id, "amount": plain(deposit.amount), "coin": deposit.asset, "network": deposit.network,
        "status": status, "address": f"sandbox{deposit.number:x}", "addressTag": "", "txId": deposit.tx_id,
        "insertTime": deposit.time, "transferType": deposit.transfer_type, "confirmTimes": "1/1" if status else "0/1",
        "unlockConfirm": 0, "walletType": int(deposit.wallet == "funding"), "travelRuleStatus": 0,
    }
    if deposit.complete_time is not None and now >= deposit.complete_time:
        row["completeTime"] = deposit.complete_time
    return {**row, "sourceAddress": f"source{deposit.number:x}"} if with_source else row


def withdraw_history(call: Call) -> list[dict[str, Any]]:
    """Newest first; times are UTC texts; `amount` is what arrives, the fee comes on top."""
    start, end = call.window(CAPITAL_DAYS, WireError(-4047, "Time interval must be within 0-90 days"))
    if call.params.get("withdrawOrderId"):
        return []    # nobody could give one: events are no API withdrawals
    ids = call.params["idList"].split(",") if call.params.get("idList") else None
    if ids and len(ids) > 45:
        raise invalid_value("idList")
    found = call.state.ledger.withdrawals(call.account.name, start, min(end, call.now))
    found = [withdrawal for withdrawal in found if _asked(call, withdrawal) and (ids is None or withdrawal.id in ids)]
    return [_withdrawal(withdrawal, call.now) for withdrawal in _page(call, found)]


def _withdrawal(withdrawal: Withdrawal, now: int) -> dict[str, Any]:
    done = withdrawal.complete_time is not None and now >= withdrawal.complete_time
    row = {
        "id": withdrawal.id, "amount": fixed(withdrawal.amount), "transactionFee": plain(withdrawal.fee),
        "coin": withdrawal.asset, "status": withdrawal.status(now), "address": f"sandbox{withdrawal.number:x}",
        "txId": withdrawal.tx_id if done else "", "applyTime": utc_text(withdrawal.time), "network": withdrawal.network,
        "transferType": withdrawal.transfer_type, "info": "", "confirmNo": 1 if done else 0,
        "walletType": int(withdrawal.wallet == "funding"), "txKey": "",
    }
    if withdrawal.complete_time is not None and done:
        row["completeTime"] = utc_text(withdrawal.complete_time)
    return row


def _asked(call: Call, move: Deposit | Withdrawal) -> bool:
    status = call.integer("status")
    return call.params.get("coin") in (None, "", move.asset) and status in (None, move.status(call.now))


def _page(call: Call, rows: list[Any]) -> list[Any]:
    offset = call.integer("offset", 0) or 0
    return rows[offset:offset + call.limit(1000, 1000)]


def utc_text(time: int) -> str:
    """Binance's withdrawal times: UTC, whole seconds."""
    return f"{datetime.fromtimestamp(time // 1000, UTC):%Y-%m-%d %H:%M:%S}"

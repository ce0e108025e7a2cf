"""`/sapi/v1/capital`: coins, deposits, withdrawals. Source: BINANCE.md sections 5.2 and 5.3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .clock import DAY
from .errors import WireError, invalid_value
from .event_fields import NETWORKS
from .events import Deposit, Withdrawal
from .ledger import Amounts
from .money import fixed, plain
from .sapi import ASSET_NAMES
from .wire import Call

CAPITAL_DAYS, ORDER_ID_DAYS = 90, 7
TOO_LONG = WireError(-4047, "Time interval must be within 0-90 days")
FIAT = ("EUR", "TRY", "BRL", "GBP", "AUD", "JPY", "USD")


def coins(call: Call) -> list[dict[str, Any]]:
    """Every asset known here, with what spot holds of it."""
    wallet, nothing = call.holdings.wallets.get("spot", {}), Amounts()
    assets = {asset for pair in call.market.listed(call.now) for asset in (pair.base, pair.quote)} | set(wallet)
    return [_coin(asset, wallet.get(asset, nothing)) for asset in sorted(assets)]


def _coin(asset: str, amounts: Amounts) -> dict[str, Any]:
    return {"coin": asset, "depositAllEnable": True, "withdrawAllEnable": True, "name": ASSET_NAMES.get(asset, asset),
            "free": plain(amounts.free), "locked": plain(amounts.locked), "freeze": "0",
            "withdrawing": plain(amounts.withdrawing), "ipoing": "0", "ipoable": "0", "storage": "0",
            "isLegalMoney": asset in FIAT, "trading": asset not in FIAT,
            "networkList": [] if asset in FIAT else [_network(asset)]}


def _network(asset: str) -> dict[str, Any]:
    network = NETWORKS.get(asset, "ETH")
    return {"network": network, "coin": asset, "withdrawIntegerMultiple": "0.00000001", "isDefault": True,
            "depositEnable": True, "withdrawEnable": True, "depositDesc": "", "withdrawDesc": "", "specialTips": "",
            "specialWithdrawTips": "", "name": network, "resetAddressStatus": False, "addressRegex": "^sandbox.+$",
            "memoRegex": "", "withdrawFee": "0.0001", "withdrawMin": "0.001", "withdrawMax": "9999999999",
            "withdrawInternalMin": "0.00000001", "depositDust": "0.00000001", "minConfirm": 1, "unLockConfirm": 0,
            "sameAddress": False, "withdrawTag": False, "estimatedArrivalTime": 1, "busy": False,
            "contractAddressUrl": "", "contractAddress": "", "denomination": 1}


def deposit_address(call: Call) -> dict[str, str]:
    coin = call.text("coin")
    return {"address": f"sandbox{call.account.uid:x}{coin.lower()}", "coin": coin, "tag": "", "url": ""}


def deposit_addresses(call: Call) -> list[dict[str, Any]]:
    address = deposit_address(call)
    return [{"coin": address["coin"], "address": address["address"], "tag": "", "isDefault": 1}]


def withdraw_quota(call: Call) -> dict[str, str]:
    return {"wdQuota": "10000", "usedWdQuota": "0"}


def withdraw_addresses(call: Call) -> list[Any]:
    return []


# -- money in and out ------------------------------------------------------------------------------------------
def deposit_history(call: Call) -> list[dict[str, Any]]:
    """Newest first; times are ms."""
    start, end = call.window(CAPITAL_DAYS, TOO_LONG)
    found = call.state.ledger.deposits(call.account.name, start, min(end, call.seen))
    tx_id = call.params.get("txId")
    found = [deposit for deposit in found if _asked(call, deposit) and tx_id in (None, "", deposit.tx_id)]
    return [_deposit(deposit, call.seen, call.flag("includeSource")) for deposit in _page(call, found)]


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
    order_id = call.params.get("withdrawOrderId")
    start, end = call.window(CAPITAL_DAYS, TOO_LONG)
    if order_id and end - start > ORDER_ID_DAYS * DAY:
        start = end - ORDER_ID_DAYS * DAY
    ids = call.params["idList"].split(",") if call.params.get("idList") else None
    if ids and len(ids) > 45:
        raise invalid_value("idList")
    found = call.state.ledger.withdrawals(call.account.name, start, min(end, call.seen))
    found = [withdrawal for withdrawal in found if _asked(call, withdrawal) and (ids is None or withdrawal.id in ids)
             and order_id in (None, "", withdrawal.order_id)]
    return [_withdrawal(withdrawal, call.seen) for withdrawal in _page(call, found)]


def _withdrawal(withdrawal: Withdrawal, now: int) -> dict[str, Any]:
    done = withdrawal.complete_time is not None and now >= withdrawal.complete_time
    row = {
        "id": withdrawal.id, "amount": fixed(withdrawal.amount), "transactionFee": plain(withdrawal.fee),
        "coin": withdrawal.asset, "status": withdrawal.status(now), "address": f"sandbox{withdrawal.number:x}",
        "txId": withdrawal.tx_id if done else "", "applyTime": utc_text(withdrawal.time), "network": withdrawal.network,
        "transferType": withdrawal.transfer_type, "info": "", "confirmNo": 1 if done else 0,
        "walletType": int(withdrawal.wallet == "funding"), "txKey": "",
    }
    if withdrawal.order_id is not None:
        row["withdrawOrderId"] = withdrawal.order_id
    if withdrawal.complete_time is not None and done:
        row["completeTime"] = utc_text(withdrawal.complete_time)
    return row


def _asked(call: Call, move: Deposit | Withdrawal) -> bool:
    status = call.integer("status")
    return call.params.get("coin") in (None, "", move.asset) and status in (None, move.status(call.seen))


def _page(call: Call, rows: list[Any]) -> list[Any]:
    offset = call.integer("offset", 0) or 0
    return rows[offset:offset + call.limit(1000, 1000)]


def utc_text(time: int) -> str:
    """Binance's withdrawal times: UTC, whole seconds."""
    return f"{datetime.fromtimestamp(time // 1000, UTC):%Y-%m-%d %H:%M:%S}"

"""`/sapi/v1/sub-account`: a family of accounts and what moves inside it. Source: BINANCE.md section 5.5."""

from __future__ import annotations

from typing import Any

from .accounts import Account
from .errors import WireError, invalid_value, master_only
from .events import Transfer
from .money import plain
from .wire import Call

UNIVERSAL_DAYS, SUB_DAYS = 7, 30
ACCOUNT_TYPES = {"spot": "SPOT", "futures": "USDT_FUTURE", "coin_futures": "COIN_FUTURE", "margin": "MARGIN",
                 "isolated_margin": "ISOLATED_MARGIN"}
IN, OUT = 1, 2


def sub_account_list(call: Call) -> dict[str, Any]:
    """The caller's sub-accounts; none for an account that has none."""
    email = call.params.get("email")
    subs = [account for account in _subs(call) if email in (None, "", account.email)]
    size = call.limit(10, 200)
    page = call.limit(1, 10**9, name="page")
    return {"subAccounts": [_sub_account(account) for account in subs[(page - 1) * size:page * size]]}


def _sub_account(account: Account) -> dict[str, Any]:
    return {"subUserId": account.uid, "email": account.email, "remark": account.name, "isFreeze": False,
            "createTime": account.created, "isManagedSubAccount": False, "isAssetManagementSubAccount": False}


def universal_transfers(call: Call) -> dict[str, Any]:
    """Transfers from one account of the family (by default the master) or, with toEmail, to one; newest first."""
    _subs(call)    # refuses a sub-account's key
    sender, receiver = call.params.get("fromEmail"), call.params.get("toEmail")
    if sender and receiver:
        raise WireError(-1128, "Combination of optional parameters invalid.")
    start, end = call.window(UNIVERSAL_DAYS, WireError(-1127, "More than 168 hours between startTime and endTime."),
                             including=True)
    sender = sender or (None if receiver else call.account.email)
    found = [transfer for transfer in _family_transfers(call, start, end)
             if sender in (None, _email(call, transfer.account)) and receiver in (None, "", _email(call, transfer.to))
             and call.params.get("clientTranId") in (None, "")]
    size = call.limit(500, 500)
    page = call.limit(1, 10**9, name="page")
    rows = [_universal_transfer(call, transfer) for transfer in found[(page - 1) * size:page * size]]
    return {"result": rows, "totalCount": len(found)}


def _universal_transfer(call: Call, transfer: Transfer) -> dict[str, Any]:
    return {
        "tranId": transfer.number, "fromEmail": _email(call, transfer.account), "toEmail": _email(call, transfer.to),
        "asset": transfer.asset, "amount": plain(transfer.amount), "createTimeStamp": transfer.time,
        "fromAccountType": ACCOUNT_TYPES.get(transfer.from_wallet, "SPOT"),
        "toAccountType": ACCOUNT_TYPES.get(transfer.to_wallet, "SPOT"), "status": "SUCCESS", "clientTranId": "",
    }


def sub_user_history(call: Call) -> list[dict[str, Any]]:
    """A sub-account's own view; what left it unless `type` is 1; newest first."""
    if call.account.master is None:
        raise WireError(-12022, "This endpoint can only be used by a sub-account.")
    direction = call.integer("type", OUT)
    if direction not in (IN, OUT):
        raise invalid_value("type")
    start, end = call.window(SUB_DAYS, WireError(-1127, "More than 720 hours between startTime and endTime."),
                             including=True)
    name = call.account.name
    found = [transfer for transfer in _family_transfers(call, start, end)
             if name == (transfer.to if direction == IN else transfer.account)
             and call.params.get("asset") in (None, "", transfer.asset)]
    return [_sub_transfer(call, transfer, direction) for transfer in found[:call.limit(500, 500)]]


def _sub_transfer(call: Call, transfer: Transfer, direction: int) -> dict[str, Any]:
    other = transfer.account if direction == IN else transfer.to
    return {
        "counterParty": "master" if other == call.account.master else "subAccount", "email": _email(call, other),
        "type": direction, "asset": transfer.asset, "qty": plain(transfer.amount),
        "fromAccountType": ACCOUNT_TYPES.get(transfer.from_wallet, "SPOT"),
        "toAccountType": ACCOUNT_TYPES.get(transfer.to_wallet, "SPOT"), "status": "SUCCESS",
        "tranId": transfer.number, "time": transfer.time,
    }


def _subs(call: Call) -> list[Account]:
    if call.account.master is not None:
        raise master_only()
    return [account for account in call.state.ledger.accounts.values() if account.master == call.account.name]


def _family_transfers(call: Call, start: int, end: int) -> list[Transfer]:
    ledger = call.state.ledger
    head = ledger.head(call.account.name)
    return [transfer for transfer in ledger.family_transfers(start, min(end, call.now))
            if ledger.head(transfer.account) == head]


def _email(call: Call, name: str) -> str:
    return call.state.ledger.accounts[name].email

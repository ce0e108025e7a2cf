"""`/sapi/v1/sub-account`: a family of accounts and what moves inside it. Source: BINANCE.md section 5.5."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .accounts import Account
from .errors import WireError, invalid_value, master_only
from .events import Transfer
from .money import ZERO, fixed, plain
from .moves import amount_sent, carry_out
from .valuation import held, wallet_value
from .wire import Call

UNIVERSAL_DAYS, SUB_DAYS, SPOT_DAYS = 7, 30, 100
ACCOUNT_TYPES = {"spot": "SPOT", "futures": "USDT_FUTURE", "coin_futures": "COIN_FUTURE", "margin": "MARGIN",
                 "isolated_margin": "ISOLATED_MARGIN"}
IN, OUT = 1, 2


def sub_account_list(call: Call) -> dict[str, Any]:
    """The caller's sub-accounts; none for an account that has none."""
    email = call.params.get("email")
    found = [account for account in subs(call) if email in (None, "", account.email)]
    size = call.limit(10, 200)
    page = call.limit(1, 10**9, name="page")
    return {"subAccounts": [_sub_account(account) for account in found[(page - 1) * size:page * size]]}


def _sub_account(account: Account) -> dict[str, Any]:
    return {"subUserId": account.uid, "email": account.email, "remark": account.name, "isFreeze": False,
            "createTime": account.created, "isManagedSubAccount": False, "isAssetManagementSubAccount": False}


def universal_transfers(call: Call) -> dict[str, Any]:
    """Transfers from one account of the family (by default the master) or, with toEmail, to one; newest first."""
    subs(call)    # refuses a sub-account's key
    sender, receiver = call.params.get("fromEmail"), call.params.get("toEmail")
    if sender and receiver:
        raise WireError(-1128, "Combination of optional parameters invalid.")
    start, end = call.window(UNIVERSAL_DAYS, WireError(-1127, "More than 168 hours between startTime and endTime."),
                             including=True)
    sender = sender or (None if receiver else call.account.email)
    found = [transfer for transfer in _family_transfers(call, start, end)
             if sender in (None, _email(call, transfer.account)) and receiver in (None, "", _email(call, transfer.to))
             and call.params.get("clientTranId") in (None, "", transfer.client_id)]
    size = call.limit(500, 500)
    page = call.limit(1, 10**9, name="page")
    rows = [_universal_transfer(call, transfer) for transfer in found[(page - 1) * size:page * size]]
    return {"result": rows, "totalCount": len(found)}


def _universal_transfer(call: Call, transfer: Transfer) -> dict[str, Any]:
    return {
        "tranId": transfer.number, "fromEmail": _email(call, transfer.account), "toEmail": _email(call, transfer.to),
        "asset": transfer.asset, "amount": plain(transfer.amount), "createTimeStamp": transfer.time,
        "fromAccountType": ACCOUNT_TYPES.get(transfer.from_wallet, "SPOT"),
        "toAccountType": ACCOUNT_TYPES.get(transfer.to_wallet, "SPOT"), "status": "SUCCESS",
        "clientTranId": transfer.client_id,
    }


def universal_transfer(call: Call) -> dict[str, Any]:
    """Move an asset between two accounts of the family, now; who is not named is the master."""
    subs(call)
    sender, receiver = (member(call, name) for name in ("fromEmail", "toEmail"))
    wallets = [_wallet(call, name) for name in ("fromAccountType", "toAccountType")]
    if (sender, wallets[0]) == (receiver, wallets[1]):
        raise WireError(-9000, "The two accounts of a transfer must differ.")
    event = {"type": "sub_transfer", "account": sender, "to": receiver, "from_wallet": wallets[0],
             "to_wallet": wallets[1], "asset": call.text("asset"), "amount": amount_sent(call)}
    client_id = call.params.get("clientTranId")
    number = carry_out(call, event | ({"client_id": client_id} if client_id else {}))
    return {"tranId": number, "clientTranId": client_id or ""}


def member(call: Call, name: str) -> str:
    """The account of the family whose email a parameter gives, else the master."""
    email = call.params.get(name)
    for account in (call.account, *subs(call)):
        if email in (None, "", account.email):
            return account.name
    raise WireError(-12001, "Sub-account does not exist.")


def _wallet(call: Call, name: str) -> str:
    wanted = call.text(name)
    for wallet, account_type in ACCOUNT_TYPES.items():
        if account_type == wanted:
            return wallet
    raise invalid_value(name)


def spot_transfers(call: Call) -> list[dict[str, Any]]:
    """Transfers from spot to spot; newest first."""
    subs(call)
    sender, receiver = call.params.get("fromEmail"), call.params.get("toEmail")
    if sender and receiver:
        raise WireError(-1128, "Combination of optional parameters invalid.")
    start, end = call.window(SPOT_DAYS, WireError(-1127, "More than 100 days between startTime and endTime."),
                             including=True)
    found = [transfer for transfer in _family_transfers(call, start, end)
             if transfer.from_wallet == transfer.to_wallet == "spot"
             and sender in (None, "", _email(call, transfer.account))
             and receiver in (None, "", _email(call, transfer.to))]
    return [{"from": _email(call, transfer.account), "to": _email(call, transfer.to), "asset": transfer.asset,
             "qty": plain(transfer.amount), "status": "SUCCESS", "tranId": transfer.number, "time": transfer.time}
            for transfer in call.page(found, 500, 500, size="limit", current="page")]


def spot_summary(call: Call) -> dict[str, Any]:
    """What the master and its sub-accounts hold on spot, in BTC."""
    family = subs(call)
    worth = {account.name: wallet_value(call.market, call.state.ledger.holdings(account.name, call.seen), "spot", "BTC",
                                        call.seen) for account in (call.account, *family)}
    rows = [{"email": account.email, "totalAsset": fixed(worth[account.name])} for account in family
            if call.params.get("email") in (None, "", account.email)]
    return {"totalCount": len(rows), "masterAccountTotalAsset": fixed(worth[call.account.name]),
            "spotSubUserAssetBtcVoList": call.page(rows, 10, 20, size="size", current="page")}


def sub_assets(as_number: bool) -> Callable[[Call], dict[str, Any]]:
    """A sub-account's spot assets; v3 tells them as numbers, v4 as text."""
    def answer(call: Call) -> dict[str, Any]:
        call.text("email")
        name = member(call, "email")
        write: Callable[[Decimal], Any] = float if as_number else plain
        wallet = held(call.state.ledger.holdings(name, call.seen), "spot")
        return {"balances": [{"freeze": write(ZERO), "withdrawing": write(amounts.withdrawing), "asset": asset,
                              "free": write(amounts.free), "locked": write(amounts.locked)}
                             for asset, amounts in sorted(wallet.items())]}

    return answer


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


def subs(call: Call) -> list[Account]:
    """The caller's sub-accounts. Raises for a sub-account's own key."""
    if call.account.master is not None:
        raise master_only()
    return [account for account in call.state.ledger.accounts.values() if account.master == call.account.name]


def _family_transfers(call: Call, start: int, end: int) -> list[Transfer]:
    ledger = call.state.ledger
    head = ledger.head(call.account.name)
    return [transfer for transfer in ledger.family_transfers(start, min(end, call.seen))
            if ledger.head(transfer.account) == head]


def _email(call: Call, name: str) -> str:
    return call.state.ledger.accounts[name].email

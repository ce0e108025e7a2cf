"""Money that came from outside or went there: CASH_FLOWS, each at the time when the counted balance changed.

`amount` and `fee` are positive; what leaves an account is their sum, what arrives is `amount` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from navbook import schemas
from navbook.exchange.rows import Parsed, lenient, lenient_many, listed, read, successful
from navbook.exchange.values import (
    ZERO,
    amount,
    from_ms,
    from_text,
    given,
    identity,
    integer,
    moved,
    shown,
    text,
    total,
    words,
)
from navbook.types import FlowKind, FlowStatus

# Deposit: 0 pending, 1 success, 2 rejected, 6 credited but not withdrawable, 7 wrong deposit, 8 waiting.
DEPOSIT_STATUS = {1: FlowStatus.DONE, 6: FlowStatus.DONE, 2: FlowStatus.FAILED, 7: FlowStatus.FAILED}
# Withdrawal: 0 email sent, 2 awaiting approval, 3 rejected, 4 processing, 6 completed; older: 1, 5 cancelled/failed.
WITHDRAWAL_STATUS = {6: FlowStatus.DONE, 1: FlowStatus.FAILED, 3: FlowStatus.FAILED, 5: FlowStatus.FAILED}
DONE = dict.fromkeys(("success", "successful", "completed", "finished"), FlowStatus.DONE)
FAILED = dict.fromkeys(("failure", "failed", "expired", "refunded", "rejected", "cancelled", "canceled",
                        "cancelled_by_system"), FlowStatus.FAILED)
IN_WORDS: Mapping[str, FlowStatus] = {**DONE, **FAILED}    # any other word: under way
# A withdrawal or payment whose note says so is the manager's fee: "Performance fee June", "mgmt-fee", "fee withdrawal".
FEE_NOTE = re.compile(r"\b(performance|management|manager|mgmt|success|incentive|advisory)[\s_-]*fees?\b"
                      r"|\bfees?[\s_-]*(withdrawal|payment|collection)s?\b", re.IGNORECASE)


def deposits(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """`GET /sapi/v1/capital/deposit/hisrec`; times are milliseconds."""
    def row(deposit: Any) -> tuple[Any, ...]:
        inserted = from_ms(deposit["insertTime"])
        completed = given(deposit.get("completeTime"))
        status = DEPOSIT_STATUS.get(integer(deposit["status"]), FlowStatus.PENDING)
        return (account, "deposit", identity(deposit["id"]), from_ms(completed) if completed else inserted, inserted,
                FlowKind.DEPOSIT, text(deposit["coin"]), moved(deposit["amount"]), ZERO, status,
                _internal(deposit), _transaction(deposit), None, None, seen_at)

    return lenient(schemas.CASH_FLOWS, "GET /sapi/v1/capital/deposit/hisrec", payload, row)


def withdrawals(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """`GET /sapi/v1/capital/withdraw/history`; times are UTC text, amount is net of the fee."""
    def row(withdrawal: Any) -> tuple[Any, ...]:
        applied = from_text(withdrawal["applyTime"])
        completed = given(withdrawal.get("completeTime"))
        status = WITHDRAWAL_STATUS.get(integer(withdrawal["status"]), FlowStatus.PENDING)
        note = words(withdrawal.get("info"), withdrawal.get("withdrawOrderId"))
        kind = FlowKind.FEE_WITHDRAWAL if is_fee(note) else FlowKind.WITHDRAWAL
        return (account, "withdrawal", identity(withdrawal["id"]), from_text(completed) if completed else applied,
                applied, kind, text(withdrawal["coin"]), moved(withdrawal["amount"]),
                moved(given(withdrawal.get("transactionFee")) or "0"), status, _internal(withdrawal),
                _transaction(withdrawal), words(withdrawal.get("address")), note, seen_at)

    return lenient(schemas.CASH_FLOWS, "GET /sapi/v1/capital/withdraw/history", payload, row)


def is_fee(note: str | None) -> bool:
    """Whether a note says that the manager is paid: see FEE_NOTE."""
    return bool(note and FEE_NOTE.search(note))


def _internal(row: Any) -> bool:
    """Whether it came from, or went to, another Binance account."""
    return integer(row.get("transferType") or 0) == 1


def _transaction(row: Any) -> str | None:
    found = row.get("txId")
    return found if found in (None, "") else identity(found)


# -- sub-accounts ------------------------------------------------------------------------------------------------------
def sub_account_emails(payload: Any) -> list[str]:
    """The e-mail addresses in `GET /sapi/v1/sub-account/list`."""
    return read("GET /sapi/v1/sub-account/list", payload, lambda sub: text(sub["email"]), "subAccounts")


def transfers_with_subs(payload: Any, account: str, seen_at: datetime, subs: Iterable[str]) -> Parsed:
    """The master's side of `GET /sapi/v1/sub-account/universalTransfer`.

    subs  the e-mail addresses of all its sub-accounts: what moves between two of them is no flow of the master
    """
    known = {email.casefold() for email in subs}

    def row(transfer: Any) -> tuple[Any, ...] | None:
        sender, receiver = (text(transfer[side]).casefold() in known for side in ("fromEmail", "toEmail"))
        if not (sender or receiver):
            raise ValueError("it moves nothing from or to a sub-account")
        if sender and receiver:
            return None
        return _sub_flow(account, transfer["tranId"], transfer["createTimeStamp"], sender,
                         transfer["asset"], transfer["amount"], transfer["status"], seen_at)

    return lenient(schemas.CASH_FLOWS, "GET /sapi/v1/sub-account/universalTransfer",
                   listed(payload, "result", "totalCount"), row, "result")


def transfers_as_sub(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """A sub-account's side, in `GET /sapi/v1/sub-account/transfer/subUserHistory`; type 1 is in."""
    def row(transfer: Any) -> tuple[Any, ...]:
        direction = integer(transfer["type"])
        if direction not in (1, 2):
            raise ValueError(f"type is {direction}, neither 1 nor 2")
        return _sub_flow(account, transfer["tranId"], transfer["time"], direction == 1,
                         transfer["asset"], transfer["qty"], transfer["status"], seen_at)

    return lenient(schemas.CASH_FLOWS, "GET /sapi/v1/sub-account/transfer/subUserHistory", payload, row)


def _sub_flow(account: str, transfer_id: Any, time_ms: Any, receives: bool, asset: Any, quantity: Any,
              status: Any, seen_at: datetime) -> tuple[Any, ...]:
    time, number = from_ms(time_ms), identity(transfer_id)
    kind = FlowKind.SUB_DEPOSIT if receives else FlowKind.SUB_WITHDRAWAL
    return (account, "sub_transfer", number, time, time, kind, text(asset), moved(quantity), ZERO,
            in_words(status), True, number, None, None, seen_at)


def in_words(status: Any) -> FlowStatus:
    """A status that comes as a word; one that nobody knows is under way."""
    return IN_WORDS.get(text(status).casefold(), FlowStatus.PENDING)


# -- other people ------------------------------------------------------------------------------------------------------
def pay(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """`GET /sapi/v1/pay/transactions`: the sign of the amount tells the direction, whatever the order's type.

    What was paid may have left in other assets than the order's: `fundsDetail` then names them, one flow each.
    """
    endpoint = "GET /sapi/v1/pay/transactions"

    def several(payment: Any) -> list[tuple[Any, ...] | None]:
        value, time = amount(payment["amount"]), from_ms(payment["transactionTime"])
        kind_of_order = text(payment["orderType"])
        note = words(kind_of_order, payment.get("note"), payment.get("remark"))
        kind = (FlowKind.PAY_DEPOSIT if value > 0 else
                FlowKind.FEE_WITHDRAWAL if is_fee(note) else FlowKind.PAY_WITHDRAWAL)
        who = _person(payment.get("payerInfo" if value > 0 else "receiverInfo"))
        number, parts = identity(payment["transactionId"]), _funds(payment, value)
        return [(account, "pay", number if len(parts) == 1 else f"{number}:{asset}", time, time, kind, asset, part,
                 ZERO, FlowStatus.DONE, True, number, who, note, seen_at) for asset, part in parts.items()]

    return lenient_many(schemas.CASH_FLOWS, endpoint, successful(endpoint, payload), several, "data")


def _funds(payment: Any, value: Decimal) -> dict[str, Decimal]:
    """What moved, by asset."""
    paid: dict[str, Decimal] = {}
    for part in payment.get("fundsDetail") or [] if value < 0 else []:
        paid[text(part["currency"])] = total(paid.get(part["currency"], ZERO), moved(part["amount"]))
    currency = text(payment["currency"])
    return {currency: abs(value)} if not paid or (currency in paid and len(paid) == 1) else paid


def _person(info: Any) -> str | None:
    """Who is on the other side: name and what identifies them, as far as told."""
    if not isinstance(info, dict):
        return None
    number = next((info[key] for key in ("binanceId", "accountId", "email") if info.get(key)), None)
    return words(info.get("name"), f"({number})" if number else None)


def c2c(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """`GET /sapi/v1/c2c/orderMatch/listUserOrderHistory`: coins bought from and sold to people.

    The commission is in the coin: it takes from what a buyer gets and adds to what a seller gives.
    """
    endpoint = "GET /sapi/v1/c2c/orderMatch/listUserOrderHistory"

    def row(order: Any) -> tuple[Any, ...]:
        side, time, fee = text(order["tradeType"]), from_ms(order["createTime"]), _commission(order)
        if side not in ("BUY", "SELL"):
            raise ValueError(f"tradeType is {shown(side)}, neither BUY nor SELL")
        buys, quantity, number = side == "BUY", moved(order["amount"]), identity(order["orderNumber"])
        return (account, "c2c", number, time, time, FlowKind.C2C_BUY if buys else FlowKind.C2C_SELL,
                text(order["asset"]), moved(quantity - fee) if buys else quantity, fee,
                in_words(order["orderStatus"]), True, number, words(order.get("counterPartNickName")),
                words(order.get("totalPrice"), order.get("fiat"), order.get("payMethodName")), seen_at)

    return lenient(schemas.CASH_FLOWS, endpoint, successful(endpoint, payload), row, "data")


def _commission(order: Any) -> Decimal:
    as_taker = order.get("advertisementRole") == "TAKER" and order.get("takerCommission")
    return total(moved(order.get("commission") or "0"), moved(as_taker or "0"))

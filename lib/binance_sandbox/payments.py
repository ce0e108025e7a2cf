"""`/sapi`: fiat, trades with other people, Binance Pay. Source: BINANCE.md section 5.3."""

from __future__ import annotations

from typing import Any

from .clock import DAY
from .errors import WireError, invalid_value
from .events import C2C, Fiat, Gift
from .money import ZERO, fixed, plain
from .wire import Call

FIAT_DAYS = 30          # without a window
C2C_DAYS, C2C_BACK = 30, 180
PAY_DAYS, PAY_BACK = 90, 548
SIDES = {"orders": ("deposit", "withdrawal"), "payments": ("buy", "sell")}


# -- fiat ------------------------------------------------------------------------------------------------------
def fiat_orders(call: Call) -> dict[str, Any]:
    """Fiat deposits (transactionType 0) or withdrawals (1)."""
    rows = [{"orderNo": f"{fiat.number:032x}", "fiatCurrency": fiat.asset,
             "indicatedAmount": fixed(fiat.amount + fiat.fee, 2), "amount": fixed(fiat.amount, 2),
             "totalFee": fixed(fiat.fee, 2), "method": fiat.method, "status": fiat.status, "createTime": fiat.time,
             "updateTime": fiat.time} for fiat in _fiat(call, SIDES["orders"])]
    return _answer(call, rows)


def fiat_payments(call: Call) -> dict[str, Any]:
    """Coins bought (0) or sold (1) for fiat; an empty answer has no `data`."""
    answer = _answer(call, [_payment_by_fiat(fiat) for fiat in _fiat(call, SIDES["payments"])])
    if not answer["data"]:
        del answer["data"]
    return answer


def _payment_by_fiat(fiat: Fiat) -> dict[str, Any]:
    paid, got = (fiat.amount, fiat.coin_amount) if fiat.side == "buy" else (fiat.coin_amount, fiat.amount)
    price = round(fiat.amount / fiat.coin_amount, 8) if fiat.coin_amount else ZERO
    return {"orderNo": f"{fiat.number:032x}", "sourceAmount": plain(paid), "fiatCurrency": fiat.asset,
            "obtainAmount": plain(got), "cryptoCurrency": fiat.coin, "totalFee": plain(fiat.fee), "price": plain(price),
            "status": fiat.status, "paymentMethod": fiat.method, "createTime": fiat.time, "updateTime": fiat.time}


def _fiat(call: Call, sides: tuple[str, str]) -> list[Fiat]:
    """One side's rows between beginTime and endTime, newest first."""
    kind = call.text("transactionType")
    if kind not in ("0", "1"):
        raise invalid_value("transactionType")
    start, end = call.moment("beginTime"), call.moment("endTime")
    last = call.now if end is None else end
    first = last - FIAT_DAYS * DAY if start is None else start
    return [fiat for fiat in call.state.ledger.of(Fiat, call.account.name, first, min(last, call.seen))
            if fiat.side == sides[int(kind)]]


def _answer(call: Call, rows: list[Any]) -> dict[str, Any]:
    page = call.page(rows, 100, 500, size="rows", current="page")
    return {"code": "000000", "message": "success", "data": page, "total": len(rows), "success": True}


# -- other people ----------------------------------------------------------------------------------------------
def c2c_orders(call: Call) -> dict[str, Any]:
    """Newest first; the times have a new name and an old one."""
    side = call.params.get("tradeType")
    if side not in (None, "", "BUY", "SELL"):
        raise invalid_value("tradeType")
    new = "startTimestamp" in call.params or "endTimestamp" in call.params
    names = ("startTimestamp", "endTimestamp") if new else ("startTime", "endTime")
    start, end = call.window(C2C_DAYS, WireError(-1127, f"More than 30 days between {names[0]} and {names[1]}."),
                             including=True, names=names)
    start = max(start, call.now - C2C_BACK * DAY)
    found = [trade for trade in call.state.ledger.of(C2C, call.account.name, start, min(end, call.seen))
             if side in (None, "", trade.side)]
    return {"code": "000000", "message": "success", "total": len(found), "success": True,
            "data": [_c2c(trade) for trade in call.page(found, 100, 100, size="rows", current="page")]}


def _c2c(trade: C2C) -> dict[str, Any]:
    unit = round(trade.total_price / trade.amount, 8) if trade.amount else ZERO
    return {"orderNumber": str(trade.number), "advNo": str(trade.number)[::-1], "tradeType": trade.side,
            "asset": trade.asset, "fiat": trade.fiat, "fiatSymbol": trade.fiat, "amount": fixed(trade.amount),
            "totalPrice": fixed(trade.total_price), "unitPrice": plain(unit), "orderStatus": trade.status,
            "createTime": trade.time, "commission": plain(trade.fee), "takerCommission": "0",
            "takerAmount": fixed(trade.amount), "counterPartNickName": "san***", "payMethodName": "BankTransfer",
            "additionalKycVerify": 0, "advertisementRole": "TAKER"}


def pay_transactions(call: Call) -> dict[str, Any]:
    """Newest first; the amount's sign tells the direction. There is no offset: page by time."""
    start, end = call.window(PAY_DAYS, WireError(-1127, "More than 90 days between startTime and endTime."),
                             including=True)
    start = max(start, call.now - PAY_BACK * DAY)
    found = [gift for gift in call.state.ledger.of(Gift, call.account.name, start, min(end, call.seen))
             if gift.kind == "pay"]
    return {"code": "000000", "message": "success", "success": True,
            "data": [_payment(call, gift) for gift in found[:call.limit(100, 100)]]}


def _payment(call: Call, gift: Gift) -> dict[str, Any]:
    wallet = 1 if gift.wallet == "funding" else 2
    uid = str(call.account.uid)
    me = {"name": call.account.name, "type": "USER", "binanceId": uid, "accountId": uid}
    other = {"name": "Somebody", "type": "USER", "binanceId": "12345678", "accountId": "21326891"}
    payer, receiver = (other, me) if gift.amount >= 0 else (me, other)
    return {"orderType": gift.note, "transactionId": f"M_P_{gift.number}", "transactionTime": gift.time,
            "amount": plain(gift.amount), "currency": gift.asset, "walletType": wallet, "walletTypes": [wallet],
            "fundsDetail": [{"currency": gift.asset, "amount": plain(abs(gift.amount)),
                             "walletAssetCost": {str(wallet): plain(abs(gift.amount))}}],
            "payerInfo": payer, "receiverInfo": receiver}

"""`/sapi`: what moves or arises inside an account: transfers, dividends, dust. Source: BINANCE.md section 5.4."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from .clock import DAY
from .errors import WireError, illegal_characters, invalid_value
from .event_fields import read_event
from .events import Exchange, Gift, Transfer
from .fields import Fields
from .ledger import Amounts
from .money import plain
from .wire import Call

TRANSFER_DAYS, TRANSFER_BACK = 180, 7
DIVIDEND_DAYS = 180
MOST_DUST = 100
# The wallets as the transfer types spell them. Simple Earn is no wallet here: it has endpoints of its own.
SIDES = {"MAIN": "spot", "UMFUTURE": "futures", "CMFUTURE": "coin_futures", "MARGIN": "margin", "FUNDING": "funding",
         "ISOLATEDMARGIN": "isolated_margin"}
SPELLINGS = {"MAIN_ISOLATEDMARGIN": "MAIN_ISOLATED_MARGIN", "ISOLATEDMARGIN_MAIN": "ISOLATED_MARGIN_MAIN"}
TYPES = {SPELLINGS.get(f"{one}_{other}", f"{one}_{other}"): (SIDES[one], SIDES[other])
         for one in SIDES for other in SIDES if one != other}
OTHER_TYPES = ("OPTION", "PORTFOLIO_MARGIN")    # products that nobody has here
SYMBOL_NEEDED = {"ISOLATEDMARGIN_MARGIN": ("fromSymbol",), "MARGIN_ISOLATEDMARGIN": ("toSymbol",)}


# -- universal transfer ----------------------------------------------------------------------------------------
def transfers(call: Call) -> dict[str, Any]:
    """Of one direction, newest first; without any, `rows` is left out."""
    wallets = _direction(call)
    if (call.moment("startTime") or call.now) < call.now - TRANSFER_DAYS * DAY:
        raise WireError(-9000, "Only records of the last 6 months can be queried.")
    start, end = call.window(TRANSFER_DAYS, WireError(-1127, "More than 180 days between startTime and endTime."),
                             including=True, default=TRANSFER_BACK)
    found = [move for move in call.state.ledger.of(Transfer, call.account.name, start, min(end, call.seen))
             if move.to == move.account and (move.from_wallet, move.to_wallet) == wallets]
    rows = [{"asset": move.asset, "amount": plain(move.amount), "type": call.params["type"], "status": "CONFIRMED",
             "tranId": move.number, "timestamp": move.time} for move in call.page(found, 10, 100)]
    return {"total": len(found), "rows": rows} if found else {"total": 0}


def transfer(call: Call) -> dict[str, int]:
    """Move an asset between two of the caller's wallets, now."""
    from_wallet, to_wallet = _direction(call)
    event = carry_out(call, {"type": "transfer", "account": call.account.name, "from_wallet": from_wallet,
                             "to_wallet": to_wallet, "asset": call.text("asset"), "amount": amount_sent(call)})
    return {"tranId": event}


def _direction(call: Call) -> tuple[str, str]:
    name = call.text("type")
    if name not in TYPES and not any(other in name for other in OTHER_TYPES):
        raise invalid_value("type")
    for needed in SYMBOL_NEEDED.get(name, ()):
        call.text(needed)
    return TYPES.get(name, ("option", "option"))


def amount_sent(call: Call) -> Decimal:
    """The mandatory parameter `amount`, above zero."""
    try:
        amount = Decimal(call.text("amount"))
    except InvalidOperation:
        raise illegal_characters("amount", "^([0-9]{1,20})(\\.[0-9]{1,20})?$") from None
    if not amount.is_finite() or amount <= 0 or amount != amount.quantize(Decimal("1e-8")):
        raise invalid_value("amount")
    return amount


def carry_out(call: Call, event: dict[str, Any]) -> int:
    """Book a transfer that the wallet can pay; its tranId."""
    wallet, asset = event["from_wallet"], event["asset"]
    if wallet == "option":
        raise WireError(-9000, "The account of this transfer type does not exist.")
    if _spare(call, event["account"], wallet, asset) < event["amount"]:
        raise WireError(-5013, "Asset transfer failed: insufficient balance")
    made = read_event(Fields({**event, "amount": plain(event["amount"]), "time": call.now}), call.now,
                      call.state.ledger.events)
    call.state.ledger.add_event(made)
    return made.number


def _spare(call: Call, account: str, wallet: str, asset: str) -> Decimal:
    """What may leave a wallet: what is free, on USDⓈ-M without what positions and orders need."""
    held = call.state.ledger.holdings(account, call.now).wallets.get(wallet, {}).get(asset, Amounts())
    if wallet != "futures":
        return held.free
    return min(held.free, call.state.futures.statement(account).available(asset))


# -- income ----------------------------------------------------------------------------------------------------
def dividends(call: Call) -> dict[str, Any]:
    start, end = call.window(DIVIDEND_DAYS, WireError(-6021, "Query time range must not exceed 180 days."),
                             including=True)
    found = [gift for gift in call.state.ledger.of(Gift, call.account.name, start, min(end, call.seen))
             if gift.kind == "dividend" and call.params.get("asset") in (None, "", gift.asset)]
    rows = [{"id": gift.number, "amount": plain(abs(gift.amount)), "asset": gift.asset, "divTime": gift.time,
             "enInfo": gift.note, "tranId": gift.number, "direction": 1 if gift.amount >= 0 else -1}
            for gift in found[:call.limit(20, 500)]]
    return {"rows": rows, "total": len(found)}


def dust(call: Call) -> dict[str, Any]:
    """The last 100 rows, whatever the window."""
    start, end = call.moment("startTime") or 0, call.moment("endTime") or call.now
    found = [dust for dust in call.state.ledger.of(Exchange, call.account.name, start, min(end, call.seen))
             if dust.kind == "dust"]
    return {"total": len(found), "userAssetDribblets": [_dribblet(dust) for dust in found[:MOST_DUST]]}


def _dribblet(dust: Exchange) -> dict[str, Any]:
    amount, fee = plain(dust.to_amount), plain(dust.fee)
    detail = {"transId": dust.number, "serviceChargeAmount": fee, "amount": plain(dust.from_amount),
              "operateTime": dust.time, "transferedAmount": amount, "fromAsset": dust.from_asset,
              "targetAsset": dust.to_asset}
    return {"operateTime": dust.time, "totalTransferedAmount": amount, "totalServiceChargeAmount": fee,
            "transId": dust.number, "userAssetDribbletDetails": [detail]}

"""Read the events that a control call or a scenario describes; every complaint names the key at fault.

An event's id follows from its content, so posting the same events in another order gives the same world.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import Any

from .accounts import WALLETS
from .events import (
    C2C,
    DEPOSIT_STATUSES,
    WITHDRAWAL_REFUSED,
    WITHDRAWAL_STATUSES,
    WITHDRAWN,
    Deposit,
    Event,
    Exchange,
    Fiat,
    Fill,
    Gift,
    Loan,
    Reward,
    Transfer,
    Withdrawal,
)
from .fields import Fields
from .money import ZERO
from .pairs import pair_of

NETWORKS = {"BTC": "BTC", "ETH": "ETH", "USDT": "TRX", "USDC": "ETH", "SOL": "SOL", "BNB": "BSC"}
EARN = {"flexible": "earn_flexible", "locked": "earn_locked"}
PAY_TYPES = ("PAY", "PAY_REFUND", "C2C", "CRYPTO_BOX", "CRYPTO_BOX_RF", "C2C_HOLDING", "C2C_HOLDING_RF", "PAYOUT",
             "REMITTANCE")
FIAT_STATUSES = {"deposit": "Successful", "withdrawal": "Successful", "buy": "Completed", "sell": "Completed"}
UNTOLD = ("order_id", "client_id", "note", "commission_asset")    # fields that an event's own id does not follow from
UNFINISHED = ("Processing", "Failed", "Expired", "Refunded", "Rejected")


def read_event(fields: Fields, now: int, taken: Mapping[str, object]) -> Event:
    """The event that a control call or a scenario describes; raises `BadInput`.

    taken  the ids in use; an event without an id gets one that follows from its content
    """
    kind = fields.choice("type", tuple(READERS))
    time = fields.time("time", now)
    account = fields.text("account", fields.optional_text("from") if kind == "sub_transfer" else None)
    given = fields.optional_text("id")
    if given in taken:
        raise fields.wrong("id", f"{given!r} is taken by another event")
    details = READERS[kind](fields, time, account)
    fields.done()
    build = details.pop("build")
    told = sorted((key, str(value)) for key, value in details.items() if key not in UNTOLD)
    content = f"{kind}|{account}|{time}|{told}"
    identity = given or _identity(content, taken)
    if details.get("tx_id") == "":
        details["tx_id"] = _transaction_id(identity, details["transfer_type"])
    event: Event = build(id=identity, time=time, account=account, **details)
    return event


def _identity(content: str, taken: Mapping[str, object]) -> str:
    """The first free one in a row of ids that follow from `content`: the same event twice is two events."""
    repeats = 0
    while (identity := str(int(sha256(f"{content}|{repeats}".encode()).hexdigest()[:13], 16))) in taken:
        repeats += 1
    return identity


def _transaction_id(identity: str, transfer_type: int) -> str:
    digest = sha256(f"transaction {identity}".encode()).hexdigest()
    return f"Off-chain transfer {int(digest[:9], 16)}" if transfer_type else digest


def _read_deposit(fields: Fields, time: int, account: str) -> dict[str, Any]:
    details = _read_chain(fields, time, DEPOSIT_STATUSES, default=1, final=(1, 2, 6, 7))
    return {"build": Deposit, **details}


def _read_withdrawal(fields: Fields, time: int, account: str) -> dict[str, Any]:
    fee, order_id = fields.amount("fee", ZERO), fields.optional_text("order_id")
    details = _read_chain(fields, time, WITHDRAWAL_STATUSES, default=WITHDRAWN, final=(WITHDRAWN, *WITHDRAWAL_REFUSED))
    return {"build": Withdrawal, "fee": fee, "order_id": order_id, **details}


def _read_chain(fields: Fields, time: int, statuses: tuple[int, ...], default: int,
                final: tuple[int, ...]) -> dict[str, Any]:
    """What deposits and withdrawals share. A final status is reached at once unless `complete_time` says when."""
    details = _read_move(fields, "spot", ("spot", "funding"))
    status = fields.integer("status", default)
    if status not in statuses:
        raise fields.wrong("status", f"{status} is none of {', '.join(map(str, statuses))}")
    given = "complete_time" in fields
    complete_time = fields.time("complete_time", time)
    if complete_time < time:
        raise fields.wrong("complete_time", "lies before time")
    if given and status not in final:
        raise fields.wrong("complete_time", f"status {status} is not a completion")
    transfer_type = fields.integer("transfer_type", 0)
    if transfer_type not in (0, 1):
        raise fields.wrong("transfer_type", f"{transfer_type} is none of 0, 1")
    return {**details, "final_status": status, "complete_time": complete_time if status in final else None,
            "network": fields.text("network", NETWORKS.get(details["asset"], "ETH")),
            "tx_id": fields.optional_text("tx_id") or "",
            "transfer_type": transfer_type}


def _read_move(fields: Fields, wallet: str, wallets: tuple[str, ...] = WALLETS, *,
               signed: bool = False) -> dict[str, Any]:
    return {"asset": fields.asset(), "amount": fields.amount("amount", signed=signed),
            "wallet": fields.choice("wallet", wallets, wallet)}


def _read_pay(fields: Fields, time: int, account: str) -> dict[str, Any]:
    return {"build": Gift, "kind": "pay", "note": fields.choice("order_type", PAY_TYPES, "PAY"),
            **_read_move(fields, "funding", signed=True)}


def _read_dividend(fields: Fields, time: int, account: str) -> dict[str, Any]:
    move = _read_move(fields, "spot", signed=True)
    return {"build": Gift, "kind": "dividend", "note": fields.text("info", f"{move['asset']} distribution"), **move}


def _read_transfer(fields: Fields, time: int, account: str) -> dict[str, Any]:
    wallets = {"from_wallet": fields.choice("from_wallet", WALLETS), "to_wallet": fields.choice("to_wallet", WALLETS)}
    return {"build": Transfer, "asset": fields.asset(), "amount": fields.amount("amount"), "to": account, **wallets}


def _read_sub_transfer(fields: Fields, time: int, account: str) -> dict[str, Any]:
    wallets = {"from_wallet": fields.choice("from_wallet", WALLETS, "spot"),
               "to_wallet": fields.choice("to_wallet", WALLETS, "spot")}
    return {"build": Transfer, "asset": fields.asset(), "amount": fields.amount("amount"), "to": fields.text("to"),
            "client_id": fields.optional_text("client_id") or "", **wallets}


def _read_fill(fields: Fields, time: int, account: str) -> dict[str, Any]:
    symbol = fields.text("symbol")
    if pair_of(symbol) is None:
        raise fields.wrong("symbol", f"cannot tell the quote asset of {symbol!r}")
    quantity, price = fields.amount("quantity"), fields.amount("price") if "price" in fields else None
    for key, value in (("quantity", quantity), ("price", price)):
        if value == 0:
            raise fields.wrong(key, "must be above zero")
    return {"build": Fill, "symbol": symbol, "market": fields.choice("market", ("spot", "futures"), "spot"),
            "side": fields.choice("side", ("BUY", "SELL")), "quantity": quantity, "price": price,
            "position_side": fields.choice("position_side", ("BOTH", "LONG", "SHORT"), "BOTH"),
            "commission": fields.amount("commission", ZERO),
            "commission_asset": fields.asset("commission_asset") if "commission_asset" in fields else None}


def _read_exchange(fields: Fields, kind: str, **more: Any) -> dict[str, Any]:
    """A convert or dust: from_asset, from_amount, to_asset, to_amount."""
    return {"build": Exchange, "kind": kind, "from_asset": fields.asset("from_asset"),
            "from_amount": fields.amount("from_amount"), "to_amount": fields.amount("to_amount"), **more}


def _read_convert(fields: Fields, time: int, account: str) -> dict[str, Any]:
    return _read_exchange(fields, "convert", to_asset=fields.asset("to_asset"), fee=ZERO,
                          wallet=fields.choice("wallet", ("spot", "funding"), "spot"),
                          status=fields.choice("status", ("SUCCESS", "PROCESS", "ACCEPT_SUCCESS", "FAIL"), "SUCCESS"))


def _read_dust(fields: Fields, time: int, account: str) -> dict[str, Any]:
    to_asset = fields.asset("to_asset") if "to_asset" in fields else "BNB"
    return _read_exchange(fields, "dust", to_asset=to_asset, wallet="spot", status="SUCCESS",
                          fee=fields.amount("fee", ZERO))


def _read_fiat(fields: Fields, time: int, account: str) -> dict[str, Any]:
    side = fields.choice("side", tuple(FIAT_STATUSES))
    coins = side in ("buy", "sell")
    method = fields.text("payment_method", "Credit Card" if coins else "BankAccount")
    return {"build": Fiat, "side": side, "fee": fields.amount("fee", ZERO), "method": method,
            "status": fields.choice("status", (FIAT_STATUSES[side], *UNFINISHED), FIAT_STATUSES[side]),
            "coin": fields.asset("coin") if coins else "",
            "coin_amount": fields.amount("coin_amount") if coins else ZERO,
            **_read_move(fields, "spot", ("spot", "funding"))}


def _read_c2c(fields: Fields, time: int, account: str) -> dict[str, Any]:
    return {"build": C2C, "side": fields.choice("side", ("BUY", "SELL")), "fiat": fields.asset("fiat"),
            "total_price": fields.amount("total_price"), "fee": fields.amount("fee", ZERO),
            "status": fields.choice("status", ("COMPLETED", "PENDING", "TRADING", "BUYER_PAYED", "CANCELLED"),
                                    "COMPLETED"),
            **_read_move(fields, "funding", ("spot", "funding"))}


def _read_subscription(fields: Fields, time: int, account: str, *, into: bool = True) -> dict[str, Any]:
    """Into Simple Earn, or back: a transfer between `wallet` and the product's."""
    product = EARN[fields.choice("product", tuple(EARN), "flexible")]
    wallet = fields.choice("wallet", ("spot", "funding"), "spot")
    there, here = (product, wallet) if into else (wallet, product)
    return {"build": Transfer, "asset": fields.asset(), "amount": fields.amount("amount"), "to": account,
            "from_wallet": here, "to_wallet": there}


def _read_redemption(fields: Fields, time: int, account: str) -> dict[str, Any]:
    return _read_subscription(fields, time, account, into=False)


def _read_reward(fields: Fields, time: int, account: str) -> dict[str, Any]:
    product = fields.choice("product", tuple(EARN), "flexible")
    kind = fields.choice("kind", ("REALTIME", "BONUS", "REWARDS"), "REALTIME" if product == "flexible" else "REWARDS")
    return {"build": Reward, "product": product, "kind": kind, "asset": fields.asset(),
            "amount": fields.amount("amount"), "wallet": EARN[product] if kind == "REALTIME" else "spot"}


def _read_loan(kind: str, fields: Fields, time: int, account: str) -> dict[str, Any]:
    return {"build": Loan, "kind": kind, "symbol": fields.optional_text("symbol") or "",
            **_read_move(fields, "margin", ("margin", "isolated_margin"))}


READERS: dict[str, Callable[[Fields, int, str], dict[str, Any]]] = {
    "deposit": _read_deposit, "withdrawal": _read_withdrawal, "transfer": _read_transfer, "pay": _read_pay,
    "sub_transfer": _read_sub_transfer, "dividend": _read_dividend, "fill": _read_fill, "convert": _read_convert,
    "dust": _read_dust, "fiat": _read_fiat, "c2c": _read_c2c, "earn_subscribe": _read_subscription,
    "earn_redeem": _read_redemption, "reward": _read_reward,
    "borrow": partial(_read_loan, "borrow"), "repay": partial(_read_loan, "repay"),
    "interest": partial(_read_loan, "interest"),
}

"""Money of banks and cards: CASH_FLOWS, as in `flows`. The direction is what was asked for, no row tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from navbook import schemas
from navbook.exchange.parse.flows import in_words
from navbook.exchange.rows import Parsed, lenient, successful
from navbook.exchange.values import ZERO, amount, from_ms, given, identity, moved, text, words
from navbook.types import FlowKind

ON_BINANCE = "cash balance"    # a payment method: the fiat lay on Binance already, so it was a trade


def fiat_deposits(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """`GET /sapi/v1/fiat/orders?transactionType=0`: `amount` is what was credited."""
    return _fiat(payload, account, seen_at, FlowKind.FIAT_DEPOSIT)


def fiat_withdrawals(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """`GET /sapi/v1/fiat/orders?transactionType=1`: `amount` arrives at the bank, indicatedAmount left the account."""
    return _fiat(payload, account, seen_at, FlowKind.FIAT_WITHDRAWAL)


def _fiat(payload: Any, account: str, seen_at: datetime, kind: FlowKind) -> Parsed:
    endpoint = f"GET /sapi/v1/fiat/orders?transactionType={int(kind.sign < 0)}"

    def row(order: Any) -> tuple[Any, ...]:
        value, fee = moved(order["amount"]), moved(given(order.get("totalFee")) or "0")
        whole = given(order.get("indicatedAmount"))
        if whole is not None and kind.sign < 0 and amount(whole) >= value:
            fee = moved(amount(whole) - value)
        return (account, "fiat", identity(order["orderNo"]), *_fiat_times(order), kind, text(order["fiatCurrency"]),
                value, fee, in_words(order["status"]), False, identity(order["orderNo"]), words(order.get("method")),
                None, seen_at)

    return lenient(schemas.CASH_FLOWS, endpoint, successful(endpoint, payload), row, "data")


def _fiat_times(order: Any) -> tuple[datetime, datetime]:
    """When it changed last, and when it began."""
    began = from_ms(order["createTime"])
    changed = given(order.get("updateTime"))
    return (from_ms(changed) if changed else began), began


def card_buys(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """`GET /sapi/v1/fiat/payments?transactionType=0`: coins that money from outside bought."""
    return _card(payload, account, seen_at, FlowKind.CARD_BUY)


def card_sells(payload: Any, account: str, seen_at: datetime) -> Parsed:
    """`GET /sapi/v1/fiat/payments?transactionType=1`: coins sold for money that left."""
    return _card(payload, account, seen_at, FlowKind.CARD_SELL)


def _card(payload: Any, account: str, seen_at: datetime, kind: FlowKind) -> Parsed:
    endpoint = f"GET /sapi/v1/fiat/payments?transactionType={int(kind.sign < 0)}"
    column = "obtainAmount" if kind is FlowKind.CARD_BUY else "sourceAmount"

    def row(payment: Any) -> tuple[Any, ...] | None:
        if from_cash_balance(payment):
            return None
        number = identity(payment["orderNo"])
        return (account, "card", number, *_fiat_times(payment), kind, text(payment["cryptoCurrency"]),
                moved(payment[column]), ZERO, in_words(payment["status"]), False, number,
                words(payment.get("paymentMethod")), None, seen_at)

    return lenient(schemas.CASH_FLOWS, endpoint, successful(endpoint, payload), row, "data")


def from_cash_balance(payment: Any) -> bool:
    """Whether coins were paid with fiat that lay on Binance: a trade, which `archives` keeps."""
    return str(payment.get("paymentMethod") or "").casefold().replace("_", " ") == ON_BINANCE

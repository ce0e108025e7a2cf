"""Fiat orders and card payments, as documented: when they count, what left and what came."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from navbook.exchange import parse
from payloads import NOW, answer, good
from worlds import only


def order(**fields: object) -> dict[str, object]:
    return {"orderNo": "7d76", "fiatCurrency": "EUR", "indicatedAmount": "10.00", "amount": "9.00", "totalFee": "1.00",
            "method": "BankAccount", "status": "Successful", "createTime": 1_626_144_956_000,
            "updateTime": 1_626_400_907_000} | fields


@pytest.mark.parametrize(("told", "status"), [
    ("Successful", "done"), ("Finished", "done"), ("Completed", "done"), ("Expired", "failed"), ("Refunded", "failed"),
    ("Failed", "failed"), ("Rejected", "failed"), ("Processing", "pending"), ("Refunding", "pending"), ("What is this", "pending"),
])
def test_fiat_orders_count_when_they_succeeded_at_that_time(told, status):
    row = only(good(parse.banks.fiat_deposits(answer(order(status=told)), "main", NOW)))
    assert (row["status"], row["kind"], row["asset"], row["amount"]) == (status, "FIAT_DEPOSIT", "EUR", 9)
    assert (row["started_at"], row["time"]) == (datetime(2021, 7, 13, 2, 55, 56, tzinfo=UTC), datetime(2021, 7, 16, 2, 1, 47, tzinfo=UTC))


@pytest.mark.parametrize(("fields", "left"), [
    ({}, 10), ({"indicatedAmount": "10.00", "amount": "10.00", "totalFee": "0"}, 10),
    ({"indicatedAmount": "9.00"}, 9), ({"indicatedAmount": None}, 10), ({"indicatedAmount": "0"}, 10),
])
def test_what_leaves_for_a_bank_is_the_indicated_amount(fields, left):
    row = only(good(parse.banks.fiat_withdrawals(answer(order(**fields)), "main", NOW)))
    assert row["kind"] == "FIAT_WITHDRAWAL"
    assert row["amount"] + row["fee"] == left


def card(**fields: object) -> dict[str, object]:
    return {"orderNo": "353f", "sourceAmount": "20.0", "fiatCurrency": "EUR", "obtainAmount": "4.462", "cryptoCurrency": "LUNA",
            "totalFee": "0.2", "price": "4.437472", "status": "Completed", "paymentMethod": "Credit Card",
            "createTime": 1_624_529_919_000, "updateTime": 1_624_529_919_000} | fields


def test_a_card_brings_the_coins_and_takes_them():
    bought = only(good(parse.banks.card_buys(answer(card()), "main", NOW)))
    assert (bought["kind"], bought["asset"], bought["amount"]) == ("CARD_BUY", "LUNA", Decimal("4.462"))
    sold = only(good(parse.banks.card_sells(answer(card(sourceAmount="3", obtainAmount="12")), "main", NOW)))
    assert (sold["kind"], sold["asset"], sold["amount"]) == ("CARD_SELL", "LUNA", 3)
    assert only(good(parse.banks.card_buys(answer(card(status="Failed")), "main", NOW)))["status"] == "failed"


@pytest.mark.parametrize("method", ["Cash Balance", "cash balance", "CASH_BALANCE"])
def test_coins_for_fiat_that_lay_on_binance_are_a_trade(method):
    payments = answer(card(paymentMethod=method))
    assert good(parse.banks.card_buys(payments, "main", NOW)).is_empty()
    traded = only(good(parse.archives.cash_balance_buys(payments, "main", NOW)))
    assert (traded["from_asset"], traded["from_amount"], traded["to_asset"], traded["to_amount"]) == ("EUR", 20, "LUNA", Decimal("4.462"))
    assert good(parse.archives.cash_balance_buys(answer(card()), "main", NOW)).is_empty()
    sold = only(good(parse.archives.cash_balance_sells(payments, "main", NOW)))
    assert (sold["from_asset"], sold["to_asset"]) == ("LUNA", "EUR")

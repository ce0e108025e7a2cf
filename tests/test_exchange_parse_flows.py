"""Cash flows of every kind: the documented forms, the traps, the times when they count. A bad row is set aside."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from navbook.errors import RequestRejected
from navbook.exchange import parse
from payloads import NOW, answer, deposit, good, payment, sub_transfer, transfer, withdrawal
from worlds import only


def deposits(*rows: dict[str, object]) -> pl.DataFrame:
    return good(parse.flows.deposits(list(rows), "main", NOW))


def withdrawals(*rows: dict[str, object]) -> pl.DataFrame:
    return good(parse.flows.withdrawals(list(rows), "main", NOW))


def with_sub(*rows: dict[str, object], subs: tuple[str, ...] = ("sub@x.com",)) -> pl.DataFrame:
    return good(parse.flows.transfers_with_subs({"result": list(rows), "totalCount": len(rows)}, "main", NOW, subs))


def as_sub(**fields: object) -> pl.DataFrame:
    return good(parse.flows.transfers_as_sub([sub_transfer(**fields)], "sub", NOW))


# -- deposits and withdrawals -------------------------------------------------------------------------------------
def test_a_deposit_as_documented():
    row = only(deposits(deposit()))
    assert row == {
        "account": "main", "source": "deposit", "id": "769800519366885376",
        "time": datetime(2022, 8, 26, 5, 53, 26, tzinfo=UTC), "started_at": datetime(2022, 8, 26, 5, 52, 26, tzinfo=UTC),
        "kind": "DEPOSIT", "asset": "BNB", "amount": Decimal("0.001"), "fee": 0, "status": "done", "internal": False,
        "tx_id": "98A3", "counterparty": None, "note": None, "seen_at": NOW}


def test_a22_a_withdrawals_amount_is_net_of_its_fee():
    row = only(withdrawals(withdrawal()))
    assert (row["amount"], row["fee"]) == (Decimal("8.91"), Decimal("0.004"))


@pytest.fixture
def tokyo(monkeypatch):
    """A machine that is nine hours ahead."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_a23_the_text_time_of_a_withdrawal_is_utc():
    row = only(withdrawals(withdrawal()))
    assert (row["started_at"], row["time"]) == (datetime(2019, 10, 12, 11, 12, 2, tzinfo=UTC),
                                                datetime(2019, 10, 12, 11, 16, 41, tzinfo=UTC))


@pytest.mark.parametrize("told", ["2026-05-14 09:31:07", 1_778_751_067_000, "1778751067000", "2026-05-14T09:31:07Z",
                                  "2026-05-14 17:31:07+08:00", Decimal("1778751067000")])
def test_a23_a_time_may_come_as_text_or_number(told):
    row = only(withdrawals(withdrawal(applyTime=told, completeTime=None)))
    assert row["time"] == row["started_at"] == datetime(2026, 5, 14, 9, 31, 7, tzinfo=UTC)


@pytest.mark.parametrize("told", ["", None, 0, "0"])
def test_a_time_of_nothing_is_no_time(told):
    """Binance's way to say that there is none; 1970 would drop the flow before every snapshot."""
    row = only(deposits(deposit() | {"completeTime": told}))
    assert row["time"] == row["started_at"] == datetime(2022, 8, 26, 5, 52, 26, tzinfo=UTC)
    row = only(withdrawals(withdrawal() | {"completeTime": told}))
    assert row["time"] == row["started_at"] == datetime(2019, 10, 12, 11, 12, 2, tzinfo=UTC)


@pytest.mark.parametrize(("told", "status"), [
    (0, "pending"), (1, "done"), (2, "failed"), (6, "done"), (7, "failed"), (8, "pending"), ("1", "done"), (99, "pending"),
])
def test_a26_deposits_that_count(told, status):
    assert only(deposits(deposit(status=told)))["status"] == status


@pytest.mark.parametrize(("told", "status"), [
    (0, "pending"), (1, "failed"), (2, "pending"), (3, "failed"), (4, "pending"), (5, "failed"), (6, "done"), ("6", "done"),
])
def test_a26_withdrawals_that_count(told, status):
    assert only(withdrawals(withdrawal(status=told)))["status"] == status


def test_a27_ids_are_texts_of_any_length():
    assert deposits(deposit(id="x" * 255), deposit(id=7))["id"].to_list() == ["x" * 255, "7"]


def test_a27_a_row_that_a_page_repeats_is_one_row():
    assert deposits(deposit(), deposit(), deposit(id="2")).height == 2


@pytest.mark.parametrize(("told", "internal"), [(0, False), (1, True), ("1", True), (None, False)])
def test_a28_internal_transfers_are_flagged(told, internal):
    assert only(deposits(deposit(transferType=told)))["internal"] is internal
    assert only(withdrawals(withdrawal(transferType=told)))["internal"] is internal


def test_a_withdrawal_without_transaction_and_fee_is_read():
    row = only(withdrawals(withdrawal(txId=None, transactionFee=None, completeTime=None, status=4)))
    assert (row["tx_id"], row["fee"], row["status"]) == (None, 0, "pending")


@pytest.mark.parametrize(("fields", "complaint"), [
    ({"insertTime": None}, "'insertTime' is missing"), ({"id": None}, "'id' is missing"),
    ({"coin": ""}, "'' is not a name"), ({"coin": ["BNB"]}, "is not a name"), ({"id": {"a": 1}}, "is not a name"),
    ({"txId": []}, "is not a name"), ({"amount": "-5"}, "the amount -5 is below zero"), ({"status": "done"}, "done"),
    ({"status": 1.5}, "1.5 is not a whole number"), ({"status": True}, "True is not a whole number"),
    ({"insertTime": 10**30}, "too large"), ({"insertTime": Decimal("1e999999999")}, "is not a whole number"),
    ({"insertTime": "2026-05-14"}, "2026-05-14"), ({"insertTime": 1_661_493_146_000_000}, "out of range"),
    ({"coin": "\ud800"}, "surrogates"),
])
def test_a_row_that_does_not_fit_is_set_aside_with_the_reason(fields, complaint):
    row = {name: value for name, value in {**deposit(id="3"), **fields}.items() if value is not None}
    parsed = parse.flows.deposits([deposit(), deposit(id="2"), row], "main", NOW)
    assert parsed.frame["id"].to_list() == ["769800519366885376", "2"]
    assert len(parsed.unread) == 1
    assert complaint in parsed.unread[0].reason
    assert json.loads(parsed.unread[0].body).keys() == row.keys()


@pytest.mark.parametrize("row", [None, 5, "text", [], [1], True, 1.5])
def test_a_row_that_is_no_object_is_set_aside(row):
    parsed = parse.flows.deposits([row, deposit()], "main", NOW)
    assert (parsed.frame.height, len(parsed.unread)) == (1, 1)


# -- sub-accounts -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("sender", "receiver", "kind"), [
    ("sub@x.com", "main@x.com", "SUB_DEPOSIT"), ("main@x.com", "sub@x.com", "SUB_WITHDRAWAL"),
    ("SUB@X.com", "main@x.com", "SUB_DEPOSIT"),
])
def test_a29_the_master_sees_both_directions(sender, receiver, kind):
    row = only(with_sub(transfer(fromEmail=sender, toEmail=receiver)))
    assert (row["kind"], row["amount"], row["internal"], row["tx_id"]) == (kind, Decimal("0.01"), True, "92275823339")


def test_a29_what_moves_between_two_sub_accounts_is_no_flow_of_the_master():
    rows = [transfer(toEmail="other@x.com"), transfer(tranId=2, fromEmail="Other@x.com", toEmail="sub@x.com"), transfer(tranId=3)]
    frame = with_sub(*rows, subs=("sub@x.com", "other@x.com"))
    assert frame.select("id", "kind").rows() == [("3", "SUB_DEPOSIT")]


def test_a29_a_transfer_of_strangers_is_set_aside():
    parsed = parse.flows.transfers_with_subs({"result": [transfer(fromEmail="a@x.com", toEmail="b@x.com")]}, "main", NOW,
                                             ["sub@x.com"])
    assert parsed.unread[0].reason == "it moves nothing from or to a sub-account"


@pytest.mark.parametrize(("told", "kind"), [(1, "SUB_DEPOSIT"), (2, "SUB_WITHDRAWAL"), ("1", "SUB_DEPOSIT")])
def test_a29_a_sub_account_sees_its_own_side(told, kind):
    row = only(as_sub(type=told))
    assert (row["kind"], row["time"]) == (kind, datetime(2018, 12, 10, 9, 15, 25, tzinfo=UTC))


@pytest.mark.parametrize(("told", "status"), [("SUCCESS", "done"), ("success", "done"), ("FAILURE", "failed"),
                                             ("PROCESS", "pending")])
def test_a26_transfers_that_count(told, status):
    assert only(as_sub(status=told))["status"] == status
    assert only(with_sub(transfer(status=told)))["status"] == status


@pytest.mark.parametrize("told", [0, 3, None, "in"])
def test_a_direction_that_nobody_knows_is_set_aside(told):
    assert len(parse.flows.transfers_as_sub([sub_transfer(type=told)], "sub", NOW).unread) == 1


def test_a31_equal_transfers_in_one_minute_are_two():
    assert with_sub(transfer(), transfer(tranId=2)).height == 2


def test_no_transfers_may_come_without_a_list():
    assert parse.flows.transfers_with_subs({"totalCount": 0}, "main", NOW, ["sub@x.com"]).frame.is_empty()


# -- fee withdrawals --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("note", "fee"), [
    ("performance fee", True), ("Performance Fee June 2026", True), ("mgmt-fee 2026-06", True), ("success_fees", True),
    ("fee withdrawal", True), ("Fee payment Q2", True), ("coffee", False), ("network fee", False), ("", False),
    ("my performance", False), ("The address is not valid. Please confirm with the recipient", False), (None, False),
])
def test_a25_a_note_tells_the_managers_fee(note, fee):
    kind = "FEE_WITHDRAWAL" if fee else "WITHDRAWAL"
    assert only(withdrawals(withdrawal(info=note)))["kind"] == kind
    assert only(withdrawals(withdrawal(withdrawOrderId=note)))["kind"] == kind
    paid = only(pay(payment(amount="-5", note=note)))
    assert paid["kind"] == ("FEE_WITHDRAWAL" if fee else "PAY_WITHDRAWAL")
    assert only(pay(payment(amount="5", note=note)))["kind"] == "PAY_DEPOSIT", "who receives a fee is no account that pays it"


def test_where_a_withdrawal_went_and_what_was_written_is_kept():
    row = only(withdrawals(withdrawal(address="0x94df", info="to the cold wallet", withdrawOrderId="W1")))
    assert (row["counterparty"], row["note"]) == ("0x94df", "to the cold wallet W1")


# -- Pay --------------------------------------------------------------------------------------------------------------
def pay(*rows: dict[str, object]) -> pl.DataFrame:
    return good(parse.flows.pay(answer(*rows), "main", NOW))


@pytest.mark.parametrize("order_type", ["PAY", "PAY_REFUND", "C2C", "CRYPTO_BOX", "CRYPTO_BOX_RF", "C2C_HOLDING", "PAYOUT",
                                        "REMITTANCE", "SOMETHING_NEW"])
@pytest.mark.parametrize(("amount", "kind", "who"), [("5", "PAY_DEPOSIT", "Jack (12345678)"), ("-5", "PAY_WITHDRAWAL", "Alan (34355667)")])
def test_a24_the_sign_tells_the_direction_and_the_other_side_is_kept(order_type, amount, kind, who):
    row = only(pay(payment(amount=amount, orderType=order_type)))
    assert (row["kind"], row["amount"], row["fee"], row["status"], row["source"]) == (kind, 5, 0, "done", "pay")
    assert (row["counterparty"], row["note"]) == (who, order_type)
    assert row["time"] == datetime(2021, 1, 8, 7, 21, 0, 133_000, tzinfo=UTC)


def test_a24_what_was_paid_with_other_assets_left_in_those():
    """An order of 10 EUR, paid with USDT and BNB."""
    funds = [{"currency": "USDT", "amount": "6"}, {"currency": "BNB", "amount": "0.01"}]
    rows = pay(payment(amount="-10", currency="EUR", fundsDetail=funds))
    assert rows.select("id", "asset", "amount").rows() == [("M_P_7150:USDT", "USDT", 6), ("M_P_7150:BNB", "BNB", Decimal("0.01"))]
    one = only(pay(payment(amount="-10", currency="EUR", fundsDetail=funds[:1])))
    assert (one["id"], one["asset"], one["amount"]) == ("M_P_7150", "USDT", 6)
    received = only(pay(payment(amount="10", currency="EUR", fundsDetail=funds)))
    assert (received["asset"], received["amount"]) == ("EUR", 10), "what the payer gave is not ours"


def test_a24_a_stranger_without_a_name_is_nobody():
    assert only(pay(payment(payerInfo=None)))["counterparty"] is None
    assert only(pay(payment(payerInfo={"name": "", "email": "a@x.com"})))["counterparty"] == "(a@x.com)"


# -- people -----------------------------------------------------------------------------------------------------------
def c2c(**fields: object) -> pl.DataFrame:
    row = {"orderNumber": "20219644646554779648", "advNo": "11218246497340923904", "tradeType": "SELL", "asset": "USDT",
           "fiat": "CNY", "amount": "5000.0", "totalPrice": "33400.0", "orderStatus": "COMPLETED",
           "createTime": 1_619_361_369_000, "commission": "0", "counterPartNickName": "ab***", "advertisementRole": "TAKER"} | fields
    return good(parse.flows.c2c(answer(row), "main", NOW))


@pytest.mark.parametrize(("fields", "kind", "amount", "fee"), [
    ({}, "C2C_SELL", 5000, 0), ({"commission": "2"}, "C2C_SELL", 5000, 2), ({"tradeType": "BUY"}, "C2C_BUY", 5000, 0),
    ({"tradeType": "BUY", "commission": "2"}, "C2C_BUY", 4998, 2),
    ({"tradeType": "BUY", "takerCommission": "3"}, "C2C_BUY", 4997, 3),
    ({"tradeType": "BUY", "takerCommission": "3", "advertisementRole": "MAKER"}, "C2C_BUY", 5000, 0),
])
def test_c2c_takes_its_commission_in_the_coin(fields, kind, amount, fee):
    row = only(c2c(**fields))
    assert (row["kind"], row["amount"], row["fee"]) == (kind, amount, fee)
    assert row["counterparty"] == "ab***"


@pytest.mark.parametrize(("told", "status"), [("COMPLETED", "done"), ("CANCELLED", "failed"), ("CANCELLED_BY_SYSTEM", "failed"),
                                              ("PENDING", "pending"), ("TRADING", "pending"), ("BUYER_PAYED", "pending")])
def test_a26_c2c_orders_that_count(told, status):
    assert only(c2c(orderStatus=told))["status"] == status


@pytest.mark.parametrize("parser", [parse.flows.pay, parse.flows.c2c, parse.banks.fiat_deposits, parse.banks.card_buys])
def test_an_answer_that_says_itself_that_it_failed_is_refused(parser):
    with pytest.raises(RequestRejected, match=r"was refused \(2\): illegal parameter"):
        parser({"code": "000002", "message": "illegal parameter", "data": [], "success": False}, "main", NOW)
    assert parser({"code": "000000", "success": True}, "main", NOW).frame.is_empty(), "nothing may come without a list"

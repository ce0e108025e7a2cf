"""What is no cash flow: transfers, rewards, converts, income and fills, as documented."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from navbook.exchange import parse
from payloads import NOW, good
from worlds import only


def test_a_transfer_between_wallets_keeps_its_direction():
    row = {"asset": "USDT", "amount": "1", "type": "MAIN_UMFUTURE", "status": "CONFIRMED", "tranId": 11415955596,
           "timestamp": 1_544_433_328_000}
    moved = only(good(parse.archives.transfers({"total": 1, "rows": [row]}, "main", NOW)))
    assert (moved["id"], moved["kind"], moved["amount"]) == ("11415955596", "MAIN_UMFUTURE", 1)
    assert good(parse.archives.transfers({"total": 0}, "main", NOW)).is_empty()


@pytest.mark.parametrize(("direction", "amount"), [(1, 10), (-1, -10), ("1", 10), (None, 10)])
def test_a_dividend_that_is_taken_back_is_negative(direction, amount):
    row = {"id": 1637366104, "amount": "10.00000000", "asset": "BHFT", "divTime": 1_563_189_166_000,
           "enInfo": "BHFT distribution", "tranId": 2968885920, "direction": direction}
    row = {name: value for name, value in row.items() if value is not None}
    paid = only(good(parse.archives.dividends({"rows": [row], "total": 1}, "main", NOW)))
    assert (paid["amount"], paid["source"], paid["note"]) == (amount, "dividend", "BHFT distribution")


def test_rewards_without_an_id_get_one_from_what_they_say():
    flexible = {"asset": "USDT", "rewards": "0.00006408", "projectId": "USDT001", "type": "BONUS", "time": 1_577_233_578_000}
    locked = {"positionId": 123123, "time": 1_575_018_510_000, "asset": "BNB", "lockPeriod": "30", "amount": "21312.23223",
              "type": "Locked Rewards"}
    one = only(good(parse.archives.flexible_rewards({"rows": [flexible, flexible], "total": 2}, "main", NOW)))
    two = only(good(parse.archives.locked_rewards({"rows": [locked], "total": 1}, "main", NOW)))
    assert (one["id"], one["source"]) == ("1577233578000:USDT:USDT001:BONUS", "earn_flexible")
    assert (two["id"], two["amount"]) == ("1575018510000:BNB:123123:Locked Rewards", Decimal("21312.23223"))


def test_dust_is_one_convert_for_each_coin():
    parts = [{"transId": 4359321, "serviceChargeAmount": "0.000009", "amount": "0.0009", "operateTime": 1_615_985_535_000,
              "transferedAmount": "0.000441", "fromAsset": asset} for asset in ("USDT", "EUR")]
    payload = {"total": 1, "userAssetDribblets": [{"transId": 45178372831, "userAssetDribbletDetails": parts}]}
    rows = good(parse.archives.dust(payload, "main", NOW))
    assert rows.select("from_asset", "from_amount", "to_asset", "to_amount").rows() == [
        (asset, Decimal("0.0009"), "BNB", Decimal("0.000441")) for asset in ("USDT", "EUR")]


def test_a_convert_keeps_both_sides():
    row = {"quoteId": "f3b9", "orderId": 940708407462087200, "orderStatus": "SUCCESS", "fromAsset": "USDT", "fromAmount": "20",
           "toAsset": "BNB", "toAmount": "0.06154036", "ratio": "0.00307702", "createTime": 1_624_248_872_184}
    found = only(good(parse.archives.converts({"list": [row], "moreData": False}, "main", NOW)))
    assert (found["id"], found["status"], found["to_amount"]) == ("940708407462087200", "SUCCESS", Decimal("0.06154036"))


@pytest.mark.parametrize("market", ["futures", "coin_futures"])
def test_income_is_one_row_for_each_kind_of_one_transaction(market):
    """tranId is unique within an incomeType alone."""
    row = {"symbol": "BTCUSDT", "incomeType": "COMMISSION", "income": "-0.01", "asset": "USDT", "info": "", "time": 1_570_636_800_000,
           "tranId": 9689322392, "tradeId": "2059192"}
    transfer = {**row, "symbol": "", "incomeType": "TRANSFER", "income": "5"}
    rows = good(parse.archives.income([row, transfer], "main", NOW, market))
    assert rows.select("market", "kind", "symbol", "amount", "note").rows() == [
        (market, "COMMISSION", "BTCUSDT", Decimal("-0.01"), None), (market, "TRANSFER", "", 5, None)]


def test_a_fill_keeps_what_was_paid_and_won():
    row = {"symbol": "BTCUSDT", "id": 698759, "orderId": 25851813, "side": "SELL", "price": "7819.01", "qty": "0.002",
           "realizedPnl": "-0.91539999", "marginAsset": "USDT", "quoteQty": "15.63802", "commission": "0.07819010",
           "commissionAsset": "USDT", "time": 1_569_514_978_020, "positionSide": "SHORT", "buyer": False, "maker": False}
    fill = only(good(parse.archives.fills([row], "main", NOW)))
    assert fill == {"account": "main", "market": "futures", "symbol": "BTCUSDT", "id": "698759",
                    "time": datetime(2019, 9, 26, 16, 22, 58, 20_000, tzinfo=UTC), "order_id": "25851813", "side": "SELL",
                    "position_side": "SHORT", "price": Decimal("7819.01"), "quantity": Decimal("0.002"),
                    "fee": Decimal("0.0781901"), "fee_asset": "USDT", "realized_pnl": Decimal("-0.91539999"), "maker": False,
                    "seen_at": NOW}


def test_a_bad_row_is_set_aside_and_the_others_are_kept():
    bad = {"asset": "USDT", "amount": "1", "type": "MAIN_UMFUTURE", "status": "CONFIRMED", "tranId": 1}
    parsed = parse.archives.transfers({"total": 2, "rows": [bad, {**bad, "tranId": 2, "timestamp": 5}]}, "main", NOW)
    assert (parsed.frame["id"].to_list(), parsed.unread[0].reason) == (["2"], "'timestamp' is missing")

"""What wallets hold and what prices are: the documented forms and the traps among them. A bad row fails the whole."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from navbook.errors import AnswerUnreadable
from navbook.exchange import parse, values
from payloads import COINS, NOW
from worlds import only


def spot(*balances: dict[str, object]) -> pl.DataFrame:
    return parse.wallets.spot({"balances": list(balances), "uid": 1}, "main", NOW, COINS)


def funding(**amounts: str) -> pl.DataFrame:
    return parse.wallets.funding([{"asset": "USDT", **amounts}], "main", NOW)


def futures(*assets: dict[str, object]) -> pl.DataFrame:
    return parse.wallets.futures({"totalMarginBalance": "999", "assets": list(assets)}, "main", NOW)


# -- wallets ----------------------------------------------------------------------------------------------------
def test_a11_spot_counts_free_and_locked():
    frame = spot({"asset": "ETH", "free": "1.00000000", "locked": "1.00000000"},
                 {"asset": "BTC", "free": "0.00000000", "locked": "0.00000000"})
    assert frame.select("account", "wallet", "asset", "quantity", "withdrawing").rows() == [("main", "spot", "ETH", 2, 0)]


@pytest.mark.parametrize(("asset", "counts"), [
    pytest.param("LDBTC", False, id="a mirror of flexible earn"),
    pytest.param("LDUSDT", False, id="a mirror of a quote asset"),
    pytest.param("LDBNSOL", False, id="a mirror of a long name"),
    pytest.param("LDO", True, id="Lido is a coin"),
    pytest.param("LDY", True, id="so is what has a market of its own"),
    pytest.param("LD", True, id="nothing behind it"),
    pytest.param("GLD", True, id="LD elsewhere"),
])
def test_a17_mirrors_of_simple_earn_are_left_out(asset, counts):
    assert spot({"asset": asset, "free": "3", "locked": "0"})["asset"].to_list() == [asset] * counts


def test_a_coin_of_four_letters_is_no_mirror_while_it_trades():
    row = {"balances": [{"asset": "LDBTC", "free": "1", "locked": "0"}]}
    assert parse.wallets.spot(row, "main", NOW, ("LDBTC",)).height == 1


def test_a16_funding_is_the_sum_of_all_four():
    row = only(funding(free="1", locked="20", freeze="300", withdrawing="4000", btcValuation="9"))
    assert (row["quantity"], row["withdrawing"], row["wallet"]) == (4321, 4000, "funding")


def test_a16_a_part_that_is_not_told_is_nothing():
    assert only(funding(free="1"))["quantity"] == 1


def test_a16_a_part_that_is_null_is_not_known():
    with pytest.raises(AnswerUnreadable, match="row 0: None is not an amount"):
        parse.wallets.funding([{"asset": "USDT", "free": "1", "locked": None}], "main", NOW)


def test_a14_futures_count_the_margin_balance_of_each_asset():
    """Wallet 100, unrealised -20: 80; the account's own total knows USDT alone."""
    frame = futures({"asset": "USDT", "walletBalance": "100", "unrealizedProfit": "-20", "marginBalance": "80"},
                    {"asset": "USDC", "walletBalance": "7", "unrealizedProfit": "0", "marginBalance": "7"},
                    {"asset": "BNB", "walletBalance": "0", "unrealizedProfit": "0", "marginBalance": "0.00000000"})
    assert frame.select("wallet", "asset", "quantity").rows() == [("futures", "USDT", 80), ("futures", "USDC", 7)]


def test_a15_a_negative_futures_asset_stays_negative():
    assert only(futures({"asset": "BNFCR", "marginBalance": "-50.00000001"}))["quantity"] == Decimal("-50.00000001")


def test_n2_wallet_totals_keep_every_name_and_know_ours():
    payload = [{"activate": True, "balance": "1.5", "walletName": "Spot"},
               {"activate": False, "balance": "-0.5", "walletName": "USDⓈ-M Futures"},
               {"balance": "2", "walletName": "Something New"}, {"balance": "1", "walletName": "Something New"}]
    found = parse.wallets.totals(payload)
    assert [(total.name, total.wallet, total.value, total.active) for total in found] == [
        ("Spot", "spot", Decimal("1.5"), True), ("USDⓈ-M Futures", "futures", Decimal("-0.5"), False),
        ("Something New", "other", 2, True), ("Something New", "other", 1, True)]
    rows = parse.wallets.wallet_totals(found, "main", NOW)
    assert rows.select("name", "value_usd").rows()[-1] == ("Something New", 3)
    assert only(parse.wallets.other(found, "main", NOW))["quantity"] == 3


def test_a17_earn_is_summed_by_asset():
    rows = [{"asset": "AXS", "amount": "1.5", "rewardAmt": "9"}, {"asset": "AXS", "amount": "2"}, {"asset": "BTC", "amount": "0"}]
    frame = parse.wallets.earn_locked({"rows": rows, "total": 3}, "main", NOW)
    assert frame.select("wallet", "asset", "quantity").rows() == [("earn_locked", "AXS", Decimal("3.5"))]
    assert parse.wallets.earn_flexible({"total": 0}, "main", NOW).is_empty()


def test_isolated_margin_sums_both_sides_of_all_pairs():
    pairs = [{"baseAsset": {"asset": base, "netAsset": "2"}, "quoteAsset": {"asset": "USDT", "netAsset": "-0.5"}}
             for base in ("BTC", "SOL")]
    frame = parse.wallets.isolated_margin({"assets": pairs}, "main", NOW)
    assert frame.select("asset", "quantity").rows() == [("BTC", 2), ("USDT", -1), ("SOL", 2)]


def test_margin_counts_what_is_owed_against_what_is_there():
    row = {"asset": "ETH", "free": "1", "locked": "0", "borrowed": "3", "interest": "0.1", "netAsset": "-2.1"}
    assert only(parse.wallets.margin({"userAssets": [row]}, "main", NOW))["quantity"] == Decimal("-2.1")


@pytest.mark.parametrize(("kind", "data", "expected"), [
    ("SPOT", {"balances": [{"asset": "BTC", "free": "1", "locked": "2"}, {"asset": "LDBTC", "free": "1", "locked": "0"}]}, ("spot", 3)),
    ("MARGIN", {"userAssets": [{"asset": "BTC", "netAsset": "-1"}]}, ("margin", -1)),
    ("FUTURES", {"assets": [{"asset": "BTC", "marginBalance": "4", "walletBalance": "5"}], "position": []}, ("futures", 4)),
])
def test_n10_daily_snapshots_are_balances_at_the_end_of_their_day(kind, data, expected):
    payload = {"code": 200, "msg": "", "snapshotVos": [{"type": kind.lower(), "updateTime": 1_576_281_599_000, "data": data}]}
    row = only(parse.wallets.daily(payload, "main", kind, NOW, COINS))
    assert (row["wallet"], row["quantity"]) == expected
    assert (row["time"], row["seen_at"]) == (datetime(2019, 12, 13, 23, 59, 59, tzinfo=UTC), NOW)


def test_amounts_keep_every_digit():
    """A sum of 38 digits is not rounded to Python's usual 28."""
    frame = spot({"asset": "PEPE", "free": "12345678901234567890.123456789", "locked": "0.000000000000000001"})
    assert only(frame)["quantity"] == Decimal("12345678901234567890.123456789000000001")


@pytest.mark.parametrize("amount", [
    "1e30", "-1e20", "100000000000000000000", "1e999999999", "9" * 5000, "nan", "Infinity", "", " ", "1,5", "0x1", True,
    None, [], {}, Decimal("1e999999999"), float("inf"),
], ids=lambda amount: repr(amount)[:12])
def test_an_amount_that_is_none_or_does_not_fit_is_never_a_null(amount):
    with pytest.raises(AnswerUnreadable, match=r"row 1: .{1,110} is not an amount") as caught:
        spot({"asset": "BTC", "free": "1", "locked": "0"}, {"asset": "ETH", "free": amount, "locked": "0"})
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(("told", "amount"), [("0E-8", 0), ("1E+2", 100), (5, 5), (Decimal("0.1"), Decimal("0.1")),
                                             ("-0", 0), ("1e-19", 0), ("0.0000000000000000006", Decimal("1e-18"))])
def test_an_amount_may_be_written_in_other_ways(told, amount):
    assert values.amount(told) == amount


# -- prices -------------------------------------------------------------------------------------------------------
def test_candles_as_documented():
    kline = [1_499_040_000_000, "0.01634790", "0.80000000", "0.01575800", "0.01577100", "148976.11427815",
             1_499_644_799_999, "2434.19055334", 308, "1756.87402397", "28.46694368", "0"]
    row = only(parse.market.candles([kline], "BTCUSDT", NOW))
    assert row == {"market": "spot", "symbol": "BTCUSDT", "interval": "1m", "open_time": datetime(2017, 7, 3, tzinfo=UTC),
                   "open": Decimal("0.01634790"), "high": Decimal("0.8"), "low": Decimal("0.015758"),
                   "close": Decimal("0.015771"), "volume": Decimal("148976.11427815"), "seen_at": NOW}


@pytest.mark.parametrize("kline", [[], [1], [1, "1", "1", "1", "1"], {"0": 1}, "abcdefgh", None])
def test_a_candle_that_is_cut_off_is_named(kline):
    with pytest.raises(AnswerUnreadable, match=r"klines \(BTCUSDT\) .* row 0"):
        parse.market.candles([kline], "BTCUSDT", NOW)

"""Whatever an exchange may say: an answer is read, refused or set aside, and never taken for nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import examples
from navbook.errors import AnswerUnreadable, NavbookError
from navbook.exchange import parse
from navbook.exchange.reading import Reading
from navbook.exchange.rows import Parsed
from navbook.exchange.sources import EVERY_SOURCE
from payloads import COINS, NOW, answer, deposit, example, good, payment, recording, sub_transfer, transfer, withdrawal
from worlds import only

WALLETS = {
    "spot": lambda payload: parse.wallets.spot(payload, "main", NOW, COINS), "uid": parse.wallets.uid,
    "funding": lambda payload: parse.wallets.funding(payload, "main", NOW),
    "futures": lambda payload: parse.wallets.futures(payload, "main", NOW),
    "coin_futures": lambda payload: parse.wallets.coin_futures(payload, "main", NOW),
    "margin": lambda payload: parse.wallets.margin(payload, "main", NOW),
    "isolated_margin": lambda payload: parse.wallets.isolated_margin(payload, "main", NOW),
    "earn_flexible": lambda payload: parse.wallets.earn_flexible(payload, "main", NOW),
    "earn_locked": lambda payload: parse.wallets.earn_locked(payload, "main", NOW),
    "bfusd": lambda payload: parse.wallets.dollar_earner("BFUSD", payload, "main", NOW),
    "daily": lambda payload: parse.wallets.daily(payload, "main", "SPOT", NOW, COINS),
    "totals": parse.wallets.totals, "flags": parse.wallets.account_flags, "rights": parse.wallets.key_rights,
    "prices": lambda payload: parse.market.prices(payload, NOW),
    "candles": lambda payload: parse.market.candles(payload, "BTCUSDT", NOW),
    "symbol_filters": lambda payload: parse.market.symbol_filters(payload, "BTCUSDT", NOW),
    "emails": parse.flows.sub_account_emails,
}
HISTORIES = {
    "deposits": parse.flows.deposits, "withdrawals": parse.flows.withdrawals, "as_sub": parse.flows.transfers_as_sub,
    "with_subs": lambda payload, account, time: parse.flows.transfers_with_subs(payload, account, time, ["sub@x.com"]),
    "pay": parse.flows.pay, "c2c": parse.flows.c2c, "fiat_in": parse.banks.fiat_deposits,
    "fiat_out": parse.banks.fiat_withdrawals, "card_buys": parse.banks.card_buys, "card_sells": parse.banks.card_sells,
    "transfers": parse.archives.transfers, "dividends": parse.archives.dividends, "dust": parse.archives.dust,
    "flexible_rewards": parse.archives.flexible_rewards, "locked_rewards": parse.archives.locked_rewards,
    "converts": parse.archives.converts, "income": parse.archives.income, "fills": parse.archives.fills,
}
PARSERS = WALLETS | {name: lambda payload, parser=parser: parser(payload, "main", NOW) for name, parser in HISTORIES.items()}
FILTERS = [{"filterType": "PRICE_FILTER", "tickSize": "0.10"}, {"filterType": "LOT_SIZE", "stepSize": "0.001"},
           {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.002"}, {"filterType": "MAX_NUM_ORDERS", "limit": 200}]
PAIR = {side: {"asset": "BTC", "netAsset": "1"} for side in ("baseAsset", "quoteAsset")}
ROWS = {    # one good row of each list, for the fuzz to spoil
    "spot": {"asset": "BTC", "free": "1", "locked": "0"}, "funding": {"asset": "BTC", "free": "1", "locked": "0"},
    "futures": {"asset": "USDT", "marginBalance": "1"}, "coin_futures": {"asset": "BTC", "marginBalance": "1"},
    "margin": {"asset": "BTC", "netAsset": "1"}, "isolated_margin": PAIR, "earn_flexible": {"asset": "BTC", "totalAmount": "1"},
    "earn_locked": {"asset": "BTC", "amount": "1"}, "daily": {"updateTime": 1, "data": {"balances": []}},
    "totals": {"walletName": "Spot", "balance": "1", "activate": True}, "prices": {"symbol": "BTCUSDT", "price": "1"},
    "candles": [1, "1", "1", "1", "1", "1"], "emails": {"email": "sub@x.com"},
    "symbol_filters": {"symbol": "BTCUSDT", "filters": FILTERS},
    "deposits": deposit(), "withdrawals": withdrawal(), "with_subs": transfer(), "as_sub": sub_transfer(), "pay": payment(),
    "c2c": {"orderNumber": "1", "tradeType": "BUY", "asset": "BTC", "amount": "1", "orderStatus": "COMPLETED", "createTime": 1},
    "fiat_in": {"orderNo": "1", "fiatCurrency": "EUR", "amount": "1", "status": "Successful", "createTime": 1},
    "fiat_out": {"orderNo": "1", "fiatCurrency": "EUR", "amount": "1", "status": "Successful", "createTime": 1},
    "card_buys": {"orderNo": "1", "cryptoCurrency": "BTC", "obtainAmount": "1", "status": "Completed", "createTime": 1},
    "card_sells": {"orderNo": "1", "cryptoCurrency": "BTC", "sourceAmount": "1", "status": "Completed", "createTime": 1},
    "transfers": {"tranId": 1, "timestamp": 1, "type": "A_B", "asset": "BTC", "amount": "1", "status": "CONFIRMED"},
    "dividends": {"id": 1, "divTime": 1, "asset": "BTC", "amount": "1"},
    "flexible_rewards": {"asset": "BTC", "rewards": "1", "projectId": "x", "type": "BONUS", "time": 1},
    "locked_rewards": {"asset": "BTC", "amount": "1", "positionId": 1, "type": "Locked", "time": 1},
    "converts": {"orderId": 1, "createTime": 1, "fromAsset": "A", "fromAmount": "1", "toAsset": "B", "toAmount": "1", "orderStatus": "x"},
    "dust": {"transId": 1, "userAssetDribbletDetails": [{"transId": 1, "fromAsset": "A", "operateTime": 1, "amount": "1", "transferedAmount": "1"}]},
    "income": {"incomeType": "A", "tranId": 1, "asset": "A", "time": 1, "income": "1"},
    "fills": {"symbol": "A", "id": 1, "time": 1, "orderId": 1, "side": "BUY", "price": "1", "qty": "1", "commission": "1",
              "commissionAsset": "A", "realizedPnl": "0", "maker": True},
}
LISTS = {"spot": "balances", "futures": "assets", "coin_futures": "assets", "margin": "userAssets", "isolated_margin": "assets",
         "earn_flexible": "rows", "earn_locked": "rows", "daily": "snapshotVos", "emails": "subAccounts", "symbol_filters": "symbols", "with_subs": "result",
         **dict.fromkeys(("pay", "c2c", "fiat_in", "fiat_out", "card_buys", "card_sells"), "data"),
         **dict.fromkeys(("transfers", "dividends", "flexible_rewards", "locked_rewards"), "rows"), "converts": "list",
         "dust": "userAssetDribblets"}
OBJECTS = set(WALLETS) - set(ROWS)
FAILED = [{"code": -1003, "msg": "x"}, {"code": "000002", "success": False}]


def in_place(name: str, rows: list[object]) -> object:
    return {**answer(), LISTS[name]: rows} if name in LISTS else rows


@pytest.mark.parametrize("name", ROWS)
def test_a_good_row_is_read(name):
    found = PARSERS[name](in_place(name, [ROWS[name]]))
    assert len(good(found) if isinstance(found, Parsed) else found) == (0 if name == "daily" else 1)


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("payload", [None, {}, 5, "text", True, *FAILED], ids=repr)
def test_an_answer_of_another_shape_is_never_taken_for_nothing(name, payload):
    """An empty body, or an error with status 200, must not read as "no deposits"."""
    if name == "uid" and isinstance(payload, dict):
        assert parse.wallets.uid(payload) is None
        return
    with pytest.raises(NavbookError, match=r"cannot be read|was refused"):
        PARSERS[name](payload)


@pytest.mark.parametrize("name", PARSERS)
def test_a_list_where_an_object_belongs_and_the_reverse_are_refused(name):
    wrong = [ROWS.get(name)] if name in LISTS or name in OBJECTS else {"some": [ROWS[name]]}
    with pytest.raises(AnswerUnreadable):
        PARSERS[name](wrong)


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.integers(10**11, 10**14), st.floats(), st.text(max_size=5),
                   st.text(st.characters(categories=["Cs"]), min_size=1, max_size=2), st.decimals(),
                   st.sampled_from(("BTC", "1", "-1", "1e25", "2026-05-14 09:31:07", "SUCCESS", Decimal("1e999999999"))))
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3)
                        | st.dictionaries(st.text(max_size=5) | st.sampled_from(("result", "balances", "assets")), inner,
                                          max_size=3), max_leaves=8)


def read(name: str, payload: object) -> object:
    """What is found, or one of our own errors; nothing that counts may be null."""
    try:
        found = PARSERS[name](payload)
    except NavbookError as problem:
        return problem
    frame = found.frame if isinstance(found, Parsed) else found
    if hasattr(frame, "columns"):
        assert not any(frame[column].has_nulls() for column in frame.columns if column not in ("tx_id", "counterparty", "note"))
    return found


@given(name=st.sampled_from(sorted(PARSERS)), payload=ANYTHING)
@examples(1000)
def test_any_json_gives_rows_or_our_own_error(name, payload):
    read(name, payload)
    if name in ROWS:
        read(name, in_place(name, [payload]))


@given(name=st.sampled_from(sorted(ROWS)), data=st.data())
@examples(1000)
def test_a_good_answer_with_one_field_spoilt_loses_no_other_row_of_a_history(name, data):
    intact = ROWS[name]
    spoilt = intact.copy()
    keys = list(intact) if isinstance(intact, dict) else range(len(intact))
    spoilt[data.draw(st.sampled_from(list(keys)))] = data.draw(ANYTHING)
    found = read(name, in_place(name, [intact, spoilt]))
    if name in HISTORIES:
        assert isinstance(found, Parsed)
        assert found.frame.height + len(found.unread) in (1, 2, 3)
        assert not found.frame.is_empty()


@pytest.mark.parametrize("source", EVERY_SOURCE, ids=lambda source: source.endpoint)
def test_every_source_reads_a_single_row_in_its_place(source):
    """So that a row that left quarantine is read as if it stood in an answer."""
    payload = {source.key: [None], "code": "000000"} if source.key else [None]
    for _, parsed in source.parsed:
        assert len(parsed(payload, Reading("main", NOW)).unread) == 1


# -- what Binance really said ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "file", "example_name", "rows"), [
    ("spot", "spot", "get_account", 1), ("funding", "wallet", "funding_wallet", 1),
    ("futures", "um_futures", "account_information_v3", 1), ("deposits", "wallet", "deposit_history", 1),
    ("withdrawals", "wallet", "withdraw_history", 1), ("as_sub", "sub_account", "sub_account_transfer_history", 1),
    ("totals", "wallet", "query_user_wallet_balance", 1), ("emails", "sub_account", "query_sub_account_list", 1),
    ("earn_flexible", "simple_earn", "get_flexible_product_position", 1), ("bfusd", "simple_earn", "get_bfusd_account", 1),
    ("earn_locked", "simple_earn", "get_locked_product_position", 1), ("daily", "wallet", "daily_account_snapshot", 1),
    ("pay", "pay", "get_pay_trade_history", 1), ("fiat_in", "fiat", "get_fiat_deposit_withdraw_history", 1),
    ("card_buys", "fiat", "get_fiat_payments_history", 1), ("converts", "convert", "get_convert_trade_history", 1),
    ("dividends", "wallet", "asset_dividend_record", 1), ("dust", "wallet", "dustlog", 1),
    ("transfers", "wallet", "query_user_universal_transfer_history", 1),
    ("flexible_rewards", "simple_earn", "get_flexible_rewards_history", 1),
    ("locked_rewards", "simple_earn", "get_locked_rewards_history", 1), ("income", "um_futures", "get_income_history", None),
    ("fills", "um_futures", "account_trade_list", 1),
])
def test_documented_answers_are_read(name, file, example_name, rows):
    found = PARSERS[name](example(file, example_name))
    height = len(good(found) if isinstance(found, Parsed) else found)
    assert height == rows or (rows is None and height > 0)


def test_documented_flags_rights_and_transfers_are_read():
    assert parse.wallets.account_flags(example("wallet", "account_info"))["isFutureEnabled"] is True
    assert parse.wallets.key_rights(example("wallet", "get_api_key_permission"))["enableReading"] is True
    transfers = example("sub_account", "query_universal_transfer_history")
    found = good(parse.flows.transfers_with_subs(transfers, "main", NOW, ["deftest@gmail.com"]))
    assert only(found)["kind"] == "SUB_WITHDRAWAL"
    assert parse.wallets.uid(example("spot", "get_account")) == 354_937_868


def test_recorded_flags_are_read():
    flags = parse.wallets.account_flags(recording("recorded/sapi-v1-account-info-redacted-2026-07-05.json"))
    assert flags["isFutureEnabled"] is True


def test_recorded_prices_are_read():
    payload = recording("recorded/api-v3-ticker-price-2026-07-05.json")
    frame = parse.market.prices(payload, NOW)
    assert frame.height == len(payload)
    assert only(frame, symbol="BTCUSDT")["price"] == Decimal("63731.09")


def test_a_recorded_account_has_the_form_that_we_read():
    """Its recorder put <AMOUNT> and <ID> in place of the numbers."""
    account = recording("recorded/api-v3-account-redacted-2026-07-05.json")
    with pytest.raises(AnswerUnreadable, match="row 0: '<AMOUNT>' is not an amount"):
        PARSERS["spot"](account)
    with pytest.raises(AnswerUnreadable, match="uid"):
        parse.wallets.uid(account)
    rows = [{**balance, "free": "1", "locked": "0.5"} for balance in account["balances"]]
    assert PARSERS["spot"]({**account, "balances": rows})["quantity"].to_list() == [Decimal("1.5")] * len(rows)


def test_recorded_errors_are_refused():
    for name in PARSERS:
        if name != "uid":
            with pytest.raises(NavbookError, match=r"cannot be read|was refused"):
                PARSERS[name](recording("recorded/error-2015-api-v3-account.json"))


def test_a_market_order_lies_on_the_coarser_of_both_steps():
    found = parse.market.symbol_filters({"symbols": [{"symbol": "ETHUSDT"}, ROWS["symbol_filters"]]}, "BTCUSDT", NOW)
    assert found.rows() == [("um", "BTCUSDT", Decimal("0.002"), Decimal("0.1"), NOW)]
    assert parse.market.symbol_filters({"symbols": []}, "BTCUSDT", NOW).is_empty()


def test_the_filters_of_every_recorded_contract():
    payload = recording("recorded/fapi-v1-exchangeInfo-2026-07-03.json")
    known = {contract["symbol"] for contract in payload["symbols"]}
    assert all(parse.market.symbol_filters(payload, symbol, NOW)["tick_size"][0] > 0 for symbol in known)
    assert parse.market.symbol_filters(payload, "BTCUSDT", NOW)["step_size"].to_list() == [Decimal("0.001")]

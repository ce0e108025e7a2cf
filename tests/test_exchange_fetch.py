"""Histories in windows, pages and halves: nothing is asked for ever, nothing falls between two requests."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges import START, by_path, canned, keys_of, says, talk
from navbook.errors import AnswerUnreadable
from navbook.exchange import budget, paging, parse, values
from navbook.exchange.client import Answer
from navbook.exchange.fetch import flows, wallets

DEPOSITS = "/sapi/v1/capital/deposit/hisrec"
pytestmark = pytest.mark.usefixtures("no_backoff")


@pytest.fixture
def reader(binance):
    """An account that may be read."""
    return binance.account({"spot": {"USDT": "5"}})


# -- windows and pages --------------------------------------------------------------------------------------------
TIMES = st.datetimes(datetime(2017, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
SPANS = st.timedeltas(timedelta(0), timedelta(days=900))
LONGEST = st.sampled_from((flows.CAPITAL_WINDOW, flows.TRANSFER_WINDOW, flows.SUB_WINDOW))


@given(TIMES, SPANS, LONGEST)
def test_windows_cover_the_span_without_a_hole(since, span, longest):
    windows = list(paging.windows(since, since + span, longest))
    assert windows[0][0] == since
    assert windows[-1][1] == since + span
    assert all(earlier[1] == later[0] for earlier, later in pairwise(windows))
    for start, end in windows:
        asked = values.milliseconds(end) - values.milliseconds(start)
        assert 0 <= asked <= longest / timedelta(milliseconds=1), "in the milliseconds that are sent, too"
    assert len(windows) <= span / longest + 1


def test_windows_stay_below_what_binance_allows():
    assert timedelta(days=90) > flows.CAPITAL_WINDOW
    assert timedelta(days=7) > flows.TRANSFER_WINDOW
    assert timedelta(days=30) > flows.SUB_WINDOW


@given(TIMES)
def test_milliseconds_are_exact(time):
    assert values.milliseconds(time) == int(time.timestamp()) * 1000 + time.microsecond // 1000


def test_a6_a_long_look_back_is_asked_for_in_windows(binance, reader):
    answers = binance.talk(lambda exchange: flows.deposits(exchange, START - timedelta(days=300), START), reader)
    assert len(answers) == len(binance.asked(DEPOSITS)) == 4


def ids(answers: list[Answer]) -> list[str]:
    return [row["id"] for answer in answers for row in answer.payload]


def test_more_deposits_than_a_page_holds_are_all_read(binance, reader):
    for number in range(1050):
        binance.event("deposit", reader, START - timedelta(minutes=number), asset="USDT", amount="1", id=f"{reader}-{number}")
    answers = binance.talk(lambda exchange: flows.deposits(exchange, START - timedelta(days=80), START), reader)
    assert [len(answer.payload) for answer in answers] == [1000, 50]
    assert sorted(ids(answers)) == sorted(f"{reader}-{number}" for number in range(1050))


def test_exactly_a_page_of_withdrawals_asks_for_one_more(binance, reader, monkeypatch):
    monkeypatch.setattr(flows, "CAPITAL_PAGE", 3)
    for number in range(3):
        binance.event("withdrawal", reader, START - timedelta(minutes=number), asset="USDT", amount="1", id=f"{reader}-w{number}")
    answers = binance.talk(lambda exchange: flows.withdrawals(exchange, START - timedelta(days=80), START), reader)
    assert [len(answer.payload) for answer in answers] == [3, 0]


def test_more_sub_transfers_than_an_answer_holds_are_asked_for_in_halves(binance):
    """510 within a minute; each side sees all of them."""
    main = binance.account({"spot": {"USDT": "1000"}})
    sub = binance.account(master=main)
    for number in range(510):
        binance.event("sub_transfer", main, START - timedelta(milliseconds=100 * number), to=sub, asset="USDT", amount="1")
    since = START - timedelta(days=30)
    seen = binance.talk(lambda exchange: flows.transfers_as_sub(exchange, since, START), sub)
    assert len({row["tranId"] for answer in seen for row in answer.payload}) == 510
    assert all(len(answer.payload) < flows.TRANSFER_PAGE for answer in seen)
    seen = binance.talk(lambda exchange: flows.transfers_with_sub(exchange, f"{sub}@example.com", since, START), main)
    assert len({row["tranId"] for answer in seen for row in answer.payload["result"]}) == 510


def test_more_transfers_in_one_millisecond_than_an_answer_holds_are_not_lost_in_silence(binance, monkeypatch):
    monkeypatch.setattr(flows, "TRANSFER_PAGE", 2)
    main = binance.account({"spot": {"USDT": "1000"}})
    sub = binance.account(master=main)
    for _ in range(3):
        binance.event("sub_transfer", main, START - timedelta(minutes=1), to=sub, asset="USDT", amount="1")
    with pytest.raises(AnswerUnreadable, match="no more than 2 rows of one millisecond"):
        binance.talk(lambda exchange: flows.transfers_as_sub(exchange, START - timedelta(days=1), START), sub)


def test_more_sub_accounts_than_a_page_holds_are_all_listed(binance, monkeypatch):
    monkeypatch.setattr(flows, "SUB_PAGE", 2)
    main = binance.account()
    subs = {f"{binance.account(master=main)}@example.com" for _ in range(5)}
    listed = binance.talk(flows.sub_accounts, main)
    assert [len(answer.payload["subAccounts"]) for answer in listed] == [2, 2, 1]
    assert {row["email"] for answer in listed for row in answer.payload["subAccounts"]} == subs


def test_a_page_that_repeats_itself_ends_the_reading(monkeypatch):
    """A host that knows no offset would otherwise be asked for ever."""
    monkeypatch.setattr(flows, "CAPITAL_PAGE", 2)
    with canned(says(200, b"[1, 2]")) as (url, asked):
        with pytest.raises(AnswerUnreadable, match="its page 2 repeats the one before"):
            talk(url, lambda exchange: exchange_deposits(exchange))
        assert len(asked) == 2


async def exchange_deposits(exchange):
    exchange.wire.API_SECRET = "x"
    return await flows.deposits(exchange, START - timedelta(days=1), START)


@pytest.mark.parametrize("body", [b"5", b"{}", b"null", b'"x"', b'{"result": 5}'])
def test_paging_leaves_answers_of_another_form_to_the_parser(body):
    async def conversation(exchange):
        exchange.wire.API_SECRET = "x"
        since = START - timedelta(days=1)
        return [*await flows.deposits(exchange, since, START), *await flows.sub_accounts(exchange),
                *await flows.transfers_as_sub(exchange, since, START),
                *await flows.transfers_with_sub(exchange, "a@x.com", since, START)]

    with canned(says(200, body)) as (url, _):
        assert {answer.body for answer in talk(url, conversation)} == {body.decode()}


def test_n10_daily_snapshots_of_the_last_month(binance):
    """What Binance wrote down at the end of each day, for what was never collected."""
    account = binance.account({"spot": {"BTC": "1"}, "futures": {"USDT": "5"}})
    binance.event("deposit", account, START + timedelta(days=3), asset="BTC", amount="2")
    binance.clock(START + timedelta(days=5))
    until = START + timedelta(days=5)
    for kind, amounts in (("SPOT", [1, 1, 1, 3, 3]), ("FUTURES", [5] * 5), ("MARGIN", [])):
        answers = binance.talk(lambda exchange, kind=kind: wallets.daily(exchange, kind, until - timedelta(days=29), until), account)
        rows = pl.concat([parse.wallets.daily(answer.payload, account, kind, until, ("BTC",)) for answer in answers]).sort("time")
        assert rows["quantity"].to_list() == amounts
        assert [time.strftime("%d %H:%M:%S") for time in rows["time"]][:1] == ["01 23:59:59"][:len(amounts)]


def test_what_weighs_much_on_an_account_is_asked_so_often_a_minute(binance, reader, monkeypatch):
    """Two at once, the third when the first is a (short) minute ago."""
    monkeypatch.setattr(budget, "A_MINUTE", {"GET /sapi/v1/capital/withdraw/history": 2})
    monkeypatch.setattr(budget, "MINUTE_S", 0.5)
    began = time.monotonic()
    binance.talk(lambda exchange: flows.withdrawals(exchange, START - timedelta(days=250), START), reader)
    assert len(binance.asked("/sapi/v1/capital/withdraw/history")) == 3
    assert time.monotonic() - began >= 0.5


def test_a_span_that_is_refused_after_all_is_asked_for_in_halves():
    """Fiat has no documented limit; some hosts refuse a long span all the same."""
    def fiat(path):
        spans = dict(part.split("=") for part in path.split("?")[1].split("&"))
        days = (int(spans["endTime"]) - int(spans["beginTime"])) / 86_400_000
        return (400, {"code": -1127, "msg": "too long"}) if days > 30 else {"code": "000000", "data": []}

    with canned(by_path({"/sapi/v1/fiat/payments": fiat})) as (url, asked):
        answers = talk(url, lambda exchange: flows.card_buys(exchange, START - timedelta(days=90), START), keys_of("main"))
        assert len(answers) == 4
        assert asked.count("/sapi/v1/fiat/payments") == 7

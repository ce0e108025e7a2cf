"""Tickers and candles: one price, the `path` rule inside a minute, windows, and control calls."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_sandbox.generator import Generator
from binance_sandbox.market import Market
from test_sandbox_support import DAY, HOUR, MINUTE, START, running

KLINES, TICKER = "/api/v3/klines", "/api/v3/ticker/price"


@pytest.fixture(scope="module")
def sandbox():
    with running() as sandbox:
        sandbox.account()
        yield sandbox


@pytest.fixture(autouse=True)
def _reset(sandbox):
    sandbox.set_clock(START)


def minutes(sandbox, symbol="BTCUSDT", **window):
    return sandbox.get(KLINES, symbol=symbol, interval="1m", **window)


def price(sandbox, symbol="BTCUSDT"):
    return sandbox.get(TICKER, symbol=symbol)["price"]


def test_path_rule_inside_a_minute(sandbox):
    """open, then low or high, then the other, then close: a quarter of the minute each."""
    sandbox.set_clock(START + DAY)
    for row in minutes(sandbox, startTime=START, limit=6):
        opened, high, low, close = row[1:5]
        path = [opened, low, high, close] if Decimal(close) >= Decimal(opened) else [opened, high, low, close]
        for quarter, expected in enumerate(path):
            for offset in (0, 14_999):
                sandbox.set_clock(row[0] + quarter * 15_000 + offset)
                assert price(sandbox) == expected
        seen = path[:3]
        sandbox.set_clock(row[0] + 44_999)
        running_row = minutes(sandbox, limit=1)[0]
        assert running_row[1:5] == [seen[0], max(seen, key=Decimal), min(seen, key=Decimal), seen[-1]]
        sandbox.set_clock(row[0] + MINUTE - 1)
        assert minutes(sandbox, limit=1) == [row]


def test_one_price_everywhere(sandbox):
    sandbox.set_clock(START + 5 * MINUTE + 20_000)
    spot = Decimal(price(sandbox))
    assert Decimal(sandbox.get("/fapi/v2/ticker/price", symbol="BTCUSDT")["price"]) == spot
    assert Decimal(sandbox.get("/fapi/v1/ticker/price", symbol="BTCUSDT")["price"]) == spot
    assert Decimal(sandbox.get("/fapi/v1/premiumIndex", symbol="BTCUSDT")["markPrice"]) == spot
    for path in (KLINES, "/fapi/v1/klines"):
        for interval in ("1m", "5m", "4h", "1d", "1w", "1M"):
            assert Decimal(sandbox.get(path, symbol="BTCUSDT", interval=interval, limit=1)[-1][4]) == spot
    sandbox.control("events", type="fill", account="alice", symbol="BTCUSDT", side="BUY", quantity=1)
    assert Decimal(sandbox.spot()["USDT"]) == -spot


def test_no_candle_after_now_and_the_first_instant(sandbox):
    rows = minutes(sandbox, endTime=START + DAY, limit=3)
    assert [row[0] for row in rows] == [START - 2 * MINUTE, START - MINUTE, START]
    assert len(set(rows[-1][1:5])) == 1    # open = high = low = close at the minute's first instant
    assert rows[-1][1] == price(sandbox)
    assert minutes(sandbox, startTime=START + 1) == []


def test_windows(sandbox):
    assert len(minutes(sandbox)) == 500
    newest = [row[0] for row in minutes(sandbox, limit=3)]
    assert newest == [START - 2 * MINUTE, START - MINUTE, START]
    only_end = [row[0] for row in minutes(sandbox, limit=3, endTime=START - HOUR)]
    assert only_end == [START - HOUR - 2 * MINUTE, START - HOUR - MINUTE, START - HOUR]
    only_start = [row[0] for row in minutes(sandbox, limit=3, startTime=START - HOUR + 1)]
    assert only_start == [START - HOUR + MINUTE, START - HOUR + 2 * MINUTE, START - HOUR + 3 * MINUTE]
    both = [row[0] for row in minutes(sandbox, startTime=START - HOUR, endTime=START - HOUR + 2 * MINUTE)]
    assert both == [START - HOUR, START - HOUR + MINUTE, START - HOUR + 2 * MINUTE]
    assert minutes(sandbox, startTime=START - 5, endTime=START - 10) == []
    first = sandbox.get(KLINES, symbol="BTCUSDT", interval="1d", startTime=0, limit=1)[0][0]
    assert first == 1_483_228_800_000    # 2017-01-01
    assert minutes(sandbox, endTime=first - 1) == []


@pytest.mark.parametrize(("path", "params", "code"), [
    (KLINES, "symbol=BTCUSDT&interval=1m&limit=1001", -1130),
    ("/fapi/v1/klines", "symbol=BTCUSDT&interval=1m&limit=1501", -1130),
    (KLINES, "symbol=BTCUSDT&interval=1m&limit=0", -1130),
    (KLINES, "symbol=BTCUSDT&interval=1m&limit=x", -1100),
    (KLINES, "symbol=BTCUSDT&interval=1s", -1120),
    (KLINES, "symbol=NOPEUSDT&interval=1m", -1121),
    (KLINES, "interval=1m", -1102),
    (TICKER, "symbol=NOPE", -1121),
    (TICKER, 'symbols=["BTCUSDT","NOPE"]', -1121),
    (TICKER, "symbols=BTCUSDT", -1100),
    (TICKER, "symbolStatus=WHATEVER", -1122),
    ("/fapi/v1/premiumIndex", "symbol=ETHBTC1", -1121),
])
def test_errors(sandbox, path, params, code):
    answer = sandbox.ask("GET", f"{path}?{params}".replace('"', "%22"))
    assert (answer.status, answer.body["code"]) == (400, code)


def test_long_candles_are_made_of_the_minutes(sandbox):
    sandbox.set_clock(START + DAY + 90 * MINUTE + 20_000)
    for interval, length in (("3m", 3 * MINUTE), ("1h", HOUR), ("4h", 4 * HOUR), ("1d", DAY)):
        for row in sandbox.get(KLINES, symbol="ETHUSDT", interval=interval, limit=2):
            inside = [line for window in range(row[0], row[0] + length, 1000 * MINUTE)
                      for line in minutes(sandbox, "ETHUSDT", startTime=window, limit=1000,
                                          endTime=min(window + 1000 * MINUTE, row[0] + length) - 1)]
            assert row[0] % length == 0
            assert row[6] == row[0] + length - 1
            assert row[1] == inside[0][1]
            assert row[2] == max((line[2] for line in inside), key=Decimal)
            assert row[3] == min((line[3] for line in inside), key=Decimal)
            assert row[4] == inside[-1][4]
            assert Decimal(row[5]) == sum(Decimal(line[5]) for line in inside)
            assert row[8] == sum(line[8] for line in inside)
    monday, month = (sandbox.get(KLINES, symbol="ETHUSDT", interval=i, limit=1)[0] for i in ("1w", "1M"))
    assert (monday[0], month[0]) == (START, START)    # 2026-06-01 is both
    assert month[6] == START + 30 * DAY - 1


def test_tickers(sandbox):
    everything = sandbox.get(TICKER)
    assert {"BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "USDCUSDT", "ETHBTC", "XMRBTC"} <= {row["symbol"] for row in everything}
    assert sandbox.get(TICKER, symbolStatus="TRADING") == everything
    assert sandbox.get(TICKER, symbolStatus="HALT") == []
    two = sandbox.get(TICKER, symbols='["BTCUSDT","ETHUSDT"]')
    assert [row["symbol"] for row in two] == ["BTCUSDT", "ETHUSDT"]
    assert all(len(row["price"].partition(".")[2]) == 8 for row in everything)


def test_routes_agree(sandbox):
    prices = {row["symbol"]: Decimal(row["price"]) for row in sandbox.get(TICKER)}
    assert prices["ETHBTC"] == pytest.approx(prices["ETHUSDT"] / prices["BTCUSDT"], rel=Decimal("0.001"))
    assert abs(prices["USDCUSDT"] - 1) < Decimal("0.003")


def test_exchange_info(sandbox):
    spot = {row["symbol"]: row for row in sandbox.get("/api/v3/exchangeInfo")["symbols"]}
    assert {row["filterType"]: row for row in spot["BTCUSDT"]["filters"]}["PRICE_FILTER"]["tickSize"] == "0.01000000"
    one = sandbox.get("/api/v3/exchangeInfo", symbol="ETHBTC")["symbols"]
    assert [(row["baseAsset"], row["quoteAsset"], row["status"]) for row in one] == [("ETH", "BTC", "TRADING")]
    futures = {row["symbol"]: row for row in sandbox.get("/fapi/v1/exchangeInfo")["symbols"]}
    assert "ETHBTC" not in futures
    assert {row["filterType"]: row for row in futures["BTCUSDT"]["filters"]}["MIN_NOTIONAL"]["notional"] == "50"


def test_a_set_price_holds_until_the_next():
    with running() as sandbox:
        sandbox.control("clock", advance_ms=90_000)    # the middle of a minute
        before = minutes(sandbox, limit=1)[0]
        sandbox.control("prices", symbol="BTCUSDT", price="12345.678")
        assert price(sandbox) == "12345.67800000"
        assert sandbox.get("/fapi/v1/ticker/price", symbol="BTCUSDT")["price"] == "12345.678"
        assert sandbox.get("/fapi/v1/premiumIndex", symbol="BTCUSDT")["markPrice"] == "12345.67800000"
        broken = minutes(sandbox, limit=1)[0]
        assert (broken[1], broken[2], broken[4]) == (before[1], before[2], "12345.67800000")
        assert Decimal(broken[3]) == Decimal("12345.678")
        sandbox.control("clock", advance_ms=DAY)
        assert price(sandbox) == "12345.67800000"
        assert set(minutes(sandbox, limit=1)[0][1:5]) == {"12345.67800000"}
        assert len(minutes(sandbox, limit=1000)) == 1000
        assert sandbox.get(KLINES, symbol="BTCUSDT", interval="1d", limit=3)[-1][1] == "12345.67800000"
        sandbox.control("prices", symbol="BTCUSDT", price=99)
        assert price(sandbox) == "99.00000000"
        sandbox.set_clock(START)
        assert price(sandbox) not in ("12345.67800000", "99.00000000")    # the past is as it was


def test_an_unknown_symbol_appears_with_its_price():
    with running() as sandbox:
        sandbox.control("prices", symbol="NEWUSDT", price="0.00001234")
        assert price(sandbox, "NEWUSDT") == "0.00001234"
        assert "NEWUSDT" in {row["symbol"] for row in sandbox.get("/api/v3/exchangeInfo")["symbols"]}
        assert [row[0] for row in minutes(sandbox, "NEWUSDT")] == [START]
        sandbox.set_clock(START - 1)
        assert sandbox.ask("GET", f"{TICKER}?symbol=NEWUSDT").body["code"] == -1121
        assert minutes(sandbox, "NEWUSDT") == []
        assert sandbox.control("prices", expect=400, symbol="NEWXXX", price=1)["key"] == "symbol"


def test_loaded_candles_are_served_and_hold_their_last_close():
    rows = [[START + MINUTE, 100, 110, 90, 105, 7], [START + 3 * MINUTE, 105, 106.5, 104, 104.5]]
    with running() as sandbox:
        sandbox.control("prices", symbol="BTCUSDT", candles=rows)
        sandbox.set_clock(START + 5 * MINUTE)
        served = minutes(sandbox, startTime=START + MINUTE)
        assert [[float(value) for value in row[:6]] for row in served] == [
            [*map(float, rows[0])], [START + 2 * MINUTE, 105, 105, 105, 105, 0], [*map(float, rows[1]), 0],
            [START + 4 * MINUTE, 104.5, 104.5, 104.5, 104.5, 0], [START + 5 * MINUTE, 104.5, 104.5, 104.5, 104.5, 0]]
        for moment, expected in ((15_000, 90), (30_000, 110), (45_000, 105), (MINUTE, 105), (5 * MINUTE, 104.5)):
            sandbox.set_clock(START + MINUTE + moment)
            assert float(price(sandbox)) == expected
        sandbox.set_clock(START)
        assert price(sandbox) != "100.00000000"


@settings(database=None, deadline=None, max_examples=40)
@given(moves=st.lists(st.tuples(st.integers(0, 400), st.integers(50_000, 90_000)), max_size=6).map(sorted),
       rows=st.lists(st.integers(0, 6), max_size=3, unique=True).map(sorted), loaded_at=st.integers(0, 6))
def test_candles_are_the_prices_that_were_seen(moves, rows, loaded_at):
    """Whatever control calls did, in whatever minute: open, extremes and close of the prices second by second."""
    market = Market(Generator(1))
    for count, (second, moved) in enumerate(moves):
        if count == loaded_at and rows:
            market.set_candles("BTCUSDT", given_candles(rows))
        market.set_price("BTCUSDT", START + second * 1000, Decimal(moved))
    now = START + 400_000
    served = market.klines("BTCUSDT", "1m", now, START, None, 1000)
    assert served[:, 0].tolist() == [START + minute * MINUTE for minute in range(7)]
    for row in served:
        start, end = int(row[0]), min(int(row[0]) + MINUTE, now + 1)
        seen = [float(market.price("BTCUSDT", moment)) for moment in [*range(start, end, 1000), end - 1]]
        assert (row[1], row[4]) == (seen[0], seen[-1])
        assert row[3] <= min(seen)
        assert max(seen) <= row[2]
    whole = market.klines("BTCUSDT", "1h", now, START, None, 1)[0]
    assert whole[1:5].tolist() == [served[0, 1], served[:, 2].max(), served[:, 3].min(), served[-1, 4]]
    assert market.klines("BTCUSDT", "1d", now, None, None, 1)[0, 4] == served[-1, 4]


def given_candles(minutes):
    rows = np.zeros((len(minutes), 10))
    rows[:, 0] = [START + minute * MINUTE for minute in minutes]
    rows[:, 1:5] = [60_000, 61_000, 59_000, 60_500]
    return rows


@pytest.mark.parametrize(("content", "key"), [
    ({"symbol": "BTCUSDT"}, "price"), ({"price": 1}, "symbol"), ({"symbol": "BTCUSDT", "price": 0}, "price"),
    ({"symbol": "BTCUSDT", "price": "abc"}, "price"), ({"symbol": "BTCUSDT", "price": 1, "extra": 1}, "extra"),
    ({"symbol": "BTCUSDT", "candles": []}, "candles"), ({"symbol": "BTCUSDT", "candles": [[START, 1, 2, 3, 4]]}, "candles[0]"),
    ({"symbol": "BTCUSDT", "candles": [[START + 1, 1, 2, 1, 2]]}, "candles[0]"),
    ({"symbol": "BTCUSDT", "candles": [[START, 1, 2, 1, 2], [START, 1, 2, 1, 2]]}, "candles[1]"),
])
def test_wrong_prices_name_the_key(sandbox, content, key):
    assert sandbox.control("prices", expect=400, **content)["key"] == key

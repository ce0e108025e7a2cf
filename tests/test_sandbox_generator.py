"""Generated prices: pure in seed, symbol and minute, whichever way they are reached, and of a likely shape."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_sandbox.candles import CLOSE, HIGH, LOW, OPEN, OPEN_TIME, VOLUME
from binance_sandbox.generator import DAYS, GENESIS, SYMBOLS, Generator
from binance_sandbox.moods import MOODS
from binance_sandbox.scenario import MOOD_NAMES
from binance_sandbox.world import Options, build_state
from test_sandbox_support import DAY, HOUR, MINUTE, START, running, started

MINUTES = st.integers(0, DAYS * 1440 - 1)


@settings(database=None, deadline=None, max_examples=40)
@given(symbol=st.sampled_from(SYMBOLS), minute=MINUTES, before=st.integers(0, 3000), after=st.integers(1, 3000))
def test_the_same_candle_whichever_way_it_is_reached(symbol, minute, before, after):
    moment = GENESIS + minute * MINUTE
    alone = Generator(7).row_at(symbol, moment + 59_999)
    window = Generator(7).rows(symbol, moment - before * MINUTE, moment + after * MINUTE)
    assert window[window[:, OPEN_TIME] == moment].tolist() == [alone.tolist()]


def test_candles_hang_together():
    generator = Generator(1)
    for symbol in SYMBOLS:
        rows = generator.rows(symbol, START - 2 * DAY, START + 2 * DAY)
        assert len(rows) == 4 * 1440
        assert (np.diff(rows[:, OPEN_TIME]) == MINUTE).all()
        assert (rows[1:, OPEN] == rows[:-1, CLOSE]).all()    # midnights included
        assert (rows[:, LOW] <= rows[:, [OPEN, CLOSE]].min(axis=1)).all()
        assert (rows[:, HIGH] >= rows[:, [OPEN, CLOSE]].max(axis=1)).all()
        assert (rows[:, LOW:VOLUME] > 0).all()


def test_days_are_made_of_minutes():
    generator = Generator(3)
    days = generator.days("ETHUSDT", START, START + 3 * DAY)
    minutes = generator.rows("ETHUSDT", START + DAY, START + 2 * DAY)
    assert days[:, OPEN_TIME].tolist() == [START, START + DAY, START + 2 * DAY]
    assert days[1, [OPEN, HIGH, LOW, CLOSE]].tolist() == [
        minutes[0, OPEN], minutes[:, HIGH].max(), minutes[:, LOW].min(), minutes[-1, CLOSE]]


def test_seeds_differ_and_the_ends_hold():
    assert Generator(1).row_at("BTCUSDT", START)[CLOSE] != Generator(2).row_at("BTCUSDT", START)[CLOSE]
    generator = Generator(1)
    assert generator.row_at("BTCUSDT", GENESIS - 1) is None
    assert generator.row_at("BTCUSDT", GENESIS + DAYS * DAY + HOUR)[OPEN_TIME] == GENESIS + DAYS * DAY - MINUTE
    assert len(generator.rows("BTCUSDT", GENESIS - DAY, GENESIS + MINUTE)) == 1
    assert generator.row_at("BTCUSDT", 2_082_758_399_999) is not None    # the end of 2035


@pytest.mark.parametrize("seed", [1, 2])
def test_a_likely_market(seed):
    generator, year = Generator(seed), (1_767_225_600_000, 1_798_761_600_000)    # 2026
    returns = {}
    for symbol, low, high in (("BTCUSDT", 30_000, 140_000), ("ETHUSDT", 1000, 6000)):
        closes = generator.days(symbol, *year)[:, CLOSE]
        assert low < closes.min() < closes.max() < high
        returns[symbol] = np.diff(np.log(closes))
        assert 0.018 < returns[symbol].std() < 0.04
    assert 0.7 < np.corrcoef(returns["BTCUSDT"], returns["ETHUSDT"])[0, 1] < 0.9


def test_fat_tails():
    minutes = Generator(1).rows("BTCUSDT", START, START + 10 * DAY)
    shocks = np.diff(np.log(minutes[:, CLOSE]))
    assert ((shocks / shocks.std()) ** 4).mean() > 4    # a normal has 3


def test_fast_enough():
    generator = Generator(5)
    began = time.perf_counter()
    assert len(generator.rows("BTCUSDT", START, START + 90 * DAY)) == 90 * 1440
    assert time.perf_counter() - began < 1
    began = time.perf_counter()
    for minute in range(1000):
        generator.row_at("BTCUSDT", START + 90 * DAY - minute * MINUTE)
    assert (time.perf_counter() - began) / 1000 < 0.001


def test_two_servers_answer_byte_for_byte_alike():
    """Same scenario, seed, clock and requests; the second one started elsewhere and was moved here."""
    def replies(sandbox):
        sandbox.control("events", type="deposit", account="main", asset="ETH", amount="0.5", time=START + HOUR)
        sandbox.control("prices", symbol="SOLUSDT", price=150)
        sandbox.set_clock(START + 40 * DAY + 12_345)
        paths = ["/api/v3/ticker/price", "/api/v3/klines?symbol=ETHUSDT&interval=1h", "/fapi/v1/premiumIndex",
                 "/api/v3/klines?symbol=SOLUSDT&interval=1d", "/sandbox/state", "/api/v3/exchangeInfo"]
        found = [sandbox.ask("GET", path).raw for path in paths]
        for path in ("/api/v3/account", "/sapi/v1/asset/wallet/balance", "/sapi/v1/capital/deposit/hisrec",
                     "/sapi/v1/capital/withdraw/history", "/fapi/v3/account", "/fapi/v3/positionRisk"):
            found += [sandbox.signed(path, name).raw for name in ("main", "swing", "sub")]
        return found

    with started("--scenario", "demo", "--seed", "9") as one, started("--scenario", "demo", "--seed", "9") as two:
        two.set_clock(START + 70 * DAY)
        two.signed("/api/v3/account", "main")
        two.set_clock(START)
        assert replies(one) == replies(two)


def test_prices_do_not_depend_on_the_start():
    query = f"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={START - DAY}&limit=50"
    with running() as one, running(start=START - 100 * DAY - 7) as two:
        two.set_clock(START)
        assert one.ask("GET", query).raw == two.ask("GET", query).raw


@pytest.mark.parametrize(("mood", "low", "high"), [
    ("bull", 0.15, 2.0), ("bear", -0.7, -0.15), ("crash", -0.75, -0.1), ("sideways", -0.15, 0.15), ("calm", -0.1, 0.1)])
def test_moods(mood, low, high):
    """What ninety days bring; the history before is the seed's alone, and coins still move together."""
    for seed in (1, 2, 3):
        usual, moody = Generator(seed), Generator(seed, MOODS[mood], START)
        assert np.array_equal(usual.rows("BTCUSDT", START - 2 * DAY, START), moody.rows("BTCUSDT", START - 2 * DAY, START))
        closes = {symbol: moody.days(symbol, START, START + 90 * DAY)[:, CLOSE] for symbol in ("BTCUSDT", "ETHUSDT")}
        first = moody.days("BTCUSDT", START - DAY, START)[0, CLOSE]
        assert low < closes["BTCUSDT"][-1] / first - 1 < high
        returns = {symbol: np.diff(np.log(prices)) for symbol, prices in closes.items()}
        assert np.corrcoef(*returns.values())[0, 1] > 0.5
        assert (np.abs(returns["BTCUSDT"]).max() > 0.4) == (mood == "crash")
        dollars = moody.days("USDCUSDT", START, START + 90 * DAY)[:, CLOSE]
        assert np.abs(dollars - 1).max() < 0.01


def test_a_mood_with_accounts(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('prices = "bear"\n[[accounts]]\nname = "a"\napi_key = "k"\napi_secret = "s"\n')
    for scenario, accounts in (("demo+bear", 3), ("bear+demo", 3), (str(file), 1), ("bear", 0)):
        state = build_state(Options(scenario=scenario, start=START))
        assert len(state.ledger.accounts) == accounts
        assert state.market.source.mood == MOODS["bear"]
    assert build_state(Options(scenario="demo", start=START)).market.source.mood is None


def test_every_mood_has_its_name():
    assert tuple(MOODS) == MOOD_NAMES

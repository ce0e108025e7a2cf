"""p(t) from as few requests as it needs; one pair that cannot be read leaves the others alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges import START, milliseconds, talk
from navbook import schemas
from navbook.exchange import candles
from navbook.exchange.fetch.market import KLINES
from navbook.runner.sandbox import World, started
from worlds import only

pytestmark = pytest.mark.usefixtures("no_backoff")
KLINE_PATH = "/api/v3/klines"


def at(minutes: float = 0, **parts: float) -> datetime:
    return START - timedelta(days=1) + timedelta(minutes=minutes, **parts)


def closing(url: str, *wanted: tuple[str, datetime]) -> pl.DataFrame:
    needed = pl.DataFrame(list(wanted), schema={"symbol": pl.String(), "open_time": schemas.TIME}, orient="row")
    found, problems = talk(url, lambda exchange: candles.closing(exchange, needed, START))
    assert problems == []
    return found


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """BTCUSDT at minutes 0 to 2 and 6: an outage between them."""
    folder = tmp_path_factory.mktemp("candles")
    rows = [f"{milliseconds(at(minute))},{minute + 1},{minute + 1},{minute + 1},{minute + 1},1" for minute in (0, 1, 2, 6)]
    (folder / "BTCUSDT-1m.csv").write_text("\n".join(["open_time,open,high,low,close,volume", *rows]) + "\n")
    with started(World(start=START.isoformat(), scenario="", candles=str(folder))) as server:
        yield server.url


def test_a_minute_that_the_exchange_has_is_one_candle(recorded):
    found = closing(recorded, ("BTCUSDT", at(1)), ("BTCUSDT", at(1)))
    assert found.select("open_time", "close").rows() == [(at(1), 2)]


def test_a_minute_of_an_outage_takes_the_candle_before_it_and_is_marked(recorded):
    found = closing(recorded, ("BTCUSDT", at(4)), ("BTCUSDT", at(5)), ("BTCUSDT", at(6)))
    assert found.select("open_time", "close", "volume").rows() == [(at(2), 3, 1), (at(4), None, 0), (at(5), None, 0),
                                                                   (at(6), 7, 1)]


def test_a_minute_before_the_first_candle_is_marked_alone(recorded):
    row = only(closing(recorded, ("BTCUSDT", at(-5))))
    assert (row["open_time"], row["close"], row["market"], row["interval"]) == (at(-5), None, "spot", "1m")


def test_no_minutes_are_no_candles(recorded):
    assert closing(recorded).equals(schemas.CANDLES.empty())


def test_candles_of_many_minutes_come_sorted_once_each(binance):
    wanted = [("BTCUSDT", at(minute)) for minute in range(40)] + [("ETHUSDT", at(minute)) for minute in range(40)]
    found = closing(binance.url, *reversed(wanted))
    assert found.select("symbol", "open_time").rows() == wanted
    assert all(earlier < later for earlier, later in pairwise(found.select(schemas.CANDLES.key).rows()))
    assert found["close"].null_count() == 0


def needed(*wanted: tuple[str, datetime]) -> pl.DataFrame:
    return pl.DataFrame(list(wanted), schema={"symbol": pl.String(), "open_time": schemas.TIME}, orient="row")


@pytest.mark.parametrize("fault", [{"status": 500, "count": 3}, {"code": -1121}, {"mode": "truncated", "count": 3}], ids=str)
def test_a_pair_that_fails_leaves_the_others(binance, fault):
    binance.fault(KLINE_PATH, **fault)
    far_apart = needed(("ETHUSDT", at(1)), ("BTCUSDT", at(3)))    # the newest is asked first: BTCUSDT meets the fault
    two, problems = binance.talk(lambda exchange: one_by_one(exchange, far_apart))
    assert two["symbol"].to_list() == ["ETHUSDT"]
    assert len(problems) == 1
    assert problems[0].startswith("no candles of BTCUSDT: GET /api/v3/klines")


async def one_by_one(exchange, wanted):
    pages = list(candles.pages(wanted))
    assert [page.symbol for page in pages] == ["BTCUSDT", "ETHUSDT"]
    original, candles.PARALLEL = candles.PARALLEL, 1
    try:
        return await candles.closing(exchange, wanted, START)
    finally:
        candles.PARALLEL = original


def test_a_pair_that_is_unknown_is_asked_for_once(binance):
    wanted = needed(*(("NOPEUSDT", at(days=-day)) for day in range(0, 40, 2)), ("BTCUSDT", at(1)))
    found, problems = binance.talk(lambda exchange: candles.closing(exchange, wanted, START))
    assert found["symbol"].to_list() == ["BTCUSDT"]
    assert len(problems) == 1
    assert "(-1121)" in problems[0]
    assert len(binance.asked(KLINE_PATH)) <= candles.PARALLEL + 1


def test_whole_hours_come_as_hours_and_say_the_same(binance):
    """300 hours of one pair: one request, and the closes of the minutes that end them."""
    minutes = [at(hours=-number, minutes=-1) for number in range(300)]
    found = closing(binance.url, *(("BTCUSDT", minute) for minute in minutes))
    assert len(binance.asked(KLINE_PATH)) == 1
    assert set(found["interval"]) == {"1h"}
    hours = dict(found.select(pl.col("open_time") + pl.duration(minutes=59), "close").iter_rows())
    for minute in minutes[::97]:
        assert hours[minute] == only(closing(binance.url, ("BTCUSDT", minute)))["close"]


def test_what_is_too_much_for_one_run_is_left_for_the_next(binance, monkeypatch):
    monkeypatch.setattr(candles, "MOST_PAGES", 2)
    wanted = needed(*(("BTCUSDT", at(days=-day)) for day in (0, 2, 4)))
    told: list[tuple[int, int]] = []
    found, problems = binance.talk(
        lambda exchange: candles.closing(exchange, wanted, START, lambda done, of: told.append((done, of))))
    assert found["open_time"].to_list() == [at(days=-2), at(0)]
    assert problems == ["1 page of candles left for the next run."]
    assert told[-1] == (2, 2)


@given(st.sets(st.integers(0, 200_000), max_size=40))
def test_pages_cover_every_minute_once_and_are_never_too_long(offsets):
    minutes = {at(-offset) for offset in offsets}
    pages = list(candles.pages(needed(*(("BTCUSDT", minute) for minute in minutes))))
    covered = [minute for page in pages for minute in page.wanted]
    assert sorted(covered) == sorted(minutes)
    for page in pages:
        step = timedelta(hours=1) if page.interval == "1h" else timedelta(minutes=1)
        assert (page.last - page.first) / step < KLINES
    assert all(newer.last >= older.last for newer, older in pairwise(pages))

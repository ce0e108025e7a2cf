"""What a backtest needs of candles and funding: fetched once, gaps remembered, month by month."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from locals import START, local_exchange, milliseconds
from navbook import schemas
from navbook.exchange import client
from navbook.runner import market_data
from navbook.runner.market_data import Span
from navbook.store import tables
from stores import configured

HOUR = timedelta(hours=1)


@pytest.fixture
def local(tmp_path, monkeypatch):
    with local_exchange(tmp_path, monkeypatch) as exchange:
        exchange.account("main")
        yield exchange


def fetched(local, span, now=START):
    async def whole():
        async with client.connect(config.environment, config.sandbox_url) as exchange:
            return (await market_data.fetch(config, exchange, span, now, lambda done, of: told.append((done, of))),
                    await market_data.fetch_funding(config, exchange, span, now))

    config, told = local.config(), []
    return (*asyncio.run(whole()), told)


def asked(local, path):
    return sum(request["path"] == path for request in local.server.control("GET", "requests"))


def span(hours, market="um", end=START, symbol="BTCUSDT"):
    return Span(market, symbol, end - hours * HOUR, end)


def test_only_what_is_missing_is_asked_for(local):
    assert fetched(local, span(40))[:2] == (2400, 5)
    pages = asked(local, "/fapi/v1/klines")
    assert pages == 3    # 16 hours of February, 24 of March, 1000 minutes a page
    assert fetched(local, span(40))[:2] == (0, 0)
    assert asked(local, "/fapi/v1/klines") == pages
    assert fetched(local, span(41))[0] == 60
    assert asked(local, "/fapi/v1/klines") == pages + 1
    assert asked(local, "/fapi/v1/fundingRate") == 2    # the hour more holds the settlement at 8 o'clock


def test_a_span_of_an_hour_knows_the_settlement_inside_of_it(local):
    assert fetched(local, span(1))[1] == 1    # at its end
    assert fetched(local, span(1, end=START - HOUR))[1] == 0


@pytest.mark.parametrize("market", ["spot", "um"])
def test_candles_are_those_of_the_exchange(local, market):
    found = fetched(local, span(2, market))
    assert found[0] == 120
    candles = market_data.candles(local.config(), span(2, market))
    assert candles.height == 120
    assert candles["open_time"][0] == START - 2 * HOUR
    path = "/api/v3/klines" if market == "spot" else "/fapi/v1/klines"
    told = local.server._call("GET", f"{path}?symbol=BTCUSDT&interval=1m&limit=1&startTime={milliseconds(START - HOUR)}", {})
    row = candles.filter(open_time=START - HOUR).row(0)
    assert row[1:5] == tuple(float(part) for part in told[0][1:5])


def test_the_running_minute_is_no_candle(local):
    local.clock(START + timedelta(seconds=90))
    wanted = Span("um", "BTCUSDT", START, START + HOUR)
    assert fetched(local, wanted, START + timedelta(seconds=90))[0] == 1
    local.clock(START + timedelta(minutes=3))
    assert fetched(local, wanted, START + timedelta(minutes=3))[0] == 2


def test_a_gap_is_remembered_and_not_asked_for_again(tmp_path):
    """The store knows a minute on each side; the exchange has none between them."""
    config = configured(tmp_path)
    rows = [("um", "NEWUSDT", "1m", START - minutes * timedelta(minutes=1), *["5"] * 4, "1", START) for minutes in (9, 3)]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(schemas.CANDLES.columns, None), orient="row").cast(schemas.CANDLES.columns)
    tables.append(config.location, schemas.CANDLES, frame)
    wanted = Span("um", "NEWUSDT", START - timedelta(minutes=9), START - timedelta(minutes=2))
    tables.append(config.location, schemas.CANDLES, market_data._gaps(config, wanted, START))
    assert market_data.lacking(config, wanted).is_empty()
    assert market_data.candles(config, wanted).height == 2


def test_a_fetch_that_breaks_off_goes_on_where_it_was(local):
    wanted = Span("um", "BTCUSDT", datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC))
    local.fault("/fapi/v1/klines", status=400, code=-1121, skip=3)
    with pytest.raises(Exception, match="-1121"):
        fetched(local, wanted)
    assert fetched(local, wanted)[0] == 1440    # the first month was stored


def test_funding_without_a_mark_price_takes_the_last_trade(local):
    config = local.config()
    fetched(local, span(10))
    known = tables.read(config.location, schemas.FUNDING_RATES)
    told = known.with_columns(mark_price=pl.lit(None, schemas.AMOUNT), seen_at=pl.col("seen_at") + HOUR)
    tables.append(config.location, schemas.FUNDING_RATES, told)
    found = market_data.funding(config, span(10))
    candles = market_data.candles(config, span(10))
    before = candles.filter(pl.col("open_time") < found["time"][0])["close"][-1]
    assert found["mark_price"].to_list()[0] == before


def test_an_exact_price_stays_the_float_nearest_to_it(tmp_path):
    config, price = configured(tmp_path), "0.00001234"
    row = ("um", "TINYUSDT", "1m", START, price, price, price, price, "1e-7", START)
    frame = pl.DataFrame([row], schema=dict.fromkeys(schemas.CANDLES.columns, None), orient="row").cast(schemas.CANDLES.columns)
    tables.append(config.location, schemas.CANDLES, frame)
    assert market_data.candles(config, Span("um", "TINYUSDT", START, START + HOUR)).row(0)[1:] == (float(price),) * 4 + (1e-7,)

"""Recorded candles: served exactly, gaps and beginnings as they are, contradictions refused."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from binance_sandbox.__main__ import main
from test_sandbox_support import HOUR, MINUTE, START, running

REAL = Path(__file__).parents[2] / "shared/data/candles/spot"
KLINES, TICKER = "/api/v3/klines", "/api/v3/ticker/price"


def candles(minutes, price=100.0):
    """Rows at START + each minute; the price grows by a tick a minute."""
    times = [datetime.fromtimestamp((START + minute * MINUTE) / 1000, UTC) for minute in minutes]
    prices = [round(price + minute * 0.01, 2) for minute in minutes]
    return pl.DataFrame({"open_time": times, "open": prices, "high": [p + 0.5 for p in prices], "low": [p - 0.25 for p in prices],
                         "close": [p + 0.1 for p in prices], "volume": [1.5] * len(prices)},
                        schema_overrides={"open_time": pl.Datetime("ms", "UTC")})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("candles")
    candles([0, 1, 2]).write_parquet(folder / "BTCUSDT-1m-a.parquet")
    candles([2, 3, 10, 11]).write_parquet(folder / "BTCUSDT-1m-b.parquet")    # minute 2 twice, alike; a gap
    late = candles(range(5, 9), 10.0).with_columns(pl.col("open_time").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    late.write_csv(folder / "ETHUSDT-1m.csv")
    candles([0]).write_parquet(folder / "BNBUSDT-1h-2021.parquet")
    candles([0]).write_parquet(folder / "SOLUSDT-1mo-2021.parquet")
    dump = [f"{(START + minute * MINUTE) * 1000},1,2,0.5,1.5,10,{START},15,3,5,7,0" for minute in range(12)]
    (folder / "XRPBTC-1m-2026-06-01.csv").write_text("\n".join(dump))
    (folder / "notes.txt").write_text("nothing")
    return folder


@pytest.fixture(scope="module")
def sandbox(folder):
    with running("--candles", str(folder)) as sandbox:
        yield sandbox


def symbols(sandbox):
    return [row["symbol"] for row in sandbox.get(TICKER)]


def test_a_symbol_trades_from_its_first_candle(sandbox):
    sandbox.set_clock(START - 1)
    assert symbols(sandbox) == []
    sandbox.set_clock(START)
    assert symbols(sandbox) == ["BTCUSDT", "XRPBTC"]
    assert sandbox.ask("GET", f"{TICKER}?symbol=ETHUSDT").body["code"] == -1121
    assert sandbox.get(KLINES, symbol="ETHUSDT", interval="1m") == []
    sandbox.set_clock(START + 5 * MINUTE)
    assert symbols(sandbox) == ["BTCUSDT", "ETHUSDT", "XRPBTC"]


def test_a_gap_holds_the_last_close_and_has_no_candle(sandbox):
    sandbox.set_clock(START + 7 * MINUTE)
    assert sandbox.get(TICKER, symbol="BTCUSDT")["price"] == "100.13000000"
    rows = sandbox.get(KLINES, symbol="BTCUSDT", interval="1m")
    assert [(row[0] - START) // MINUTE for row in rows] == [0, 1, 2, 3]
    sandbox.set_clock(START + HOUR)
    assert sandbox.get(TICKER, symbol="BTCUSDT")["price"] == "100.21000000"    # after the last one too
    rows = sandbox.get(KLINES, symbol="BTCUSDT", interval="1m", startTime=START + 3 * MINUTE, limit=2)
    assert [(row[0] - START) // MINUTE for row in rows] == [3, 10]
    hour = sandbox.get(KLINES, symbol="BTCUSDT", interval="1h")[0]
    assert hour[:6] == [START, "100.00000000", "100.61000000", "99.75000000", "100.21000000", "9.00000000"]


def test_headless_dumps_in_microseconds(sandbox):
    sandbox.set_clock(START + HOUR)
    assert sandbox.get(KLINES, symbol="XRPBTC", interval="1m", limit=1) == [
        [START + 11 * MINUTE, "1.00000000", "2.00000000", "0.50000000", "1.50000000", "10.00000000",
         START + 12 * MINUTE - 1, "15.00000000", 3, "5.00000000", "7.00000000", "0"]]


def test_the_state_tells_the_shared_span(sandbox):
    state = sandbox.get("/sandbox/state")
    assert state["candles"] == {"first": START + 5 * MINUTE, "last": START + 8 * MINUTE}


def test_futures_and_mark_are_the_same_price(sandbox):
    sandbox.set_clock(START + 2 * MINUTE)
    assert sandbox.get("/fapi/v1/ticker/price", symbol="BTCUSDT")["price"] == "100.02"
    assert Decimal(sandbox.get("/fapi/v1/premiumIndex", symbol="BTCUSDT")["markPrice"]) == Decimal("100.02")


@pytest.mark.parametrize(("name", "frame", "said"), [
    ("BTCUSDT-1m-c.parquet", candles([3], 50.0), "disagree on the candle of 2026-06-01 00:03"),
    ("BTCUSDT-1m-c.parquet", candles([20]).with_columns(low=pl.lit(-1.0)), "row 1: a price is not above zero"),
    ("BTCUSDT-1m-c.parquet", candles([20]).with_columns(high=pl.lit(1.0)), "high or low lies inside"),
    ("BTCUSDT-1m-c.parquet", candles([20]).drop("close"), "is not a candle file"),
    ("WHATEVER-1m.parquet", candles([20]), "cannot tell the quote asset of WHATEVER"),
])
def test_broken_folders(folder, tmp_path, capsys, name, frame, said):
    for file in folder.glob("BTCUSDT*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    frame.write_parquet(tmp_path / name)
    assert main(["--port", "0", "--candles", str(tmp_path)]) == 2
    sentence = capsys.readouterr().err
    assert said in sentence
    assert name in sentence
    assert len(sentence.strip().splitlines()) == 1


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real candles are not at {REAL}")
def test_real_candles_are_served_exactly():
    with running("--candles", str(REAL), "--scenario", "demo", start=1_704_067_200_000) as sandbox:
        span = sandbox.get("/sandbox/state")["candles"]
        assert span["last"] == 1_719_359_940_000    # 2024-06-25T23:59Z
        sandbox.set_clock(span["last"] + HOUR)
        for symbol, file, interval in (("BTCUSDT", "BTCUSDT-1m-2024-01_03", "1m"), ("ETHUSDT", "ETHUSDT-1m-2024-04_06-25", "1m"),
                                       ("BTCUSDT", "BTCUSDT-1h-2022_2024-06-25", "1h")):
            frame = pl.read_parquet(REAL / f"{file}.parquet").slice(20_001, 500)
            start = int(frame["open_time"][0].timestamp() * 1000)
            served = sandbox.get(KLINES, symbol=symbol, interval=interval, startTime=start, limit=500)
            for row, recorded in zip(served, frame.iter_rows(), strict=True):
                assert row[0] == int(recorded[0].timestamp() * 1000)
                assert [Decimal(text) for text in row[1:5]] == [Decimal(repr(value)) for value in recorded[1:5]]


HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"


@pytest.mark.parametrize(("header", "unit"), [pytest.param(False, 1000, id="spot since 2025"), pytest.param(True, 1, id="futures")])
def test_daily_dumps_as_they_are_downloaded(tmp_path, header, unit):
    """Binance's own zip of a day: one CSV, no header and microseconds on spot, header and milliseconds on futures."""
    lines = [f"{(START + minute * MINUTE) * unit},1.5,2.5,0.5,1.75,10,{(START + (minute + 1) * MINUTE) * unit - 1},15,3,5,7,0"
             for minute in range(3)]
    with zipfile.ZipFile(tmp_path / "BTCUSDT-1m-2026-06-01.zip", "w") as archive:
        archive.writestr("BTCUSDT-1m-2026-06-01.csv", "\n".join([HEADER, *lines] if header else lines) + "\n")
    (tmp_path / "BTCUSDT-1m-2026-06-01.zip.CHECKSUM").write_text("abc  BTCUSDT-1m-2026-06-01.zip")
    with running("--candles", str(tmp_path), start=START + HOUR) as sandbox:
        rows = sandbox.get(KLINES, symbol="BTCUSDT", interval="1m", startTime=START, limit=2)
        assert rows[0] == [START, "1.50000000", "2.50000000", "0.50000000", "1.75000000", "10.00000000", START + MINUTE - 1, "15.00000000",
                           3, "5.00000000", "7.00000000", "0"]


@pytest.mark.parametrize(("content", "said"), [(b"no zip", "BTCUSDT-1m.zip is not a candle file"), (None, "holds 0 .csv files")])
def test_broken_dumps(tmp_path, capsys, content, said):
    file = tmp_path / "BTCUSDT-1m.zip"
    if content is None:
        zipfile.ZipFile(file, "w").close()
    else:
        file.write_bytes(content)
    assert main(["--port", "0", "--candles", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err

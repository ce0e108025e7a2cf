"""Recorded funding rates: paid when they were, served as they are paid; broken files refused in one sentence."""

from __future__ import annotations

import shutil
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from binance_sandbox.__main__ import main
from test_sandbox_futures_support import BTC, Trader
from test_sandbox_support import DAY, HOUR, MINUTE, START, running

SHARED = Path(__file__).parents[2] / "shared/data"
MOMENT = datetime.fromtimestamp(START / 1000, UTC)


def candles(folder, minutes=2 * 1440):
    times = [MOMENT + timedelta(minutes=minute) for minute in range(0, minutes, 60)]
    flat = {name: [60_000.0] * len(times) for name in ("open", "high", "low", "close")}
    pl.DataFrame({"open_time": times, **flat}).write_parquet(folder / f"{BTC}-1m.parquet")


def rates(*rows):
    """hours after START, milliseconds late, rate"""
    return pl.DataFrame({"funding_time": [MOMENT + timedelta(hours=hours, milliseconds=late) for hours, late, _ in rows],
                         "funding_rate": [rate for *_, rate in rows]})


def test_what_was_recorded_is_paid_and_served(tmp_path):
    """Every four hours, as recorded, milliseconds late; before and after the recording the generator goes on."""
    candles(tmp_path)
    rates((8, 0, 0.0001), (12, 7, -0.0002), (16, 0, 0.0)).write_parquet(tmp_path / f"{BTC}-funding-a.parquet")
    dump = f"calc_time,funding_interval_hours,last_funding_rate\n{START + 20 * HOUR + 3},4,0.00030000\n"
    with zipfile.ZipFile(tmp_path / f"{BTC}-fundingRate-2026-06.zip", "w") as archive:
        archive.writestr(f"{BTC}-fundingRate-2026-06.csv", dump)
    with running("--candles", str(tmp_path)) as sandbox:
        trader = Trader(sandbox)
        trader.market("BUY", "0.1")
        premium = sandbox.get("/fapi/v1/premiumIndex", symbol=BTC)
        assert (premium["nextFundingTime"], premium["lastFundingRate"]) == (START + 8 * HOUR, "0.00010000")
        trader.wait(22 * HOUR)
        paid = [(row["time"] - START, Decimal(row["income"])) for row in trader.income("FUNDING_FEE")]
        assert paid == [(8 * HOUR, Decimal("-0.6")), (12 * HOUR, Decimal("1.2")), (20 * HOUR, Decimal("-1.8"))]    # 0: no row
        served = sandbox.get("/fapi/v1/fundingRate", symbol=BTC, startTime=START + 1, endTime=START + DAY)
        assert [(row["fundingTime"] - START, row["fundingRate"]) for row in served] == [
            (8 * HOUR, "0.00010000"), (12 * HOUR, "-0.00020000"), (16 * HOUR, "0.00000000"), (20 * HOUR, "0.00030000")]
        assert sandbox.get("/fapi/v1/premiumIndex", symbol=BTC)["nextFundingTime"] == START + 24 * HOUR
        sandbox.control("funding", symbol=BTC, rate="0.001")
        trader.wait(3 * HOUR)
        assert Decimal(trader.income("FUNDING_FEE")[-1]["income"]) == Decimal("-6")


@pytest.mark.parametrize(("frame", "said"), [
    (rates((8, 0, 0.1)).drop("funding_rate"), "is not a funding file"), (rates((8, 0, float("nan"))), "a value is missing"),
    (rates((8, 0, 0.1), (8, 5, 0.2)), "disagrees with another file"),
])
def test_broken_funding_files(tmp_path, capsys, frame, said):
    candles(tmp_path)
    frame.write_csv(tmp_path / f"{BTC}-funding.csv")
    assert main(["--port", "0", "--candles", str(tmp_path)]) == 2
    sentence = capsys.readouterr().err
    assert said in sentence
    assert f"{BTC}-funding.csv" in sentence
    assert len(sentence.strip().splitlines()) == 1


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the recordings are not at {SHARED}")
def test_real_rates_on_real_candles(tmp_path):
    """A month of 2025: what a long of 0.1 BTC paid is the sum over the recording of price times rate."""
    shutil.copy(SHARED / "candles/um/BTCUSDT-1m-2025-05-04_06-03.parquet", tmp_path)
    shutil.copy(SHARED / "funding/BTCUSDT-2025-03_06.parquet", tmp_path / "BTCUSDT-funding.parquet")
    prices = pl.read_parquet(SHARED / "candles/um/BTCUSDT-1m-2025-05-04_06-03.parquet").select(time="open_time", price="open")
    known = pl.read_parquet(SHARED / "funding/BTCUSDT-2025-03_06.parquet").with_columns(time=pl.col("funding_time").dt.round("1m"))
    start = int(prices["time"][0].timestamp() * 1000) + MINUTE
    end = start + 29 * DAY
    with running("--candles", str(tmp_path), start=start) as sandbox:
        trader = Trader(sandbox, usdt="100000")
        trader.market("BUY", "0.1")
        trader.wait(end - start)
        paid = -sum(Decimal(row["income"]) for row in trader.income("FUNDING_FEE", startTime=start, endTime=end))
    due = known.join(prices, on="time").filter(pl.col("time").dt.epoch("ms").is_between(start, end, closed="right"))
    assert len(due) == 87
    assert float(paid) == pytest.approx((due["funding_rate"] * due["price"]).sum() * 0.1, abs=1e-5)

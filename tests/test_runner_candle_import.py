"""Files of candles and funding rates into the facts: dumps as Binance makes them, Parquet, and what is refused."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from commands import SHARED, navbook, sentence
from navbook import schemas
from navbook.errors import CandlesInvalid, SettingsInvalid, StoreMismatch
from navbook.runner import candle_import, stores
from navbook.store import tables
from stores import configured, table

DAY = datetime(2024, 1, 1, tzinfo=UTC)
HEADER = ("open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
          "taker_buy_quote_volume,ignore\n")


def dump(first=DAY, rows=3, factor=1000, **changes):
    """Lines of a dump; factor 1000 writes milliseconds, 1_000_000 microseconds. `changes`: row -> (column, text)."""
    lines = []
    for row in range(rows):
        opens = int((first + timedelta(minutes=row)).timestamp()) * factor
        cells = [str(opens), "100.10000000", "101.5", "99.9", "100.2", "12.345", str(opens + 59_999), "1", "2", "3", "4", "0"]
        if f"row{row}" in changes:
            column, text = changes[f"row{row}"]
            cells[column] = text
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def imported(config, *places, market="um", symbol=None):
    return candle_import.run(config, list(places), market, symbol, lambda done, of: None)


def written(folder, name, text):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(file.with_suffix(".csv").name, text)
    else:
        file.write_text(text)
    return file


@pytest.mark.parametrize("rows", [
    pytest.param([DAY, DAY + timedelta(days=1)], id="days"), pytest.param([DAY], id="one candle")])
def test_candles_whose_length_nobody_tells_are_no_minutes(tmp_path, rows):
    """A day's close would else price a flow of its first minute."""
    config = configured(tmp_path)
    file = written(tmp_path, "BTCUSDT_daily.csv", "".join(dump(first, 1) for first in rows))
    with pytest.raises(CandlesInvalid, match="does not name its interval"):
        imported(config, file)
    assert table(config, "candles").is_empty()
    written(tmp_path, "BTCUSDT.csv", dump())
    assert imported(config, tmp_path / "BTCUSDT.csv").new["candles"] == 3


@pytest.mark.parametrize(("name", "text"), [
    pytest.param("BTCUSDT-1m-2024-01-01.csv", dump(), id="milliseconds without a header"),
    pytest.param("BTCUSDT-1m-2024-01-01.zip", HEADER + dump(), id="zipped, with a header"),
    pytest.param("BTCUSDT-1m-2024-01.zip", dump(factor=1_000_000), id="microseconds"),
])
def test_a_dump_becomes_candles_to_the_last_digit(tmp_path, name, text):
    config = configured(tmp_path)
    assert imported(config, written(tmp_path, name, text)).new["candles"] == 3
    rows = table(config, "candles")
    assert rows.drop("seen_at").row(2) == ("um", "BTCUSDT", "1m", DAY + timedelta(minutes=2), *map(schemas_amount, ("100.1", "101.5", "99.9", "100.2", "12.345")))


def schemas_amount(text):
    return pl.Series([text]).cast(schemas.AMOUNT)[0]


def test_importing_again_adds_nothing_and_a_later_file_goes_on(tmp_path):
    config = configured(tmp_path)
    folder = tmp_path / "dumps"
    for day in (30, 31):
        written(folder, f"BTCUSDT-1m-2024-01-{day}.zip", dump(datetime(2024, 1, day, tzinfo=UTC), rows=1440))
    written(folder, "README.txt", "not a dump")
    first = imported(config, folder)
    assert (first.files, first.new["candles"], first.left_out) == (2, 2880, 1)
    assert tables.versions(config.location)["candles"] == 0    # one commit for the month
    assert imported(config, folder).new["candles"] == 0
    written(folder, "BTCUSDT-1m-2024-02-01.zip", dump(datetime(2024, 2, 1, tzinfo=UTC), rows=5))
    assert imported(config, folder).new["candles"] == 5


def test_parquet_in_the_layout_of_recorded_data(tmp_path):
    config = configured(tmp_path)
    times = pl.datetime_range(DAY, DAY + timedelta(minutes=2), "1m", time_unit="ms", time_zone="UTC", eager=True)
    frame = pl.DataFrame({"open_time": times, "open": [0.1, 0.2, 0.3], "high": [1.0] * 3, "low": [1e-7] * 3, "close": [0.3] * 3,
                          "volume": [0.0, 1.0, 123456789.12345678]})
    frame.write_parquet(tmp_path / "SOLUSDT-1m-2024-01_03.parquet")
    imported(config, tmp_path / "SOLUSDT-1m-2024-01_03.parquet", market="spot")
    rows = table(config, "candles")
    assert rows["low"].cast(pl.String).unique().to_list() == ["0.000000100000000000"]
    assert rows["open"].cast(pl.Float64).to_list() == [0.1, 0.2, 0.3]
    assert rows["volume"][2] == schemas_amount("123456789.12345678")


def test_funding_is_told_by_its_columns_and_lies_on_its_minute(tmp_path):
    config = configured(tmp_path)
    late = int(DAY.timestamp() * 1000) + 7
    file = written(tmp_path, "BTCUSDT-fundingRate-2024-01.csv", f"calc_time,funding_interval_hours,last_funding_rate\n{late},8,0.00010000\n")
    assert imported(config, file).new["funding_rates"] == 1
    assert table(config, "funding_rates").select("market", "symbol", "time", "rate", "mark_price").row(0) == (
        "um", "BTCUSDT", DAY, schemas_amount("0.0001"), None)


@pytest.mark.parametrize(("text", "said"), [
    pytest.param(dump(row1=(2, "99")), r"row 2 of .*BTCUSDT-1m-x\.csv has its open or close outside of low to high", id="high below open"),
    pytest.param(dump(row0=(3, "-1")), "row 1 of .* has a price that is no positive number", id="a negative price"),
    pytest.param(dump(row2=(1, "NaN")), "row 3 of .* has a price that is no positive number", id="not a number"),
    pytest.param(dump(row1=(4, "")), "row 2 of .* has a price that is no positive number", id="a price is missing"),
    pytest.param(dump(row1=(0, "x")), "row 2 of .* has a time that is none", id="no time"),
    pytest.param(dump(row1=(5, "-3")), "row 2 of .* has a volume that is none", id="a negative volume"),
    pytest.param(dump() + dump(rows=1, row0=(4, "100.3")), "says two things of 2024-01-01 00:00", id="contradicts itself"),
    pytest.param("a,b\n1,2\n", "has no column open_time, open, high, low, close, volume", id="another table"),
    pytest.param("", "cannot be read", id="empty"),
])
def test_a_bad_row_is_refused_with_its_file_and_place(tmp_path, text, said):
    config = configured(tmp_path)
    with pytest.raises(CandlesInvalid, match=said):
        imported(config, written(tmp_path, "BTCUSDT-1m-x.csv", text))
    assert table(config, "candles").is_empty()


def test_rows_that_say_the_same_twice_are_one(tmp_path):
    config = configured(tmp_path)
    assert imported(config, written(tmp_path, "BTCUSDT-1m-x.csv", dump() + dump(rows=2))).new["candles"] == 3


def test_two_files_that_contradict_each_other_are_named(tmp_path):
    written(tmp_path / "d", "BTCUSDT-1m-a.csv", dump())
    written(tmp_path / "d", "BTCUSDT-1m-b.csv", dump(row1=(4, "100.3")))
    with pytest.raises(CandlesInvalid, match=r"BTCUSDT-1m-a.csv and BTCUSDT-1m-b.csv say different things of 2024-01-01 00:01"):
        imported(configured(tmp_path), tmp_path / "d")


def test_the_folder_says_the_market_and_mark_prices_are_left_out(tmp_path):
    config = configured(tmp_path)
    root = tmp_path / "data"
    written(root, "spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-01.zip", dump())
    written(root, "futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-01.zip", dump(rows=2))
    written(root, "futures/um/daily/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2024-01-01.zip", dump())
    found = imported(config, root, market=None)
    assert (found.files, found.left_out) == (2, 1)
    assert table(config, "candles").group_by("market").len().sort("market").rows() == [("spot", 3), ("um", 2)]


def test_what_nothing_says_is_asked_for(tmp_path):
    config = configured(tmp_path)
    file = written(tmp_path, "BTCUSDT-1m-2024-01-01.csv", dump())
    with pytest.raises(SettingsInvalid, match="add --market spot or --market um"):
        imported(config, file, market=None)
    with pytest.raises(SettingsInvalid, match="There is no file such as"):
        imported(config, (tmp_path / "empty").mkdir() or tmp_path / "empty")


def test_recorded_candles_never_join_made_up_ones(tmp_path):
    config = configured(tmp_path)
    stores.claim(config)
    stores.write_meta(config, world="{}")
    with pytest.raises(StoreMismatch, match="holds a demo with prices of its own"):
        imported(config, written(tmp_path, "BTCUSDT-1m-2024-01-01.csv", dump()))


def test_the_command_says_what_it_did_in_one_line(tmp_path):
    written(tmp_path / "um", "BTCUSDT-1m-2024-01-01.zip", dump())
    done = navbook("candles", "import", "um", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1 file: 3 candles, 3 of them new.\n")
    assert "There is no nowhere" in sentence(navbook("candles", "import", "nowhere", folder=tmp_path))


@pytest.mark.skipif(not SHARED.exists(), reason="the recorded candles are not here")
def test_recorded_candles_are_taken_as_they_are(tmp_path):
    config = configured(tmp_path)
    file = SHARED / "candles" / "spot" / "BTCUSDT-1m-2023-03-outage.parquet"
    assert imported(config, file, SHARED / "funding", market=None).new["candles"] == 7120
    rows = table(config, "candles").select("open_time", pl.col("open", "close", "volume").cast(pl.Float64))
    assert rows.equals(pl.read_parquet(file).select(pl.col("open_time").cast(schemas.TIME), "open", "close", "volume"))

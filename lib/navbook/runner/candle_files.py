"""Files of candles and funding rates: Binance's own dumps, and Parquet or CSV of the same columns.

`SYMBOL-INTERVAL….zip|csv|parquet` holds candles, `SYMBOL-….` with a column of rates holds funding. Dumps come with or
without a header, their times in milliseconds or (spot, since 2025) in microseconds.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from navbook import schemas
from navbook.errors import CandlesInvalid, SettingsInvalid

PRICES = ("open", "high", "low", "close")
DUMP = ("open_time", *PRICES, "volume")                       # of a dump without a header; what follows is left out
FUNDING_NAMES = {"calc_time": "time", "funding_time": "time", "fundingTime": "time", "last_funding_rate": "rate",
                 "funding_rate": "rate", "fundingRate": "rate", "markPrice": "mark_price"}
USED = {*DUMP, *FUNDING_NAMES.values()}
NAME = re.compile(r"(?P<symbol>[A-Z0-9]+)(-(?P<interval>\d+(?:mo|[smhdw]|M)))?(?![A-Za-z0-9]).*\.(parquet|csv|zip)")
MARKETS = {"spot": "spot", "um": "um", "funding": "um"}       # by the folder that a file lies in
OTHER_PRICES = re.compile(r"mark|index|premium|^cm$", re.IGNORECASE)    # folders of what nobody traded at
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, zipfile.BadZipFile, zlib.error, EOFError,
              OSError, RuntimeError, ValueError)              # RuntimeError: a password or a method is asked for
LARGEST = 2 ** 30                                             # bytes of one table within a zip file
MICROSECONDS = 100_000_000_000_000                            # a time from here on is no number of milliseconds


@dataclass(frozen=True)
class Source:
    """A file and what its place and name say of it; funding where `interval` is empty and the columns say so."""

    path: Path
    market: str
    symbol: str
    interval: str


def sources(places: list[Path], market: str | None, symbol: str | None) -> tuple[list[Source], list[Path]]:
    """The files in `places` (files, or folders with all below them) that hold prices of trades or funding, and the
    others of a folder, which are left out.

    market, symbol  what is true of all, whatever their names say

    Raises `SettingsInvalid` where a place does not exist, or nothing says which market or symbol a file is of.
    """
    found, others = [], []
    for place in places:
        if not place.exists():
            raise SettingsInvalid(f"There is no {place}; name a folder or files of candles.")
        files = [place] if place.is_file() else sorted(file for file in place.rglob("*") if file.is_file())
        for file in files:
            name = NAME.fullmatch(file.name)
            if place.is_dir() and (name is None or any(map(OTHER_PRICES.search, file.relative_to(place).parts[:-1]))):
                others.append(file)
                continue
            found.append(Source(file, market or _market(file), symbol or _symbol(file, name),
                                (name and name["interval"]) or ""))
    return sorted(found, key=lambda source: (source.symbol, source.interval, source.path.name)), others


def _market(file: Path) -> str:
    folder = next((part for part in reversed(file.resolve().parent.parts) if part in MARKETS), None)
    if folder is None:
        raise SettingsInvalid(f"Nothing says whether {file} is of the spot or the futures market; add --market spot "
                              "or --market um.")
    return MARKETS[folder]


def _symbol(file: Path, name: re.Match[str] | None) -> str:
    if name is None:
        raise SettingsInvalid(f"The name of {file} does not say its symbol, as BTCUSDT-1m-2024-01.zip would; add "
                              "--symbol, and name it .zip, .csv or .parquet.")
    return name["symbol"]


def read(source: Source) -> tuple[schemas.FrameSchema, pl.DataFrame]:
    """What a file holds: CANDLES or FUNDING_RATES without `seen_at`, and which of them; whole and checked.

    Raises `CandlesInvalid` naming the file, and the row where one is at fault; rows count from 1, without the header.
    """
    try:
        rows = pl.concat(_tables(source.path), how="vertical_relaxed")
    except UNREADABLE as problem:
        told = " ".join(str(problem).split())[:200] or "it is damaged"
        raise CandlesInvalid(f"{source.path} cannot be read ({told})") from None
    rows = rows.rename({name: ours for name, ours in FUNDING_NAMES.items() if name in rows.columns}
                       if "open_time" not in rows.columns else {})
    if strange := [name for name in rows.columns if name in USED and not _is_plain(rows.schema[name])]:
        raise CandlesInvalid(f"{source.path} has no numbers in {strange[0]}, but {rows.schema[strange[0]]}")
    if {"time", "rate"} <= set(rows.columns):
        return schemas.FUNDING_RATES, _funding(source, rows)
    if missing := [column for column in DUMP if column not in rows.columns]:
        raise CandlesInvalid(f"{source.path} has no column {', '.join(missing)}")
    return schemas.CANDLES, _candles(source, rows)


def _is_plain(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or isinstance(dtype, pl.Datetime | pl.String | pl.Null)


def _tables(path: Path) -> Iterator[pl.DataFrame]:
    if path.suffix == ".parquet":
        yield pl.read_parquet(path)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".csv"):
                    if archive.getinfo(name).file_size > LARGEST:
                        raise ValueError(f"{name} in it is larger than {LARGEST >> 20} MiB")
                    yield _csv(archive.read(name))
    else:
        yield _csv(path.read_bytes())


def _csv(content: bytes) -> pl.DataFrame:
    """All columns as text: amounts keep their digits."""
    has_header = not content[:1].isdigit()
    frame = pl.read_csv(content, has_header=has_header, infer_schema=False)
    return frame if has_header else frame.rename(dict(zip(frame.columns, DUMP, strict=False)))


def _candles(source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    frame = rows.select(
        market=pl.lit(source.market), symbol=pl.lit(source.symbol), interval=pl.lit(source.interval or "1m"),
        open_time=_time(rows["open_time"]), **{name: _amount(rows[name]) for name in (*PRICES, "volume")})
    low, high = pl.col("low"), pl.col("high")
    _refuse(source, frame, {
        "a time that is none, or no whole minute": pl.col("open_time").dt.truncate("1m") == pl.col("open_time"),
        "a price that is no positive number": pl.all_horizontal(pl.col(PRICES) > 0),
        "its open or close outside of low to high": pl.all_horizontal(
            low <= pl.col("open"), pl.col("open") <= high, low <= pl.col("close"), pl.col("close") <= high),
        "a volume that is none": pl.col("volume") >= 0})
    if not source.interval:
        _refuse_other_intervals(source, frame["open_time"])
    return _once(source, frame, "open_time")


def _refuse_other_intervals(source: Source, times: pl.Series) -> None:
    """A name without an interval is taken for minutes, and only for them: a day's close is no minute's."""
    if not (times.unique().sort().diff() == timedelta(minutes=1)).any():
        raise CandlesInvalid(f"{source.path} does not name its interval, and no two candles in it are a minute apart: "
                             f"put it into the name, as in {source.symbol}-1h.csv")


def _funding(source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    mark = _amount(rows["mark_price"]) if "mark_price" in rows.columns else pl.lit(None, schemas.AMOUNT)
    frame = rows.select(market=pl.lit("um"), symbol=pl.lit(source.symbol),
                        time=_time(rows["time"]).dt.round("1m"), rate=_amount(rows["rate"]), mark_price=mark)
    _refuse(source, frame, {"a time that is none": pl.col("time").is_not_null(),
                            "a rate that is none, or 100 % and more": pl.col("rate").abs() < 1})
    return _once(source, frame, "time")


def _refuse(source: Source, frame: pl.DataFrame, rules: dict[str, pl.Expr]) -> None:
    """Raise `CandlesInvalid` for the first row that breaks a rule."""
    kept = frame.select(pl.int_range(1, pl.len() + 1).alias("row"), *(
        rule.fill_null(value=False).alias(name) for name, rule in rules.items()))
    broken = kept.filter(~pl.all_horizontal(*rules)).head(1)
    if broken.height:
        fault = next(name for name in rules if not broken[name][0])
        raise CandlesInvalid(f"row {broken['row'][0]} of {source.path} has {fault}", broken["row"][0])


def _once(source: Source, frame: pl.DataFrame, time: str) -> pl.DataFrame:
    """`frame` without rows that say the same; those that contradict another are refused."""
    once = frame.unique(maintain_order=True)
    if (twice := once.filter(pl.col(time).is_duplicated())).height:
        raise CandlesInvalid(f"{source.path} says two things of {twice[time][0]:%Y-%m-%d %H:%M}")
    return once


def _time(column: pl.Series) -> pl.Series:
    """Times as TIME: of numbers by their size, of texts by their form; null where there is none."""
    if column.dtype == pl.String:
        numbers = column.str.to_integer(strict=False)
        column = numbers if numbers.null_count() < len(numbers) else column.str.replace("Z$", "+00:00").str.to_datetime(
            time_zone="UTC", strict=False)
    if isinstance(column.dtype, pl.Datetime):
        return (column.dt.replace_time_zone("UTC") if column.dtype.time_zone is None
                else column.dt.convert_time_zone("UTC")).cast(schemas.TIME)
    stamps = column.cast(pl.Int64, strict=False)
    factor = 1 if (stamps.drop_nulls() >= MICROSECONDS).any() else 1000
    possible = stamps.is_between(0, 40 * MICROSECONDS // factor)    # to 2096: beyond, a product might not fit
    return (stamps.zip_with(possible, pl.Series([None], dtype=pl.Int64)) * factor).cast(schemas.TIME)


def _amount(column: pl.Series) -> pl.Series:
    """Exact amounts: a float is its shortest decimal. Null where there is no finite number."""
    if column.dtype.is_decimal():
        return column.cast(schemas.AMOUNT)
    return column.cast(pl.String).cast(schemas.AMOUNT, strict=False)

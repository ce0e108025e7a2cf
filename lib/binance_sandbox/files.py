"""Reading what Binance's dumps and our own recordings have in common: zipped CSV, and times in many units."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl

MICROSECONDS_FROM = 10**14    # Binance's spot dumps count microseconds since 2025


def text_of(file: Path) -> bytes:
    """The CSV of a file, be it zipped; a dump's zip holds one."""
    if file.suffix == ".csv":
        return file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith(".csv")]
        if len(names) != 1:
            raise ValueError(f"holds {len(names)} .csv files instead of one")
        return archive.read(names[0])


def read_csv(text: bytes, columns: tuple[str, ...] = ()) -> pl.DataFrame:
    """With a header, or headless with `columns`."""
    if not columns or not text[:1].isdigit():
        return pl.read_csv(text, try_parse_dates=True)
    frame = pl.read_csv(text, has_header=False)
    return frame.rename(dict(zip(frame.columns, columns, strict=False)))


def milliseconds(times: pl.Series) -> pl.Series:
    """Of dates and times, or of whole numbers."""
    if times.dtype.is_temporal():
        return times.dt.epoch("ms").cast(pl.Float64)
    numbers = times.cast(pl.Int64)
    return pl.select(pl.when(numbers >= MICROSECONDS_FROM).then(numbers // 1000).otherwise(numbers)
                     .cast(pl.Float64)).to_series()

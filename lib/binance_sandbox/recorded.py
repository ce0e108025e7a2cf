"""Recorded 1m candles from a flat folder of `SYMBOL-1m*.parquet`, `.csv` or `.zip`; other files are left alone.

Columns as in ../shared/data/README.md: open_time, open, high, low, close, volume, and where they are known
quote_volume, trades, taker_buy_base, taker_buy_quote. Binance's own daily dumps (CSV with or without
a header, also zipped) are read too.
"""

from __future__ import annotations

import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from .candles import CLOSE, HIGH, LOW, OPEN, OPEN_TIME, Rows, aggregate, no_rows
from .clock import MINUTE
from .errors import SandboxError
from .files import milliseconds, read_csv, text_of
from .pairs import Pair, pair_of
from .recorded_funding import Rates, read_rates

FILE_NAME = re.compile(r"([A-Z0-9]+)-1m(?![A-Za-z0-9]).*\.(parquet|csv|zip)|([A-Z0-9]+)-1m\.(parquet|csv|zip)")
PRICES = ("open", "high", "low", "close")
DUMP_COLUMNS = ("open_time", *PRICES, "volume", "close_time", "quote_volume", "trades", "taker_buy_base",
                "taker_buy_quote", "ignore")
# The futures dumps have a header and call some columns otherwise.
DUMP_NAMES = {"count": "trades", "taker_buy_volume": "taker_buy_base", "taker_buy_quote_volume": "taker_buy_quote"}


class Recorded:
    """A source of candles (see `market.Source`): exactly those of the files, gaps included."""

    def __init__(self, candles: dict[str, Rows], pairs: dict[str, Pair], funding: Rates) -> None:
        self._candles, self.pairs, self.funding = candles, pairs, funding
        firsts = [int(rows[0, OPEN_TIME]) for rows in candles.values()]
        lasts = [int(rows[-1, OPEN_TIME]) for rows in candles.values()]
        self.span: tuple[int, int] | None = (max(firsts), min(lasts))    # open times that all symbols share

    def first(self, symbol: str) -> int:
        """When the first candle opens."""
        return int(self._candles[symbol][0, OPEN_TIME])

    def rows(self, symbol: str, start: int, end: int) -> Rows:
        """1m candles with start <= open_time < end."""
        rows = self._candles.get(symbol, no_rows())
        first, last = np.searchsorted(rows[:, OPEN_TIME], (start, end))
        return rows[first:last]

    def row_at(self, symbol: str, now: int) -> Rows | None:
        """The last 1m candle that opened at or before `now`."""
        rows = self._candles.get(symbol, no_rows())
        passed = int(np.searchsorted(rows[:, OPEN_TIME], now, side="right"))
        return rows[passed - 1] if passed else None

    def days(self, symbol: str, start: int, end: int) -> Rows:
        """1d candles of the days with start <= open_time < end, both midnights."""
        return aggregate(self.rows(symbol, start, end), "1d")


def read_folder(folder: Path) -> Recorded:
    """Read every 1m file of `folder`.

    Raises `SandboxError` when there is none, or when a file is broken or contradicts another.
    """
    if not folder.is_dir():
        raise SandboxError(f"--candles: there is no folder {folder}; name one with SYMBOL-1m*.parquet, .csv or .zip "
                           "files.")
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        if match := FILE_NAME.fullmatch(file.name):
            files.setdefault(match[1] or match[3], []).append(file)
    if not files:
        raise SandboxError(f"--candles: {folder} holds no SYMBOL-1m*.parquet, .csv or .zip file; "
                           "put 1m candles there or leave --candles out for generated prices.")
    pairs = {symbol: _pair(symbol, paths[0]) for symbol, paths in files.items()}
    return Recorded({symbol: _candles(paths) for symbol, paths in files.items()}, pairs, read_rates(folder))


def _pair(symbol: str, file: Path) -> Pair:
    pair = pair_of(symbol)
    if pair is None:
        raise SandboxError(f"--candles: {file.name}: cannot tell the quote asset of {symbol}; "
                           "rename or remove the file.")
    return pair


def _candles(files: list[Path]) -> Rows:
    """All candles of one symbol in order; the same candle twice is one, two different ones are refused."""
    frame = pl.concat([_read(file).with_columns(file=pl.lit(file.name)) for file in files])
    frame = frame.unique(frame.columns[:-1], keep="first", maintain_order=True).sort("open_time")
    if (twice := frame.filter(frame["open_time"].is_duplicated())).height:
        moment = datetime.fromtimestamp(twice["open_time"][0] / 1000, UTC)
        names = " and ".join(twice["file"][:2].unique(maintain_order=True))
        raise SandboxError(f"--candles: {names} disagree on the candle of {moment:%Y-%m-%d %H:%M}; remove one.")
    return frame.drop("file").to_numpy().astype(np.float64)


def _read(file: Path) -> pl.DataFrame:
    """One file as float columns in the order of `candles.Rows`."""
    try:
        frame = pl.read_parquet(file) if file.suffix == ".parquet" else read_csv(text_of(file), DUMP_COLUMNS)
        frame = frame.rename({name: ours for name, ours in DUMP_NAMES.items() if name in frame.columns})
        frame = frame.with_columns(open_time=milliseconds(frame["open_time"]))
        frame = frame.select("open_time", pl.col(*PRICES).cast(pl.Float64), *_volumes(frame))
    except (pl.exceptions.PolarsError, zipfile.BadZipFile, OSError, KeyError, ValueError) as error:
        raise SandboxError(f"--candles: {file.name} is not a candle file ({str(error).splitlines()[0]}); "
                           "see ../shared/data/README.md for its columns, or remove it.") from None
    _check(file, frame.to_numpy())
    return frame


def _volumes(frame: pl.DataFrame) -> list[pl.Expr]:
    """The five volume columns; what a file leaves out is estimated from its volume."""
    volume = (pl.col("volume") if "volume" in frame.columns else pl.lit(0.0)).cast(pl.Float64)
    estimates = {"quote_volume": volume * pl.col("close").cast(pl.Float64), "trades": volume.ceil(),
                 "taker_buy_base": volume / 2, "taker_buy_quote": volume * pl.col("close").cast(pl.Float64) / 2}
    known = [pl.col(name).cast(pl.Float64) if name in frame.columns else estimate.round(8)
             for name, estimate in estimates.items()]
    return [expression.alias(name) for name, expression in zip(("volume", *estimates), (volume, *known), strict=True)]


def _check(file: Path, rows: Rows) -> None:
    """Refuse what no exchange could have recorded."""
    if not len(rows):
        raise SandboxError(f"--candles: {file.name} holds no candle; remove it.")
    bodies = rows[:, [OPEN, CLOSE]]
    outside = (rows[:, HIGH] < bodies.max(axis=1)) | (rows[:, LOW] > bodies.min(axis=1))
    for fault, wrong in {
        "a value is missing": ~np.isfinite(rows).all(axis=1),
        "open_time is not a whole minute": rows[:, OPEN_TIME] % MINUTE != 0,
        "a price is not above zero": rows[:, LOW] <= 0,
        "high or low lies inside open and close": outside,
    }.items():
        if wrong.any():
            raise SandboxError(f"--candles: {file.name}, row {int(wrong.argmax()) + 1}: {fault}; "
                               "correct or remove the file.")

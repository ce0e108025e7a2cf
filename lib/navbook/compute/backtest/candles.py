"""1m candles, checked once and made ready for many backtests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from navbook.compute.backtest import kernel, scan
from navbook.errors import BracketInvalid, CandlesInvalid

Floats = NDArray[np.float64]
Indices = NDArray[np.uint32]
PRICES = ("open", "high", "low", "close")
A_MINUTE = {"ms": 60_000, "us": 60_000_000, "ns": 60_000_000_000}
MANY = 60                     # rows that tell candles of another interval from minutes with gaps
MOST = 2**29                  # rows: an index with two bits to spare fits 32


@dataclass(frozen=True, eq=False)
class Candles:
    """Checked 1m candles; of `prepare`.

    frame              as it came
    open, high, low, close
    stretch_row        where each stretch without a missing minute starts, and
    stretch_minute     its first minute since the epoch
    blocks             highest high and lowest low of 8, 64, 512 … candles
    """

    frame: pl.DataFrame
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    stretch_row: NDArray[np.int64]
    stretch_minute: NDArray[np.int64]
    blocks: scan.Blocks

    def __len__(self) -> int:
        return len(self.open)

    @property
    def first_minute(self) -> int:
        return int(self.stretch_minute[0])

    @property
    def last_minute(self) -> int:
        return self.minute(len(self) - 1)

    def minute(self, row: int) -> int:
        """Minutes since the epoch at which the candle of `row` opens."""
        stretch = int(np.searchsorted(self.stretch_row, row, side="right")) - 1
        return int(self.stretch_minute[stretch]) + row - int(self.stretch_row[stretch])

    @property
    def highest(self) -> float:
        top, _, starts = self.blocks
        return float(top[starts[-2]:].max())

    @property
    def lowest(self) -> float:
        _, bottom, starts = self.blocks
        return float(bottom[starts[-2]:].min())

    @cached_property
    def minutes(self) -> NDArray[np.int64]:
        lengths = np.diff(self.stretch_row, append=len(self))
        return np.repeat(self.stretch_minute - self.stretch_row, lengths) + np.arange(len(self))

    @cached_property
    def links(self) -> Indices:
        """[2, candle]: the next candle with a higher high, with a lower low; the number of candles where none is."""
        links = np.empty((2, len(self)), np.uint32)
        scan.link(self.high, self.low, links)
        return links

    def rows_before(self, until: datetime | None) -> int:
        """How many candles open before `until`. Raises `BracketInvalid` for a time without its zone."""
        if until is None:
            return len(self)
        if not isinstance(until, datetime) or until.tzinfo is None:
            raise BracketInvalid("until", until, "a datetime with a time zone, as datetime(2024, 1, 1, tzinfo=UTC)")
        return self.row_at(-(-(until.astimezone(UTC) - EPOCH) // MINUTE_STEP))

    def row_at(self, minute: int) -> int:
        """The first candle that opens at or after `minute`; their number when there is none."""
        return int(kernel.row_at(self.stretch_row, self.stretch_minute, len(self), minute))

    def times(self, rows: NDArray[Any]) -> pl.Series:
        """Open times of `rows`."""
        if len(self.stretch_row) == 1:
            minutes = rows + self.stretch_minute[0]
        else:
            stretch = np.searchsorted(self.stretch_row, rows, side="right") - 1
            minutes = self.stretch_minute[stretch] + rows - self.stretch_row[stretch]
        minutes *= A_MINUTE["us"]
        return pl.Series(minutes).cast(pl.Datetime("us", "UTC"))


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_STEP = timedelta(minutes=1)


def prepare(candles: pl.DataFrame | Candles) -> Candles:
    """Check 1m candles once and build what speeds their backtests.

    candles  [open_time, open, high, low, close, …] sorted by open_time, a Datetime in UTC of any unit; prices as
             floats, whole numbers or decimals. Other columns are for entry expressions. Missing minutes may be missing

    Raises `CandlesInvalid` naming the column, or the first row that is no candle: time repeated, unordered or not a
    whole minute; a price that is null, not finite or not positive; open or close outside of low to high.
    """
    if isinstance(candles, Candles):
        return candles
    if not isinstance(candles, pl.DataFrame):
        raise CandlesInvalid(f"a polars DataFrame is needed, not {type(candles).__name__}")
    if missing := [name for name in ("open_time", *PRICES) if name not in candles.columns]:
        raise CandlesInvalid(f"the column {' and '.join(missing)} is missing")
    if not 0 < candles.height < MOST:
        raise CandlesInvalid("there are none" if not candles.height else f"there are more than {MOST:,}")
    stretch_row, stretch_minute = _stretches(candles["open_time"])
    opens, high, low, close = (_prices(candles[name]) for name in PRICES)
    blocks, fine = scan.checked_blocks(opens, high, low, close)
    if not fine:
        row = int(scan.first_bad(opens, high, low, close))
        raise CandlesInvalid(_row_problem(candles, row), row)
    return Candles(candles, opens, high, low, close, stretch_row, stretch_minute, blocks)


def _prices(column: pl.Series) -> Floats:
    dtype = column.dtype
    if not (dtype == pl.Float64 or dtype.is_decimal() or dtype.is_integer()):
        raise CandlesInvalid(f"{column.name} is {dtype}, not Float64, Decimal or a whole number")
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise CandlesInvalid(f"row {row} has no {column.name}", row)
    floats = column if dtype == pl.Float64 else column.cast(pl.Float64)
    return np.ascontiguousarray((floats if floats.n_chunks() == 1 else floats.rechunk()).to_numpy())


def _stretches(column: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First rows and first minutes of the stretches without a missing minute."""
    dtype = column.dtype
    if not isinstance(dtype, pl.Datetime):
        raise CandlesInvalid(f"open_time is {dtype}, not a Datetime in UTC")
    if dtype.time_zone != "UTC":
        raise CandlesInvalid(f"open_time is in {dtype.time_zone or 'no time zone'}, not in UTC; "
                             "use .dt.replace_time_zone('UTC') if it is UTC, .dt.convert_time_zone('UTC') if not")
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise CandlesInvalid(f"row {row} has no open_time", row)
    step = A_MINUTE[dtype.time_unit]
    times = np.ascontiguousarray(column.to_physical().rechunk().to_numpy())
    if scan.is_whole(times, step):
        return np.zeros(1, np.int64), times[:1] // step
    steps = np.diff(times)
    wrong = np.flatnonzero((steps <= 0) | (times[1:] % step != 0))
    if times[0] % step or len(wrong):
        row = 0 if times[0] % step else int(wrong[0]) + 1
        raise CandlesInvalid(_time_problem(column, row), row)
    if len(steps) >= MANY and steps[0] > step and (steps == steps[0]).all():
        raise CandlesInvalid(f"they are {steps[0] // step} minutes apart; 1m candles are needed")
    starts = np.concatenate([[0], np.flatnonzero(steps != step) + 1])
    return starts, times[starts] // step


def _time_problem(column: pl.Series, row: int) -> str:
    time = column[row]
    if row and time == column[row - 1]:
        return f"row {row} repeats the open_time {time}"
    if row and time < column[row - 1]:
        return f"row {row} of {time} comes after one of {column[row - 1]}; sort them by open_time"
    return f"row {row} opens at {time}, which is no whole minute"


def _row_problem(candles: pl.DataFrame, row: int) -> str:
    prices = {name: candles[name][row] for name in PRICES}
    told = ", ".join(f"{name} {price}" for name, price in prices.items())
    if not all(0 < float(price) < float("inf") for price in prices.values()):
        fault = "a price that is no positive number"
    elif prices["high"] < prices["low"]:
        fault = "its high below its low"
    else:
        fault = "its open or close outside of low to high"
    return f"row {row} ({candles['open_time'][row]}) has {fault}: {told}"

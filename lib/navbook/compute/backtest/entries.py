"""Entry signals: where a position may be opened, when it is not always in the market."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from navbook.compute.backtest.candles import Candles
from navbook.compute.brackets import MINUTE, BracketRules
from navbook.errors import BracketInvalid

Rows = NDArray[np.int32]
ALWAYS: Rows = np.zeros(0, np.int32)


def moving_average_cross(fast: int, slow: int) -> pl.Expr:
    """True where the mean of the last `fast` closes rises above that of the last `slow` closes."""
    above = pl.col("close").rolling_mean(fast) > pl.col("close").rolling_mean(slow)
    return above & ~above.shift(1)


def rsi_below(level: float, period: int = 14) -> pl.Expr:
    """True where the relative strength index falls below `level` (J. W. Wilder, 1978; his smoothing)."""
    change = pl.col("close").diff()
    gain, loss = (part.ewm_mean(alpha=1 / period, adjust=False) for part in (change.clip(0), (-change).clip(0)))
    below = 100 * gain / (gain + loss) < level
    return below & ~below.shift(1)


def at_hour(hour: int) -> pl.Expr:
    """True at the candle that ends when `hour` (UTC) begins."""
    ends = pl.col("open_time") + pl.duration(minutes=1)
    return (ends.dt.hour() == hour) & (ends.dt.minute() == 0)


def entry_rows(candles: Candles, end: int, entry: pl.Expr | None, rules: BracketRules) -> Rows:
    """For each of the first `end` candles the first one from there on that an entry is allowed at; `end` when none.

    `entry` is true at a candle whose close says: enter. That is seen at the checks (multiples of `check_every`), each
    of which looks at the last candle closed by then; the entry is the first candle that opens at or after such a
    check, if that is within a minute. Empty when there is no expression. Raises `BracketInvalid` for one that is not
    true or false for every candle.
    """
    if entry is None:
        return ALWAYS
    signal = _signal(candles, end, entry)
    minutes = candles.minutes[:end]
    check = minutes * MINUTE // rules.check_ms * rules.check_ms    # the last one up to each candle's opening
    seen = check // MINUTE - 1                                     # the minute that closed last before it
    place = np.minimum(np.searchsorted(minutes, seen), max(end - 1, 0))
    allowed = (check > (minutes - 1) * MINUTE) & (minutes[place] == seen) & signal[place]
    rows = np.where(allowed, np.arange(end), end).astype(np.int32)
    return np.ascontiguousarray(np.minimum.accumulate(rows[::-1])[::-1])


def _signal(candles: Candles, end: int, entry: pl.Expr) -> NDArray[np.bool_]:
    if not isinstance(entry, pl.Expr):
        raise BracketInvalid("entry", entry, "a polars expression over candles, true where to enter")
    try:
        found = candles.frame.head(end).select(entry=entry)["entry"]
    except pl.exceptions.PolarsError as problem:
        raise BracketInvalid("entry", str(entry), f"an expression over the candles' columns ({problem})") from None
    if found.dtype != pl.Boolean or len(found) != end:
        raise BracketInvalid("entry", str(entry), "true or false for each candle")
    return found.fill_null(value=False).to_numpy()

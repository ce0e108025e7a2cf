"""Columns as numpy arrays, for what is faster or clearer as arithmetic on arrays."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def microseconds(times: pl.Series) -> IntArray:
    """Times as microseconds since the epoch."""
    return times.dt.epoch("us").to_numpy()


def floats(numbers: pl.Series) -> FloatArray:
    """Numbers as floats, null as NaN."""
    return numbers.cast(pl.Float64).to_numpy()


def series(numbers: FloatArray) -> pl.Series:
    """Floats as a series, NaN as null: a number that is not known is not a number."""
    return pl.Series(numbers, dtype=pl.Float64).fill_nan(None)


def codes(texts: pl.Series) -> IntArray:
    """A number for each text, the same for the same text; of this series alone, another's numbers differ."""
    return texts.cast(pl.Categorical).to_physical().cast(pl.Int64).to_numpy()

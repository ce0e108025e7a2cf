"""Recorded funding rates, from `SYMBOL-funding*.parquet`, `.csv` or `.zip` beside the candles.

Columns as in ../shared/data/README.md (funding_time, funding_rate: a fraction per settlement), or as in Binance's
own monthly dumps (calc_time, last_funding_rate).
"""

from __future__ import annotations

import re
import zipfile
from decimal import Decimal
from pathlib import Path

import polars as pl

from .clock import MINUTE
from .errors import SandboxError
from .files import milliseconds, read_csv, text_of

FILE_NAME = re.compile(r"([A-Z0-9]+)-funding.*\.(parquet|csv|zip)")
DUMP_NAMES = {"calc_time": "funding_time", "last_funding_rate": "funding_rate"}

Rates = dict[str, dict[int, Decimal]]    # symbol -> settlement (ms, on its minute) -> rate


def read_rates(folder: Path) -> Rates:
    """The rates of every funding file; none where there is no such file.

    Raises `SandboxError` when a file is broken or contradicts another.
    """
    rates: Rates = {}
    for file in sorted(folder.iterdir()):
        if match := FILE_NAME.fullmatch(file.name):
            known = rates.setdefault(match[1], {})
            for time, rate in _read(file):
                if known.setdefault(time, rate) != rate:
                    raise SandboxError(f"--candles: {file.name} disagrees with another file on the funding at {time} "
                                       "ms; remove one.")
    return {symbol: dict(sorted(known.items())) for symbol, known in rates.items()}


def _read(file: Path) -> list[tuple[int, Decimal]]:
    """Binance settles within seconds of the minute; here it is the minute."""
    try:
        frame = pl.read_parquet(file) if file.suffix == ".parquet" else read_csv(text_of(file))
        frame = frame.rename({name: ours for name, ours in DUMP_NAMES.items() if name in frame.columns})
        times = ((milliseconds(frame["funding_time"]) + MINUTE / 2) // MINUTE * MINUTE).cast(pl.Int64)
        rates = frame["funding_rate"].cast(pl.Float64)
        if times.has_nulls() or not rates.is_finite().all():
            raise ValueError("a value is missing")
    except (pl.exceptions.PolarsError, zipfile.BadZipFile, OSError, KeyError, ValueError) as error:
        raise SandboxError(f"--candles: {file.name} is not a funding file ({str(error).splitlines()[0]}); it needs "
                           "funding_time and funding_rate, or remove it.") from None
    return [(time, round(Decimal(repr(rate)), 8)) for time, rate in zip(times, rates, strict=True)]

"""Returns of account and benchmark, and their difference, over periods. Pure.

The account: chain-linked, Modified Dietz inside an interval that holds a flow (P. Dietz 1968; CFA
Institute GIPS). An interval runs between two counted snapshots, without the first one's instant and with
the last one's. The benchmark: exact, the product of value relatives between journal events. An interval
with a non-positive denominator, or with an unpriced flow of an asset that has a market, counts 1 in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from navbook.compute.arrays import FloatArray, IntArray, floats, microseconds
from navbook.compute.benchmark import EPOCH, MICROSECOND, Line
from navbook.schemas import PERFORMANCE

ROLLING = {"1w": "-7d", "1m": "-1mo", "3m": "-3mo", "1y": "-1y"}


@dataclass(frozen=True)
class Chain:
    """One account's way from counted snapshot to counted snapshot."""

    times: IntArray        # microseconds since the epoch
    navs: FloatArray
    flows: FloatArray      # USD that came in during the interval that ends here; 0 at the first
    index: FloatArray      # 1 at the first; flows taken out
    set_aside: IntArray    # 1 where the interval that ends here counts 1, in this chain and any benchmark's
    moved_at: IntArray     # the flows inside, one by one
    moved: FloatArray


def chain(navs: pl.DataFrame, flows: pl.DataFrame, unpriced: pl.DataFrame) -> Chain:
    """The account's chain.

    navs      [time, nav]  counted snapshots, sorted
    flows     [time, value_usd]  sorted; those without a value add nothing
    unpriced  [time]  flows without a value although their asset has a market
    """
    times, values = microseconds(navs["time"]), floats(navs["nav"])
    known = flows.drop_nulls("value_usd")
    at, moved = microseconds(known["time"]), floats(known["value_usd"])
    inside = (at > times[0]) & (at <= times[-1]) if len(times) else at > 0
    at, moved = at[inside], moved[inside]
    end = times.searchsorted(at)
    length = np.diff(times, prepend=times[:1])
    weight = (times[end] - at) / length[end] if len(at) else moved
    sums: FloatArray = np.bincount(end, weights=moved, minlength=len(times)).astype(np.float64)
    invested = np.concatenate([[1.0], values])[:-1] + np.bincount(end, weights=moved * weight, minlength=len(times))
    gain = np.diff(values, prepend=values[:1]) - sums
    aside = (invested <= 0).astype(np.int64)
    lost = times.searchsorted(microseconds(unpriced["time"]))
    aside[lost[(lost > 0) & (lost < len(times))]] = 1
    aside[:1] = 0
    factor = np.where(aside == 1, 1.0, 1 + gain / np.where(invested <= 0, 1.0, invested))
    factor[:1] = 1.0
    return Chain(times, values, sums, np.cumprod(factor).astype(np.float64), aside, at, moved)


def benchmark_index(line: Line, along: Chain) -> FloatArray:
    """A benchmark's chain beside the account's, 1 at the first known; NaN where the benchmark is not known.

    What happened to it during an interval that is set aside does not count either.
    """
    known = ~np.isnan(line.growth)
    if not known.any():
        return line.growth.copy()
    last = np.maximum.accumulate(np.where(known, np.arange(len(known)), 0))
    growth = line.growth[last]                       # a gap takes the last known: its move counts where it ends
    with np.errstate(invalid="ignore"):
        factor = np.concatenate([[1.0], growth[1:] / growth[:-1]])
    factor = np.where((along.set_aside == 1) | np.isnan(factor), 1.0, factor)
    return np.where(known, np.cumprod(factor), np.nan)


@dataclass(frozen=True)
class Span:
    """A period as it is measured: between two counted snapshots, by their positions in the chain."""

    name: str
    first: int
    last: int


def spans(along: Chain) -> list[Span]:
    """The periods of a chain. One starts at the last counted snapshot at or before its nominal start, else at
    the first, and ends at the last counted one at or before its nominal end. A month without any is left out."""
    if not len(along.times):
        return []
    found = []
    ends = [EPOCH + timedelta(microseconds=int(time)) for time in (along.times[0], along.times[-1])]
    for name, start, end in periods(*ends):
        first, last = (int(along.times.searchsorted((edge - EPOCH) // MICROSECOND, side="right")) - 1
                       for edge in (start, end))
        first = max(first, 0)
        if last > first or not name[0].isdigit() or name in ROLLING:
            found.append(Span(name, first, max(last, first)))
    return found


def periods(first: datetime, last: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """(name, nominal start, nominal end), UTC: inception, rolling windows, this year, and each month."""
    yield "inception", first, last
    for name, back in ROLLING.items():
        yield name, pl.Series([last]).dt.offset_by(back)[0], last
    yield "ytd", last.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0), last
    month = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month <= last:
        following = (month + timedelta(days=32)).replace(day=1)
        yield f"{month:%Y-%m}", month, min(following, last)
        month = following


def performance(account: str, along: Chain, lines: Mapping[str, Line]) -> pl.DataFrame:
    """PERFORMANCE rows of one account against each of its benchmarks, by name."""
    rows = []
    measured = spans(along)
    of_account = {span: _of_account(span, along) for span in measured}
    for name, line in lines.items():
        index = benchmark_index(line, along)
        rows += [{"account": account, "benchmark": name, **of_account[span], **_of_benchmark(span, along, line, index)}
                 for span in measured]
    return PERFORMANCE.check(pl.DataFrame(rows, schema=PERFORMANCE.columns, orient="row"))


def _of_account(span: Span, along: Chain) -> dict[str, object]:
    inside = slice(span.first, span.last + 1)
    flows = along.flows[span.first + 1:span.last + 1]
    nav_from, nav_to, flows_usd = along.navs[span.first], along.navs[span.last], flows.sum()
    return {"period": span.name, "from_time": int(along.times[span.first]), "to_time": int(along.times[span.last]),
            "nav_from": nav_from, "nav_to": nav_to, "flows_usd": flows_usd, "gain_usd": nav_to - nav_from - flows_usd,
            "twr": along.index[span.last] / along.index[span.first] - 1, "max_drawdown": drawdown(along.index[inside]),
            "intervals_set_aside": int(along.set_aside[span.first + 1:span.last + 1].sum())}


def _of_benchmark(span: Span, along: Chain, line: Line, index: FloatArray) -> dict[str, object]:
    twr = index[span.last] / index[span.first] - 1
    return {"benchmark_twr": known(twr), "alpha": known(along.index[span.last] / along.index[span.first] - 1 - twr),
            "benchmark_max_drawdown": drawdown(index[span.first:span.last + 1])}


def drawdown(index: FloatArray) -> float | None:
    """The deepest fall below an earlier peak, as a negative fraction; 0 where it never fell, None where unknown."""
    index = index[~np.isnan(index)]
    return float(min(0.0, (index / np.maximum.accumulate(index) - 1).min())) if len(index) else None


def known(number: float) -> float | None:
    return None if np.isnan(number) else float(number)

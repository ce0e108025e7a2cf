"""Returns of account and benchmark, and their difference, over periods. Pure.

The account: chain-linked, Modified Dietz inside an interval that holds a flow (P. Dietz 1968; CFA
Institute GIPS). An interval runs between two counted snapshots, without the first one's instant and with
the last one's. The benchmark: exact, the product of value relatives between journal events. An interval
with a non-positive denominator, or with an unpriced flow of an asset that has a market, counts 1 in both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from navbook.compute.arrays import FloatArray, IntArray, floats, microseconds
from navbook.compute.benchmark import EPOCH, MICROSECOND, Line
from navbook.compute.money_weighted import money_weighted
from navbook.compute.risk import drawdown, figures
from navbook.compute.verdict import judge
from navbook.schemas import PERFORMANCE, TIME

DAY = 86_400_000_000    # microseconds
YEAR = 365              # days: what statistics of longer periods are scaled to
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


def chain(navs: pl.DataFrame, flows: pl.DataFrame) -> Chain:
    """The account's chain.

    navs   [time, nav]  counted snapshots, sorted
    flows  [time, value_usd, unpriced]  sorted; those without a value add nothing
    """
    times, values = microseconds(navs["time"]), floats(navs["nav"])
    known = flows.drop_nulls("value_usd")
    at, moved = microseconds(known["time"]), floats(known["value_usd"])
    inside = (at > times[0]) & (at <= times[-1]) if len(times) else np.zeros(len(at), dtype=bool)
    at, moved = at[inside], moved[inside]
    end = times.searchsorted(at)
    length = np.diff(times, prepend=times[:1])
    weight = (times[end] - at) / length[end] if len(at) else moved
    sums: FloatArray = np.bincount(end, weights=moved, minlength=len(times)).astype(np.float64)
    invested = np.concatenate([[1.0], values])[:-1] + np.bincount(end, weights=moved * weight, minlength=len(times))
    gain = np.diff(values, prepend=values[:1]) - sums
    aside = (invested <= 0).astype(np.int64)
    lost = times.searchsorted(microseconds(flows.filter("unpriced")["time"]))
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

    @property
    def is_month(self) -> bool:
        return self.name[0].isdigit() and self.name not in ROLLING


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
        span = Span(name, max(first, 0), max(first, last, 0))
        if span.last > span.first or not span.is_month:
            found.append(span)
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
    measured = [_Measured.of(span, along) for span in spans(along)]
    rows = []
    for name, line in sorted(lines.items()):
        index = benchmark_index(line, along)
        rows += [{"account": account, "benchmark": name, **own.figures, **_beside(own, along, line, index)}
                 for own in measured]
    times = [name for name, dtype in PERFORMANCE.columns.items() if dtype == TIME]
    columns = {**PERFORMANCE.columns, **dict.fromkeys(times, pl.Int64())}
    return PERFORMANCE.check(pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        pl.from_epoch(name, "us").dt.replace_time_zone("UTC") for name in times))


@dataclass(frozen=True)
class _Measured:
    """A period of an account, and what every benchmark is held against."""

    span: Span
    days: IntArray          # positions of the last snapshots at or before each midnight inside
    moved_at: IntArray      # flows inside
    moved: FloatArray
    figures: dict[str, object]

    @classmethod
    def of(cls, span: Span, along: Chain) -> _Measured:
        first, last = span.first, span.last
        start, end = along.times[first], along.times[last]
        inside = slice(along.moved_at.searchsorted(start, side="right"), along.moved_at.searchsorted(end, side="right"))
        midnights = np.arange(-(-start // DAY), end // DAY + 1) * DAY
        nav_from, nav_to, flows = along.navs[first], along.navs[last], along.moved[inside]
        gain = nav_to - nav_from - flows.sum()
        paid_in = nav_from + flows[flows > 0].sum()
        fallen = drawdown(along.times[first:last + 1], along.index[first:last + 1])
        figures = {
            "period": span.name, "from_time": int(start), "to_time": int(end), "nav_from": nav_from, "nav_to": nav_to,
            "flows_usd": flows.sum(), "gain_usd": gain, "twr": ratio(along.index, span),
            "simple_gain": gain / paid_in if paid_in > 0 else None,
            "mwr": _money_weighted(start, end, nav_from, nav_to, along.moved_at[inside], flows), **asdict(fallen),
            "intervals_set_aside": int(along.set_aside[first + 1:last + 1].sum())}
        return cls(span, along.times.searchsorted(midnights, side="right") - 1, along.moved_at[inside], flows, figures)


def _beside(own: _Measured, along: Chain, line: Line, index: FloatArray) -> dict[str, object]:
    """The figures of one benchmark, and of the account beside it."""
    first, last = own.span.first, own.span.last
    twr = ratio(index, own.span)
    if twr is None:
        return {}
    grown = line.growth[last] / line.event_growth[line.event_times.searchsorted(own.moved_at)]    # of each flow
    nav_from = along.navs[first]
    nav_to = nav_from * line.growth[last] / line.growth[first] + float(own.moved @ grown)
    returns, benchmark = _daily(along.index, index, own.days)
    account_twr = own.figures["twr"]
    found: dict[str, object] = {
        "benchmark_twr": twr, "alpha": account_twr - twr if isinstance(account_twr, float) else None,
        "benchmark_gain_usd": nav_to - nav_from - own.moved.sum(),
        "benchmark_mwr": _money_weighted(along.times[first], along.times[last], nav_from, nav_to, own.moved_at,
                                         own.moved),
        "benchmark_max_drawdown": _drawdown(along.times[first:last + 1], index[first:last + 1]),
        **asdict(figures(returns, benchmark, min(len(returns), YEAR)))}
    if not own.span.is_month:
        found |= asdict(judge(returns, benchmark))
    return found


def _daily(account: FloatArray, benchmark: FloatArray, days: IntArray) -> tuple[FloatArray, FloatArray]:
    """Returns from midnight to midnight of both, of days at whose ends both are known and worth something."""
    own, market = account[days], benchmark[days]
    usable = ~np.isnan(market) & (own > 0) & (market > 0)
    own, market = own[usable], market[usable]
    return own[1:] / own[:-1] - 1, market[1:] / market[:-1] - 1


def _money_weighted(start: int, end: int, nav_from: float, nav_to: float, moved_at: IntArray,
                    moved: FloatArray) -> float | None:
    return money_weighted(np.concatenate([[start], moved_at, [end]]), np.concatenate([[-nav_from], -moved, [nav_to]]))


def _drawdown(times: IntArray, index: FloatArray) -> float | None:
    known = ~np.isnan(index)
    return drawdown(times[known], index[known]).max_drawdown if known.any() else None


def ratio(index: FloatArray, span: Span) -> float | None:
    """The return over a period; None where one of its ends is not known, or nothing was left at its start."""
    start, end = float(index[span.first]), float(index[span.last])
    return end / start - 1 if start > 0 and not math.isnan(end) else None

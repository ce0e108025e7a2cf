"""Time-weighted returns of account and benchmark, and their difference over periods. Pure.

The account: chain-linked, Modified Dietz inside an interval that holds a flow (P. Dietz 1968; CFA
Institute GIPS). An interval runs between two counted snapshots, without the first one's instant and with
the last one's. The benchmark: exact, the product of value relatives between journal events. An interval
with a non-positive denominator, or with an unpriced flow of an asset that has a market, counts 1 in both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

import polars as pl

from navbook.schemas import PERFORMANCE


def intervals(navs: pl.DataFrame, flows: pl.DataFrame) -> pl.DataFrame:
    """One account's intervals: [time, factor, flows_usd, set_aside], time being the later snapshot's.

    navs   [time, nav]  counted snapshots, sorted
    flows  [time, value_usd, unpriced]  unpriced: no value although the asset has a market

    factor is 1 + return; null at the first snapshot. set_aside names why an interval counts 1.
    """
    ends = navs.select("time", "nav", start=pl.col("time").shift(), nav_start=pl.col("nav").shift())
    inside = (flows.sort("time").join_asof(ends.select("time", "start", end="time"), on="time",
                                           strategy="forward").drop_nulls("start"))
    length = (pl.col("end") - pl.col("start")).dt.total_microseconds()
    weight = (pl.col("end") - pl.col("time")).dt.total_microseconds() / length
    sums = inside.group_by(time="end").agg(
        flows_usd=pl.col("value_usd").sum(), weighted=(pl.col("value_usd") * weight).sum(),
        unpriced=pl.col("unpriced").any())
    both = ends.join(sums, on="time", how="left", maintain_order="left").with_columns(
        pl.col("flows_usd", "weighted").fill_null(0.0), pl.col("unpriced").fill_null(value=False))
    invested = pl.col("nav_start") + pl.col("weighted")
    gain = pl.col("nav") - pl.col("nav_start") - pl.col("flows_usd")
    reason = (pl.when(pl.col("unpriced")).then(pl.lit("a flow without a price"))
                .when(invested <= 0).then(pl.lit("nothing was invested")))
    return (both.with_columns(set_aside=pl.when(pl.col("start").is_not_null()).then(reason))
            .with_columns(factor=pl.when(pl.col("set_aside").is_not_null()).then(1.0).otherwise(1 + gain / invested))
            .select("time", "factor", "flows_usd", "set_aside"))


def benchmark_factors(journal: pl.DataFrame, values: pl.DataFrame, leg_prices: pl.DataFrame,
                      weights: dict[str, float]) -> pl.DataFrame:
    """One benchmark's growth per interval: [time, benchmark_factor], null at the first snapshot.

    journal     BENCHMARK_JOURNAL of one account and benchmark
    values      [time, value]  at the counted snapshots
    leg_prices  [time, asset, price]  at the counted snapshots

    While the benchmark holds nothing it moves like its target weights, bought at the last event.
    """
    steps = (journal.group_by("time", "step").agg(pl.col("value_before", "value_after").first())
             .with_columns(snapshot=pl.lit(value=False)))
    marks = values.select("time", step=pl.lit(None, pl.Int64), value_before="value", value_after="value",
                          snapshot=pl.lit(value=True))
    line = pl.concat([steps.select(marks.columns), marks]).sort("time", "snapshot", "step")
    if (line["value_after"] <= 0).any():
        line = line.join(_shadow(journal, leg_prices, weights), on=["time", "step"], how="left", nulls_equal=True,
                         maintain_order="left")
        held = pl.col("value_after").shift() > 0
        line = line.with_columns(growth=pl.when(held).then(pl.col("value_before") / pl.col("value_after").shift())
                                          .otherwise(pl.col("shadow_before") / pl.col("shadow_after").shift()))
    else:
        line = line.with_columns(growth=pl.col("value_before") / pl.col("value_after").shift())
    mark = pl.col("snapshot").cum_sum() - pl.col("snapshot").cast(pl.UInt32)    # snapshots before this point
    first = pl.col("time") == pl.col("time").min()
    return (line.with_columns(growth=pl.when(first).then(1.0).otherwise("growth"), mark=mark)
            .group_by("mark", maintain_order=True)
            .agg(pl.col("time").last(), benchmark_factor=pl.col("growth").product())
            .select("time", benchmark_factor=pl.when(pl.col("mark") > 0).then("benchmark_factor")))


def _shadow(journal: pl.DataFrame, leg_prices: pl.DataFrame, weights: dict[str, float]) -> pl.DataFrame:
    """[time, step, shadow_before, shadow_after]: a dollar put into the target weights at each event.

    step is null at a snapshot. `shadow_before` is what the dollar of the event before has become.
    """
    events = journal.select("time", "step", "asset", "price", event_price="price")
    marks = leg_prices.select("time", pl.lit(None, pl.Int64).alias("step"), "asset", "price",
                              pl.lit(None, pl.Float64).alias("event_price"))
    weight = pl.col("asset").replace_strict(weights, return_dtype=pl.Float64)
    bought_at = pl.col("event_price").forward_fill().shift().over("asset", order_by=["time", "after", "step"])
    grown = (pl.concat([events, marks]).filter(pl.col("asset").is_in(list(weights)))
             .with_columns(after=pl.col("step").is_null())
             .with_columns(grown=weight * pl.col("price") / bought_at))
    before = pl.col("grown").sum()
    return (grown.group_by("time", "step").agg(shadow_before=before)
            .with_columns(shadow_after=pl.when(pl.col("step").is_null()).then("shadow_before").otherwise(1.0)))


def indices(account: pl.DataFrame, benchmark: pl.DataFrame) -> pl.DataFrame:
    """[time, twr_index, benchmark_index, flows_usd, set_aside]: both chains, 1 at the first counted snapshot.

    account    of `intervals`
    benchmark  of `benchmark_factors`
    """
    both = account.join(benchmark, on="time", how="left", maintain_order="left")
    aside = pl.col("set_aside").is_not_null()
    return both.select(
        "time", twr_index=pl.col("factor").fill_null(1.0).cum_prod(),
        benchmark_index=pl.when(aside).then(1.0).otherwise(pl.col("benchmark_factor")).fill_null(1.0).cum_prod(),
        flows_usd="flows_usd", set_aside="set_aside")


def periods(first: datetime, last: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """(name, nominal start, nominal end), UTC: inception, rolling windows, this year, and each month."""
    yield "inception", first, last
    for name, back in (("1w", "-7d"), ("1m", "-1mo"), ("3m", "-3mo"), ("1y", "-1y")):
        yield name, pl.Series([last]).dt.offset_by(back)[0], last
    yield "ytd", last.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0), last
    month = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month <= last:
        following = (month + timedelta(days=32)).replace(day=1)
        yield f"{month:%Y-%m}", month, min(following, last)
        month = following


def performance(account: str, benchmark: str, navs: pl.DataFrame, chains: pl.DataFrame) -> pl.DataFrame:
    """PERFORMANCE rows of one account against one benchmark.

    navs    [time, nav]  counted snapshots, sorted
    chains  of `indices`

    A period starts at the last counted snapshot at or before its nominal start, else at the first, and
    ends at the last counted one at or before its nominal end.
    """
    line = navs.join(chains, on="time", maintain_order="left")
    rows = [_period(account, benchmark, name, line, start, end)
            for name, start, end in periods(line["time"][0], line["time"][-1])] if line.height else []
    return PERFORMANCE.check(pl.DataFrame(rows, schema=PERFORMANCE.columns, orient="row"))


def _period(account: str, benchmark: str, name: str, line: pl.DataFrame, start: datetime,
            end: datetime) -> dict[str, object]:
    first = max(int((line["time"] <= start).sum()) - 1, 0)
    last = max(int((line["time"] <= end).sum()) - 1, first)
    inside = line.slice(first, last - first + 1)
    twr, benchmark_twr = (float(inside[chain][-1] / inside[chain][0]) - 1 for chain in ("twr_index", "benchmark_index"))
    nav_from, nav_to = float(inside["nav"][0]), float(inside["nav"][-1])
    flows_usd = float(inside["flows_usd"][1:].sum())
    return {"account": account, "benchmark": benchmark, "period": name, "from_time": inside["time"][0],
            "to_time": inside["time"][-1], "nav_from": nav_from, "nav_to": nav_to, "flows_usd": flows_usd,
            "gain_usd": nav_to - nav_from - flows_usd, "twr": twr, "benchmark_twr": benchmark_twr,
            "alpha": twr - benchmark_twr, "max_drawdown": drawdown(inside["twr_index"]),
            "benchmark_max_drawdown": drawdown(inside["benchmark_index"]),
            "intervals_set_aside": int(inside["set_aside"][1:].is_not_null().sum())}


def drawdown(index: pl.Series) -> float:
    """The deepest fall below an earlier peak, as a negative fraction; 0 where it never fell."""
    return min(0.0, float((index / index.cum_max() - 1).min() or 0.0))    # type: ignore[arg-type]


def unpriced(flows: pl.DataFrame, marketed: Collection[str]) -> pl.Expr:
    """Whether a flow has no value although its asset has a market (assets in `marketed`)."""
    return pl.col("value_usd").is_null() & pl.col("asset").is_in(list(marketed))

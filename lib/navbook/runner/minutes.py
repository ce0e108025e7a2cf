"""Which candles the figures need and the store lacks: p(t) of every flow, rebalance and leg."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

import polars as pl

from navbook import schemas
from navbook.compute import benchmark, cash_flows, valuation
from navbook.exchange import candles
from navbook.exchange.client import Exchange
from navbook.runner import rebuild
from navbook.settings import Benchmark, Settings
from navbook.store import tables
from navbook.types import COUNTED, Action

ALWAYS = ("BTC", "ETH")      # the familiar views show both, whatever the benchmark
LONG_WORK = 50               # pages, from which on progress is told


def legs(config: Settings) -> set[str]:
    """BTC and ETH, and every asset in any benchmark of the configuration."""
    return {*ALWAYS, *(leg for section in _sections(config) for leg in section.weights)}


def _sections(config: Settings) -> list[Benchmark]:
    groups = [group.benchmark for group in config.groups.values() if group.benchmark]
    return [config.benchmark, *config.benchmarks.values(), *map(config.benchmark_of, config.accounts), *groups]


def needed(config: Settings, flows: pl.DataFrame, snapshots: pl.LazyFrame, prices: pl.DataFrame,
           traded: Collection[str], now: datetime) -> pl.DataFrame:
    """[symbol, open_time]: the minutes that price every flow, every rebalance due by `now` and every leg at every
    counted snapshot, as far as the store does not hold them.

    flows, snapshots  CASH_FLOWS and SNAPSHOTS, those of this run included
    prices            PRICES of this run
    traded            the pairs that the exchange prices
    """
    counted = snapshots.filter(pl.col("grade").is_in([grade.value for grade in COUNTED])).select("time")
    due = set(_rebalances(config, counted, now))
    wanted = cash_flows.minutes_needed(flows, due, legs(config), traded, config.stablecoins)
    by_hand = _added_by_hand(config, traded)
    late = _late_legs(config, counted, prices, traded)
    return pl.concat([wanted, by_hand, late]).unique().join(_stored(config), on=["symbol", "open_time"], how="anti")


def _rebalances(config: Settings, counted: pl.LazyFrame, now: datetime) -> Iterator[datetime]:
    """Each due time of each benchmark, from the first snapshot that any account has."""
    start = tables.collected(counted.min(), config.location, schemas.SNAPSHOTS).item()
    if isinstance(start, datetime):
        for section in _sections(config):
            yield from benchmark.rebalances(rebuild.rules("", section), start, now)


def _added_by_hand(config: Settings, traded: Collection[str]) -> pl.DataFrame:
    entries = tables.read(config.location, schemas.MANUAL_ENTRIES).filter(
        pl.col("action") == Action.ADD, ~pl.col("revoked").fill_null(value=False)).drop_nulls(["time", "asset"])
    pairs = [(symbol, time) for asset, time in entries.select("asset", "time").iter_rows()
             for symbol in valuation.symbols_for({asset, *legs(config)}, config.stablecoins, traded)]
    return _minutes(pairs)


def _late_legs(config: Settings, counted: pl.LazyFrame, prices: pl.DataFrame, traded: Collection[str]) -> pl.DataFrame:
    """What a leg that was configured later needs: its price at each snapshot that was taken without it."""
    new = valuation.symbols_for(legs(config) - set(ALWAYS), config.stablecoins, traded)
    if not new:
        return _minutes([])
    known = tables.scan(config.location, schemas.PRICES).filter(pl.col("symbol").is_in(new)).select("time", "symbol")
    stored = tables.collected(known, config.location, schemas.PRICES)
    times = tables.collected(counted.unique(), config.location, schemas.SNAPSHOTS)
    lacking = (times.join(pl.DataFrame({"symbol": new}), how="cross")
               .join(stored, on=["time", "symbol"], how="anti").join(prices, on=["time", "symbol"], how="anti"))
    return _minutes(lacking.select("symbol", "time").iter_rows())


def _minutes(pairs: Iterable[tuple[str, datetime]]) -> pl.DataFrame:
    """[symbol, open_time] of [symbol, time]."""
    return (pl.DataFrame(list(pairs), schema={"symbol": pl.String(), "time": schemas.TIME}, orient="row")
            .select("symbol", open_time=cash_flows.closing_minute(pl.col("time"))))


def _stored(config: Settings) -> pl.DataFrame:
    """[symbol, open_time]: the minutes whose close is stored, with the last of each stored hour."""
    spot = tables.scan(config.location, schemas.CANDLES, cash_flows.TELLS_PRICE)
    told = spot.select("symbol", open_time=cash_flows.minute_told()).unique()
    return tables.collected(told, config.location, schemas.CANDLES)


async def fetch(exchange: Exchange, wanted: pl.DataFrame, seen_at: datetime) -> tuple[pl.DataFrame, list[str]]:
    """CANDLES of `needed`, and why some could not be read; long work tells how far it is on standard error."""
    return await candles.closing(exchange, wanted, seen_at, _tell)


def _tell(done: int, of: int) -> None:
    if of >= LONG_WORK and done * 10 // of > (done - 1) * 10 // of:
        print(f"Candles: {done} of {of} pages.", file=sys.stderr)

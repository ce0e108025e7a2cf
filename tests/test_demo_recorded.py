"""The demo on real candles of 2024: the benchmark equals a computation by hand at three dates.

The hand computation shares nothing with navbook but the exchange's own answers: it reads the candle files
itself, in exact decimals, and follows the rules as DESIGN states them.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from commands import SHARED
from navbook import settings
from navbook.runner import collecting, demo, rebuild, sandbox

SPOT = SHARED / "candles" / "spot"
FILES = [*SPOT.glob("BTCUSDT-1m-2024*.parquet"), *SPOT.glob("ETHUSDT-1m-2024*.parquet")]
MONDAY_NOON = datetime(2024, 4, 1, 12, tzinfo=UTC)
DATES = [datetime(2024, 4, 10, 8, tzinfo=UTC), datetime(2024, 5, 17, 16, tzinfo=UTC),
         datetime(2024, 6, 25, 20, tzinfo=UTC)]

pytestmark = pytest.mark.skipif(len(FILES) < 4, reason=f"the recorded candles of 2024 are not in {SPOT}")


class Tape:
    """Prices straight from the files, by minute."""

    def __init__(self) -> None:
        self.candles = {}
        for symbol in ("BTC", "ETH"):
            files = sorted(SPOT.glob(f"{symbol}USDT-1m-2024*.parquet"))
            frame = pl.concat([pl.read_parquet(file, columns=["open_time", "open", "close"]) for file in files])
            self.candles[symbol] = {row[0].replace(tzinfo=UTC): row[1:] for row in frame.iter_rows()}

    def closed(self, symbol: str, time: datetime) -> Decimal:
        """p(t): the close of the minute that ended last at or before `time`."""
        minute = time.replace(second=0, microsecond=0) - timedelta(minutes=1)
        return Decimal(repr(self.candles[symbol][minute][1]))

    def now(self, symbol: str, time: datetime) -> Decimal:
        """What the exchange shows at a minute's first instant: its open."""
        return Decimal(repr(self.candles[symbol][time][0]))


def by_hand(tape: Tape, start: datetime, nav: Decimal, flows: list[tuple[datetime, str, Decimal]],
            until: datetime) -> Decimal:
    """The value of half bitcoin, half ether, rebalanced on Mondays at noon, with `flows` put in and taken out."""
    units = {leg: nav / 2 / tape.now(leg, start) for leg in ("BTC", "ETH")}
    mondays = [MONDAY_NOON + timedelta(weeks=week) for week in range(13)]
    happened = sorted([(time, 0, asset, amount) for time, asset, amount in flows if start < time <= until]
                      + [(time, 1, "", Decimal(0)) for time in mondays if start < time <= until])
    for time, is_rebalance, asset, amount in happened:
        price = {leg: tape.closed(leg, time) for leg in units}
        value = sum(units[leg] * price[leg] for leg in units)
        worth = amount * price.get(asset, Decimal(1))    # the demo's other coins count one dollar
        if is_rebalance:
            units = {leg: value / 2 / price[leg] for leg in units}
        elif worth > 0:
            units = {leg: units[leg] + worth / 2 / price[leg] for leg in units}
        else:
            units = {leg: units[leg] * (1 + worth / value) for leg in units}
    return sum(units[leg] * tape.now(leg, until) for leg in units)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The derived tables of the demo on a folder with the files of 2024; collected over HTTP."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "candles").mkdir()
    for file in FILES:
        (folder / "candles" / file.name).symlink_to(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(os, "environ", os.environ.copy())    # takes the demo's keys
        config = demo.settings_for(settings.load())
        world, end = demo.world_of(config, Path("candles"))
        with sandbox.started(world) as local:
            ready = sandbox.with_accounts_of(local, config)
            asyncio.run(demo.history(ready, local, world, end, lambda done, of: None))
            local.set_clock(end)
            asyncio.run(collecting.collect(ready))
        facts = rebuild.read_facts(config)
        return facts, rebuild.compute(facts, config)


def test_history_ends_at_the_last_minute_that_the_files_share(answers):
    _, tables = answers
    times = tables["nav_history"]["time"]
    assert times.max() == datetime(2024, 6, 25, 23, 59, tzinfo=UTC)
    assert times.min() == datetime(2024, 3, 27, 20, tzinfo=UTC)
    assert tables["nav_history"]["grade"].unique().to_list() == ["complete"]


@pytest.mark.parametrize("account", ["main", "swing", "sub"])
def test_the_benchmark_equals_a_computation_by_hand(answers, account):
    facts, tables = answers
    tape = Tape()
    history = tables["nav_history"].filter(pl.col("account") == account).sort("time")
    flows = [(row["time"], row["asset"], row["amount"] if row["kind"].endswith("DEPOSIT") else -(row["amount"] + row["fee"]))
             for row in facts.cash_flows.filter(pl.col("account") == account).iter_rows(named=True)]
    assert len(flows) >= 2
    start, nav = history["time"][0], Decimal(repr(history["nav"][0]))
    for date in DATES:
        stored = history.filter(pl.col("time") == date)["benchmark_value"].item()
        assert stored == pytest.approx(float(by_hand(tape, start, nav, flows, date)), rel=1e-9), date


def test_the_nav_equals_the_balances_times_the_recorded_prices(answers):
    facts, tables = answers
    tape, date = Tape(), DATES[1]
    held = facts.balances.filter(pl.col("account") == "main", pl.col("time") == date)
    worth = sum(quantity * (tape.now(asset, date) if asset in ("BTC", "ETH") else 1)
                for asset, quantity in held.select("asset", "quantity").iter_rows())
    stored = tables["nav_history"].filter(pl.col("account") == "main", pl.col("time") == date)["nav"].item()
    assert stored == pytest.approx(float(worth), rel=1e-12)

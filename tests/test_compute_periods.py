"""A later start of the benchmark: what a page's periods show is what PERFORMANCE says of them."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navbook import schemas
from navbook.compute import periods
from navbook.types import FlowKind
from stores import configured, grown, table
from worlds import World, at

DAYS = 40
FLOWS = {3: 400, 20: -300, 37: 250}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Forty days of prices that move, a snapshot every six hours, three flows."""
    world, cash = World(), 1000.0
    for n in range(4 * DAYS):
        day = n / 4
        world.prices = {"BTCUSDT": f"{50_000 * (1 + 0.1 * math.sin(n / 9)):.2f}",
                        "ETHUSDT": f"{2500 * (1 + 0.2 * math.cos(n / 7)):.2f}"}
        if moved := FLOWS.get(day):
            cash += moved
            world.flow(at(days=day - 0.01), abs(moved), kind=FlowKind.DEPOSIT if moved > 0 else FlowKind.WITHDRAWAL)
        world.snapshot(at(days=day), {"BTC": "0.01", "ETH": "0.2", "USDT": cash})
    config = configured(tmp_path_factory.mktemp("store"))
    grown(config, world)
    return config


def test_a53_each_period_starts_where_performance_does_and_ends_as_far_ahead(store):
    history, performance = table(store, "nav_history"), table(store, "performance").filter(pl.col("benchmark") == "own")
    found = periods.histories(history, performance)
    assert list(found) == ["inception", "1w", "1m", "ytd"]
    for name, rows in found.items():
        (row,) = performance.filter(period=name).to_dicts()
        assert rows["time"][0] == row["from_time"]
        assert rows["nav"][0] == pytest.approx(rows["benchmark_value"][0], abs=1e-9)
        ahead = rows["nav"][-1] - rows["benchmark_value"][-1]
        assert ahead == pytest.approx(row["gain_usd"] - row["benchmark_gain_usd"], abs=1e-6)


def test_a_period_that_the_account_is_too_young_for_is_left_out(store):
    history, performance = table(store, "nav_history"), table(store, "performance")
    assert not {"3m", "1y"} & set(periods.histories(history, performance))
    young = periods.histories(history.head(2), performance.clear())
    assert list(young) == ["inception"]
    assert list(periods.histories(history.clear(), performance.clear())) == ["inception"]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0.2, 5)), min_size=2, max_size=30),
       st.integers(0, 28))
def test_the_benchmark_begins_with_the_accounts_value_and_the_difference_grows_as_it_does(rows, start):
    frame = pl.DataFrame([("main", 1, at(n), "complete", None, nav, worth, None, None, 1.0, index)
                          for n, (nav, worth, index) in enumerate(rows)], schema=schemas.NAV_HISTORY.columns, orient="row")
    first = min(start, len(rows) - 1)
    later = periods.since(frame, at(first))
    assert later.height == len(rows) - first
    assert later["benchmark_value"][0] == pytest.approx(rows[first][0])
    for n, row in enumerate(later.iter_rows(named=True), first):
        more = (rows[first][0] - rows[first][1]) * rows[n][2] / rows[first][2]
        assert row["benchmark_value"] == pytest.approx(rows[n][1] + more)


def test_a_start_without_a_figure_changes_nothing():
    frame = schemas.NAV_HISTORY.rows([("main", 1, at(0), "incomplete", "x", None, None, None, None, None, None),
                                      ("main", 1, at(1), "complete", None, 2.0, 3.0, None, None, 1.0, 1.0)])
    assert periods.since(frame, at(0)).equals(frame)

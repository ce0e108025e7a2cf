"""What the charts are made of: nothing invented, nothing drawn across a gap, every number finite."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navbook import schemas
from navbook.publish import charts, palette, parts, series, theme, words
from test_publish_frames import INTERVAL, START, world

DRAWN = (charts.nav_against_benchmark, charts.difference, charts.drawdown)
GRADES = ("complete", "provisional", "incomplete", "backfilled")


@pytest.fixture(autouse=True)
def _theme():
    theme.enable()


def spec_of(chart: Any) -> dict[str, Any]:
    """The chart as a notebook keeps it; raises where a number is not finite."""
    bundle = chart._repr_mimebundle_()
    json.dumps(bundle, allow_nan=False)
    return bundle[palette.CHART_MIME]


def lines(spec: dict[str, Any]) -> list[dict[str, float]]:
    """The rows of the chart's own data."""
    (table,) = (values for values in spec["datasets"].values() if isinstance(values, str))
    head, *rows = table.split("\n")
    return [dict(zip(head.split(","), map(float, row.split(",")), strict=True)) for row in rows]


def history(*snapshots: tuple[float, str, float | None, float | None]) -> pl.DataFrame:
    """NAV_HISTORY of one account: hours since the one before, grade, nav, benchmark."""
    time, rows = START, []
    for n, (hours, grade, nav, worth) in enumerate(snapshots):
        time += timedelta(hours=hours) if n else timedelta()
        known = nav is not None
        rows.append(("main", 1, time, grade, None, nav, worth, None, None, 1 + 0.01 * (n % 5) if known else None,
                     1.0 if known else None))
    return schemas.NAV_HISTORY.rows(rows)


STEPS = st.tuples(st.sampled_from([1.0, 4.0, 4.0, 4.0, 40.0]), st.sampled_from(GRADES),
                  st.floats(-1e4, 1e9), st.floats(0, 1e9)).map(
    lambda step: (*step[:2], *((None, None) if step[1] == "incomplete" else step[2:])))


@settings(max_examples=20, deadline=None)
@given(st.lists(STEPS, max_size=40), st.sampled_from(DRAWN))
def test_every_number_is_finite_and_no_line_crosses_a_gap(steps, draw):
    frame = history(*steps)
    spec = spec_of(draw(frame))
    rows = lines(spec)
    gaps = [(gap["from_time"].timestamp() * 1000, gap["to_time"].timestamp() * 1000)
            for gap in series.gaps(frame).iter_rows(named=True)]
    for before, after in itertools.pairwise(rows):
        if before["s"] == after["s"]:
            assert not any(before["t"] < end and after["t"] > start for start, end in gaps)
    known = series.counted(frame)["time"].to_list()
    if draw is not charts.difference:    # which adds the crossings of zero, inside a segment
        assert [row["t"] for row in rows] == [time.timestamp() * 1000 for time in known]


def test_a_gap_is_a_band_with_its_length_and_ends_the_line():
    frames = world()
    own = frames["nav_history"].filter(account="main")
    (gap,) = series.gaps(own).iter_rows(named=True)
    assert gap["to_time"] - gap["from_time"] == timedelta(hours=32)
    spec = spec_of(charts.nav_against_benchmark(own))
    assert "no data 32 h" in json.dumps(spec)
    assert {row["s"] for row in lines(spec)} == {0, 1}


def test_an_incomplete_snapshot_is_a_gap_with_its_reason():
    frame = history((0, "complete", 1.0, 1.0), (4, "incomplete", None, None), (4, "complete", 2.0, 2.0),
                    (4, "complete", 2.0, 2.0), (4, "incomplete", None, None))
    assert series.gaps(frame)["from_time"].to_list() == [START, START + timedelta(hours=12)]
    assert series.gaps(frame)["to_time"].to_list() == [START + timedelta(hours=8), START + timedelta(hours=16)]


def test_a_slower_rhythm_is_no_gap():
    hourly = [(1.0, "complete", 1.0, 1.0)] * 30
    daily = [(24.0, "complete", 1.0, 1.0)] * 30
    assert series.gaps(history(*hourly, *daily, *hourly)).is_empty()
    assert series.gaps(history(*hourly, (24.0, "complete", 1.0, 1.0), *hourly)).height == 1


def test_n9_one_missed_slot_is_a_gap_and_a_late_run_is_none():
    """A run that began minutes late, as after a long one, is no gap; an hour that nothing ran in is one."""
    hourly = [(1.0, "complete", 1.0, 1.0)] * 12
    late = [(1.08, "complete", 1.0, 1.0), (0.92, "complete", 1.0, 1.0)]
    frame = history(*hourly, *late, (2.0, "complete", 1.0, 1.0), *hourly)
    (gap,) = series.gaps(frame).iter_rows(named=True)
    assert gap["to_time"] - gap["from_time"] == timedelta(hours=2)
    assert gap["reason"] == "not collected"
    assert {row["s"] for row in lines(spec_of(charts.nav_against_benchmark(frame)))} == {0, 1}


def test_the_card_equals_the_end_of_the_line():
    frames = world()
    own = frames["nav_history"].filter(account="main")
    last = own.row(-1, named=True)
    said = json.dumps(spec_of(charts.nav_against_benchmark(own)), ensure_ascii=False)
    assert f"main {words.dollars(last['nav'])}" in said
    assert f"half/half {words.dollars(last['benchmark_value'])}" in said
    state = series.state(own, "main")
    assert f"{words.dollars(state.ahead_usd, signed=True)} ({words.percent(state.ahead_share)})" in json.dumps(
        spec_of(charts.difference(own)), ensure_ascii=False)


def test_flows_are_rings_with_their_amount_on_the_rail():
    frames = world()
    own, flows = (frames[name].filter(account="main") for name in ("nav_history", "flow_values"))
    spec = spec_of(charts.nav_against_benchmark(own, flows))
    labels = [row["text"] for values in spec["datasets"].values() if isinstance(values, list)
              for row in values if row.get("narrow") is False]
    assert labels[:5] == ["▲ $5,000", "▼ $1,500", "▲ $4,000", "▼ $2,000", "▲ $1,500"]
    rings = [row for values in spec["datasets"].values() if isinstance(values, list) for row in values
             if set(row) == {"t", "y"}]
    known = {(row["t"], row["a"]) for row in lines(spec)}
    assert len(rings) >= 5
    assert all((ring["t"], ring["y"]) in known for ring in rings)


def test_flows_too_near_to_each_other_share_a_label():
    frames = world(gap=False)
    own, flows = (frames[name].filter(account="main") for name in ("nav_history", "flow_values"))
    near = flows.with_columns(time=START + timedelta(days=8) + INTERVAL * pl.int_range(pl.len()))
    said = json.dumps(spec_of(charts.nav_against_benchmark(own, near)), ensure_ascii=False)
    assert "▲ $7,000 (5)" in said


def test_provisional_and_backfilled_look_their_part():
    frame = history((0, "backfilled", 5.0, None), (4, "backfilled", 6.0, None), (4, "complete", 7.0, 7.0),
                    (4, "provisional", 8.0, 8.0), (4, "complete", 9.0, 9.0))
    spec = spec_of(charts.nav_against_benchmark(frame))
    marks = [layer["mark"] for layer in spec["layer"]]
    assert any(mark.get("shape") == "diamond" and mark["stroke"] == palette.LIGHT["warning"] for mark in marks)
    assert any(mark.get("strokeDash") == [4, 3] and mark["color"] == palette.LIGHT["account"] for mark in marks)
    assert len(lines(spec)) == 3


def test_every_colour_is_one_of_the_palette_so_that_it_follows_the_page():
    frames = world(provisional=True)
    own, flows = (frames[name].filter(account="main") for name in ("nav_history", "flow_values"))
    for chart in (charts.nav_against_benchmark(own, flows), charts.difference(own), charts.drawdown(own)):
        spec = spec_of(chart)
        assert set(_colours(spec)) <= set(palette.LIGHT.values())
        assert all(colour.startswith("var(--") for colour in _colours(palette.follow_page(spec)))


def _colours(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [colour for value in node.values() for colour in _colours(value)]
    if isinstance(node, list):
        return [colour for value in node for colour in _colours(value)]
    return [node] if isinstance(node, str) and node.startswith(("#", "var(")) else []


@pytest.mark.parametrize(("low", "high", "labels"), [
    (31600, 53000, ["$32k", "$36k", "$40k", "$44k", "$48k", "$52k"]), (8020, 8390, None), (0.2, 0.9, None),
    (-3000, 4400, None), (1.1e6, 4.9e6, None), (99.5, 100.5, None)])
def test_axes_have_a_few_round_labels_that_all_differ(low, high, labels):
    ticks, domain = parts.dollar_scale([low, high], 264, below=18)
    said = parts.dollar_labels(ticks)
    assert labels is None or said == labels
    assert 3 <= len(ticks) <= 6
    assert len(set(said)) == len(said)
    assert domain[0] < low
    assert high < domain[1]


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9))
def test_axis_labels_always_differ(low, width):
    ticks, _ = parts.dollar_scale([low, low + width], 264, below=18)
    said = parts.dollar_labels(ticks)
    assert len(set(said)) == len(said)


@given(st.integers(1, 24 * 1500))
def test_dates_stand_clear_of_each_other(hours):
    last = START + timedelta(hours=hours)
    ticks = [time for time, _ in parts.dates(START, last)]
    assert ticks[0] == START
    assert len(ticks) <= 12
    assert all(after - before >= (last - START) * 0.08 for before, after in itertools.pairwise(ticks))
    assert all(time <= last for time in ticks)


def test_labels_at_the_end_of_lines_keep_apart():
    assert parts.moved_apart([100.0, 104.0], 264) == [94.5, 109.5]
    first, second = parts.moved_apart([1.0, 2.0], 96)
    assert first >= 6
    assert second - first == 15
    assert parts.moved_apart([20.0, 90.0], 264) == [20.0, 90.0]


def test_a_long_history_is_thinned_but_keeps_what_matters():
    times = [START + timedelta(minutes=n) for n in range(60_000)]
    flow = START + timedelta(days=20, seconds=30)
    frame = pl.DataFrame({"time": times}).with_columns(
        nav=100.0 + pl.int_range(pl.len()) % 1009, benchmark_value=pl.lit(100.0), grade=pl.lit("complete"),
        segment=(pl.int_range(pl.len()) > 30_000).cast(pl.Int64))
    thin = series.thinned(frame, [flow])
    assert thin.height < 1.2 * series.DRAWN
    assert {times[0], times[-1], times[30_000], times[30_001]} <= set(thin["time"])
    assert thin.filter((pl.col("time") - flow).abs() <= timedelta(minutes=1)).height >= 2
    assert thin["nav"].max() == frame["nav"].max()


def test_a_screen_reader_is_told_what_the_chart_says():
    frames = world()
    own, flows = (frames[name].filter(account="main") for name in ("nav_history", "flow_values"))
    label = spec_of(charts.nav_against_benchmark(own, flows))["usermeta"]["navbook"]["label"]
    assert label.startswith("Line chart of main against half bitcoin, half ether, 12 Mar to 10 Jun. At the end main")
    assert "5 deposits and withdrawals, 1 gap." in label


def test_an_empty_history_says_that_it_is_empty():
    for draw in DRAWN:
        assert spec_of(draw(schemas.NAV_HISTORY.empty()))["usermeta"]["navbook"]["empty"] is True
    assert datetime(1970, 1, 1, tzinfo=UTC) == charts._ends_of_time(schemas.NAV_HISTORY.empty())[0]


def test_thinning_keeps_every_peak_and_trough():
    frame = history(*((1 / 60, "complete", 1000.0 + (500 if n == 7777 else -300 if n == 4242 else n % 7), 1000.0)
                      for n in range(12_000)))
    drawn = series.thinned(series.in_segments(frame, series.gaps(frame)))
    assert drawn.height <= 1.1 * series.DRAWN
    assert (drawn["nav"].max(), drawn["nav"].min()) == (frame["nav"].max(), frame["nav"].min())
    quarter = drawn.filter(pl.col("time") > frame["time"][9000])["nav"]
    assert (quarter.max(), quarter.min()) == (1006.0, 1000.0)
    assert drawn["time"][-1] == frame["time"][-1]

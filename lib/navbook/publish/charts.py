"""What the charts show; theme.py decides how they look. Frames in, Altair charts out.

The charts of one page share their left and right padding and their time domain, so that one x axis serves
all. A line ends where data ends: gaps are bands, and nothing is drawn across them. What the page needs
beside the picture (heading, note, the sentence for a screen reader) travels in `usermeta.navbook`.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import altair as alt
import polars as pl

from navbook.publish import series, words
from navbook.publish.markup import Html
from navbook.publish.palette import LIGHT
from navbook.types import Grade

WIDTH = 636                                             # of the plot in a notebook; a page fits it to the column
LEFT, RIGHT, NARROW_LEFT, NARROW_RIGHT = 48, 124, 40, 50
NARROW_WIDTH, LETTER = 258, 6                           # of the plot on a phone; of a letter in a note, pixels
APART = 15                                              # pixels between two labels at the ends of lines
NAME = 11                                               # letters of an account's name beside a line

Row = dict[str, Any]


@dataclass(frozen=True)
class Axes:
    """The x axis of a page's charts, and one chart's y axis."""

    x: alt.X
    domain: Sequence[float]
    ticks: alt.Axis
    dates: bool = True    # whether the x axis is written out

    def y(self, field: str = "y") -> alt.Y:
        scale = alt.Scale(domain=list(self.domain), zero=False, nice=False)
        return alt.Y(f"{field}:Q", scale=scale, axis=self.ticks)


def nav_against_benchmark(nav_history: pl.DataFrame, flow_values: pl.DataFrame | None = None,
                          benchmark: words.Benchmark = words.HALF_HALF) -> alt.LayerChart:
    """The account's value and its benchmark's; flows as rings and on a rail, provisional as diamonds."""
    height, name = 264, _account(nav_history)
    gaps, figures, drawn = _read(nav_history, flow_values)
    flows, backfilled = _flows_within(flow_values, figures), _backfilled(nav_history)
    ticks, domain = _dollar_scale([*figures["nav"], *figures["benchmark_value"], *backfilled["nav"]], height,
                                  below=18 if flows.height else 8)
    axes = Axes(_time_axis(nav_history), domain, _axis(ticks, _dollar_labels(ticks)))
    line, x = alt.Chart(), axes.x
    hover = alt.selection_point(name="hover", nearest=True, on="pointermove", clear="pointerout", fields=["t"],
                                empty=False)
    card = [alt.Tooltip("utcyearmonthdatehoursminutes(t):T", title="title", format="%-d %b, %H:%M UTC"),
            alt.Tooltip("a:Q", title=name, format="$,.2f"), alt.Tooltip("b:Q", title=benchmark.short, format="$,.2f"),
            alt.Tooltip("d:Q", title="ahead by", format="+$,.2f")]
    layers = [
        line.mark_line(color=LIGHT["benchmark"]).encode(x=x, y=axes.y("b"), detail="s:N"),
        line.mark_line(color=LIGHT["account"], strokeWidth=2).encode(x=x, y=axes.y("a"), detail="s:N"),
        *_lone_dots(drawn, axes), *_backfilled_line(backfilled, axes),
        *_diamonds(drawn, axes),
        *_flow_marks(flows, figures, axes, height),
        line.mark_rule(color=LIGHT["text"]).encode(x=x, opacity=alt.condition(hover, alt.value(1), alt.value(0))),
        line.mark_point(opacity=0, size=1).encode(x=x, y=axes.y("a"), tooltip=card).transform_calculate(
            d="datum.a - datum.b").add_params(hover)]
    ends, about = [], "No figure is known"
    if figures.height:
        nav, worth = figures["nav"][-1], figures["benchmark_value"][-1]
        ends = [_end(_short(name), nav, words.dollars, words.brief_dollars, "account"),
                _end(benchmark.short, worth, words.dollars, words.brief_dollars, "benchmark")]
        about = f"At the end {name} is worth {words.dollars(nav)}, {benchmark.short} {words.dollars(worth)}"
    return _chart(
        nav_history, gaps, layers, ends, axes, height=height, gap_notes=True,
        rows=[(_ms(row["time"]), row["segment"], _cents(row["nav"]), _cents(row["benchmark_value"]))
              for row in drawn.iter_rows(named=True)], columns="t,s,a,b",
        heading=Html('<span class="account">{}</span> against <span class="benchmark">{}</span>').format(
            name, benchmark.full),
        note=_nav_note(nav_history, drawn, flows, backfilled),
        label=f"Line chart of {name} against {benchmark.full}, {_from_to(nav_history)}. {about}. "
              f"{_told(flows.height, 'deposit or withdrawal', 'deposits and withdrawals')}, "
              f"{_told(gaps.height, 'gap', 'gaps')}.")


def difference(nav_history: pl.DataFrame) -> alt.LayerChart:
    """Dollars that the account is ahead of its benchmark (above zero) or behind."""
    height, state = 104, series.state(nav_history, _account(nav_history))
    gaps, figures, drawn = _read(nav_history, None)
    ticks, domain = _dollar_scale([0.0, *(figures["nav"] - figures["benchmark_value"])], height, below=6, most=5)
    axes = Axes(_time_axis(nav_history, labels=False), domain, _axis(ticks, _dollar_labels(ticks, signed=True)),
                dates=False)
    line, x = alt.Chart(), axes.x
    layers = [line.mark_area(color=LIGHT[tone], opacity=0.22, line=False).transform_calculate(part=part).encode(
        x=x, y=axes.y("part"), y2=alt.Y2Datum(0), detail="s:N")
        for tone, part in (("positive", "max(datum.d, 0)"), ("negative", "min(datum.d, 0)"))]
    layers += [line.mark_line(color=LIGHT["text"], strokeWidth=0.8).encode(x=x, y=axes.y("d"), detail="s:N"),
               _table([{"y": 0}]).mark_rule(color=LIGHT["muted"]).encode(y=axes.y())]
    ends, said = [], "not known"
    if state.ahead_usd is not None:
        said = f"{words.dollars(state.ahead_usd, signed=True)} ({words.percent(state.ahead_share)})"
        ends = [{"value": state.ahead_usd, "text": said, "brief": words.brief_dollars(state.ahead_usd, signed=True),
                 "colour": LIGHT[words.tone(state.ahead_usd) or "text"]}]
    return _chart(
        nav_history, gaps, layers, ends, axes, height=height, heading=Html("Difference"),
        rows=_with_crossings([(_ms(row["time"]), row["segment"], _cents(row["nav"] - row["benchmark_value"]))
                              for row in drawn.iter_rows(named=True)]), columns="t,s,d",
        note=Html("Dollars ahead (above zero) or behind."),
        label=f"Area chart of the difference to the benchmark in dollars, {_from_to(nav_history)}; at the end {said}.")


def drawdown(nav_history: pl.DataFrame, benchmark: words.Benchmark = words.HALF_HALF) -> alt.LayerChart:
    """How far account and benchmark are below their last peak, deposits and withdrawals taken out."""
    height, name = 96, _account(nav_history)
    gaps, figures, drawn = _read(nav_history, None)
    known = figures.drop_nulls(["fall", "benchmark_fall"])
    lowest = min([-0.005, *known["fall"], *known["benchmark_fall"]])
    ticks, domain, labels = _fall_scale(lowest, height)
    axes = Axes(_time_axis(nav_history), domain, _axis(ticks, labels))
    line, x = alt.Chart(), axes.x
    layers = [
        line.mark_area(color=LIGHT["account"], opacity=0.14, line=False).encode(
            x=x, y=axes.y("a"), y2=alt.Y2Datum(0), detail="s:N"),
        line.mark_line(color=LIGHT["benchmark"]).encode(x=x, y=axes.y("b"), detail="s:N"),
        line.mark_line(color=LIGHT["account"], strokeWidth=2).encode(x=x, y=axes.y("a"), detail="s:N")]
    note, ends = "Time-weighted, so deposits do not hide a fall.", []
    if known.height:
        deepest = known.row(known["fall"].arg_min() or 0, named=True)
        ends = [_end(_short(name), known["fall"][-1], words.percent, _whole_percent, "account"),
                _end(benchmark.short, known["benchmark_fall"][-1], words.percent, _whole_percent, "benchmark")]
        if deepest["fall"] < 0:
            layers.append(_table([{"t": _ms(deepest["time"]), "y": deepest["fall"]}]).mark_point(
                color=LIGHT["account"], filled=True, size=36, opacity=1).encode(x=x, y=axes.y()))
            note += (f" Deepest: {words.percent(deepest['fall'])} on {words.date(deepest['time'], known['time'][-1])}; "
                     f"{benchmark.short} {words.percent(min(known['benchmark_fall']))}.")
    return _chart(
        nav_history, gaps, layers, ends, axes, height=height, heading=Html("Below the last peak"),
        rows=[(_ms(row["time"]), row["segment"], round(row["fall"], 5), round(row["benchmark_fall"], 5))
              for row in drawn.drop_nulls(["fall", "benchmark_fall"]).iter_rows(named=True)], columns="t,s,a,b",
        note=Html("{}").format(note),
        label=f"Line chart of how far {name} and {benchmark.full} are below their last peak, "
              f"{_from_to(nav_history)}. {note}")


# The parts that all three charts are made of.

def _read(nav_history: pl.DataFrame, flows: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Gaps, the counted snapshots with their segment and falls, and as many of these as a chart draws."""
    gaps = series.gaps(nav_history)
    figures = series.in_segments(nav_history, gaps).with_columns(
        fall=series.below_peak("twr_index"), benchmark_fall=series.below_peak("benchmark_index"))
    return gaps, figures, series.thinned(figures, [] if flows is None else flows["time"].to_list())


def _chart(nav_history: pl.DataFrame, gaps: pl.DataFrame, layers: Sequence[Any], ends: list[Row], axes: Axes, *,
           height: int, rows: Sequence[tuple[Any, ...]], columns: str, heading: Html, note: Html, label: str,
           gap_notes: bool = False) -> alt.LayerChart:
    """One chart: gap bands below, `layers`, labels at the end of the lines above; and what the page needs.

    `rows` are the data of the layers that name none; as CSV they take half the room of JSON.
    """
    lines = [columns, *(",".join(map(str, row)) for row in rows)]
    numbers = alt.CsvDataFormat(type="csv", parse=dict.fromkeys(columns.split(","), "number"))
    padding = {"top": 8, "bottom": 24 if axes.dates else 8, "left": LEFT, "right": RIGHT}
    narrow = {**padding, "left": NARROW_LEFT, "right": NARROW_RIGHT}
    return alt.LayerChart(
        layer=[*_gap_bands(gaps), *layers, *_gap_notes(gaps, nav_history, show=gap_notes),
               *_end_labels(ends, axes.domain, height)],
        data=alt.InlineData(values="\n".join(lines), format=numbers),
        width=WIDTH, height=height, autosize="none", padding={**padding, "top": 64},
        title=alt.Title(heading.striptags(), subtitle=note.striptags()),
        usermeta={"navbook": {"heading": str(heading), "note": str(note), "label": label, "empty": not rows,
                              "padding": {"wide": padding, "narrow": narrow}}},
    ).add_params(alt.param(name="narrow", value=False))


def _table(rows: Iterable[Row]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=list(rows)))


def _axis(values: Sequence[float], labels: Sequence[str]) -> alt.Axis:
    """An axis with gridlines at exactly these ticks, and these labels."""
    return alt.Axis(values=list(values), tickCount=len(values), labelExpr=_label_of(values, labels), grid=True,
                    domain=False)


def _time_axis(nav_history: pl.DataFrame, *, labels: bool = True) -> alt.X:
    first, last = _ends_of_time(nav_history)
    dates = _dates(first, last)
    times = [_ms(time) for time, _ in dates]
    axis = alt.Axis(values=times, tickCount=len(times), labelExpr=_label_of(times, [name for _, name in dates]),
                    labelOverlap="greedy", labelFlush=False, labels=labels, domain=labels)
    return alt.X("t:T", scale=alt.Scale(type="utc", domain=[_ms(first), _ms(last)], nice=False), axis=axis)


def _label_of(values: Sequence[float], labels: Sequence[str]) -> str:
    return f"{json.dumps(list(labels))}[indexof({json.dumps(list(values))}, +datum.value)]"


def _ends_of_time(nav_history: pl.DataFrame) -> tuple[datetime, datetime]:
    first, last = nav_history["time"].min(), nav_history["time"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        first = last = datetime(1970, 1, 1, tzinfo=UTC)
    return first, last if last > first else first + timedelta(hours=1)


def _dates(first: datetime, last: datetime, most: int = 7) -> list[tuple[datetime, str]]:
    """Up to `most` ticks: the first moment, then round dates that stand clear of it and of each other."""
    length = last - first
    if length <= timedelta(days=2):
        step = next(step for step in (1, 2, 3, 6, 12) if length / timedelta(hours=step) <= most)
        midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
        round_times = [midnight + timedelta(hours=step * n) for n in range(1, 72 // step)]
        name: Callable[[datetime], str] = lambda time: f"{time:%H:%M}" if time.hour else words.date(time)    # noqa: E731
    else:
        round_times = _round_days(first, last, most)
        name = (lambda time: f"{time:%b} {time.year}") if length > timedelta(days=600) else words.date
    clear = length * 0.085
    kept = [first]
    for time in round_times:
        if kept[-1] + clear <= time <= last:
            kept.append(time)
    return [(time, name(time)) for time in kept]


def _round_days(first: datetime, last: datetime, most: int) -> list[datetime]:
    """1st and 15th of months, or as many days or months apart as makes at most `most` of them."""
    days = (last - first) / timedelta(days=1)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    every_day = [midnight + timedelta(days=n) for n in range(1, math.ceil(days) + 1)]
    if days <= 45:
        step = math.ceil(days / most)
        return [day for n, day in enumerate(every_day, 1) if n % step == 0]
    twice_a_month = [day for day in every_day if day.day in (1, 15)]
    if len(twice_a_month) <= most:
        return twice_a_month
    months = [day for day in every_day if day.day == 1]
    step = next((step for step in (1, 2, 3, 6) if len(months) / step <= most), 12)
    return [day for day in months if (day.month - 1) % step == 0]


def _gap_bands(gaps: pl.DataFrame) -> list[alt.Chart]:
    rows = [{"t": _ms(gap["from_time"]), "u": _ms(gap["to_time"])} for gap in gaps.iter_rows(named=True)]
    return [] if not rows else [_table(rows).mark_rect(color=LIGHT["gap"]).encode(x=alt.X("t:T"), x2="u:T")]


def _gap_notes(gaps: pl.DataFrame, nav_history: pl.DataFrame, *, show: bool) -> list[alt.Chart]:
    """"no data 31 h" left of the longest gaps, as many as have room."""
    first, last = _ends_of_time(nav_history)
    room = (last - first) * 0.16
    taken: list[datetime] = []
    rows: list[Row] = []
    longest = gaps.sort(pl.col("to_time") - pl.col("from_time"), descending=True)
    for gap in longest.iter_rows(named=True) if show else ():
        inside = gap["from_time"] - first < room
        at = gap["to_time"] if inside else gap["from_time"]
        if all(abs(at - other) >= room for other in taken):
            taken.append(at)
            length = words.span(gap["to_time"] - gap["from_time"])
            rows.append({"t": _ms(at), "wide": f"no data {length}", "brief": f"{length} gap",
                         "inside": inside})
    return [_table(side).mark_text(
        align="left" if inside else "right", dx=5 if inside else -5, fontSize=11, color=LIGHT["muted"],
        text=alt.ExprRef("narrow ? datum.brief : datum.wide")).encode(x=alt.X("t:T"), y=alt.value(6))
        for inside in (True, False) if (side := [row for row in rows if row["inside"] is inside])]


def _end(name: str, value: float, full: Callable[[float], str], brief: Callable[[float], str],
         colour: str) -> Row:
    return {"value": value, "text": f"{name} {full(value)}", "brief": brief(value), "colour": LIGHT[colour]}


def _end_labels(ends: list[Row], domain: Sequence[float], height: int) -> list[alt.Chart]:
    """Names and last values beside the ends of the lines, moved apart where they would touch."""
    low, high = domain
    wanted = sorted(ends, key=lambda end: -float(end["value"]))
    places = _moved_apart([height * (high - end["value"]) / (high - low) for end in wanted], height)
    return [_table([{"brief": end["brief"], "wide": end["text"]}]).mark_text(
        align="left", dx=8, fontWeight="bold", color=end["colour"], clip=False,
        text=alt.ExprRef("narrow ? datum.brief : datum.wide"),
    ).encode(x=alt.value("width"), y=alt.value(round(place, 1)))
        for end, place in zip(wanted, places, strict=True)]


def _moved_apart(places: list[float], height: float) -> list[float]:
    """`places`, top to bottom, at least `APART` from each other and inside the chart."""
    if len(places) == 2 and places[1] - places[0] < APART:
        middle = min(max(sum(places) / 2, APART / 2 + 6), height - APART / 2 - 6)
        return [middle - APART / 2, middle + APART / 2]
    return [min(max(place, 6), height - 6) for place in places]


def _lone_dots(drawn: pl.DataFrame, axes: Axes) -> list[alt.Chart]:
    """A snapshot between two gaps makes no line: a dot each."""
    alone = drawn.filter(pl.len().over("segment") == 1)
    return [_table([{"t": _ms(row["time"]), "y": _cents(row[column])} for row in alone.iter_rows(named=True)])
            .mark_point(filled=True, size=16, opacity=1, color=LIGHT[colour]).encode(x=axes.x, y=axes.y())
            for column, colour in (("benchmark_value", "benchmark"), ("nav", "account")) if alone.height]


def _diamonds(drawn: pl.DataFrame, axes: Axes) -> list[alt.Chart]:
    rows = [{"t": _ms(row["time"]), "y": _cents(row["nav"])}
            for row in drawn.filter(pl.col("grade") == Grade.PROVISIONAL).iter_rows(named=True)]
    return [] if not rows else [_table(rows).mark_point(
        shape="diamond", size=70, stroke=LIGHT["warning"], strokeWidth=1.5, fill=LIGHT["bg"], opacity=1,
    ).encode(x=axes.x, y=axes.y())]


def _backfilled(nav_history: pl.DataFrame) -> pl.DataFrame:
    return nav_history.filter(pl.col("grade") == Grade.BACKFILLED, pl.col("nav").is_not_null()).sort("time")


def _backfilled_line(backfilled: pl.DataFrame, axes: Axes) -> list[alt.Chart]:
    rows = [{"t": _ms(row["time"]), "y": _cents(row["nav"])} for row in backfilled.iter_rows(named=True)]
    return [] if not rows else [_table(rows).mark_line(
        color=LIGHT["account"], strokeWidth=1.5, strokeDash=[4, 3]).encode(x=axes.x, y=axes.y())]


def _flows_within(flows: pl.DataFrame | None, figures: pl.DataFrame) -> pl.DataFrame:
    """The flows with a value between the first and the last figure: time, value_usd."""
    if flows is None or figures.is_empty():
        return pl.DataFrame(schema={"time": pl.Datetime("us", "UTC"), "value_usd": pl.Float64()})
    return (flows.filter(pl.col("value_usd").is_not_null(), pl.col("time") > figures["time"][0],
                         pl.col("time") <= figures["time"][-1])
            .select("time", "value_usd").sort("time"))


def _flow_marks(flows: pl.DataFrame, figures: pl.DataFrame, axes: Axes, height: int) -> list[alt.Chart]:
    """A ring on the line at the first snapshot that holds the flow, a stem, the amount on the rail."""
    if flows.is_empty():
        return []
    seen = flows.join_asof(figures.select("time", snapshot="time", nav="nav"), on="time", strategy="forward")
    rows = [{"t": _ms(row["snapshot"]), "y": _cents(row["nav"])} for row in seen.iter_rows(named=True)]
    first, last = figures["time"][0], figures["time"][-1]
    labels = [*_rail(seen, first, last, WIDTH, narrow=False), *_rail(seen, first, last, NARROW_WIDTH, narrow=True)]
    x, text, at_bottom = axes.x, alt.ExprRef("datum.narrow == narrow ? datum.text : ''"), alt.value(height - 8)
    return [
        _table(rows).mark_rule(color=LIGHT["faint"], strokeDash=[2, 3]).encode(
            x=x, y=axes.y(), y2=alt.value(height)),
        _table(rows).mark_point(size=36, stroke=LIGHT["account"], strokeWidth=1.5, fill=LIGHT["bg"], opacity=1,
                                ).encode(x=x, y=axes.y()),
        _table(labels).mark_text(fontSize=11, text=text, stroke=LIGHT["bg"], strokeWidth=4,    # keeps stems off
                                 strokeJoin="round").encode(x=x, y=at_bottom),
        _table(labels).mark_text(fontSize=11, text=text).encode(x=x, y=at_bottom)]


def _rail(seen: pl.DataFrame, first: datetime, last: datetime, width: int, *, narrow: bool) -> list[Row]:
    """Labels below the flows, on a rail of `width` pixels; those that would touch share one, with their sum."""
    groups: list[tuple[list[float], float]] = []    # the places of its flows in pixels, their sum

    def text(places: list[float], total: float) -> str:
        arrow = "\N{BLACK UP-POINTING TRIANGLE}" if total >= 0 else "\N{BLACK DOWN-POINTING TRIANGLE}"
        if narrow:
            return f"{arrow}{words.brief_dollars(abs(total)).removeprefix('$')}"
        return f"{arrow} {words.dollars(abs(total))}" + (f" ({len(places)})" if len(places) > 1 else "")

    def ends(places: list[float], total: float) -> tuple[float, float]:
        middle, half = sum(places) / len(places), LETTER * len(text(places, total)) / 2
        return middle - half, middle + half

    for flow in seen.iter_rows(named=True):
        groups.append(([width * ((flow["snapshot"] - first) / (last - first))], flow["value_usd"]))
        while len(groups) > 1 and ends(*groups[-2])[1] + LETTER > ends(*groups[-1])[0]:
            (places, total), (more, rest) = groups[-2:]
            groups[-2:] = [(places + more, total + rest)]
    return [{"t": _ms(first + sum(places) / len(places) / width * (last - first)), "text": text(places, total),
             "narrow": narrow} for places, total in groups]


def _with_crossings(rows: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """`rows` (time, segment, value) with a point at every crossing of zero: neither colour reaches over the line."""
    complete = rows[:1]
    for (t, segment, d), after in itertools.pairwise(rows):
        if segment == after[1] and d * after[2] < 0:
            complete.append((round(t + d / (d - after[2]) * (after[0] - t)), segment, 0.0))
        complete.append(after)
    return complete


def _dollar_scale(values: Sequence[float], height: int, *, below: int,
                  most: int = 6) -> tuple[list[float], list[float]]:
    """Round ticks along `values`, and the domain that leaves `below` pixels for the rail under the lowest."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-9 * max(abs(high), 1):
        low, high = low - max(abs(low) * 0.01, 1), high + max(abs(high) * 0.01, 1)
    ticks = _ticks(low, high, most)
    bottom, top = min(low, ticks[0]), max(high, ticks[-1])
    per_pixel = (top - bottom) / (height - below - 8)
    return ticks, [bottom - below * per_pixel, top + 8 * per_pixel]


def _fall_scale(lowest: float, height: int) -> tuple[list[float], list[float], list[str]]:
    """Ticks from 0 down to `lowest`, the domain, and the ticks' labels."""
    ticks = [tick for tick in _ticks(lowest, 0, most=4) if tick >= lowest]
    places = 0 if all(math.isclose(100 * tick, round(100 * tick), abs_tol=1e-9) for tick in ticks) else 1
    per_pixel = -lowest / (height - 8)
    labels = [words.percent(tick, places) if tick else "0" for tick in ticks]
    return ticks, [lowest - 6 * per_pixel, 2 * per_pixel], labels


def _ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most `most` round numbers along `low` to `high`; the outer ones may lie a third of a step outside."""
    magnitude = 10 ** math.floor(math.log10((high - low) / most))
    for step in (magnitude * factor for factor in (1, 2, 2.5, 4, 5, 10, 20)):
        first, last = math.ceil(low / step - 0.35), math.floor(high / step + 0.35)
        if last - first < most:
            break
    return [round(n * step, 10) for n in range(first, last + 1)]


def _dollar_labels(ticks: Sequence[float], *, signed: bool = False) -> list[str]:
    """All in the same unit, as fine as their distance needs: $44k, $44.5k, $8,400, $0.25."""
    step, most = ticks[-1] - ticks[-2], max(abs(tick) for tick in ticks)
    unit, letter = next(((unit, letter) for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1, ""))
                         if most >= 2 * unit and step >= unit / 100), (1, ""))
    places = max(0, -math.floor(math.log10(step / unit) + 1e-9))
    if round(step / unit, places) != round(step / unit, 10):
        places += 1
    return ["0" if tick == 0 and signed else words.number(tick / unit, places, signed=signed, before="$") + letter
            for tick in ticks]


def _whole_percent(fraction: float) -> str:
    return words.percent(fraction, 0)


def _nav_note(nav_history: pl.DataFrame, drawn: pl.DataFrame, flows: pl.DataFrame, backfilled: pl.DataFrame) -> Html:
    said = []
    if not series.state(nav_history, _account(nav_history)).is_known_now:
        said.append("Grey bands: no complete snapshot. Lines stop there; nothing is drawn across them.")
    else:
        if flows.height:
            said.append("\N{BLACK UP-POINTING TRIANGLE} deposits and \N{BLACK DOWN-POINTING TRIANGLE} withdrawals "
                        "go into both.")
        apart = drawn["time"].diff().median() if drawn.height > 1 else None
        said.append(f"Dollars, one point every {words.span(apart)}." if isinstance(apart, timedelta) else "Dollars.")
    if backfilled.height:
        said.append("Dashed: filled in later, in no figure.")
    note = Html("{}").format(" ".join(said))
    if drawn.filter(pl.col("grade") == Grade.PROVISIONAL).height:
        note += Html(' <span class="warning">\N{WHITE DIAMOND}\N{NO-BREAK SPACE}provisional</span>')
    return note


def _from_to(nav_history: pl.DataFrame) -> str:
    first, last = _ends_of_time(nav_history)
    return f"{words.date(first, last)} to {words.date(last)}"


def _told(n: int, one: str, many: str) -> str:
    return f"{n or 'no'} {one if n == 1 else many}"


def _account(nav_history: pl.DataFrame) -> str:
    return str(nav_history["account"][0]) if nav_history.height else "account"


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[:NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _cents(value: float) -> float:
    return round(value, 2)

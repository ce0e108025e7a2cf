"""What every chart of a page is made of: one x axis, round ticks, labels beside the ends of lines.

charts.py and strategy.py say what is drawn, theme.py how it looks. What the page needs beside the picture (heading,
note, the sentence for a screen reader) travels in `usermeta.navbook`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import altair as alt

from navbook.publish import words
from navbook.publish.markup import Html
from navbook.publish.palette import LIGHT

WIDTH = 636                                             # of the plot in a notebook; a page fits it to the column
LEFT, RIGHT, NARROW_LEFT, NARROW_RIGHT = 48, 124, 40, 50
APART = 15                                              # pixels between two labels at the ends of lines
EDGE = 6                                                # pixels that a label keeps from the edge

Row = dict[str, Any]


@dataclass(frozen=True)
class Axes:
    """The x axis of a page's charts, and one chart's y axis."""

    x: alt.X
    domain: Sequence[float]
    ticks: alt.Axis
    dates: bool = True    # whether the x axis is written out

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last moment of the x axis, in ms."""
        encoded: Any = self.x.to_dict()
        first, last = encoded["scale"]["domain"]
        return first, last

    def y(self, field: str = "y") -> alt.Y:
        scale = alt.Scale(domain=list(self.domain), zero=False, nice=False)
        return alt.Y(f"{field}:Q", scale=scale, axis=self.ticks)


def chart(layers: Sequence[Any], ends: list[Row], axes: Axes, *, height: int, rows: Sequence[tuple[Any, ...]],
          columns: str, heading: Html, note: Html, label: str) -> alt.LayerChart:
    """One chart: `layers`, labels at the end of the lines above; and what the page needs.

    `rows` are the data of the layers that name none; as CSV they take half the room of JSON.
    """
    lines = [columns, *(",".join("" if cell is None else str(cell) for cell in row) for row in rows)]
    numbers = alt.CsvDataFormat(type="csv", parse=dict.fromkeys(columns.split(","), "number"))
    padding = {"top": 8, "bottom": 24 if axes.dates else 8, "left": LEFT, "right": RIGHT}
    narrow = {**padding, "left": NARROW_LEFT, "right": NARROW_RIGHT}
    return alt.LayerChart(
        layer=[*layers, *end_labels(ends, axes.domain, height)],
        data=alt.InlineData(values="\n".join(lines), format=numbers),
        width=WIDTH, height=height, autosize="none", padding={**padding, "top": 64},
        title=alt.Title(heading.striptags(), subtitle=note.striptags()),
        usermeta={"navbook": {"heading": str(heading), "note": str(note), "label": label, "empty": not rows,
                              "padding": {"wide": padding, "narrow": narrow}}},
    ).add_params(alt.param(name="narrow", value=False))


def time_axis(first: datetime, last: datetime, *, labels: bool = True) -> alt.X:
    """An axis from `first` to `last` with as many dates as are readable."""
    shown = dates(first, last)
    times = [ms(time) for time, _ in shown]
    axis = alt.Axis(values=times, tickCount=len(times), labelExpr=label_of(times, [name for _, name in shown]),
                    labelOverlap="greedy", labelFlush=False, labels=labels, domain=labels)
    return alt.X("t:T", scale=alt.Scale(type="utc", domain=[ms(first), ms(last)], nice=False), axis=axis)


def table(rows: Iterable[Row]) -> alt.Chart:
    """A chart over rows that the page carries itself."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def axis(values: Sequence[float], labels: Sequence[str]) -> alt.Axis:
    """An axis with gridlines at exactly these ticks, and these labels."""
    return alt.Axis(values=list(values), tickCount=len(values), labelExpr=label_of(values, labels), grid=True,
                    domain=False)


def label_of(values: Sequence[float], labels: Sequence[str]) -> str:
    """A Vega expression that names each of `values` by its label."""
    return f"{json.dumps(list(labels))}[indexof({json.dumps(list(values))}, +datum.value)]"


def dates(first: datetime, last: datetime, most: int = 7) -> list[tuple[datetime, str]]:
    """Up to `most` ticks: the first moment, then round dates that stand clear of it and of each other."""
    length = last - first
    if length <= timedelta(days=2):
        step = next(step for step in (1, 2, 3, 6, 12) if length / timedelta(hours=step) <= most)
        midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
        round_times = [midnight + timedelta(hours=step * n) for n in range(1, 72 // step)]
        name: Callable[[datetime], str] = lambda time: f"{time:%H:%M}" if time.hour else words.date(time)    # noqa: E731
    else:
        round_times = round_days(first, last, most)
        name = (lambda time: f"{time:%b} {time.year}") if length > timedelta(days=600) else words.date
    clear = length * 0.085
    kept = [first]
    for time in round_times:
        if kept[-1] + clear <= time <= last:
            kept.append(time)
    return [(time, name(time)) for time in kept]


def round_days(first: datetime, last: datetime, most: int) -> list[datetime]:
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


def end(name: str, value: float, full: Callable[[float], str], brief: Callable[[float], str],
         colour: str) -> Row:
    """The row that labels the end of a line: a full text, and a brief one for small screens."""
    return {"value": value, "text": f"{name} {full(value)}", "brief": brief(value), "colour": LIGHT[colour]}


def end_labels(ends: list[Row], domain: Sequence[float], height: int) -> list[alt.Chart]:
    """Names and last values beside the ends of the lines, moved apart where they would touch."""
    low, high = domain
    wanted = sorted(ends, key=lambda end: -float(end["value"]))
    places = moved_apart([height * (high - end["value"]) / (high - low) for end in wanted], height)
    return [table([{"brief": end["brief"], "wide": end["text"]}]).mark_text(
        align="left", dx=8, fontWeight="bold", color=end["colour"], clip=False,
        text=alt.ExprRef("narrow ? datum.brief : datum.wide"),
    ).encode(x=alt.value("width"), y=alt.value(round(place, 1)))
        for end, place in zip(wanted, places, strict=True)]


def moved_apart(places: list[float], height: float) -> list[float]:
    """`places`, top to bottom, at least `APART` from each other and inside the chart."""
    def top(group: list[float]) -> float:
        reach = APART * (len(group) - 1)
        return min(max(sum(group) / len(group) - reach / 2, EDGE), height - reach - EDGE)

    groups: list[list[float]] = []    # labels that would touch, put together
    for place in places:
        groups.append([place])
        while len(groups) > 1 and top(groups[-2]) + APART * len(groups[-2]) > top(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [top(group) + APART * n for group in groups for n in range(len(group))]


def dollar_scale(values: Sequence[float], height: int, *, below: int,
                  most: int = 6) -> tuple[list[float], list[float]]:
    """Round ticks along `values`, and the domain that leaves `below` pixels for the rail under the lowest."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-9 * max(abs(high), 1):
        low, high = low - max(abs(low) * 0.01, 1), high + max(abs(high) * 0.01, 1)
    ticks = round_ticks(low, high, most)
    bottom, top = min(low, ticks[0]), max(high, ticks[-1])
    per_pixel = (top - bottom) / (height - below - 8)
    return ticks, [bottom - below * per_pixel, top + 8 * per_pixel]


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most `most` round numbers along `low` to `high`; the outer ones may lie a third of a step outside."""
    magnitude = 10 ** math.floor(math.log10((high - low) / most))
    for step in (magnitude * factor for factor in (1, 2, 2.5, 4, 5, 10, 20)):
        first, last = math.ceil(low / step - 0.35), math.floor(high / step + 0.35)
        if last - first < most:
            break
    return [round(n * step, 10) for n in range(first, last + 1)]


def dollar_labels(ticks: Sequence[float], *, signed: bool = False) -> list[str]:
    """All in the same unit, as fine as their distance needs: $44k, $44.5k, $8,400, $0.25."""
    step, most = ticks[-1] - ticks[-2], max(abs(tick) for tick in ticks)
    unit, letter = next(((unit, letter) for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1, ""))
                         if most >= 2 * unit and step >= unit / 100), (1, ""))
    places = max(0, -math.floor(math.log10(step / unit) + 1e-9))
    if round(step / unit, places) != round(step / unit, 10):
        places += 1
    return ["0" if tick == 0 and signed else words.number(tick / unit, places, signed=signed, before="$") + letter
            for tick in ticks]


def ms(time: datetime) -> int:
    """`time` as Vega counts it: milliseconds since the epoch."""
    return round(time.timestamp() * 1000)


def cents(value: float) -> float:
    """Dollars as a page carries them."""
    return round(value, 2)

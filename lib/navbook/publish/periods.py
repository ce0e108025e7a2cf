"""A page's periods: everything that depends on one is made for each, and the browser shows one of them.

`each` makes them; in JupyterLab the first is what one sees. The custom period is worked out by the browser from
the points that the charts draw (template/periods.js), with the arithmetic of `compute.periods.since`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import altair as alt
import polars as pl
from altair.utils.schemapi import debug_mode

from navbook.publish import parts, series, theme, words
from navbook.publish.markup import Html, join
from navbook.publish.palette import CHART_MIME

NAMES = {"inception": "Since start", "1w": "1 week", "1m": "1 month", "3m": "3 months", "ytd": "This year",
         "1y": "1 year"}
NEEDS = {"1w": "a week", "1m": "a month", "3m": "three months", "1y": "a year"}
CUSTOM = Html('<button type="button" data-choose="custom" aria-pressed="false">Custom</button>'
              '<form class="custom" hidden><label>from <input type="date" name="from"></label> '
              '<label>to <input type="date" name="to"></label></form>')
Histories = Mapping[str, pl.DataFrame]


class Charts:
    """One chart for each period. A notebook shows the first; a page carries all (render.py)."""

    def __init__(self, charts: Mapping[str, alt.LayerChart]) -> None:
        self.charts = charts

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        specs = {name: chart.to_dict(validate=False) for name, chart in self.charts.items()}
        first = next(iter(specs.values()))
        first["usermeta"]["navbook"]["periods"] = {name: spec for name, spec in specs.items() if spec is not first}
        return theme.render(first)


def each(histories: Histories, draw: Callable[..., Any], *more: Any) -> Charts | Html:
    """`draw(history, *more)` of every period: charts, or pieces of the page."""
    with debug_mode(False):    # Altair would check every part against its schema, which takes most of the time
        made = {name: draw(history, *more) for name, history in histories.items()}
    if all(isinstance(piece, Html) for piece in made.values()):
        return join(shown(name, piece) for name, piece in made.items())
    return Charts(made)


def shown(name: str, piece: Html) -> Html:
    """`piece` as what is seen of the page while `name` is chosen."""
    return Html('<div data-period="{}"{}>{}</div>').format(name, "" if name == "inception" else Html(" hidden"), piece)


def buttons(histories: Histories, *, custom: bool = True) -> Html:
    """A button a period; one for which the account is too young says what it needs. And from when to when."""
    if series.counted(histories["inception"]).height < 2:
        return Html("")
    named = join(_button(name, histories) for name in NAMES)
    return Html('<div class="periods" role="group" aria-label="Period">{}{}{}</div>').format(
        named, CUSTOM if custom else "", each(histories, _range))


def points(history: pl.DataFrame, flow_values: pl.DataFrame, benchmark: words.Benchmark) -> Html:
    """What the browser works out a custom period from: the points that charts draw, and the flows."""
    rows = series.thinned(series.in_segments(history, series.gaps(history)), flow_values["time"].to_list())
    known = {"account": str(history["account"][0]) if history.height else "", "benchmark": list(benchmark),
             "points": [[parts.ms(row["time"]), row["segment"], parts.cents(row["nav"]),
                         parts.cents(row["benchmark_value"]), _index(row["twr_index"]), _index(row["benchmark_index"])]
                        for row in rows.iter_rows(named=True)],
             "flows": [[parts.ms(time), parts.cents(usd)] for time, usd in flow_values.drop_nulls("value_usd")
                       .select("time", "value_usd").sort("time").iter_rows()]}
    text = json.dumps(known, separators=(",", ":")).replace("<", "\\u003c")
    return Html('<script type="application/json" id="points">{}</script>').format(Html(text))


def variants(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The specifications of an output by period; of a chart that knows none: under ""."""
    first = dict(data[CHART_MIME])
    others = first.get("usermeta", {}).get("navbook", {}).get("periods")
    if others is None:
        return {"": first}
    about = {key: value for key, value in first["usermeta"]["navbook"].items() if key != "periods"}
    return {"inception": {**first, "usermeta": {"navbook": about}}, **others}


def _button(name: str, histories: Histories) -> Html:
    if name not in histories:
        return Html('<button type="button" disabled title="{}">{}</button>').format(
            f"needs {NEEDS.get(name, 'more')} of snapshots; they begin on {_first(histories)}", NAMES[name])
    return Html('<button type="button" data-choose="{}" aria-pressed="{}">{}</button>').format(
        name, "true" if name == "inception" else "false", NAMES[name])


def _first(histories: Histories) -> str:
    return words.date(series.counted(histories["inception"])["time"][0])


def _range(history: pl.DataFrame) -> Html:
    times = series.counted(history)["time"]
    if times.is_empty():
        return Html("")
    last = times[-1]
    unfinished = "" if last == history["time"].max() else " (last complete)"
    return Html('<span class="range muted">{} to {}{}</span>').format(
        _moment(times[0], last), words.moment(last), unfinished)


def _moment(time: datetime, now: datetime) -> str:
    return words.moment(time, now).removesuffix(" UTC")


def _index(value: float | None) -> float | None:
    return None if value is None else round(value, 8)

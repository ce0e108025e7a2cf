"""What the charts show; theme.py decides how they look. Frames in, Altair charts out.

The charts of one page share their left and right padding and their time domain, so that one x axis serves
all (parts.py). A line ends where data ends: gaps are bands, and nothing is drawn across them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import altair as alt
import polars as pl

from navbook.publish import parts, series, words
from navbook.publish.markup import Html
from navbook.publish.palette import LIGHT
from navbook.types import Grade

NARROW_WIDTH, LETTER = 258, 6    # of the plot on a phone; of a letter in a note, pixels
NAME = 11                        # letters of an account's name beside a line


def nav_against_benchmark(nav_history: pl.DataFrame, flow_values: pl.DataFrame | None = None,
                          benchmark: words.Benchmark = words.HALF_HALF) -> alt.LayerChart:
    """The account's value and its benchmark's; flows as rings and on a rail, provisional as diamonds."""
    height, name = 264, _account(nav_history)
    gaps, figures, drawn = _read(nav_history, flow_values)
    flows, backfilled = _flows_within(flow_values, figures), _backfilled(nav_history)
    ticks, domain = parts.dollar_scale(_extremes(figures["nav"], figures["benchmark_value"], backfilled["nav"]), height,
                                  below=18 if flows.height else 8)
    axes = parts.Axes(time_axis(nav_history), domain, parts.axis(ticks, parts.dollar_labels(ticks)))
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
        ends = [parts.end(_short(name), nav, words.dollars, words.brief_dollars, "account"),
                parts.end(benchmark.short, worth, words.dollars, words.brief_dollars, "benchmark")]
        about = f"At the end {name} is worth {words.dollars(nav)}, {benchmark.short} {words.dollars(worth)}"
    return _chart(
        nav_history, gaps, layers, ends, axes, height=height, gap_notes=True,
        rows=[(parts.ms(row["time"]), row["segment"], parts.cents(row["nav"]), parts.cents(row["benchmark_value"]))
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
    ahead = figures["nav"] - figures["benchmark_value"]
    ticks, domain = parts.dollar_scale([0.0, *_extremes(ahead)], height, below=6, most=5)
    axes = parts.Axes(time_axis(nav_history, labels=False), domain,
                      parts.axis(ticks, parts.dollar_labels(ticks, signed=True)), dates=False)
    line, x = alt.Chart(), axes.x
    layers = [line.mark_area(color=LIGHT[tone], opacity=0.22, line=False).transform_calculate(part=part).encode(
        x=x, y=axes.y("part"), y2=alt.Y2Datum(0), detail="s:N")
        for tone, part in (("positive", "max(datum.d, 0)"), ("negative", "min(datum.d, 0)"))]
    layers += [line.mark_line(color=LIGHT["text"], strokeWidth=0.8).encode(x=x, y=axes.y("d"), detail="s:N"),
               parts.table([{"y": 0}]).mark_rule(color=LIGHT["muted"]).encode(y=axes.y())]
    ends, said = [], "not known"
    if state.ahead_usd is not None:
        said = f"{words.dollars(state.ahead_usd, signed=True)} ({words.percent(state.ahead_share)})"
        ends = [{"value": state.ahead_usd, "text": said, "brief": words.brief_dollars(state.ahead_usd, signed=True),
                 "colour": LIGHT[words.tone(state.ahead_usd) or "text"]}]
    return _chart(
        nav_history, gaps, layers, ends, axes, height=height, heading=Html("Difference"),
        rows=_with_crossings([(parts.ms(row["time"]), row["segment"], parts.cents(row["nav"] - row["benchmark_value"]))
                              for row in drawn.iter_rows(named=True)]), columns="t,s,d",
        note=Html("Dollars ahead (above zero) or behind."),
        label=f"Area chart of the difference to the benchmark in dollars, {_from_to(nav_history)}; at the end {said}.")


def drawdown(nav_history: pl.DataFrame, benchmark: words.Benchmark = words.HALF_HALF) -> alt.LayerChart:
    """How far account and benchmark are below their last peak, deposits and withdrawals taken out."""
    height, name = 96, _account(nav_history)
    gaps, figures, drawn = _read(nav_history, None)
    known = figures.drop_nulls(["fall", "benchmark_fall"])
    lowest = min([-0.005, *_extremes(known["fall"], known["benchmark_fall"])])
    ticks, domain, labels = _fall_scale(lowest, height)
    axes = parts.Axes(time_axis(nav_history), domain, parts.axis(ticks, labels))
    line, x = alt.Chart(), axes.x
    layers = [
        line.mark_area(color=LIGHT["account"], opacity=0.14, line=False).encode(
            x=x, y=axes.y("f"), y2=alt.Y2Datum(0), detail="s:N"),
        line.mark_line(color=LIGHT["benchmark"]).encode(x=x, y=axes.y("g"), detail="s:N"),
        line.mark_line(color=LIGHT["account"], strokeWidth=2).encode(x=x, y=axes.y("f"), detail="s:N")]
    note, ends = "Time-weighted, so deposits do not hide a fall.", []
    if known.height:
        deepest = known.row(known["fall"].arg_min() or 0, named=True)
        ends = [parts.end(_short(name), known["fall"][-1], words.percent, _whole_percent, "account"),
                parts.end(benchmark.short, known["benchmark_fall"][-1], words.percent, _whole_percent, "benchmark")]
        if deepest["fall"] < 0:
            layers.append(parts.table([{"t": parts.ms(deepest["time"]), "y": deepest["fall"]}]).mark_point(
                color=LIGHT["account"], filled=True, size=36, opacity=1).encode(x=x, y=axes.y()))
            note += (f" Deepest: {words.percent(deepest['fall'])} on {words.date(deepest['time'], known['time'][-1])}; "
                     f"{benchmark.short} {words.percent(min(_extremes(known['benchmark_fall'])))}.")
    return _chart(
        nav_history, gaps, layers, ends, axes, height=height, heading=Html("Below the last peak"),
        rows=[(parts.ms(row["time"]), row["segment"], round(row["fall"], 5), round(row["benchmark_fall"], 5))
              for row in drawn.drop_nulls(["fall", "benchmark_fall"]).iter_rows(named=True)], columns="t,s,f,g",
        note=Html("{}").format(note),
        label=f"Line chart of how far {name} and {benchmark.full} are below their last peak, "
              f"{_from_to(nav_history)}. {note}")


# The parts that all three charts are made of.

def _extremes(*lines: pl.Series) -> list[float]:
    """The lowest and the highest of each that has any."""
    return [edge for line in lines for edge in (line.min(), line.max()) if isinstance(edge, float)]


def _read(nav_history: pl.DataFrame, flows: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Gaps, the counted snapshots with their segment and falls, and as many of these as a chart draws."""
    gaps = series.gaps(nav_history)
    figures = series.in_segments(nav_history, gaps).with_columns(
        fall=series.below_peak("twr_index"), benchmark_fall=series.below_peak("benchmark_index"))
    return gaps, figures, series.thinned(figures, [] if flows is None else flows["time"].to_list())


def _chart(nav_history: pl.DataFrame, gaps: pl.DataFrame, layers: Sequence[Any], ends: list[parts.Row],
           axes: parts.Axes, *, gap_notes: bool = False, **about: Any) -> alt.LayerChart:
    """`parts.chart` with gap bands below `layers`, and above them how long the gaps are."""
    notes = _gap_notes(gaps, nav_history, show=gap_notes)
    return parts.chart([*_gap_bands(gaps), *layers, *notes], ends, axes, **about)


def time_axis(nav_history: pl.DataFrame, *, labels: bool = True) -> alt.X:
    """The axis of the times in `nav_history`."""
    return parts.time_axis(*_ends_of_time(nav_history), labels=labels)


def _ends_of_time(nav_history: pl.DataFrame) -> tuple[datetime, datetime]:
    first, last = nav_history["time"].min(), nav_history["time"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        first = last = datetime(1970, 1, 1, tzinfo=UTC)
    return first, last if last > first else first + timedelta(hours=1)


def _gap_bands(gaps: pl.DataFrame) -> list[alt.Chart]:
    rows = [{"t": parts.ms(gap["from_time"]), "u": parts.ms(gap["to_time"])} for gap in gaps.iter_rows(named=True)]
    return [] if not rows else [parts.table(rows).mark_rect(color=LIGHT["gap"]).encode(x=alt.X("t:T"), x2="u:T")]


def _gap_notes(gaps: pl.DataFrame, nav_history: pl.DataFrame, *, show: bool) -> list[alt.Chart]:
    """"no data 31 h" left of the longest gaps, as many as have room."""
    first, last = _ends_of_time(nav_history)
    room = (last - first) * 0.16
    taken: list[datetime] = []
    rows: list[parts.Row] = []
    longest = gaps.sort(pl.col("to_time") - pl.col("from_time"), descending=True)
    for gap in longest.iter_rows(named=True) if show else ():
        inside = gap["from_time"] - first < room
        at = gap["to_time"] if inside else gap["from_time"]
        if all(abs(at - other) >= room for other in taken):
            taken.append(at)
            length = words.span(gap["to_time"] - gap["from_time"])
            rows.append({"t": parts.ms(at), "wide": f"no data {length}", "brief": f"{length} gap",
                         "inside": inside})
    return [parts.table(side).mark_text(
        align="left" if inside else "right", dx=5 if inside else -5, fontSize=11, color=LIGHT["muted"],
        text=alt.ExprRef("narrow ? datum.brief : datum.wide")).encode(x=alt.X("t:T"), y=alt.value(6))
        for inside in (True, False) if (side := [row for row in rows if row["inside"] is inside])]


def _lone_dots(drawn: pl.DataFrame, axes: parts.Axes) -> list[alt.Chart]:
    """A snapshot between two gaps makes no line: a dot each."""
    alone = drawn.filter(pl.len().over("segment") == 1)
    return [parts.table([{"t": parts.ms(row["time"]), "y": parts.cents(row[column])}
                         for row in alone.iter_rows(named=True)])
            .mark_point(filled=True, size=16, opacity=1, color=LIGHT[colour]).encode(x=axes.x, y=axes.y())
            for column, colour in (("benchmark_value", "benchmark"), ("nav", "account")) if alone.height]


def _diamonds(drawn: pl.DataFrame, axes: parts.Axes) -> list[alt.Chart]:
    rows = [{"t": parts.ms(row["time"]), "y": parts.cents(row["nav"])}
            for row in drawn.filter(pl.col("grade") == Grade.PROVISIONAL).iter_rows(named=True)]
    return [] if not rows else [parts.table(rows).mark_point(
        shape="diamond", size=70, stroke=LIGHT["warning"], strokeWidth=1.5, fill=LIGHT["bg"], opacity=1,
    ).encode(x=axes.x, y=axes.y())]


def _backfilled(nav_history: pl.DataFrame) -> pl.DataFrame:
    return nav_history.filter(pl.col("grade") == Grade.BACKFILLED, pl.col("nav").is_not_null()).sort("time")


def _backfilled_line(backfilled: pl.DataFrame, axes: parts.Axes) -> list[alt.Chart]:
    rows = [{"t": parts.ms(row["time"]), "y": parts.cents(row["nav"])} for row in backfilled.iter_rows(named=True)]
    return [] if not rows else [parts.table(rows).mark_line(
        color=LIGHT["account"], strokeWidth=1.5, strokeDash=[4, 3]).encode(x=axes.x, y=axes.y())]


def _flows_within(flows: pl.DataFrame | None, figures: pl.DataFrame) -> pl.DataFrame:
    """The flows with a value between the first and the last figure: time, value_usd."""
    if flows is None or figures.is_empty():
        return pl.DataFrame(schema={"time": pl.Datetime("us", "UTC"), "value_usd": pl.Float64()})
    return (flows.filter(pl.col("value_usd").is_not_null(), pl.col("time") > figures["time"][0],
                         pl.col("time") <= figures["time"][-1])
            .select("time", "value_usd").sort("time"))


def _flow_marks(flows: pl.DataFrame, figures: pl.DataFrame, axes: parts.Axes, height: int) -> list[alt.Chart]:
    """A ring on the line at the first snapshot that holds the flow, a stem, the amount on the rail."""
    if flows.is_empty():
        return []
    seen = flows.join_asof(figures.select("time", snapshot="time", nav="nav"), on="time", strategy="forward")
    rows = [{"t": parts.ms(row["snapshot"]), "y": parts.cents(row["nav"])} for row in seen.iter_rows(named=True)]
    first, last = figures["time"][0], figures["time"][-1]
    labels = [*_rail(seen, first, last, parts.WIDTH, narrow=False),
              *_rail(seen, first, last, NARROW_WIDTH, narrow=True)]
    x, text, at_bottom = axes.x, alt.ExprRef("datum.narrow == narrow ? datum.text : ''"), alt.value(height - 8)
    return [
        parts.table(rows).mark_rule(color=LIGHT["faint"], strokeDash=[2, 3]).encode(
            x=x, y=axes.y(), y2=alt.value(height)),
        parts.table(rows).mark_point(size=36, stroke=LIGHT["account"], strokeWidth=1.5, fill=LIGHT["bg"], opacity=1,
                                ).encode(x=x, y=axes.y()),
        parts.table(labels).mark_text(fontSize=11, text=text, stroke=LIGHT["bg"], strokeWidth=4,    # keeps stems off
                                 strokeJoin="round").encode(x=x, y=at_bottom),
        parts.table(labels).mark_text(fontSize=11, text=text).encode(x=x, y=at_bottom)]


def _rail(seen: pl.DataFrame, first: datetime, last: datetime, width: int, *, narrow: bool) -> list[parts.Row]:
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
    return [{"t": parts.ms(first + sum(places) / len(places) / width * (last - first)), "text": text(places, total),
             "narrow": narrow} for places, total in groups]


def _with_crossings(rows: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """`rows` (time, segment, value) with a point at every crossing of zero: neither colour reaches over the line."""
    complete = rows[:1]
    for (t, segment, d), after in itertools.pairwise(rows):
        if segment == after[1] and d * after[2] < 0:
            complete.append((round(t + d / (d - after[2]) * (after[0] - t)), segment, 0.0))
        complete.append(after)
    return complete


def _fall_scale(lowest: float, height: int) -> tuple[list[float], list[float], list[str]]:
    """Ticks from 0 down to `lowest`, the domain, and the ticks' labels."""
    ticks = [tick for tick in parts.round_ticks(lowest, 0, most=4) if tick >= lowest]
    per_pixel = -lowest / (height - 8)
    return ticks, [lowest - 6 * per_pixel, 2 * per_pixel], percent_labels(ticks)


def percent_labels(ticks: Sequence[float]) -> list[str]:
    """Whole percents where all ticks are."""
    places = 0 if all(math.isclose(100 * tick, round(100 * tick), abs_tol=1e-9) for tick in ticks) else 1
    return [words.percent(tick, places) if tick else "0" for tick in ticks]


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



"""A page to be shown to others: percent only. No amount, name, id, path or flow is in it, its data included.

Everything that is drawn comes through `percent_only`, which replaces value by growth and the name by a word.
"""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import polars as pl

import navbook
from navbook.publish import charts, parts, periods, series, tables, words
from navbook.publish.markup import Html, join
from navbook.publish.palette import LIGHT
from navbook.publish.series import State, Verdict
from navbook.publish.site import Site
from navbook.publish.tables import headed

NAME = "account"    # what every account is called here
PLACES = 5          # of growth: a thousandth of a percent


def percent_only(histories: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Histories whose value is growth since their start, 1 there; without name and reason."""
    return {name: _growth(history) for name, history in histories.items()}


def header(about: Site) -> Html:
    """No link leads anywhere from here."""
    return Html('<header><div class="top"><span class="brand">navbook</span><span class="badge {}">{}</span>'
                '<p class="fresh">Percent only</p><button class="switch" type="button" hidden>Dark</button></div>'
                "</header>").format(about.environment, about.environment.upper())


def verdict(history: pl.DataFrame, benchmark: words.Benchmark) -> Html:
    """Ahead or behind, in points of return."""
    state = series.state(history, NAME)
    if state.known is None or state.counted < 2:
        return headed(Html("<b>Too early to call.</b>"), "")
    alpha, since = _alpha(state), words.date(state.since, state.known["time"])
    word = Verdict.LEVEL if words.is_zero(100 * alpha, 1) else Verdict.AHEAD if alpha > 0 else Verdict.BEHIND
    sentence = Html('<b class="{}">{}</b>{}{} by <b>{}</b> since {}.').format(
        words.tone(100 * alpha, 1), word.capitalize(), " of " if word is Verdict.AHEAD else " ", benchmark.full,
        words.points(abs(alpha)).removeprefix("+"), since)
    if word is Verdict.LEVEL:
        sentence = Html("<b>Level</b> with {} since {}.").format(benchmark.full, since)
    return headed(sentence, f"{words.date(state.since, state.known['time'])} to {words.moment(state.known['time'])}, "
                            "time-weighted: what came in or went out is neither gain nor loss.")


def buttons(histories: Mapping[str, pl.DataFrame]) -> Html:
    """The periods that there are."""
    return periods.buttons(histories, custom=False)


def key_figures(history: pl.DataFrame, benchmark: words.Benchmark) -> Html:
    """Four figures."""
    state = series.state(history, NAME)
    if state.known is None or state.counted < 2:
        return Html("")
    falls = series.counted(history).select(series.below_peak("twr_index").min().alias("own"),
                                           series.below_peak("benchmark_index").min().alias("other")).row(0, named=True)
    own, other = state.known["nav"] - 1, state.known["benchmark_value"] - 1
    beside = Html('{} <span class="benchmark">{}</span>')
    alpha = _alpha(state)
    return tables.key_figures([
        ("Return", words.percent(own), beside.format(benchmark.short, words.percent(other))),
        ("Alpha", tables.toned(words.points(alpha), 100 * alpha, 1), "return less the benchmark's"),
        ("Deepest drawdown", words.percent(falls["own"]),
         beside.format(benchmark.short, words.percent(falls["other"]))),
        ("Now below the last peak", words.percent(_now_below(history)), "deposits taken out")])


def returns(history: pl.DataFrame, benchmark: words.Benchmark) -> alt.LayerChart:
    """Growth of both since the start, in percent."""
    height, rows = 264, series.thinned(series.in_segments(history, series.gaps(history)))
    values = [value - 1 for name in ("nav", "benchmark_value") for value in rows[name]] or [0.0]
    low, high = min(values), max([*values, min(values) + 0.001])
    ticks = parts.round_ticks(low, high)
    room = (max(high, ticks[-1]) - min(low, ticks[0])) * 0.04
    axes = parts.Axes(charts.time_axis(history), [min(low, ticks[0]) - room, max(high, ticks[-1]) + room],
                      parts.axis(ticks, charts.percent_labels(ticks)))
    line, x = alt.Chart(), axes.x
    layers = [line.mark_line(color=LIGHT["benchmark"]).encode(x=x, y=axes.y("b"), detail="s:N"),
              line.mark_line(color=LIGHT["account"], strokeWidth=2).encode(x=x, y=axes.y("a"), detail="s:N")]
    ends = [] if rows.is_empty() else [
        parts.end(NAME, rows["nav"][-1] - 1, words.percent, words.percent, "account"),
        parts.end(benchmark.short, rows["benchmark_value"][-1] - 1, words.percent, words.percent, "benchmark")]
    return parts.chart(
        layers, ends, axes, height=height, columns="t,s,a,b",
        rows=[(parts.ms(row["time"]), row["segment"], round(row["nav"] - 1, PLACES),
               round(row["benchmark_value"] - 1, PLACES)) for row in rows.iter_rows(named=True)],
        heading=Html('<span class="account">{}</span> against <span class="benchmark">{}</span>').format(
            NAME.capitalize(), benchmark.full),
        note=Html("Time-weighted return since the start of the period."),
        label=f"Line chart of the return of the account and of {benchmark.full} in percent.")


def falls(history: pl.DataFrame, benchmark: words.Benchmark) -> alt.LayerChart:
    """How far both are below their last peak."""
    return charts.drawdown(history, benchmark)


def footer() -> Html:
    """What this is, and what it leaves out."""
    items = (Html("Made with <b>navbook</b> {}").format(navbook.__version__),
             "Percent only: no amount is on this page or in its data",
             "All times UTC")
    return Html("<footer>{}</footer>").format(join(Html("<p>{}</p>").format(item) for item in items))


def _growth(history: pl.DataFrame) -> pl.DataFrame:
    first = series.counted(history).head(1)
    own, other = (first[name][0] if first.height else 1.0 for name in ("twr_index", "benchmark_index"))
    known = pl.col("nav").is_not_null() & pl.col("benchmark_value").is_not_null()
    grown = {"nav": (pl.col("twr_index") / own).round(PLACES), "benchmark_value": (
        pl.col("benchmark_index") / other).round(PLACES)}
    columns = {name: pl.when(known).then(growth) for name, growth in grown.items()}
    return history.select(pl.lit(NAME).alias("account"), "time", "grade", pl.lit(None, pl.String).alias("reason"),
                          **columns).with_columns(twr_index="nav", benchmark_index="benchmark_value")


def _alpha(state: State) -> float:
    return 0.0 if state.known is None else float(state.known["nav"] - state.known["benchmark_value"])


def _now_below(history: pl.DataFrame) -> float:
    return float(series.counted(history).select(series.below_peak("twr_index"))["twr_index"][-1])



"""The charts of a backtest: what the strategy became beside holding, and its trades on the price.

`about` is a row of BACKTESTS. Frames in, Altair charts out; parts.py draws what all charts share.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import altair as alt
import polars as pl

from navbook.publish import parts, words
from navbook.publish.markup import Html
from navbook.publish.palette import LIGHT
from navbook.types import ExitReason

TRADES_SHOWN = 12     # newest trades on the price
PRICE_POINTS = 900
MINUTE = timedelta(minutes=1)
EXITS = {ExitReason.TAKE_PROFIT: ("triangle-up", "positive"), ExitReason.STOP_LOSS: ("triangle-down", "negative"),
         ExitReason.LIQUIDATION: ("cross", "negative")}
SIGNS = Html('<span class="strategy">\N{WHITE CIRCLE}\N{NO-BREAK SPACE}entry</span> '
             '<span class="positive">\N{BLACK UP-POINTING TRIANGLE}\N{NO-BREAK SPACE}take profit</span> '
             '<span class="negative">\N{BLACK DOWN-POINTING TRIANGLE}\N{NO-BREAK SPACE}stop</span> {}')

WIDE = alt.ExprRef("narrow ? '' : datum.text")    # words for which a phone has no room

Row = dict[str, Any]


def amount(about: Row) -> float:
    """What the strategy puts into a trade, and what the others begin with."""
    return float(json.loads(about["rules"])["amount_usdt"])


def equity(about: Row, equity: pl.DataFrame) -> alt.LayerChart:
    """The strategy, half/half and the symbol from the same amount; the band is what one candle hides."""
    height, points = 264, equity.sort("time")
    has_benchmark = points["benchmark"].null_count() < points.height
    drawn = ["strategy", "buy_and_hold", *(["benchmark"] if has_benchmark else [])]
    values = [value for name in (*drawn, "pessimistic", "optimistic") for value in points[name]]
    ticks, domain = parts.dollar_scale(values, height, below=8)
    first, last = points["time"][0], points["time"][-1]
    axes = parts.Axes(parts.time_axis(first, last), domain, parts.axis(ticks, parts.dollar_labels(ticks)))
    line, x = alt.Chart(), axes.x
    layers = [
        line.mark_area(color=LIGHT["strategy"], opacity=0.14, line=False).encode(x=x, y=axes.y("p"), y2="o:Q"),
        line.mark_line(color=LIGHT["muted"], strokeWidth=1).encode(x=x, y=axes.y("h")),
        *([line.mark_line(color=LIGHT["benchmark"]).encode(x=x, y=axes.y("b"))] if has_benchmark else []),
        line.mark_line(color=LIGHT["strategy"], strokeWidth=2).encode(x=x, y=axes.y("s")),
        *_hover(axes, has_benchmark)]
    names = {"strategy": ("strategy", "strategy"), "buy_and_hold": (_coin(about), "muted"),
             "benchmark": ("half/half", "benchmark")}
    ends = [parts.end(name, points[column][-1], words.dollars, words.brief_dollars, colour)
            for column, (name, colour) in names.items() if column in drawn]
    band = ("The band runs from \N{LEFT DOUBLE QUOTATION MARK}stop first\N{RIGHT DOUBLE QUOTATION MARK} to "
            "\N{LEFT DOUBLE QUOTATION MARK}profit first\N{RIGHT DOUBLE QUOTATION MARK} where one candle held both."
            if about["ambiguous"] else "")
    heading = Html('<span class="strategy">Strategy</span> against {}holding {}').format(
        Html('<span class="benchmark">half bitcoin, half ether</span> and ') if has_benchmark else "", _coin(about))
    return parts.chart(
        layers, ends, axes, height=height, columns="t,s,p,o,h,b", heading=heading,
        rows=[(parts.ms(row["time"]), *(None if row[name] is None else parts.cents(row[name]) for name in (
            "strategy", "pessimistic", "optimistic", "buy_and_hold", "benchmark")))
            for row in points.iter_rows(named=True)],
        note=Html("{}").format(f"Each begins with {words.dollars(amount(about))}; the strategy puts as much into every "
                               f"trade, whatever it lost before. {band}".rstrip()),
        label=f"Line chart of the strategy, {words.date(first, last)} to {words.date(last)}; at the end "
              f"{', '.join(end['text'] for end in ends)}.")


def trades_on_price(about: Row, trades: pl.DataFrame, candles: pl.DataFrame) -> alt.LayerChart:
    """The newest trades: entry, take profit and stop from entry to exit, on the closes of `candles`."""
    height, shown = 240, trades.sort("entry_time").tail(TRADES_SHOWN)
    price = _closes(candles, shown["entry_time"][0] if shown.height else candles["open_time"][0])
    until = price["time"][-1]
    brackets = [_bracket(trade, until) for trade in shown.iter_rows(named=True)]
    levels = [box[key] for box in brackets for key in ("tp", "sl")]
    ticks, domain = parts.dollar_scale([*price["close"], *levels], height, below=24)
    axes = parts.Axes(parts.time_axis(price["time"][0], until), domain, parts.axis(ticks, parts.dollar_labels(ticks)))
    line, x = alt.Chart(), axes.x
    layers = [*_boxes(brackets, axes), line.mark_line(color=LIGHT["muted"], strokeWidth=1).encode(x=x, y=axes.y("c")),
              *_marks(brackets, axes, height)]
    return parts.chart(
        layers, [], axes, height=height, columns="t,c", heading=Html("{}").format(
            f"The last {words.count(len(brackets), 'trade').lower()} on the price" if brackets else "No trade"),
        rows=[(parts.ms(row["time"]), row["close"]) for row in price.iter_rows(named=True)],
        note=SIGNS.format("The solid line is the profit level, the dashed one the stop."),
        label=f"Price of {about['symbol']} with {len(brackets)} trades, {words.moment(price['time'][0])} to "
              f"{words.moment(until)}.")


# The parts.

def _coin(about: Row) -> str:
    return str(about["symbol"]).removesuffix("USDT")


def _hover(axes: parts.Axes, has_benchmark: bool) -> list[alt.Chart]:
    hover = alt.selection_point(name="hover", nearest=True, on="pointermove", clear="pointerout", fields=["t"],
                                empty=False)
    card = [alt.Tooltip("utcyearmonthdatehoursminutes(t):T", title="title", format="%-d %b, %H:%M UTC"),
            alt.Tooltip("s:Q", title="strategy", format="$,.2f"), alt.Tooltip("h:Q", title="held", format="$,.2f"),
            *([alt.Tooltip("b:Q", title="half/half", format="$,.2f")] if has_benchmark else [])]
    return [alt.Chart().mark_rule(color=LIGHT["text"]).encode(
                x=axes.x, opacity=alt.condition(hover, alt.value(1), alt.value(0))),
            alt.Chart().mark_point(opacity=0, size=1).encode(x=axes.x, y=axes.y("s"), tooltip=card).add_params(hover)]


def _closes(candles: pl.DataFrame, first: datetime) -> pl.DataFrame:
    """[time, close] from a little before `first` on, at most `PRICE_POINTS` of them."""
    until = candles["open_time"][-1]
    found = candles.filter(pl.col("open_time") >= first - (until - first) * 0.02).select(
        time=(pl.col("open_time") + MINUTE).cast(pl.Datetime("us", "UTC")), close=pl.col("close"))
    step = -(-found.height // PRICE_POINTS)
    last = pl.int_range(pl.len()) == pl.len() - 1
    return found.filter((pl.int_range(pl.len()) % step == 0) | last)


def _bracket(trade: Row, until: datetime) -> Row:
    is_open = trade["reason"] == ExitReason.OPEN
    return {"t": parts.ms(trade["entry_time"]), "u": parts.ms(until if is_open else trade["exit_time"] + MINUTE),
            "e": trade["entry_price"], "tp": trade["take_profit"], "sl": trade["stop_loss"],
            "x": trade["exit_price"], "reason": trade["reason"],
            "text": "" if is_open else f"{trade['reason']} {words.dollars(trade['pnl'], signed=True)}"}


def _boxes(brackets: list[Row], axes: parts.Axes) -> list[alt.Chart]:
    box, x, u = parts.table(brackets), axes.x, "u:Q"
    sides = (("tp", "positive", [1, 0]), ("sl", "negative", [4, 3]))
    return [*(box.mark_rect(color=LIGHT[tone], opacity=0.1).encode(x=x, x2=u, y=axes.y("e"), y2=f"{level}:Q")
              for level, tone, _ in sides),
            *(box.mark_rule(color=LIGHT[tone], strokeWidth=1.5, strokeDash=dash).encode(x=x, x2=u, y=axes.y(level))
              for level, tone, dash in sides),
            box.mark_rule(color=LIGHT["strategy"], strokeWidth=1.2).encode(x=x, x2=u, y=axes.y("e"))]


def _marks(brackets: list[Row], axes: parts.Axes, height: int) -> list[alt.Chart]:
    """Where each trade began and ended, and below what it came to."""
    marks = [parts.table(brackets).mark_point(size=44, stroke=LIGHT["strategy"], strokeWidth=1.5, fill=LIGHT["bg"],
                                              opacity=1).encode(x=axes.x, y=axes.y("e"))]
    ended = [{"t": box["u"], "y": box["x"], "text": box["text"], "reason": box["reason"]} for box in brackets
             if box["reason"] in EXITS]
    told = _apart(ended, axes)
    for reason, (shape, tone) in EXITS.items():
        mine, words_below = ([row for row in rows if row["reason"] == reason] for rows in (ended, told))
        if mine:
            marks += [parts.table(mine).mark_point(shape=shape, filled=True, size=60, opacity=1, color=LIGHT[tone])
                      .encode(x=axes.x, y=axes.y()),
                      parts.table(words_below).mark_text(fontSize=11, color=LIGHT[tone], align="right", dx=6, text=WIDE)
                      .encode(x=axes.x, y=alt.value(height - 8))]
    return marks


def _apart(ended: list[Row], axes: parts.Axes) -> list[Row]:
    """Those whose words do not touch the ones before."""
    first, last = axes.span
    room = (last - first) * 0.09
    kept: list[Row] = []
    for row in ended:
        if not kept or row["t"] - kept[-1]["t"] >= room:
            kept.append(row)
    return kept

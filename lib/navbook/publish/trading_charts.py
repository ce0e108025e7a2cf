"""The open positions of the trading page: a table of figures each, and its bracket on the price.

The charts are pictures (svg), drawn here, because the page is made anew every few seconds and needs no script.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import altair as alt
import vl_convert

from navbook.publish import palette, parts, tables, trading_words, words
from navbook.publish.markup import Html, join
from navbook.publish.palette import LIGHT
from navbook.publish.theme import navbook_theme
from navbook.publish.trading import Leg, LegState, Look, price
from navbook.types import ExitOrder

WIDTH, HEIGHT = 330, 130
SIGNS = {True: "\N{CHECK MARK}", False: "\N{MULTIPLICATION X}"}


def positions(look: Look) -> Html:
    """Every open position: figures at the left, the bracket at the right."""
    opened = look.in_state(LegState.OPEN)
    if not opened:
        return tables.section("Open positions", "None.", Html(""))
    return Html('<section class="legs"><h2>Open positions</h2><p class="note">{}</p>{}</section>').format(
        "Last 36 hours. Solid: take profit. Dashed: stop. Shaded from the entry on.",
        join(Html('<div class="leg"><div>{}</div><figure>{}</figure></div>').format(_figures(leg), bracket(leg, look))
             for leg in opened))


def bracket(leg: Leg, look: Look) -> Html:
    """The leg's take profit, entry and stop on the price, as a picture; nothing where no price is known."""
    if leg.prices.is_empty() or leg.entry_price is None or look.now is None:
        return Html('<p class="note">No prices to draw.</p>')
    spec = _chart(leg).to_dict(validate=False) | navbook_theme()
    drawn: str = vl_convert.vegalite_to_svg(json.dumps(spec))
    for name, colour in palette.LIGHT.items():    # the picture follows the page's light and dark
        drawn = drawn.replace(f'"{colour}"', f'"var(--{name}, {colour})"')
    label = (f"Price of {leg.symbol} with the bracket of {leg.name}: entry {price(leg.entry_price)}, take profit "
             f"{price(leg.take_profit)}, stop {price(leg.stop_loss)}, mark {price(leg.mark)}.")
    return Html('<div role="img" aria-label="{}">{}</div>').format(label, Html(drawn))


def _chart(leg: Leg) -> alt.LayerChart:
    prices = leg.prices.sort("time")
    first, last = prices["time"][0], prices["time"][-1]
    known = [value for value in (leg.take_profit, leg.entry_price, leg.stop_loss, leg.mark) if value is not None]
    values = [*prices["close"], *known]
    low, high = min(values), max(values)
    room = (high - low or abs(high) * 0.01 or 1.0) * 0.06
    domain = [low - room, high + room]
    axes = parts.Axes(_time_axis(first, last), domain, alt.Axis(labels=False, grid=False, domain=False))
    entered = max(leg.entry_time or first, first)
    box = parts.table([{"t": parts.ms(entered), "u": parts.ms(last), "e": leg.entry_price, "tp": leg.take_profit,
                        "sl": leg.stop_loss}])
    sides = [(level, tone, dash) for level, tone, dash in (("tp", "positive", [1, 0]), ("sl", "negative", [4, 3]))
             if (leg.take_profit if level == "tp" else leg.stop_loss) is not None]
    line = parts.table([{"t": parts.ms(time), "c": close} for time, close in prices.iter_rows()])
    layers = [
        *(box.mark_rect(color=LIGHT[tone], opacity=0.1).encode(x=axes.x, x2="u:Q", y=axes.y("e"), y2=f"{level}:Q")
          for level, tone, _ in sides),
        *(box.mark_rule(color=LIGHT[tone], strokeWidth=1.5, strokeDash=dash).encode(x=axes.x, x2="u:Q", y=axes.y(level))
          for level, tone, dash in sides),
        box.mark_rule(color=LIGHT["strategy"], strokeWidth=1.5).encode(x=axes.x, x2="u:Q", y=axes.y("e")),
        line.mark_line(color=LIGHT["muted"], strokeWidth=1).encode(x=axes.x, y=axes.y("c"))]
    if leg.mark is not None:
        layers.append(parts.table([{"t": parts.ms(last), "y": leg.mark}]).mark_point(
            filled=True, size=30, opacity=1, color=LIGHT["text"]).encode(x=axes.x, y=axes.y()))
    return alt.LayerChart(layer=[*layers, *parts.end_labels(_ends(leg), domain, HEIGHT)], width=WIDTH, height=HEIGHT,
                          autosize="none", padding={"top": 8, "bottom": 24, "left": 4, "right": parts.RIGHT},
                          ).add_params(alt.param(name="narrow", value=False))


def _time_axis(first: datetime, last: datetime) -> alt.X:
    """Round times only: there is no room for the first moment."""
    shown = parts.dates(first, last, 4)[1:]
    times = [parts.ms(time) for time, _ in shown]
    axis = alt.Axis(values=times, tickCount=len(times), labelExpr=parts.label_of(times, [name for _, name in shown]))
    return alt.X("t:T", scale=alt.Scale(type="utc", domain=[parts.ms(first), parts.ms(last)], nice=False), axis=axis)


def _ends(leg: Leg) -> list[dict[str, Any]]:
    named = (("TP", leg.take_profit, "positive"), ("entry", leg.entry_price, "strategy"), ("mark", leg.mark, "text"),
             ("SL", leg.stop_loss, "negative"))
    return [parts.end(name, value, price, price, colour) for name, value, colour in named if value is not None]


def _figures(leg: Leg) -> Html:
    opened = "" if leg.entry_time is None else f", open since {words.date(leg.entry_time)} {leg.entry_time:%H:%M}"
    times = {0: "", 1: ", reopened once"}.get(leg.reopens, f", reopened {leg.reopens} times")
    head = Html('<h3 class="strategy">{}</h3><p class="note">{}, {} {:g}\N{MULTIPLICATION SIGN}{}{}</p>').format(
        leg.name, leg.symbol, leg.side.lower(), leg.rules.leverage, opened, times)
    floating = Html("<b>{}</b>").format(
        words.UNKNOWN if leg.floating is None else trading_words.gained(leg.floating))
    rows = (("Floating", floating), ("Quantity", _quantity(leg)), ("To profit / to stop", _away(leg)),
            ("Liquidation", price(leg.liquidation) if leg.liquidation != 0 else words.NOTHING),
            ("Protection", _protection(leg)))
    return Html("{}<table><tbody>{}</tbody></table>").format(head, join(
        Html('<tr><th scope="row">{}</th><td class="num">{}</td></tr>').format(*row) for row in rows))


def _quantity(leg: Leg) -> str:
    coin = leg.symbol.removesuffix("USDT")
    return words.UNKNOWN if leg.quantity is None else f"{price(leg.quantity)} {coin}"


def _away(leg: Leg) -> str:
    if leg.mark is None or leg.take_profit is None or leg.stop_loss is None:
        return words.UNKNOWN
    return " / ".join(words.percent(level / leg.mark - 1) for level in (leg.take_profit, leg.stop_loss))


def _protection(leg: Leg) -> Html:
    return join((Html('<span class="{}">{} {}</span>').format(
        "" if kind in leg.protected else "negative", SIGNS[kind in leg.protected], name)
        for kind, name in ((ExitOrder.STOP, "stop"), (ExitOrder.PROFIT, "profit"))), " ")

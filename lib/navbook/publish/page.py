"""The parts of a portfolio's page that are sentences: banners and the verdict.

Frames in, HTML out. What is not known now is said with its last known figure and that figure's date. A
published page grows old where it lies: what a reader must see then is kept in the attribute `data-stale` of
what he sees while it is fresh, and page.js exchanges them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from navbook import types
from navbook.publish import figures, series, tables, words
from navbook.publish.markup import Html, join
from navbook.publish.series import State, Verdict
from navbook.publish.tables import banner, headed
from navbook.types import Grade

COLLECT = "navbook collect"


def banners(nav_history: pl.DataFrame, flow_values: pl.DataFrame, collected: datetime | None, account: str) -> Html:
    """What keeps the figures from being whole, worst first, each with what mends it."""
    state = series.state(nav_history, account)
    said = [_stale(collected)]
    if state.newest and not state.is_known_now:
        until = f" Figures end on {words.moment(state.known['time'])}." if state.known else ""
        said.append(banner("error", f"Incomplete: the snapshot of {words.moment(state.newest['time'])} has no total.",
                           Html("{}{} Collect again: <code>{}</code>").format(
                               words.sentence(state.newest["reason"], "A wallet could not be read"), until, COLLECT)))
    unpriced = series.without_price(flow_values, nav_history)
    if unpriced.height:
        flows = [f"{words.flow(flow['kind']).lower()} of {words.quantity(abs(flow['quantity']))} {flow['asset']} on "
                 f"{words.moment(flow['time'])}" for flow in unpriced.head(3).iter_rows(named=True)]
        more = f" and {unpriced.height - 3} more" if unpriced.height > 3 else ""
        have, it = ("has", "It is") if unpriced.height == 1 else ("have", "They are")
        first = unpriced.row(0, named=True)
        said.append(banner("warning", f"{words.count(unpriced.height, 'flow')} {have} no price: "
                                      f"{'; '.join(flows)}{more}.",
                           Html("{} in neither the account's return nor the benchmark until you price it: "
                                "<code>navbook flows price {}:{} USD</code>").format(
                                    it, first["source"], first["id"])))
    if state.is_known_now and state.newest and state.newest["grade"] == Grade.PROVISIONAL:
        said.append(banner("warning", "The newest snapshot is provisional.",
                           Html("{} It is shown and counted in returns, never in a fee.").format(
                               words.sentence(state.newest["reason"]))))
    return join(said)


def verdict(nav_history: pl.DataFrame, performance: pl.DataFrame, benchmark: words.Benchmark, account: str) -> Html:
    """Ahead or behind, by how much, since when, and whether that may be luck; or what was known last."""
    state = series.state(nav_history, account)
    if state.newest is None:
        return headed(Html("<b>No snapshot yet.</b>"),
                        Html("The first one is taken by <code>{}</code>.").format(COLLECT))
    if state.verdict is Verdict.NOT_KNOWN:
        return headed(_not_known(state, benchmark), Html(
            "A number that is not known is not a number: nothing is estimated for what could not be read."))
    if state.verdict is Verdict.TOO_EARLY:
        return headed(Html("<b>Too early to call.</b>"), Html(
            "The first snapshot is of {}; the next one can be compared with {}.").format(
                words.moment(state.since), benchmark.full))
    fresh = headed(*_judged(state, figures.returns_of(nav_history, performance), benchmark))
    stale = headed(_not_known(state, benchmark), Html(
        "A number that is not known is not a number: nothing is estimated for the time since then."))
    return tables.either(fresh, stale)


def how(benchmark: words.Benchmark) -> Html:
    """How the verdict is worked out, folded up."""
    return Html('<details class="how" id="how"><summary>How this is worked out</summary>{}</details>').format(join(
        Html("<p>{}</p>").format(text) for text in (
            f"The benchmark, {benchmark.full}, begins with the account's first net asset value. Each deposit and "
            "withdrawal goes into it at its own minute; beyond that it is left to its rule. "
            "\N{LEFT DOUBLE QUOTATION MARK}Ahead by\N{RIGHT DOUBLE QUOTATION MARK} is the account's value less "
            "the benchmark's, both now.",
            "In a period that begins later the benchmark begins anew with what the account had then.",
            "Returns are time-weighted: moving cash in or out is neither gain nor loss. Return on money in is "
            "money-weighted. Nothing is annualised under a year.",
            "Skill or luck: the days' returns less the benchmark's are drawn again 999 times, in blocks. Where the "
            "middle 95 % of what they could have added up to holds zero, chance alone explains the difference; so it "
            "always does under 30 days.")))


# The parts.

def _stale(at: datetime | None) -> Html:
    if at is None:
        return Html("")
    headline = Html("Stale: last collected {} ago ({}).").format(tables.age(at), words.moment(at))
    return tables.either(Html(""), banner("error", headline, Html("Collect again: <code>{}</code>").format(COLLECT)))


def _judged(state: State, returns: Mapping[str, Any] | None, benchmark: words.Benchmark) -> tuple[Html, Html]:
    """The sentence with its judgement, and below it what chance could have done."""
    low, high = (returns["alpha_low"], returns["alpha_high"]) if returns else (None, None)
    if returns is None or returns["verdict"] is None:
        below = f"The same deposits and withdrawals went into {benchmark.short} at the same minutes."
    elif low is None or high is None:
        below = "Under 30 days chance alone explains almost any difference."
    else:
        between = f"between {words.points(low, unit=False)} and {words.points(high)}"
        below = ("Chance alone explains it: drawn again, these days' difference of returns lies "
                 if low <= 0 <= high else "More than chance: drawn again, these days' difference of returns lies "
                 ) + f"{between} in 95 of 100 tries."
    early = returns is not None and returns["verdict"] == types.Verdict.TOO_EARLY and (
        state.last_verdict is not Verdict.LEVEL)
    sentence = ahead(state, benchmark)
    if early:
        sentence = Html(str(sentence).removesuffix(".")) + Html(" \N{EN DASH} too early to call skill.")
    return sentence, Html('{} <a href="#how">How this is worked out</a>').format(below)


def ahead(state: State, benchmark: words.Benchmark, since: str | None = None, *, inside: bool = False) -> Html:
    """"Ahead of half bitcoin, half ether by $1,284 (+3.1 %) since 12 Mar." """
    when = since or f"since {words.date(state.since, state.newest['time'] if state.newest else None)}"
    if state.last_verdict is Verdict.LEVEL:
        return Html("<b>{}</b> with {} {}.").format("level" if inside else "Level", benchmark.full, when)
    ahead = state.last_verdict is Verdict.AHEAD
    word = "ahead" if ahead else "behind"
    return Html('<b class="{}">{}</b>{}{} by <b>{}</b> {}.').format(
        "positive" if ahead else "negative", word if inside else word.capitalize(), " of " if ahead else " ",
        benchmark.full, _by(state), when)


def _by(state: State) -> str:
    share = f" ({words.percent(state.ahead_share)})" if state.ahead_share is not None else ""
    return f"{words.dollars(abs(state.ahead_usd or 0.0))}{share}"


def _not_known(state: State, benchmark: words.Benchmark) -> Html:
    if state.known is None or state.last_verdict is Verdict.TOO_EARLY:
        return Html("<b>Not known now.</b> There is no complete snapshot to compare yet.")
    day = words.date(state.known["time"], state.newest["time"] if state.newest else None)
    if state.last_verdict is Verdict.LEVEL:
        return Html("<b>Not known now.</b> On {} {} was level with {}.").format(day, state.account, benchmark.full)
    of = "ahead of" if state.last_verdict is Verdict.AHEAD else "behind"
    return Html("<b>Not known now.</b> On {} {} was {} {} by {}.").format(
        day, state.account, of, benchmark.full, _by(state))

"""The six figures of a portfolio page. Each says on hover, and to the keyboard, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from navbook.publish import series, site, tables, words
from navbook.publish.markup import Html, join
from navbook.publish.series import State
from navbook.publish.site import Site
from navbook.types import OWN_BENCHMARK

Figure = tuple[str, str | Html, str | Html, str]    # what it is, itself, a note below, the sum behind it
RETURN, MONEY, FALL = "Return, time-weighted", "Return on money in", "Deepest drawdown"


def returns_of(history: pl.DataFrame, performance: pl.DataFrame) -> dict[str, Any] | None:
    """The row of PERFORMANCE that is about exactly this history; none before a second snapshot."""
    counted = series.counted(history)
    if counted.height < 2:
        return None
    found = performance.filter(pl.col("benchmark") == OWN_BENCHMARK, pl.col("from_time") == counted["time"][0],
                               pl.col("to_time") == counted["time"][-1])
    return found.row(0, named=True) if found.height else None


def key_figures(history: pl.DataFrame, performance: pl.DataFrame, fees: pl.DataFrame,
                benchmark: words.Benchmark, about: Site) -> Html:
    """The six figures of one period. Where the newest snapshot has none: unknown, with the last known and its date."""
    state = series.state(history, _name(history))
    if state.newest is None:
        return Html("")
    returns = returns_of(history, performance)
    stale = _figures(state, returns, fees, benchmark, about, known_now=False)
    if not state.is_known_now:
        return stale
    return tables.either(_figures(state, returns, fees, benchmark, about, known_now=True), stale)


def _figures(state: State, returns: Mapping[str, Any] | None, fees: pl.DataFrame, benchmark: words.Benchmark,
             about: Site, *, known_now: bool) -> Html:
    known = state.known
    day = words.date(known["time"], state.newest["time"] if state.newest else None) if known else ""
    until = "" if known_now or not known else f", to {day}"
    figures = [*_worth(state, benchmark, day, known_now=known_now), *_returns(returns, benchmark, until),
               _fee(fees, returns, until)]
    origin = _origin(state, about)
    return Html('<div class="figures">{}</div>').format(join(_figure(*figure, origin) for figure in figures))


def _figure(name: str, value: str | Html, note: str | Html, sum_: str, origin: Html) -> Html:
    first = Html("<span>{}</span>").format(sum_) if sum_ else ""
    return Html('<p tabindex="0"><span>{}</span> <b>{}</b> <small>{}</small>'
                '<span class="why" role="note">{}{}</span></p>').format(name, value, note, first, origin)


def _worth(state: State, benchmark: words.Benchmark, day: str, *, known_now: bool) -> list[Figure]:
    known, ahead = state.known, state.ahead_usd if state.counted > 1 else None
    if known is None:
        missing = "no complete snapshot yet"
        return [("Net asset value", unknown(), missing, ""), ("Ahead by", unknown(), "needs two snapshots", "")]
    nav, worth = words.dollars(known["nav"], 2), words.dollars(known["benchmark_value"], 2)
    behind_nav = f"{nav}: the sum of all wallets"
    behind_ahead = f"{words.dollars(ahead, 2, signed=True)} = {nav} {words.MINUS} {worth}" if ahead is not None else ""
    if not known_now:
        told = "needs two snapshots" if ahead is None else f"{day}: {words.dollars(ahead, signed=True)}"
        return [("Net asset value", unknown(), f"{day}: {words.dollars(known['nav'])}", behind_nav),
                ("Ahead by", unknown(), told, behind_ahead)]
    beside = Html('{} <span class="benchmark">{}</span>').format(
        benchmark.short, words.dollars(known["benchmark_value"]))
    return [("Net asset value", words.dollars(known["nav"]), beside, behind_nav),
            ("Ahead by", unknown() if ahead is None else tables.signed(ahead), "needs two snapshots" if ahead is None
             else f"{words.percent(state.ahead_share)} of the benchmark", behind_ahead)]


def _returns(returns: Mapping[str, Any] | None, benchmark: words.Benchmark, until: str) -> list[Figure]:
    if returns is None:
        return [(name, unknown(), "needs two snapshots", "") for name in (RETURN, MONEY, FALL)]
    beside = Html('{} <span class="benchmark">{}</span>{}{}')
    days = (returns["to_time"] - returns["from_time"]).days
    rate = "a year" if days >= 365 else f"{days} days, not annualised"
    alpha = "" if returns["alpha"] is None else f", {words.points(returns['alpha'])}"
    flows = words.dollars(returns["flows_usd"], 2, signed=True)
    return [
        (RETURN, words.percent(returns["twr"]),
         beside.format(benchmark.short, words.percent(returns["benchmark_twr"]), alpha, until),
         f"alpha {words.points(returns['alpha'])}: the difference of the two returns"),
        (MONEY, words.percent(returns["mwr"]), f"{rate}{until}",
         f"gain {words.dollars(returns['gain_usd'], 2, signed=True)}; deposits less withdrawals {flows}"),
        (FALL, words.percent(returns["max_drawdown"]),
         beside.format(benchmark.short, words.percent(returns["benchmark_max_drawdown"]), "", until),
         _fall_days(returns))]


def _fall_days(returns: Mapping[str, Any]) -> str:
    if not returns.get("drawdown_days"):
        return "from the last peak down, deposits taken out"
    back = returns.get("recovery_days")
    return (f"{words.number(returns['drawdown_days'], 1)} days from peak to trough, "
            + ("not recovered" if back is None else f"{words.number(back, 1)} days back"))


def _fee(fees: pl.DataFrame, returns: Mapping[str, Any] | None, until: str) -> Figure:
    """What is to be paid; of a group, which pays none, what went in and out."""
    if fees.is_empty():
        flows = None if returns is None else returns["flows_usd"]
        return ("Deposits less withdrawals", unknown() if flows is None else words.dollars(flows, signed=True),
                f"in the period{until}" if flows is not None else "needs two snapshots", "")
    rows = fees.sort("from_time")
    last, due = rows.row(-1, named=True), rows.filter(pl.col("final"))["pending_usd"]
    if due.null_count():
        return "Fee due", Html('<span class="muted">on hold</span>'), "until every flow has a price", ""
    total = float(due.sum())
    mark, nav = last["mark_after"], last["nav"]
    if not last["rate"]:
        note = "no rate is agreed on"
    elif mark is None or nav is None:
        note = "the mark is not known"
    else:
        note = f"{words.dollars(abs(nav - mark))} {'under' if nav < mark else 'above'} the mark"
    rate = words.percent(last["rate"], signed=False)
    return "Fee due", words.dollars(total), note, f"mark {words.dollars(mark, 2)}, rate {rate}"


def _origin(state: State, about: Site) -> Html:
    """Snapshot, tables, run, and the command that explains to the cent."""
    newest = state.known or state.newest or {}
    at, grade = newest.get("time"), newest.get("grade", "")
    explain = "" if at is None or state.account in about.groups else Html("<code>navbook explain {} {}</code>").format(
        state.account, f"{at:%Y-%m-%dT%H:%M:%S}")
    versions = site.sources(about, ("nav_history", "benchmark_values", "performance"))
    run = Html("run {}").format(site.run_link(about.run)) if about.run else "made by hand"
    return join(Html("<span>{}</span>").format(line) for line in (
        f"snapshot {words.moment(at, seconds=True)}, {grade}", versions, run, explain) if line)


def unknown() -> Html:
    """What stands in the place of a figure that is not known."""
    return Html('<span class="muted">{}</span>').format(words.UNKNOWN)


def _name(history: pl.DataFrame) -> str:
    return str(history["account"][0]) if history.height else ""

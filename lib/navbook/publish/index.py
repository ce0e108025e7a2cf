"""The first page: all accounts in a sentence, a row for each portfolio with its way, a row for each other page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from navbook.publish import page, series, tables, words
from navbook.publish.markup import Html
from navbook.publish.series import State, Verdict
from navbook.publish.site import Site
from navbook.publish.tables import Cell, headed
from navbook.types import Grade

SPARK = 160    # points of a line as small as a word


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A page that is no portfolio: what it says now, in words."""

    name: str
    target: str
    now: str
    tone: str = ""            # warning or negative: its state wants somebody
    kind: str = "published"
    at: datetime | None = None


def summary(site: Site, benchmark: words.Benchmark) -> Html:
    """All accounts together; groups are not counted again."""
    states = [site.state(name) for name in site.names if name not in site.groups]
    if not states:
        return headed(Html("<b>No account yet.</b>"), Html(
            "Accounts appear after their first snapshot: <code>{}</code>").format(page.COLLECT))
    accounts = words.count(len(states), "account")
    if missing := [state.account for state in states if not state.is_known_now]:
        return headed(Html("{}. <b>Not known now:</b> {}.").format(accounts, words.listed(missing)), Html(
            "A sum needs all of its parts. Collect again: <code>{}</code>").format(page.COLLECT))
    together, began = _together(states)
    nav = words.dollars(together.known["nav"] if together.known else None)
    if together.verdict is Verdict.TOO_EARLY:
        return headed(Html("{}, {}. <b>Too early to call.</b>").format(accounts, nav), Html(
            "A comparison needs a second snapshot."))
    provisional = [state.account for state in states if state.known and state.known["grade"] == Grade.PROVISIONAL]
    several = len(states) > 1
    fresh = headed(
        Html("{}, {}. {}{}").format(accounts, nav, "Together " if several else "",
                                    page.ahead(together, benchmark, began, inside=several)),
        Html("{}").format(f"Provisional: {words.listed(provisional)}." if provisional
                          else "All newest snapshots are complete."))
    return tables.either(fresh, headed(Html("{}. <b>Not known now.</b>").format(accounts), Html(
        "Nothing newer has been collected. Collect again: <code>{}</code>").format(page.COLLECT)))


def portfolios(site: Site, histories: Iterable[tuple[str, pl.DataFrame]], benchmark: words.Benchmark) -> Html:
    """A row for each account and group of `histories`, with its state in words and the age of its data."""
    rows = [("", _cells(site, name, history)) for name, history in histories]
    if not rows:
        return Html("")
    note = Html("{} against {}.").format(tables.coloured("account", "Account"), tables.coloured(
        "benchmark", f"{benchmark.full} with the same deposits and withdrawals"))
    return tables.section("Portfolios", note, tables.table(
        [("Account", ""), ("NAV", "num"), ("Ahead by", "num"), ("", "num"), ("", "spark wide"),
         ("In words", "wide"), ("Age", "num")], rows), name="accounts-table")


def everything_else(entries: Sequence[Entry]) -> Html:
    """A row for each other page."""
    rows: list[tuple[str, Sequence[Cell]]] = [("", (
        Html('<a href="{}">{}</a>').format(entry.target, entry.name),
        Html('<span class="{}">{}</span>').format(entry.tone, entry.now), entry.kind,
        "now" if entry.kind == "live" else tables.age(entry.at))) for entry in entries]
    return tables.section("Everything else", "Published pages open at once and run nothing. Live pages read only.",
                          tables.table([("Page", ""), ("Now", ""), ("Kind", "wide"), ("Age", "num")], rows),
                          name="pages-table")


def sparkline(history: pl.DataFrame) -> Html:
    """Account and benchmark over all time; broken where data is missing."""
    rows = series.thinned(series.in_segments(history, series.gaps(history)), most=SPARK)
    if rows.height < 2:
        return Html("")
    first, last = rows["time"][0].timestamp(), rows["time"][-1].timestamp()
    low = min(*rows["nav"], *rows["benchmark_value"])
    per_unit = 30 / ((max(*rows["nav"], *rows["benchmark_value"]) - low) or 1)

    def path(column: str) -> str:
        drawn = (" ".join(f"{1 + 212 * (time.timestamp() - first) / (last - first):.1f},"
                          f"{33 - per_unit * (value - low):.1f}"
                          for time, value in zip(part["time"], part[column], strict=True))
                 for part in rows.partition_by("segment", maintain_order=True))
        return " ".join(f"M{points}" for points in drawn)

    end = 33 - per_unit * (rows["nav"][-1] - low)
    return Html('<svg class="spark" viewBox="0 0 218 36" width="218" height="36" aria-hidden="true">'
                '<path class="benchmark" d="{}"/><path class="account" d="{}"/>'
                '<circle cx="213" cy="{:.1f}" r="2.5"/></svg>').format(path("benchmark_value"), path("nav"), end)


def _together(states: Sequence[State]) -> tuple[State, str]:
    """All accounts as one, and since when."""
    known = [state.known for state in states if state.known]
    since = [state.since for state in states if state.since]
    sums = {"nav": sum(row["nav"] for row in known), "time": known[0]["time"],
            "benchmark_value": sum(row["benchmark_value"] for row in known)}
    at_once = max(since) - min(since) < timedelta(days=1)
    fewest = min(state.counted for state in states)
    return (State("together", newest=sums, known=sums, since=min(since), counted=fewest),
            f"since {words.date(min(since), known[0]['time'])}" if at_once else "since each began")


def _cells(site: Site, name: str, history: pl.DataFrame) -> tuple[Cell, ...]:
    state = series.state(history, name)
    current = state.known if state.is_known_now else None
    too_early = state.verdict is Verdict.TOO_EARLY
    ahead = state.ahead_usd if current and not too_early else None
    share = state.ahead_share if current and not too_early else None
    none = words.NOTHING if too_early else words.UNKNOWN
    link = Html('<a href="{}">{}</a>').format(tables.page_name(name), name)
    return (link, words.dollars(current["nav"]) if current else words.UNKNOWN,
            Html("<b>{}</b>").format(tables.signed(ahead)) if ahead is not None else none,
            tables.toned(words.percent(share), 100 * share, 1) if share is not None else "",
            sparkline(history), _said(site, state), tables.age(site.collected.get(name)))


def _said(site: Site, state: State) -> str:
    """The state of a portfolio in words."""
    said = str(state.verdict)
    sided = (Verdict.AHEAD, Verdict.BEHIND)
    if state.verdict in sided and state.newest:
        said += f" since {words.date(state.since, state.newest['time'])}"
    if not state.is_known_now and state.known:
        said += f"; on {words.date(state.known['time'])} {state.last_verdict}"
        if state.last_verdict in sided:
            said += f" by {words.dollars(abs(state.ahead_usd or 0))}"
    elif state.known and state.known["grade"] == Grade.PROVISIONAL:
        said += ", provisional"
    if state.account in site.groups:
        said += f"; moves between {words.listed(site.groups[state.account])} cancel out"
    return said

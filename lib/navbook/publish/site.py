"""What all pages of one publication share: the head with its links, how fresh it is, the foot with its sources."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

import polars as pl

import navbook
from navbook.publish import series, tables, words
from navbook.publish.markup import Html, join

SOURCES = ("nav_history", "performance", "snapshots", "cash_flows")    # tables whose versions a foot names


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a page needs to know beside its own frames."""

    environment: str
    run: str | None                                 # that makes the page; none: by hand
    standings: pl.DataFrame                         # NAV_HISTORY columns: a few rows of every account and group
    collected: Mapping[str, datetime | None]        # when each was last collected without an error, wall clock
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    strategies: Sequence[str] = ()                  # backtests by their names
    live: Sequence[str] = ()                        # pages that run in a kernel: trading, log
    versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Accounts by name, then groups."""
        known = self.standings["account"].unique().sort().to_list()
        return sorted(known, key=lambda name: (name in self.groups, name))

    def state(self, name: str) -> series.State:
        return series.state(self.standings, name)

    def label(self, name: str) -> str:
        """An account's name; of a group also who is in it."""
        return f"{name} ({' + '.join(self.groups[name])})" if name in self.groups else name

    @property
    def oldest(self) -> datetime | None:
        """When the account that was collected longest ago was; none when one never was."""
        times = [self.collected.get(name) for name in self.names]
        return min((time for time in times if time), default=None) if None not in times else None


def header(site: Site, section: str = "", name: str | None = None) -> Html:
    """Name, environment, links, freshness. `section` is the page's own: portfolio, strategy, trading, operations."""
    links = join(Html('<a href="{}"{}>{}</a>').format(
        target, Html(' aria-current="true"') if section == key else "", key.capitalize())
        for key, target in _sections(site).items())
    return Html(
        '<header><div class="top"><a class="brand" href="index.html">navbook</a>'
        '<span class="badge {}">{}</span><nav aria-label="Pages">{}</nav>{}'
        '<button class="switch" type="button" hidden>Dark</button></div>{}</header>').format(
            site.environment, site.environment.upper(), links,
            freshness(site, name if section == "portfolio" else None), _within(site, section, name))


def footer(site: Site, name: str | None = None) -> Html:
    """Which run made this page, from which tables, with which code."""
    rows = site.standings.filter(pl.col("account") == name) if name else site.standings
    newest = rows.filter(pl.col("time") == pl.col("time").max())
    grades = newest["grade"].unique().sort().to_list()
    at = site.collected.get(name) if name else site.oldest
    rebuild = (f"navbook reproduce {site.run}" if site.run else "navbook publish")
    items: list[tuple[str, str | Html]] = [
        ("Run", run_link(site.run) if site.run else "by hand"), ("Collected", full_moment(at)),
        ("Snapshot", Html("{} <span>of {}</span>").format(words.listed(grades), full_moment(newest["time"].max()))
         if grades else "none"),
        ("navbook", navbook.__version__), ("Rebuild it:", Html("<code>{}</code>").format(rebuild)),
        ("Tables", sources(site) or "none"), ("Environment", Html("{}<span>, all times UTC</span>").format(
            site.environment))]
    return Html("<footer>{}</footer>").format(join(Html("<p>{} <b>{}</b></p>").format(*item) for item in items))


def freshness(site: Site, name: str | None = None) -> Html:
    """When the account (else the oldest) was collected; the browser turns it into an age and a warning."""
    at = site.collected.get(name) if name else site.oldest
    if at is None:
        return Html('<p class="fresh">Not collected by a run yet</p>')
    rows = site.standings if name is None else site.standings.filter(pl.col("account") == name)
    interval = series.interval(rows)
    return Html('<p class="fresh" data-interval="{:.0f}" data-collected="{}"><i></i>Collected {}</p>').format(
        interval.total_seconds() if interval else 3600, at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        tables.age(at))


def sources(site: Site, names: Sequence[str] = SOURCES) -> str:
    """The versions of tables: nav_history 311, snapshots 2161."""
    return ", ".join(f"{name} {site.versions[name]}" for name in names if name in site.versions)


def strategy_page(name: str) -> str:
    """The published page of a backtest, whatever its name is made of."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()
    return f"strategy-{slug}-{sha256(name.encode()).hexdigest()[:4]}".replace("--", "-") + ".html"


def run_link(run: str, job: str = "publish", text: str = "") -> Html:
    """A link to the executed notebook of a run, on the server and from disk alike."""
    return Html('<a class="run-link" href="../{}/{}/page.html">{}</a>').format(job, run, text or run)


def full_moment(time: object) -> str:
    """A time to the second, for a hover."""
    if not isinstance(time, datetime):
        return words.UNKNOWN
    return f"{words.date(time)} {time.year}, {time:%H:%M:%S} UTC"


def _sections(site: Site) -> dict[str, str]:
    """The pages' sections and where each begins; those that have no page are left out."""
    found = {}
    if site.names:
        found["portfolio"] = tables.page_name(site.names[0])
    if site.strategies:
        found["strategy"] = strategy_page(site.strategies[0])
    if "trading" in site.live:
        found["trading"] = "trading.html"
    return {**found, "operations": "operations.html"}


def _within(site: Site, section: str, name: str | None) -> Html:
    """Links to the other pages of a section."""
    if section == "portfolio":
        return _row("Accounts", [(tables.page_name(each), Html("{} <small>{}</small>").format(
            site.label(each), _mark(site.state(each))), each == name) for each in site.names])
    if section == "strategy":
        return _row("Strategies", [(strategy_page(each), each, each == name) for each in site.strategies])
    return Html("")


def _row(label: str, links: Sequence[tuple[str, str | Html, bool]]) -> Html:
    return Html('<nav class="accounts" aria-label="{}">{}</nav>').format(label, join(
        Html('<a href="{}"{}>{}</a>').format(target, Html(' aria-current="page"') if current else "", text)
        for target, text, current in links))


def _mark(state: series.State) -> Html:
    share = state.ahead_share if state.is_known_now and state.counted > 1 else None
    if share is not None:
        return tables.toned(words.percent(share), 100 * share, 1)
    return Html("{}").format("" if state.is_known_now else "?")

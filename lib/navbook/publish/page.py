"""The parts of a page that are sentences and figures: header, banners, verdict, key figures, footer.

Frames in, HTML out. What is not known now is said with its last known figure and that figure's date. A
published page grows old where it lies: what a reader must see then is kept in the attribute `data-stale` of
what he sees while it is fresh, and page.js exchanges them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import polars as pl

import navbook
from navbook.publish import series, tables, words
from navbook.publish.markup import Html, join
from navbook.publish.series import State, Verdict
from navbook.types import OWN_BENCHMARK, Grade

COLLECT = "navbook collect"


def header(environment: str, nav_history: pl.DataFrame, runs: pl.DataFrame, account: str | None = None) -> Html:
    """Name, environment, freshness, and links to the accounts of `nav_history`; without `account`: the index."""
    names = nav_history["account"].unique().sort().to_list()
    first = account or (names[0] if names else None)
    portfolio = "" if first is None else Html('<a href="{}"{}>Portfolio</a>').format(
        tables.page_name(first), Html(' aria-current="true"') if account else "")
    links = "" if account is None else Html('<nav class="accounts" aria-label="Accounts">{}</nav>').format(
        join(_account_link(series.state(nav_history, name), current=name == account) for name in names))
    return Html(
        '<header><div class="top"><a class="brand" href="index.html">navbook</a>'
        '<span class="badge {}">{}</span><nav aria-label="Pages">{}</nav>{}'
        '<button class="switch" type="button" hidden>Dark</button></div>{}</header>').format(
            environment, environment.upper(), portfolio, _freshness(nav_history, runs, account), links)


def banners(nav_history: pl.DataFrame, flow_values: pl.DataFrame, runs: pl.DataFrame, account: str) -> Html:
    """What keeps the figures from being whole, worst first, each with what mends it."""
    state = series.state(nav_history, account)
    said = [_stale(collected(runs, account))]
    if state.newest and not state.is_known_now:
        until = f" Figures end on {words.moment(state.known['time'])}." if state.known else ""
        said.append(_banner("error", f"Incomplete: the snapshot of {words.moment(state.newest['time'])} has no total.",
                            Html("{}{} Collect again: <code>{}</code>").format(
                                words.sentence(state.newest["reason"], "A wallet could not be read"), until, COLLECT)))
    unpriced = series.without_price(flow_values, nav_history)
    if unpriced.height:
        flows = [f"{words.flow(flow['kind']).lower()} of {words.quantity(abs(flow['quantity']))} {flow['asset']} on "
                 f"{words.moment(flow['time'])}" for flow in unpriced.head(3).iter_rows(named=True)]
        more = f" and {unpriced.height - 3} more" if unpriced.height > 3 else ""
        have, it = ("has", "It is") if unpriced.height == 1 else ("have", "They are")
        said.append(_banner("warning", f"{words.count(unpriced.height, 'flow')} {have} no price: "
                                       f"{'; '.join(flows)}{more}.",
                            Html("{} in neither the account's return nor the benchmark.").format(it)))
    if state.is_known_now and state.newest and state.newest["grade"] == Grade.PROVISIONAL:
        said.append(_banner("warning", "The newest snapshot is provisional.",
                            Html("{} It is shown and counted in returns, never in a fee.").format(
                                words.sentence(state.newest["reason"]))))
    return join(said)


def verdict(nav_history: pl.DataFrame, benchmark: words.Benchmark, account: str) -> Html:
    """Ahead or behind, by how much, since when; or what was known last."""
    state = series.state(nav_history, account)
    if state.newest is None:
        return _verdict(Html("<b>No snapshot yet.</b>"),
                        Html("The first one is taken by <code>{}</code>.").format(COLLECT))
    if state.verdict is Verdict.NOT_KNOWN:
        return _verdict(_not_known(state, benchmark), Html(
            "A number that is not known is not a number: nothing is estimated for what could not be read."))
    if state.verdict is Verdict.TOO_EARLY:
        return _verdict(Html("<b>Too early to call.</b>"), Html(
            "The first snapshot is of {}; the next one can be compared with {}.").format(
                words.moment(state.since), benchmark.full))
    start = words.moment(state.since, state.newest["time"]).removesuffix(" UTC")
    fresh = _verdict(_ahead(state, benchmark), Html(
        "{} to {}. The same deposits and withdrawals went into {} at the same minutes.").format(
            start, words.moment(state.newest["time"]), benchmark.short))
    stale = _verdict(_not_known(state, benchmark), Html(
        "A number that is not known is not a number: nothing is estimated for the time since then."))
    return _either(fresh, stale)


def key_figures(nav_history: pl.DataFrame, performance: pl.DataFrame, flow_values: pl.DataFrame,
                benchmark: words.Benchmark, account: str) -> Html:
    """The six figures. Where the newest snapshot has none: unknown, with the last known one and its date."""
    state = series.state(nav_history, account)
    if state.newest is None:
        return Html("")
    since_start = performance.filter(pl.col("account") == account, pl.col("period") == "inception",
                                     pl.col("benchmark") == OWN_BENCHMARK)
    returns = since_start.row(0, named=True) if since_start.height and state.counted > 1 else None
    stale = _figures(state, returns, flow_values, benchmark, known_now=False)
    if not state.is_known_now:
        return stale
    return _either(_figures(state, returns, flow_values, benchmark, known_now=True), stale)


def summary(nav_history: pl.DataFrame, benchmark: words.Benchmark) -> Html:
    """The index's sentence: all accounts together."""
    states = [series.state(nav_history, name) for name in nav_history["account"].unique().sort()]
    if not states:
        return _verdict(Html("<b>No account yet.</b>"), Html(
            "Accounts appear after their first snapshot: <code>{}</code>").format(COLLECT))
    accounts = words.count(len(states), "account")
    if missing := [state.account for state in states if not state.is_known_now]:
        return _verdict(Html("{}. <b>Not known now:</b> {}.").format(accounts, words.listed(missing)), Html(
            "A sum needs all of its parts. Collect again: <code>{}</code>").format(COLLECT))
    known = [state.known for state in states if state.known]
    nav = sum(row["nav"] for row in known)
    worth = sum(row["benchmark_value"] for row in known)
    since = [state.since for state in states if state.since]
    together = State("together", newest=(both := {"nav": nav, "benchmark_value": worth, "time": known[0]["time"]}),
                     known=both, since=min(since), counted=min(state.counted for state in states))
    if together.verdict is Verdict.TOO_EARLY:
        return _verdict(Html("{}, {}. <b>Too early to call.</b>").format(accounts, words.dollars(nav)), Html(
            "A comparison needs a second snapshot."))
    began = f"since {words.date(min(since), known[0]['time'])}" if max(since) - min(since) < timedelta(
        days=1) else "since each began"
    provisional = [row["account"] for row in known if row["grade"] == Grade.PROVISIONAL]
    fresh = _verdict(Html("{}, {}. {}{}").format(accounts, words.dollars(nav), "Together " if len(states) > 1 else "",
                                                 _ahead(together, benchmark, began, inside=len(states) > 1)),
                     Html("{}").format(f"Provisional: {words.listed(provisional)}." if provisional
                                       else "All newest snapshots are complete."))
    return _either(fresh, _verdict(Html("{}. <b>Not known now.</b>").format(accounts), Html(
        "Nothing newer has been collected. Collect again: <code>{}</code>").format(COLLECT)))


def accounts(nav_history: pl.DataFrame, benchmark: words.Benchmark, runs: pl.DataFrame) -> Html:
    """The index's table, with the age of each account's data."""
    names = nav_history["account"].unique()
    return tables.accounts(nav_history, benchmark, {name: collected(runs, name) for name in names})


def footer(environment: str, nav_history: pl.DataFrame, runs: pl.DataFrame, versions: Mapping[str, int],
           account: str | None = None) -> Html:
    """Which run made this page, from which tables, with which code. The run is NAVBOOK_RUN's."""
    newest = nav_history.filter(pl.col("account") == account) if account else nav_history
    last = newest["time"].max()
    grades = newest.filter(pl.col("time") == pl.col("time").max())["grade"].unique().sort().to_list()
    at = collected(runs, account) if account else _oldest(nav_history, runs)
    items: list[tuple[str, str | Html]] = [
        ("Run", os.environ.get("NAVBOOK_RUN") or "by hand"),
        ("Collected", _full_moment(at)),
        ("navbook", navbook.__version__),
        ("Tables", ", ".join(f"{name} {versions[name]}" for name in SHOWN_VERSIONS if name in versions) or "none"),
        ("Snapshot", Html("{} <span>of {}</span>").format(words.listed(grades), _full_moment(last)) if grades
         else "none"),
        ("Environment", Html("{}<span>, all times UTC</span>").format(environment))]
    return Html("<footer>{}</footer>").format(join(Html("<p>{} <b>{}</b></p>").format(*item) for item in items))


SHOWN_VERSIONS = ("nav_history", "performance", "snapshots", "cash_flows")


def collected(runs: pl.DataFrame, account: str) -> datetime | None:
    """When `account` was last collected without an error, on the wall's clock."""
    done = runs.filter(pl.col("job") == "collect", pl.col("status") == "ok", pl.col("account").is_in(["all", account]))
    last = done["ended_at"].max()
    return last if isinstance(last, datetime) else None


# The parts.

def _freshness(nav_history: pl.DataFrame, runs: pl.DataFrame, account: str | None) -> Html:
    at = collected(runs, account) if account else _oldest(nav_history, runs)
    if at is None:
        return Html('<p class="fresh">Not collected by a run yet</p>')
    own = nav_history.filter(pl.col("account") == account) if account else nav_history
    interval = series.interval(own)
    return Html('<p class="fresh" data-interval="{:.0f}" data-collected="{}"><i></i>Collected {}</p>').format(
        interval.total_seconds() if interval else 3600, at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        tables.age(at))


def _oldest(nav_history: pl.DataFrame, runs: pl.DataFrame) -> datetime | None:
    times = [collected(runs, name) for name in nav_history["account"].unique()]
    return min((time for time in times if time), default=None) if None not in times else None


def _account_link(state: State, *, current: bool) -> Html:
    known = state.is_known_now and state.counted > 1
    share = state.ahead_share if known else None
    mark = tables.toned(words.percent(share), 100 * share, 1) if share is not None else Html("{}").format(
        "" if state.is_known_now else "?")
    return Html('<a href="{}"{}>{} <small>{}</small></a>').format(
        tables.page_name(state.account), Html(' aria-current="page"') if current else "", state.account, mark)


def _banner(kind: str, headline: str | Html, rest: Html) -> Html:
    sign = "\N{MULTIPLICATION X}" if kind == "error" else "!"
    return Html('<div class="banner {}" role="status"><span aria-hidden="true">{}</span>'
                '<p><b>{}</b> {}</p></div>').format(kind, sign, headline, rest)


def _stale(at: datetime | None) -> Html:
    if at is None:
        return Html("")
    headline = Html("Stale: last collected {} ago ({}).").format(tables.age(at), words.moment(at))
    return _either(Html(""), _banner("error", headline, Html("Collect again: <code>{}</code>").format(COLLECT)))


def _either(fresh: Html, stale: Html) -> Html:
    return Html('<div data-stale="{}">{}</div>').format(str(stale), fresh)


def _verdict(sentence: Html, below: Html) -> Html:
    return Html('<section class="verdict"><h1>{}</h1><p>{}</p></section>').format(sentence, below)


def _ahead(state: State, benchmark: words.Benchmark, since: str | None = None, *, inside: bool = False) -> Html:
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


def _figures(state: State, returns: Mapping[str, float] | None, flow_values: pl.DataFrame,
             benchmark: words.Benchmark, *, known_now: bool) -> Html:
    known = state.known
    day = words.date(known["time"], state.newest["time"] if state.newest else None) if known else ""
    until = "" if known_now or not known else f", to {day}"
    own = Html('{} <span class="benchmark">{}</span>{}')
    ahead = state.ahead_usd if state.counted > 1 else None
    nav_note: str | Html = f"{day}: {words.dollars(known['nav'])}" if known else "no complete snapshot yet"
    ahead_note = "needs two snapshots" if ahead is None else f"{day}: {words.dollars(ahead, signed=True)}"
    if known_now and known:
        nav_note = own.format(benchmark.short, words.dollars(known["benchmark_value"]), "")
        if ahead is not None:
            ahead_note = f"{words.percent(state.ahead_share)} of the benchmark"
    figures: list[tuple[str, str | Html, str | Html]] = [
        ("Net asset value", _unknown() if not known_now or not known else words.dollars(known["nav"]), nav_note),
        ("Ahead by", _unknown() if not known_now or ahead is None else tables.signed(ahead), ahead_note)]
    if returns is None:
        missing = "needs two snapshots"
        figures += [(name, _unknown(), missing) for name in (
            "Return, time-weighted", "Alpha", "Deepest drawdown", "Deposits less withdrawals")]
        return tables.key_figures(figures)
    figures += [
        ("Return, time-weighted", words.percent(returns["twr"]),
         own.format(benchmark.short, words.percent(returns["benchmark_twr"]), until)),
        ("Alpha", Html("{} <span>points</span>").format(words.points(returns["alpha"], unit=False)),
         f"return less {benchmark.short}'s{until}"),
        ("Deepest drawdown", words.percent(returns["max_drawdown"]),
         own.format(benchmark.short, words.percent(returns["benchmark_max_drawdown"]), until)),
        ("Deposits less withdrawals", words.dollars(returns["flows_usd"], signed=True),
         _counted_flows(state, flow_values, until))]
    return tables.key_figures(figures)


def _counted_flows(state: State, flow_values: pl.DataFrame, until: str) -> str:
    if state.known is None or state.since is None:
        return ""
    inside = flow_values.filter(pl.col("time") > state.since, pl.col("time") <= state.known["time"],
                                pl.col("value_usd").is_not_null())
    received = inside.filter(pl.col("value_usd") > 0).height
    return f"{received} in, {inside.height - received} out{until}"


def _unknown() -> Html:
    return Html('<span class="muted">{}</span>').format(words.UNKNOWN)


def _full_moment(time: object) -> str:
    if not isinstance(time, datetime):
        return words.UNKNOWN
    return f"{words.date(time)} {time.year}, {time:%H:%M:%S} UTC"

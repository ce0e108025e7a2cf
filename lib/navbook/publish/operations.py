"""The operations page: is collecting on time, what wants somebody, and the evidence: slots, runs, ages, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from navbook.publish import site, tables, words
from navbook.publish.markup import Html, join
from navbook.publish.site import Site

RUNS_LISTED = 14
QUARANTINED_LISTED = 8
OK, FAILED = "ok", "failed"    # of a run; a killed one is shown like a failed one
SIGNS = {"ok": ("\N{CHECK MARK}", "positive"), "warn": ("!", "warning"), "fail": ("\N{MULTIPLICATION X}", "negative")}


@dataclass(frozen=True, kw_only=True)
class Want:
    """Something that wants somebody: what is the matter, and the next step. `state` is warn or fail."""

    state: str
    what: str
    step: str = ""


@dataclass(frozen=True, kw_only=True)
class Age:
    """How old a kind of data may become before it counts as late."""

    what: str
    due: str                  # hourly, daily, 8 h
    at: datetime | None       # on the wall's clock
    late_after: timedelta


def verdict(runs: pl.DataFrame, slots: pl.DataFrame, wants: Sequence[Want], tiles: Mapping[str, Want],
            next_run: datetime | None) -> Html:
    """Is collecting on time, and what wants somebody, worst first. Below it the states of what a run needs."""
    collects = runs.filter(pl.col("job") == "collect").sort("started_at")
    last = collects.row(-1, named=True) if collects.height else None
    if last is None:
        sentence = Html("<b>Nothing was collected yet.</b> <code>navbook collect</code> takes the first snapshot.")
    else:
        sentence = Html("<b{}>{}</b> {}").format(
            "" if last["status"] == OK else Html(' class="negative"'),
            "Collecting works." if last["status"] == OK else "The last collection failed.", _wanted(wants))
    newest = runs["started_at"].max()
    last_run = words.moment(newest) if isinstance(newest, datetime) else "none"
    following = words.moment(next_run) if next_run else "by hand or cron: no schedule is set"
    states = join((_tile(name, tile) for name, tile in tiles.items()), " ")
    return Html('<section class="verdict"><h1>{}</h1><p>{}</p><p class="tiles">{} <span>last run <b>{}</b></span> '
                '<span>next <b>{}</b></span></p></section>').format(
                    sentence, slot_counts(slots), states, last_run, following)


def slot_counts(slots: pl.DataFrame) -> str:
    """How many slots ran, were caught up, are gone for good, failed."""
    if slots.is_empty():
        return "No slot is known yet: a job with a cron expression in the settings gets one for each time it is due."
    number = dict(slots.group_by("fate").len().iter_rows())
    ran = number.get("ran", 0)
    first = words.date(slots["time"].min(), slots["time"].max())    # type: ignore[arg-type]
    return (f"Of {slots.height:,} slots since {first}, {ran:,} ran on time "
            f"({words.percent(ran / slots.height, signed=False)}), {number.get('caught_up', 0):,} were caught up, "
            f"{number.get('skipped', 0):,} missed for good, {number.get('failed', 0):,} failed.")


def what_to_do(wants: Sequence[Want]) -> Html:
    """Everything that wants somebody, worst first, each with its next step."""
    if not wants:
        return tables.section("What to do", "Nothing: all checks pass.", Html(""))
    rows = [("", (Html('<span class="{}">{}</span>').format(SIGNS[want.state][1], SIGNS[want.state][0]),
                  Html("{} {}").format(want.what, Html("<code>{}</code>").format(want.step) if want.step else "")))
            for want in wants]
    return tables.section("What to do", "Worst first; the same as navbook check says.",
                          tables.table([("", ""), ("What", "")], rows), name="wants")


def recent_runs(runs: pl.DataFrame, pages: frozenset[str] = frozenset()) -> Html:
    """The newest runs with how long they took beside the job's usual time; `pages` are runs with a page to open."""
    if runs.is_empty():
        return tables.section("Runs", "No run yet: navbook all makes the first ones.", Html(""))
    took = (pl.col("ended_at") - pl.col("started_at")).dt.total_milliseconds() / 1000
    timed = runs.with_columns(took=took).with_columns(usual=pl.col("took").median().over("job"))
    shown = timed.sort("started_at", descending=True).head(RUNS_LISTED)
    longest = max((value for value in [*shown["took"], *shown["usual"]] if value), default=1.0)
    now = shown["started_at"][0]
    rows = [("", (row["job"], row["account"], Html('<span title="{}">{}</span>').format(
        words.moment(row["started_at"], seconds=True), _when(row["started_at"], now)), _result(row),
        "" if row["took"] is None else _took(row["took"]), _took_bar(row["took"], row["usual"], longest),
        site.run_link(row["run"], row["job"], row["run"][-8:]) if row["run"] in pages else row["run"][-8:]))
        for row in shown.iter_rows(named=True)]
    note = "Newest first. The tick is the job's usual time (median). Each link opens the executed notebook."
    return tables.section("Runs", note, tables.table(
        [("Job", ""), ("Account", "wide"), ("Started", ""), ("Result", ""), ("Took", "num"), ("", "bar wide"),
         ("Run", "")], rows), name="runs")


def ages(found: Sequence[Age]) -> Html:
    """How old each kind of data is; the browser keeps the ages and marks what is late."""
    rows = [("", (age.what, age.due, tables.age(age.at), "" if age.at is None else Html(
        '<span class="way aging" data-at="{}" data-late="{:.0f}"><span class="fill quiet"></span>'
        '<span class="at" style="left:75%"></span></span>').format(_iso(age.at), age.late_after.total_seconds())))
        for age in found]
    return tables.section("How old is the data", "The tick is when it counts as late.", tables.table(
        [("What", ""), ("Due", ""), ("Age", "num"), ("", "bar wide")], rows), name="ages")


def quarantine(rows: pl.DataFrame) -> Html:
    """The rows that no parser could read; words from outside."""
    waiting = rows.sort("time", descending=True)
    if waiting.is_empty():
        return tables.section("Quarantine", "Empty: every row of the exchange's answers could be read.", Html(""))
    shown = [("", (words.date(row["time"]), row["account"], str(row["endpoint"]).rsplit("/", 1)[-1], row["reason"]))
             for row in waiting.head(QUARANTINED_LISTED).iter_rows(named=True)]
    rest = f" {waiting.height - QUARANTINED_LISTED} older ones are not shown." if len(shown) < waiting.height else ""
    return tables.section("Quarantine", Html("Rows that could not be read.{} Whole: <code>navbook sql "
                                             "\"from quarantine\"</code>").format(rest), tables.table(
        [("Seen", "date"), ("Account", ""), ("From", ""), ("Why", "")], shown), name="quarantine")


def log_link(about: Site) -> Html:
    """Where the log is."""
    if "log" not in about.live:
        return Html("")
    return tables.section("Log", Html('Every line, newest first, with filters: <a class="link" href="log.html">open '
                                      "the log</a> (on the server only)."), Html(""))


# The parts.

def _wanted(wants: Sequence[Want]) -> Html:
    if not wants:
        return Html("Nothing wants you.")
    worst = wants[0]
    number = f"{words.count(len(wants), 'thing')} want{'s' if len(wants) == 1 else ''} you"
    return Html('{}: <span class="{}">{}</span>').format(number, SIGNS[worst.state][1], worst.what)


def _tile(name: str, tile: Want) -> Html:
    sign, tone = SIGNS[tile.state]
    return Html('<span class="tile {}" title="{}">{} <b class="{}">{}</b></span>').format(
        tile.state, tile.what, name, tone, sign)


def _result(row: Mapping[str, object]) -> Html:
    status = str(row["status"])
    if status == OK:
        return Html('<span class="positive">\N{CHECK MARK} done</span>')
    return Html('<span class="negative" title="{}">\N{MULTIPLICATION X} {}</span>').format(row["reason"] or "", status)


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else words.span(timedelta(seconds=seconds))


def _took_bar(took: float | None, usual: float | None, longest: float) -> Html:
    if took is None:
        return Html("")
    slow = usual is not None and took > 2 * usual
    return Html('<span class="way"><span class="fill {}" style="left:0;width:{:.2f}%"></span>'
                '<span class="at tick" style="left:{:.2f}%"></span></span>').format(
                    "slow" if slow else "quiet", 100 * took / longest, 100 * (usual or took) / longest)


def _when(time: datetime, now: datetime) -> str:
    return f"{time:%H:%M:%S}" if time.date() == now.date() else f"{words.date(time, now)} {time:%H:%M}"


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""The log view: every line of every run, with filters that the browser applies. Words of a log are text, never HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import polars as pl

from navbook.publish import site, words
from navbook.publish.markup import Html, join
from navbook.publish.site import Site
from navbook.publish.tables import headed

FILTERS = ("level", "category", "account")
SIGNS = {"warning": ("! warn", "warning"), "error": ("\N{MULTIPLICATION X} error", "negative"),
         "critical": ("\N{MULTIPLICATION X} critical", "negative")}


def header(about: Site, now: datetime) -> Html:
    """The page's head; what it shows was read `now`, on the wall's clock."""
    head = str(site.header(about, "operations"))
    start, end = head.index('<p class="fresh"'), head.index("</p>") + 4
    iso = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fresh = Html('<p class="fresh live"><i></i>Live, read <time class="age" datetime="{}">now</time> ago</p>'
                 ).format(iso)
    return Html(head[:start]) + fresh + Html(head[end:])


def verdict(lines: pl.DataFrame) -> Html:
    """How many lines, and how many of them are warnings and errors."""
    if lines.is_empty():
        return headed(Html("<b>No line yet.</b>"), "A run writes the first ones: navbook all.")
    bad = [(name, lines.filter(pl.col("level").is_in(levels)).height, tone) for name, levels, tone in (
        ("error", ("error", "critical"), "negative"), ("warning", ("warning",), "warning"))]
    told = [Html('<b class="{}">{}</b>').format(tone, words.count(number, name).lower())
            for name, number, tone in bad if number]
    newest = lines["time"][0]
    return headed(Html("{} lines, {}.").format(f"{lines.height:,}", join(told, " and ") or "no warning and no error"),
                  f"{words.moment(lines['time'][-1], newest)} to {words.moment(newest, seconds=True)}.")


def view(lines: pl.DataFrame) -> Html:
    """Filters with how many lines each choice has, the lines, and a link that saves what is shown as CSV."""
    rows = join(_row(row) for row in lines.iter_rows(named=True))
    heads = join(Html('<th scope="col" class="{}">{}</th>').format(name, head) for head, name in (
        ("Time", ""), ("Level", ""), ("Job", "wide"), ("Account", "wide"), ("What happened", "")))
    return Html('<section class="log"><div class="filters" data-keep="filters">{} '
                '<input type="search" aria-label="Words" placeholder="words"> '
                '<span class="shown muted">{} lines</span> '
                '<a class="export link" download="navbook-log.csv" href="data:,">CSV</a></div>'
                '<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></section>').format(
                    join(_filter(name, lines) for name in FILTERS), lines.height, heads, rows)


def _filter(name: str, lines: pl.DataFrame) -> Html:
    counts = dict(lines.group_by(name).len().sort(name).iter_rows())
    options: Sequence[tuple[str, str, int]] = [("", "any", lines.height), *(
        (value, value, number) for value, number in counts.items())]
    return Html('<label>{} <select name="{}">{}</select></label>').format(name.capitalize(), name, join(
        Html('<option value="{}" data-name="{}">{} {}</option>').format(value, shown, shown, number)
        for value, shown, number in options))


def _row(row: Mapping[str, object]) -> Html:
    time = row["time"]
    assert isinstance(time, datetime)
    sign, tone = SIGNS.get(str(row["level"]), (row["level"], "muted"))
    reason = Html(" \N{EN DASH} {}").format(row["reason"]) if row["reason"] else ""
    seconds = Html(' <span class="muted">{:.1f} s</span>').format(row["seconds"]) if row["seconds"] is not None else ""
    return Html('<tr data-time="{}" data-level="{}" data-category="{}" data-account="{}" data-run="{}">'
                '<th scope="row" title="{}">{}</th><td class="{}">{}</td><td class="wide">{}</td>'
                '<td class="wide">{}</td><td class="event">{}{}{}</td></tr>').format(
                    time.isoformat(), row["level"], row["category"], row["account"], row["run"], row["run"],
                    f"{words.date(time)} {time:%H:%M:%S}", tone, sign, row["category"], row["account"], row["event"],
                    reason, seconds)



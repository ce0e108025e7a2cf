"""A year's statement on one page: what there was, what came and went, what it made, against the benchmark.

A file that needs nothing else, made to be printed: light colours, A4, no script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from navbook.publish import palette, tables, words
from navbook.publish.markup import Html, join
from navbook.publish.tables import Cell

MONTHS_OF = 4           # accounts whose months fit beside one another on the page
RESTATED_LISTED = 8     # lines of restatements that fit on it
FAULTY_LISTED = 5       # lines of accounts with gaps
CSS = Path(__file__).with_name("template") / "statement.css"
NUMBER = "num"
SUMS = ("nav_from", "flows_usd", "gain_usd", "nav_to")    # in the order in which they add up
OWED = ("fee_usd", "pending_usd")
CERTAIN = "Every snapshot is complete, every flow has a price."
FOOT = ("Times are UTC. NAV counts every wallet at its snapshot's prices; deposits and withdrawals count at the price "
        "of their own minute. Fees due are those whose period ended in the year. Worked out by navbook from the "
        "exchange's records, which the CSV files beside this page hold. No advice.")


@dataclass(frozen=True)
class Year:
    """What the page is made of; frames are of one environment and year."""

    name: str                      # 2026
    environment: str
    figures: pl.DataFrame          # a row an account: compute.yearly
    months: pl.DataFrame           # PERFORMANCE of the year's months against the accounts' own benchmarks
    closings: pl.DataFrame         # CLOSINGS of the year
    restatements: pl.DataFrame     # RESTATEMENTS of the year
    quarantined: int               # rows of answers of that year that nothing could read
    benchmark: words.Benchmark


def page(year: Year) -> str:
    """The whole file. Without any account: a sentence that says so."""
    parts = [_head(year)]
    if not year.figures.is_empty():
        parts += [_accounts(year), _months(year), _uncertain(year), _restated(year)]
    return Html('<!doctype html><html lang="en"><head><meta charset="utf-8"><title>navbook statement {}</title>'
                '<meta http-equiv="Content-Security-Policy" content="{}"><style>{}</style></head>'
                '<body><main>{}<footer>{}</footer></main></body></html>\n').format(
        year.name, "default-src 'none'; style-src 'unsafe-inline'", Html(_css()), join(parts), FOOT)


def _css() -> str:
    colours = "".join(f"--{name}:{colour};" for name, colour in palette.LIGHT.items())
    return f":root{{{colours}--font:{palette.FONT}}}{CSS.read_text(encoding='utf-8')}"


def _head(year: Year) -> Html:
    said = "No snapshot of this year counts, so there is nothing to state."
    if not year.figures.is_empty():
        first, last = (pl.Series([time]).dt.strftime("%-d %b %Y")[0] for time in (
            year.figures["from_time"].min(), year.figures["to_time"].max()))
        cents = float(_in_cents(year.figures)["gain_usd"].sum())
        said = (f"A {'loss' if cents < 0 else 'gain'} of {words.dollars(abs(cents) / 100, 2)} between {first} and "
                f"{last}, measured against {year.benchmark.full} with the same deposits and withdrawals.")
    return Html('<header><p class="badge">{}</p><h1>Statement {}</h1><p>{}</p></header>').format(
        year.environment, year.name, said)


def _accounts(year: Year) -> Html:
    figures = _in_cents(year.figures)
    rows: list[tuple[str, Sequence[Cell]]] = [("", (
        row["account"], *_dollars(row), words.percent(row["twr"], 2), words.percent(row["benchmark_twr"], 2),
        _points(row["alpha"]), *_owed(row))) for row in figures.iter_rows(named=True)]
    if figures.height > 1:
        together = figures.select(pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()) for name in (*SUMS, *OWED))
        row = together.row(0, named=True)
        rows.append(("total", ("Together", *_dollars(row), "", "", "", *_owed(row))))
    heads = ("NAV at start", "In and out", "Gain", "NAV at end", "Return", "Benchmark", "Points", "Fees due", "Unpaid")
    return tables.section("Accounts", "USD: start, in and out, and gain add up to the end. Return and benchmark are "
                          "time-weighted; points are their difference.",
                          tables.table([("Account", ""), *((head, NUMBER) for head in heads)], rows))


def _months(year: Year) -> Html:
    accounts = year.figures["account"].to_list()
    if len(accounts) > MONTHS_OF:
        return tables.section("Months", f"Of {len(accounts)} accounts, each has a page of its own: "
                              f"navbook export --year {year.name} --account NAME.", Html(""))
    columns = [("Month", ""), *((text, NUMBER) for name in accounts for text in (name, "Points"))]
    found = {(row["period"], row["account"]): row for row in year.months.iter_rows(named=True)}
    rows = [("", (period, *(cell for name in accounts for cell in _month(found.get((period, name))))))
            for period in sorted({period for period, _ in found})]
    closed = sorted(set(year.closings["month"]))
    return tables.section("Months", "Time-weighted return, and points ahead of the benchmark. " + (
        f"Closed: {words.listed(closed)}." if closed else "No month is closed."), tables.table(columns, rows))


def _month(row: dict[str, Any] | None) -> tuple[str, str]:
    return (words.NOTHING, words.NOTHING) if row is None else (words.percent(row["twr"], 2), _points(row["alpha"]))


def _uncertain(year: Year) -> Html:
    """What is known not to be known."""
    said = [f"{row['account']}: {words.listed(faults)}." for row in year.figures.iter_rows(named=True)
            if (faults := _faults(row))]
    if len(said) > FAULTY_LISTED:
        said = [*said[:FAULTY_LISTED], f"{len(said) - FAULTY_LISTED} more accounts: snapshots.csv and flows.csv."]
    if year.quarantined:
        said.append(f"{words.count(year.quarantined, 'row')} of the exchange's answers could not be read; "
                    "navbook check lists them.")
    return tables.section("Not certain", "", join(Html("<p>{}</p>").format(line) for line in said or [CERTAIN]))


def _faults(row: dict[str, Any]) -> list[str]:
    grades = [f"{row[grade]} of {row['snapshots']} snapshots {grade}" for grade in ("provisional", "incomplete")
              if row[grade]]
    return grades + ([f"{words.count(row['unpriced'], 'flow').lower()} without a price"] if row["unpriced"] else [])


def _restated(year: Year) -> Html:
    """Figures of closed months that changed after they were closed."""
    if year.restatements.is_empty():
        said = "No figure of a closed month has changed." if year.closings.height else "No month was closed."
        return tables.section("Restatements", "", Html("<p>{}</p>").format(said))
    listed = year.restatements.head(RESTATED_LISTED)
    rows = [("", (row["month"], row["account"], row["benchmark"], row["figure"],
                  *(_figure(row["figure"], row[name]) for name in ("closed", "now", "difference"))))
            for row in listed.iter_rows(named=True)]
    heads = (*((head, "") for head in ("Month", "Account", "Benchmark", "Figure")),
             *((head, NUMBER) for head in ("Closed", "Now", "Difference")))
    more = year.restatements.height - listed.height
    return tables.section("Restatements", "Figures that are others now than when their month was closed."
                          + (f" {more} more: navbook close --list." if more else ""), tables.table(heads, rows))


def _in_cents(figures: pl.DataFrame) -> pl.DataFrame:
    """`figures` whose dollars are whole cents, so that the rows as shown add up."""
    cents = figures.with_columns((pl.col(*SUMS, *OWED) * 100).round().cast(pl.Int64))
    return cents.with_columns(gain_usd=pl.col("nav_to") - pl.col("nav_from") - pl.col("flows_usd"))


def _dollars(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(words.number(row[name] / 100, 2) for name in SUMS)


def _owed(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(words.NOTHING if row[name] is None else words.number(row[name] / 100, 2) for name in OWED)


def _points(fraction: float | None) -> str:
    return words.number(None if fraction is None else 100 * fraction, 2, signed=True)


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return words.UNKNOWN
    is_money = name.endswith("usd") or name.startswith("nav")
    return words.number(value, 2) if is_money else words.percent(value, 4)

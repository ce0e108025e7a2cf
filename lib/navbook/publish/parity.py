"""The words and tables of the parity report. `rows` are PARITY of one position."""

from __future__ import annotations

from typing import Any

import polars as pl

from navbook.publish import tables, words
from navbook.publish.markup import Html
from navbook.publish.tables import headed

CAUSES = {"delay": ("Check delay", "opened at another minute than in the backtest, or in one of the two alone"),
          "slippage": ("Slippage", "filled at another price than the candle's open, or than the level"),
          "fee": ("Fee", "commission, against the backtest's rate"),
          "funding": ("Funding", "paid and received, against the settlements"),
          "manual": ("By hand", "closed by a person, or nobody knows how"),
          "data": ("Data", "the exchange closed it elsewhere than the candles say")}
FOUND = {"both": "", "live only": "live only", "backtest only": "backtest only"}
CENT = 0.005
LISTED = 100    # trades with a row of their own


def verdict(name: str, rows: pl.DataFrame) -> Html:
    """Whether the trader did what the backtest promises."""
    both = rows.filter(pl.col("found") == "both").height
    difference = float(rows["difference"].sum())
    said = Html("{} of {} are in both. Live made {}, the backtest of the same minutes {}.").format(
        words.count(both, "trade"), rows.height,
        *(words.dollars(float(rows[f"{who}_pnl"].sum()), 2, signed=True) for who in ("live", "backtest")))
    if both == rows.height and abs(difference) < CENT and rows["difference"].abs().max() < CENT:    # type: ignore[operator]
        head = Html('<span class="strategy">{}</span> did <b>exactly what the backtest does</b>.').format(name)
    else:
        head = Html('<span class="strategy">{}</span> made <b>{} {} than the backtest</b>{}.').format(
            name, words.dollars(abs(difference), 2), "more" if difference >= 0 else "less", _mostly(rows))
    return headed(head, said)


def causes(rows: pl.DataFrame) -> Html:
    """What makes the difference; the rows add up to it."""
    sums = {cause: float(rows[cause].sum()) for cause in CAUSES}
    widest = max(abs(value) for value in sums.values())
    body: list[tuple[str, tuple[str | Html, ...]]] = [
        ("", (CAUSES[cause][0], CAUSES[cause][1], _toned(value), tables.bar_from_middle(value, widest)))
        for cause, value in sums.items()]
    total = float(rows["difference"].sum())
    return tables.section("What makes the difference", "Live less backtest, in dollars. The rows add up.", tables.table(
        [("Cause", ""), ("", "wide"), ("USD", "num"), ("", "bar wide")],
        [*body, ("total", (Html("<b>Difference</b>"), "", _toned(total), ""))]))


def trades(rows: pl.DataFrame) -> Html:
    """Every pair, the largest differences first."""
    shown = rows.sort(pl.col("difference").abs(), pl.col("number"), descending=[True, False]).head(LISTED)
    note = f"{shown.height} of {rows.height}, the largest differences first."
    return tables.section("Trade by trade", note, tables.table(
        [("#", ""), ("Entry, live", "date"), ("Exit", ""), ("Live", "num"), ("Backtest", "num"), ("Difference", "num"),
         ("Because", "")],
        [("", (str(row["number"]), _when(row), _exits(row), words.dollars(row["live_pnl"], 2, signed=True),
               words.dollars(row["backtest_pnl"], 2, signed=True), _toned(row["difference"]), _because(row)))
         for row in shown.iter_rows(named=True)]))


def _mostly(rows: pl.DataFrame) -> str:
    """", mostly by slippage": the largest part of the difference."""
    cause, value = max(((cause, float(rows[cause].sum())) for cause in CAUSES), key=lambda part: abs(part[1]))
    return f", mostly by {CAUSES[cause][0].lower()}" if abs(value) >= CENT else ""


def _when(row: dict[str, Any]) -> str:
    time = row["live_entry_time"] or row["backtest_entry_time"]
    return f"{words.date(time)} {time:%H:%M}"


def _exits(row: dict[str, Any]) -> str:
    live, modelled = (row[f"{who}_reason"] for who in ("live", "backtest"))
    return str(live) if live == modelled else f"{live or words.NOTHING} / {modelled or words.NOTHING}"


def _because(row: dict[str, Any]) -> str:
    parts = [CAUSES[cause][0].lower() for cause in CAUSES if abs(row[cause]) >= CENT]
    return ", ".join([*([FOUND[row["found"]]] if FOUND[row["found"]] else []), *parts])


def _toned(value: float) -> Html:
    return tables.toned(words.dollars(value, 2, signed=True), value, 2)

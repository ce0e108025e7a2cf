"""Where the dollars came from, what other choices would have made of them, how bumpy it was, and the whole life."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from navbook.publish import figures, series, tables, words
from navbook.publish.markup import Html
from navbook.publish.tables import Cell
from navbook.types import OWN_BENCHMARK

GAPS_TOLD = 3    # sentences on what a lifetime does not cover
PARTS = {"realised_usd": "Realised profit", "funding_usd": "Funding", "commission_usd": "Commission",
         "rewards_usd": "Rewards", "price_effect_usd": "Price changes", "residual_usd": "Residual"}
ALWAYS = (PARTS["price_effect_usd"], PARTS["residual_usd"])    # the others are left out where they are nothing

Rows = list[tuple[str, Sequence[Cell]]]


def bridge(history: pl.DataFrame, bridges: pl.DataFrame, flow_values: pl.DataFrame) -> Html:
    """From the first net asset value of a period to its last, to the cent."""
    times = series.counted(history)["time"]
    found = bridges.clear() if len(times) < 2 else bridges.filter(
        pl.col("from_time") == times[0], pl.col("to_time") == times[-1])
    if found.is_empty():
        return Html("")
    row = found.row(0, named=True)
    steps = [*_flows(row, flow_values), *((name, row[part]) for part, name in PARTS.items())]
    steps = [(name, usd) for name, usd in steps if name in ALWAYS or not words.is_zero(usd, 2)]
    levels = [row["nav_from"]]
    for _, usd in steps:
        levels.append(levels[-1] + usd)
    low, high = min(levels), max(levels)
    now = row["to_time"]

    def place(usd: float) -> float:
        return float(100 * (usd - low) / ((high - low) or 1))

    rows: Rows = [("total", (f"Start, {words.date(row['from_time'], now)}", _mark(place(row["nav_from"])),
                             words.dollars(row["nav_from"], 2)))]
    for (name, usd), before in zip(steps, levels, strict=False):
        rows.append(("", (name, _floating(place(min(before, before + usd)), place(max(before, before + usd)),
                                          _colour(name, usd)), _cents(name, usd))))
    rows.append(("total", ("Now" if now == history["time"].max() else words.date(now), _mark(place(row["nav_to"])),
                           words.dollars(row["nav_to"], 2))))
    return tables.section("Where the dollars came from", "To the cent. Start and end are marks, not bars.",
                          tables.table([("From start to now", ""), ("", "bar"), ("USD", "num")], rows), name="bridge")


def other_choices(history: pl.DataFrame, performance: pl.DataFrame, configs: pl.DataFrame,
                  benchmark: words.Benchmark) -> Html:
    """The same flows in each benchmark that is configured: what it would be worth, and how far the account is ahead."""
    own = figures.returns_of(history, performance)
    if own is None:
        return Html("")
    among = performance.filter(pl.col("from_time") == own["from_time"], pl.col("to_time") == own["to_time"],
                               pl.col("benchmark_gain_usd").is_not_null()).unique("benchmark", keep="first")
    if among.height < 2:
        return Html("")
    made = {str(row["benchmark"]): row["nav_from"] + row["flows_usd"] + row["benchmark_gain_usd"]
            for row in among.sort("benchmark").iter_rows(named=True)}
    made[OWN_BENCHMARK] = series.counted(history)["benchmark_value"][-1]    # as the chart and the card have it
    nav, named = own["nav_to"], _choices(configs, benchmark)
    widest = max(abs(nav - worth) for worth in made.values())
    rows: Rows = []
    for name, worth in sorted(made.items(), key=lambda item: -item[1]):
        bar = tables.bar_from_middle(nav - worth, widest)
        label = named.get(name, name)
        rows.append(("own" if name == OWN_BENCHMARK else "", (
            label, words.dollars(worth), tables.signed(nav - worth), bar)))
    account = str(history["account"][0])
    heads: list[tuple[Cell, str]] = [("All the money in", ""), ("Would be", "num"),
                                     (f"{_short(account)} ahead by", "num"), ("", "bar wide")]
    return tables.section("Other choices, same money", "Every row had the same flows at the same minutes.",
                          tables.table(heads, rows), name="choices")


def how_bumpy(history: pl.DataFrame, performance: pl.DataFrame, benchmark: words.Benchmark) -> Html:
    """Risk of the account beside its benchmark's, of daily returns."""
    row = figures.returns_of(history, performance)
    if row is None or row.get("volatility") is None:
        return Html("")
    days = (row["to_time"] - row["from_time"]).days
    scale = "a year" if days >= 365 else f"over {words.count(days, 'day').lower()}"
    rows: Rows = [
        ("", (f"Volatility, {scale}", _percent(row["volatility"]), _percent(row["benchmark_volatility"]))),
        ("", (f"Moves with {benchmark.short} (beta)", _ratio(row["beta"]), "1.00")),
        ("", (f"Tracking error, {scale}", _percent(row["tracking_error"]), words.NOTHING)),
        ("", ("Return for its risk (Sharpe)", _ratio(row["sharpe"]), words.NOTHING)),
        ("", ("Deepest fall took", _days(row["drawdown_days"]), words.NOTHING))]
    few = f"; {days} days are few" if days < 100 else ""
    return tables.section("How bumpy", f"Daily returns{few}.", tables.table(
        [("", ""), (tables.coloured("account", _short(str(history["account"][0]))), "num"),
         (tables.coloured("benchmark", benchmark.short), "num")], rows), name="bumpy")


def lifetime(life: Mapping[str, Any] | None, problem: str, account: str, weights: str) -> Html:
    """Account and hold since the first flow. `problem`: why there is none, in a sentence."""
    if life is None:
        return tables.section("Since the first deposit", problem, Html("")) if problem else Html("")
    year = life["as_of"] - life["first_flow"] >= timedelta(days=365)
    put_in = words.dollars(life["deposited_usd"] - life["withdrawn_usd"])
    rows: Rows = [
        ("", ("Put in less taken out", put_in, words.dollars(life["deposited_usd"] - life["held_withdrawn_usd"]))),
        ("", ("Worth now", words.dollars(life["nav"]), words.dollars(life["held_value"]))),
        ("", ("Gain", tables.signed(life["gain_usd"]), tables.signed(life["held_gain_usd"]))),
        ("", ("A year, money-weighted" if year else "In all, money-weighted", words.percent(life["mwr"]),
              words.percent(life["held_mwr"])))]
    first = words.date(life["first_flow"], life["as_of"])
    body = tables.table([("", ""), (tables.coloured("account", _short(account)), "num"),
                         (tables.coloured("benchmark", "held"), "num")], rows)
    told = [Html('<p class="note">{}</p>').format(gap) for gap in life["gaps"][:GAPS_TOLD]]
    rest = len(life["gaps"]) - GAPS_TOLD
    if rest > 0:
        told.append(Html('<p class="note">And {} more: <code>navbook lifetime {} --stored</code></p>').format(
            rest, account))
    return tables.section(f"Since the first deposit, {first}",
                          f"Needs no past value: each deposit put into {weights} at its minute and held.",
                          Html("{}{}").format(body, Html("").join(told)), name="lifetime")


# The parts.

def _flows(row: Mapping[str, Any], flow_values: pl.DataFrame) -> list[tuple[str, float]]:
    """Deposits and withdrawals; as one where their sum is not the bridge's."""
    within = pl.col("time") > row["from_time"], pl.col("time") <= row["to_time"]
    inside = flow_values.filter(*within)["value_usd"].drop_nulls()
    received = round(float(inside.filter(inside > 0).sum()), 2)
    given = round(row["flows_usd"] - received, 2)
    if abs(float(inside.sum()) - row["flows_usd"]) > 0.02:
        return [("Deposits less withdrawals", row["flows_usd"])]
    return [("Deposits", received), ("Withdrawals", given)]


def _colour(name: str, usd: float) -> str:
    if name.startswith(("Deposits", "Withdrawals")):
        return "flow"
    return "quiet" if name == PARTS["residual_usd"] else words.tone(usd, 2) or "quiet"


def _cents(name: str, usd: float) -> Html:
    text = words.dollars(usd, 2, signed=True)
    return Html("{}").format(text) if _colour(name, usd) in ("flow", "quiet") else tables.toned(text, usd, 2)


def _mark(place: float) -> Html:
    return Html('<span class="way"><span class="at" style="left:{:.2f}%"></span></span>').format(place)


def _floating(start: float, end: float, colour: str) -> Html:
    return Html('<span class="way"><span class="fill {}" style="left:{:.2f}%;width:{:.2f}%"></span></span>').format(
        colour, start, end - start)


def _choices(configs: pl.DataFrame, benchmark: words.Benchmark) -> dict[str, Cell]:
    """What each benchmark is called in this table."""
    named: dict[str, Cell] = {row["benchmark"]: words.choice(
        row["benchmark"], json.loads(row["weights"]), rebalanced=row["rebalance_day"] is not None)
        for row in configs.iter_rows(named=True) if row["benchmark"] != OWN_BENCHMARK}
    own = configs.filter(pl.col("benchmark") == OWN_BENCHMARK)
    rule = ", weekly" if own.height and own["rebalance_day"][0] is not None else ""
    named[OWN_BENCHMARK] = Html('<b class="benchmark">{}{}</b>').format(
        benchmark.first, rule)
    return named


def _percent(fraction: float | None) -> str:
    return words.percent(fraction, signed=False)


def _ratio(value: float | None) -> str:
    return words.number(value, 2)


def _days(days: float | None) -> str:
    return words.NOTHING if not days else words.span(timedelta(days=days))


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:13]}\N{HORIZONTAL ELLIPSIS}"

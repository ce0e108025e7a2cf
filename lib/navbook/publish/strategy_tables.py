"""The words and tables of a backtest: the verdict, six figures, what one candle hides, every setting, and luck.

`about` is a row of BACKTESTS; `sweep` are BACKTEST_SWEEPS of the same name.
"""

from __future__ import annotations

import json
import os
from typing import Any

import polars as pl

import navbook
from navbook.publish import tables, words
from navbook.publish.markup import Html, join
from navbook.publish.strategy import amount
from navbook.publish.tables import headed

WIDEST = 12        # values of a rule that a table of all settings has room for
LISTED = 10        # settings in a list of the best
ORDERS = {"pessimistic": "Stop first", "path": "Path", "optimistic": "Profit first"}
MARKETS = {"um": "USD-M futures", "spot": "spot"}
RULES = {"tp_usdt": "take profit", "sl_usdt": "stop", "amount_usdt": "amount", "leverage": "leverage"}

Row = dict[str, Any]


def verdict(about: Row) -> Html:
    """What it made, against half/half, and how many settings were tried."""
    gain = about["pnl"]
    result = Html('{} <b class="{}">{} {}</b> ({}) in {}').format(
        Html('<span class="strategy">{}</span>').format(about["name"]), words.tone(gain), _made(gain),
        words.dollars(abs(gain)), words.percent(about["gain"]), words.span(about["to_time"] - about["from_time"]))
    against = _ahead(about)
    rest = "" if against is None else Html(", <b>{} {} than half bitcoin, half ether</b>").format(
        words.dollars(abs(against)), "more" if against >= 0 else "less")
    tried = f" One of {about['settings']} settings tried: expect less." if about["settings"] > 1 else ""
    return headed(Html("{}{}.{}").format(result, rest, tried), _in_words(about))


def key_figures(about: Row, trades: pl.DataFrame) -> Html:
    """Six figures."""
    ends = dict(trades.group_by("reason").len().iter_rows())
    reasons = ", ".join(f"{ends[reason]} {word}" for reason, word in (
        ("TP", "TP"), ("SL", "SL"), ("LIQUIDATION", "liquidated"), ("OPEN", "open")) if ends.get(reason))
    ahead = _ahead(about)
    held = "its candles are not known" if ahead is None else f"it made {_signed(about['benchmark'] * amount(about))}"
    figures: list[tuple[str, str | Html, str | Html]] = [
        ("Strategy", words.dollars(amount(about) + about["pnl"]),
         f"from {words.dollars(amount(about))}{', the open trade left out' if ends.get('OPEN') else ''}"),
        ("Against half/half", words.UNKNOWN if ahead is None else _toned(ahead), held),
        ("Trades", f"{about['trades']:,}", reasons or "none"),
        ("Won", _won(about), _breaks_even(trades)),
        ("Deepest drawdown", words.dollars(-about["max_drawdown"]), "of the closed trades"),
        ("Cost of trading", words.dollars(about["fees"] - about["funding"]),
         f"fees {words.dollars(about['fees'])}, funding {_signed(about['funding'])}")]
    return tables.key_figures(figures)


def bounds(about: Row) -> Html:
    """What one candle hides: the profit by each order of high and low."""
    low, high = sorted((about["pnl_pessimistic"], about["pnl_optimistic"]))
    said = (f"{about['ambiguous']:,} of {about['trades']:,} trades depend on bar order, PnL between {_signed(low)} and "
            f"{_signed(high)}.")
    rows = []
    for order, name in ORDERS.items():
        pnl, used = about[f"pnl_{order}"], order == about["intrabar"]
        ahead = None if about["benchmark"] is None else pnl - about["benchmark"] * amount(about)
        rows.append(("total" if used else "", (
            Html("<b>{} (used here)</b>").format(name) if used else name, _signed(pnl),
            words.UNKNOWN if ahead is None else _toned(ahead))))
    return tables.section("What one candle hides", said, tables.table(
        [("Order inside the candle", ""), ("PnL", "num"), ("vs half/half", "num")], rows))


def settings(about: Row, sweep: pl.DataFrame) -> Html:
    """The profit of every setting: a table of two rules, else a list of the best."""
    tried = [(json.loads(setting), pnl) for setting, pnl in sweep.select("setting", "pnl").iter_rows()]
    axes = {name: sorted({values[name] for values, _ in tried}) for name in (tried[0][0] if tried else ())}
    heading = f"All {len(tried)} settings"
    if len(axes) != 2 or any(len(values) > WIDEST or isinstance(values[0], str) for values in axes.values()):
        best = sorted(tried, key=lambda one: -one[1])[:LISTED]
        return tables.section(f"The best of {len(tried)} settings", "Profit in dollars.", tables.table(
            [("Setting", ""), ("PnL", "num")], [("", (_setting(values), _toned(pnl))) for values, pnl in best]))
    across, up = axes
    found = {(values[across], values[up]): pnl for values, pnl in tried}
    chosen = json.loads(about["rules"])
    note = Html('Profit in dollars. Up: {} in dollars. Across: {} in dollars. <b class="strategy">Violet: chosen.</b>'
                ).format(RULES.get(up, up), RULES.get(across, across))
    most = max(abs(pnl) for pnl in found.values()) or 1.0
    rows = join(Html('<tr><th scope="row">{:g}</th>{}</tr>').format(height, join(
        _cell(found[width, height], most, chosen=chosen[across] == width and chosen[up] == height)
        for width in axes[across])) for height in reversed(axes[up]))
    foot = join(Html('<th scope="col">{:g}</th>').format(width) for width in axes[across])
    return tables.section(heading, note, Html(
        "<table><tbody>{}</tbody><tfoot><tr><td></td>{}</tr></tfoot></table>").format(rows, foot), name="sweep")


def luck(about: Row, sweep: pl.DataFrame) -> Html:
    """Whether the result would come again: in figures, and in a sentence."""
    rows: list[tuple[str, str | Html]] = [
        ("Settings tried", f"{about['settings']:,}"),
        ("Made money", f"{int((sweep['pnl'] > 0).sum()):,}"),
        ("Better than the chosen one", f"{about['better']:,}"),
        ("Median of all", _toned(float(sweep["pnl"].median() or 0.0)))]    # type: ignore[arg-type]
    if about["walk_forward_pnl"] is not None:
        rows.append(("Chosen on the past, traded on what followed", _toned(about["walk_forward_pnl"])))
    if about["chance_of_loss"] is not None:
        rows.append(("Same trades drawn again: chance of a loss", _share(about["chance_of_loss"])))
    if about["deflated_sharpe"] is not None:
        rows.append(("Chance that the best has skill (deflated Sharpe)", _share(about["deflated_sharpe"])))
        rows.append(("Chance that the pick is overfit (PBO)", _share(about["overfitting"])))
    return tables.section("Is it luck?", "Picking the best of many looks like skill.", Html("{}<p>{}</p>").format(
        tables.table([("", ""), ("", "num")], [("", row) for row in rows]), conclusion(about)), name="luck")


def conclusion(about: Row) -> str:
    """What to make of it, in one or two sentences."""
    if not about["trades"]:
        return "There was no closed trade; nothing can be said."
    if about["deflated_sharpe"] is None:
        return "The period is too short, or too few settings were tried, to tell skill from luck."
    if about["pnl"] <= 0:
        return "It lost money; no statistic makes that better."
    forward = about["walk_forward_pnl"]
    later = ("" if forward is None else f" Chosen on the past alone it would have {_made(forward)} "
             f"{words.dollars(abs(forward))} on what followed.")
    if about["deflated_sharpe"] > 0.95 and about["overfitting"] < 0.2 and (forward or 0) > 0:
        return f"Chance alone does not explain the best setting.{later}"
    return f"What so many tries show by chance alone explains it: do not count on it.{later}"


def entries(found: pl.DataFrame) -> Html:
    """The same brackets, opened at a signal alone; of `Study.entries`."""
    rows = [("", (row["entry"][:1].upper() + row["entry"][1:], f"{row['trades']:,}", _won(row), _toned(row["pnl"])))
            for row in found.iter_rows(named=True)]
    return tables.section("Other entries", "The same take profit and stop, opened at a signal alone.", tables.table(
        [("Enters", ""), ("Trades", "num"), ("Won", "num"), ("PnL", "num")], rows))


def footer(environment: str, about: Row) -> Html:
    """Where the numbers come from."""
    items = [("Run", os.environ.get("NAVBOOK_RUN") or "by hand"),
             ("Candles", f"{about['candles']:,} of {about['candles'] + about['missing']:,} minutes of "
                         f"{about['symbol']}, {MARKETS[about['market']]}"),
             ("Rounded to", _steps(about)), ("navbook", navbook.__version__),
             ("Kept as", f"{about['name']} in backtests"),
             ("Environment", Html("{}<span>, all times UTC</span>").format(environment))]
    return Html("<footer>{}</footer>").format(join(Html("<p>{} <b>{}</b></p>").format(*item) for item in items))


# The parts.

def _steps(about: Row) -> str:
    """What quantities and levels were rounded to, and who said so."""
    rules, seen = json.loads(about["rules"]), about["filters_seen_at"]
    step, tick = (f"{rules[name]:g}" if rules[name] else "nothing" for name in ("step_size", "tick_size"))
    source = f", by Binance's filters of {words.date(seen)} {seen.year}" if seen else ""
    return f"quantities {step}, levels {tick}{source}"


def _in_words(about: Row) -> str:
    rules, costs = json.loads(about["rules"]), json.loads(about["costs"])
    most = rules["max_reopens"]
    often = "without limit" if most is None else f"{words.count(most, 'time').lower()} at most" if most else "never"
    missing = f" {about['missing']:,} minutes have no candle." if about["missing"] else ""
    return (f"{about['symbol']} ({MARKETS[about['market']]}) {rules['side'].lower()}, take profit "
            f"{_dollars(rules['tp_usdt'])}, stop {_dollars(rules['sl_usdt'])}, {_dollars(rules['amount_usdt'])} at "
            f"{rules['leverage']:g}\N{MULTIPLICATION SIGN}, checked every {rules['check_every']}, reopened "
            f"{rules['reopen_delay']} after a close is noticed, {often}; fee "
            f"{words.percent(costs['taker_fee'], 2, signed=False)} a side. "
            f"{words.date(about['from_time'], about['to_time'])} to {words.moment(about['to_time'])}.{missing}")


def _ahead(about: Row) -> float | None:
    return None if about["benchmark"] is None else float(about["pnl"] - about["benchmark"] * amount(about))


def _made(pnl: float) -> str:
    return "made" if pnl >= 0 else "lost"


def _breaks_even(trades: pl.DataFrame) -> str:
    won, lost = (trades.filter(pl.col("pnl") > 0)["pnl"].mean(), trades.filter(pl.col("pnl") < 0)["pnl"].mean())
    if not isinstance(won, float) or not isinstance(lost, float):
        return ""
    return f"breaks even at {words.percent(-lost / (won - lost), 0, signed=False)}"


def _won(row: Row) -> str:
    return words.percent(row["wins"] / row["trades"], 0, signed=False) if row["trades"] else words.UNKNOWN


def _setting(values: Row) -> str:
    return ", ".join(f"{RULES.get(name, name)} {value:g}" if isinstance(value, int | float) else f"{name} {value}"
                     for name, value in values.items())


def _cell(pnl: float, most: float, *, chosen: bool) -> Html:
    step = 1 + min(int(abs(pnl) / most * 4), 3 if pnl >= 0 else 2)
    name = "chosen" if chosen else f"{'gain' if pnl >= 0 else 'loss'}-{step}"
    return Html('<td class="{}">{}</td>').format(name, words.number(pnl, signed=True))


def _toned(pnl: float) -> Html:
    return tables.toned(_signed(pnl), pnl)


def _signed(value: float) -> str:
    return words.dollars(value, signed=True)


def _dollars(value: float) -> str:
    return words.dollars(value, 0 if value == int(value) else 2)


def _share(fraction: float) -> str:
    return words.percent(fraction, 0, signed=False)



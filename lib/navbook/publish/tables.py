"""The tables of the pages, as HTML. A bar always has its number beside it, so a table reads without eyes too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from navbook.publish import series, words
from navbook.publish.markup import Html, join
from navbook.types import OWN_BENCHMARK, Wallet, WalletState

FLOWS_LISTED = 12      # newest deposits and withdrawals that get a row each
GAPS_LISTED = 6        # newest gaps that get a row each
DUST_USD = 1.0         # assets below this share a row when a wallet has many

COUNTS_1 = "counts 1"
ROUTES = {COUNTS_1: "counts as $1", "via_btc": "via BTC", "via_eth": "via ETH", "via_bnb": "via BNB"}

Cell = str | Html


def headed(sentence: Html, below: str | Html) -> Html:
    """The head of a page: a sentence, and what is small below it."""
    return Html('<section class="verdict"><h1>{}</h1><p>{}</p></section>').format(sentence, below)


def banner(kind: str, headline: str | Html, rest: str | Html) -> Html:
    """What keeps a page from being whole (`error`), or may (`warning`)."""
    sign = "\N{MULTIPLICATION X}" if kind == "error" else "!"
    return Html('<div class="banner {}" role="status"><span aria-hidden="true">{}</span>'
                '<p><b>{}</b> {}</p></div>').format(kind, sign, headline, rest)


def section(heading: str, note: Cell, body: Html, *, name: str = "") -> Html:
    """A part of a page: a heading, a note if there is one, and what is below."""
    return Html('<section class="{}"><h2>{}</h2>{}{}</section>').format(
        name, heading, Html('<p class="note">{}</p>').format(note) if note else "", body)


def table(columns: Sequence[tuple[Cell, str]], rows: Iterable[tuple[str, Sequence[Cell]]]) -> Html:
    """`columns` are heads with a class for the whole column, `rows` a class and its cells."""
    head = join(Html('<th scope="col" class="{}">{}</th>').format(name, text) for text, name in columns)
    body = join(_row(columns, name, cells) for name, cells in rows)
    return Html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)


def key_figures(figures: Iterable[tuple[str, Cell, Cell]]) -> Html:
    """What each figure is, itself, and a note below it."""
    return Html('<div class="figures">{}</div>').format(join(
        Html("<p><span>{}</span> <b>{}</b> <small>{}</small></p>").format(*figure) for figure in figures))


def either(fresh: Html, stale: Html) -> Html:
    """`fresh`, which the browser exchanges for `stale` when the page has grown old."""
    return Html('<div data-stale="{}">{}</div>').format(str(stale), fresh)


def deposits_and_withdrawals(nav_history: pl.DataFrame, flow_values: pl.DataFrame, benchmark: words.Benchmark) -> Html:
    """The flows that count, oldest first; of many, the newest and the sum of the earlier ones.

    flow_values  FLOW_VALUES, and `made_usd`: what the benchmark made of a deposit until now
    """
    state = series.state(nav_history, str(nav_history["account"][0])) if nav_history.height else None
    since = state.since if state else None
    flows = flow_values.sort("time") if since is None else flow_values.filter(pl.col("time") > since).sort("time")
    if flows.is_empty():
        return section("Deposits and withdrawals", "None in this time.", Html(""))
    now = flows["time"][-1] if state is None or state.newest is None else state.newest["time"]
    rows: list[tuple[str, Sequence[Cell]]] = []
    if (earlier := flows.height - FLOWS_LISTED) > 1:
        total, made = (float(flows.head(earlier)[column].sum()) for column in ("value_usd", "made_usd"))
        rows.append(("quiet", ("Before", f"{earlier} flows, net", words.dollars(total, signed=True), _made(made))))
        flows = flows.tail(FLOWS_LISTED)
    rows += [("", (_day(flow["time"], now), f"{words.flow(flow['kind'])}, {flow['asset']}",
                   "no price" if flow["value_usd"] is None else words.dollars(flow["value_usd"], signed=True),
                   _made(flow["made_usd"])))
             for flow in flows.iter_rows(named=True)]
    return section("Deposits and withdrawals", "Each is put into the benchmark at its own minute.",
                   table([("Date", "date"), ("What", ""), ("USD", "num"),
                          (coloured("benchmark", f"{benchmark.first} made of it"), "num")], rows), name="flows")


def _made(usd: float | None) -> str:
    return words.NOTHING if usd is None else words.dollars(usd, signed=True)


def not_in_the_numbers(nav_history: pl.DataFrame, flow_values: pl.DataFrame, holdings: pl.DataFrame,
                       snapshots: pl.DataFrame) -> Html:
    """What is known to be missing, oldest first: gaps, flows and assets without a price, wallets not read."""
    if nav_history.is_empty():
        return Html("")
    now = nav_history["time"].max()
    assert isinstance(now, datetime)
    gaps = series.gaps(nav_history)
    known: list[tuple[datetime, str, str]] = [
        (gap["from_time"], words.span(gap["to_time"] - gap["from_time"]), gap["reason"])
        for gap in gaps.tail(GAPS_LISTED).iter_rows(named=True)]
    known += [(flow["time"], _amount(abs(flow["quantity"]), flow["asset"]),
               f"{words.flow(flow['kind']).lower()} without a price")
              for flow in series.without_price(flow_values, nav_history).iter_rows(named=True)]
    known += [(row["time"], _amount(row["quantity"], row["asset"]), "no market prices it")
              for row in _last(holdings).filter(pl.col("value_usd").is_null()).iter_rows(named=True)]
    open_end = gaps.height > 0 and gaps["to_time"][-1] == now    # the last gap's reason names the wallet
    for snapshot in () if open_end else _last(snapshots).iter_rows(named=True):
        known += [(snapshot["time"], f"{words.wallet(wallet)} wallet", snapshot["reason"] or "could not be read")
                  for wallet, state in _wallet_states(snapshot).items() if state == WalletState.FAILED]
    if not known:
        return Html("")
    rows: list[tuple[str, Sequence[Cell]]] = [
        ("", (_when(time, now), what, because)) for time, what, because in sorted(known)]
    if (older := gaps.head(max(0, gaps.height - GAPS_LISTED))).height:
        hours = words.span(sum((end - start for start, end in older.select("from_time", "to_time").iter_rows()),
                               timedelta()))
        rows.insert(0, ("quiet", ("Before", f"{older.height} gaps", f"{hours} in all")))
    return section("Not in the numbers", "What is known to be missing, oldest first.",
                   table([("When", "date"), ("What", ""), ("Because", "")], rows))


def wallets_and_assets(holdings: pl.DataFrame, snapshots: pl.DataFrame, nav_history: pl.DataFrame) -> Html:
    """The newest snapshot by wallet and asset. The rows add up to NAV to the cent."""
    rows_now, snapshot = _last(holdings), next(_last(snapshots).iter_rows(named=True), None)
    if snapshot is None or (rows_now.height and rows_now["time"][0] != snapshot["time"]):
        rows_now = rows_now.clear()
    newest = series.state(nav_history, str(nav_history["account"][0])).newest if nav_history.height else None
    if snapshot is None or newest is None:
        return section("Wallets and assets", "No snapshot yet.", Html(""))
    states = _wallet_states(snapshot)
    failed = [wallet for wallet, state in states.items() if state == WalletState.FAILED]
    nav_cents = None if newest["nav"] is None else round(100 * newest["nav"])
    priced = (rows_now.filter(pl.col("value_usd").is_not_null())
              .with_columns(cents=_shared_cents(rows_now["value_usd"].drop_nulls(), nav_cents)))
    rows: list[tuple[str, Sequence[Cell]]] = []
    largest = max(priced["cents"], default=0) if nav_cents else 0
    for wallet in _by_worth(priced, rows_now):
        rows += _wallet_rows(wallet, priced, rows_now, nav_cents, largest)
    rows += [("wallet failed", (f"\N{MULTIPLICATION X} {words.wallet(wallet)}", "", "", words.UNKNOWN, "", ""))
             for wallet in failed]
    in_transit = float(rows_now.filter(pl.col("wallet") == Wallet.IN_TRANSIT)["value_usd"].sum())
    nav = words.dollars(nav_cents / 100, 2) if nav_cents is not None else words.UNKNOWN
    rows.append(("total", ("NAV", "", "", nav, "", "" if nav_cents is None else f"100{words.THIN}%")))
    return section("Wallets and assets", _wallets_note(snapshot, newest, failed, in_transit),
                   table([("Wallet, asset", ""), ("Quantity", "num"), ("Price", "num wide"), ("Value", "num"),
                          ("Share of NAV", "bar wide"), ("", "num wide")], rows), name="wallets")


def month_by_month(performance: pl.DataFrame, benchmark: words.Benchmark) -> Html:
    """A row a month: the account's return, the benchmark's, the difference in points with a bar."""
    months = performance.filter(pl.col("benchmark") == OWN_BENCHMARK,
                                pl.col("period").str.contains(r"^\d{4}-\d{2}$")).sort("period")
    if months.is_empty():
        return Html("")
    account = str(months["account"][0])
    years = sorted({period[:4] for period in months["period"]})
    widest = max((abs(alpha) for alpha in months["alpha"] if alpha is not None), default=0.0)
    rows: list[tuple[str, Sequence[Cell]]] = [("", (
        _month(row["period"], with_year=len(years) > 1), words.percent(row["twr"]), words.percent(row["benchmark_twr"]),
        toned(words.points(row["alpha"], unit=False), _percents(row["alpha"]), 1),
        bar_from_middle(row["alpha"], widest))) for row in months.iter_rows(named=True)]
    first = years[0] if len(years) == 1 else "Month"
    own, other = coloured("account", account), coloured("benchmark", benchmark.short)
    return section("Month by month", _months_note(months, account, benchmark), table(
        [(first, ""), (own, "num"), (other, "num"), ("Points", "num"), ("", "bar wide")], rows), name="months")


# The parts.

def _row(columns: Sequence[tuple[Cell, str]], name: str, cells: Sequence[Cell]) -> Html:
    first, *rest = cells
    return Html('<tr class="{}"><th scope="row" class="{}">{}</th>{}</tr>').format(name, columns[0][1], first, join(
        Html('<td class="{}">{}</td>').format(of_column, cell)
        for (_, of_column), cell in zip(columns[1:], rest, strict=True)))


def _wallet_rows(wallet: str, priced: pl.DataFrame, everything: pl.DataFrame,
                 nav_cents: int | None, largest: int) -> list[tuple[str, Sequence[Cell]]]:
    mine = priced.filter(pl.col("wallet") == wallet).sort("cents", descending=True)
    total = int(mine["cents"].sum())
    rows: list[tuple[str, Sequence[Cell]]] = [("wallet", (
        words.wallet(wallet), "", "", words.dollars(total / 100, 2), "", _share(total, nav_cents)))]
    dust = mine.filter(pl.col("cents").abs() < 100 * DUST_USD)
    shown = mine if dust.height <= 3 else mine.filter(pl.col("cents").abs() >= 100 * DUST_USD)
    rows += [("asset", (
        _asset(row["asset"], row["price_route"]), words.quantity(row["quantity"], row["price"]),
        "1.00" if row["price_route"] == COUNTS_1 else words.price(row["price"]),
        words.dollars(row["cents"] / 100, 2), _bar(row["cents"], largest),
        _share(row["cents"], nav_cents))) for row in shown.iter_rows(named=True)]
    if shown.height < mine.height:
        rest = int(dust["cents"].sum())
        rows.append(("asset", (_asset(f"{dust.height} more", f"each under {words.dollars(DUST_USD)}"),
                               "", "", words.dollars(rest / 100, 2), _bar(rest, largest), _share(rest, nav_cents))))
    unpriced = everything.filter(pl.col("wallet") == wallet, pl.col("value_usd").is_null()).sort("asset")
    rows += [("asset", (_asset(row["asset"], "no market: listed, not counted"), words.quantity(row["quantity"]),
                        words.NOTHING, Html('<span class="muted">not known</span>'), "", words.NOTHING))
             for row in unpriced.iter_rows(named=True)]
    return rows


def _shared_cents(values: pl.Series, total: int | None) -> pl.Series:
    """`values` in whole cents that add up to `total`: rounded down, then a cent to the largest remainders.

    Where `total` is not their sum at all (then something else is wrong) each is rounded for itself.
    """
    exact = values * 100
    whole = exact.floor().cast(pl.Int64)
    missing = int(round(float(exact.sum())) if total is None else total) - int(whole.sum())
    if not 0 <= missing <= values.len():
        return exact.round().cast(pl.Int64)
    by_remainder = (exact - whole).arg_sort(descending=True).head(missing)
    return whole + pl.int_range(values.len(), eager=True).is_in(by_remainder.implode()).cast(pl.Int64)


def _by_worth(priced: pl.DataFrame, everything: pl.DataFrame) -> list[str]:
    worth = priced.group_by("wallet").agg(pl.col("cents").sum())
    return (everything.select("wallet").unique().join(worth, on="wallet", how="left")
            .sort(pl.col("cents").fill_null(0), "wallet", descending=[True, False])["wallet"].to_list())


def _wallets_note(snapshot: dict[str, Any], newest: dict[str, Any], failed: list[str], in_transit: float) -> str:
    when = words.moment(snapshot["time"])
    if failed:
        return f"{when}. Incomplete: shown, in no total and no statistic."
    note = f"{when}. Sum of the wallets"
    total = snapshot["exchange_total_usd"]
    if newest["nav"] is None:
        return f"{note} not known: {newest['reason'] or 'incomplete'}."
    if total is None:
        return f"{note}; the exchange's own total could not be read."
    apart = newest["nav"] - in_transit - float(total)    # the exchange counts no withdrawal under way
    return f"{note}; " + ("equal to the exchange's own total." if words.is_zero(apart, 2) else
                          f"{words.dollars(apart, 2, signed=True)} from the exchange's own total.")


def _months_note(months: pl.DataFrame, account: str, benchmark: words.Benchmark) -> str:
    note = "Time-weighted."
    first, last = months.row(0, named=True), months.row(-1, named=True)
    parts = []
    if first["from_time"] - _start(first["period"]) >= timedelta(days=1):
        parts.append(f"{_month(first['period'])} from the {_ordinal(first['from_time'].day)}")
    if (last["to_time"] + timedelta(days=1)).month == last["to_time"].month:
        parts.append(f"{_month(last['period'])} to the {_ordinal(last['to_time'].day)}")
    if parts:
        note += f" {', '.join(parts)}."
    return f"{note} Points: {account} minus {benchmark.short}."


def page_name(account: str) -> str:
    """The published page of an account, beside which all others lie."""
    return f"portfolio-{account}.html"


def age(time: datetime | None) -> Html:
    """A moment of the wall clock; the browser turns it into an age (page.js)."""
    if time is None:
        return Html("{}").format(words.UNKNOWN)
    iso = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Html('<time class="age" datetime="{}" title="{}">{}</time>').format(
        iso, words.moment(time, seconds=True), words.moment(time))


def _last(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("time") == pl.col("time").max())


def _wallet_states(snapshot: dict[str, Any]) -> dict[str, str]:
    states: dict[str, str] = json.loads(snapshot["wallets"] or "{}")
    return states


def signed(value: float | None) -> Html:
    """Dollars with their sign, green or red."""
    return toned(words.dollars(value, signed=True), value)


def toned(text: str, value: float | None, places: int = 0) -> Html:
    """`text` in the colour of a gain or a loss; none where it is shown as zero, with `places`."""
    tone = words.tone(value, places)
    return Html('<span class="{}">{}</span>').format(tone, text) if tone else Html("{}").format(text)


def _amount(quantity: float, asset: str) -> str:
    text = f"{words.quantity(quantity)} {asset}"
    return text.replace(" ", "\N{NO-BREAK SPACE}") if len(text) <= 16 else text


def coloured(series_name: str, text: str) -> Html:
    """`text` in the colour of a series."""
    return Html('<span class="{}">{}</span>').format(series_name, text)


def _percents(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _day(time: datetime, now: datetime) -> Html:
    return Html('<span title="{}">{}</span>').format(words.moment(time, seconds=True), words.date(time, now))


def _when(time: datetime, now: datetime) -> str:
    return f"{words.date(time, now)} {time:%H:%M}"


def _asset(asset: str, route: str | None) -> Html:
    said = ROUTES.get(route or "", route or "")
    return Html('{} <span class="route">{}</span>').format(asset, said)


def _share(cents: float, nav_cents: int | None) -> str:
    return words.percent(cents / nav_cents, signed=False) if nav_cents and nav_cents > 0 else words.NOTHING


def _bar(cents: int, largest: int) -> Html:
    if cents <= 0 or largest <= 0:
        return Html("")
    return Html('<span class="fill account" style="width:{:.2f}%"></span>').format(100 * cents / largest)


def bar_from_middle(value: float | None, widest: float) -> Html:
    """A bar to the right for a gain, to the left for a loss, as long as `widest` allows."""
    if value is None or not widest:
        return Html("")
    length = 50 * abs(value) / widest
    return Html('<span class="middle"><span class="fill {}" style="left:{:.2f}%;width:{:.2f}%"></span></span>').format(
        "positive" if value >= 0 else "negative", 50 if value >= 0 else 50 - length, length)


def _start(period: str) -> datetime:
    return datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)


def _month(period: str, *, with_year: bool = False) -> str:
    time = _start(period)
    return f"{time:%B} {time.year}" if with_year else f"{time:%B}"


def _ordinal(day: int) -> str:
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"

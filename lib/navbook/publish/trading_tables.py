"""The evidence of the trading page: countdowns, orders, rules, closed trades, and where it all comes from."""

from __future__ import annotations

from datetime import datetime

import navbook
from navbook.publish import tables, trading, words
from navbook.publish.markup import Html, join
from navbook.publish.trading import Leg, LegState, Look, Rules

REASONS = {"TP": "take profit", "SL": "stop", "MANUAL": "by hand", "LIQUIDATION": "by the exchange",
           "ORPHAN": "nobody knows how"}
SHOWN = 50    # closed trades with a row of their own


def waiting(look: Look) -> Html:
    """Each position that is to be reopened, with the time that is left."""
    return join(tables.section("Waiting to reopen" if not number else "", Html(
        '<b class="strategy">{}</b>, {} {}, closed {} {}, {}').format(
            leg.name, leg.symbol, leg.side.lower(), _clock(leg.closed_at), _by(leg.reason),
            words.dollars(leg.pnl, 2, signed=True)), _countdown(leg, look.now))
        for number, leg in enumerate(look.in_state(LegState.WAITING)))


def orders(look: Look) -> Html:
    """Our orders at the exchange."""
    if look.orders.is_empty():
        return tables.section("Orders at the exchange", "None of ours waits there.", Html(""))
    rows = [("", (row["name"], trading.KINDS.get(row["kind"], row["kind"]), trading.price(row["trigger"]),
                  _away(row["trigger"], row["mark"]))) for row in look.orders.iter_rows(named=True)]
    seen = "" if look.is_fresh else f" As the trader saw them, {words.moment(look.orders_at, look.now)}."
    return tables.section("Orders at the exchange", f"All ours. Each closes its position; none can open one.{seen}",
                          tables.table([("Position", ""), ("Order", ""), ("Trigger", "num"), ("Away", "num")], rows))


def rules(look: Look) -> Html:
    """What the settings do, in words: those that share them share a paragraph."""
    said: dict[str, list[str]] = {}
    for leg in look.legs:
        said.setdefault(in_words(leg.rules), []).append(leg.name)
    alone = len(said) == 1
    return tables.section("The rules, in words", "", join(Html("<p>{}{}</p>").format(
        "" if alone else Html('<b class="strategy">{}</b>: ').format(words.listed(names)), text)
        for text, names in said.items()))


def history(look: Look) -> Html:
    """The closed trades, newest first, and how they went."""
    closed = look.closed.sort("exit_time", "entry_time", descending=True)
    if closed.is_empty():
        return tables.section("Closed trades", "None yet.", Html(""))
    total, shown = float(closed["pnl"].sum()), closed.head(SHOWN)
    widest = float(shown["pnl"].abs().max() or 0.0)    # type: ignore[arg-type]
    note = Html("Newest first, {} of {}: {}, {} in all, after fees and funding. As CSV: <code>navbook trade history "
                "--format csv</code>").format(shown.height, closed.height, trading.won(closed),
                                              words.dollars(total, 2, signed=True))
    rows = [("", (Html('<span class="strategy">{}</span>').format(row["name"]), _moment(row["entry_time"]),
                  _moment(row["exit_time"]), trading.lasting(row["exit_time"] - row["entry_time"]),
                  trading.price(row["entry_price"]), trading.price(row["exit_price"]), _reason(row["reason"]),
                  tables.toned(words.dollars(row["pnl"], 2, signed=True), row["pnl"], 2),
                  tables.bar_from_middle(row["pnl"], widest))) for row in shown.iter_rows(named=True)]
    return tables.section("Closed trades", note, tables.table(
        [("Position", ""), ("Opened", "date"), ("Closed", "date wide"), ("Open for", "num wide"), ("Entry", "num wide"),
         ("Exit", "num wide"), ("Closed by", ""), ("Result", "num"), ("", "bar wide")], rows), name="trades")


def footer(look: Look) -> Html:
    """Where it comes from, and that nothing is written."""
    opened = len([leg for leg in look.legs if leg.state in (LegState.OPEN, LegState.OPENING)])
    items: list[tuple[str, str | Html]] = [
        ("Live page, read only:", "nothing is written, no order can be sent"),
        ("Journal", f"{words.count(opened + look.closed.height, 'trade').lower()}: {opened} open, "
                    f"{look.closed.height} closed"),
        ("navbook", navbook.__version__), ("Host", look.host),
        ("Tables", ", ".join(f"{name} {version}" for name, version in look.versions.items()) or "none"),
        ("Environment", Html("{}<span>, all times UTC</span>").format(look.environment))]
    return Html("<footer>{}</footer>").format(join(Html("<p>{} <b>{}</b></p>").format(*item) for item in items))


def in_words(rules: Rules) -> str:
    """The settings of a position as sentences."""
    check, delay, window = (trading.lasting(length) for length in (rules.check_every, rules.reopen_delay,
                                                                   rules.reopen_window))
    begin = (f"Market entry with a margin of {trading.money(rules.amount_usdt)} at {rules.leverage:g}"
             f"\N{MULTIPLICATION SIGN}, a notional of {trading.money(rules.amount_usdt * rules.leverage)}. The take "
             f"profit at a gain of {trading.money(rules.tp_usdt)} and the stop at a loss of "
             f"{trading.money(rules.sl_usdt)}, before fees, wait at the exchange. A check every {check} notices a "
             "close; ")
    if rules.max_reopens == 0:
        return begin + "the position is not reopened."
    often = "as often as it closes" if rules.max_reopens is None else f"{rules.max_reopens} times at most"
    return begin + f"{delay} later the position reopens at the new price, or not at all after {window}; {often}."


def _countdown(leg: Leg, now: datetime | None) -> Html:
    if leg.noticed is None or leg.reopens_at is None or leg.gives_up_at is None or now is None:
        return Html("<p>{}</p>").format(words.UNKNOWN)
    left = leg.left(now)
    whole = (leg.gives_up_at - leg.noticed).total_seconds() or 1.0
    done, middle = (min(100.0, max(0.0, 100 * (time - leg.noticed).total_seconds() / whole))
                    for time in (now, leg.reopens_at))
    return Html('<p class="count">{}</p><div class="track" role="img" aria-label="{:.0f} % of the time has passed">'
                '<i style="width:{:.1f}%"></i><u style="left:{:.1f}%"></u></div>'
                '<p class="ends"><span>noticed {}</span><span>reopens {}</span><span>gives up {}</span></p>').format(
        "now" if left is None else trading.lasting(left), done, done, middle,
        *(_clock(time) for time in (leg.noticed, leg.reopens_at, leg.gives_up_at)))


def _clock(time: datetime | None) -> str:
    return words.UNKNOWN if time is None else f"{time:%H:%M}"


def _moment(time: datetime) -> str:
    return f"{words.date(time)} {time:%H:%M}"


def _by(reason: str | None) -> str:
    said = REASONS.get(reason or "", "")
    return f"by {said}" if said in ("take profit", "stop") else said


def _reason(reason: str) -> Html:
    tone = {"TP": "positive", "SL": "negative", "LIQUIDATION": "negative"}.get(reason, "muted")
    return Html('<span class="tag {}">{}</span> <span class="muted wide">{}</span>').format(
        tone, reason, REASONS.get(reason, ""))


def _away(trigger: float, mark: float | None) -> str:
    return words.UNKNOWN if not mark else words.percent(trigger / mark - 1)

"""The sentences of the trading page: what is open, is it protected, what happens next and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from navbook.publish import tables, trading, words
from navbook.publish.markup import Html, join
from navbook.publish.tables import banner, headed
from navbook.publish.trading import Leg, LegState, Look, Metrics
from navbook.types import ExitOrder


def header(look: Look, every: timedelta) -> Html:
    """Name, environment, pages, and that this one is read again all the time."""
    pages = join(Html('<a href="{}"{}>{}</a>').format(target, Html(' aria-current="true"') if here else "", name)
                 for target, name, here in (("index.html", "All accounts", False), ("trading.html", "Trading", True)))
    links = join(Html('<a href="?account={}"{}>{}</a>').format(
        name, Html(' aria-current="page"') if name == look.account else "", name) for name in look.accounts)
    troubled = bool(look.troubles)
    read = "unknown" if look.now is None else f"{look.now:%H:%M:%S} UTC"
    fresh = Html('<p class="fresh"><i>{}</i>Live, read at {}, again every {}</p>').format(
        "\N{MULTIPLICATION X}" if troubled else "", read, words.span(every))
    return Html('<header class="{}"><div class="top"><a class="brand" href="index.html">navbook</a>'
                '<span class="badge {}">{}</span><nav aria-label="Pages">{}</nav>{}</div>'
                '<nav class="accounts" aria-label="Accounts">{}</nav></header>').format(
        "stale" if troubled else "", look.environment, look.environment.upper(), pages, fresh, links)


def banners(look: Look) -> Html:
    """What keeps the page from being whole, and a trader that does not run while something is to be done."""
    said = [banner("error", "Connection:", trouble) for trouble in look.troubles]
    if look.trouble:
        said.append(banner("error", "The trader's last check:", look.trouble))
    busy = [leg for leg in look.legs if leg.state not in (LegState.CLOSED, LegState.NEVER)]
    if look.trader is False and busy:
        said.append(banner("warning", "The trader does not run:", Html(
            "nothing is noticed, protected anew or reopened. Start it: <code>navbook trade start</code>")))
    return join(said)


def verdict(look: Look) -> Html:
    """What is open, whether it is protected, what comes next."""
    opened, naked = look.in_state(LegState.OPEN), unprotected(look)
    below = _trader(look)
    if naked:
        return headed(Html('<b class="negative">Unprotected: {}.</b> {}').format(
            words.listed(leg.name for leg in naked), words.listed(_missing(leg) for leg in naked)), below)
    if not opened:
        first = Html("<b>Nothing is open.</b>")
    else:
        both = {1: "protected", 2: "both protected"}.get(len(opened), "all protected")
        seen = "" if look.is_fresh else " when the trader looked last" + (
            f", {words.moment(look.orders_at, look.now)}" if look.orders_at else "")
        first = Html("<b>{} open, {}{}.</b>{}").format(
            words.count(len(opened), "position"), both, seen, _floating(opened))
    return headed(Html("{}{}").format(first, join(_next(leg, look.now) for leg in look.in_state(LegState.WAITING))),
                  below)


def unprotected(look: Look) -> list[Leg]:
    """Open positions that lack their stop or their take profit."""
    return [leg for leg in look.in_state(LegState.OPEN) if len(leg.protected) < len(ExitOrder)]


def key_figures(look: Look) -> Html:
    """Six figures."""
    metrics, closed, opened = look.metrics, look.closed, look.in_state(LegState.OPEN)
    total, costs = float(closed["pnl"].sum()), float(closed["funding"].sum()) - float(closed["fee"].sum())
    floating = trading.total([leg.floating for leg in opened])
    unknown, why = Html('<span class="muted">{}</span>').format(words.UNKNOWN), look.without_metrics
    figures: list[tuple[str, str | Html, str | Html]] = [
        ("Equity, futures", words.dollars(metrics.equity, 2) if metrics else unknown,
         _seen(metrics, look.now) if metrics else why),
        ("Available", words.dollars(metrics.available, 2) if metrics else unknown, "free to open" if metrics else why),
        ("Floating", unknown if floating is None else gained(floating), words.count(len(opened), "position").lower()),
        ("Margin used", words.dollars(metrics.margin, 2) if metrics else unknown,
         _share_of(metrics) if metrics else why),
        ("Closed", gained(total), trading.won(closed)),
        ("Funding and fees", words.dollars(costs, 2, signed=True), "in \N{LEFT DOUBLE QUOTATION MARK}Closed"
                                                                   "\N{RIGHT DOUBLE QUOTATION MARK} already")]
    return tables.key_figures(figures)


def unconfigured(environment: str, missing: str) -> Html:
    """What to do before there is anything to show. `missing`: the sentence that says what is."""
    steps = (Html("On Binance's futures testnet (demo trading), make an API key that may trade futures and no more."),
             Html('In <code>navbook.toml</code> say <code>environment = "testnet"</code> and name an account: '
                  "<code>[accounts.main]</code>"),
             Html("Keep its key: <code>navbook account add main</code>, then try it: <code>navbook account test main"
                  "</code>"),
             Html('Configure a position: <code>[trade.btc_long]</code> with <code>account = "main"</code>, '
                  '<code>symbol = "BTCUSDT"</code> and <code>side = "LONG"</code>'),
             Html("Start: <code>navbook trade start</code>"))
    return Html('<header><div class="top"><span class="brand">navbook</span><span class="badge {}">{}</span></div>'
                '</header><section class="verdict"><h1><b>Nothing is traded here yet.</b></h1><p>{}</p></section>'
                '<section><h2>How to begin</h2><ol>{}</ol></section>').format(
                    environment, environment.upper(), missing, join(Html("<li>{}</li>").format(step) for step in steps))


def gained(value: float) -> Html:
    """A gain or a loss to the cent, with its sign and in its colour."""
    return tables.toned(words.dollars(value, 2, signed=True), value, 2)


def _trader(look: Look) -> Html:
    state = {True: "The trader runs", False: "The trader is stopped", None: "Whether the trader runs is not known"}
    checked = "" if look.checked_at is None else f", last check {look.checked_at:%H:%M:%S} UTC"
    instance = f" (instance {look.instance}{checked})" if look.instance else ""
    return Html("{}{}. This page only looks: open, close and edit in JupyterLab, <code>notebooks/trade.ipynb</code>."
                ).format(state[look.trader], instance)


def _missing(leg: Leg) -> str:
    lacking = [trading.KINDS[kind].lower() for kind in ExitOrder if kind not in leg.protected]
    return f"{leg.name} has no {' and no '.join(lacking)} at the exchange."


def _floating(opened: Sequence[Leg]) -> Html:
    total = trading.total([leg.floating for leg in opened])
    if total is None:
        return Html(" Floating <b>unknown</b>.")
    return Html(" Floating {}.").format(gained(total))


def _next(leg: Leg, now: datetime | None) -> Html:
    left = leg.left(now)
    when = Html("is about to reopen") if left is None else Html("reopens in <b>{}</b>").format(trading.lasting(left))
    return Html(" {} {}.").format(leg.name, when)


def _seen(metrics: Metrics, now: datetime | None) -> str:
    if metrics.noted_at is None:
        return "wallet + floating"
    today = now is not None and metrics.noted_at.date() == now.date()
    when = f"{metrics.noted_at:%H:%M:%S}" if today else words.moment(metrics.noted_at, now)
    return f"as the trader saw it, {when}"


def _share_of(metrics: Metrics) -> str:
    return f"{words.percent(metrics.margin / metrics.equity, signed=False)} of equity" if metrics.equity > 0 else ""

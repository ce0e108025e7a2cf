"""What the trading page shows, read from the trader's journal, the settings and the exchange. Nothing is written.

The connection sends reads alone (`exchange.client` lets no order leave that `orders.allow` did not name a host for).
Without a key, as under Voila, it asks for public prices only; wallet and orders are as the trader saw them last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from navbook import schemas, vault
from navbook.compute import brackets
from navbook.compute.brackets import BracketRules
from navbook.compute.decisions import TradeState
from navbook.errors import ExchangeError, SettingsInvalid
from navbook.exchange import check, client, fetch, orders_read, parse
from navbook.exchange.client import Exchange
from navbook.publish import lab_page, trading_page
from navbook.publish.trading import NO_PRICES, Leg, LegState, Look, Metrics, Rules
from navbook.runner import locks
from navbook.settings import Keys, Settings
from navbook.store import tables
from navbook.trader import keeping, plans
from navbook.trader.commands import lock_of
from navbook.trader.desk import at
from navbook.trader.journal import Journal, place
from navbook.trader.plans import Plan
from navbook.trader.rows import PROFIT, STOP, Trade
from navbook.types import Environment, ExitOrder

EVERY = timedelta(seconds=5)
PAST, CANDLE = timedelta(hours=36), "15m"
PARTS = {STOP: ExitOrder.STOP, PROFIT: ExitOrder.PROFIT}
ORDER = {"name": pl.String(), "kind": pl.String(), "trigger": pl.Float64(), "mark": pl.Float64()}
TABLES = ("orders", "fills", "positions")


@dataclass(frozen=True)
class Told:
    """What the exchange said; what it did not is empty, and `troubles` say why."""

    now: datetime | None = None
    marks: dict[str, float] | None = None                         # last price by symbol
    prices: dict[str, pl.DataFrame] | None = None                 # [time, close] by symbol
    held: dict[tuple[str, str], orders_read.Held] | None = None    # by symbol and side; None: not asked
    waiting: frozenset[str] | None = None                         # ids of conditional orders; None: not asked
    metrics: Metrics | None = None
    without_metrics: str = ""
    troubles: tuple[str, ...] = ()


def page(config: Settings, account: str = "") -> Any:
    """The page of `account`, or of the first that trades, as a widget for JupyterLab, made again all the time."""
    return lab_page.page(lambda: shown(config, account), EVERY, "trading.css")


def shown(config: Settings, account: str = "") -> Any:
    """The page's HTML now, of `account` or the first that trades; how to begin, where nothing is configured."""
    try:
        traded = list(dict.fromkeys(plan.account for plan in plans.plans(config)))
        if not traded:
            return trading_page.unconfigured(config.environment, "No position is configured in navbook.toml.")
        return trading_page.page(look(config, account if account in traded else traded[0], traded), EVERY)
    except SettingsInvalid as problem:
        return trading_page.unconfigured(config.environment, str(problem))


def price(config: Settings, plan: Plan) -> str:
    """The price of a position's symbol now, or why it is not known, as a sentence."""
    told = _now(config, plan.account, {plan.symbol})
    mark = (told.marks or {}).get(plan.symbol)
    if mark is None or told.now is None:
        return " ".join(told.troubles)
    return f"{plan.symbol} {mark:,} at {told.now:%H:%M:%S} UTC."


def look(config: Settings, account: str, accounts: Sequence[str]) -> Look:
    """All that the page of `account` shows."""
    positions = plans.of_account(config, account)
    told = _now(config, account, {plan.symbol for plan in positions} | _traded(config, account))
    common: dict[str, Any] = {
        "environment": config.environment, "account": account, "accounts": accounts, "host": _host(config),
        "now": told.now, "metrics": told.metrics, "without_metrics": told.without_metrics, "troubles": told.troubles,
        "trader": bool(locks.holder(config, lock_of(account))),
        "versions": {name: version for name, version in tables.versions(config.location).items() if name in TABLES}}
    if not place(config, account).exists():
        never = [_leg(plan, None, frozenset(), told) for plan in positions]
        return Look(legs=never, orders=pl.DataFrame(schema=ORDER),
                    closed=pl.DataFrame(schema={"name": pl.String(), **schemas.TRADE}), **common)
    with closing(Journal(place(config, account))) as journal:
        legs, waiting = [], []
        for plan in positions:
            last = journal.last(plan.name)
            exits = [] if last is None else [
                row for row in journal.orders(last.id) if row.part in PARTS and row.status in orders_read.LIVE
                and row.trigger and (told.waiting is None or row.client_id in told.waiting)]
            legs.append(_leg(plan, last, frozenset(PARTS[row.part] for row in exits), told))
            waiting += [(plan.name, PARTS[row.part].value, float(row.trigger or 0), (told.marks or {}).get(plan.symbol))
                        for row in exits]
        checked = journal.read("checked")
        checked_at = at(int(checked)) if checked else None
        if told.metrics is None:
            common["metrics"] = _noted(journal)
        return Look(legs=legs, orders=pl.DataFrame(waiting, schema=ORDER, orient="row"),
                    closed=keeping.history(journal), instance=journal.instance, trouble=journal.read("trouble") or "",
                    checked_at=checked_at, orders_at=checked_at if told.waiting is None else told.now, **common)


# -- the exchange --------------------------------------------------------------------------------------------------
def _traded(config: Settings, account: str) -> set[str]:
    """The symbols of what is open, which navbook.toml may name no more."""
    if not place(config, account).exists():
        return set()
    with closing(Journal(place(config, account))) as journal:
        return {trade.symbol for trade in journal.unfinished()}


def _now(config: Settings, account: str, symbols: set[str]) -> Told:
    with ThreadPoolExecutor(1) as aside:    # a kernel's own thread has a loop that runs already
        return aside.submit(asyncio.run, _ask(config, account, symbols)).result()


async def _ask(config: Settings, account: str, symbols: set[str]) -> Told:
    """Prices of `symbols` and, with a key, wallet, legs and waiting orders. What fails is told, not raised."""
    try:
        found = _keys(config, account)
        async with client.connect(config.environment, config.sandbox_url, found) as exchange:
            return await _told(exchange, symbols, has_key=found is not None)
    except (ExchangeError, SettingsInvalid) as problem:
        return Told(without_metrics="the exchange could not be asked", troubles=(str(problem),))


def _keys(config: Settings, account: str) -> Keys | None:
    """The account's key where this process has one, or the secret that opens the vault."""
    source = vault.source(config, account)
    return None if source is None or (source == "vault" and not vault.is_open()) else vault.keys(config, account)


async def _told(exchange: Exchange, symbols: set[str], *, has_key: bool) -> Told:
    now = at(await orders_read.clock(exchange))
    ordered = sorted(symbols)
    marks = {symbol: float(await orders_read.price(exchange, symbol)) for symbol in ordered}
    prices = {symbol: await _past(exchange, symbol, now) for symbol in ordered}
    if not has_key:
        return Told(now, marks, prices, without_metrics="this page has no key")
    wrong = [finding.told for finding in await check.key(exchange, trades=True) if finding.level == "error"]
    if wrong:
        return Told(now, marks, prices, without_metrics="the key cannot be used", troubles=tuple(wrong))
    held = {(row.symbol, row.position_side): row for row in await orders_read.held(exchange)}
    waiting = [order.client_id for symbol in ordered for order in await orders_read.open_conditional(exchange, symbol)]
    return Told(now, marks, prices, held, frozenset(waiting), _metrics(await orders_read.wallet(exchange)))


def _metrics(wallet: orders_read.Wallet, noted_at: datetime | None = None) -> Metrics:
    return Metrics(**{name: float(usd) for name, usd in asdict(wallet).items()}, noted_at=noted_at)


def _noted(journal: Journal) -> Metrics | None:
    """The wallet as the trader saw it last."""
    noted = journal.noted_wallet()
    return None if noted is None else _metrics(noted[1], at(noted[0]))


async def _past(exchange: Exchange, symbol: str, now: datetime) -> pl.DataFrame:
    answer = await fetch.market.candles(exchange, symbol, CANDLE, now - PAST, now, "um")
    rows = parse.market.candles(answer.payload, symbol, now, CANDLE, "um")
    return rows.select(time="open_time", close=pl.col("close").cast(pl.Float64))


def _host(config: Settings) -> str:
    address = config.sandbox_url if config.environment is Environment.SANDBOX else client.HOSTS[config.environment][2]
    return urlsplit(address or "").netloc or "none"


# -- a position ----------------------------------------------------------------------------------------------------
def _leg(plan: Plan, last: Trade | None, protected: frozenset[ExitOrder], told: Told) -> Leg:
    """The position of `plan`, whose newest trade is `last`."""
    mark = (told.marks or {}).get(plan.symbol)
    common: dict[str, Any] = {"name": plan.name, "symbol": plan.symbol, "side": plan.side, "rules": _rules(plan.rules),
                              "mark": mark}
    if last is None:
        return Leg(state=LegState.NEVER, **common)
    common |= {"reopens": last.reopen, "note": last.note or ""}
    if last.state is TradeState.OPEN:
        return _open_leg(last, protected, told, common)
    if last.state is TradeState.ENTERING:
        return Leg(state=LegState.OPENING, **common)
    if last.state is TradeState.VOID:
        return Leg(state=LegState.CLOSED, **common)
    common |= {"closed_at": _moment(last.exit_time), "reason": last.reason, "pnl": _float(last.pnl)}
    over = brackets.minute_end(last.exit_time or 0)
    span = None if last.is_last else brackets.reopening(plan.rules, last.reopen, over)
    if span is None:
        return Leg(state=LegState.CLOSED, **common)
    return Leg(state=LegState.WAITING, noticed=at(brackets.notice_time(plan.rules, over)), reopens_at=at(span[0]),
               gives_up_at=at(span[1]), **common)


def _open_leg(trade: Trade, protected: frozenset[ExitOrder], told: Told, common: dict[str, Any]) -> Leg:
    """An open one, as it was opened; the exchange's own figures where they are known, else the journal's at the last
    price.
    """
    mark = (told.marks or {}).get(trade.symbol)
    common |= {"symbol": trade.symbol, "side": trade.side, "mark": mark}
    held = (told.held or {}).get((trade.symbol, trade.side))
    entry, quantity = _float(trade.entry_price), _float(trade.quantity)
    floating = None if held is None else float(held.profit)
    if told.held is None and None not in (mark, entry, quantity):
        floating = trade.side.sign * (quantity or 0.0) * ((mark or 0.0) - (entry or 0.0))
    return Leg(state=LegState.OPEN, entry_time=_moment(trade.entry_time), entry_price=entry, quantity=quantity,
               take_profit=_float(trade.take_profit), stop_loss=_float(trade.stop_loss), floating=floating,
               liquidation=None if held is None else float(held.liquidation), protected=protected,
               prices=(told.prices or {}).get(trade.symbol, NO_PRICES),
               **(common | ({} if held is None else {"mark": float(held.mark)})))


def _rules(rules: BracketRules) -> Rules:
    check, delay, window = (timedelta(milliseconds=length) for length in (rules.check_ms, rules.delay_ms,
                                                                          rules.window_ms))
    return Rules(amount_usdt=float(rules.amount_usdt), leverage=float(rules.leverage), tp_usdt=float(rules.tp_usdt),
                 sl_usdt=float(rules.sl_usdt), check_every=check, reopen_delay=delay, reopen_window=window,
                 max_reopens=rules.max_reopens)


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else at(ms)

"""`navbook backtest`: the bracket strategy over a market's past, a grid of settings around it, and how much is luck."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from navbook import schemas
from navbook.compute.backtest import prepare
from navbook.compute.study import Engine, Study
from navbook.compute.validation import HALF_AND_HALF
from navbook.errors import SettingsInvalid
from navbook.runner import cluster, market_data, stores
from navbook.runner.backtest_plan import Plan
from navbook.runner.market_data import MINUTE, Span
from navbook.settings import Settings
from navbook.store import rewrite, tables
from navbook.types import Environment, Intrabar, Purpose

if TYPE_CHECKING:
    from navbook.exchange.client import Exchange

FIRST_LOOK = timedelta(days=30)    # of a plan that names no start
TELL_EVERY_S = 3
TABLES = (schemas.BACKTESTS, schemas.BACKTEST_TRADES, schemas.BACKTEST_EQUITY, schemas.BACKTEST_SWEEPS)


async def fetch(config: Settings, plan: Plan) -> Span:
    """The plan's period, after the candles, funding rates and filters that the store lacks of it were stored.

    A sandbox's store with imported candles asks nobody: the sandbox would make up what is missing. Raises
    `SettingsInvalid` for a period that cannot be, `ExchangeError`.
    """
    if not asks_exchange(config):
        return _span(plan, _last_stored(config, plan))
    known = tables.latest(config.location, schemas.SNAPSHOTS)
    if known and not _lacks(config, plan, span := _span(plan, known)):
        return span
    from navbook.exchange import client
    async with client.connect(config.environment, config.sandbox_url, purpose=Purpose.DOWNLOAD) as exchange:
        span = _span(plan, known or await exchange.synchronise())
        if known or _lacks(config, plan, span):
            await _fetch(config, exchange, list(_spans(plan, span).values()))
    return span


def _lacks(config: Settings, plan: Plan, span: Span) -> bool:
    """Whether the exchange has to be asked for any of what the plan needs."""
    return (market_data.unsettled(config, span).len() > 0
            or any(market_data.lacking(config, each).len() for each in _spans(plan, span).values())
            or (_wants_filters(plan) and market_data.filters(config, span) is None))


def _wants_filters(plan: Plan) -> bool:
    return plan.market == "um" and None in (plan.step_size, plan.tick_size)


def asks_exchange(config: Settings) -> bool:
    """Whether missing candles may be fetched; a store of imported ones asks nobody."""
    return config.environment is not Environment.SANDBOX or stores.read_meta(config).get("candles") != stores.IMPORTED


async def _fetch(config: Settings, exchange: Exchange, spans: list[Span]) -> None:
    now = await exchange.synchronise()
    for span in spans:
        await market_data.fetch(config, exchange, span, now, partial(_tell, span))
    await market_data.fetch_funding(config, exchange, spans[0], now)
    await market_data.fetch_filters(config, exchange, spans[0], now)


def _tell(span: Span, done: int, of: int) -> None:
    print(f"Candles of {span.symbol}: {done} of {of} months.", file=sys.stderr)


def _spans(plan: Plan, span: Span) -> dict[str, Span]:
    """Whose candles are wanted: the symbol's first, then those of the benchmark's legs."""
    legs = {asset: Span(span.market, f"{asset}USDT", span.first, span.end) for asset in HALF_AND_HALF}
    return {"": span, **{asset: leg for asset, leg in legs.items() if leg.symbol != plan.symbol}}


def _span(plan: Plan, now: datetime) -> Span:
    end = now if plan.until == "now" else tables.moment(plan.until)
    first = tables.moment(plan.since) if plan.since else end - FIRST_LOOK
    first, end = (time.astimezone(UTC).replace(second=0, microsecond=0) for time in (first, end))
    if not first < end:
        raise SettingsInvalid(f"A backtest from {first:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} has no minute; name an "
                              "earlier --from or a later --to.")
    return Span(plan.market, plan.symbol, first, end)


def _last_stored(config: Settings, plan: Plan) -> datetime:
    """The end of the last imported candle of the plan's symbol. Raises `SettingsInvalid` where there is none."""
    last = tables.latest(config.location, schemas.CANDLES, "open_time", pl.col("market") == plan.market,
                         pl.col("symbol") == plan.symbol, pl.col("interval") == "1m")
    if last is None:
        raise SettingsInvalid(f"The store {config.location} has no 1m candles of {plan.symbol} ({plan.market}); import "
                              "some: navbook candles import FOLDER.")
    return last + MINUTE


def stepped(config: Settings, plan: Plan, span: Span) -> tuple[Plan, datetime | None]:
    """`plan` with a step and a tick where it names none, and when the exchange's filters that gave one were seen.

    Without filters in the store, and on the spot market, nothing is rounded that the plan does not say.
    """
    known = market_data.filters(config, span) if _wants_filters(plan) else None
    step, tick = (known.step_size, known.tick_size) if known else (0.0, 0.0)
    return replace(plan, step_size=step if plan.step_size is None else plan.step_size,
                   tick_size=tick if plan.tick_size is None else plan.tick_size), known and known.seen_at


def study(config: Settings, plan: Plan, span: Span, engine: Engine | None = None) -> Study:
    """The plan on what the store knows of `span`. Raises `CandlesInvalid`, `BracketInvalid`.

    engine  runs the grid; none: what the settings say, to the end of the process
    """
    found = {asset: market_data.candles(config, each) for asset, each in _spans(plan, span).items()}
    if found[""].is_empty():
        raise SettingsInvalid(f"There are no candles of {plan.symbol} ({plan.market}) from {span.first:%Y-%m-%d %H:%M} "
                              f"to {span.end:%Y-%m-%d %H:%M}; check the symbol and the period.")
    ready = {asset: prepare(frame) for asset, frame in found.items() if frame.height}
    own = next((asset for asset in HALF_AND_HALF if plan.symbol == f"{asset}USDT"), "")
    legs = {asset: each for asset, each in {own: ready[""], **ready}.items() if asset}
    funding = market_data.funding(config, span) if plan.market == "um" else None
    return Study(ready[""], plan.rules, plan.costs(funding), Intrabar(plan.intrabar), plan.grid,
                 legs if len(legs) == len(HALF_AND_HALF) else {}, progress=_Telling(),
                 engine=engine or cluster.engine(config))


class _Telling:
    """Says on standard error how far a part of the work is, when it takes long."""

    def __init__(self) -> None:
        self.told = time.monotonic()

    def __call__(self, work: str, part: float) -> None:
        if (now := time.monotonic()) >= self.told + TELL_EVERY_S:
            self.told = now
            print(f"Backtest: {part:.0%} of the {work}.", file=sys.stderr)


def answers(plan: Plan, span: Span, found: Study, filters_seen_at: datetime | None = None) -> dict[str, pl.DataFrame]:
    """The rows of the four backtest tables that `found` comes to, by table. Plan and `filters_seen_at` of `stepped`."""
    name = pl.lit(plan.title).alias("name")
    tried = pl.struct(*plan.grid).struct.json_encode() if plan.grid else pl.lit("{}")
    rows = {
        schemas.BACKTESTS.name: schemas.BACKTESTS.rows([
            _row(plan, span, found) | {"filters_seen_at": filters_seen_at}]),
        schemas.BACKTEST_TRADES.name: found.result.trades.select(name, pl.all()),
        schemas.BACKTEST_EQUITY.name: found.equity.select(name, pl.all()),
        schemas.BACKTEST_SWEEPS.name: found.tried.select(name, tried.alias("setting"), pl.exclude(*plan.grid))}
    return {schema.name: schema.check(rows[schema.name]) for schema in TABLES}


def _row(plan: Plan, span: Span, found: Study) -> dict[str, Any]:
    pnl = dict(found.bounds.select("intrabar", "pnl").iter_rows())
    forward = found.walk_forward
    luck, redrawn = found.luck or {}, found.redrawn or {}
    return {
        "name": plan.title, "symbol": plan.symbol, "market": plan.market, "from_time": span.first,
        "to_time": span.end, "candles": len(found.candles), "missing": len(span) - len(found.candles),
        "rules": plan.shown_rules(), "costs": plan.shown_costs(), "intrabar": plan.intrabar,
        **{key: found.summary[key] for key in ("trades", "wins", "losses", "liquidations", "ambiguous", "pnl", "fees",
                                               "funding", "max_drawdown", "buy_and_hold")},
        **{f"pnl_{rule}": pnl[rule] for rule in Intrabar}, "gain": found.gain, "benchmark": found.benchmark,
        "settings": found.tried.height, "better": int((found.tried["pnl"] > found.summary["pnl"]).sum()),
        "deflated_sharpe": luck.get("deflated"), "overfitting": luck.get("overfitting"),
        "chance_of_loss": redrawn.get("chance_of_loss"),
        "walk_forward_pnl": None if forward is None else float(forward["test_pnl"].sum())}


def write(config: Settings, rows: Mapping[str, pl.DataFrame]) -> None:
    """Keep `answers` in place of what the same name had; other backtests stay."""
    names = rows[schemas.BACKTESTS.name]["name"].to_list()
    for schema in TABLES:
        others = tables.read(config.location, schema).filter(~pl.col("name").is_in(names))
        rewrite.replace(config.location, schema, pl.concat([others, rows[schema.name]]))


def run(config: Settings, plan: Plan) -> None:
    """All that the notebook does but show."""
    span = asyncio.run(fetch(config, plan))    # no more than this: in there Ctrl-C would wait for the next await
    plan, filters_seen_at = stepped(config, plan, span)
    with cluster.connected(config) as engine:
        found = answers(plan, span, study(config, plan, span, engine), filters_seen_at)
    write(config, found)

"""`navbook backtest`: the bracket strategy over a market's past, a grid of settings around it, and how much is luck."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import polars as pl

from navbook import schemas
from navbook.compute.backtest import prepare
from navbook.compute.backtest.grid import Combinations
from navbook.compute.brackets import RULE_NAMES, BracketRules, Costs
from navbook.compute.study import Study
from navbook.compute.validation import HALF_AND_HALF
from navbook.errors import BracketInvalid, SettingsInvalid
from navbook.exchange import client
from navbook.exchange.client import Exchange
from navbook.runner import market_data, stores
from navbook.runner.market_data import MINUTE, Span
from navbook.settings import Settings
from navbook.store import rewrite, tables
from navbook.types import Environment, Intrabar, Purpose

MARKETS = ("spot", "um")
FIRST_LOOK = timedelta(days=30)    # of a plan that names no start
WIDTHS = (2.5, 5, 7.5, 10, 15, 20, 30, 40)    # USDT, of the grid that a plan has when it names none
TABLES = (schemas.BACKTESTS, schemas.BACKTEST_TRADES, schemas.BACKTEST_EQUITY, schemas.BACKTEST_SWEEPS)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to backtest: the parameters of notebooks/backtest.ipynb.

    name          what the answers are kept under; none: symbol and side
    market        spot, or um for USD-M futures
    since, until  UTC; no start: 30 days before the end; now: the last snapshot, without one the exchange's time
    grid          rules by their names with the values to try

    The rules are those of `BracketRules`, the costs those of `Costs`. Raises `BracketInvalid` naming what cannot be.
    """

    name: str = ""
    symbol: str = "BTCUSDT"
    market: str = "um"
    since: str = ""
    until: str = "now"
    side: str = "LONG"
    amount_usdt: float = 100
    leverage: float = 10
    tp_usdt: float = 10
    sl_usdt: float = 5
    check_every: str = "1m"
    reopen_delay: str = "5m"
    reopen_window: str = "10m"
    max_reopens: int | None = None
    step_size: float = 0
    tick_size: float = 0
    margin_type: str = "CROSSED"
    wallet_usdt: float | None = None
    taker_fee: float = 0.0005
    slippage_bps: float = 0
    intrabar: str = "pessimistic"
    grid: Mapping[str, Sequence[Any]] = field(default_factory=lambda: {"tp_usdt": list(WIDTHS),
                                                                       "sl_usdt": list(WIDTHS)})

    def __post_init__(self) -> None:
        if self.market not in MARKETS:
            raise BracketInvalid("market", self.market, " or ".join(MARKETS))
        if self.intrabar not in list(Intrabar):
            raise BracketInvalid("intrabar", self.intrabar, " or ".join(Intrabar))
        Combinations.of(self.rules, self.grid)    # refuses what cannot be before anything is asked
        self.costs()

    @property
    def title(self) -> str:
        return self.name or f"{self.symbol} {self.rules.side.lower()}"

    @property
    def rules(self) -> BracketRules:
        return BracketRules(**self._named(RULE_NAMES))

    def costs(self, funding: pl.DataFrame | None = None) -> Costs:
        return Costs(self.taker_fee, self.slippage_bps, funding)

    def _named(self, names: Sequence[str]) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name in names}

    def shown_rules(self) -> str:
        return json.dumps(self._named(RULE_NAMES))

    def shown_costs(self) -> str:
        return json.dumps(self._named(("taker_fee", "slippage_bps")))


async def fetch(config: Settings, plan: Plan) -> Span:
    """The plan's period, after the candles and funding rates that the store lacks of it were fetched and stored.

    A sandbox's store with imported candles asks nobody: the sandbox would make up what is missing. Raises
    `SettingsInvalid` for a period that cannot be, `ExchangeError`.
    """
    if not asks_exchange(config):
        return _span(config, plan, _last_stored(config, plan))
    async with client.connect(config.environment, config.sandbox_url, purpose=Purpose.DOWNLOAD) as exchange:
        known = _last_snapshot(config)
        span = _span(config, plan, known or await exchange.synchronise())
        spans = list(_spans(plan, span).values())
        if market_data.unsettled(config, span).len() or any(market_data.lacking(config, each).len() for each in spans):
            await _fetch(config, exchange, spans)
    return span


def asks_exchange(config: Settings) -> bool:
    return config.environment is not Environment.SANDBOX or stores.read_meta(config).get("candles") != stores.IMPORTED


async def _fetch(config: Settings, exchange: Exchange, spans: list[Span]) -> None:
    now = await exchange.synchronise()
    for span in spans:
        await market_data.fetch(config, exchange, span, now, partial(_tell, span))
    await market_data.fetch_funding(config, exchange, spans[0], now)


def _tell(span: Span, done: int, of: int) -> None:
    print(f"Candles of {span.symbol}: {done} of {of} months.", file=sys.stderr)


def _spans(plan: Plan, span: Span) -> dict[str, Span]:
    """Whose candles are wanted: the symbol's first, then those of the benchmark's legs."""
    legs = {asset: Span(span.market, f"{asset}USDT", span.first, span.end) for asset in HALF_AND_HALF}
    return {"": span, **{asset: leg for asset, leg in legs.items() if leg.symbol != plan.symbol}}


def _span(config: Settings, plan: Plan, now: datetime) -> Span:
    end = now if plan.until == "now" else tables.moment(plan.until)
    first = tables.moment(plan.since) if plan.since else end - FIRST_LOOK
    first, end = (time.astimezone(UTC).replace(second=0, microsecond=0) for time in (first, end))
    if not first < end:
        raise SettingsInvalid(f"A backtest from {first:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} has no minute; name an "
                              "earlier --from or a later --to.")
    return Span(plan.market, plan.symbol, first, end)


def _last_snapshot(config: Settings) -> datetime | None:
    last = tables.scan(config.location, schemas.SNAPSHOTS).select(pl.col("time").max()).collect().item()
    return last if isinstance(last, datetime) else None


def _last_stored(config: Settings, plan: Plan) -> datetime:
    """The end of the last imported candle of the plan's symbol. Raises `SettingsInvalid` where there is none."""
    rows = tables.stored(config.location, schemas.CANDLES).filter(
        pl.col("market") == plan.market, pl.col("symbol") == plan.symbol, pl.col("interval") == "1m")
    last = rows.select(pl.col("open_time").max()).collect().item()
    if not isinstance(last, datetime):
        raise SettingsInvalid(f"The store {config.location} has no 1m candles of {plan.symbol} ({plan.market}); import "
                              "some: navbook candles import FOLDER.")
    return last + MINUTE


def study(config: Settings, plan: Plan, span: Span) -> Study:
    """The plan on what the store knows of `span`. Raises `CandlesInvalid`, `BracketInvalid`."""
    found = {asset: market_data.candles(config, each) for asset, each in _spans(plan, span).items()}
    if found[""].is_empty():
        raise SettingsInvalid(f"There are no candles of {plan.symbol} ({plan.market}) from {span.first:%Y-%m-%d %H:%M} "
                              f"to {span.end:%Y-%m-%d %H:%M}; check the symbol and the period.")
    ready = {asset: prepare(frame) for asset, frame in found.items() if frame.height}
    own = next((asset for asset in HALF_AND_HALF if plan.symbol == f"{asset}USDT"), "")
    legs = {asset: each for asset, each in {own: ready[""], **ready}.items() if asset}
    funding = market_data.funding(config, span) if plan.market == "um" else None
    return Study(ready[""], plan.rules, plan.costs(funding), Intrabar(plan.intrabar), plan.grid,
                 legs if len(legs) == len(HALF_AND_HALF) else {})


def answers(plan: Plan, span: Span, found: Study) -> dict[str, pl.DataFrame]:
    """The rows of the four backtest tables that `found` comes to, by table."""
    name = pl.lit(plan.title).alias("name")
    tried = pl.struct(*plan.grid).struct.json_encode() if plan.grid else pl.lit("{}")
    rows = {
        schemas.BACKTESTS.name: schemas.BACKTESTS.rows([_row(plan, span, found)]),
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


async def run(config: Settings, plan: Plan) -> None:
    """All that the notebook does but show."""
    span = await fetch(config, plan)
    write(config, answers(plan, span, study(config, plan, span)))


def said(config: Settings, plan: Plan) -> str:
    """One sentence on what stands in the store now."""
    row = tables.read(config.location, schemas.BACKTESTS).row(by_predicate=pl.col("name") == plan.title, named=True)
    beside = "" if row["benchmark"] is None else f", half/half {row['benchmark']:+.1%}"
    return (f"{row['name']}, {row['from_time']:%Y-%m-%d} to {row['to_time']:%Y-%m-%d}: {row['trades']} trades, "
            f"{row['pnl']:+,.2f} USDT ({row['gain']:+.1%}){beside}; {row['better']} of {row['settings']} settings did "
            "better.")

"""`navbook parity`: a position's live trades beside a backtest over the same minutes, and what makes the difference."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import polars as pl

from navbook import schemas
from navbook.compute import parity
from navbook.compute.brackets import BracketRules, Costs
from navbook.errors import SettingsInvalid
from navbook.exchange import client, contracts
from navbook.runner import backtesting, market_data
from navbook.runner.market_data import MINUTE, Span
from navbook.settings import Settings
from navbook.store import rewrite, tables
from navbook.trader import keeping, plans
from navbook.trader.journal import Journal, place
from navbook.trader.plans import Plan
from navbook.types import Purpose

MARKET = "um"


@dataclass(frozen=True)
class Asked:
    """What to compare: the parameters of notebooks/parity.ipynb.

    name          a position of [trade]
    since, until  UTC; trades that were entered in [since, until]. No start: all; now: until now
    taker_fee     of the backtest: a fraction of the notional, a side
    """

    name: str
    since: str = ""
    until: str = "now"
    taker_fee: float = 0.0005


@dataclass(frozen=True)
class Compared:
    """The answer: PARITY rows, and what they were worked out from."""

    asked: Asked
    plan: Plan
    rows: pl.DataFrame
    live: pl.DataFrame
    candles: pl.DataFrame

    @cached_property
    def sums(self) -> dict[str, float]:
        return parity.summary(self.rows)


def live_trades(config: Settings, asked: Asked) -> pl.DataFrame:
    """TRADE rows of the position's closed trades in the period. Raises `SettingsInvalid` where there are none."""
    plan = plans.named(config, asked.name)
    if place(config, plan.account).exists():
        with closing(Journal(place(config, plan.account))) as journal:
            found = keeping.history(journal).filter(pl.col("name") == asked.name).drop("name")
        since, until = (None if text in ("", "now") else tables.moment(text) for text in (asked.since, asked.until))
        found = found.filter(pl.lit(value=True) if since is None else pl.col("entry_time") >= since,
                             pl.lit(value=True) if until is None else pl.col("entry_time") <= until)
        if found.height:
            return found
    raise SettingsInvalid(f"{asked.name} closed no trade in this period; navbook trade history lists what it did.")


async def compare(config: Settings, asked: Asked) -> Compared:
    """The live trades beside a backtest of the same minutes, with the steps and ticks of the host.

    Candles and funding rates that the store lacks are fetched first. Raises `SettingsInvalid`, `ExchangeError`.
    """
    plan, live = plans.named(config, asked.name), live_trades(config, asked)
    first, end = _minute(live["entry_time"].min()), _minute(live["exit_time"].max()) + MINUTE
    span = Span(MARKET, plan.symbol, first, end)
    async with client.connect(config.environment, config.sandbox_url, purpose=Purpose.DOWNLOAD) as exchange:
        now = await exchange.synchronise()
        if backtesting.asks_exchange(config):
            await market_data.fetch(config, exchange, span, now, lambda done, of: None)
            await market_data.fetch_funding(config, exchange, span, now)
        known = await contracts.filters(exchange, {plan.symbol})
    if plan.symbol not in known:
        raise SettingsInvalid(f"The exchange knows no contract {plan.symbol}; correct [trade.{asked.name}].")
    candles = market_data.candles(config, span)
    costs = Costs(asked.taker_fee, funding=market_data.funding(config, span))
    rows = _rows(asked.name, live, candles, plan.on(known[plan.symbol]), costs, end)
    return Compared(asked, plan, rows, live, candles)


def _rows(name: str, live: pl.DataFrame, candles: pl.DataFrame, rules: BracketRules, costs: Costs,
          end: datetime) -> pl.DataFrame:
    modelled = parity.modelled(live, candles, rules, costs, end)
    return parity.report(name, live, modelled, candles, rules, costs)


def write(config: Settings, rows: pl.DataFrame) -> None:
    """Keep `rows` in place of what the same position had; others stay."""
    others = tables.read(config.location, schemas.PARITY).filter(~pl.col("name").is_in(rows["name"].unique()))
    rewrite.replace(config.location, schemas.PARITY, pl.concat([others, rows]))


async def run(config: Settings, asked: Asked) -> None:
    """All that the notebook does but show."""
    write(config, (await compare(config, asked)).rows)


def said(config: Settings, asked: Asked) -> str:
    """One sentence on what stands in the store now."""
    rows = tables.read(config.location, schemas.PARITY).filter(pl.col("name") == asked.name)
    sums, pairs = parity.summary(rows), rows.filter(pl.col("found") == "both").height
    parts = ", ".join(f"{part} {sums[part]:+,.2f}" for part in parity.PARTS if abs(sums[part]) >= 0.005)
    made = f": {parts}" if parts else ""
    return (f"{asked.name}, {rows.height} trades, {pairs} of them in both: live {sums['live_pnl']:+,.2f} USDT, "
            f"backtest {sums['backtest_pnl']:+,.2f}, difference {sums['difference']:+,.2f}{made}.")


def _minute(time: object) -> datetime:
    assert isinstance(time, datetime)    # there is a trade
    return time - timedelta(seconds=time.second, microseconds=time.microsecond)

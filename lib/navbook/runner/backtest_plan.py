"""What to backtest: the parameters of notebooks/backtest.ipynb, one by one or as a [trade.NAME] of navbook.toml."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import polars as pl

from navbook import schemas
from navbook.compute.brackets import RULE_NAMES, BracketRules, Costs
from navbook.compute.combinations import Combinations
from navbook.errors import BracketInvalid, SettingsInvalid
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Intrabar

MARKETS = ("spot", "um")
WIDTHS = (2.5, 5, 7.5, 10, 15, 20, 30, 40)    # USDT, of the grid that a plan has when it names none


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to backtest: the parameters of notebooks/backtest.ipynb.

    name          what the answers are kept under; none: symbol and side
    market        spot, or um for USD-M futures
    since, until  UTC; no start: 30 days before the end; now: the last snapshot, without one the exchange's time
    grid          rules by their names with the values to try

    step_size, tick_size    none: those of the exchange's filters on um (`backtesting.stepped`), else 0

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
    step_size: float | None = None
    tick_size: float | None = None
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
        return BracketRules(**self._rules())

    def costs(self, funding: pl.DataFrame | None = None) -> Costs:
        return Costs(self.taker_fee, self.slippage_bps, funding)

    def _rules(self) -> dict[str, Any]:
        return self._named(RULE_NAMES) | {"step_size": self.step_size or 0, "tick_size": self.tick_size or 0}

    def _named(self, names: Sequence[str]) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name in names}

    def shown_rules(self) -> str:
        return json.dumps(self._rules())

    def shown_costs(self) -> str:
        return json.dumps(self._named(("taker_fee", "slippage_bps")))


def of_trade(config: Settings, name: str) -> dict[str, Any]:
    """Parameters of the `Plan` that [trade.NAME] is: its symbol, side and rules, on USD-M futures.

    Raises `SettingsInvalid` for a name that is not there, and for a key that is none of its settings.
    """
    if name not in config.trade:
        raise SettingsInvalid(f"There is no [trade.{name}] in navbook.toml; there are "
                              f"{', '.join(config.trade) or 'none'}.")
    section = {key: value for key, value in config.trade[name].items() if key != "account"}
    takes = {"symbol", *(each.name for each in fields(Plan) if each.name in RULE_NAMES)}
    if unknown := section.keys() - takes:
        raise SettingsInvalid(f"[trade.{name}] cannot be used: {min(unknown)} is not one of its settings, which are "
                              f"account, {', '.join(sorted(takes))}.")
    if "symbol" not in section:
        raise SettingsInvalid(f"[trade.{name}] cannot be used: it names no symbol, such as symbol = \"BTCUSDT\".")
    return {"name": name, "market": "um", **section}


def said(config: Settings, plan: Plan) -> str:
    """One sentence on what stands in the store now."""
    row = tables.read(config.location, schemas.BACKTESTS).row(by_predicate=pl.col("name") == plan.title, named=True)
    beside = "" if row["benchmark"] is None else f", half/half {row['benchmark']:+.1%}"
    return (f"{row['name']}, {row['from_time']:%Y-%m-%d} to {row['to_time']:%Y-%m-%d}: {row['trades']} trades, "
            f"{row['pnl']:+,.2f} USDT ({row['gain']:+.1%}){beside}; {row['better']} of {row['settings']} settings did "
            "better.")

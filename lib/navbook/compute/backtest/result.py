"""What a backtest found: its trades, its equity, its sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from navbook.compute.backtest import kernel
from navbook.compute.backtest.candles import Candles
from navbook.compute.backtest.equity import mark_to_market
from navbook.compute.backtest.ledger import Ledger
from navbook.compute.brackets import BracketRules, Costs
from navbook.types import ExitReason, Intrabar

REASONS = pl.Series([reason.value for reason in
                     (ExitReason.TAKE_PROFIT, ExitReason.STOP_LOSS, ExitReason.LIQUIDATION, ExitReason.OPEN)])
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Backtest:
    """One or more brackets replayed over the first `end` of `candles`; of `run`.

    path  which way it was computed: "alone", each set of rules for itself, or "event order" where they share a wallet
    """

    candles: Candles
    end: int
    rules: tuple[BracketRules, ...]
    costs: Costs
    intrabar: Intrabar
    path: str
    ledger: Ledger

    @cached_property
    def trades(self) -> pl.DataFrame:
        """BACKTEST_TRADES by entry time, LONG before SHORT. Prices are fills, so slippage is in them."""
        ledger, candles = self.ledger, self.candles
        still_open = np.flatnonzero(ledger.codes[:, 0] == kernel.OPEN)
        prices = ledger.prices
        exit_price, fee, funding, pnl = (_without(values, still_open)
                                         for values in (prices.exit, prices.fee, prices.funding, prices.pnl))
        exit_time = _without(candles.times(ledger.rows[:, 1]), still_open)
        sides = pl.Series([rules.side.value for rules in self.rules])
        side = (sides.new_from_index(0, len(ledger)) if len(self.rules) == 1
                else _named(sides, ledger.rules))
        frame = pl.DataFrame({
            "side": side, "entry_time": candles.times(ledger.rows[:, 0]), "entry_price": prices.entry,
            "quantity": prices.quantity, "take_profit": prices.take_profit, "stop_loss": prices.stop_loss,
            "exit_time": exit_time, "exit_price": exit_price, "reason": _named(REASONS, ledger.codes[:, 0]),
            "fee": fee, "funding": funding, "pnl": pnl, "reopen": ledger.reopens})
        return frame if len(self.rules) == 1 else frame.sort("entry_time", "side", maintain_order=True)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Sums over closed trades, in USDT, and what they are measured by.

        trades, wins, losses   closed; pnl above zero, below zero
        pnl, fees, funding     sums in the order of the exits; fees are positive, funding too when received
        max_drawdown           deepest fall of the pnl after an earlier peak of it (or its start), positive
        liquidations, ambiguous    how many were liquidated; how many hang on the intrabar rule
        buy_and_hold           last close / first open - 1
        excess                 pnl / amount_usdt (of all rules together) less buy_and_hold
        """
        sums, counts = total(self.ledger)
        return {**summary_of(sums, counts), "buy_and_hold": self.buy_and_hold,
                "excess": excess(float(sums[kernel.PNL]), self.amount_usdt, self.buy_and_hold)}

    @property
    def amount_usdt(self) -> float:
        return float(sum(rules.amount_usdt for rules in self.rules))

    @property
    def buy_and_hold(self) -> float:
        return buy_and_hold(self.candles, self.end)

    @cached_property
    def equity(self) -> pl.DataFrame:
        """[open_time, equity_usdt]: what the trades have gained at the close of each candle.

        Closed trades count with their pnl; an open one at the close, less its entry's fee, plus its funding so far.
        """
        times = self.candles.frame["open_time"].head(self.end)
        return pl.DataFrame({"open_time": times.cast(pl.Datetime("us", "UTC")), "equity_usdt": mark_to_market(self)})


def total(ledger: Ledger) -> tuple[Floats, NDArray[np.int64]]:
    """Sums and counts over the closed trades, as `kernel.total` orders them."""
    sums, counts = kernel.total(ledger.prices.pnl, ledger.prices.fee, ledger.prices.funding, ledger.codes)
    return sums, counts


def _named(names: pl.Series, codes: NDArray[np.integer[Any]]) -> pl.Series:
    """The name of each code; `Series.gather` would plan a query first."""
    return names[pl.Series(codes.astype(np.uint32))]


def _without(values: Floats | pl.Series, rows: NDArray[np.int64]) -> pl.Series:
    """`values` with null in `rows`."""
    column = pl.Series(values)
    return column.scatter(rows, None) if len(rows) else column


def summary_of(sums: Floats, counts: NDArray[np.int64]) -> dict[str, Any]:
    """The figures of a run by name, of the kernel's sums and counts."""
    return {"trades": int(counts[kernel.TRADES]), "wins": int(counts[kernel.WINS]),
            "losses": int(counts[kernel.LOSSES]), "pnl": float(sums[kernel.PNL]), "fees": float(sums[kernel.FEES]),
            "funding": float(sums[kernel.FUNDING]), "max_drawdown": float(sums[kernel.DRAWDOWN]),
            "liquidations": int(counts[kernel.LIQUIDATIONS]), "ambiguous": int(counts[kernel.AMBIGUOUS])}


def buy_and_hold(candles: Candles, end: int) -> float:
    """Return of the symbol from the first open to the last close; 0 without candles."""
    return float(candles.close[end - 1] / candles.open[0]) - 1 if end else 0.0


def excess(pnl: float, amount_usdt: float, buy_and_hold: float) -> float:
    """Return on the amount of a trade, less that of the symbol held; fractions."""
    return pnl / amount_usdt - buy_and_hold


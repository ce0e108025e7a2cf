"""Replay brackets over 1m candles. Reads no file, clock or network; knows no exchange.

`prepare` candles once, `run` one set of rules or a hedge, `sweep` a grid of them. The rules are those of
`compute.brackets`; DESIGN "Try1" and "Intrabar rule" say them in words.
"""

from navbook.compute.backtest.candles import Candles, prepare
from navbook.compute.backtest.grid import pnl_by_period, sweep
from navbook.compute.backtest.replay import bounds, run
from navbook.compute.backtest.result import Backtest
from navbook.compute.brackets import BracketRules, Costs

__all__ = ["Backtest", "BracketRules", "Candles", "Costs", "bounds", "pnl_by_period", "prepare", "run", "sweep"]

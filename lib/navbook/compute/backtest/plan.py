"""Rules and costs as the compiled loops take them: tuples of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navbook.compute.backtest import kernel
from navbook.compute.backtest.candles import A_MINUTE, Candles
from navbook.compute.brackets import BracketRules, Costs, Grid, Tier, grid_of
from navbook.errors import BracketInvalid
from navbook.types import Intrabar

Tiers = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
Funding = tuple[NDArray[np.int64], NDArray[np.float64]]
NEVER, ISOLATED, CROSS = 0, 1, 2
EXACT = 2.0**52
RULE_CODES = {Intrabar.PESSIMISTIC: kernel.PESSIMISTIC, Intrabar.OPTIMISTIC: kernel.OPTIMISTIC,
              Intrabar.PATH: kernel.PATH}


def intrabar_of(intrabar: str) -> Intrabar:
    """The order of high and low that a word names. Raises `BracketInvalid`."""
    try:
        return Intrabar(intrabar)
    except ValueError:
        raise BracketInvalid("intrabar", intrabar, " or ".join(Intrabar)) from None


def mode_of(rules: BracketRules) -> int:
    """How the kernel liquidates: never, by the cross wallet, or by the isolated margin."""
    if rules.is_isolated:
        return ISOLATED
    return NEVER if rules.wallet_usdt is None else CROSS


def timing_of(rules: BracketRules) -> tuple[int, int, int]:
    """Check, delay and window of the rules, ms."""
    return rules.check_ms, rules.delay_ms, rules.window_ms


def steady_of(rules: BracketRules, candles: Candles) -> int:
    """After how many candles a closed position always reopens; 0 where that differs or never is."""
    minutes = 1 - (-rules.delay_ms // A_MINUTE["ms"])
    steady = (len(candles.stretch_row) == 1 and A_MINUTE["ms"] % rules.check_ms == 0
              and (minutes - 1) * A_MINUTE["ms"] <= rules.window_ms)
    return minutes if steady else 0


def tiers_of(tiers: tuple[Tier, ...]) -> Tiers:
    """Caps, rates and amounts of the tiers as the arrays that the kernel takes."""
    return (np.array([tier.cap for tier in tiers]), np.array([tier.rate for tier in tiers]),
            np.array([tier.cum for tier in tiers]))


def funding_of(costs: Costs) -> Funding:
    """Each settlement's minute, rounded up, and its rate * mark price: what one unit held long pays.

    Entries and exits are whole minutes, so that entry < time <= exit says the same of the minute rounded up.
    """
    if costs.funding is None:
        return np.zeros(0, np.int64), np.zeros(0)
    times = costs.funding["time"]
    minutes = -(-times.to_physical().to_numpy() // A_MINUTE[times.dtype.time_unit])    # type: ignore[attr-defined]
    return minutes, (costs.funding["rate"] * costs.funding["mark_price"]).to_numpy()


@dataclass(frozen=True)
class Steps:
    """The grids of quantity and levels, as floats."""

    step: Grid
    tick: Grid

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        return float(self.step.top), float(self.step.scale), float(self.tick.top), float(self.tick.scale)


def steps_of(rules: BracketRules, candles: Candles) -> Steps:
    """Raises `BracketInvalid` where a grid is too fine for floats at these prices."""
    steps = Steps(grid_of("step_size", rules.step_size), grid_of("tick_size", rules.tick_size))
    most = rules.notional / candles.lowest if steps.step.top else 0.0
    if most * steps.step.scale * 2 > EXACT:
        raise BracketInvalid("step_size", rules.step_size, "coarser: such quantities have more than 15 digits")
    if steps.tick.top and candles.highest * steps.tick.scale * 4 > EXACT:
        raise BracketInvalid("tick_size", rules.tick_size, "coarser: such prices have more than 15 digits")
    return steps


def rules_of(rules: BracketRules, candles: Candles) -> tuple[float | int, ...]:
    """As `kernel.run_chain` takes them."""
    most = len(candles) + 1 if rules.most_trades is None else min(rules.most_trades, len(candles) + 1)
    return (float(rules.sign), rules.notional, float(rules.tp_usdt), float(rules.sl_usdt), float(rules.leverage),
            *steps_of(rules, candles).numbers, mode_of(rules), float(rules.wallet_usdt or 0.0), most)

"""Was it luck? What chance and much trying alone would have shown. Pure; knows no candles.

Sources: D. Bailey, M. López de Prado, "The Sharpe Ratio Efficient Frontier" (2012) and "The Deflated Sharpe Ratio"
(2014); D. Bailey, J. Borwein, M. López de Prado, Q. Zhu, "The Probability of Backtest Overfitting" (2017);
D. Politis, J. Romano, "The Stationary Bootstrap" (1994).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import e, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from navbook.errors import BracketInvalid

Floats = NDArray[np.float64]
Progress = Callable[[float], None]
NORMAL = NormalDist()
EULER = 0.5772156649015329
AT_ONCE = 4_000_000      # numbers in memory at a time


# -- bootstrap of trades ---------------------------------------------------------------------------------------
def bootstrap(pnl: ArrayLike, *, samples: int = 10_000, block: float = 1, seed: int = 0) -> dict[str, float]:
    """What totals the same trades could have come to, had chance drawn them again.

    pnl    of each closed trade, in order
    block  mean length of the runs of trades that are drawn together (the stationary bootstrap); 1: one by one

    Returns the `total`, its 5 % and 95 % quantiles (`low`, `high`), the part of the samples without a gain
    (`chance_of_loss`) and the 95 % quantile of the deepest fall after a peak (`drawdown`); all in USDT.
    Raises `BracketInvalid` without trades.
    """
    trades = _series("pnl", pnl, least=1)
    if block < 1:
        raise BracketInvalid("block", block, "1 or more")
    random, count = np.random.default_rng(seed), len(trades)
    totals, falls = np.empty(samples), np.empty(samples)
    step = max(1, AT_ONCE // count)
    for first in range(0, samples, step):
        size = min(step, samples - first)
        drawn = trades[_places(random, size, count, block)]
        line = np.cumsum(drawn, axis=1)
        totals[first:first + size] = line[:, -1]
        falls[first:first + size] = (np.maximum(np.maximum.accumulate(line, axis=1), 0) - line).max(axis=1)
    low, high = np.quantile(totals, [0.05, 0.95])
    return {"total": float(trades.sum()), "low": float(low), "high": float(high),
            "chance_of_loss": float((totals <= 0).mean()), "drawdown": float(np.quantile(falls, 0.95))}


def _places(random: np.random.Generator, size: int, count: int, block: float) -> NDArray[np.int64]:
    """[sample, place]: which trade comes at each place; a run goes on with the next trade, round the end."""
    drawn = random.integers(0, count, (size, count))
    if block == 1:
        return drawn
    begins = random.random((size, count)) < 1 / block
    begins[:, 0] = True
    place = np.broadcast_to(np.arange(count), (size, count))
    start = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    return np.asarray((np.take_along_axis(drawn, start, axis=1) + place - start) % count)


# -- Sharpe ratios ---------------------------------------------------------------------------------------------
def sharpe(returns: ArrayLike) -> float:
    """Mean over standard deviation, of one period; 0 when nothing varies."""
    values = _series("returns", returns, least=2)
    deviation = float(values.std(ddof=1))
    return float(values.mean()) / deviation if deviation else 0.0


def probabilistic_sharpe(returns: ArrayLike, benchmark: float = 0.0) -> float:
    """The probability that the true Sharpe ratio is above `benchmark`, given length, skew and fat tails."""
    values = _series("returns", returns, least=3)
    found, centred = sharpe(values), values - values.mean()
    spread = float(values.std())
    if not spread:
        return 0.5
    skew, kurtosis = (float((centred**power).mean()) / spread**power for power in (3, 4))
    return confidence(found, benchmark, len(values), skew, kurtosis)


def confidence(sharpe: float, benchmark: float, periods: int, skew: float, kurtosis: float) -> float:
    """The probability that the true Sharpe ratio is above `benchmark`, of what was seen in so many `periods`."""
    error = sqrt(max(1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2, 1e-12))
    return NORMAL.cdf((sharpe - benchmark) * sqrt(periods - 1) / error)


def expected_best_sharpe(trials: ArrayLike) -> float:
    """The best Sharpe ratio that so many trials would show by chance, none of them having any skill."""
    values = _series("trials", trials, least=2)
    count = len(values)
    return float(values.std(ddof=1)) * ((1 - EULER) * NORMAL.inv_cdf(1 - 1 / count)
                                        + EULER * NORMAL.inv_cdf(1 - 1 / (count * e)))


def deflated_sharpe(returns: ArrayLike, trials: ArrayLike) -> float:
    """The probability that the true Sharpe ratio of the chosen trial is above what chance shows in the best of all.

    returns  of the chosen one, per period         trials  Sharpe ratios of all, of the same period
    """
    return probabilistic_sharpe(returns, expected_best_sharpe(trials))


# -- probability of backtest overfitting -----------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Overfitting:
    """What choosing the best of a sweep is worth.

    probability     that the best in sample is below the median out of sample (PBO)
    loss            that it loses out of sample
    logits          of its relative rank out of sample, one for each split
    """

    probability: float
    loss: float
    logits: Floats


def overfitting(pnl: ArrayLike, *, blocks: int = 16, progress: Progress | None = None) -> Overfitting:
    """Combinatorially symmetric cross-validation of a sweep.

    pnl     [period, combination], in the order of time, as `backtest.pnl_by_period` gives it
    blocks  an even number: the periods are cut into so many, half of them in sample, the others out, in every way
    progress  is told the part that is done, again and again

    Combinations are compared by their Sharpe ratio. Raises `BracketInvalid` for fewer periods than two a block, fewer
    than two combinations, or an odd number of blocks.
    """
    table = np.asarray(pnl, dtype=np.float64)
    if blocks < 2 or blocks % 2:
        raise BracketInvalid("blocks", blocks, "an even number from 2 on")
    if table.ndim != 2 or table.shape[0] < 2 * blocks or table.shape[1] < 2 or not np.isfinite(table).all():
        raise BracketInvalid("pnl", table.shape, f"finite, {2 * blocks} periods or more by two combinations or more")
    parts = np.array_split(table, blocks)
    sizes = np.array([len(part) for part in parts], float)
    sums, squares = (np.stack([(part**power).sum(axis=0) for part in parts]) for power in (1, 2))
    chosen = np.zeros((len(splits := list(combinations(range(blocks), blocks // 2))), blocks))
    chosen[np.arange(len(splits))[:, None], splits] = 1
    ranks, losses, step = [], [], max(1, AT_ONCE // table.shape[1])
    for first in range(0, len(splits), step):
        if progress is not None:
            progress(first / len(splits))
        inside = chosen[first:first + step]
        best = _sharpes(inside, sizes, sums, squares).argmax(axis=1)
        outside = _sharpes(1 - inside, sizes, sums, squares)
        there = outside[np.arange(len(best)), best]
        below, equal = (outside < there[:, None]).sum(axis=1), (outside == there[:, None]).sum(axis=1)
        ranks.append((below + (equal + 1) / 2) / (table.shape[1] + 1))
        losses.append(there <= 0)
    rank = np.concatenate(ranks)
    logits = np.log(rank / (1 - rank))
    return Overfitting(float((logits <= 0).mean()), float(np.concatenate(losses).mean()), logits)


def _sharpes(inside: Floats, sizes: Floats, sums: Floats, squares: Floats) -> Floats:
    """[split, combination] from the sums of the blocks that are `inside`; 0 when nothing varies."""
    count = (inside @ sizes)[:, None]
    mean = inside @ sums / count
    variance = np.maximum(inside @ squares / count - mean**2, 0)
    flat = variance <= 1e-18 * (1 + mean**2)
    return np.where(flat, 0.0, mean / np.sqrt(np.where(flat, 1.0, variance)))


def luck(pnl: ArrayLike, *, blocks: int = 16, progress: Progress | None = None) -> dict[str, Any]:
    """The best combination of a sweep by its Sharpe ratio, and how much of that is luck; all of one look.

    All arguments as for `overfitting`.

    Returns its number (`combination`), `sharpe` of a period, what chance alone would show (`expected_best`),
    `deflated` and `overfitting` probabilities.
    """
    table = np.asarray(pnl, dtype=np.float64)
    trials = np.array([sharpe(column) for column in table.T])
    best = int(trials.argmax())
    return {"combination": best, "sharpe": float(trials[best]), "expected_best": expected_best_sharpe(trials),
            "deflated": deflated_sharpe(table[:, best], trials),
            "overfitting": overfitting(table, blocks=blocks, progress=progress).probability}


def _series(key: str, values: ArrayLike | pl.Series | Sequence[float], least: int) -> Floats:
    numbers = np.asarray(values.drop_nulls() if isinstance(values, pl.Series) else values, dtype=np.float64).ravel()
    if len(numbers) < least or not np.isfinite(numbers).all():
        raise BracketInvalid(key, f"{len(numbers)} values", f"{least} or more, all of them finite")
    return numbers

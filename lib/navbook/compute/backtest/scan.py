"""What is built once from candles, to find quickly which one touches a level: blocks of extremes, links of records.

Compiled functions call those of their own file only: numba's cache does not notice what changes in another.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# mypy: no-check-untyped-defs
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Blocks = tuple[Floats, Floats, NDArray[np.int64]]    # highest highs, lowest lows, where each level's begin and end
NEAR = 4096
FAN = 8    # candles of a block, blocks of the next larger one: a cache line of floats

compiled = njit(cache=True, nogil=True, error_model="numpy")    # a division by zero is an infinity


@compiled
def is_whole(times, step):
    """Whether every candle opens one `step` after the one before it, the first at a multiple of `step`."""
    apart = 0
    for row in range(1, len(times)):
        apart += times[row] - times[row - 1] != step
    return apart == 0 and times[0] % step == 0


@compiled
def _smallest_blocks(opens, high, low, close, tops, bottoms):
    """Extremes of `FAN` candles each; returns how many candles are not sound (NaN fails every comparison)."""
    bad, count = 0, len(high)
    for start in range(0, count, NEAR):    # what is checked is still near when its extremes are sought
        stop = min(start + NEAR, count)
        for row in range(start, stop):
            first, h, w, last = opens[row], high[row], low[row], close[row]
            bad += not (w > 0) & (h < np.inf) & (first >= w) & (first <= h) & (last >= w) & (last <= h)
        for block in range(start // FAN, stop // FAN):
            row = block * FAN
            tops[block] = max(
                max(max(high[row], high[row + 1]), max(high[row + 2], high[row + 3])),
                max(max(high[row + 4], high[row + 5]), max(high[row + 6], high[row + 7])))
            bottoms[block] = min(
                min(min(low[row], low[row + 1]), min(low[row + 2], low[row + 3])),
                min(min(low[row + 4], low[row + 5]), min(low[row + 6], low[row + 7])))
    if count % FAN:
        block = count // FAN
        tops[block], bottoms[block] = high[block * FAN:].max(), low[block * FAN:].min()
    return bad


@compiled
def _larger_blocks(tops, bottoms, starts):
    """From each level's blocks the next one's; places that are left over touch nothing."""
    for level in range(1, len(starts) - 1):
        for block in range((starts[level] - starts[level - 1]) // FAN):
            first = starts[level - 1] + block * FAN
            highest, lowest = tops[first], bottoms[first]
            for place in range(first, first + FAN):
                highest, lowest = max(highest, tops[place]), min(lowest, bottoms[place])
            tops[starts[level] + block], bottoms[starts[level] + block] = highest, lowest


def checked_blocks(opens: Floats, high: Floats, low: Floats, close: Floats) -> tuple[Blocks, bool]:
    """The extremes of blocks, and whether every candle is sound."""
    starts, count = [0], len(high)
    while count > FAN or len(starts) == 1:
        count = -(-count // FAN)
        starts.append(starts[-1] + -(-count // FAN) * FAN)
    tops, bottoms, sizes = np.empty(starts[-1]), np.empty(starts[-1]), np.array(starts)
    for place in sizes[1:]:
        tops[place - FAN:place], bottoms[place - FAN:place] = -np.inf, np.inf
    bad = _smallest_blocks(opens, high, low, close, tops, bottoms)
    _larger_blocks(tops, bottoms, sizes)
    return (tops, bottoms, sizes), not bad


@compiled
def first_bad(opens, high, low, close):
    """The first row that is no candle; their number where all are."""
    for row in range(len(high)):
        first, h, w, last = opens[row], high[row], low[row], close[row]
        if not ((w > 0) & (h < np.inf) & (first >= w) & (first <= h) & (last >= w) & (last <= h)):
            return row
    return len(high)


@compiled
def link(high, low, links):
    """Fill `links` [2, candle]; see `Candles.links`."""
    count = len(high)
    for row in range(count - 1, -1, -1):
        later = row + 1
        while later < count and high[later] <= high[row]:
            later = links[0, later]
        links[0, row] = later
        later = row + 1
        while later < count and low[later] >= low[row]:
            later = links[1, later]
        links[1, row] = later

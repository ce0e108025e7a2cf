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
Blocks = tuple[Floats, Floats, Floats, Floats, Floats, Floats]    # high and low of 16, 256 and 4096 candles
FAN = 16

compiled = njit(cache=True, nogil=True, error_model="numpy")    # a division by zero is an infinity


@compiled
def is_whole(times, step):
    """Whether every candle opens one `step` after the one before it, the first at a multiple of `step`."""
    apart = 0
    for row in range(1, len(times)):
        apart += times[row] - times[row - 1] != step
    return apart == 0 and times[0] % step == 0


@compiled
def _first_level(opens, high, low, close, top, bottom):
    """Extremes of 16 candles each; returns whether all candles are sound (NaN fails every comparison)."""
    sound, count = True, len(high)
    for block in range(len(top)):
        start = block * FAN
        highest, lowest, fine = high[start], low[start], True
        if start + FAN <= count:
            for row in range(start, start + FAN):
                first, h, w, last = opens[row], high[row], low[row], close[row]
                fine &= (w > 0) & (h < np.inf) & (first >= w) & (first <= h) & (last >= w) & (last <= h)
                highest = h if h > highest else highest
                lowest = w if w < lowest else lowest
        else:
            for row in range(start, count):
                first, h, w, last = opens[row], high[row], low[row], close[row]
                fine &= (w > 0) & (h < np.inf) & (first >= w) & (first <= h) & (last >= w) & (last <= h)
                highest = max(h, highest)
                lowest = min(w, lowest)
        sound &= fine
        top[block], bottom[block] = highest, lowest
    return sound


@compiled
def _next_level(fine_top, fine_bottom, top, bottom):
    for block in range(len(top)):
        start, end = block * FAN, min(block * FAN + FAN, len(fine_top))
        highest, lowest = fine_top[start], fine_bottom[start]
        for row in range(start, end):
            highest = max(highest, fine_top[row])
            lowest = min(lowest, fine_bottom[row])
        top[block], bottom[block] = highest, lowest


def checked_blocks(opens: Floats, high: Floats, low: Floats, close: Floats) -> tuple[Blocks, bool]:
    """The extremes of 16, 256 and 4096 candles, and whether every candle is sound."""
    sizes = []
    count = len(high)
    for _ in range(3):
        count = -(-count // FAN)
        sizes.append(count)
    top1, top2, top3 = (np.empty(size) for size in sizes)
    low1, low2, low3 = (np.empty(size) for size in sizes)
    sound = _first_level(opens, high, low, close, top1, low1)
    _next_level(top1, low1, top2, low2)
    _next_level(top2, low2, top3, low3)
    return (top1, low1, top2, low2, top3, low3), bool(sound)


@compiled
def first_bad(opens, high, low, close):
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

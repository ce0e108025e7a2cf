"""The rules of `compute.brackets` once more, for compiled loops: the same floats from the same operations.

Where `brackets` rounds decimals, these compare with the float nearest to the boundary's decimal. That is the same:
a float lies at or above a boundary of at most 15 digits exactly when its shortest decimal does, since floats and
their shortest decimals are in the same order and no two decimals of 15 digits share a float.

Compiled functions call those of their own file only: numba's cache does not notice what changes in another.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
from __future__ import annotations

import numpy as np
from numba import njit

FAN = 16    # of `scan`'s blocks
TP, SL, LIQUIDATION, OPEN = 0, 1, 2, 3            # codes of ExitReason
PESSIMISTIC, OPTIMISTIC, PATH = 0, 1, 2           # codes of Intrabar
MOST_ROUNDS = 24


# -- looking ahead --------------------------------------------------------------------------------------------
@njit(cache=True, nogil=True)
def first_touch(start, end, up, down, high, low, blocks):    # noqa: C901 (a loop a level)
    """The first candle in [start, end) with high >= up or low <= down; `end` when there is none.

    Up the blocks while nothing touches, then down into the first that does; some of it may lie beyond `end`.
    """
    top1, low1, top2, low2, top3, low3 = blocks
    row, stop = start, min(-(-start // FAN) * FAN, end)
    while row < stop:
        if (high[row] >= up) | (low[row] <= down):
            return row
        row += 1
    block, stop = row // FAN, min(-(-(row // FAN) // FAN) * FAN, len(top1))
    while block < stop and not (top1[block] >= up) | (low1[block] <= down):
        block += 1
    if block == stop and row < end:
        wide, stop = block // FAN, min(-(-(block // FAN) // FAN) * FAN, len(top2))
        if block == len(top1):
            return end
        while wide < stop and not (top2[wide] >= up) | (low2[wide] <= down):
            wide += 1
        if wide == stop:
            widest = wide // FAN
            if wide == len(top2):
                return end
            while widest < len(top3) and not (top3[widest] >= up) | (low3[widest] <= down):
                widest += 1
            if widest == len(top3):
                return end
            wide = widest * FAN
            while not (top2[wide] >= up) | (low2[wide] <= down):
                wide += 1
        block = wide * FAN
        while not (top1[block] >= up) | (low1[block] <= down):
            block += 1
    row = max(row, block * FAN)
    while row < end and not (high[row] >= up) | (low[row] <= down):
        row += 1
    return min(row, end)


@njit(cache=True, nogil=True)
def row_at(stretch_row, stretch_minute, count, minute):
    """The first candle that opens at or after `minute`; `count` when there is none."""
    first, last = 0, len(stretch_row)    # the first stretch that starts after `minute`
    while first < last:
        middle = (first + last) // 2
        if stretch_minute[middle] > minute:
            last = middle
        else:
            first = middle + 1
    if first == 0:
        return 0
    end = count if first == len(stretch_row) else stretch_row[first]
    return min(stretch_row[first - 1] + (minute - stretch_minute[first - 1]), end)


@njit(cache=True, nogil=True)
def minute_at(stretch_row, stretch_minute, row):
    """The minute since the epoch at which the candle of `row` opens."""
    first, last = 0, len(stretch_row)
    while first < last:
        middle = (first + last) // 2
        if stretch_row[middle] > row:
            last = middle
        else:
            first = middle + 1
    return stretch_minute[first - 1] + (row - stretch_row[first - 1])


# -- rounding --------------------------------------------------------------------------------------------------
@njit(cache=True, nogil=True)
def floor_to(value, top, scale):
    """`brackets.floor_to` on multiples of top / scale (floats that are whole)."""
    count = np.floor(value / (top / scale))
    while count * top / scale > value:
        count -= 1.0
    while (count + 1.0) * top / scale <= value:
        count += 1.0
    return count * top / scale


@njit(cache=True, nogil=True)
def nearest_to(value, top, scale):
    """`brackets.nearest_to` on multiples of top / scale."""
    shifted = value / (top / scale) + 0.5
    count = np.floor(shifted)
    part = shifted - count
    if part < 1e-4 or part > 1 - 1e-4 or abs(count) > 1e9:    # else rounding errors cannot reach the boundary
        while value < (2.0 * count - 1.0) * top / (2.0 * scale):
            count -= 1.0
        while value >= (2.0 * count + 1.0) * top / (2.0 * scale):
            count += 1.0
    return count * top / scale


# -- liquidation -----------------------------------------------------------------------------------------------
@njit(cache=True, nogil=True)
def tier_of(caps, notional):
    for tier in range(len(caps)):
        if notional <= caps[tier]:
            return tier
    return len(caps) - 1


@njit(cache=True, nogil=True)
def maintenance(notional, tiers):
    caps, rates, cums = tiers
    tier = tier_of(caps, notional)
    return notional * rates[tier] - cums[tier]


@njit(cache=True, nogil=True)
def liquidation_price(sign, entry, amount, margin, tiers):
    """`brackets.liquidation_of` for one leg; 0: none."""
    caps, rates, cums = tiers
    tier, price, seen = tier_of(caps, amount * entry), 0.0, np.zeros(len(caps), np.bool_)
    for _ in range(MOST_ROUNDS):
        slope = amount * rates[tier] - sign * amount
        price = (margin + (cums[tier] - sign * amount * entry)) / slope
        if price <= 0 or seen[tier]:
            break
        seen[tier] = True
        there = tier_of(caps, amount * price)
        if there == tier:
            break
        tier = there
    return max(price, 0.0)


# -- one trade -------------------------------------------------------------------------------------------------
@njit(cache=True, nogil=True)
def resolve(entered, sign, up, down, up_hit, down_hit, price, close, rule):
    """How a candle that touches a level ends the trade: (price before slippage, whether at the profit, ambiguous).

    entered  whether it is the entry candle, which cannot gap; price and close: the candle's open and close
    """
    profit_up = sign > 0
    if not entered:
        if price >= up:
            return price, profit_up, False
        if price <= down:
            return price, not profit_up, False
    if not (up_hit and down_hit):
        return (up, profit_up, False) if up_hit else (down, not profit_up, False)
    if rule == PATH:
        at_stop = down >= price if profit_up else up <= price      # there at the entry already: after rounding
        at_profit = up <= price if profit_up else down >= price
        at_once = entered and (at_stop or at_profit)
        wins = not at_stop if at_once else (close >= price) != profit_up    # a rising candle goes down first
    else:
        wins = rule == OPTIMISTIC
    return (up if wins == profit_up else down), wins, True


@njit(cache=True, nogil=True)
def next_row(row, end, times, check, delay, window):
    """Where a position closed in the candle of `row` reopens; `end` when it does not. times: stretches; ms."""
    stretch_row, stretch_minute = times
    over = (minute_at(stretch_row, stretch_minute, row) + 1) * 60_000
    notice = -(-over // check) * check
    entry = row_at(stretch_row, stretch_minute, end, -(-(notice + delay) // 60_000))
    if entry >= end or minute_at(stretch_row, stretch_minute, entry) * 60_000 > notice + window:
        return end
    return entry


@njit(cache=True, nogil=True)
def funding_sum(terms, first, last):
    total = 0.0
    for place in range(first, last):
        total += terms[place]
    return total


@njit(cache=True, nogil=True)
def settled(minutes, minute):
    """How many settlements there are up to and with `minute`."""
    first, last = 0, len(minutes)
    while first < last:
        middle = (first + last) // 2
        if minutes[middle] <= minute:
            first = middle + 1
        else:
            last = middle
    return first


# -- one run ---------------------------------------------------------------------------------------------------
@njit(cache=True, nogil=True)
def run_chain(candles, blocks, times, end, signal, rules, timing, costs, tiers, funding, rule, rows, prices, codes):  # noqa: C901
    """Trade after trade from the first candle on; returns how many there are.

    candles  open, high, low, close        end     candles in use
    signal   the first row at or after each one where an entry is allowed; empty: every row
    rules    sign, notional, tp_usdt, sl_usdt, leverage, step top and scale, tick top and scale, margin mode
             (0 never liquidated, 1 isolated, 2 cross), wallet, most trades
    timing   check_every, reopen_delay, reopen_window in ms
    costs    taker fee, slippage           funding  minutes (rounded up) and rate * mark price of each settlement
    rows     out [trade, 2]: rows of entry and exit (`end` while open)
    prices   out [trade, 8]: entry, quantity, take profit, stop, exit, fee, funding, pnl
    codes    out [trade, 2]: reason; 1 where the trade hangs on the intrabar rule
    """
    opens, high, low, close = candles
    sign, notional, tp_usdt, sl_usdt, leverage, step_top, step_scale, tick_top, tick_scale, mode, wallet, most = rules
    check, delay, window = timing
    taker, slippage = costs
    due, terms = funding
    count, row, realised = 0, 0, 0.0
    while count < most:
        if len(signal):
            row = signal[row] if row < end else end
        if row >= end:
            break
        entry = opens[row] * (1.0 + sign * slippage)
        amount = notional / entry
        if step_top > 0:
            amount = floor_to(amount, step_top, step_scale)
        if amount <= 0:
            break
        profit, stop = entry + sign * (tp_usdt / amount), entry - sign * (sl_usdt / amount)
        if tick_top > 0:
            profit, stop = nearest_to(profit, tick_top, tick_scale), nearest_to(stop, tick_top, tick_scale)
        barrier, code = stop, SL
        entry_fee = amount * entry * taker
        if mode > 0:
            margin = amount * entry / leverage if mode == 1 else wallet + realised - entry_fee
            if margin <= maintenance(amount * entry, tiers):
                break
            taken = liquidation_price(sign, entry, amount, margin, tiers)
            if taken > 0 and sign * taken > sign * stop:
                barrier, code = taken, LIQUIDATION
        up, down = (profit, barrier) if sign > 0 else (barrier, profit)
        last = first_touch(row, end, up, down, high, low, blocks)
        rows[count, 0], rows[count, 1] = row, last
        prices[count, 0], prices[count, 1], prices[count, 2], prices[count, 3] = entry, amount, profit, stop
        if last >= end:
            codes[count, 0], codes[count, 1] = OPEN, 0
            return count + 1
        price, wins, unclear = resolve(last == row, sign, up, down, high[last] >= up, low[last] <= down, opens[last],
                                       close[last], rule)
        code = TP if wins else code
        if code != LIQUIDATION:
            price = price * (1.0 - sign * slippage)
        fee, paid = entry_fee + amount * price * taker, 0.0
        if len(due):
            paid = -sign * amount * funding_sum(terms, settled(due, minute_at(times[0], times[1], row)),
                                                settled(due, minute_at(times[0], times[1], last)))
        gain = sign * amount * (price - entry) - fee + paid
        realised += gain
        prices[count, 4], prices[count, 5], prices[count, 6], prices[count, 7] = price, fee, paid, gain
        codes[count, 0], codes[count, 1] = code, unclear
        count += 1
        row = next_row(last, end, times, check, delay, window)
    return count


TRADES, WINS, LOSSES, AMBIGUOUS, LIQUIDATIONS = range(5)
PNL, PEAK, DRAWDOWN, FEES, FUNDING = range(5)


@njit(cache=True, nogil=True)
def total(prices, codes, count):
    """Sums over closed trades, in their order: (pnl, peak, drawdown, fees, funding), then the counts above."""
    sums, counts = np.zeros(5), np.zeros(5, np.int64)
    for trade in range(count):
        if codes[trade, 0] == OPEN:
            continue
        gain = prices[trade, 7]
        sums[PNL] += gain
        sums[PEAK] = max(sums[PEAK], sums[PNL])
        sums[DRAWDOWN] = max(sums[DRAWDOWN], sums[PEAK] - sums[PNL])
        sums[FEES] += prices[trade, 5]
        sums[FUNDING] += prices[trade, 6]
        counts[TRADES] += 1
        counts[WINS] += gain > 0
        counts[LOSSES] += gain < 0
        counts[AMBIGUOUS] += codes[trade, 1]
        counts[LIQUIDATIONS] += codes[trade, 0] == LIQUIDATION
    return sums, counts

"""The rules of `compute.brackets` once more, for compiled loops: the same floats from the same operations.

Where `brackets` rounds decimals, these compare with the float nearest to the boundary's decimal. That is the same:
a float lies at or above a boundary of at most 15 digits exactly when its shortest decimal does, since floats and
their shortest decimals are in the same order and no two decimals of 15 digits share a float.

Compiled functions call those of their own file only: numba's cache does not notice what changes in another.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# mypy: no-check-untyped-defs
from __future__ import annotations

import numpy as np
from numba import njit

FAN = 8    # of `scan`'s blocks
ONE = np.uint64(1)
TP, SL, LIQUIDATION, OPEN = 0, 1, 2, 3            # codes of ExitReason
PESSIMISTIC, OPTIMISTIC, PATH = 0, 1, 2           # codes of Intrabar
MOST_ROUNDS = 24

compiled = njit(cache=True, nogil=True, error_model="numpy")    # a division by zero is an infinity


# -- looking ahead --------------------------------------------------------------------------------------------
@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)    # arrays are dear to hand over, and counted
def first_touch(start, end, up, down, high, low, blocks):
    """The first candle in [start, end) with high >= up or low <= down; `end` when there is none.

    Up to larger blocks while nothing touches, then down into the first that does; some of it may lie beyond `end`.
    """
    tops, bottoms, starts = blocks
    row, stop = np.uint64(start), min(np.uint64(start | (FAN - 1)) + ONE, np.uint64(end))
    while row < stop:
        if (high[row] >= up) | (low[row] <= down):
            return np.int64(row)
        row += ONE
    place, level = row // np.uint64(FAN), 0
    while True:
        first, size = np.uint64(starts[level]), np.uint64(starts[level + 1] - starts[level])
        stop = min((place + np.uint64(FAN - 1)) & ~np.uint64(FAN - 1), size)
        while place < stop and not (tops[first + place] >= up) | (bottoms[first + place] <= down):
            place += ONE
        if place < stop:
            break
        place, level = place // np.uint64(FAN), level + 1
        if level + 1 == len(starts):
            return end
    while level > 0:
        place, level = place * np.uint64(FAN), level - 1
        first = np.uint64(starts[level])
        while not (tops[first + place] >= up) | (bottoms[first + place] <= down):
            place += ONE
    row = max(row, place * np.uint64(FAN))
    while row < np.uint64(end) and not (high[row] >= up) | (low[row] <= down):
        row += ONE
    return np.int64(min(row, np.uint64(end)))


@compiled
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


@compiled
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
@compiled
def floor_to(value, top, scale):
    """`brackets.floor_to` on multiples of top / scale (floats that are whole)."""
    count = np.floor(value / (top / scale))
    while count * top / scale > value:
        count -= 1.0
    while (count + 1.0) * top / scale <= value:
        count += 1.0
    return count * top / scale


@compiled
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
@compiled
def tier_of(caps, notional):
    """The place of the tier that a notional falls in; of one beyond all, the last."""
    for tier in range(len(caps)):
        if notional <= caps[tier]:
            return tier
    return len(caps) - 1


@compiled
def maintenance(notional, tiers):
    """The margin that a position of `notional` must keep, USDT."""
    caps, rates, cums = tiers
    tier = tier_of(caps, notional)
    return notional * rates[tier] - cums[tier]


@compiled
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
@compiled
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


@compiled
def next_row(row, end, times, check, delay, window):
    """Where a position closed in the candle of `row` reopens; `end` when it does not. times: stretches; ms."""
    stretch_row, stretch_minute = times
    over = (minute_at(stretch_row, stretch_minute, row) + 1) * 60_000
    notice = -(-over // check) * check
    entry = row_at(stretch_row, stretch_minute, end, -(-(notice + delay) // 60_000))
    if entry >= end or minute_at(stretch_row, stretch_minute, entry) * 60_000 > notice + window:
        return end
    return entry


@compiled
def funding_sum(terms, first, last):
    """The sum of `terms` in [first, last)."""
    total = 0.0
    for place in range(first, last):
        total += terms[place]
    return total


@compiled
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


NO_WINDOW = 2**60    # an entry signal comes when it comes


# -- one run ---------------------------------------------------------------------------------------------------
@compiled
def run_chain(candles, blocks, times, end, signal, rules, timing, costs, tiers, funding, rule, state, rows, prices,    # noqa: C901
              codes):
    """Trade after trade until the last or until `rows` is full; returns how many there are.

    candles  open, high, low, close        end     candles in use
    signal   the first row at or after each one where an entry is allowed; empty: every row
    rules    sign, notional, tp_usdt, sl_usdt, leverage, step top and scale, tick top and scale, margin mode
             (0 never liquidated, 1 isolated, 2 cross), wallet, most trades
    timing   check_every, reopen_delay, reopen_window in ms; after how many candles a close always reopens, or 0
    costs    taker fee, slippage           funding  minutes (rounded up) and rate * mark price of each settlement
    state    [trades so far, row of the next entry, `end` when there is none]
    rows     out [trade, 2]: rows of entry and exit (`end` while open)
    prices   out [trade, 8]: entry, quantity, take profit, stop, exit, fee, funding, pnl
    codes    out [trade, 2]: reason; 1 where the trade hangs on the intrabar rule
    """
    opens, high, low, close = candles
    sign, notional, tp_usdt, sl_usdt, leverage, step_top, step_scale, tick_top, tick_scale, mode, wallet, most = rules
    check, delay, window, steady = timing
    taker, slippage = costs
    due, terms = funding
    count, row, realised = state[0], state[1], 0.0
    if mode == 2:
        for trade in range(count):
            realised += prices[trade, 7]
    state[1] = end
    while count < most:
        if count == len(rows):
            state[0], state[1] = count, row
            break
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
        row = (min(last + steady, end) if steady > 0
               else next_row(last, end, times, check, delay, NO_WINDOW if len(signal) else window))
    return count


TRADES, WINS, LOSSES, AMBIGUOUS, LIQUIDATIONS = range(5)
PNL, PEAK, DRAWDOWN, FEES, FUNDING = range(5)


@compiled
def total(gains, fees, funding, codes):
    """Sums over closed trades, in their order: (pnl, peak, drawdown, fees, funding), then the counts above."""
    sums, counts = np.zeros(5), np.zeros(5, np.int64)
    for trade in range(len(gains)):
        if codes[trade, 0] == OPEN:
            continue
        gain = gains[trade]
        sums[PNL] += gain
        sums[PEAK] = max(sums[PEAK], sums[PNL])
        sums[DRAWDOWN] = max(sums[DRAWDOWN], sums[PEAK] - sums[PNL])
        sums[FEES] += fees[trade]
        sums[FUNDING] += funding[trade]
        counts[TRADES] += 1
        counts[WINS] += gain > 0
        counts[LOSSES] += gain < 0
        counts[AMBIGUOUS] += codes[trade, 1]
        counts[LIQUIDATIONS] += codes[trade, 0] == LIQUIDATION
    return sums, counts


# -- many runs at once -----------------------------------------------------------------------------------------
FINE = 52 - 14                # bits of a float that a bucket leaves out: 2**-14 is 0.006 %
NONE = np.uint32(0xFFFFFFFF)
NEAR = 2**17                  # candles whose lists are at hand; who enters later waits in one long list
WON = 2.0**26                 # counts share a float: trades + WON * wins
GAP, STOP_THERE, PROFIT_THERE, FIRST, SECOND = range(5)    # what comes before what in one candle
NEVER, DEAD = np.int64(2**62), np.int64(-1)                # a level that nothing reaches; a trade that cannot open


@compiled
def bucket_of(price):
    """Prices in steps of about 0.01 %; the bits of a positive float are in the order of the floats."""
    return np.float64(price).view(np.int64) >> FINE


@compiled
def rows_after(end, signal, times, timing, after):
    """Fill `after` [row]: where a position closed in each candle reopens; `end` when it does not."""
    check, delay, window = timing
    stretch_row, stretch_minute = times
    entry, entry_minute, stretch = 0, stretch_minute[0], 0
    ahead = 0    # the stretch of `entry`
    last_over, notice = -1, 0
    for row in range(end):
        while stretch + 1 < len(stretch_row) and stretch_row[stretch + 1] <= row:
            stretch += 1
        over = (stretch_minute[stretch] + (row - stretch_row[stretch]) + 1) * 60_000
        if over > notice or last_over < 0:
            notice = -(-over // check) * check
        last_over = over
        while entry < end and entry_minute * 60_000 < notice + delay:
            entry += 1
            if ahead + 1 < len(stretch_row) and stretch_row[ahead + 1] == entry:
                ahead += 1
                entry_minute = stretch_minute[ahead]
            else:
                entry_minute += 1
        if len(signal):
            after[row] = signal[entry] if entry < end else end
        else:
            after[row] = entry if entry < end and entry_minute * 60_000 <= notice + window else end


@compiled
def order_in(entered, is_stop, is_up, level, opened, close, rule):
    """What comes first when a candle holds both levels: the smaller of these; `GAP` where it opens beyond one."""
    beyond = opened >= level if is_up else opened <= level
    if beyond and not entered:
        return GAP
    if rule == PATH:
        if beyond:
            return STOP_THERE if is_stop else PROFIT_THERE
        return FIRST if is_up != (close >= opened) else SECOND
    return FIRST if is_stop == (rule == PESSIMISTIC) else SECOND


@compiled
def share_walks(start, stop, end, candles, links, after, steady, common, costs, tiers, funding, rule,    # noqa: C901
                levels, outcomes, classes, most, lists, stacks, buckets, state, sums, rare):
    """All combinations that enter at candles in [start, stop): a list of them waits at each candle.

    Where a level lies depends on the entry candle and on the amount and width behind it alone, so that all that enter
    there share its outcome. It is looked up among the records from that candle on: the stack of ever higher highs, and
    that of ever higher negated lows. For each bucket of prices a table keeps a place in the stack from where on the
    first record that reaches such a level is a step or two down. All in one function: numba counts references
    where arrays go from one to another.

    links      [2, candle]: the next candle with a higher high, with a lower low
    after      where a position closed in each candle reopens; not used where it is always `steady` candles later
    common     sign, step top and scale, tick top and scale, whether margins are isolated
    levels     [level, 4]: notional, width in USDT, leverage, 1 for a stop and 0 for a take profit
    outcomes   of each level at the candle in hand: candle of that, key, next row, [gain, fee, funding], liquidation
    classes    [combination, 2]: its take profit and its stop among `levels`
    most       [combination]: trades allowed; empty: any number
    lists      first combination waiting at each near candle, the next one of each, rows of those that wait longer
    stacks     heights and rows [2, place]: of the highs, of the negated lows; at the bottom one that all levels reach
    buckets    [2, bucket]: the tables of both stacks
    state      the tops of both stacks, the first and the last bucket, the first that waits longer; kept between calls
    sums       out [combination, 8]: pnl, peak, drawdown, fees, trades and wins, funding
    rare       out [combination, 3]: ambiguous, liquidations, trades without any gain or loss
    """
    opens, high, low, close = candles
    sign, step_top, step_scale, tick_top, tick_scale, isolated = common
    taker, slippage = costs
    due, terms = funding
    computed, keys, follow, gains, forced = outcomes
    heads, following, far_rows = lists
    heights, rows = stacks
    lowest_bucket, highest_bucket = state[2], state[3]
    worse, better, long = 1.0 + sign * slippage, 1.0 - sign * slippage, sign > 0
    funded, limited = len(due) > 0, len(most) > 0
    horizon = start + NEAR
    waiting, state[4] = np.uint32(state[4]), np.int64(NONE)
    while waiting != NONE:    # who waits longer, and perhaps not any more
        combination, waiting = waiting, following[waiting]
        row = np.int64(far_rows[combination])
        if row < horizon:
            following[combination], heads[row & (NEAR - 1)] = heads[row & (NEAR - 1)], combination
        else:
            following[combination], state[4] = np.uint32(state[4]), np.int64(combination)
    for row in range(np.uint64(start), np.uint64(stop)):
        near = row & np.uint64(NEAR - 1)
        waiting = heads[near]
        if waiting == NONE:
            continue
        heads[near] = NONE
        # -- the stacks begin at this candle: drop what is over, put on the records up to those that are known
        for which in range(2):
            top, left = np.uint64(state[which]), np.int64(-1)
            while rows[which, top] < row:
                price = heights[which, top]
                left = bucket_of(price) - lowest_bucket if which == 0 else highest_bucket - bucket_of(-price)
                top -= ONE
            keep, record, known = top, np.uint32(row), rows[which, top]
            while record < known:
                top += ONE
                record = links[which, record]
            place, record, bucket = top, np.uint32(row), np.int64(-1)
            while place > keep:
                price = high[record] if which == 0 else low[record]
                heights[which, place], rows[which, place] = price if which == 0 else -price, record
                reach = bucket_of(price) - lowest_bucket if which == 0 else highest_bucket - bucket_of(price)
                if bucket < 0:
                    bucket = reach - 1
                while bucket < reach:
                    bucket += 1
                    buckets[which, np.uint64(bucket)] = place
                record = links[which, record]
                place -= ONE
            while 0 <= bucket < left:
                bucket += 1
                buckets[which, np.uint64(bucket)] = keep
            state[which] = np.int64(top)
        entry = opens[row] * worse
        last_notional, amount = -1.0, 0.0
        while waiting != NONE:
            combination = waiting
            waiting = following[combination]
            profit, stop_ = classes[combination, 0], classes[combination, 1]
            level_of = profit
            while True:    # the take profit, then the stop
                if computed[level_of] != row:
                    computed[level_of] = row
                    notional, is_stop = levels[level_of, 0], levels[level_of, 3] > 0
                    if notional != last_notional:
                        last_notional, amount = notional, notional / entry
                        if step_top > 0:
                            amount = floor_to(amount, step_top, step_scale)
                    width = sign * (levels[level_of, 1] / amount)
                    level = entry - width if is_stop else entry + width
                    if tick_top > 0 and amount > 0:
                        level = nearest_to(level, tick_top, tick_scale)
                    dead, liquidated = amount <= 0, False
                    if isolated and is_stop and not dead:
                        margin = amount * entry / levels[level_of, 2]
                        dead = margin <= maintenance(amount * entry, tiers)
                        taken = liquidation_price(sign, entry, amount, margin, tiers)
                        if taken > 0 and sign * taken > sign * level:
                            level, liquidated = taken, True
                    is_up = is_stop != long
                    which, height = np.uint64(0) if is_up else np.uint64(1), level if is_up else -level
                    bucket = bucket_of(level) - lowest_bucket if is_up else highest_bucket - bucket_of(level)
                    top = np.uint64(state[which])
                    place = np.uint64(buckets[which, np.uint64(min(max(bucket, 0), buckets.shape[1] - 1))])
                    place = top if height <= heights[which, top] else min(place, top)
                    while heights[which, place] < height:
                        place -= ONE
                    last = np.uint64(rows[which, place])
                    if dead:
                        keys[level_of] = DEAD
                    elif last >= np.uint64(end):
                        keys[level_of] = NEVER
                    else:
                        there = opens[last]
                        order = order_in(last == row, is_stop, is_up, level, there, close[last], rule)
                        keys[level_of] = np.int64(last) * 8 + order
                        price = there if order == GAP else level
                        if not liquidated:
                            price = price * better
                        fee, paid = amount * entry * taker + amount * price * taker, 0.0
                        if funded:
                            for settlement in range(due[row], due[last]):
                                paid += terms[settlement]
                            paid = -sign * amount * paid
                        gains[level_of, 0] = sign * amount * (price - entry) - fee + paid
                        gains[level_of, 1], gains[level_of, 2], forced[level_of] = fee, paid, liquidated
                        follow[level_of] = np.uint32(last) + np.uint32(steady) if steady > 0 else after[last]
                if level_of == stop_:
                    break
                level_of = stop_
            # -- which of both is met first, and what that comes to
            key, other = keys[profit], keys[stop_]
            first = min(key, other)
            if first < 0 or first == NEVER:
                continue
            met = profit if key < other else stop_
            gain = gains[met, 0]
            total_gain = sums[combination, 0] + gain
            peak = max(sums[combination, 1], total_gain)
            sums[combination, 0], sums[combination, 1] = total_gain, peak
            sums[combination, 2] = max(sums[combination, 2], peak - total_gain)
            sums[combination, 3] += gains[met, 1]
            sums[combination, 4] += 1.0 + WON * (gain > 0)
            if funded:
                sums[combination, 5] += gains[met, 2]
            if (key ^ other) < 8 or gain == 0:
                rare[combination, 0] += (key ^ other) < 8 and first & 7 != GAP
                rare[combination, 2] += gain == 0
            if isolated:
                rare[combination, 1] += forced[met]
            next_row = follow[met]
            if next_row >= end or (limited and sums[combination, 4] % WON >= most[combination]):
                continue
            if next_row < horizon:
                next_near = next_row & np.uint32(NEAR - 1)
                following[combination], heads[next_near] = heads[next_near], combination
            else:
                following[combination], far_rows[combination] = np.uint32(state[4]), next_row
                state[4] = np.int64(combination)

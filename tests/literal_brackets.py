"""The bracket rules one candle at a time, in plain Python, from the words of DESIGN "Try1" and "Intrabar rule".

It shares no code with navbook and knows no shortcut: what the backtester does fast must come out of here the same.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

MS = 60_000
LENGTHS = {"s": 1000, "m": MS, "h": 60 * MS}


def length(text):
    return int(text[:-1]) * LENGTHS[text[-1]]


def on_grid(value, size, *, half_up):
    """The multiple of `size` below `value`, or with `half_up` the nearest; as the float nearest its decimal."""
    if not size:
        return value
    size, value = Decimal(str(size)), Decimal(str(value))
    if half_up:
        value += size / 2
    return float((value / size).quantize(Decimal(1), rounding=ROUND_FLOOR) * size)


def liquidation(sign, quantity, entry, margin, tiers):
    """The price at which margin + profit = maintenance margin, by the tier that holds there; None: none."""
    def tier(notional):
        return next((row for row in tiers if notional <= row[0]), tiers[-1])
    chosen, tried = tier(quantity * entry), []
    while True:
        price = (margin + (chosen[2] - sign * quantity * entry)) / (quantity * chosen[1] - sign * quantity)
        if price <= 0:
            return None
        if chosen in tried or tier(quantity * price) == chosen:
            return price
        tried.append(chosen)
        chosen = tier(quantity * price)


def exit_in(candle, sign, profit, stop, rule, entered):
    """(price, won, ambiguous) of the exit in `candle`, or None."""
    _, opened, high, low, _ = candle
    won_at = high >= profit if sign > 0 else low <= profit
    lost_at = low <= stop if sign > 0 else high >= stop
    if not entered:
        if sign * (opened - stop) <= 0:
            return opened, False, False
        if sign * (opened - profit) >= 0:
            return opened, True, False
    if won_at and lost_at:
        return (*first_of_both(candle, sign, profit, stop, rule), True)
    if lost_at:
        return stop, False, False
    return (profit, True, False) if won_at else None


def first_of_both(candle, sign, profit, stop, rule):
    _, opened, _, _, close = candle
    if rule == "path":
        if sign * (opened - stop) <= 0:      # the price is there at the open
            rule = "pessimistic"
        elif sign * (opened - profit) >= 0:
            rule = "optimistic"
        else:
            down_first = close >= opened
            rule = "pessimistic" if down_first == (sign > 0) else "optimistic"
    return (stop, False) if rule == "pessimistic" else (profit, True)


def simulate(candles, *, side="LONG", amount_usdt=100, leverage=10, tp_usdt=10, sl_usdt=5, check_every="1m",    # noqa: C901
             reopen_delay="5m", reopen_window="10m", max_reopens=None, step_size=0, tick_size=0, margin_type="CROSSED",
             wallet_usdt=None, tiers=((float("inf"), 0.004, 0.0),), taker_fee=0.0005, slippage_bps=0, funding=(),
             intrabar="pessimistic", allowed=None):
    """Trades as dicts. candles: (minute, open, high, low, close); funding: (ms, rate, mark price)."""
    sign = 1 if side == "LONG" else -1
    slip, check = slippage_bps / 10_000, length(check_every)
    trades, earliest, latest, position, realised = [], None, None, None, 0.0
    for candle in candles:
        minute, opened = candle[0], candle[1]
        now = minute * MS
        if position is None:
            if earliest is not None and now < earliest:
                continue
            if allowed is not None and minute not in allowed:
                continue
            if latest is not None and now > latest and allowed is None:
                return trades
            entry = opened * (1 + sign * slip)
            quantity = on_grid(amount_usdt * leverage / entry, step_size, half_up=False)
            if quantity == 0:
                return trades
            profit = on_grid(entry + sign * (tp_usdt / quantity), tick_size, half_up=True)
            stop = on_grid(entry - sign * (sl_usdt / quantity), tick_size, half_up=True)
            barrier, reason = stop, "SL"
            if margin_type == "ISOLATED" or wallet_usdt is not None:
                margin = (quantity * entry / leverage if margin_type == "ISOLATED"
                          else wallet_usdt + realised - quantity * entry * taker_fee)
                held = next((row for row in tiers if quantity * entry <= row[0]), tiers[-1])
                if margin <= quantity * entry * held[1] - held[2]:
                    return trades
                taken = liquidation(sign, quantity, entry, margin, tiers)
                if taken is not None and sign * (taken - stop) > 0:
                    barrier, reason = taken, "LIQUIDATION"
            position = {"side": side, "entry_time": now, "entry_price": entry, "quantity": quantity,
                        "take_profit": profit, "stop_loss": stop, "reopen": len(trades)}
        found = exit_in(candle, sign, profit, barrier, intrabar, now == position["entry_time"])
        if found is None:
            continue
        price, won, ambiguous = found
        reason = "TP" if won else reason
        if reason != "LIQUIDATION":
            price = price * (1 - sign * slip)
        paid = 0.0
        for time, rate, mark in funding:
            if position["entry_time"] < time <= now:
                paid += rate * mark
        fee = quantity * entry * taker_fee + quantity * price * taker_fee
        received = -sign * quantity * paid
        gain = sign * quantity * (price - entry) - fee + received
        realised += gain
        trades.append({**position, "exit_time": now, "exit_price": price, "reason": reason, "fee": fee,
                       "funding": received, "pnl": gain, "ambiguous": ambiguous})
        position = None
        if max_reopens is not None and len(trades) > max_reopens:
            return trades
        over = now + MS
        notice = over if over % check == 0 else over + check - over % check
        earliest, latest = notice + length(reopen_delay), notice + length(reopen_window)
    if position is not None:
        trades.append({**position, "exit_time": None, "exit_price": None, "reason": "OPEN", "fee": None,
                       "funding": None, "pnl": None, "ambiguous": False})
    return trades

"""What there is to see of a trader: its status, its orders, its trades."""

from __future__ import annotations

from contextlib import closing

import polars as pl

from navbook.compute import brackets
from navbook.compute.decisions import TradeState
from navbook.exchange import orders_read
from navbook.runner import locks, printing
from navbook.settings import Settings
from navbook.trader import keeping, plans
from navbook.trader.commands import lock_of
from navbook.trader.desk import at, shown
from navbook.trader.journal import Journal, place
from navbook.trader.plans import Plan
from navbook.trader.rows import Trade

ORDER_COLUMNS = ("name", "part", "side", "symbol", "status", "trigger", "quantity", "client_id", "created")


def status(config: Settings, account: str | None) -> str:
    """Whether the trader runs and is well, and how each position stands, as of its last check."""
    chosen = plans.account_of(config, account)
    holder = locks.holder(config, lock_of(chosen))
    lines = [f"{config.environment}, {chosen}: {'running' if holder else 'stopped'}."]
    if not place(config, chosen).exists():
        return "\n".join([*lines, *(_planned(plan) + " Never traded." for plan in plans.of_account(config, chosen))])
    with closing(Journal(place(config, chosen))) as journal:
        checked, trouble = journal.read("checked"), journal.read("trouble")
        if checked:
            lines.append(f"Last check {_clock(int(checked))}: {f'RED, {trouble}' if trouble else 'green'}.")
        now = int(checked or 0)
        lines += [f"{_planned(plan)} {_state(plan, journal.last(plan.name), now)}"
                  for plan in plans.of_account(config, chosen)]
        trades = journal.trades()
        counts = {state: sum(trade.state is state for trade in trades) for state in TradeState}
        lines.append(f"{len(trades)} trades: " + ", ".join(f"{count} {state}" for state, count in counts.items()) + ".")
        lines += [f"  {_clock(event['time'])}  {event['name'] or chosen}  {event['said']}"
                  for event in journal.events(5)]
    return "\n".join(lines)


def _clock(ms: int) -> str:
    return f"{at(ms):%Y-%m-%d %H:%M:%S} UTC"


def _planned(plan: Plan) -> str:
    rules = plan.rules
    often = "without limit" if rules.max_reopens is None else f"{rules.max_reopens} times"
    return (f"{plan.name}: {plan.symbol} {plan.side}, margin {rules.amount_usdt:g} USDT x{rules.leverage:g} = notional "
            f"{rules.notional:g} USDT, take profit {rules.tp_usdt:g} and stop {rules.sl_usdt:g} USDT, checked every "
            f"{rules.check_every}, reopens after {rules.reopen_delay} (within {rules.reopen_window}) {often}.")


def _state(plan: Plan, trade: Trade | None, now: int) -> str:
    if trade is None:
        return "Never traded."
    if trade.state is TradeState.OPEN:
        other = "" if (trade.symbol, trade.side) == plan.leg else f" as {trade.symbol} {trade.side}"
        return (f"OPEN{other} since {_clock(trade.entry_time or 0)}: {shown(trade.quantity)} at "
                f"{shown(trade.entry_price)}, take profit {shown(trade.take_profit)}, stop {shown(trade.stop_loss)}, "
                f"reopened {trade.reopen} times.")
    if trade.state is TradeState.ENTERING:
        return f"OPENING: {trade.note or 'at the next check'}."
    span = None
    if trade.state is TradeState.CLOSED and not trade.is_last:
        span = brackets.reopening(plan.rules, trade.reopen, brackets.minute_end(trade.exit_time or 0))
    if span is None:
        return f"CLOSED{f': {trade.note}' if trade.note else ''}."
    left = max(span[0] - now, 0) // 1000
    return f"CLOSED ({trade.reason}), reopens in {left // 60}:{left % 60:02} at {_clock(span[0])}."


def orders(config: Settings, account: str | None, form: str, *, every: bool = False) -> str:
    """Our orders that wait at the exchange, as of the last check; with `every` also those that ended."""
    with _journal(config, account) as journal:
        names = {trade.id: trade.name for trade in journal.trades()}
        live = {trade.id for trade in journal.unfinished()}
        rows = [(names[row.trade], keeping.PARTS[row.part], row.side.value, row.symbol, row.status, row.trigger,
                 row.quantity, row.client_id, at(row.created)) for number in names for row in journal.orders(number)
                if every or (number in live and row.trigger is not None and row.status in orders_read.LIVE)]
    schema = {name: pl.String() for name in ORDER_COLUMNS} | {
        "trigger": pl.Decimal(38, 18), "quantity": pl.Decimal(38, 18), "created": pl.Datetime("us", "UTC")}
    return printing.text(pl.DataFrame(rows, schema=schema, orient="row"), form)


def history(config: Settings, account: str | None, form: str) -> str:
    """The closed trades in the columns of `Backtest.trades`, and in a table what they come to."""
    with _journal(config, account) as journal:
        trades = keeping.history(journal)
    told = printing.text(trades, form)
    return told if form != "table" else f"{told}{_summed(trades)}\n"


def _summed(trades: pl.DataFrame) -> str:
    known = trades["pnl"].drop_nulls()
    wins, losses = int((known > 0).sum()), int((known < 0).sum())
    share = f" ({wins / len(known):.0%})" if len(known) else ""
    unknown = trades.height - len(known)
    lacking = f", {unknown} without a known result" if unknown else ""
    return (f"{trades.height} trades: {wins} won{share}, {losses} lost{lacking}; {known.sum():+,.2f} USDT, fees "
            f"{trades['fee'].sum():,.2f}, funding {trades['funding'].sum():+,.2f}.")


def _journal(config: Settings, account: str | None) -> closing[Journal]:
    return closing(Journal(place(config, plans.account_of(config, account))))

"""`/fapi`: trades and income of an account. Source: BINANCE.md section 7.1."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .clock import DAY
from .errors import WireError, invalid_value
from .events import Event, Transfer
from .fapi_pages import rules_window, week
from .fapi_wire import contract_named, desk_of, income_row, trade_row
from .futures.model import Income, Trade
from .ledger import Told
from .money import cut
from .wire import Call

KEPT = 90 * DAY
TOLD_ORDER = 1_000_000_000    # ids of trades that `fill` events tell lie below every order's


def user_trades(call: Call) -> list[dict[str, Any]]:
    """Ascending by id. Without arguments the last seven days; fromId starts anywhere within three months."""
    contract, desk = contract_named(call), desk_of(call)
    order, first, limit = call.integer("orderId"), call.integer("fromId"), call.limit(500, 1000)
    timed = bool(call.params.get("startTime") or call.params.get("endTime"))
    if first is not None and timed:
        raise WireError(-1128, "Combination of optional parameters invalid.")
    told = [_told_trade(row, contract.margin_asset) for row in call.state.ledger.told(desk.account)
            if row.fill.symbol == contract.symbol]
    rows = [trade for trade in [*told, *desk.trades] if trade.symbol == contract.symbol
            and call.now - KEPT <= trade.time <= call.seen and order in (None, trade.order)]
    rows.sort(key=lambda trade: (trade.time, trade.id))
    if first is not None:
        rows = sorted((trade for trade in rows if trade.id >= first), key=lambda trade: trade.id)[:limit]
    elif order is None or timed:
        start, end = week(call)
        rows = [trade for trade in rows if start <= trade.time <= end]
        rows = rows[:limit] if call.params.get("startTime") else rows[-limit:]
    return [trade_row(contract, trade) for trade in rows[:limit]]


def _told_trade(told: Told, asset: str) -> Trade:
    """A trade of a `fill` event; it was a taker's, and its ids follow from the event."""
    fill, number = told.fill, told.fill.number % TOLD_ORDER
    return Trade(id=number, order=TOLD_ORDER + number, symbol=fill.symbol, side=fill.side,
                 position_side=fill.position_side, price=told.price, quantity=fill.quantity, profit=told.profit,
                 commission=fill.commission, commission_asset=fill.commission_asset or asset, margin_asset=asset,
                 time=fill.time, maker=False)


def income(call: Call) -> list[dict[str, Any]]:
    """Ascending by time; without times the last seven days, never more than three months back."""
    desk, symbol, kind = desk_of(call), call.params.get("symbol"), call.params.get("incomeType")
    start, end = call.integer("startTime"), call.integer("endTime")
    last = call.now if end is None else end
    first = last - 7 * DAY if start is None else start
    if last < first:
        raise invalid_value("startTime")
    if last - first > KEPT + DAY:
        raise rules_window(90)
    rows = [row for row in [*_told_income(call), *desk.income]
            if max(first, call.now - KEPT) <= row.time <= min(last, call.seen)
            and symbol in (None, "", row.symbol) and kind in (None, "", row.kind)]
    rows.sort(key=lambda row: row.time)
    limit, page = call.limit(100, 1000), call.limit(1, 10**9, "page")
    return [income_row(row) for row in rows[(page - 1) * limit:page * limit]]


def _told_income(call: Call) -> list[Income]:
    """What events moved: transfers into and out of the wallet, and the profit and commission of told fills."""
    account, ledger = call.account.name, call.state.ledger
    rows = [row for event in ledger.events.values() for row in _transferred(event, account)]
    for told in ledger.told(account):
        asset = call.market.pairs[told.fill.symbol].quote
        fill, number = told.fill, str(told.fill.number % TOLD_ORDER)
        for kind, amount, paid_in in (("REALIZED_PNL", told.profit, asset),
                                      ("COMMISSION", -fill.commission, fill.commission_asset or asset)):
            if amount:
                rows.append(Income(id=fill.number, kind=kind, symbol=fill.symbol, amount=cut(amount), asset=paid_in,
                                   time=fill.time, info=kind, trade=number))
    return rows


def _transferred(event: Event, account: str) -> list[Income]:
    if not isinstance(event, Transfer):
        return []
    moves: list[Decimal] = []
    if event.account == account and event.from_wallet == "futures":
        moves.append(-event.amount)
    if event.to == account and event.to_wallet == "futures":
        moves.append(event.amount)
    return [Income(id=event.number, kind="TRANSFER", symbol="", amount=amount, asset=event.asset, time=event.time,
                   info="TRANSFER") for amount in moves]

"""What the exchange says of orders and positions of USD-M futures: each a call and a row of plain values.

Weights in brackets, of the 2400 a minute that /fapi and /dapi share. All raise as `Exchange.ask` does, and
`AnswerUnreadable`. Source: BINANCE documentation, "USD-M futures".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import polars as pl

from navbook.errors import AnswerUnreadable, RequestRejected
from navbook.exchange import fetch, parse
from navbook.exchange.client import Exchange
from navbook.exchange.orders import KINDS, UNKNOWN_ORDER
from navbook.exchange.rows import Parsed
from navbook.exchange.values import amount, flag, identity, integer, text
from navbook.types import Environment, ExitOrder, MarginType

EXITS = {name: kind for kind, name in KINDS.items()}
LIVE = frozenset({"NEW", "TRIGGERING"})              # a conditional order that still protects
UNDER_WAY = frozenset({"NEW", "PARTIALLY_FILLED"})    # a plain order that may still fill
FORCED = ("autoclose-", "adl_autoclose", "settlement_autoclose-")    # how the exchange names what it closes itself
FUNDING = "FUNDING"    # stands in each kind of it
FUNDING_KINDS = ("FUNDING_FEE", "SPECIAL_FUNDING_FEE")
Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Order:
    """A plain order. `average` is 0 where the exchange does not tell it."""

    client_id: str
    order_id: str
    symbol: str
    side: str
    position_side: str
    status: str
    quantity: Decimal
    executed: Decimal
    average: Decimal
    updated: int    # ms

    @property
    def is_forced(self) -> bool:
        return self.client_id.startswith(FORCED)


@dataclass(frozen=True, kw_only=True)
class Conditional:
    """An order of the Algo service. `actual_id` is that of the order it became, "" until it triggered."""

    client_id: str
    algo_id: str
    symbol: str
    position_side: str
    kind: ExitOrder | None    # None: of another type
    status: str
    trigger: Decimal
    actual_id: str
    updated: int

    @property
    def is_live(self) -> bool:
        return self.status in LIVE


@dataclass(frozen=True, kw_only=True)
class Held:
    """A leg that is open at the exchange; `quantity` is above zero on either side."""

    symbol: str
    position_side: str
    quantity: Decimal
    entry: Decimal
    mark: Decimal
    profit: Decimal         # unrealised, USDT
    liquidation: Decimal    # 0: none


@dataclass(frozen=True, kw_only=True)
class Wallet:
    """The futures wallet, USDT: with and without what positions gain, what is free, what positions bind."""

    equity: Decimal
    available: Decimal
    floating: Decimal
    margin: Decimal


def read(endpoint: str, payload: Any, row: Callable[[Any], Row]) -> Row:
    """What `row` makes of an answer. Raises `AnswerUnreadable`."""
    try:
        return row(payload)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        raise AnswerUnreadable(endpoint, f"{type(problem).__name__}: {problem}") from None


# -- orders ------------------------------------------------------------------------------------------------------
async def order(exchange: Exchange, symbol: str, client_id: str = "", order_id: str = "") -> Order | None:
    """[1] A plain order, by either id; None where the exchange knows none."""
    endpoint = "GET /fapi/v1/order"
    named = {"origClientOrderId": client_id} if client_id else {"orderId": order_id}
    try:
        answer = await exchange.ask(endpoint, exchange.wire.futures_get_order, symbol=symbol, **named)
    except RequestRejected as problem:
        if problem.code in UNKNOWN_ORDER:
            return None
        raise
    return read(endpoint, answer.payload, order_row)


async def open_orders(exchange: Exchange, symbol: str) -> list[Order]:
    """[1] Plain orders that may still fill."""
    endpoint = "GET /fapi/v1/openOrders"
    answer = await exchange.ask(endpoint, exchange.wire.futures_get_open_orders, symbol=symbol)
    return read(endpoint, answer.payload, lambda rows: [order_row(row) for row in rows])


def order_row(row: Any) -> Order:
    """An order as GET tells it; replies to POST lack the average."""
    return Order(client_id=text(row["clientOrderId"]), order_id=identity(row["orderId"]), symbol=text(row["symbol"]),
                 side=text(row["side"]), position_side=text(row["positionSide"]), status=text(row["status"]),
                 quantity=amount(row["origQty"]), executed=amount(row["executedQty"]),
                 average=amount(row.get("avgPrice") or "0"), updated=integer(row["updateTime"]))


async def conditional(exchange: Exchange, client_id: str) -> Conditional | None:
    """[1] A conditional order, whatever became of it; None where the exchange knows none."""
    endpoint = "GET /fapi/v1/algoOrder"
    try:
        answer = await exchange.ask(endpoint, exchange.wire.futures_get_algo_order, clientAlgoId=client_id)
    except RequestRejected as problem:
        if problem.code in UNKNOWN_ORDER:
            return None
        raise
    return read(endpoint, answer.payload, conditional_row)


async def open_conditional(exchange: Exchange, symbol: str | None = None) -> list[Conditional]:
    """[1; 40 without a symbol] Conditional orders that wait or trigger."""
    endpoint = "GET /fapi/v1/openAlgoOrders"
    named = {"symbol": symbol} if symbol else {}
    answer = await exchange.ask(endpoint, exchange.wire.futures_get_open_algo_orders, **named)
    return read(endpoint, answer.payload, lambda rows: [conditional_row(row) for row in rows])


def conditional_row(row: Any) -> Conditional:
    """A row of the Algo service."""
    return Conditional(client_id=text(row["clientAlgoId"]), algo_id=identity(row["algoId"]),
                       symbol=text(row["symbol"]), position_side=text(row["positionSide"]),
                       kind=EXITS.get(text(row["orderType"])), status=text(row["algoStatus"]),
                       trigger=amount(row["triggerPrice"]), actual_id=str(row.get("actualOrderId") or ""),
                       updated=integer(row["updateTime"]))


# -- the account -------------------------------------------------------------------------------------------------
async def clock(exchange: Exchange) -> int:
    """[1] The futures' time in ms; later signatures carry the offset to it."""
    endpoint, asked = "GET /fapi/v1/time", time.time() * 1000
    answer = await exchange.ask(endpoint, exchange.wire.futures_time)
    now = read(endpoint, answer.payload, lambda told: integer(told["serverTime"]))
    exchange.wire.timestamp_offset = now - int((asked + time.time() * 1000) / 2)
    return now


async def held(exchange: Exchange, symbol: str | None = None) -> list[Held]:
    """[5] Legs that are open."""
    endpoint = "GET /fapi/v3/positionRisk"
    named = {"symbol": symbol} if symbol else {}
    answer = await exchange.ask(endpoint, exchange.wire.futures_position_information, **named)
    rows = read(endpoint, answer.payload, lambda rows: [_held_row(row) for row in rows])
    return [row for row in rows if row.quantity]


def _held_row(row: Any) -> Held:
    return Held(symbol=text(row["symbol"]), position_side=text(row["positionSide"]),
                quantity=abs(amount(row["positionAmt"])), entry=amount(row["entryPrice"]),
                mark=amount(row["markPrice"]), profit=amount(row["unRealizedProfit"]),
                liquidation=amount(row["liquidationPrice"]))


async def cross_margin(exchange: Exchange) -> Decimal:
    """[5] USDT that stand behind a further cross position: wallet and profit, less what the others must keep."""
    answer = (await fetch.wallets.futures(exchange))[0]
    return read("GET /fapi/v3/account", answer.payload, lambda told: (
        amount(told["totalCrossWalletBalance"]) + amount(told["totalCrossUnPnl"]) - amount(told["totalMaintMargin"])))


async def wallet(exchange: Exchange) -> Wallet:
    """[5] What the account sums up: in single-asset mode USDT alone, in multi-assets mode all, in USD."""
    return wallet_of((await fetch.wallets.futures(exchange))[0].payload)


def wallet_of(payload: Any) -> Wallet:
    """What an answer of `GET /fapi/v3/account` sums up. Raises `AnswerUnreadable`."""
    return read("GET /fapi/v3/account", payload, lambda told: Wallet(
        equity=amount(told["totalMarginBalance"]), available=amount(told["availableBalance"]),
        floating=amount(told["totalUnrealizedProfit"]), margin=amount(told["totalInitialMargin"])))


async def is_hedged(exchange: Exchange) -> bool:
    """[30] Whether LONG and SHORT are held apart."""
    endpoint = "GET /fapi/v1/positionSide/dual"
    answer = await exchange.ask(endpoint, exchange.wire.futures_get_position_mode)
    return read(endpoint, answer.payload, lambda told: flag(told["dualSidePosition"]))


async def symbol_settings(exchange: Exchange) -> dict[str, tuple[MarginType, int]]:
    """[5] Margin type and leverage of every symbol."""
    endpoint = "GET /fapi/v1/symbolConfig"
    answer = await exchange.ask(endpoint, exchange.wire.futures_symbol_config)
    return read(endpoint, answer.payload, lambda rows: {
        text(row["symbol"]): (MarginType(text(row["marginType"])), integer(row["leverage"])) for row in rows})


async def fills(exchange: Exchange, account: str, symbol: str, since: datetime, until: datetime) -> Any:
    """[5 a week] FILLS of `symbol` in [since, until]. Raises `AnswerUnreadable` when a row of them is none."""
    parts = [_whole("GET /fapi/v1/userTrades", parse.archives.fills(answer.payload, account, until))
             for answer in await fetch.archives.futures_fills(exchange, symbol, since, until)]
    return [row for part in parts for row in part.iter_rows(named=True)]


def _whole(endpoint: str, rows: Parsed) -> pl.DataFrame:
    """What a trade comes to leaves no row out. Raises `AnswerUnreadable`."""
    if rows.unread:
        raise AnswerUnreadable(endpoint, rows.unread[0].reason)
    return rows.frame


async def funding(exchange: Exchange, account: str, symbol: str, since: datetime,
                  until: datetime) -> list[tuple[datetime, Decimal]]:
    """[30 a month] What `symbol` paid (below zero) or received in (since, until], settlement by settlement.

    Raises `AnswerUnreadable` when a row that may be one of them cannot be read.
    """
    paid = []
    for answer in await fetch.archives.futures_income(exchange, since, until):
        rows = parse.archives.income(answer.payload, account, until)
        unread = tuple(row for row in rows.unread if FUNDING in row.body)
        paid += [(row["time"], row["amount"])
                 for row in _whole("GET /fapi/v1/income", replace(rows, unread=unread)).iter_rows(named=True)
                 if row["kind"] in FUNDING_KINDS and row["symbol"] == symbol and since < row["time"] <= until]
    return paid


async def funding_rate(exchange: Exchange, symbol: str, at: datetime) -> Decimal:
    """The rate of the settlement at `at` (its minute); 0 where none is told."""
    minute = at.replace(second=0, microsecond=0)
    answer = await fetch.market.funding_rates(exchange, symbol, minute, at)
    rows = parse.market.funding_rates(answer.payload, symbol, at)
    return rows["rate"][-1] if rows.height else Decimal(0)


# -- the market --------------------------------------------------------------------------------------------------
async def price(exchange: Exchange, symbol: str) -> Decimal:
    """[1] The last price."""
    endpoint = "GET /fapi/v2/ticker/price"
    answer = await exchange.ask(endpoint, exchange.wire.futures_symbol_ticker, symbol=symbol)
    return read(endpoint, answer.payload, lambda told: amount(told["price"]))


async def may_withdraw(exchange: Exchange) -> bool | None:
    """[1] Whether the key can withdraw; None on the testnet, which has no /sapi to tell."""
    if exchange.environment is Environment.TESTNET:
        return None
    rights = parse.wallets.key_rights((await fetch.wallets.key_rights(exchange)).payload)
    return bool(rights.get("enableWithdrawals"))

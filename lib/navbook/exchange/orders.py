"""Orders of USD-M futures: the one place that sends any, and the check of where they may go.

An order carries the client id of its decision, so that an answer that was lost can be looked up. Take profit and stop
are conditional market orders of the Algo service that close their whole side (closePosition): the exchange itself
ends them with the position. Source: BINANCE documentation, "New Order" and "New Algo Order".
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from navbook.errors import OrdersForbidden, RequestRejected
from navbook.exchange.client import Answer, Exchange
from navbook.types import Environment, ExitOrder, Side

TESTNET_HOSTS = frozenset({"demo-fapi.binance.com", "testnet.binancefuture.com"})
LOOK_S = 5
UNKNOWN_ORDER = frozenset({-2011, -2013})
PASSED = frozenset({-2021, -4142})      # the trigger would be met at once
NO_POSITION = -4509
ALREADY_THERE = frozenset({-4116, -4130})    # an order of this name, or of this kind on this side
WRONG_MODE = frozenset({-4060, -4061})
STALE_FILTERS = frozenset({-1013, -1111, -4003, -4004, -4005, -4013, -4014, -4023, -4164})
NOTHING_TO_REDUCE = frozenset({-2022, -4118})
KINDS = {ExitOrder.STOP: "STOP_MARKET", ExitOrder.PROFIT: "TAKE_PROFIT_MARKET"}


async def allow(exchange: Exchange) -> None:
    """Let `exchange` send orders, if the host they would go to is a sandbox or Binance's testnet.

    The host that the address really names decides, not the setting. Raises `OrdersForbidden`.
    """
    where = urlsplit(exchange.wire.FUTURES_URL)
    origin = f"{where.scheme}://{where.netloc}"
    if exchange.environment is Environment.TESTNET:
        if where.scheme != "https" or where.netloc not in TESTNET_HOSTS:
            raise OrdersForbidden(f"Orders of the testnet do not go to {where.netloc}.")
    elif exchange.environment is not Environment.SANDBOX:
        raise OrdersForbidden("No order is sent in the environment live, which only reads; set environment = "
                              "\"testnet\" or \"sandbox\" to trade.")
    elif not await _is_sandbox(exchange, origin):
        raise OrdersForbidden(f"{origin} is no sandbox: it does not answer /sandbox/state as one does. No order goes "
                              "there; start one with navbook sandbox and name it in sandbox_url.")
    exchange.wire.orders_to = origin


async def _is_sandbox(exchange: Exchange, origin: str) -> bool:
    limit = aiohttp.ClientTimeout(total=LOOK_S)
    try:
        async with exchange.wire.session.get(f"{origin}/sandbox/state", allow_redirects=False, timeout=limit) as answer:
            told = await answer.json() if answer.status == 200 else None
    except (aiohttp.ClientError, OSError, ValueError):
        return False
    return isinstance(told, dict) and {"now", "seed", "accounts"} <= told.keys()


# -- sending -----------------------------------------------------------------------------------------------------
async def market(exchange: Exchange, symbol: str, side: Side, quantity: Decimal, client_id: str, *,
                 opens: bool) -> Answer:
    """Open or close `side` (a leg of a hedge) at market; raises as `Exchange.send` does."""
    return await exchange.send("POST /fapi/v1/order", exchange.wire.futures_create_order, symbol=symbol,
                               side=_direction(side, opens=opens), positionSide=side.value, type="MARKET",
                               quantity=f"{quantity:f}", newClientOrderId=client_id, newOrderRespType="RESULT")


async def conditional(exchange: Exchange, symbol: str, side: Side, kind: ExitOrder, trigger: Decimal,
                      client_id: str) -> Answer:
    """A take profit or stop that closes all of `side` at market; raises as `Exchange.send` does.

    The last price triggers it, as in a backtest over candles; price protection would hold it back in a fall.
    """
    return await exchange.send("POST /fapi/v1/algoOrder", exchange.wire.futures_create_algo_order, symbol=symbol,
                               side=_direction(side, opens=False), positionSide=side.value, type=KINDS[kind],
                               triggerPrice=f"{trigger:f}", closePosition="true", workingType="CONTRACT_PRICE",
                               priceProtect="FALSE", clientAlgoId=client_id)


def _direction(side: Side, *, opens: bool) -> str:
    return "BUY" if (side is Side.LONG) == opens else "SELL"


async def cancel_conditional(exchange: Exchange, client_id: str) -> bool:
    """Whether it was waiting until now; False: it triggered, ended or never was."""
    return await _cancelled(exchange, "DELETE /fapi/v1/algoOrder", exchange.wire.futures_cancel_algo_order,
                            clientAlgoId=client_id)


async def cancel(exchange: Exchange, symbol: str, client_id: str) -> bool:
    """Whether a plain order was open until now; False: it filled, ended or never was."""
    return await _cancelled(exchange, "DELETE /fapi/v1/order", exchange.wire.futures_cancel_order, symbol=symbol,
                            origClientOrderId=client_id)


async def _cancelled(exchange: Exchange, endpoint: str, call: Any, **params: str) -> bool:
    try:
        await exchange.send(endpoint, call, **params)
    except RequestRejected as problem:
        if problem.code not in UNKNOWN_ORDER:
            raise
        return False
    return True

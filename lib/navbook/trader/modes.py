"""How the account and its symbols must be set before anything is opened, and what the host allows."""

from __future__ import annotations

from collections.abc import Sequence

from navbook.errors import OrdersForbidden, RequestRejected, SettingsInvalid
from navbook.exchange import contracts, orders, orders_read
from navbook.exchange.contracts import Contract
from navbook.trader.desk import Desk
from navbook.trader.plans import Plan

ALREADY = frozenset({-4046, -4059, -4171})
IN_USE = frozenset({-4047, -4048, -4067, -4068, -4531, -4161})
TRADING = "TRADING"
A_DAY_MS = 86_400_000    # after which filters are read again


async def prepare(desk: Desk, plans: Sequence[Plan]) -> None:
    """Check the host and the key, load what the host allows, and set modes where they differ.

    Raises `OrdersForbidden`, `SettingsInvalid` naming the position at fault, and as `Exchange.ask` does.
    """
    await orders.allow(desk.exchange)
    if await orders_read.may_withdraw(desk.exchange):
        raise OrdersForbidden(f"The key of {desk.account} can withdraw: nothing is traded with it. Make one that may "
                              "only read and trade futures.")
    await load_contracts(desk, {plan.symbol for plan in plans})
    for plan in plans:
        _check(plan, desk.contracts.get(plan.symbol))
    await hedge(desk)
    known = await orders_read.symbol_settings(desk.exchange)
    for plan in {plan.symbol: plan for plan in plans}.values():
        await _set_symbol(desk, plan, *known.get(plan.symbol, (None, 0)))


async def load_contracts(desk: Desk, symbols: set[str]) -> None:
    """Filters and brackets from the host that is traded on."""
    desk.contracts |= await contracts.read(desk.exchange, symbols)
    desk.filters_are_stale, desk.contracts_read_at = False, desk.now


async def contract(desk: Desk, plan: Plan) -> Contract:
    """What the symbol allows; read anew each day, and where an order broke a filter."""
    if plan.symbol not in desk.contracts:
        await load_contracts(desk, {*desk.contracts, plan.symbol})
    elif desk.filters_are_stale:
        await load_contracts(desk, set(desk.contracts))
        desk.say(plan.name, "filters", "An order broke a filter of the exchange; ticks, steps and brackets were read "
                                       "again.", "warning")
    elif desk.now - desk.contracts_read_at > A_DAY_MS:
        await load_contracts(desk, set(desk.contracts))
    return desk.contracts[plan.symbol]


def _check(plan: Plan, contract: Contract | None) -> None:
    if contract is None:
        raise SettingsInvalid(f"[trade.{plan.name}]: the exchange knows no futures symbol {plan.symbol}.")
    if contract.status != TRADING:
        raise SettingsInvalid(f"[trade.{plan.name}]: {plan.symbol} does not trade ({contract.status}).")
    if plan.rules.leverage > contract.most_leverage:
        raise SettingsInvalid(f"[trade.{plan.name}]: leverage {plan.rules.leverage:g} is more than {plan.symbol} "
                              f"allows; its brackets end at {contract.most_leverage}.")


async def hedge(desk: Desk) -> None:
    """LONG and SHORT are held apart. Raises `OrdersForbidden` where open positions stand in the way."""
    if await orders_read.is_hedged(desk.exchange):
        return
    if await _set(desk, "POST /fapi/v1/positionSide/dual", desk.exchange.wire.futures_change_position_mode,
                  dualSidePosition="true"):
        desk.say("", "mode", "The account now holds LONG and SHORT apart (hedge mode).")
        return
    raise OrdersForbidden(f"{desk.account} is in one-way mode, and its open positions or orders keep it from hedge "
                          "mode; close them, or change the mode on Binance.")


async def _set_symbol(desk: Desk, plan: Plan, margin_type: str | None, leverage: int) -> None:
    """Margin type, then leverage; both sides of a symbol share them."""
    wire, rules = desk.exchange.wire, plan.rules
    if margin_type != rules.margin_type and not await _set(
            desk, "POST /fapi/v1/marginType", wire.futures_change_margin_type, symbol=plan.symbol,
            marginType=rules.margin_type.value):
        desk.say(plan.name, "mode", f"{plan.symbol} stays {margin_type}: an open position or order keeps it from "
                                    f"{rules.margin_type}.", "alert")
    if leverage != rules.leverage and not await _set(
            desk, "POST /fapi/v1/leverage", wire.futures_change_leverage, symbol=plan.symbol,
            leverage=int(rules.leverage)):
        desk.say(plan.name, "mode", f"{plan.symbol} keeps leverage {leverage}: an open position keeps it from "
                                    f"{rules.leverage:g}.", "alert")


async def _set(desk: Desk, endpoint: str, call: object, **params: object) -> bool:
    """Whether the exchange is set so now, or was already; False where something open stands in the way."""
    try:
        await desk.exchange.send(endpoint, call, **params)    # type: ignore[arg-type]
    except RequestRejected as problem:
        if problem.code not in ALREADY | IN_USE:
            raise
        return problem.code in ALREADY
    return True

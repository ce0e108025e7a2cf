"""`/fapi`: position mode, asset mode, leverage, margin type, and what is configured. Source: BINANCE.md section 6.5."""

from __future__ import annotations

from typing import Any

from .errors import WireError, illegal_characters, invalid_value, mandatory
from .fapi_wire import contract_named, contracts, desk_of
from .futures import rules
from .futures.contracts import Bracket, Contract
from .futures.matching import MAKER, TAKER
from .futures.model import Desk
from .ledger import Holdings
from .money import ZERO, fixed, plain
from .wire import Call

SUCCESS = {"code": 200, "msg": "success"}
ORDER_LIMITS = [
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
]


# -- position mode ---------------------------------------------------------------------------------------------
def position_mode(call: Call) -> dict[str, Any]:
    return {"dualSidePosition": desk_of(call).hedge}


def set_position_mode(call: Call) -> dict[str, Any]:
    """One for all symbols; waiting conditional orders count as open orders."""
    desk, hedge = desk_of(call), _flag(call, "dualSidePosition")
    if hedge == desk.hedge:
        raise WireError(-4059, "No need to change position side.")
    if desk.symbols_in_use:
        raise WireError(-4067, "Position side cannot be changed if there exists open orders.")
    if any(position.amount for position in call.holdings.positions.values()):
        raise WireError(-4068, "Position side cannot be changed if there exists position.")
    desk.hedge = hedge
    return SUCCESS


# -- asset mode ------------------------------------------------------------------------------------------------
def asset_mode(call: Call) -> dict[str, Any]:
    return {"multiAssetsMargin": desk_of(call).multi_assets}


def set_asset_mode(call: Call) -> dict[str, Any]:
    desk, multi = desk_of(call), _flag(call, "multiAssetsMargin")
    if multi == desk.multi_assets:
        raise WireError(-4171, "Adjusted asset mode is currently set and does not need to be adjusted repeatedly.")
    if desk.isolated and multi:
        raise WireError(-4167, "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures under "
                               "isolated-margin mode.")
    if desk.symbols_in_use:
        raise WireError(-4170, "Unable to adjust Multi-Assets Mode with open orders in USDⓈ-M Futures.")
    _check_wallets(call, desk)
    desk.multi_assets = multi
    return SUCCESS


def _check_wallets(call: Call, desk: Desk) -> None:
    """Every asset must stand for itself where the mode ends, and none may owe where it begins."""
    wallet = call.holdings.wallets.get("futures", {})
    if any(amounts.total < 0 for amounts in wallet.values()):
        raise WireError(-4172, "Unable to adjust Multi-Assets Mode with a negative wallet balance of margin available "
                               "asset in USDⓈ-M Futures account.")
    statement = call.state.futures.statement(desk.account)
    for asset in {statement.margin_asset(position) for position in statement.positions}:
        left = statement.wallet(asset) + statement.unrealised(asset)
        if desk.multi_assets and left < statement.position_margin(asset):
            raise WireError(-4169, "Unable to adjust Multi-Assets Mode with insufficient margin balance in USDⓈ-M "
                                   "Futures.")


# -- leverage --------------------------------------------------------------------------------------------------
def set_leverage(call: Call) -> dict[str, Any]:
    """Of a symbol, both sides of a hedge."""
    contract, desk = contract_named(call), desk_of(call)
    leverage = call.integer("leverage")
    if leverage is None:
        raise mandatory("leverage")
    if not 1 <= leverage <= contract.most_leverage:
        raise WireError(-4028, f"Leverage {leverage} is not valid")
    _check_leverage(call, desk, contract, leverage)
    desk.leverages[contract.symbol] = leverage
    return {"leverage": leverage, "maxNotionalValue": plain(contract.most_notional(leverage)),
            "symbol": contract.symbol}


def _check_leverage(call: Call, desk: Desk, contract: Contract, leverage: int) -> None:
    statement, symbol, old = call.state.futures.statement(desk.account), contract.symbol, desk.leverage(contract.symbol)
    held = _held(call.holdings, symbol)
    if held and symbol in desk.isolated and leverage < old:
        raise WireError(-4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions.")
    exposure = max(statement.exposure(symbol, side) for side in desk.sides())
    if exposure > contract.most_notional(leverage):
        raise WireError(-2027, "Exceeded the maximum allowable position at current leverage.")
    needed = exposure / leverage - exposure / old
    if leverage < old and needed > statement.available(contract.margin_asset):
        raise WireError(-2028, "Leverage is smaller than permitted: insufficient margin balance.")


def leverage_brackets(call: Call) -> list[dict[str, Any]]:
    """An array, with a symbol as well; numbers throughout."""
    desk_of(call)
    wanted = ([contract_named(call)] if call.params.get("symbol") else
              [call.state.futures.contract(pair.symbol) for pair in contracts(call)])
    return [{"symbol": contract.symbol, "notionalCoef": 1.0,
             "brackets": [_bracket(bracket) for bracket in contract.brackets]} for contract in wanted]


def _bracket(bracket: Bracket) -> dict[str, Any]:
    return {"bracket": bracket.number, "initialLeverage": bracket.leverage, "notionalCap": int(bracket.cap),
            "notionalFloor": int(bracket.floor), "maintMarginRatio": float(bracket.rate), "cum": float(bracket.cum)}


# -- margin ----------------------------------------------------------------------------------------------------
def set_margin_type(call: Call) -> dict[str, Any]:
    contract, desk = contract_named(call), desk_of(call)
    kind = call.text("marginType").upper()
    if kind not in ("ISOLATED", "CROSSED"):
        raise invalid_value("marginType")
    isolated = kind == "ISOLATED"
    if isolated == (contract.symbol in desk.isolated):
        raise WireError(-4046, "No need to change margin type.")
    if isolated and desk.multi_assets:
        raise WireError(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")
    if contract.symbol in desk.symbols_in_use:
        raise WireError(-4047, "Margin type cannot be changed if there exists open orders.")
    if _held(call.holdings, contract.symbol):
        raise WireError(-4048, "Margin type cannot be changed if there exists position.")
    (desk.isolated.add if isolated else desk.isolated.discard)(contract.symbol)
    return SUCCESS


def change_position_margin(call: Call) -> dict[str, Any]:
    """Add to or take from the margin of an isolated position."""
    contract, desk, engine = contract_named(call), desk_of(call), call.state.futures
    amount, kind = rules.number(call.params, "amount"), call.text("type")
    if amount is None:
        raise mandatory("amount")
    if kind not in ("1", "2"):
        raise WireError(-4055, "Target account type invalid.")
    if amount <= 0:
        raise WireError(-4053, "Invalid change margin amount.")
    side = call.params.get("positionSide") or "BOTH"
    rules.check_side(desk, side)
    if contract.symbol not in desk.isolated:
        raise WireError(-4049, "Add margin only support for isolated position.")
    position = engine.position(desk.account, contract.symbol, side)
    if not position.amount:
        raise WireError(-4054, "Cannot add position margin: position is 0.")
    statement = engine.statement(desk.account)
    if kind == "1" and amount > statement.available(contract.margin_asset):
        raise WireError(-4050, "Cross balance insufficient.")
    spare = position.isolated + min(statement.profit(position), ZERO) - statement.initial(position)
    if kind == "2" and amount > spare:
        raise WireError(-4051, "Isolated balance insufficient.")
    engine.add_margin(desk.account, position, amount if kind == "1" else -amount)
    return {"amount": float(amount), "code": 200, "msg": "Successfully modify position margin.", "type": int(kind)}


def position_margin_history(call: Call) -> list[dict[str, Any]]:
    contract, desk = contract_named(call), desk_of(call)
    kind, start, end = call.params.get("type"), call.integer("startTime") or 0, call.integer("endTime") or call.now
    rows = [row for row in desk.margin_changes if row.symbol == contract.symbol and start <= row.time <= end
            and kind in (None, "", "1" if row.amount > 0 else "2")]
    return [{"symbol": row.symbol, "type": 1 if row.amount > 0 else 2, "deltaType": row.kind,
             "amount": fixed(abs(row.amount)), "asset": row.asset, "time": row.time, "positionSide": row.side,
             "clientTranId": ""} for row in rows[-call.limit(500, 500):]]


# -- what is configured ----------------------------------------------------------------------------------------
def account_config(call: Call) -> dict[str, Any]:
    """What the account may do, as v2/account says it; what the key may do is apiRestrictions' to tell."""
    desk = desk_of(call)
    return {"feeTier": 0, "canTrade": True, "canDeposit": True,
            "canWithdraw": True, "dualSidePosition": desk.hedge, "updateTime": 0,
            "multiAssetsMargin": desk.multi_assets, "tradeGroupId": -1}


def symbol_config(call: Call) -> list[dict[str, Any]]:
    desk, engine = desk_of(call), call.state.futures
    wanted = ([contract_named(call)] if call.params.get("symbol") else
              [engine.contract(pair.symbol) for pair in contracts(call)])
    return [{"symbol": contract.symbol, "marginType": "ISOLATED" if contract.symbol in desk.isolated else "CROSSED",
             "isAutoAddMargin": False, "leverage": desk.leverage(contract.symbol),
             "maxNotionalValue": plain(contract.most_notional(desk.leverage(contract.symbol)))}
            for contract in wanted]


def commission_rate(call: Call) -> dict[str, Any]:
    contract = contract_named(call)
    desk_of(call)
    return {"symbol": contract.symbol, "makerCommissionRate": f"{MAKER:.6f}", "takerCommissionRate": f"{TAKER:.6f}",
            "rpiCommissionRate": "0.000050"}


def order_limits(call: Call) -> list[dict[str, Any]]:
    desk_of(call)
    return ORDER_LIMITS


def fee_burn(call: Call) -> dict[str, Any]:
    return {"feeBurn": desk_of(call).fee_burn}


def set_fee_burn(call: Call) -> dict[str, Any]:
    desk_of(call).fee_burn = _flag(call, "feeBurn")
    return SUCCESS


def trading_status(call: Call) -> dict[str, Any]:
    """Nobody here breaks the quantitative rules."""
    desk_of(call)
    return {"indicators": {}, "updateTime": call.now}


def adl_quantile(call: Call) -> list[dict[str, Any]]:
    """Nobody here is deleveraged."""
    desk, symbol = desk_of(call), call.params.get("symbol")
    sides = ("LONG", "SHORT", "HEDGE") if desk.hedge else ("LONG", "SHORT", "BOTH")
    held = sorted({position.symbol for position in call.holdings.positions.values() if position.amount})
    return [{"symbol": name, "adlQuantile": dict.fromkeys(sides, 0)} for name in held if symbol in (None, "", name)]


def _flag(call: Call, name: str) -> bool:
    value = call.text(name).lower()
    if value not in ("true", "false"):
        raise illegal_characters(name, "^(true|false)$")
    return value == "true"


def _held(holdings: Holdings, symbol: str) -> bool:
    return any(position.amount and position.symbol == symbol for position in holdings.positions.values())

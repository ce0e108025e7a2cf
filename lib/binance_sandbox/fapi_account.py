"""`/fapi`: account, balances and positions of USDⓈ-M futures. Source: BINANCE.md section 6.4."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from .fapi_wire import at_least, contract_named, contracts, desk_of
from .futures.matching import TAKER
from .futures.statement import Statement
from .ledger import Position
from .money import ZERO, cut, fixed, plain
from .wire import Call

MARGIN_ASSETS = ("USDT", "BTC", "BNB", "ETH", "USDC", "FDUSD", "USD1")    # listed even when empty, like Binance does


def account_v3(call: Call) -> dict[str, Any]:
    """Totals, every margin asset, and the positions of symbols in use."""
    statement = _statement(call)
    positions = [_account_position(statement, position) for position in statement.rows()]
    return {**_totals(statement), "assets": [_asset(statement, asset) for asset in _assets(statement)],
            "positions": positions}


def account_v2(call: Call) -> dict[str, Any]:
    """As v3, with the account's settings, and every symbol among the positions."""
    statement = _statement(call)
    assets = [{**_asset(statement, asset), "marginAvailable": True} for asset in _assets(statement)]
    settings = {"feeTier": 0, "feeBurn": statement.desk.fee_burn, "canTrade": True, "canDeposit": True,
                "canWithdraw": True, "updateTime": 0, "multiAssetsMargin": statement.desk.multi_assets,
                "tradeGroupId": -1}
    positions = [_account_position_v2(statement, position) for position in _every_position(call, statement)]
    return {**settings, **_totals(statement), "assets": assets, "positions": positions}


def balance(call: Call) -> list[dict[str, Any]]:
    """Wallet balances without unrealised profit."""
    statement, rows = _statement(call), []
    for asset in _assets(statement):
        row = _asset(statement, asset)
        rows.append({"accountAlias": f"sb{call.account.uid:x}", "asset": asset, "balance": row["walletBalance"],
                     "crossWalletBalance": row["crossWalletBalance"], "crossUnPnl": row["crossUnPnl"],
                     "availableBalance": row["availableBalance"], "maxWithdrawAmount": row["maxWithdrawAmount"],
                     "marginAvailable": True, "updateTime": row["updateTime"]})
    return rows


def position_risk_v3(call: Call) -> list[dict[str, Any]]:
    """Positions, and empty ones where orders are open."""
    statement = _statement(call)
    return [_risk_v3(statement, position) for position in statement.rows() if _matches(call, position)]


def position_risk_v2(call: Call) -> list[dict[str, Any]]:
    """Every symbol, with zeros where nothing is open."""
    statement = _statement(call)
    every = _every_position(call, statement)
    return [_risk_v2(statement, position) for position in every if _matches(call, position)]


def _statement(call: Call) -> Statement:
    desk = desk_of(call)
    if call.params.get("symbol"):
        contract_named(call)
    engine = call.state.futures
    return Statement(desk, call.holdings, engine.contract, engine.price)


def _matches(call: Call, position: Position) -> bool:
    return call.params.get("symbol") in (None, "", position.symbol)


def _every_position(call: Call, statement: Statement) -> Iterator[Position]:
    """Each side of each contract; in hedge mode BOTH is listed too, and empty."""
    sides = ("BOTH", "LONG", "SHORT") if statement.desk.hedge else ("BOTH",)
    positions = statement.holdings.positions
    for pair in contracts(call):
        held = [side for side in ("BOTH", "LONG", "SHORT") if (found := positions.get((pair.symbol, side)))
                and found.amount and side not in sides]
        for side in (*sides, *held):
            yield positions.get((pair.symbol, side)) or Position(pair.symbol, side)


# -- assets ----------------------------------------------------------------------------------------------------
def _assets(statement: Statement) -> list[str]:
    return [*MARGIN_ASSETS, *sorted(set(statement.holdings.wallets.get("futures", {})) - set(MARGIN_ASSETS))]


def _totals(statement: Statement) -> dict[str, str]:
    """Those of USDT; in multi-assets mode of every asset, in USD."""
    if not statement.desk.multi_assets:
        usdt = _asset(statement, "USDT")
        return {_total(key): usdt[key] for key in TOTALS}
    rows = [(_asset(statement, asset), _dollars(statement, asset)) for asset in _assets(statement)]
    totals = {_total(key): fixed(sum((Decimal(row[key]) * rate for row, rate in rows), ZERO)) for key in TOTALS}
    available = cut(statement.available("USDT"))
    return totals | {"availableBalance": fixed(available), "maxWithdrawAmount": fixed(available)}


TOTALS = ("initialMargin", "maintMargin", "walletBalance", "unrealizedProfit", "marginBalance",
          "positionInitialMargin", "openOrderInitialMargin", "crossWalletBalance", "crossUnPnl", "availableBalance",
          "maxWithdrawAmount")


def _total(key: str) -> str:
    return key if key in ("availableBalance", "maxWithdrawAmount") else f"total{key[0].upper()}{key[1:]}"


def _dollars(statement: Statement, asset: str) -> Decimal:
    """USD per unit, without the haircut."""
    rate = statement.rate(asset)
    return rate if rate == 1 else statement.mark(f"{asset}USDT")


def _asset(statement: Statement, asset: str) -> dict[str, Any]:
    """One margin asset: marginBalance = walletBalance + unrealizedProfit."""
    wallet, profit = statement.wallet(asset), statement.unrealised(asset)
    cross, cross_profit = statement.cross_wallet(asset), statement.unrealised(asset, cross=True)
    held, ordered = cut(statement.position_margin(asset)), cut(statement.order_margin(asset))
    available = statement.available(asset)
    if statement.desk.multi_assets:
        rate = statement.rate(asset)
        available = cut(available / rate) if rate else ZERO
    needed = cut(statement.position_margin(asset, cross=True)) + ordered
    spare = max(min(available, cross - (ZERO if statement.desk.multi_assets else needed)), ZERO)
    known = asset in statement.holdings.wallets.get("futures", {})
    return {
        "asset": asset, "walletBalance": fixed(wallet), "unrealizedProfit": fixed(profit),
        "marginBalance": fixed(wallet + profit), "maintMargin": fixed(cut(statement.maintenance_of(asset))),
        "initialMargin": fixed(held + ordered), "positionInitialMargin": fixed(held),
        "openOrderInitialMargin": fixed(ordered), "crossWalletBalance": fixed(cross),
        "crossUnPnl": fixed(cross_profit), "availableBalance": fixed(cut(available)),
        "maxWithdrawAmount": fixed(cut(spare)),
        "updateTime": statement.holdings.updated.get("futures", 0) if known else 0,
    }


# -- positions -------------------------------------------------------------------------------------------------
def _sums(statement: Statement, position: Position) -> dict[str, str]:
    """The margins of a position; a plain "0" where there is none."""
    ordered = statement.open_order_margin(position.symbol, position.side)
    bids, asks = statement.working(position.symbol, position.side)
    held = statement.initial(position)
    return {"held": _or_zero(held), "ordered": _or_zero(ordered), "initial": _or_zero(held + ordered),
            "maintenance": _or_zero(statement.maintenance(position)), "bids": _or_zero(bids), "asks": _or_zero(asks),
            "isolated": _or_zero(position.isolated),
            "isolated_margin": _or_zero(position.isolated + cut(statement.profit(position))
                                        if statement.is_isolated(position) else ZERO)}


def _or_zero(amount: Decimal) -> str:
    return fixed(cut(amount)) if cut(amount) else "0"


def _amount(statement: Statement, position: Position) -> str:
    """At least the contract's precision; a finer amount that a control call made is kept."""
    return at_least(position.amount, statement.contract(position.symbol).quantity_places)


def _entry(position: Position) -> str:
    return plain(cut(position.entry)) if position.amount else "0.0"


def _break_even(position: Position) -> str:
    """Entry and the fee to close, as in the recorded position of 2024-07-28."""
    return plain(cut(position.entry * (1 + TAKER.copy_sign(position.amount)))) if position.amount else "0.0"


def _liquidation(statement: Statement, position: Position) -> str:
    price = statement.liquidation_price(position) if position.amount else ZERO
    return fixed(price) if price else "0"


def _account_position(statement: Statement, position: Position) -> dict[str, Any]:
    sums = _sums(statement, position)
    return {"symbol": position.symbol, "positionSide": position.side, "positionAmt": _amount(statement, position),
            "unrealizedProfit": fixed(cut(statement.profit(position))), "isolatedMargin": sums["isolated_margin"],
            "notional": _or_zero(statement.notional(position)), "isolatedWallet": sums["isolated"],
            "initialMargin": sums["initial"], "maintMargin": sums["maintenance"], "updateTime": position.updated}


def _account_position_v2(statement: Statement, position: Position) -> dict[str, Any]:
    sums, leverage = _sums(statement, position), statement.desk.leverage(position.symbol)
    most = statement.contract(position.symbol).most_notional(leverage)
    return {"symbol": position.symbol, "initialMargin": sums["initial"], "maintMargin": sums["maintenance"],
            "unrealizedProfit": fixed(cut(statement.profit(position))), "positionInitialMargin": sums["held"],
            "openOrderInitialMargin": sums["ordered"], "leverage": str(leverage),
            "isolated": statement.is_isolated(position), "entryPrice": _entry(position),
            "breakEvenPrice": _break_even(position), "maxNotional": plain(most), "bidNotional": sums["bids"],
            "askNotional": sums["asks"], "positionSide": position.side, "positionAmt": _amount(statement, position),
            "notional": _or_zero(statement.notional(position)), "isolatedWallet": sums["isolated"],
            "updateTime": position.updated}


def _risk_v3(statement: Statement, position: Position) -> dict[str, Any]:
    sums = _sums(statement, position)
    return {"symbol": position.symbol, "positionSide": position.side, "positionAmt": _amount(statement, position),
            "entryPrice": _entry(position), "breakEvenPrice": _break_even(position),
            "markPrice": fixed(statement.mark(position.symbol)),
            "unRealizedProfit": fixed(cut(statement.profit(position))),
            "liquidationPrice": _liquidation(statement, position), "isolatedMargin": sums["isolated_margin"],
            "notional": _or_zero(statement.notional(position)),
            "marginAsset": statement.margin_asset(position), "isolatedWallet": sums["isolated"],
            "initialMargin": sums["initial"], "maintMargin": sums["maintenance"],
            "positionInitialMargin": sums["held"], "openOrderInitialMargin": sums["ordered"], "adl": 2,
            "bidNotional": sums["bids"], "askNotional": sums["asks"], "updateTime": position.updated}


def _risk_v2(statement: Statement, position: Position) -> dict[str, Any]:
    sums, leverage = _sums(statement, position), statement.desk.leverage(position.symbol)
    return {"symbol": position.symbol, "positionAmt": _amount(statement, position), "entryPrice": _entry(position),
            "breakEvenPrice": _break_even(position), "markPrice": fixed(statement.mark(position.symbol)),
            "unRealizedProfit": fixed(cut(statement.profit(position))),
            "liquidationPrice": _liquidation(statement, position), "leverage": str(leverage),
            "maxNotionalValue": plain(statement.contract(position.symbol).most_notional(leverage)),
            "marginType": "isolated" if statement.is_isolated(position) else "cross",
            "isolatedMargin": fixed(Decimal(sums["isolated_margin"])), "isAutoAddMargin": "false",
            "positionSide": position.side, "notional": _or_zero(statement.notional(position)),
            "isolatedWallet": sums["isolated"], "updateTime": position.updated}

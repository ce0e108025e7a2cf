"""What a USD-M futures symbol allows, on the host that is traded on: ticks, steps, least and most, brackets.

Source: BINANCE documentation, "Exchange Information" and "Notional and Leverage Brackets".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from navbook.exchange import orders_read
from navbook.exchange.client import Exchange
from navbook.exchange.values import amount, integer, moved, text


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a symbol allows, on the host that is traded on."""

    symbol: str
    status: str
    tick: Decimal
    step: Decimal
    least: Decimal             # quantity of a market order
    most: Decimal
    least_notional: Decimal
    brackets: tuple[dict[str, Any], ...] = ()    # see `_brackets`

    @property
    def most_leverage(self) -> int:
        return max((row["initialLeverage"] for row in self.brackets), default=125)

    def leverage_for(self, notional: float) -> int:
        """The highest leverage of a position of `notional`."""
        fitting = [row["initialLeverage"] for row in self.brackets if notional <= row["notionalCap"]]
        return max(fitting, default=0) if self.brackets else self.most_leverage


async def read(exchange: Exchange, symbols: set[str]) -> dict[str, Contract]:
    """[1, and 1 for each symbol] Filters and brackets of those of `symbols` that the host knows. Needs a key."""
    brackets = "GET /fapi/v1/leverageBracket"
    known = await filters(exchange, symbols)
    for symbol, contract in known.items():
        told = (await exchange.ask(brackets, exchange.wire.futures_leverage_bracket, symbol=symbol)).payload
        known[symbol] = replace(contract, brackets=orders_read.read(brackets, told, _brackets))
    return known


async def filters(exchange: Exchange, symbols: set[str]) -> dict[str, Contract]:
    """[1] The same without the brackets, and without a key."""
    endpoint = "GET /fapi/v1/exchangeInfo"
    answer = await exchange.ask(endpoint, exchange.wire.futures_exchange_info)
    return orders_read.read(endpoint, answer.payload, lambda told: {
        row["symbol"]: _contract(row) for row in told["symbols"] if row["symbol"] in symbols})


def _brackets(told: Any) -> tuple[dict[str, Any], ...]:
    """The rows of leverageBracket, with what a position's leverage and liquidation price are worked out from."""
    rows = (told[0] if isinstance(told, list) else told)["brackets"]
    return tuple({"initialLeverage": integer(row["initialLeverage"]),
                  **{name: float(moved(row[name])) for name in ("notionalCap", "maintMarginRatio", "cum")}}
                 for row in rows)


def _contract(row: Any) -> Contract:
    filters = {each["filterType"]: each for each in row["filters"]}
    size, at_market = filters["LOT_SIZE"], filters.get("MARKET_LOT_SIZE", filters["LOT_SIZE"])
    # MARKET_LOT_SIZE may be finer; a quantity must lie on both
    step = max(amount(size["stepSize"]), amount(at_market["stepSize"]))
    return Contract(symbol=text(row["symbol"]), status=text(row["status"]),
                    tick=amount(filters["PRICE_FILTER"]["tickSize"]), step=step,
                    least=max(amount(size["minQty"]), amount(at_market["minQty"])),
                    most=min(amount(size["maxQty"]), amount(at_market["maxQty"])),
                    least_notional=amount(filters["MIN_NOTIONAL"]["notional"]))

"""A trader on a running sandbox; the other test_sandbox_futures modules use this."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from test_sandbox_support import Sandbox

BTC = "BTCUSDT"


class Trader:
    """One account and what it asks of `/fapi`; answers are bodies, `refused` gives the code of an error."""

    def __init__(self, sandbox: Sandbox, name: str = "alice", usdt: str = "10000", **balances: str) -> None:
        self.sandbox, self.name = sandbox, name
        sandbox.account(name, balances={"futures": {"USDT": usdt, **balances}}, permissions={"enableFutures": True})

    def ask(self, method: str, path: str, **params: Any) -> Any:
        return self.sandbox.read(f"/fapi/{path}", self.name, method, **params)

    def refused(self, method: str, path: str, **params: Any) -> int:
        answer = self.sandbox.signed(f"/fapi/{path}", self.name, method, **params)
        assert answer.status in (400, 401), answer.raw
        assert set(answer.body) == {"code", "msg"}
        return answer.body["code"]

    def price(self, price: Any, symbol: str = BTC) -> None:
        self.sandbox.control("prices", symbol=symbol, price=str(price))

    def candles(self, *rows: tuple[float, float, float, float], start: int, symbol: str = BTC) -> None:
        """open, high, low, close of one minute after the other."""
        given = [[start + index * 60_000, *map(str, row)] for index, row in enumerate(rows)]
        self.sandbox.control("prices", symbol=symbol, candles=given)

    def wait(self, ms: int) -> None:
        self.sandbox.control("clock", advance_ms=ms)

    # -- orders ------------------------------------------------------------------------------------------------
    def market(self, side: str, quantity: Any, symbol: str = BTC, **more: Any) -> Any:
        return self.ask("POST", "v1/order", symbol=symbol, side=side, type="MARKET", quantity=quantity, newOrderRespType="RESULT", **more)

    def limit(self, side: str, quantity: Any, price: Any, symbol: str = BTC, **more: Any) -> Any:
        terms = {"timeInForce": "GTC"} | more
        return self.ask("POST", "v1/order", symbol=symbol, side=side, type="LIMIT", quantity=quantity, price=price, **terms)

    def algo(self, side: str, kind: str, trigger: Any, symbol: str = BTC, **more: Any) -> Any:
        return self.ask("POST", "v1/algoOrder", algoType="CONDITIONAL", symbol=symbol, side=side, type=kind, triggerPrice=trigger, **more)

    def order(self, number: int, symbol: str = BTC) -> Any:
        return self.ask("GET", "v1/order", symbol=symbol, orderId=number)

    def algo_state(self, number: int) -> Any:
        return self.ask("GET", "v1/algoOrder", algoId=number)

    # -- what there is -----------------------------------------------------------------------------------------
    def positions(self) -> dict[str, Any]:
        return {f"{row['symbol']} {row['positionSide']}": row for row in self.ask("GET", "v3/positionRisk")}

    def amounts(self) -> dict[str, str]:
        return {key: row["positionAmt"] for key, row in self.positions().items() if Decimal(row["positionAmt"])}

    def asset(self, name: str = "USDT") -> Any:
        return next(row for row in self.ask("GET", "v3/account")["assets"] if row["asset"] == name)

    def wallet(self, name: str = "USDT") -> Decimal:
        return Decimal(self.asset(name)["walletBalance"])

    def trades(self, symbol: str = BTC) -> Any:
        return self.ask("GET", "v1/userTrades", symbol=symbol)

    def income(self, kind: str = "", **more: Any) -> Any:
        return self.ask("GET", "v1/income", limit=1000, **({"incomeType": kind} if kind else {}), **more)


def trader_for(sandbox: Sandbox, test: str) -> Trader:
    """An account of its own for `test`, at 60 000."""
    trader = Trader(sandbox, re.sub(r"[^A-Za-z0-9_.-]", "-", test)[:60])
    trader.price(60_000)
    return trader

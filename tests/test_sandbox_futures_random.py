"""Whatever is asked of the engine in whatever order: money and positions add up, and nothing breaks."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from test_sandbox_futures_support import Trader
from test_sandbox_support import DAY, HOUR, MINUTE, START, running

SYMBOLS = {"BTCUSDT": (0.3, 3, 1), "ETHUSDT": (3, 3, 2), "SOLUSDT": (40, 0, 2)}    # most of it, its decimals, the price's
STEPS = 150
WEEK = 7 * DAY


class Gambler:
    """Asks for anything; errors of Binance's are fine."""

    def __init__(self, sandbox, seed: int) -> None:
        self.sandbox, self.luck = sandbox, random.Random(seed)
        self.trader = Trader(sandbox, usdt=self.luck.choice(["300", "5000", "100000"]), BNB=self.luck.choice(["0", "2"]))
        for path, flag, chance in (("positionSide/dual", "dualSidePosition", 0.5), ("multiAssetsMargin", "multiAssetsMargin", 0.3),
                                   ("feeBurn", "feeBurn", 0.3)):
            if self.luck.random() < chance:
                self.ask("POST", path, **{flag: "true"})

    def ask(self, method, path, **params):
        answer = self.sandbox.signed(f"/fapi/v1/{path}", "alice", method, **params)
        assert answer.status in (200, 400), answer.raw
        return answer.body

    def step(self) -> None:
        symbol = self.luck.choice(list(SYMBOLS))
        price = float(self.sandbox.get("/fapi/v1/ticker/price", symbol=symbol)["price"])
        near = round(price * self.luck.uniform(0.96, 1.04), SYMBOLS[symbol][2])
        self.luck.choice([self.market, self.limit, self.algo, self.algo, self.settings, self.cancel, self.wait, self.wait,
                          self.price])(symbol, near)

    def order(self, symbol):
        most, places, _ = SYMBOLS[symbol]
        hedge = self.ask("GET", "positionSide/dual")["dualSidePosition"]
        return {"symbol": symbol, "side": self.luck.choice(["BUY", "SELL"]), "quantity": round(self.luck.uniform(0, most), places),
                "positionSide": self.luck.choice(["LONG", "SHORT"]) if hedge else "BOTH"}

    def market(self, symbol, near):
        self.ask("POST", "order", **self.order(symbol), type="MARKET", **self.luck.choice([{}, {}, {"reduceOnly": "true"}]))

    def limit(self, symbol, near):
        self.ask("POST", "order", **self.order(symbol), type="LIMIT", price=near, timeInForce=self.luck.choice(["GTC", "IOC", "FOK", "GTX"]))

    def algo(self, symbol, near):
        kind = self.luck.choice(["STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"])
        order = self.order(symbol) | ({"callbackRate": "1"} if kind.startswith("TRAILING") else {"triggerPrice": near})
        if kind in ("STOP", "TAKE_PROFIT"):
            order["price"] = near
        elif "triggerPrice" in order and self.luck.random() < 0.5:
            order = {key: value for key, value in order.items() if key != "quantity"} | {"closePosition": "true"}
        self.ask("POST", "algoOrder", algoType="CONDITIONAL", type=kind, **order)

    def settings(self, symbol, near):
        self.ask("POST", "leverage", symbol=symbol, leverage=self.luck.choice([1, 5, 20, 125]))
        self.ask("POST", "marginType", symbol=symbol, marginType=self.luck.choice(["ISOLATED", "CROSSED"]))
        self.ask("POST", "positionSide/dual", dualSidePosition=self.luck.choice(["true", "false"]))
        self.ask("POST", "positionMargin", symbol=symbol, amount=20, type=self.luck.choice([1, 2]))

    def cancel(self, symbol, near):
        self.ask("DELETE", self.luck.choice(["allOpenOrders", "algoOpenOrders"]), symbol=symbol)

    def wait(self, symbol, near):
        self.trader.wait(self.luck.choice([1000, 61_000, 15 * MINUTE, HOUR, 9 * HOUR, DAY]))

    def price(self, symbol, near):
        self.trader.price(near, symbol)

    def rows(self, path, **params):
        """A history week by week."""
        weeks = range(START, self.sandbox.now + 1, WEEK)
        found = [row for start in weeks for row in self.ask("GET", path, startTime=start, endTime=start + WEEK - 1, limit=1000, **params)]
        assert len(found) < 1000    # else a page was cut
        return found


@pytest.mark.parametrize("seed", range(4))
def test_everything_adds_up(seed):
    """Balances are the opening and the income; positions are the trades; margins are wallet and profit."""
    with running("--seed", str(seed)) as sandbox:
        sandbox.control("limits", enforced=False)
        gambler = Gambler(sandbox, seed)
        opening = {name: gambler.trader.wallet(name) for name in ("USDT", "BNB")}
        for _ in range(STEPS):
            gambler.step()
        income, trades = gambler.rows("income"), [row for symbol in SYMBOLS for row in gambler.rows("userTrades", symbol=symbol)]
        assert trades
        for name, before in opening.items():
            assert gambler.trader.wallet(name) == before + sum(Decimal(row["income"]) for row in income if row["asset"] == name)
            asset = gambler.trader.asset(name)
            assert Decimal(asset["marginBalance"]) == Decimal(asset["walletBalance"]) + Decimal(asset["unrealizedProfit"])
        traded: dict[str, Decimal] = {}
        for row in trades:
            key, sign = f"{row['symbol']} {row['positionSide']}", 1 if row["buyer"] else -1
            traded[key] = traded.get(key, Decimal(0)) + sign * Decimal(row["qty"])
        assert {key: Decimal(amount) for key, amount in gambler.trader.amounts().items()} == {key: amount for key, amount in traded.items() if amount}

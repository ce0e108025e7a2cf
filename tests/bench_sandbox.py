"""How fast the local exchange answers, here and now: part of `make bench`, or `python tests/bench_sandbox.py`.

Reads: one connection that is kept, one request after the other; the server has a process (and core) of its own.
Clock: a year in steps of an hour, three accounts with three positions each, stops, profits and a resting order.
"""

from __future__ import annotations

import http.client
import json
import time
from hashlib import sha256
from hmac import digest

from test_sandbox_futures_support import Trader
from test_sandbox_support import DAY, started

REQUESTS = 3000
READS = {"/api/v3/account": "main", "/sapi/v1/capital/deposit/hisrec": "main", "/fapi/v3/account": "swing"}


def main() -> None:
    began = time.perf_counter()
    with started("--scenario", "demo") as sandbox:
        sandbox.get("/api/v3/ping")
        print(f"start-up to first answer: {time.perf_counter() - began:.2f} s (goal: under 2)")
        sandbox.control("limits", enforced=False)
        for path, name in READS.items():
            sandbox.spot(name)
            print(f"signed GET {path}: {rate(sandbox, path, name):,.0f} a second (goal: 1,000)")
    with started() as sandbox:
        print(f"a year of hourly clock steps: {year(sandbox, 8760):.1f} s (goal: under 30)")
    with started() as sandbox:
        print(f"the same year in one step: {year(sandbox, 1):.1f} s")


def rate(sandbox, path: str, name: str) -> float:
    """Signed reads a second; signing is done before the clock starts."""
    keys, now = sandbox.keys[name], sandbox.now
    query = f"recvWindow=60000&timestamp={now}"
    signature = digest(keys["api_secret"].encode(), query.encode(), sha256).hex()
    connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"))
    headers = {"X-MBX-APIKEY": keys["api_key"]}
    began = time.perf_counter()
    for _ in range(REQUESTS):
        connection.request("GET", f"{path}?{query}&signature={signature}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {json.loads(body)}")
    connection.close()
    return REQUESTS / (time.perf_counter() - began)


def year(sandbox, steps: int) -> float:
    """Seconds for a year of the clock in so many steps."""
    sandbox.control("limits", enforced=False)
    for name, side in (("a", "BUY"), ("b", "SELL"), ("c", "BUY")):
        trader = Trader(sandbox, name, usdt="200000")
        for symbol, quantity in (("BTCUSDT", "0.1"), ("ETHUSDT", "1"), ("SOLUSDT", "5")):
            trader.market(side, quantity, symbol=symbol)
        price = float(sandbox.get("/fapi/v1/ticker/price", symbol="BTCUSDT")["price"])
        trader.algo("SELL", "STOP_MARKET", round(price * 0.2, 1), quantity="0.1", reduceOnly="true")
        trader.algo("SELL", "TAKE_PROFIT_MARKET", round(price * 4, 1), quantity="0.1", reduceOnly="true")
        trader.limit("BUY", "0.1", round(price / 50, 2), symbol="ETHUSDT")
    began = time.perf_counter()
    for _ in range(steps):
        trader.wait(365 * DAY // steps)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

"""One peer of `bench_backtest.py`, run by that peer's own python: `bench_peers.py PEER FOLDER` prints JSON.

The job: LONG, take profit and stop as fractions of the open of entry, entry at a candle's open, again at the first
candle after an exit; fee on both sides. Both peers look at the stop first, and at a position's exits from the candle
after its entry on (ours from the entry candle on): the lists are compared where that makes no difference. After a stop
or a profit raptorbt opens nothing until it has seen an exit signal, so that its list ends with the first trade; its
time is that of the walk through all candles.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

RUNS = 5
MOST_ORDERS = 400_000    # room for the orders of the narrowest brackets, no more


def best(work, runs=RUNS):
    """(CPU seconds of the fastest run, what it gave). Of the CPU, since other work may share the machine."""
    seconds = []
    for _ in range(runs):
        began = time.process_time()
        found = work()
        seconds.append(time.process_time() - began)
    return min(seconds), found


class Vectorbt:
    """1.2 with its Rust engine; the kernel is called as `Portfolio.from_signals` calls it."""

    def __init__(self, candles):
        import vectorbt_rust
        self.candles = {name: np.ascontiguousarray(values[:, None]) for name, values in candles.items() if name != "time"}
        self.count = len(candles["open"])
        self.kernel = vectorbt_rust.portfolio.simulate_from_signals_rs
        self.once = (np.array([1]), np.array([1e12]), np.zeros((self.count, 1), np.int64))

    def orders(self, take_profit, stop, fee):
        def flat(value):
            return np.array([[value]])

        false, nan, zero, inf = flat(False), flat(np.nan), flat(0.0), flat(np.inf)
        group_lens, cash, call_seq = self.once
        return self.kernel(
            (self.count, 1), group_lens, cash, call_seq, flat(True), false, flat(0), false, false, false, false,
            flat(1.0), self.candles["open"], flat(0), flat(fee), zero, zero, zero, inf, nan, zero, false, flat(True), false,
            false, flat(0), flat(0), flat(0), flat(0), flat(4), inf, self.candles["open"], self.candles["high"],
            self.candles["low"], self.candles["close"], flat(stop), false, flat(take_profit), flat(2), flat(0), flat(0),
            flat(1), max_orders=MOST_ORDERS)[0]

    def one(self, take_profit, stop, fee):
        return self.orders(take_profit, stop, fee)

    def trades(self, take_profit, stop, fee):
        orders = self.orders(take_profit, stop, fee)
        closed = len(orders) // 2 * 2
        return [orders["idx"][0:closed:2], orders["idx"][1:closed:2], orders["price"][1:closed:2]]

    def whole(self, frame, take_profit, stop, fee):
        """The public call: list of trades and equity."""
        import vectorbt as vbt
        portfolio = vbt.Portfolio.from_signals(
            frame["close"], entries=np.True_, exits=np.False_, size=1.0, price=frame["open"], open=frame["open"],
            high=frame["high"], low=frame["low"], sl_stop=stop, tp_stop=take_profit, fees=fee, init_cash=1e12,
            stop_entry_price="fillprice", freq="1min", engine="rust", max_orders=MOST_ORDERS)
        return portfolio.trades.records, portfolio.value()


class Raptorbt:
    def __init__(self, candles):
        self.candles = candles
        self.count = len(candles["open"])
        self.volume = np.ones(self.count)
        self.entries, self.exits = np.ones(self.count, bool), np.zeros(self.count, bool)

    def one(self, take_profit, stop, fee):
        import raptorbt
        config = raptorbt.BacktestConfig(initial_capital=1e6, fees=fee, upon_bar_close=False)
        config.set_fixed_stop(stop)
        config.set_fixed_target(take_profit)
        return raptorbt.run_single_backtest(
            self.candles["time"], self.candles["open"], self.candles["high"], self.candles["low"], self.candles["close"],
            self.volume, self.entries, self.exits, 1, 1.0, "X", config)

    def trades(self, take_profit, stop, fee):
        trades = self.one(take_profit, stop, fee).trades()
        return [np.array([getattr(trade, name) for trade in trades]) for name in ("entry_idx", "exit_idx", "exit_price")]

    def whole(self, frame, take_profit, stop, fee):
        found = Raptorbt({name: frame[name].to_numpy() for name in frame.columns}).one(take_profit, stop, fee)
        return found.trades(), found.equity_curve()


def read_frame(name, candles):
    if name == "vectorbt":
        import pandas as pd
        return pd.DataFrame(candles, index=pd.to_datetime(candles["time"], unit="ms")).drop(columns="time")
    import polars as pl
    return pl.DataFrame(candles)


def main(name, folder):
    job = json.loads((folder / "job.json").read_text())
    candles = {each: np.load(folder / f"{each}.npy") for each in ("time", "open", "high", "low", "close")}
    peer = {"vectorbt": Vectorbt, "raptorbt": Raptorbt}[name](candles)
    width, fee = job["width"], job["fee"]
    peer.one(width, width, fee)
    told = {"one": best(lambda: peer.one(width, width, fee))[0]}
    frame = read_frame(name, candles)
    told["whole"] = best(lambda: peer.whole(frame, width, width, fee), 3)[0]
    told["few"] = best(lambda: [peer.one(take_profit, stop, fee) for take_profit, stop in job["few"]], 1)[0]
    for place, column in enumerate(peer.trades(job["wide"], job["wide"], fee)):
        np.save(folder / f"{name}-{place}.npy", column)
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

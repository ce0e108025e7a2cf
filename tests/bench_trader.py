"""The live loop beside the backtest on real futures candles: part of `make bench`, or `python tests/bench_trader.py`.

Three weeks of three symbols, both sides, over HTTP on a virtual clock: as fast as it goes, with `--kills 200` ended by
SIGKILL at so many random moments, with `--faults 0.1` while a fault of the sandbox meets each request with that chance,
all kinds alike (then only what must never happen is looked for, and a trader that ends is started again, as systemd would). `--days` and
`--symbols` make it shorter.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any

import pytest

from commands import SHARED
from navbook.errors import NavbookError
from navbook.trader import commands
from test_sandbox_support import MINUTE, Sandbox, started
from test_trader_replay import recorded_folder
from traders import Floor, backtested, hasty, ms, same_trades, until

FIRST = ms(datetime(2025, 5, 5, tzinfo=UTC))
DAYS, SYMBOLS = 21, ("BTCUSDT", "ETHUSDT", "SOLUSDT")
RULES = {"tp_usdt": 10.0, "sl_usdt": 5.0}
LOOK_MS = 1440 * MINUTE    # between two looks of the witness
Row = dict[str, Any]


class Witness:
    """Reads the exchange's own records from outside: how long a leg had no stop, and how many orders opened anything.

    The exchange forgets what ended without a fill after three days: look more often.
    """

    def __init__(self, sandbox: Sandbox, symbols: tuple[str, ...]) -> None:
        self.sandbox = sandbox
        self.fills: dict[str, list[Row]] = {symbol: [] for symbol in symbols}
        self.stops: dict[str, dict[int, Row]] = {symbol: {} for symbol in symbols}

    def look(self) -> None:
        for symbol, fills in self.fills.items():
            fills += self._pages("/fapi/v1/userTrades", symbol, "fromId", "id", fills[-1]["id"] + 1 if fills else 0)
            stops = self.stops[symbol]
            waiting = [number for number, stop in stops.items() if stop["algoStatus"] in ("NEW", "TRIGGERING")]
            first = min(waiting, default=max(stops, default=0) + 1)
            stops |= {row["algoId"]: row for row in self._pages("/fapi/v1/allAlgoOrders", symbol, "algoId", "algoId", first)
                      if row["orderType"] == "STOP_MARKET"}

    def _pages(self, path: str, symbol: str, first: str, number: str, at: int) -> Iterator[Row]:
        while rows := self.sandbox.read(path, "main", symbol=symbol, limit=1000, **{first: at}):
            yield from rows
            at = rows[-1][number] + 1

    def opened(self) -> int:
        """Entries that the exchange filled."""
        return len({row["orderId"] for fills in self.fills.values() for row in fills if _opens(row)})

    def longest_bare(self) -> int:
        """Milliseconds on the exchange's clock that a position stood without a stop, the longest of all."""
        return max((self._bare(held, [(row["createTime"], inf if row["algoStatus"] in ("NEW", "TRIGGERING") else row["updateTime"])
                                      for row in self.stops[symbol].values() if row["positionSide"] == side])
                    for symbol in self.fills for side in ("LONG", "SHORT") for held in self._held(symbol, side)), default=0)

    def _held(self, symbol: str, side: str) -> Iterator[tuple[int, int]]:
        """From when to when there was a position."""
        amount, since = Decimal(0), 0
        for row in self.fills[symbol]:
            if row["positionSide"] == side:
                since = since if amount else row["time"]
                amount += Decimal(row["qty"]) * (1 if _opens(row) else -1)
                if not amount:
                    yield since, row["time"]
        if amount:
            yield since, self.sandbox.now

    @staticmethod
    def _bare(held: tuple[int, int], stops: list[tuple[int, float]]) -> int:
        safe_until, end = held
        longest = 0
        for placed, over in sorted(stops):
            if over >= safe_until and placed <= end:
                longest = max(longest, placed - safe_until)
                safe_until = int(min(max(safe_until, over), end))
        return max(longest, end - safe_until)


def _opens(row: Row) -> bool:
    return (row["side"] == "BUY") == (row["positionSide"] == "LONG")


def main() -> None:
    options = parser().parse_args()
    if not SHARED.exists():
        print("bench_trader: skipped, the recorded candles (../shared/data) are not here.")
        return
    symbols, last = tuple(options.symbols.split(",")), FIRST + int(options.days * 1440) * MINUTE
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        kept = recorded_folder(folder / "candles", *symbols)
        with started("--candles", str(kept), start=FIRST) as sandbox:
            floor = Floor(sandbox, folder, patch)
            for symbol in symbols:
                for side in ("LONG", "SHORT"):
                    floor.position(f"{symbol[:3].lower()}_{side.lower()}", symbol, side, **RULES)
            run(floor, Witness(sandbox, symbols), last, options)


def run(floor: Floor, witness: Witness, last: int, options: argparse.Namespace) -> None:
    began, chance = time.perf_counter(), random.Random(options.seed)
    deaths = ends = 0
    for day in range(FIRST, last, LOOK_MS):
        if options.faults:
            hasty(floor.monkeypatch)
            floor.trouble(options.faults)
        until_then = min(day + LOOK_MS, last)
        due = options.kills * (until_then - FIRST) / (last - FIRST)
        killed, ended = lived(floor, until_then, options, chance, due - deaths)
        deaths, ends = deaths + killed, ends + ended
        floor.heal()
        witness.look()
    took = time.perf_counter() - began
    checks = (last - FIRST) // MINUTE
    trades = [trade for trade in floor.trades() if trade.quantity]
    opened, bare = witness.opened(), witness.longest_bare()
    print(f"{checks:,} checks of {len(floor.positions)} positions in {took:.0f} s ({checks / took:.0f} a second), "
          f"{len(trades)} trades, {deaths} kills, {ends} ends by itself; goal: three weeks under 900 s")
    print(f"orders that opened: {opened}, trades: {len(trades)} (must be equal)")
    print(f"longest without a stop, by the exchange's records: {bare / MINUTE:.1f} minutes (at most 1)")
    if opened != len(trades) or bare > MINUTE:
        sys.exit("bench_trader: something was opened twice, or stood bare for more than a check.")
    if not options.faults:
        same_trades(until(floor.history(), last), backtested(floor.sandbox, floor.config, FIRST, last))
        print("The trades are those of backtest.run(..., intrabar=\"path\"): times, prices, quantities, reasons, fees, "
              "funding.")


def lived(floor: Floor, last: int, options: argparse.Namespace, chance: random.Random, kills: float) -> tuple[int, int]:
    """Replay to `last` in processes of their own, ending `kills` of them with SIGKILL.

    Returns how many were killed, and how many ended with an error, as only faults may make them.
    """
    deaths = ends = 0
    while True:
        process = multiprocessing.get_context("fork").Process(target=replay, args=(floor, last))
        process.start()
        if deaths < kills:
            process.join(chance.uniform(0.0, 1.5))
            process.kill()
        process.join()
        if process.exitcode == 0:
            return deaths, ends
        if process.exitcode == -signal.SIGKILL:
            deaths += 1
        elif options.faults:
            ends += 1
        else:
            sys.exit(f"bench_trader: the replay ended with {process.exitcode}.")


def replay(floor: Floor, last: int) -> None:
    """As `navbook trade replay` does; what was said goes nowhere."""
    quiet: Callable[[object], None] = lambda *_: None    # noqa: E731
    times = (datetime.fromtimestamp(moment / 1000, UTC).isoformat() for moment in (FIRST, last))
    try:
        commands.replay(floor.config, None, *times, quiet, quiet)
    except NavbookError as problem:
        print(f"The trader ended: {problem}", flush=True)
        os._exit(1)
    os._exit(0)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=DAYS)
    parser.add_argument("--symbols", default=",".join(SYMBOLS))
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()

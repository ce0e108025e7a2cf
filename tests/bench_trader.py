"""The live loop beside the backtest on real futures candles: part of `make bench`, or `python tests/bench_trader.py`.

Three weeks of three symbols, both sides, over HTTP on a virtual clock: as fast as it goes, with `--kills 200` ended by
SIGKILL at so many random moments, with `--faults 0.1` while every fault of the sandbox meets each request with that
chance (then only what must never happen is looked for). `--days` and `--symbols` make it shorter.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands import SHARED
from navbook.trader import commands
from test_sandbox_support import MINUTE, Sandbox, started
from test_trader_replay import recorded_folder
from traders import Floor, backtested, ms, same_trades, until

FIRST = ms(datetime(2025, 5, 5, tzinfo=UTC))
DAYS, SYMBOLS = 21, ("BTCUSDT", "ETHUSDT", "SOLUSDT")
RULES = {"tp_usdt": 10.0, "sl_usdt": 5.0}
FAULTS = [{"code": -1007, "executed": True}, {"mode": "unknown"}, {"mode": "unavailable"}, {"mode": "html"},
          {"mode": "truncated"}, {"mode": "drop"}, {"mode": "drop", "executed": False}, {"code": -1021},
          {"mode": "stale"}, {"status": 500}, {"mode": "partial"}, {"mode": "expire"}, {"mode": "reject"}]


class Witness:
    """Looks at the exchange from outside: how long a leg had no stop, and how many orders opened anything."""

    def __init__(self, sandbox: Sandbox, symbols: tuple[str, ...]) -> None:
        self.sandbox, self.symbols = sandbox, symbols
        self.bare_since: dict[tuple[str, str], int] = {}
        self.longest = 0

    def look(self) -> None:
        now = self.sandbox.now
        held = {(row["symbol"], row["positionSide"]) for row in self.sandbox.read("/fapi/v3/positionRisk", "main")
                if float(row["positionAmt"])}
        safe = {(row["symbol"], row["positionSide"]) for row in self.sandbox.read("/fapi/v1/openAlgoOrders", "main")
                if row["orderType"] == "STOP_MARKET"}
        self.bare_since = {leg: self.bare_since.get(leg, now) for leg in held - safe}
        self.longest = max([self.longest, *(now - since for since in self.bare_since.values())])

    def opened(self, first: int, last: int) -> int:
        """Entries that the exchange filled."""
        count = 0
        for symbol in self.symbols:
            for start in range(first, last + 1, 6 * 1440 * MINUTE):
                rows = self.sandbox.read("/fapi/v1/allOrders", "main", symbol=symbol, startTime=start, limit=1000,
                                         endTime=min(last, start + 6 * 1440 * MINUTE - 1))
                count += sum(float(row["executedQty"]) > 0 and (row["side"] == "BUY") == (row["positionSide"] == "LONG")
                             for row in rows)
        return count


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
    if options.faults:
        for fault in FAULTS:
            floor.fault("/fapi/*", **fault, probability=options.faults)
    began = time.perf_counter()
    deaths = lived(floor, witness, last, options.kills, random.Random(options.seed))
    took = time.perf_counter() - began
    floor.heal()
    witness.look()
    checks = (last - FIRST) // MINUTE
    trades = [trade for trade in floor.trades() if trade.quantity]
    opened = witness.opened(FIRST, last)
    print(f"{checks:,} checks of {len(floor.positions)} positions in {took:.0f} s ({checks / took:.0f} a second), "
          f"{len(trades)} trades, {deaths} kills; goal: three weeks under 900 s")
    print(f"orders that opened: {opened}, trades: {len(trades)} (must be equal)")
    print(f"longest without a stop, seen from outside: {witness.longest / MINUTE:.1f} minutes (at most 1)")
    if opened != len(trades) or witness.longest > MINUTE:
        sys.exit("bench_trader: something was opened twice, or stood bare for more than a check.")
    if not options.faults:
        same_trades(until(floor.history(), last), backtested(floor.sandbox, floor.config, FIRST, last))
        print("The trades are those of backtest.run(..., intrabar=\"path\"): times, prices, quantities, reasons, fees, "
              "funding.")


def lived(floor: Floor, witness: Witness, last: int, kills: int, chance: random.Random) -> int:
    """Replay to `last` in processes of their own, ending each with SIGKILL until that was done `kills` times."""
    deaths = 0
    while True:
        process = multiprocessing.get_context("fork").Process(target=replay, args=(floor, last))
        process.start()
        if deaths < kills:
            process.join(chance.uniform(0.0, 1.5))
            process.kill()
        process.join()
        if process.exitcode == 0:
            return deaths
        if deaths >= kills:
            sys.exit(f"bench_trader: the replay ended with {process.exitcode}.")
        deaths += 1
        witness.look()


def replay(floor: Floor, last: int) -> None:
    """As `navbook trade replay` does; what was said goes nowhere."""
    quiet: Callable[[object], None] = lambda *_: None    # noqa: E731
    times = (datetime.fromtimestamp(moment / 1000, UTC).isoformat() for moment in (FIRST, last))
    commands.replay(floor.config, None, *times, quiet, quiet)
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

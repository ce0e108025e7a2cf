"""`make bench`: how long what counts takes, here and now. Compare figures of one run only: machines are noisy."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

import polars as pl
from deltalake import write_deltalake

from commands import NAVBOOK, clean_environment
from navbook import schemas
from navbook.store import tables
from worlds import START, World

THREE_YEARS = 3 * 365


def timed(name: str, work: Callable[[], object], runs: int = 3) -> None:
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    print(f"{name:<58} {min(seconds):8.2f} {median(seconds):8.2f} {max(seconds):8.2f}", flush=True)


def command(folder: Path, *arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run([NAVBOOK, *arguments], cwd=folder, env=clean_environment(), check=True,
                                  capture_output=True)


def hourly_history(location: str, accounts: int, days: int) -> None:
    """A store with hourly snapshots of three assets, a deposit a week, a rebalance a week, prices that move."""
    hours = pl.DataFrame({"time": [START + timedelta(hours=hour) for hour in range(24 * days)]}).with_row_index("n")
    wave = 1 + (pl.col("n") % 1000) / 10_000
    prices = pl.concat([hours.select("time", symbol=pl.lit(symbol), price=(wave * price).cast(schemas.AMOUNT),
                                     seen_at="time") for symbol, price in (("BTCUSDT", 50_000), ("ETHUSDT", 2500))])
    names = tuple(f"account{number}" for number in range(accounts))
    world = World(accounts=names)
    for account in names:
        for week in range(days // 7):
            world.flow(START + timedelta(days=7 * week, hours=30, minutes=10), 100, account=account)
    world.rebalances(START + timedelta(days=7 * week, hours=12) for week in range(days // 7 + 1))
    small = world.facts()
    for name in ("accounts", "cash_flows", "candles"):
        tables.append(location, schemas.FACTS[name], getattr(small, name))
    tables.append(location, schemas.PRICES, prices)
    held = pl.DataFrame({"asset": ["BTC", "ETH", "USDT"], "quantity": [Decimal("0.1"), Decimal(2), Decimal(5000)]})
    for account in names:
        snapshots = hours.select("time", account=pl.lit(account), grade=pl.lit("complete"), reason=pl.lit(None, pl.String),
                                 wallets=pl.lit("{}"), exchange_total_usd=pl.lit(None, schemas.AMOUNT),
                                 flows_until="time", seen_at="time")
        balances = snapshots.select("account", "time", wallet=pl.lit("spot"), seen_at="time").join(held, how="cross")
        balances = balances.with_columns(pl.col("quantity").cast(schemas.AMOUNT),
                                         withdrawing=pl.lit(0).cast(schemas.AMOUNT))
        for schema, frame in ((schemas.SNAPSHOTS, snapshots), (schemas.BALANCES, balances)):
            write_deltalake(tables.uri(location, schema), schema.check(frame), mode="append")


def rebuilt(folder: Path, accounts: int, days: int) -> None:
    """Time and peak memory of a rebuild in a process of its own, facts read and tables written."""
    location = str(folder / f"{accounts}" / "sandbox")
    hourly_history(location, accounts, days)
    code = ("import resource, time; began = time.perf_counter(); from navbook.runner import rebuild;"
            f"from navbook.settings import Settings; rebuild.run(Settings(store={str(folder / str(accounts))!r}));"
            "print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)")
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    print(f"rebuild, {accounts} accounts x {24 * days:,} hourly snapshots{'':<14} {float(found[0]):8.2f} s, "
          f"{float(found[1]):.2f} GB at most", flush=True)


def main() -> None:
    print(f"{'seconds':<58} {'min':>8} {'median':>8} {'max':>8}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        timed("navbook --help", command(folder, "--help"), 5)
        timed("navbook demo --no-serve, first time", command(folder, "demo", "--no-serve"), 1)
        timed("navbook collect, three accounts, papermill and kernel", command(folder, "collect"), 5)
        timed("navbook collect --no-notebook", command(folder, "collect", "--no-notebook"), 5)
        timed("navbook benchmark", command(folder, "benchmark"))
        timed("navbook publish, three accounts", command(folder, "publish"))
        timed("navbook sql", command(folder, "sql", "select count(*) from nav_history"))
        for accounts in (10, 100):
            rebuilt(folder, accounts, THREE_YEARS)


if __name__ == "__main__":
    sys.exit(main())

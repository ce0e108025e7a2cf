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

from commands import NAVBOOK, clean_environment
from navbook import schemas
from navbook.runner import rebuild
from navbook.runner.rebuild import Facts
from navbook.settings import Settings
from worlds import START, World

ACCOUNTS, DAYS = 10, 365


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


def hourly_facts() -> Facts:
    """A year of hourly snapshots for ten accounts, a deposit a week, prices that move."""
    hours = pl.DataFrame({"time": [START + timedelta(hours=hour) for hour in range(24 * DAYS)]}).with_row_index("n")
    wave = 1 + (pl.col("n") % 1000) / 10_000
    prices = pl.concat([hours.select("time", symbol=pl.lit(symbol), price=(wave * price).cast(schemas.AMOUNT),
                                     seen_at="time") for symbol, price in (("BTCUSDT", 50_000), ("ETHUSDT", 2500))])
    names = tuple(f"account{number}" for number in range(ACCOUNTS))
    world = World(accounts=names)
    for account in names:
        for week in range(DAYS // 7):
            world.flow(START + timedelta(days=7 * week, hours=30, minutes=10), 100, account=account)
    world.rebalances(START + timedelta(days=7 * week, hours=12) for week in range(DAYS // 7 + 1))
    small = world.facts()
    each = pl.DataFrame({"account": names})
    snapshots = each.join(hours.drop("n"), how="cross").with_columns(
        grade=pl.lit("complete"), reason=pl.lit(None, pl.String), wallets=pl.lit("{}"),
        exchange_total_usd=pl.lit(None, schemas.AMOUNT), flows_until="time", seen_at="time")
    balances = snapshots.select("account", "time", wallet=pl.lit("spot"), seen_at="time").join(
        pl.DataFrame({"asset": ["BTC", "ETH", "USDT"], "quantity": [Decimal("0.1"), Decimal(2), Decimal(5000)]}), how="cross")
    balances = balances.with_columns(pl.col("quantity").cast(schemas.AMOUNT), withdrawing=pl.lit(0).cast(schemas.AMOUNT))
    return Facts(accounts=small.accounts, snapshots=snapshots.select(list(schemas.SNAPSHOTS.columns)),
                 balances=balances.select(list(schemas.BALANCES.columns)), prices=prices, cash_flows=small.cash_flows,
                 candles=small.candles)


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
    facts, config = hourly_facts(), Settings()
    timed(f"rebuild, {ACCOUNTS} accounts x {24 * DAYS} hourly snapshots", lambda: rebuild.compute(facts, config))


if __name__ == "__main__":
    sys.exit(main())

"""`python tests/bench_backtest.py`: the backtester's jobs here and now, beside vectorbt's and raptorbt's.

Each peer is installed into a virtual environment of its own, in the user's cache. Everything runs in one thread, one
after the other, in one go: compare figures of one run only. Peers run a few combinations of a sweep, and the rest is
their time multiplied (they take each combination by itself).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from bench_peers import best
from navbook.compute import backtest
from navbook.compute.brackets import BracketRules, Costs

PEERS = {"vectorbt": ["vectorbt[rust]==1.2.0"], "raptorbt": ["raptorbt==0.13.4", "numpy", "polars"]}
FOLDER = Path(__file__).parent
RECORDED = [FOLDER / "../../shared/data/candles/spot" / f"BTCUSDT-1m-2024-{part}.parquet" for part in ("01_03", "04_06-25")]
MINUTES = 2_628_000                     # five years
WIDTH, WIDE, FEE, FEW = 0.01, 0.03, 0.0005, 8
COSTS = Costs(taker_fee=FEE)
# 1000 USDT each: a width of 1 % is 10 USDT; again at the first candle after an exit, as the peers do it
RULES = BracketRules(amount_usdt=100, leverage=10, tp_usdt=1000 * WIDTH, sl_usdt=1000 * WIDTH, reopen_delay="0s")


def five_years() -> tuple[pl.DataFrame, str]:
    """Real minutes repeated until there are enough, else a random walk; the times run on."""
    if all(file.exists() for file in RECORDED):
        table = pl.concat([pl.read_parquet(file, columns=["open", "high", "low", "close"]) for file in RECORDED])
        told = f"{table.height:,} minutes of BTCUSDT (2024, spot), repeated"
        table = pl.concat([table] * (MINUTES // table.height + 1)).head(MINUTES)
    else:
        random = np.random.default_rng(1)
        close = np.round(50_000 * np.exp(np.cumsum(random.normal(0, 4e-4, MINUTES))), 2)
        opens = np.concatenate([[50_000.0], close[:-1]])
        spread = np.round(np.abs(random.normal(0, 2e-4, (2, MINUTES))) * close, 2)
        table = pl.DataFrame({"open": opens, "high": np.maximum(opens, close) + spread[0],
                              "low": np.minimum(opens, close) - spread[1], "close": close})
        told = "a random walk"
    times = pl.Series("open_time", np.arange(MINUTES) * 60_000_000 + 1_577_836_800_000_000).cast(pl.Datetime("us", "UTC"))
    return table.insert_column(0, times).rechunk(), told


def grid(count: int) -> dict[str, list[float]]:
    """`count` combinations of widths from 0.2 % to 5 %."""
    side = round(count ** 0.5)
    return {"tp_usdt": np.linspace(2, 50, side).tolist(), "sl_usdt": np.linspace(2, 50, count // side).tolist()}


def peer_python(name: str) -> Path | None:
    """The interpreter of a peer's own environment, made when it is not there yet; None where that fails."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "navbook-bench" / name
    python = home / "bin/python"
    if not (home / "ready").exists():
        print(f"Installing {name} into {home} ...", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", home], capture_output=True).returncode == 0 and subprocess.run(
            [python, "-m", "pip", "install", "-q", *PEERS[name]], capture_output=True).returncode == 0
        if not made:
            print(f"{name} cannot be installed here; the table goes without it.")
            return None
        (home / "ready").touch()
    return python


def ask_peer(name: str, folder: Path) -> dict[str, float] | None:
    if (python := peer_python(name)) is None:
        return None
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    done = subprocess.run([python, FOLDER / "bench_peers.py", name, folder], capture_output=True, text=True,
                          env=environment)
    if done.returncode:
        print(f"{name} failed: {done.stderr[-600:]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def ours(table: pl.DataFrame) -> dict[str, float]:
    """Seconds of each job; the candles are prepared, except for `whole`."""
    candles = backtest.prepare(table)
    for count in (9, 100):    # compile
        backtest.sweep(candles, RULES, grid(count), COSTS)
    told = {"one": best(lambda: backtest.run(candles, RULES, COSTS).trades, 9)[0]}

    def whole():
        found = backtest.run(table, RULES, COSTS)
        return found.trades, found.equity

    told["whole"] = best(whole, 5)[0]
    for count in (1_000, 10_000):
        told[f"sweep {count:,}"], found = best(lambda count=count: backtest.sweep(candles, RULES, grid(count), COSTS), 3)
        print(f"sweep of {found.height:,}: {found['trades'].sum():,} trades, "
              f"{told[f'sweep {count:,}'] / found['trades'].sum() * 1e9:.1f} ns each")
    check_rows(candles, found)
    return told


def check_rows(candles: backtest.Candles, table: pl.DataFrame) -> None:
    """200 rows of the sweep against runs of their own."""
    for row in table.sample(200, seed=1).iter_rows(named=True):
        rules = BracketRules(tp_usdt=row["tp_usdt"], sl_usdt=row["sl_usdt"], reopen_delay="0s")
        found = backtest.run(candles, rules, COSTS).summary
        assert all(found[name] == value for name, value in row.items() if name in found), row
    print("200 rows of the sweep of 10,000 equal `run` in every bit")


def compare(name: str, folder: Path, table: pl.DataFrame) -> None:
    """Trade by trade, at a width that no entry candle reaches; there the rules are the same."""
    rules = BracketRules(tp_usdt=1000 * WIDE, sl_usdt=1000 * WIDE, reopen_delay="0s")
    rows = backtest.run(table, rules, COSTS).ledger
    closed = rows.codes[:, 0] != 3
    entries, exits, prices = rows.rows[closed, 0], rows.rows[closed, 1], rows.prices.exit[closed]
    theirs = [np.load(folder / f"{name}-{place}.npy") for place in range(3)]
    count = min(len(entries), len(theirs[0]))
    same = ((theirs[0][:count] == entries[:count]) & (theirs[1][:count] == exits[:count])
            & np.isclose(theirs[2][:count], prices[:count], rtol=1e-9))
    first = "" if same.all() else (f"; the first that differs is number {int(np.argmin(same))}: ours enters candle "
                                   f"{entries[np.argmin(same)]} and leaves {exits[np.argmin(same)]}, theirs "
                                   f"{theirs[0][np.argmin(same)]} and {theirs[1][np.argmin(same)]}")
    print(f"{name}: {len(theirs[0]):,} trades at {WIDE:.0%}, ours {len(entries):,}; {int(same.sum()):,} of the first "
          f"{count:,} are the same{first}")


def main() -> None:
    table, told = five_years()
    print(f"{table.height:,} candles: {told}. Long, {WIDTH:.0%} / {WIDTH:.0%}, fee {FEE:.2%} a side.")
    random = np.random.default_rng(3)
    job = {"width": WIDTH, "wide": WIDE, "fee": FEE, "few": random.uniform(0.002, 0.05, (FEW, 2)).tolist()}
    mine, peers = ours(table), {}
    print(f"peak memory up to here: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "job.json").write_text(json.dumps(job))
        np.save(folder / "time.npy", table["open_time"].dt.timestamp("ms").to_numpy())
        for name in ("open", "high", "low", "close"):
            np.save(folder / f"{name}.npy", table[name].to_numpy())
        for name in PEERS:
            if found := ask_peer(name, folder):
                each = found.pop("few") / FEW
                peers[name] = {**found, "sweep 1,000": 1_000 * each, "sweep 10,000": 10_000 * each}
                compare(name, folder, table)
    print(f"\n{'milliseconds':<16} {'ours':>12}" + "".join(f"{name:>14}{'ratio':>8}" for name in peers))
    for job_name, seconds in mine.items():
        cells = "".join(f"{1e3 * found[job_name]:>14,.1f}{found[job_name] / seconds:>7,.0f}x" for found in peers.values())
        print(f"{job_name:<16} {1e3 * seconds:>12,.2f}{cells}")


if __name__ == "__main__":
    main()

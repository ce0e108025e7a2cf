"""`make scale`: a hundred accounts, a year of minutes each (52 million snapshots), and what users do with them.

The facts are laid down as a year of collecting and pruning leaves them: file after file in the order of time, all
accounts in each. The figures of docs/SCALE.md are printed by this.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from deltalake import write_deltalake

from commands import NAVBOOK, clean_environment
from navbook import schemas, settings
from navbook.runner import sandbox
from navbook.store import tables

START = datetime(2025, 7, 7, tzinfo=UTC)
HELD = {"BTC": "0.5", "ETH": "4", "USDT": "20000"}
MINUTES_A_FILE = 15_000    # about what compaction puts together


def told(name: str, value: str) -> None:
    print(f"{name:<58} {value}", flush=True)


def measured(name: str, code: str, folder: Path, variables: dict[str, str] | None = None) -> None:
    """Seconds and peak memory of `code` in a process of its own, imports included."""
    whole = ("import resource, time; began = time.perf_counter()\n" + code +
             "\nused = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))"
             "\nprint(time.perf_counter() - began, used / 2**20)")
    done = subprocess.run([sys.executable, "-c", whole], cwd=folder, env=clean_environment() | (variables or {}),
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    seconds, memory = done.stdout.split()[-2:]
    told(name, f"{float(seconds):8.1f} s {float(memory):6.2f} GB at most")


def facts(location: str, names: list[str], minutes: int) -> None:
    """ACCOUNTS, and a snapshot a minute of each with three balances and the prices of two."""
    accounts = [(name, number, None, None, START, START) for number, name in enumerate(names, 1)]
    tables.append(location, schemas.ACCOUNTS, schemas.ACCOUNTS.rows(accounts))
    amount = {column: pl.col(column).cast(schemas.AMOUNT) for column in ("price", "quantity", "withdrawing")}
    symbols = pl.DataFrame({"symbol": ["BTCUSDT", "ETHUSDT"], "base": [50_000.0, 2500.0]})
    assets = pl.DataFrame({"asset": list(HELD), "held": [float(quantity) for quantity in HELD.values()]})
    for first in range(0, minutes, MINUTES_A_FILE):
        number = pl.int_range(first, min(first + MINUTES_A_FILE, minutes), eager=True)
        times = pl.DataFrame({"n": number}).select("n", time=(pl.lit(START) + pl.duration(minutes="n")).cast(schemas.TIME))
        prices = times.join(symbols, how="cross").select(
            "time", "symbol", price=(pl.col("base") * (1 + (pl.col("n") / 9000).sin() / 5)).round(2), seen_at="time")
        snapshots = times.join(pl.DataFrame({"account": names}), how="cross").select(
            "account", "time", grade=pl.lit("complete"), reason=pl.lit(None, pl.String), wallets=pl.lit('{"spot": "ok"}'),
            exchange_total_usd=pl.lit(None, schemas.AMOUNT), flows_until="time", seen_at="time", n="n")
        dust = pl.when(pl.col("asset") == "USDT").then(pl.col("n") % 977 / 100).otherwise(0.0)    # something always moves
        balances = snapshots.join(assets, how="cross").select(
            "account", "time", "asset", wallet=pl.lit("spot"), quantity=pl.col("held") + dust, withdrawing=pl.lit(0.0),
            seen_at="time")
        for schema, frame in ((schemas.PRICES, prices), (schemas.SNAPSHOTS, snapshots), (schemas.BALANCES, balances)):
            rows = frame.with_columns(amount[column] for column in amount if column in frame.columns)
            write_deltalake(tables.uri(location, schema), rows.select(list(schema.columns)), mode="append")
        print(f"\r  {number[-1] + 1:,} of {minutes:,} minutes", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def size(location: str) -> str:
    files = [file.stat().st_size for file in Path(location).rglob("*.parquet")]
    return f"{sum(files) / 1e9:.2f} GB in {len(files)} files"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--accounts", type=int, default=100)
    asked.add_argument("--minutes", type=int, default=365 * 24 * 60)
    asked.add_argument("--folder", type=Path, help="keep the store here, and use it again")
    given = asked.parse_args()
    names = [f"a{number:03}" for number in range(given.accounts)]
    with tempfile.TemporaryDirectory() as place, sandbox.started(sandbox.World(START.isoformat(), scenario="")) as local:
        folder = given.folder or Path(place)
        keys = _accounts(local, names)
        (folder / "navbook.toml").write_text(f'sandbox_url = "{local.url}"\n[benchmark]\n' + "".join(
            f"[accounts.{name}]\n" for name in names), encoding="utf-8")
        config = settings.load(folder / "navbook.toml")
        if tables.opened(config.location, schemas.SNAPSHOTS) is None:
            facts(config.location, names, given.minutes)
        told(f"{given.accounts * given.minutes:,} snapshots, facts alone", size(config.location))
        newest = tables.newest_times(config.location, schemas.SNAPSHOTS)["time"].max()
        assert isinstance(newest, datetime)
        _use(folder, local, newest, keys, names[given.accounts // 2])


def _use(folder: Path, local: sandbox.Sandbox, newest: datetime, keys: dict[str, str], account: str) -> None:
    """Each of the issue's questions, the store as large as it is."""
    local.set_clock(newest + timedelta(minutes=1))
    measured("collect after a year without one: all histories", COLLECT, folder, keys)
    local.set_clock(newest + timedelta(minutes=2))
    measured("collect one more minute, all accounts", COLLECT, folder, keys)
    measured("rebuild of all accounts", CONFIG + "from navbook.runner import rebuild; rebuild.run(config)", folder)
    told("the store with its answers", size(settings.load(folder / "navbook.toml").location))
    local.set_clock(newest + timedelta(minutes=3))
    measured("collect one more minute, answers beside it", COLLECT, folder, keys)
    measured("rebuild of one account, in memory", f"{CONFIG}from navbook.runner import rebuild\n"
             f"rebuild.compute(rebuild.read_facts(config, accounts=[{account!r}]), config)", folder)
    measured("latest NAV of all accounts: navbook sql", SQL.format(
        "select account, max(time), arg_max(nav, time) from nav_history group by account"), folder)
    measured("latest NAV of all accounts: polars", CONFIG + "tables.newest(config.location, schemas.NAV_HISTORY)", folder)
    measured("one account's history: navbook sql", SQL.format(
        f"select time, nav, benchmark_value from nav_history where account = '{account}'"), folder)
    measured("one account's history: polars", f"{CONFIG}tables.read(config.location, schemas.NAV_HISTORY, "
             f"account={account!r})", folder)
    measured("navbook check", f"import subprocess; subprocess.run([{NAVBOOK!r}, 'check'], stdout=subprocess.DEVNULL)",
             folder, keys)
    measured("publish one account, with operations and index", f"{CONFIG}from navbook.runner import pages\n"
             f"pages.publish(config, {account!r})", folder)


CONFIG = ("from pathlib import Path; from navbook import schemas, settings; from navbook.store import tables\n"
          "config = settings.load(Path('navbook.toml'))\n")
COLLECT = CONFIG + "import asyncio; from navbook.runner import collecting; asyncio.run(collecting.collect(config))"
SQL = f"import subprocess; subprocess.run([{NAVBOOK!r}, 'sql', \"{{}}\"], stdout=subprocess.DEVNULL, check=True)"


def _accounts(local: sandbox.Sandbox, names: list[str]) -> dict[str, str]:
    keys = {}
    for name in names:
        key, secret = f"key-of-{name}".ljust(64, "x"), f"secret-of-{name}".ljust(64, "x")
        local.control("POST", "accounts", name=name, api_key=key, api_secret=secret,
                      permissions={"enableReading": True}, balances={"spot": HELD})
        keys |= {f"NAVBOOK_{name.upper()}_API_KEY": key, f"NAVBOOK_{name.upper()}_API_SECRET": secret}
    return keys


if __name__ == "__main__":
    os.environ.pop("NAVBOOK_CONFIG", None)
    sys.exit(main())

"""Readers beside writers: twenty read while collect, rebuild and prune run, and each look must be of one snapshot.

    .venv/bin/python tests/soak_readers.py --minutes 10

A look: the net asset value of the newest row of every account is the sum of its holdings; holdings, values and
reconciliation end with it; the facts behind it are there. Some look with DuckDB, some with polars, some fetch the
published page, on which the card, the end of the line and the holdings must agree.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl
import pytest

import soak_world
from commands import NAVBOOK
from locals import Local, local_exchange
from navbook import schemas
from navbook.errors import Locked
from navbook.runner import collecting, locks, pruning, rebuild, sandbox, stores
from navbook.runner.workers import pool
from navbook.settings import Settings
from navbook.store import catalog, looks, tables

DUCKDB, POLARS, HTTP = 8, 8, 4    # readers
PROCESSES = 4                     # that they live in, as threads
FIRST_SLOTS = 30
CENT = 0.005
ENDS = ("holdings", "benchmark_values", "reconciliation")    # with the newest row of nav_history
ON_THE_PAGE = {"card": r"\$([\d,.]+): the sum of all wallets", "bridge": r">Now</th>.*?\$([\d,.]+)</td>",
               "holdings": r">NAV</th>.*?\$([\d,.]+)</td>"}
Look = Callable[[], list[str]]    # what was torn


@dataclass(frozen=True)
class Start:
    """All processes begin together: the first to be there wait for the last."""

    folder: Path
    processes: int
    seconds: float

    def together(self) -> float:
        """When to end, by the machine's monotonic clock."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / str(os.getpid())).touch()
        while len(list(self.folder.iterdir())) < self.processes:
            time.sleep(0.02)
        return time.monotonic() + self.seconds


# -- looks -------------------------------------------------------------------------------------------------------------
def with_duckdb(config: Settings) -> list[str]:
    """One connection, asked again after a while: the same answers."""
    connection = catalog.connect(config.location)
    frames = [connection.sql(f"FROM {name}").pl() for name in ("nav_history_table", *ENDS, "snapshots", "balances")]
    time.sleep(random.uniform(0, 0.2))
    again = connection.sql("FROM nav_history_table ORDER BY account, time").pl()
    changed = not again.equals(frames[0].sort("account", "time"))
    return [*torn(*frames), *(["one connection answered twice and differently"] if changed else [])]


def with_polars(config: Settings) -> list[str]:
    with looks.one(config.location):
        read = [tables.read(config.location, schemas.DERIVED[name]) for name in ("nav_history", *ENDS)]
        facts = [tables.read(config.location, schemas.FACTS[name]) for name in ("snapshots", "balances")]
    return torn(*read, *facts)


def torn(history: pl.DataFrame, holdings: pl.DataFrame, values: pl.DataFrame, reconciliation: pl.DataFrame,
         snapshots: pl.DataFrame, balances: pl.DataFrame) -> list[str]:
    """What of these tables does not belong to one snapshot."""
    found = []
    newest = dict(history.group_by("account").agg(pl.col("time").max()).iter_rows())
    for name, frame in zip(ENDS, (holdings, values, reconciliation), strict=True):
        ends = dict(frame.group_by("account").agg(pl.col("time").max()).iter_rows())
        found += [f"{name} of {account} end at {ends.get(account)}, the values at {time}"
                  for account, time in newest.items() if ends.get(account) != time]
    sums = holdings.group_by("account", "time").agg(held=pl.col("value_usd").sum())
    valued = history.drop_nulls("nav").join(sums, on=["account", "time"], how="left")
    wrong = valued.filter((pl.col("nav") - pl.col("held")).abs().fill_null(1) > CENT)
    found += [f"{account}, {time}: {nav} is not the sum of its holdings, {held}"
              for account, time, nav, held in wrong.select("account", "time", "nav", "held").iter_rows()]
    for name, facts in {"snapshots": snapshots, "balances": balances}.items():
        lost = history.select("account", "time").join(facts, on=["account", "time"], how="anti")
        found += [f"{lost.height} times of the values have no {name}"] if lost.height else []
    alone = snapshots.select("account", "time").join(balances, on=["account", "time"], how="anti")
    return [*found, *([f"{alone.height} snapshots have no balances"] if alone.height else [])]


def over_http(address: str) -> list[str]:
    with urllib.request.urlopen(f"{address}/voila/render/portfolio-main.ipynb", timeout=30) as answer:
        page = answer.read().decode()
    time.sleep(0.5)    # somebody reads it
    return page_torn(page)


def page_torn(page: str) -> list[str]:
    """The net asset value on the card, at the end of the bridge and under the holdings is one."""
    if not page.rstrip().endswith("</html>"):
        return ["the page has no end"]
    told = {name: found[1] if (found := re.search(pattern, page)) else None for name, pattern in ON_THE_PAGE.items()}
    return [] if len(set(told.values())) == 1 and None not in told.values() else [f"the page says {told}"]


# -- writers -----------------------------------------------------------------------------------------------------------
def _collect(config: Settings, hours: Iterator[datetime]) -> None:
    sandbox.Sandbox(str(config.sandbox_url)).set_clock(next(hours))
    with locks.hold(config, "collect"):
        asyncio.run(collecting.collect(config))


def _rebuild(config: Settings) -> None:
    with locks.hold(config, "benchmark"):
        rebuild.run(config)


def _prune(config: Settings) -> None:
    pruning.prune(config, lambda said: None)
    time.sleep(0.5)


def _publish(config: Settings) -> None:
    subprocess.run([NAVBOOK, "publish", "--no-notebook", "--config", str(config.file)], check=True, capture_output=True)


WRITERS = {"rebuild": _rebuild, "prune": _prune, "publish": _publish}


def write(config: Settings, name: str, start: Start) -> Counter[str]:
    """One writer, again and again; who finds the lock taken waits a little."""
    hours = (soak_world.START + hour * soak_world.HOUR for hour in itertools.count(FIRST_SLOTS))
    once = partial(_collect, config, hours) if name == "collect" else partial(WRITERS[name], config)
    done: Counter[str] = Counter()
    until = start.together()
    while time.monotonic() < until:
        try:
            once()
            done[name] += 1
        except Locked:
            time.sleep(0.05)
        except Exception as problem:
            done[f"error: {name}: {type(problem).__name__}: {problem}"] += 1
    return done


def read(config: Settings, kinds: list[str], address: str, start: Start) -> Counter[str]:
    """Readers of these kinds, each a thread."""
    look: dict[str, Look] = {"DuckDB": partial(with_duckdb, config), "polars": partial(with_polars, config),
                             "HTTP": partial(over_http, address)}
    until = start.together()
    with ThreadPoolExecutor(len(kinds)) as threads:
        return sum(threads.map(lambda kind: _read(kind, look[kind], until), kinds), Counter())


def _read(kind: str, look: Look, until: float) -> Counter[str]:
    done: Counter[str] = Counter()
    while time.monotonic() < until:
        try:
            found = look()
            done[kind] += 1
            done.update(f"torn: {kind}: {each}" for each in found)
        except Exception as problem:
            done[f"error: {kind}: {type(problem).__name__}: {problem}"] += 1
    return done


def soak(folder: Path, seconds: float, *, pages: bool) -> Counter[str]:
    """How often what was done; "torn: …" and "error: …" say what was wrong.

    pages  publish and fetch, too: else the readers are those of the store alone
    """
    with pytest.MonkeyPatch.context() as patch, local_exchange(folder, patch, soak_world.START) as local:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        config = _begun(local, int(seconds))
        kinds = ["DuckDB"] * DUCKDB + ["polars"] * POLARS + (["HTTP"] * HTTP if pages else ["DuckDB", "polars"] * (HTTP // 2))
        writers = ["collect", "rebuild", "prune", *(["publish"] if pages else [])]
        with (_served(config) if pages else nullcontext()) as address, pool(PROCESSES + len(writers)) as processes:
            start = Start(folder / "begun", PROCESSES + len(writers), seconds)
            work = [*(processes.submit(write, config, name, start) for name in writers),
                    *(processes.submit(read, config, kinds[number::PROCESSES], str(address), start)
                      for number in range(PROCESSES))]
            return sum((each.result() for each in work), Counter())


def _begun(local: Local, slots: int) -> Settings:
    """A store with a day in it, and an exchange that knows what will happen in the next `slots` hours."""
    soak_world.open_accounts(local)
    config = local.config(soak_world.TOML)
    stores.claim(config)
    local.server.control("POST", "limits", enforced=False)
    for event in soak_world.calendar(max(3, slots // 24), seed=1):
        local.event(event.kind, event.account, event.time, **event.fields)
    for slot in range(0, FIRST_SLOTS, 6):
        local.collect(soak_world.START + slot * soak_world.HOUR)
    local.config(soak_world.TOML)
    rebuild.run(config)
    return config


@contextmanager
def _served(config: Settings) -> Iterator[str]:
    """The published pages, served as `navbook dashboards` does."""
    _publish(config)
    command = [NAVBOOK, "dashboards", "--port", "0", "--config", str(config.file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield next(found[0] for line in server.stdout if (found := re.search(r"http://[\d.]+:\d+", line)))
        finally:
            server.terminate()


def report(done: Counter[str]) -> str:
    def of(*names: str) -> str:
        return ", ".join(f"{done[name]:,} {name}" for name in names if done[name])

    bad = [(kind, {name: number for name, number in done.items() if name.startswith(f"{kind}: ")}) for kind in ("error", "torn")]
    lines = [f"reads   {of('DuckDB', 'polars', 'HTTP')}", f"writes  {of('collect', 'rebuild', 'prune', 'publish')}",
             *(f"{kind:<7} {sum(found.values())}" for kind, found in bad)]
    return "\n".join([*lines, *(f"  {number} x {name}" for _, found in bad for name, number in found.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    os.environ["POLARS_MAX_THREADS"] = "1"    # of the processes that are started
    with tempfile.TemporaryDirectory() as folder:
        done = soak(Path(folder), 60 * parser.parse_args().minutes, pages=True)
    print(report(done))
    sys.exit(any(name.startswith(("error: ", "torn: ")) for name in done))


if __name__ == "__main__":
    main()

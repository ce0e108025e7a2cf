"""A year of a trader's life over real HTTP, once in peace and once in trouble: the answers must be the same.

    .venv/bin/python tests/soak.py --days 365

Every virtual hour is a slot: all accounts are collected, again and again at the same time until it went whole. Each
midnight rebuilds, each second one prunes, Mondays at noon the benchmark is rebalanced. In trouble, 20 % of all requests
fail, and each week a collect, a rebuild and a prune are killed (kill -9) somewhere in the middle. At the end every
derived table of one store must have the content hash that it has in the other.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import soak_faults
import soak_kills
import soak_world
from commands import NAVBOOK
from locals import Local, local_exchange
from navbook import schemas
from navbook.compute import verify
from navbook.errors import NavbookError
from navbook.runner import collecting, pruning, rebuild, stores
from navbook.runner.workers import pool
from navbook.settings import Settings
from navbook.store import tables

REBUILDS, PRUNES, WEEK, MONTH = 24, 48, 24 * 7, 24 * 30    # hours
MOST_ATTEMPTS = 100
KILLED = (("collect", "--no-notebook"), ("benchmark", "--no-notebook"), ("prune",))
TOLD_EVERY_S = 30


@dataclass
class Driven:
    """One way through the world."""

    name: str
    config: Settings
    hashes: dict[str, str] = field(default_factory=dict)
    slots: int = 0
    retries: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)    # by what they met
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(self.requests.values()) - self.requests[soak_faults.ANSWERED]


def drive(folder: Path, days: int, seed: int, *, trouble: bool, every: int = 1) -> Driven:
    """Live through `days` in `folder`, a slot `every` so many hours, with or without trouble."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch, local_exchange(folder, patch, soak_world.START) as local:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        local.server.control("POST", "limits", enforced=False)    # they count the machine's time, which nobody waits for
        soak_world.open_accounts(local)
        config = local.config(soak_world.TOML)
        stores.claim(config)
        patience = soak_faults.Patience()
        if trouble:
            patience.use(patch)
        soak_faults.let_in(local, share=soak_faults.SHARE if trouble else 0)
        way = _Way(local, Driven("trouble" if trouble else "peace", config), patience,
                   _moments(days * 24 // every, seed, WEEK // every) if trouble else {})
        way.go(range(0, days * 24, every), soak_world.calendar(days, seed))
        way.driven.wrong += soak_kills.troubles(config, {})[0]
        way.driven.requests = soak_faults.counted(local)
        return way.driven


def _moments(slots: int, seed: int, week: int) -> dict[int, list[tuple[str, ...]]]:
    """The number of a slot -> what is killed there: each command once in `week` slots."""
    draw = random.Random(seed)
    found: dict[int, list[tuple[str, ...]]] = {}
    for first in range(0, slots, week):
        for command in KILLED:
            found.setdefault(draw.randrange(first, min(first + week, slots)), []).append(command)
    return found


@dataclass
class _Way:
    local: Local
    driven: Driven
    patience: soak_faults.Patience
    moments: dict[int, list[tuple[str, ...]]]
    longest: dict[tuple[str, ...], float] = field(default_factory=dict)    # seconds that a command took
    pruned_at: dict[int, float] = field(default_factory=dict)              # hour -> the machine's time
    draw: random.Random = field(default_factory=lambda: random.Random(1))

    def go(self, hours: range, calendar: list[soak_world.Event]) -> None:
        began = told = time.monotonic()
        coming = deque(calendar)
        for number, hour in enumerate(hours):
            now = soak_world.START + hour * soak_world.HOUR
            self.local.clock(now)
            while coming and coming[0].told <= now:
                event = coming.popleft()
                self.local.event(event.kind, event.account, event.time, **event.fields)
            for command in self.moments.get(number, ()):
                self.kill(command)
            self.slot(hour)
            if time.monotonic() - told > TOLD_EVERY_S:
                told = time.monotonic()
                self.tell(number + 1, len(hours), told - began)
        self.driven.hashes = rebuild.run(self.driven.config)
        self.driven.slots, self.driven.seconds = len(hours), time.monotonic() - began

    def slot(self, hour: int) -> None:
        self.collect()
        if hour % REBUILDS == 0:
            rebuild.run(self.driven.config)
        if hour % PRUNES == 0:
            self.let_age(hour)
            pruning.prune(self.driven.config, lambda said: None)

    def let_age(self, hour: int) -> None:
        """What was committed a month of this world ago is a month old for Delta too, which asks the machine's clock."""
        self.pruned_at[hour] = time.time()
        before = self.pruned_at.get(hour - MONTH, 0.0)
        for file in Path(self.driven.config.location).glob("*/*/_delta_log/*"):
            if file.stat().st_mtime < before:
                os.utime(file, (before - MONTH * 3600, before - MONTH * 3600))

    def collect(self) -> None:
        """The slot's snapshot: tried until it is whole."""
        for _ in range(MOST_ATTEMPTS):
            try:
                asyncio.run(collecting.collect(self.driven.config))
                return
            except NavbookError as problem:
                trouble = problem
                self.driven.retries += 1
                self.patience.until_no_ban()
        raise trouble

    def kill(self, command: tuple[str, ...]) -> None:
        """Kill one in the middle; one that ended before is begun again."""
        line = [NAVBOOK, *command, "--config", str(self.driven.config.file)]
        if command not in self.longest:
            began = time.monotonic()
            subprocess.run(line, capture_output=True, check=False)
            self.longest[command] = time.monotonic() - began
        while soak_kills.killed(line, self.local.folder, dict(os.environ), whole_group=True,
                                moment=self.draw.uniform(0.4, 1) * self.longest[command]):
            self.longest[command] *= 0.8
        self.driven.kills[command[0]] = self.driven.kills.get(command[0], 0) + 1
        for job in ("collect", "benchmark"):
            if not soak_kills.free_soon(self.driven.config, job):
                self.driven.wrong.append(f"the lock of {job} is stuck after a kill of {command[0]}")

    def tell(self, done: int, slots: int, seconds: float) -> None:
        left = timedelta(seconds=int(seconds / done * (slots - done)))
        print(f"{self.driven.name:<8} slot {done:,} of {slots:,}, {self.driven.retries:,} retries, "
              f"{sum(self.driven.kills.values())} kills, {left} left", flush=True)


def both(folder: Path, days: int, seed: int, every: int = 1) -> tuple[Driven, Driven]:
    """Both ways, each in a process of its own: peace, then trouble."""
    with pool(2) as processes:
        peace, trouble = (processes.submit(_on_a_core, folder / name, days, seed, trouble=name == "trouble",
                                           every=every) for name in ("peace", "trouble"))
        return peace.result(), trouble.result()


def _on_a_core(*arguments: Any, trouble: bool, every: int) -> Driven:
    """A slot is a long chain of threads and processes that wait for one another: half as fast again where none has to
    wake another core (measured on two).
    """
    if hasattr(os, "sched_setaffinity"):    # where it is not, the machine chooses
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[trouble % len(cores)]})
    return drive(*arguments, trouble=trouble, every=every)


def differences(peace: Driven, trouble: Driven) -> Iterator[str]:
    """The tables that are not the same, each with the first row that differs."""
    for name, digest in peace.hashes.items():
        if trouble.hashes[name] != digest:
            schema = schemas.DERIVED[name]
            stored, expected = (tables.read(way.config.location, schema) for way in (trouble, peace))
            found = verify.differences(schema, stored, expected)
            yield f"{name}: {f'{found.rows:,} rows differ, first {found.first}' if found else 'another order'}"


def report(peace: Driven, trouble: Driven, wrong: list[str]) -> str:
    total = sum(trouble.requests.values())
    kills = ", ".join(f"{number} {job}" for job, number in trouble.kills.items())
    last = tables.read(trouble.config.location, schemas.SNAPSHOTS)["time"].max()
    rows = [("slots", f"{trouble.slots:,}, up to {last:%Y-%m-%d %H:%M}"),
            ("requests", f"{sum(peace.requests.values()):,} in peace, {total:,} in trouble"),
            ("failed", f"{trouble.failed:,} ({trouble.failed / total:.1%})"),
            *((f"  {name}", f"{number:,}") for name, number in trouble.requests.items() if name != soak_faults.ANSWERED),
            ("kills -9", f"{sum(trouble.kills.values())} ({kills})"),
            ("slots tried again", f"{trouble.retries:,} times ({peace.retries} in peace)"),
            ("time", f"{timedelta(seconds=int(peace.seconds))} in peace, {timedelta(seconds=int(trouble.seconds))} in trouble"),
            ("derived tables", "; ".join(wrong) or f"all {len(peace.hashes)} equal")]
    return "\n".join(f"{name:<18} {value}" for name, value in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="A folder that does not exist yet, for both stores.")
    asked = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = "1"    # of the processes that are started
    with tempfile.TemporaryDirectory() as aside:
        folder = asked.keep or Path(aside)
        folder.mkdir(exist_ok=True)
        peace, trouble = both(folder, asked.days, asked.seed)
        wrong = [*peace.wrong, *trouble.wrong, *differences(peace, trouble)]
        print(report(peace, trouble, wrong))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

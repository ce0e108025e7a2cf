"""kill -9 of the runner at random moments of collect and rebuild: what is left must be whole, true and usable.

    .venv/bin/python tests/soak_kills.py --kills 100

After each kill: the lock is free at once, the run says `killed`, every table can be read, no fact is there twice,
none that was there is gone. At the end one run goes through, every slot has a fate, and the books are those of the
facts.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from commands import clean_environment
from navbook import schemas, settings
from navbook.runner import ledger, locks, records, sandbox, verify
from navbook.settings import Settings
from navbook.store import tables

TOML = """sandbox_url = "{url}"
[jobs.collect]
cron = "* * * * *"
then = ["benchmark"]
retries = 0
[accounts.main]
[accounts.sub]
master = "main"
[accounts.swing]
"""


def soak(folder: Path, kills: int, seed: int, longest: float | None = None) -> list[str]:
    """Kill `kills` runs, each up to `longest` seconds after its start; return what was found wrong.

    longest  none: a little more than one that is left alone takes, here and now
    """
    moments = random.Random(seed)
    world = sandbox.World(start=(datetime.now(UTC) - timedelta(days=2)).isoformat())
    with sandbox.started(world) as local:
        (folder / "navbook.toml").write_text(TOML.format(url=local.url))
        config = settings.load(folder / "navbook.toml")
        keys = {f"NAVBOOK_{each['name'].upper()}_API_{part}": each[f"api_{part.lower()}"]
                for each in local.accounts() for part in ("KEY", "SECRET")}
        longest = longest or 1.1 * seconds_of_a_run(folder, keys)
        wrong: list[str] = []
        before: dict[str, pl.DataFrame] = {}
        for number in range(kills):
            local.set_clock(datetime.now(UTC))
            moment = moments.uniform(0.2, longest)
            ended = killed(runner(), folder, clean_environment() | keys, moment, whole_group=moments.random() < 0.5)
            found, before = troubles(config, before)
            wrong += [f"kill {number} after {moment:.2f} s{' (it had ended)' if ended else ''}: {each}" for each in found]
        local.set_clock(datetime.now(UTC))
        last = subprocess.run(runner(), cwd=folder, env=clean_environment() | keys, capture_output=True, text=True,
                              timeout=300, check=False)
        if last.returncode:
            wrong.append(f"the run after the last kill: {last.stderr.strip()}")
        return wrong + at_the_end(config)


def runner() -> list[str]:
    return [sys.executable, "-m", "navbook.cli", "run", "collect"]


def seconds_of_a_run(folder: Path, keys: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(runner(), cwd=folder, env=clean_environment() | keys, capture_output=True, check=True)
    return time.perf_counter() - began


def killed(command: list[str], folder: Path, environment: dict[str, str], moment: float, *, whole_group: bool) -> bool:
    """Start a run and kill it: the runner alone, or with all that it started. Whether it had ended before."""
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment)
        return True
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    return False


def troubles(config: Settings, before: dict[str, pl.DataFrame]) -> tuple[list[str], dict[str, pl.DataFrame]]:
    """What is not as it must be right after a kill, and the keys of all facts by table."""
    found = [f"the lock of {job} is stuck" for job in ("collect", "benchmark") if not free_soon(config, job)]
    shown = ledger.runs(config, last=1000)
    if "running" in shown["status"].to_list():
        found.append("a run whose process is gone says running")
    found += [f"{file} cannot be read" for file in config.runs_folder.glob("*/*/run.json")
              if records.Record.read(file.parent) is None]
    now = {}
    for name, schema in schemas.TABLES.items():
        rows = tables.collected(tables.stored(config.location, schema), config.location, schema)
        if name in schemas.DERIVED:
            schema.check(rows)
            continue
        if repeats(rows, schema):
            found.append(f"{name} holds a fact twice")
        now[name] = rows.select(schema.key).unique()
        if name in before and (lost := before[name].join(now[name], on=schema.key, how="anti", nulls_equal=True)).height:
            found.append(f"{name} lost {lost.height} facts")
    return found, now


def repeats(rows: pl.DataFrame, schema: schemas.FrameSchema) -> bool:
    """Whether a row says just what the one before it said of its key; a third may say what the first did."""
    content = [pl.col(column).eq_missing(pl.col(column).shift()) for column in schema.columns if column != "seen_at"]
    return bool(rows.sort(*schema.key, "seen_at").select(pl.all_horizontal(content).fill_null(value=False).any()).item())


def free_soon(config: Settings, job: str) -> bool:
    until = time.monotonic() + 5
    while locks.holder(config, job) and time.monotonic() < until:
        time.sleep(0.02)
    return locks.holder(config, job) is None


def at_the_end(config: Settings) -> list[str]:
    """Every slot since the first run has a fate; derived tables are what the facts say; nothing is left over."""
    slots = tables.read(config.location, schemas.SLOTS).filter(job="collect").sort("time")
    first = tables.read(config.location, schemas.RUNS)["started_at"].min()
    due = pl.datetime_range(first.replace(second=0, microsecond=0) + timedelta(minutes=1), slots["time"].max(), "1m",
                            eager=True, time_unit="us", time_zone="UTC")
    wrong = [f"the slot of {slot:%H:%M} has no fate" for slot in due if slot not in slots["time"]]
    unsaid = slots.filter(pl.col("fate").is_in(["skipped", "failed"]) & pl.col("reason").is_null())
    wrong += [f"{unsaid.height} slots have no reason"] if unsaid.height else []
    try:
        verify.verify_tables(config, lambda _: None)
    except Exception as problem:
        wrong.append(str(problem))
    left = list(Path(tempfile.gettempdir()).glob("navbook-kernel-*"))
    dead = [place for place in left if (place / "held").exists() and _is_free(place / "held")]
    wrong += [f"{len(dead)} folders of dead kernels are left"] if dead else []
    print(f"{slots['fate'].value_counts().sort('fate').rows()} slots, "
          f"{tables.read(config.location, schemas.SNAPSHOTS).height} snapshots", flush=True)
    return wrong


def _is_free(place: Path) -> bool:
    from filelock import FileLock, Timeout
    try:
        with FileLock(place, timeout=0):
            return True
    except Timeout:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, help="Seconds; default: as long as a run takes.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = soak(Path(folder), asked.kills, asked.seed, asked.longest)
    print("\n".join(wrong) or f"{asked.kills} kills: nothing lost, nothing doubled, nothing stuck.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

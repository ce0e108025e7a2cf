"""What `navbook check` asks of the machine and the exchange: disk, locks, backups, versions, runs, keys, clock.

Each looks at one thing and says what to do, as those of `check`.
"""

from __future__ import annotations

import asyncio
import platform
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import polars as pl
from filelock import FileLock, Timeout

from navbook import schemas, settings
from navbook.errors import ExchangeError
from navbook.publish import words
from navbook.runner import alerts, backups, records, stores
from navbook.runner.finding import Finding, State
from navbook.runner.locks import told_of
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Environment

GROWTH = timedelta(days=30)      # over which the disk's filling is measured
SOON_DAYS, NOW_DAYS = 30, 3      # until the disk is full: a warning, a failure
BACKUP_AGE = timedelta(days=8)   # older than a weekly one
CLOCK_MS = 1000                  # beyond, Binance refuses requests from the future
LONG = timedelta(hours=6)        # a lock held so long
PATIENCE_S = 20                  # for the exchange
PACKAGES = ("polars", "deltalake", "duckdb", "papermill", "python-binance")


def environment(config: Settings, now: datetime) -> Finding:
    """Which exchange the figures come from, and that the store is of it."""
    meta = stores.read_meta(config)
    if meta and meta.get("environment") != config.environment:
        return Finding(State.FAIL, f"The store {config.location} is of {meta.get('environment')}, not of "
                                   f"{config.environment}.", "Name another store.")
    host = config.sandbox_url or "a sandbox of its own" if config.environment is Environment.SANDBOX else "Binance"
    return Finding(State.OK, f"{config.environment}: {host}; settings from {config.file or 'nowhere (the demo)'}.")


def versions(config: Settings, now: datetime) -> Finding:
    """This navbook, what it stands on, and the store's schema."""
    stored = int(stores.read_meta(config).get("schema_version", stores.SCHEMA_VERSION))
    said = f"navbook {records.code_version()}, Python {platform.python_version()}, store schema {stored}."
    packages = (", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES),)
    if stored > stores.SCHEMA_VERSION:
        return Finding(State.FAIL, said, "The store is of a newer navbook: update this one.", packages)
    if stored < stores.SCHEMA_VERSION:
        return Finding(State.WARN, said, "The store is of an older navbook: run navbook upgrade.", packages)
    return Finding(State.OK, said, lines=packages)


def disk(config: Settings, now: datetime) -> Finding:
    """How long the disk will last, if it goes on filling as it did in the last 30 days."""
    folders = [place for place in (Path(config.location), config.runs_folder) if place.exists()]    # none in a bucket
    if not folders:
        return Finding(State.OK, "Nothing is on this disk yet.")
    free, a_day = shutil.disk_usage(folders[0]).free, _growth(folders)
    days = int(free / a_day) if a_day else None
    said = f"{free / 1e9:.1f} GB are free" + (
        "." if days is None else f"; full in {days:,} days at {a_day / 1e6:.1f} MB a day.")
    if free < 100e6 or (days is not None and days < NOW_DAYS):
        return Finding(State.FAIL, said, "Make room now: navbook prune, or a larger disk.")
    if days is not None and days < SOON_DAYS:
        return Finding(State.WARN, said, "Make room: navbook prune, or a larger disk.")
    return Finding(State.OK, said)


def locks(config: Settings, now: datetime) -> Finding:
    """Who works on the store at this moment."""
    held = []
    for place in sorted((config.runs_folder / ".locks").glob(f"{config.environment}-*.lock")):
        try:
            with FileLock(place, timeout=0):
                pass
        except Timeout:
            held.append((place.stem.partition("-")[2], told_of(place)))
        except OSError as problem:
            return Finding(State.FAIL, f"The lock {place} cannot be taken: {problem.strerror}.",
                           "Mend the folder's rights.")
    lines = tuple(f"{job}: process {pid} since {since}" for job, (pid, since) in held)
    long = [job for job, (_, since) in held if _older(since, now - LONG)]
    if long:
        return Finding(State.WARN, f"{words.listed(long)} held for more than {LONG.seconds // 3600} hours.",
                       "Look at that process; a lock goes with it.", lines)
    return Finding(State.OK, f"{words.count(len(held), 'lock')} held.", lines=lines)


def backup(config: Settings, now: datetime) -> Finding:
    """There is a copy, and it is not old. A sandbox's prices are made up: it needs none."""
    made = backups.listed(config)
    if not made:
        if config.environment is Environment.SANDBOX:
            return Finding(State.OK, "There is no backup; a sandbox needs none.")
        return Finding(State.WARN, "There is no backup.", "Run navbook backup, by cron each night.")
    place, newest = made[-1]
    age = now - newest.time
    if damaged := backups.damaged(config):
        return Finding(State.WARN, f"{words.count(len(damaged), 'backup')} cannot be read.", "Delete its folder.",
                       tuple(damaged))
    said = f"The newest of {len(made)} is {words.span(age)} old: {place}."
    if age > BACKUP_AGE and config.environment is not Environment.SANDBOX:
        return Finding(State.WARN, said, "Run navbook backup, by cron each night.")
    return Finding(State.OK, said)


def runs(config: Settings, now: datetime) -> Finding:
    """How the newest run of each job ended."""
    known = pl.col("job").is_in(config.job_names)    # a job that is no more cannot mend its last run
    newest = (tables.read(config.location, schemas.RUNS).filter(known).sort("started_at")
              .group_by("job", maintain_order=True).last())
    lines = tuple(f"{row['job']}: {row['started_at']:%Y-%m-%d %H:%M} UTC {row['status']}"
                  + (f": {row['reason']}" if row["reason"] else "") for row in newest.iter_rows(named=True))
    failed = newest.filter(pl.col("status") != "ok").sort("job")
    if failed.height:
        told = [f"The last {row['job']} {row['status']}: {str(row['reason'] or 'no reason is known').rstrip('.')}."
                for row in failed.iter_rows(named=True)]
        return Finding(State.FAIL, " ".join(told), "navbook logs --level warning tells more.", lines)
    return Finding(State.OK, f"The last run of {words.count(newest.height, 'job').lower()} ended well.", lines=lines)


def alerting(config: Settings, now: datetime) -> Finding:
    """What is wrong was told to somebody."""
    untold = {cause: alert for cause, alert in alerts.opened(config).items() if not alert.told}
    if untold:
        lines = tuple(f"{cause}: {alert.sentence}" for cause, alert in untold.items())
        return Finding(State.WARN, f"{words.count(len(untold), 'alert')} not delivered.",
                       "navbook alerts test tries the places.", lines)
    places, found = len(settings.alert_urls(config)), alerts.opened(config)
    return Finding(State.OK, f"{words.count(len(found), 'alert')} open; they go to "
                             f"{words.count(places, 'place').lower()}.", lines=tuple(sorted(found)))


def exchange(config: Settings, now: datetime) -> Finding:
    """The exchange answers, its clock is ours, and bitcoin has a price."""
    if not _reachable(config):
        return Finding(State.OK, "Each command starts a sandbox of its own.")
    try:
        at, price = asyncio.run(asyncio.wait_for(_price(config), PATIENCE_S))
    except TimeoutError:
        return Finding(State.FAIL, f"The exchange did not answer within {PATIENCE_S} seconds.", "Check the network.")
    except ExchangeError as problem:
        return Finding(State.FAIL, str(problem), "Check the network, and the exchange's own status page.")
    apart = (at - datetime.now(UTC)) / timedelta(milliseconds=1)
    said = f"It answers; BTCUSDT is {words.dollars(price, 2)}."
    if config.environment is not Environment.SANDBOX and abs(apart) > CLOCK_MS:
        return Finding(State.WARN, f"{said} Its clock is {apart / 1000:+.1f} seconds from ours.",
                       "Set this machine's clock (chrony or systemd-timesyncd).")
    return Finding(State.OK, said)


def keys(config: Settings, now: datetime) -> Finding:
    """Every key is known, may read, and may do no more than that."""
    if not _reachable(config) or not config.accounts:
        return Finding(State.OK, "The demo's own keys are used.")
    told = asyncio.run(_keys(config))    # each asked for itself, all at once
    faults = [(level, line) for level, line in told if level != "ok"]
    if not faults:
        return Finding(State.OK, f"{words.count(len(config.accounts), 'key')} that can only read.")
    state = State.FAIL if any(level == "error" for level, _ in faults) else State.WARN
    return Finding(state, f"{words.count(len(faults), 'fault')} of the keys.", "Make read-only keys, bound to this "
                   "machine's address.", tuple(line for _, line in faults))


async def _price(config: Settings) -> tuple[datetime, float]:
    from navbook.exchange import client, fetch, parse
    async with client.connect(config.environment, config.sandbox_url) as public:
        at = await public.synchronise()
        prices = parse.market.prices((await fetch.market.tickers(public)).payload, at)
    return at, float(prices.filter(symbol="BTCUSDT")["price"].max() or "nan")    # type: ignore[arg-type]


async def _keys(config: Settings) -> list[tuple[str, str]]:
    """(level, line) of every account, all asked at once."""
    from navbook.runner import accounts

    async def one(name: str) -> list[tuple[str, str]]:
        try:
            found = await asyncio.wait_for(accounts.findings_of(config, name), PATIENCE_S)
        except TimeoutError:
            return [("error", f"{name}: no answer within {PATIENCE_S} seconds.")]
        return [(each.level, f"{name}: {each.about}: {each.told}") for each in found]

    return [line for lines in await asyncio.gather(*(one(name) for name in config.accounts)) for line in lines]


def _reachable(config: Settings) -> bool:
    """Whether there is an exchange to ask: a command's own sandbox ends with it."""
    return config.environment is not Environment.SANDBOX or config.sandbox_url is not None


def _growth(folders: list[Path]) -> float:
    """Bytes a day that were written in the last 30 days and are still there."""
    now, grown = time.time(), 0
    oldest = now
    for file in (file for folder in folders for file in folder.rglob("*")):
        with suppress(FileNotFoundError):    # it went meanwhile
            found = file.lstat()
            if found.st_mtime >= now - GROWTH.total_seconds():
                grown += found.st_size
                oldest = min(oldest, found.st_mtime)
    return grown / max((now - oldest) / 86_400, 1)


def _older(since: str, than: datetime) -> bool:
    try:
        return datetime.strptime(since, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC) < than
    except ValueError:
        return False

"""90 days of a made-up exchange, collected through the real client, computed and published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from navbook import schemas
from navbook.errors import SnapshotIncomplete
from navbook.runner import collecting, sandbox
from navbook.runner.harvest import Harvest
from navbook.runner.sandbox import GRID, Sandbox, World
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Environment

BATCH = 60    # snapshots between two commits: a demo that is stopped goes on where it was
Progress = Callable[[int, int], None]    # done, of how many


def settings_for(config: Settings) -> Settings:
    """`config` turned to the demo's own accounts and sandbox, whatever the file says."""
    return config.model_copy(update={"environment": Environment.SANDBOX, "sandbox_url": None, "accounts": {},
                                     "file": None})


def world_of(config: Settings, candles: Path | None) -> tuple[World, datetime | None]:
    """The store's world, or a new one; and its end where recorded candles set it."""
    if candles is None:
        kept = sandbox.kept_world(config)
        if kept and kept.candles:
            return kept, _span(Path(kept.candles))[1]
        return kept or sandbox.keep(config, sandbox.new_world(datetime.now(UTC))), None
    first, last = _span(candles)
    kept = sandbox.kept_world(config, candles)
    return kept or sandbox.keep(config, sandbox.new_world(last, candles, first)), last


def _span(candles: Path) -> tuple[datetime, datetime]:
    """The first minute of both BTCUSDT and ETHUSDT, and the last that all files share: the sandbox reads them."""
    with sandbox.started(World(start="2035-01-01T00:00:00+00:00", candles=str(candles.resolve()))) as probe:
        firsts = [probe.first_minute(symbol) for symbol in ("BTCUSDT", "ETHUSDT")]
        return max(firsts), probe.last_minute()


async def history(config: Settings, local: Sandbox, world: World, until: datetime, progress: Progress) -> int:
    """Collect every slot of the four-hour grid from the world's start before `until` that is not stored yet.

    Flows are asked for once, at the last slot, for the whole span. Returns the number of snapshots taken.
    Raises `SnapshotIncomplete` when a wallet could not be read.
    """
    slots = list(_missing(config, datetime.fromisoformat(world.start), until))
    names = list(config.accounts)
    done = 0
    while done < len(slots):
        harvest = Harvest()
        async with collecting.connect(config, names) as collector:
            batch = slots[done:done + BATCH]
            for slot in batch:
                local.set_clock(slot)
                await collector.read(harvest, flows=slot == slots[-1])
                done += 1
                progress(done, len(slots))
            if batch[-1] == slots[-1]:
                await collector.candles(harvest, slots[-1])
        harvest.store(config)
        if harvest.problems:
            raise SnapshotIncomplete(" ".join(sorted(set(harvest.problems))[:3]))
    return done


def _missing(config: Settings, start: datetime, until: datetime) -> Iterator[datetime]:
    times = tables.scan(config.location, schemas.SNAPSHOTS).select(pl.col("time").unique())
    taken = set(tables.collected(times, config.location, schemas.SNAPSHOTS)["time"])
    slot = start
    while slot < until:
        if slot not in taken:
            yield slot
        slot += GRID


def end_of(world_end: datetime | None) -> datetime:
    """The demo's present: the wall clock's second, or the last recorded minute."""
    return world_end or datetime.now(UTC).replace(microsecond=0)

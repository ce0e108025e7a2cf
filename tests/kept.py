"""A small world of facts (worlds.py) in a store, with its answers."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from navbook import schemas
from navbook.runner import rebuild
from navbook.settings import Account, Benchmark, Settings
from navbook.store import tables
from worlds import World


def settings_for(folder: Path, world: World, **keys: object) -> Settings:
    """`world`'s accounts, against half and half that is never rebalanced, so that no candle is wanted for it."""
    return Settings(base=folder, accounts={name: Account() for name in world.accounts},
                    benchmark=Benchmark(rebalance="never"), **keys)


def keep(config: Settings, world: World) -> None:
    """Add the facts of `world` to the store and rebuild the answers; call it again when the world has grown."""
    for name, frame in vars(world.facts()).items():
        tables.append(config.location, schemas.FACTS[name], frame)
    benchmark(config)


def benchmark(config: Settings) -> dict[str, str]:
    return rebuild.run(config)


def kept(config: Settings, name: str) -> pl.DataFrame:
    """The rows of a table as they are now."""
    return tables.read(config.location, schemas.TABLES[name])

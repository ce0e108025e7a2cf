"""A store that holds a small world, and the configuration of whoever owns it."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from navbook import schemas, settings
from navbook.runner import rebuild
from navbook.settings import Settings
from navbook.store import tables
from worlds import World


def configured(folder: Path, *accounts: str, more: str = "") -> Settings:
    """What a user with this navbook.toml has: a benchmark that is never rebalanced, unless `more` says when."""
    sections = "".join(f"[accounts.{account}]\n" for account in accounts or ("main",))
    benchmark = "" if "[benchmark]" in more else '[benchmark]\nrebalance = "never"\n'
    (folder / "navbook.toml").write_text(f"{benchmark}{more}\n{sections}", encoding="utf-8")
    return settings.load(folder / "navbook.toml")


def keep(config: Settings, world: World) -> None:
    """Append the world's facts; twice changes nothing."""
    facts = world.facts()
    for name in ("accounts", "balances", "prices", "cash_flows", "candles", "snapshots"):
        tables.append(config.location, schemas.FACTS[name], getattr(facts, name))


def rebuilt(config: Settings) -> dict[str, str]:
    """What `navbook benchmark --no-notebook` does; the content hash of each table."""
    return rebuild.run(config)


def grown(config: Settings, world: World) -> None:
    """The store knows what `world` now holds, and its answers too."""
    keep(config, world)
    rebuilt(config)


def table(config: Settings, name: str) -> pl.DataFrame:
    """A table as it is now."""
    return tables.read(config.location, schemas.TABLES[name])


def copied(owner: Path, folder: Path) -> Settings:
    """A copy of the store and the navbook.toml in `owner`, for one test to change."""
    shutil.copytree(owner, folder, dirs_exist_ok=True)
    return settings.load(folder / "navbook.toml")

"""What is no fact and old goes; what was read stays readable; an upgrade tells every figure that changed, and why."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from navbook import schemas, settings
from navbook.errors import Locked, StoreMismatch
from navbook.runner import backups, configuring, locks, pruning, stores, upgrading
from navbook.store import rewrite, tables, upkeep
from stores import configured, grown, keep, table
from worlds import World, at

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def day_by_day(config, days: int) -> None:
    """As collections do it: each snapshot in a commit of its own."""
    for day in range(days):
        world = World()
        world.snapshot(at(24 * day), {"USDT": 1000 + 10 * day, "BTC": 1})
        grown(config, world) if day == days - 1 else keep(config, world)


@pytest.fixture
def config(tmp_path):
    return configured(tmp_path)


def told(do, *arguments: object, **named: object) -> list[str]:
    said: list[str] = []
    do(*arguments, said.append, **named)
    return said


def run_folder(config, job: str, days_ago: int) -> Path:
    folder = config.runs_folder / job / f"{NOW - timedelta(days=days_ago):%Y-%m-%dT%H%M%SZ}_all_0000abcd"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}", encoding="utf-8")
    return folder


def test_old_runs_go_but_the_newest_of_each_job_stays(config):
    kept = [run_folder(config, "collect", 1), run_folder(config, "collect", 89), run_folder(config, "backtest", 300)]
    gone = [run_folder(config, "collect", 91), run_folder(config, "collect", 200)]
    published = config.runs_folder / "published" / "2020-01-01T000000Z_mine"
    published.mkdir(parents=True)
    assert told(pruning.prune, config, now=NOW, dry_run=True)[0].startswith("Would remove 2 run folders and 0 files")
    assert all(folder.exists() for folder in gone)
    assert told(pruning.prune, config, now=NOW)[0].startswith("Removed 2 run folders, ")
    assert [folder.exists() for folder in (*gone, *kept, published)] == [False, False, True, True, True, True]


def test_small_files_of_facts_are_put_together_and_say_the_same(config):
    day_by_day(config, 12)
    before = {name: table(config, name) for name in schemas.TABLES}
    hashes = {name: tables.stored_hash(config.location, schema) for name, schema in schemas.DERIVED.items()}
    version = tables.versions(config.location)["snapshots"]
    told(pruning.prune, config)
    assert len(tables.files(config.location, schemas.SNAPSHOTS)) == 1
    assert all(table(config, name).equals(frame) for name, frame in before.items())
    assert {name: tables.stored_hash(config.location, schema) for name, schema in schemas.DERIVED.items()} == hashes
    assert tables.stored(config.location, schemas.SNAPSHOTS, version=version).collect().height == 12, "a run's version is readable"
    again = tables.versions(config.location)
    told(pruning.prune, config)
    assert tables.versions(config.location) == again, "nothing is left to do"


def test_files_of_versions_that_nobody_reads_any_more_go(config):
    day_by_day(config, 12)
    upkeep.compact(config.location, schemas.SNAPSHOTS)
    folder = Path(tables.uri(config.location, schemas.SNAPSHOTS))
    assert upkeep.vacuum(config.location, schemas.SNAPSHOTS, timedelta(days=90)) == 0
    assert len(list(folder.glob("*.parquet"))) == 13
    assert upkeep.unused(config.location, schemas.SNAPSHOTS, timedelta(0)) == 12
    assert upkeep.vacuum(config.location, schemas.SNAPSHOTS, timedelta(0)) == 12
    assert len(list(folder.glob("*.parquet"))) == 1
    assert table(config, "snapshots").height == 12
    keep(config, World())
    backups.create(config)
    assert backups.verify(config, "latest")


def test_the_logs_of_facts_forget_what_is_older_than_the_versions_that_are_kept(config):
    """Each opening lists them, so for who collects by the minute they must not grow for a month."""
    day_by_day(config, 12)
    short = config.model_copy(update={"keep": config.keep.model_copy(update={"versions_days": 2})})
    told(pruning.prune, short)
    log = Path(tables.uri(config.location, schemas.SNAPSHOTS)) / "_delta_log"
    for days, whether in ((1, True), (3, False)):
        then = time.time() - timedelta(days=days).total_seconds()
        for file in log.glob("0*"):
            os.utime(file, (then, then))
        world = World()
        world.snapshot(at(24 * (20 + days)), {"USDT": 1000})
        keep(config, world)
        assert (log / f"{0:020}.json").exists() is whether
    assert table(config, "snapshots").height == 14


def test_nothing_is_pruned_while_a_job_runs(config):
    with locks.hold(config, "collect"), pytest.raises(Locked):
        told(pruning.prune, config)


# -- upgrade ----------------------------------------------------------------------------------------------------------
def test_an_upgrade_of_what_is_new_already_changes_nothing(config):
    day_by_day(config, 3)
    stores.claim(config)
    said = told(upgrading.upgrade, config)
    assert said[0].startswith("Copied the store as it was to ")
    assert said[0].endswith("_before-upgrade.")
    assert said[1:] == [f"Upgraded to navbook {upgrading.records.code_version()}: every figure is what it was."]


def test_an_upgrade_migrates_the_version_and_tells_each_figure_with_its_reason(config, monkeypatch):
    day_by_day(config, 3)
    stores.claim(config)
    old = table(config, "performance")
    rewrite.replace(config.location, schemas.PERFORMANCE, old.with_columns(
        nav_to=pl.when(pl.col("period") == "inception").then(pl.col("nav_to") - 1).otherwise("nav_to")))
    monkeypatch.setattr(stores, "SCHEMA_VERSION", 7)
    said = told(upgrading.upgrade, config)
    assert said[1] == "The schema's version is 7 now; it was 1."
    (line,) = said[2:-1]
    assert line.startswith("  performance main, own, inception: nav_to 51,019 -> 51,020 (navbook 0.1.0")
    assert said[-1].endswith(": 1 changes.")
    assert table(config, "performance").equals(old)
    assert stores.read_meta(config)["schema_version"] == "7"


def test_a_figure_that_facts_or_settings_changed_says_so(config):
    day_by_day(config, 3)
    stores.claim(config)
    late = World()
    late.flow(at(30), 500)
    keep(config, late)
    configuring.put(config, "benchmark.weights", "{ BTC = 1.0 }")
    said = told(upgrading.upgrade, settings.load(config.file))
    assert len(said) > 3
    assert all("; settings: benchmark.weights)" in line and "(new " in line and "cash_flows" in line for line in said[1:-1])
    assert any("flows_usd 0 -> 500" in line for line in said)


def test_a_store_of_a_newer_navbook_is_left_alone(config):
    stores.claim(config)
    stores.write_meta(config, schema_version="99")
    with pytest.raises(StoreMismatch, match="was written by a newer navbook"):
        told(upgrading.upgrade, config)
    assert backups.listed(config) == []

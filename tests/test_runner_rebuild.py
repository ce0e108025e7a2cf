"""A history that does not fit into memory at once is computed by processes, a batch of accounts each."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from navbook import schemas
from navbook.errors import StoreMismatch
from navbook.runner import rebuild
from navbook.store import tables
from stores import configured, keep, rebuilt, table
from worlds import World, at

THREE = ("main", "other", "sub")


@pytest.fixture
def config(tmp_path):
    """Three accounts, two of them a group, with flows; nothing rebuilt yet."""
    config = configured(tmp_path, *THREE, more='[groups.family]\naccounts = ["main", "sub"]\n')
    world = World(accounts=THREE)
    for account in THREE:
        for hour in range(4):
            world.snapshot(at(hour), {"USDT": 1000 + 500 * (hour > 1), "BTC": 1 + hour % 2}, account=account)
        world.flow(at(1.5), 500, account=account)
    keep(config, world)
    return config


@pytest.fixture
def one_account_at_once(monkeypatch):
    monkeypatch.setattr(rebuild, "ROWS_AT_ONCE", 1)


def files(config) -> set[Path]:
    return set(Path(config.location, "derived").rglob("*.parquet"))


def test_batches_in_processes_give_the_same_tables(config, monkeypatch):
    whole = rebuilt(config)
    steps: list[tuple[int, int]] = []
    monkeypatch.setattr(rebuild, "ROWS_AT_ONCE", 1)
    assert rebuild.run(config, progress=lambda done, all_of_them: steps.append((done, all_of_them))) == whole
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert set(table(config, "group_history")["account"]) == {"family"}


@pytest.mark.usefixtures("one_account_at_once")
def test_a_batch_that_fails_leaves_every_table_as_it_was(config):
    before = rebuilt(config)
    kept = files(config)
    balances = tables.files(config.location, schemas.BALANCES)
    Path(balances[0]).write_bytes(b"not Parquet")
    with pytest.raises(StoreMismatch, match="balances"):
        rebuilt(config)
    assert files(config) == kept
    assert {name: tables.stored_hash(config.location, schemas.TABLES[name]) for name in before} == before


def test_a_killed_rebuild_leaves_no_process_behind(config, tmp_path):
    code = ("from navbook import settings; from navbook.runner import rebuild; rebuild.ROWS_AT_ONCE = 1; "
            f"config = settings.load({str(tmp_path / 'navbook.toml')!r})\nwhile True: rebuild.run(config)")
    runner = subprocess.Popen([sys.executable, "-c", code])
    family = psutil.Process(runner.pid)
    while not (workers := [child for child in family.children() if "spawn_main" in " ".join(child.cmdline())]):
        time.sleep(0.05)
        assert runner.poll() is None
    runner.kill()
    runner.wait()
    assert psutil.wait_procs(workers, timeout=10)[1] == []

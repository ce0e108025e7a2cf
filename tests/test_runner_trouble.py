"""Trouble on the machine: each is one clear sentence, loses nothing, and the next run is fine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

import soak_kills
from commands import NAVBOOK, clean_environment, navbook, sentence
from locals import START, local_exchange
from navbook import schemas, settings
from navbook.errors import FolderUnusable, NavbookError, StoreUnusable
from navbook.runner import files, jobs, ledger, locks, records, running, slots, stores
from navbook.runner.records import Record
from navbook.store import tables
from stores import configured
from test_runner_jobs import Notebooks, fake, notebook  # noqa: F401  (a fixture)

SMALL = 2**21    # bytes of a disk that is soon full


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A tmpfs at `place`; skips where mounting is not allowed."""
    place.mkdir(exist_ok=True)
    if not shutil.which("mount") or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, *, leave: int = 0) -> Path:
    """Take all the room there is but `leave` bytes."""
    ballast = place / "ballast"
    free = os.statvfs(place)
    with ballast.open("wb") as stream:
        stream.write(bytes(max(0, free.f_bavail * free.f_frsize - leave)))
    return ballast


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", f"size={SMALL}") as place:
        yield place


@pytest.fixture
def config(disk, fake):  # noqa: F811
    notebook(disk / "weekly.ipynb", "week: int = 1")
    return configured(disk, more='[jobs.weekly]\nnotebook = "weekly.ipynb"\nretries = 0\ncron = "* * * * *"\n')


def test_a_disk_that_is_full_before_a_run(disk, config, fake):  # noqa: F811
    fake()
    running.run(config, "weekly", {}, print)
    ballast = fill(disk)
    with pytest.raises((FolderUnusable, StoreUnusable), match=r"cannot be written: .*No space left.* has room"):
        running.run(config, "weekly", {}, print)
    assert locks.holder(config, "weekly") is None
    ballast.unlink()
    running.run(config, "weekly", {}, print)
    assert ledger.runs(config).filter(status="ok").height == 2


def test_a_disk_that_fills_up_during_a_run_leaves_a_true_record(disk, config, fake):  # noqa: F811
    """The room that was kept for it holds the record, and the rows of the books."""
    fake(lambda: fill(disk))
    running.run(config, "weekly", {}, print)
    record = Record.read(records.folders(config, "weekly")[-1])
    assert (record.status, ledger.runs(config)["status"].to_list()) == ("ok", ["ok"])


def test_a_disk_without_room_even_for_the_books(disk, config, fake, monkeypatch):  # noqa: F811
    """The work was done, and its record says so; the next run brings the books up to date."""
    monkeypatch.setattr(records, "ROOM_BYTES", 4096)
    fake(lambda: fill(disk))
    with pytest.raises(NavbookError, match=r"cannot be written: .*(No space left|os error 28)"):
        running.run(config, "weekly", {}, print)
    assert Record.read(records.folders(config, "weekly")[-1]).status == "ok"
    (disk / "ballast").unlink()
    running.run(config, "weekly", {}, print)
    assert ledger.runs(config)["status"].to_list() == ["ok", "ok"]
    assert set(tables.read(config.location, schemas.SLOTS)["fate"]) == {"ran"}


def test_a_run_that_failed_on_a_full_disk_tells_its_own_reason(disk, config, fake):  # noqa: F811
    def fail():
        fill(disk)
        raise jobs.kernels.CellFailed("the exchange is away", 2)

    fake(fail)
    with pytest.raises(NavbookError, match="weekly failed: the exchange is away"):
        running.run(config, "weekly", {}, print)
    record = Record.read(records.folders(config, "weekly")[-1])
    assert (record.status, record.reason) == ("failed", "the exchange is away")


def test_a_write_on_a_full_disk_leaves_the_old_file(disk):
    files.write_whole(disk / "kept.txt", "old")
    fill(disk)
    with pytest.raises(FolderUnusable, match="No space left"):
        files.write_whole(disk / "kept.txt", "n" * 100_000)
    assert (disk / "kept.txt").read_text() == "old"
    assert sorted(file.name for file in disk.iterdir()) == ["ballast", "kept.txt"]


def test_a_read_only_folder(tmp_path):
    configured(tmp_path, more='runs = "disk/runs"\n[benchmark]\n')
    with mounted(tmp_path / "disk", f"size={SMALL},ro"):
        said = sentence(navbook("run", "benchmark", folder=tmp_path))
    assert "cannot be written: Read-only file system; check that the folder exists, may be written" in said


def test_a_store_on_a_read_only_disk(tmp_path):
    configured(tmp_path, more='store = "disk/data"\n[benchmark]\n')
    with mounted(tmp_path / "disk", f"size={SMALL},ro"):
        result = navbook("run", "benchmark", folder=tmp_path)
    log, said = result.stderr.splitlines()
    assert result.returncode == 1
    assert re.fullmatch(r"navbook: the log .*navbook\.jsonl cannot be written: .*Read-only file system.*", log)
    assert re.fullmatch(r"navbook: .*facts/store_meta cannot be written: .*Read-only file system.*", said)


def test_folders_that_are_missing_are_made(tmp_path, fake):  # noqa: F811
    fake()
    notebook(tmp_path / "weekly.ipynb", "week: int = 1")
    config = configured(tmp_path, more='store = "a/b/data"\nruns = "c/d/runs"\n[benchmark]\n[jobs.weekly]\nnotebook = "weekly.ipynb"\n')
    running.run(config, "weekly", {}, print)
    shutil.rmtree(config.runs_folder)    # somebody tidies up
    running.run(config, "weekly", {}, print)
    assert ledger.runs(config)["status"].to_list() == ["ok", "ok"]


def test_a_folder_whose_disk_is_gone(tmp_path):
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    configured(tmp_path, more='runs = "gone/runs"\n[benchmark]\n')
    (tmp_path / "nowhere").write_text("a file where a disk was")
    assert "cannot be written: Not a directory" in sentence(navbook("run", "benchmark", folder=tmp_path))


def test_a_corrupt_parquet_part(tmp_path, fake):  # noqa: F811
    """The table is named; what other tables hold is still there, and the record says why the run failed."""
    config = configured(tmp_path, more='[jobs.benchmark]\ncron = "* * * * *"\nretries = 0\n')
    stores.claim(config)
    fake()
    running.run(config, "benchmark", {}, print)
    part = next(Path(config.location, "facts", "slots").glob("*.parquet"))
    content = part.read_bytes()
    part.write_bytes(b"not any more")
    with pytest.raises(NavbookError, match=r"The table slots of .* cannot be read, a file of it is damaged"):
        running.run(config, "benchmark", {}, print)
    part.write_bytes(content)
    running.run(config, "benchmark", {}, print)
    assert ledger.runs(config)["status"][-1] == "ok"


@pytest.mark.parametrize("broken", ["[jobs.collect", "jobs = 3", '[jobs.collect]\ncron = "every hour"', "\xff\xfe"])
def test_a_corrupt_toml(tmp_path, broken):
    (tmp_path / "navbook.toml").write_text(f"{broken}\n[accounts.main]\n", encoding="latin-1")
    result = navbook("run", "collect", folder=tmp_path)
    assert "navbook.toml" in sentence(result)
    assert result.returncode == 2
    assert not (tmp_path / "runs").exists()


def test_a71_two_runners_at_once(tmp_path, monkeypatch):
    """The second is refused and its reason is in the ledger; the first takes its snapshot, once."""
    with local_exchange(tmp_path, monkeypatch) as local:
        local.prices(BTCUSDT=50_000, ETHUSDT=2500)
        local.account("main", {"spot": {"USDT": "1000"}})
        config = local.config('[jobs.collect]\ncron = "* * * * *"\nretries = 0\n')
        both = [subprocess.Popen([NAVBOOK, "run", "collect"], cwd=tmp_path, text=True, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env={**os.environ}) for _ in range(2)]
        said = [each.communicate(timeout=120) for each in both]
        assert sorted(each.returncode for each in both) == [0, 75], said
        refused = next(err for each, (_, err) in zip(both, said, strict=True) if each.returncode == 75)
        winner = next(each for each in both if each.returncode == 0)
        assert f"collect is already being run by process {winner.pid}" in refused
        assert tables.read(config.location, schemas.SNAPSHOTS).height == 1
        assert ledger.runs(config)["status"].to_list() == ["ok"]


def test_a_clock_that_is_set_back(tmp_path, monkeypatch):
    """The exchange's: both snapshots are there, no flow is lost, and the figures go up to the later one."""
    with local_exchange(tmp_path, monkeypatch) as local:
        local.prices(BTCUSDT=50_000, ETHUSDT=2500)
        local.account("main", {"spot": {"USDT": "1000"}})
        local.collect(START + timedelta(hours=5))
        local.event("deposit", "main", START + timedelta(hours=2), asset="USDT", amount="100")
        local.collect(START + timedelta(hours=3))
        local.collect(START + timedelta(hours=6))
        history = local.rebuild()["nav_history"]
        assert [time.hour for time in history["time"]] == [3, 5, 6]
        assert local.read("cash_flows").height == 1


def test_the_runners_clock_set_back_between_two_runs(tmp_path):
    """A run that began later by the wall than the next one: the books keep both."""
    config = configured(tmp_path, more='[jobs.collect]\ncron = "0 * * * *"\n')
    ahead = START + timedelta(days=1)
    for now in (ahead, START):
        record = Record(run=f"{now:%d}", job="collect", notebook="collect", account="all", environment="sandbox", store="",
                        status="ok", started_at=now.isoformat(), parameters={}, code="", packages={}, tables_read={},
                        slot=now.isoformat(), ended_at=now.isoformat())
        slots.settle(config, "collect", now, [record])
        records.register(config, [record])
    assert tables.read(config.location, schemas.SLOTS)["fate"].to_list() == ["ran", "ran"]


def test_kill_9_at_random_moments(tmp_path, monkeypatch):
    """`soak_kills.py --kills 100` at length: nothing lost, doubled or stuck, every slot has its fate."""
    for name, value in clean_environment().items():
        monkeypatch.setenv(name, value)
    assert soak_kills.soak(tmp_path, kills=5, seed=7, longest=4) == []
    config = settings.load(tmp_path / "navbook.toml")
    assert ledger.runs(config)["status"][-1] == "ok"

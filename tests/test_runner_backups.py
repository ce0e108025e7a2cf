"""A copy made while others write is of one moment; it comes back to a new place, hash by hash; damage is told."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from commands import navbook, sentence
from navbook import schemas, settings
from navbook.cli import app
from navbook.errors import SettingsInvalid, StoreUnusable
from navbook.runner import backups, machine
from navbook.store import rewrite, tables, upkeep
from stores import configured, copied, grown, keep, rebuilt, table
from worlds import World, at, calm


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("owner")
    grown(configured(folder), calm({"USDT": 1000, "BTC": 1}))
    return folder


@pytest.fixture
def config(owner, tmp_path):
    return copied(owner, tmp_path)


def hashes(config) -> dict[str, str | None]:
    return {name: tables.stored_hash(config.location, schema) for name, schema in schemas.DERIVED.items()}


def test_a70_a_backup_is_named_by_its_time_and_latest_is_the_newest(config):
    first, second = backups.create(config), backups.create(config, "reset-main")
    assert [place for place, _ in backups.listed(config)] == [first, second]
    assert first.parent == Path(config.location).parent / "backups"
    assert (first.parent / "sandbox_latest").resolve() == second == backups.find(config, "latest")
    assert backups.find(config, first.name) == first == backups.find(config, str(first))
    assert second.name.endswith("_before-reset-main")
    made = backups.read(first)
    assert (made.environment, made.schema_version, made.why) == ("sandbox", 0, "")
    assert made.hashes == {name: digest for name, digest in hashes(config).items() if digest}


def test_a70_what_is_restored_has_equal_hashes_and_is_a_store(config, tmp_path):
    before = hashes(config)
    place = backups.create(config)
    location = backups.restore(config, "latest", tmp_path / "elsewhere")
    assert location == tmp_path / "elsewhere" / "sandbox"
    assert upkeep.digests(str(location), tables.versions(str(location))) == backups.read(place).digests
    moved = config.model_copy(update={"store": str(tmp_path / "elsewhere")})
    assert hashes(moved) == before
    rebuilt(moved)
    assert hashes(moved) == before
    keep(moved, calm({"USDT": 1000, "BTC": 1}, 5))
    rebuilt(moved)
    assert table(moved, "nav_history").height == 5, "it goes on there"
    assert hashes(config) == before


@pytest.mark.parametrize("there", ["data", "navbook.toml", "."])
def test_a70_never_over_what_is_there(config, tmp_path, there):
    backups.create(config)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(SettingsInvalid, match="is there already and not empty; a backup is restored to a new place only"):
        backups.restore(config, "latest", tmp_path / there)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_a70_verify_rebuilds_aside_and_changes_nothing(config):
    place = backups.create(config)
    before = tables.versions(config.location)
    made, others = backups.verify(config, "latest")
    assert (made, others) == (backups.read(place), [])
    assert tables.versions(config.location) == before


def test_a70_verify_does_not_listen_to_the_machines_settings(config, monkeypatch):
    place = backups.create(config)
    monkeypatch.setenv("NAVBOOK_STORE", "/nowhere")
    monkeypatch.setenv("NAVBOOK_BENCHMARK", '{"weights": {"BTC": 1.0}}')
    assert backups.verify(config, str(place))[1] == []


def test_answers_that_were_older_than_the_facts_are_told_and_no_damage(config):
    keep(config, calm({"USDT": 1000, "BTC": 1}, 6))
    backups.create(config)
    assert "nav_history" in backups.verify(config, "latest")[1]


def test_answers_that_are_not_what_the_facts_say_are_damage(config):
    rewrite.replace(config.location, schemas.NAV_HISTORY, table(config, "nav_history").with_columns(nav=pl.lit(1.0)))
    backups.create(config)
    with pytest.raises(backups.BackupDamaged, match=r"nav_history of .* are not what its facts and settings say"):
        backups.verify(config, "latest")


def test_one_damaged_backup_hides_no_other(config):
    first, second = backups.create(config), backups.create(config)
    (first / "backup.json").write_text("{}")
    assert [place for place, _ in backups.listed(config)] == [second]
    (told,) = backups.damaged(config)
    assert str(first) in told
    assert machine.backup(config, datetime.now(UTC)).sentence == "One backup cannot be read."
    backups.prune(config)
    assert first.exists()


@pytest.mark.parametrize("harm", ["changed", "gone", "cut", "manifest"])
def test_a_damaged_backup_is_told_and_not_restored(config, tmp_path, harm):
    place = backups.create(config)
    (file,) = (Path(name) for name in tables.files(str(place), schemas.CASH_FLOWS))
    if harm == "changed":
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(bytes(content))
    elif harm == "gone":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:50])
    else:
        (place / "backup.json").write_text('{"environment": 1', encoding="utf-8")
    with pytest.raises(backups.BackupDamaged, match=r"cash_flows|cannot be read"):
        backups.restore(config, str(place), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_that_nobody_made_is_a_sentence(config):
    with pytest.raises(SettingsInvalid, match=r"There is no backup latest in .*; navbook backup list shows them"):
        backups.find(config, "latest")


def test_an_unfinished_backup_is_none(config, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(upkeep, "_copy_table", full)
    with pytest.raises(StoreUnusable, match="No space left on device"):
        backups.create(config)
    assert backups.listed(config) == []
    assert [file for file in config.backups_folder.rglob("*") if file.is_file()] == []


def test_a_backup_made_while_others_write_is_of_one_moment(config):
    """Balances are written before the snapshot that names them: in a copy no snapshot may lack them."""
    stop, hour = threading.Event(), 10
    def write() -> None:
        nonlocal hour
        while not stop.is_set():
            world = World()
            world.snapshot(at(hour), {"USDT": 1000 + hour, "BTC": 1})
            keep(config, world)
            hour += 1
    writer = threading.Thread(target=write)
    writer.start()
    try:
        places = [backups.create(config) for _ in range(2)]
    finally:
        stop.set()
        writer.join()
    for place in places:
        snapshots, balances = (tables.read(str(place), schema) for schema in (schemas.SNAPSHOTS, schemas.BALANCES))
        assert snapshots.join(balances, on=["account", "time"], how="anti").is_empty()
        backups.verify(config, str(place))
    assert hour > 10


def test_only_routine_backups_are_pruned(config):
    config = config.model_copy(update={"keep": settings.Keep(backups=2)})
    places = [backups.create(config, why) for why in ("", "upgrade", "", "")]
    assert backups.prune(config) == places[:1]
    assert [place for place, _ in backups.listed(config)] == places[1:]


def test_no_secret_of_the_settings_is_in_a_backup(config, tmp_path):
    file = tmp_path / "navbook.toml"
    file.write_text('heartbeat_url = "https://beat.example/planted-1"\n[alerts]\nurls = ["json://planted-2/x"]\n'
                    + file.read_text(encoding="utf-8"), encoding="utf-8")
    place = backups.create(settings.load(file))
    assert "planted" not in (place / "backup.json").read_text(encoding="utf-8")
    assert json.loads((place / "backup.json").read_text(encoding="utf-8"))["settings"]["accounts"].keys() == {"main"}
    backups.verify(settings.load(file), "latest")


def test_the_commands_make_list_verify_and_restore(config, tmp_path):
    def said(*words: str) -> str:
        result = CliRunner().invoke(app, [*words])
        assert result.exit_code == 0, result.output
        return result.output

    assert said("backup").startswith("backup: ")
    assert said("backup", "list").count("\n") == 1
    assert "is whole: " in said("backup", "verify")
    assert "NAVBOOK_STORE=new" in said("restore", "latest", "new")
    again = navbook("restore", "latest", "new", folder=tmp_path)
    assert sentence(again) == "navbook: new is there already and not empty; a backup is restored to a new place only."
    assert again.returncode == 2

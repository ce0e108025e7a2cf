"""What keeps the books: each trouble with it is found by its own check, with what to do."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from locals import local_exchange
from navbook import schemas
from navbook.cli import app
from navbook.errors import JobFailed
from navbook.runner import alerts, backups, check, collecting, locks, machine, stores
from navbook.runner.finding import State
from navbook.store import tables
from navbook.types import Environment
from stores import configured, grown
from worlds import World, at

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def config(tmp_path):
    config = configured(tmp_path)
    stores.claim(config)
    return config


def live(config):
    return config.model_copy(update={"environment": Environment.LIVE})


def test_a75_the_versions_are_told_and_an_older_store_is_upgraded(config, monkeypatch):
    assert machine.versions(config, NOW).state is State.OK
    monkeypatch.setattr(stores, "SCHEMA_VERSION", 2)
    found = machine.versions(config, NOW)
    assert (found.state, found.next_step) == (State.WARN, "The store is of an older navbook: run navbook upgrade.")
    monkeypatch.setattr(stores, "SCHEMA_VERSION", 0)
    assert machine.versions(config, NOW).state is State.FAIL


def test_a_store_of_another_environment_is_found(config):
    stores.write_meta(config, environment="live")
    assert machine.environment(config, NOW).state is State.FAIL


@pytest.mark.parametrize(("free", "state"), [(1e12, State.OK), (20e6 * 20, State.WARN), (20e6 * 2, State.FAIL)])
def test_the_days_until_the_disk_is_full(config, monkeypatch, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=int(free) + (0 if free > 1e11 else 100_000_000)))
    monkeypatch.setattr(machine, "_growth", lambda folders: 20e6)
    found = machine.disk(config, NOW)
    if state is State.FAIL:
        monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=50_000_000))
        found = machine.disk(config, NOW)
    assert found.state is state
    assert "days at 20.0 MB a day." in found.sentence


def test_growth_is_what_was_written_a_day(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 5000)
    assert machine._growth([tmp_path]) == 5000


def test_locks_are_told_with_their_holder_and_a_long_one_is_a_trouble(config):
    with locks.hold(config, "collect"):
        found = machine.locks(config, datetime.now(UTC))
        assert found.state is State.OK
        assert found.lines[0].startswith("collect: process ")
        found = machine.locks(config, datetime.now(UTC) + timedelta(hours=7))
        assert (found.state, found.sentence) == (State.WARN, "collect held for more than 6 hours.")
    assert machine.locks(config, NOW).lines == ()


def test_a70_the_age_of_the_newest_backup(tmp_path):
    config = live(configured(tmp_path))
    assert machine.backup(config, NOW).next_step == "Run navbook backup, by cron each night."
    stores.claim(config)
    backups.create(config)
    assert machine.backup(config, datetime.now(UTC)).state is State.OK
    assert machine.backup(config, datetime.now(UTC) + timedelta(days=9)).state is State.WARN
    assert machine.backup(configured(tmp_path), NOW).state is State.OK, "a sandbox needs none"


def test_a55_the_last_run_of_each_job(config):
    rows = [("r1", "collect", "all", at(0), at(0), "failed", "no network", at(0)),
            ("r2", "benchmark", "all", at(1), at(1), "ok", None, at(1))]
    tables.append(config.location, schemas.RUNS, schemas.RUNS.rows(rows))
    found = machine.runs(config, NOW)
    assert (found.state, found.sentence) == (State.FAIL, "The last collect failed: no network.")
    assert found.lines == ("collect: 2026-03-02 00:00 UTC failed: no network", "benchmark: 2026-03-02 01:00 UTC ok")


def test_an_alert_that_nobody_heard_is_a_trouble(config, monkeypatch):
    with pytest.raises(JobFailed), alerts.watched(config, "collect"):
        raise JobFailed("away")
    assert machine.alerting(config, NOW).lines == ("collect failed",)
    assert machine.alerting(config, NOW).state is State.OK, "it is known, and there is nowhere to tell it"
    monkeypatch.setattr(alerts, "_sent", lambda *arguments: False)
    alerts.trouble(config, "disk", "It is full.")
    assert machine.alerting(config, NOW).state is State.WARN


# -- the exchange -----------------------------------------------------------------------------------------------------
def test_a55_a_killed_exchange_is_red(tmp_path, monkeypatch):
    with local_exchange(tmp_path, monkeypatch) as local:
        local.account("main", {"spot": {"USDT": "5"}})
        config = local.config()
        found = machine.exchange(config, NOW)
        assert found.state is State.OK
        assert found.sentence.startswith("It answers; BTCUSDT is $")
    assert machine.exchange(config, NOW).state is State.FAIL
    assert machine.keys(config, NOW).state is State.FAIL


@pytest.mark.parametrize(("rights", "state", "told"), [
    ({"ipRestrict": True}, State.OK, ""),
    ({}, State.WARN, "The key works from any address; bind it to this machine's."),
    ({"ipRestrict": True, "enableFutures": True}, State.WARN, "The key can trade (enableFutures)"),
    ({"ipRestrict": True, "enableWithdrawals": True}, State.FAIL, "The key can withdraw, which navbook refuses; make one on Binance without that right."),
    ({"enableReading": False}, State.FAIL, "may not read"),
])
def test_a79_n12_a_key_that_may_do_more_than_read_is_told(tmp_path, monkeypatch, rights, state, told):
    with local_exchange(tmp_path, monkeypatch) as local:
        local.account("main", {"spot": {"USDT": "5"}}, permissions={"enableReading": True, **rights})
        found = machine.keys(local.config(), NOW)
    assert found.state is state, found
    assert told in " ".join(found.lines)


def test_a64_a_wrong_key_and_a_missing_one_are_told_apart(tmp_path, monkeypatch):
    with local_exchange(tmp_path, monkeypatch) as local:
        for name in ("main", "wrong", "none"):
            local.account(name, {"spot": {"USDT": "5"}}, keys=name == "main", permissions={"enableReading": True, "ipRestrict": True})
        local.use_keys("wrong", "k" * 64, "s" * 64)
        lines = machine.keys(local.config(), NOW).lines
    assert len(lines) == 2
    assert lines[0].startswith("wrong: key: The key is not known here")
    assert lines[1].startswith("none: key: No API key for account none: set NAVBOOK_NONE_API_KEY")


def test_a75_a_healthy_account_passes_every_check(tmp_path, monkeypatch):
    with local_exchange(tmp_path, monkeypatch) as local:
        local.account("main", {"spot": {"USDT": "1000"}}, permissions={"enableReading": True, "ipRestrict": True})
        config = local.config()
        stores.claim(config)
        asyncio.run(collecting.collect(config))
        local.rebuild()
        answer = CliRunner().invoke(app, ["check", "--json", "--config", str(config.file)])
    found = json.loads(answer.output)
    assert {name: each["state"] for name, each in found.items()} == dict.fromkeys((each.__name__ for each in check.CHECKS), "ok")
    assert answer.exit_code == 0


def test_checks_never_write(tmp_path):
    world = World()
    world.snapshot(at(0), {"USDT": 1})
    config = configured(tmp_path)
    grown(config, world)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    check.findings(config, NOW)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before

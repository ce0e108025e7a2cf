"""Rows are shown, asked about, taken out; facts after a copy; the answers come back from what is left."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
import typer

from commands import NAVBOOK, clean_environment, navbook, sentence
from navbook import schemas
from navbook.cli import upkeep as commands
from navbook.errors import Locked, SettingsInvalid
from navbook.runner import locks, manual, upkeep
from navbook.runner.manual import Added
from navbook.store import rewrite, tables
from stores import configured, copied, grown, table
from worlds import World, at

TWO = ("main", "sub")


def busy() -> World:
    """Two accounts, four snapshots each, a deposit into each."""
    world = World(accounts=TWO)
    for account in TWO:
        for hour in range(4):
            world.snapshot(at(hour), {"USDT": 1000 + 500 * (hour > 1), "BTC": 1}, account=account)
        world.flow(at(1.5), 500, account=account)
    return world


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """The world's store, made once; each test has a copy to change."""
    folder = tmp_path_factory.mktemp("owner")
    grown(configured(folder, *TWO), busy())
    return folder


@pytest.fixture
def config(owner, tmp_path):
    return copied(owner, tmp_path)


def agreed(account: str) -> None:
    assert account == "main"


def refused(account: str) -> None:
    raise SettingsInvalid("Nothing was deleted.")


def counts(config) -> dict[str, int]:
    """Rows of main by table, none left out."""
    frames = {name: table(config, name) for name, schema in schemas.TABLES.items() if "account" in schema.columns}
    return {name: rows for name, frame in frames.items() if (rows := (frame["account"] == "main").sum())}


def told_counts(said: list[str]) -> dict[str, int]:
    return {parts[0]: int(parts[1]) for line in said if (parts := line.split()) and parts[-1] in ("facts", "derived")}


def hashes(config) -> dict[str, str | None]:
    return {name: tables.stored_hash(config.location, schema) for name, schema in schemas.DERIVED.items()}


# -- reset ----------------------------------------------------------------------------------------------------
def test_a65_a_reset_leaves_no_row_of_the_account_and_a_copy_of_all(config):
    before, others = counts(config), table(config, "nav_history").filter(account="sub")
    assert {"accounts", "snapshots", "balances", "cash_flows", "nav_history", "performance"} <= set(before)
    said: list[str] = []
    upkeep.reset(config, "main", said.append, agreed)
    assert counts(config) == {}
    assert told_counts(said) == before
    assert table(config, "nav_history").filter(account="sub").equals(others)
    (copy,) = Path(config.location).parent.glob("backups/*_before-*")
    assert copy.name.endswith("_before-reset-main")
    assert tables.read(str(copy), schemas.NAV_HISTORY, account="main").height == 4
    grown(config, busy())
    assert counts(config) == before, "collected again, all is there again"


def test_what_people_said_of_others_outlives_a_reset(config):
    """Numbers of entries and of accounts that are gone are not given to others."""
    for account, amount in (("main", 100), ("sub", 200)):
        manual.add(config, Added(account=account, kind="DEPOSIT", asset="USDT", amount=str(amount), time="2026-03-02T01:00"))
    upkeep.reset(config, "main", str, agreed)
    manual.add(config, Added(account="sub", kind="DEPOSIT", asset="USDT", amount="77", time="2026-03-02T02:00"))
    kept = manual.entries(config)
    assert dict(kept.select("entry", pl.col("amount").cast(pl.Float64)).iter_rows()) == {"e2": 200, "e3": 77}


def test_a65_people_are_asked_and_a_no_deletes_nothing(config):
    before = counts(config), tables.versions(config.location)
    with pytest.raises(SettingsInvalid):
        upkeep.reset(config, "main", str, refused)
    upkeep.reset(config, "main", str, refused, look_only=True)
    assert (counts(config), tables.versions(config.location)) == before
    assert not (Path(config.location).parent / "backups").exists()


def test_the_last_account_can_go_too(tmp_path):
    world = World()
    world.snapshot(at(0), {"USDT": 1})
    config = configured(tmp_path, *world.accounts)
    grown(config, world)
    upkeep.reset(config, "main", str, agreed)
    assert counts(config) == {}
    with pytest.raises(SettingsInvalid, match=r"There is no account main in .*; there are none yet"):
        upkeep.reset(config, "main", str, agreed)


def test_snapshots_go_before_what_they_are_made_of(config, monkeypatch):
    """A reader between two commits must never see a snapshot without its balances: that would be worth nothing."""
    gone = []
    true = upkeep.upkeep.delete
    monkeypatch.setattr(upkeep.upkeep, "delete", lambda location, schema, keys: (
        gone.append(schema.name), true(location, schema, keys))[1])
    upkeep.reset(config, "main", str, agreed)
    facts = [name for name in gone if name in schemas.FACTS]
    assert facts[0] == "snapshots"
    assert facts[-1] == "accounts"
    assert gone == [name for name in gone if name not in schemas.FACTS] + facts


# -- delete ---------------------------------------------------------------------------------------------------
def test_a67_any_window_of_derived_rows_comes_back_the_same(config):
    """N1: equal content hashes, whatever was deleted."""
    before = hashes(config)
    for start, end in ((1, 2), (1.5, 9)):
        said: list[str] = []
        upkeep.delete(config, "main", f"{at(start)}", f"{at(end)}", said.append, agreed)
        assert hashes(config) == before
        assert any(line.startswith("Deleted ") for line in said)
        assert not any("another than before" in line for line in said)
    assert not (Path(config.location).parent / "backups").exists(), "derived rows need no copy"


def test_a66_the_preview_says_what_will_be_deleted_in_utc(config):
    before = tables.versions(config.location)
    shown: list[str] = []
    upkeep.delete(config, "main", "2026-03-02T02:00+01:00", "2026-03-02T02:00", shown.append, refused, dry_run=True, facts=True)
    assert shown[0] == "Rows of main from 2026-03-02 01:00:00 UTC to 2026-03-02 02:00:00 UTC, both included:"
    assert tables.versions(config.location) == before
    stored = {name: tables.stored(config.location, schemas.TABLES[name]).collect().height for name in told_counts(shown)}
    upkeep.delete(config, "main", "2026-03-02T02:00+01:00", "2026-03-02T02:00", str, agreed, facts=True)
    facts = {name: number for name, number in told_counts(shown).items() if name in schemas.FACTS}
    assert facts == {"snapshots": 2, "balances": 4, "cash_flows": 1}
    for name, number in facts.items():
        assert tables.stored(config.location, schemas.TABLES[name]).collect().height == stored[name] - number
    assert table(config, "nav_history").filter(account="main")["time"].to_list() == [at(0), at(3)]
    assert table(config, "nav_history").filter(account="sub").height == 4


def test_a66_facts_stay_without_the_word(config):
    facts = {name: table(config, name) for name in schemas.FACTS}
    upkeep.delete(config, "main", f"{at(0)}", f"{at(9)}", str, agreed)
    assert all(table(config, name).equals(frame) for name, frame in facts.items())
    with pytest.raises(SettingsInvalid, match="cash_flows holds facts, which no rebuild brings back; add --facts"):
        upkeep.delete(config, "main", f"{at(0)}", f"{at(9)}", str, agreed, names=["holdings", "cash_flows"])


def test_a66_only_the_named_tables(config):
    upkeep.delete(config, "main", f"{at(0)}", f"{at(9)}", str, agreed, names=["cash_flows"], facts=True)
    assert "cash_flows" not in counts(config)
    assert counts(config)["snapshots"] == 4
    with pytest.raises(SettingsInvalid, match="prices: no such table has accounts and times; there are balances"):
        upkeep.delete(config, "main", f"{at(0)}", f"{at(9)}", str, agreed, names=["prices"])


def test_what_people_wrote_goes_only_by_name(config):
    tables.append(config.location, schemas.MANUAL_ENTRIES, schemas.MANUAL_ENTRIES.rows([
        dict.fromkeys(schemas.MANUAL_ENTRIES.columns) | {"id": "e1", "account": "main", "time": at(1), "seen_at": at(1)}]))
    upkeep.delete(config, "main", f"{at(0)}", f"{at(9)}", str, agreed, facts=True)
    assert table(config, "manual_entries").height == 1
    upkeep.delete(config, "main", f"{at(0)}", f"{at(9)}", str, agreed, facts=True, names=["manual_entries"])
    assert table(config, "manual_entries").is_empty()


@pytest.mark.parametrize(("account", "since", "until", "said"), [
    ("nobody", "2026-03-02", "2026-03-03", "There is no account nobody"),
    ("all", "2026-03-02", "2026-03-03", "There is no account all"),
    ("main", "yesterday", "2026-03-03", "'yesterday' is not a time"),
    ("main", "2026-03-03", "2026-03-02", "--from 2026-03-03 is later than --to 2026-03-02"),
])
def test_what_cannot_be_meant_is_refused(config, account, since, until, said):
    with pytest.raises(SettingsInvalid, match=said):
        upkeep.delete(config, account, since, until, str, agreed)


def test_an_empty_span_asks_nothing(config):
    said: list[str] = []
    upkeep.delete(config, "main", "2020-01-01", "2020-01-02", said.append, refused, facts=True)
    assert said == ["Rows of main from 2020-01-01 00:00:00 UTC to 2020-01-02 00:00:00 UTC, both included: none."]


@pytest.mark.parametrize("job", ["collect", "benchmark"])
def test_nothing_is_deleted_while_a_job_runs(config, job):
    with locks.hold(config, job), pytest.raises(Locked, match=f"{job} is already being run"):
        upkeep.reset(config, "main", str, agreed)
    assert counts(config)["snapshots"] == 4


# -- replay ---------------------------------------------------------------------------------------------------
def test_n1_replay_tells_the_hashes_and_what_is_another(config):
    first = hashes(config)
    rewrite.replace(config.location, schemas.NAV_HISTORY, schemas.NAV_HISTORY.empty())
    said: list[str] = []
    upkeep.replay(config, "now", said.append)
    assert hashes(config) == first
    told = {line.split()[0]: line.split(maxsplit=1)[1] for line in said[1:]}
    assert told["nav_history"] == f"{first['nav_history']}  another than before"
    assert told["benchmark_journal"] == first["benchmark_journal"]


def test_n1_replay_until_a_moment_is_the_past_as_it_was(config):
    upkeep.replay(config, f"{at(1)}", str)
    assert table(config, "nav_history")["time"].unique().to_list() == [at(0), at(1)]
    assert set(table(config, "benchmark_journal")["event"]) == {"init"}
    upkeep.replay(config, "now", str)
    assert set(table(config, "benchmark_journal")["event"]) == {"init", "deposit"}


# -- the command line -----------------------------------------------------------------------------------------
def test_nobody_there_to_ask_is_a_refusal(config, tmp_path):
    result = navbook("reset", "main", folder=tmp_path)
    assert sentence(result) == "navbook: Nothing was deleted: nobody is here to ask; add --yes."
    assert result.returncode == 2
    assert counts(config)["snapshots"] == 4


def test_on_a_terminal_the_answer_is_the_accounts_name(config, tmp_path):
    ours, theirs = pty.openpty()
    with subprocess.Popen([NAVBOOK, "reset", "main"], cwd=tmp_path, stdin=theirs, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=clean_environment(), text=True) as process:
        os.write(ours, b"main\n")
        shown, complaints = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, complaints
    assert "Type main to delete this" in shown + complaints
    assert counts(config) == {}


@pytest.mark.parametrize("answer", ["mane", "yes", "MAIN", " "])
def test_another_answer_deletes_nothing(monkeypatch, answer):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(typer, "prompt", lambda _: answer)
    with pytest.raises(SettingsInvalid, match="Nothing was deleted"):
        commands.question(yes=False)("main")

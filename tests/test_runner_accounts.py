"""A63, A64, A79, N12: accounts are added, tried and removed; a key that may withdraw collects nothing."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from commands import NAVBOOK, clean_environment, navbook, sentence
from locals import READ_ONLY, START, TRADES, Local
from navbook import settings, vault
from navbook.errors import SettingsInvalid, SnapshotIncomplete
from navbook.runner import accounts, machine, sandbox
from navbook.runner.finding import State
from navbook.settings import Settings

SECRET = "a secret of more than sixteen letters"
TOML = """# my settings
environment = "sandbox"    # for now

[accounts.main]    # the first
fee_rate = 0.1     # agreed on

[groups.all_of_them]
accounts = ["main"]

[trade.btc_long]
account = "main"
"""


@pytest.fixture
def config(tmp_path, monkeypatch) -> Settings:
    (tmp_path / "navbook.toml").write_text(TOML, encoding="utf-8")
    monkeypatch.setenv("SESSION_SECRET", SECRET)
    return settings.load(tmp_path / "navbook.toml")


@pytest.fixture(scope="module")
def server():
    with sandbox.started(sandbox.World(start=START.isoformat(), scenario="")) as found:
        yield found


@pytest.fixture
def local(server, tmp_path, monkeypatch) -> Local:
    """The module's exchange without faults; accounts take `name()`s of their own."""
    server.control("DELETE", "faults")
    server.set_clock(START)
    return Local(server, tmp_path, monkeypatch)


NUMBERS = count(1)


def name() -> str:
    return f"main{next(NUMBERS)}"


def told_by(action, *arguments, **options) -> str:
    lines: list[str] = []
    action(*arguments, lines.append, **options)
    return "\n".join(lines)


def read(config: Settings) -> str:
    return config.file.read_text(encoding="utf-8")


# -- navbook.toml ------------------------------------------------------------------------------------------------------
def test_a63_an_account_is_written_with_its_master_and_rate_and_everything_else_stays(config):
    told_by(accounts.add, config, "sub", accounts.key_of("k", "s"), master="main", fee_rate=0.2)
    again = settings.load(config.file)
    assert (again.accounts["sub"].master, again.accounts["sub"].fee_rate) == ("main", 0.2)
    assert [line for line in TOML.splitlines() if line and line not in read(config)] == []
    assert vault.source(again, "sub") == "vault"


def test_a63_adding_again_changes_the_rate_and_nothing_else(config):
    told_by(accounts.add, config, "main", None, fee_rate=0.3)
    assert read(config) == TOML.replace("fee_rate = 0.1 ", "fee_rate = 0.3 ")
    told_by(accounts.add, config, "main", accounts.key_of("k", "s"))
    assert read(config) == TOML.replace("fee_rate = 0.1 ", "fee_rate = 0.3 ")


@pytest.mark.parametrize(("name", "options", "fault"), [
    ("sub", {"master": "nobody"}, "which is no account"), ("all", {}, "not 'all'"), ("a b", {}, "letters, digits"),
    ("sub", {"fee_rate": 2.0}, "less than or equal to 1"), ("MAIN", {}, "share the variables"),
])
def test_a63_what_cannot_be_is_refused_and_nothing_is_written(config, name, options, fault):
    with pytest.raises(SettingsInvalid, match=fault):
        accounts.add(config, name, accounts.key_of("k", "s"), print, **options)
    assert read(config) == TOML
    assert not config.vault_file.exists()


def test_the_first_account_makes_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SESSION_SECRET", SECRET)
    told_by(accounts.add, settings.load(), "main", accounts.key_of("k", "s"))
    made = settings.load()
    assert (made.file, list(made.accounts), vault.source(made, "main")) == (tmp_path / "navbook.toml", ["main"], "vault")


def test_a63_an_account_is_removed_with_its_key(config):
    told_by(accounts.add, config, "sub", accounts.key_of("k", "s"), master="main")
    told_by(accounts.remove, settings.load(config.file), "sub")
    assert read(config).split() == TOML.split()
    assert vault.kept(config) == []


def test_b3_the_only_account_keeps_its_section_and_loses_its_key(config):
    told_by(accounts.add, config, "main", accounts.key_of("k", "s"))
    assert "its section stays" in told_by(accounts.remove, config, "main")
    assert read(config) == TOML
    assert vault.source(config, "main") is None


def test_an_account_that_others_name_is_not_removed(config):
    told_by(accounts.add, config, "sub", accounts.key_of("k", "s"), master="main")
    with pytest.raises(SettingsInvalid, match="which is no account"):
        accounts.remove(settings.load(config.file), "main", print)
    with pytest.raises(SettingsInvalid, match="no account nobody"):
        accounts.remove(config, "nobody", print)


def test_the_list_shows_where_keys_are_and_what_has_no_section_any_more(config, monkeypatch):
    vault.keep(config, "old", accounts.key_of("k", "s"))
    monkeypatch.setenv("NAVBOOK_MAIN_API_KEY_FILE", str(config.file))
    monkeypatch.setenv("NAVBOOK_MAIN_API_KEY", "k")
    monkeypatch.setenv("NAVBOOK_MAIN_API_SECRET", "s")
    assert accounts.listed(config).rows() == [
        ("main", "master", None, 0.1, "NAVBOOK_MAIN_API_KEY", "btc_long"),
        ("old", "not in navbook.toml", None, None, "vault", None)]


def test_a_weak_secret_and_a_variable_that_comes_first_are_warned_about(config, monkeypatch):
    monkeypatch.setenv("SESSION_SECRET", "short")
    monkeypatch.setenv("NAVBOOK_MAIN_API_KEY", "k")
    monkeypatch.setenv("NAVBOOK_MAIN_API_SECRET", "s")
    told = told_by(accounts.add, config, "main", accounts.key_of("k", "s"))
    assert "fewer than 16 letters" in told
    assert "NAVBOOK_MAIN_API_KEY is set and comes before the vault" in told


# -- trying keys -------------------------------------------------------------------------------------------------------
def tried(local: Local, account: str, extra: str = "") -> tuple[bool, str]:
    lines: list[str] = []
    fine = accounts.test(local.config(extra), account, lines.append)
    return fine, "\n".join(lines)


@pytest.mark.usefixtures("no_backoff")
@pytest.mark.parametrize(("fault", "about", "words"), [
    ({}, "ok", "The key is known and may read."),
    ({"status": 400, "code": -2008}, "environment", "not of this environment"),
    ({"status": 401, "code": -2014}, "key", "not the form of a Binance key"),
    ({"status": 401, "code": -2015, "msg": "Invalid API-key, IP, or permissions for action, request ip: 203.0.113.7"},
     "address", "does not take this key from 203.0.113.7"),
    ({"status": 401, "code": -2015}, "reading", "may not read"),
    ({"status": 400, "code": -1022}, "secret", "does not belong to the key"),
    ({"status": 451}, "region", "does not serve this network or region"),
    ({"status": 403}, "region", "does not serve this network or region"),
    ({"mode": "html"}, "region", "does not serve this network or region"),
    ({"status": 429, "retry_after": 999}, "network", "429"),
    ({"mode": "drop", "count": 9}, "network", "could not be reached"),
])
def test_a64_b5_b48_each_trouble_has_its_own_sentence(local, fault, about, words):
    local.account(mine := name(), permissions={**READ_ONLY, "ipRestrict": True})
    if fault:
        local.fault("/sapi/v1/account/apiRestrictions", **fault)
    fine, told = tried(local, mine)
    assert fine is (about == "ok")
    assert words in told
    assert about in told


def test_a64_a_sub_account_is_tried_with_its_master(local):
    local.account(master := name())
    local.account(sub := name(), master=master)
    assert [line.split(":")[0] for line in tried(local, sub)[1].splitlines() if not line.startswith(" ")] == [sub, master]


def test_a64_a_key_that_nobody_set(local):
    local.account(mine := name(), keys=False)
    fine, told = tried(local, mine)
    assert not fine
    assert f"No API key for account {mine}" in told


@pytest.mark.parametrize(("permissions", "trades", "level", "about"), [
    ({"enableWithdrawals": True}, False, "error", "withdrawing"),
    ({"enableFutures": True}, False, "warning", "trading"),
    ({"enableFutures": True}, True, "ok", "key"),
    ({}, True, "error", "trading"),
    ({"enableFutures": True, "enableWithdrawals": True}, True, "error", "withdrawing"),
])
def test_a79_n12_what_a_key_may_do_is_held_against_what_it_is_for(local, permissions, trades, level, about):
    local.account(mine := name(), permissions={**READ_ONLY, "ipRestrict": True, **permissions})
    fine, told = tried(local, mine, f'[trade.btc_long]\naccount = "{mine}"\n' if trades else "")
    assert fine is (level != "error")
    assert [line.split()[:2] for line in told.splitlines() if line.startswith("  ")][-1] == [level, about]


def test_a79_n12_a_key_that_may_withdraw_collects_nothing_and_the_others_are_read(local):
    local.account(mine := name(), {"spot": {"USDT": "5"}})
    local.account(rich := name(), {"spot": {"USDT": "7"}}, permissions={**READ_ONLY, "enableWithdrawals": True})
    with pytest.raises(SnapshotIncomplete, match=f"{rich}: The key can withdraw, which navbook refuses"):
        local.collect(START)
    assert dict(local.read("snapshots").select("account", "grade").iter_rows()) == {mine: "complete", rich: "incomplete"}
    assert local.read("balances")["account"].unique().to_list() == [mine]


def secrets_of(account: str) -> tuple[str, str]:
    return f"key-of-{account}".ljust(64, "x"), f"secret-of-{account}".ljust(64, "x")


def test_b1_collecting_uses_the_vault(local):
    local.account(mine := name(), {"spot": {"USDT": "5"}}, keys=False)
    local.monkeypatch.setenv("SESSION_SECRET", SECRET)
    vault.keep(local.config(), mine, accounts.key_of(*secrets_of(mine)))
    local.collect(START)
    assert local.read("snapshots")["grade"].to_list() == ["complete"]


def test_check_asks_a_key_as_account_test_does(local):
    """In the vault, and of a trader: neither is a fault."""
    local.account(mine := name(), {"futures": {"USDT": "5"}}, keys=False, permissions=TRADES | {"ipRestrict": True})
    local.monkeypatch.setenv("SESSION_SECRET", SECRET)
    config = local.config(f'[trade.long]\naccount = "{mine}"\nsymbol = "BTCUSDT"\nside = "LONG"\n')
    vault.keep(config, mine, accounts.key_of(*secrets_of(mine)))
    found = machine.keys(config, START)
    assert (found.state, found.lines) == (State.OK, ())


# -- the commands ------------------------------------------------------------------------------------------------------
def test_the_commands_take_keys_from_a_script_and_collect_with_them_through_a_kernel(local):
    """B1, N12: no file of the run holds the key, the secret or the vault's secret."""
    local.account(mine := name(), {"spot": {"USDT": "5"}}, keys=False)
    local.config()
    key, secret = secrets_of(mine)
    added = subprocess.run([NAVBOOK, "account", "add", mine], input=f"{key}\n{secret}\n", cwd=local.folder, text=True,
                           env=clean_environment() | {"SESSION_SECRET": SECRET}, capture_output=True, check=False)
    assert added.returncode == 0, added.stderr
    done = navbook("collect", folder=local.folder, variables={"SESSION_SECRET": SECRET})
    assert done.returncode == 0, done.stderr
    files = [place for place in Path(local.folder).rglob("*") if place.is_file()]
    words = [word.encode() for word in (key, secret, SECRET)]
    assert [place.name for place in files if any(word in place.read_bytes() for word in words)] == []
    assert "set SESSION_SECRET" in sentence(navbook("collect", "--no-notebook", folder=local.folder))


def test_an_account_goes_wherever_its_section_stands(tmp_path):
    (tmp_path / "navbook.toml").write_text('[accounts.main]\n[benchmark]\nrebalance = "never"\n[accounts.sub]\nfee_rate = 0.1\n')
    told_by(accounts.remove, settings.load(tmp_path / "navbook.toml"), "sub")
    assert list(settings.load(tmp_path / "navbook.toml").accounts) == ["main"]


def test_one_binance_account_is_collected_once(local):
    """Under a second name it would count twice."""
    local.account(mine := name(), {"spot": {"USDT": "5"}})
    local.use_keys(twin := name(), *secrets_of(mine))
    local.sections.append(f"[accounts.{twin}]")
    for hours in (0, 1):
        with pytest.raises(SnapshotIncomplete, match=f"{twin}: its key belongs to the Binance account that {mine} is already"):
            local.collect(START + timedelta(hours=hours))
    assert local.read("snapshots")["account"].to_list() == [mine, mine]


def test_without_a_secret_no_key_is_asked_for(tmp_path):
    (tmp_path / "navbook.toml").write_text(TOML, encoding="utf-8")
    assert "set SESSION_SECRET" in sentence(navbook("account", "add", "main", folder=tmp_path))


def test_removing_needs_somebody_to_ask(config):
    assert sentence(navbook("account", "remove", "main", folder=config.base)) == (
        "navbook: Nothing was deleted: nobody is here to ask; add --yes.")


def test_on_a_terminal_keys_are_typed_unseen_and_removing_asks_twice(config):
    """B3: password fields."""
    seen = typed(config.base, ["account", "add", "main"], {"API key: ": "typed-key", "API secret: ": "typed-secret"})
    assert "its key for sandbox is in" in seen
    assert "typed-" not in seen
    assert vault.keys(config, "main").api_secret.get_secret_value() == "typed-secret"
    assert "Nothing was deleted" in typed(config.base, ["account", "remove", "main"], {"[y/N]: ": "y", "to delete this: ": "mian"})
    assert vault.kept(config) == ["main"]
    assert "is gone" in typed(config.base, ["account", "remove", "main"], {"[y/N]: ": "y", "to delete this: ": "main"})
    assert vault.kept(config) == []


def typed(folder: Path, arguments: list[str], answers: dict[str, str]) -> str:
    """What a person sees who types `answers` when their prompts appear."""
    mine, theirs = pty.openpty()
    process = subprocess.Popen([NAVBOOK, *arguments], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
                               env=clean_environment() | {"SESSION_SECRET": SECRET}, start_new_session=True)
    os.close(theirs)
    seen, waiting = "", list(answers.items())
    try:
        while select.select([mine], [], [], 30)[0]:
            seen += os.read(mine, 4096).decode()
            if waiting and waiting[0][0] in seen:
                os.write(mine, waiting.pop(0)[1].encode() + b"\n")
    except OSError:
        pass    # the other side was closed: the command is done
    finally:
        os.close(mine)
        process.wait(30)
    return seen

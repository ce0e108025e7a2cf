"""B1-B3: keys come from the environment, else from the vault; the vault opens with its secret alone."""

from __future__ import annotations

import json
import stat

import pytest
from pydantic import SecretStr

from navbook import settings, vault
from navbook.errors import SettingsInvalid
from navbook.runner import kernels
from navbook.settings import Keys, Settings
from navbook.types import Environment

SECRET = "a secret of more than sixteen letters"


@pytest.fixture
def config(tmp_path, monkeypatch) -> Settings:
    """A vault beside a navbook.toml with three accounts, its secret set."""
    (tmp_path / "navbook.toml").write_text("[accounts.main]\n[accounts.sub]\n[accounts.other]\n", encoding="utf-8")
    monkeypatch.setenv("SESSION_SECRET", SECRET)
    return settings.load(tmp_path / "navbook.toml")


def pair(key: str = "a-key", secret: str = "a-secret") -> Keys:
    return Keys(api_key=SecretStr(key), api_secret=SecretStr(secret))


def shown(keys: Keys) -> tuple[str, str]:
    return keys.api_key.get_secret_value(), keys.api_secret.get_secret_value()


def test_b1_the_environment_comes_before_the_vault_and_the_source_is_shown(config, monkeypatch):
    vault.keep(config, "main", pair("kept", "kept too"))
    assert (shown(vault.keys(config, "main")), vault.source(config, "main")) == (("kept", "kept too"), "vault")
    monkeypatch.setenv("NAVBOOK_MAIN_API_KEY", "said")
    monkeypatch.setenv("NAVBOOK_MAIN_API_SECRET", "said-too")
    assert (shown(vault.keys(config, "main")), vault.source(config, "main")) == (("said", "said-too"), "NAVBOOK_MAIN_API_KEY")


def test_b1_the_testnet_variables_come_before_the_vault_too(config, monkeypatch):
    testnet = config.model_copy(update={"environment": Environment.TESTNET})
    vault.keep(testnet, "main", pair())
    monkeypatch.setenv("BINANCE_TESTNET_API_KEY", "said")
    monkeypatch.setenv("BINANCE_TESTNET_API_SECRET", "said-too")
    assert vault.source(testnet, "main") == "BINANCE_TESTNET_API_KEY"


def test_b2_the_file_shows_no_key_and_only_its_owner_may_read_it(config):
    vault.keep(config, "main", pair("the-api-key", "the-api-secret"))
    text = config.vault_file.read_text(encoding="utf-8")
    assert not [word for word in ("the-api-key", "the-api-secret", SECRET) if word in text]
    assert stat.S_IMODE(config.vault_file.stat().st_mode) == 0o600
    assert sorted(place.name for place in config.base.iterdir()) == ["navbook.toml", "navbook.vault"]


def test_b2_two_vaults_of_the_same_key_have_nothing_in_common(config, tmp_path):
    vault.keep(config, "main", pair())
    first = json.loads(config.vault_file.read_text(encoding="utf-8"))
    config.vault_file.unlink()
    vault.keep(config, "main", pair())
    second = json.loads(config.vault_file.read_text(encoding="utf-8"))
    assert first["salt"] != second["salt"]
    assert first["keys"] != second["keys"]


def test_b2_without_a_secret_nothing_is_kept_or_opened(config, monkeypatch):
    vault.keep(config, "main", pair())
    monkeypatch.delenv("SESSION_SECRET")
    for attempt in (lambda: vault.keep(config, "sub", pair()), lambda: vault.keys(config, "main")):
        with pytest.raises(SettingsInvalid, match=r"set SESSION_SECRET \(or SESSION_SECRET_FILE\)"):
            attempt()
    assert vault.kept(config) == ["main"], "names are told without the secret"


def test_b2_the_secret_may_stand_in_a_file(config, tmp_path, monkeypatch):
    vault.keep(config, "main", pair())
    monkeypatch.delenv("SESSION_SECRET")
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    monkeypatch.setenv("SESSION_SECRET_FILE", str(tmp_path / "secret"))
    assert shown(vault.keys(config, "main")) == ("a-key", "a-secret")


def test_b2_another_secret_opens_nothing_and_spoils_nothing(config, monkeypatch):
    vault.keep(config, "main", pair())
    before = config.vault_file.read_bytes()
    monkeypatch.setenv("SESSION_SECRET", "another secret of many letters")
    for attempt in (lambda: vault.keep(config, "sub", pair()), lambda: vault.keys(config, "main")):
        with pytest.raises(SettingsInvalid, match="cannot be opened with this SESSION_SECRET"):
            attempt()
    assert config.vault_file.read_bytes() == before


def test_b3_a_key_is_replaced_and_deleted(config):
    vault.keep(config, "main", pair("old"))
    vault.keep(config, "sub", pair("sub"))
    vault.keep(config, "main", pair("new"))
    assert shown(vault.keys(config, "main"))[0] == "new"
    assert vault.drop(config, "main")
    assert not vault.drop(config, "main")
    assert shown(vault.keys(config, "sub"))[0] == "sub"
    with pytest.raises(SettingsInvalid, match="or run navbook account add main"):
        vault.keys(config, "main")


def test_a_key_is_of_one_environment(config):
    """A live key must not be sent to a testnet because somebody edited navbook.toml."""
    live = config.model_copy(update={"environment": Environment.LIVE})
    vault.keep(live, "main", pair())
    assert vault.source(config, "main") is None
    with pytest.raises(SettingsInvalid, match=r"The vault has this account's key for live, not for sandbox\."):
        vault.keys(config, "main")


def test_a_token_put_under_another_account_is_refused(config):
    vault.keep(config, "main", pair())
    content = json.loads(config.vault_file.read_text(encoding="utf-8"))
    content["keys"]["sandbox"]["sub"] = content["keys"]["sandbox"].pop("main")
    config.vault_file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SettingsInvalid, match="changed by hand"):
        vault.keys(config, "sub")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}', '{"version": 1, "salt": "!", "keys": {}}',
                                     '{"version": 1, "salt": "AAAA", "keys": {"sandbox": 3}}', '{"version": "x"}'])
def test_a_damaged_vault_is_told_and_left_alone(config, content):
    config.vault_file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsInvalid, match="is damaged"):
        vault.keep(config, "main", pair())
    assert config.vault_file.read_text(encoding="utf-8") == content


def test_a_newer_vault_is_not_touched(config):
    config.vault_file.write_text('{"version": 2}', encoding="utf-8")
    with pytest.raises(SettingsInvalid, match="newer navbook"):
        vault.kept(config)


def test_a_kernel_gets_the_keys_of_its_accounts_and_never_the_secret(config, tmp_path):
    for account in ("main", "sub", "other"):
        vault.keep(config, account, pair(f"key-of-{account}"))
    given = kernels.variables(config, tmp_path / "run", ["main", "sub"])
    assert {name: value for name, value in given.items() if "_API_KEY" in name} == {
        "NAVBOOK_MAIN_API_KEY": "key-of-main", "NAVBOOK_SUB_API_KEY": "key-of-sub"}
    assert SECRET not in given.values()
    assert not [name for name in kernels.variables(config, tmp_path / "run") if "API" in name or "SESSION" in name]
    assert "key-of" not in (tmp_path / "run" / "config.json").read_text(encoding="utf-8")


def test_a_kernel_gets_what_the_environment_says_where_both_do(config, tmp_path, monkeypatch):
    vault.keep(config, "main", pair("kept"))
    monkeypatch.setenv("NAVBOOK_MAIN_API_KEY", "said")
    monkeypatch.setenv("NAVBOOK_MAIN_API_SECRET", "said-too")
    assert kernels.variables(config, tmp_path / "run", ["main"])["NAVBOOK_MAIN_API_KEY"] == "said"


def test_without_a_secret_a_kernel_still_gets_the_keys_of_the_environment(config, tmp_path, monkeypatch):
    """A2: the accounts that can be read are read; the kernel says of the others what they lack."""
    vault.keep(config, "main", pair())
    monkeypatch.delenv("SESSION_SECRET")
    monkeypatch.setenv("NAVBOOK_SUB_API_KEY", "said")
    monkeypatch.setenv("NAVBOOK_SUB_API_SECRET", "said-too")
    given = kernels.variables(config, tmp_path / "run", ["main", "sub"])
    assert given["NAVBOOK_SUB_API_KEY"] == "said"
    assert "NAVBOOK_MAIN_API_KEY" not in given

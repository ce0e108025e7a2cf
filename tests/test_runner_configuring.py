"""Settings are changed by key: types are checked, comments stay, and who changed what is kept."""

from __future__ import annotations

import os
import tomllib

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from typer.testing import CliRunner

from commands import CHECKOUT, navbook, sentence
from navbook import settings
from navbook.cli import app
from navbook.errors import NavbookError, SettingsInvalid
from navbook.runner import configuring
from stores import table


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "navbook.toml"
    place.write_text((CHECKOUT / "navbook.example.toml").read_text(encoding="utf-8"), encoding="utf-8")
    return place


def loaded(file):
    return settings.load(file)


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


@pytest.mark.parametrize(("key", "value", "account", "found"), [
    ("tolerance", "0.01", None, lambda config: config.tolerance == 0.01),
    ("environment", "live", None, lambda config: config.environment == "live"),
    ("environment", '"testnet"', None, lambda config: config.environment == "testnet"),
    ("store", "2026", None, lambda config: config.store == "2026"),
    ("benchmark.rebalance", "never", None, lambda config: config.benchmark.rebalance == "never"),
    ("benchmark.weights", "{ BTC = 0.6, ETH = 0.4 }", None, lambda config: config.benchmark.weights == {"BTC": 0.6, "ETH": 0.4}),
    ("fee_rate", "0.25", "main", lambda config: config.accounts["main"].fee_rate == 0.25),
    ("benchmark.weights", "{ BTC = 1.0 }", "sub", lambda config: config.benchmark_of("sub").weights == {"BTC": 1}),
    ("keep.logs_days", "7", None, lambda config: config.keep.logs_days == 7),
    ("benchmarks.doge.weights", "{ DOGE = 1 }", None, lambda config: config.benchmarks["doge"].weights == {"DOGE": 1}),
])
def test_a60_a_setting_is_changed_and_every_comment_stays(file, key, value, account, found):
    before = file.read_text(encoding="utf-8")
    configuring.put(loaded(file), key, value, account)
    after = file.read_text(encoding="utf-8")
    assert found(loaded(file))
    assert comments(after) == comments(before)
    configuring.put(loaded(file), key, value, account)
    assert file.read_text(encoding="utf-8") == after, "twice is once"


@pytest.mark.parametrize(("key", "value", "told"), [
    ("tolerance", "much", "tolerance: Input should be a valid number"),
    ("tolerance", "2", "tolerance: Input should be less than 1"),
    ("tollerance", "0.1", "tollerance is not a setting"),
    ("keep.logs_days", "0", "keep.logs_days: Input should be greater than or equal to 1"),
    ("environment", "moon", "environment: Input should be 'sandbox', 'testnet' or 'live'"),
    ("benchmark.weights", "{ BTC = 0.6 }", "add up to 1"),
    ("store.x", "1", "store.x is not a setting: store holds a value, no table"),
    ("accounts.main.master", "nobody", "names nobody, which is no account"),
    ("a b", "1", "'a b' is no key"),
    ("base", "/", "base is not a setting"),
])
def test_a60_a_wrong_value_is_refused_and_nothing_changes(file, key, value, told):
    before = file.read_bytes()
    with pytest.raises(SettingsInvalid) as caught:
        configuring.put(loaded(file), key, value)
    assert told in str(caught.value)
    assert file.read_bytes() == before
    assert table(loaded(file), "config_history").is_empty()


def test_a60_unset_lets_the_default_hold_again(file):
    configuring.put(loaded(file), "tolerance", "0.01")
    assert configuring.unset(loaded(file), "tolerance") == "0.01"
    assert loaded(file).tolerance == 0.005
    with pytest.raises(SettingsInvalid, match=r"tolerance is not set in .*; its default holds already"):
        configuring.unset(loaded(file), "tolerance")
    with pytest.raises(SettingsInvalid, match="There is no account nobody"):
        configuring.put(loaded(file), "fee_rate", "0.1", "nobody")


def test_a61_each_change_is_a_row_with_who_when_old_and_new(file, monkeypatch):
    monkeypatch.setattr(configuring.getpass, "getuser", lambda: "alice")
    configuring.put(loaded(file), "tolerance", "0.01")
    configuring.put(loaded(file), "fee_rate", "0.2", "main")
    configuring.unset(loaded(file), "tolerance")
    rows = table(loaded(file), "config_history").sort("time").select("key", "account", "who", "old", "new").rows()
    assert rows == [("tolerance", None, "alice", None, "0.01"), ("accounts.main.fee_rate", "main", "alice", None, "0.2"),
                    ("tolerance", None, "alice", "0.01", None)]


def test_addresses_of_alerts_are_hidden_in_list_and_history(file):
    configuring.put(loaded(file), "alerts.urls", '["json://planted-token"]')
    configuring.put(loaded(file), "heartbeat_url", "https://beat.example/planted-token")
    config = loaded(file)
    assert config.alerts.urls[0].get_secret_value() == "json://planted-token"
    assert configuring.get(config, "alerts.urls") == "…"
    assert "planted" not in table(config, "config_history").write_csv()
    assert "planted" not in configuring.listed(config).write_csv()


def test_the_list_tells_where_each_value_comes_from(file, monkeypatch):
    monkeypatch.setenv("NAVBOOK_TOLERANCE", "0.02")
    rows = {key: (value, source) for key, value, source in configuring.listed(loaded(file)).iter_rows()}
    assert rows["tolerance"] == ("0.02", "environment")
    assert rows["fees.every"] == ('"month"', "file")
    assert rows["keep.versions_days"] == ("30", "default")
    own = {key: (value, source) for key, value, source in configuring.listed(loaded(file), "sub").iter_rows()}
    assert own["master"] == ('"main"', "file")
    assert own["benchmark.weights.BTC"] == ("0.5", "default")


def test_the_files_rights_stay(file):
    file.chmod(0o600)
    configuring.put(loaded(file), "tolerance", "0.01")
    assert os.stat(file).st_mode & 0o777 == 0o600


@profile(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.text(max_size=20), st.sampled_from(["store", "tolerance", "lookback_days", "accounts.main.fee_rate", "benchmark"]))
def test_whatever_is_typed_is_taken_whole_or_refused_in_a_sentence(file, value, key):
    before = file.read_bytes()
    refusal = ""
    try:
        configuring.put(loaded(file), key, value)
    except NavbookError as problem:
        refusal = str(problem)
    after = file.read_bytes()
    loaded(file)
    tomllib.loads(after.decode())
    file.write_bytes(before)
    assert "\n" not in refusal
    assert not refusal or after == before


def test_the_commands(file, tmp_path):
    def said(*words: str) -> str:
        result = CliRunner().invoke(app, ["config", *words])
        assert result.exit_code == 0, result.output
        return result.output

    assert said("set", "fee_rate", "0.2", "--account", "main") == "fee_rate = 0.2 (was not set)\n"
    assert said("get", "fee_rate", "--account", "main") == "0.2\n"
    assert said("unset", "fee_rate", "--account", "main") == "fee_rate is not set any more (was 0.2)\n"
    assert said("history", "--format", "csv").count("\n") == 3
    assert "tolerance" in said("list")
    refused = navbook("config", "set", "tolerance", "much", folder=tmp_path)
    assert refused.returncode == 2
    assert sentence(refused).startswith("navbook: tolerance was not changed: ")

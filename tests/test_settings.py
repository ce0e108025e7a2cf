"""Settings are read once, name what is wrong with them, and never tell a secret."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from navbook import settings
from navbook.errors import SettingsInvalid
from navbook.settings import CHECKOUT, Benchmark, Keys, Rebalance, Settings
from navbook.types import Environment

DESIGN = CHECKOUT.parent / "shared/DESIGN.md"
MAIN = "[accounts.main]\n"
SECRET = "s3cr3t" * 10


def file(content: str, name: str = "navbook.toml") -> Path:
    """A file of settings in the current folder, which is the test's own."""
    path = Path.cwd() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def loaded(content: str) -> Settings:
    return settings.load(file(content))


def complaint(content: str) -> str:
    """What is said of a file that cannot be used: one sentence that names it."""
    path = file(content)
    with pytest.raises(SettingsInvalid) as caught:
        settings.load(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value).removeprefix(str(path)).strip()


# -- files ------------------------------------------------------------------------------------------------------------
def test_without_a_file_it_is_the_demo():
    config = settings.load()
    assert (config.environment, config.accounts, config.is_demo) == (Environment.SANDBOX, {}, True)
    assert config.location == f"{Path.cwd()}/data/sandbox"


def test_the_file_of_this_folder_is_read_without_being_named():
    file("tolerance = 0.01\n" + MAIN)
    assert settings.load().tolerance == 0.01
    assert settings.load().is_demo is False


def test_a_variable_names_the_file_and_an_argument_wins(monkeypatch):
    file("tolerance = 0.01\n" + MAIN)
    monkeypatch.setenv("NAVBOOK_CONFIG", str(file("tolerance = 0.02\n" + MAIN, "other/second.toml")))
    assert settings.load().tolerance == 0.02
    assert settings.load("navbook.toml").tolerance == 0.01


def test_the_example_is_read():
    example = CHECKOUT / "navbook.example.toml"
    config = settings.load(example)
    assert list(config.accounts) == ["main", "sub"]
    assert config.accounts["sub"].master == "main"
    assert config.environment is Environment.SANDBOX
    assert set(tomllib.loads(example.read_text(encoding="utf-8"))) <= set(Settings.model_fields)


@pytest.mark.skipif(not DESIGN.exists(), reason="needs ../shared/DESIGN.md, which is not in this repository")
def test_the_toml_of_the_design_is_read():
    config = loaded(DESIGN.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0])
    assert config.sandbox_url == "http://127.0.0.1:8600"
    assert config.benchmark == Benchmark(weights={"BTC": 0.5, "ETH": 0.5}, rebalance=Rebalance(weekday=0, hour=12))
    assert (config.accounts["main"].fee_rate, config.accounts["sub"].master) == (0.2, "main")
    assert config.groups["family"].accounts == ["main", "sub"]
    assert config.jobs["collect"].cron == "0 * * * *"
    assert config.trade["btc_long"] == {"account": "main", "symbol": "BTCUSDT", "side": "LONG"}


def test_a_file_from_a_windows_editor_is_read():
    path = file("")
    path.write_bytes(b"\xef\xbb\xbf" + MAIN.replace("\n", "\r\n").encode())
    assert list(settings.load(path).accounts) == ["main"]


@pytest.mark.parametrize("named", ["nowhere.toml", "/nowhere/at/all.toml", "."])
def test_a_named_file_that_is_not_there_is_told(monkeypatch, named):
    monkeypatch.setenv("NAVBOOK_CONFIG", named)
    with pytest.raises(SettingsInvalid, match=f"There is no file {named}; write one, starting from navbook.example.toml"):
        settings.load()


@pytest.mark.parametrize(("content", "told"), [
    pytest.param("x = [", "is not valid TOML: Invalid value", id="no TOML"),
    pytest.param("a = 1\na = 2", "is not valid TOML", id="a key twice"),
    pytest.param("store = 'x'", "names no account; add a section such as [accounts.main]", id="no account"),
    pytest.param("", "names no account", id="nothing at all"),
    pytest.param("stoer = 'x'\n" + MAIN, "stoer is not a setting", id="misspelt on top"),
    pytest.param(MAIN + "[benchmark]\nweigths = { BTC = 1.0 }", "benchmark.weigths is not a setting", id="in a section"),
    pytest.param(MAIN + "[benchmark]\nrebalance = { weekdy = 1 }", "benchmark.rebalance.weekdy is not a setting", id="deeper"),
    pytest.param(MAIN + "benchmark = { rebalanced = 'never' }", "accounts.main.benchmark.rebalanced is not a setting", id="in an account's"),
    pytest.param(MAIN + "fee = 0.2", "accounts.main.fee is not a setting", id="in an account"),
    pytest.param(MAIN + "[groups.g]\nacounts = []", "groups.g.acounts is not a setting", id="in a group"),
    pytest.param(MAIN + "[jobs.collect]\ncorn = 'x'", "jobs.collect.corn is not a setting", id="in a job"),
    pytest.param("base = '/'\n" + MAIN, "base is not a setting", id="what only load sets"),
    pytest.param("file = '/'\n" + MAIN, "file is not a setting", id="what only load sets, too"),
    pytest.param("environment = 'LIVE'\n" + MAIN, "environment: Input should be 'sandbox', 'testnet' or 'live'", id="environment"),
    pytest.param("sandbox_url = '127.0.0.1:8600'\n" + MAIN, "sandbox_url: must be an address such as http://127.0.0.1:8600", id="no scheme"),
    pytest.param("sandbox_url = 'http://x/?a={}'\n" + MAIN, "sandbox_url: must be an address", id="a query"),
    pytest.param("sandbox_url = 'http://127.0.0.1:8600/live'\n" + MAIN, "sandbox_url: must be an address", id="a path"),
    pytest.param("sandbox_url = 'http://127.0.0.1:port'\n" + MAIN, "sandbox_url: must be an address", id="no port"),
    pytest.param("sandbox_url = 'https://fapi.binance.com.'\n" + MAIN, "sandbox_url: must be an address", id="a dot at its end"),
    pytest.param("heartbeat_url = 'http://h/secret 1'\n" + MAIN, "heartbeat_url: must be an address such as https", id="a blank"),
    pytest.param("heartbeat_url = 'http://h:secret/1'\n" + MAIN, "heartbeat_url: must be an address such as https", id="port"),
    pytest.param("[benchmarks.own]\nweights = { BTC = 1 }\n" + MAIN, "benchmarks.own has the name of an account's own", id="own"),
    pytest.param("[groups.g]\naccounts = ['main', 'main']\n" + MAIN, "groups.g.accounts: names main twice", id="twins in a group"),
    pytest.param("tolerance = nan\n" + MAIN, "tolerance: Input should be less than 1", id="not a number"),
    pytest.param("tolerance = -0.1\n" + MAIN, "tolerance: Input should be greater", id="below zero"),
    pytest.param("lookback_days = 0\n" + MAIN, "lookback_days: Input should be greater than or equal to 1", id="no look-back"),
    pytest.param("stablecoins = 'USDT'\n" + MAIN, "stablecoins: Input should be a valid tuple", id="a text for a list"),
    pytest.param(MAIN + "fee_rate = 20", "accounts.main.fee_rate: Input should be less than or equal to 1", id="percent"),
    pytest.param(MAIN + "master = 'nobody'", "accounts.main.master names nobody, which is no account", id="unknown master"),
    pytest.param(MAIN + "master = 'main'", "accounts.main.master names main, which is a sub-account itself", id="own master"),
    pytest.param(MAIN + "[accounts.a]\nmaster='main'\n[accounts.b]\nmaster='a'", "accounts.b.master names a, which is a sub-account itself", id="master of a master"),
    pytest.param(MAIN + "[groups.g]\naccounts = ['main', 'x']", "groups.g names x, which is no account", id="a stranger in a group"),
    pytest.param("[accounts.all]", "accounts.all: an account's name is", id="an account named all"),
    pytest.param("[accounts.'a b']", "accounts.a b: an account's name is", id="a name with a blank"),
    pytest.param("[accounts.'../x']", "accounts.../x: an account's name is", id="a name that is a path"),
    pytest.param("[accounts.my-main]\n[accounts.my_main]", "two accounts would share the variables NAVBOOK_MY_MAIN_API_KEY", id="twins"),
])
def test_what_cannot_be_used_is_named_with_its_file(content, told):
    assert told in complaint(content)


@pytest.mark.parametrize(("weights", "told"), [
    ("{ BTC = 0.5 }", "must be positive and add up to 1"), ("{}", "must be positive and add up to 1"),
    ("{ BTC = 1.5, ETH = -0.5 }", "must be positive"), ("{ BTC = nan }", "must be positive"), ("{ BTC = inf }", "add up to 1"),
    ("{ btc = 1.0 }", "assets are written as Binance does, BTC, not btc"), ("{ BTC = 'half' }", "benchmark.weights.BTC"),
])
def test_weights_that_cannot_be_are_refused(weights, told):
    assert told in complaint(f"{MAIN}[benchmark]\nweights = {weights}")


@pytest.mark.parametrize(("when", "told"), [
    ("'weekly'", "benchmark.rebalance: Input should be 'never'"), ("{ weekday = 7 }", "benchmark.rebalance.weekday: "),
    ("{ hour = 24 }", "benchmark.rebalance.hour: "), ("5", "benchmark.rebalance: "),
])
def test_a37_a_time_of_rebalance_that_is_none_is_told_once(when, told):
    said = complaint(f"{MAIN}[benchmark]\nrebalance = {when}")
    assert told in said
    assert ";" not in said


def test_a37_a_rebalance_may_be_never_or_any_hour_of_the_week():
    assert loaded(f"{MAIN}[benchmark]\nrebalance = 'never'").benchmark.rebalance == "never"
    assert loaded(f"{MAIN}[benchmark]\nrebalance = {{ weekday = 6, hour = 23 }}").benchmark.rebalance == Rebalance(weekday=6, hour=23)


def test_an_accounts_own_benchmark_takes_the_rest_from_the_common_one():
    config = loaded(f"{MAIN}[accounts.main.benchmark]\nrebalance = 'never'\n[accounts.sub]\n"
                    "[benchmark]\nweights = { SOL = 1.0 }\nwithdrawal = 'share'")
    assert config.benchmark_of("main") == Benchmark(weights={"SOL": 1.0}, rebalance="never", withdrawal="share")
    assert config.benchmark_of("sub") == config.benchmark == Benchmark(weights={"SOL": 1.0}, withdrawal="share")


# -- folders ----------------------------------------------------------------------------------------------------------
def test_relative_folders_start_at_the_file(tmp_path, monkeypatch):
    path = file(f"store = 'facts'\nruns = '../runs'\n{MAIN}", "deep/down/navbook.toml")
    monkeypatch.chdir("/")
    config = settings.load(path)
    assert config.location == f"{tmp_path}/deep/down/facts/sandbox"
    assert config.runs_folder == tmp_path / "deep/runs"
    monkeypatch.setenv("NAVBOOK_STORE", "elsewhere")
    assert settings.load(path).location == f"{tmp_path}/deep/down/elsewhere/sandbox"


@pytest.mark.parametrize(("store", "location"), [
    ("/var/navbook", "/var/navbook/live"), ("s3://bucket/prefix", "s3://bucket/prefix/live"),
    ("s3://bucket/prefix/", "s3://bucket/prefix/live"), ("~/navbook", "HOME/navbook/live"),
])
def test_other_stores_stay_where_they_are(tmp_path, monkeypatch, store, location):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = loaded(f"environment = 'live'\nstore = '{store}'\n{MAIN}")
    assert config.location == location.replace("HOME", str(tmp_path))


# -- variables --------------------------------------------------------------------------------------------------------
def test_variables_go_over_the_file(monkeypatch):
    for name, value in {"ENVIRONMENT": "testnet", "TOLERANCE": "0.1", "STABLECOINS": '["USDT"]', "LOOKBACK_DAYS": "7",
                        "SANDBOX_URL": "", "store": "other"}.items():
        monkeypatch.setenv(f"NAVBOOK_{name}" if name.isupper() else f"navbook_{name}", value)
    config = loaded(f"environment = 'live'\nstablecoins = ['USDC']\nsandbox_url = 'http://x'\n{MAIN}")
    assert (config.environment, config.tolerance, config.stablecoins, config.lookback_days) == (
        Environment.TESTNET, 0.1, ("USDT",), 7)
    assert config.sandbox_url == "http://x", "an empty variable says nothing"
    assert config.store == "other"


def test_accounts_may_come_from_a_variable(monkeypatch):
    monkeypatch.setenv("NAVBOOK_ACCOUNTS", '{"main": {}, "sub": {"master": "main"}}')
    config = settings.load()
    assert (config.names(), config.accounts["sub"].master, config.is_demo) == (["main", "sub"], "main", False)
    assert loaded("store = 'x'").names() == ["main", "sub"]


def test_a_variables_table_replaces_the_keys_that_it_names(monkeypatch):
    monkeypatch.setenv("NAVBOOK_BENCHMARK", '{"weights": {"SOL": 1.0}}')
    monkeypatch.setenv("NAVBOOK_ACCOUNTS", '{"sub": {"master": "main"}}')
    config = loaded(f"{MAIN}fee_rate = 0.1\n[accounts.sub]\nfee_rate = 0.2\n[benchmark]\nrebalance = 'never'\nweights = {{ BTC = 1.0 }}")
    assert config.benchmark == Benchmark(weights={"SOL": 1.0}, rebalance="never")
    assert (config.accounts["main"].fee_rate, config.accounts["sub"].fee_rate) == (0.1, 0.0)


@pytest.mark.parametrize(("variable", "value", "told"), [
    ("ENVIRONMENT", "prod", "The environment cannot be used: NAVBOOK_ENVIRONMENT: Input should be 'sandbox'"),
    ("TOLERANCE", "much", "The environment cannot be used: NAVBOOK_TOLERANCE: "),
    ("ACCOUNTS", "main", "NAVBOOK_ACCOUNTS is not valid JSON"),
    ("ACCOUNTS", '["main"]', "The environment cannot be used: NAVBOOK_ACCOUNTS: "),
    ("ACCOUNTS", '{"x": {"api_key": "s3cr3t"}}', "The environment cannot be used: NAVBOOK_ACCOUNTS.x.api_key is not a setting"),
    ("BENCHMARK", '{"weights": {"BTC": 2}}', "The environment cannot be used: NAVBOOK_BENCHMARK.weights: "),
])
def test_a_variable_that_cannot_be_used_is_named_not_the_file(monkeypatch, variable, value, told):
    path = file(MAIN)
    monkeypatch.setenv(f"NAVBOOK_{variable}", value)
    with pytest.raises(SettingsInvalid) as caught:
        settings.load(path)
    assert str(caught.value).startswith(told)
    assert "s3cr3t" not in str(caught.value)


def test_what_load_sets_no_variable_moves(monkeypatch, tmp_path):
    monkeypatch.setenv("NAVBOOK_BASE", "/etc")
    monkeypatch.setenv("NAVBOOK_FILE", "/etc/passwd")
    config = loaded(MAIN)
    assert (config.base, config.file) == (tmp_path, tmp_path / "navbook.toml")
    Path("navbook.toml").unlink()
    assert settings.load().is_demo


def test_other_variables_of_navbook_are_no_settings(monkeypatch):
    for name in ("NAVBOOK_MAIN_API_KEY", "NAVBOOK_TABLE_VERSIONS", "NAVBOOK_RUN", "NAVBOOK_LOG"):
        monkeypatch.setenv(name, "x")
    assert loaded(MAIN).names() == ["main"]


def test_an_unknown_account_is_answered_with_the_known_ones():
    config = loaded(MAIN + "[accounts.sub]")
    assert (config.names(), config.names("sub")) == (["main", "sub"], ["sub"])
    with pytest.raises(SettingsInvalid, match="There is no account mian; there are main, sub"):
        config.names("mian")
    with pytest.raises(SettingsInvalid, match="there are none"):
        settings.Settings().names("main")


def test_settings_cannot_be_changed_by_mistake():
    with pytest.raises(ValueError, match="frozen"):
        loaded(MAIN).environment = Environment.LIVE


# -- keys -------------------------------------------------------------------------------------------------------------
def shown(keys: Keys) -> tuple[str, str]:
    return keys.api_key.get_secret_value(), keys.api_secret.get_secret_value()


def test_keys_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("NAVBOOK_MY_MAIN_API_KEY", "key")
    monkeypatch.setenv("NAVBOOK_MY_MAIN_API_SECRET", " secret\n")
    assert shown(settings.keys("my-main", Environment.LIVE)) == ("key", "secret")


def test_keys_come_from_files():
    key, secret = file("key\n", "key"), file("\ufeffsecret\r\n", "secret")
    variables = {"NAVBOOK_MAIN_API_KEY_FILE": str(key), "NAVBOOK_MAIN_API_SECRET_FILE": str(secret)}
    assert shown(settings.keys("main", Environment.LIVE, variables)) == ("key", "secret")
    assert shown(settings.keys("main", Environment.LIVE, variables | {"NAVBOOK_MAIN_API_KEY": "own"})) == ("own", "secret")


@pytest.mark.parametrize("variables", [
    {}, {"NAVBOOK_MAIN_API_KEY": "key"}, {"NAVBOOK_MAIN_API_SECRET": "secret"},
    {"NAVBOOK_MAIN_API_KEY": " ", "NAVBOOK_MAIN_API_SECRET": "secret"},
    {"BINANCE_TESTNET_API_KEY": "key", "BINANCE_TESTNET_API_SECRET": "secret"},
    {"NAVBOOK_MAIN_API_API_KEY": "key", "NAVBOOK_MAIN_API_API_SECRET": "secret"},
], ids=str)
def test_keys_that_are_missing_are_told_with_their_variables(variables):
    with pytest.raises(SettingsInvalid) as caught:
        settings.keys("main", Environment.LIVE, variables)
    assert str(caught.value) == ("No API key for account main: set NAVBOOK_MAIN_API_KEY and NAVBOOK_MAIN_API_SECRET "
                                 "(or …_FILE).")


def test_the_testnet_has_variables_for_every_account():
    variables = {"BINANCE_TESTNET_API_KEY": "key", "BINANCE_TESTNET_API_SECRET": "secret"}
    assert shown(settings.keys("main", Environment.TESTNET, variables)) == ("key", "secret")
    own = {"NAVBOOK_MAIN_API_KEY": "own", "NAVBOOK_MAIN_API_SECRET": "mine"}
    assert shown(settings.keys("main", Environment.TESTNET, variables | own)) == ("own", "mine")
    with pytest.raises(SettingsInvalid, match="or BINANCE_TESTNET_API_KEY and BINANCE_TESTNET_API_SECRET"):
        settings.keys("main", Environment.TESTNET, {})


@pytest.mark.parametrize("content", [None, "key\nsecret", "two words", "kéy"])
def test_a_key_file_that_holds_no_key_is_named_and_not_shown(content):
    if content:
        file(content, "key")
    variables = {"NAVBOOK_MAIN_API_KEY_FILE": "key", "NAVBOOK_MAIN_API_SECRET": "secret"}
    with pytest.raises(SettingsInvalid, match="NAVBOOK_MAIN_API_KEY_FILE") as caught:
        settings.keys("main", Environment.LIVE, variables)
    assert not content or content not in str(caught.value)


def test_no_secret_is_ever_shown(monkeypatch):
    monkeypatch.setenv("NAVBOOK_MAIN_API_KEY", SECRET)
    monkeypatch.setenv("NAVBOOK_MAIN_API_SECRET", SECRET)
    config, keys = loaded(MAIN), settings.keys("main", Environment.LIVE)
    told = [form(thing) for thing in (config, keys) for form in (
        str, repr, lambda thing: str(thing.model_dump()), lambda thing: thing.model_dump_json(),
        lambda thing: json.dumps(thing.model_dump(mode="json")), lambda thing: f"{thing!r:>9}", lambda thing: str(vars(thing)))]
    assert not [text for text in told if SECRET in text]
    assert "**********" in repr(keys)


# -- children ---------------------------------------------------------------------------------------------------------
def variables_of(*accounts: str) -> dict[str, str]:
    return {f"NAVBOOK_{account}_API_{part}{form}": "x" for account in accounts for part in ("KEY", "SECRET")
            for form in ("", "_FILE")}


HARMLESS = {"PATH": "/bin", "NAVBOOK_STORE": "data", "NAVBOOK_ACCOUNTS": "{}", "API_URL": "x"}
TESTNET = {"BINANCE_TESTNET_API_KEY": "x", "BINANCE_TESTNET_API_SECRET": "x"}


def test_a_child_gets_no_secret_by_itself():
    secrets = variables_of("MAIN", "SUB") | TESTNET | {"SESSION_SECRET": "x", "NAVBOOK_SESSION_SECRET": "x",
                                                       "BINANCE_API_KEY": "x", "binance_api_secret": "x"}
    assert settings.without_secrets(HARMLESS | secrets) == HARMLESS


def test_a_child_gets_the_keys_of_its_accounts_alone():
    secrets = variables_of("MAIN", "SUB", "MY_OWN") | {"SESSION_SECRET": "x"} | TESTNET
    found = settings.without_secrets(HARMLESS | secrets, ["main", "my-own"])
    assert found == HARMLESS | variables_of("MAIN", "MY_OWN")


@pytest.mark.parametrize(("asked", "others"), [
    ("main", ["main_api", "main_api_key", "main-2", "main_API_SECRET_FILE", "MAIN_api_key_file"]),
    ("main_api", ["main", "main_api_api"]),
    ("a", ["a_api", "b", "a_api_key"]),
])
def test_an_account_whose_name_begins_like_another_gets_its_own_keys_alone(asked, others):
    names = {name: settings.variable_of(name) for name in (asked, *others)}
    found = settings.without_secrets(variables_of(*names.values()), [asked])
    assert found == variables_of(names[asked])


def test_an_account_without_keys_of_its_own_gets_those_of_the_testnet():
    """Else its kernel could not do what its parent could."""
    assert settings.without_secrets(HARMLESS | TESTNET, ["main"]) == HARMLESS | TESTNET
    assert settings.without_secrets(HARMLESS | TESTNET | variables_of("MAIN"), ["main"]) == HARMLESS | variables_of("MAIN")


def test_what_a_child_gets_is_enough_for_its_keys(monkeypatch):
    for name, value in (variables_of("MAIN", "MAIN_API") | TESTNET).items():
        if not name.endswith("_FILE"):
            monkeypatch.setenv(name, value)
    child = settings.without_secrets(os.environ, ["main"])
    assert shown(settings.keys("main", Environment.TESTNET, child)) == ("x", "x")
    with pytest.raises(SettingsInvalid):
        settings.keys("main_api", Environment.TESTNET, child)

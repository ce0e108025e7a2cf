"""The command line as a user meets it: its own process, real files, a real exchange, one sentence per trouble."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import CHECKOUT, NAVBOOK, clean_environment, navbook, sentence
from locals import local_exchange

KEYS = {"NAVBOOK_MAIN_API_KEY": "k" * 64, "NAVBOOK_MAIN_API_SECRET": "s" * 64}


@pytest.fixture
def local(tmp_path, monkeypatch):
    with local_exchange(tmp_path, monkeypatch) as exchange:
        exchange.prices(BTCUSDT=50_000, ETHUSDT=2500)
        exchange.account("main", {"spot": {"USDT": "1000"}}, keys=False)
        exchange.config()
        yield exchange


REAL_KEYS = {"NAVBOOK_MAIN_API_KEY": "key-of-main".ljust(64, "x"),
             "NAVBOOK_MAIN_API_SECRET": "secret-of-main".ljust(64, "x")}


def test_help_imports_nothing_heavy():
    """`navbook --help` answers at once (0.15 s here): it must not pull in polars, pydantic or Jupyter."""
    seen = subprocess.run([sys.executable, "-X", "importtime", "-m", "navbook.cli", "--help"], capture_output=True,
                          text=True, check=True).stderr
    heavy = {"polars", "pydantic", "duckdb", "deltalake", "papermill", "binance", "altair", "numpy", "nbconvert"}
    assert heavy.isdisjoint(line.rsplit("|", 1)[-1].strip() for line in seen.splitlines())


def test_without_configuration_it_says_first_that_the_demo_accounts_are_used(tmp_path):
    result = navbook("collect", "--no-notebook", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    first, second = result.stdout.splitlines()
    assert first == "No navbook.toml and no keys: collecting the demo accounts of the local sandbox."
    assert second.endswith("main complete, sub complete, swing complete.")


def test_a_wrong_key(local, tmp_path):
    said = sentence(navbook("collect", "--no-notebook", folder=tmp_path, variables=KEYS))
    assert "main: the spot wallet could not be read: GET /api/v3/account was refused (-2015)" in said
    assert said.count("Check the key") == 1    # not once for every wallet


def test_a_wrong_key_through_papermill_says_the_same(local, tmp_path):
    result = navbook("collect", folder=tmp_path, variables=KEYS)
    said = sentence(result)
    assert result.returncode == 1
    assert "refused (-2015)" in said
    assert str(tmp_path / "runs" / "collect") in said
    record = json.loads(next(tmp_path.glob("runs/collect/*/run.json")).read_text())
    assert (record["status"], record["failing_cell"] is None) == ("failed", False)
    assert "refused (-2015)" in record["reason"]
    assert "refused (-2015)" in next(tmp_path.glob("runs/collect/*/page.html")).read_text()


def test_a_missing_key(local, tmp_path):
    for variables in ({}, {"NAVBOOK_MAIN_API_KEY": "k"}):
        said = sentence(navbook("collect", "--no-notebook", folder=tmp_path, variables=variables))
        assert "No API key for account main: set NAVBOOK_MAIN_API_KEY and NAVBOOK_MAIN_API_SECRET" in said


def test_no_network(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))    # bound, not listening: refuses
        (tmp_path / "navbook.toml").write_text(
            f'sandbox_url = "http://127.0.0.1:{taken.getsockname()[1]}"\n[accounts.main]\n')
        said = sentence(navbook("collect", "--no-notebook", folder=tmp_path, variables=KEYS))
    assert "GET /api/v3/time could not be reached" in said
    assert "try again later" in said


def test_a_taken_port(tmp_path):
    (tmp_path / "runs" / "published").mkdir(parents=True)
    (tmp_path / "runs" / "published" / "index.html").write_text("<p>here</p>")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = sentence(navbook("dashboards", "--port", str(port), folder=tmp_path))
        assert str(port) in said
        said = sentence(navbook("sandbox", "--port", str(port), folder=tmp_path))
        assert str(port) in said


def test_nothing_published_yet(tmp_path):
    assert "run make demo" in sentence(navbook("dashboards", folder=tmp_path))


@pytest.mark.parametrize(("toml", "named"), [
    pytest.param("[accounts.main", "not valid TOML", id="broken"),
    pytest.param('enviroment = "live"\n[accounts.main]', "enviroment is not a setting", id="misspelt key"),
    pytest.param('environment = "live"', "names no account", id="no accounts"),
])
def test_a_broken_navbook_toml(tmp_path, toml, named):
    (tmp_path / "navbook.toml").write_text(toml)
    result = navbook("collect", folder=tmp_path)
    said = sentence(result)
    assert named in said
    assert "navbook.toml" in said
    assert result.returncode == 2


def test_a_named_file_that_is_not_there(tmp_path):
    assert "There is no file nowhere.toml" in sentence(navbook("benchmark", "--config", "nowhere.toml", folder=tmp_path))


def test_an_unknown_account(local, tmp_path):
    said = sentence(navbook("collect", "--account", "mane", folder=tmp_path, variables=REAL_KEYS))
    assert said == "navbook: There is no account mane; there are main."


def test_an_unknown_account_is_refused_by_every_job(tmp_path):
    for job in ("benchmark", "publish"):
        assert "There is no account ../../x" in sentence(navbook(job, "--account", "../../x", folder=tmp_path))
    assert not (tmp_path / "runs" / job).exists()


def test_a_query_may_begin_with_a_comment(tmp_path):
    result = navbook("sql", "-- how many\nselect 2 as n", "--format", "csv", folder=tmp_path)
    assert result.stdout == "n\n2\n", result.stderr


def test_a_failing_query_gives_duckdbs_words(tmp_path):
    assert "nowhere" in sentence(navbook("sql", "from nowhere", folder=tmp_path))


def test_sql_prints_a_table_csv_or_json(local, tmp_path):
    navbook("collect", "--no-notebook", folder=tmp_path, variables=REAL_KEYS)
    navbook("benchmark", "--no-notebook", folder=tmp_path)
    query = "select account, nav, benchmark_value from nav_history"
    assert navbook("sql", query, "--format", "csv", folder=tmp_path).stdout == (
        "account,nav,benchmark_value\nmain,1000.0,1000.0\n")
    assert json.loads(navbook("sql", query, "--format", "json", folder=tmp_path).stdout) == [
        {"account": "main", "nav": 1000.0, "benchmark_value": 1000.0}]
    assert "1000.0" in navbook("sql", query, folder=tmp_path).stdout


def test_a71_a_second_run_names_the_holder_and_exits_75(local, tmp_path):
    """A killed holder leaves no stuck lock."""
    local.fault("/api/v3/account", mode="delay", delay_ms=60_000, count=50)
    first = subprocess.Popen([NAVBOOK, "collect", "--no-notebook"], cwd=tmp_path, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, env=clean_environment() | REAL_KEYS)
    try:
        holder = tmp_path / "runs" / ".locks" / "sandbox-collect.json"
        deadline = time.monotonic() + 20
        while not holder.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        second = navbook("collect", "--no-notebook", folder=tmp_path, variables=REAL_KEYS)
        assert second.returncode == 75
        assert f"process {first.pid}" in sentence(second)
    finally:
        first.kill()
        first.wait()
    local.server.control("DELETE", "faults")
    assert navbook("collect", "--no-notebook", folder=tmp_path, variables=REAL_KEYS).returncode == 0


def test_a_folder_that_cannot_be_written(local, tmp_path):
    (tmp_path / "data").write_text("a file where the store should be")
    result = navbook("collect", "--no-notebook", folder=tmp_path, variables=REAL_KEYS)
    assert "data" in sentence(result)


def test_a_damaged_parquet_file_is_named(local, tmp_path):
    assert navbook("collect", "--no-notebook", folder=tmp_path, variables=REAL_KEYS).returncode == 0
    for file in (tmp_path / "data/sandbox/facts/balances").glob("*.parquet"):
        file.write_bytes(b"not any more")
    result = navbook("benchmark", "--no-notebook", folder=tmp_path)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    said = result.stderr.splitlines()[-1]    # what stands before it is polars' own panic
    assert "The table balances of" in said
    assert "damaged" in said


def test_the_demo_does_not_mix_with_another_sandboxs_accounts(local, tmp_path):
    assert navbook("collect", "--no-notebook", folder=tmp_path, variables=REAL_KEYS).returncode == 0
    assert "a store of their own" in sentence(navbook("demo", "--no-serve", folder=tmp_path)).replace("\n", " ")


def test_a_store_of_newer_code_is_refused(local, tmp_path):
    from navbook.runner import stores
    config = local.config()
    stores.claim(config)
    stores.write_meta(config, schema_version="99")
    said = sentence(navbook("collect", "--no-notebook", folder=tmp_path, variables=REAL_KEYS))
    assert "newer navbook" in said


def test_the_run_folder_is_complete(local, tmp_path):
    result = navbook("collect", folder=tmp_path, variables=REAL_KEYS)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    folder = Path(result.stdout.strip().rsplit("Run: ", 1)[1])
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json", "log.jsonl", "notebook.ipynb", "page.html", "run.json"]
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "ok"
    assert record["parameters"] == {"account": "all"}
    assert record["tables_written"]["snapshots"] == 0
    events = [json.loads(line)["event"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert (events[0], events[-1]) == ("started", "ended")
    assert "account read" in events
    runs = navbook("sql", "select job, status from runs", "--format", "csv", folder=tmp_path).stdout
    assert runs == "job,status\ncollect,ok\n"


def test_no_secret_is_left_anywhere(local, tmp_path):
    """Keys reach the exchange and nothing else: no file under data/ or runs/, whether the run went well or not."""
    navbook("collect", folder=tmp_path, variables=REAL_KEYS)
    local.fault("/api/v3/account", status=401, code=-2015, count=1)
    navbook("all", folder=tmp_path, variables=REAL_KEYS)
    planted = [value.encode() for value in REAL_KEYS.values()]
    files = [file for folder in ("data", "runs") for file in (tmp_path / folder).rglob("*") if file.is_file()]
    assert len(files) > 10
    assert [file for file in files if any(secret in file.read_bytes() for secret in planted)] == []
    assert [file for file in files if b"signature=" in file.read_bytes()] == []


def test_jobs_that_talk_to_no_exchange_get_no_key(local, tmp_path, monkeypatch):
    """The benchmark's kernel has neither the accounts' keys nor SESSION_SECRET."""
    from navbook.runner import jobs
    for name, value in {**REAL_KEYS, "SESSION_SECRET": "s3cret"}.items():
        monkeypatch.setenv(name, value)
    record = jobs.Record(run="r", job="j", notebook="benchmark", account="all", environment="sandbox", store="", status="running",
                         started_at="", parameters={}, code="", packages={}, tables_read={})
    assert not {"s3cret", *REAL_KEYS.values()} & set(jobs.kernel_environment(local.config(), record, tmp_path).values())
    record.notebook = "collect"
    given = jobs.kernel_environment(local.config(), record, tmp_path)
    assert given["NAVBOOK_MAIN_API_KEY"] == REAL_KEYS["NAVBOOK_MAIN_API_KEY"]
    assert "SESSION_SECRET" not in given


def test_an_unknown_parameter_of_a_notebook_is_refused(local):
    from navbook.errors import UnknownParameter
    from navbook.runner import jobs
    with pytest.raises(UnknownParameter, match=r"benchmark\.ipynb has no parameter as_off; it takes account, as_of"):
        jobs.run(local.config(), "benchmark", as_off="now")


def test_make_lists_its_targets():
    listed = subprocess.run(["make"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert {"setup", "demo", "collect", "test"} <= {line.split()[0] for line in listed.splitlines()}

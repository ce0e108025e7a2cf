"""`navbook demo --no-serve` from an empty folder: the whole road, as a newcomer travels it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import navbook
from navbook import schemas
from navbook.runner import kernels, sandbox
from navbook.settings import NOTEBOOKS, load
from navbook.store import catalog, tables

# "Performance Queries" of the first portfolio monitor, as its users type them.
LATEST = """-- Latest performance comparison
SELECT
    ba.account_name,
    nh.nav,
    nh.benchmark_value,
    (nh.nav - nh.benchmark_value) AS difference,
    ((nh.nav - nh.benchmark_value) / nh.benchmark_value * 100) AS outperformance_pct
FROM nav_history nh
JOIN binance_accounts ba ON nh.account_id = ba.id
WHERE nh.timestamp >= NOW() - INTERVAL '24 hours'
ORDER BY nh.timestamp DESC;
"""
TREND = """-- Historical performance trend
SELECT
    DATE(timestamp) as date,
    AVG(nav) as avg_nav,
    AVG(benchmark_value) as avg_benchmark
FROM nav_history
WHERE account_id = 1
GROUP BY DATE(timestamp)
ORDER BY date DESC
LIMIT 30;
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    result = navbook("demo", "--no-serve", folder=folder)
    assert result.returncode == 0, result.stderr
    return folder, result


@pytest.fixture
def demo(made):
    """The demo's folder, to look at only."""
    return made[0]


@pytest.fixture
def copy(made, tmp_path):
    """A copy of the demo's folder, to change."""
    shutil.copytree(made[0], tmp_path / "copy")
    return tmp_path / "copy"


def location(folder: Path) -> str:
    return str(folder / "data" / "sandbox")


def rows(folder: Path, query: str) -> list[dict[str, object]]:
    return catalog.connect(location(folder)).sql(query).pl().to_dicts()


ROAD = ("collect", "benchmark", "backtest", "publish")    # in the order of `navbook all`
ELSEWHERE = ("parity",)    # needs trades of a trader: tests/test_runner_parity.py
BENCHMARKED = [name for name in schemas.DERIVED if not name.startswith(("backtest", "parity"))]    # by navbook benchmark


def hashes(folder: Path) -> dict[str, str | None]:
    return {name: tables.stored_hash(location(folder), schemas.DERIVED[name]) for name in BENCHMARKED}


def test_shows_progress_and_where_the_result_is(made):
    folder, result = made
    assert result.stdout.startswith("Demo: the local sandbox's own accounts")
    assert "541 of 541 snapshots" in result.stderr
    assert str(folder / "runs" / "published") in result.stdout


def test_three_accounts_over_ninety_days_to_the_present(demo):
    spans = rows(demo, """select account, count(*) as snapshots, date_diff('day', min(time), max(time)) as days,
                            max(time) > now() - interval 10 minute as fresh from nav_history group by 1 order by 1""")
    assert [row["account"] for row in spans] == ["main", "sub", "swing"]
    assert {(row["snapshots"], row["days"]) for row in spans} <= {(541, 90), (542, 90)}    # 541 on the very slot
    assert all(row["fresh"] for row in spans)


def test_every_snapshot_is_complete_and_has_a_benchmark(demo):
    assert rows(demo, "select distinct grade, nav > 0 as nav, benchmark_value > 0 as benchmark from nav_history") == [
        {"grade": "complete", "nav": True, "benchmark": True}]


def test_the_first_users_queries_run_as_printed(demo):
    latest, trend = (list(csv.DictReader(io.StringIO(navbook("sql", query, "--format", "csv", folder=demo).stdout)))
                     for query in (LATEST, TREND))
    assert {row["account_name"] for row in latest} == {"main", "swing", "sub"}
    assert len(trend) == 30
    assert all(float(row["avg_nav"]) > 0 and float(row["avg_benchmark"]) > 0 for row in trend)


def test_flows_of_several_coins_and_a_transfer_with_the_sub_account(demo):
    flows = rows(demo, "select account, kind, asset, value_usd from flow_values")
    assert len({row["asset"] for row in flows}) >= 3
    assert {"DEPOSIT", "WITHDRAWAL", "SUB_DEPOSIT", "SUB_WITHDRAWAL"} == {row["kind"] for row in flows}
    assert all(row["value_usd"] for row in flows)


def test_open_futures_positions_are_in_the_nav(demo):
    wallets = rows(demo, "select distinct wallet from holdings where account = 'swing' order by 1")
    assert [row["wallet"] for row in wallets] == ["funding", "futures", "spot"]


def test_the_parts_add_up_to_the_nav(demo):
    """A19: the sum over wallets and assets is the NAV."""
    worst = rows(demo, """select max(abs(h.total - n.nav)) as worst from nav_history n
        join (select account, time, sum(value_usd) as total from holdings group by 1, 2) h using (account, time)""")
    assert worst[0]["worst"] < 1e-8


def test_the_journal_replays_to_the_stored_values(demo):
    """A36, A42: units before and after chain up, and units times price is the stored value."""
    broken = rows(demo, """
        with chain as (select *, lag(units_after) over (partition by account, benchmark, asset order by step) as previous
                       from benchmark_journal)
        select * from chain where previous is not null and previous <> units_before""")
    assert broken == []
    worst = rows(demo, """
        select max(abs(n.benchmark_value - u.value) / n.benchmark_value) as worst from nav_history n join (
            select n.account, n.time, sum(j.units_after * if(j.asset = 'BTC', n.btc_price, n.eth_price)) as value
            from nav_history n join benchmark_journal j on j.account = n.account and j.benchmark = 'own'
            and j.step = (select max(step) from benchmark_journal k where k.account = n.account and k.benchmark = 'own'
                              and k.time <= n.time)
            group by 1, 2) u using (account, time)""")
    assert worst[0]["worst"] < 1e-12


def test_a37_rebalances_every_monday_at_noon(demo):
    due = rows(demo, """select distinct dayofweek(time) as day, hour(time) as hour, minute(time) as minute
                          from benchmark_journal where event = 'rebalance'""")
    assert due == [{"day": 1, "hour": 12, "minute": 0}]


def test_pages_of_three_accounts_are_published(demo):
    pages = {file.name for file in (demo / "runs" / "published").iterdir()}
    assert {"index.html", "portfolio-main.html", "portfolio-swing.html", "portfolio-sub.html"} <= pages


def test_facts_are_kept_word_for_word_without_keys(demo):
    kinds = rows(demo, "select distinct endpoint from responses")
    assert {"GET /api/v3/account", "GET /fapi/v3/account", "GET /sapi/v1/capital/deposit/hisrec",
            "GET /sapi/v1/asset/wallet/balance"} <= {row["endpoint"] for row in kinds}
    for file in (file for place in ("data", "runs") for file in (demo / place).rglob("*") if file.is_file()):
        assert not re.search(rb"NotASecretDemoApi|signature=", file.read_bytes()), file


def test_n1_deleting_the_derived_tables_and_rebuilding_gives_the_same_hashes(copy):
    before = hashes(copy)
    shutil.rmtree(f"{location(copy)}/derived")
    assert navbook("benchmark", folder=copy).returncode == 0
    assert hashes(copy) == before
    assert None not in before.values()


def test_a27_a_second_demo_goes_on_in_the_same_world_without_a_double_row(copy):
    query = "select * from nav_history where account = 'main'"
    first = {row["time"]: row for row in rows(copy, query)}
    result = navbook("demo", "--no-serve", folder=copy)
    assert result.returncode == 0, result.stderr
    second = {row["time"]: row for row in rows(copy, query)}
    assert len(second) > len(first)
    assert {time: second[time] for time in first} == first
    for name, schema in {**schemas.FACTS, **schemas.DERIVED}.items():
        key = ", ".join(f'"{column}"' for column in schema.key)
        assert rows(copy, f"select {key} from {name} group by all having count(*) > 1") == [], name


def test_the_run_record_names_what_it_read_and_wrote(demo):
    record = json.loads(sorted((demo / "runs" / "benchmark").glob("*/run.json"))[0].read_text())
    assert record["status"] == "ok"
    assert record["tables_read"]["snapshots"] >= 0
    assert set(record["hashes"]) == set(BENCHMARKED)
    assert record["packages"]["polars"]


def test_notebooks_run_in_nbval(copy, monkeypatch):
    """Each committed notebook runs cell by cell in a kernel of its own, against a sandbox of the demo's accounts."""
    monkeypatch.chdir(copy)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with sandbox.for_command(load()) as ready:
        variables = kernels.variables(ready, copy, ready.names())
        result = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax",
                                 "--nbval-current-env", "--rootdir", str(copy), "-c", os.devnull,
                                 *[str(NOTEBOOKS / f"{name}.ipynb") for name in ROAD],
                                 *sorted(str(path) for path in NOTEBOOKS.rglob("*.ipynb") if path.stem not in (*ROAD, *ELSEWHERE))],
                                env=variables, cwd=copy, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:]

"""A43: a consistency check that finds what is wrong, names it, and whose --fix really works."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from commands import navbook, sentence
from navbook import schemas
from navbook.compute import verify as checks
from navbook.runner import rebuild, verify
from navbook.runner.verify import TablesDiffer
from navbook.schemas import BENCHMARK_JOURNAL, NAV_HISTORY
from navbook.store import tables
from navbook.types import FlowKind
from stores import configured, copied, keep, rebuilt, table
from worlds import World, at

COMPUTED = ("holdings", "flow_values", "nav_history", "benchmark_values", "benchmark_journal", "performance")


def world() -> World:
    world = World()
    for hour, cash in ((0, 10_000), (12, 15_000), (24, 14_000), (240, 14_000)):
        world.snapshot(at(hour), {"USDT": cash})
        world.prices = {"BTCUSDT": str(50_000 + 100 * hour), "ETHUSDT": str(2_500 - hour)}
    world.flow(at(5), 5_000)
    world.flow(at(20), 1_000, kind=FlowKind.WITHDRAWAL)
    world.rebalances([at(12), at(12 + 168)])
    return world


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("owner")
    config = configured(folder, more="[benchmark]\nrebalance = { weekday = 0, hour = 12 }\n")
    keep(config, world())
    rebuilt(config)
    return folder


@pytest.fixture
def config(owner, tmp_path):
    return copied(owner, tmp_path)


def found(config, *, fix=False) -> list[str]:
    """What `navbook verify` says, line by line, the refusal last."""
    lines: list[str] = []
    try:
        verify.verify_tables(config, lines.append, fix=fix)
    except TablesDiffer as problem:
        lines.append(str(problem))
    return lines


def place(config, name) -> str:
    return f"{config.location}/derived/{name}"


def hashes(config):
    return {name: tables.stored_hash(config.location, schemas.DERIVED[name]) for name in COMPUTED}


def doubled(config, name, column):
    """`name` with `column` twice as large in its second row, and the key of that row."""
    rows = tables.read(config.location, schemas.DERIVED[name])
    second = pl.int_range(pl.len()) == 1
    return rows.with_columns(pl.when(second).then(pl.col(column) * 2).otherwise(column).alias(column))


def test_a43_what_a_rebuild_wrote_is_right(config):
    before = tables.versions(config.location)
    lines = found(config, fix=True)
    assert {line.split(":")[0] for line in lines} >= set(COMPUTED)
    assert all("as the facts say" in line for line in lines)
    assert tables.versions(config.location) == before


@pytest.mark.parametrize(("name", "column", "says"), [
    ("benchmark_journal", "units_after", "first: main own 2026-03-02 00:00:00 0 ETH: units_after is 4.0, not 2.0"),
    ("nav_history", "nav", "first: main 2026-03-02 12:00:00: nav is 30000.0, not 15000.0"),
    ("performance", "nav_to", "first: main own 1w: nav_to is 28000.0, not 14000.0"),
])
def test_a43_corrupt_figures_are_named_and_fixed(config, name, column, says):
    before = hashes(config)
    write_deltalake(place(config, name), doubled(config, name, column), mode="overwrite")
    lines = found(config)
    assert any(line.startswith(f"{name}: 1 rows differ, ") and line.endswith(says) for line in lines), lines
    assert lines[-1] == f"{name}: not what the facts say; navbook verify --fix writes that anew."
    assert found(config, fix=True)[-1] == f"{name}: written anew, {tables.read(config.location, schemas.DERIVED[name]).height} rows"
    assert hashes(config) == before
    assert found(config)[-1].endswith("as the facts say")


def test_a43_a_file_changed_behind_the_tables_back_is_found_and_fixed(config):
    """The log still says that all is well: its content hash is the right one."""
    right = tables.read(config.location, BENCHMARK_JOURNAL)
    changed = doubled(config, "benchmark_journal", "units_after")
    changed.write_parquet(DeltaTable(place(config, "benchmark_journal")).file_uris()[0])
    assert "benchmark_journal: not what the facts say" in found(config)[-1]
    assert found(config, fix=True)[-1] == "benchmark_journal: written anew, 10 rows"
    assert tables.read(config.location, BENCHMARK_JOURNAL).equals(right)


def test_a43_a_damaged_file_and_a_lost_table_are_written_anew(config):
    before = hashes(config)
    Path(DeltaTable(place(config, "nav_history")).file_uris()[0]).write_bytes(b"PAR1 nonsense")
    shutil.rmtree(place(config, "flow_values"))
    lines = found(config)
    assert any(line.startswith("nav_history: The table nav_history of") for line in lines)
    assert any(line.startswith("flow_values: 2 rows differ, first: main deposit f0: row is missing, not stored") for line in lines)
    assert sum("written anew" in line for line in found(config, fix=True)) == 2
    assert hashes(config) == before


def test_a43_rows_that_no_fact_stands_behind(config):
    rows = tables.read(config.location, NAV_HISTORY)
    extra = rows.head(1).with_columns(account=pl.lit("ghost"))
    write_deltalake(place(config, "nav_history"), pl.concat([rows, extra]), mode="overwrite")
    assert any("ghost 2026-03-02 00:00:00: row is stored, not missing" in line for line in found(config))


def test_a_payment_that_was_recorded_since_is_no_fault(config):
    tables.append(config.location, schemas.FEE_PAYMENTS, schemas.FEE_PAYMENTS.rows([
        dict.fromkeys(schemas.FEE_PAYMENTS.columns) | {"account": "main", "id": "p1", "period": "2020-01", "action": "COLLECTED",
        "time": datetime.now(UTC), "amount_usd": 7, "revoked": False, "seen_at": datetime.now(UTC)}]))
    rebuilt(config)
    assert [line for line in found(config) if "differ" in line] == []
    assert table(config, "fees").filter(period="2020-01")["collected_usd"].to_list() == [7]


def test_snapshots_that_came_after_the_rebuild_are_no_fault(config):
    later = world()
    later.snapshot(at(300), {"USDT": 99_000})
    keep(config, later)
    assert all("as the facts say" in line for line in found(config))


def test_answers_of_a_rebuild_that_do_not_agree_are_no_matter_of_writing_anew(config, monkeypatch):
    right = rebuild.compute

    def bent(facts, config):
        answers = right(facts, config)
        return answers | {"benchmark_journal": answers["benchmark_journal"].with_columns(pl.col("units_after") * 2)}

    monkeypatch.setattr(rebuild, "compute", bent)
    before = tables.versions(config.location)
    assert found(config, fix=True)[0].startswith("benchmark_journal cannot be replayed even when worked out anew (10 rows; ")
    assert tables.versions(config.location) == before


def test_a43_the_command(config, tmp_path):
    write_deltalake(place(config, "benchmark_journal"), doubled(config, "benchmark_journal", "units_after"), mode="overwrite")
    wrong = navbook("verify", folder=tmp_path)
    assert (wrong.returncode, sentence(wrong)) == (
        1, "navbook: benchmark_journal: not what the facts say; navbook verify --fix writes that anew.")
    fixed = navbook("verify", "--fix", folder=tmp_path)
    assert fixed.returncode == 0, fixed.stderr
    assert fixed.stdout.splitlines()[-1] == "benchmark_journal: written anew, 10 rows"


# --- tables that must agree with one another

@pytest.fixture
def journal(config):
    return tables.read(config.location, BENCHMARK_JOURNAL)


def changed(journal, event, column, factor, asset=None):
    here = (pl.col("event") == event) & (pl.col("asset") == asset if asset else True)
    return journal.with_columns(pl.when(here).then(pl.col(column) * factor).otherwise(column).alias(column))


def test_a36_replaying_the_journal_gives_its_units(journal):
    assert set(journal["event"]) == {"init", "deposit", "withdrawal", "rebalance"}
    assert checks.journal_faults(journal) is None
    assert checks.journal_faults(BENCHMARK_JOURNAL.empty()) is None


@pytest.mark.parametrize(("event", "column", "factor", "asset"), [
    pytest.param("deposit", "units_before", 1.01, "BTC", id="units that came from nowhere"),
    pytest.param("deposit", "flow_usd", 1.01, None, id="a deposit that bought for more than it was"),
    pytest.param("withdrawal", "units_after", 0.99, "ETH", id="a withdrawal that sold more of one leg"),
    pytest.param("rebalance", "units_after", 0.99, "ETH", id="a rebalance that lost money"),
    pytest.param("withdrawal", "value_before", 1.01, None, id="a value that is not units times price"),
    pytest.param("init", "price", 1.01, "BTC", id="another price"),
])
def test_a36_a_journal_that_cannot_be_replayed(journal, event, column, factor, asset):
    fault = checks.journal_faults(changed(journal, event, column, factor, asset))
    assert fault is not None
    assert fault.rows >= 1
    assert fault.first.startswith("main own 2026-03-")


def test_a42_the_benchmarks_value_is_units_times_price_of_the_same_row(config, journal):
    history = tables.read(config.location, NAV_HISTORY)
    assert checks.value_faults(history, journal) is None
    assert history["benchmark_value"].null_count() == 0
    for column in ("benchmark_value", "btc_price", "eth_price"):
        fault = checks.value_faults(history.with_columns(pl.col(column) * 1.001), journal)
        assert fault is not None
        assert fault.rows == history.height
        assert "benchmark_value is" in fault.first


def test_a42_other_legs_are_left_to_the_rebuild(config, journal):
    history = tables.read(config.location, NAV_HISTORY).with_columns(pl.col("benchmark_value") * 2)
    assert checks.value_faults(history, journal.with_columns(pl.col("asset").replace("ETH", "SOL"))) is None
    alone = journal.filter(pl.col("asset") == "BTC")
    assert checks.value_faults(history, alone) is not None

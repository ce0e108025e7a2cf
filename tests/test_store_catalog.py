"""SQL and polars show the same rows of the same store, under our names and under those the first users know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import navbook
from navbook import schemas
from navbook.store import catalog, rewrite, tables

START = datetime(2026, 3, 2, tzinfo=UTC)
ALL = [*schemas.FACTS.values(), *schemas.DERIVED.values()]
PROMISED = {    # DESIGN.md, "Tables"
    "binance_accounts": {"id", "account_name", "created_at"},
    "benchmark_configs": {"id", "account_id", "btc_units", "eth_units", "rebalance_day", "rebalance_hour",
                          "next_rebalance_timestamp", "created_at"},
    "nav_history": {"account_id", "timestamp", "nav", "benchmark_value", "btc_price", "eth_price"},
    "processed_transactions": {"account_id", "transaction_id", "transaction_type", "amount", "timestamp", "status"},
    "account_processing_status": {"account_id"},
    "price_history": {"timestamp", "btc_price", "eth_price"},
}
SEEDS = Path(__file__).resolve().parents[2] / "shared/seeds/portfolio-monitor.md"


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A store in which every table holds rows; for reading."""
    location = str(tmp_path_factory.mktemp("full") / "it's a store" / "sandbox")
    fill(location)
    return location


@pytest.fixture
def location(tmp_path):
    return str(tmp_path / "it's a store" / "sandbox")


def some(schema: schemas.FrameSchema, rows: int = 7, seed: int = 0) -> pl.DataFrame:
    """Rows of any schema: keys that differ, a null here and there."""
    def cell(name: str, dtype: pl.DataType, row: int) -> object:
        if name not in (*schema.key, "seen_at") and (row + seed) % 5 == 0:
            return None
        number = row + seed
        return {pl.String(): f"{name} {row} \"'", pl.Boolean(): bool(number % 2), pl.Int32(): row, pl.Int64(): number,
                pl.Float64(): number / 7, schemas.TIME: START + timedelta(minutes=row, microseconds=row),
                schemas.AMOUNT: Decimal(number) / Decimal(8)}[dtype]

    return schema.rows([tuple(cell(name, dtype, row) for name, dtype in schema.columns.items()) for row in range(rows)])


def fill(location: str) -> None:
    """Every table written twice, so that older rows and versions lie about."""
    for seed in (0, 1):
        for schema in schemas.FACTS.values():
            tables.append(location, schema, some(schema, seed=seed))
        assert {tables.versions(location)[name] for name in schemas.FACTS} == {seed}
        for schema in schemas.DERIVED.values():
            rewrite.replace(location, schema, some(schema, seed=seed))


def facts(location: str) -> None:
    """One account with a snapshot, a flow and prices; the benchmark has run."""
    tables.append(location, schemas.ACCOUNTS, schemas.ACCOUNTS.rows([("main", 1, 77, None, START, START)]))
    tables.append(location, schemas.SNAPSHOTS, schemas.SNAPSHOTS.rows([
        ("main", START + timedelta(hours=hour), "complete", None, "{}", None, START, START) for hour in (0, 1)]))
    tables.append(location, schemas.CASH_FLOWS, schemas.CASH_FLOWS.rows([(
        "main", "deposit", "d1", START, START, "DEPOSIT", "USDT", Decimal(5), Decimal(0), "done", False, None,
        None, None, START)]))
    tables.append(location, schemas.PRICES, schemas.PRICES.rows([
        (START, "BTCUSDT", Decimal(50_000), START), (START, "ETHUSDT", Decimal(2500), START)]))
    rewrite.replace(location, schemas.NAV_HISTORY, schemas.NAV_HISTORY.rows([
        ("main", 1, START, "complete", None, 110.0, 100.0, 50_000.0, 2500.0, 1.0, 1.0)]))
    rewrite.replace(location, schemas.BENCHMARK_CONFIGS, schemas.BENCHMARK_CONFIGS.rows([
        ("main", 1, "own", '{"BTC": 0.5, "ETH": 0.5}', 0, 12, "benchmark", START, 0.1, 2.0, 0, None, START)]))


def test_every_view_shows_what_polars_reads(full):
    connection = catalog.connect(full)
    for schema in ALL:
        name = f"{schema.name}_table" if schema.name in catalog.FAMILIAR else schema.name
        shown = connection.sql(f'FROM "{name}"').pl().sort(schema.key)
        assert_frame_equal(shown, tables.read(full, schema))
        assert shown.height == 7


def test_every_table_is_a_lazy_frame(full):
    for schema in ALL:
        columns = list(schema.columns)
        shown = catalog.table(full, schema.name).select(columns).collect().sort(schema.key)
        assert_frame_equal(shown, tables.read(full, schema))


@pytest.mark.parametrize("name", sorted(PROMISED))
@pytest.mark.parametrize("filled", [False, True], ids=["in an empty store", "in a full one"])
def test_familiar_names_have_the_columns_that_people_know(location, name, filled):
    if filled:
        facts(location)
    shown = catalog.connect(location).sql(f'FROM "{name}"').pl()
    assert set(shown.columns) >= PROMISED[name]
    assert shown.is_empty() is not filled
    assert_frame_equal(catalog.table(location, name).collect(), shown)


def test_familiar_rows_say_what_ours_say(location):
    facts(location)
    connection = catalog.connect(location)
    assert connection.sql("SELECT id, account_name, created_at FROM binance_accounts").pl().rows() == [
        (1, "main", START)]
    assert connection.sql("SELECT account_id, transaction_id, transaction_type, amount, timestamp, status "
                          "FROM processed_transactions").pl().rows() == [
        (1, "deposit:d1", "DEPOSIT", Decimal(5), START, "done")]
    assert connection.sql("SELECT timestamp, btc_price, eth_price FROM price_history").pl().rows() == [
        (START, Decimal(50_000), Decimal(2500))]
    assert connection.sql("SELECT account_id, timestamp, nav FROM nav_history").pl().rows() == [(1, START, 110.0)]
    status = connection.sql("FROM account_processing_status").pl().to_dicts()
    assert status == [{"account_id": 1, "last_processed_timestamp": START, "updated_at": START + timedelta(hours=1)}]


@pytest.mark.skipif(not SEEDS.exists(), reason="needs ../shared/seeds/portfolio-monitor.md, which is not in this repository")
def test_the_queries_of_the_first_users_run_as_printed(location):
    facts(location)
    section = SEEDS.read_text(encoding="utf-8").split("Performance Queries")[1]
    queries = [query for query in section.split("```")[1].removeprefix("sql").split(";") if query.strip()]
    assert len(queries) == 2
    for query in queries:
        assert catalog.connect(location).sql(query).columns


def test_a_damaged_table_fails_the_queries_that_use_it_and_no_other(location):
    facts(location)
    for harm in ("not Parquet", None, "no log"):
        (file,) = tables.files(location, schemas.CASH_FLOWS) if harm != "no log" else (None,)
        if harm == "no log":
            next(Path(location, "facts/cash_flows/_delta_log").glob("*.json")).write_text("{")
        elif harm:
            Path(file).write_bytes(harm.encode())
        else:
            Path(file).unlink()
        connection = catalog.connect(location)
        assert connection.sql("SELECT count(*) FROM prices").pl().item() == 2
        assert connection.sql("SELECT count(*) FROM binance_accounts").pl().item() == 1
        for query in ("FROM cash_flows", "SELECT count(*) FROM cash_flows", "FROM processed_transactions"):
            with pytest.raises(duckdb.Error, match=r"The table cash_flows of .* cannot be read"):
                connection.sql(query).pl()


def test_a_database_file_holds_every_table_and_view(full, tmp_path):
    catalog.export(full, tmp_path / "a 'copy'.duckdb")
    copied = duckdb.connect(str(tmp_path / "a 'copy'.duckdb"), read_only=True)
    copied.execute("SET TimeZone = 'UTC'")
    live = catalog.connect(full)
    names = {*(schema.name for schema in ALL), *(f"{name}_table" for name in ("nav_history", "benchmark_configs")),
             *catalog.FAMILIAR}
    assert {name for name, in copied.sql("SELECT name FROM (SHOW TABLES)").fetchall()} == names
    for name in names:
        assert_frame_equal(copied.sql(f'FROM "{name}"').pl(), live.sql(f'FROM "{name}"').pl(), check_row_order=False)


def test_a_connection_is_a_moment_and_the_next_one_is_newer(location):
    facts(location)
    connection = catalog.connect(location)
    tables.append(location, schemas.PRICES, schemas.PRICES.rows([(START, "SOLUSDT", Decimal(1), START)]))
    assert connection.sql("SELECT count(*) FROM prices").pl().item() == 2
    assert catalog.connect(location).sql("SELECT count(*) FROM prices").pl().item() == 3


def test_nothing_that_a_connection_does_reaches_the_store(location):
    facts(location)
    connection = catalog.connect(location)
    for statement in ("DELETE FROM prices", "UPDATE prices SET price = 0", "DROP TABLE prices",
                      "INSERT INTO prices VALUES (now(), 'X', 1, now())"):
        with pytest.raises(duckdb.Error):
            connection.execute(statement)
    connection.execute('DROP VIEW "prices"')
    assert tables.read(location, schemas.PRICES).height == 2


def test_times_are_utc_whatever_the_machine_says(location, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    facts(location)
    shown = catalog.connect(location).sql("SELECT created_at, created_at::VARCHAR AS told FROM binance_accounts").pl()
    assert shown.schema["created_at"] == schemas.TIME
    assert shown["told"].to_list() == ["2026-03-02 00:00:00+00"]


def test_a_folder_that_looks_like_a_partition_adds_no_column(tmp_path):
    location = str(tmp_path / "price=7" / "sandbox")
    facts(location)
    assert catalog.connect(location).sql("FROM prices").columns == list(schemas.PRICES.columns)
    assert sorted(catalog.connect(location).sql("FROM prices").pl()["price"]) == [2500, 50_000]


def test_an_unknown_name_is_answered_with_the_known_ones(location):
    with pytest.raises(KeyError, match=r"there is no table navs; there are account_processing_status, accounts.*prices"):
        catalog.table(location, "navs")


def test_the_package_reads_the_store_of_the_settings(tmp_path):
    file = tmp_path / "navbook.toml"
    file.write_text('store = "my store"\n[accounts.main]\n', encoding="utf-8")
    facts(str(tmp_path / "my store" / "sandbox"))
    assert navbook.connect(file).sql("SELECT nav FROM nav_history").pl().item() == 110
    assert navbook.connect().sql("SELECT nav FROM nav_history").pl().item() == 110
    assert navbook.table("nav_history").collect()["timestamp"].to_list() == [START]
    assert navbook.table("prices", file).collect().height == 2

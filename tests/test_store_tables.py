"""Facts are appended once and never lost; derived tables are replaced whole; readers never notice the writer."""

from __future__ import annotations

import dataclasses
import os
import random
import select
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from navbook import schemas
from navbook.errors import KeyRepeated, SchemaMismatch, SettingsInvalid, StoreMismatch, StoreUnusable
from navbook.store import catalog, rewrite, tables

START = datetime(2026, 3, 2, tzinfo=UTC)
LARGEST = "99999999999999999999.999999999999999999"


@pytest.fixture
def location(tmp_path):
    return str(tmp_path / "sandbox")


def at(minutes: float = 0, **parts: float) -> datetime:
    return START + timedelta(minutes=minutes, **parts)


def price(value: object = "1", symbol: str = "BTCUSDT", *, time: datetime = START, seen: datetime = START):
    return time, symbol, Decimal(str(value)), seen


def prices(*rows: tuple[object, ...]) -> pl.DataFrame:
    return schemas.PRICES.rows(list(rows))


def flow(identity: str = "1", *, amount: str = "1", status: str = "done", seen: datetime = START):
    return ("main", "deposit", identity, START, START, "DEPOSIT", "BTC", Decimal(amount), Decimal(0), status, False,
            None, None, None, seen)


def flows(*rows: tuple[object, ...]) -> pl.DataFrame:
    return schemas.CASH_FLOWS.rows(list(rows))


def value(number: float | None, benchmark: str = "own", *, time: datetime = START):
    return "main", benchmark, time, number


def values(*rows: tuple[object, ...]) -> pl.DataFrame:
    return schemas.BENCHMARK_VALUES.rows(list(rows))


def stored(location: str, schema: schemas.FrameSchema) -> pl.DataFrame:
    """Every row that was ever appended, older ones too."""
    return pl.concat([schema.empty(), *(pl.read_parquet(file) for file in tables.files(location, schema))])


def sql(location: str, query: str) -> pl.DataFrame:
    return catalog.connect(location).sql(query).pl()


# -- appending ------------------------------------------------------------------------------------------------
def test_a27_appending_ten_times_adds_once(location):
    frame = flows(*(flow("x" * 254 + str(number)) for number in range(5)))
    assert [tables.append(location, schemas.CASH_FLOWS, frame) for _ in range(10)] == [5] + 9 * [0]
    assert tables.versions(location) == {"cash_flows": 0}
    assert tables.read(location, schemas.CASH_FLOWS).equals(frame)


def test_a27_a_later_clock_alone_says_nothing_new(location):
    tables.append(location, schemas.CASH_FLOWS, flows(flow()))
    assert tables.append(location, schemas.CASH_FLOWS, flows(flow(seen=at(5)))) == 0
    assert stored(location, schemas.CASH_FLOWS).height == 1


@pytest.mark.parametrize("seen", [
    pytest.param(at(1), id="later"),
    pytest.param(at(0), id="at the same moment"),
])
def test_a26_what_is_seen_later_wins(location, seen):
    tables.append(location, schemas.CASH_FLOWS, flows(flow(status="pending"), flow("2")))
    assert tables.append(location, schemas.CASH_FLOWS, flows(flow(status="done", seen=seen), flow("2"))) == 1
    assert tables.read(location, schemas.CASH_FLOWS).select("id", "status").rows() == [("1", "done"), ("2", "done")]
    assert sql(location, "SELECT status FROM cash_flows WHERE id = '1'").rows() == [("done",)]
    assert sorted(stored(location, schemas.CASH_FLOWS)["status"]) == ["done", "done", "pending"]


def test_what_was_seen_earlier_and_arrives_later_is_kept_and_changes_nothing(location):
    tables.append(location, schemas.CASH_FLOWS, flows(flow(status="done")))
    assert tables.append(location, schemas.CASH_FLOWS, flows(flow(status="pending", seen=at(-60)))) == 1
    assert tables.append(location, schemas.CASH_FLOWS, flows(flow(status="pending", seen=at(-60)))) == 0
    assert tables.read(location, schemas.CASH_FLOWS)["status"].to_list() == ["done"]
    assert sql(location, "SELECT status FROM cash_flows").rows() == [("done",)]


def test_what_was_said_before_can_be_said_again(location):
    for status in ("pending", "done", "pending"):
        assert tables.append(location, schemas.CASH_FLOWS, flows(flow(status=status))) == 1
    assert tables.read(location, schemas.CASH_FLOWS)["status"].to_list() == ["pending"]
    assert stored(location, schemas.CASH_FLOWS)["seen_at"].is_unique().all()


def test_a_null_is_content_and_part_of_no_comparison_goes_missing(location):
    gap = ("spot", "BTCUSDT", "1m", START, None, None, None, None, Decimal(0), START)
    whole = ("spot", "BTCUSDT", "1m", START, *[Decimal(1)] * 5, START)
    for row, added in ((gap, 1), (gap, 0), (whole, 1), (whole, 0)):
        assert tables.append(location, schemas.CANDLES, schemas.CANDLES.rows([row])) == added
    assert tables.read(location, schemas.CANDLES)["close"].to_list() == [Decimal(1)]


def test_appending_nothing_writes_nothing(location):
    assert tables.append(location, schemas.PRICES, schemas.PRICES.empty()) == 0
    assert tables.versions(location) == {}


CELLS = st.tuples(st.integers(0, 3), st.sampled_from(("A", "B")), st.integers(0, 2), st.integers(-2, 2))
BATCHES = st.lists(st.lists(CELLS, max_size=5, unique_by=lambda cell: cell[:2]), max_size=6)


@given(BATCHES)
@settings(max_examples=15, deadline=None)
def test_a27_the_newest_row_is_what_was_seen_last(batches):
    """Whatever came in which order and how often; of one moment, what came last."""
    said = {}    # key -> clock -> numbers, as they came
    with tempfile.TemporaryDirectory() as folder:
        for batch in batches:
            frame = prices(*(price(number, symbol, time=at(minute), seen=at(clock))
                             for minute, symbol, number, clock in batch))
            news = [(minute, symbol, number, clock) for minute, symbol, number, clock in batch
                    if known_at(said.get((minute, symbol), {}), clock) != number]
            assert tables.append(folder, schemas.PRICES, frame) == len(news)
            for minute, symbol, number, clock in news:
                said.setdefault((minute, symbol), {}).setdefault(clock, []).append(number)
        expected = sorted((at(minute), symbol, Decimal(known_at(clocks, max(clocks))))
                          for (minute, symbol), clocks in said.items())
        assert tables.read(folder, schemas.PRICES).select("time", "symbol", "price").rows() == expected
        assert sql(folder, "SELECT time, symbol, price FROM prices ORDER BY ALL").rows() == expected
        every = stored(folder, schemas.PRICES).select("time", "symbol", "price").rows()
        assert sorted(every) == sorted((at(minute), symbol, Decimal(number)) for (minute, symbol), clocks in said.items()
                                       for numbers in clocks.values() for number in numbers)


def known_at(clocks, clock):
    """The last number of the latest clock up to `clock`."""
    past = [then for then in clocks if then <= clock]
    return clocks[max(past)][-1] if past else None


@given(st.data())
@settings(max_examples=10, deadline=None)
def test_a27_batches_in_any_order_with_repeats_give_the_same_rows(data):
    facts = [price(number, symbol, time=at(number), seen=at(number)) for number in range(3) for symbol in "AB"]
    batches = [*data.draw(st.lists(st.lists(st.sampled_from(facts), unique=True, max_size=6), max_size=4)), facts]
    with tempfile.TemporaryDirectory() as folder:
        for batch in data.draw(st.permutations(batches)):
            tables.append(folder, schemas.PRICES, prices(*batch))
        assert tables.read(folder, schemas.PRICES).rows() == prices(*facts).sort("time", "symbol").rows()
        assert stored(folder, schemas.PRICES).height == len(facts)


# -- contracts ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("write", [tables.append, rewrite.replace])
def test_a_repeated_key_is_named_and_nothing_is_written(location, write):
    schema = schemas.PRICES if write is tables.append else schemas.BENCHMARK_VALUES
    row = price if write is tables.append else value
    frame = pl.DataFrame([row(1), row(2)], schema=schema.columns, orient="row")
    with pytest.raises(KeyRepeated, match=f"{schema.name} holds two rows with the same {', '.join(schema.key)}.*2026, 3"):
        write(location, schema, frame)
    assert tables.versions(location) == {}


@pytest.mark.parametrize(("change", "named"), [
    pytest.param(lambda frame: frame.drop("price"), "price is missing, not Decimal", id="a column is missing"),
    pytest.param(lambda frame: frame.with_columns(extra=1), "extra is Int32, not in the schema", id="one too many"),
    pytest.param(lambda frame: frame.with_columns(pl.col("price").cast(pl.Float64)), "price is Float64, not Decimal",
                 id="a float for a decimal"),
    pytest.param(lambda frame: frame.with_columns(pl.col("time").dt.replace_time_zone(None)), "time is Datetime",
                 id="a time without a zone"),
    pytest.param(lambda frame: frame.with_columns(pl.col("time").dt.cast_time_unit("ms")), "time is Datetime",
                 id="milliseconds"),
])
def test_a_frame_that_does_not_fit_is_refused_naming_the_column(location, change, named):
    with pytest.raises(SchemaMismatch, match=named):
        tables.append(location, schemas.PRICES, change(prices(price())))
    assert tables.versions(location) == {}


def test_columns_in_another_order_fit(location):
    frame = prices(price())
    tables.append(location, schemas.PRICES, frame.select(reversed(frame.columns)))
    assert tables.read(location, schemas.PRICES).equals(frame)


# -- columns that a schema gains ----------------------------------------------------------------------------------
def grown(schema: schemas.FrameSchema, **columns: object) -> schemas.FrameSchema:
    """What a later navbook calls the same table."""
    return dataclasses.replace(schema, columns={**schema.columns, **columns})


def know(monkeypatch, schema: schemas.FrameSchema) -> schemas.FrameSchema:
    monkeypatch.setitem(schemas.TABLES, schema.name, schema)
    return schema


def test_a_column_that_facts_gain_is_null_in_older_rows_and_joins_with_the_next_append(location, monkeypatch):
    tables.append(location, schemas.PRICES, prices(price(1), price(2, time=at(1))))
    later = know(monkeypatch, grown(schemas.PRICES, route=pl.String(), count=pl.Int64()))
    for read in (tables.read(location, later), sql(location, "FROM prices ORDER BY time")):
        assert read.schema == pl.Schema(later.columns)
        assert read.select("price", "route", "count").rows() == [(1, None, None), (2, None, None)]
    news = later.rows([(*price(1), "direct", 7), (*price(2, time=at(1)), None, None), (*price(3, time=at(2)), "via", 8)])
    assert tables.append(location, later, news) == 2, "what says nothing new is not added again"
    assert tables.append(location, later, news) == 0
    for read in (tables.read(location, later), sql(location, "FROM prices ORDER BY time")):
        assert read.select("price", "route", "count").rows() == [(1, "direct", 7), (2, None, None), (3, "via", 8)]
    assert catalog.table(location, "prices").select("route").collect().height == 3


def test_older_code_reads_and_adds_to_a_table_that_gained_a_column(location):
    later = grown(schemas.PRICES, route=pl.String())
    tables.append(location, later, later.rows([(*price(1), "direct")]))
    assert tables.read(location, schemas.PRICES).equals(prices(price(1)))
    assert tables.append(location, schemas.PRICES, prices(price(1), price(2, time=at(1)))) == 1
    assert tables.read(location, later)["route"].to_list() == ["direct", None]
    assert sql(location, "SELECT price FROM prices ORDER BY time").rows() == [(1,), (2,)]


def test_a_column_that_a_derived_table_gains_is_null_until_it_is_rebuilt(location, monkeypatch):
    rewrite.replace(location, schemas.BENCHMARK_VALUES, values(value(1.0)))
    later = know(monkeypatch, grown(schemas.BENCHMARK_VALUES, units=pl.Float64()))
    for read in (tables.read(location, later), sql(location, "FROM benchmark_values")):
        assert read.rows() == [(*value(1.0), None)]
    rewrite.replace(location, later, later.rows([(*value(1.0), 2.0)]))
    for read in (tables.read(location, later), sql(location, "FROM benchmark_values")):
        assert read.rows() == [(*value(1.0), 2.0)]


# -- size -----------------------------------------------------------------------------------------------------
def test_appending_reads_the_files_that_may_know_the_keys_and_no_others(location):
    """What makes an append to five million candles a matter of milliseconds: the others may be damaged, unnoticed."""
    def candle(minute: int) -> tuple[object, ...]:
        return ("spot", "BTCUSDT", "1m", at(minute), *[Decimal(1)] * 5, START)

    for minute in range(4):
        tables.append(location, schemas.CANDLES, schemas.CANDLES.rows([candle(minute)]))
    for file in tables.files(location, schemas.CANDLES):
        if pl.read_parquet(file)["open_time"][0] != at(3):
            Path(file).write_bytes(b"harmed")
    assert tables.append(location, schemas.CANDLES, schemas.CANDLES.rows([candle(3), candle(4)])) == 1
    with pytest.raises(StoreMismatch, match="The table candles of"):
        tables.append(location, schemas.CANDLES, schemas.CANDLES.rows([candle(2)]))


# -- replacing ------------------------------------------------------------------------------------------------
def test_replacing_with_the_same_rows_writes_no_version(location):
    rows = [value(float(minute), time=at(minute)) for minute in range(20)]
    digest = rewrite.replace(location, schemas.BENCHMARK_VALUES, values(*rows))
    shuffled = random.Random(1).sample(rows, len(rows))
    assert rewrite.replace(location, schemas.BENCHMARK_VALUES, values(*shuffled)) == digest
    assert tables.versions(location) == {"benchmark_values": 0}
    assert tables.stored_hash(location, schemas.BENCHMARK_VALUES) == digest
    assert rewrite.replace(location, schemas.BENCHMARK_VALUES, values(*rows[1:])) != digest
    assert tables.versions(location) == {"benchmark_values": 1}
    assert tables.read(location, schemas.BENCHMARK_VALUES).rows() == values(*rows[1:]).rows()


def test_replacing_with_nothing_empties_the_table_and_keeps_its_types(location):
    rewrite.replace(location, schemas.BENCHMARK_VALUES, values(value(1.0)))
    rewrite.replace(location, schemas.BENCHMARK_VALUES, values())
    rewrite.replace(location, schemas.BENCHMARK_VALUES, values())
    assert tables.versions(location) == {"benchmark_values": 1}
    for frame in (tables.read(location, schemas.BENCHMARK_VALUES), sql(location, "FROM benchmark_values")):
        assert frame.equals(values())
        assert frame.schema == values().schema


def test_a_row_moved_by_a_microsecond_is_another_table(location):
    first = rewrite.replace(location, schemas.BENCHMARK_VALUES, values(value(1.0)))
    assert rewrite.replace(location, schemas.BENCHMARK_VALUES, values(value(1.0, time=at(microseconds=1)))) != first


TEXTS = st.one_of(st.none(), st.sampled_from(("", "\\N", "null", "a,b", '"', '""', "\n", "é", "1.0", "true")))
FLOATS = st.one_of(st.none(), st.sampled_from((0.0, 1.0, 0.1 + 0.2, 0.3, 1e-300, 1e300, float("inf"))))


@given(st.tuples(TEXTS, TEXTS, FLOATS), st.tuples(TEXTS, TEXTS, FLOATS))
def test_equal_hashes_mean_equal_rows(one, other):
    """N1: a missing text, an empty one and any other all differ, and so does the last digit of a float."""
    def digest(row):
        event, warning, number = row
        return rewrite.content_hash(schemas.BENCHMARK_JOURNAL, schemas.BENCHMARK_JOURNAL.rows([(
            "main", "own", START, 0, event, "", "BTC", number, 1.0, 1.0, 1.0, 1.0, 1.0, warning)]))

    assert (digest(one) == digest(other)) is (one == other)


# -- reading --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", [
    "0.000000000000000001", "-0.000000000000000001", "12345678901234567890.123456789012345678", LARGEST, f"-{LARGEST}", "0",
])
def test_decimals_survive_to_the_last_digit(location, text):
    tables.append(location, schemas.PRICES, prices(price(text)))
    assert tables.read(location, schemas.PRICES)["price"].to_list() == [Decimal(text)]
    assert sql(location, "FROM prices")["price"].to_list() == [Decimal(text)]


@pytest.mark.parametrize("moment", [
    datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(9999, 1, 1, tzinfo=UTC),
])
def test_times_survive_to_the_microsecond(location, moment):
    frame = prices(price(time=moment))
    tables.append(location, schemas.PRICES, frame)
    assert tables.read(location, schemas.PRICES).equals(frame)
    assert sql(location, "FROM prices").equals(frame)


@pytest.mark.parametrize("schema", [*schemas.FACTS.values(), *schemas.DERIVED.values()], ids=lambda schema: schema.name)
def test_a_table_that_was_never_written_is_empty_and_typed(location, schema):
    assert tables.read(location, schema).schema == pl.Schema(schema.columns)
    assert tables.scan(location, schema).collect().is_empty()
    name = f"{schema.name}_table" if schema.name in catalog.FAMILIAR else schema.name
    shown = sql(location, f'FROM "{name}"')
    assert shown.is_empty()
    assert shown.schema == pl.Schema(schema.columns)


def test_read_keeps_to_an_account_and_a_time(location):
    rows = [(name, at(minute), "spot", "BTC", Decimal(1), Decimal(0), START)
            for name in ("main", "sub") for minute in (0, 1, 2)]
    tables.append(location, schemas.BALANCES, schemas.BALANCES.rows(rows))
    found = tables.read(location, schemas.BALANCES, account="sub", until="2026-03-02T00:01")
    assert found.select("account", "time").rows() == [("sub", at(0)), ("sub", at(1))]
    for until in ("2026-03-02T00:01Z", "2026-03-02T01:01+01:00", at(1), at(1).replace(tzinfo=None)):
        assert tables.read(location, schemas.BALANCES, account="sub", until=until).equals(found)
    assert tables.read(location, schemas.BALANCES, account="main_sub").is_empty()


@pytest.mark.parametrize("until", ["yesterday", "", "2026-02-30", "12"])
def test_a_time_that_is_none_is_named(location, until):
    with pytest.raises(SettingsInvalid, match=f"'{until}' is not a time"):
        tables.read(location, schemas.BALANCES, until=until)


def test_pinned_versions_are_what_everybody_reads(location, monkeypatch):
    for number in (1, 2, 3):
        tables.append(location, schemas.PRICES, prices(price(number, time=at(number))))
        rewrite.replace(location, schemas.BENCHMARK_VALUES, values(value(float(number))))
    monkeypatch.setenv(tables.PINS, '{"prices": 1, "benchmark_values": 0}')
    assert tables.read(location, schemas.PRICES)["price"].to_list() == [1, 2]
    assert tables.scan(location, schemas.BENCHMARK_VALUES).collect()["value"].to_list() == [1.0]
    assert sql(location, "SELECT max(price) FROM prices").item() == 2
    assert sql(location, "SELECT value FROM benchmark_values").item() == 1.0
    assert catalog.table(location, "prices").collect().height == 2
    monkeypatch.setenv(tables.PINS, '{"benchmark_values": 1}')
    assert tables.read(location, schemas.PRICES).height == 3, "what is not pinned is read at its newest"
    assert tables.read(location, schemas.BENCHMARK_VALUES)["value"].to_list() == [2.0]


def test_pins_hold_readers_not_writers(location, monkeypatch):
    tables.append(location, schemas.PRICES, prices(price(1)))
    tables.append(location, schemas.PRICES, prices(price(2)))
    monkeypatch.setenv(tables.PINS, '{"prices": 0}')
    assert tables.append(location, schemas.PRICES, prices(price(2))) == 0
    assert tables.read(location, schemas.PRICES)["price"].to_list() == [1]


@pytest.mark.parametrize("pins", ["nonsense", "[1]", "3", '{"prices": "1"}', '{"prices": -1}', '{"prices": true}'])
def test_pins_that_cannot_be_read_are_refused(location, monkeypatch, pins):
    monkeypatch.setenv(tables.PINS, pins)
    with pytest.raises(SettingsInvalid, match="NAVBOOK_TABLE_VERSIONS must be JSON"):
        tables.read(location, schemas.PRICES)


def test_a_pinned_version_that_is_gone_is_named(location, monkeypatch):
    tables.append(location, schemas.PRICES, prices(price()))
    monkeypatch.setenv(tables.PINS, '{"prices": 7}')
    with pytest.raises(StoreMismatch, match="prices, version 7"):
        tables.read(location, schemas.PRICES)
    with pytest.raises(duckdb.Error, match="prices, version 7"):
        sql(location, "FROM prices")


# -- places ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("folder", [
    "it's mine", 'say "yes"', "Jürgens Käse 🙂", "a#b", "50%", "a;b {x}", "price=7", "-rf &+~",
])
def test_any_ordinary_folder_holds_a_store(tmp_path, folder):
    location = str(tmp_path / folder / "sandbox")
    assert tables.append(location, schemas.PRICES, prices(price())) == 1
    assert tables.append(location, schemas.PRICES, prices(price())) == 0
    assert tables.read(location, schemas.PRICES).equals(prices(price()))
    assert sql(location, "FROM prices").equals(prices(price()))
    assert rewrite.replace(location, schemas.BENCHMARK_VALUES, values(value(1.0)))
    assert sql(location, "FROM benchmark_values").equals(values(value(1.0)))
    assert sorted(entry.name for entry in (tmp_path / folder / "sandbox").iterdir()) == ["derived", "facts"]
    assert [entry.name for entry in tmp_path.iterdir()] == [folder]


@pytest.mark.parametrize("folder", ["a[b]", "a|b", "a^b", "a\\b", "what?", "a*", "a%20b", "a\nb"])
def test_a_folder_that_would_be_misread_is_refused(tmp_path, folder):
    for use in (lambda place: tables.append(place, schemas.PRICES, prices(price())),
                lambda place: tables.read(place, schemas.PRICES), catalog.connect):
        with pytest.raises(SettingsInvalid, match="in its path, which a store cannot take; name another folder"):
            use(str(tmp_path / folder))
    assert list(tmp_path.iterdir()) == []


def test_raw_facts_and_derived_tables_lie_apart(location, tmp_path):
    """A80."""
    tables.append(location, schemas.PRICES, prices(price()))
    tables.append(location, schemas.RESPONSES, schemas.RESPONSES.rows([("main", START, "x", 0, "{}", START)]))
    rewrite.replace(location, schemas.BENCHMARK_VALUES, values(value(1.0)))
    found = {str(log.parent.relative_to(location)) for log in (tmp_path / "sandbox").rglob("_delta_log")}
    assert found == {"facts/prices", "raw/responses", "derived/benchmark_values"}


def test_a_table_that_was_broken_is_named(location, tmp_path):
    tables.append(location, schemas.PRICES, prices(price()))
    next((tmp_path / "sandbox/facts/prices/_delta_log").glob("*.json")).write_text('{"commit')
    with pytest.raises(StoreMismatch, match=r"The table prices of .* cannot be read"):
        tables.read(location, schemas.PRICES)


@pytest.mark.parametrize("harm", [
    pytest.param(lambda file: file.unlink(), id="gone"),
    pytest.param(lambda file: file.write_bytes(b""), id="empty"),
    pytest.param(lambda file: file.write_bytes(file.read_bytes()[:100]), id="cut off"),
    pytest.param(lambda file: file.write_bytes(b"\0" * len(file.read_bytes())), id="zeros"),
])
def test_a_file_that_was_harmed_is_told_and_nothing_is_added(location, tmp_path, harm):
    tables.append(location, schemas.PRICES, prices(price()))
    harm(next((tmp_path / "sandbox/facts/prices").glob("*.parquet")))
    for use in (lambda: tables.read(location, schemas.PRICES),
                lambda: tables.append(location, schemas.PRICES, prices(price(2)))):
        with pytest.raises(StoreMismatch, match="The table prices of"):
            use()
    assert tables.versions(location) == {"prices": 0}


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "sandbox").write_text("a file where the store should be")
    with pytest.raises((StoreUnusable, StoreMismatch), match="sandbox"):
        tables.append(str(tmp_path / "sandbox"), schemas.PRICES, prices(price()))
    assert (tmp_path / "sandbox").read_text() == "a file where the store should be"


# -- a writer that is killed ------------------------------------------------------------------------------------
BATCH, KILLS = 40, 10
WRITER = f"""
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from navbook import schemas
from navbook.store import rewrite, tables
location = sys.argv[1]
sys.stdin.readline()
known = tables.read(location, schemas.PRICES)
first = int(known["price"].max()) if known.height else 0    # again: it adds nothing
for batch in count(first):
    time = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=batch)
    rows = [(time, f"S{{number}}", Decimal(batch), time) for number in range({BATCH})]
    tables.append(location, schemas.PRICES, schemas.PRICES.rows(rows))
    rows = [("main", f"b{{number}}", time, float(batch)) for number in range({BATCH})]
    rewrite.replace(location, schemas.BENCHMARK_VALUES, schemas.BENCHMARK_VALUES.rows(rows))
    if batch > first:
        print("at work", flush=True)
"""
READER = f"""
import select, sys
from navbook import schemas
from navbook.store import catalog, rewrite, tables
location = sys.argv[1]
print("ready", flush=True)
seen, generation, reads = 0, -1.0, 0
while not select.select([sys.stdin], [], [], 0)[0]:
    connection = catalog.connect(location)
    for prices, values in ((tables.read(location, schemas.PRICES), tables.read(location, schemas.BENCHMARK_VALUES)),
                           (connection.sql("FROM prices").pl(), connection.sql("FROM benchmark_values").pl())):
        sizes = prices.group_by("time").len()["len"]
        assert (sizes == {BATCH}).all(), f"part of a batch: {{sizes.to_list()}}"
        assert values.height in (0, {BATCH}), f"part of a table: {{values.height}}"
        assert values["value"].n_unique() <= 1, "two versions of a table at once"
    now, shown = tables.read(location, schemas.PRICES).height, values["value"].max()
    assert now >= prices.height >= seen, f"backwards: {{seen}}, {{prices.height}}, {{now}}"
    assert shown is None or shown >= generation, f"backwards: {{generation}}, {{shown}}"
    seen, generation, reads = now, generation if shown is None else shown, reads + 1
print(reads, flush=True)
"""


def start(program: str, location: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, location], text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, "POLARS_MAX_THREADS": "1", "TOKIO_WORKER_THREADS": "1"})


def tell(process: subprocess.Popen[str], word: str) -> None:
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def test_readers_never_notice_a_writer_that_is_killed(location):
    """Real processes and files: no error, no part of a batch, never backwards, while ten writers die by SIGKILL."""
    moments = random.Random(20260302)
    with ExitStack() as stack:
        reader = stack.enter_context(start(READER, location))
        stack.callback(reader.kill)
        assert reader.stdout.readline() == "ready\n", reader.stderr.read()
        writers = [stack.enter_context(start(WRITER, location))]
        for _ in range(KILLS):
            writer, following = writers[-1], stack.enter_context(start(WRITER, location))    # it waits for its word
            stack.callback(following.kill)
            writers.append(following)
            tell(writer, "go")
            assert select.select([writer.stdout], [], [], 60)[0], "the writer is stuck"
            time.sleep(moments.uniform(0, 0.15))
            writer.kill()
            assert writer.wait(10) == -9
            assert "Error" not in writer.stderr.read()
        tell(reader, "enough")
        told, complaints = reader.communicate(timeout=20)
    assert reader.returncode == 0, complaints
    assert int(told) > 1
    facts = tables.read(location, schemas.PRICES)
    batches = facts.group_by("price").len().sort("price")
    assert batches["price"].to_list() == list(range(batches.height)), "no batch is missing"
    assert set(batches["len"]) == {BATCH}
    assert batches.height > KILLS
    assert stored(location, schemas.PRICES).height == facts.height, "no batch was written twice"
    assert DeltaTable(f"{location}/facts/prices").version() == batches.height - 1

"""Rows go by key, all versions of them; a copy is the store, whole or not there at all."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from navbook import schemas
from navbook.errors import StoreMismatch, StoreUnusable
from navbook.store import rewrite, tables, upkeep

START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def location(tmp_path):
    return str(tmp_path / "it's a store" / "sandbox")


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def flows(*rows: tuple[str, int, str], account: str = "main") -> pl.DataFrame:
    """(id, minute, status)"""
    return schemas.CASH_FLOWS.rows([(account, "deposit", name, at(minute), at(minute), "DEPOSIT", "BTC", Decimal(1),
                                     Decimal(0), status, False, None, None, None, START) for name, minute, status in rows])


def put(location: str, *rows: tuple[str, int, str], account: str = "main") -> None:
    tables.append(location, schemas.CASH_FLOWS, flows(*rows, account=account))


def ids(location: str) -> list[str]:
    return tables.read(location, schemas.CASH_FLOWS)["id"].to_list()


def take(location: str, since: int, until: int) -> int:
    keys = upkeep.keys_of(location, schemas.CASH_FLOWS, "main", at(since), at(until))
    expected = upkeep.count(location, schemas.CASH_FLOWS, keys)
    gone = upkeep.delete(location, schemas.CASH_FLOWS, keys)
    assert gone == expected, "A66: what was shown is what goes"
    return gone


def test_a66_a_span_holds_both_its_ends(location):
    put(location, ("a", 0, "done"), ("b", 1, "done"), ("c", 2, "done"), ("d", 3, "done"))
    put(location, ("b", 1, "done"), account="sub")
    assert take(location, 1, 2) == 2
    assert ids(location) == ["a", "d", "b"]
    assert tables.read(location, schemas.CASH_FLOWS, account="sub").height == 1


def test_a66_taking_the_newest_row_out_brings_no_older_one_back(location):
    put(location, ("a", 0, "pending"), ("b", 5, "pending"))
    put(location, ("a", 10, "done"), ("b", 0, "done"))
    assert take(location, 9, 11) == 2, "both rows of a, though one lies outside"
    assert tables.read(location, schemas.CASH_FLOWS).select("id", "status").rows() == [("b", "done")]
    assert take(location, 4, 6) == 0, "the newest row of b lies outside"


def test_names_from_outside_are_no_part_of_a_query(location):
    hostile = ["' OR 1 = 1 --", 'x" OR "', "\\'", "a\nb", "%", "{}", "é🙂"]
    put(location, *((name, number, "done") for number, name in enumerate(hostile)), ("innocent", 3, "done"))
    assert take(location, 0, 2) == 3
    assert sorted(ids(location)) == sorted([*hostile[3:], "innocent"])


def test_what_is_left_is_what_it_was(location):
    amounts = ["99999999999999999999.999999999999999999", "0.000000000000000001"]
    rows = [("main", at(minute), "spot", "BTC", Decimal(amounts[minute % 2]), None, START) for minute in range(6)]
    tables.append(location, schemas.BALANCES, schemas.BALANCES.rows(rows))
    keys = upkeep.keys_of(location, schemas.BALANCES, "main", at(0), at(1))
    assert upkeep.delete(location, schemas.BALANCES, keys) == 2
    assert tables.read(location, schemas.BALANCES).rows() == rows[2:]
    assert tables.append(location, schemas.BALANCES, schemas.BALANCES.rows(rows)) == 2, "they can come back"


def test_all_rows_of_an_account_whatever_their_time(location):
    put(location, ("a", 0, "done"), ("b", 10**6, "done"))
    put(location, ("c", 0, "done"), account="sub")
    keys = upkeep.keys_of(location, schemas.CASH_FLOWS, "main")
    assert upkeep.delete(location, schemas.CASH_FLOWS, keys) == 2
    assert ids(location) == ["c"]


def test_a_period_lies_where_it_ends(location):
    row = dict.fromkeys(schemas.PERFORMANCE.columns) | {"account": "main", "benchmark": "own", "from_time": at(0)}
    rewrite.replace(location, schemas.PERFORMANCE, schemas.PERFORMANCE.rows([
        row | {"period": f"p{minute}", "to_time": at(minute)} for minute in (1, 2, 3)]))
    keys = upkeep.keys_of(location, schemas.PERFORMANCE, "main", at(0), at(2))
    assert sorted(keys["period"]) == ["p1", "p2"]


def test_a_table_that_was_never_written_has_nothing_to_take(location):
    keys = upkeep.keys_of(location, schemas.BALANCES, "main", at(0), at(9))
    assert (upkeep.count(location, schemas.BALANCES, keys), upkeep.delete(location, schemas.BALANCES, keys)) == (0, 0)
    assert tables.versions(location) == {}


@given(said=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=8),
       span=st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a66_what_is_shown_is_what_goes_and_no_more(tmp_path_factory, said, span):
    location, newest = str(tmp_path_factory.mktemp("store")), {}
    for number, (name, minute) in enumerate(said):
        put(location, (name, minute, str(number)))
        newest[name] = minute
    take(location, *span)
    assert ids(location) == sorted(name for name, minute in newest.items() if not span[0] <= minute <= span[1])


# -- copies ---------------------------------------------------------------------------------------------------
def fill(location: str) -> None:
    """Tables of each layer, with older rows and versions."""
    put(location, ("a", 0, "pending"))
    put(location, ("a", 0, "done"), ("b", 1, "done"))
    tables.append(location, schemas.RESPONSES, schemas.RESPONSES.rows([("main", START, "x", 0, "{}", START)]))
    for number in (1.0, 2.0):
        rewrite.replace(location, schemas.BENCHMARK_VALUES, schemas.BENCHMARK_VALUES.rows([("main", "own", START, number)]))


def test_a70_a_copy_is_a_store_with_the_same_rows_versions_and_hashes(location, tmp_path):
    fill(location)
    digests = upkeep.copy(location, tmp_path / "a copy")
    copied = str(tmp_path / "a copy")
    assert tables.versions(copied) == tables.versions(location) == {"cash_flows": 1, "responses": 0, "benchmark_values": 1}
    assert upkeep.digests(copied, tables.versions(copied)) == digests
    for schema in (schemas.CASH_FLOWS, schemas.RESPONSES, schemas.BENCHMARK_VALUES):
        assert tables.read(copied, schema).equals(tables.read(location, schema))
    assert tables.stored(copied, schemas.CASH_FLOWS).collect().height == 3, "older rows too"
    assert tables.stored_hash(copied, schemas.BENCHMARK_VALUES) == tables.stored_hash(location, schemas.BENCHMARK_VALUES)
    put(copied, ("c", 2, "done"))
    assert (len(ids(copied)), len(ids(location))) == (3, 2), "they live apart"


def test_a70_a_copy_of_a_log_with_checkpoints_and_rows_taken_out(location, tmp_path):
    for minute in range(12):
        put(location, (f"f{minute}", minute, "done"))
    DeltaTable(f"{location}/facts/cash_flows").create_checkpoint()
    take(location, 3, 5)
    upkeep.copy(location, tmp_path / "copy")
    assert ids(str(tmp_path / "copy")) == ids(location)
    assert tables.versions(str(tmp_path / "copy")) == tables.versions(location)


def test_a70_nothing_is_copied_over_anything(location, tmp_path):
    fill(location)
    (tmp_path / "there").mkdir()
    with pytest.raises(StoreUnusable, match="it is there already"):
        upkeep.copy(location, tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


def test_a_copy_that_fails_leaves_nothing(location, tmp_path):
    fill(location)
    Path(tables.files(location, schemas.CASH_FLOWS)[0]).unlink()
    (tmp_path / "backups").mkdir()
    with pytest.raises(StoreMismatch, match="The table cash_flows of"):
        upkeep.copy(location, tmp_path / "backups" / "one")
    assert os.listdir(tmp_path / "backups") == []


def test_a_copy_that_differs_is_refused(location, tmp_path, monkeypatch):
    """A disk that lies: what was written is not what is read."""
    fill(location)
    true = upkeep.digests
    monkeypatch.setattr(upkeep, "digests", lambda place, versions: true(place, versions) | (
        {} if place == location else {"cash_flows": "another"}))
    with pytest.raises(StoreUnusable, match="the copy of cash_flows differs"):
        upkeep.copy(location, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_an_empty_store_has_an_empty_copy(location, tmp_path):
    assert upkeep.copy(location, tmp_path / "copy") == {}
    assert tables.versions(str(tmp_path / "copy")) == {}


def test_what_a_killed_rewrite_left_is_vacuumed_after_a_day(location):
    """The files of every version that the log names stay; so do those of a rewrite that may be under way."""
    def written(value: float, *, commit: bool) -> set[Path]:
        before = set(folder.glob("*.parquet"))
        rewriting = rewrite.Rewrite(location, schemas.BENCHMARK_VALUES)
        rewriting.add(schemas.BENCHMARK_VALUES.rows([("main", "own", datetime(2026, 3, 2, tzinfo=UTC), value)]))
        if commit:
            rewriting.commit()
        return set(folder.glob("*.parquet")) - before

    folder = Path(tables.uri(location, schemas.BENCHMARK_VALUES))
    kept = written(1.0, commit=True) | written(2.0, commit=True)
    dead, under_way = written(3.0, commit=False), written(4.0, commit=False)
    for file in kept | dead:
        os.utime(file, (0, 0))
    assert upkeep.unused(location, schemas.BENCHMARK_VALUES, timedelta(days=30)) == 1
    assert upkeep.vacuum(location, schemas.BENCHMARK_VALUES, timedelta(days=30)) == 1
    assert set(folder.glob("*.parquet")) == kept | under_way
    assert tables.stored(location, schemas.BENCHMARK_VALUES, version=0).collect()["value"].to_list() == [1.0]

"""`navbook sql` answers with text for every type that DuckDB has, or with one sentence."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from navbook import schemas, settings
from navbook.runner import queries
from navbook.store import tables

START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def config(tmp_path):
    return settings.Settings(base=tmp_path)


@pytest.mark.parametrize(("value", "text", "parsed"), [
    pytest.param("'a\\x00\"'::BLOB", "a\\x00\\x22", "a\\x00\\x22", id="blob"),
    pytest.param("INTERVAL 3 months", "3 months", "3 months", id="interval"),
    pytest.param("'101'::BIT", "101", "101", id="bits"),
    pytest.param("[1, NULL]", "[1, NULL]", [1, None], id="list"),
    pytest.param("[1, 2]::INTEGER[2]", "[1, 2]", [1, 2], id="array"),
    pytest.param("{'a': INTERVAL 1 day}", "{'a': 1 day}", {"a": "1 day"}, id="struct"),
    pytest.param("MAP {'a': [1]}", "{a=[1]}", {"a": [1]}, id="map"),
    pytest.param("row(1, 'x')", "(1, x)", None, id="tuple"),
    pytest.param("1::UNION(n INTEGER, t VARCHAR)", "1", "1", id="union"),
    pytest.param("TIME '12:00:01'", "12:00:01", "12:00:01", id="time of day"),
    pytest.param("NULL::BLOB", "", None, id="a missing blob"),
    pytest.param("NULL::INTEGER[]", "", None, id="a missing list"),
    pytest.param("1.50::DECIMAL(38, 18)", "1.500000000000000000", "1.500000000000000000", id="decimal"),
    pytest.param("170141183460469231731687303715884105727", "170141183460469231731687303715884105727",
                 "170141183460469231731687303715884105727", id="the largest integer"),
    pytest.param("DATE '2026-03-02'", "2026-03-02", "2026-03-02", id="date"),
    pytest.param("NULL", "", None, id="null"),
])
def test_every_type_can_be_written_in_every_form(config, value, text, parsed):
    query = f'SELECT {value} AS "a ""name""", 1 AS n'
    header, row = csv.reader(io.StringIO(queries.sql(config, query, "csv")))
    assert (header, row) == (['a "name"', "n"], [text, "1"])
    (shown,) = json.loads(queries.sql(config, query, "json"))
    assert shown["n"] == 1
    if parsed is not None or text == "":
        assert shown['a "name"'] == parsed
    assert 'a "name"' in queries.sql(config, query, "table")


def test_columns_with_one_name_are_told_apart(config):
    assert queries.sql(config, "SELECT 1 AS a, [2] AS a", "csv") == "a,a_1\n1,[2]\n"
    assert json.loads(queries.sql(config, "SELECT 1 AS a, [2] AS a", "json")) == [{"a": 1, "a_1": [2]}]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
@pytest.mark.parametrize(("query", "said"), [
    ("SELECT 'infinity'::TIMESTAMP AS t", "t holds a time outside the years 1 to 9999; ask for t::VARCHAR"),
    ("SELECT DATE '-5000-01-01' AS d", "d holds a time outside"),
    ("SELEC 1", "syntax error"),
    ("SELECT * FROM nowhere", "nowhere"),
    ("SELECT [1] + 'x'", "The query failed"),
    ("SELECT 'x'::INTEGER", "Could not convert"),
])
def test_what_cannot_be_answered_is_one_sentence(config, form, query, said):
    with pytest.raises(queries.QueryFailed, match=said) as failure:
        queries.sql(config, query, form)
    assert "\n" not in str(failure.value)


def test_a_statement_without_rows_answers_nothing(config):
    assert queries.sql(config, "CREATE TABLE t (a INTEGER); SELECT a FROM t", "csv") == "a\n"
    assert queries.sql(config, "", "json") == "[]\n"


def test_a_damaged_table_is_named_by_the_queries_that_use_it(config):
    for minute in (0, 1):
        tables.append(config.location, schemas.PRICES, schemas.PRICES.rows([
            (START.replace(minute=minute), "BTCUSDT", Decimal(1), START)]))
    whole = tables.files(config.location, schemas.PRICES)
    for harmed in whole:
        kept = Path(harmed).read_bytes()
        for content in (b"", kept[:-20], bytes(len(kept)), kept[:60] + bytes(100) + kept[160:]):
            Path(harmed).write_bytes(content)
            with pytest.raises(queries.QueryFailed, match=r"The table prices of .* bring it back from a copy") as failure:
                queries.sql(config, "FROM prices", "csv")
            assert "\n" not in str(failure.value)
            assert queries.sql(config, "SELECT count(*) AS n FROM snapshots", "csv") == "n\n0\n"
        Path(harmed).write_bytes(kept)
    assert queries.sql(config, "SELECT count(*) AS n FROM prices", "csv") == "n\n2\n"

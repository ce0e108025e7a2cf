"""A store in a bucket, over real HTTP: the same rows and hashes, seen whole or not at all, and its key stays with those who
need it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from buckets import KEY, SECRET, bucket
from commands import clean_environment, navbook
from locals import START, local_exchange
from navbook import redaction, schemas, settings
from navbook.errors import KeyRepeated, NavbookError, SettingsInvalid, StoreUnreadable, StoreUnusable
from navbook.runner import backups, check, kernels, logs, pruning, queries
from navbook.store import catalog, places, rewrite, tables, upkeep
from stores import configured, keep, rebuilt, table
from worlds import World, at

PLAIN = '[benchmark]\nrebalance = "never"\n'


@pytest.fixture(scope="module")
def served():
    with bucket() as variables:
        yield variables


@pytest.fixture
def place(served, monkeypatch, request):
    """A new prefix of the bucket, which this process may use."""
    for name, value in served.items():
        monkeypatch.setenv(name, value)
    return f"s3://books/{abs(hash(request.node.name))}"    # of this test alone


def in_bucket(folder: Path, place: str):
    return configured(folder, more=f'store = "{place}"\n{PLAIN}')


def world(snapshots: int = 6) -> World:
    filled = World()
    for number in range(snapshots):
        filled.snapshot(at(4 * number), {"USDT": 1000 + number, "BTC": "0.1"})
    filled.flow(at(10), 100)
    return filled


def files_of(place: str) -> set[str]:
    from pyarrow.fs import FileSelector
    return {found.path for found in places.folder(place).get_file_info(FileSelector("", recursive=True))}


def test_a_store_in_a_bucket_says_what_one_on_a_disk_says(tmp_path, place):
    (tmp_path / "local").mkdir()
    config, local = in_bucket(tmp_path, place), configured(tmp_path / "local", more=PLAIN)
    for each in (config, local):
        keep(each, world())
    hashes = rebuilt(local)
    assert rebuilt(config) == hashes
    assert rebuilt(config) == hashes    # again: nothing is written
    assert tables.opened(config.location, schemas.NAV_HISTORY).version() == 0
    ours, theirs = catalog.connect(config.location), catalog.connect(local.location)
    for query in ("from nav_history order by time", "from processed_transactions", "from price_history order by timestamp", "from runs",
                  "select account, sum(quantity) from balances where time >= '2026-03-02 08:00' group by all", "from logs"):
        assert ours.sql(query).pl().equals(theirs.sql(query).pl())
    assert queries.sql(config, "select count(*) as rows from cash_flows", "csv") == "rows\n1\n"
    assert check.store(config, START).sentence.endswith("every file readable.")
    assert {each.name for each in tmp_path.iterdir()} == {"local", "navbook.toml"}    # nothing of it is on this disk


def test_a_store_is_moved_into_a_bucket_by_copying_its_folder(tmp_path, place):
    local = configured(tmp_path, more=PLAIN)
    keep(local, world(2))
    hashes = rebuilt(local)
    root = Path(local.location)
    for file in (each for each in root.rglob("*") if each.is_file()):
        places.write(f"{place}/sandbox", str(file.relative_to(root)), file.read_bytes())
    moved = in_bucket(tmp_path, place)
    assert table(moved, "nav_history").equals(table(local, "nav_history"))
    assert rebuilt(moved) == hashes


def test_upkeep_and_backups_of_a_store_in_a_bucket(tmp_path, place):
    config = in_bucket(tmp_path, place)
    filled = World()
    for number in range(9):    # an append each: enough small files to be put together
        filled.snapshot(at(4 * number), {"USDT": 1000 + number})
        keep(config, filled)
    hashes = rebuilt(config)
    balances = tables.uri(config.location, schemas.BALANCES)
    before = files_of(balances)
    told: list[str] = []
    pruning.prune(config, told.append)
    assert "small files of facts together" in told[0]
    assert len(tables.files(config.location, schemas.BALANCES)) == 1
    assert upkeep.vacuum(config.location, schemas.BALANCES, timedelta()) == 9
    assert len(files_of(balances) & before) < len(before)
    made = backups.create(config)
    assert made.is_relative_to(tmp_path / "runs" / "backups")
    assert backups.verify(config, "latest")[1] == []
    restored = backups.restore(config, "latest", tmp_path / "restored")
    again = configured(tmp_path, more=f'store = "{restored.parent}"\n{PLAIN}')
    assert rebuilt(again) == hashes
    with pytest.raises(SettingsInvalid, match="restored to a folder, not to s3://books/new: restore it here, then copy"):
        backups.restore(config, "latest", Path("s3://books/new"))


def numbered(number: int, rows: int = 200) -> pl.DataFrame:
    return schemas.FLOW_VALUES.rows([
        {"account": "main", "source": "deposit", "id": f"{row}", "time": at(row), "kind": "DEPOSIT", "asset": "USDT",
         "quantity": float(number), "price": 1.0, "price_route": "USDT", "value_usd": float(number)} for row in range(rows)])


def test_readers_see_whole_states_only_while_tables_are_rewritten(tmp_path, place):
    config = in_bucket(tmp_path, place)
    rewrite.replace(config.location, schemas.FLOW_VALUES, numbered(0))

    def write() -> None:
        for number in range(1, 8):
            rewrite.replace(config.location, schemas.FLOW_VALUES, numbered(number, 200 + number))

    def state() -> int:
        """Which one is seen, the same and whole by polars and by DuckDB."""
        rows = tables.read(config.location, schemas.FLOW_VALUES)
        [value] = rows["value_usd"].unique()
        assert rows.height == 200 + value
        [(then, height)] = catalog.connect(config.location).sql("select value_usd, count(*) from flow_values group by all").fetchall()
        assert height == 200 + then
        assert then >= value
        return int(value)

    seen = [state()]
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        while not writing.done():
            seen.append(state())
        writing.result()
    seen.append(state())
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 7)


def snapshot_rows(writer: int, number: int) -> pl.DataFrame:
    return schemas.PRICES.rows([(at(100 * writer + number), "BTCUSDT", 50_000, at(100 * writer + number))])


def test_two_writers_lose_nothing(tmp_path, place):
    """The lock is of one machine; between two, delta's protocol decides, on the bucket's conditional writes."""
    config = in_bucket(tmp_path, place)
    tables.append(config.location, schemas.PRICES, snapshot_rows(0, 0))

    def write(writer: int) -> None:
        for number in range(6):
            tables.append(config.location, schemas.PRICES, snapshot_rows(writer, number))

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(write, writer) for writer in (1, 2, 3)]:
            done.result()
    assert tables.read(config.location, schemas.PRICES).height == 19
    assert tables.opened(config.location, schemas.PRICES).version() == 18


def test_of_two_that_rewrite_at_once_one_wins_whole(tmp_path, place):
    config = in_bucket(tmp_path, place)
    rewrite.replace(config.location, schemas.FLOW_VALUES, numbered(0))

    def write(number: int) -> str | None:
        try:
            return rewrite.replace(config.location, schemas.FLOW_VALUES, numbered(number))
        except StoreUnusable:
            return None

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(write, (1, 2)))
    found = tables.read(config.location, schemas.FLOW_VALUES)["value_usd"].unique().to_list()
    assert len(found) == 1
    assert tables.stored_hash(config.location, schemas.FLOW_VALUES) == done[int(found[0]) - 1]


DIES = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from navbook import schemas
from navbook.store.rewrite import Rewrite
from test_store_buckets import numbered
with Rewrite({location!r}, schemas.FLOW_VALUES) as table:
    table.add(numbered(9))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_rewrite_that_is_killed_leaves_the_table_as_it_was(tmp_path, place):
    config = in_bucket(tmp_path, place)
    rewrite.replace(config.location, schemas.FLOW_VALUES, numbered(1))
    before = files_of(tables.uri(config.location, schemas.FLOW_VALUES))
    code = DIES.format(tests=str(Path(__file__).parent), location=config.location)
    done = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert len(files_of(tables.uri(config.location, schemas.FLOW_VALUES)) - before) == 1    # written, and nobody names it
    assert tables.read(config.location, schemas.FLOW_VALUES)["value_usd"].unique().to_list() == [1]
    rewrite.replace(config.location, schemas.FLOW_VALUES, numbered(2))
    assert tables.read(config.location, schemas.FLOW_VALUES)["value_usd"].unique().to_list() == [2]


def test_a_rewrite_that_fails_takes_its_files_away(tmp_path, place):
    config = in_bucket(tmp_path, place)
    rewrite.replace(config.location, schemas.FLOW_VALUES, numbered(1))
    before = files_of(tables.uri(config.location, schemas.FLOW_VALUES))
    with pytest.raises(KeyRepeated), rewrite.Rewrite(config.location, schemas.FLOW_VALUES) as writing:    # noqa: PT012
        writing.add(numbered(2))
        assert len(files_of(tables.uri(config.location, schemas.FLOW_VALUES)) - before) == 1
        writing.add(numbered(3))
    assert files_of(tables.uri(config.location, schemas.FLOW_VALUES)) == before


# -- the command line, its kernels, and the key ----------------------------------------------------------------
def test_collect_benchmark_and_a_page_with_the_store_in_a_bucket(tmp_path, monkeypatch, served, place):
    """Through papermill: the kernels of the jobs, and that of the pages inside of one, get the bucket's key."""
    with local_exchange(tmp_path, monkeypatch) as exchange:
        exchange.account("main", {"spot": {"BTC": "1", "USDT": "5000"}})
        exchange.config(f'store = "{place}"\n{PLAIN}')
        variables = {**served, **{name: value for name, value in os.environ.items() if name.startswith("NAVBOOK_MAIN_")}}
        for number, command in enumerate((["collect"], ["collect", "--no-notebook"], ["benchmark", "--no-notebook"], ["publish"])):
            exchange.clock(START + timedelta(hours=number))
            done = navbook(*command, folder=tmp_path, variables=variables)
            assert done.returncode == 0, done.stderr
    asked = navbook("sql", "select count(*) as snapshots from nav_history", "--format", "csv", folder=tmp_path, variables=variables)
    assert asked.stdout == "snapshots\n2\n"
    assert "main" in (tmp_path / "runs" / "published" / "portfolio-main.html").read_text()
    assert {place.name for place in tmp_path.iterdir()} <= {"navbook.toml", "runs", ".state"}
    written = [file for file in (tmp_path / "runs").rglob("*") if file.is_file()]
    assert len(written) > 10
    assert [file for file in written if SECRET.encode() in file.read_bytes() or KEY.encode() in file.read_bytes()] == []
    record = json.loads(next((tmp_path / "runs" / "publish").glob("*/run.json")).read_text())
    assert record["store"] == f"{place}/sandbox"


def test_the_key_of_the_bucket_reaches_kernels_of_such_a_store_and_nobody_else(tmp_path, place):
    assert "AWS_SECRET_ACCESS_KEY" not in settings.without_secrets(os.environ)
    assert "AWS_ACCESS_KEY_ID" not in settings.without_secrets(os.environ)
    inside = kernels.variables(in_bucket(tmp_path, place), tmp_path)
    assert (inside["AWS_ACCESS_KEY_ID"], inside["AWS_SECRET_ACCESS_KEY"]) == (KEY, SECRET)
    assert "AWS_ENDPOINT_URL" in inside
    outside = kernels.variables(configured(tmp_path), tmp_path)
    assert not {KEY, SECRET} & set(outside.values())


def test_no_log_and_no_error_tells_the_key(tmp_path, place):
    config = in_bucket(tmp_path, place)
    assert redaction.cleaned(f"refused: <AWSAccessKeyId>{KEY}</AWSAccessKeyId> {SECRET}") == "refused: <AWSAccessKeyId>…</AWSAccessKeyId> …"
    assert KEY not in places.reason(OSError(f"\x1b[31m↳\x1b[0m key {KEY}\n is\n unknown."))
    with logs.session(config, "collect") as log:
        log.info("asked", said=f"with {SECRET}")
    written = (config.logs_folder / logs.FILE).read_text()
    assert "asked" in written
    assert SECRET not in written


def test_a_bucket_that_does_not_answer_is_told_in_one_sentence(tmp_path, place, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    config, began = in_bucket(tmp_path, place), time.monotonic()
    with pytest.raises(StoreUnreadable, match=r"^The store s3://books/\d+/sandbox cannot be reached: .*refused.*Check the network"):
        table(config, "nav_history")
    with pytest.raises(NavbookError, match="cannot be"):
        rewrite.replace(config.location, schemas.FLOW_VALUES, numbered(1))
    assert time.monotonic() - began < 30


def test_a_bucket_that_is_not_there_and_a_key_that_is_not_are_named(tmp_path, place):
    with pytest.raises(StoreUnreadable, match=r"^The store s3://nobody/sandbox cannot be reached: The specified bucket does not exist. Check"):
        table(in_bucket(tmp_path, "s3://nobody"), "nav_history")
    asked = "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 2 ms"
    assert places.reason(asked) == "no AWS_ACCESS_KEY_ID is in the environment, and the machine has no role of a cloud"


@pytest.mark.parametrize("wrong", ["s3://", "s3://AKIA:word@books/mine", "gs://books", "s3://books/mine?secret=x", "s3:///x"])
def test_what_is_no_bucket_is_refused_without_repeating_it(tmp_path, wrong):
    with pytest.raises(SettingsInvalid, match="store: must be a folder or s3://bucket/prefix; a bucket's key is in AWS_ACCESS") as told:
        in_bucket(tmp_path, wrong)
    assert "word" not in str(told.value)


@pytest.mark.parametrize("key", ["runs", "vault", "backups"])
def test_what_has_to_be_on_this_machine_is_refused_elsewhere(tmp_path, key):
    with pytest.raises(SettingsInvalid, match=f"{key}: must be on this machine: of all that is kept, the store alone"):
        configured(tmp_path, more=f'{key} = "s3://books/{key}"\n{PLAIN}')


def test_what_is_kept_on_this_machine_beside_a_bucket(tmp_path):
    config = in_bucket(tmp_path, "s3://books/mine")
    assert config.logs_folder == tmp_path / "runs" / "logs" / "sandbox"
    assert config.backups_folder == tmp_path / "runs" / "backups"
    assert clean_environment().keys().isdisjoint({"AWS_SECRET_ACCESS_KEY"})

"""Files that people hand over, and files of ours that are damaged: read, refused in a sentence, or made anew."""

from __future__ import annotations

import io
import json
import random
import shutil
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import stores
from fuzzing import ANYTHING, STRINGS, examples, spoilt, tried
from navbook import schemas, settings, vault
from navbook.errors import Locked, NavbookError
from navbook.publish.live import Live
from navbook.runner import (
    alerts,
    backups,
    candle_files,
    fee_payments,
    ledger,
    locks,
    log_files,
    manual,
    overview,
    queries,
    records,
    slots,
)
from navbook.store import tables
from navbook.types import FeeAction
from worlds import calm

FIELDS = st.one_of(st.sampled_from(("1709251200000", "1709251260000", "1709251200000000", "2024-03-01 00:00:00", "10", "9", "11", "0.1", "1e2", "12345678901234567890123",
                                    "0.12345678901234567899")), STRINGS)
LINES = st.lists(st.lists(FIELDS, min_size=1, max_size=8).map(",".join), max_size=5).map("\n".join)
HEADERS = st.sampled_from(("", "open_time,open,high,low,close,volume\n", "calc_time,last_funding_rate\n", "open_time,open\n", "time,rate,mark_price\n",
                           "open_time,open,high,low,close,volume,open_time\n", "﻿open_time,open,high,low,close,volume\n"))


def amounts_are_what_was_said(text: str, frame: pl.DataFrame) -> None:
    """Each amount stands in the text, to the eighteenth decimal."""
    said = set()
    for word in text.replace("\n", ",").split(","):
        try:
            said.add(round(Decimal(word.strip().strip('"')), 18))
        except ArithmeticError:
            continue
    for column in set(frame.columns) & {*candle_files.PRICES, "volume", "rate", "mark_price"}:
        assert set(frame[column].drop_nulls()) <= said, column


def read_source(file: Path) -> pl.DataFrame | None:
    found = tried(lambda: candle_files.read(candle_files.sources([file], "um", None)[0][0]))
    if isinstance(found, NavbookError):
        assert file.name in str(found)
        return None
    schema, frame = found
    assert set(frame.columns) == set(schema.columns) - {"seen_at"}
    assert not any(frame[column].has_nulls() for column in frame.columns if column != "mark_price")
    return frame


@given(HEADERS, LINES)
@example("", "1709251200000,1,2,0.5,1.00000000000000000049,3")
@example("", "1709251200000,1,2,0.5,1e0,3")
@example("time,rate\n", "1709251200000,0.00010000000000000000004")
@examples(100)
def test_any_csv_of_candles_is_read_to_the_digit_or_refused(header, lines):
    file = Path("BTCUSDT-1m-x.csv")
    file.write_bytes((header + lines).encode("utf-8", "surrogatepass"))
    frame = read_source(file)
    if frame is not None:
        amounts_are_what_was_said(header + lines, frame)


@given(st.data())
@examples(60)
def test_any_damaged_dump_is_read_or_refused(data):
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-1m-2024-03.csv", "".join(f"{1709251200000 + minute * 60000},1,2,0.5,1.5,3\n" for minute in range(5)))
    file = Path("BTCUSDT-1m-x.zip")
    file.write_bytes(damaged(inside.getvalue(), data))
    read_source(file)


VALUES = st.one_of(st.floats(), st.integers(-2**62, 2**62), st.datetimes(datetime(1, 1, 2), datetime(9999, 1, 1)), st.text(max_size=4), st.none(),
                   st.booleans(), st.binary(max_size=3))


@given(st.lists(st.sampled_from((*candle_files.DUMP, "rate", "time", "x")), unique=True, min_size=1), st.data())
@examples(60)
def test_any_parquet_of_candles_is_read_or_refused(columns, data):
    height = data.draw(st.integers(0, 3))
    kinds = st.sampled_from((VALUES, st.floats(0.5, 2), st.integers(1_709_251_200, 1_709_251_300), st.decimals(0, 5, places=3)))
    file = Path("BTCUSDT-1m-x.parquet")
    try:
        frame = pl.DataFrame({name: pl.Series(data.draw(st.lists(data.draw(kinds), min_size=height, max_size=height)), strict=False)
                              for name in columns})
        frame.write_parquet(file)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError, OverflowError):
        assume(False)    # no column can hold it
    read_source(file)


def damaged(content: bytes, data: st.DataObject) -> bytes:
    """`content` cut off, with bytes changed, or another file altogether."""
    how = data.draw(st.sampled_from(("cut", "changed", "other", "empty", "doubled")))
    if how == "cut":
        return content[:data.draw(st.integers(0, len(content)))]
    if how == "changed":
        mixed, chance = bytearray(content), random.Random(data.draw(st.integers(0, 2**32)))
        for _ in range(chance.randint(1, 8)):
            mixed[chance.randrange(len(mixed))] = chance.randrange(256)
        return bytes(mixed)
    return {"other": b"<html>", "empty": b"", "doubled": content * 2}[how]


# -- what navbook itself wrote -------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A small store with its answers, a run, and a backup."""
    folder = tmp_path_factory.mktemp("kept")
    config = stores.configured(folder, more='[jobs.collect]\ncron = "0 * * * *"\n')
    stores.grown(config, calm({"USDT": 1000, "BTC": "0.1"}, 3))
    backups.create(config)
    return folder


@pytest.fixture
def config(kept, tmp_path):
    return stores.copied(kept, tmp_path)


GOOD_RECORD = {"run": "2026-03-02T000000Z_all_00000000", "job": "collect", "notebook": "collect", "account": "all", "environment": "sandbox",
               "store": "", "status": "running", "started_at": "2026-03-02T00:00:00+00:00", "parameters": {}, "code": "1", "packages": {},
               "tables_read": {"prices": 1}, "slot": "2026-03-02T00:00:00+00:00", "pid": 1, "ended_at": None, "seconds": None, "reason": None}


@given(content=st.one_of(spoilt(GOOD_RECORD), spoilt(GOOD_RECORD | {"status": "ok", "ended_at": "2026-03-02T00:01:00+00:00", "seconds": 60.0}), ANYTHING))
@examples(15, weight=10)
def test_a_broken_record_of_a_run_is_taken_for_a_run_that_was_killed(kept, content):
    config = settings.load(kept / "navbook.toml")
    place = config.runs_folder / "collect" / GOOD_RECORD["run"]
    shutil.rmtree(config.runs_folder / "collect", ignore_errors=True)
    place.mkdir(parents=True)
    (place / "run.json").write_text(json.dumps(content, default=str), encoding="utf-8")
    record = records.Record.read(place)
    assert record is None or (record.started.tzinfo and (record.ended is None or record.ended.tzinfo))
    dead = tried(lambda: records.close_dead(config, "collect"))
    assert not isinstance(dead, NavbookError)
    assert len(schemas.RUNS.rows([(each.run, each.job, each.account, each.started, each.ended, each.status, each.reason, each.ended)
                                  for each in dead])) == len(dead) <= 1
    tried(lambda: slots.fates(config, "collect", datetime(2026, 3, 2, 1, tzinfo=UTC), dead))
    tried(lambda: ledger.runs(config, "collect"))


@given(content=spoilt({"pid": 5, "since": "2026-03-02 00:00:00 UTC"}) | ANYTHING)
@examples(25, weight=4)
def test_a_broken_note_beside_a_lock_still_says_that_it_is_held(kept, content):
    config = settings.load(kept / "navbook.toml")
    with locks.hold(config, "publish"):
        (config.runs_folder / ".locks" / "sandbox-publish.json").write_text(json.dumps(content, default=str), encoding="utf-8")
        assert "process" in (locks.holder(config, "publish") or "")
        with pytest.raises(Locked, match="publish is already being run"), locks.hold(config, "publish"):
            pass


ALERT = {"collect failed": {"level": "critical", "sentence": "x", "since": "2026-03-02 00:00:00 UTC", "told": True}}


@given(content=spoilt(ALERT) | ANYTHING)
@examples(25, weight=4)
def test_broken_alerts_are_told_once_more(kept, content):
    config = settings.load(kept / "navbook.toml")
    place = config.runs_folder / ".alerts" / "sandbox.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(content, default=str), encoding="utf-8")
    for alert in alerts.opened(config).values():
        assert isinstance(alert.sentence, str)
        assert isinstance(alert.told, bool)
    alerts.trouble(config, "collect failed", "It failed.")
    assert alerts.opened(config)["collect failed"].sentence == "It failed."
    alerts.over(config, "collect failed", "It works.")
    assert "collect failed" not in alerts.opened(config)


@given(data=st.data())
@examples(8, weight=20)
def test_a_broken_backup_is_named_and_never_restored(kept, data):
    config = settings.load(kept / "navbook.toml")
    place = backups.find(config, "latest")
    manifest = place / "backup.json"
    good = manifest.read_text(encoding="utf-8")
    content = data.draw(spoilt(json.loads(good)) | ANYTHING)
    manifest.write_text(json.dumps(content, default=str), encoding="utf-8")
    try:
        for told in (lambda: backups.listed(config), lambda: backups.verify(config, "latest"), lambda: backups.prune(config)):
            tried(told)
    finally:
        manifest.write_text(good, encoding="utf-8")


@given(content=spoilt({"version": 1, "salt": "AAAA", "keys": {"sandbox": {"main": "gAAAA"}}}) | ANYTHING)
@examples(30, weight=8)
def test_a_broken_vault_is_named(kept, content):
    config = settings.load(kept / "navbook.toml")
    config.vault_file.write_text(json.dumps(content, default=str), encoding="utf-8")
    for told in (lambda: vault.kept(config), lambda: vault.source(config, "main"), lambda: vault.keys(config, "main")):
        tried(told)
    config.vault_file.unlink()


@given(st.lists((ANYTHING | spoilt({"time": "2026-03-02T00:00:00+00:00", "level": "info", "event": "x", "seconds": 1.0, "reason": "y"})).map(
    lambda row: json.dumps(row, default=str)) | STRINGS, max_size=5))
@examples(25, weight=4)
def test_a_broken_log_is_shown_as_far_as_it_can_be_read(lines):
    Path("navbook.toml").write_text("[accounts.main]\n", encoding="utf-8")
    config = settings.load("navbook.toml")
    config.logs_folder.mkdir(parents=True, exist_ok=True)
    (config.logs_folder / log_files.FILE).write_bytes("\n".join(lines).encode("utf-8", "surrogatepass") + b"\n")
    found = list(log_files.rows(config, log_files.wanted()))
    for form in ("table", "csv", "json"):
        assert "\x1b" not in log_files.text(found, form)
        for row in found:
            assert "\n" not in log_files.line(row, form)
    log_files.prune(config, datetime(2026, 3, 3, tzinfo=UTC))


@given(content=ANYTHING | spoilt({"cells": [], "metadata": {"navbook": {"page": "live"}, "papermill": {"parameters": {"account": "x"}}}}))
@examples(60)
def test_a_broken_notebook_among_the_pages_is_no_page(content):
    Path("navbook.toml").write_text("[accounts.main]\n", encoding="utf-8")
    config = settings.load("navbook.toml")
    published = config.runs_folder / "published"
    published.mkdir(parents=True, exist_ok=True)
    (published / "share-main.ipynb").write_text(json.dumps(content, default=str), encoding="utf-8")
    assert set(overview.shared(config)) <= {"share-main"}
    assert Live(published, None, {}).has("share-main") in (True, False)


@given(data=st.data())
@examples(12, weight=20)
def test_a_damaged_store_is_named_or_read_as_it_was(kept, data):
    """A bit that changes in a Parquet file's data is no affair of ours where its own checks say nothing."""
    config = settings.load(kept / "navbook.toml")
    folder = kept / "data" / "sandbox" / "facts" / "cash_flows"
    file = data.draw(st.sampled_from(sorted(path for path in folder.rglob("*") if path.is_file())))
    good = file.read_bytes()
    file.write_bytes(damaged(good, data))
    try:
        for use in (lambda: tables.read(config.location, schemas.CASH_FLOWS), lambda: tables.versions(config.location),
                    lambda: tables.rows(config.location, schemas.CASH_FLOWS), lambda: queries.sql(config, "from cash_flows", "csv")):
            tried(use)
    finally:
        file.write_bytes(good)


# -- what people say of flows and fees -----------------------------------------------------------------------------------
@given(data=st.data())
@examples(25, weight=10)
def test_any_words_about_a_flow_are_kept_as_said_or_refused(kept, data):
    config = settings.load(kept / "navbook.toml")

    def words(*more: str) -> str:
        return data.draw(st.sampled_from(more) | STRINGS)

    account, kind, amount = words("main", "all"), words("fee", "ignore", "DEPOSIT", "withdrawal"), words("1.5", "0.1")
    flow, entry, time, period, asset = (words(usual) for usual in ("deposit:f0", "e1", "2026-03-01", "2026-03", "BTC"))
    say = data.draw(st.sampled_from((
        lambda: manual.mark(config, flow, kind, account, words("x")), lambda: manual.price(config, flow, amount, account),
        lambda: manual.undo(config, entry),
        lambda: manual.add(config, manual.Added(account=account, kind=kind, asset=asset, amount=amount, time=time)),
        lambda: fee_payments.record(config, fee_payments.Payment(account=account, period=period, action=FeeAction.ADJUSTED, amount=amount)))))
    before = tables.read(config.location, schemas.MANUAL_ENTRIES).height
    said = tried(say)
    if isinstance(said, NavbookError):
        assert tables.read(config.location, schemas.MANUAL_ENTRIES).height == before
        return
    assert "\n" not in said
    kept_rows = tables.read(config.location, schemas.MANUAL_ENTRIES)
    assert not kept_rows.filter(pl.col("amount") <= 0).height
    assert not kept_rows.filter(pl.col("price_usd") <= 0).height

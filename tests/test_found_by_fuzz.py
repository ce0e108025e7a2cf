"""What the long runs of `make fuzz` found, each as its smallest example."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import stores
from exchanges import START
from navbook import settings
from navbook.cli import app
from navbook.errors import AnswerUnreadable, CandlesInvalid, Locked, SettingsInvalid
from navbook.exchange import contracts, market_history, parse, values
from navbook.publish.live import Live
from navbook.runner import alerts, backups, candle_files, configuring, locks, log_files, overview, parameters, records
from navbook.trader import plans
from test_fuzz_exchange import Recorded, key_of, said

MAIN = "[accounts.main]\n"


def loaded(text: str = MAIN) -> settings.Settings:
    Path("navbook.toml").write_text(text, encoding="utf-8")
    return settings.load("navbook.toml")


# -- settings -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "told"), [("null", "holds no settings"), ("", "not valid JSON"), ('{"\\n": null}', "is not a setting")])
def test_the_settings_of_a_run_that_are_none(text, told):
    Path("config.json").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsInvalid, match=told) as refused:
        settings.load("config.json")
    assert str(refused.value).isprintable()


def test_half_a_letter_in_a_variable(monkeypatch):
    monkeypatch.setenv("NAVBOOK_STABLECOINS", r'["\uD800"]')
    with pytest.raises(SettingsInvalid, match="NAVBOOK_STABLECOINS holds half a letter"):
        loaded()


def test_a_number_without_end_is_listed_as_it_was_written():
    listed = configuring.listed(loaded(f"{MAIN}[trade.long]\naccount = [inf]\n"))
    assert listed.filter(key="trade.long.account")["value"].to_list() == ["[inf]"]


def test_an_account_of_a_position_that_is_a_list():
    with pytest.raises(SettingsInvalid, match=r"\[trade.long\] cannot be used: account = \[\]"):
        plans.plans(loaded(f"{MAIN}[trade.long]\naccount = []\n"))


@pytest.mark.parametrize("cell", [{"metadata": None, "source": ""}, {"metadata": {"tags": ["parameters"]}, "source": [3]}, 5])
def test_a_notebook_whose_cells_are_none(cell):
    Path("x.ipynb").write_text(json.dumps({"cells": [cell]}), encoding="utf-8")
    with pytest.raises(SettingsInvalid, match="is no notebook"):
        parameters.of(Path("x.ipynb"))


# -- what navbook keeps -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("change", [{"run": ["x"]}, {"started_at": "soon"}, {"started_at": "2026-03-02T00:00:00"}, {"status": "odd"}, {"parameters": None},
                                    {"slot": 5}])
def test_a_record_of_a_run_with_an_entry_that_is_none(tmp_path, change):
    good = {"run": "r", "job": "collect", "account": "all", "environment": "sandbox", "status": "ok", "started_at": "2026-03-02T00:00:00+00:00",
            "parameters": {}, "code": "", "packages": {}, "tables_read": {}}
    (tmp_path / "run.json").write_text(json.dumps(good), encoding="utf-8")
    assert records.Record.read(tmp_path).run == "r"
    (tmp_path / "run.json").write_text(json.dumps(good | change), encoding="utf-8")
    assert records.Record.read(tmp_path) is None


@pytest.mark.parametrize("note", ["{}", "null", "", '{"pid": 5}'])
def test_the_note_of_a_lock_that_says_nothing(note):
    config = loaded()
    with locks.hold(config, "collect"):
        (config.runs_folder / ".locks" / "sandbox-collect.json").write_text(note, encoding="utf-8")
        with pytest.raises(Locked, match="process unknown since"), locks.hold(config, "collect"):
            pass


@pytest.mark.parametrize("entry", [{"level": "critical", "sentence": None, "since": "x", "told": True}, {"told": "x"}, 5])
def test_alerts_that_are_none_are_told_once_more(entry):
    config = loaded()
    (config.runs_folder / ".alerts").mkdir(parents=True)
    (config.runs_folder / ".alerts" / "sandbox.json").write_text(json.dumps({"collect failed": entry}), encoding="utf-8")
    assert alerts.opened(config) == {}


@pytest.mark.parametrize("change", [{"environment": None}, {"environment": "x"}, {"settings": "x"}, {"digests": None}, {"made_at": "soon"},
                                    {"made_at": "2026-03-02"}])
def test_a_backup_whose_manifest_is_none(tmp_path, change):
    place = backups.create(stores.configured(tmp_path))
    manifest = place / "backup.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(backups.BackupDamaged, match=r"backup\.json cannot be read .* use another backup"):
        backups.read(place)


def test_a_line_of_the_log_whose_event_is_a_list():
    row = {"time": "2026-03-02T00:00:00+00:00", "event": ["x"], "seconds": "long", "success": 3, "reason": "\x1b[2J"}
    assert '["x"]' in log_files.text([row], "table").replace(" ", "")
    assert "\x1b" not in log_files.text([row], "table") + log_files.line(row, "table")


@pytest.mark.parametrize("content", ["{}", "null", '{"metadata": null}', "", '{"metadata": {"navbook": 5}}'])
def test_a_notebook_among_the_pages_that_is_none(content):
    config = loaded()
    folder = config.runs_folder / "published"
    folder.mkdir(parents=True)
    (folder / "share-main.ipynb").write_text(content, encoding="utf-8")
    assert overview.shared(config) == {}
    assert not Live(folder, None, {}).has("share-main")


# -- files of candles ---------------------------------------------------------------------------------------------------
def refused(file: Path) -> str:
    with pytest.raises(CandlesInvalid) as problem:
        candle_files.read(candle_files.sources([file], "um", None)[0][0])
    return str(problem.value)


@pytest.mark.parametrize(("place", "value"), [(8, 99), (6, 0x20), (30 + 11, 255)], ids=["method", "patched", "data"])
def test_a_dump_with_a_byte_changed(place, value):
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT.csv", "1709251200000,1,2,0.5,1.5,3\n" * 50)
    content = bytearray(inside.getvalue())
    content[place] = value
    central = content.index(b"PK\x01\x02")
    if place < 30:    # the directory says the same of a file
        content[central + place + 2] = value
    Path("BTCUSDT-1m.zip").write_bytes(content)
    assert "BTCUSDT-1m.zip cannot be read" in refused(Path("BTCUSDT-1m.zip"))


def test_a_dump_that_would_fill_the_memory(monkeypatch):
    monkeypatch.setattr(candle_files, "LARGEST", 10)
    with zipfile.ZipFile("BTCUSDT-1m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT.csv", "0" * 1000)
    assert "is larger than" in refused(Path("BTCUSDT-1m.zip"))


@pytest.mark.parametrize(("column", "told"), [([True], "but Boolean"), ([b"\x80"], "but Binary"), ([[1]], "but List"), ([2**62], "a time that is none"),
                                              ([-1], "a time that is none")])
def test_a_column_of_times_that_holds_none(column, told):
    """2**62 milliseconds in microseconds went round the end of 64 bits, to 1970."""
    file = Path("BTCUSDT-1m.parquet")
    pl.DataFrame({"open_time": column, **{name: ["1"] for name in ("open", "high", "low", "close", "volume")}}).write_parquet(file)
    assert told in refused(file)


def test_an_export_to_no_file(tmp_path):
    stores.configured(tmp_path)
    for name in ("", ".", "/"):
        result = CliRunner().invoke(app, ["export", "duckdb", name, "--force"])
        assert "is a folder" in str(result.exception), result.exception


# -- what an exchange says ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("time", [-1, 4_102_444_800_000, 10**15, "1969-12-31 23:59:59", "2100-01-01 00:00:00", "9999-12-31 23:59:59+00:00"])
def test_a_time_that_cannot_be(time):
    with pytest.raises((ValueError, ArithmeticError)):
        values.from_text(time)


def test_totals_that_fit_one_by_one_but_not_together():
    wallet = {"walletName": "Spot", "balance": "99999999999999999999", "activate": True}
    with pytest.raises(AnswerUnreadable, match="together are no amount"):
        parse.wallets.totals([wallet, {**wallet, "walletName": "Options"}])


def test_a_price_below_zero():
    with pytest.raises(AnswerUnreadable, match="below zero"):
        parse.market.prices([{"symbol": "BTCUSDT", "price": "-1"}], START)
    with pytest.raises(AnswerUnreadable, match="below zero"):
        parse.market.candles([[1, "1", "1", "-1", "1", "1"]], "BTCUSDT", START)


def test_settlements_that_go_back_in_time_are_not_asked_for_ever():
    page = [{"fundingTime": 1_780_272_000_000 - number * 28_800_000, "fundingRate": "0.0001", "markPrice": "1"} for number in range(1000)]

    class Same(Recorded):
        async def ask(self, endpoint, call, **params):
            return self.answers["page"]

    with pytest.raises(AnswerUnreadable, match="goes back in time"):
        asyncio.run(market_history.settlements(Same({"page": said(page)}), "BTCUSDT", START - timedelta(days=1), START, START))


@pytest.mark.parametrize("row", [{}, {"initialLeverage": "x"}, {"initialLeverage": 20, "notionalCap": None, "maintMarginRatio": 0, "cum": 0}, None])
def test_leverage_brackets_are_read_when_they_come(row):
    filters = [{"filterType": "PRICE_FILTER", "tickSize": "0.1"}, {"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "1", "maxQty": "9"},
               {"filterType": "MIN_NOTIONAL", "notional": "5"}]
    answers = {key_of("GET /fapi/v1/exchangeInfo", {}): said({"symbols": [{"symbol": "BTCUSDT", "status": "TRADING", "filters": filters}]}),
               key_of("GET /fapi/v1/leverageBracket", {"symbol": "BTCUSDT"}): said([{"symbol": "BTCUSDT", "brackets": [row]}])}
    with pytest.raises(AnswerUnreadable):
        asyncio.run(contracts.read(Recorded(answers), {"BTCUSDT"}))


def test_an_amount_of_more_decimals_than_are_kept_is_rounded_to_the_nearest():
    """18, which no asset goes beyond; what follows is noise of a float."""
    assert values.amount("0.30000000000000004440892098500626") == Decimal("0.300000000000000044")

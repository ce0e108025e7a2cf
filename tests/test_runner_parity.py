"""The parity job over a real replay: the trader on the local Binance does what the backtest does, to the cent."""

from __future__ import annotations

import asyncio
import json

import polars as pl
import pytest

from commands import navbook, sentence
from locals import traded
from navbook import schemas
from navbook.compute import parity as compute
from navbook.errors import SettingsInvalid
from navbook.publish import parity as show
from navbook.runner import parity
from navbook.store import tables

TOML = '[trade.btc_long]\naccount = "main"\nsymbol = "BTCUSDT"\ntp_usdt = 4\nsl_usdt = 3\n'


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Six hours of a trader on generated prices; its exchange goes on standing there."""
    with traded(tmp_path_factory.mktemp("parity"), TOML, "2026-03-02T00:00", "2026-03-02T06:00") as local:
        yield local


@pytest.fixture(scope="module")
def compared(played):
    return asyncio.run(parity.compare(played.config(TOML), parity.Asked("btc_long")))


def test_a_replay_on_the_local_binance_is_the_backtest(compared):
    assert compared.rows.height > 3
    assert compared.rows["found"].unique().to_list() == ["both"]
    assert compared.sums["difference"] == pytest.approx(0, abs=1e-6)
    assert compared.rows.select(pl.max_horizontal(pl.col(*compute.PARTS).abs()).max()).item() < 1e-6
    assert "exactly what the backtest does" in show.verdict("btc_long", compared.rows)


def test_the_command_runs_the_notebook_without_a_key_and_says_what_it_found(played):
    played.config(TOML)
    result = navbook("parity", "btc_long", "--taker-fee", "0.0004", folder=played.folder)
    assert result.returncode == 0, result.stderr
    rows = tables.read(played.config(TOML).location, schemas.PARITY)
    assert "btc_long" in result.stdout
    assert f"fee {rows['fee'].sum():+,.2f}" in result.stdout
    assert rows["fee"].sum() < 0
    (run,) = (played.folder / "runs" / "parity").glob("*/run.json")
    assert json.loads(run.read_text(encoding="utf-8"))["status"] == "ok"
    assert "What makes the difference" in (run.parent / "page.html").read_text(encoding="utf-8")


def test_the_report_names_the_largest_cause_and_lists_every_trade(compared):
    rows = compared.rows.with_columns(difference=pl.col("difference") - 0.5, slippage=pl.col("slippage") - 0.5)
    said = show.verdict("btc_long", rows).striptags()
    assert f"made ${0.5 * rows.height:.2f} less than the backtest, mostly by slippage." in said
    listed = show.trades(rows)
    assert listed.count("<tr>") + listed.count("<tr class") >= rows.height
    assert "Slippage" in show.causes(rows)


@pytest.mark.parametrize(("asked", "words"), [
    (parity.Asked("nobody"), "No position nobody is configured"),
    (parity.Asked("btc_long", since="2027-01-01"), "closed no trade in this period"),
])
def test_what_cannot_be_compared_is_told(played, asked, words):
    with pytest.raises(SettingsInvalid, match=words):
        parity.live_trades(played.config(TOML), asked)


def test_a_position_that_never_traded_is_told_in_one_sentence(tmp_path):
    (tmp_path / "navbook.toml").write_text(f"[accounts.main]\n{TOML}", encoding="utf-8")
    assert "closed no trade" in sentence(navbook("parity", "btc_long", folder=tmp_path))

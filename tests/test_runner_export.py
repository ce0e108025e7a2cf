"""A year leaves as files that people can open: exact, harmless, the same each time, none overwritten unasked."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

from commands import navbook
from navbook import schemas
from navbook.cli import app
from navbook.errors import SettingsInvalid
from navbook.publish import statement, words
from navbook.runner import closing, explain, export, queries
from navbook.store import tables
from navbook.types import FlowKind, FlowStatus
from stores import configured, copied, grown, keep, rebuilt
from worlds import World, at

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


def spring() -> World:
    """March 2026: a deposit, a withdrawal with its fee, a coin without price, and a flow of another year."""
    world = World(accounts=("main", "sub"))
    for account in world.accounts:
        for hours, dollars in ((0, 10_000), (24, 10_400), (31 * 24, 10_600)):
            world.snapshot(at(hours), {"USDT": dollars}, account=account)
    world.flow(at(12), "400.000000000000000001", flow_id="+in")
    world.flow(at(13, seconds=1.5), 100, kind=FlowKind.WITHDRAWAL, fee="1.5")
    world.flow(at(14), 5, "NOCOIN")
    world.flow(at(15), 7, status=FlowStatus.PENDING, flow_id="late")
    world.flow(datetime(2027, 1, 1, tzinfo=UTC), 9, flow_id="next year")
    return world


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """The world's store, made once; each test has a copy to change."""
    folder = tmp_path_factory.mktemp("owner")
    grown(configured(folder, "main", "sub"), spring())
    return folder


@pytest.fixture
def config(owner, tmp_path):
    return copied(owner, tmp_path)


def sheet(folder: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / f"{name}.csv").read_bytes().decode(), newline="")))


def exported(config, **how) -> Path:
    return export.year(config, 2026, **how)[0].parent


def test_a_years_flows_are_exact_and_only_its_own(config):
    rows = {row["asset"] + row["kind"]: row for row in sheet(exported(config), "flows")}
    deposit, withdrawal, coin = rows["USDTDEPOSIT"], rows["USDTWITHDRAWAL"], rows["NOCOINDEPOSIT"]
    assert (deposit["amount_in_asset"], deposit["time_utc"]) in (
        ("400.000000000000000001", "2026-03-02T12:00:00Z"), ("7", "2026-03-02T15:00:00Z"))
    assert (withdrawal["amount_in_asset"], withdrawal["fee_in_asset"], withdrawal["counted_in_asset"],
            withdrawal["value_usd"], withdrawal["time_utc"]) == ("100", "1.5", "-101.5", "-101.5", "2026-03-02T13:00:01.500Z")
    assert (coin["amount_in_asset"], coin["value_usd"], coin["counts"]) == ("5", "", "true")
    every = sheet(exported(config), "flows")
    assert [row["id"] for row in every] == ["'+in", "f1", "f2", "late"], "the next year's is not there"
    assert [row["counts"] for row in every] == ["true", "true", "true", "false"]
    assert every[0]["amount_in_asset"] == "400.000000000000000001"


def test_every_sheet_has_its_columns_without_rows_too(config):
    folder = exported(config)
    assert {file.name for file in folder.iterdir()} == {
        "flows.csv", "income.csv", "trades.csv", "snapshots.csv", "fees.csv", "fee_payments.csv", "rewards.csv",
        "converts.csv", "statement.html"}
    assert (folder / "rewards.csv").read_text() == "account,time_utc,source,asset,amount_in_asset,note,id\n"
    assert [row["nav_usd"] for row in sheet(folder, "snapshots")] == ["10000", "10400", "10600"] * 2


HOSTILE = ["=HYPERLINK(\"http://x\")", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "a,b\"c\nd", "<script>alert(1)</script>"]


def test_words_from_outside_run_nothing_in_a_spreadsheet(config):
    rows = [dict.fromkeys(schemas.REWARDS.columns) | {
        "account": "main", "source": "dividend", "id": f"{number:02}", "time": at(number), "asset": "BTC",
        "amount": Decimal(-1) if number else Decimal(1), "note": note, "seen_at": at(number)}
        for number, note in enumerate(HOSTILE)]
    tables.append(config.location, schemas.REWARDS, schemas.REWARDS.rows(rows))
    rewards = sheet(exported(config), "rewards")
    assert [row["note"] for row in rewards] == [f"'{note}" for note in HOSTILE[:6]] + HOSTILE[6:]
    assert [row["amount_in_asset"] for row in rewards] == ["1", *["-1"] * 7], "a number stays one"


def test_the_same_again_changes_nothing_and_other_content_is_kept(config):
    folder = exported(config)
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}
    assert exported(config) == folder
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()} == before
    (folder / "flows.csv").write_text("my own notes")
    (folder / "income.csv").unlink()
    with pytest.raises(SettingsInvalid, match=r"flows.csv holds something else; --force writes over it"):
        exported(config)
    assert not (folder / "income.csv").exists(), "all or nothing"
    exported(config, force=True)
    assert (folder / "flows.csv").read_bytes() == before["flows.csv"][0]


def test_what_was_paid_of_a_period_that_is_gone_keeps_its_row(config, tmp_path):
    tables.append(config.location, schemas.FEE_PAYMENTS, schemas.FEE_PAYMENTS.rows([
        dict.fromkeys(schemas.FEE_PAYMENTS.columns) | {"account": "main", "id": "p1", "period": "2020-01", "action": "COLLECTED",
        "time": at(3), "amount_usd": 7, "revoked": False, "seen_at": at(3)}]))
    rebuilt(config)
    (row,) = [row for row in sheet(exported(config, to=tmp_path / "out"), "fees") if row["period"] == "2020-01"]
    assert Decimal(row["collected_usd"]) == 7


def test_figures_older_than_the_snapshots_are_not_exported(config):
    world = spring()
    world.snapshot(at(40 * 24), {"USDT": 1})
    keep(config, world)
    with pytest.raises(explain.TablesStale, match="run navbook benchmark"):
        exported(config)


def test_one_account_alone(config, tmp_path):
    folder = exported(config, account="sub", to=tmp_path / "of sub")
    assert folder == tmp_path / "of sub"
    assert {row["account"] for row in sheet(folder, "snapshots")} == {"sub"}
    assert "main" not in text_of((folder / "statement.html").read_text())
    with pytest.raises(SettingsInvalid, match="There is no account nobody"):
        exported(config, account="nobody")


def test_a_year_without_anything_is_refused(config):
    with pytest.raises(SettingsInvalid, match="There is nothing of 2025"):
        export.year(config, 2025)


# -- the statement --------------------------------------------------------------------------------------------
def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page.split("</style>")[1]).split())


def test_the_statement_says_what_there_was_and_what_it_made(config):
    page = (exported(config) / "statement.html").read_text(encoding="utf-8")
    said = text_of(page)
    assert "Statement 2026" in said
    assert "main 10,000.00 298.50 301.50 10,600.00" in said
    assert "Together 20,000.00 298.50 901.50 21,200.00" in said
    assert "main: one flow without a price." in said
    assert "No month is closed." in said
    assert "No month was closed." in said
    assert "http" not in page.replace("http-equiv", "")


def test_the_statement_shows_what_changed_since_a_month_was_closed(config):
    closing.close(config, "2026-03")
    world = spring()
    world.flow(at(20), 250, flow_id="late news")
    grown(config, world)
    said = text_of((exported(config) / "statement.html").read_text(encoding="utf-8"))
    assert "Closed: 2026-03." in said
    assert "2026-03 main own flows_usd 298.50 548.50 250.00" in said


def crowded(accounts: int) -> statement.Year:
    """As much as a page may have to hold: long names, large sums, gaps, restatements, every month."""
    names = [f"account-number-{number}-of-many" for number in range(accounts)]
    sums = {"nav_from": 1_234_567.891, "nav_to": 2_234_567.894, "flows_usd": -98_765.432, "gain_usd": 1_098_765.435,
            "twr": 0.8765, "benchmark_twr": -0.1234, "alpha": 0.9999, "fee_usd": 12_345.678, "pending_usd": None}
    figures = pl.DataFrame([{"account": name, "from_time": at(0), "to_time": at(9), **sums, "snapshots": 8760,
                             "provisional": 12, "incomplete": 3, "unpriced": 2} for name in names])
    months = pl.DataFrame([{"account": name, "period": f"2026-{month:02}", **sums} for name in names for month in range(1, 13)])
    restated = pl.DataFrame([{"account": name, "benchmark": "own", "month": "2026-03", "figure": figure, "closed": 1234.5,
                              "now": 1.0, "difference": -1233.5} for name in names for figure in ("nav_to", "twr", "alpha")])
    return statement.Year(name="2026", environment="live", figures=figures, months=months, restatements=restated,
                          closings=pl.DataFrame({"month": [f"2026-{month:02}" for month in range(1, 13)]}),
                          quarantined=3, benchmark=words.HALF_HALF)


def test_figures_of_the_statement_add_up_as_they_are_shown():
    row = text_of(statement.page(crowded(1))).split("account-number-0-of-many ")[1].split()
    start, moved, gain, end = (Decimal(figure.replace(",", "").replace(words.MINUS, "-")) for figure in row[:4])
    assert start + moved + gain == end


def test_names_are_text_in_the_statement():
    year = crowded(1)
    evil = "<img src=x onerror=alert(1)>"
    page = statement.page(statement.Year(**{**vars(year), "figures": year.figures.with_columns(account=pl.lit(evil)),
                                            "restatements": year.restatements.with_columns(figure=pl.lit(evil))}))
    assert "<img" not in page


@pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium")
def test_the_statement_prints_on_one_page(tmp_path):
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for accounts in (1, 4, 12):
            tab = browser.new_page()
            tab.set_content(statement.page(crowded(accounts)))
            printed = tab.pdf(prefer_css_page_size=True)
            assert len(re.findall(rb"/Type\s*/Page[^s]", printed)) == 1, accounts
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        browser.close()


# -- DuckDB ---------------------------------------------------------------------------------------------------
def test_a_database_file_is_whole_and_overwritten_only_when_asked(config, tmp_path):
    file = tmp_path / "new folder" / "all.duckdb"
    export.database(config, file)
    with duckdb.connect(str(file), read_only=True) as copied:
        assert copied.execute("SELECT count(*) FROM nav_history").fetchall() == [(6,)]
        assert copied.execute("SELECT account_name FROM binance_accounts ORDER BY id").fetchall() == [("main",), ("sub",)]
    with pytest.raises(SettingsInvalid, match="is there already"):
        export.database(config, file)
    export.database(config, file, force=True)
    assert [entry.name for entry in file.parent.iterdir()] == ["all.duckdb"]


def test_a_damaged_table_leaves_no_database_file(config, tmp_path):
    Path(tables.files(config.location, schemas.BALANCES)[0]).write_bytes(b"")
    (tmp_path / "out").mkdir()
    with pytest.raises(queries.QueryFailed, match=r"^The table balances of .* bring it back from a copy"):
        export.database(config, tmp_path / "out" / "all.duckdb")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_commands(tmp_path):
    grown(configured(tmp_path), spring())
    done = navbook("export", "--year", "2026", "--to", "out", folder=tmp_path)
    assert done.stdout.startswith("9 files in out: "), done.stderr
    done = navbook("export", "duckdb", "all.duckdb", folder=tmp_path)
    assert done.stdout == "Every table and view is in all.duckdb.\n", done.stderr


def test_a_year_must_be_named(config):
    refusal = CliRunner().invoke(app, ["export", "--config", str(config.file)]).exception
    assert isinstance(refusal, SettingsInvalid)
    assert "Say which year, such as navbook export --year 2026" in str(refusal)

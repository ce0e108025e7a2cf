"""The real Voila server and a real browser: pages open fast, ask nobody, change nothing, start no kernel.

Fails when an upgrade of Voila or Jupyter's server changes what publish/voila_app.py rests on.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from navbook.errors import SettingsInvalid
from navbook.publish import palette, render, server
from test_publish_frames import NAMES, executed, world, written

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
                 if (found := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium")
LAUNCH = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync"]
SERVE = """
import os, sys
from pathlib import Path
from navbook.publish import server
def ready(address):
    print(address, flush=True)
    print(sorted(name for name in os.environ if "SECRET" in name or "API_KEY" in name), flush=True)
kernels = {name: value for name, value in os.environ.items() if "SECRET" not in name and "API_KEY" not in name}
server.serve(Path(sys.argv[1]), host=sys.argv[2], port=0, on_ready=ready, token=sys.argv[3] or None,
             kernels=kernels if sys.argv[4] else None)
"""
LIVE = """
import os
from navbook.publish.markup import Html
keys = sorted(name for name in os.environ if "SECRET" in name or "API_KEY" in name)
"""
SECRETS = {"NAVBOOK_MAIN_API_KEY": "k", "NAVBOOK_MAIN_API_SECRET": "s", "BINANCE_TESTNET_API_SECRET_FILE": "f",
           "SESSION_SECRET": "x", "NAVBOOK_SESSION_SECRET": "y"}


def publish(folder: Path, name: str, notebook: Any) -> None:
    source = written(notebook, folder / f"{name}.ipynb")
    (folder / f"{name}.html").write_text(render.page(source), encoding="utf-8")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """Pages of a good day, one of a bad day, one of a day long ago; one without its rendering, one out of step."""
    folder = tmp_path_factory.mktemp("runs") / "published"
    folder.mkdir()
    good = world(rolling=True)
    for name in NAMES:
        publish(folder, f"portfolio-{name}", executed("portfolio", good, account=name))
    publish(folder, "index", executed("index", good, account="all"))
    bad = world(incomplete=True, provisional=True, unpriced=True, hostile="<script>alert(1)</script>")
    publish(folder, "bad", executed("portfolio", bad, account="main"))
    publish(folder, "old", executed("portfolio", world(ended=datetime.now(UTC) - timedelta(hours=39)), account="main"))
    written(executed("index", good, account="all"), folder / "unrendered.ipynb")
    publish(folder, "behind", executed("index", good, account="all"))
    with (folder / "behind.ipynb").open("a") as stream:
        stream.write("\n")
    (folder.parent / "publish" / "2026-06-10T140007Z_all_7c1e09ab").mkdir(parents=True)
    (folder.parent / "publish" / "2026-06-10T140007Z_all_7c1e09ab" / "page.html").write_text("<title>a run</title>")
    (folder.parent / "publish" / "run.json").write_text("{}")
    (folder / "secret.py").write_text("print('source')")
    (folder / "picture.png").write_bytes(b"png")
    return folder


@contextmanager
def serving(folder: Path, home: Path, host: str = "127.0.0.1", token: str = "",
            live: str = "") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder), host, token, live], stdout=subprocess.PIPE, text=True, cwd=folder,
        env={**os.environ, **SECRETS, "HOME": str(home), "JUPYTER_DATA_DIR": str(home / "jupyter")})
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert process.stdout.readline().strip() == "[]", "the server keeps no secret of the exchange"
        yield address, process
    finally:
        process.send_signal(signal.SIGTERM if token else signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 0, "it ends in peace"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def running(published, home) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with serving(published, home) as started:
        yield started


@pytest.fixture(scope="module")
def address(running) -> str:
    return running[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        yield opened
        opened.close()


class Visit:
    """A page in the browser, cut off from everything but this machine, with what it complained about."""

    def __init__(self, browser: Any, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.abroad: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.context.route("**/*", self._guard)

    def _guard(self, route: Any) -> None:
        if urlsplit(route.request.url).hostname in ("127.0.0.1", "localhost", None, ""):
            route.continue_()
        else:
            self.abroad.append(route.request.url)
            route.abort()

    def open(self, address: str, charts: int) -> Any:
        self.page.goto(address)
        if charts:
            self.page.wait_for_function(f"document.documentElement.dataset.drawn === '{charts}'", timeout=10_000)
        return self.page

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def get(address: str, path: str, host: str | None = None, method: str = "GET") -> tuple[int, str, str]:
    """Status, where it leads, body: of exactly this path, which a browser would tidy up first."""
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    connection.putrequest(method, path, skip_host=host is not None)
    if host:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.getheader("Location") or "", body


def wait_for(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(process: subprocess.Popen[str]) -> str:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()


def contents(*folders: Path) -> dict[str, str]:
    return {str(path): sha256(path.read_bytes()).hexdigest() + str(path.stat().st_mtime_ns)
            for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_pages_draw_their_charts_without_a_complaint_or_a_request_abroad(address, browser, width, scheme):
    with Visit(browser, width, scheme) as visit:
        for name in ("portfolio-main", "bad"):
            page = visit.open(f"{address}voila/render/{name}.ipynb", charts=3)
            marks = page.eval_on_selector_all(".chart", "boxes => boxes.filter(box => box.offsetParent)"
                                              ".map(box => box.querySelectorAll('svg path').length)")
            assert len(marks) == 3
            assert all(number > 5 for number in marks), marks
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            lines = page.eval_on_selector_all(".chart svg path", "paths => paths.map(p => getComputedStyle(p).stroke)")
            account = (palette.LIGHT if scheme == "light" else palette.DARK)["account"]
            assert f"rgb({', '.join(str(int(account[n:n + 2], 16)) for n in (1, 3, 5))})" in lines
        page = visit.open(f"{address}voila/render/index.ipynb", charts=0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg.spark:visible").count() == (3 if width > 600 else 0)
        assert (visit.complaints, visit.abroad) == ([], [])


@needs_browser
def test_the_card_equals_the_end_of_the_line(address, browser):
    with Visit(browser) as visit:
        page = visit.open(f"{address}voila/render/portfolio-main.ipynb", charts=3)
        card = page.locator(".figures:visible b").first.inner_text()
        ends = page.eval_on_selector_all(".chart svg text", "texts => texts.map(text => text.textContent)")
        assert f"main {card}" in ends
        ahead = page.locator(".figures:visible b").nth(1).inner_text()
        assert any(end.startswith(f"{ahead} (") for end in ends)


@needs_browser
def test_hovering_shows_time_values_and_difference(address, browser):
    with Visit(browser) as visit:
        page = visit.open(f"{address}voila/render/portfolio-main.ipynb", charts=3)
        box = page.locator(".chart").first.bounding_box()
        page.mouse.move(box["x"] + 400, box["y"] + 120)
        page.wait_for_selector("#vg-tooltip-element.visible")
        said = page.locator("#vg-tooltip-element").inner_text()
        assert "UTC" in said
        assert all(word in said for word in ("main", "half/half", "ahead by"))
        assert visit.complaints == []


@needs_browser
def test_the_switch_overrules_the_system_and_charts_follow_without_redrawing(address, browser):
    with Visit(browser, scheme="light") as visit:
        page = visit.open(f"{address}voila/render/portfolio-main.ipynb", charts=3)
        page.evaluate("document.querySelector('.chart svg').dataset.same = 'yes'")
        ground = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(ground) == "rgb(255, 255, 255)"
        page.get_by_role("button", name="Dark").click()
        assert page.evaluate(ground) == "rgb(18, 21, 26)"
        assert page.evaluate("document.querySelector('.chart svg').dataset.same") == "yes"
        page = visit.open(f"{address}voila/render/index.ipynb", charts=0)
        assert page.evaluate(ground) == "rgb(18, 21, 26)", "the choice holds on the next page"
        assert page.get_by_role("button", name="Light").is_visible()


@needs_browser
def test_links_work_on_the_server_and_from_disk(address, published, browser):
    with Visit(browser) as visit:
        for start, ending in ((address, ".ipynb"), ((published / "index.html").as_uri(), ".html")):
            page = visit.open(start, charts=0)
            page.get_by_role("link", name="sub").click()
            page.wait_for_url(f"**/portfolio-sub{ending}")
            assert page.locator(".accounts [aria-current]").inner_text().startswith("sub")
            page.get_by_role("link", name="swing").click()
            page.wait_for_url(f"**/portfolio-swing{ending}")
            page.get_by_role("link", name="navbook").click()
            page.wait_for_url(f"**/index{ending}")
        assert visit.complaints == []


def shown(page: Any) -> dict[str, list[str]]:
    """What a reader sees of the figures: the verdict, the cards, the ends of the lines, the tables."""
    return {"verdict": page.locator("h1:visible").all_inner_texts(),
            "cards": page.locator(".figures:visible b").all_inner_texts(),
            "ends": page.eval_on_selector_all(".chart svg text", "texts => texts.filter(t => t.closest('.chart').offsetParent)"
                                              ".map(t => t.textContent).filter(t => /[$%]/.test(t))"),
            "range": page.locator(".range:visible").all_inner_texts()}


@needs_browser
def test_a53_every_period_changes_every_figure_and_its_first_point_is_its_start(address, browser):
    """A44, A53: also each card equals the end of its line."""
    with Visit(browser) as visit:
        page = visit.open(f"{address}voila/render/portfolio-main.ipynb", charts=3)
        seen = {"inception": shown(page)}
        for name in ("1w", "1m"):
            page.locator(f"[data-choose='{name}']").click()
            page.wait_for_function(f"document.querySelectorAll('[data-period=\"{name}\"] .chart svg').length === 3")
            seen[name] = shown(page)
        for name, figures in seen.items():
            assert f"main {figures['cards'][0]}" in figures["ends"], name
            assert any(end.startswith(f"{figures['cards'][1]} (") for end in figures["ends"]), name
        for one, other in (("inception", "1w"), ("1w", "1m")):
            for part in ("verdict", "ends", "range"):
                assert seen[one][part] != seen[other][part], part
            changed = [a != b for a, b in zip(seen[one]["cards"], seen[other]["cards"], strict=True)]
            assert changed[1:5] == [True] * 4    # the value now and the fee due are of no period
        assert seen["1w"]["range"][0].startswith("3 Jun, 10:00 to 10 Jun, 10:00 UTC")
        assert page.locator("[data-choose='1y']").count() == 0
        assert "needs a year" in page.get_by_role("button", name="1 year").get_attribute("title")
        page.get_by_role("link", name="sub").click()
        page.wait_for_url("**/portfolio-sub.ipynb#1m")
        assert page.locator("[data-choose='1m']").get_attribute("aria-pressed") == "true"
        assert shown(page)["cards"] != seen["1m"]["cards"]
        assert visit.complaints == []


@needs_browser
def test_a53_a_custom_period_is_worked_out_as_a_named_one(address, browser):
    """The browser's arithmetic gives what the store has for the same days."""
    with Visit(browser) as visit:
        page = visit.open(f"{address}voila/render/portfolio-main.ipynb#1m", charts=3)
        named = shown(page)
        page.get_by_role("button", name="Custom").click()
        page.locator("[name=from]").fill("2026-05-11")
        page.wait_for_function("document.querySelectorAll('[data-period=custom] .chart svg').length === 3")
        page.evaluate("document.querySelector('[data-choose=\"1m\"]').click()")
        start = page.locator(".range:visible").inner_text()
        assert start.startswith("11 May, 10:00")
        told = page.evaluate("""() => {
            const cards = [...document.querySelectorAll('[data-period=custom] .figures b')].map(b => b.textContent);
            return cards; }""")
        assert told[0] == named["cards"][0]
        page.get_by_role("button", name="Custom").click()
        page.locator("[name=from]").fill("2026-03-12")
        ours = shown(page)
        page.get_by_role("button", name="Since start").click()
        whole = shown(page)
        assert ours["cards"][:3] == whole["cards"][:3]
        assert ours["cards"][4] == whole["cards"][4]
        assert set(ours["ends"]) >= {f"main {whole['cards'][0]}"}
        assert visit.complaints == []


@needs_browser
def test_n4_every_figure_names_its_run_on_hover_and_to_the_keyboard(address, browser):
    with Visit(browser) as visit:
        page = visit.open(f"{address}voila/render/portfolio-main.ipynb", charts=3)
        figures = page.locator(".figures:visible p")
        assert figures.count() == 6
        for n in range(6):
            assert not figures.nth(n).locator(".why").is_visible()
            figures.nth(n).hover() if n % 2 else figures.nth(n).focus()
            said = figures.nth(n).locator(".why").inner_text()
            assert "snapshot 10 Jun, 10:00:00 UTC, complete" in said
            assert "nav_history" in said
            assert "navbook explain main 2026-06-10T10:00:00" in said


@needs_browser
def test_a_live_page_runs_in_one_kernel_reads_only_and_reaches_nobody(published, home, tmp_path, browser):
    """N13: ten loads change nothing; the kernel has no key, and a visitor no way to it."""
    folder = tmp_path / "published"
    shutil.copytree(published, folder)
    cells = [new_code_cell(LIVE), new_code_cell(
        'Html("<section class=verdict><h1>kernel {}, keys {}</h1></section>").format(os.getpid(), len(keys))',
        metadata={"tags": ["full"]})]
    nbformat.write(new_notebook(cells=cells, metadata={"navbook": {"page": "live", "title": "Log", "every_s": 1}}),
                   folder / "log.ipynb")
    with serving(folder, home, live="yes") as (address, process), Visit(browser) as visit:
        page = visit.open(f"{address}voila/render/log.ipynb", charts=0)
        first = page.locator("h1").inner_text()
        assert re.fullmatch(r"kernel \d+, keys 0", first)
        before = contents(folder, home)
        for _ in range(10):
            page.goto(f"{address}voila/render/log.ipynb")
        page.wait_for_timeout(1500)    # it has asked again by itself
        assert page.locator("h1").inner_text() == first, "one kernel for all"
        assert contents(folder, home) == before
        assert len(children(process).split()) == 1
        for path in ("/api/kernels", "/api/sessions", "/voila/api/shutdown/x", "/api/contents/log.ipynb"):
            assert get(address, path)[0] == 404
            assert get(address, path, method="POST")[0] in (403, 404, 405)
        assert (visit.complaints, visit.abroad) == ([], [])


@pytest.mark.parametrize("token", ["", "a token of more than enough letters"], ids=["SIGINT", "SIGTERM"])
def test_who_ends_the_server_waits_for_no_page_that_is_being_made(token, home, tmp_path, capfd):
    folder = tmp_path / "published"
    folder.mkdir()
    begun = tmp_path / "begun"
    cell = new_code_cell(f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(60)")
    nbformat.write(new_notebook(cells=[cell], metadata={"navbook": {"page": "live", "title": "Log"}}), folder / "log.ipynb")
    with serving(folder, home, token=token, live="yes"):
        wait_for(begun.exists)
    assert capfd.readouterr().err == ""


def test_the_answers_forbid_frames_sniffing_and_referrers(address):
    url = urlsplit(address)
    for path in ("/voila/render/index.ipynb", "/nothing", "/voila/publish/2026-06-10T140007Z_all_7c1e09ab/page.html"):
        connection = http.client.HTTPConnection(url.hostname or "", url.port)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert "frame-ancestors 'none'" in answer.getheader("Content-Security-Policy", "")
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("Referrer-Policy") == "no-referrer"


def test_the_page_of_a_run_is_handed_out_where_pages_link_to_it(address):
    status, _, body = get(address, "/voila/publish/2026-06-10T140007Z_all_7c1e09ab/page.html")
    assert (status, body) == (200, "<title>a run</title>")


@needs_browser
def test_an_old_page_says_that_it_knows_nothing_now(address, browser):
    with Visit(browser) as visit:
        page = visit.open(f"{address}voila/render/old.ipynb", charts=3)
        assert "39 h old" in page.locator(".fresh").inner_text()
        assert page.locator("h1:visible").inner_text().startswith("Not known now. On 10 Jun main was ahead")
        assert "Stale: last collected 39 h ago" in page.locator(".banner").inner_text()
        assert page.locator(".figures:visible b").first.inner_text() == "unknown"
        page = visit.open(f"{address}voila/render/portfolio-main.ipynb", charts=3)
        assert page.locator("h1:visible").inner_text().startswith("Ahead of half bitcoin")
        assert re.fullmatch(r"Collected \d+ min ago", page.locator(".fresh").inner_text())


def test_ten_loads_of_every_page_change_nothing_and_start_no_kernel(running, published, home):
    address, process = running
    before = contents(published, home)
    for _ in range(10):
        for name in ("index", "portfolio-main", "portfolio-sub", "unrendered", "behind"):
            get(address, f"/voila/render/{name}.ipynb")
    assert contents(published, home) == before
    assert children(process).strip() == ""


def test_the_first_address_leads_to_the_index(address):
    assert get(address, "/")[:2] == (302, "/voila/render/index.ipynb")
    assert get(address, "/voila/render/portfolio-main.html")[:2] == (302, "/voila/render/portfolio-main.ipynb")


@pytest.mark.parametrize("name", ["unrendered", "behind"])
def test_a_page_without_its_rendering_is_an_error_page_never_a_run(address, name):
    status, _, body = get(address, f"/voila/render/{name}.ipynb")
    assert status == 503
    assert "navbook publish" in body
    assert "Three accounts" not in body


def test_a_page_that_is_just_being_published_is_waited_for(published, home, tmp_path):
    folder = tmp_path / "published"
    shutil.copytree(published, folder)
    made_from = (folder / "index.ipynb").read_bytes()
    with serving(folder, home) as (address, _):
        (folder / "index.ipynb").write_bytes(made_from + b"\n")    # the one before
        (folder / "index.html").touch()
        threading.Timer(0.1, (folder / "index.ipynb").write_bytes, [made_from]).start()
        assert get(address, "/voila/render/index.ipynb")[0] == 200


@pytest.mark.parametrize("path", [
    "/voila/files/portfolio-main.ipynb", "/voila/files/secret.py", "/voila/files/picture.png", "/voila/files/index.html",
    "/voila/render/secret.py", "/voila/render/nothing.ipynb", "/voila/render/../secret.py",
    "/voila/render/..%2f..%2fetc%2fpasswd", "/voila/render/%2e%2e/%2e%2e/etc/passwd", "/../../../../etc/passwd",
    "/voila/static/../../../../../../etc/passwd", "/voila/templates/lab/static/../../../../etc/passwd",
    "/voila/tree", "/voila/tree/portfolio-main.ipynb", "/voila/api/contents", "/voila/api/contents/index.ipynb",
    "/api/contents/index.ipynb", "/api/kernels", "/api/kernels/00000000-0000-0000-0000-000000000000/channels",
    "/voila/publish/run.json/page.html", "/voila/publish/../publish/run.json", "/voila/publish/nothing/page.html",
    "/voila/publish/%2e%2e/page.html", "/voila/published/index.html", "/voila/static/x/page.html",
    "/voila/execution/00000000-0000-0000-0000-000000000000", "/login", "/secret.py", "/index.ipynb"])
def test_nothing_else_is_handed_out(running, path):
    status, _, body = get(running[0], path)
    assert status == 404
    assert "root:x:" not in body
    assert "source" not in body
    assert "Traceback" not in body


@pytest.mark.parametrize("path", ["/api/kernels", "/voila/render/index.ipynb", "/voila/api/shutdown/x"])
def test_nothing_can_be_posted(running, path):
    address, process = running
    assert get(address, path, method="POST")[0] in (403, 404, 405)
    assert children(process).strip() == ""


@pytest.mark.parametrize(("host", "status"), [
    ("evil.example", 403), ("evil.example:8866", 403), ("192.168.1.7", 403), ("localhost", 200), ("127.0.0.1", 200)])
def test_foreign_host_headers_are_refused(address, host, status):
    assert get(address, "/voila/render/index.ipynb", host=host)[0] == status


def test_any_other_address_asks_for_a_token_that_then_leaves_the_address(published, home):
    with serving(published, home, host="0.0.0.0", token="open-sesame") as (address, _):
        assert address.endswith("/?token=open-sesame")
        status, where, body = get(address, "/voila/render/index.ipynb")
        assert status == 302
        assert where.startswith("/login?")
        assert "Three accounts" not in body
        assert get(address, "/voila/render/index.ipynb?token=wrong")[0] == 302
        status, where, _ = get(address, "/?token=open-sesame")
        assert (status, where) == (302, "/voila/render/index.ipynb")
        url = urlsplit(address)
        connection = http.client.HTTPConnection("127.0.0.1", url.port)
        connection.request("GET", "/voila/render/index.ipynb?token=open-sesame")
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.getheader("Location")) == (302, "/voila/render/index.ipynb")
        cookies = "; ".join(value.split(";")[0] for name, value in answer.getheaders() if name == "Set-Cookie")
        connection.request("GET", "/voila/render/index.ipynb", headers={"Cookie": cookies})
        answer = connection.getresponse()
        assert answer.status == 200
        assert b"Three accounts" in answer.read()
        connection.close()


def test_a_token_is_made_up_when_none_is_given(published, home):
    with serving(published, home, host="0.0.0.0") as (address, _):
        assert len(urlsplit(address).query) > 30


def test_a_taken_port_is_one_sentence(address, published):
    port = urlsplit(address).port or 0
    with pytest.raises(SettingsInvalid, match=rf"Port {port} of 127.0.0.1 is taken.*--port"):
        server.serve(published, port=port)


def test_a_port_or_a_folder_that_cannot_be_is_one_sentence(tmp_path, published):
    with pytest.raises(SettingsInvalid, match="run navbook publish first"):
        server.serve(tmp_path / "nowhere")
    with pytest.raises(SettingsInvalid, match="99999 is no port"):
        server.serve(published, port=99999)
    with pytest.raises(SettingsInvalid, match="cannot be served"):
        server.serve(published, host="no-such-host.invalid", port=0)


@pytest.mark.parametrize(("host", "local"), [
    ("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.9.9.9", True), ("0.0.0.0", False), ("::", False),
    ("192.168.1.7", False), ("", False), ("example.org", False)])
def test_what_counts_as_this_machine(host, local):
    assert server.is_loopback(host) is local

"""B40-B43: buttons run the trader's commands, in JupyterLab; under Voila there are none, and the live page only looks."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from commands import CHECKOUT, NAVBOOK, clean_environment
from locals import traded
from navbook import settings, vault
from navbook.runner import accounts, locks, trading_buttons, trading_view
from navbook.settings import Settings
from navbook.trader import commands, plans
from navbook.trader.journal import Journal, place

CHROMIUM = Path("/usr/bin/chromium")
TOML = '[trade.btc_long]\naccount = "main"\nsymbol = "BTCUSDT"\ntp_usdt = 40\nsl_usdt = 30\n'


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A position that was opened and is protected; its exchange goes on standing there, no trader runs."""
    with traded(tmp_path_factory.mktemp("buttons"), TOML, "2026-03-02T00:01", "2026-03-02T00:02") as local:
        yield local


@pytest.fixture
def config(opened, monkeypatch) -> Settings:
    monkeypatch.setenv("NAVBOOK_MAIN_API_KEY", "key-of-main".ljust(64, "x"))
    monkeypatch.setenv("NAVBOOK_MAIN_API_SECRET", "secret-of-main".ljust(64, "x"))
    return settings.load(opened.folder / "navbook.toml")


def surely_open(config: Settings) -> None:
    """Whatever another test did to the position."""
    with closing(Journal(place(config, "main"))) as journal:
        state = journal.last("btc_long").state
    if state != "open":
        commands.ask(config, "open", "btc_long", lambda line: None)


def shown(widget) -> list[str]:
    """The words on every button below `widget`."""
    below = [word for child in getattr(widget, "children", ()) for word in shown(child)]
    return below + ([widget.description] if type(widget).__name__ == "Button" else [])


def button(widget, words: str):
    return next(found for found in _all(widget) if getattr(found, "description", "") == words)


def _all(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _all(child)


# -- under Voila -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("variable", "value"), [("SERVER_SOFTWARE", "voila/0.5.13"), ("VOILA_REQUEST_URL", "http://x")])
def test_under_voila_there_are_no_buttons(config, monkeypatch, variable, value):
    assert {"Open", "Close", "Start", "Stop", "Set TP/SL"} <= set(shown(trading_buttons.panel(config)))
    monkeypatch.setenv(variable, value)
    assert trading_buttons.panel(config) is trading_buttons.NONE
    trading_buttons.unlock(config)    # asks nobody


@contextmanager
def answering(port: int, *command: str, config: Settings):
    """`command` with no key, until it answers; its address."""
    process = subprocess.Popen(command, env=clean_environment() | {"NAVBOOK_CONFIG": str(config.file)},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
                break
            except urllib.error.HTTPError:
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}/voila/render"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def voila(folder: Path, config: Settings):
    """A real Voila on `folder`."""
    port = free_port()
    return answering(port, sys.executable, "-m", "voila", str(folder), f"--port={port}", "--no-browser",
                     "--Voila.ip=127.0.0.1", "--VoilaConfiguration.file_allowlist=[]", config=config)


def dashboards(config: Settings):
    """Our own server."""
    port = free_port()
    return answering(port, NAVBOOK, "dashboards", f"--port={port}", config=config)


def test_live_pages_show_the_positions_again_and_again_and_nothing_to_press(opened, config, tmp_path):
    """The page changes when the price does; it asks only by GET; trade.ipynb has no button under Voila."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed (apt install chromium)")
    from playwright.sync_api import sync_playwright
    surely_open(config)
    asked = len(opened.server.control("GET", "requests"))
    errors: list[str] = []
    published, elsewhere = config.runs_folder / "published", tmp_path / "elsewhere"
    for notebook, folder in (("dashboards/trading", published), ("trade", elsewhere)):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / "notebooks" / f"{notebook}.ipynb", folder)
    (published / "index.html").touch()
    with sync_playwright() as play, dashboards(config) as ours, voila(elsewhere, config) as theirs:
        browser = play.chromium.launch(executable_path=str(CHROMIUM))
        page = browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.route("**/*", lambda route: route.continue_() if "127.0.0.1" in route.request.url else route.abort())
        page.goto(f"{ours}/trading.ipynb", timeout=180_000)
        page.get_by_text("One position open, protected.").wait_for(timeout=180_000)
        before = page.locator(".figures").inner_text()
        now = float(opened.server._call("GET", "/fapi/v1/ticker/price?symbol=BTCUSDT", {})["price"])
        opened.prices(BTCUSDT=round(now * 1.001, 1))
        page.wait_for_function("before => document.querySelector('.figures').innerText !== before", arg=before, timeout=60_000)
        assert page.locator("button:visible:not(.switch)").count() == 0
        page.goto(f"{theirs}/trade.ipynb", timeout=180_000)
        page.get_by_text("There are no buttons here").wait_for(timeout=180_000)
        assert page.locator("button:visible").count() == 0
        browser.close()
    assert errors == []
    assert not [request for request in opened.server.control("GET", "requests")[asked:]
                if request["method"] != "GET" and not request["path"].startswith("/sandbox/")]


# -- in JupyterLab -----------------------------------------------------------------------------------------------------
def test_b41_b42_b43_buttons_do_what_they_say_with_a_trader_that_runs(opened, config):
    """The running trader has the key; the notebook, as JupyterLab starts it, has none."""
    surely_open(config)
    with closing(Journal(place(config, "main"))) as journal:
        number = journal.last("btc_long").id
    begun = trading_buttons.start(config, "main")
    assert "runs (process" in begun, begun
    try:
        with pytest.MonkeyPatch.context() as lab:
            lab.delenv("NAVBOOK_MAIN_API_KEY")
            lab.delenv("NAVBOOK_MAIN_API_SECRET")
            panel = trading_buttons.panel(config)
            said = panel.children[-1]
            button(panel, "Price").click()
            assert said.value.startswith("BTCUSDT ")
            button(panel, "TP USDT").value = 55.0
            button(panel, "Set TP/SL").click()
            assert "take profit" in said.value.lower(), said.value
            button(panel, "Close").click()
            assert "tick the box" in said.value
            button(panel, "sure").value = True
            button(panel, "Close").click()
            button(panel, "Stop").click()
            assert "has stopped" in said.value, said.value
    finally:
        if locks.holder(config, commands.lock_of("main")):
            trading_buttons.command(config, "stop", "--account", "main")
    with closing(Journal(place(config, "main"))) as journal:
        closed, orders = journal.trade(number), journal.orders(number, "P")
    assert (closed.reason, closed.state) == ("MANUAL", "closed")
    assert len(orders) == 2, "B41: the live take profit was replaced"


def test_a_trader_that_cannot_start_says_why(config, monkeypatch):
    monkeypatch.delenv("NAVBOOK_MAIN_API_KEY")
    said = trading_buttons.start(config, "main")
    assert said.startswith("The trader of main did not start: navbook: No API key for account main"), said


def test_the_vaults_secret_is_asked_for_once_and_only_where_it_is_needed(config, monkeypatch, tmp_path):
    asked: list[str] = []
    monkeypatch.setattr(trading_buttons, "getpass", lambda prompt: asked.append(prompt) or "a secret of many letters")
    own = config.model_copy(update={"vault": str(tmp_path / "vault")})
    trading_buttons.unlock(own)
    assert asked == []
    monkeypatch.setenv("SESSION_SECRET", "a secret of many letters")
    vault.keep(own, "main", accounts.key_of("k", "s"))
    trading_buttons.unlock(own)
    assert asked == []
    monkeypatch.delenv("SESSION_SECRET")
    trading_buttons.unlock(own)
    trading_buttons.unlock(own)
    assert len(asked) == 1
    assert os.environ["SESSION_SECRET"] == "a secret of many letters"


def test_b43_a_price_that_cannot_be_asked_for_is_told(config):
    plan = plans.plans(config)[0]
    assert trading_view.price(config, plan).startswith("BTCUSDT ")
    nowhere = config.model_copy(update={"sandbox_url": "http://127.0.0.1:9"})
    assert "could not be reached" in trading_view.price(nowhere, plan)

"""`make bench`, the pages: how long until they stand, twenty viewers at once, and a year of minutes.

Compare figures of one run only: machines are noisy.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import timedelta
from pathlib import Path
from statistics import median

import polars as pl
from deltalake import write_deltalake
from playwright.sync_api import Browser, sync_playwright

from commands import NAVBOOK, clean_environment
from navbook import schemas, settings
from navbook.runner import pages
from navbook.store import tables
from test_publish_server import CHROMIUM, LAUNCH
from worlds import START, World

LOADS, VIEWERS = 5, 20
ACCOUNTS, MINUTES = 10, 365 * 24 * 60


def told(name: str, value: str) -> None:
    print(f"{name:<62} {value}", flush=True)


def loads(browser: Browser, address: str, name: str, live: bool = False) -> None:
    """Median time from the request to the first and to the last chart (of a live page: to fresh words)."""
    first, last = [], []
    for _ in range(LOADS):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(f"{address}voila/render/{name}.ipynb" if address.startswith("http") else f"{address}{name}.html")
        ready = "!document.documentElement.classList.contains('old')" if live else "document.documentElement.dataset.drawn"
        page.wait_for_function(ready)
        last.append(page.evaluate("performance.now()") / 1000)
        first.append(float(page.evaluate("document.documentElement.dataset.first || performance.now()")) / 1000)
        context.close()
    told(f"{name}: first / last chart, median of {LOADS}", f"{median(first):.2f} / {median(last):.2f} s")


def viewers(address: str, name: str) -> None:
    """The slowest of many who ask for a page at the same time, and how many got it."""
    took: list[float] = []

    def ask() -> None:
        began = time.perf_counter()
        with urllib.request.urlopen(f"{address}voila/render/{name}.ipynb") as answer:
            answer.read()
        took.append(time.perf_counter() - began)

    threads = [threading.Thread(target=ask) for _ in range(VIEWERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told(f"{name}: {VIEWERS} viewers at once", f"{len(took)} served, the slowest in {max(took):.2f} s")


def memory(process: subprocess.Popen[str]) -> None:
    """Of the server, and of the kernels that its live pages run in."""
    def resident(pid: str) -> int:
        return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                        if line.startswith("VmRSS")).split()[1]) // 1024

    kernels = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    told("memory: server; each live page's kernel", f"{resident(str(process.pid))} MB; "
         + (", ".join(f"{resident(kernel)} MB" for kernel in kernels) or "none runs"))


def warm(browser: Browser, address: str) -> None:
    """What starts belongs to nobody's page: the browser, and the kernels of the server's live pages."""
    for name in (*["index"] * LOADS, "log", "trading"):
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{address}voila/render/{name}.ipynb")
        page.wait_for_function("!document.documentElement.classList.contains('old')")
        context.close()


def of_the_demo(browser: Browser, folder: Path) -> None:
    subprocess.run([NAVBOOK, "demo", "--no-serve"], cwd=folder, env=clean_environment(), check=True, capture_output=True)
    process = subprocess.Popen([NAVBOOK, "dashboards", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True,
                               env=clean_environment())
    assert process.stdout is not None
    address = process.stdout.readline().split()[1]
    try:
        warm(browser, address)
        loads(browser, address, "portfolio-main")
        loads(browser, address, "log", live=True)
        viewers(address, "portfolio-main")
        memory(process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def year_of_minutes(config: settings.Settings) -> None:
    """NAV_HISTORY and what belongs to it, of many accounts, a snapshot a minute: derived tables as they would be."""
    names = list(config.accounts)
    world = World(accounts=tuple(names))
    small = world.facts()
    tables.append(config.location, schemas.ACCOUNTS, small.accounts)
    minutes = pl.DataFrame({"n": pl.int_range(MINUTES, eager=True)}).with_columns(
        time=pl.lit(START) + pl.duration(minutes=pl.col("n")), wave=(pl.col("n") / 9000).sin() + (pl.col("n") / 137).cos() / 20)
    for name in names:
        history = minutes.select(
            account=pl.lit(name), account_id=pl.lit(1, pl.Int64), time=pl.col("time").cast(schemas.TIME),
            grade=pl.lit("complete"), reason=pl.lit(None, pl.String), nav=30_000 * (1 + 0.2 * pl.col("wave")),
            benchmark_value=30_000 * (1 + 0.25 * pl.col("wave")), btc_price=50_000 * (1 + pl.col("wave") / 9),
            eth_price=2500 * (1 + pl.col("wave") / 8), twr_index=1 + 0.2 * pl.col("wave"),
            benchmark_index=1 + 0.25 * pl.col("wave"))
        write_deltalake(tables.uri(config.location, schemas.NAV_HISTORY), schemas.NAV_HISTORY.check(history), mode="append")
    last = START + timedelta(minutes=MINUTES - 1)
    spans = {"inception": START, "1w": last - timedelta(days=7), "1m": last - timedelta(days=30),
             "3m": last - timedelta(days=90), "ytd": START, "1y": START}
    rows = [{"account": name, "benchmark": "own", "period": period, "from_time": start, "to_time": last, "nav_from": 3e4,
             "nav_to": 3e4, "flows_usd": 0.0, "gain_usd": 0.0, "benchmark_gain_usd": 0.0, "twr": 0.1, "benchmark_twr": 0.1,
             "alpha": 0.0, "mwr": 0.1, "max_drawdown": -0.2, "benchmark_max_drawdown": -0.2, "intervals_set_aside": 0}
            for name in names for period, start in spans.items()]
    write_deltalake(tables.uri(config.location, schemas.PERFORMANCE), schemas.PERFORMANCE.rows(rows), mode="append")


def of_a_year(browser: Browser, folder: Path) -> None:
    accounts = "".join(f"[accounts.a{n}]\n" for n in range(ACCOUNTS))
    (folder / "navbook.toml").write_text(accounts, encoding="utf-8")
    config = settings.load(folder / "navbook.toml")
    year_of_minutes(config)
    began = time.perf_counter()
    pages.publish(config, "a0")
    took = time.perf_counter() - began
    page = folder / "runs" / "published" / "portfolio-a0.html"
    told(f"publish one of {ACCOUNTS} accounts with {MINUTES:,} snapshots each", f"{took:.1f} s, with operations and index")
    told("its page", f"{page.stat().st_size / 1e6:.2f} MB")
    loads(browser, f"{page.parent.as_uri()}/", "portfolio-a0")


def main() -> None:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as demo, tempfile.TemporaryDirectory() as year:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        of_the_demo(browser, Path(demo))
        of_a_year(browser, Path(year))
        browser.close()


if __name__ == "__main__":
    os.environ.pop("NAVBOOK_CONFIG", None)
    sys.exit(main())

"""`make screenshots`: the pictures of the README, from a demo made for them (or from a folder that has one)."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from commands import CHECKOUT, navbook
from test_publish_server import CHROMIUM, LAUNCH

DOCS = CHECKOUT / "docs"
SETTINGS = """[accounts.main]
fee_rate = 0.2
[accounts.sub]
master = "main"
[accounts.swing]
[groups.family]
accounts = ["main", "sub"]
[benchmarks.hold]
rebalance = "never"
[benchmarks.bitcoin]
weights = { BTC = 1.0 }
rebalance = "never"
[benchmarks.cash]
weights = { USDT = 1.0 }
rebalance = "never"
[jobs.collect]
cron = "0 */4 * * *"
"""
PICTURES = {    # file -> page, width, height, colours, what is clicked first
    "portfolio.png": ("portfolio-main", 1280, 1180, "light", ""),
    "portfolio-dark.png": ("portfolio-main", 1280, 860, "dark", "[data-choose='1m']"),
    "portfolio-phone.png": ("portfolio-family", 380, 900, "light", ""),
    "index.png": ("index", 1280, 720, "light", ""),
    "strategy.png": ("strategy-*", 1280, 1180, "light", ""),
    "operations.png": ("operations", 1280, 860, "light", "")}


@contextmanager
def published(folder: Path | None) -> Iterator[Path]:
    """Published pages of a demo: in `folder`, else in one made now."""
    if folder:
        yield folder / "runs" / "published"
        return
    with tempfile.TemporaryDirectory() as place:
        made = Path(place)
        _done("demo", "--no-serve", folder=made)
        (made / "navbook.toml").write_text(SETTINGS, encoding="utf-8")
        for command in (("benchmark",), ("backtest",), ("publish",)):
            _done(*command, folder=made)
        yield made / "runs" / "published"


def _done(*command: str, folder: Path) -> None:
    print("navbook", *command, flush=True)
    result = navbook(*command, folder=folder, timeout=600)
    if result.returncode:
        sys.exit(result.stderr)


def taken(browser: Browser, page: Path, picture: Path, width: int, height: int, colours: str, clicked: str) -> None:
    """One picture of the upper part of a page, opened from disk."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=colours)
    opened = context.new_page()
    opened.goto(page.as_uri())
    if clicked:
        opened.click(clicked)
    opened.wait_for_timeout(1500)
    opened.screenshot(path=picture)
    context.close()
    print(f"{picture.relative_to(CHECKOUT)}: {picture.stat().st_size // 1024} kB", flush=True)


def main(folder: str | None = None) -> None:
    with published(Path(folder) if folder else None) as pages, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        for name, (page, *how) in PICTURES.items():
            found = sorted(pages.glob(f"{page}.html"))
            if not found:
                sys.exit(f"There is no page {page} in {pages}.")
            taken(browser, found[0], DOCS / name, *how)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

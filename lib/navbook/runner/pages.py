"""Publish pages: execute a dashboard notebook for an account, render it, put both where Voila serves."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from navbook import schemas, settings
from navbook.errors import JobFailed
from navbook.publish import render
from navbook.runner import jobs, kernels
from navbook.runner.files import write_whole
from navbook.settings import NOTEBOOKS, Settings
from navbook.store import tables

if TYPE_CHECKING:
    from jupyter_client.manager import KernelManager


def published_folder(config: Settings) -> Path:
    return config.runs_folder / "published"


def publish(config: Settings, account: str = "all", told: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Publish the portfolio page of every account that has facts (or of one), and the index.

    A page is executed and rendered aside, then renamed in: a failing one leaves the old one standing.
    Raises `JobFailed` naming the page.
    """
    accounts = tables.read(config.location, schemas.ACCOUNTS, account=account).sort("id")["account"]
    pages = [("portfolio", f"portfolio-{name}", {"account": name}) for name in accounts]
    variables = {**settings.without_secrets(os.environ), **jobs.exported(config)}
    written = []
    with kernels.kernel(variables, config.base) as manager:    # one for all: a kernel takes seconds to start
        for dashboard, name, parameters in [*pages, ("index", "index", {})]:
            written.append(_page(config, manager, dashboard, name, parameters))
            kernels.forget(manager)
            told(name)
    return written


def _page(config: Settings, manager: KernelManager, dashboard: str, name: str, parameters: dict[str, str]) -> Path:
    place = published_folder(config)
    with tempfile.TemporaryDirectory() as aside:
        executed = Path(aside) / f"{name}.ipynb"
        try:
            kernels.execute(manager, NOTEBOOKS / "dashboards" / f"{dashboard}.ipynb", executed, parameters)
        except kernels.CellFailed as failure:
            raise JobFailed(f"the page {name} could not be made: {failure}") from None
        html = render.page(executed)
        write_whole(place / f"{name}.html", html)
        write_whole(place / f"{name}.ipynb", executed.read_text(encoding="utf-8"))
    return place / f"{name}.html"

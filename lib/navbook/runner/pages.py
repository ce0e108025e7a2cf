"""Publish pages: execute a dashboard notebook for an account, render it, put both where Voila serves."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from navbook import redaction, schemas
from navbook.errors import JobFailed
from navbook.publish import render
from navbook.runner import kernels, scratch
from navbook.runner.files import write_whole
from navbook.settings import NOTEBOOKS, Settings
from navbook.store import tables

if TYPE_CHECKING:
    from jupyter_client.manager import KernelManager


def published_folder(config: Settings) -> Path:
    return config.runs_folder / "published"


def publish(config: Settings, account: str = "all") -> list[Path]:
    """Publish the portfolio page of every account that has facts (or of one), and the index.

    A page is executed and rendered aside, then renamed in: a failing one leaves the old one standing.
    Raises `JobFailed` naming the page.
    """
    accounts = tables.read(config.location, schemas.ACCOUNTS, account=account).sort("id")["account"]
    pages = [("portfolio", f"portfolio-{name}", {"account": name}) for name in accounts]
    with scratch.folder("pages") as aside, _kernel(config, aside) as manager:
        return [_page(config, manager, dashboard, name, parameters, aside)
                for dashboard, name, parameters in [*pages, ("index", "index", {})]]


def _kernel(config: Settings, aside: Path) -> AbstractContextManager[KernelManager]:
    """One for all pages: it takes seconds to start. Pages name the run that publishes them."""
    run = {"NAVBOOK_RUN": os.environ.get("NAVBOOK_RUN", "")}
    return kernels.kernel(kernels.variables(config, aside) | run, config.base, "navbook.publish.charts")


def _page(config: Settings, manager: KernelManager, dashboard: str, name: str, parameters: dict[str, str],
          aside: Path) -> Path:
    place, executed = published_folder(config), aside / f"{name}.ipynb"
    try:
        kernels.execute(manager, NOTEBOOKS / "dashboards" / f"{dashboard}.ipynb", executed, parameters)
        kernels.forget(manager)
    except kernels.CellFailed as failure:
        raise JobFailed(f"the page {name} could not be made: {failure}") from None
    if redaction.holds_secret(_told(executed)):
        raise JobFailed(f"the page {name} was not published: an output of it holds what looks like a key or a "
                        f"signature; find it in {NOTEBOOKS / 'dashboards' / dashboard}.ipynb, and replace the key.")
    write_whole(place / f"{name}.html", render.page(executed))
    write_whole(place / f"{name}.ipynb", executed.read_text(encoding="utf-8"))
    return place / f"{name}.html"


def _told(notebook: Path) -> str:
    """The outputs of an executed notebook as text, without pictures."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    shown = [text for output in outputs for kind, text in output.get("data", {}).items()
             if not kind.startswith("image/")]
    return json.dumps([shown, [{**output, "data": None} for output in outputs]], ensure_ascii=False)

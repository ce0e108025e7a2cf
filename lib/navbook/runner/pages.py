"""Publish pages: execute a dashboard notebook, render it, put both where Voila serves; only what changed.

A page carries the fingerprint of what it was made from: its notebook, the code that draws, its parameters, and
of each table that it reads the content hash (derived) or the version (facts). As long as that is the same, the
page stays. Live dashboards are put there as they are: the server runs them when somebody looks.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from navbook import redaction, schemas
from navbook.errors import JobFailed, SettingsInvalid
from navbook.publish import render, stamp
from navbook.publish.site import strategy_page
from navbook.runner import kernels, overview, scratch, views
from navbook.runner.files import write_whole
from navbook.schemas import FrameSchema
from navbook.settings import CHECKOUT, NOTEBOOKS, Settings
from navbook.store import tables

if TYPE_CHECKING:
    from jupyter_client.manager import KernelManager

DASHBOARDS = NOTEBOOKS / "dashboards"
CODE = CHECKOUT / "lib" / "navbook"
HEAD = (schemas.NAV_HISTORY, schemas.GROUP_HISTORY, schemas.BACKTESTS)    # what the head of every page reads
READS: dict[str, tuple[FrameSchema, ...]] = {
    "portfolio": (*HEAD, schemas.PERFORMANCE, schemas.BRIDGE, schemas.FEES, schemas.FLOW_VALUES, schemas.HOLDINGS,
                  schemas.BENCHMARK_JOURNAL, schemas.BENCHMARK_CONFIGS, schemas.SNAPSHOTS, schemas.CASH_FLOWS),
    "strategy": (*HEAD, schemas.BACKTEST_TRADES, schemas.BACKTEST_EQUITY, schemas.BACKTEST_SWEEPS),
    "share": (schemas.NAV_HISTORY, schemas.GROUP_HISTORY, schemas.PERFORMANCE)}    # index and operations: everything


@dataclass(frozen=True)
class Page:
    """A page to be: its dashboard, its name in the published folder, what it is about."""

    dashboard: str
    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def about(self) -> str | None:
        """The account or group that it is about."""
        return dict(self.parameters).get("account")


@dataclass(frozen=True)
class Published:
    """What a publication did."""

    written: list[Path]
    kept: list[Path]       # nothing that they are made from has changed


def published_folder(config: Settings) -> Path:
    """Where the pages lie that are served."""
    return config.runs_folder / "published"


def publish(config: Settings, account: str = "all", share: str = "") -> Published:
    """Publish what has changed: a page of every account and group, each backtest, operations, and the index.

    account  only this one's page, beside operations and the index
    share    also a page of this account or group that says percent only

    A page is executed and rendered aside, then renamed in: a failing one leaves the old one standing.
    Raises `JobFailed` naming the page, `SettingsInvalid` for an account that nobody knows.
    """
    known = views.names(config)
    if missing := [name for name in ({account} - {"all"}) | ({share} - {""}) if name not in known]:
        raise SettingsInvalid(f"There is nothing to publish of {missing[0]}; there are {', '.join(known) or 'none'}.")
    pages = list(_pages(config, known, share))
    wanted = [page for page in pages if account == "all" or page.dashboard != "portfolio" or page.about == account]
    _live(config)
    _forget(config, {page.name for page in pages})
    with scratch.folder("pages") as aside, _kernel(config, aside) as manager:    # which takes a while to start
        threading.Thread(target=render.warm_up).start()
        marks = {page: fingerprint(config, page) for page in wanted}
        changed = [page for page in wanted if marks[page] is None or marks[page] != _mark(config, page)]
        kept = [_place(config, page) for page in wanted if page not in changed]
        return Published([_written(config, manager, page, marks[page], aside) for page in changed], kept)


def said(config: Settings) -> str:
    """One sentence on what is published; share pages by their file, for that says nothing."""
    shares = ", ".join(f"{name}.html ({account})" for name, account in overview.shared(config).items())
    return f"pages in {published_folder(config)}" + (f"; in percent only: {shares}." if shares else ".")


def fingerprint(config: Settings, page: Page) -> str | None:
    """What the page would be made from, as a hash; None for one that shows how the machine itself runs."""
    if page.dashboard not in READS:
        return None
    collected = tables.read(config.location, schemas.RUNS, pl.col("job") == "collect", pl.col("status") == "ok")
    made_from = [_notebook(page.dashboard).read_bytes(), _code(), json.dumps(page.parameters).encode(),
                 str(collected["ended_at"].max()).encode(), config.model_dump_json(exclude={"base", "file"}).encode(),
                 *(_state(config, schema) for schema in READS[page.dashboard])]
    return sha256(b"\0".join(sha256(part).digest() for part in made_from)).hexdigest()


def _pages(config: Settings, names: Iterable[str], share: str) -> Iterator[Page]:
    """Every page that there is to be."""
    for name in names:
        yield Page("portfolio", f"portfolio-{name}", (("account", name),))
    for name in views.strategies(config):
        yield Page("strategy", strategy_page(name).removesuffix(".html"), (("name", name),))
    shares = {**overview.shared(config), **({_share_name(config, share): share} if share else {})}
    for file, name in shares.items():
        yield Page("share", file, (("account", name),))
    yield Page("operations", "operations")
    yield Page("index", "index")


def _share_name(config: Settings, account: str) -> str:
    """The name of a share page's file tells nobody whose it is."""
    return f"share-{sha256(f'{config.location}|{account}'.encode()).hexdigest()[:8]}"


def _live(config: Settings) -> None:
    """Put the live dashboards, never executed, where the server finds them."""
    for name in views.live():
        place, text = published_folder(config) / f"{name}.ipynb", _notebook(name).read_text(encoding="utf-8")
        if not place.exists() or place.read_text(encoding="utf-8") != text:
            write_whole(place, text)


def _forget(config: Settings, names: Iterable[str]) -> None:
    """Take away pages of accounts, groups and backtests that are no more."""
    for kind in ("portfolio", "strategy"):
        for file in published_folder(config).glob(f"{kind}-*"):
            if file.suffix in (".html", ".ipynb") and file.stem not in names:
                file.unlink(missing_ok=True)


def _state(config: Settings, schema: FrameSchema) -> bytes:
    """What a table holds: of derived ones the content, of facts the version."""
    table = tables.opened(config.location, schema)
    if table is None:
        return b"none"
    return str(tables.stored_hash(config.location, schema) or table.version()).encode()


def _code() -> bytes:
    """The code that a page is drawn with."""
    files = sorted(path for part in ("publish", "compute", "runner") for path in (CODE / part).rglob("*")
                   if path.is_file() and "__pycache__" not in path.parts)
    return sha256(b"".join(path.read_bytes() for path in files)).digest()


def _notebook(dashboard: str) -> Path:
    return DASHBOARDS / f"{dashboard}.ipynb"


def _place(config: Settings, page: Page) -> Path:
    return published_folder(config) / f"{page.name}.html"


def _mark(config: Settings, page: Page) -> str | None:
    """The fingerprint of the page as it stands, None where it does not stand whole."""
    html, notebook = _place(config, page), published_folder(config) / f"{page.name}.ipynb"
    if not html.exists() or not notebook.exists():
        return None
    content = notebook.read_bytes()
    if not stamp.is_page_of(html.read_bytes(), content):
        return None
    about: dict[str, Any] = json.loads(content)["metadata"].get("navbook", {})
    return about.get("made_from")


def _kernel(config: Settings, aside: Path) -> AbstractContextManager[KernelManager]:
    """One for all pages: it takes seconds to start. Pages name the run that publishes them."""
    run = {"NAVBOOK_RUN": os.environ.get("NAVBOOK_RUN", "")}
    return kernels.kernel(kernels.variables(config, aside) | run, config.base, "navbook.publish.charts")


def _written(config: Settings, manager: KernelManager, page: Page, mark: str | None, aside: Path) -> Path:
    executed = aside / f"{page.name}.ipynb"
    try:
        kernels.execute(manager, _notebook(page.dashboard), executed, dict(page.parameters))
        kernels.forget(manager)
    except kernels.CellFailed as failure:
        raise JobFailed(f"the page {page.name} could not be made: {failure}") from None
    if redaction.holds_secret(_told(executed)):
        raise JobFailed(f"the page {page.name} was not published: an output of it holds what looks like a key or a "
                        f"signature; find it in {_notebook(page.dashboard)}, and replace the key.")
    notebook = json.loads(executed.read_text(encoding="utf-8"))
    notebook["metadata"].setdefault("navbook", {})["made_from"] = mark
    write_whole(executed, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    write_whole(_place(config, page), render.page(executed))
    write_whole(published_folder(config) / f"{page.name}.ipynb", executed.read_text(encoding="utf-8"))
    return _place(config, page)


def _told(notebook: Path) -> str:
    """The outputs of an executed notebook as text, without pictures."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    shown = [text for output in outputs for kind, text in output.get("data", {}).items()
             if not kind.startswith("image/")]
    return json.dumps([shown, [{**output, "data": None} for output in outputs]], ensure_ascii=False)

"""Live pages: dashboards that are executed when somebody looks, in one kernel a page for all who look.

A visitor reaches no kernel: he gets what was shown last, at once, as HTML like that of a published page, and the
page then asks for a fresh one, which is executed unless the last is younger than FRESH_S. There is no
channel to the kernel to attack, and a hundred viewers cost what one does. An idle kernel is culled by
Jupyter's own kernel manager; the next visit starts another one.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from navbook.errors import NavbookError
from navbook.publish import render

FRESH_S = 2.0         # as long all who ask get the same rendering
EVERY_S = 15.0        # how often an open page asks again, where its notebook does not say
LONGEST_S = 60        # of a cell
MOST = 20             # renderings that are kept
ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
IDLE_S, LOOK_S = 90, 15    # after which a kernel is culled, and how often that is looked at


class LivePageFailed(NavbookError):
    """A live dashboard did not run to its end; what it said goes to the server's log only."""


class _Client(NotebookClient):
    """Leaves SIGINT and SIGTERM to the server; nbclient would keep them for itself while it executes."""

    @asynccontextmanager
    async def async_setup_kernel(self, **_: Any) -> AsyncIterator[None]:
        await self.async_start_new_kernel_client()
        yield


class Live:
    """The live dashboards of a folder. `manager` is Jupyter's, `variables` the kernels' whole environment."""

    def __init__(self, folder: Path, manager: Any, variables: Mapping[str, str]) -> None:
        self.folder, self.manager, self.variables = folder, manager, dict(variables)
        self._kernels: dict[str, str] = {}
        self._shown: dict[tuple[str, str], tuple[float, bytes]] = {}
        self._turn: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def has(self, name: str) -> bool:
        """Whether `name` is a live dashboard: a notebook of the folder that says so itself."""
        try:
            about = json.loads((self.folder / f"{name}.ipynb").read_bytes())["metadata"]
            return bool(about.get("navbook", {}).get("page") == "live")
        except (OSError, ValueError, LookupError, TypeError, AttributeError):    # no notebook
            return False

    async def warm(self) -> None:
        """Execute every live dashboard once, so that the first visitor waits for none."""
        for notebook in sorted(self.folder.glob("*.ipynb")):
            if self.has(notebook.stem):
                with suppress(LivePageFailed):    # who asks for it is told
                    await self.page(notebook.stem, fresh=True)

    async def page(self, name: str, *, fresh: bool, account: str = "") -> bytes:
        """The dashboard; not `fresh`: as it was shown last, where it was. Raises `LivePageFailed`.

        account  a name that a visitor chose; what is no name is left out
        """
        account = account if ACCOUNT.fullmatch(account) else ""
        at, html = self._shown.get((name, account), (0.0, b""))
        if html and not fresh:
            return html
        async with self._turn[name]:
            at, html = self._shown.get((name, account), (0.0, b""))
            if html and time.monotonic() - at < FRESH_S:
                return html
            notebook = nbformat.read(self.folder / f"{name}.ipynb", as_version=4)    # type: ignore[no-untyped-call]
            await self._execute(name, notebook, account)
            every = float(notebook.metadata["navbook"].get("every_s", EVERY_S))
            html = render.live(notebook, name, every).encode()
            self._shown = {**dict(list(self._shown.items())[-MOST:]), (name, account): (time.monotonic(), html)}
            return html

    async def _execute(self, name: str, notebook: Any, account: str) -> None:
        if account:
            after = next(number for number, cell in enumerate(notebook.cells, 1)
                         if "parameters" in cell.metadata.get("tags", []))
            notebook.cells.insert(after, nbformat.v4.new_code_cell(f"account = {account!r}"))    # type: ignore[no-untyped-call]
        client = _Client(notebook, km=await self._kernel(name), timeout=LONGEST_S)
        try:
            await client.async_execute(cleanup_kc=False)
        except (CellExecutionError, CellTimeoutError, DeadKernelError, RuntimeError) as problem:
            raise LivePageFailed(f"The live page {name} failed: {problem}") from None
        finally:
            if client.kc is not None:
                client.kc.stop_channels()

    async def _kernel(self, name: str) -> Any:
        """The page's kernel; a new one where it was culled or died."""
        kernel = self._kernels.get(name)
        if kernel is None or kernel not in self.manager or not await self.manager.get_kernel(kernel).is_alive():
            self._kernels[name] = kernel = await self.manager.start_kernel(
                kernel_name="python3", env=self.variables, extra_arguments=["--HistoryManager.enabled=False"])
        return self.manager.get_kernel(kernel)

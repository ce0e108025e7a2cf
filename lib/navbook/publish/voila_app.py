"""The Voila application behind `server.serve`: published and live pages, pages of runs, and nothing else of Voila.

Voila asks its `prelaunch_hook` before it would start a kernel; ours answers with the stored page and ends the
request, or says in a small page why there is none. Live pages are executed by live.py. Routes to files, lists of
files, kernels and extensions are left out: what is not there cannot be attacked. Rests on the order of Voila
0.5.13's hooks and on names of its internals; tests/test_publish_server.py fails when an upgrade changes them.
"""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from typing import Any

import tornado.httpserver
import tornado.ioloop
import tornado.web
from jupyter_server.base.handlers import JupyterHandler
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed
from traitlets.config import Config
from voila.app import Voila
from voila.static_file_handler import MultiStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler

from navbook.publish import identity, live, palette, stamp

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
POLICY = "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
HEADERS = {"Content-Security-Policy": POLICY,
           "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
           "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
           "Cache-Control": "no-store"}
SAID = {403: ("Not allowed.", "This server shows published pages only."),
        404: ("No such page.", "Every page that exists is linked from the first one."),
        503: ("Not published whole.", "This page is being written, or an interrupted run left it. It loads again "
                                      "by itself; if it stays like this, run <code>navbook publish</code>.")}
MOMENT_S = 2.0    # between the steps of publishing a page, at most


def run(published: Path, bound: socket.socket, *, token: str | None, ready: Callable[[], object],
        kernels: Mapping[str, str] | None = None) -> None:
    """Serve until the process is told to stop: with `token` to who knows it, without to this machine only."""
    config = Config()
    config.VoilaConfiguration.prelaunch_hook = stored_page(published)
    config.VoilaConfiguration.file_allowlist = []
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.attempt_fix_notebook = False    # would list all kernels at every visit
    config.NotebookNotary.db_file = ":memory:"                # looking leaves nothing behind, in no home folder
    config.NotebookNotary.secret = b"nothing is signed here"
    config.NotebookNotary.secret_file = ""
    config.KernelManager.transport = "ipc"                    # sockets in a folder of this user, no ports
    config.MappingKernelManager.cull_idle_timeout = live.IDLE_S
    config.MappingKernelManager.cull_interval = live.LOOK_S
    app = Pages(config=config, root_dir=str(published), config_file_paths=[], open_browser=False, token=token,
                log_level=logging.ERROR, identity_provider_class=identity.OneToken,
                tornado_settings={"allow_remote_access": token is not None, "headers": HEADERS})
    app.bound, app.ready, app.variables = bound, ready, kernels
    for noisy in ("tornado.access", "tornado.application", "tornado.general"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    app.initialize([])
    app.start()


def stored_page(published: Path) -> Callable[..., None]:
    """The hook: every page of `published` is answered here, so that Voila never comes to run one."""
    def hook(request: tornado.web.RequestHandler, notebook: object, cwd: str) -> None:
        html = whole(published / request.path_args[0].removesuffix(".ipynb"))
        if html is None:
            raise tornado.web.HTTPError(503)
        request.write(html)
        raise tornado.web.Finish
    return hook


def whole(page: Path) -> bytes | None:
    """The page, where it was made from the notebook beside it."""
    try:
        html, made_from = (page.with_name(page.name + ending).read_bytes() for ending in (".html", ".ipynb"))
    except OSError:
        return None
    return html if stamp.is_page_of(html, made_from) else None


@retry(retry=retry_if_result(bool), wait=wait_fixed(0.02), stop=stop_after_delay(1),
       retry_error_callback=lambda state: True)
async def is_coming(page: Path) -> bool:
    """Whether a page, which is published in two steps, is between them; that is waited for."""
    try:
        age = time.time() - page.with_name(f"{page.name}.html").stat().st_mtime
    except OSError:
        return False
    return age < MOMENT_S and whole(page) is None


class Said:
    """Errors as a small page of our own, which tells nothing about the server."""

    def write_error(self: Any, status_code: int, **_: object) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(message(status_code))


class Page(Said, TornadoVoilaHandler):    # type: ignore[misc]
    """Voila's own handler, for pages of this folder only; live ones are executed aside."""

    def initialize(self, live_pages: live.Live | None, folder: Path, **voila: Any) -> None:
        super().initialize(**voila)
        self.live_pages, self.folder = live_pages, folder

    @tornado.web.authenticated
    async def get(self, path: str = "") -> None:
        if self.get_argument("token", None) is not None:
            self.redirect(self.request.path)    # the visitor has a cookie now: the token leaves the address
            return
        name = path.removesuffix(".ipynb")
        if self.live_pages is None or not self.live_pages.has(name):
            await is_coming(self.folder / name)
            await super().get(path)
            return
        try:
            html = await self.live_pages.page(name, fresh=bool(self.get_argument("fresh", "")),
                                               account=self.get_argument("account", ""))
        except live.LivePageFailed as problem:
            logging.getLogger("navbook").error("%s", problem)
            raise tornado.web.HTTPError(500) from None
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(html)


class Run(Said, JupyterHandler):
    """The page of a run, as it was rendered when the run ended."""

    def initialize(self, runs: Path) -> None:
        self.runs = runs

    @tornado.web.authenticated
    def get(self, job: str, run: str) -> None:
        try:
            html = (self.runs / job / run / "page.html").read_bytes()
        except OSError:
            raise tornado.web.HTTPError(404) from None
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(html)


class Elsewhere(Said, JupyterHandler):
    """Leads on: `/` to the first page, a link that also works from disk (`x.html`) to Voila's name of the page."""

    @tornado.web.authenticated
    def get(self, name: str = "index") -> None:
        self.redirect(f"{self.base_url}voila/render/{name}.ipynb")


class Nothing(Said, JupyterHandler):
    """Everything else."""

    @tornado.web.authenticated
    def get(self) -> None:
        raise tornado.web.HTTPError(404)

    post = put = patch = delete = head = get


class Pages(Voila):    # type: ignore[misc]
    """Voila with our routes, on a socket that is bound already."""

    bound: socket.socket
    ready: Callable[[], object]
    variables: Mapping[str, str] | None
    live_pages: live.Live | None

    def init_handlers(self) -> list[Any]:
        folder = Path(self.root_dir)
        own = None if self.variables is None else live.Live(
            folder, self.kernel_manager, {**self.variables, "IPYTHONDIR": self.connection_dir})
        self.live_pages = own
        voila = {"live_pages": own, "folder": folder, "template_paths": self.template_paths, "config": self.config,
                 "voila_configuration": self.voila_configuration}
        base = re.escape(self.server_url)
        login = [*self.identity_provider.get_handlers(),
                 (rf"{base}voila/static/(.*)", MultiStaticFileHandler, {"paths": self.static_paths})]
        return [(base, Elsewhere), (rf"{base}voila/render/({NAME})\.html", Elsewhere),
                (rf"{base}voila/render/({NAME}\.ipynb)", Page, voila),
                (rf"{base}voila/(?!render/|static/)({NAME})/({NAME})/page\.html", Run, {"runs": folder.parent}),
                *(login if self.token else []), (r".*", Nothing)]

    def listen(self) -> None:
        server = tornado.httpserver.HTTPServer(self.app)
        server.add_socket(self.bound)
        self.ioloop = tornado.ioloop.IOLoop.current()
        self.ioloop.add_callback(self.ready)
        if self.live_pages is not None:
            self.ioloop.add_callback(self.live_pages.warm)
        loop = asyncio.get_event_loop()
        for name in (signal.SIGINT, signal.SIGTERM):    # KeyboardInterrupt may come where it is ignored
            loop.add_signal_handler(name, self.ioloop.stop)
        try:
            self.ioloop.start()
        finally:
            self.leave(loop)

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what is under way, then the kernels, which only read: without waiting for any, or a word from it."""
        under_way = asyncio.all_tasks(loop)
        for task in under_way:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*under_way, return_exceptions=True))
        loop.run_until_complete(self.kernel_manager.shutdown_all(now=True))
        self.stop()


def message(status: int) -> bytes:
    """A whole page that says what is the matter."""
    headline, text = SAID.get(status, ("This did not work.", "The server's log says more."))
    again = '<meta http-equiv="refresh" content="3">' if status == 503 else ""
    page = Template((Path(__file__).parent / "template" / "message.html").read_text(encoding="utf-8"))
    return page.substitute(headline=headline, text=text, again=again, colours=palette.css_variables(),
                           font=palette.FONT).encode()

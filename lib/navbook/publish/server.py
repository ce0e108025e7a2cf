"""Serve the pages with Voila, which hands out what was rendered before; only live pages have a kernel (live.py).

A page is `<name>.ipynb` (executed) beside `<name>.html` (render.page of it) in one folder. What may be
refused is refused here, before Voila's import takes its second; the rest is in voila_app.py.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from navbook import settings
from navbook.errors import SettingsInvalid


def serve(published: Path, host: str = "127.0.0.1", port: int = 8866,
          on_ready: Callable[[str], None] | None = None, token: str | None = None,
          kernels: Mapping[str, str] | None = None) -> None:
    """Serve the pages in `published` until SIGINT or SIGTERM; `on_ready` gets the address once it answers.

    kernels  the whole environment of the kernels that live pages run in; none: there are no live pages

    A loopback address asks for no token and answers only to names of this machine. Any other address asks
    for `token`, or for one made up now, which is then part of the address given to `on_ready`. Port 0 takes
    a free port. Exchange keys leave this process's environment. Raises `SettingsInvalid`.
    """
    if not published.is_dir():
        raise SettingsInvalid(f"There are no pages in {published} yet; run navbook publish first.")
    bound = _bound(host, port)
    for name in os.environ.keys() - settings.without_secrets(os.environ).keys():
        del os.environ[name]
    asked = None if is_loopback(host) else token or secrets.token_urlsafe(24)
    address = f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}/"
    if asked:
        address += f"?token={asked}"
    from navbook.publish import voila_app
    voila_app.run(published.resolve(), bound, token=asked, kernels=kernels,
                  ready=lambda: on_ready(address) if on_ready else None)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket, or one clear sentence."""
    if not 0 <= port <= 65535:
        raise SettingsInvalid(f"{port} is no port; choose one from 1 to 65535 with --port.")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.create_server(address[:2], family=family, backlog=128)
        bound.setblocking(False)
        return bound
    except OSError as problem:
        reason = {errno.EADDRINUSE: f"Port {port} of {host} is taken, perhaps by another navbook dashboards",
                  errno.EACCES: f"Port {port} may not be used by this user"}.get(
                      problem.errno or 0, f"{host}:{port} cannot be served ({problem.strerror or problem})")
        raise SettingsInvalid(f"{reason}; choose another with --port.") from None

"""A Jupyter kernel with an environment of its own, in which papermill executes one notebook or several."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import navbook.publish  # noqa: F401  (spares every Jupyter import a second: see there)
from navbook import settings
from navbook.errors import JobFailed, NavbookError, UnknownParameter
from navbook.runner.files import write_whole
from navbook.settings import Settings

if TYPE_CHECKING:
    from jupyter_client.manager import KernelManager

START_TIMEOUT_S = 60


class CellFailed(JobFailed):
    """A notebook did not run to its end. `cell` is the failing one's position, where there is one."""

    def __init__(self, reason: str, cell: int | None = None) -> None:
        super().__init__(reason)
        self.cell = cell


def variables(config: Settings, folder: Path, accounts: Iterable[str] = ()) -> dict[str, str]:
    """A kernel's environment: this process's, with the settings of `config` and the keys of `accounts` only.

    The settings go into `folder`/config.json, which stays with the run; a variable that would override
    them does not reach the kernel.
    """
    place = folder / "config.json"
    write_whole(place, config.model_dump_json(indent=1) + "\n")
    plain = settings.without_secrets(os.environ)
    keys = {name: str(Path(value).resolve()) if name.endswith("_FILE") else value
            for name, value in settings.without_secrets(os.environ, accounts).items() if name not in plain}
    others = {name: value for name, value in plain.items() if not name.startswith("NAVBOOK_")}
    return {**others, **keys, "NAVBOOK_CONFIG": str(place)}


@contextmanager
def kernel(variables: Mapping[str, str], folder: Path, ahead: str) -> Iterator[KernelManager]:
    """A running kernel whose environment is exactly `variables`; killed with the block.

    ahead  a module that the notebook will want: imported while this process imports papermill

    It is spoken to through sockets in a folder that only this user may enter, not through TCP.
    """
    from jupyter_client.manager import KernelManager

    with tempfile.TemporaryDirectory(prefix="navbook-kernel-") as sockets:    # short: a socket's path has 107 bytes
        manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(Path(sockets) / "socket"),
                                connection_file=str(Path(sockets) / "connection.json"))
        warm = f"--IPKernelApp.exec_lines=_ = __import__({ahead!r})"
        manager.start_kernel(env=dict(variables), cwd=str(folder), extra_arguments=[warm])
        try:
            yield manager
        finally:
            manager.shutdown_kernel(now=True)


def execute(manager: KernelManager, notebook: Path, result: Path, parameters: Mapping[str, Any]) -> None:
    """Run `notebook` with `parameters`; save it as `result` even when it failed.

    Raises `UnknownParameter` before anything ran, `CellFailed` with the reason in one sentence.
    """
    sys.modules.setdefault("papermill.s3", None)    # type: ignore[arg-type]    # it would load boto3, a second: no run is on S3
    import papermill  # takes a second, in which the kernel starts
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    known = papermill.inspect_notebook(notebook)
    if unknown := set(parameters) - set(known):    # papermill would only log a warning, at night
        raise UnknownParameter(notebook.name, unknown, known)
    result.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(notebook, result, dict(parameters), progress_bar=False, km=manager,
                                   start_timeout=START_TIMEOUT_S, stderr_file=sys.stderr)    # progress of long work
    except PapermillExecutionError as failure:
        sentence = failure.evalue if failure.ename in _our_errors() else f"{failure.ename}: {failure.evalue}"
        raise CellFailed(sentence, failure.cell_index) from None
    except DeadKernelError:
        raise CellFailed("the kernel died, perhaps for lack of memory.") from None
    except (CellTimeoutError, RuntimeError) as failure:
        raise CellFailed(str(failure)) from None


def forget(manager: KernelManager) -> None:
    """Empty the kernel's namespace, so that the next notebook cannot lean on this one."""
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START_TIMEOUT_S)
        client.execute_interactive("%reset -f", silent=True, timeout=START_TIMEOUT_S)
    finally:
        client.stop_channels()


def _our_errors() -> set[str]:
    """The names of what navbook raises: those messages are sentences already."""
    def below(kind: type[Exception]) -> set[str]:
        return {kind.__name__}.union(*(below(child) for child in kind.__subclasses__()))
    return below(NavbookError)

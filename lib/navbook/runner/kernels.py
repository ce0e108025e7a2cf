"""A Jupyter kernel with an environment of its own, in which papermill executes one notebook or several."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import navbook.publish  # noqa: F401  (spares every Jupyter import a second: see there)
from navbook import settings, vault
from navbook.errors import JobFailed, NavbookError
from navbook.runner import parameters, scratch
from navbook.runner.files import write_whole
from navbook.settings import Settings

if TYPE_CHECKING:
    from jupyter_client.manager import KernelManager

START_TIMEOUT_S = 60
WAITS_AND_WATCHES = "jupyter_client.asynchronous.AsyncKernelClient"    # a blocking one never sees that a kernel died


class CellFailed(JobFailed):
    """A notebook did not run to its end. `cell` is the failing one's position, where there is one."""

    def __init__(self, reason: str, cell: int | None = None) -> None:
        super().__init__(reason)
        self.cell = cell


def variables(config: Settings, folder: Path, accounts: Iterable[str] = ()) -> dict[str, str]:
    """A kernel's environment: this process's, with the settings of `config` and the keys of `accounts` only
    (and of the bucket, where the store is in one).

    Keys that are only in the vault become variables: a kernel never gets the secret that opens it.
    The settings go into `folder`/config.json, which stays with the run; a variable that would override
    them does not reach the kernel.
    """
    place = folder / "config.json"
    write_whole(place, config.model_dump_json(indent=1) + "\n")
    plain = settings.without_secrets(os.environ)
    keys = {name: str(Path(value).resolve()) if name.endswith("_FILE") else value
            for name, value in settings.without_secrets(os.environ, accounts).items() if name not in plain}
    others = {name: value for name, value in plain.items() if not name.startswith("NAVBOOK_")}
    return {**others, **keys, **settings.bucket_variables(config, os.environ), **vault.variables(config, accounts),
            "NAVBOOK_CONFIG": str(place)}


@contextmanager
def kernel(variables: Mapping[str, str], folder: Path, ahead: str) -> Iterator[KernelManager]:
    """A running kernel whose environment is exactly `variables`; killed with the block.

    ahead  a module that the notebook will want: imported while this process imports papermill

    It is spoken to through sockets in a folder that only this user may enter, not through TCP.
    """
    from jupyter_client.manager import KernelManager

    with scratch.folder("kernel") as own:
        manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(own / "socket"),
                                connection_file=str(own / "connection.json"), client_class=WAITS_AND_WATCHES)
        first = ("--IPKernelApp.exec_lines=_ = __import__('navbook.runner.orphans').runner.orphans.end_with("
                 f"{os.getpid()}), __import__({ahead!r})")
        alone = {"IPYTHONDIR": str(own)}    # neither the user's start-up files nor a history that cannot be written
        manager.start_kernel(env={**variables, **alone}, cwd=str(folder),
                             extra_arguments=[first, "--HistoryManager.enabled=False"])
        try:
            yield manager
        finally:
            manager.shutdown_kernel(now=True)


def execute(manager: KernelManager, notebook: Path, result: Path, given: Mapping[str, Any],
            timeout_minutes: float | None = None) -> None:
    """Run `notebook` with the parameters `given`; save it as `result` even when it failed.

    Raises as `parameters.checked` does before anything ran, `CellFailed` with the reason in one sentence.
    """
    sys.modules.setdefault("papermill.s3", None)    # type: ignore[arg-type]    # it would load boto3, a second: no run is on S3
    import papermill  # takes a second, in which the kernel starts
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("traitlets").handlers = [logging.NullHandler()]    # nbclient's; our sentence says it
    logging.getLogger("IPKernelApp").addFilter(_is_told)                 # where one notebook executes others
    given = parameters.checked(notebook, given)
    late = threading.Event()
    try:
        result.parent.mkdir(parents=True, exist_ok=True)
        with _ended_after(timeout_minutes, manager, late):
            papermill.execute_notebook(notebook, result, given, progress_bar=False, km=manager,
                                       start_timeout=START_TIMEOUT_S, stderr_file=sys.stderr)    # progress of long work
    except PapermillExecutionError as failure:
        sentence = failure.evalue if failure.ename in _our_errors() else f"{failure.ename}: {failure.evalue}"
        raise CellFailed(sentence, failure.cell_index) from None
    except OSError as problem:
        raise CellFailed(f"{result} cannot be written: {problem.strerror or problem}.") from None
    except RuntimeError as failure:
        why = (f"it took longer than its timeout of {timeout_minutes:g} minutes and was ended." if late.is_set() else
               "the kernel died, perhaps for lack of memory." if isinstance(failure, DeadKernelError) else str(failure))
        raise CellFailed(why, _last_begun(result)) from None


@contextmanager
def _ended_after(minutes: float | None, manager: KernelManager, late: threading.Event) -> Iterator[None]:
    """Kill the kernel, and say so, when the block takes longer than `minutes`."""
    process: int = getattr(manager.provisioner, "pid", 0)

    def end() -> None:
        late.set()
        os.kill(process, signal.SIGKILL)

    timer = threading.Timer(60 * (minutes or 0), end)
    timer.daemon = True
    if minutes and process:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _last_begun(result: Path) -> int | None:
    """The position of the cell that a killed kernel was at: papermill calls all of them completed."""
    if not result.exists():
        return None
    cells = json.loads(result.read_text(encoding="utf-8"))["cells"]
    return max((number for number, cell in enumerate(cells)
                if cell["metadata"].get("papermill", {}).get("start_time")), default=None)


def _is_told(record: logging.LogRecord) -> bool:
    """Not that papermill leaves its client's sockets to the garbage collector, which cannot close them in a loop."""
    return "destroy zmq context" not in record.getMessage()


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

"""A Jupyter kernel with an environment of its own, in which papermill executes one notebook or several."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any

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
    kept = settings.without_secrets(os.environ, accounts)
    others = {name: value for name, value in kept.items()
              if not name.startswith("NAVBOOK_") or settings.is_secret(name)}
    return {**others, "NAVBOOK_CONFIG": str(place)}


@contextmanager
def kernel(variables: Mapping[str, str], folder: Path) -> Iterator[KernelManager]:
    """A running kernel whose environment is exactly `variables`; killed with the block.

    It is spoken to through socket files that only this user may open, not through TCP.
    """
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3", transport="ipc")
    manager.start_kernel(env=dict(variables), cwd=str(folder))
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


def execute(manager: KernelManager, notebook: Path, result: Path, parameters: Mapping[str, Any]) -> None:
    """Run `notebook` with `parameters`; save it as `result` even when it failed.

    Raises `UnknownParameter` before anything ran, `CellFailed` with the reason in one sentence.
    """
    papermill = import_papermill()
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    known = papermill.inspect_notebook(notebook)
    if unknown := set(parameters) - set(known):    # papermill would only log a warning, at night
        raise UnknownParameter(notebook.name, unknown, known)
    result.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(notebook, result, dict(parameters), progress_bar=False, km=manager,
                                   start_timeout=START_TIMEOUT_S)
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


def import_papermill() -> ModuleType:
    """papermill, a second sooner: jsonschema would compile a grammar of web addresses, which no notebook needs."""
    skipped = "rfc3987_syntax"
    if "papermill" not in sys.modules and skipped not in sys.modules:
        sys.modules[skipped] = None    # type: ignore[assignment]    # makes its import fail, which jsonschema expects
        try:
            import papermill
        finally:
            del sys.modules[skipped]
    import papermill
    return papermill    # type: ignore[no-any-return]


def import_ahead() -> None:
    """Import what running and rendering need, while the sandbox and the kernel start in other processes."""
    def imports() -> None:
        import_papermill()
        from navbook.publish import render  # noqa: F401  (brings nbconvert)

    Thread(target=imports, daemon=True).start()

"""What happened, one JSON object a line: in the run's own folder, and in one file for all runs of a store.

Every line passes `navbook.redaction`. The store's file is put aside once a day, and rows go when they are too old or
too many. Several processes may write at once: a handler looks whether its file is still the one of that name.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from navbook import redaction, settings
from navbook.errors import Locked
from navbook.settings import Settings

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

FILE = "navbook.jsonl"

_open: list[str] = []    # the sessions of this process, by run: the outermost owns the files


class _Handler(WatchedFileHandler):
    """A line that cannot be written (a full disk) is told once and stops no run."""

    told = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:    # of the folder; those of the file come to handleError by themselves
            self.handleError(record)

    def close(self) -> None:
        """Lets go of the file; what is still to be written may find no room."""
        try:
            super().close()
        except OSError:
            self.tell()

    def handleError(self, record: logging.LogRecord) -> None:
        self.tell()

    def tell(self) -> None:
        """Say on standard error, once a process, what is the matter with the file."""
        if not _Handler.told:
            _Handler.told = True
            print(f"navbook: the log {self.baseFilename} cannot be written: {sys.exc_info()[1]}.", file=sys.stderr)


def logger() -> BoundLogger:
    """Where to say what happened: `logger().info("account read", account="main", seconds=0.4)`.

    Fields of the session around it (run, category, account) are added. Without a session, only warnings are
    seen, on standard error.
    """
    import structlog
    bound: BoundLogger = structlog.wrap_logger(
        logging.getLogger("navbook"), wrapper_class=structlog.stdlib.BoundLogger,
        processors=[structlog.stdlib.filter_by_level, structlog.contextvars.merge_contextvars,
                    structlog.processors.StackInfoRenderer(),
                    structlog.stdlib.ProcessorFormatter.wrap_for_formatter])
    return bound


@contextmanager
def session(config: Settings, category: str, account: str = "all", folder: Path | None = None, *,
            quiet: bool = False) -> Iterator[BoundLogger]:
    """Everything logged in the block goes to the store's log, and to `folder`/log.jsonl of a run.

    The outermost begins and ends with a line, which tells the duration and, of a failure, the reason. A session
    inside another one adds its category and folder; a notebook's kernel joins the run that started it. A `quiet`
    one has no such lines.
    """
    import structlog
    joined = _log_of_our_run()
    own = not (_open or joined or quiet)
    run = folder.name if folder else _open[-1] if _open else os.environ.get("NAVBOOK_RUN") or secrets.token_hex(4)
    files = [] if _open else [config.logs_folder / FILE, *joined]
    handlers = _added([*files, *([folder / "log.jsonl"] if folder else [])])
    _open.append(run)
    began = time.monotonic()
    try:
        with structlog.contextvars.bound_contextvars(run=run, category=category, account=account):
            log = logger()
            if own:
                log.info("started")
            try:
                yield log
            except BaseException as trouble:
                busy = isinstance(trouble, Locked)    # somebody else does the work: no failure
                log.log(logging.WARNING if busy else logging.ERROR, "failed", seconds=_since(began), success=False,
                        error=type(trouble).__name__, reason=str(trouble) or None)
                raise
            if own:
                log.info("ended", seconds=_since(began), success=True)
    finally:
        _open.pop()
        _removed(handlers)


@contextmanager
def timed(operation: str, **fields: Any) -> Iterator[dict[str, Any]]:
    """One line about the block: its duration, and what it puts into the dict that it is given."""
    told: dict[str, Any] = {}
    fields |= {"operation": operation}
    began = time.monotonic()
    try:
        yield told
    except Exception as trouble:
        logger().warning(operation, seconds=_since(began), success=False, reason=str(trouble), **fields)
        raise
    logger().info(operation, **{"seconds": _since(began), "success": True, **fields, **told})


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _log_of_our_run() -> list[Path]:
    """The log of the run whose kernel this process is."""
    place = os.environ.get("NAVBOOK_CONFIG", "")
    ours = os.environ.get("NAVBOOK_RUN") and place.endswith("config.json")
    return [Path(place).with_name("log.jsonl")] if ours else []


def _added(files: list[Path]) -> list[logging.Handler]:
    """Handlers on the root logger, so that what a library warns of is redacted and kept, too."""
    settings.remember_secrets()
    handlers: list[logging.Handler] = []
    for file in files:
        handler = _Handler(file, encoding="utf-8", delay=True)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            handler.tell()
        handler.setFormatter(_formatter())
        logging.getLogger().addHandler(handler)
        handlers.append(handler)
    logging.getLogger("navbook").setLevel(logging.INFO)
    return handlers


def _removed(handlers: list[logging.Handler]) -> None:
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _formatter() -> logging.Formatter:
    import structlog
    shared: list[Any] = [structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder(),
                         structlog.contextvars.merge_contextvars,
                         structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.stdlib.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
                    structlog.processors.format_exc_info, _redacted,
                    structlog.processors.JSONRenderer(default=str, ensure_ascii=False)])


def _redacted(logger: Any, method: str, event: Any) -> dict[str, Any]:
    """The processor before the last: no secret gets past it, whatever field or traceback it stands in."""
    first = ("time", "level", "event", "category", "run", "account", "operation", "seconds")
    clean: dict[str, Any] = redaction.cleaned(dict(event))
    return {**{name: clean[name] for name in first if name in clean}, **clean}

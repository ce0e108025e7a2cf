"""What commands share: their options, and how they show progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


Config = Annotated[Path | None, typer.Option("--config", help="A navbook.toml; default: the one in this folder.")]
Account = Annotated[str, typer.Option("--account", help="An account's name, or all.")]
NoNotebook = Annotated[bool, typer.Option("--no-notebook", help="Run in this process, without papermill.")]
Output = Annotated[Format, typer.Option("--format", help="How to print the rows.")]


@contextmanager
def progress(label: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Progress on standard error: a bar where somebody looks, a line now and then in a log."""
    shown = -1

    def tell(done: int, of: int) -> None:
        nonlocal shown
        percent = 100 * done // of
        if percent == shown or (not sys.stderr.isatty() and percent % 25):
            return
        shown = percent
        bar = "#" * (percent // 4) + "." * (25 - percent // 4)
        typer.echo(f"\r{label} [{bar}] {done}/{of}" if sys.stderr.isatty() else f"{label}: {done} of {of} {unit}",
                   err=True, nl=done == of or not sys.stderr.isatty())

    yield tell

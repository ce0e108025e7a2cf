"""`navbook logs`: what every run did, read from the store's log."""

from __future__ import annotations

from typing import Annotated

import typer

from navbook.cli.common import Config, Format, Output


def logs(account: Annotated[str | None, typer.Option(help="Only lines about this account.")] = None,
         level: Annotated[str | None, typer.Option(help="This level and graver: info, warning, error.")] = None,
         category: Annotated[str | None, typer.Option(help="collect, benchmark, backup, alert, config, …")] = None,
         run: Annotated[str | None, typer.Option(help="Only lines of this run.")] = None,
         since: Annotated[str | None, typer.Option(help="The first moment, UTC.")] = None,
         last: Annotated[int, typer.Option("--last", min=1, help="At most so many, the newest.")] = 100,
         follow: Annotated[bool, typer.Option("--follow", help="Go on with what is written from now on.")] = False,
         output: Output = Format.TABLE, config: Config = None) -> None:
    """What every run did, line by line, as JSON (whole) or a table."""
    from collections import deque

    from navbook import settings
    from navbook.runner import log_files
    from navbook.store import tables
    loaded = settings.load(config)
    test = log_files.wanted(account, level, category, tables.moment(since) if since else None, run)
    if follow:
        for row in log_files.follow(loaded, test):
            typer.echo(log_files.line(row, output.value))
        return
    typer.echo(log_files.text(deque(log_files.rows(loaded, test), maxlen=last), output.value), nl=False)

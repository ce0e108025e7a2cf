"""`navbook close`: freeze a month's figures, and see what changed since."""

from __future__ import annotations

from typing import Annotated

import typer

from navbook.cli.common import Account, Config, Format, Output
from navbook.errors import SettingsInvalid


def close(month: Annotated[str | None, typer.Argument(metavar="MONTH", help="Such as 2026-06.")] = None,
          account: Account = "all",
          listing: Annotated[bool, typer.Option("--list", help="Show closed months, and what changed since.")] = False,
          dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the figures, freeze nothing.")] = False,
          again: Annotated[bool, typer.Option("--again", help="Although it is closed: add newer figures.")] = False,
          output: Output = Format.TABLE, config: Config = None) -> None:
    """Freeze the figures of a month that is over; what changes later is listed as a restatement."""
    from navbook import settings
    from navbook.runner import closing, printing
    loaded = settings.load(config)
    if listing or month == "list":
        typer.echo(printing.text(closing.closed(loaded, account), output.value), nl=False)
        if output is Format.TABLE:
            typer.echo(closing.restated(loaded, account))
    elif month:
        frozen = closing.close(loaded, month, account, again=again, dry_run=dry_run)
        typer.echo(printing.text(closing.shown(frozen), output.value), nl=False)
        if output is Format.TABLE:
            typer.echo("Nothing was written." if dry_run else "Closed; navbook close --list shows what changes later.")
    else:
        raise SettingsInvalid("Say which month, such as navbook close 2026-06, or --list.")

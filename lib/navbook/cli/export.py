"""`navbook export`: a year for the accountant, everything for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from navbook.cli.common import Account, Config
from navbook.errors import SettingsInvalid

app = typer.Typer(help="A year as CSV files and a one-page statement; or a DuckDB file for other tools.")

Force = Annotated[bool, typer.Option("--force", help="Write over files that hold something else.")]


@app.callback(invoke_without_command=True)
def year(context: typer.Context,
         number: Annotated[int | None, typer.Option("--year", min=2000, max=2099, help="Of UTC.")] = None,
         account: Account = "all",
         to: Annotated[Path | None, typer.Option(help="A folder; default: exports, among the runs.")] = None,
         force: Force = False, config: Config = None) -> None:
    """Write a year's flows, income, trades, snapshots, fees, their payments, rewards and converts, and a statement."""
    if context.invoked_subcommand:
        return
    if number is None:
        raise SettingsInvalid("Say which year, such as navbook export --year 2026.")
    from navbook import settings
    from navbook.runner import export
    files = export.year(settings.load(config), number, account, to, force=force)
    typer.echo(f"{len(files)} files in {files[0].parent}: {', '.join(file.name for file in files)}.")


@app.command()
def duckdb(file: Annotated[Path, typer.Argument(metavar="FILE", help="Such as navbook.duckdb.")],
           force: Force = False, config: Config = None) -> None:
    """Copy every table and view into one DuckDB file."""
    from navbook import settings
    from navbook.runner import export
    export.database(settings.load(config), file, force=force)
    typer.echo(f"Every table and view is in {file}.")

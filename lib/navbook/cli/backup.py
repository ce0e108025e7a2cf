"""`navbook backup` and `navbook restore`: copies that can be trusted, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from navbook.cli.common import Config

app = typer.Typer(invoke_without_command=True, help="Copies of the store; alone: make one.")


@app.callback()
def backup(context: typer.Context, config: Config = None) -> None:
    """Copies of the store; alone: make one."""
    if context.invoked_subcommand is None:
        create(config)


@app.command()
def create(config: Config = None) -> None:
    """Copy every table as it is at one moment, while others may write; compared after copying."""
    from navbook import settings
    from navbook.runner import backups
    place = backups.create(settings.load(config))
    made = backups.read(place)
    typer.echo(f"backup: {len(made.digests)} tables in {place}")


@app.command(name="list")
def list_(config: Config = None) -> None:
    """The backups, oldest first."""
    from navbook import settings
    from navbook.runner import backups
    loaded = settings.load(config)
    found = backups.listed(loaded)
    for place, made in found:
        typer.echo(f"{made.time:%Y-%m-%d %H:%M:%S} UTC  {len(made.digests):>3} tables  {made.code:<16}  {place.name}")
    for problem in backups.damaged(loaded):
        typer.echo(problem)
    if not found:
        typer.echo(f"No backup in {loaded.backups_folder} yet; navbook backup makes one.")


@app.command()
def verify(name: Annotated[str, typer.Argument(help="A backup's name or folder, or latest.")] = "latest",
           config: Config = None) -> None:
    """Restore a backup aside, rebuild the answers from its facts, and compare every hash."""
    from navbook import settings
    from navbook.runner import backups
    made, others = backups.verify(settings.load(config), name)
    answers = ("rebuilt the same." if not others else
               f"rebuilt; newer than backed up, since facts came after them: {', '.join(others)}.")
    typer.echo(f"The backup of {made.time:%Y-%m-%d %H:%M:%S} UTC is whole: {len(made.digests)} tables restored aside "
               f"with the same hashes, {len(made.hashes)} answers {answers}")


def restore(name: Annotated[str, typer.Argument(metavar="FROM", help="A backup's name or folder, or latest.")],
            to: Annotated[Path, typer.Argument(metavar="TO", help="A new folder.")], config: Config = None) -> None:
    """Put a backup into a new folder as a store, compared file by file; never over data."""
    from navbook import settings
    from navbook.runner import backups
    backups.restore(settings.load(config), name, to)
    typer.echo(f'Restored to {to}. To use it: store = "{to}" in navbook.toml, or NAVBOOK_STORE={to}.')

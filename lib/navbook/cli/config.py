"""`navbook config`: look at the settings, and change navbook.toml with checked types and kept comments."""

from __future__ import annotations

from typing import Annotated

import typer

from navbook.cli.common import Config, Format, Output

app = typer.Typer(no_args_is_help=True, help="The settings as they hold, and changes to navbook.toml.")
Key = Annotated[str, typer.Argument(help="With dots, such as benchmark.rebalance.")]
Of = Annotated[str | None, typer.Option("--account", help="The setting of this account.")]


@app.command(name="list")
def list_(account: Of = None, output: Output = Format.TABLE, config: Config = None) -> None:
    """Every setting with its value, and whether it is from the environment, the file, or a default."""
    from navbook import settings
    from navbook.runner import configuring, printing
    typer.echo(printing.text(configuring.listed(settings.load(config), account), output.value), nl=False)


@app.command()
def get(key: Key, account: Of = None, config: Config = None) -> None:
    """One setting as it holds now."""
    from navbook import settings
    from navbook.runner import configuring
    typer.echo(configuring.get(settings.load(config), key, account))


@app.command(name="set")
def set_(key: Key, value: Annotated[str, typer.Argument(help="TOML, or a text without quotes.")], account: Of = None,
         config: Config = None) -> None:
    """Change navbook.toml; a value of a wrong type is refused, and the change is kept in config_history."""
    from navbook import settings
    from navbook.runner import configuring
    old, new = configuring.put(settings.load(config), key, value, account)
    typer.echo(f"{key} = {new} (was {old or 'not set'})")


@app.command()
def unset(key: Key, account: Of = None, config: Config = None) -> None:
    """Take a setting out of navbook.toml: its default holds again."""
    from navbook import settings
    from navbook.runner import configuring
    old = configuring.unset(settings.load(config), key, account)
    typer.echo(f"{key} is not set any more (was {old})")


@app.command()
def history(output: Output = Format.TABLE, config: Config = None) -> None:
    """Who changed what, and when."""
    from navbook import schemas, settings
    from navbook.runner import printing
    from navbook.store import tables
    changes = tables.read(settings.load(config).location, schemas.CONFIG_HISTORY)
    typer.echo(printing.text(changes.drop("seen_at"), output.value), nl=False)

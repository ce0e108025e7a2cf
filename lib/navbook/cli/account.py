"""`navbook account`: the accounts and where their keys are."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from navbook.cli.common import Config, Format, Output
from navbook.errors import SettingsInvalid

app = typer.Typer(no_args_is_help=True, help="Accounts, and their keys in an encrypted file.")

Name = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's name.")]


@app.command()
def add(account: Name,
        master: Annotated[str | None, typer.Option(help="It is a sub-account of this one.")] = None,
        fee_rate: Annotated[float | None, typer.Option(help="Of the gain above the high-water mark.")] = None,
        no_key: Annotated[bool, typer.Option("--no-key", help="Its key comes from the environment.")] = False,
        config: Config = None) -> None:
    """Ask for a key (or read key and secret from two lines of standard input) and keep it, encrypted."""
    from navbook import settings, vault
    from navbook.runner import accounts
    loaded = settings.load(config)
    if not no_key:
        vault.is_weak()    # without a secret nobody need type
    found = None if no_key else accounts.key_of(*_typed())
    accounts.add(loaded, account, found, typer.echo, master=master, fee_rate=fee_rate)


@app.command(name="list")
def list_(output: Output = Format.TABLE, config: Config = None) -> None:
    """The accounts, and where the key of each is; never a key."""
    from navbook import settings
    from navbook.runner import accounts, printing
    typer.echo(printing.text(accounts.listed(settings.load(config)), output.value), nl=False)


@app.command(name="test")
def try_(account: Annotated[str, typer.Argument(help="An account's name, or all.")] = "all",
         config: Config = None) -> None:
    """Try keys on the exchange: what is wrong with each, and what it may do that it should not."""
    from navbook import settings
    from navbook.runner import accounts
    if not accounts.test(settings.load(config), account, typer.echo):
        raise typer.Exit(1)


@app.command()
def remove(account: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
           config: Config = None) -> None:
    """Delete the account's key and its section of navbook.toml, after asking twice; facts stay."""
    from navbook import settings
    from navbook.cli import upkeep
    from navbook.runner import accounts
    loaded = settings.load(config)
    if not yes and sys.stdin.isatty() and not typer.confirm(f"Delete the key and the settings of {account}?"):
        raise SettingsInvalid("Nothing was deleted.")
    upkeep.question(yes=yes)(account)
    accounts.remove(loaded, account, typer.echo)


def _typed() -> tuple[str, str]:
    """Key and secret, unseen on a terminal; a script writes them as two lines."""
    if sys.stdin.isatty():
        return typer.prompt("API key", hide_input=True), typer.prompt("API secret", hide_input=True)
    lines = sys.stdin.read().splitlines()
    if len(lines) != 2:
        raise SettingsInvalid("Nothing was kept: standard input must be two lines, the API key and the API secret.")
    return lines[0], lines[1]

"""Look after the store: take rows out, rebuild, check."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from navbook.cli.common import Config
from navbook.errors import SettingsInvalid

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def reset(account: Annotated[str, typer.Argument(help="An account's name.")],
          look: Annotated[bool, typer.Option("--list", help="Show what would go, take nothing out.")] = False,
          yes: Yes = False, config: Config = None) -> None:
    """Take everything of an account out of the store, after a copy; the settings stay."""
    from navbook import settings
    from navbook.runner import upkeep
    upkeep.reset(settings.load(config), account, typer.echo, question(yes=yes), look_only=look)


def delete(account: Annotated[str, typer.Option(help="An account's name.")],
           since: Annotated[str, typer.Option("--from", help="The first moment, UTC.")],
           until: Annotated[str, typer.Option("--to", help="The last moment, UTC.")],
           tables: Annotated[list[str] | None, typer.Option(help="Only this table; may be repeated.")] = None,
           facts: Annotated[bool, typer.Option("--facts", help="Facts too, after a copy of the store.")] = False,
           dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, take nothing out.")] = False,
           yes: Yes = False, config: Config = None) -> None:
    """Take a span of time of an account out of the derived tables (--facts: of the facts too), then rebuild."""
    from navbook import settings
    from navbook.runner import upkeep
    upkeep.delete(settings.load(config), account, since, until, typer.echo, question(yes=yes), names=tables or (),
                  facts=facts, dry_run=dry_run)


def replay(until: Annotated[str, typer.Option(help="Last moment included, UTC.")] = "now",
           config: Config = None) -> None:
    """Rebuild every derived table from the facts and print its content hash."""
    from navbook import settings
    from navbook.runner import upkeep
    upkeep.replay(settings.load(config), until, typer.echo)


def upgrade(config: Config = None) -> None:
    """Copy the store, bring it to this navbook's schema, rebuild, and list every figure that changed."""
    from navbook import settings
    from navbook.runner import upgrading
    upgrading.upgrade(settings.load(config), typer.echo)


def prune(dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
          config: Config = None) -> None:
    """Let go of old run folders, log rows and versions; put small files of facts together."""
    from navbook import settings
    from navbook.runner import pruning
    pruning.prune(settings.load(config), typer.echo, dry_run=dry_run)


def check(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
          config: Config = None) -> None:
    """What is wrong with books, keys and machine, and what to do about it; exit 0 only when all is well."""
    from navbook import settings
    from navbook.runner import check
    from navbook.runner.finding import State
    found = check.findings(settings.load(config))
    if as_json:
        import dataclasses
        import json
        typer.echo(json.dumps({name: dataclasses.asdict(finding) for name, finding in found.items()}, indent=1))
    else:
        for name, finding in found.items():
            typer.echo(check.text(name, finding))
    if any(finding.state is not State.OK for finding in found.values()):
        raise typer.Exit(1)


def question(*, yes: bool) -> Callable[[str], None]:
    """What asks before something is destroyed: the answer is the account's name. Nobody there to ask: a refusal."""
    def ask(account: str) -> None:
        if yes:
            return
        if not sys.stdin.isatty():
            raise SettingsInvalid("Nothing was deleted: nobody is here to ask; add --yes.")
        if typer.prompt(f"Type {account} to delete this") != account:
            raise SettingsInvalid("Nothing was deleted.")

    return ask

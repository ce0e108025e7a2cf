"""What a person asks of the books: how a value came about, what a lifetime of flows is worth, what days are missing."""

from __future__ import annotations

from typing import Annotated

import typer

from navbook.cli.common import Config, Format, Output
from navbook.errors import SettingsInvalid, one_line

SHOWN = 12    # events in full, of a long history


def explain(account: Annotated[str, typer.Argument(help="An account's name; with --flow it may be left out.")] = "all",
            time: Annotated[str, typer.Argument(help="UTC, such as 2026-05-01T12:00, or now.")] = "now",
            benchmark: Annotated[str | None, typer.Option(help="One of the account's benchmarks, not its own.")] = None,
            flow: Annotated[str | None, typer.Option(metavar="SOURCE:ID", help="What this flow did instead.")] = None,
            of: Annotated[str | None, typer.Option("--account", help="The same as ACCOUNT.")] = None,
            everything: Annotated[bool, typer.Option("--all", help="Every event, of a long history too.")] = False,
            config: Config = None) -> None:
    """The arithmetic of a benchmark's value, line by line; or what one flow bought in it."""
    from navbook import settings, types
    from navbook.runner import explain
    loaded, account = settings.load(config), of or account
    if flow:
        lines = explain.flow_lines(loaded, flow, account, benchmark)
    elif account == "all":
        raise SettingsInvalid("Say of which account: navbook explain ACCOUNT [TIME].")
    else:
        found = explain.moment(loaded, account, time, benchmark or types.OWN_BENCHMARK)
        lines = explain.value_lines(loaded, found, None if everything else SHOWN)
    for line in lines:
        typer.echo(one_line(line))


def lifetime(account: Annotated[str, typer.Argument(help="An account's name.")],
             stored: Annotated[bool, typer.Option("--stored", help="Ask nobody: what the store holds.")] = False,
             output: Output = Format.TABLE, config: Config = None) -> None:
    """Every cash flow since the first, held in the benchmark's assets, against what the account is worth today."""
    import asyncio
    import json

    from navbook import settings
    from navbook.runner import life_histories, lifetime, printing, sandbox
    loaded = settings.load(config)
    if not stored:
        with sandbox.for_command(loaded) as ready:
            asyncio.run(life_histories.ask(ready, account, _tell))
    found = lifetime.answer(loaded, account)
    if output is Format.JSON:
        typer.echo(json.dumps(lifetime.figures(found), indent=1))
        return
    typer.echo(printing.text(lifetime.table(found), output.value), nl=False)
    for line in lifetime.lines(found) if output is Format.TABLE else ():
        typer.echo(one_line(line))


def twin(account: Annotated[str, typer.Argument(help="An account's name.")], config: Config = None) -> None:
    """A local Binance with a copy of the account's balances and flows, until stopped."""
    import signal

    from navbook import settings
    from navbook.runner import twin
    loaded = settings.load(config)
    with twin.started(loaded, account) as (local, time):
        for line in twin.says(account, local, time):
            typer.echo(line)
        signal.pause()


def _tell(count: int) -> None:
    """Now and then on standard error: asking for all years takes a while."""
    if count % 50 == 0:
        typer.echo(f"Histories since 2017: {count} answers.", err=True)


def backfill(account: Annotated[str, typer.Argument(help="An account's name.")],
             dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the days, write nothing.")] = False,
             output: Output = Format.TABLE, config: Config = None) -> None:
    """Days without a snapshot, from Binance's own record of the last 30: drawn, and in no return."""
    import asyncio

    from navbook import settings
    from navbook.runner import backfill, printing, sandbox
    with sandbox.for_command(settings.load(config)) as ready:
        found = asyncio.run(backfill.backfill(ready, account, dry_run=dry_run))
    typer.echo(printing.text(found.days, output.value), nl=False)
    if output is Format.TABLE:
        typer.echo(found.said(account, dry_run=dry_run))

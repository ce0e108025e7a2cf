"""What a person asks of the books: how a value came about, what a lifetime of flows would be worth."""

from __future__ import annotations

from typing import Annotated

import typer

from navbook.cli.common import Config
from navbook.errors import SettingsInvalid

SHOWN = 12    # events in full, of a long history


def explain(account: Annotated[str, typer.Argument(help="An account's name; with --flow it may be left out.")] = "all",
            time: Annotated[str, typer.Argument(help="UTC, such as 2026-05-01T12:00, or now.")] = "now",
            benchmark: Annotated[str | None, typer.Option(help="One of the account's benchmarks, not its own.")] = None,
            flow: Annotated[str | None, typer.Option(metavar="SOURCE:ID", help="What this flow did instead.")] = None,
            everything: Annotated[bool, typer.Option("--all", help="Every event, of a long history too.")] = False,
            config: Config = None) -> None:
    """The arithmetic of a benchmark's value, line by line; or what one flow bought in it."""
    from navbook import settings, types
    from navbook.runner import explain
    loaded = settings.load(config)
    if flow:
        lines = explain.flow_lines(loaded, flow, account, benchmark)
    elif account == "all":
        raise SettingsInvalid("Say of which account: navbook explain ACCOUNT [TIME].")
    else:
        found = explain.moment(loaded, account, time, benchmark or types.OWN_BENCHMARK)
        lines = explain.value_lines(loaded, found, None if everything else SHOWN)
    for line in lines:
        typer.echo(line)

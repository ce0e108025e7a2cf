"""`navbook alerts`: what is wrong now, and whether anybody hears of it."""

from __future__ import annotations

import typer

from navbook.cli.common import Config
from navbook.errors import one_line

app = typer.Typer(invoke_without_command=True, help="What is open; where alerts go is tried with test.")


@app.callback()
def alerts(context: typer.Context, config: Config = None) -> None:
    """What is open; where alerts go is tried with test."""
    if context.invoked_subcommand is None:
        list_(config)


@app.command(name="list")
def list_(config: Config = None) -> None:
    """The causes that are open."""
    from navbook import settings
    from navbook.runner import alerts
    found = alerts.opened(settings.load(config))
    for cause, alert in sorted(found.items()):
        told = "" if alert.told else "  (not delivered yet)"
        typer.echo(one_line(f"{alert.level:<8}  since {alert.since}  {cause}: {alert.sentence}{told}"))
    if not found:
        typer.echo("Nothing is open.")


@app.command(name="test")
def try_out(config: Config = None) -> None:
    """Send a message to every place that alerts go to."""
    from navbook import settings
    from navbook.runner import alerts, logs
    loaded = settings.load(config)
    with logs.session(loaded, "alert"):
        number = alerts.try_out(loaded)
    typer.echo(f"alerts: {number} place{'' if number == 1 else 's'} reached.")


@app.command()
def digest(send: bool = typer.Option(False, "--send", help="To the alerts' places, too: once a week, by cron."),
           config: Config = None) -> None:
    """The week in one sentence."""
    from datetime import UTC, datetime

    from navbook import settings
    from navbook.runner import alerts, logs, watching
    loaded = settings.load(config)
    sentence = watching.digest(loaded, datetime.now(UTC))
    typer.echo(sentence)
    with logs.session(loaded, "alert"):
        if send and not alerts.send(loaded, "navbook digest", sentence):
            raise alerts.NotDelivered("The digest did not reach every place; navbook alerts test tries them.")

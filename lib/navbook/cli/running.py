"""Jobs: run one now, run them all on time, look at what ran."""

from __future__ import annotations

from typing import Annotated

import typer

from navbook.cli.common import Config, Format, Output
from navbook.errors import SettingsInvalid

app = typer.Typer(invoke_without_command=True, help="The jobs of navbook.toml, each at its due times.")
OfJob = Annotated[str | None, typer.Option("--job", help="Only this job's.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print it, write nothing.")]


def run(job: Annotated[str, typer.Argument(
            help="collect, benchmark, backtest, parity, publish or a job of navbook.toml.")],
        parameters: Annotated[list[str] | None, typer.Option(
            "-p", metavar="NAME=VALUE", help="A parameter of the notebook; may be repeated.")] = None,
        config: Config = None) -> None:
    """Run a job now, as the schedule does: timeout, retries, a record, the jobs that follow."""
    pairs = [each.partition("=") for each in parameters or ()]
    if wrong := next((name for name, sign, _ in pairs if not sign or not name), None):
        raise SettingsInvalid(f"-p {wrong} must be NAME=VALUE.")
    from navbook import settings
    from navbook.runner import running
    running.run(settings.load(config), job, {name: text for name, _, text in pairs}, typer.echo)


def runs(job: OfJob = None, last: Annotated[int, typer.Option(min=1, help="So many.")] = 20,
         output: Output = Format.TABLE, config: Config = None) -> None:
    """The newest runs: how each ended, how long it took, and why it failed."""
    from navbook import settings
    from navbook.runner import ledger, printing
    typer.echo(printing.text(ledger.runs(settings.load(config), job, last), output.value), nl=False)


def slots(job: OfJob = None, last: Annotated[int, typer.Option(min=1, help="So many.")] = 50,
          output: Output = Format.TABLE, config: Config = None) -> None:
    """Every time at which a job was due, and what became of it."""
    from navbook import settings
    from navbook.runner import ledger, printing
    typer.echo(printing.text(ledger.fates(settings.load(config), job, last), output.value), nl=False)


def reproduce(run: Annotated[str, typer.Argument(help="A run's name or folder: navbook runs lists them.")],
              config: Config = None) -> None:
    """Work a run out again from the table versions that it read, and compare."""
    from navbook import settings
    from navbook.runner import reproduce
    reproduce.reproduce(settings.load(config), run, typer.echo)


@app.callback()
def schedule(context: typer.Context,
             grace: Annotated[float, typer.Option(min=0, help="Seconds that a run may finish in at the end.")] = 30,
             config: Config = None) -> None:
    """Run the jobs in the foreground, each at its due times; changes of navbook.toml are taken up."""
    if context.invoked_subcommand is not None:
        return
    from navbook import settings
    from navbook.runner.schedule import Schedule
    Schedule(settings.load(config), typer.echo, grace).run()


@app.command()
def install(cron: Annotated[bool, typer.Option("--cron", help="Lines in your crontab.")] = False,
            systemd: Annotated[bool, typer.Option("--systemd", help="Units of your systemd.")] = False,
            dry_run: DryRun = False, config: Config = None) -> None:
    """Let cron or systemd start the jobs; prints what it writes."""
    if cron == systemd:
        raise SettingsInvalid("Say which: navbook schedule install --cron, or --systemd.")
    from navbook import settings
    from navbook.runner import install
    (install.install_cron if cron else install.install_systemd)(settings.load(config), typer.echo, dry_run=dry_run)


@app.command()
def remove(config: Config = None) -> None:
    """Take out what install wrote."""
    from navbook import settings
    from navbook.runner import install
    install.remove(settings.load(config), typer.echo)

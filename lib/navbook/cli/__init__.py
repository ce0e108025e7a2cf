"""The command line: thin. Each command is one call; heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from navbook.cli import (
    account,
    alerts,
    answers,
    backtesting,
    backup,
    candles,
    closing,
    config,
    export,
    fees,
    flows,
    logs,
    running,
    trade,
    upkeep,
)
from navbook.cli.common import Account, Config, Format, NoNotebook, Output, progress
from navbook.errors import NavbookError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, rich_markup_mode=None,
                  help="Does your Binance account beat half bitcoin, half ether with the same deposits?")

for family in (flows, fees, export, candles, backup, alerts, account, config, trade):
    app.add_typer(family.app, name=family.__name__.rsplit(".", 1)[-1])
for command in (backtesting.backtest, backtesting.parity, answers.explain, answers.lifetime, answers.backfill,
                answers.twin, closing.close, upkeep.reset, upkeep.delete, upkeep.replay, upkeep.check, upkeep.upgrade,
                upkeep.prune, logs.logs, backup.restore, running.run, running.runs, running.slots, running.reproduce):
    app.command()(command)
app.add_typer(running.app, name="schedule")


@app.command()
def demo(candles: Annotated[Path | None, typer.Option(help="A folder of recorded SYMBOL-1m*.parquet or .csv.")] = None,
         no_serve: Annotated[bool, typer.Option("--no-serve", help="Do all but serve the dashboards.")] = False,
         host: str = "127.0.0.1", port: int = 8866, config: Config = None) -> None:
    """A sandbox with 90 days of history, collected, computed, published and served: no key, no network."""
    from navbook.runner import commands
    loaded = commands.demo_settings(config)
    with progress("Collecting 90 days", "snapshots") as tell:
        commands.demo(loaded, candles, tell, typer.echo)
    if not no_serve:
        commands.serve(loaded, host, port, typer.echo)


@app.command()
def collect(account: Account = "all", no_notebook: NoNotebook = False, config: Config = None,
            days: Annotated[int | None, typer.Option(min=1, max=3650, help="Read histories so far back again.")] = None,
            dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list flows not known yet.")] = False) -> None:
    """Read every wallet and cash flow of the accounts, and add them to the facts."""
    if days is None and not dry_run:
        _job("collect", config, account, no_notebook)
        return
    from navbook import settings
    from navbook.runner import commands
    commands.look_back(settings.load(config), account, days, typer.echo, dry_run=dry_run)


@app.command()
def benchmark(account: Account = "all", as_of: Annotated[str, typer.Option(help="Last moment included, UTC.")] = "now",
              no_notebook: NoNotebook = False, config: Config = None) -> None:
    """Rebuild valuation, benchmark and performance from the facts."""
    _job("benchmark", config, account, no_notebook, as_of=as_of)


@app.command()
def publish(account: Account = "all", no_notebook: NoNotebook = False, config: Config = None,
            share: Annotated[str, typer.Option(metavar="NAME", help="Also a page of this one in percent only.")] = "",
            ) -> None:
    """Execute the dashboards of which something has changed, and put the pages where they are served."""
    _job("publish", config, account, no_notebook, share=share)


@app.command(name="all")
def everything(account: Account = "all", no_notebook: NoNotebook = False, config: Config = None) -> None:
    """Collect, benchmark, backtest and publish, in this order."""
    from navbook import settings
    from navbook.runner import commands
    commands.everything(settings.load(config), account, typer.echo, in_process=no_notebook)


def _job(job: str, config: Path | None, account: str, no_notebook: bool, **parameters: str) -> None:
    from navbook import settings
    from navbook.runner import commands
    commands.job(settings.load(config), job, account, typer.echo, in_process=no_notebook, **parameters)


@app.command()
def dashboards(host: str = "127.0.0.1", port: int = 8866, config: Config = None) -> None:
    """Serve the published pages with Voila."""
    from navbook import settings
    from navbook.runner import commands
    commands.serve(settings.load(config), host, port, typer.echo)


@app.command(context_settings={"ignore_unknown_options": True})    # a query may begin with a "--" comment
def sql(query: str, output: Output = Format.TABLE, config: Config = None) -> None:
    """Ask the store in SQL (DuckDB). Tables: see the README."""
    from navbook import settings
    from navbook.runner import queries
    typer.echo(queries.sql(settings.load(config), query, output.value), nl=False)


@app.command()
def verify(fix: Annotated[bool, typer.Option("--fix", help="Write anew what is wrong.")] = False,
           config: Config = None) -> None:
    """Work the derived tables out again from the facts and compare them with what is stored."""
    from navbook import settings
    from navbook.runner import verify
    verify.verify_tables(settings.load(config), typer.echo, fix=fix)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def sandbox(context: typer.Context) -> None:
    """A local Binance over HTTP; --help lists its options."""
    os.execv(sys.executable, [sys.executable, "-m", "binance_sandbox", *context.args])    # noqa: S606  (signals reach it)


@app.command()
def lab(config: Config = None) -> None:
    """JupyterLab on the notebooks, with this navbook's kernel, settings and store."""
    from navbook import settings
    from navbook.runner import commands
    raise typer.Exit(commands.lab(settings.load(config)))


def main(arguments: list[str] | None = None) -> Any:
    """Entry point: what navbook raises on purpose becomes one sentence and its exit code."""
    os.umask(0o077)    # what it writes, balances and keys among it, is for nobody else to read
    signal.signal(signal.SIGTERM, signal.default_int_handler)    # a run that is told to end still says so in its record
    try:
        app(args=arguments)
    except NavbookError as problem:
        typer.echo(f"navbook: {problem}", err=True)
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        typer.echo("navbook: stopped.", err=True)
        sys.exit(130)

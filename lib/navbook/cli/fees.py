"""`navbook fees`: what fell due, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from navbook.cli.common import Account, Config, Format, Output

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(no_args_is_help=True, help="Performance fees: what is due, what was collected, waived or corrected.")

Name = Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account's name.")]
Period = Annotated[str, typer.Argument(metavar="PERIOD", help="As `navbook fees list` names it: 2026-06.")]
Month = Annotated[str | None, typer.Option(help="Only periods that begin in this month: 2026-06.")]
Last = Annotated[int | None, typer.Option(min=1, help="Only so many periods of each account.")]
Amount = Annotated[str | None, typer.Option(help="USD; all that is pending if left out.")]
Note = Annotated[str | None, typer.Option(help="A word for whoever reads it later.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, write nothing.")]


@app.command(name="list")
def list_(account: Account = "all", month: Month = None, last: Last = None, output: Output = Format.TABLE,
          config: Config = None) -> None:
    """Every fee period: net asset value, mark, alpha, fee, what was paid and what is pending."""
    from navbook import settings
    from navbook.runner import fees
    _print(fees.shown(fees.listed(settings.load(config), account, month, last)), output, fees.NONE_YET)


@app.command()
def due(account: Account = "all", output: Output = Format.TABLE, config: Config = None) -> None:
    """What is pending, and the fee withdrawals that no payment names. Writes nothing."""
    from navbook import settings
    from navbook.runner import fees
    loaded = settings.load(config)
    _print(fees.shown(fees.due(loaded, account)), output, "Nothing is pending.")
    if output is Format.TABLE:
        for hint in fees.hints(loaded, account):
            typer.echo(hint)


@app.command()
def summary(account: Account = "all", output: Output = Format.TABLE, config: Config = None) -> None:
    """One line an account: all fees, what became of them, and the distance to the high-water mark."""
    from navbook import settings
    from navbook.runner import fees
    _print(fees.summary(settings.load(config), account), output, fees.NONE_YET)


@app.command(name="show-config")
def show_config(output: Output = Format.TABLE, config: Config = None) -> None:
    """Each account's rate, when fees fall due, and when next."""
    from navbook import settings
    from navbook.runner import fees
    _print(fees.configuration(settings.load(config)), output, "There is no account yet; name one in navbook.toml.")


@app.command()
def collect(account: Name, period: Period, tx: Annotated[str, typer.Option(help="The transaction that paid it.")],
            amount: Amount = None, note: Note = None, dry_run: DryRun = False, config: Config = None) -> None:
    """Record that a fee was paid, and by which transaction."""
    _record(config, "COLLECTED", account, period, amount, tx, note, dry_run=dry_run)


@app.command()
def waive(account: Name, period: Period, amount: Amount = None, note: Note = None, dry_run: DryRun = False,
          config: Config = None) -> None:
    """Record that a fee, or a part of it, will not be asked for."""
    _record(config, "WAIVED", account, period, amount, None, note, dry_run=dry_run)


@app.command()
def adjust(account: Name, period: Period,
           amount: Annotated[str, typer.Option(help="USD; above 0 more is due, below 0 less.")],
           tx: Annotated[str | None, typer.Option(help="The transaction, where there was one.")] = None,
           note: Note = None, dry_run: DryRun = False, config: Config = None) -> None:
    """Record a correction that people agreed on."""
    _record(config, "ADJUSTED", account, period, amount, tx, note, dry_run=dry_run)


@app.command()
def undo(entry: Annotated[str, typer.Argument(help="An entry, as `navbook fees entries` names it.")],
         dry_run: DryRun = False, config: Config = None) -> None:
    """Take an entry back; it stays in the facts, revoked."""
    from navbook import settings
    from navbook.runner import fee_payments
    typer.echo(fee_payments.undo(settings.load(config), entry, dry_run=dry_run))


@app.command()
def entries(account: Account = "all", output: Output = Format.TABLE, config: Config = None) -> None:
    """Everything that was recorded of fees, revoked or not."""
    from navbook import settings
    from navbook.runner import fees
    _print(fees.entries(settings.load(config), account), output, "Nothing is recorded.")


def _record(config: Config, action: str, account: str, period: str, amount: str | None, tx: str | None,
            note: str | None, *, dry_run: bool) -> None:
    from navbook import settings
    from navbook.runner import fee_payments
    from navbook.types import FeeAction
    payment = fee_payments.Payment(account=account, period=period, action=FeeAction(action), amount=amount, tx_id=tx,
                                   note=note)
    typer.echo(fee_payments.record(settings.load(config), payment, dry_run=dry_run))


def _print(rows: pl.DataFrame, output: Format, nothing: str) -> None:
    from navbook.runner import printing
    if rows.is_empty() and output is Format.TABLE:
        typer.echo(nothing)
    else:
        typer.echo(printing.text(rows, output.value), nl=False)

"""`navbook flows`: the cash flows, and what people say of them."""

from __future__ import annotations

from typing import Annotated

import typer

from navbook.cli.common import Account, Config, Format, Output

app = typer.Typer(no_args_is_help=True,
                  help="Cash flows: list them, mark or price one, add what the exchange cannot know.")

Flow = Annotated[str, typer.Argument(metavar="SOURCE:ID", help="A flow, as `navbook flows list` names it.")]
Note = Annotated[str | None, typer.Option(help="A word for whoever reads it later.")]


@app.command(name="list")
def list_(account: Account = "all",
          everything: Annotated[bool, typer.Option("--all", help="Also what does not count, and why.")] = False,
          output: Output = Format.TABLE, config: Config = None) -> None:
    """The flows that count, with their value in USD and where the price came from."""
    from navbook import settings
    from navbook.runner import flows, printing
    listed = flows.read(settings.load(config), account)
    typer.echo(printing.text(flows.shown(listed, everything=everything), output.value), nl=False)
    if output is Format.TABLE:
        for hint in flows.hints(listed, everything=everything):
            typer.echo(hint)


@app.command()
def mark(flow: Flow, as_kind: Annotated[str, typer.Option("--as", metavar="fee|ignore|KIND", help="What it is.")],
         account: Account = "all", note: Note = None, config: Config = None) -> None:
    """Say that a flow is a fee, of another kind, or no flow."""
    from navbook import settings
    from navbook.runner import manual
    typer.echo(manual.mark(settings.load(config), flow, as_kind, account, note))


@app.command()
def price(flow: Flow, usd: Annotated[str, typer.Argument(metavar="USD", help="Dollars for one unit.")],
          account: Account = "all", note: Note = None, config: Config = None) -> None:
    """Say what a unit of a flow's asset was worth at its time."""
    from navbook import settings
    from navbook.runner import manual
    typer.echo(manual.price(settings.load(config), flow, usd, account, note))


@app.command()
def add(account: Annotated[str, typer.Option(help="An account's name.")],
        asset: Annotated[str, typer.Option(help="As Binance writes it: BTC.")],
        amount: Annotated[str, typer.Option(help="Above 0; the kind says which way it went.")],
        time: Annotated[str, typer.Option(help="UTC, such as 2026-05-01T12:00.")],
        kind: Annotated[str, typer.Option(help="DEPOSIT, WITHDRAWAL, C2C_BUY, …")] = "DEPOSIT",
        price_usd: Annotated[str | None, typer.Option("--price", help="Dollars for one unit, if none says.")] = None,
        opening: Annotated[bool, typer.Option("--opening", help="What was there before the exchange's memory; "
                                                                "for navbook lifetime.")] = False,
        again: Annotated[bool, typer.Option("--again", help="Although an entry says the same.")] = False,
        note: Note = None, config: Config = None) -> None:
    """Add a flow that the exchange does not list, or an opening balance."""
    from navbook import settings
    from navbook.runner import manual
    typer.echo(manual.add(settings.load(config), manual.Added(
        account=account, kind=kind, asset=asset, amount=amount, time=time, price_usd=price_usd, note=note,
        opening=opening), again=again))


@app.command()
def undo(entry: Annotated[str, typer.Argument(help="An entry, as `navbook flows entries` names it.")],
         config: Config = None) -> None:
    """Take an entry back; it stays in the facts, revoked."""
    from navbook import settings
    from navbook.runner import manual
    typer.echo(manual.undo(settings.load(config), entry))


@app.command()
def entries(account: Account = "all", output: Output = Format.TABLE, config: Config = None) -> None:
    """Everything that people said of flows, revoked or not."""
    from navbook import settings
    from navbook.runner import manual, printing
    typer.echo(printing.text(manual.entries(settings.load(config), account), output.value), nl=False)


@app.command(context_settings={"ignore_unknown_options": True})    # an amount may begin with a minus
def simulate(account: Annotated[str, typer.Option(help="An account's name.")],
             asset: Annotated[str, typer.Option(help="As Binance writes it: BTC.")],
             amount: Annotated[str, typer.Option(help="What comes in; below 0 it goes out.")],
             time: Annotated[str, typer.Option(help="UTC, such as 2026-05-01T12:00, or now.")] = "now",
             price: Annotated[str | None, typer.Option(help="Dollars for one unit, if the store knows none.")] = None,
             output: Output = Format.TABLE, config: Config = None) -> None:
    """What a deposit or a withdrawal would do to the benchmark's units; nothing is written."""
    from navbook import settings
    from navbook.runner import printing, simulate
    simulated = simulate.simulate(settings.load(config), account, asset, amount, time, price)
    typer.echo(printing.text(simulated.units, output.value), nl=False)
    if output is Format.TABLE:
        typer.echo(simulated.said)

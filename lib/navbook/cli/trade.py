"""`navbook trade`: the positions of [trade.NAME] on the sandbox or Binance's futures testnet."""

from __future__ import annotations

from typing import Annotated

import typer

from navbook.cli.common import Config, Format, Output, progress

app = typer.Typer(no_args_is_help=True, help="Trade the configured positions on the sandbox or the futures testnet.")

Account = Annotated[str | None, typer.Option(help="Whose positions; default: the account that has any.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A position, as [trade.NAME] calls it.")]
Force = Annotated[bool, typer.Option("--force", help="Open although the stop lies beyond the liquidation.")]
TakeOver = Annotated[bool, typer.Option("--take-over", help="Make what another navbook left on these legs this one's.")]


@app.command()
def start(account: Account = None, force: Force = False, take_over: TakeOver = False, config: Config = None) -> None:
    """Open, protect, watch and reopen until stopped (Ctrl-C, or navbook trade stop)."""
    from navbook import settings
    from navbook.trader import commands
    commands.start(settings.load(config), account, typer.echo, force=force, take_over=take_over)


@app.command()
def stop(account: Account = None, config: Config = None) -> None:
    """Let a running trader finish its step and end; open positions stay protected at the exchange."""
    from navbook import settings
    from navbook.trader import commands
    commands.stop(settings.load(config), account, typer.echo)


@app.command()
def status(account: Account = None, config: Config = None) -> None:
    """Whether the trader runs and is well, and how each position stands."""
    from navbook import settings
    from navbook.trader import showing
    typer.echo(showing.status(settings.load(config), account))


@app.command(name="open")
def open_(name: Name, force: Force = False, config: Config = None) -> None:
    """Open a position now; it then reopens by its rules while a trader runs."""
    from navbook import settings
    from navbook.trader import commands
    commands.ask(settings.load(config), "open", name, typer.echo, **({"force": True} if force else {}))


@app.command()
def close(name: Name, config: Config = None) -> None:
    """Close a position at market; it stays closed until it is opened again."""
    from navbook import settings
    from navbook.trader import commands
    commands.ask(settings.load(config), "close", name, typer.echo)


@app.command()
def edit(name: Name, tp: Annotated[float | None, typer.Option(min=0, help="Take profit in USDT.")] = None,
         sl: Annotated[float | None, typer.Option(min=0, help="Stop in USDT.")] = None,
         take_profit: Annotated[str | None, typer.Option(help="The same as a price.")] = None,
         stop_loss: Annotated[str | None, typer.Option(help="The same as a price.")] = None,
         config: Config = None) -> None:
    """Replace take profit and stop of an open position, at the exchange."""
    from navbook import settings
    from navbook.trader import commands
    given = {"tp_usdt": tp, "sl_usdt": sl, "take_profit": take_profit, "stop_loss": stop_loss}
    commands.ask(settings.load(config), "edit", name, typer.echo,
                 **{key: value for key, value in given.items() if value is not None})


@app.command()
def cancel(name: Name, order: Annotated[str, typer.Argument(help="The client id of one of its orders.")],
           config: Config = None) -> None:
    """Cancel one take profit or stop; that of an open position comes back with the next check."""
    from navbook import settings
    from navbook.trader import commands
    commands.ask(settings.load(config), "cancel", name, typer.echo, order=order)


@app.command()
def orders(account: Account = None, output: Output = Format.TABLE, config: Config = None,
           every: Annotated[bool, typer.Option("--all", help="Also those that ended.")] = False) -> None:
    """Our orders that wait at the exchange, as of the last check."""
    from navbook import settings
    from navbook.trader import showing
    typer.echo(showing.orders(settings.load(config), account, output.value, every=every), nl=False)


@app.command()
def history(account: Account = None, output: Output = Format.TABLE, config: Config = None) -> None:
    """The closed trades, in the columns of a backtest's."""
    from navbook import settings
    from navbook.trader import showing
    typer.echo(showing.history(settings.load(config), account, output.value), nl=False)


@app.command()
def step(account: Account = None, force: Force = False, take_over: TakeOver = False, config: Config = None) -> None:
    """Make one check and exit."""
    from navbook import settings
    from navbook.trader import commands
    commands.step(settings.load(config), account, typer.echo, force=force, take_over=take_over)


@app.command()
def replay(since: Annotated[str, typer.Option("--from", help="The first check, UTC.")],
           until: Annotated[str, typer.Option("--to", help="The last check, UTC.")], account: Account = None,
           force: Force = False, take_over: TakeOver = False, config: Config = None) -> None:
    """Move a sandbox's clock from check to check and make each; started again, it goes on where it was."""
    from navbook import settings
    from navbook.trader import commands
    with progress("Replaying", "minutes") as tell:
        commands.replay(settings.load(config), account, since, until, typer.echo, tell, force=force,
                        take_over=take_over)


@app.command()
def panic(account: Account = None, take_over: TakeOver = False, config: Config = None) -> None:
    """Close every position of ours and cancel every order of ours, now; nothing reopens."""
    from navbook import settings
    from navbook.trader import commands
    commands.panic(settings.load(config), account, typer.echo, take_over=take_over)

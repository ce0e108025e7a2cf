"""`navbook backtest` and `navbook parity`: each option is a parameter of a notebook; what is left out is as there."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from navbook.cli.candles import Market
from navbook.cli.common import Config, NoNotebook
from navbook.errors import SettingsInvalid
from navbook.types import Intrabar, MarginType, Side

TRADE = "Symbol, side and rules of [trade.NAME] in navbook.toml; further options override it."
STEP = "Of the quantity; 0: not rounded. Default: the exchange's on um."
TICK = "Of the price levels; 0: not rounded. Default: the exchange's on um."
GRID = "Another value to try, as RULE=VALUE,VALUE; may be repeated. Default: 64 of take profit and stop."

DASK = "Run the grid on this Dask scheduler's workers: tcp://HOST:PORT or tls://HOST:PORT."


def backtest(trade: Annotated[str | None, typer.Option(metavar="NAME", help=TRADE)] = None,
             symbol: Annotated[str | None, typer.Option(help="Default: BTCUSDT.")] = None,
             market: Annotated[Market | None, typer.Option(help="spot, or um for USD-M futures (default).")] = None,
             since: Annotated[str | None, typer.Option("--from", help="UTC; default: 30 days before the end.")] = None,
             until: Annotated[str | None, typer.Option("--to", help="UTC; default: the last snapshot.")] = None,
             side: Annotated[Side | None, typer.Option(help="LONG (default) or SHORT.")] = None,
             amount: Annotated[float | None, typer.Option(help="USDT of a trade, before leverage.")] = None,
             leverage: Annotated[float | None, typer.Option(help="1 to 125.")] = None,
             tp: Annotated[float | None, typer.Option(help="Take profit in USDT.")] = None,
             sl: Annotated[float | None, typer.Option(help="Stop in USDT.")] = None,
             check_every: Annotated[str | None, typer.Option(help="When a close is noticed: 1m, 5m, 1h.")] = None,
             reopen_delay: Annotated[str | None, typer.Option(help="From there to the next entry.")] = None,
             reopen_window: Annotated[str | None, typer.Option(help="After which it stays closed.")] = None,
             max_reopens: Annotated[int | None, typer.Option(min=0, help="Default: without limit.")] = None,
             step_size: Annotated[float | None, typer.Option(help=STEP)] = None,
             tick_size: Annotated[float | None, typer.Option(help=TICK)] = None,
             margin_type: Annotated[MarginType | None, typer.Option(help="CROSSED or ISOLATED.")] = None,
             wallet: Annotated[float | None, typer.Option(help="The cross wallet; without: no liquidation.")] = None,
             taker_fee: Annotated[float | None, typer.Option(help="Of the notional, a side: 0.0005.")] = None,
             slippage_bps: Annotated[float | None, typer.Option(help="1/10000 of the price, a side.")] = None,
             intrabar: Annotated[Intrabar | None, typer.Option(help="pessimistic, optimistic or path.")] = None,
             grid: Annotated[list[str] | None, typer.Option(help=GRID)] = None,
             name: Annotated[str | None, typer.Option(help="What it is kept under; default: symbol and side.")] = None,
             dask: Annotated[str | None, typer.Option(metavar="ADDRESS", help=DASK)] = None,
             no_notebook: NoNotebook = False, config: Config = None) -> None:
    """Replay the take-profit and stop strategy over a market's past, and a grid of settings around it."""
    given: dict[str, Any] = {
        "symbol": symbol, "market": market, "since": since, "until": until, "side": side, "amount_usdt": amount,
        "leverage": leverage, "tp_usdt": tp, "sl_usdt": sl, "check_every": check_every, "reopen_delay": reopen_delay,
        "reopen_window": reopen_window, "max_reopens": max_reopens, "step_size": step_size, "tick_size": tick_size,
        "margin_type": margin_type, "wallet_usdt": wallet, "taker_fee": taker_fee, "slippage_bps": slippage_bps,
        "intrabar": intrabar, "grid": _grid(grid) if grid else None, "name": name}
    from navbook import settings
    from navbook.runner import backtest_plan, commands
    loaded = settings.load(config)
    if dask is not None:
        loaded = settings.on_cluster(loaded, dask)
    parameters = backtest_plan.of_trade(loaded, trade) if trade else {}
    parameters |= {key: value.value if isinstance(value, StrEnum) else value
                   for key, value in given.items() if value is not None}
    commands.backtest(loaded, typer.echo, parameters, in_process=no_notebook)


def parity(name: Annotated[str, typer.Argument(help="A position of [trade].")],
           since: Annotated[str | None, typer.Option("--from", help="UTC; default: its first trade.")] = None,
           until: Annotated[str | None, typer.Option("--to", help="UTC; default: now.")] = None,
           taker_fee: Annotated[float | None, typer.Option(help="Of the backtest: default 0.0005.")] = None,
           no_notebook: NoNotebook = False, config: Config = None) -> None:
    """Put a position's live trades beside a backtest of the same minutes, and name what makes each difference."""
    from navbook import settings
    from navbook.runner import commands
    given = {"name": name, "since": since, "until": until, "taker_fee": taker_fee}
    commands.parity(settings.load(config), typer.echo,
                    {key: value for key, value in given.items() if value is not None}, in_process=no_notebook)


def _grid(texts: list[str]) -> dict[str, list[float | str]]:
    """{"tp_usdt": [5, 10]} of ["tp_usdt=5,10"]. Raises `SettingsInvalid`."""
    grid = {}
    for text in texts:
        rule, equals, values = text.partition("=")
        if not equals or not values:
            raise SettingsInvalid(f"--grid {text} is no grid; write a rule and its values, as tp_usdt=5,10,20.")
        grid[rule.strip()] = [_value(value.strip()) for value in values.split(",")]
    return grid


def _value(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number

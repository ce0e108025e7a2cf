"""`navbook candles`: prices from files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from navbook.cli.common import Config, progress

app = typer.Typer(no_args_is_help=True, help="Candles and funding rates from files, for backtests.")


class Market(StrEnum):
    """Where prices are of."""

    SPOT = "spot"
    UM = "um"


@app.callback()
def family() -> None:
    """Candles and funding rates from files, for backtests."""


@app.command(name="import")
def import_(places: Annotated[list[Path], typer.Argument(metavar="FOLDER|FILE...", help="Binance's daily or monthly "
                              "dumps (.zip, .csv), or Parquet of the same columns.")],
            market: Annotated[Market | None, typer.Option(help="spot, or um for USD-M futures; default: as the "
                                                          "folder is called.")] = None,
            symbol: Annotated[str | None, typer.Option(help="Default: as the file is called.")] = None,
            config: Config = None) -> None:
    """Add candles and funding rates from files to the facts; twice changes nothing."""
    from navbook import settings
    from navbook.runner import candle_import
    with progress("Importing", "files") as tell:
        done = candle_import.run(settings.load(config), places, market and market.value, symbol, tell)
    typer.echo(done.said())

"""`python -m binance_sandbox`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .errors import SandboxError


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped; 2 when it cannot start."""
    options = parser().parse_args(arguments)
    try:
        serve(options)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser("binance_sandbox", description="A local Binance over HTTP.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8600, help="0 takes a free one")
    parser.add_argument("--scenario", metavar="NAME|FILE.toml",
                        help="accounts and their history, a mood of the prices, or both joined by '+'; built in: demo; "
                             "calm, bull, bear, crash, sideways")
    parser.add_argument("--seed", type=int, default=1, help="of the generated prices")
    parser.add_argument("--start", metavar="ISO", help="set the clock, which then stands still (default: now)")
    parser.add_argument("--speed", type=float, help="sandbox seconds per second")
    parser.add_argument("--candles", type=Path, metavar="FOLDER", help="recorded 1m candles instead of generated ones")
    parser.add_argument("--older-replies", action="store_true",
                        help="futures order replies with avgPrice and cumQuote, as before 2026-06-30")
    parser.add_argument("--with-parent", action="store_true", help="stop at the end of stdin")
    return parser


def serve(options: argparse.Namespace) -> None:
    """Serve until stopped. Raises `SandboxError` when it cannot start."""
    # Not before the arguments are read: --help should not wait for numpy.
    from . import app, server, world

    if options.seed < 0:
        raise SandboxError("--seed: must not be negative.")
    if options.speed is not None and not 0 <= options.speed <= 1e9:
        raise SandboxError("--speed: must be a number from 0 (stands still) up.")
    with server.bind(options.host, options.port) as listener:    # first: a taken port should not wait for candles
        start = None if options.start is None else world.read_start(options.start)
        state = world.build_state(world.Options(scenario=options.scenario, seed=options.seed, start=start,
                                                speed=options.speed, candles=options.candles,
                                                older_replies=options.older_replies))
        server.run(app.create_app(state), listener, with_parent=options.with_parent)


if __name__ == "__main__":
    sys.exit(main())

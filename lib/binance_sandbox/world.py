"""Build a sandbox's state from the options of its command line."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .clock import DAY, HOUR, Clock
from .errors import SandboxError
from .ledger import Ledger
from .market import Market, Source
from .scenario import play, read_scenario
from .state import State

HISTORY = 90 * DAY    # what a scenario without --start has behind it
GRID = 4 * HOUR


@dataclass(frozen=True, kw_only=True)
class Options:
    """`start` in ms; `speed` in sandbox seconds per second; `candles` a folder of 1m files."""

    scenario: str | None = None
    seed: int = 1
    start: int | None = None
    speed: float | None = None
    candles: Path | None = None


def build_state(options: Options) -> State:
    """Raises `SandboxError` when the scenario or the candles are at fault."""
    clock = Clock(options.start, options.speed)
    market = Market(_source(options))
    ledger = Ledger(market)
    start = options.start if options.start is not None else (int(time.time() * 1000) - HISTORY) // GRID * GRID
    if options.scenario is not None:
        play(read_scenario(options.scenario), options.scenario, ledger, start)
    return State(clock=clock, market=market, ledger=ledger, seed=options.seed, scenario=options.scenario, start=start)


def _source(options: Options) -> Source:
    if options.candles is None:
        from .generator import Generator

        return Generator(options.seed)
    # Brings polars: a third of a second for those alone who need it.
    from .recorded import read_folder

    return read_folder(options.candles)


def read_start(text: str) -> int:
    """Milliseconds of an ISO time; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SandboxError(f"--start: {text!r} is not an ISO time; write it like 2026-06-01T00:00Z.") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)

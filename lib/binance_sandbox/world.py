"""Build a sandbox's state from the options of its command line."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .clock import DAY, HOUR, Clock
from .errors import SandboxError
from .faults import Faults
from .ledger import Ledger
from .market import Market, Source
from .scenario import play, read_scenarios
from .state import State

HISTORY = 90 * DAY    # what a scenario without --start has behind it
GRID = 4 * HOUR


@dataclass(frozen=True, kw_only=True)
class Options:
    """`scenario` as on the command line, parts joined by "+"; `start` in ms; `speed` in sandbox seconds per second;
    `candles` a folder of 1m files."""

    scenario: str | None = None
    seed: int = 1
    start: int | None = None
    speed: float | None = None
    candles: Path | None = None
    older_replies: bool = False    # avgPrice and cumQuote in futures order replies, as before 2026-06-30


def build_state(options: Options) -> State:
    """Raises `SandboxError` when the scenario or the candles are at fault."""
    clock = Clock(options.start, options.speed)
    start = options.start if options.start is not None else (int(time.time() * 1000) - HISTORY) // GRID * GRID
    tables, mood = read_scenarios(options.scenario)
    market = Market(_source(options, mood, start))
    ledger = Ledger(market)
    for name, table in tables.items():
        play(table, name, ledger, start)
    state = State(clock=clock, market=market, ledger=ledger, seed=options.seed, scenario=options.scenario, start=start,
                  faults=Faults(options.seed))
    state.futures.options.older_replies = options.older_replies
    return state


def _source(options: Options, mood: str | None, start: int) -> Source:
    if options.candles is None:
        from .generator import Generator
        from .moods import MOODS

        return Generator(options.seed, MOODS[mood] if mood else None, start)
    if mood:
        raise SandboxError(f"--scenario: {mood} is a mood of generated prices; leave it or --candles out.")
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

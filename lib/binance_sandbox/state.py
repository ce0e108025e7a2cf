"""Everything one sandbox knows. Routes get it as an argument; there are no globals."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock
from .faults import Faults
from .futures.engine import Futures
from .ledger import Ledger
from .limits import Limits
from .market import Market

REMEMBERED = 100_000    # requests, for `GET /sandbox/requests`


@dataclass(frozen=True)
class LoggedRequest:
    """Nothing of a request but what cannot hold a secret. `time` is the sandbox's, ms."""

    method: str
    path: str
    weight: int
    status: int
    time: int


@dataclass
class State:
    """Everything that a sandbox is made of."""

    clock: Clock
    market: Market
    ledger: Ledger
    seed: int
    scenario: str | None = None
    start: int = 0    # ms; what a scenario's offsets count from
    faults: Faults = field(default_factory=Faults)
    calls: dict[str, Callable[..., Any]] = field(default_factory=dict)    # "GET /api/v3/time" -> its endpoint
    limits: Limits = field(default_factory=Limits)
    requests: deque[LoggedRequest] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    futures: Futures = field(init=False)

    def __post_init__(self) -> None:
        self.futures = Futures(self.market, self.ledger, self.seed, self.clock.now())

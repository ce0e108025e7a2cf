"""Every way in which the sandbox lets a request fail that only reads, and a client to whom waiting costs no time.

Left out are the modes that concern orders (partial, expire, reject, unpriced) and `meanwhile`, which changes the
world itself.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from locals import Local
from navbook.exchange import budget, client

SHARE = 0.2    # of the requests meet one
BAN_S = 121    # how long the longest told rest lasts, and one second
TIMEOUT_S = 0.5
ENDLESS = 1 << 60
ANSWERED = "answered"    # what the requests that met none are counted as

FAULTS: dict[str, tuple[float, dict[str, Any]]] = {    # name -> how often beside the others, the fault
    "429": (2, {"status": 429, "retry_after": 1}),
    "429 untold": (1, {"status": 429, "retry_after": 0}),
    "418": (0.1, {"status": 418, "retry_after": 120}),
    "500 (-1000)": (1, {"status": 500, "code": -1000}),
    "500 (-1001)": (1, {"status": 500, "code": -1001}),
    "400 (-1006)": (1, {"code": -1006}),
    "408 (-1007)": (1, {"status": 408, "code": -1007}),
    "502 page": (1, {"mode": "html", "status": 502}),
    "504 page": (1, {"mode": "html", "status": 504}),
    "503 unknown": (1, {"mode": "unknown"}),
    "503 unavailable": (1, {"mode": "unavailable"}),
    "503 throttled": (1, {"mode": "throttled"}),
    "200 page": (1, {"mode": "html", "status": 200}),
    "403 page": (0.1, {"mode": "html"}),
    "451": (0.1, {"status": 451}),
    "401 (-2015)": (0.1, {"code": -2015}),
    "-1022": (0.1, {"code": -1022}),
    "-1021": (1, {"code": -1021}),
    "truncated": (2, {"mode": "truncated"}),
    "cut before": (2, {"mode": "drop", "executed": False}),
    "cut after": (2, {"mode": "drop"}),
    "too late": (0.1, {"mode": "delay", "delay_ms": int(TIMEOUT_S * 1400)}),
    "stale": (1, {"mode": "stale"}),
}


def let_in(local: Local, *, share: float = SHARE) -> None:
    """From now on, so much of the requests fail; the others are counted."""
    left, together = 1.0, sum(often for often, _ in FAULTS.values())
    for often, fault in FAULTS.values() if share else ():
        chance = share * often / together
        local.fault("*", count=ENDLESS, probability=f"{chance / left:.8f}", **fault)
        left -= chance
    local.fault("*", count=ENDLESS, mode="delay", delay_ms=0)


def counted(local: Local) -> dict[str, int]:
    """How many requests met what."""
    met = [ENDLESS - fault["count"] for fault in local.server.control("GET", "faults")["faults"]]
    return dict(zip([*FAULTS, ANSWERED] if len(met) > 1 else [ANSWERED], met, strict=True))


class Patience:
    """The machine's clock, as far as waiting goes: what this process would wait for is over at once."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)    # for the budget this is the module `time`

    def time(self) -> float:
        return time.time() + self.ahead

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """The request budget's waits and those between two attempts; an answer that does not come is waited for."""
        really = asyncio.sleep

        async def sleep(seconds: float, result: Any = None) -> Any:
            self.ahead += seconds
            return await really(0, result)

        patch.setattr(asyncio, "sleep", sleep)
        patch.setattr(budget, "time", self)
        patch.setattr(client, "TIMEOUT_S", TIMEOUT_S)

    def until_no_ban(self) -> None:
        self.ahead += BAN_S

"""The exchange's clock: the wall's, standing still, or running at a speed. Times are ms since 1970, UTC."""

from __future__ import annotations

import time
from collections.abc import Callable

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock:
    """Tells the sandbox's time; `set` moves it, forwards or back.

    speed  sandbox seconds per wall second: 1 keeps pace with the wall, 0 stands still
    """

    def __init__(self, start: int | None = None, speed: float | None = None,
                 wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.speed = speed if speed is not None else (1.0 if start is None else 0.0)
        self.set(int(wall() * 1000) if start is None else start)

    def set(self, now: int) -> None:
        self._anchor, self._anchor_wall = now, self._wall()

    def now(self) -> int:
        return self._anchor + int(self._elapsed() * self.speed)

    def at_wall_pace(self) -> int:
        """What the clock would say had it run with the wall since it was last set.

        Clients keep an offset to the exchange and add wall time to it, so the timestamp check looks here too.
        """
        return self._anchor + int(self._elapsed())

    def for_limits(self) -> int:
        """The time that limit windows count: the clock's, or the wall's while it stands, so that a Retry-After
        passes."""
        return self.now() if self.speed else self.at_wall_pace()

    def _elapsed(self) -> float:
        return (self._wall() - self._anchor_wall) * 1000

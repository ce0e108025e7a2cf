"""Price moods: what the generator's market does from a scenario's start on. Before it, and without a mood, it does
what the seed says.

A mood keeps the correlations and the fat tails; it changes how far prices move in a day and where they drift to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Mood:
    """`volatility` of days and minutes against the usual. Log prices of coins that follow the market are moved by
    `drift` a day for `days` days, and by `fall` on day `fall_day`, of which `recovery` comes back within thirty."""

    volatility: float = 1.0
    drift: float = 0.0
    days: int = 180
    fall: float = 0.0
    fall_day: int = 20
    recovery: float = 0.0
    pull: float = 1.0    # how much stronger than usual prices return to their level

    def path(self, days: NDArray[Any]) -> NDArray[np.float64]:
        """The market's extra log price, so many days after the start; zero before it."""
        moved = self.drift * np.clip(days, 0, self.days)
        fallen = self.fall * np.clip(days - self.fall_day, 0, 1)
        back = self.fall * self.recovery * np.clip((days - self.fall_day - 1) / 30, 0, 1)
        return np.asarray(moved + fallen - back)


MOODS = {
    "calm": Mood(volatility=0.35, pull=2.0),
    "bull": Mood(drift=0.006),
    "bear": Mood(drift=-0.006),
    "crash": Mood(volatility=1.6, fall=-0.6, recovery=0.3),    # 45 % within a day
    "sideways": Mood(volatility=0.7, pull=6.0),
}

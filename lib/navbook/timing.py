"""When a job is due: cron expressions in a time zone, as crontab(5) has them.

APScheduler reads and steps them. Where it and cron would differ, the expression is refused or said in its words:
cron counts weekdays from Sunday, APScheduler from Monday; of a day of the month and a weekday, cron wants either,
APScheduler both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIELDS = ("minute", "hour", "day", "month", "weekday")
TICK = timedelta(microseconds=1)


class WallClock(CronTrigger):    # type: ignore[misc]
    """Due when a clock on the wall shows the time. An hour that it shows twice in autumn counts once, as in cron,
    unless every hour counts; one that it skips in spring is due right after."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        found: datetime | None = super().get_next_fire_time(previous_fire_time, now)
        while found is not None and found.fold and not self.every_hour:
            found = super().get_next_fire_time(found, found)
        return found

    @property
    def every_hour(self) -> bool:
        return next(str(field) for field in self.fields if field.name == "hour").startswith("*")


@cache
def trigger(cron: str, time_zone: str = "UTC") -> WallClock:
    """The trigger of a cron expression. Raises `ValueError` with the reason, also for one that never comes."""
    fields = cron.split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"{cron!r} must have five fields: {', '.join(FIELDS)}")
    minute, hour, day, month, weekday = fields
    if day != "*" and weekday != "*":
        raise ValueError(f"{cron!r} names days of the month and weekdays, which cron reads as either, others as "
                         "both; write two jobs")
    named = re.sub(r"\b[0-7]\b", lambda number: WEEKDAYS[int(number[0])], weekday)
    try:
        found = WallClock(minute=minute, hour=hour, day=day, month=month, day_of_week=named, timezone=zone(time_zone))
    except ValueError as problem:
        raise ValueError(f"{cron!r} is no cron expression: {problem}") from None
    if found.get_next_fire_time(None, datetime.now(UTC)) is None:
        raise ValueError(f"{cron!r} never comes")
    return found


def zone(name: str) -> tzinfo:
    """The time zone of that name. Raises `ValueError`."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{name!r} is no time zone such as UTC or Europe/Berlin") from None


def due(when: WallClock, after: datetime, until: datetime) -> Iterator[datetime]:
    """Every due time after `after`, up to and including `until`, in UTC."""
    found = when.get_next_fire_time(None, after + TICK)
    while found is not None and found <= until:
        yield found.astimezone(UTC)
        found = when.get_next_fire_time(found, found)

"""What is worth an alert in the books: snapshots that are incomplete, a net asset value far from its benchmark,
slots that were missed; and the week in one sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from navbook import schemas
from navbook.errors import NavbookError
from navbook.publish import words
from navbook.runner import alerts
from navbook.runner.alerts import Level
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Fate, Grade

WEEK = timedelta(days=7)
UNREADABLE = "books unreadable"    # the cause


def look(config: Settings, job: str) -> None:
    """What the books say after a run of `job`, as alerts that begin or end."""
    checks = {"collect": incomplete_snapshots, "benchmark": nav_differences}
    try:
        if job in checks:
            checks[job](config)
        missed_slots(config, job)
    except NavbookError as problem:
        alerts.trouble(config, UNREADABLE, str(problem), Level.CRITICAL)
    else:
        alerts.over(config, UNREADABLE, "The books can be read again.")


def incomplete_snapshots(config: Settings) -> None:
    """An alert for each account whose newest snapshot is incomplete."""
    for row in tables.newest(config.location, schemas.SNAPSHOTS).iter_rows(named=True):
        cause = f"{row['account']} incomplete"
        if row["grade"] == Grade.INCOMPLETE:
            alerts.trouble(config, cause, f"The snapshot of {row['account']} at {row['time']:%Y-%m-%d %H:%M} UTC is "
                                          f"incomplete: {row['reason']}.")
        else:
            alerts.over(config, cause, f"The snapshots of {row['account']} are {row['grade']} again.")


def nav_differences(config: Settings) -> None:
    """An alert for each account whose NAV is `alerts.nav_warning` or more from its benchmark, ahead or behind."""
    newest = tables.newest(config.location, schemas.NAV_HISTORY, known=("nav", "benchmark_value"))
    for row in newest.iter_rows(named=True):
        cause, apart = f"{row['account']} nav difference", row["nav"] - row["benchmark_value"]
        side = "ahead of" if apart > 0 else "behind"
        said = (f"{row['account']} is {words.dollars(abs(apart))} {side} its benchmark: {words.dollars(row['nav'])} "
                f"against {words.dollars(row['benchmark_value'])}.")
        if abs(apart) >= config.alerts.nav_critical:
            alerts.trouble(config, cause, said, Level.CRITICAL)
        elif abs(apart) >= config.alerts.nav_warning:
            alerts.trouble(config, cause, said)
        else:
            alerts.over(config, cause, said)


def missed_slots(config: Settings, job: str) -> None:
    """An alert when the newest slot of `job`, or the one before it, was not served; its next one ends it."""
    over = tables.read(config.location, schemas.SLOTS, pl.col("job") == job, until=datetime.now(UTC))
    missed = over.sort("time").tail(2).filter(pl.col("fate").is_in([Fate.SKIPPED, Fate.FAILED]))
    cause = f"{job} missed"
    if missed.height:
        row = missed.row(-1, named=True)
        alerts.trouble(config, cause, f"{job} of {row['time']:%Y-%m-%d %H:%M} UTC was {row['fate']}: "
                                      f"{row['reason'] or 'no reason known'}.")
    else:
        alerts.over(config, cause, f"{job} runs again.")


def digest(config: Settings, now: datetime) -> str:
    """The week in one sentence: each account beside its benchmark, how many runs failed, what is open."""
    performance = tables.read(config.location, schemas.PERFORMANCE).filter(
        pl.col("period") == "1w", pl.col("benchmark") == "own", pl.col("account").is_in(list(_accounts(config))))
    figures = [f"{row['account']} {words.percent(row['twr'])} against {words.percent(row['benchmark_twr'])} "
               f"({words.dollars(row['nav_to'])})" for row in performance.sort("account").iter_rows(named=True)]
    runs = tables.read(config.location, schemas.RUNS).filter(pl.col("started_at") > now - WEEK)
    failed = runs.filter(pl.col("status") != "ok").height
    wrong = alerts.opened(config)
    return (f"The week to {now:%Y-%m-%d}: {', '.join(figures) or 'no figures yet'}; "
            f"{words.count(runs.height, 'run').lower()}, {failed} of them failed; "
            + (f"open: {', '.join(sorted(wrong))}." if wrong else "nothing is open."))


def _accounts(config: Settings) -> list[str]:
    return list(config.accounts) or tables.read(config.location, schemas.ACCOUNTS)["account"].to_list()

"""Close a month: freeze its figures as facts, so that what arrives later shows up as a restatement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl

from navbook import schemas
from navbook.compute import restatements
from navbook.errors import NavbookError, SettingsInvalid
from navbook.runner import locks, printing, restating
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import COUNTED, Grade


class MonthOpen(NavbookError):
    """A month cannot be closed yet, or is closed already; the message says what to do."""


def close(config: Settings, month: str, account: str = "all", *, again: bool = False,
          dry_run: bool = False) -> pl.DataFrame:
    """Append CLOSINGS of `month` (2026-06) for every account and group that has figures of it; return the rows.

    All or none: raises `MonthOpen` when one of them is not over, its last snapshot not counted, or it is
    closed already (`again` appends a newer fact, the older stays), `SettingsInvalid` for what is no month
    or account.
    """
    start, end = _edges(month)
    with locks.hold(config, "benchmark"):    # the tables stay as they were checked
        figures = _figures(config).filter(pl.col("month") == month)
        found = figures["account"].unique().sort().to_list()
        if not found or (account != "all" and account not in found):
            whose = "any account" if account == "all" else account
            raise MonthOpen(f"There are no figures of {whose} for {month}: they take two counted snapshots and "
                            "navbook benchmark.")
        names = found if account == "all" else [account]
        troubles = [*_not_over(config, names, start, end), *([] if again else _closed(config, names, month))]
        if troubles:
            others = f" So with {len(troubles) - 1} more; --account closes one alone." if len(troubles) > 1 else ""
            raise MonthOpen(troubles[0] + others)
        rows = figures.filter(pl.col("account").is_in(names)).with_columns(seen_at=pl.lit(datetime.now(UTC)))
        frozen = schemas.CLOSINGS.check(rows.cast({"seen_at": schemas.TIME}).select(list(schemas.CLOSINGS.columns)))
        if not dry_run:
            tables.append(config.location, schemas.CLOSINGS, frozen)
            restating.write(config)
        return frozen


def shown(closings: pl.DataFrame) -> pl.DataFrame:
    """CLOSINGS as a person reads them: the month first, when it was closed last."""
    return closings.select("month", "account", "benchmark", *restatements.FIGURES, closed_at="seen_at").sort(
        "month", "account", "benchmark")


def closed(config: Settings, account: str = "all") -> pl.DataFrame:
    """The newest closing of each month, `shown`, with how many of its figures are `restated`."""
    restated = restating.now(config).group_by(restatements.MONTH).agg(restated=pl.len().cast(pl.Int64))
    return (shown(tables.read(config.location, schemas.CLOSINGS, account=account))
            .join(restated, on=restatements.MONTH, how="left", maintain_order="left")
            .with_columns(pl.col("restated").fill_null(0)))


def restated(config: Settings, account: str = "all") -> str:
    """What changed since, as text: a table, or a sentence when nothing did."""
    changed = restating.now(config)
    changed = changed if account == "all" else changed.filter(pl.col("account") == account)
    if changed.is_empty():
        return "No figure of a closed month has changed."
    return f"Restated since:\n{printing.text(changed, 'table')}".rstrip()


def _figures(config: Settings) -> pl.DataFrame:
    return restatements.month_figures(tables.read(config.location, schemas.PERFORMANCE),
                                      tables.read(config.location, schemas.FEES))


def _edges(month: str) -> tuple[datetime, datetime]:
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", month):
        raise SettingsInvalid(f"{month} is no month; write it like 2026-06.")
    start = datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
    return start, (start + timedelta(days=32)).replace(day=1)


def _not_over(config: Settings, names: list[str], start: datetime, end: datetime) -> Iterator[str]:
    """Why accounts cannot be closed, a sentence each. Snapshots tell the time: a month is over when one says so."""
    history = pl.concat(tables.read(config.location, schema).select("account", "time", "grade", "reason")
                        for schema in (schemas.NAV_HISTORY, schemas.GROUP_HISTORY)).sort("time")
    newest = dict(tables.newest_times(config.location, schemas.SNAPSHOTS).iter_rows())
    for name in names:
        known = history.filter(pl.col("account") == name)
        own = known.filter(pl.col("grade") != Grade.BACKFILLED)    # which is in no figure
        inside = own.filter(pl.col("time").is_between(start, end))
        if inside.is_empty() or newest.get(name, known["time"][-1]) > known["time"][-1]:
            yield f"The figures of {name} are older than its snapshots; run navbook benchmark first."
        elif own["time"][-1] < end:
            yield (f"{start:%Y-%m} is not over for {name}: its newest snapshot is of {_minute(own['time'][-1])}; "
                   f"collect at {_minute(end)} or later, then close it.")
        elif inside["grade"][-1] not in COUNTED:
            yield (f"{name} has no figure for the end of {start:%Y-%m}: its snapshot of {_minute(inside['time'][-1])} "
                   f"is {inside['grade'][-1]} ({inside['reason'][-1]}); navbook delete --facts can take it out.")


def _closed(config: Settings, names: list[str], month: str) -> Iterator[str]:
    known = tables.read(config.location, schemas.CLOSINGS).filter(pl.col("month") == month)
    for name, when in known.group_by("account").agg(pl.col("seen_at").max()).sort("account").iter_rows():
        if name in names:
            yield f"{month} of {name} was closed at {_minute(when)}; --again closes it anew."


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"

"""What the operations page and the log show: how the machine behind the figures runs."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import polars as pl

from navbook import schemas
from navbook.publish import words
from navbook.publish.index import Entry
from navbook.publish.operations import Age, Want
from navbook.publish.site import Site, strategy_page
from navbook.runner import check, known, log_files, views
from navbook.runner.finding import Finding, State
from navbook.settings import Settings
from navbook.store import tables

LOG = {"time": schemas.TIME, "level": pl.String(), "category": pl.String(), "account": pl.String(),
       "event": pl.String(), "run": pl.String(), "reason": pl.String(), "seconds": pl.Float64()}
LIVE = {"trading": "positions, orders and what happens next", "log": "every line of every run, with filters"}
LINES = 5000                   # of the log that a page holds
RECENT = timedelta(days=120)   # of reconciliations
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Operations:
    """What the operations page shows."""

    site: Site
    runs: pl.DataFrame
    slots: pl.DataFrame            # of the job collect
    wants: list[Want]              # worst first
    tiles: dict[str, Want]
    next_run: datetime | None
    ages: list[Age]
    reconciliation: pl.DataFrame
    quarantine: pl.DataFrame
    pages: frozenset[str]          # runs whose page can be opened


def operations(config: Settings) -> Operations:
    """As the store and the runs' folders have it now."""
    about = views.site(config)
    runs = tables.read(config.location, schemas.RUNS)
    findings = check.findings(config, offline=True)
    newest = about.standings["time"].max()
    since = newest - RECENT if isinstance(newest, datetime) else datetime.now(UTC)
    return Operations(
        site=about, runs=runs, slots=slots(config), wants=_wants(findings), tiles=_tiles(findings, runs),
        next_run=next_run(config, datetime.now(UTC)), ages=_ages(config, about),
        reconciliation=tables.read(config.location, schemas.RECONCILIATION, pl.col("wallet") == "total",
                                   pl.col("time") >= since),
        quarantine=known.unread(tables.read(config.location, schemas.QUARANTINE)),
        pages=frozenset(page.parent.name for page in config.runs_folder.glob("*/*/page.html")))


def slots(config: Settings) -> pl.DataFrame:
    """SLOTS of collect; none where it has no cron expression."""
    return tables.read(config.location, schemas.SLOTS, pl.col("job") == "collect", until=datetime.now(UTC))


def entries(config: Settings, about: Site) -> list[Entry]:
    """What the index says of every page that is no portfolio."""
    runs = tables.read(config.location, schemas.RUNS)
    wants = _wants(check.findings(config, offline=True))
    now = datetime.now(UTC)
    found = [Entry(name=f"Strategy {row['name']}", target=strategy_page(row["name"]), at=_last_ok(runs, "backtest"),
                   now=f"{words.dollars(row['pnl'], signed=True)} in {words.span(row['to_time'] - row['from_time'])}; "
                       f"one of {row['settings']} settings tried")
             for row in tables.read(config.location, schemas.BACKTESTS).sort("name").iter_rows(named=True)]
    found += [Entry(name=name.capitalize(), target=f"{name}.html", kind="live", now=LIVE[name]) for name in about.live]
    worst = wants[0] if wants else None
    tone = "" if worst is None else "negative" if worst.state == "fail" else "warning"
    found.append(Entry(name="Operations", target="operations.html", at=now, tone=tone,
                       now=worst.what if worst else "all checks pass"))
    return found + [Entry(name="Share page", target=f"{name}.html", at=now,
                          now=f"{account} in percent only: no amount, name or id")
                    for name, account in shared(config).items()]


def shared(config: Settings) -> dict[str, str]:
    """The share pages that are published, and the account of each."""
    found = {}
    for notebook in sorted((config.runs_folder / "published").glob("share-*.ipynb")):
        with suppress(ValueError, LookupError, TypeError):    # no page of ours, or not whole: the next publish mends it
            about = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
            found[notebook.stem] = str(about["papermill"]["parameters"]["account"])
    return found


def _last_ok(runs: pl.DataFrame, job: str) -> datetime | None:
    last = runs.filter(pl.col("job") == job, pl.col("status") == "ok")["ended_at"].max()
    return last if isinstance(last, datetime) else None


def next_run(config: Settings, now: datetime) -> datetime | None:
    """When the settings let the next job begin."""
    due = (job.when.get_next_fire_time(None, now) for job in config.jobs.values() if job.when)
    return min((time for time in due if time), default=None)


def log(config: Settings) -> pl.DataFrame:
    """[time, level, category, account, event, run, reason, seconds]: the newest lines of all runs, newest first."""
    newest = deque(log_files.rows(config, log_files.wanted()), LINES)
    frame = pl.DataFrame([_line(row) for row in newest], schema={**LOG, "time": pl.String()}, orient="row")
    times = pl.col("time").str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    return frame.with_columns(time=times).drop_nulls("time").sort("time", descending=True)


def _line(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row of the log; lines of libraries are silent on much."""
    seconds, reason = row.get("seconds"), row.get("reason")
    return (str(row.get("time")), str(row.get("level", "info")), str(row.get("category") or ""),
            str(row.get("account") or "all"), str(row["event"]), str(row.get("run") or ""),
            None if reason is None else str(reason), float(seconds) if isinstance(seconds, int | float) else None)


def _wants(findings: dict[str, Finding]) -> list[Want]:
    """What `navbook check` finds, worst first."""
    found = [Want(state=finding.state, what=finding.sentence, step=finding.next_step)
             for finding in findings.values() if finding.state is not State.OK]
    return sorted(found, key=lambda want: want.state != "fail")


def _tiles(findings: dict[str, Finding], runs: pl.DataFrame) -> dict[str, Want]:
    """Exchange, prices and store: fine, doubtful or not, each with the reason."""
    collects = runs.filter(pl.col("job") == "collect").sort("started_at")
    last = collects.row(-1, named=True) if collects.height else None
    if last is None:
        exchange = Want(state="warn", what="nothing was collected yet")
    elif last["status"] == "ok":
        exchange = Want(state="ok", what="the last collection was whole")
    else:
        exchange = Want(state="fail", what=last["reason"] or "the last collection failed")
    answers, store = findings["answers"], findings["store"]
    fine = last is not None and last["status"] == "ok" and answers.state is State.OK
    prices = Want(state="ok" if fine else exchange.state if exchange.state != "ok" else answers.state,
                  what=answers.sentence if exchange.state == "ok" else exchange.what)
    return {"Exchange": exchange, "Prices": prices,
            "Store": Want(state=store.state, what=store.sentence)}


def _ages(config: Settings, about: Site) -> list[Age]:
    """How old each kind of data is, on the wall's clock: as long before the last collection as it lies before the
    newest snapshot, so that a sandbox's own clock does no harm."""
    newest, at = about.standings["time"].max(), about.oldest
    usual = about.standings.sort("time").group_by("account").agg(pl.col("time").diff().median())["time"].max()
    apart = usual if isinstance(usual, timedelta) else timedelta(hours=1)
    due = "hourly" if apart == timedelta(hours=1) else f"every {words.span(apart)}"
    if at is None or not isinstance(newest, datetime):
        return [Age(what="Snapshots", due=due, at=None, late_after=apart)]

    def wall(time: datetime | None) -> datetime | None:
        return None if time is None else at - max(newest - time, timedelta())

    latest = partial(tables.latest, config.location)
    spot = pl.col("market") == "spot", pl.col("interval") == "1m"
    return [Age(what="Snapshots", due=due, at=at, late_after=1.25 * apart),
            Age(what="Prices", due=due, at=wall(latest(schemas.PRICES)), late_after=1.25 * apart),
            Age(what="Deposits, withdrawals", due=due, at=wall(latest(schemas.SNAPSHOTS, "flows_until")),
                late_after=1.25 * apart),
            Age(what="Minute candles", due="weekly", at=wall(latest(schemas.CANDLES, "open_time", *spot)),
                late_after=8 * DAY),
            *([Age(what="Funding rates", due="on use", at=wall(rates), late_after=30 * DAY)]
              if (rates := latest(schemas.FUNDING_RATES)) else [])]

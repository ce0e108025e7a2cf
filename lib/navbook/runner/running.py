"""`navbook run`: a job of navbook.toml, tried again when it fails, and the jobs that follow it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from navbook import schemas
from navbook.errors import (
    ExchangeError,
    JobFailed,
    Locked,
    NavbookError,
    SettingsInvalid,
    StoreMismatch,
    UnknownParameter,
)
from navbook.job import Job
from navbook.runner import commands, jobs, parameters, records, slots
from navbook.runner.commands import Told
from navbook.settings import Settings
from navbook.store import tables
from navbook.types import Fate


def run(config: Settings, name: str, texts: Mapping[str, str], told: Told) -> None:
    """Run the job `name` with its own parameters and those of `texts` (name -> text), then the jobs that follow it.

    Followers run whether it went well or not: a page must say what is not known. Raises the trouble, or
    `JobFailed` with all of them; `Locked` when it is being run.
    """
    troubles: list[NavbookError] = []
    for each in (name, *config.job(name).then):
        try:
            _run(config, each, texts if each == name else {}, told)
        except NavbookError as trouble:
            if each == name and isinstance(trouble, Locked | StoreMismatch | SettingsInvalid | UnknownParameter):
                raise    # no run began: what follows would show nothing new
            troubles.append(trouble)
    commands.raise_together(troubles)


def _run(config: Settings, name: str, texts: Mapping[str, str], told: Told) -> None:
    how, now = config.job(name), datetime.now(UTC)
    _refuse_vanished(config)
    notebook = config.notebook(how)
    try:
        given = parameters.checked(notebook, how.parameters) | parameters.of_texts(notebook, texts)
        account = given.pop("account", "all")
        with commands.watched(config, name), commands.ready_for(config, how, account, given, told) as ready:
            slot = slots.served_by(config, name, now)
            folder = _tried(how, told)(jobs.run, ready, name, account, slot=slot,
                                       timeout_minutes=how.timeout_minutes, **given)
            told(f"{name}: {commands.summary(ready, str(how.notebook), account, given)} Run: {folder}")
            records.forget(config, name, now)
    except (Locked, SettingsInvalid, UnknownParameter, ExchangeError) as trouble:
        slots.refused(config, name, now, Fate.SKIPPED if isinstance(trouble, Locked) else Fate.FAILED, str(trouble))
        raise


def _tried(how: Job, told: Told) -> Retrying:
    """What calls a function again that raised `JobFailed`, as often and as late as the job says."""
    def tell(state: RetryCallState) -> None:
        trouble = state.outcome.exception() if state.outcome else None
        told(f"{trouble} Attempt {state.attempt_number + 1} of {how.retries + 1} in {state.upcoming_sleep:.0f} s.")

    return Retrying(stop=stop_after_attempt(how.retries + 1), wait=wait_exponential(how.retry_seconds, max=3600),
                    retry=retry_if_exception_type(JobFailed), before_sleep=tell, reraise=True)


def _refuse_vanished(config: Settings) -> None:
    """A store that is gone, or whose disk is not mounted, must not begin anew while nobody looks."""
    if tables.opened(config.location, schemas.STORE_META) is not None:
        return
    for folder in records.folders(config, "collect")[::-1][:10]:
        record = records.Record.read(folder)
        if record and record.store == config.location and record.tables_written:
            raise StoreMismatch(f"The store {config.location} is not there, but the run {record.run} wrote into it: "
                                "mount its disk or bring it back from a copy; navbook collect begins a new one.")



"""A job as navbook.toml has it: [jobs.NAME]."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from navbook import timing

# What notebooks/ holds; a job of that name needs no section.
OURS = ("collect", "benchmark", "backtest", "parity", "publish")
TAKEN = ("published", "all")                              # folders of runs/, and a command, that are no job


class Section(BaseModel):
    """A table of navbook.toml: what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _job_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", name) or name in TAKEN:
        raise ValueError(f"a job's name is 1 to 40 letters, digits, - or _, and none of {', '.join(TAKEN)}")
    return name


def _notebook(name: str) -> str:
    if name not in OURS and not name.endswith(".ipynb"):
        raise ValueError(f"must be {', '.join(OURS)} or the file of a notebook, not {name!r}")
    return name


JobName = Annotated[str, AfterValidator(_job_name)]
Notebook = Annotated[str, AfterValidator(_notebook)]


class Job(Section):
    """One of the things that run on time: [jobs.NAME]."""

    notebook: Notebook | None = None                      # none: the one that has the job's name
    cron: str | None = None                               # none: it runs when asked to, or after another
    time_zone: str = "UTC"                                # that cron is read in
    parameters: dict[str, Any] = {}                       # of the notebook
    then: tuple[JobName, ...] = ()                        # jobs that follow, whether this one went well or not
    timeout_minutes: float = Field(5, gt=0, le=7 * 1440)  # of one attempt
    retries: int = Field(2, ge=0, le=10)
    retry_seconds: float = Field(10, ge=0, le=3600)       # before the first one; doubles
    keep_days: int = Field(30, ge=1, le=36_500)           # folders of runs

    @model_validator(mode="after")
    def _comes(self) -> Self:
        timing.zone(self.time_zone)
        if self.cron is not None:
            timing.trigger(self.cron, self.time_zone)
        return self

    @property
    def when(self) -> timing.WallClock | None:
        return timing.trigger(self.cron, self.time_zone) if self.cron else None

    def named(self, name: str) -> Job:
        """This job of that `name`, with the notebook that it runs."""
        return self if self.notebook else self.model_copy(update={"notebook": name})

    @property
    def lock(self) -> str:
        """What two runs must not hold at once: a notebook is one, whatever its job is called."""
        if self.notebook in OURS:
            return self.notebook
        return "notebook-" + re.sub(r"[^\w.-]", "+", self.notebook or "")

"""`navbook schedule`: the jobs of navbook.toml in the foreground, each at its due times.

APScheduler keeps the time; each run is a process of its own, `navbook run JOB`, as cron would start it. A
changed navbook.toml is taken up while it runs; a broken one is told once and the jobs stay as they were.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]

from navbook import settings
from navbook.errors import NavbookError, SettingsInvalid
from navbook.job import Job
from navbook.runner import locks, slots
from navbook.settings import Settings

Told = Callable[[str], None]
LOOK_SECONDS = 2.0       # between two looks at navbook.toml and at the clock
KILL_SECONDS = 15.0      # for a run to end its kernel and write its record, once it was told to end


class Schedule:
    """The jobs of one navbook.toml. `run` until `stop`."""

    def __init__(self, config: Settings, told: Told, grace_seconds: float) -> None:
        self.config, self.told, self.grace = config, told, grace_seconds
        self.stopped = threading.Event()
        self.runs: dict[str, subprocess.Popen[bytes]] = {}
        self.stamp = _stamp(config.file)
        self.scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(32)},
                                             job_defaults={"coalesce": True, "max_instances": 1,
                                                           "misfire_grace_time": None})

    def run(self) -> None:
        """Until `stop`, or SIGTERM or SIGINT; raises `SettingsInvalid` when no job has a cron expression."""
        if not any(job.cron for job in self.config.jobs.values()):
            raise SettingsInvalid("No job is due at any time; give one a cron expression: [jobs.collect] with "
                                  'cron = "0 * * * *" in navbook.toml.')
        with locks.hold(self.config, "schedule"):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._ended_by)
            self.scheduler.start()
            try:
                self._take_up({}, self.config.jobs)
                while not self.stopped.wait(LOOK_SECONDS):
                    self._look()
            finally:
                self._end()

    def stop(self) -> None:
        self.stopped.set()

    def _ended_by(self, number: int, frame: FrameType | None) -> None:
        self.stop()

    def _take_up(self, old: dict[str, Job], new: dict[str, Job]) -> None:
        """Put jobs of other times in place. One that a slot passed by without a run, or that never ran, runs now."""
        now = datetime.now(UTC)
        for name in old.keys() - {name for name, job in new.items() if job.when}:
            if old[name].when:
                self.scheduler.remove_job(name)
                self.told(f"{name}: no longer due.")
        for name, job in new.items():
            if job.when is None or (name in old and old[name].when is job.when):
                continue
            at_once = name not in old and slots.unserved(self.config, name, now)
            following = now if at_once else job.when.get_next_fire_time(None, now)
            self.scheduler.add_job(self._start, job.when, [name], id=name, replace_existing=True,
                                   next_run_time=following)
            self.told(f"{name}: {job.cron} ({job.time_zone}), next "
                      + ("now." if at_once else f"{following:%Y-%m-%d %H:%M %Z}."))

    def _look(self) -> None:
        """Take up a changed file, and a clock that was set back."""
        stamp = _stamp(self.config.file)
        if stamp != self.stamp:
            self.stamp = stamp
            self._reload()
        now = datetime.now(UTC)
        for job in self.scheduler.get_jobs():
            following = job.trigger.get_next_fire_time(None, now)
            if job.next_run_time is not None and following is not None and following < job.next_run_time:
                job.modify(next_run_time=following)

    def _reload(self) -> None:
        try:
            config = settings.load(self.config.file)
            for name, job in self.config.jobs.items():    # what was due until now was due by the old times
                if name in config.jobs and job.when is not config.jobs[name].when:
                    self._settle(name)
        except NavbookError as problem:
            self.told(f"{problem} The jobs stay as they were.")
            return
        old, self.config = self.config.jobs, config
        self._take_up(old, config.jobs)

    def _settle(self, name: str) -> None:
        lock = self.config.job(name).lock
        if locks.holder(self.config, lock) is None:
            with locks.hold(self.config, lock):
                slots.settle(self.config, name, datetime.now(UTC))

    def _start(self, name: str) -> None:
        """One run, waited for."""
        if self.stopped.is_set():
            return
        command = [sys.executable, "-m", "navbook.cli", "run", name]
        if self.config.file:
            command += ["--config", str(self.config.file)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        self.runs[name] = process    # Ctrl-C in a terminal reaches us alone: the run may finish
        try:
            process.wait()
        finally:
            del self.runs[name]

    def _end(self) -> None:
        """Begin nothing more; what is running may finish, and is ended when that takes longer than the grace."""
        self.scheduler.pause()
        going = dict(self.runs)
        if going:
            self.told(f"Ending: {', '.join(going)} may finish within {self.grace:.0f} s.")
        _wait(list(going.values()), self.grace)
        for process in going.values():
            process.terminate()
        _wait(list(going.values()), KILL_SECONDS)
        for process in going.values():
            process.kill()
        self.scheduler.shutdown(wait=True)
        self.told("The schedule has ended.")


def _wait(processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    until = datetime.now(UTC).timestamp() + seconds
    for process in processes:
        try:
            process.wait(max(0.0, until - datetime.now(UTC).timestamp()))
        except subprocess.TimeoutExpired:
            return


def _stamp(file: Path | None) -> tuple[int, int] | None:
    """What changes with a file's content; None while there is none, as between an editor's two steps."""
    try:
        about = file.stat() if file else None
    except OSError:
        return None
    return (about.st_mtime_ns, about.st_size) if about else None

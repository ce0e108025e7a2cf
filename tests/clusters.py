"""A Dask scheduler and workers on loopback, each a process of its own, in a folder that goes with the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from commands import clean_environment

READY_S = 60
RUN = """import sys; from navbook.runner import orphans; orphans.end_with(int(sys.argv.pop(1)))
from dask.__main__ import main; main()"""    # so that none outlives a test run that was killed


@dataclass
class Dask:
    folder: Path
    variables: Mapping[str, str]
    address: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def scheduler(self, protocol: str) -> None:
        place = self.folder / "scheduler.json"
        process = self._run("scheduler", "--host", "127.0.0.1", "--port", "0", "--protocol", protocol,
                            "--scheduler-file", str(place))
        deadline = time.monotonic() + READY_S
        while not self.address:
            assert process.poll() is None, (self.folder / "dask.log").read_text()
            assert time.monotonic() < deadline, "the scheduler did not start"
            try:
                self.address = json.loads(place.read_text())["address"]
            except (OSError, ValueError):
                time.sleep(0.02)

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        """One more worker with one thread; without a nanny, which would start it again."""
        return self._run("worker", self.address, "--nworkers", "1", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1",
                         "--local-directory", str(self.folder), *options)

    def wait_for(self, workers: int) -> None:
        from distributed import Client
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=READY_S)

    def end(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "dask.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-c", RUN, str(os.getpid()), *arguments, "--no-dashboard", "--dashboard-address", ":0"],
                                       env=clean_environment() | {"DASK_TEMPORARY_DIRECTORY": str(self.folder)} | self.variables,
                                       cwd=self.folder, stdout=log, stderr=log)
        self.processes.append(process)
        return process


@contextmanager
def dask(folder: Path, workers: int = 0, protocol: str = "tcp", **variables: str) -> Iterator[Dask]:
    """A scheduler and some workers, with the environment `variables` beside the usual ones."""
    started = Dask(folder, variables)
    try:
        started.scheduler(protocol)
        for _ in range(workers):
            started.worker()
        yield started
    finally:
        started.end()

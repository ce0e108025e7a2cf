"""What a run costs: `navbook collect` for three accounts beside an empty notebook in bare papermill plus the network.

Both are measured in turn, in one go: machines are noisy. The network's part is what the same calls take inside one
process that has everything loaded.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from commands import NAVBOOK, clean_environment
from navbook import settings
from navbook.runner import collecting, sandbox
from test_runner_jobs import notebook

TURNS = 7
GOAL = 1.3
TOML = 'sandbox_url = "{url}"\n[accounts.main]\n[accounts.sub]\nmaster = "main"\n[accounts.swing]\n'


def seconds(*command: str, folder: Path, variables: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=clean_environment() | variables, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    world = sandbox.World(start=(datetime.now(UTC) - timedelta(days=2)).isoformat())
    with tempfile.TemporaryDirectory() as place, sandbox.started(world) as local:
        folder = Path(place)
        (folder / "navbook.toml").write_text(TOML.format(url=local.url))
        notebook(folder / "empty.ipynb", "x = 1")
        keys = {f"NAVBOOK_{each['name'].upper()}_API_{part}": each[f"api_{part.lower()}"]
                for each in local.accounts() for part in ("KEY", "SECRET")}
        os.environ.update(keys)
        config = settings.load(folder / "navbook.toml")
        empty, network, ours = [], [], []
        for _ in range(TURNS):
            local.set_clock(datetime.now(UTC))
            empty.append(seconds(sys.executable, "-m", "papermill", "--no-progress-bar", "empty.ipynb", "out.ipynb",
                                 folder=folder, variables={}))
            ours.append(seconds(NAVBOOK, "collect", folder=folder, variables=keys))
            local.set_clock(datetime.now(UTC))
            began = time.perf_counter()
            asyncio.run(collecting.collect(config))
            network.append(time.perf_counter() - began)
    base = median(empty) + median(network[1:])
    print(f"empty notebook, bare papermill {median(empty):.2f} s + network calls {median(network[1:]):.2f} s = {base:.2f} s; "
          f"navbook collect, three accounts {median(ours):.2f} s: {median(ours) / base:.2f} times (goal: at most {GOAL})")


if __name__ == "__main__":
    main()

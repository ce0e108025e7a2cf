"""Run navbook as a user does: its own process, its own folder, no settings of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

NAVBOOK = str(Path(sys.executable).with_name("navbook"))
CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = CHECKOUT.parent / "shared" / "data"


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("NAVBOOK_", "BINANCE_TESTNET_")) and name != "SESSION_SECRET"}


def navbook(*arguments: str, folder: Path, variables: Mapping[str, str] | None = None,
            timeout: float = 180) -> subprocess.CompletedProcess[str]:
    return subprocess.run([NAVBOOK, *arguments], cwd=folder, env=clean_environment() | dict(variables or {}),
                          capture_output=True, text=True, timeout=timeout, check=False)


def sentence(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failing command leaves on standard error; never a traceback."""
    assert result.returncode != 0, result.stdout
    assert "Traceback" not in result.stdout + result.stderr, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]

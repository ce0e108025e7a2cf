"""docs/SANDBOX.md and the package's own text name everything that can be said to the sandbox."""

from __future__ import annotations

from pathlib import Path

import binance_sandbox
from binance_sandbox.app import CONTROL
from binance_sandbox.event_fields import READERS
from binance_sandbox.faults import MODES
from binance_sandbox.market import DELISTED, STATUSES
from binance_sandbox.moods import MOODS

PAGE = (Path(__file__).parents[1] / "docs/SANDBOX.md").read_text("utf-8")


def test_nothing_is_missing():
    for _, path, _ in CONTROL:
        assert path.rpartition("/")[2] in PAGE
    for mode in MODES:
        assert f"`{mode}`" in PAGE
    for name in (*READERS, *MOODS, *STATUSES, DELISTED):
        assert name in PAGE
    for kind in READERS:
        assert kind in (binance_sandbox.__doc__ or "")

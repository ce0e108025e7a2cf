"""Shared fixtures."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    """Every test starts without settings of the machine, in an empty folder of its own."""
    for name in list(os.environ):
        if name.startswith(("NAVBOOK_", "BINANCE_TESTNET_")) or name == "SESSION_SECRET":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

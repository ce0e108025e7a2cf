"""Shared fixtures; nothing is left behind, not even what hypothesis remembers."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import configuration, settings

settings.register_profile("calm", deadline=None)    # a busy machine is no fault
settings.load_profile("calm")

# Long files with few tests: begun first, so that at the end no process works alone
LONG = ("test_soak", "test_trader_replay", "test_demo", "test_demo_recorded", "test_store_buckets", "test_runner_cluster",
        "test_trader_faults", "test_publish_server", "test_compute_audit", "test_fuzz_exchange", "test_fuzz_files",
        "test_runner_trouble", "test_runner_pages", "test_cli", "test_store_catalog", "test_runner_backtesting")


def pytest_collection_modifyitems(items):
    """The order within a file stays."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


def pytest_configure(config):
    os.environ["XDG_STATE_HOME"] = config.state_home = tempfile.mkdtemp(prefix="navbook-state-")
    config.hypothesis_home = tempfile.mkdtemp(prefix="navbook-hypothesis-")
    configuration.set_hypothesis_home_dir(config.hypothesis_home)


def pytest_unconfigure(config):
    shutil.rmtree(config.hypothesis_home, ignore_errors=True)
    shutil.rmtree(config.state_home, ignore_errors=True)


@contextmanager
def no_settings_of_others() -> Iterator[None]:
    """Neither the machine's settings come in, nor do those of what runs here go out: a command takes a sandbox's keys itself."""
    before = os.environ.copy()
    for name in before:
        if name.startswith(("NAVBOOK_", "BINANCE_TESTNET_")) or name == "SESSION_SECRET":
            del os.environ[name]
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True, scope="module")
def modules_environment():
    """A module's own fixtures start without settings of other modules."""
    with no_settings_of_others():
        yield


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    """Every test starts without settings, in an empty folder of its own, banned nowhere."""
    with no_settings_of_others():
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
        monkeypatch.chdir(tmp_path)
        yield


@pytest.fixture(scope="module")
def running_binance():
    """A local Binance for one module, its clock standing still."""
    from exchanges import local_binance
    with local_binance() as binance:
        yield binance


@pytest.fixture
def binance(running_binance):
    """The module's local Binance as at its start: the clock, no faults, nothing asked."""
    running_binance.fresh()
    return running_binance


@pytest.fixture
def no_backoff(monkeypatch):
    """Tries again at once; what the host itself asks for is still waited for."""
    from navbook.exchange import client
    monkeypatch.setattr(client, "wait_random_exponential", lambda **_: lambda state: 0.01)

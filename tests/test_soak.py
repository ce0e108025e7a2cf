"""A week in trouble, and ten seconds of readers beside writers. At length: `make soak`."""

from __future__ import annotations

import pytest

import soak
import soak_faults
import soak_readers


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """What `make soak` gives the processes that it starts."""
    monkeypatch.setenv("POLARS_MAX_THREADS", "1")


def test_a_week_in_which_a_fifth_of_all_requests_fails_and_processes_are_killed(tmp_path):
    """A80, N1: the derived tables are those of the same week in peace."""
    peace, trouble = soak.both(tmp_path, days=7, seed=2, every=8)
    assert [*peace.wrong, *trouble.wrong, *soak.differences(peace, trouble)] == []
    assert (peace.failed, peace.retries, peace.slots) == (0, 0, 21)
    assert 0.15 < trouble.failed / sum(trouble.requests.values()) < 0.25
    assert {name for name, number in trouble.requests.items() if not number} <= {
        name for name, (often, _) in soak_faults.FAULTS.items() if often < 1}
    assert trouble.kills == {"collect": 1, "benchmark": 1, "prune": 1}
    assert trouble.retries > 0
    assert "all 12 equal" in soak.report(peace, trouble, [])


def test_what_is_not_equal_is_told(tmp_path):
    """Another seed is another world."""
    peace, other = (soak.drive(tmp_path / str(seed), days=1, seed=seed, trouble=False, every=12) for seed in (1, 2))
    told = list(soak.differences(peace, other))
    assert any(line.startswith("holdings: ") and "rows differ, first main" in line for line in told), told


def test_twenty_readers_beside_writers_see_one_snapshot_each(tmp_path):
    done = soak_readers.soak(tmp_path, seconds=10, pages=False)
    assert [name for name in done if name.startswith(("error: ", "torn: "))] == []
    for name in ("DuckDB", "polars", "collect", "rebuild"):
        assert done[name], soak_readers.report(done)

"""The slot ledger: every due time has a fate, nothing is backdated, whatever starts the runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navbook import schemas, timing
from navbook.errors import SettingsInvalid
from navbook.runner import ledger, records, slots
from navbook.runner.records import Record
from navbook.store import tables
from navbook.types import Fate
from stores import configured

HOURLY = '[jobs.collect]\ncron = "0 * * * *"\n[jobs.benchmark]\ncron = "0 * * * *"\n'
TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)


def at(hour: float) -> datetime:
    return TEN.replace(hour=0) + timedelta(hours=hour)


def record(job: str, begun: datetime, status: str = "ok", minutes: float = 1, slot: datetime | None = None,
           reason: str | None = None) -> Record:
    return Record(run=f"{begun:%H%M}_{job}", job=job, notebook=job, account="all", environment="sandbox", store="",
                  status=status, started_at=begun.isoformat(), parameters={}, code="", packages={}, tables_read={},
                  slot=slot.isoformat() if slot else None, reason=reason,
                  ended_at=(begun + timedelta(minutes=minutes)).isoformat())


def ran(config, job: str, begun: datetime, **how) -> None:
    """A run of `job` in the books, as a run keeps them."""
    one = record(job, begun, slot=slots.served_by(config, job, begun), **how)
    slots.settle(config, job, begun, running=slots.served_by(config, job, begun))
    slots.settle(config, job, one.ended, [one])
    records.register(config, [one])


def fates(config, job: str) -> list[tuple[str, str]]:
    rows = tables.read(config.location, schemas.SLOTS).filter(job=job).sort("time")
    return [(f"{row['time']:%H:%M}", row["fate"]) for row in rows.iter_rows(named=True)]


@pytest.fixture
def config(tmp_path):
    return configured(tmp_path, more=HOURLY)


@pytest.mark.parametrize(("cron", "now", "following"), [
    pytest.param("0 * * * *", "2026-03-02T23:30", "2026-03-03T00:00", id="23:30, every 60 minutes"),
    pytest.param("*/25 * * * *", "2026-03-02T14:50", "2026-03-02T15:00", id="14:50, every 25: the hour begins anew"),
    pytest.param("*/25 * * * *", "2026-03-02T14:49", "2026-03-02T14:50", id="just before"),
    pytest.param("30 23 * * *", "2026-12-31T23:30", "2027-01-01T23:30", id="at the year's end"),
    pytest.param("0 0 * * 0", "2026-03-02T00:00", "2026-03-08T00:00", id="0 is Sunday, as in cron"),
    pytest.param("0 0 * * 7", "2026-03-02T00:00", "2026-03-08T00:00", id="7 is Sunday too"),
    pytest.param("0 0 * * 1-5", "2026-03-06T00:00", "2026-03-09T00:00", id="1-5 is Monday to Friday"),
    pytest.param("0 0 29 2 *", "2026-03-02T00:00", "2028-02-29T00:00", id="a leap day"),
])
def test_a72_the_next_slot_is_on_the_clocks_grid(cron, now, following):
    after = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert next(timing.due(timing.trigger(cron), after, after + timedelta(days=900))) == datetime.fromisoformat(
        following).replace(tzinfo=UTC)


def test_a72_every_hour_has_one_slot_when_the_clocks_change():
    """23 and 25 hours of wall time are 23 and 25 slots, an hour apart."""
    for day, hours in ((datetime(2026, 3, 28, 23, tzinfo=UTC), 23), (datetime(2026, 10, 24, 22, tzinfo=UTC), 25)):
        found = list(timing.due(timing.trigger("0 * * * *", "Europe/Berlin"), day, day + timedelta(hours=hours)))
        assert found == [day + timedelta(hours=hour) for hour in range(1, hours + 1)]


@pytest.mark.parametrize(("day", "slot"), [
    pytest.param("2026-10-24T12:00", "2026-10-25T00:30", id="02:30 comes twice in autumn: the first counts"),
    pytest.param("2026-03-28T12:00", "2026-03-29T01:30", id="02:30 does not come in spring: right after"),
])
def test_a72_a_time_of_the_day_is_due_once_a_day_when_the_clocks_change(day, slot):
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    found = list(timing.due(timing.trigger("30 2 * * *", "Europe/Berlin"), start, start + timedelta(hours=24)))
    assert found == [datetime.fromisoformat(slot).replace(tzinfo=UTC)]


@given(st.sampled_from(["*/7 * * * *", "0 */5 * * *", "15 3 * * *", "0 12 * * mon,thu", "59 23 28-31 * *"]),
       st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
       st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.integers(1, 4000))
def test_slots_of_two_spans_are_those_of_the_whole(cron, zone, start, minutes):
    """However often the ledger is completed, it has the same slots, each once, in order."""
    when, first = timing.trigger(cron, zone), start.replace(tzinfo=UTC)
    middle, end = first + timedelta(minutes=minutes), first + timedelta(days=4)
    whole = list(timing.due(when, first, end))
    assert list(timing.due(when, first, middle)) + list(timing.due(when, middle, end)) == whole or middle > end
    assert whole == sorted(set(whole))


@pytest.mark.parametrize(("section", "said"), [
    ('cron = "* * *"', "must have five fields"), ('cron = "*/60 * * * *"', "step value"),
    ('cron = "0 0 31 2 *"', "never comes"), ('cron = "0 0 1 * mon"', "write two jobs"),
    ('cron = "0 0 * * *"\ntime_zone = "Mars/Base"', "is no time zone"), ('cron = "61 * * * *"', "no cron expression"),
    ("timeout_minutes = 0", "timeout_minutes"), ('retries = "often"', "retries"), ("keep_days = 0", "keep_days"),
    ('then = ["nowhere"]', "names nowhere, which cannot follow it"), ('then = ["collect"]', "cannot follow it"),
    ('notebook = "what"', "or the file of a notebook"),
])
def test_a_job_that_cannot_be_is_refused(tmp_path, section, said):
    with pytest.raises(SettingsInvalid, match=said):
        configured(tmp_path, more=f"[jobs.collect]\n{section}\n")


def test_a_job_is_not_named_like_a_folder_of_runs(tmp_path):
    with pytest.raises(SettingsInvalid, match="none of published, all"):
        configured(tmp_path, more='[jobs.published]\nnotebook = "x.ipynb"\n')


def test_n9_three_hours_off_are_three_skipped_slots(config):
    for hour in (9, 10):
        ran(config, "collect", at(hour) + timedelta(seconds=2))
    ran(config, "collect", at(13.5))    # back again, between two slots
    ran(config, "collect", at(14) + timedelta(seconds=2))
    assert fates(config, "collect") == [("09:00", "ran"), ("10:00", "ran"), ("11:00", "skipped"), ("12:00", "skipped"),
                                        ("13:00", "skipped"), ("14:00", "ran")]
    reasons = tables.read(config.location, schemas.SLOTS).filter(fate="skipped")["reason"]
    assert set(reasons) == {slots.NOTHING}


def test_a_rebuild_catches_up_what_was_missed(config):
    ran(config, "benchmark", at(9))
    ran(config, "benchmark", at(12.5), status="failed", reason="no price")    # does no work: catches nothing up
    assert [fate for _, fate in fates(config, "benchmark")] == ["ran", "skipped", "skipped", "skipped"]
    ran(config, "benchmark", at(13))
    assert fates(config, "benchmark") == [("09:00", "ran"), ("10:00", "caught_up"), ("11:00", "caught_up"),
                                          ("12:00", "caught_up"), ("13:00", "ran")]


def test_a_failed_or_killed_run_is_the_fate_of_its_slot_until_a_retry_goes_well(config):
    ran(config, "collect", at(9), status="failed", reason="no network")
    assert fates(config, "collect") == [("09:00", "failed")]
    ran(config, "collect", at(9) + timedelta(minutes=2))    # a retry
    assert fates(config, "collect") == [("09:00", "ran")]
    ran(config, "collect", at(9) + timedelta(minutes=4), status="failed")    # somebody tries once more
    assert fates(config, "collect") == [("09:00", "ran")]
    ran(config, "collect", at(10), status="killed", reason=records.KILLED)
    rows = tables.read(config.location, schemas.SLOTS).filter(fate="failed")
    assert rows["reason"].to_list() == [records.KILLED]


def test_a_run_that_takes_longer_than_an_hour_skips_slots_for_that_reason(config):
    ran(config, "collect", at(9), minutes=130)
    ran(config, "collect", at(12))
    assert fates(config, "collect") == [("09:00", "ran"), ("10:00", "skipped"), ("11:00", "skipped"), ("12:00", "ran")]
    reasons = tables.read(config.location, schemas.SLOTS).filter(fate="skipped")["reason"]
    assert set(reasons) == {"the run of 09:00:00 was still going"}


def test_a_refused_run_leaves_its_reason_and_hides_no_slot_of_the_holder(config):
    slots.settle(config, "collect", at(9), running=at(9))    # the holder begins, and is killed later
    slots.refused(config, "collect", at(10), Fate.SKIPPED, "collect is already being run by process 1")
    ran(config, "collect", at(9), status="killed", reason="killed")
    assert fates(config, "collect") == [("09:00", "failed"), ("10:00", "skipped")]
    slots.refused(config, "collect", at(9.01), Fate.SKIPPED, "too late to say")
    assert fates(config, "collect")[0] == ("09:00", "failed")


def test_a_run_by_hand_between_slots_changes_no_fate(config):
    ran(config, "collect", at(9))
    ran(config, "collect", at(9.5))
    assert fates(config, "collect") == [("09:00", "ran")]


def test_a_clock_that_was_ahead_and_is_set_back_hides_no_slot(config):
    ran(config, "collect", at(9))
    ran(config, "collect", at(9) + timedelta(days=3))
    ran(config, "collect", at(9) + timedelta(days=3))    # the same slot again: no second row
    ran(config, "collect", at(11))    # back in the present: what was called skipped too early has run
    ran(config, "collect", at(12))
    assert fates(config, "collect")[:4] == [("09:00", "ran"), ("10:00", "skipped"), ("11:00", "ran"), ("12:00", "ran")]


def test_nothing_is_due_before_a_jobs_first_run(config):
    ran(config, "collect", at(9.5))
    assert fates(config, "collect") == []
    ran(config, "collect", at(12))
    assert fates(config, "collect") == [("10:00", "skipped"), ("11:00", "skipped"), ("12:00", "ran")]


def test_slots_shows_what_nobody_has_written_down_yet(config):
    ran(config, "collect", at(9))
    shown = ledger.fates(config, "collect", now=at(12) + timedelta(minutes=1))
    assert [f"{time:%H}" for time in shown["time"]] == ["09", "10", "11"]    # the run of 12:00 may still begin
    assert tables.read(config.location, schemas.SLOTS).height == 1


@settings(max_examples=3)
@given(st.lists(st.tuples(st.integers(1, 180), st.sampled_from(["ok", "failed", "killed"]), st.integers(0, 90)),
                min_size=1, max_size=8))
def test_every_slot_has_a_fate_after_each_run(tmp_path_factory, runs):
    """Whatever runs came and however they ended: from the first to the last, no slot is left out or there twice."""
    config = configured(tmp_path_factory.mktemp("any"), more=HOURLY)
    now = at(9)
    for pause, status, minutes in runs:
        ran(config, "collect", now, status=status, minutes=minutes)
        end = now + timedelta(minutes=minutes)
        rows = tables.read(config.location, schemas.SLOTS)
        assert rows["time"].to_list() == [at(9) + timedelta(hours=hour)
                                          for hour in range(int((end - at(9)) / timedelta(hours=1)) + 1)]
        now = end + timedelta(minutes=pause)

"""Months are closed once they are over; what arrives later shows as a restatement."""

from __future__ import annotations

import pytest

from commands import navbook
from navbook import schemas
from navbook.errors import SettingsInvalid
from navbook.runner import closing
from navbook.store import catalog, rewrite, tables
from navbook.types import Grade
from stores import configured, copied, grown, rebuilt, table
from worlds import World, at, only

APRIL = 30 * 24 + 1    # hours after the world's start, the midnight that begins 2 March: an hour into April


def spring(accounts: tuple[str, ...] = ("main",)) -> World:
    """March and a bit of April: 10 000 dollars, then 10 400 after a day, then 10 600 in April."""
    world = World(accounts=accounts)
    for account in accounts:
        for hours, dollars in ((0, 10_000), (24, 10_400), (APRIL, 10_600)):
            world.snapshot(at(hours), {"USDT": dollars}, account=account)
    return world


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """The world's store, made once; each test has a copy to change."""
    folder = tmp_path_factory.mktemp("owner")
    grown(configured(folder), spring())
    return folder


@pytest.fixture
def config(owner, tmp_path):
    return copied(owner, tmp_path)


def test_a_closed_month_keeps_its_figures_and_shows_what_arrives_later(config):
    world = spring()
    frozen = only(closing.close(config, "2026-03"))
    assert (frozen["nav_from"], frozen["nav_to"], frozen["flows_usd"], frozen["gain_usd"]) == (10_000, 10_400, 0, 400)
    assert frozen["twr"] == pytest.approx(0.04)
    assert (frozen["from_time"], frozen["to_time"]) == (at(0), at(24))
    assert table(config, "restatements").is_empty()

    world.flow(at(12), 400)    # a deposit that the exchange told late
    grown(config, world)
    now = dict(table(config, "restatements").select("figure", "now").iter_rows())
    assert (now["flows_usd"], now["gain_usd"]) == (400, 0)
    assert now["twr"] == pytest.approx(0)
    assert only(table(config, "closings"))["gain_usd"] == 400
    assert only(closing.closed(config))["restated"] == len(now)
    assert "gain_usd" in closing.restated(config)
    assert catalog.connect(config.location).sql("SELECT difference FROM restatements WHERE figure = 'gain_usd'"
                                                ).pl().item() == -400


def test_closing_again_needs_a_word_and_the_older_closing_stays(config):
    world = spring()
    closing.close(config, "2026-03")
    world.flow(at(12), 400)
    grown(config, world)
    with pytest.raises(closing.MonthOpen, match=r"2026-03 of main was closed at .* UTC; --again closes it anew"):
        closing.close(config, "2026-03")
    closing.close(config, "2026-03", again=True)
    assert only(table(config, "closings"))["gain_usd"] == 0
    assert closing.restated(config) == "No figure of a closed month has changed."
    every = tables.stored(config.location, schemas.CLOSINGS).collect()
    assert sorted(every["gain_usd"]) == [0, 400]


def test_a_dry_run_freezes_nothing(config):
    assert only(closing.close(config, "2026-03", dry_run=True))["gain_usd"] == 400
    assert table(config, "closings").is_empty()


def test_a_month_that_is_not_over_is_refused(config):
    with pytest.raises(closing.MonthOpen, match="2026-04 is not over for main: its newest snapshot is of 2026-04-01 01:00 "
                                                "UTC; collect at 2026-05-01 00:00 UTC or later"):
        closing.close(config, "2026-04")
    assert table(config, "closings").is_empty()


def test_a_snapshot_of_the_first_instant_after_it_ends_a_month(tmp_path):
    """The end of March is the midnight that begins April: its snapshot is March's last and April's first."""
    config, world = configured(tmp_path), World()
    world.snapshot(at(0), {"USDT": 100})
    world.snapshot(at(APRIL - 1), {"USDT": 110})
    grown(config, world)
    assert only(closing.close(config, "2026-03"))["nav_to"] == 110


def test_a_month_whose_last_snapshot_counts_in_nothing_is_refused(tmp_path):
    config, world = configured(tmp_path), World()
    world.snapshot(at(0), {"USDT": 100})
    world.snapshot(at(12), {"USDT": 100})
    world.snapshot(at(24), {"USDT": 100}, grade="incomplete")
    world.snapshot(at(APRIL), {"USDT": 110})
    grown(config, world)
    with pytest.raises(closing.MonthOpen, match=r"main has no figure for the end of 2026-03: its snapshot of 2026-03-03 "
                                                r"00:00 UTC is incomplete .*navbook delete --facts"):
        closing.close(config, "2026-03")


def test_backfilled_days_at_a_months_end_keep_nobody_from_closing_it(config):
    world = spring()
    world.snapshot(at(27 * 24), {"USDT": 10_500}, grade=Grade.BACKFILLED)
    grown(config, world)
    assert only(closing.close(config, "2026-03"))["nav_to"] == 10_400


def test_figures_older_than_the_snapshots_are_refused(config):
    late = World()
    late.snapshot(at(APRIL + 1), {"USDT": 1})
    tables.append(config.location, schemas.SNAPSHOTS, late.facts().snapshots)
    with pytest.raises(closing.MonthOpen, match="run navbook benchmark first"):
        closing.close(config, "2026-03")


def test_all_accounts_are_closed_or_none(tmp_path):
    world = spring(("main", "sub"))
    world.snapshot(at(30), {"USDT": 1}, account="sub", grade="incomplete")
    config = configured(tmp_path, *world.accounts)
    grown(config, world)
    with pytest.raises(closing.MonthOpen, match="sub has no figure for the end"):
        closing.close(config, "2026-03")
    assert table(config, "closings").is_empty()
    assert closing.close(config, "2026-03", "main")["account"].to_list() == ["main"]


@pytest.mark.parametrize("month", ["2026-13", "2026", "26-03", "2026-3", "2026-03-01", "../x", "", "9999-12"])
def test_what_is_no_month_is_refused(config, month):
    with pytest.raises(SettingsInvalid, match="is no month; write it like 2026-06"):
        closing.close(config, month)


def test_a_month_or_account_without_figures_is_refused(config):
    with pytest.raises(closing.MonthOpen, match="no figures of any account for 2026-02"):
        closing.close(config, "2026-02")
    with pytest.raises(closing.MonthOpen, match="no figures of nobody for 2026-03"):
        closing.close(config, "2026-03", "nobody")


def test_the_table_of_restatements_is_rebuilt_like_any_other(config):
    """N1, A80."""
    world = spring()
    closing.close(config, "2026-03")
    world.flow(at(12), 400)
    grown(config, world)
    before = tables.stored_hash(config.location, schemas.RESTATEMENTS)
    rewrite.replace(config.location, schemas.RESTATEMENTS, schemas.RESTATEMENTS.empty())
    assert rebuilt(config)["restatements"] == before


def test_the_command_closes_lists_and_refuses(tmp_path):
    grown(configured(tmp_path), spring())
    closed = navbook("close", "2026-03", "--format", "csv", folder=tmp_path)
    assert closed.stdout.startswith("month,account,benchmark,nav_from,nav_to,flows_usd,gain_usd"), closed.stderr
    assert "2026-03,main,own,10000.0,10400.0,0.0,400.0" in closed.stdout
    listed = navbook("close", "--list", folder=tmp_path)
    assert "10,400.00" in listed.stdout
    assert listed.stdout.endswith("No figure of a closed month has changed.\n")

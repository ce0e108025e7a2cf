"""One look: derived tables that belong together are seen together, whatever is being written."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from navbook import schemas
from navbook.runner import pruning, rebuild, verify, views
from navbook.store import catalog, looks, rewrite, tables
from soak_readers import torn
from soak_world import HOUR
from stores import configured, grown, keep, rebuilt
from worlds import World, at


class Killed(Exception):
    """As kill -9 is for whoever comes after."""


def killed(*_: object) -> None:
    raise Killed


@pytest.fixture
def world() -> World:
    world = World()
    world.snapshot(at(0), {"BTC": 1})
    world.snapshot(at(1), {"BTC": 1, "USDT": 500})
    return world


@pytest.fixture
def cut_short(tmp_path, world, monkeypatch):
    """A store whose second rebuild was killed when some of its tables had been replaced."""
    config = configured(tmp_path)
    grown(config, world)
    world.snapshot(at(2), {"BTC": 2})
    keep(config, world)
    commit = rewrite.Rewrite.commit

    def until_values(self, **how):
        if self.schema is schemas.NAV_HISTORY:
            raise Killed
        return commit(self, **how)

    with monkeypatch.context() as patch:
        patch.setattr(rewrite.Rewrite, "commit", until_values)
        with pytest.raises(Killed):
            rebuild.run(config)
    return config


def last(frame: pl.DataFrame):
    return frame["time"].max()


def test_a_rebuild_that_was_killed_halfway_is_not_seen(cut_short):
    config = cut_short
    assert last(tables.read(config.location, schemas.HOLDINGS)) == at(2)    # table by table: torn
    with looks.one(config.location):
        for name in ("holdings", "nav_history", "reconciliation"):
            assert last(tables.read(config.location, schemas.DERIVED[name])) == at(1)
    connection = catalog.connect(config.location)
    assert connection.execute("SELECT max(time) FROM holdings").fetchone() == (at(1),)
    assert connection.execute("SELECT max(time) FROM snapshots").fetchone() == (at(2),)
    page = views.portfolio(config, "main")
    assert last(page.history) == last(page.holdings) == last(page.snapshots) == at(1)


def test_the_next_rebuild_shows_all_of_it(cut_short):
    rebuilt(cut_short)
    assert looks.under_way(cut_short.location) == {}
    assert last(catalog.connect(cut_short.location).sql("FROM holdings").pl()) == at(2)


def test_so_does_verify_once_it_has_mended_what_was_left(cut_short):
    with pytest.raises(verify.TablesDiffer):
        verify.verify_tables(cut_short, str)
    assert looks.under_way(cut_short.location)
    verify.verify_tables(cut_short, str, fix=True)
    with looks.one(cut_short.location):
        assert last(tables.read(cut_short.location, schemas.HOLDINGS)) == at(1)    # as verify rebuilds: up to its values


def test_prune_keeps_what_is_read_instead(cut_short, monkeypatch):
    monkeypatch.setattr(pruning, "timedelta", lambda **_: timedelta())    # everything is old
    pruning.prune(cut_short, str)
    assert last(catalog.connect(cut_short.location).sql("FROM holdings").pl()) == at(1)


def test_the_very_first_rebuild_is_seen_whole_or_not_at_all(tmp_path, world, monkeypatch):
    config = configured(tmp_path)
    keep(config, world)
    with monkeypatch.context() as patch:
        patch.setattr(rebuild.restating, "write", killed)
        with pytest.raises(Killed):
            rebuild.run(config)
    assert not tables.read(config.location, schemas.NAV_HISTORY).is_empty()
    assert catalog.connect(config.location).sql("FROM holdings").fetchall() == []
    rebuilt(config)
    assert catalog.connect(config.location).sql("FROM holdings").fetchall() != []


def test_a_rebuild_that_changes_nothing_writes_nothing(tmp_path, world):
    config = configured(tmp_path)
    grown(config, world)
    before = tables.opened(config.location, looks.BEFORE).version()
    rebuilt(config)
    assert tables.opened(config.location, looks.BEFORE).version() == before


def test_whoever_looks_while_a_rebuild_begins_looks_again(tmp_path, world, monkeypatch):
    config = configured(tmp_path)
    grown(config, world)
    known, seen = looks.together(config.location), []
    versions = looks.versions

    def begun_meanwhile(location, wanted):
        if not seen:
            seen.append(1)
            with looks.replacing(location):
                rewrite.replace(location, schemas.HOLDINGS, schemas.HOLDINGS.empty())
        return versions(location, wanted)

    monkeypatch.setattr(looks, "versions", begun_meanwhile)
    assert looks.together(config.location)["holdings"] == known["holdings"] + 1


def test_balances_whose_snapshot_is_not_stored_yet_are_no_holdings(tmp_path, world):
    """A rebuild beside a collect reads the snapshots first; what comes between belongs to the next rebuild."""
    config = configured(tmp_path)
    keep(config, world)
    late = world.facts().balances.filter(pl.col("time") == at(1)).with_columns(time=pl.col("time") + HOUR / 2)
    tables.append(config.location, schemas.BALANCES, late)
    rebuilt(config)
    assert tables.read(config.location, schemas.HOLDINGS)["time"].unique().sort().to_list() == [at(0), at(1)]


def test_what_is_collected_while_a_rebuild_reads_belongs_to_the_next(tmp_path, world, monkeypatch):
    """Prices are read for all accounts together, before the snapshots of each: a snapshot that came between had none."""
    config = configured(tmp_path)
    keep(config, world)
    batch = rebuild._batch

    def collected_meanwhile(*arguments):
        world.snapshot(at(2), {"BTC": 2})
        keep(config, world)
        return batch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "_batch", collected_meanwhile)
        rebuilt(config)
    assert last(tables.read(config.location, schemas.NAV_HISTORY)) == at(1)
    rebuilt(config)
    history = tables.read(config.location, schemas.NAV_HISTORY)
    assert (last(history), history["nav"].null_count()) == (at(2), 0)


def test_torn_tables_are_found(tmp_path, world):
    config = configured(tmp_path)
    grown(config, world)
    with looks.one(config.location):
        read = [tables.read(config.location, schemas.TABLES[name]) for name in (
            "nav_history", "holdings", "benchmark_values", "reconciliation", "snapshots", "balances")]
    assert torn(*read) == []
    for number, frame in enumerate(read):
        assert torn(*read[:number], frame.filter(pl.col("time") < at(1)), *read[number + 1:]), number

"""Collecting the twin of an account gives the account's own net asset value."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import polars as pl
import pytest

from locals import START
from navbook import schemas, settings
from navbook.errors import SettingsInvalid
from navbook.runner import collecting, rebuild, sandbox, twin
from navbook.store import tables
from stores import configured, grown, table
from worlds import World, at


def nav_of_twin(config, account: str, folder, monkeypatch) -> tuple[float, pl.DataFrame]:
    """NAV and flows as somebody finds them who collects the twin from an empty folder."""
    for name in config.accounts:
        for part in ("KEY", "SECRET"):
            monkeypatch.delenv(f"NAVBOOK_{settings.variable_of(name)}_API_{part}", raising=False)
    with twin.started(config, account) as (local, _):
        mine = settings.Settings(sandbox_url=local.url, base=folder, store="twin", runs="twin-runs")
        with sandbox.for_command(mine) as ready:
            asyncio.run(collecting.collect(ready))
            rebuild.run(ready)
    history = tables.read(mine.location, schemas.NAV_HISTORY, account=account)
    assert history["grade"].to_list() == ["complete"]
    return history["nav"][-1], tables.read(mine.location, schemas.CASH_FLOWS, account=account)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's own exchange after 90 days, collected once."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch, sandbox.started(sandbox.World(start=START.isoformat())) as local:
        patch.chdir(folder)
        local.set_clock(START + timedelta(days=90))
        mine = settings.Settings(sandbox_url=local.url, base=folder)
        with sandbox.for_command(mine) as ready:
            asyncio.run(collecting.collect(ready))
            rebuild.run(ready)
            for name in ready.accounts:
                for part in ("KEY", "SECRET"):
                    patch.delenv(f"NAVBOOK_{settings.variable_of(name)}_API_{part}")
            return ready


@pytest.mark.parametrize("account", ["main", "sub", "swing"])
def test_the_twin_of_each_account_of_the_demo_is_worth_the_same(demo, account, tmp_path, monkeypatch):
    nav, flows = nav_of_twin(demo, account, tmp_path, monkeypatch)
    own = table(demo, "nav_history").filter(account=account)["nav"][-1]
    assert nav == pytest.approx(own, abs=0.01)
    known = table(demo, "cash_flows").filter(account=account, status="done").select("time", "kind", "asset", "amount")
    assert flows.select("time", "kind", "asset", "amount").sort("time").rows() == known.sort("time").rows()


def test_what_was_traded_between_the_flows_is_no_flow(tmp_path, monkeypatch):
    """All that came in was spent: now it is bitcoin."""
    world = World()
    world.flow(at(1), 10_000)
    world.flow(at(2), 500, fee="1", kind=twin.FlowKind.WITHDRAWAL)
    world.snapshot(at(3), {"BTC": "0.19", "USDT": "0.00000001"})
    world.balance_rows.append(("main", at(3), "margin", "USDT", twin.Decimal(-100), twin.Decimal(0), at(3)))
    world.balance_rows.append(("main", at(3), "other", "USDT", twin.Decimal("12.5"), twin.Decimal(0), at(3)))
    config = configured(tmp_path)
    grown(config, world)
    nav, flows = nav_of_twin(config, "main", tmp_path, monkeypatch)
    assert nav == pytest.approx(0.19 * 50_000 - 100 + 12.5, abs=0.01)
    assert flows["kind"].to_list() == ["DEPOSIT", "WITHDRAWAL"]


def test_there_is_nothing_to_copy(tmp_path, monkeypatch):
    config = configured(tmp_path)
    with pytest.raises(SettingsInvalid, match="There is no account main"), twin.started(config, "main"):
        pass
    world = World()
    world.snapshot(at(0), {"USDT": 1}, grade="incomplete")
    grown(config, world)
    with pytest.raises(SettingsInvalid, match="There is no complete snapshot of main to copy"), twin.started(config, "main"):
        pass

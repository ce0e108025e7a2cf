"""A69: a deposit that is only thought of: units before and after, and not a byte written."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from commands import navbook
from navbook.errors import SettingsInvalid
from navbook.runner import explain, simulate
from stores import configured, keep, rebuilt
from worlds import World, at, only

SHARE = '[benchmark]\nrebalance = "never"\nwithdrawal = "share"\n'



def books(folder: Path, more: str = ""):
    """A benchmark of 10,000 (0.1 BTC and 2 ETH) and an account that has grown to 20,000."""
    config, world = configured(folder, more=more), World()
    world.snapshot(at(0), {"USDT": 10_000})
    world.snapshot(at(1), {"USDT": 20_000})
    keep(config, world)
    rebuilt(config)
    return config


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("asset", "amount", "more", "bitcoin", "ether"), [
    pytest.param("USDT", "5000", "", "0.15", "3", id="a deposit buys half and half"),
    pytest.param("btc", "0.1", "", "0.15", "3", id="in bitcoin"),
    pytest.param("USDT", "-2000", "", "0.08", "1.6", id="A34: a withdrawal takes its part"),
    pytest.param("USDT", "-2000", SHARE, "0.09", "1.8", id="or the account's share"),
    pytest.param("USDT", "-30000", "", "0", "0", id="A35: more than there is leaves nothing"),
])
def test_a69_units_before_and_after(tmp_path, asset, amount, more, bitcoin, ether):
    config = books(tmp_path, more)
    before = files(tmp_path)
    units = simulate.simulate(config, "main", asset, amount).units
    assert only(units, asset="BTC")["units_before"] == Decimal("0.1")
    assert (only(units, asset="BTC")["units_after"], only(units, asset="ETH")["units_after"]) == (Decimal(bitcoin), Decimal(ether))
    assert files(tmp_path) == before


@pytest.mark.parametrize(("asset", "amount", "told"), [
    ("XRP", "5", "holds no price of XRP; say one with --price"), ("BTC", "0", "An amount of 0 changes nothing"),
    ("BTC", "much", "'much' is not an amount; write it like 1234.56")])
def test_what_cannot_be_simulated(tmp_path, asset, amount, told):
    config = books(tmp_path)
    with pytest.raises(SettingsInvalid, match=told):
        simulate.simulate(config, "main", asset, amount)
    assert "= 10.00 USD" in simulate.simulate(config, "main", "XRP", "5", price="2").said


def test_a_group_is_simulated_too_and_other_legs_only_after_a_rebuild(tmp_path):
    config = books(tmp_path, '[groups.all_of_it]\naccounts = ["main"]\n[benchmark]\nrebalance = "never"\n')
    assert "in all_of_it" in simulate.simulate(config, "all_of_it", "USDT", "5000", time="2026-03-02T03:00+02:00").said
    other = config.model_copy(update={"benchmark": config.benchmark.model_copy(update={"weights": {"BTC": 0.5, "SOL": 0.5}})})
    with pytest.raises(explain.TablesStale, match="names other assets for the benchmark of main"):
        simulate.simulate(other, "main", "USDT", "5000")


def test_the_command_line_takes_an_amount_below_zero(tmp_path):
    books(tmp_path)
    result = navbook("flows", "simulate", "--account", "main", "--asset", "USDT", "--amount", "-2000", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == (
        "-2000 USDT at 1.00 = -2,000.00 USD in main, at the snapshot of 2026-03-02 01:00:00 UTC: the benchmark is worth "
        "10,000.00 USD before and 8,000.00 USD after. Nothing is written.")

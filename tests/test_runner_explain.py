"""`navbook explain`: the arithmetic that is shown is the arithmetic that was done."""

from __future__ import annotations

import random
import re
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from commands import navbook, sentence
from navbook import schemas
from navbook.errors import SettingsInvalid
from navbook.runner import explain
from navbook.runner.arithmetic import to_the_cent
from navbook.runner.explain import TablesStale
from navbook.store import rewrite, tables
from navbook.types import FlowKind
from stores import configured, copied, keep, rebuilt
from worlds import START, World, at, only

NUMBER = r"([\d,]+\.?\d*(?:e-\d+)?)"


class Moving(World):
    """Prices that wander, the same each time."""

    def price(self, symbol: str, time: datetime) -> Decimal:
        hour = int((time - START).total_seconds() // 3600)
        moved = Decimal(random.Random(f"{symbol}{hour}").randrange(9100, 10_900)) / 10_000
        return (Decimal(self.prices[symbol]) * moved).quantize(Decimal("0.01"))


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """Five weeks with a deposit, one of another asset, a withdrawal, and a rebalance each Monday noon."""
    folder = tmp_path_factory.mktemp("owner")
    config = configured(folder, more='[benchmark]\nrebalance = { weekday = 0, hour = 12 }\n')
    world = Moving()
    for day in range(36):
        world.snapshot(at(24 * day), {"USDT": 10_000 + 37 * day})
    world.flow(at(30), 5000, flow_id="d1")
    world.flow(at(250), "0.1", "BTC", flow_id="d2")
    world.flow(at(400), 3000, flow_id="w1", kind=FlowKind.WITHDRAWAL, fee="1")
    world.flow(at(-9), 10, flow_id="early")
    world.flow(at(36 * 24), 10, flow_id="late")
    world.rebalances(at(12) + timedelta(weeks=week) for week in range(6))
    keep(config, world)
    rebuilt(config)
    return folder


@pytest.fixture
def config(owner, tmp_path):
    return copied(owner, tmp_path)


def shown(config, time="now", last=None):
    return list(explain.value_lines(config, explain.moment(config, "main", time), last))


def events_of(lines):
    return [line for line in lines if re.match(r"\d+\. ", line)]


def number(text):
    return float(text.replace(",", ""))


def assert_adds_up(lines, stored):
    """Units x price is the dollars beside it, to the cent, and these make the stored value."""
    legs = [re.search(rf"(?:BTC|ETH) +{NUMBER} x {NUMBER} = {NUMBER} USD", line).groups() for line in lines[-3:-1]]
    for units, price, dollars in legs:
        assert number(units) * number(price) == pytest.approx(number(dollars), abs=0.0151)
    together = number(re.search(rf"together {NUMBER} USD", lines[-1])[1])
    assert together == round(sum(number(dollars) for *_, dollars in legs), 2) == round(stored, 2)


def replayed(lines):
    """Units of each leg, worked out anew from what the lines say, in their order."""
    units = {}
    for line in lines:
        if found := re.search(rf"^     (BTC|ETH) +{NUMBER} x {NUMBER} = {NUMBER}$", line):
            leg, before, kept, after = found.groups()
            assert units[leg] == pytest.approx(number(before), rel=1e-10)
            units[leg] = number(before) * number(kept)
        elif found := re.search(rf"^     (BTC|ETH) +(?:{NUMBER} \+ )?[\d.]+% = {NUMBER} USD / {NUMBER} = {NUMBER}", line):
            leg, before, dollars, price, after = found.groups()
            assert before is None or units[leg] == pytest.approx(number(before), rel=1e-10)
            units[leg] = number(after)
            assert number(after) == pytest.approx((number(before) if before else 0) + number(dollars) / number(price), rel=1e-5)
    return units


def test_every_value_is_explained_to_the_cent(config):
    """N1, A42: for each stored value, what is shown comes to it."""
    stored = tables.read(config.location, schemas.BENCHMARK_VALUES)
    for time, value in stored.select("time", "value").iter_rows():
        assert_adds_up(shown(config, time.isoformat()), value)


def test_each_event_follows_from_the_one_before(config):
    lines = shown(config)
    last = explain.moment(config, "main")
    assert replayed(lines) == pytest.approx(last.units, rel=1e-9)
    assert [re.search(r"UTC  (\w+)", line)[1] for line in events_of(lines)] == [
        "start", "rebalance", "deposit", "rebalance", "deposit", "rebalance", "withdrawal", "rebalance", "rebalance"]
    assert any("deposit:d2, 0.1 BTC at " in line and "(BTC/USDT)" in line for line in lines)


def test_a_long_history_is_summed_up_and_its_arithmetic_stays_whole(config):
    lines = shown(config, last=2)
    summary = next(line for line in lines if line.startswith("… up to"))
    assert re.fullmatch(r"… up to 2026-03-18 16:00:00 UTC: 2 deposits of [\d,.]+ USD, 3 rebalances, 1 withdrawal of "
                        r"3,001.00 USD \(--all shows each\)", summary), summary
    events = events_of(lines)
    assert [event.split(".")[0] for event in events] == ["0", "7", "8"]
    left = [re.search(rf"(?:BTC|ETH) +{NUMBER} at", line)[1] for line in lines[lines.index(summary) + 1:][:2]]
    bought = lines[lines.index(events[1]) + 1:][:2]
    assert all(line.endswith(f"before {units}") for units, line in zip(left, bought, strict=True))
    assert_adds_up(lines, explain.moment(config, "main").value)


def test_a_time_between_two_snapshots_is_answered_by_the_one_before(config):
    assert explain.moment(config, "main", "2026-03-03T17:00").time == at(24)


@pytest.mark.parametrize(("ask", "error", "told"), [
    pytest.param(lambda c: explain.moment(c, "nobody"), SettingsInvalid, "There is no account nobody", id="no account"),
    pytest.param(lambda c: explain.moment(c, "main", benchmark="gold"), SettingsInvalid, "no benchmark gold; there are own", id="no benchmark"),
    pytest.param(lambda c: explain.moment(c, "main", "2026-03-01"), SettingsInvalid, "begins at 2026-03-02 00:00:00 UTC", id="too early"),
    pytest.param(lambda c: list(explain.flow_lines(c, "deposit:early")), SettingsInvalid, "changed no benchmark of main: before the start", id="an early flow"),
    pytest.param(lambda c: list(explain.flow_lines(c, "deposit:late")), SettingsInvalid, "later than the last counted snapshot", id="a late flow"),
    pytest.param(lambda c: list(explain.flow_lines(c, "deposit:d8")), SettingsInvalid, "the nearest are", id="no flow"),
])
def test_what_cannot_be_explained(config, ask, error, told):
    with pytest.raises(error, match=told):
        ask(config)


def test_tables_that_do_not_answer_for_the_facts(config, tmp_path):
    world = Moving()
    world.snapshot(at(37 * 24), {"USDT": 1})
    tables.append(config.location, schemas.SNAPSHOTS, world.facts().snapshots)
    with pytest.raises(TablesStale, match="end at 2026-04-06 00:00:00 UTC, and there is a snapshot of 2026-04-08"):
        explain.moment(config, "main")
    assert explain.moment(config, "main", "2026-04-06").time == at(35 * 24)    # the past is still answered
    values = tables.read(config.location, schemas.BENCHMARK_VALUES)
    rewrite.replace(config.location, schemas.BENCHMARK_VALUES, values.with_columns(pl.col("value") + 0.02))
    with pytest.raises(TablesStale, match="but its units come to"):
        explain.moment(config, "main", "2026-04-06")


def test_there_is_nothing_to_explain_yet(tmp_path):
    with pytest.raises(TablesStale, match="There is no benchmark of main yet; navbook collect, then run navbook benchmark"):
        explain.moment(configured(tmp_path), "main")


def test_what_a_deposit_bought_and_is_worth_now(config):
    lines = list(explain.flow_lines(config, "deposit:d2"))
    journal = tables.read(config.location, schemas.BENCHMARK_JOURNAL).filter(fact="deposit:d2")
    bought = only(journal, asset="BTC")
    assert f"{bought['units_after'] - bought['units_before']:.12g} at" in lines[3]
    now = explain.moment(config, "main").value
    share = float(re.search(r"([\d.]+)% now", lines[5])[1]) / 100
    assert number(re.search(rf"worth {NUMBER} USD", lines[6])[1]) == pytest.approx(share * now, rel=1e-3)
    assert "3 rebalances, 1 withdrawal" in lines[5]


@pytest.mark.parametrize(("parts", "cents"), [
    pytest.param({"a": 2.125, "b": 1.125}, {"a": 2.13, "b": 1.12}, id="two halves of a cent"),
    pytest.param({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, {"a": 0.34, "b": 0.33, "c": 0.33}, id="thirds"),
    pytest.param({"a": 0.0, "b": 0.0}, {"a": 0.0, "b": 0.0}, id="nothing"),
])
def test_parts_in_cents_add_up(parts, cents):
    assert to_the_cent(parts, sum(parts.values())) == cents


def test_the_command_line(config, tmp_path):
    result = navbook("explain", "main", "2026-03-05", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    stored = only(tables.read(config.location, schemas.BENCHMARK_VALUES), time=at(72))["value"]
    assert_adds_up(result.stdout.splitlines(), stored)
    assert "navbook explain ACCOUNT [TIME]" in sentence(navbook("explain", folder=tmp_path))


def test_a_groups_benchmark_is_explained_like_an_accounts(tmp_path):
    config = configured(tmp_path, "main", "sub", more='[groups.family]\naccounts = ["main", "sub"]\n')
    world = World(accounts=("main", "sub"))
    for hour in (0, 4):
        world.snapshot(at(hour), {"USDT": 10_000})
        world.snapshot(at(hour), {"USDT": 5000}, account="sub")
    world.flow(at(1), 3000, flow_id="d1", account="sub")
    keep(config, world)
    rebuilt(config)
    lines = list(explain.value_lines(config, explain.moment(config, "family"), None))
    assert_adds_up(lines, 18_000)
    assert any("deposit of 3,000.00 USD: sub/deposit:d1" in line for line in lines)

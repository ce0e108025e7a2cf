"""Each check finds its own trouble, says what to do, and no other check is disturbed by it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake
from typer.testing import CliRunner

from navbook import schemas
from navbook.cli import app
from navbook.runner import check, commands, overview, views
from navbook.runner.finding import Finding, State
from navbook.store import rewrite, tables
from navbook.types import Environment
from stores import configured, copied, grown, rebuilt, table
from worlds import World, at, calm

NOW = at(4)


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """The world's store, made once; each test has a copy to change."""
    folder = tmp_path_factory.mktemp("owner")
    grown(configured(folder), calm({"USDT": 1000}))
    return folder


@pytest.fixture
def config(owner, tmp_path):
    return copied(owner, tmp_path)


def troubles(config, now=NOW) -> dict[str, Finding]:
    return {name: found for name, found in check.findings(config, now).items() if found.state is not State.OK}


def only_trouble(config, name: str, now=NOW) -> Finding:
    found = troubles(config, now)
    assert list(found) == [name], found
    return found[name]


def test_a75_when_all_is_well_every_check_says_so(config):
    found = check.findings(config)
    assert list(found) == ["environment", "versions", "exchange", "keys", "store", "snapshots", "answers", "grades", "flows",
                           "quarantine", "reconciliation", "runs", "alerting", "locks", "disk", "backup"]
    assert {finding.state for finding in found.values()} == {State.OK}
    assert all(finding.sentence and not finding.next_step for finding in found.values())


def test_quarantined_rows_are_listed_with_endpoint_reason_and_time(config):
    tables.append(config.location, schemas.QUARANTINE, schemas.QUARANTINE.rows([
        {"account": "main", "endpoint": "GET /sapi/v1/pay/transactions", "id": f"{number:02}", "time": at(number),
         "reason": "no amount\x1b[2J" if number else "no time", "body": "{}", "seen_at": at(number)} for number in range(12)]))
    found = only_trouble(config, "quarantine")
    assert (found.state, len(found.lines)) == (State.WARN, 12)
    assert found.lines[-1] == "main: 2026-03-02 00:00 UTC GET /sapi/v1/pay/transactions: no time"
    shown = check.text("quarantine", found)
    assert shown.endswith("and 2 more")
    assert "\x1b" not in shown, "what came from outside commands no terminal"


def test_a_row_that_could_be_read_since_is_no_trouble_any_more(config):
    row = {"account": "main", "endpoint": "GET /sapi/v1/pay/transactions", "id": "1", "time": at(0), "body": "{}"}
    for number, reason in enumerate(("no time", None)):
        tables.append(config.location, schemas.QUARANTINE, schemas.QUARANTINE.rows([
            row | {"reason": reason, "seen_at": at(number)}]))
        assert ("quarantine" in troubles(config)) == (reason is not None)
        assert overview.operations(config).quarantine.height == (reason is not None)


def test_what_navbook_toml_names_no_more_is_in_no_sum_and_no_check(tmp_path):
    world = World(accounts=("main", "gone"))
    for account in world.accounts:
        for hour in (0, 1):
            world.snapshot(at(hour), {"USDT": 1000}, account=account, grade="complete" if account == "main" else "incomplete")
    grown(configured(tmp_path, *world.accounts), world)
    config = configured(tmp_path)
    assert views.names(config) == views.site(config).names == ["main"]
    assert troubles(config, at(1)) == {}
    assert "gone" not in commands.summary(config, "collect", "all")


def test_a_job_that_failed_is_told_once_with_its_reason(config):
    tables.append(config.location, schemas.RUNS, schemas.RUNS.rows([dict.fromkeys(schemas.RUNS.columns) | {
        "run": "1", "job": "collect", "account": "all", "status": "failed", "reason": "no answer.", "started_at": at(0),
        "ended_at": at(0), "seen_at": at(0)}]))
    found = only_trouble(config, "runs")
    assert (found.state, found.sentence) == (State.FAIL, "The last collect failed: no answer.")
    assert [want.what for want in overview.operations(config).wants] == [found.sentence]


def test_flows_without_a_price_are_named_so_that_one_can_be_given(config):
    world = calm({"USDT": 1000})
    world.flow(at(2.5), 3, "NOCOIN", flow_id="x")
    world.flow(at(-5), 3, "NOCOIN", flow_id="before the first snapshot: it never counts")
    grown(config, world)
    found = only_trouble(config, "flows")
    assert found.lines == ("main: 2026-03-02 02:30 UTC +3 NOCOIN deposit:x",)
    assert "navbook flows price SOURCE:ID USD" in found.next_step


@pytest.mark.parametrize(("grade", "state"), [("incomplete", State.FAIL), ("provisional", State.WARN)])
def test_only_the_newest_grade_is_a_trouble(config, grade, state):
    history = table(config, "nav_history")
    for place, trouble in ((3, True), (2, False)):
        poor = pl.when(pl.int_range(4) == place).then(pl.lit(grade)).otherwise("grade").alias("grade")
        rewrite.replace(config.location, schemas.NAV_HISTORY, history.with_columns(poor, reason=pl.lit("spot failed")))
        assert f"1 {grade}" in check.findings(config, at(4))["grades"].sentence
        assert bool(troubles(config)) is trouble
        if trouble:
            found = only_trouble(config, "grades")
            assert (found.state, found.lines) == (state, (f"main: 2026-03-02 03:00 UTC is {grade}: spot failed",))


def test_wallets_that_the_exchange_has_otherwise_are_listed(config):
    row = dict.fromkeys(schemas.RECONCILIATION.columns) | {"account": "main", "within": False, "residual_usd": -12.5}
    rewrite.replace(config.location, schemas.RECONCILIATION, schemas.RECONCILIATION.rows([
        row | {"time": at(2), "wallet": "funding"}, row | {"time": at(3), "wallet": "spot"},
        row | {"time": at(3), "wallet": "other", "within": None}]))
    assert only_trouble(config, "reconciliation").lines == ("main: spot -12.50 USD",)


def test_figures_older_than_the_snapshots_are_told(config):
    late = World()
    late.snapshot(at(4), {"USDT": 1})
    tables.append(config.location, schemas.SNAPSHOTS, late.facts().snapshots)
    found = only_trouble(config, "answers")
    assert (found.sentence, found.next_step) == ("The figures of main are older than the snapshots.", "Run navbook benchmark.")
    rebuilt(config)
    assert troubles(config) == {}


@pytest.mark.parametrize(("hours", "late"), [(2.5, False), (2.6, True)])
def test_an_account_is_late_after_two_and_a_half_usual_distances(config, hours, late):
    config = config.model_copy(update={"environment": Environment.LIVE})
    grown(config, calm({"USDT": 1000}))
    now = at(3) + timedelta(hours=hours)
    assert ("snapshots" in troubles(config, now)) is late
    (line,) = check.findings(config, now)["snapshots"].lines
    assert line.startswith("main: 2026-03-02 03:00:00 UTC, 2 h ago")
    assert line.endswith("late") is late


def test_the_sandboxs_clock_may_be_any(config):
    assert troubles(config, at(9999)) == {}
    assert troubles(config, at(-9999)) == {}


def test_an_account_that_was_never_collected_is_told(tmp_path):
    world = calm({"USDT": 1000})
    world.accounts = ("main", "sub")
    config = configured(tmp_path, *world.accounts)
    assert only_trouble(config, "snapshots").sentence == "Two accounts not collected lately."
    world.accounts = ("main",)
    grown(config, world)
    found = only_trouble(config, "snapshots")
    assert found.lines[-1] == "sub: never collected"
    assert found.next_step == "Run navbook collect."


def test_a_damaged_table_is_found_and_the_other_checks_go_on(config):
    Path(tables.files(config.location, schemas.FLOW_VALUES)[0]).write_bytes(b"PAR1 no more")
    found = troubles(config)
    assert list(found) == ["store", "flows"]
    assert all(finding.state is State.FAIL for finding in found.values())
    assert "The table flow_values of" in found["flows"].sentence
    assert "The table flow_values of" in found["store"].lines[0]


def test_a_table_of_another_schema_is_found(config):
    write_deltalake(tables.uri(config.location, schemas.TRANSFERS), pl.DataFrame({"account": ["main"], "amount": [1.5]}))
    found = only_trouble(config, "store")
    assert found.lines == ("The table transfers has another schema: amount is Float64, not Decimal(precision=38, scale=18).",)


def test_the_command_exits_0_only_when_all_is_well(config, tmp_path):
    told = CliRunner().invoke(app, ["check", "--config", str(config.file)])
    assert told.exit_code == 0, told.output
    assert [line.split()[0] for line in told.output.splitlines() if not line.startswith(" ")] == ["ok"] * 16
    (tmp_path / "empty").mkdir()
    told = CliRunner().invoke(app, ["check", "--json", "--config", str(configured(tmp_path / "empty").file)])
    assert told.exit_code == 1
    assert json.loads(told.output)["snapshots"]["state"] == "warn"

"""`navbook fees`: what fell due, what people record of it, and that nothing is paid twice."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import polars as pl
import pytest

from commands import navbook, sentence
from navbook import schemas, settings
from navbook.compute import fees as compute_fees
from navbook.errors import Locked, SettingsInvalid
from navbook.runner import fee_payments, fees, locks, printing
from navbook.runner.fee_payments import Payment
from navbook.store import rewrite, tables
from navbook.types import FeeAction, FlowKind
from stores import configured, copied, keep, rebuilt
from worlds import World, at, only

RATES = "[fees]\nday = 1\n[accounts.main]\nfee_rate = 0.2\n[accounts.sub]\nfee_rate = 0.1\n"


def world() -> World:
    """March gains 1,000 and owes 200, paid on 2 April; April gains 1,200 and owes 240; May runs. `sub` stands still."""
    world = World(accounts=("main", "sub"))
    for days, cash in ((0, 10_000), (29, 11_000), (34, 10_800), (58, 12_000), (61, 12_000)):
        world.snapshot(at(days=days), {"USDT": cash})
        world.snapshot(at(days=days), {"USDT": 100}, account="sub")
    world.flow(at(days=31), 200, kind=FlowKind.FEE_WITHDRAWAL, source="withdrawal", flow_id="w7", tx_id="0xfee")
    return world


def worked_out(config) -> None:
    """What `navbook benchmark` writes of fees."""
    rebuilt(config)
    history, flows = (tables.read(config.location, schema) for schema in (schemas.NAV_HISTORY, schemas.FLOW_VALUES))
    payments = tables.read(config.location, schemas.FEE_PAYMENTS)
    rows = [compute_fees.fees(account, history.filter(pl.col("account") == account),
                              flows.filter(pl.col("account") == account).with_columns(unpriced=False),
                              payments.filter(pl.col("account") == account), fees.rates(config)[account],
                              fees.schedule(config)) for account in ("main", "sub")]
    rewrite.replace(config.location, schemas.FEES, pl.concat(rows))


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """A store with all of it, made once; each test has a copy."""
    folder = tmp_path_factory.mktemp("owner")
    (folder / "navbook.toml").write_text('[benchmark]\nrebalance = "never"\n' + RATES)
    config = settings.load(folder / "navbook.toml")
    keep(config, world())
    worked_out(config)
    return folder


@pytest.fixture
def config(owner, tmp_path):
    return copied(owner, tmp_path)


def record(config, action="COLLECTED", period="2026-03", account="main", dry_run=False, **more):
    more = {"tx_id": "0xfee"} | more if action == "COLLECTED" else more
    return fee_payments.record(config, Payment(account=account, period=period, action=FeeAction(action), **more),
                               dry_run=dry_run)


def row(config, period="2026-03", account="main"):
    return only(tables.read(config.location, schemas.FEES), account=account, period=period)    # as SQL sees it


def facts(config):
    return tables.versions(config.location)


def test_a51_a_fee_is_collected_once(config):
    done = record(config)
    assert done == ("p1: 200 USD of main 2026-03 collected with transaction 0xfee; 0.00 USD pending. "
                    "navbook fees undo p1 takes it back.")
    assert (row(config)["collected_usd"], row(config)["pending_usd"]) == (200, pytest.approx(0, abs=1e-9))
    entry = only(fees.entries(config))
    assert (entry["amount_usd"], entry["rate"], entry["time"]) == (Decimal(200), 0.2, at(days=31))    # the withdrawal's
    before = facts(config)
    with pytest.raises(SettingsInvalid, match=r"Nothing is pending for main 2026-03; navbook fees adjust"):
        record(config)
    with pytest.raises(SettingsInvalid, match="Nothing is pending"):
        record(config, "WAIVED")
    assert facts(config) == before


def test_a51_the_table_after_a_payment_is_the_one_that_a_rebuild_writes(config):
    record(config, amount="150.25")
    record(config, "WAIVED", amount="9.75")
    at_once = tables.stored_hash(config.location, schemas.FEES)
    worked_out(config)
    assert tables.stored_hash(config.location, schemas.FEES) == at_once
    assert row(config)["pending_usd"] == pytest.approx(40)


def test_a51_one_transaction_is_recorded_once_for_a_period_but_may_pay_two(config):
    record(config, amount="150")
    with pytest.raises(SettingsInvalid, match="p1 says already that transaction 0xfee is of main 2026-03"):
        record(config, amount="50")
    assert record(config, period="2026-04", amount="50").startswith("p2: 50 USD of main 2026-04 collected")


def test_undoing_brings_back_what_was_pending(config):
    record(config)
    assert fee_payments.undo(config, "p1", dry_run=True).startswith("Dry run, nothing is written: 200 USD of main")
    assert fee_payments.undo(config, "p1") == "p1 is revoked: 200 USD of main 2026-03 collected with transaction 0xfee."
    assert row(config)["pending_usd"] == pytest.approx(200)
    assert only(fees.entries(config))["revoked"]
    with pytest.raises(SettingsInvalid, match="p1 was revoked before"):
        fee_payments.undo(config, "p1")
    with pytest.raises(SettingsInvalid, match="There is no entry p9; navbook fees entries lists them"):
        fee_payments.undo(config, "p9")
    assert record(config).startswith("p2: ")    # a revoked entry keeps its name


@pytest.mark.parametrize(("payment", "says"), [
    pytest.param({"amount": "200.01"}, "main 2026-03 has 200.00 USD pending, not 200.01; give that or less", id="too much"),
    pytest.param({"amount": "0"}, "must be above 0, not 0", id="nothing"),
    pytest.param({"amount": "-5"}, "must be above 0, not -5", id="less than nothing"),
    pytest.param({"amount": "ten"}, "is not an amount; write it like 1234.56", id="no number"),
    pytest.param({"amount": "nan"}, "is not an amount", id="not a number"),
    pytest.param({"account": "nobody"}, "There is no account nobody in .*; there are main, sub", id="account"),
    pytest.param({"account": "all"}, "A payment is of one account", id="all accounts"),
    pytest.param({"period": "2026-13"}, "main has no fee period 2026-13; it has 2026-03 to 2026-05", id="period"),
    pytest.param({"period": "2026-05"}, "main 2026-05 is running; its fee falls due on 2026-06-01 00:00 UTC", id="running"),
    pytest.param({"account": "sub"}, r"Nothing is pending for sub 2026-03 \(not above the mark\)", id="no fee"),
    pytest.param({"tx_id": " "}, "A transaction's id is 1 to 255 printable letters", id="no transaction"),
    pytest.param({"tx_id": "a\x1b[2J"}, "printable letters", id="a terminal's commands"),
    pytest.param({"action": "ADJUSTED", "amount": "0"}, "needs an --amount other than 0", id="no correction"),
])
def test_what_cannot_be_is_refused_in_a_sentence(config, payment, says):
    before = facts(config)
    with pytest.raises(SettingsInvalid, match=says):
        record(config, **payment)
    assert facts(config) == before


def test_a51_a_correction_may_be_less_or_more_and_makes_room(config):
    record(config, "ADJUSTED", amount="12.345678", note="agreed on the phone")
    record(config, amount="212.345678")
    assert row(config)["pending_usd"] == pytest.approx(0, abs=1e-9)
    record(config, "ADJUSTED", amount="-20")
    assert row(config)["pending_usd"] == pytest.approx(-20)
    assert only(fees.due(config).filter(pl.col("period") == "2026-03"))["pending_usd"] == pytest.approx(-20)
    assert fees.entries(config)["amount_usd"].to_list() == [Decimal("12.345678"), Decimal("212.345678"), Decimal(-20)]


def test_a50_a_dry_run_writes_nothing(config):
    before, files = facts(config), sorted(config.base.rglob("*"))
    assert record(config, dry_run=True) == ("Dry run, nothing is written: 200 USD of main 2026-03 collected with "
                                            "transaction 0xfee.")
    fees.due(config), fees.summary(config), fees.configuration(config), fees.hints(config)
    assert (facts(config), sorted(config.base.rglob("*"))) == (before, files)


def test_a50_list_by_month_and_the_last_ones(config):
    assert fees.listed(config)["period"].to_list() == ["2026-03", "2026-04", "2026-05"] * 2
    assert fees.listed(config, "main", last=2)["period"].to_list() == ["2026-04", "2026-05"]
    assert fees.listed(config, month="2026-04").select("account", "period").rows() == [("main", "2026-04"), ("sub", "2026-04")]
    assert fees.listed(config, month="2027-01").is_empty()


def test_what_is_due_and_how_to_record_what_was_paid(config):
    """A fee withdrawal that no payment names comes with the command that records it."""
    assert fees.shown(fees.due(config)).select("account", "period", "pending_usd").rows() == [
        ("main", "2026-03", Decimal("200.00")), ("main", "2026-04", Decimal("240.00"))]
    assert fees.hints(config) == [
        "main: withdrawal:w7 of 2026-04-02 (200.00 USD) is a fee withdrawal that no payment names: "
        "navbook fees collect main 2026-03 --tx 0xfee --amount 200.00"]
    record(config, amount="200.00")
    assert (fees.hints(config), fees.due(config)["period"].to_list()) == ([], ["2026-04"])


def test_a_withdrawal_may_be_named_by_its_flow(config):
    record(config, tx_id="withdrawal:w7")
    assert fees.hints(config) == []


def test_a52_collecting_leaves_the_account_at_its_mark(config):
    assert only(fees.summary(config), account="main")["above_mark"] == pytest.approx(0)
    april = only(fees.listed(config), account="main", period="2026-04")
    assert april["mark_before"] == pytest.approx(10_800)    # 11,000 less the 200 that were paid


def test_the_summary_adds_up(config):
    record(config, amount="150")
    record(config, "WAIVED", amount="50")
    total = only(fees.summary(config), account="main")
    assert [total[name] for name in ("fee_usd", "collected_usd", "waived_usd", "adjusted_usd", "pending_usd")] == [
        Decimal(440), Decimal(150), Decimal(50), Decimal(0), Decimal(240)]
    assert (total["nav"], total["mark"], total["not_known"]) == (Decimal(12_000), Decimal(12_000), 0)


def test_a50_show_config(config):
    assert fees.configuration(config).rows() == [("main", 0.2, "month, day 1, 00:00 UTC", at(days=91)),
                                                 ("sub", 0.1, "month, day 1, 00:00 UTC", at(days=91))]


def test_a_payment_waits_for_the_job_that_writes_the_same_table(config):
    with locks.hold(config, "benchmark"), pytest.raises(Locked, match="benchmark is already being run"):
        record(config)


def test_before_any_benchmark_there_is_nothing_to_collect(tmp_path):
    config = configured(tmp_path)
    with pytest.raises(SettingsInvalid, match="No fee periods are worked out yet; run navbook benchmark"):
        record(config)
    assert fees.due(config).is_empty()


def test_words_from_outside_stay_words_in_a_spreadsheet(config):
    record(config, tx_id="=1+1", note="@SUM(A1)")
    told = next(csv.DictReader(io.StringIO(printing.text(fees.entries(config), "csv"))))
    assert (told["tx_id"], told["note"], told["amount_usd"]) == ("'=1+1", "'@SUM(A1)", "200")


def test_the_commands(config, tmp_path):
    """A50: as a user meets them."""
    listed = navbook("fees", "list", "--account", "main", "--last", "3", folder=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "not above the mark" not in listed.stdout
    assert "running" in listed.stdout
    told = json.loads(navbook("fees", "list", "--month", "2026-03", "--format", "json", folder=tmp_path).stdout)
    assert [(line["account"], line["fee_usd"], line["reason"]) for line in told] == [
        ("main", "200", None), ("sub", "0", "not above the mark")]
    assert navbook("fees", "collect", "main", "2026-03", "--tx", "0xfee", "--dry-run",
                   folder=tmp_path).stdout.startswith("Dry run, nothing is written: 200 USD")
    done = navbook("fees", "adjust", "main", "2026-03", "--amount", "-5", "--note", "agreed", folder=tmp_path)
    assert done.stdout.startswith("p1: -5 USD of main 2026-03 added to what is due; 195.00 USD pending."), done.stderr
    due = navbook("fees", "due", folder=tmp_path).stdout
    assert "navbook fees collect main 2026-03 --tx 0xfee --amount 195.00" in due
    refused = navbook("fees", "collect", "main", "2026-03", "--tx", "0xfee", "--amount", "200", folder=tmp_path)
    assert "main 2026-03 has 195.00 USD pending, not 200" in sentence(refused)
    assert refused.returncode == 2

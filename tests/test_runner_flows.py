"""`navbook flows`: what is listed, what people say of it, and that it can be taken back."""

from __future__ import annotations

import csv
import io
import json

import polars as pl
import pytest

from commands import navbook, sentence
from navbook import schemas
from navbook.errors import SettingsInvalid
from navbook.runner import flows, manual, printing
from navbook.runner.manual import Added
from navbook.store import tables
from navbook.types import FlowKind, FlowStatus
from stores import configured, copied, keep, rebuilt
from worlds import World, at, only


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """10,000 USDT; a deposit, a withdrawal, a token that nothing prices, one under way, a flow before it all."""
    folder = tmp_path_factory.mktemp("owner")
    config, world = configured(folder), World()
    world.snapshot(at(0), {"USDT": 10_000})
    world.flow(at(-5), 100, flow_id="early")
    world.flow(at(1), 5000, flow_id="d1")
    world.flow(at(2), 400, flow_id="w1", kind=FlowKind.WITHDRAWAL, fee="1")
    world.flow(at(3), 200, "OBSCURE", flow_id="d2")
    world.flow(at(4), 70, flow_id="d3", status=FlowStatus.PENDING)
    world.snapshot(at(6), {"USDT": 14_599})
    keep(config, world)
    return folder


@pytest.fixture
def config(owner, tmp_path):
    return copied(owner, tmp_path)


def listed(config, flow):
    return only(flows.read(config).flows, flow=flow)


def said(config, entry):
    return only(manual.entries(config), entry=entry)


def opening(time, **more):
    return Added(account="main", kind="DEPOSIT", asset="btc", amount="0.25", time=time, **more)


def test_a_mark_and_its_undoing(config):
    done = manual.mark(config, "withdrawal:w1", "fee", note="for the third quarter")
    assert done.startswith("e1: withdrawal:w1 of main (-401 USDT, 2026-03-02) is a FEE_WITHDRAWAL; run navbook benchmark")
    assert listed(config, "withdrawal:w1")["kind"] == FlowKind.FEE_WITHDRAWAL
    assert listed(config, "withdrawal:w1")["value_usd"] == -401    # the fee of the withdrawal included
    assert manual.undo(config, "e1").startswith("e1 is revoked")
    assert listed(config, "withdrawal:w1")["kind"] == FlowKind.WITHDRAWAL
    assert (said(config, "e1")["revoked"], said(config, "e1")["note"]) == (True, "for the third quarter")
    assert manual.undo(config, "e1") == "e1 was revoked before; nothing is changed."


def test_ignoring_a_flow(config):
    manual.mark(config, "deposit:d1", "ignore")
    assert listed(config, "deposit:d1")["standing"] == "ignored"


def test_saying_the_same_again_writes_nothing(config):
    manual.price(config, "deposit:d2", "2.5")
    assert "nothing is written" in manual.price(config, "deposit:d2", "2.50")
    manual.price(config, "deposit:d2", "3")
    assert manual.price(config, "deposit:d2", "2.5").startswith("e3: ")    # the newest said something else
    assert listed(config, "deposit:d2")["value_usd"] == 500


def test_adding_the_same_flow_twice_is_refused_unless_there_were_two(config):
    flow = Added(account="main", kind="C2C_BUY", asset="usdt", amount="300", time="2026-03-02T05:00")
    assert manual.add(config, flow).startswith("e1: a C2C_BUY of 300 USDT at 2026-03-02 05:00:00 UTC counts in main")
    with pytest.raises(SettingsInvalid, match="e1 says this already"):
        manual.add(config, flow)
    assert manual.add(config, flow, again=True).startswith("e2: ")
    manual.undo(config, "e1")
    manual.undo(config, "e2")
    assert manual.add(config, flow).startswith("e3: ")    # what is revoked says nothing
    assert listed(config, "manual:e3")["value_usd"] == 300


def test_an_added_flow_can_be_marked_and_priced_like_any_other(config):
    manual.add(config, Added(account="main", kind="deposit", asset="OBSCURE", amount="10", time="2026-03-02T05:00"))
    manual.price(config, "manual:e1", "4")
    manual.mark(config, "manual:e1", "FIAT_DEPOSIT")
    row = listed(config, "manual:e1")
    assert (row["kind"], row["value_usd"], row["why"]) == ("FIAT_DEPOSIT", 40, "added by e1; priced by e2; marked by e3")


def test_an_opening_balance_is_older_than_the_first_snapshot(config):
    assert "counts in main" in manual.add(config, opening("2026-03-01", opening=True))
    assert said(config, "e1")["note"] == "opening balance"
    assert listed(config, "manual:e1")["standing"] == "no price"    # there is no candle of that minute
    with pytest.raises(SettingsInvalid, match="from before the first snapshot, 2026-03-02 00:00 UTC"):
        manual.add(config, opening("2026-03-02T03:00", opening=True))


@pytest.mark.parametrize(("say", "told"), [
    pytest.param(lambda c: manual.mark(c, "deposit:d11", "ignore"), "the nearest are deposit:d1", id="a slip of the pen"),
    pytest.param(lambda c: manual.mark(c, "xyz", "ignore"), "none is like it", id="nothing alike"),
    pytest.param(lambda c: manual.mark(c, "deposit:d1", "present"), "present is no kind of flow; there are fee, ignore, DEPOSIT",
                 id="no kind"),
    pytest.param(lambda c: manual.mark(c, "deposit:d1", "fee"), "deposit:d1 came in as a DEPOSIT; a FEE_WITHDRAWAL goes out",
                 id="the wrong way"),
    pytest.param(lambda c: manual.price(c, "deposit:d1", "0"), "The price must be above 0", id="no price"),
    pytest.param(lambda c: manual.price(c, "deposit:d1", "1,5"), "The price '1,5' is not an amount", id="a comma"),
    pytest.param(lambda c: manual.add(c, Added(account="main", kind="DEPOSIT", asset="BTC", amount="-1", time="2026-03-01")),
                 "The amount must be above 0", id="a negative amount"),
    pytest.param(lambda c: manual.add(c, opening("2099-01-01")), "yet to come", id="in the future"),
    pytest.param(lambda c: manual.add(c, opening("yesterday")), "'yesterday' is not a time", id="no time"),
    pytest.param(lambda c: manual.add(c, Added(account="main", kind="ignore", asset="BTC", amount="1", time="2026-03-01")),
                 "is one of DEPOSIT", id="adding nothing"),
    pytest.param(lambda c: manual.undo(c, "e7"), "There is no entry e7", id="no entry"),
    pytest.param(lambda c: flows.read(c, "nobody"), "There is no account nobody in .*; there are main", id="no account"),
])
def test_what_cannot_be_said_is_refused_in_a_sentence(config, say, told):
    with pytest.raises(SettingsInvalid, match=told):
        say(config)
    assert tables.read(config.location, schemas.MANUAL_ENTRIES).is_empty()


def test_one_name_in_two_accounts(tmp_path):
    """A30: both ends of a transfer have its number; the mark says which end is meant."""
    config, world = configured(tmp_path, "main", "sub"), World(accounts=("main", "sub"))
    world.flow(at(1), 500, kind=FlowKind.SUB_WITHDRAWAL, flow_id="t1")
    world.flow(at(1), 500, kind=FlowKind.SUB_DEPOSIT, flow_id="t1", account="sub")
    keep(config, world)
    with pytest.raises(SettingsInvalid, match="sub_transfer:t1 is a flow of main and sub; say which with --account"):
        manual.mark(config, "sub_transfer:t1", "ignore")
    manual.mark(config, "sub_transfer:t1", "ignore", account="sub")
    assert only(flows.read(config).flows, account="sub")["standing"] == "ignored"
    assert only(flows.read(config).flows, account="main")["standing"] == "counted"


def test_words_from_outside_run_nothing(tmp_path):
    config, world = configured(tmp_path), World()
    world.flow(at(1), 5, flow_id="=cmd|' /C calc'!A0")
    world.flow_rows[0] = (*world.flow_rows[0][:12], "@SUM(1)", "\x1b[2J-1+1", at(1))
    keep(config, world)
    shown = flows.read(config).flows
    row = next(csv.DictReader(io.StringIO(printing.text(shown, "csv"))))
    assert (row["flow"], row["note"], row["quantity"]) == ("deposit:=cmd|' /C calc'!A0", "'@SUM(1): \x1b[2J-1+1", "5")
    assert "\x1b" not in printing.text(shown, "table")
    assert json.loads(printing.text(shown, "json"))[0]["note"] == "@SUM(1): \x1b[2J-1+1"


@pytest.mark.parametrize(("amount", "shown"), [("100", "100"), ("0.50", "0.5"), ("-7", "-7"), ("0", "0"), ("1e-18", "0.000000000000000001")])
def test_amounts_are_exact_and_have_no_idle_zeros(amount, shown):
    frame = pl.DataFrame({"amount": [amount]}).with_columns(pl.col("amount").cast(pl.Float64).cast(pl.Decimal(38, 18)))
    assert printing.text(frame, "csv") == f"amount\n{shown}\n"


def journal_of(config, flow):
    """When `flow` came into the benchmark, and with how many dollars."""
    rebuilt(config)
    journal = tables.read(config.location, schemas.BENCHMARK_JOURNAL).filter(fact=flow)
    return journal.select("time", "flow_usd").unique().rows()


def test_a68_a_flow_comes_into_the_benchmark_at_its_own_time_once_its_price_is_there(config, tmp_path):
    """By hand, on the command line: stored as without a price, priced later, worked into the past by the next rebuild."""
    assert journal_of(config, "deposit:d2") == []
    result = navbook("flows", "price", "deposit:d2", "2.5", folder=tmp_path)
    assert result.stdout.startswith("e1: deposit:d2 of main (200 OBSCURE, 2026-03-02) is worth 500.00 USD"), result.stderr
    assert navbook("benchmark", "--no-notebook", folder=tmp_path).returncode == 0
    assert journal_of(config, "deposit:d2") == [(at(3), 500.0)]
    manual.undo(config, "e1")
    assert journal_of(config, "deposit:d2") == []


def test_a68_a_candle_that_comes_later_does_the_same(tmp_path):
    config, world = configured(tmp_path), World()
    world.snapshot(at(0), {"USDT": 10_000})
    world.flow(at(1), 2, "SOL", flow_id="d1")
    world.snapshot(at(2), {"USDT": 10_000})
    keep(config, world)
    assert journal_of(config, "deposit:d1") == []
    world.prices = {**world.prices, "SOLUSDT": "150"}
    world.candle_before(at(1))
    keep(config, world)
    assert journal_of(config, "deposit:d1") == [(at(1), 300.0)]


def test_marks_and_additions_reach_the_benchmark(config):
    """A25: a withdrawal that is a fee stays a withdrawal; one that is none leaves the benchmark as it was."""
    manual.mark(config, "withdrawal:w1", "fee")
    manual.mark(config, "deposit:d1", "ignore")
    said = manual.add(config, Added(account="main", kind="DEPOSIT", asset="USDT", amount="300", time="2026-03-02T05:00"))
    assert "navbook collect fetches the prices of its minute, navbook benchmark works it in" in said
    fetched = World()
    fetched.candle_before(at(5))
    tables.append(config.location, schemas.CANDLES, fetched.facts().candles)
    assert journal_of(config, "withdrawal:w1") == [(at(2), -401.0)]
    assert journal_of(config, "deposit:d1") == []
    assert journal_of(config, "manual:e3") == [(at(5), 300.0)]
    values = tables.read(config.location, schemas.FLOW_VALUES)
    assert only(values, id="w1")["kind"] == FlowKind.FEE_WITHDRAWAL


def test_the_command_line(config, tmp_path):
    result = navbook("flows", "list", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "deposit:d1" in result.stdout
    assert "deposit:d3" not in result.stdout
    assert result.stdout.splitlines()[-2:] == [
        "1 without a price: navbook flows price SOURCE:ID USD gives one.", "Not counted: 1 pending; --all lists them."]
    done = navbook("flows", "add", "--account", "main", "--asset", "ETH", "--amount", "2", "--time", "2026-03-02T03:00",
                   "--price", "2400", "--kind", "WITHDRAWAL", folder=tmp_path)
    assert done.stdout.startswith("e1: a WITHDRAWAL of 2 ETH at 2026-03-02 03:00:00 UTC counts in main"), done.stderr
    rows = json.loads(navbook("flows", "list", "--all", "--format", "json", folder=tmp_path).stdout)
    assert next(row for row in rows if row["flow"] == "manual:e1")["value_usd"] == -4800
    assert "the nearest are" in sentence(navbook("flows", "mark", "deposit:d9", "--as", "fee", folder=tmp_path))

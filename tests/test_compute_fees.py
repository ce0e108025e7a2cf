"""Performance fees: the mark that follows flows, when a fee falls due, what was paid. DESIGN "Fees"."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navbook import schemas
from navbook.compute import fees
from navbook.compute.fees import Schedule
from navbook.runner import rebuild
from navbook.settings import Benchmark, Settings
from navbook.types import FlowKind
from worlds import World, only

MONTHLY, DAILY, HOURLY = Schedule(), Schedule(every="day"), Schedule(every="hour")
RATE = 0.2


def day(number: int, month: int = 6, hour: int = 12, **parts: int) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC, **parts)


def history(*rows: tuple[datetime, float | None, float, float, str] | tuple[datetime, float]) -> pl.DataFrame:
    """NAV_HISTORY of (time, nav[, twr_index, benchmark_index[, grade]]); unless said ahead of a flat benchmark."""
    start = rows[0][1] or 1.0
    full = [(*row, row[1] / start, 1.0)[:4] if len(row) == 2 else row for row in rows]
    return pl.DataFrame([{"account": "main", "time": time, "nav": nav, "twr_index": twr, "benchmark_index": index,
                          "grade": grade[0] if grade else "complete"} for time, nav, twr, index, *grade in full],
                        schema=schemas.NAV_HISTORY.columns)


def flows(*rows: tuple[datetime, float | None]) -> pl.DataFrame:
    """FLOW_VALUES of (time, value in USD; None: no price), with `unpriced`."""
    return pl.DataFrame([{"account": "main", "source": "deposit", "id": f"f{number}", "time": time, "asset": "USDT",
                          "value_usd": usd, "unpriced": usd is None} for number, (time, usd) in enumerate(rows)],
                        schema={**schemas.FLOW_VALUES.columns, "unpriced": pl.Boolean()})


def payment(period: str, action: str, amount: str, *, number: int = 1, rate: float = RATE,
            revoked: bool = False) -> tuple[object, ...]:
    time = day(5, 7)
    return ("main", f"main:{period}:{number}", period, action, time, Decimal(amount), rate, "tx", None, revoked, time)


def computed(navs: pl.DataFrame, moved: pl.DataFrame | None = None, *payments: tuple[object, ...],
             rate: float = RATE, schedule: Schedule = MONTHLY) -> pl.DataFrame:
    return fees.fees("main", navs, flows() if moved is None else moved, schemas.FEE_PAYMENTS.rows(list(payments)),
                     rate, schedule)


TWO_MONTHS = ((day(1), 10_000.0), (day(1, 7), 11_000.0))


# --- the truth table, and what may set a fee

@pytest.mark.parametrize(("nav", "twr", "benchmark", "fee", "reason"), [
    pytest.param(11_000, 1.1, 1.05, 200, None, id="above the mark and ahead"),
    pytest.param(11_000, 1.1, 1.15, 0, "not ahead of the benchmark", id="above the mark, behind"),
    pytest.param(9_000, 0.9, 0.85, 0, "not above the mark", id="below the mark, ahead"),
    pytest.param(9_000, 0.9, 0.95, 0, "not above the mark", id="below the mark and behind"),
    pytest.param(10_000, 1.0, 0.95, 0, "not above the mark", id="at the mark"),
    pytest.param(11_000, 1.1, 1.1, 0, "not ahead of the benchmark", id="level with the benchmark"),
])
def test_a48_a_fee_needs_a_gain_above_the_mark_and_alpha(nav, twr, benchmark, fee, reason):
    row = only(computed(history((day(1), 10_000, 1, 1), (day(30), nav, twr, benchmark), (day(1, 7), nav, twr, benchmark))),
               period="2026-06")
    assert (row["fee_usd"], row["reason"]) == (pytest.approx(fee), reason)
    assert row["pending_usd"] == pytest.approx(fee)
    assert (row["mark_before"], row["mark_after"]) == (10_000, nav if fee else 10_000)
    assert row["alpha"] == pytest.approx(twr - benchmark)


def test_a48_the_rate_is_the_accounts_and_none_means_no_fee_but_the_mark_moves_alike():
    dear, free = computed(history(*TWO_MONTHS), rate=0.3), computed(history(*TWO_MONTHS), rate=0.0)
    assert dear["fee_usd"][0] == 0      # the snapshot of 1 July, 12:00, is July's
    end = history((day(1), 10_000.0), (day(1, 7, hour=0), 11_000.0))
    dear, free = computed(end, rate=0.3), computed(end, rate=0.0)
    assert (dear["fee_usd"][0], free["fee_usd"][0], free["reason"][0]) == (pytest.approx(300), 0, "the rate is 0")
    assert dear["mark_after"].to_list() == free["mark_after"].to_list() == [11_000]


@pytest.mark.parametrize("grade", ["provisional", "incomplete", "backfilled"])
def test_n11_only_a_complete_nav_sets_a_mark_or_a_fee(grade):
    """A wild figure that is not complete neither starts the mark, nor settles a period, nor moves the mark."""
    nav = None if grade == "incomplete" else 50_000.0
    row = only(computed(history((day(1, hour=1), nav, 1, 1, grade), (day(1), 10_000, 1, 1), (day(30), 10_500, 1.05, 1),
                                (day(30, hour=23), nav, 1.05, 1, grade), (day(2, 7), 10_500, 1.05, 1))), period="2026-06")
    assert (row["settled_at"], row["nav"], row["mark_before"]) == (day(30), 10_500, 10_000)
    assert (row["mark_after"], row["fee_usd"]) == (10_500, pytest.approx(100))


def test_alpha_is_of_the_counted_snapshots_provisional_ones_too():
    """The same two snapshots as PERFORMANCE takes for the month: what a page shows is what decided."""
    row = only(computed(history((day(1), 10_000, 1, 1), (day(30), 10_500, 1.05, 1),
                                (day(30, hour=23), 10_500, 1.05, 1.06, "provisional"), (day(2, 7), 10_500, 1.05, 1.06))),
               period="2026-06")
    assert (row["nav"], row["alpha"], row["reason"]) == (10_500, pytest.approx(-0.01), "not ahead of the benchmark")


def test_n11_without_a_complete_snapshot_the_gain_waits_for_the_next_period():
    rows = computed(history((day(1), 10_000, 1, 1), (day(15, 7), 12_000, 1.2, 1, "provisional"),
                            (day(31, 8), 12_000, 1.2, 0.9), (day(1, 9), 12_000, 1.2, 0.9)))
    june, july, august, _ = rows.to_dicts()
    assert (june["reason"], july["reason"]) == ("not above the mark", "no complete snapshot")
    assert (july["nav"], july["settled_at"], july["fee_usd"], july["mark_after"]) == (None, None, 0, 10_000)
    assert (august["fee_usd"], august["mark_after"]) == (pytest.approx(400), 12_000)


def test_no_complete_snapshot_at_all_means_no_period():
    assert computed(history((day(1), 10_000, 1, 1, "provisional"))).is_empty()
    assert computed(schemas.NAV_HISTORY.empty()).is_empty()


def test_an_account_that_lost_everything_has_no_alpha():
    july = computed(history((day(1), 100, 1, 1), (day(2), 0, 0, 1), (day(2, 7), 200, 0, 1), (day(1, 8), 200, 0, 1)))
    assert july.select("reason", "alpha").rows()[1] == ("no return to compare", None)


# --- flows and the mark

@pytest.mark.parametrize("when", [day(10), day(30), day(30, minute=1)])
def test_a47_f_h_a_deposit_leaves_the_distance_to_the_mark(when):
    """10 000 with flat prices and 5 000 more: the original raised the mark to 15 000 for good; no gain, no fee."""
    after = history((day(1), 10_000, 1, 1), (day(30), 15_000 if when <= day(30) else 10_000, 1, 1),
                    (day(1, 7, hour=1), 15_000, 1, 1), (day(31, 7), 15_600, 1.04, 1), (day(1, 8), 15_600, 1.04, 1))
    june, july, _ = computed(after, flows((when, 5_000))).to_dicts()
    assert (june["fee_usd"], june["nav"] - june["mark_before"]) == (0, 0)
    assert (july["mark_before"], july["fee_usd"]) == (15_000, pytest.approx(120))


def test_f_h_through_the_rebuild():
    world = World()
    for hour, cash in ((0, 10_000), (1, 10_000), (2, 15_000), (3, 15_000)):
        world.snapshot(day(1, hour=hour), {"USDT": cash})
    world.flow(day(1, hour=1, minute=30), 5_000)
    answers = rebuild.compute(world.facts(), Settings(benchmark=Benchmark(rebalance="never")))
    moved = answers["flow_values"].with_columns(unpriced=False)
    rows = fees.fees("main", answers["nav_history"], moved, schemas.FEE_PAYMENTS.empty(), RATE, HOURLY)
    assert rows["mark_before"].to_list() == [10_000, 15_000, 15_000]
    assert rows["fee_usd"].to_list() == [0, 0, 0]


def test_a_withdrawal_takes_its_part_of_the_mark():
    """A quarter of 8 000 goes: so does a quarter of the mark, and the account is as far below it as before."""
    row = only(computed(history((day(1), 10_000), (day(2), 8_000), (day(30), 6_000), (day(1, 7), 6_000)),
                        flows((day(3), -2_000))), period="2026-06")
    assert row["mark_before"] == pytest.approx(7_500)
    assert row["nav"] / row["mark_before"] == pytest.approx(8_000 / 10_000)


def test_a_withdrawals_part_is_of_the_last_counted_nav_and_the_flows_since():
    """A provisional NAV counts here; a deposit of the same interval is there before the withdrawal is."""
    navs = history((day(1), 10_000, 1, 1), (day(2), 9_000, 0.9, 1, "provisional"), (day(3), 5_000, 0.9, 1),
                   (day(1, 7), 5_000, 0.9, 1))
    row = only(computed(navs, flows((day(2, hour=13), 1_000), (day(2, hour=14), -5_000))), period="2026-06")
    assert row["mark_before"] == pytest.approx(11_000 * (1 - 5_000 / 10_000))


@pytest.mark.parametrize("taken", [10_000, 12_000])
def test_who_takes_all_and_more_leaves_a_mark_of_nothing(taken):
    navs = history((day(1), 10_000, 1, 1), (day(2), 0, 1, 1), (day(4), 500, 1, 1), (day(1, 7), 500, 1, 1))
    row = only(computed(navs, flows((day(1, hour=20), -taken), (day(3), 500.0))), period="2026-06")
    assert (row["mark_before"], row["fee_usd"]) == (500, 0)


def test_flows_in_the_first_snapshot_are_part_of_it_and_later_than_the_last_one_wait():
    row = only(computed(history((day(1), 10_000), (day(30), 11_000), (day(1, 7), 11_000)),
                        flows((day(1, hour=1), 5_000), (day(1), 3_000), (day(2, 7), 9_000))), period="2026-06")
    assert (row["mark_before"], row["fee_usd"]) == (10_000, pytest.approx(200))


def test_a52_paying_a_fee_is_no_loss():
    """TWR is 0 % over the payment, and the account stays where it was, at its mark."""
    world = World()
    world.snapshot(day(1, hour=0), {"USDT": 11_000})
    world.flow(day(1, hour=0, minute=30), 200, kind=FlowKind.FEE_WITHDRAWAL)
    world.snapshot(day(1, hour=1), {"USDT": 10_800})
    answers = rebuild.compute(world.facts(), Settings(benchmark=Benchmark(rebalance="never")))
    assert only(answers["performance"], period="inception")["twr"] == pytest.approx(0, abs=1e-12)
    moved = answers["flow_values"].with_columns(unpriced=False)
    row = fees.fees("main", answers["nav_history"], moved, schemas.FEE_PAYMENTS.empty(), RATE, HOURLY).row(-1, named=True)
    assert (row["nav"], row["mark_before"]) == (10_800, pytest.approx(10_800))


@settings(max_examples=50, deadline=None)
@given(nav=st.floats(100, 1e7), below=st.floats(0.01, 1), part=st.floats(0, 0.99))
def test_a52_collecting_keeps_the_part_of_the_mark_that_the_account_stands_at(nav, below, part):
    navs = history((day(1), nav / below), (day(2), nav), (day(4), nav * (1 - part)))
    row = computed(navs, flows((day(3), -nav * part))).row(0, named=True)
    assert row["nav"] / row["mark_before"] == pytest.approx(below, rel=1e-9)


def test_a_flow_without_a_price_stops_fees_until_it_has_one():
    navs = history((day(1), 10_000), (day(30), 12_000), (day(31, 7), 14_000), (day(1, 8), 14_000))
    unknown = computed(navs, flows((day(2, 7), None)))
    june, july, august = unknown.to_dicts()
    assert (june["fee_usd"], june["pending_usd"]) == (pytest.approx(400), pytest.approx(400))
    for row in (july, august):
        assert row["reason"] == "no price for the flow deposit:f0"
        assert [row[name] for name in ("mark_before", "mark_after", "fee_usd")] == [None, None, None]
    assert (july["pending_usd"], august["pending_usd"]) == (None, 0)    # the running one owes nothing yet
    priced = computed(navs, flows((day(2, 7), 1_000)))
    assert only(priced, period="2026-07")["fee_usd"] == pytest.approx(RATE * (14_000 - 13_000))


def test_a_flow_of_an_asset_without_any_market_harms_nothing():
    moved = flows((day(2), None)).with_columns(unpriced=False)
    assert only(computed(history(*TWO_MONTHS[:1], (day(30), 11_000), TWO_MONTHS[1]), moved),
                period="2026-06")["fee_usd"] == pytest.approx(200)


# --- periods

@pytest.mark.parametrize(("schedule", "first", "last", "periods"), [
    pytest.param(MONTHLY, day(1), day(1, 8), ["2026-06", "2026-07", "2026-08"], id="months"),
    pytest.param(MONTHLY, day(1, hour=0), day(1, 8, hour=0), ["2026-06", "2026-07"], id="at the edges themselves"),
    pytest.param(Schedule(day=28, hour=23), datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC),
                 ["2028-01", "2028-02"], id="over a leap day, named after their start"),
    pytest.param(Schedule(every="day", hour=8), day(1, hour=7), day(2, hour=9), ["2026-05-31", "2026-06-01", "2026-06-02"],
                 id="days at eight"),
    pytest.param(HOURLY, day(30, hour=22), day(1, 7, hour=0, minute=1), ["2026-06-30T22", "2026-06-30T23", "2026-07-01T00"],
                 id="hours over a month's end"),
    pytest.param(HOURLY, day(1), day(1), ["2026-06-01T12"], id="a single snapshot"),
])
def test_a49_names_the_periods_that_the_snapshots_span(schedule, first, last, periods):
    rows = computed(history((first, 100), (last, 100)) if first != last else history((first, 100)), schedule=schedule)
    assert rows["period"].to_list() == periods


@pytest.mark.parametrize(("schedule", "minutes"), [
    (Schedule(day=1), 60 * 24 * 30.4), (Schedule(day=15, hour=8), 60 * 24 * 30.4), (Schedule(every="day", hour=23), 60 * 24),
    (HOURLY, 60)])
@pytest.mark.parametrize("start", [datetime(2028, 1, 31, 5, 17, tzinfo=UTC), datetime(2026, 3, 28, 22, 59, tzinfo=UTC),
                                   datetime(2026, 10, 24, 23, tzinfo=UTC)])    # a leap year; both changes of the clock
def test_a49_each_due_time_falls_due_exactly_once(schedule, minutes, start):
    """Edge to edge without gap or overlap, each with a name of its own; summer time has no say in UTC."""
    end = start + timedelta(minutes=minutes * 4)
    rows = computed(history((start, 100), (end, 100)), schedule=schedule)
    assert rows["from_time"][1:].to_list() == rows["to_time"][:-1].to_list()
    assert rows["period"].is_unique().all()
    assert rows["from_time"][0] <= start < rows["to_time"][0]
    assert rows["final"].to_list() == [end >= edge for edge in rows["to_time"]]
    for edge in rows["from_time"]:
        assert (edge.minute, edge.second) == (0, 0)
        assert schedule.every == "hour" or edge.hour == schedule.hour
        assert schedule.every != "month" or edge.day == schedule.day
    longest = {"month": 31 * 24, "day": 24, "hour": 1}[schedule.every]
    assert (rows["to_time"] - rows["from_time"]).max() <= timedelta(hours=longest)


def test_a49_every_schedule_charges_the_same_steady_gain_once():
    """Up one dollar an hour, always ahead: whatever the schedule, a fifth of what settled periods gained."""
    start = day(1, hour=0)
    navs = history(*((start + timedelta(hours=hour), 10_000.0 + hour) for hour in range(24 * 61 + 1)))
    for schedule in (MONTHLY, Schedule(every="day"), HOURLY):
        rows = computed(navs, schedule=schedule).filter("final")
        assert rows["fee_usd"].sum() == pytest.approx(RATE * 24 * 61), schedule.every


def test_a_snapshot_at_an_edge_settles_the_period_that_ends_there():
    rows = computed(history((day(1), 10_000), (day(1, 7, hour=0), 11_000), (day(2, 7), 11_000)))
    assert rows["settled_at"].to_list() == [day(1, 7, hour=0), day(2, 7)]
    assert rows["fee_usd"].to_list() == [pytest.approx(200), 0]


def test_a_snapshot_at_an_edge_does_not_settle_the_period_that_begins_there_too():
    rows = computed(history((day(1), 10_000), (day(1, 7, hour=0), 11_000), (day(1, 9), 11_000)))
    assert only(rows, period="2026-07")["reason"] == "no complete snapshot"
    first = computed(history((day(1, hour=0), 10_000), (day(1, 8), 11_000)))    # but the very first begins its own
    assert (first["period"][0], first["settled_at"][0], first["nav"][0]) == ("2026-06", day(1, hour=0), 10_000)


def test_rounding_is_no_gain():
    """0.1 + 0.2 is more than 0.3, in floats: no fee of nothing, no higher mark."""
    navs = history((day(1), 0.1, 1, 1), (day(30), 0.3, 1.1, 1), (day(1, 7), 0.3, 1.1, 1))
    assert only(computed(navs, flows((day(2), 0.2))), period="2026-06")["reason"] == "not above the mark"
    navs = history((day(1), 0.3, 1, 1), (day(30), 0.1 + 0.2, 1.1, 1), (day(1, 7), 0.3, 1.1, 1))
    assert only(computed(navs), period="2026-06")["reason"] == "not above the mark"
    level = history((day(1), 100, 1, 1), (day(30), 110, 1.1, 1.1 - 2e-16), (day(1, 7), 110, 1.1, 1.1))
    assert only(computed(level), period="2026-06")["reason"] == "not ahead of the benchmark"


def test_a_running_period_shows_what_it_gained_so_far_and_owes_nothing():
    row = computed(history((day(1), 10_000), (day(20), 11_000))).row(0, named=True)
    assert (row["final"], row["reason"], row["fee_usd"], row["pending_usd"]) == (False, "running", pytest.approx(200), 0)
    assert (row["mark_before"], row["mark_after"]) == (10_000, 10_000)    # it moves only at the end


def test_what_is_backfilled_ends_no_period():
    rows = computed(history((day(1), 10_000, 1, 1), (day(20), 11_000, 1.1, 1), (day(5, 7), 11_000, 1.1, 1, "backfilled")))
    assert rows["final"].to_list() == [False]
    rows = computed(history((day(1), 10_000, 1, 1), (day(20), 11_000, 1.1, 1), (day(5, 7), None, 1.1, 1, "incomplete")))
    assert rows["final"].to_list() == [True, False]


# --- what became of them

END_OF_JUNE = ((day(1), 10_000.0), (day(30), 11_000.0), (day(1, 7), 11_000.0))


def test_a51_a_second_run_adds_nothing():
    once, again = (computed(history(*END_OF_JUNE), None, payment("2026-06", "COLLECTED", "150")) for _ in range(2))
    assert once.equals(again)
    assert once["period"].is_unique().all()


def test_a51_pending_is_what_is_left():
    """200 due, 150 and 20 collected, 10 waived, 5 more agreed on; a revoked payment never happened."""
    row = only(computed(history(*END_OF_JUNE), None, payment("2026-06", "COLLECTED", "150"),
                        payment("2026-06", "COLLECTED", "20", number=2), payment("2026-06", "WAIVED", "10", number=3),
                        payment("2026-06", "ADJUSTED", "5", number=4),
                        payment("2026-06", "COLLECTED", "99", number=5, revoked=True)), period="2026-06")
    assert [row[name] for name in ("collected_usd", "waived_usd", "adjusted_usd")] == [170, 10, 5]
    assert row["pending_usd"] == pytest.approx(25)


@pytest.mark.parametrize(("nav", "pending"), [(11_500, 100), (10_500, -100)])
def test_a51_late_facts_leave_the_difference_pending(nav, pending):
    """June was collected at 200; later a snapshot's NAV turns out otherwise: nothing is lost, nothing rewritten."""
    corrected = history((day(1), 10_000), (day(30), nav), (day(1, 7), nav))
    row = only(computed(corrected, None, payment("2026-06", "COLLECTED", "200")), period="2026-06")
    assert (row["collected_usd"], row["pending_usd"]) == (200, pytest.approx(pending))


def test_a51_a_new_rate_leaves_what_was_settled_at_the_old_one():
    navs = history(*END_OF_JUNE[:2], (day(31, 7), 12_000), (day(1, 8), 12_000))
    rows = computed(navs, None, payment("2026-06", "COLLECTED", "200", rate=0.2), rate=0.5)
    assert rows.select("rate", "fee_usd", "pending_usd").rows()[:2] == [
        (0.2, pytest.approx(200), pytest.approx(0)), (0.5, pytest.approx(500), pytest.approx(500))]
    undone = computed(navs, None, payment("2026-06", "COLLECTED", "200", rate=0.2, revoked=True), rate=0.5)
    assert undone["fee_usd"][0] == pytest.approx(500)


def test_a51_what_was_recorded_of_a_period_that_is_no_more_is_not_lost():
    """Collected by month, then the schedule became daily: the sum that is pending still knows of it."""
    rows = computed(history(*END_OF_JUNE), None, payment("2026-06", "COLLECTED", "150"), schedule=DAILY)
    lost = only(rows, period="2026-06")
    assert (lost["reason"], lost["pending_usd"], lost["from_time"]) == ("no such period in the schedule", -150, None)
    assert lost["final"]
    assert rows["pending_usd"].sum() == pytest.approx(50)


def test_settling_again_gives_the_same():
    """`settled` takes its own answer, of several accounts: so a payment needs no rebuild to be seen."""
    first = computed(history(*END_OF_JUNE))
    other = first.with_columns(account=pl.lit("other"))
    payments = schemas.FEE_PAYMENTS.rows([payment("2026-06", "COLLECTED", "200")])
    rows = fees.settled(pl.concat([first, other]), payments, {"main": RATE, "other": 0.1})
    assert rows.filter(pl.col("account") == "main").equals(
        computed(history(*END_OF_JUNE), None, payment("2026-06", "COLLECTED", "200")))
    assert only(rows, account="other", period="2026-06")["pending_usd"] == pytest.approx(100)
    assert fees.settled(rows, payments, {"main": RATE, "other": 0.1}).equals(rows)


# --- laws

def random_account(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A quarter of snapshots every few hours, some provisional, and flows at any minute."""
    dice = random.Random(seed)
    time, twr, index, nav = day(1, hour=dice.randrange(24)), 1.0, 1.0, 10_000.0
    rows, moved = [], []
    while time < day(25, 8):
        rows.append((time, nav, twr, index, dice.choices(["complete", "provisional", "incomplete"], [8, 2, 1])[0]))
        following = time + timedelta(minutes=dice.randrange(30, 60 * 24 * 3))
        growth = dice.uniform(0.94, 1.1)
        nav, twr, index = nav * growth, twr * growth, index * dice.uniform(0.92, 1.1)
        if dice.random() < 0.3:
            for moment in sorted({time + (following - time) * dice.choice([0.2, 0.5, 1.0]) for _ in range(2)}):
                usd = dice.choice([-0.3, -0.1, 0.05, 0.4]) * nav
                moved.append((moment, usd))
                nav += usd
        time = following
    return history(*rows), flows(*moved)


def by_hand(navs: pl.DataFrame, moved: pl.DataFrame, schedule: Schedule) -> dict[str, tuple[float, float]]:
    """{period: (mark after it, fee)}: every minute that matters in order, straight from DESIGN's words, in decimals."""
    readings = [(row["time"], row["grade"], None if row["grade"] == "incomplete" else Decimal(row["nav"]),
                 Decimal(row["twr_index"]), Decimal(row["benchmark_index"])) for row in navs.to_dicts()]
    counted = [reading for reading in readings if reading[1] != "incomplete"]
    complete = [reading for reading in readings if reading[1] == "complete"]
    changes = [(time, Decimal(usd)) for time, usd in moved.select("time", "value_usd").iter_rows()]
    start, mark, seen, found = complete[0][0], complete[0][2], complete[0][0], {}

    def step_after(edge: datetime) -> datetime:
        if schedule.every == "month":
            return (edge.replace(day=1) + timedelta(days=32)).replace(day=edge.day)
        return edge + timedelta(days=1)

    edge = datetime(2026, 4, schedule.day if schedule.every == "month" else 1, schedule.hour, tzinfo=UTC)
    while step_after(edge) <= start:
        edge = step_after(edge)
    while step_after(edge) <= readings[-1][0]:
        end = step_after(edge)
        inside = [reading for reading in complete if edge < reading[0] <= end or reading[0] == start == edge]
        until = inside[-1][0] if inside else end
        for time, usd in changes:
            if seen < time <= until:
                base = [reading for reading in counted if reading[0] < time][-1]
                nav = base[2] + sum(other for moment, other in changes if base[0] <= moment < time)
                nav -= sum(other for moment, other in changes if moment == base[0])
                mark = mark + usd if usd > 0 else mark * max(Decimal(0), 1 + usd / nav if nav > 0 else Decimal(0))
        seen, fee = max(seen, until), Decimal(0)
        before = ([reading for reading in counted if reading[0] <= edge] or counted[:1])[-1]
        after = [reading for reading in counted if reading[0] <= end][-1]
        if inside and inside[-1][2] > mark and after[3] / before[3] > after[4] / before[4]:
            fee, mark = Decimal(str(RATE)) * (inside[-1][2] - mark), inside[-1][2]
        found[end.isoformat()] = (float(mark), float(fee))
        edge = end
    return found


@pytest.mark.parametrize("schedule", [MONTHLY, Schedule(day=10, hour=7), DAILY], ids=["month", "on the tenth", "day"])
@pytest.mark.parametrize("seed", range(12))
def test_equals_a_plain_loop_in_decimals(seed, schedule):
    navs, moved = random_account(seed)
    rows = computed(navs, moved, schedule=schedule).filter("final")
    expected = by_hand(navs, moved, schedule)
    assert [time.isoformat() for time in rows["to_time"]] == list(expected)
    assert rows["mark_after"].to_list() == pytest.approx([mark for mark, _ in expected.values()], rel=1e-9)
    assert rows["fee_usd"].to_list() == pytest.approx([fee for _, fee in expected.values()], rel=1e-9, abs=1e-6)


def test_the_random_accounts_are_charged_now_and_then():
    charged = [computed(*random_account(seed), schedule=MONTHLY)["fee_usd"].sum() > 0 for seed in range(12)]
    assert sum(charged) >= 6


steps = st.lists(st.tuples(st.floats(0.5, 2), st.floats(0.5, 2), st.sampled_from([0.0, 0.0, 0.5, -0.3, -1.5])),
                 min_size=1, max_size=12)


@settings(max_examples=50, deadline=None)
@given(steps)
def test_a_fee_is_never_negative_and_the_mark_falls_by_withdrawals_alone(course):
    nav, twr, index = 10_000.0, 1.0, 1.0
    rows, moved = [(day(1, hour=0), nav, twr, index)], []
    for number, (growth, other, part) in enumerate(course, 1):
        usd = part * max(nav, 0)
        if usd:
            moved.append((day(1, hour=0) + timedelta(hours=number - 1, minutes=1), usd))
        nav, twr, index = max(nav + usd, 0) * growth, twr * growth, index * other
        rows.append((day(1, hour=0) + timedelta(hours=number), nav, twr, index))
    found = computed(history(*rows), flows(*moved), schedule=HOURLY)
    assert (found["fee_usd"] >= 0).all()
    withdrawn = {time for time, usd in moved if usd < 0}
    for earlier, later in zip(found.iter_rows(named=True), found[1:].iter_rows(named=True), strict=False):
        assert later["mark_after"] >= later["mark_before"]
        if not any(later["from_time"] < time <= later["to_time"] for time in withdrawn):
            assert later["mark_before"] >= earlier["mark_after"]


@settings(max_examples=50, deadline=None)
@given(total=st.floats(1, 1e6), part=st.floats(0, 1), hour=st.integers(0, 600))
def test_a_deposit_in_two_parts_changes_nothing(total, part, hour):
    time = day(1) + timedelta(hours=hour, minutes=1)
    navs = history((day(1), 10_000, 1, 1), (day(15), 9_000, 0.9, 1), (day(30), 12_000 + total, 1.2, 1),
                   (day(1, 7), 12_000 + total, 1.2, 1))
    whole = computed(navs, flows((time, total)))
    parts = computed(navs, flows((time, total * part), (time, total * (1 - part))))
    for name in ("mark_before", "mark_after", "fee_usd"):
        assert parts[name].to_list() == pytest.approx(whole[name].to_list(), rel=1e-9, abs=1e-6)

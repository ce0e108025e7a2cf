"""The backtester against a literal simulation, and its rules one by one."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commands import CHECKOUT
from literal_brackets import simulate
from navbook.compute import backtest
from navbook.compute.backtest import entries
from navbook.compute.brackets import BracketRules, Costs
from navbook.errors import BracketInvalid, CandlesInvalid
from navbook.schemas import TRADE

DATA = CHECKOUT / "../shared/data"
recorded = pytest.mark.skipif(not DATA.exists(), reason="the recorded candles (../shared/data) are not here")
START = 28_401_120    # 2024-01-01 00:00 UTC in minutes
TIERS = ({"notionalCap": 1000, "maintMarginRatio": 0.004, "cum": 0},
         {"notionalCap": 5000, "maintMarginRatio": 0.02, "cum": 16},
         {"notionalCap": 100_000, "maintMarginRatio": 0.05, "cum": 166})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def frame(rows):
    """Candles of (minute, open, high, low, close)."""
    columns = list(zip(*rows, strict=True)) or [()] * 5
    minutes = pl.Series(columns[0], dtype=pl.Int64) * 60_000
    prices = {name: pl.Series(values, dtype=pl.Float64)
              for name, values in zip(("open", "high", "low", "close"), columns[1:], strict=True)}
    return pl.DataFrame({"open_time": minutes.cast(pl.Datetime("ms", "UTC")), **prices})


def walk(count, seed=1):
    """A random walk of `count` minutes around 100."""
    chance, price, rows = random.Random(seed), 100.0, []
    for minute in range(count):
        last = round(price + chance.uniform(-0.3, 0.3), 2)
        rows.append((START + minute, price, round(max(price, last) + chance.random() / 5, 2),
                     round(min(price, last) - chance.random() / 5, 2), last))
        price = last
    return rows


def literal(rows, rules, costs=None, **more):
    """The literal trades, times as the library gives them, and how many hang on the intrabar rule."""
    rules = {name: value for name, value in rules.items() if name != "brackets" or value is None}
    tiers = {"tiers": tuple((row["notionalCap"], row["maintMarginRatio"], row["cum"]) for row in TIERS)}
    trades = simulate(rows, **{name: value for name, value in rules.items() if name != "brackets"},
                      **(tiers if "brackets" in more else {}),
                      **{name: value for name, value in more.items() if name != "brackets"}, **(costs or {}))
    ambiguous = sum(trade.pop("ambiguous") for trade in trades)
    for trade in trades:
        for name in ("entry_time", "exit_time"):
            if trade[name] is not None:
                trade[name] = EPOCH + timedelta(milliseconds=trade[name])
    return trades, ambiguous


def same(rows, rules, costs=None, intrabar="pessimistic"):
    """Assert that library and literal simulation agree in every trade; returns the backtest."""
    costs = costs or {}
    more = {"brackets": True} if rules.get("brackets") else {}
    wanted, ambiguous = literal(rows, rules, costs, intrabar=intrabar, **more)
    funding = costs.get("funding")
    paid = None if not funding else pl.DataFrame(
        {"time": pl.Series([row[0] for row in funding]).cast(pl.Datetime("ms", "UTC")),
         "rate": [row[1] for row in funding], "mark_price": [row[2] for row in funding]})
    numbers = {name: value for name, value in costs.items() if name != "funding"}
    found = backtest.run(frame(rows), BracketRules(**rules), Costs(**numbers, funding=paid), intrabar=intrabar)
    assert found.trades.to_dicts() == [{name: trade[name] for name in TRADE} for trade in wanted]
    assert dict(found.trades.schema) == TRADE
    closed = [trade for trade in wanted if trade["reason"] != "OPEN"]
    pnl = 0.0
    for trade in closed:
        pnl += trade["pnl"]
    assert found.summary["pnl"] == pnl
    assert found.summary["trades"] == len(closed)
    assert found.summary["ambiguous"] == ambiguous
    assert found.equity.height == len(rows)
    if rows and closed and len(closed) == len(wanted) and closed[-1]["exit_time"] <= found.equity["open_time"][-1]:
        assert found.equity["equity_usdt"][-1] == pytest.approx(pnl, abs=1e-9)
    return found


@st.composite
def candles(draw):
    """A random walk on a coarse grid, so that levels are touched to the tick; minutes may be missing."""
    unit = draw(st.sampled_from([1.0, 0.1, 0.05, 0.01]))
    price, minute, rows = draw(st.integers(60, 3000)), START + draw(st.integers(-3, 3)), []
    for _ in range(draw(st.integers(1, 120))):
        minute += draw(st.sampled_from([1] * 30 + [2, 5, 9, 13, 80]))
        opened = max(1, price + draw(st.sampled_from([0] * 8 + [-1, 1, -4, 4, 15, -15])))
        high, low = opened + draw(st.integers(0, 6)), max(1, opened - draw(st.integers(0, 6)))
        close = draw(st.integers(low, high))
        rows.append((minute, *(round(value * unit, 2) for value in (opened, high, low, close))))
        price = close
    return rows


durations = st.sampled_from(["0s", "30s", "45s", "1m", "90s", "2m", "5m", "7m", "11m", "1h", "3h"])
rule_values = st.fixed_dictionaries({
    "side": st.sampled_from(["LONG", "SHORT"]), "amount_usdt": st.sampled_from([1, 50, 100, 99.5]),
    "leverage": st.sampled_from([1, 10, 50, 125]), "tp_usdt": st.sampled_from([0.5, 3, 10, 40]),
    "sl_usdt": st.sampled_from([0.5, 5, 12.5, 90, 2000]), "check_every": durations.filter(lambda text: text != "0s"),
    "reopen_delay": durations, "reopen_window": durations, "max_reopens": st.sampled_from([None, None, 0, 1, 4]),
    "step_size": st.sampled_from([0, 0.001, 0.1, 0.003, 1, 25]), "tick_size": st.sampled_from([0, 0.01, 0.1, 0.25, 5]),
    "margin_type": st.sampled_from(["CROSSED", "ISOLATED"]), "wallet_usdt": st.sampled_from([None, None, 60, 150.5, 900]),
    "brackets": st.sampled_from([None, TIERS])})
cost_values = st.fixed_dictionaries({
    "taker_fee": st.sampled_from([0, 0.0005, 0.004]), "slippage_bps": st.sampled_from([0, 0, 2, 30]),
    "funding": st.lists(st.tuples(st.integers(-5, 400), st.sampled_from([0, 5, 30_000]), st.floats(-0.01, 0.01),
                                  st.floats(1, 100)), max_size=6, unique_by=lambda row: row[:2]).map(
        lambda rows: sorted(((START + minute) * 60_000 + extra, rate, mark) for minute, extra, rate, mark in rows))})
rules_of_order = st.sampled_from(["pessimistic", "optimistic", "path"])


@settings(max_examples=200, deadline=None)
@given(candles(), rule_values, cost_values, rules_of_order)
def test_every_trade_is_the_literal_one(rows, rules, costs, intrabar):
    same(rows, rules, costs, intrabar)


REAL = ["spot/BTCUSDT-1m-2023-03-outage", "spot/ETHUSDT-1m-2023-03-outage", "um/BTCUSDT-1m-2025-05-04_06-03",
        "um/SOLUSDT-1m-2025-05-04_06-03", "spot/ETHUSDT-1m-2024-04_06-25"]


@recorded
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("side", ["LONG", "SHORT"])
def test_real_candles_give_the_literal_trades(name, side):
    table = pl.read_parquet(DATA / "candles" / f"{name}.parquet").head(8_000)
    minutes = table["open_time"].dt.timestamp("ms") // 60_000
    rows = list(zip(minutes, table["open"], table["high"], table["low"], table["close"], strict=True))
    futures = name.startswith("um")
    steps = {"step_size": 0.001, "tick_size": 0.1 if "BTC" in name else 0.01} if futures else {"tick_size": 0.01}
    for intrabar, widths in (("pessimistic", (10, 5)), ("optimistic", (1, 1)), ("path", (1.5, 0.7)), ("path", (30, 20))):
        rules = {"side": side, "tp_usdt": widths[0], "sl_usdt": widths[1], **steps}
        found = same(rows, rules, {}, intrabar)
        assert found.summary["trades"] > 1


@recorded
def test_a_trading_halt_closes_the_chain_or_is_waited_out():
    table = pl.read_parquet(DATA / "candles/spot/BTCUSDT-1m-2023-03-outage.parquet")
    first, again = datetime(2023, 3, 24, 12, 35, tzinfo=UTC), datetime(2023, 3, 24, 14, 0, tzinfo=UTC)
    before = table.filter(pl.col("open_time") >= first)                  # nothing from 12:40 on
    rules = {"tp_usdt": 1e-6, "sl_usdt": 1000, "tick_size": 10}          # rounded, the profit is at the entry
    noticed = first + timedelta(minutes=1)
    needed = int((again - noticed).total_seconds())
    assert backtest.run(before, BracketRules(**rules)).trades.height == 1
    assert backtest.run(before, BracketRules(**rules, reopen_window=f"{needed - 1}s")).trades.height == 1
    assert backtest.run(before, BracketRules(**rules, reopen_window=f"{needed}s")).trades["entry_time"][1] == again


# -- sweeps ----------------------------------------------------------------------------------------------------
def assert_rows_are_runs(rows, base, grid, costs, intrabar, picks=None):
    table = backtest.sweep(rows, BracketRules(**base), grid, costs, intrabar=intrabar)
    for number in picks if picks is not None else range(table.height):
        row = table.row(number, named=True)
        values = {name: row[name] for name in grid if name != "brackets"}
        found = backtest.run(rows, BracketRules(**{**base, **values}), costs, intrabar=intrabar).summary
        assert {name: value for name, value in row.items() if name not in grid} == {
            name: found[name] for name in row if name not in grid}, values
    return table


@settings(max_examples=60, deadline=None)
@given(candles(), rule_values, cost_values, rules_of_order, st.data())
def test_every_row_of_a_sweep_is_a_run(rows, rules, costs, intrabar, data):
    paid = costs.pop("funding")
    funding = pl.DataFrame({"time": pl.Series([row[0] for row in paid], dtype=pl.Int64).cast(pl.Datetime("ms", "UTC")),
                            "rate": [row[1] for row in paid], "mark_price": [row[2] for row in paid]},
                           schema_overrides={"rate": pl.Float64, "mark_price": pl.Float64})
    grid = {"tp_usdt": [0.5, 3.0, 7.0], "sl_usdt": [0.7, 5.0, 60.0]}
    more = data.draw(st.sampled_from([{}, {"side": ["LONG", "SHORT"]}, {"amount_usdt": [50, 100.0]},
                                      {"leverage": [3, 125]}, {"max_reopens": [None, 0, 2]},
                                      {"reopen_delay": ["0s", "3m", "11m"]}, {"check_every": ["1m", "7m"]},
                                      {"wallet_usdt": [None, 80.0]}, {"margin_type": ["CROSSED", "ISOLATED"]}]))
    assert_rows_are_runs(frame(rows), rules, {**grid, **more}, Costs(**costs, funding=funding), intrabar)


@recorded
@pytest.mark.parametrize("side", ["LONG", "SHORT"])
def test_a_sweep_of_real_candles(side):
    table = backtest.prepare(pl.read_parquet(DATA / "candles/um/SOLUSDT-1m-2025-05-04_06-03.parquet"))
    base = {"side": side, "step_size": 0.01, "tick_size": 0.01}
    grid = {"tp_usdt": [1.0 + step for step in range(20)], "sl_usdt": [1.0 + step for step in range(20)]}
    told = []
    found = assert_rows_are_runs(table, base, grid, Costs(slippage_bps=1), "path", picks=range(0, 400, 23))
    assert found.height == 400
    backtest.sweep(table, BracketRules(**base), grid, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_sweep_ends_when_progress_says_so():
    def stop(part):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backtest.sweep(frame(walk(500)), BracketRules(), {"tp_usdt": [1, 2, 3, 4, 5, 6, 7]}, progress=stop)


def test_a_sweep_on_a_wallet_tells_its_progress_and_ends_too():
    """One run after the other, as a wallet couples a chain's trades: the slow kind."""
    def stop(part):
        told.append(part)
        if part >= 0.5:
            raise KeyboardInterrupt

    told: list[float] = []
    with pytest.raises(KeyboardInterrupt):
        backtest.sweep(frame(walk(300)), BracketRules(wallet_usdt=150), {"tp_usdt": list(range(1, 11))}, progress=stop)
    assert told == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


@pytest.mark.parametrize(("grid", "key"), [
    ({"tp": [1]}, "grid"), ({"tp_usdt": []}, "tp_usdt"), ({"tp_usdt": [1, -1]}, "tp_usdt"), ({"side": "LONG"}, "side")])
def test_a_grid_that_cannot_be_is_refused(grid, key):
    with pytest.raises(BracketInvalid) as refused:
        backtest.sweep(frame(walk(5)), BracketRules(), grid)
    assert refused.value.key == key


# -- rules one by one ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("second", "exit"), [
    #              open  high   low  close
    pytest.param((100.0, 109.0, 96.0, 101.0), None, id="stays inside"),
    pytest.param((100.0, 111.0, 99.0, 108.0), (110.0, "TP"), id="reaches the take profit"),
    pytest.param((100.0, 109.0, 95.0, 96.0), (95.0, "SL"), id="touching the stop is enough"),
    pytest.param((92.0, 112.0, 90.0, 93.0), (92.0, "SL"), id="a gap below the stop fills at the open"),
    pytest.param((111.0, 112.0, 90.0, 93.0), (111.0, "TP"), id="a gap above the profit fills at the open"),
    pytest.param((100.0, 111.0, 94.0, 100.0), (95.0, "SL"), id="both inside: the stop is assumed")])
def test_the_exit_of_a_long(second, exit):
    rows = [(START, 100.0, 100.0, 100.0, 100.0), (START + 1, *second)]
    trade = same(rows, {"amount_usdt": 10, "tp_usdt": 10, "sl_usdt": 5}).trades.row(0, named=True)
    assert (trade["exit_price"], trade["reason"]) == (exit or (None, "OPEN"))


@pytest.mark.parametrize(("intrabar", "close", "reason"), [
    ("pessimistic", 105.0, "SL"), ("optimistic", 96.0, "TP"), ("path", 100.0, "SL"), ("path", 99.0, "TP")])
def test_the_entry_candle_may_hold_both_levels(intrabar, close, reason):
    rows = [(START, 100.0, 111.0, 94.0, close)]
    found = same(rows, {"amount_usdt": 10, "tp_usdt": 10, "sl_usdt": 5}, intrabar=intrabar)
    assert found.trades["reason"].to_list() == [reason]
    assert found.summary["ambiguous"] == 1
    assert backtest.bounds(frame(rows), BracketRules())["intrabar"].to_list() == ["pessimistic", "optimistic", "path"]


def test_funding_is_paid_after_the_entry_up_to_the_exit():
    rows = [(START + minute, 100.0, 111.0 if minute == 3 else 100.0, 100.0, 100.0) for minute in range(4)]
    at = [((START + minute) * 60_000, 0.001, 100.0) for minute in range(5)]
    found = same(rows, {"amount_usdt": 10, "tp_usdt": 10}, {"funding": at, "taker_fee": 0})
    assert found.trades["funding"].to_list() == [pytest.approx(-0.3)]
    assert found.equity["equity_usdt"].to_list() == pytest.approx([0, -0.1, -0.2, 9.7])


def test_until_cuts_the_candles():
    rows = walk(600)
    cut = EPOCH + timedelta(minutes=START + 300)
    rules = BracketRules(tp_usdt=3, sl_usdt=3)
    assert backtest.run(frame(rows), rules, until=cut).trades.equals(backtest.run(frame(rows[:300]), rules).trades)
    assert backtest.run(frame(rows), rules, until=cut).equity.height == 300
    assert backtest.run(frame(rows), rules, until=EPOCH).trades.height == 0
    assert backtest.run(frame(rows), rules, until=EPOCH).summary["trades"] == 0
    with pytest.raises(BracketInvalid, match="until"):
        backtest.run(frame(rows), rules, until=cut.replace(tzinfo=None))


def test_a_liquidation_nearer_than_the_stop_comes_first():
    rows = [(START, 100.0, 100.0, 100.0, 100.0), (START + 1, 100.0, 100.0, 80.0, 80.0)]
    rules = {"amount_usdt": 100, "leverage": 10, "sl_usdt": 150}
    assert same(rows, rules).trades["reason"].to_list() == ["SL"]
    isolated = same(rows, {**rules, "margin_type": "ISOLATED"}).trades
    assert isolated["reason"].to_list() == ["LIQUIDATION"]
    assert isolated["exit_price"][0] == pytest.approx((100 - 1000) / (0.004 - 1) / 10)
    assert same(rows, {**rules, "wallet_usdt": 120}).trades["reason"].to_list() == ["LIQUIDATION"]
    assert same(rows, {**rules, "wallet_usdt": 1200}).trades["reason"].to_list() == ["SL"]


# -- candles that are none -------------------------------------------------------------------------------------
def changed(**columns):
    """Ten good candles with values of some columns replaced: row -> value."""
    table = frame(walk(10))
    for name, values in columns.items():
        table = table.with_columns(pl.Series(name, [values.get(row, value) for row, value in enumerate(table[name])],
                                             dtype=table.schema[name]))
    return table


@pytest.mark.parametrize(("table", "row", "words"), [
    (changed(high={4: 90.0}), 4, "high below its low"), (changed(low={3: float("nan")}), 3, "no positive number"),
    (changed(low={3: 0.0}), 3, "no positive number"), (changed(low={5: -1.0}, open={7: -1.0}), 5, "no positive number"),
    (changed(high={9: float("inf")}), 9, "no positive number"), (changed(close={2: 500.0}), 2, "outside"),
    (changed(open={2: 1.0}), 2, "outside"), (changed(open={6: None}), 6, "no open"),
    (changed(open_time={4: EPOCH + timedelta(minutes=START + 3)}), 4, "repeats"),
    (changed(open_time={4: EPOCH}), 4, "sort"), (changed(open_time={9: None}), 9, "no open_time"),
    (changed(open_time={9: EPOCH + timedelta(minutes=START + 20, seconds=1)}), 9, "whole minute"),
    (frame(walk(5)).with_columns(pl.col("open_time").dt.replace_time_zone(None)), None, "no time zone"),
    (frame(walk(5)).with_columns(pl.col("open_time").dt.convert_time_zone("Europe/Berlin")), None, "Europe/Berlin"),
    (frame(walk(5)).with_columns(pl.col("open_time").cast(pl.Int64)), None, "Int64"),
    (frame(walk(5)).with_columns(pl.col("low").cast(pl.String)), None, "String"),
    (frame(walk(5)).drop("close"), None, "close"), (frame([]), None, "none"),
    (frame([(START + 60 * row, 1.0, 1.0, 1.0, 1.0) for row in range(90)]), None, "60 minutes apart")])
def test_what_is_no_candle_is_refused_with_its_first_row(table, row, words):
    with pytest.raises(CandlesInvalid, match=words) as refused:
        backtest.prepare(table)
    assert refused.value.row == row


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_any_unit_of_time_and_exact_decimals_will_do(unit):
    table = frame(walk(300))
    other = table.with_columns(pl.col("open_time").dt.cast_time_unit(unit),
                               pl.col("open", "high", "low", "close").cast(pl.Decimal(38, 18)))
    rules = BracketRules(tp_usdt=3, sl_usdt=3)
    assert backtest.run(other, rules).trades.equals(backtest.run(table, rules).trades)


# -- entry signals ---------------------------------------------------------------------------------------------
@settings(max_examples=30, deadline=None)
@given(candles(), rule_values, rules_of_order, st.integers(2, 5))
def test_entries_follow_their_signal(rows, rules, intrabar, every):
    rules = {**rules, "margin_type": "CROSSED", "wallet_usdt": None, "brackets": None, "check_every": "1m"}
    signal = (pl.col("close") * 100).round().cast(pl.Int64) % every == 0
    true_at = {row[0] for row in rows if round(row[4] * 100) % every == 0}
    wanted, _ = literal(rows, rules, intrabar=intrabar, allowed={minute + 1 for minute in true_at})
    found = backtest.run(frame(rows), BracketRules(**rules), intrabar=intrabar, entry=signal)
    assert found.trades.to_dicts() == [{name: trade[name] for name in TRADE} for trade in wanted]
    grid = {"tp_usdt": [0.5, 1, 2, 3, 4, 5, 60]}
    table = backtest.sweep(frame(rows), BracketRules(**rules), grid, intrabar=intrabar, entry=signal)
    for row in table.iter_rows(named=True):
        one = backtest.run(frame(rows), BracketRules(**{**rules, "tp_usdt": row["tp_usdt"]}), intrabar=intrabar,
                           entry=signal).summary
        assert all(one[name] == value for name, value in row.items() if name != "tp_usdt")


def test_a_signal_is_seen_at_a_check_only():
    rows = walk(120)
    signal = pl.col("open_time") == EPOCH + timedelta(minutes=START + 13)
    seen = {check: backtest.run(frame(rows), BracketRules(check_every=check), entry=signal).trades["entry_time"].to_list()
            for check in ("1m", "7m", "5m")}
    assert seen == {"1m": [EPOCH + timedelta(minutes=START + 14)], "7m": [], "5m": []}


@pytest.mark.parametrize("entry", [entries.moving_average_cross(5, 20), entries.rsi_below(30), entries.at_hour(3)])
def test_the_worked_examples_enter_now_and_then(entry):
    found = backtest.run(frame(walk(1000)), BracketRules(tp_usdt=3, sl_usdt=3), entry=entry)
    assert 0 < found.trades.height < 100


@pytest.mark.parametrize("entry", ["close > 1", pl.col("close"), pl.col("nothing") > 1, pl.col("close").max() > 1])
def test_an_entry_that_is_no_signal_is_refused(entry):
    with pytest.raises(BracketInvalid, match="entry"):
        backtest.run(frame(walk(50)), BracketRules(), entry=entry)


# -- hedges ----------------------------------------------------------------------------------------------------
SLIPPED_BEYOND_ITS_LIQUIDATION = (
    [(28_401_121 + minute, 6.0, 6.0, 6.0, 6.0) for minute in range(21)],
    {"side": "LONG", "amount_usdt": 50, "leverage": 125, "tp_usdt": 0.5, "sl_usdt": 0.5, "check_every": "30s",
     "reopen_delay": "0s", "reopen_window": "0s", "max_reopens": None, "step_size": 0, "tick_size": 0.01,
     "wallet_usdt": None}, {"taker_fee": 0, "slippage_bps": 2, "funding": []}, "path")


@settings(max_examples=60, deadline=None)
@example(*SLIPPED_BEYOND_ITS_LIQUIDATION)
@given(candles(), rule_values, cost_values, rules_of_order)
def test_one_position_in_the_order_of_events_is_one_run(rows, rules, costs, intrabar):
    costs = {name: cost for name, cost in costs.items() if name != "funding"}
    rules = BracketRules(**{**rules, "margin_type": "CROSSED", "wallet_usdt": rules["wallet_usdt"] or 75})
    alone = backtest.run(frame(rows), rules, Costs(**costs), intrabar=intrabar)
    shared = backtest.run(frame(rows), [rules], Costs(**costs), intrabar=intrabar)
    assert shared.path == "event order"
    assert shared.trades.equals(alone.trades)
    assert shared.summary == alone.summary


def test_a_hedge_without_a_wallet_is_two_runs():
    rows, rules = frame(walk(3000)), [BracketRules(side=side, tp_usdt=3, sl_usdt=3) for side in ("LONG", "SHORT")]
    both, apart = backtest.run(rows, rules), [backtest.run(rows, each) for each in rules]
    assert both.path == "alone"
    assert both.trades.equals(pl.concat([each.trades for each in apart]).sort("entry_time", "side", maintain_order=True))
    assert both.summary["pnl"] == pytest.approx(sum(each.summary["pnl"] for each in apart))
    assert both.equity["equity_usdt"].to_list() == pytest.approx(
        sum(each.equity["equity_usdt"] for each in apart).to_list())


def test_a_hedge_is_liquidated_together():
    rows = [(START, 100.0, 100.0, 100.0, 100.0), (START + 1, 100.0, 111.0, 100.0, 111.0),
            (START + 2, 111.0, 111.0, 60.0, 60.0), (START + 3, 60.0, 60.0, 60.0, 60.0)]
    long = BracketRules(amount_usdt=100, tp_usdt=900, sl_usdt=900, wallet_usdt=120, max_reopens=0)
    short = BracketRules(side="SHORT", amount_usdt=50, tp_usdt=900, sl_usdt=900, wallet_usdt=120, max_reopens=0)
    found = backtest.run(frame(rows), [long, short]).trades
    assert found["reason"].to_list() == ["LIQUIDATION", "LIQUIDATION"]
    assert found["exit_price"].n_unique() == 1
    alone = backtest.run(frame(rows), long).trades["exit_price"][0]
    assert found["exit_price"][0] < alone    # the short side carries part of the loss
    with pytest.raises(BracketInvalid, match="wallet_usdt"):
        backtest.run(frame(rows), [long, BracketRules(side="SHORT")])


@pytest.mark.parametrize("name", ["kernel", "scan"])
def test_compiled_functions_stay_in_their_file(name):
    """Numba's cache looks at one file: a change in another one would leave old machine code in use."""
    source = (CHECKOUT / f"lib/navbook/compute/backtest/{name}.py").read_text(encoding="utf-8")
    assert "navbook" not in {line.split()[1].split(".")[0] for line in source.splitlines()
                             if line.startswith(("import ", "from "))}

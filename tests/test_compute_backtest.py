"""The backtester against a literal simulation, and its rules one by one."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import CHECKOUT
from literal_brackets import simulate
from navbook.compute import backtest
from navbook.compute.brackets import BracketRules, Costs
from navbook.errors import BracketInvalid
from navbook.schemas import BACKTEST_TRADES

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
    assert found.trades.to_dicts() == [{name: trade[name] for name in BACKTEST_TRADES.columns} for trade in wanted]
    BACKTEST_TRADES.check(found.trades)
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


@settings(max_examples=400, deadline=None)
@given(candles(), rule_values, cost_values, rules_of_order)
def test_every_trade_is_the_literal_one(rows, rules, costs, intrabar):
    same(rows, rules, costs, intrabar)


REAL = ["spot/BTCUSDT-1m-2023-03-outage", "spot/ETHUSDT-1m-2023-03-outage", "um/BTCUSDT-1m-2025-05-04_06-03",
        "um/SOLUSDT-1m-2025-05-04_06-03", "spot/ETHUSDT-1m-2024-04_06-25"]


@recorded
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("side", ["LONG", "SHORT"])
def test_real_candles_give_the_literal_trades(name, side):
    table = pl.read_parquet(DATA / "candles" / f"{name}.parquet").head(20_000)
    minutes = table["open_time"].dt.timestamp("ms") // 60_000
    rows = list(zip(minutes, table["open"], table["high"], table["low"], table["close"], strict=True))
    futures = name.startswith("um")
    steps = {"step_size": 0.001, "tick_size": 0.1 if "BTC" in name else 0.01} if futures else {"tick_size": 0.01}
    for intrabar, widths in (("pessimistic", (10, 5)), ("optimistic", (1, 1)), ("path", (1.5, 0.7)), ("path", (30, 20))):
        rules = {"side": side, "tp_usdt": widths[0], "sl_usdt": widths[1], **steps}
        found = same(rows, rules, {}, intrabar)
        assert found.summary["trades"] > 3


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


@settings(max_examples=150, deadline=None)
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


@pytest.mark.parametrize(("grid", "key"), [
    ({"tp": [1]}, "grid"), ({"tp_usdt": []}, "tp_usdt"), ({"tp_usdt": [1, -1]}, "tp_usdt"), ({"side": "LONG"}, "side")])
def test_a_grid_that_cannot_be_is_refused(grid, key):
    with pytest.raises(BracketInvalid) as refused:
        backtest.sweep(frame(walk(5)), BracketRules(), grid)
    assert refused.value.key == key

"""Walk-forward, purged splits, the market beside a backtest, and the search for clairvoyance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from navbook.compute import backtest, validation
from navbook.compute.backtest import entries
from navbook.compute.brackets import BracketRules, Costs
from navbook.errors import BracketInvalid, PriceMissing
from test_compute_backtest import frame, walk

RULES = BracketRules(tp_usdt=3, sl_usdt=3)
GRID = {"tp_usdt": [1.0, 2, 3, 4], "sl_usdt": [1, 3.0]}


def test_walk_forward_chooses_before_and_trades_after():
    candles = frame(walk(6000))
    found = validation.walk_forward(candles, RULES, GRID, train="1d", test="12h")
    assert found["fold"].to_list() == list(range(found.height))
    assert found.height == (6000 - 1440) // 720
    row = found.row(2, named=True)
    inside = pl.col("open_time").is_between(row["train_from"], row["test_from"], closed="left")
    tried = backtest.sweep(candles.filter(inside), RULES, GRID)
    assert tried["pnl"].max() == row["train_pnl"]
    after = candles.filter(pl.col("open_time").is_between(row["test_from"], row["test_to"], closed="left"))
    chosen = BracketRules(tp_usdt=row["tp_usdt"], sl_usdt=row["sl_usdt"])
    assert backtest.run(after, chosen).summary["pnl"] == row["test_pnl"]
    for wrong in ({"train": "9w"}, {"train": "1d", "test": "12h", "choose": "luck"}):
        with pytest.raises(BracketInvalid):
            validation.walk_forward(candles, RULES, GRID, **wrong)


def test_purged_splits_leave_no_overlap():
    trades = backtest.run(frame(walk(6000)), RULES).trades
    closed = trades["exit_time"].is_not_null().sum()
    tested = []
    for train, test in validation.purged_splits(trades, 5, embargo="1h"):
        begin, end = trades["entry_time"][test].min(), trades["exit_time"][test].max()
        clear = (trades["exit_time"][train] < begin) | (trades["entry_time"][train] > end + timedelta(hours=1))
        assert clear.all()
        assert not set(train) & set(test)
        tested += test.tolist()
    assert sorted(tested) == list(range(closed))
    with pytest.raises(BracketInvalid, match="folds"):
        next(validation.purged_splits(trades, 10_000))


def test_trades_of_the_past_do_not_change():
    candles = frame(walk(4000))
    assert validation.truncation(candles, RULES, entry=entries.moving_average_cross(5, 20))["same"].all()
    assert validation.truncation(candles, [RULES, BracketRules(side="SHORT", tp_usdt=2)])["same"].all()
    clairvoyant = pl.col("close") < pl.col("close").mean()
    assert not validation.truncation(candles, RULES, entry=clairvoyant)["same"].all()


def test_periods_add_up_to_the_sweep():
    candles = frame(walk(6000))
    for grid in (GRID, {"tp_usdt": [2.0, 3.0]}):
        table, periods = backtest.sweep(candles, RULES, grid), backtest.pnl_by_period(candles, RULES, grid, every="6h")
        assert periods.shape == (17, table.height)
        assert np.allclose(periods.sum(axis=0), table["pnl"])


def test_the_pnl_of_a_period_is_the_same_alone_and_among_many():
    """Few settings are run one by one, many in one walk: the sums must agree in every bit."""
    candles = frame(walk(6000))
    many = backtest.pnl_by_period(candles, RULES, {"tp_usdt": [1, 2, 3, 4, 5, 6, 7, 8]}, every="6h")
    alone = backtest.pnl_by_period(candles, RULES, {"tp_usdt": [4]}, every="6h")
    assert (many[:, 3] == alone[:, 0]).all()
    assert alone.any()


def test_the_market_stands_beside_the_strategy():
    """Ten days over one Monday noon: half each, restored once."""
    start = int(datetime(2024, 1, 5, tzinfo=UTC).timestamp()) // 60
    rows = [(start + minute, 100.0, 100.0, 100.0, 100.0) for minute in range(10 * 1440)]
    monday = int(datetime(2024, 1, 8, 12, tzinfo=UTC).timestamp()) // 60
    double = [(minute, *([200.0] * 4 if minute >= monday - 5 else [100.0] * 4)) for minute, *_ in rows]
    later = [(minute, *([50.0] * 4 if minute >= monday + 5 else [100.0] * 4)) for minute, *_ in rows]
    result = backtest.run(frame(double), RULES, Costs(taker_fee=0))
    found = validation.beside(result, {"BTC": frame(double), "ETH": frame(later)})
    assert found["name"].to_list() == ["strategy", "buy and hold", "50% BTC+50% ETH"]
    assert found["gain"].to_list() == pytest.approx([result.summary["pnl"] / 100, 1.0, 1.5 * 0.75 - 1])
    with pytest.raises(PriceMissing):
        validation.beside(result, {"BTC": frame(double), "ETH": frame(later[5000:])})

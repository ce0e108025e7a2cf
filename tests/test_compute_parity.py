"""Live trades beside a backtest: the parts of every difference add up to it, and each cause is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navbook.compute import backtest, parity
from navbook.compute.brackets import BracketRules, Costs
from navbook.schemas import TRADE

START = datetime(2026, 3, 2, tzinfo=UTC)
RULES = BracketRules(amount_usdt=100, leverage=10, tp_usdt=10, sl_usdt=5, step_size=0.001, tick_size=0.1)
SHORT = BracketRules(side="SHORT", amount_usdt=100, leverage=10, tp_usdt=10, sl_usdt=5, step_size=0.001, tick_size=0.1)
COSTS = Costs(taker_fee=0.0005)
MINUTE = timedelta(minutes=1)


def candles_of(steps: list[int], start: float = 1000.0) -> pl.DataFrame:
    """A walk: each candle opens where the last one closed, its ends a little outside."""
    rows, price = [], start
    for number, step in enumerate(steps):
        close = max(price + step, 100.0)
        rows.append((START + number * MINUTE, price, max(price, close) + 0.4, min(price, close) - 0.4, close))
        price = close
    return pl.DataFrame(rows, schema={"open_time": pl.Datetime("us", "UTC"), "open": pl.Float64, "high": pl.Float64,
                                      "low": pl.Float64, "close": pl.Float64}, orient="row")


WAVE = candles_of([(3 if number % 40 < 20 else -3) for number in range(400)])
END = START + 400 * MINUTE


def traded(candles: pl.DataFrame = WAVE, rules: BracketRules = RULES, costs: Costs = COSTS) -> pl.DataFrame:
    return backtest.run(candles, rules, costs, intrabar="path").trades


def compared(live: pl.DataFrame, candles: pl.DataFrame = WAVE, rules: BracketRules = RULES) -> pl.DataFrame:
    modelled = parity.modelled(live, candles, rules, COSTS, END)
    return parity.report("btc_long", live, modelled, candles, rules, COSTS)


def changed(live: pl.DataFrame, row: int, **values: object) -> pl.DataFrame:
    """`live` with other values in one row, its pnl worked out again where it is not given."""
    rows = live.to_dicts()
    rows[row].update(values)
    trade = rows[row]
    if "pnl" not in values:
        sign = 1 if trade["side"] == "LONG" else -1
        trade["pnl"] = (sign * trade["quantity"] * (trade["exit_price"] - trade["entry_price"]) - trade["fee"]
                        + trade["funding"])
    return pl.DataFrame(rows, schema=TRADE, orient="row")


def moved(report: pl.DataFrame, row: int = 0) -> dict[str, float]:
    """The parts of one difference that are not zero."""
    return {part: round(report[part][row], 9) for part in parity.PARTS if abs(report[part][row]) > 1e-9}


@pytest.mark.parametrize("rules", [RULES, SHORT], ids=["long", "short"])
def test_a_trader_that_does_what_the_backtest_does_differs_in_nothing(rules):
    found = compared(traded(rules=rules), rules=rules)
    assert found.height > 5
    assert found["found"].unique().to_list() == ["both"]
    assert parity.summary(found)["difference"] == 0
    assert [moved(found, row) for row in range(found.height)] == [{}] * found.height


def test_each_cause_has_its_own_column():
    live = traded()
    first = live.row(0, named=True)
    assert moved(compared(changed(live, 0, fee=first["fee"] + 0.25))) == {"fee": -0.25}
    assert moved(compared(changed(live, 0, funding=0.1))) == {"funding": 0.1}
    better = changed(live, 0, exit_price=first["exit_price"] + 1)
    assert moved(compared(better)) == {"slippage": pytest.approx(first["quantity"])}
    by_hand = changed(live, 0, exit_price=first["exit_price"] + 1, reason="MANUAL")
    assert moved(compared(by_hand)) == {"manual": pytest.approx(first["quantity"])}
    elsewhere = changed(live, 0, exit_price=first["exit_price"] + 1, exit_time=first["exit_time"] + MINUTE)
    assert moved(compared(elsewhere)) == {"data": pytest.approx(first["quantity"])}


def test_an_entry_that_was_filled_worse_with_levels_of_its_own_is_slippage():
    first = traded().row(0, named=True)
    worse = first["entry_price"] + 0.5
    live = changed(traded(), 0, entry_price=worse, take_profit=first["take_profit"] + 0.5,
                   stop_loss=first["stop_loss"] + 0.5, exit_price=first["exit_price"] + 0.5)
    assert "data" not in moved(compared(live))
    assert abs(compared(live)["difference"][0]) < 1e-9, "the levels moved with the entry"


def test_a_position_that_opened_later_is_delay():
    """The same rules, a minute late each time: other trades, and nothing but the minute to blame."""
    live = traded(WAVE.slice(1))
    found = parity.report("btc_long", live, traded(), WAVE, RULES, COSTS)
    assert found["difference"].sum() != 0
    assert {part for row in range(found.height) for part in moved(found, row)} <= {"delay", "fee"}


def test_a_trade_that_only_one_of_them_made_is_listed_with_the_whole_difference():
    live = traded()
    missed = live.filter(pl.int_range(pl.len()) != 2)
    found = parity.report("btc_long", missed, live, WAVE, RULES, COSTS)
    lost = found.filter(found="backtest only")
    assert (lost.height, found.height) == (1, live.height)
    assert lost["difference"][0] == pytest.approx(-live["pnl"][2])
    assert lost["delay"][0] + lost["fee"][0] == pytest.approx(lost["difference"][0])


def test_a_second_chain_begins_where_somebody_opened_it_again():
    one = traded(WAVE.head(90))
    two = traded(WAVE.slice(150))
    live = pl.concat([one.filter(pl.col("reason") != "OPEN"), two])
    assert moved_all(compared(live)) == [{}] * live.height


def moved_all(found: pl.DataFrame) -> list[dict[str, float]]:
    both = found.filter(found="both")
    return [moved(both, row) for row in range(both.height)]


def test_an_open_trade_counts_nothing_yet():
    begun = traded()["entry_time"][-1]
    candles = WAVE.filter(pl.col("open_time") <= begun)
    live = traded(candles)
    assert live["reason"][-1] == "OPEN"
    found = compared(live, candles)
    assert (found["live_pnl"][-1], found["difference"][-1]) == (0, 0)


def test_without_live_trades_there_is_nothing_to_compare():
    nothing = pl.DataFrame(schema=TRADE)
    assert compared(nothing).is_empty()
    assert parity.summary(compared(nothing))["difference"] == 0


NOISE = st.floats(-3, 3, allow_nan=False).map(lambda value: round(value, 2))


@settings(max_examples=60)
@given(st.lists(st.integers(-6, 6), min_size=30, max_size=200), st.lists(st.tuples(NOISE, NOISE, NOISE, st.integers(0, 4)), max_size=12),
       st.sampled_from([RULES, SHORT]), st.integers(0, 3))
def test_the_parts_always_add_up_and_no_trade_is_lost(steps, noise, rules, late):
    """Whatever happened to the live trades: fills, fees, funding, minutes, reasons, trades missing."""
    candles = candles_of(steps)
    live = traded(candles.slice(late), rules)
    for row, (entry, exit_, fee, kind) in enumerate(noise[:live.height]):
        if live["exit_price"][row] is not None:
            trade = live.row(row, named=True)
            live = changed(live, row, entry_price=trade["entry_price"] + entry, exit_price=trade["exit_price"] + exit_,
                           fee=abs(fee), funding=fee / 7, reason=["TP", "SL", "MANUAL", "LIQUIDATION", "ORPHAN"][kind])
    live = live.filter(pl.int_range(pl.len()) != late)
    modelled = traded(candles, rules)
    found = parity.report("a", live, modelled, candles, rules, COSTS)
    for row in found.iter_rows(named=True):
        assert sum(row[part] for part in parity.PARTS) == pytest.approx(row["difference"], abs=1e-9)
    assert found["live_entry_time"].drop_nulls().sort().to_list() == live["entry_time"].sort().to_list()
    assert found["backtest_entry_time"].drop_nulls().sort().to_list() == modelled["entry_time"].sort().to_list()
    whole = parity.summary(found)
    assert whole["difference"] == pytest.approx(live["pnl"].sum() - modelled["pnl"].sum(), abs=1e-9)

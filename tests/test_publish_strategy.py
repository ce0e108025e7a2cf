"""What a backtest's page draws and says."""

from __future__ import annotations

import json

import altair as alt
import polars as pl
import pytest

from navbook.publish import palette, strategy, strategy_tables, theme
from navbook.runner import backtesting
from navbook.runner.backtest_plan import Plan
from navbook.runner.market_data import Span
from test_compute_study import START, study

theme.enable()


@pytest.fixture(scope="module")
def found():
    """The rows of one backtest, and its candles."""
    whole = study(6)
    plan = Plan(grid=whole.grid, since="2026-03-02")
    span = Span("um", "BTCUSDT", START, whole.equity["time"][-1])
    return {**backtesting.answers(plan, span, whole), "candles": whole.candles.frame, "study": whole}


def row(found, **changed):
    return found["backtests"].row(0, named=True) | changed


def text(html):
    return html.striptags()


def test_n7_the_sentence_of_the_bounds(found):
    said = text(strategy_tables.bounds(row(found, trades=43, ambiguous=2, pnl_pessimistic=-11.2, pnl_optimistic=568.0)))
    assert "2 of 43 trades depend on bar order, PnL between \N{MINUS SIGN}$11 and +$568." in said


def test_the_verdict_names_result_benchmark_and_settings(found):
    said = text(strategy_tables.verdict(row(found, name="btc_long", pnl=279.0, gain=0.056, benchmark=2.65, settings=80)))
    assert said.startswith("btc_long made $279 (+5.6 %) in 6 d, $14 more than half bitcoin, half ether. One of 80 settings tried: expect less.")
    assert "take profit $10, stop $5, $100 at 10\N{MULTIPLICATION SIGN}" in said


def test_what_is_not_known_is_said_to_be_unknown(found):
    about = row(found, benchmark=None)
    assert "half bitcoin" not in text(strategy_tables.verdict(about))
    assert "unknown" in text(strategy_tables.key_figures(about, found["backtest_trades"]))
    assert "unknown" in text(strategy_tables.bounds(about))
    short = row(found, deflated_sharpe=None, overfitting=None, walk_forward_pnl=None, chance_of_loss=None)
    assert "too short" in strategy_tables.conclusion(short)
    assert "no closed trade" in strategy_tables.conclusion(row(found, trades=0))


@pytest.mark.parametrize(("figures", "said"), [
    ({"pnl": -5.0}, "It lost money"), ({"pnl": 5.0, "deflated_sharpe": 0.4}, "by chance alone explains it"),
    ({"pnl": 5.0, "deflated_sharpe": 0.99, "overfitting": 0.1, "walk_forward_pnl": 3.0}, "Chance alone does not explain"),
    ({"pnl": 5.0, "deflated_sharpe": 0.99, "overfitting": 0.1, "walk_forward_pnl": -3.0}, "would have lost $3")])
def test_the_conclusion_follows_the_figures(found, figures, said):
    about = row(found, **({"deflated_sharpe": 0.5, "overfitting": 0.5, "walk_forward_pnl": 1.0} | figures))
    assert said in strategy_tables.conclusion(about)


def test_every_setting_is_a_cell_and_the_chosen_one_is_marked(found):
    shown = str(strategy_tables.settings(row(found), found["backtest_sweeps"]))
    assert shown.count("<td class=\"") == 6
    assert shown.count('<td class="chosen">') == 1


def test_a_grid_of_one_rule_or_of_words_is_a_list_of_the_best(found):
    rows = pl.DataFrame({"setting": [json.dumps({"side": side, "tp_usdt": width}) for side in ("LONG", "SHORT") for width in range(20)],
                         "pnl": [float(n) for n in range(40)]})
    shown = text(strategy_tables.settings(row(found), rows))
    assert "The best of 40 settings" in shown
    assert "side SHORT, take profit 19" in shown


def test_words_from_outside_stay_words(found):
    about = row(found, name="<script>alert(1)</script>", symbol="<b>X</b>")
    pages = [strategy_tables.verdict(about), strategy_tables.footer("sandbox", about)]
    assert not any("<script" in str(page) or "<b>X" in str(page) for page in pages)


def test_both_charts_are_whole_and_say_what_they_show(found):
    about = row(found)
    for chart in (strategy.equity(about, found["backtest_equity"]),
                  strategy.trades_on_price(about, found["backtest_trades"], found["candles"])):
        spec = chart.to_dict()
        assert alt.LayerChart.from_dict(spec)
        told = spec["usermeta"]["navbook"]
        assert told["label"]
        assert not told["empty"]
        text = json.dumps(palette.follow_page(spec))
        assert "NaN" not in text


def test_a_curve_without_benchmark_or_trades_is_drawn_all_the_same(found):
    equity = found["backtest_equity"].with_columns(benchmark=pl.lit(None, pl.Float64))
    assert "half bitcoin" not in strategy.equity(row(found), equity).to_dict()["usermeta"]["navbook"]["heading"]
    none = found["backtest_trades"].clear()
    assert strategy.trades_on_price(row(found), none, found["candles"]).to_dict()
    waiting = found["backtest_trades"].filter(pl.col("reason") == "OPEN")
    assert strategy.trades_on_price(row(found), waiting, found["candles"]).to_dict()


def test_the_line_ends_with_its_name_and_value(found):
    spec = strategy.equity(row(found), found["backtest_equity"]).to_dict()
    last = found["backtest_equity"].row(-1, named=True)
    names = json.dumps(spec)
    assert f"strategy ${last['strategy']:,.0f}" in names.replace("\\u2212", "-") or last["strategy"] < 0
    assert f"half/half ${last['benchmark']:,.0f}" in names


@pytest.mark.parametrize(("changed", "seen", "said"), [
    ({}, None, "quantities nothing, levels nothing"), ({"step_size": 0.001}, None, "quantities 0.001, levels nothing"),
    ({"step_size": 0.001, "tick_size": 0.1}, START, "quantities 0.001, levels 0.1, by Binance's filters of 2 Mar 2026")])
def test_the_foot_says_what_was_rounded_to_and_who_said_so(found, changed, seen, said):
    about = row(found, filters_seen_at=seen)
    about["rules"] = json.dumps(json.loads(about["rules"]) | changed)
    assert f"Rounded to {said}" in text(strategy_tables.footer("sandbox", about))

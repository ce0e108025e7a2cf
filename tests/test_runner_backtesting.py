"""`navbook backtest` and its notebook: the answers in the store, what is refused, what is asked of the exchange."""

from __future__ import annotations

import inspect
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from commands import SHARED, navbook, sentence
from locals import START, local_exchange
from navbook import schemas
from navbook.errors import BracketInvalid, SettingsInvalid
from navbook.runner import backtest_plan, backtesting, candle_import, commands
from navbook.runner.backtest_plan import Plan
from navbook.settings import NOTEBOOKS
from stores import configured, table
from test_compute_study import walk

GRID = {"tp_usdt": [5, 10], "sl_usdt": [5, 10]}
NOTEBOOK = NOTEBOOKS / "backtest.ipynb"


def recorded(folder: Path, days: float = 4, **symbols: int):
    """A store with imported candles of some symbols, {symbol: seed}."""
    config = configured(folder)
    for symbol, seed in (symbols or {"BTCUSDT": 1, "ETHUSDT": 2}).items():
        file = folder / f"{symbol}-1m-2026-03.parquet"
        walk(days, seed).with_columns(volume=1.0).write_parquet(file)
        candle_import.run(config, [file], "um", None, lambda done, of: None)
    return config


def answered(config, **parameters):
    backtesting.run(config, Plan(grid=GRID, **parameters))
    return table(config, "backtests")


def test_a_backtest_of_imported_candles_asks_nobody(tmp_path):
    row = answered(recorded(tmp_path), since="2026-03-02").row(0, named=True)
    assert (row["name"], row["symbol"], row["market"]) == ("BTCUSDT long", "BTCUSDT", "um")
    assert (row["to_time"], row["candles"], row["missing"]) == (START + timedelta(days=4), 4 * 1440, 0)
    assert row["settings"] == 4
    assert row["benchmark"] is not None
    assert json.loads(row["rules"])["tp_usdt"] == 10


def test_the_tables_agree_with_one_another(tmp_path):
    config = recorded(tmp_path)
    row = answered(config, since="2026-03-02").row(0, named=True)
    trades, sweep, equity = (table(config, f"backtest_{part}") for part in ("trades", "sweeps", "equity"))
    assert trades["pnl"].sum() == pytest.approx(row["pnl"])
    assert trades.filter(pl.col("reason") != "OPEN").height == row["trades"]
    chosen = sweep.filter(setting='{"tp_usdt":10,"sl_usdt":5}').row(0, named=True)
    assert (chosen["pnl"], chosen["trades"]) == (row["pnl"], row["trades"])
    assert row["better"] == sweep.filter(pl.col("pnl") > row["pnl"]).height
    assert equity["time"].is_sorted()
    assert equity["time"][-1] == row["to_time"]


def test_again_gives_the_same_rows_and_another_name_leaves_them(tmp_path):
    config = recorded(tmp_path)
    first = answered(config, since="2026-03-02")
    assert answered(config, since="2026-03-02").equals(first)
    both = answered(config, since="2026-03-02", side="SHORT", name="btc_short")
    assert both["name"].to_list() == ["BTCUSDT long", "btc_short"]
    assert both.filter(name="BTCUSDT long").equals(first)
    assert table(config, "backtest_trades")["name"].n_unique() == 2


def test_missing_legs_leave_the_benchmark_unknown_instead_of_made_up(tmp_path):
    row = answered(recorded(tmp_path, SOLUSDT=3), symbol="SOLUSDT", since="2026-03-02").row(0, named=True)
    assert row["benchmark"] is None
    assert row["buy_and_hold"] != 0


def test_minutes_outside_of_what_is_stored_are_missing(tmp_path):
    row = answered(recorded(tmp_path), since="2026-03-01", until="2026-03-04").row(0, named=True)
    assert (row["candles"], row["missing"]) == (2 * 1440, 1440)


@pytest.mark.parametrize(("wrong", "said"), [
    ({"tp_usdt": -1}, "tp_usdt = -1 cannot be used"), ({"market": "cm"}, "market = 'cm' cannot be used"),
    ({"grid": {"width": [1]}}, "grid = 'width' cannot be used"), ({"grid": {"tp_usdt": [0]}}, "tp_usdt = 0 cannot be used"),
    ({"taker_fee": 2}, "taker_fee = 2 cannot be used"), ({"intrabar": "best"}, "intrabar = 'best' cannot be used")])
def test_a_plan_that_cannot_be_is_refused_before_anything_is_asked(wrong, said):
    with pytest.raises(BracketInvalid, match=said):
        Plan(**wrong)


def test_a_period_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(SettingsInvalid, match="has no minute; name an earlier --from"):
        answered(recorded(tmp_path), since="2026-03-05", until="2026-03-04")
    with pytest.raises(SettingsInvalid, match="There are no candles of BTCUSDT"):
        answered(recorded(tmp_path), since="2025-03-05", until="2025-03-06")
    with pytest.raises(SettingsInvalid, match="has no 1m candles of XUSDT"):
        answered(recorded(tmp_path), symbol="XUSDT")


@pytest.fixture
def local(tmp_path, monkeypatch):
    with local_exchange(tmp_path, monkeypatch) as exchange:
        exchange.account("main", {"spot": {"BTC": "1"}})
        yield exchange


def test_the_exchange_is_asked_for_what_is_missing_and_the_end_is_the_last_snapshot(local):
    local.collect(START + timedelta(hours=3))
    local.clock(START + timedelta(hours=9))
    config = local.config()
    row = answered(config, since="2026-03-01").row(0, named=True)
    assert row["to_time"] == START + timedelta(hours=3)
    assert row["funding"] != 0
    asked = len(local.server.control("GET", "requests"))
    again = answered(config, since="2026-03-01").row(0, named=True)
    assert again == row
    assert len(local.server.control("GET", "requests")) == asked


def steps(row):
    rules = json.loads(row["rules"])
    return rules["step_size"], rules["tick_size"], row["filters_seen_at"]


def test_the_exchanges_filters_are_asked_for_once_and_kept_for_an_offline_run(local):
    local.collect(START)
    config = local.config()
    first = answered(config, since="2026-03-01").row(0, named=True)
    assert steps(first) == (0.001, 0.1, START)
    quantity = table(config, "backtest_trades")["quantity"]
    assert ((quantity * 1000).round(9) % 1 == 0).all()
    local.server.control("POST", "faults", path="/fapi/v1/*", status=503)
    assert answered(config, since="2026-03-01").row(0, named=True) == first
    assert steps(answered(config, since="2026-03-01", step_size=0.01).row(0, named=True)) == (0.01, 0.1, START)
    assert steps(answered(config, since="2026-03-01", step_size=0, tick_size=0).row(0, named=True)) == (0, 0, None)


def test_nothing_is_rounded_where_nobody_knows_the_filters(tmp_path):
    config = recorded(tmp_path)
    assert steps(answered(config, since="2026-03-02").row(0, named=True)) == (0, 0, None)
    assert steps(answered(config, since="2026-03-02", tick_size=0.5).row(0, named=True)) == (0, 0.5, None)


def test_candles_for_backtests_price_no_flow(local):
    """A symbol that only the futures market is stored of has no price in the books."""
    local.collect(START + timedelta(hours=1))
    before = local.rebuild()
    local.server.set_clock(START + timedelta(hours=2))
    answered(local.config(), since="2026-03-01", symbol="SOLUSDT")
    after = local.rebuild()
    assert all(before[name].equals(after[name]) for name in before)


def test_the_notebook_says_what_the_plan_says():
    """Defaults stand in the notebook, where people look, and in Plan, where --no-notebook looks."""
    import papermill
    stated = {name: eval(about["default"]) for name, about in papermill.inspect_notebook(NOTEBOOK).items()}
    plan = Plan()
    assert stated == {name: getattr(plan, name) for name in inspect.signature(Plan).parameters}


def test_every_option_is_a_parameter_of_the_plan():
    from navbook.cli.backtesting import backtest
    renamed = {"amount": "amount_usdt", "tp": "tp_usdt", "sl": "sl_usdt", "wallet": "wallet_usdt"}
    options = {renamed.get(name, name) for name in inspect.signature(backtest).parameters}
    assert options - {"trade", "dask", "no_notebook", "config"} == set(inspect.signature(Plan).parameters)


def test_the_command_runs_the_notebook_offline_and_writes_as_the_function_does(tmp_path):
    config = recorded(tmp_path)
    done = navbook("backtest", "--from", "2026-03-02", *(part for rule, values in GRID.items() for part in (
        "--grid", f"{rule}={','.join(map(str, values))}")), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("backtest: BTCUSDT long, 2026-03-02 to 2026-03-06: ")
    by_notebook = table(config, "backtests")
    assert answered(config, since="2026-03-02").equals(by_notebook)
    page = (Path(done.stdout.split("Run: ")[1].strip()) / "page.html").read_text()
    assert "trades depend on bar order, PnL between" in page
    assert "Is it luck?" in page
    assert "quantities nothing, levels nothing" in page


def test_without_a_notebook_the_command_says_the_same_line(tmp_path):
    recorded(tmp_path)
    done = navbook("backtest", "--from", "2026-03-02", "--tp", "20", "--grid", "tp_usdt=10,20", "--no-notebook", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 2 settings did better" in done.stdout


def test_the_command_refuses_in_one_sentence(tmp_path):
    recorded(tmp_path)
    assert "leverage = 500.0 cannot be used" in sentence(navbook("backtest", "--leverage", "500", folder=tmp_path))


TRADE = '''[trade.eth_short]
account = "main"
symbol = "ETHUSDT"
side = "SHORT"
tp_usdt = 20
sl_usdt = 7
'''


def test_a_trade_of_the_settings_is_replayed_under_its_name(tmp_path):
    recorded(tmp_path)
    config = configured(tmp_path, more=TRADE)
    done = navbook("backtest", "--trade", "eth_short", "--sl", "9", "--from", "2026-03-02", "--grid", "tp_usdt=10,20",
                   "--no-notebook", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    row = table(config, "backtests").row(0, named=True)
    assert (row["name"], row["symbol"], row["market"]) == ("eth_short", "ETHUSDT", "um")
    rules = json.loads(row["rules"])
    assert (rules["side"], rules["tp_usdt"], rules["sl_usdt"]) == ("SHORT", 20, 9)


@pytest.mark.parametrize(("section", "name", "said"), [
    (TRADE, "btc", "There is no [trade.btc] in navbook.toml; there are eth_short."), ("", "btc", "there are none."),
    (TRADE + "width = 3\n", "eth_short", "[trade.eth_short] cannot be used: width is not one of its settings"),
    ('[trade.x]\nside = "LONG"\n', "x", "it names no symbol")])
def test_a_trade_that_cannot_be_is_refused(tmp_path, section, name, said):
    with pytest.raises(SettingsInvalid) as refused:
        backtest_plan.of_trade(configured(tmp_path, more=section), name)
    assert said in str(refused.value)


def test_the_command_line_loads_neither_the_compiler_nor_the_exchange():
    """A second each; the notebook's kernel loads what it needs itself."""
    loaded = subprocess.run([sys.executable, "-c", "import navbook.runner.backtest_plan, navbook.runner.commands, sys;"
                             "print({'numba', 'binance', 'aiohttp'} & set(sys.modules))"], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "set()"


def test_a_long_sweep_says_how_far_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(backtesting, "TELL_EVERY_S", 0)
    answered(recorded(tmp_path), since="2026-03-02", wallet_usdt=150)
    told = capsys.readouterr().err.splitlines()
    assert "Backtest: 100% of the sweep." in told
    assert "Backtest: 0% of the test for luck." in told


def test_ctrl_c_ends_a_sweep_at_once_and_leaves_nothing(tmp_path, monkeypatch):
    """Inside of asyncio.run the first one would wait for the end of the work."""
    monkeypatch.setattr(backtesting._Telling, "__call__", lambda self, work, part: signal.raise_signal(signal.SIGINT))
    config = recorded(tmp_path, 0.5)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)    # as in a process of its own
    try:
        with pytest.raises(KeyboardInterrupt):
            backtesting.run(config, Plan(since="2026-03-02"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert table(config, "backtests").is_empty()


def test_a_grid_is_written_as_rule_and_values():
    from navbook.cli.backtesting import _grid
    assert _grid(["tp_usdt=5,7.5", "side=LONG,SHORT"]) == {"tp_usdt": [5, 7.5], "side": ["LONG", "SHORT"]}
    with pytest.raises(SettingsInvalid, match="--grid tp_usdt is no grid; write a rule and its values"):
        _grid(["tp_usdt"])


@pytest.mark.skipif(not SHARED.exists(), reason="the recorded candles are not here")
def test_nothing_trades_in_the_outage_of_2023(tmp_path):
    """Spot trading stood still from 12:40 to 14:00 on 24 March 2023."""
    config = configured(tmp_path)
    candle_import.run(config, sorted((SHARED / "candles" / "spot").glob("*1m-2023-03-outage*")), None, None, lambda done, of: None)
    row = answered(config, market="spot", since="2023-03-22", tp_usdt=2, sl_usdt=2).row(0, named=True)
    assert (row["candles"], row["missing"]) == (7120, 80)
    trades = table(config, "backtest_trades")
    still = [datetime(2023, 3, 24, *clock, tzinfo=UTC) for clock in ((12, 40), (13, 59))]
    assert trades.filter(pl.col("entry_time").is_between(*still) | pl.col("exit_time").is_between(*still)).is_empty()
    assert schemas.BACKTEST_TRADES.check(trades).height == row["trades"] + trades["exit_time"].null_count()


def test_a_failed_backtest_keeps_no_page_from_being_published(tmp_path, monkeypatch):
    ran = []

    def failing(*_, **__):
        raise SettingsInvalid("no candles")

    monkeypatch.setattr(commands, "job", lambda config, name, *_, **__: ran.append(name))
    monkeypatch.setattr(commands, "backtest", failing)
    with pytest.raises(SettingsInvalid, match="no candles"):
        commands.everything(configured(tmp_path), "all", print)
    assert ran == ["collect", "benchmark", "publish"]

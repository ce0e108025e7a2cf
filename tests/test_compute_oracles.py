"""Published figures: ours equal them within their printed precision.

../shared/data/oracles holds them with their sources (see `meta` in each file); it is no part of this repository.
What it holds and navbook has no figure for stands in NOT_OURS, with the reason.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from math import sqrt

import numpy as np
import polars as pl
import pytest

from commands import SHARED
from navbook.compute import risk
from navbook.compute.money_weighted import money_weighted
from navbook.runner import rebuild
from navbook.settings import Benchmark, Settings
from navbook.types import FlowKind
from worlds import World, at, only

ORACLES = SHARED / "oracles"
NEVER = Settings(benchmark=Benchmark(rebalance="never"))
DAY = 86_400_000_000
MONTHS = 12
MAR = 0.005    # Bacon's minimum acceptable return, of a month
pytestmark = pytest.mark.skipif(not ORACLES.is_dir(), reason="needs ../shared/data/oracles, which is not in this repository")


def read(name: str) -> dict:
    return json.loads((ORACLES / name).read_text(encoding="utf-8")) if ORACLES.is_dir() else {}


def linked(*returns: float, times: list[datetime] | None = None) -> dict[str, pl.DataFrame]:
    """The derived tables of an account whose snapshots grow by `returns`."""
    world = World()
    value = Decimal(10_000)
    times = times or [at(hour) for hour in range(len(returns) + 1)]
    for time, growth in zip(times, [0.0, *returns], strict=True):
        value *= 1 + Decimal(str(growth))
        world.snapshot(time, {"USDT": round(value, 18)})
    return rebuild.compute(world.facts(), NEVER)


# Bacon: 24 monthly returns and the figures of the book, as PerformanceAnalytics prints them.

@cache
def bacon() -> tuple[np.ndarray, np.ndarray]:
    """Monthly returns of portfolio and benchmark."""
    with (ORACLES / "bacon_monthly_returns.csv").open(encoding="utf-8") as file:
        rows = np.array([(float(own), float(market)) for _, own, market in list(csv.reader(file))[1:]])
    return rows[:, 0], rows[:, 1]


def of_bacon() -> risk.Figures:
    return risk.figures(*bacon(), per_year=MONTHS)


def year(series: int) -> float:
    return risk.growth(bacon()[series], MONTHS)


def jensen() -> float:
    return year(0) - of_bacon().beta * year(1)


def specific_risk() -> float:
    """Of what beta does not explain, n in the denominator: total variance without the systematic part."""
    months, figures = len(bacon()[0]), of_bacon()
    systematic = (figures.beta * figures.benchmark_volatility) ** 2
    return sqrt((figures.volatility ** 2 - systematic) * (months - 1) / months)


def above(series: int) -> np.ndarray:
    return bacon()[series] - MAR


def sortino_of_a_month() -> float:
    return risk.figures(above(0), bacon()[1], per_year=1).sortino


def spread_ratio() -> float:
    figures = of_bacon()
    return figures.volatility / figures.benchmark_volatility


def m2_sortino() -> float:
    shorter = risk.downside_deviation(above(1)) - risk.downside_deviation(above(0))
    return year(0) + sortino_of_a_month() * shorter * sqrt(MONTHS)


def population(deviation: float) -> float:
    """A deviation with n - 1 in the denominator, with n."""
    months = len(bacon()[0])
    return deviation * sqrt((months - 1) / months)


def upside() -> float:
    return risk.downside_deviation(-above(0))


def net_selectivity() -> float:
    return jensen() - (spread_ratio() - of_bacon().beta) * year(1)


BACON = {
    "DownsideDeviation(": lambda: risk.downside_deviation(above(0)),
    "SFM.jensenAlpha(": jensen,
    "Selectivity(": jensen,
    "NetSelectivity(": net_selectivity,
    "SpecificRisk(": specific_risk,
    "AppraisalRatio(": lambda: jensen() / specific_risk(),
    "FamaBeta(": spread_ratio,
    "MSquared(": lambda: year(0) / spread_ratio(),
    "TreynorRatio(": lambda: year(0) / (of_bacon().beta * population(of_bacon().benchmark_volatility)),
    "Kappa(": sortino_of_a_month,    # of order 2 it is the Sortino ratio, not annualised
    "M2Sortino(": m2_sortino,
    'UpsideRisk(portfolio_bacon[,1], MAR, stat="risk"': upside,
    'VolatilitySkewness(portfolio_bacon[,1], MAR, stat="volatility"': lambda: (
        upside() / risk.downside_deviation(above(0))) ** 2,
    'VolatilitySkewness(portfolio_bacon[,1], MAR, stat="variability"': lambda: (
        upside() / risk.downside_deviation(above(0)))}
CUT_OFF = ("Selectivity(", "NetSelectivity(")    # -0.01417 and -0.01789 are printed as -0.0141 and -0.017
NO_BACON = {
    "AdjustedSharpeRatio(": "needs skewness", "BernardoLedoitRatio(": "gains over losses", "DRatio(": "counts of losses",
    "BurkeRatio(": "all drawdowns", "MartinRatio(": "all drawdowns", "PainIndex(": "all drawdowns",
    "PainRatio(": "all drawdowns", "SFM.epsilon(": "regression residual", "DownsidePotential(": "a mean shortfall",
    "DownsideFrequency(": "a count", "UpsideFrequency(": "a count",
    "Frequency(": "a count", "MSquaredExcess(": "-0.00998 does not follow from the printed M2 and these returns",
    "MeanAbsoluteDeviation(": "no such figure", "OmegaExcessReturn(": "no such figure",
    "OmegaSharpeRatio(": "no such figure", "ProspectRatio(": "no such figure", "SkewnessKurtosisRatio(": "needs skewness",
    "SystematicRisk(": "marked as not reproducible", "TotalRisk(": "marked as not reproducible",
    'UpsideRisk(portfolio_bacon[,1], MAR, stat="variance"': "marked as a slip",
    'UpsideRisk(portfolio_bacon[,1], MAR, stat="potential"': "a mean excess", "kurtosis(": "no such figure"}


def call(case: dict) -> str:
    return case["call"].removeprefix("print(")


def applies(case: dict, names: dict) -> list[str]:
    return [name for name in names if call(case).startswith(name)]


def test_every_figure_of_bacon_is_tested_or_said_not_to_be_ours():
    for case in read("bacon_expected.json")["expected"]:
        assert applies(case, BACON) or applies(case, NO_BACON), case["call"]


@pytest.mark.parametrize("case", [pytest.param(case, id=call(case)) for case in read("bacon_expected.json").get("expected", [])
                                  if applies(case, BACON)])
def test_bacon(case):
    """C. Bacon, Practical Portfolio Performance Measurement and Attribution; braverock/PerformanceAnalytics R/*.R."""
    name = applies(case, BACON)[0]
    last_place = 10.0 ** Decimal(str(case["expected"])).as_tuple().exponent
    allowed = last_place * (1 if name in CUT_OFF else 0.5)
    assert BACON[name]() == pytest.approx(case["expected"], abs=allowed)


def test_bacon_figures_recomputed_with_pandas():
    extra = read("bacon_expected.json")["expected_extra_recomputed_here"]
    figures, own = of_bacon(), bacon()[0]
    fall = risk.drawdown(np.arange(len(own) + 1) * DAY, np.cumprod([1.0, *(1 + own)]))
    assert figures.beta == pytest.approx(extra["beta"], abs=5e-5)
    assert figures.tracking_error == pytest.approx(extra["tracking_error_sample_annual"], abs=5e-5)
    assert figures.information_ratio == pytest.approx(extra["information_ratio"], abs=5e-4)
    assert fall.max_drawdown == pytest.approx(extra["max_drawdown"], abs=5e-5)


# empyrical: parameterised cases of quantopian/empyrical empyrical/tests/test_stats.py.

EMPYRICAL = read("empyrical_cases.json")
PER_YEAR = {"daily": 252, "weekly": 52, "monthly": 12}
NO_EMPYRICAL = {
    "test_omega": "no such figure", "test_beta_fragility_heuristic": "no such figure",
    "test_gpd_risk_estimates": "no such figure",
    "test_down_alpha_beta": "a regression on the down days; our capture compares growth",
    "test_up_alpha_beta": "a regression on the up days; our capture compares growth"}


def series(value: object) -> np.ndarray | float:
    """An argument of a case: a series of the file (null is NaN: a day without a return) or a number."""
    if not isinstance(value, dict):
        return np.nan if value is None else value
    return np.array(EMPYRICAL["series"][value["series"]]["values"], dtype=float)


def returns_of(case: dict, over: object = 0.0) -> np.ndarray:
    """The first argument less what is `over` it, without the days that have no return."""
    returns = series(case["values"][0]) - series(over)
    return returns[~np.isnan(returns)]


def columns(case: dict) -> list[tuple[np.ndarray, float]]:
    """[(returns, expected)] of a case on a frame: one a column."""
    frame = EMPYRICAL["series"][case["values"][0]["frame"]]["columns"]
    expected = series(case["values"][-1])
    return [(np.array(values), figure) for values, figure in zip(frame.values(), expected, strict=True)]


def index_of(returns: np.ndarray) -> np.ndarray:
    return np.cumprod([1.0, *(1 + returns)])


def max_drawdown(returns: np.ndarray) -> float | None:
    fall = risk.drawdown(np.arange(len(returns) + 1) * DAY, index_of(returns))
    return fall.max_drawdown if len(returns) else None


def figure(name: str, returns: np.ndarray, per_year: int) -> float | None:
    return getattr(risk.figures(returns, np.zeros(len(returns)), per_year), name)


def cases(*tests: str, where: object = lambda case: True) -> pytest.MarkDecorator:
    found = [case for case in EMPYRICAL.get("cases", []) if case["test"] in tests and where(case)]
    return pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['test'][5:]} {case['case'][:60]}")
                                            for case in found] or [pytest.param({}, id="absent")])


def on_frame(case: dict) -> bool:
    return "frame" in case["values"][0]


def equal(found: float | None, expected: float | None) -> None:
    """Theirs is NaN or infinite where nothing is divided by nothing or zero; ours is None there."""
    if expected in (None, "inf"):
        assert found is None
    else:
        assert found == pytest.approx(expected, rel=1e-9, abs=5e-9)


def test_every_case_of_empyrical_is_tested_or_said_not_to_be_ours():
    here = {"test_simple_returns", "test_cum_returns", "test_cum_returns_final", "test_aggregate_returns",
            "test_max_drawdown", "test_annual_ret", "test_cagr", "test_annual_volatility", "test_calmar",
            "test_sharpe_ratio", "test_downside_risk", "test_sortino"}
    assert {case["test"] for case in EMPYRICAL["cases"]} == here | set(NO_EMPYRICAL)


@cases("test_max_drawdown")
def test_empyrical_max_drawdown(case):
    equal(max_drawdown(returns_of(case)), case["values"][-1])


@cases("test_annual_volatility")
def test_empyrical_volatility(case):
    equal(figure("volatility", returns_of(case), PER_YEAR[case["values"][1]]), case["values"][-1])


def growth_of_a_year(case: dict) -> float | None:
    """Theirs counts a day without a return as a day of 0 %."""
    return risk.growth(np.nan_to_num(series(case["values"][0])), PER_YEAR[case["values"][1]])


@cases("test_annual_ret", "test_cagr")
def test_empyrical_growth_of_a_year(case):
    equal(growth_of_a_year(case), case["values"][-1])


@cases("test_calmar")
def test_empyrical_calmar(case):
    """Growth of a year over the deepest fall: of two figures of ours."""
    grown = growth_of_a_year(case)
    equal(grown and grown / -max_drawdown(returns_of(case)), case["values"][-1])


@cases("test_sharpe_ratio")
def test_empyrical_sharpe(case):
    """Theirs over a risk-free return: ours of what is above it."""
    equal(figure("sharpe", returns_of(case, over=case["values"][1]), 252), case["values"][-1])


@cases("test_sortino", where=lambda case: not on_frame(case))
def test_empyrical_sortino(case):
    equal(figure("sortino", returns_of(case, over=case["values"][1]), PER_YEAR[case["values"][2]]), case["values"][-1])


@cases("test_downside_risk", where=lambda case: not on_frame(case))
def test_empyrical_downside_risk(case):
    returns = returns_of(case, over=case["values"][1])
    found = risk.downside_deviation(returns) * sqrt(PER_YEAR[case["values"][2]]) if len(returns) else None
    equal(found, case["values"][-1])


@cases("test_sortino", "test_downside_risk", where=on_frame)
def test_empyrical_columns_of_a_frame(case):
    per_year = PER_YEAR[case["values"][2]]
    for returns, expected in columns(case):
        found = (figure("sortino", returns, per_year) if case["test"] == "test_sortino"
                 else risk.downside_deviation(returns) * sqrt(per_year))
        assert found == pytest.approx(expected, rel=1e-9)


@cases("test_simple_returns")
def test_empyrical_simple_returns(case):
    """Of prices: here of an account's value. From nothing (theirs: infinite) ours is set aside and counts 1."""
    prices, expected = series(case["values"][0]), case["values"][-1]
    world = World()
    for hour, price in enumerate(prices):
        world.snapshot(at(hour), {"USDT": round(Decimal(float(price)), 18)})
    index = rebuild.compute(world.facts(), NEVER)["nav_history"]["twr_index"].to_numpy()
    found = index[1:] / index[:-1] - 1
    assert found == pytest.approx([0.0 if figure == "inf" else figure for figure in expected], rel=1e-9)


@cases("test_cum_returns", "test_cum_returns_final")
def test_empyrical_linked_returns(case):
    """Theirs are of a starting value, 0 for the return itself; they assert four decimals."""
    returns, (start, expected) = returns_of(case), case["values"][1:]
    chain = linked(*returns)["nav_history"]["twr_index"].to_numpy()[1:]
    found = (chain * start if start else chain - 1).tolist()
    wanted = expected[-len(found):] if case["test"] == "test_cum_returns" else [expected] if found else []
    assert found[-len(wanted):] == pytest.approx(wanted, abs=5e-5)


@cases("test_aggregate_returns")
def test_empyrical_months(case):
    if case["values"][1] != "monthly":
        pytest.skip("navbook has months, no quarters and no calendar years of the past")
    days = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in EMPYRICAL["series"][case["values"][0]["series"]]["index"]]
    ends = [day + timedelta(days=1) for day in days]    # a day's return is made by its end
    tables = linked(*returns_of(case), times=[ends[0] - (ends[1] - ends[0]), *ends])
    performance = tables["performance"].filter(pl.col("period").str.contains(r"^\d{4}-")).sort("period")
    assert performance["twr"][-len(case["values"][-1]):].to_list() == pytest.approx(case["values"][-1], abs=1e-9)


# XIRR: samples of Anexen/pyxirr and the example in Excel's documentation.

@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in read("xirr_cases.json").get("cases", [])])
def test_xirr(case):
    """Actual/365, printed to 1e-9 (Excel's to 1e-8); the second root of two cases is none of ours."""
    flows = sorted((date.fromisoformat(day), amount) for day, amount in case["flows"])
    times = np.array([(day - flows[0][0]).days * DAY for day, _ in flows])
    rate = money_weighted(times, np.array([amount for _, amount in flows]))
    days = times[-1] / DAY
    if rate is not None and days < 365:
        rate = (1 + rate) ** (365 / days) - 1    # ours is of the period, theirs of a year
    assert rate == (None if case["xirr"] is None else pytest.approx(case["xirr"], abs=5e-9))


# Linked time-weighted return: a question of the CFA's kind, answer 31.85 %.

@pytest.mark.parametrize("case", [pytest.param(case, id=case["source"]) for case in read("twr_worked_examples.json").get("cases", [])])
def test_time_weighted_return_of_linked_quarters(case):
    """A flow a second after each quarter begins: Modified Dietz weighs it with almost all of the quarter."""
    world, quarter = World(), 24 * 91
    for number, part in enumerate(case["subperiods"]):
        if number:
            flow = round(Decimal(str(part["begin"])) - Decimal(str(case["subperiods"][number - 1]["end"])), 8)
            kind = FlowKind.DEPOSIT if flow > 0 else FlowKind.WITHDRAWAL
            world.flow(at(number * quarter, seconds=1), abs(flow), kind=kind)
        else:
            world.snapshot(at(0), {"USDT": part["begin"]})
        world.snapshot(at((number + 1) * quarter), {"USDT": part["end"]})
    row = only(rebuild.compute(world.facts(), NEVER)["performance"], period="inception")
    assert row["twr"] == pytest.approx(case["expected_total"], abs=0.5 * 10 ** -case["rounding"])

"""A whole life by its flows alone: a case by hand, what cannot be used, and the hold that runs dry."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navbook import schemas
from navbook.compute.lifetime import lifetime, usable
from worlds import START

HALVES = {"BTC": 0.5, "ETH": 0.5}
DAY = timedelta(days=1)


def flows(*moves: tuple[float, float | None]) -> pl.DataFrame:
    """FLOW_VALUES of (day, dollars)."""
    return schemas.FLOW_VALUES.rows([("main", "deposit", f"f{number}", START + day * DAY, "DEPOSIT", "USDT", usd, 1.0, "counts 1", usd)
                                     for number, (day, usd) in enumerate(moves)])


def quotes(*known: tuple[float, float, float]) -> pl.DataFrame:
    """Prices of both legs at (day, BTC, ETH)."""
    rows = [(START + day * DAY, leg, price) for day, *prices in known for leg, price in zip(HALVES, prices, strict=True)]
    return pl.DataFrame(rows, schema={"time": schemas.TIME, "asset": pl.String, "price": pl.Float64}, orient="row")


def test_two_years_by_hand():
    """10,000 at 10,000 and 500; 6,000 more when bitcoin has doubled; half of it out; then both doubled once more.

    The hold: 0.5 BTC + 10 ETH; 15,000 before and 21,000 after the second deposit, of which bitcoin gets 3,000 / 20,000 and
    ether 3,000 / 500: 0.65 BTC + 16 ETH. 10,500 out halves it: 0.325 BTC + 8 ETH, worth 13,000 + 8,000 at the end.
    """
    found = lifetime(flows((0, 10_000), (365, 6000), (400, -10_500)),
                     quotes((0, 10_000, 500), (365, 20_000, 500), (400, 20_000, 500)), HALVES,
                     nav=20_000, as_of=START + 730 * DAY, now={"BTC": 40_000, "ETH": 1000})
    assert (found.first_flow, found.deposits, found.withdrawals) == (START, 2, 1)
    assert (found.deposited_usd, found.withdrawn_usd, found.held_withdrawn_usd) == (16_000, 10_500, pytest.approx(10_500))
    assert (found.gain_usd, found.held_value, found.held_gain_usd) == (14_500, pytest.approx(21_000), pytest.approx(15_500))
    # by hand: 10,000 (1+r)^2 + 6,000 (1+r) - 10,500 (1+r)^(330/365) = 20,000
    for rate, value in ((found.mwr, 20_000), (found.held_mwr, 21_000)):
        assert 10_000 * (1 + rate)**2 + 6000 * (1 + rate) - 10_500 * (1 + rate)**(330 / 365) == pytest.approx(value)
    assert found.ran_dry == []


def test_a_withdrawal_of_more_than_the_hold_has_is_paid_as_far_as_it_goes():
    found = lifetime(flows((0, 1000), (100, -5000)), quotes((0, 100, 100), (100, 200, 200)), HALVES, nav=0,
                     as_of=START + 200 * DAY, now={"BTC": 300, "ETH": 300})
    assert (found.withdrawn_usd, found.held_withdrawn_usd, found.held_value) == (5000, 2000, 0)
    assert (found.gain_usd, found.held_gain_usd) == (4000, 1000)
    assert found.ran_dry == [START + 100 * DAY]


def test_less_than_a_year_is_not_annualised():
    found = lifetime(flows((0, 1000)), quotes((0, 100, 100)), HALVES, nav=1100, as_of=START + 30 * DAY, now={"BTC": 90, "ETH": 90})
    assert (found.mwr, found.held_mwr) == (pytest.approx(0.1), pytest.approx(-0.1))


def test_what_has_no_value_or_no_price_of_a_leg_is_left_out_of_both():
    moves = flows((0, 1000), (1, None), (2, 500), (9, 700))
    known = quotes((0, 100, 100), (1, 100, 100), (9, 100, 100)).vstack(quotes((2, 100, 100)).head(1))
    assert usable(moves, known, HALVES)["id"].to_list() == ["f0", "f3"]
    found = lifetime(moves, known, HALVES, nav=1000, as_of=START + 5 * DAY, now={"BTC": 100, "ETH": 100})
    assert (found.deposits, found.deposited_usd, found.held_gain_usd) == (1, 1000, 0)
    assert lifetime(moves.filter(id="f1"), known, HALVES, nav=0, as_of=START + 5 * DAY, now={"BTC": 1, "ETH": 1}) is None


@given(st.lists(st.tuples(st.integers(0, 900), st.floats(1, 1e5)), min_size=1, max_size=8), st.floats(0.2, 5))
def test_with_deposits_alone_and_one_price_both_earn_what_prices_did(moves, growth):
    """Every dollar went in at one price: the hold has grown as the price has, whatever the times were."""
    found = lifetime(flows(*moves), quotes(*{(day, 100.0, 10.0) for day, _ in moves}), HALVES,
                     nav=sum(usd for _, usd in moves) * growth, as_of=START + 1000 * DAY,
                     now={"BTC": 100 * growth, "ETH": 10 * growth})
    assert found.held_value == pytest.approx(found.nav)
    assert found.held_gain_usd == pytest.approx(found.gain_usd, abs=1e-6)
    assert (found.mwr is None) == (found.held_mwr is None)
    assert found.mwr is None or found.mwr == pytest.approx(found.held_mwr)

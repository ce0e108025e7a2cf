"""Neighbours of a setting in a sweep, and the agreement of two sweeps."""

from __future__ import annotations

import polars as pl
import pytest

from navbook.compute.neighbours import agreement, neighbours

RULES = ("tp_usdt", "sl_usdt")


def sweep(**pnl: float) -> pl.DataFrame:
    """`sweep(a1=3)`: take profit 10, stop 1."""
    return pl.DataFrame([(10.0 * (ord(name[0]) - 96), float(name[1]), value) for name, value in pnl.items()],
                        schema=["tp_usdt", "sl_usdt", "pnl"], orient="row")


def test_a_spike_stands_alone_and_a_plateau_does_not():
    found = neighbours(sweep(a1=-5, a3=-7, a9=-1, b1=-3, b3=50, b9=-9, c1=8, c3=9, c9=10), RULES)
    assert found.row(0) == (20.0, 3.0, 50.0, 8, pytest.approx(2 / 8), -9.0)
    corner = found.row(by_predicate=(pl.col("tp_usdt") == 30) & (pl.col("sl_usdt") == 9), named=True)
    assert (corner["beside"], corner["mean"], corner["worst"]) == (3, pytest.approx(50 / 3), -9.0)


def test_a_single_setting_has_no_neighbour():
    assert neighbours(sweep(a1=2), RULES).row(0) == (10.0, 1.0, 2.0, 0, None, None)


def test_agreement_is_of_ranks():
    one = sweep(a1=1, a2=2, b1=3, b2=4)
    assert agreement(one, one.with_columns(pl.col("pnl") ** 3), RULES) == pytest.approx(1)
    assert agreement(one, one.with_columns(-pl.col("pnl")), RULES) == pytest.approx(-1)
    assert agreement(one, one.with_columns(pnl=pl.lit(1.0)), RULES) is None

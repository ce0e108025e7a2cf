"""Bootstrap, Sharpe ratios and the probability of overfitting, against published numbers and by their laws."""

from __future__ import annotations

from math import sqrt

import numpy as np
import polars as pl
import pytest

from navbook.compute import overfitting
from navbook.errors import BracketInvalid

RANDOM = np.random.default_rng(7)


def test_the_published_example_of_the_deflated_sharpe_ratio():
    """Bailey and López de Prado (2014): 100 trials, annual variance 1/2, Sharpe 2.5, five years of days."""
    trials = np.tile([1.0, -1.0], 50)
    trials *= sqrt(0.5 / 250) / trials.std(ddof=1)
    chance = overfitting.expected_best_sharpe(trials)
    assert chance == pytest.approx(0.1132, abs=5e-5)
    assert overfitting.confidence(2.5 / sqrt(250), chance, 1250, -3, 10) == pytest.approx(0.9004, abs=5e-5)


def test_more_trials_deflate_more():
    returns = RANDOM.normal(0.05, 1, 500)
    few, many = (overfitting.deflated_sharpe(returns, RANDOM.normal(0, 0.05, count)) for count in (5, 5000))
    assert overfitting.probabilistic_sharpe(returns) > few > many


def test_a_constant_return_has_no_sharpe_ratio():
    assert overfitting.sharpe([1.0, 1.0, 1.0]) == 0
    assert overfitting.probabilistic_sharpe([1.0, 1.0, 1.0]) == 0.5


def test_the_bootstrap_is_the_same_again_and_holds_the_total():
    pnl = pl.Series(RANDOM.normal(0.2, 3, 400))
    found = overfitting.bootstrap(pnl, samples=2000)
    assert found == overfitting.bootstrap(pnl, samples=2000)
    assert found["low"] < found["total"] < found["high"]
    assert found["high"] - found["low"] == pytest.approx(2 * 1.645 * 3 * sqrt(400), rel=0.1)
    assert overfitting.bootstrap([1.0] * 50, samples=100)["chance_of_loss"] == 0
    assert overfitting.bootstrap([-1.0] * 50, samples=100) == {
        "total": -50.0, "low": -50.0, "high": -50.0, "chance_of_loss": 1.0, "drawdown": 50.0}


def test_longer_blocks_keep_streaks_together():
    streaks = np.repeat(RANDOM.choice([-1.0, 1.0], 40), 25)
    one, many = (overfitting.bootstrap(streaks, samples=1000, block=block) for block in (1, 25))
    assert many["drawdown"] > 1.5 * one["drawdown"]


def test_noise_is_overfitted_half_of_the_time_and_skill_never():
    noise = RANDOM.normal(0, 1, (256, 60))
    assert 0.25 < overfitting.overfitting(noise, blocks=10).probability < 0.75
    skill = noise.copy()
    skill[:, 17] += 1
    found = overfitting.overfitting(skill, blocks=10)
    assert (found.probability, found.loss) == (0, 0)
    look = overfitting.luck(skill, blocks=10)
    assert look["combination"] == 17
    assert look["deflated"] > 0.99


def test_the_rank_by_hand():
    """Two blocks: what is best in one is worst in the other."""
    table = np.array([[3.0, 1.0], [3.1, 1.2], [1.0, 3.0], [1.2, 3.1]])
    found = overfitting.overfitting(table, blocks=2)
    assert found.probability == 1
    assert found.logits == pytest.approx([np.log(0.5)] * 2)


@pytest.mark.parametrize(("table", "blocks"), [
    (np.zeros((31, 5)), 16), (np.zeros((64, 1)), 16), (np.zeros((64, 5)), 15), (np.full((64, 5), np.nan), 16)])
def test_too_little_to_say_anything_is_refused(table, blocks):
    with pytest.raises(BracketInvalid):
        overfitting.overfitting(table, blocks=blocks)

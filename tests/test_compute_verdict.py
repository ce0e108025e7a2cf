"""Ahead, behind or too early: how often chance passes for skill, and that the words never change."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navbook.compute import verdict
from navbook.compute.verdict import Judgement, judge
from navbook.types import Verdict


def judged(days: int, worlds: int, edge: float = 0.0, echo: float = 0.0) -> Counter[Verdict]:
    """Verdicts of `worlds` accounts: active daily returns of 1 %, plus `edge`, each echoing part of the last."""
    random = np.random.default_rng(days)
    noise = random.normal(0, 0.01, (worlds, days + 20))
    for day in range(1, days + 20):
        noise[:, day] += echo * noise[:, day - 1]
    market = random.normal(0.0005, 0.03, (worlds, days))
    own = (1 + market) * np.exp(noise[:, 20:] + edge) - 1
    return Counter(judge(*world).verdict for world in zip(own, market, strict=True))


@pytest.mark.parametrize(("days", "echo"), [(30, 0.0), (60, 0.0), (365, 0.0), (90, 0.2), (90, -0.2)])
def test_chance_passes_for_skill_in_one_case_of_forty(days, echo):
    """No edge: 2.5 % ahead and 2.5 % behind; days that echo the last one change little."""
    words = judged(days, worlds=2000, echo=echo)
    for word in (Verdict.AHEAD, Verdict.BEHIND):
        assert 0.013 <= words[word] / 2000 <= 0.04


def test_a_strong_edge_is_seen():
    """0.5 % a day for a year against 1 % of noise is 9.5 standard errors; 0.1 % is 1.9, seen in about half."""
    assert judged(365, worlds=200, edge=0.005)[Verdict.AHEAD] == 200
    assert judged(365, worlds=200, edge=-0.005)[Verdict.BEHIND] == 200
    assert 0.3 <= judged(365, worlds=400, edge=0.001)[Verdict.AHEAD] / 400 <= 0.6


def test_the_interval_holds_the_true_alpha_in_19_of_20_cases():
    random = np.random.default_rng(4)
    inside = 0
    for _ in range(1000):
        active = random.normal(0.002, 0.01, 120)
        judgement = judge(np.expm1(active), np.zeros(120))
        inside += judgement.alpha_low <= np.expm1(0.002 * 120) <= judgement.alpha_high
    assert 0.93 <= inside / 1000 <= 0.97


def test_fewer_than_thirty_days_are_too_early():
    assert judge(np.full(29, 0.1), np.zeros(29)) == Judgement(Verdict.TOO_EARLY)
    assert judge(np.full(30, 0.1), np.zeros(30)).verdict == Verdict.AHEAD


@pytest.mark.parametrize("market", [0.0, 0.01])
def test_the_benchmark_itself_is_neither(market):
    """Rounding of the last digit is no edge."""
    returns = np.full(400, market)
    assert judge(returns + 1e-16, returns).verdict == Verdict.TOO_EARLY


def test_an_account_that_lost_everything_is_behind():
    assert judge(np.array([0.1] * 40 + [-1.0]), np.zeros(41)) == Judgement(Verdict.BEHIND)


def test_the_interval_is_around_the_alpha_of_the_period():
    random = np.random.default_rng(2)
    own, market = random.normal(0.002, 0.02, (2, 200))
    judgement = judge(own, market)
    alpha = np.prod(1 + own) - np.prod(1 + market)
    assert judgement.alpha_low < alpha < judgement.alpha_high


def test_the_words_are_the_same_forever():
    """Figures of an earlier run: neither another process nor another order of calls may change them."""
    days = np.arange(100)
    own, market = 0.02 * np.sin(days) + 0.003, 0.01 * np.cos(days)
    judge(own[:50], market[:50])
    verdict._starts.cache_clear()
    judgement = judge(own, market)
    assert judgement == judge(own, market)
    assert judgement.verdict == Verdict.AHEAD
    assert (judgement.alpha_low, judgement.alpha_high) == pytest.approx((0.127754233815533, 0.6203377969425653), rel=1e-12)


@settings(max_examples=15)
@given(st.integers(30, 60), st.integers(0, 2**32 - 1))
def test_blocks_by_prefix_sums_are_blocks_day_by_day(days, seed):
    """The same draws, each day added by itself, round the circle."""
    active = np.random.default_rng(seed).normal(0, 0.01, days)
    block = verdict.block_length(days)
    blocks = [(start, block) for start in verdict._starts(days, days // block + 1)[:-1]]
    blocks += [(verdict._starts(days, days // block + 1)[-1], days % block)]
    sums = sorted(sum(active[(starts[draw] + day) % days] for starts, length in blocks for day in range(length))
                  for draw in range(verdict.DRAWS))
    widening = verdict._widening(days, block)
    total = active.sum()
    expected = [total + widening * (sums[rank] - total) for rank in (24, 974)]
    assert verdict._interval(active) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("days", "length"), [(30, 4), (64, 4), (65, 5), (365, 8), (1095, 11)])
def test_blocks_are_the_cube_root_of_the_days(days, length):
    assert verdict.block_length(days) == length

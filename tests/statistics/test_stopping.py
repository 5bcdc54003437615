"""Interim analyses: the error rate, by simulation of the Brownian motion and of pass/fail cases."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from distilltest.statistics import stopping, tango

QUARTERS = (0.25, 0.5, 0.75, 1.0)


def motion(drift, runs=40_000, seed=1):
    """z in four analyses."""
    dice = np.random.default_rng(seed)
    return np.cumsum(dice.normal(drift / 4, 0.5, (runs, 4)), axis=1) / np.sqrt(QUARTERS)


def test_the_first_bound_spends_what_it_may():
    assert stats.norm.sf(stopping.bounds(QUARTERS)[0]) == pytest.approx(stopping.spent(0.25), rel=1e-6)


def test_two_analyses_match_the_bivariate_normal():
    first, second = stopping.bounds((0.5, 1.0))
    both = stats.multivariate_normal(cov=[[1, math.sqrt(0.5)], [math.sqrt(0.5), 1]])
    assert 1 - both.cdf([first, second]) == pytest.approx(0.05, abs=2e-5)


def test_one_analysis_is_the_ordinary_test():
    assert stopping.bounds((1.0,))[0] == pytest.approx(1.644854, abs=1e-5)


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.01])
def test_the_error_of_all_analyses_is_alpha(alpha):
    crossed = np.any(motion(0.0) >= stopping.bounds(QUARTERS, alpha), axis=1)
    assert crossed.mean() == pytest.approx(alpha, abs=4 * math.sqrt(alpha / 40_000))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 19), max_size=3, unique=True))
def test_the_bounds_of_several_analyses_are_at_least_that_of_one(twentieths):
    found = stopping.bounds((*(k / 20 for k in sorted(twentieths)), 1.0))
    assert all(bound >= 1.6448 for bound in found)
    for planned, bound in zip(sorted(twentieths), found, strict=False):
        assert stats.norm.sf(bound) <= stopping.spent(planned / 20) + 1e-9


def test_bounds_of_equally_spaced_analyses_fall():
    for count in (1, 2, 3, 4):
        found = stopping.bounds(tuple(k / count for k in range(1, count + 1)))
        assert list(found) == sorted(found, reverse=True)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 3))
def test_a_smaller_p_is_never_a_worse_decision(p, q, number):
    small, large = sorted((p, q))
    order = ["futile", "undecided", "continue", "holds"]
    better, worse = (stopping.analyse(x, (97, 193, 290, 386), number) for x in (small, large))
    assert order.index(better.decision) >= order.index(worse.decision)
    assert better.conditional_power >= worse.conditional_power


def test_the_conditional_power_is_what_happens():
    z = motion(2.0)
    near = np.abs(z[:, 1] - 1.2) < 0.05
    happened = np.mean(z[near, 3] >= 1.72)
    assert stopping.conditional_power(1.2, 0.5, 1.72, 2.0) == pytest.approx(happened, abs=0.04)


def test_the_last_analysis_decides():
    assert stopping.analyse(0.04, (10, 20), 1).conditional_power == 1.0
    assert stopping.analyse(0.5, (10, 20), 1) == stopping.InterimDecision(
        "undecided", pytest.approx(0.0), pytest.approx(1.68, abs=0.03), 0.0
    )


def test_certain_p_values_are_no_trouble():
    for p in (0.0, 1.0):
        for number in range(4):
            assert math.isfinite(stopping.analyse(p, stopping.schedule(100), number).z)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 1000])
def test_a_schedule_rises_to_all_cases(n):
    cases = stopping.schedule(n)
    assert cases[-1] == n
    assert list(cases) == sorted(set(cases))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stopping.schedule(0), "at least one case"),
        (lambda: stopping.schedule(10, 5), "1 to 4 analyses"),
        (lambda: stopping.bounds((0.5, 0.5)), "do not rise"),
        (lambda: stopping.bounds(()), "do not rise"),
        (lambda: stopping.spent(0.0), "fraction"),
        (lambda: stopping.conditional_power(1.0, 0.0, 1.7, 2.0), "fraction"),
        (lambda: stopping.analyse(float("nan"), (10, 20), 0), r"not in \[0, 1\]"),
        (lambda: stopping.analyse(0.5, (), 0), "do not rise"),
        (lambda: stopping.analyse(0.5, (10, 20), 2), "no analysis 2"),
    ],
)
def test_impossible_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("difference", "low", "high", "saved"), [(-0.05, 0.02, 0.07, 0.15), (0.01, 0.85, 1.0, 0.2)])
def test_interim_analyses_of_pass_fail_cases(difference, low, high, saved):
    """386 pairs, 10 % of which differ, margin 5 points: the error at the limit, and the power and what is saved."""
    dice = np.random.default_rng(6)
    cases = stopping.schedule(386)
    promoted = used = 0
    runs = 400
    for _ in range(runs):
        d = dice.choice([1, -1, 0], size=386, p=[0.05 + difference / 2, 0.05 - difference / 2, 0.9])
        for number, count in enumerate(cases):
            wins, losses = int(np.sum(d[:count] > 0)), int(np.sum(d[:count] < 0))
            decision = stopping.analyse(tango.p_value(wins, losses, count, 0.05), cases, number).decision
            if decision != "continue":
                break
        promoted += decision == "holds"
        used += count
    assert low <= promoted / runs <= high
    assert used / runs / 386 <= 1 - saved

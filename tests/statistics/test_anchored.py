"""The anchored mean test against closed forms."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from distilltest.statistics import anchored

numbers = st.lists(st.integers(-99, 100), min_size=1, max_size=9, unique=True)


@given(numbers, st.sampled_from([-0.105, 0.005, 0.055, 0.505]))
def test_p_of_unequal_values_is_that_of_partial_fractions(hundredths, delta):
    exactly = Fraction(str(delta))
    x = [Fraction(value, 100) + exactly for value in hundredths] + [exactly - 1]
    above = Fraction(0)
    for i, one in enumerate(x):
        if one > 0:
            product = Fraction(1)
            for j, other in enumerate(x):
                product *= 1 if i == j else one / (one - other)
            above += product
    assert anchored.p_value([value / 100 for value in hundredths], delta) == pytest.approx(float(1 - above), abs=1e-9)


@pytest.mark.parametrize(("wins", "losses"), [(3, 1), (30, 20), (400, 380), (5000, 4900), (1, 2000)])
def test_p_of_wins_and_losses_is_a_beta_tail(wins, losses):
    p = anchored.p_value([1.0] * wins + [-1.0] * losses, 0.0)
    assert p == pytest.approx(stats.beta.sf(0.5, losses + 1, wins), abs=1e-9)


@pytest.mark.parametrize("n", [2, 30, 500, 20_000])
def test_unequal_scores_are_those_of_plain_quadrature(n):
    d = np.random.default_rng(n).normal(0.0, 0.2, n).clip(-1, 1)
    shift = 1.5 * 0.2 / n**0.5 - d.mean()
    x = np.append(d + shift, shift - 1)
    t = np.exp(np.linspace(-18, 8, 8001)) / np.sqrt(np.sum(x * x))
    log_modulus, phase = np.zeros_like(t), np.zeros_like(t)
    for value in x:
        log_modulus -= 0.5 * np.log1p((t * value) ** 2)
        phase += np.arctan(t * value)
    expected = 0.5 - np.trapezoid(np.exp(log_modulus) * np.sin(phase), np.log(t)) / np.pi
    assert anchored.p_value(d, shift) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.sampled_from([0.05, 0.005]))
def test_the_interval_is_where_p_crosses_alpha(d, alpha):
    low, high = anchored.interval(d, alpha)
    assert -1 <= low <= high <= 1
    for bound, values in ((-low, d), (high, [-value for value in d])):
        if bound < 1:
            assert anchored.p_value(values, bound) <= alpha < anchored.p_value(values, bound - 2**-22)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=60), st.randoms(use_true_random=False))
def test_the_order_of_cases_changes_no_digit(d, dice):
    shuffled = d.copy()
    dice.shuffle(shuffled)
    assert anchored.p_value(shuffled, 0.05) == anchored.p_value(d, 0.05)
    assert anchored.interval(shuffled) == anchored.interval(d)

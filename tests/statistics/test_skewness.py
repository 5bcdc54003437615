"""Hall's correction: against the t test, by its symmetries and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from distilltest.statistics import skewness

values = st.lists(st.sampled_from([-1.0, -0.3, 0.0, 0.2, 1.0]), min_size=2, max_size=60)


def test_the_skewness_is_that_of_scipy():
    d = np.random.default_rng(1).choice([-0.9, 0.0, 0.1, 0.2], size=80, p=[0.05, 0.3, 0.35, 0.3])
    t = stats.ttest_1samp(d, -0.02).statistic
    s = stats.skew(d) * (79 / 80) ** 1.5 / np.sqrt(80)
    assert skewness.p_value(d, 0.02) == pytest.approx(stats.t.sf(skewness.corrected(t, s), 79), rel=1e-8)


@given(st.floats(-30, 30), st.floats(-3, 3), st.floats(0, 5))
def test_the_transformation_rises_and_is_undone(t, skew, more):
    assert skewness.corrected(t + more, skew) >= skewness.corrected(t, skew) - 1e-9
    if abs(1 + skew * t / 3) > 0.05:
        assert skewness.uncorrected(skewness.corrected(t, skew), skew) == pytest.approx(t, abs=1e-4)


@given(values, st.randoms(use_true_random=False))
def test_the_order_of_cases_changes_nothing(d, dice):
    shuffled = d.copy()
    dice.shuffle(shuffled)
    assert skewness.p_value(shuffled, 0.05) == pytest.approx(skewness.p_value(d, 0.05), abs=1e-9)


@given(values)
def test_swapping_roles_mirrors_the_interval(d):
    low, high = skewness.interval(d)
    assert skewness.interval([-x for x in d]) == pytest.approx((-high, -low), abs=1e-9)
    assert -1 <= low <= high <= 1


@given(values, st.floats(-0.3, 0.3), st.floats(0, 0.3))
def test_a_wider_margin_never_raises_p(d, delta, wider):
    assert 0.0 <= skewness.p_value(d, delta + wider) <= skewness.p_value(d, delta) + 1e-12


@given(values)
def test_the_interval_is_where_p_is_alpha(d):
    low, _ = skewness.interval(d)
    if -1 < low < 1:
        assert skewness.p_value(d, -low) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("n", [2, 59, 500])
def test_equal_differences_leave_doubt(n):
    assert skewness.p_value([0.0] * n, 0.05) == pytest.approx(0.95**n)
    assert skewness.p_value([0.0] * n, 0.0) == 1.0
    assert skewness.p_value([-1.0] * n, 0.05) == 1.0
    assert 0.0 < skewness.p_value([1.0] * n, 0.05) < 1.0
    low, high = skewness.interval([0.1] * n)
    assert low < 0.1 < high


@pytest.mark.parametrize("data", [[], [0.0], [0.0, float("nan")], [0.0, 1.1]])
def test_impossible_data_are_refused(data):
    with pytest.raises(ValueError, match="differences"):
        skewness.p_value(data, 0.05)
    with pytest.raises(ValueError, match="differences"):
        skewness.interval(data)


def test_impossible_margins_and_levels_are_refused():
    with pytest.raises(ValueError, match="delta"):
        skewness.p_value([0.0, 1.0], -1.0)
    with pytest.raises(ValueError, match="alpha"):
        skewness.interval([0.0, 1.0], 0.0)


@pytest.mark.parametrize("n", [50, 200])
def test_the_level_is_nearer_than_that_of_the_t_test(n):
    """Exactly at the limit, with a tail to the bad side."""
    dice = np.random.default_rng(5)
    runs = 800
    hall = plain = 0
    for _ in range(runs):
        d = 0.15 - np.minimum(dice.exponential(0.2, n), 1.15)
        delta = 0.2 * (1 - np.exp(-1.15 / 0.2)) - 0.15  # minus the true mean
        hall += skewness.p_value(d, delta) <= 0.05
        plain += stats.ttest_1samp(d, -delta, alternative="greater").pvalue <= 0.05
    assert hall / runs <= 0.067
    assert abs(hall / runs - 0.05) < abs(plain / runs - 0.05)

"""The exact unconditional test against full enumeration."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from distilltest.statistics import exact_unconditional as exact
from distilltest.statistics import tango


@st.composite
def counts(draw, most=60):
    n = draw(st.integers(1, most))
    wins = draw(st.integers(0, n))
    return wins, draw(st.integers(0, n - wins)), n


def p_by_brute_force(wins, losses, n, delta):
    """Every outcome, 400 values of the nuisance parameter, SciPy's interval."""
    observed = tango.z_score(wins, losses, n, delta)
    outcomes = [(w, lost) for w in range(n + 1) for lost in range(n + 1 - w)]
    tail = np.array([(w, lo, n - w - lo) for w, lo in outcomes if tango.z_score(w, lo, n, delta) >= observed - 1e-9])
    ci = stats.binomtest(losses, n).proportion_ci(1 - exact.GAMMA, method="exact")
    start = max(delta, 0.0)
    grid = start + np.linspace(0, math.sqrt(1 - start), 400) ** 2
    grid = np.append(grid[(grid >= ci.low) & (grid <= ci.high)], [max(start, ci.low), max(start, ci.high)])
    grid = np.append(grid, min(max((1 + delta) / 2, start, ci.low), max(start, ci.high)))
    return exact.GAMMA + max(
        float(stats.multinomial.pmf(tail, n, [win, loss, max(0.0, 1 - win - loss)]).sum())
        for loss in grid
        if (win := max(0.0, min(loss - delta, 1 - loss))) >= 0
    )


@settings(max_examples=12, deadline=None)
@given(counts(most=14), st.sampled_from([-0.1, 0.0, 0.03, 0.1, 0.4]))
def test_p_is_that_of_brute_force(data, delta):
    ours, coarse = exact.p_value(*data, delta), min(1.0, p_by_brute_force(*data, delta))
    assert coarse * 0.999 <= ours <= coarse * 1.03  # a grid may miss the largest value by a little, never exceed it


def rejected_from(n, delta, alpha):
    """The fewest wins that are significant, for each number of losses."""
    least = []
    wins = 0
    for losses in range(n + 1):
        wins = min(wins, n - losses + 1)
        while wins > 0 and exact.p_value(wins - 1, losses, n, delta) <= alpha:
            wins -= 1
        while wins <= n - losses and exact.p_value(wins, losses, n, delta) > alpha:
            wins += 1
        least.append(wins)
        if wins > n - losses and losses > n / 3:
            return np.array(least + list(range(n - losses, 0, -1)))
    return np.array(least)


@pytest.mark.parametrize("delta", [0.0, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("n", [30, 50, 100])
def test_the_size_is_never_above_alpha_at_any_point_of_the_null(n, delta):
    least = rejected_from(n, delta, 0.05)
    losses = np.arange(n + 1)
    loss = np.linspace(delta, 1, 401)[:, None]

    def size(gap):
        win = np.maximum(np.minimum(loss - gap, 1 - loss), 0.0)
        given_loss = np.clip(win / np.maximum(1 - loss, 1e-12), 0, 1)
        return (stats.binom.pmf(losses, n, loss) * stats.binom.sf(least - 1, n - losses, given_loss)).sum(axis=1).max()

    at_limit = size(delta)
    assert size(delta + 0.03) <= at_limit <= 0.05
    assert at_limit > (0.02 if 0.95 > (1 - delta) ** n > 0.06 else 0.03)  # and no power is given away


@settings(max_examples=40, deadline=None)
@given(counts(), st.sampled_from([-0.1, 0.0, 0.02, 0.05, 0.1]))
def test_one_more_win_never_raises_p(data, delta):
    wins, losses, n = data
    if wins + losses < n:
        assert exact.p_value(wins + 1, losses, n, delta) <= exact.p_value(*data, delta) + 1e-9


@pytest.mark.parametrize(("n", "delta"), [(59, 0.05), (149, 0.02), (299, 0.01), (29, 0.1), (10, 0.05)])
def test_no_difference_is_as_surprising_as_no_case_in_which_the_candidate_fails(n, delta):
    assert exact.p_value(0, 0, n, delta) == pytest.approx((1 - delta) ** n + exact.GAMMA, rel=1e-6)


def test_no_difference_never_proves_an_advantage():
    assert exact.p_value(0, 0, 1000, 0.0) == 1.0
    assert exact.p_value(0, 0, 1000, -0.01) == 1.0


@settings(max_examples=12, deadline=None)
@given(counts(most=30))
def test_swapping_roles_mirrors_the_interval(data):
    wins, losses, n = data
    low, high = exact.interval(wins, losses, n)
    assert exact.interval(losses, wins, n) == (-high, -low)
    assert -1.0 <= low <= (wins - losses) / n <= high <= 1.0


@settings(max_examples=20, deadline=None)
@given(counts(), st.sampled_from([0.0, 0.02, 0.05, 0.1]))
def test_the_bound_and_the_decision_agree(data, delta):
    low, _ = exact.interval(*data)
    if abs(low + delta) > 0.002:
        assert (exact.p_value(*data, delta) <= 0.05) == (-low <= delta)


@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_the_ends_of_the_sample_space(n):
    for delta in (-0.2, 0.0, 0.1):
        assert exact.p_value(0, n, n, delta) > 0.5
        assert exact.GAMMA <= exact.p_value(n, 0, n, delta) < 1.0
    low, high = exact.interval(n, 0, n)
    assert low < 1.0 == high


@pytest.mark.parametrize(("wins", "losses", "n"), [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
def test_impossible_counts_are_refused(wins, losses, n):
    with pytest.raises(ValueError, match="not possible"):
        exact.p_value(wins, losses, n, 0.05)


def test_a_level_for_many_candidates_needs_a_smaller_gamma():
    low, high = exact.interval(30, 20, 400, 0.05 / 200)
    assert low < exact.interval(30, 20, 400)[0] < exact.interval(30, 20, 400)[1] < high
    assert exact.p_value(30, 20, 400, -low, 0.05 / 20_000) == pytest.approx(0.05 / 200, rel=0.02)


def test_impossible_margins_and_levels_are_refused():
    with pytest.raises(ValueError, match="delta"):
        exact.p_value(1, 1, 5, 1.0)
    with pytest.raises(ValueError, match="alpha"):
        exact.interval(1, 1, 5, 0.0)
    with pytest.raises(ValueError, match="gamma"):
        exact.p_value(1, 1, 5, 0.1, 0.0)


def test_it_is_close_to_tango_where_there_are_many_pairs():
    for wins, losses, delta in [(30, 40, 0.03), (200, 210, 0.05), (5, 8, 0.01)]:
        assert exact.p_value(wins, losses, 1000, delta) == pytest.approx(
            tango.p_value(wins, losses, 1000, delta), abs=0.01
        )

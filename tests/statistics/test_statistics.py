"""The tests against reference libraries, simulation and enumeration."""

import math
import random

import pytest
from scipy import stats

from distilltest.statistics import anchored, binomial, tango


@pytest.mark.parametrize(
    ("passed", "n", "share"), [(0, 5, 0.3), (5, 5, 0.3), (37, 40, 0.9), (350, 386, 0.9), (950, 1000, 0.94)]
)
def test_the_binomial_is_that_of_scipy(passed, n, share):
    assert binomial.at_least(passed, n, share) == pytest.approx(stats.binom.sf(passed - 1, n, share), abs=1e-10)
    low, high = binomial.interval(passed, n, 0.05)
    reference = stats.binomtest(passed, n).proportion_ci(0.9, method="exact")
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=1e-9)


@pytest.mark.parametrize("delta", [-0.1, 0.0, 0.05])
def test_the_anchored_test_agrees_with_simulation(delta):
    dice = random.Random(7)
    differences = [dice.uniform(-0.5, 0.6) for _ in range(20)]
    x = [d + delta for d in differences] + [-1 + delta]
    draws = 40_000
    hits = sum(sum(dice.expovariate(1) * v for v in x) <= 0 for _ in range(draws))
    assert anchored.p_value(differences, delta) == pytest.approx(hits / draws, abs=0.012)


def test_tangos_level_at_386_cases_is_near_five_percent():
    """By enumeration: agreement 90 %, a candidate exactly five points worse."""
    n, delta = 386, 0.05
    win, lose = 0.025, 0.075
    level = 0.0
    for wins in range(40):
        for losses in range(80):
            if tango.p_value(wins, losses, n, delta) <= 0.05:
                rest = n - wins - losses
                log_p = math.lgamma(n + 1) - math.lgamma(wins + 1) - math.lgamma(losses + 1) - math.lgamma(rest + 1)
                level += math.exp(
                    log_p + wins * math.log(win) + losses * math.log(lose) + rest * math.log(1 - win - lose)
                )
    assert 0.03 < level <= 0.054

"""The chance that the gate promotes a candidate at the limit, by full enumeration: never above alpha."""

import numpy as np
import pytest

from bench.calibration.exact import chance, least_wins, worst
from bench.calibration.table import Rate
from distilltest.gate import Status, better_than, decide, not_worse_than

ALPHA = 0.05


@pytest.mark.parametrize(
    ("n", "delta"), [(n, delta) for n in (30, 50, 100) for delta in (0.0, 0.02, 0.05)] + [(30, -0.05)]
)
def test_no_candidate_at_the_limit_or_below_is_promoted_more_often_than_alpha(n, delta):
    least = least_wins(n, delta, ALPHA)
    at_limit = worst(least, n, delta)
    assert at_limit <= ALPHA
    assert worst(least, n, delta + 0.02) <= at_limit
    # Far from the limit nothing is promoted at all.
    assert worst(least, n, min(0.9, delta + 0.4)) < 1e-3
    # And the level is not given away where anything can be proven.
    if (1 - delta) ** n < 0.4 or delta <= 0:
        assert at_limit > 0.02


@pytest.mark.parametrize(("n", "delta"), [(30, 0.0), (100, 0.05)])
def test_decide_promotes_exactly_these_outcomes(n, delta):
    rule = better_than("teacher") if delta == 0 else not_worse_than("teacher", margin=delta)
    least = least_wins(n, delta, ALPHA)
    for losses in (0, 1, 4, 9):
        for wins in (int(least[losses]) - 1, int(least[losses])):
            if 0 <= wins <= n - losses:
                apart = n - wins - losses
                candidate, teacher = [1] * wins + [0] * losses + [1] * apart, [0] * wins + [1] * losses + [1] * apart
                promoted = decide(rule, candidate=candidate, teacher=teacher).status is Status.PROMOTE
                assert promoted == (wins >= least[losses])


def test_a_rate_above_its_level_or_not_a_number_is_a_failure():
    assert Rate(0.0501).above(ALPHA)
    assert not Rate(0.05).above(ALPHA)
    assert not Rate(0.06, 1_000).above(ALPHA)
    assert Rate(0.06, 10_000).above(ALPHA)
    assert Rate(float("nan")).above(ALPHA)


def test_the_chances_of_all_outcomes_add_up_to_one():
    everything = np.zeros(31, dtype=int)
    assert chance(everything, 30, np.array([0.1, 0.0, 0.5]), np.array([0.2, 0.05, 0.5])) == pytest.approx(1.0)

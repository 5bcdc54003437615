"""How many cases a decision needs, found with the test that will decide.

No formula fits every test, and one formula for all was wrong by a factor of 20 for scores. So this module runs the test itself on
``n`` cases like those observed, whose mean is as low as in the unluckiest fifth of runs. A test that proves the claim there
proves it in about 80 % of runs. A search finds the smallest such ``n``. ``bench/advice.py`` measures how often that is enough.
"""

from __future__ import annotations

from math import ceil, sqrt
from statistics import NormalDist

from distilltest.statistics.difference_tests import TESTS
from distilltest.statistics.observed import ObservedValues

POWER = 0.80
"""The chance to prove a true claim that the numbers below are computed for."""
MOST = 200_000
"""The search gives up above this many cases."""
_LUCK = NormalDist().inv_cdf(POWER)
_LARGE = 20_000
"""Above this many independent values every test is close to normal, and the number follows the square of the distance."""


def needed(seen: ObservedValues, mean: float, alpha: float) -> int | None:
    """The total number of cases with which a candidate of this mean proves its claim in 80 % of runs.

    None if no number is enough, or more than ``MOST``.

    >>> won_and_lost = [1.0] * 10 + [-1.0] * 12 + [0.0] * 364
    >>> needed(ObservedValues(won_and_lost, -0.02, "exact"), 0.0, 0.05)
    938
    >>> needed(ObservedValues(won_and_lost, -0.02, "exact"), -0.03, 0.05) is None
    True
    """
    distance = mean - seen.limit
    if distance <= 0.0:
        return None
    z = NormalDist().inv_cdf(1.0 - alpha) + _LUCK
    n = max(2.0, (z * _spread(seen, mean) / distance) ** 2)
    if n > MOST:
        return None
    if not seen.clusters and n > _LARGE:
        return ceil(n)
    low, high = n, n
    while not _proven(seen, round(high), mean, alpha):
        low, high = high, 1.25 * high
        if high > MOST:
            return None
    while low == high or (low > 2.0 and _proven(seen, round(low), mean, alpha)):
        high, low = low, max(2.0, low / 1.25)
        if high <= 2.0:
            break
    while high - low > max(0.6, 0.01 * high):
        middle = (low + high) / 2.0
        low, high = (low, middle) if _proven(seen, round(middle), mean, alpha) else (middle, high)
    return round(high)


def smallest_effect(seen: ObservedValues, n: int, alpha: float) -> float:
    """How far above the limit a true mean must be for ``n`` cases to prove it in 80 % of runs; at most 2.

    >>> round(smallest_effect(ObservedValues.assumed(0.2, 1.0, 0.0, "tango"), 400, 0.05), 3)
    0.056
    """
    low, high = 0.0, 1.0 - seen.limit
    for _ in range(12):
        middle = (low + high) / 2.0
        low, high = (low, middle) if _proven(seen, n, seen.limit + middle, alpha) else (middle, high)
    return high


def _proven(seen: ObservedValues, n: int, mean: float, alpha: float) -> bool:
    """Whether ``n`` cases of a mean prove the claim, in all but the unluckiest fifth of runs."""
    if n < 2:
        return False
    unlucky = mean - _LUCK * _spread(seen, mean) / sqrt(n)
    if seen.test != "binomial":
        return TESTS[seen.test].planned_p(seen, n, unlucky, alpha) <= alpha
    from distilltest.statistics import binomial

    return binomial.at_least(max(0, min(n, round(unlucky * n))), n, seen.limit) <= alpha


def _spread(seen: ObservedValues, mean: float) -> float:
    """The standard deviation of one case in a population with this mean."""
    if seen.test == "binomial":
        return sqrt(max(0.25 / len(seen.values), mean * (1.0 - mean)))
    return TESTS[seen.test].spread(seen, mean)

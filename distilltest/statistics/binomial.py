"""Exact tests and intervals for one proportion.

Reference:
    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated in the case of the
    binomial. Biometrika 26, 404-413.

Assumption: the cases are independent.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log

LARGE = 2_000
"""Above this number of cases the incomplete beta function replaces the sum over them."""


def at_least(passed: int, n: int, share: float) -> float:
    """P(X >= passed) for X ~ Bin(n, share): the p-value of the claim that more than ``share`` pass.

    >>> round(at_least(9, 10, 0.5), 6)
    0.010742
    """
    if n < 1 or not 0 <= passed <= n:
        raise ValueError(f"{passed} of {n} is not a possible count")
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share = {share} is not in [0, 1]")
    if passed == 0 or share == 1.0:
        return 1.0
    if share == 0.0:
        return 0.0
    if n > LARGE:
        from distilltest.statistics import beta

        return beta.incomplete_at(float(passed), float(n - passed + 1), share)
    if passed > n * share:
        return min(1.0, _mass(passed, n + 1, n, share))
    return max(0.0, 1.0 - _mass(0, passed, n, share))


def at_most(passed: int, n: int, share: float) -> float:
    """P(X <= passed) for X ~ Bin(n, share): the p-value of the opposite claim."""
    return at_least(n - passed, n, 1.0 - share)


def interval(passed: int, n: int, alpha: float = 0.05, above: float | None = None) -> tuple[float, float]:
    """The exact (Clopper-Pearson) two-sided interval of a rate.

    The error rate of the lower end is ``alpha``, that of the upper end ``above`` (or ``alpha``).

    >>> low, high = interval(8, 10, 0.025)
    >>> round(low, 4), round(high, 4)
    (0.4439, 0.9748)
    """
    low = 0.0 if passed == 0 else _solve(lambda share: at_least(passed, n, share) - alpha)
    high = 1.0 if passed == n else 1.0 - _solve(lambda share: at_least(n - passed, n, share) - (above or alpha))
    return low, high


def _mass(begin: int, end: int, n: int, share: float) -> float:
    """The chance of at least ``begin`` and fewer than ``end`` passes."""
    ways, passing, failing = _log_ways(n), log(share), log(1.0 - share)
    return sum(exp(ways[k] + k * passing + (n - k) * failing) for k in range(begin, end))


@lru_cache(maxsize=64)
def _log_ways(n: int) -> list[float]:
    """The logarithms of the binomial coefficients of n."""
    return [lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in range(n + 1)]


def _solve(function: object) -> float:
    assert callable(function)
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2.0
        if function(middle) > 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2.0

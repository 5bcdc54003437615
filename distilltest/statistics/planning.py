"""How many cases a decision needs, and what a dataset can show."""

from __future__ import annotations

from math import ceil, inf, log, sqrt
from statistics import NormalDist

POWER = 0.80
"""The chance to prove a claim that is true, for which the sizes below are computed."""
_NORMAL = NormalDist()


def required_cases(discordant: int, n: int, difference: float, delta: float, alpha: float) -> float:
    """Cases with which a candidate of this difference proves its claim with 80 % power; infinite where it never does.

    n = max((z_alpha + z_beta)^2 (q - D^2) / (D + delta)^2, ln alpha / ln(1 - delta)), q = (m + 1)/(n + 2).

    >>> required_cases(22, 386, 0.0, 0.02, 0.05)
    917
    """
    distance = difference + delta
    if distance <= 0:
        return inf
    q = (discordant + 1) / (n + 2)
    z = _NORMAL.inv_cdf(1 - alpha) + _NORMAL.inv_cdf(POWER)
    root = z * sqrt(max(0.0, q - difference * difference))
    if root > 1e5 * distance:
        return inf  # more than ten thousand million cases
    needed = (root / distance) ** 2
    least = log(alpha) / log(1 - delta) if delta > 0 else 0.0
    return ceil(max(needed, least))


def smallest_effect(discordant: int, n: int, alpha: float) -> float:
    """The smallest difference that so many cases can show, with 80 % power."""
    q = (discordant + 1) / (n + 2)
    return (_NORMAL.inv_cdf(1 - alpha) + _NORMAL.inv_cdf(POWER)) * sqrt(q / n)

"""Estimates of many slices at once, shrunk towards the mean of all. Slices with larger errors shrink more.

Reference:
    Morris, C. N. (1983). Parametric empirical Bayes inference: theory and applications. Journal of the American Statistical
    Association 78, 47-55.

The largest drop of many small slices is mostly luck. If the true differences of slices vary around their mean with a variance A,
the best estimate of a slice with the standard error s is B·mean + (1 - B)·observed, B = s^2/(s^2 + A). A is estimated from the
variation between slices beyond their errors (DerSimonian and Laird 1986); the factor (k - 3)/(k - 1) and the wider interval allow
for the error of that estimate. Fewer than four slices are not shrunk. The method ignores overlap between slices, so use these
estimates for reading, not for deciding.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt
from typing import NamedTuple

FEWEST = 4
_REACH = 1.6449
"""The reach of a 90 % interval, in standard errors."""


class Shrunken(NamedTuple):
    """The shrunk estimate of one slice."""

    estimate: float
    low: float
    high: float
    """The ends of the 90 % interval are ``low`` and ``high``."""


def shrunken(seen: Sequence[float], errors: Sequence[float]) -> list[Shrunken]:
    """Shrunk estimates of slices, from the observed value of each and its standard error, which is above 0.

    Ten slices that differ no more than their errors explain get similar estimates:

    >>> found = shrunken([-0.10, 0.05, 0.0, 0.02, -0.03, 0.01, -0.02, 0.04, 0.0, -0.01], [0.05] * 10)
    >>> round(found[0].estimate, 3), found[0].low < -0.03 < found[0].high
    (-0.025, True)

    A precise slice that is far from the others hardly moves:

    >>> [round(each.estimate, 2) for each in shrunken([-0.30, 0.0, 0.01, -0.01, 0.02], [0.01] * 5)]
    [-0.3, -0.0, 0.01, -0.01, 0.02]
    """
    count = len(seen)
    if count < FEWEST:
        return [Shrunken(*_inside(value, error)) for value, error in zip(seen, errors, strict=True)]
    weights = [1.0 / (error * error) for error in errors]
    total = fsum(weights)
    mean = fsum(w * d for w, d in zip(weights, seen, strict=True)) / total
    spread = fsum(w * (d - mean) ** 2 for w, d in zip(weights, seen, strict=True)) - (count - 1)
    variance = max(0.0, spread / (total - fsum(w * w for w in weights) / total))
    weights = [1.0 / (error * error + variance) for error in errors]
    mean = fsum(w * d for w, d in zip(weights, seen, strict=True)) / fsum(weights)
    found = []
    for value, error in zip(seen, errors, strict=True):
        pull = (count - 3) / (count - 1) * error * error / (error * error + variance)
        around = (
            error * error * (1.0 - (count - 1) / count * pull) + 2.0 / (count - 3) * pull * pull * (value - mean) ** 2
        )
        found.append(Shrunken(*_inside(pull * mean + (1.0 - pull) * value, sqrt(around))))
    return found


def _inside(estimate: float, error: float) -> tuple[float, float, float]:
    return estimate, max(-1.0, estimate - _REACH * error), min(1.0, estimate + _REACH * error)


def stepped(p_values: Sequence[float]) -> list[float]:
    """The p-values of several tests, adjusted so that all of them together keep one level (Holm 1979).

    >>> stepped([0.01, 0.5, 0.04])
    [0.03, 0.5, 0.08]
    """
    found = [1.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        found[i] = largest
    return found

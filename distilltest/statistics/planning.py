"""How many cases a decision needs, by the test that will decide it.

There is no formula for each test, and one for all was wrong by a factor of 20 for scores. So the test itself is asked: it sees
cases like those that were seen, as many as are tried, with a mean that has the luck of the worse fifth of all runs.
If it proves the claim there, it proves it in about 80 % of runs. The smallest such number is searched for. ``bench/advice.py``
counts how often what is named here is enough.

No differing case is no certainty: where values are won, lost or equal, one more than was seen is taken to differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

POWER = 0.80
"""The chance to prove a claim that is true, for which the sizes below are computed."""
MOST = 200_000
"""More cases than these are "too many to be named"."""
_LUCK = NormalDist().inv_cdf(POWER)
_EXACT_UP_TO = 200
"""Above, Tango's test names the same number, and sooner."""
_LARGE = 20_000
"""Above so many independent values every test is as good as normal, and numbers follow the square of the distance."""


@dataclass(frozen=True)
class ObservedValues:
    """The values that a rule weighs, one a case, and how."""

    values: Sequence[float]
    """In [-1, 1]; their mean must be above the limit."""
    limit: float
    test: str
    """``exact`` and ``tango`` (won, lost or equal), ``anchored``, ``t``, ``clusters``, ``labels`` or ``binomial`` (0 or 1)."""
    clusters: Sequence[str] = ()
    equal: float | None = 0.0
    """The mean where the roles are equal; None where the rule compares no two."""
    corrected: tuple[float, float] | None = None
    """Mean and standard deviation, where a judge sharpens people's labels, the values."""

    @property
    def mean(self) -> float:
        """What was seen."""
        return self.corrected[0] if self.corrected else sum(self.values) / len(self.values)

    @classmethod
    def assumed(
        cls, differing: float, by: float, limit: float, test: str, clusters: Sequence[str] = ()
    ) -> ObservedValues:
        """Before anything is known: so large a share of cases differs by so much, in both directions."""
        values = (by,) * round(500 * differing) + (-by,) * round(500 * differing)
        values += (0.0,) * (1000 - len(values))
        return cls([values[i * 607 % 1000] for i in range(len(clusters) or 1000)], limit, test, clusters)


def needed(seen: ObservedValues, mean: float, alpha: float) -> int | None:
    """Cases in all with which a candidate of this mean proves its claim in 80 % of runs; None for none, or too many.

    >>> won_and_lost = [1.0] * 10 + [-1.0] * 12 + [0.0] * 364
    >>> needed(ObservedValues(won_and_lost, -0.02, "exact"), 0.0, 0.05)
    938
    >>> needed(ObservedValues(won_and_lost, -0.02, "exact"), -0.03, 0.05) is None
    True
    """
    distance = mean - seen.limit
    if distance <= 0.0:
        return None
    proven = _prover(seen, alpha)
    sigma = _spread(seen, mean)
    z = NormalDist().inv_cdf(1.0 - alpha) + _LUCK
    n = max(2.0, (z * sigma / distance) ** 2)
    if n > MOST:
        return None
    if not seen.clusters and n > _LARGE:
        return ceil(n)
    low, high = n, n
    while not proven(round(high), mean):
        low, high = high, 1.25 * high
        if high > MOST:
            return None
    while low == high or (low > 2.0 and proven(round(low), mean)):
        high, low = low, max(2.0, low / 1.25)
        if high <= 2.0:
            break
    while high - low > max(0.6, 0.01 * high):
        middle = (low + high) / 2.0
        low, high = (low, middle) if proven(round(middle), mean) else (middle, high)
    return round(high)


def smallest_effect(seen: ObservedValues, n: int, alpha: float) -> float:
    """How far above the limit a true mean must be for so many cases to prove it in 80 % of runs; at most 2.

    >>> round(smallest_effect(ObservedValues.assumed(0.2, 1.0, 0.0, "tango"), 400, 0.05), 3)
    0.056
    """
    proven = _prover(seen, alpha)
    low, high = 0.0, 1.0 - seen.limit
    for _ in range(12):
        middle = (low + high) / 2.0
        low, high = (low, middle) if proven(n, seen.limit + middle) else (middle, high)
    return high


def _prover(seen: ObservedValues, alpha: float) -> Callable[[int, float], bool]:
    """Whether so many cases of a mean, seen with the luck of the worse fifth, prove the claim."""

    def proven(n: int, mean: float) -> bool:
        if n < 2:
            return False
        return _p_value(seen, n, mean, alpha) <= alpha

    return proven


def _p_value(seen: ObservedValues, n: int, mean: float, alpha: float) -> float:
    from distilltest.statistics import anchored, binomial, clusters, exact_unconditional, skewness, tango, values

    unlucky = mean - _LUCK * _spread(seen, mean) / sqrt(n)
    if seen.test in ("exact", "tango"):
        differing = max(_differing(seen), abs(unlucky)) * n
        wins = max(0, round((differing + unlucky * n) / 2.0))
        losses = max(0, round((differing - unlucky * n) / 2.0))
        wins = min(wins, n - losses)
        if seen.test == "exact" and n <= _EXACT_UP_TO:
            return exact_unconditional.p_value(
                wins, losses, n, -seen.limit, min(exact_unconditional.GAMMA, alpha / 100)
            )
        return tango.p_value(wins, losses, n, -seen.limit)
    if seen.test == "binomial":
        return binomial.at_least(max(0, min(n, round(unlucky * n))), n, seen.limit)
    if seen.test == "labels":
        excess = unlucky - seen.limit
        z = excess * sqrt(n) / max(_spread(seen, mean), 1e-9)
        return max(1.0 - NormalDist().cdf(z), values.all_equal(unlucky, n, -seen.limit) if excess > 0 else 1.0)
    if seen.clusters:
        d, groups = _more_clusters(seen, n, unlucky)
        p = clusters.largest_p(d, d, groups.tolist(), -seen.limit)
        return 1.0 if p is None else p
    d = _of_mean(seen.values, unlucky, n)
    return skewness.p_value(d, -seen.limit) if seen.test == "t" else anchored.p_value(d, -seen.limit)


def _differing(seen: ObservedValues) -> float:
    return (sum(value != 0.0 for value in seen.values) + 1) / (len(seen.values) + 2)


def _spread(seen: ObservedValues, mean: float) -> float:
    """The standard deviation of a case of a population with this mean; in clusters, such that its square by n is the mean's."""
    n = len(seen.values)
    if seen.corrected:
        return seen.corrected[1]
    if seen.test in ("exact", "tango"):
        return sqrt(max(1e-6, max(_differing(seen), abs(mean)) - mean * mean))
    if seen.test == "binomial":
        return sqrt(max(0.25 / n, mean * (1.0 - mean)))
    centre = seen.mean
    if seen.clusters:
        sums: dict[str, float] = {}
        for cluster, value in zip(seen.clusters, seen.values, strict=True):
            sums[cluster] = sums.get(cluster, 0.0) + value - centre
        count = len(sums)
        return sqrt(sum(total * total for total in sums.values()) / n * count / max(1, count - 1))
    return sqrt(sum((value - centre) ** 2 for value in seen.values) / max(1, n - 1))


def _of_mean(values: Sequence[float], mean: float, n: int) -> Floats:
    """So many values like these, tilted to a mean: small ones count more where it is smaller, and none leaves its range."""
    import numpy as np

    x = np.sort(np.asarray(values, dtype=float))
    if not x[0] < mean < x[-1]:
        return np.asarray(np.clip(_quantiles(x, None, n) + mean - x.mean(), -1.0, 1.0))
    low, high = -200.0, 200.0
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _tilted(x, middle) @ x < mean else (low, middle)
    found = _quantiles(x, _tilted(x, high), n)
    return np.asarray(np.clip(found + mean - found.mean(), -1.0, 1.0))


def _tilted(x: Floats, by: float) -> Floats:
    import numpy as np

    weights = np.exp(by * x - np.max(by * x))
    return np.asarray(weights / weights.sum())


def _quantiles(x: Floats, weights: Floats | None, n: int) -> Floats:
    import numpy as np

    shares = np.full(x.size, 1.0 / x.size) if weights is None else weights
    at = np.searchsorted(np.cumsum(shares), (np.arange(n) + 0.5) / n)
    return np.asarray(x[np.minimum(at, x.size - 1)])


def _more_clusters(seen: ObservedValues, n: int, mean: float) -> tuple[Floats, NDArray[np.int64]]:
    """About so many cases in clusters like those that were seen, in turn; each value is shifted to the mean."""
    import numpy as np

    members: dict[str, list[float]] = {}
    for cluster, value in zip(seen.clusters, seen.values, strict=True):
        members.setdefault(cluster, []).append(value)
    ordered = sorted(members.values(), key=lambda group: (len(group), sum(group)))
    count = max(1, round(n * len(ordered) / len(seen.values)))
    chosen = [ordered[int((i + 0.5) * len(ordered) / count)] for i in range(count)]
    d = np.array([value for group in chosen for value in group])
    groups = np.repeat(np.arange(count), [len(group) for group in chosen])
    return np.clip(d + (mean - d.mean()), -1.0, 1.0), groups

"""Clusters that were not met: how many of the heavy ones could be lost although none of them is in the data.

Where the long documents are the ones that a candidate loses, few of them carry the whole loss, and a test that counts clusters
sees plenty of others without any. So imagine a population like the data, but for clusters that are lost as a whole, each with a
chance of its own, and ask how probable it is to have met none of them. Of all populations in which the lost clusters hold a share
c of the cases, the most probable one to look like these data loses a cluster of weight w with the chance 1 - theta/w if that is
above 0: the heavier ones more often, and light ones never (the maximum of a product for a given sum). For equal clusters it is
(1 - c)^G.

This is a bound for every test: one that promotes data without such clusters with the chance b promotes that population with the
chance b·U(c) at least, so at the level alpha no test has a power above alpha/U(c).

The heaviest clusters of a sample need not weigh what they weigh in the population: a sample with two long documents could as
well have held three. So one more cluster like the heaviest counts in the weights, and not in the chance. For equal clusters this
changes nothing; for Pareto sizes it takes errors of 0.06 to 0.12 below 0.05.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STEP = 0.05
"""Chances are tried in steps of 5 % of their value."""
_LEAST = 10.0
"""Chances below exp(-10) decide nothing."""


def chance(sizes: Floats, share: float) -> float:
    """The chance to have met none of the lost clusters if they hold a share of all cases.

    Args:
        sizes: The cases in each cluster.
        share: The share, in [0, 1].

    >>> import numpy as np
    >>> round(chance(np.ones(59), 0.05), 4)  # 0.95^59
    0.0485

    Half of the cases are in four clusters. If only these are lost, 59 clusters tell little:

    >>> round(chance(np.array([14.0] * 4 + [1.0] * 55), 0.05), 2)
    0.69
    """
    import numpy as np

    if share <= 0.0:
        return 1.0
    if share >= 1.0:
        return 0.0
    weights, logs, held = _heaviest_first(sizes)
    counts = np.arange(1, weights.size + 1)
    lighter = np.append(weights[1:], 0.0)
    with_more = (
        held - (counts + 1) * lighter
    )  # from which share on the next lighter cluster is among the lost ones, too
    wanted = share * (1.0 + weights[0])
    i = min(int(np.searchsorted(with_more, wanted)), weights.size - 1)
    threshold = (held[i] - wanted) / (counts[i] + 1)
    return float(np.exp(counts[i] * np.log(threshold) - logs[i]))


def scenarios(sizes: Floats) -> tuple[Floats, Floats]:
    """Falling chances to have met none of the lost clusters, from 1, and the share of the cases that the lost ones hold.

    >>> import numpy as np
    >>> chances, shares = scenarios(np.array([14.0] * 4 + [1.0] * 55))
    >>> bool(np.allclose(chances, [chance(np.array([14.0] * 4 + [1.0] * 55), share) for share in shares]))
    True
    """
    import numpy as np

    weights, logs, held = _heaviest_first(sizes)
    counts = np.arange(1, weights.size + 1)
    wanted = -np.arange(0.0, _LEAST, _STEP)
    # The chance at which the next lighter cluster is among the lost ones, too.
    with np.errstate(divide="ignore"):
        with_more = counts * np.log(np.append(weights[1:], 0.0)) - logs
    i = np.minimum(np.searchsorted(-with_more, -wanted), weights.size - 1)
    threshold = np.exp((wanted + logs[i]) / counts[i])
    shares = (held[i] - (counts[i] + 1) * threshold) / (1.0 + weights[0])
    return np.exp(wanted), np.clip(shares, 0.0, 1.0 - 1e-9)


def _heaviest_first(sizes: Floats) -> tuple[Floats, Floats, Floats]:
    """The weight of each cluster, the sums of the logarithms, and what the first ones hold, with one more like the heaviest."""
    import numpy as np

    weights = np.sort(sizes)[::-1] / np.sum(sizes)
    return weights, np.cumsum(np.log(weights)), np.cumsum(weights) + weights[0]

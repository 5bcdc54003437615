"""Unmet clusters: lost clusters that are missing from the sample.

If a candidate loses the long documents, a few of them carry the whole loss, and a test that counts clusters sees many others
without a loss. So consider a population like the data in which some clusters are lost as a whole, each with its own chance, and
compute the chance U that a sample contains none of them. Of all populations in which lost clusters contain a share c of the
cases, the one with the largest U loses a cluster of weight w with the chance 1 - theta/w if that is above 0: heavier clusters
more often, and light ones never (the maximum of a product for a given sum). For G equal clusters, U(c) is (1 - c)^G.

This bounds every test: a test that promotes data without such clusters with the chance b promotes that population with at least
the chance b·U(c). So at the level alpha no test has a power above alpha/U(c).

The heaviest clusters may have another weight in the population than in the sample: a sample with two long documents could as well
have contained three. So the weights, but not the chance, include one more cluster like the heaviest. For equal clusters this
changes nothing; for Pareto sizes it reduces error rates of 0.06 to 0.12 to below 0.05.
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
"""Chances below exp(-10) do not matter."""


def chance(sizes: Floats, share: float) -> float:
    """The chance that a sample contains no lost cluster, if the lost clusters contain a share of all cases.

    Args:
        sizes: The cases in each cluster.
        share: The share, in [0, 1].

    >>> import numpy as np
    >>> round(chance(np.ones(59), 0.05), 4)  # 0.95^59
    0.0485

    If only the four clusters that contain half of the cases are lost, 59 clusters carry little information:

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
    with_more = held - (counts + 1) * lighter  # the share from which on the next lighter cluster is lost, too
    wanted = share * (1.0 + weights[0])
    i = min(int(np.searchsorted(with_more, wanted)), weights.size - 1)
    threshold = (held[i] - wanted) / (counts[i] + 1)
    return float(np.exp(counts[i] * np.log(threshold) - logs[i]))


def scenarios(sizes: Floats) -> tuple[Floats, Floats]:
    """Chances, falling from 1, that a sample contains no lost cluster, and the shares of the cases in lost clusters.

    >>> import numpy as np
    >>> chances, shares = scenarios(np.array([14.0] * 4 + [1.0] * 55))
    >>> bool(np.allclose(chances, [chance(np.array([14.0] * 4 + [1.0] * 55), share) for share in shares]))
    True
    """
    import numpy as np

    weights, logs, held = _heaviest_first(sizes)
    counts = np.arange(1, weights.size + 1)
    wanted = -np.arange(0.0, _LEAST, _STEP)
    # The chance at which the next lighter cluster is lost, too.
    with np.errstate(divide="ignore"):
        with_more = counts * np.log(np.append(weights[1:], 0.0)) - logs
    i = np.minimum(np.searchsorted(-with_more, -wanted), weights.size - 1)
    threshold = np.exp((wanted + logs[i]) / counts[i])
    shares = (held[i] - (counts[i] + 1) * threshold) / (1.0 + weights[0])
    return np.exp(wanted), np.clip(shares, 0.0, 1.0 - 1e-9)


def _heaviest_first(sizes: Floats) -> tuple[Floats, Floats, Floats]:
    """The weights of the clusters, the sums of their logarithms, and the sums of the weights with one more like the heaviest."""
    import numpy as np

    weights = np.sort(sizes)[::-1] / np.sum(sizes)
    return weights, np.cumsum(np.log(weights)), np.cumsum(weights) + weights[0]

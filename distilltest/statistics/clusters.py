"""Cases in clusters: several questions about one document are not independent.

References:
    Tukey, J. W. (1958). Bias and confidence in not quite large samples. Annals of Mathematical Statistics 29, 614. (The
    jackknife, here with a whole cluster left out at a time.)
    Cameron, A. C. and Miller, D. L. (2015). A practitioner's guide to cluster-robust inference. Journal of Human
    Resources 50, 317-372. (The degrees of freedom, clusters minus 1, and why few clusters mislead.)
    Canay, I. A., Romano, J. P. and Shaikh, A. M. (2017). Randomization tests under an approximate symmetry assumption.
    Econometrica 85, 1013-1030. (Flipping the sign of whole clusters.)

Two tests of a mean difference of at most -delta, of which the larger p counts: the jackknife t errs with unequal
clusters, the sign-flip with skewed ones. Assumption: the clusters are independent; inside one, anything goes. The mean is
that of the cases, so a large cluster has more weight.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from typing import TYPE_CHECKING

from distilltest.statistics import beta, values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FEWEST = 10
"""With fewer clusters nothing is decided."""
EXACT = 16
"""Up to so many clusters every pattern of signs is counted."""
DRAWS = 9_999


@dataclass(frozen=True)
class Clustered:
    """The mean difference of clustered cases, and how surprising it is if the true one is at most -delta."""

    mean: float
    """The mean over all cases."""
    standard_error: float
    """By the jackknife."""
    clusters: int
    jackknife: float | None
    """The p-value of the jackknife t; none with fewer than two clusters."""
    sign_flip: float
    """The p-value of the cluster sign-flip."""
    p: float | None
    """The larger of the two; None, that is undecided, with fewer than 10 clusters."""


def evaluate(differences: ArrayLike, clusters: Sequence[Hashable], delta: float, seed: int = 0) -> Clustered:
    """Test a mean difference of at most -delta.

    Args:
        differences: Candidate minus other, one a case, each in [-1, 1].
        clusters: The cluster of each case.
        delta: The margin, in (-1, 1).
        seed: For the signs where there are more than 16 clusters.

    Raises:
        ValueError: There are no differences, one is not in [-1, 1], or there is not one cluster a case.

    Ten clusters of one case each are the ordinary t test (t = 1.5, 9 degrees of freedom: p = 0.0839 in any table):

    >>> result = evaluate([0.5, -0.25] * 5, range(10), 0.0625)
    >>> round((result.mean + 0.0625) / result.standard_error, 6), round(result.jackknife, 4)
    (1.5, 0.0839)
    >>> evaluate([0.1, 0.2, 0.3], "aab", 0.05).p is None
    True
    """
    values.checked_margin(delta)
    sums, sizes = _totals(differences, clusters)
    mean, error = _jackknife(sums, sizes)
    flip = _sign_flip(sums, sizes, delta, _signs(len(sums), seed))
    t = _jackknife_p(sums, sizes, mean, error, delta)
    p = None if t is None or len(sums) < FEWEST else max(t, flip)
    return Clustered(mean, error, len(sums), t, flip, p)


def interval(
    differences: ArrayLike, clusters: Sequence[Hashable], alpha: float = 0.05, seed: int = 0
) -> tuple[float, float] | None:
    """The two-sided 1 - 2·alpha interval of the mean difference, by inverting the test; None where it is undecided.

    >>> low, high = interval([0.5, -0.25] * 18, [i // 3 for i in range(36)])
    >>> round(low, 3), round(high, 3)
    (0.057, 0.193)
    """
    values.checked_level(alpha)
    sums, sizes = _totals(differences, clusters)
    if len(sums) < FEWEST:
        return None
    signs = _signs(len(sums), seed)
    return -_margin(sums, sizes, signs, alpha), _margin(-sums, sizes, signs, alpha)


def _totals(differences: ArrayLike, clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """The sum and the size of each cluster, in an order that does not depend on that of the cases."""
    import numpy as np

    d = values.checked(differences, 1)
    if len(clusters) != d.size:
        raise ValueError(f"{d.size} differences, but {len(clusters)} clusters: one a case is needed")
    members: dict[Hashable, list[float]] = {}
    for cluster, difference in zip(clusters, d.tolist(), strict=True):
        members.setdefault(cluster, []).append(difference)
    totals = [(fsum(group), float(len(group))) for group in members.values()]
    totals.sort(key=lambda pair: (abs(pair[0]), pair[1], pair[0]))  # swapping roles keeps it, too
    return np.array([total for total, _ in totals]), np.array([size for _, size in totals])


def _jackknife(sums: Floats, sizes: Floats) -> tuple[float, float]:
    import numpy as np

    mean = fsum(sums) / fsum(sizes)
    count = len(sums)
    if count < 2:
        return mean, 0.0
    without = (np.sum(sums) - sums) / (np.sum(sizes) - sizes)
    return mean, sqrt(max(0.0, (count - 1) / count * float(np.sum((without - np.mean(without)) ** 2))))


def _jackknife_p(sums: Floats, sizes: Floats, mean: float, error: float, delta: float) -> float | None:
    """Equal clusters have no variance and are no certainty: then a cluster counts as one case."""
    if len(sums) < 2:
        return None
    if error < 1e-12:
        return values.all_equal(mean, len(sums), delta)
    return beta.student_tail((mean + delta) / error, len(sums) - 1)


def _signs(count: int, seed: int) -> Floats:
    """Every pattern of signs for few clusters, else seeded ones, of which the first is the data's own."""
    import numpy as np

    if count <= EXACT:
        patterns = np.arange(2**count)[:, None] >> np.arange(count) & 1
    else:
        patterns = np.random.default_rng(seed).integers(0, 2, (DRAWS + 1, count))
        patterns[0] = 0
    return np.where(patterns == 0, 1.0, -1.0)


def _sign_flip(sums: Floats, sizes: Floats, delta: float, signs: Floats) -> float:
    """The share of sign patterns whose sum is at least that of the data."""
    import numpy as np

    shifted = sums + delta * sizes
    return float(np.mean(signs @ shifted >= np.sum(shifted) - 1e-9))


def _margin(sums: Floats, sizes: Floats, signs: Floats, alpha: float) -> float:
    """The smallest margin at which both tests reject."""
    mean, error = _jackknife(sums, sizes)
    low, high = -1.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2.0
        t = _jackknife_p(sums, sizes, mean, error, middle)
        if t is not None and t <= alpha and _sign_flip(sums, sizes, middle, signs) <= alpha:
            high = middle
        else:
            low = middle
    return high

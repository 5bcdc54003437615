"""Cases in clusters: several questions about one document are not independent.

References:
    Tukey, J. W. (1958). Bias and confidence in not quite large samples. Annals of Mathematical Statistics 29, 614. (The
    jackknife, here with a whole cluster left out at a time.)
    Cameron, A. C. and Miller, D. L. (2015). A practitioner's guide to cluster-robust inference. Journal of Human
    Resources 50, 317-372. (The degrees of freedom, clusters minus 1, and why few clusters mislead.)
    Canay, I. A., Romano, J. P. and Shaikh, A. M. (2017). Randomization tests under an approximate symmetry assumption.
    Econometrica 85, 1013-1030. (Flipping the sign of whole clusters.)
    Hall, P. (1992). On the removal of skewness by transformation. Journal of the Royal Statistical Society B 54, 221-228.
    Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics Bulletin 2,
    110-114. (A variance that rests on a few clusters has few degrees of freedom.)

Three tests of a mean difference of at most -delta, of which the largest p counts:

- The jackknife t. Plain, it promotes up to a third of the candidates at the limit where a few documents are lost as a whole,
  because the data often hold none of them, and 0.11 where a fifth are won or lost. So Hall's transformation corrects for
  skewness to the bad side, and the degrees of freedom follow from the kurtosis: G - 1 at most.
- The sign-flip of whole clusters, which errs with skewed clusters only.
- The chance not to meet the lost clusters, if all others are like the mean (``values.all_equal``, a cluster counting as one
  case): no test that trusts fewer clusters holds its level. It asks for 59 clusters where equal models must prove 5 points.

Even without the sign-flip, 0.052 was the largest error in 60,000 runs of each of fifty kinds of data: 20 to 100 clusters of
2 to 12 cases, some or all of which are won and lost together, margins of 0 to 15 points.
Assumption: the clusters are independent; inside one, anything goes. The mean is that of the cases, so a large cluster has
more weight.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import fsum, inf, sqrt
from typing import TYPE_CHECKING

from distilltest.statistics import beta, skewness, values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FEWEST = 10
"""With fewer clusters nothing is decided."""
EXACT = 16
"""Up to so many clusters every pattern of signs is counted."""
DRAWS = 9_999
_BLOCK = 500
_EVERY, _ALONE, _MIXED = 6, 12, 8
"""Up to so many unknown values every mixture of low and high is tried; else how many alone, and how many drawn mixtures."""
_REMEMBERED = 100
"""The patterns of so many clusters are kept: 8 MB."""


@dataclass(frozen=True)
class Clustered:
    """The mean difference of clustered cases, and how surprising it is if the true one is at most -delta."""

    mean: float
    """The mean over all cases."""
    standard_error: float
    """By the jackknife."""
    clusters: int
    jackknife: float | None
    """The p-value of the corrected jackknife t; none with fewer than two clusters."""
    sign_flip: float
    """The p-value of the cluster sign-flip."""
    unseen: float
    """The chance not to have met the clusters that would make the mean -delta."""
    p: float | None
    """The largest of the three; None, that is undecided, with fewer than 10 clusters."""


def evaluate(differences: ArrayLike, clusters: Sequence[Hashable], delta: float, seed: int = 0) -> Clustered:
    """Test a mean difference of at most -delta.

    Args:
        differences: Candidate minus other, one a case, each in [-1, 1].
        clusters: The cluster of each case.
        delta: The margin, in (-1, 1).
        seed: For the signs where there are more than 16 clusters.

    Raises:
        ValueError: There are no differences, one is not in [-1, 1], or there is not one cluster a case.

    Without skewness, ten clusters of one case are the ordinary t test (t = 1.5, 9 degrees of freedom: p = 0.0839 in any table):

    >>> result = evaluate([0.5, -0.25] * 5, range(10), 0.0625)
    >>> round((result.mean + 0.0625) / result.standard_error, 6), round(result.jackknife, 4)
    (1.5, 0.0839)

    But had 16 % of all clusters been lost, so few would hold none of them once in six times:

    >>> round(result.unseen, 4)
    0.1615
    >>> evaluate([0.1, 0.2, 0.3], "aab", 0.05).p is None
    True
    """
    values.checked_margin(delta)
    data = _Data.of(differences, clusters, seed)
    t = data.jackknife_p(delta)
    flip, unseen = data.sign_flip(delta), values.all_equal(data.mean, data.count, delta)
    p = None if t is None or data.count < FEWEST else max(t, flip, unseen)
    return Clustered(data.mean, data.error, data.count, t, flip, unseen, p)


def jackknife_p(differences: ArrayLike, clusters: Sequence[Hashable], delta: float) -> float | None:
    """The corrected jackknife t alone, one of the three tests of :func:`evaluate`; None for a single cluster.

    >>> evaluate([0.5, -0.25] * 5, range(10), 0.0625).jackknife == jackknife_p([0.5, -0.25] * 5, range(10), 0.0625)
    True
    """
    values.checked_margin(delta)
    return _Data.of(differences, clusters, None).jackknife_p(delta)


def largest_jackknife_p(low: ArrayLike, high: ArrayLike, clusters: Sequence[Hashable], delta: float) -> float | None:
    """The largest p of the corrected jackknife t that was found for differences of which some are only known to lie in a range.

    It is not always that of the lowest differences: a better one may be an outlier, and then the variance rises faster than
    the mean. All are tried low and high, each one alone, and drawn mixtures: no proof, but what it misses is small.

    Args:
        low: The lowest value that each difference can have.
        high: The highest.
        clusters: The cluster of each case.
        delta: The margin, in (-1, 1).

    Ten clusters are a little better, and one answer is unknown. The better it is, the less is proven:

    >>> known, clusters = [0.05, 0.06] * 20, [i // 4 for i in range(41)]
    >>> round(jackknife_p([*known, 0.05], clusters, 0.0), 9), round(jackknife_p([*known, 1.0], clusters, 0.0), 4)
    (0.0, 0.0253)
    >>> round(largest_jackknife_p([*known, 0.05], [*known, 1.0], clusters, 0.0), 4)
    0.0253
    """
    import numpy as np

    values.checked_margin(delta)
    lowest, highest = values.checked(low, 1), values.checked(high, 1)
    ranges = np.flatnonzero(highest > lowest)
    found: list[float] = []
    for share in _mixtures(ranges.size):
        tried = lowest.copy()
        tried[ranges] += share * (highest - lowest)[ranges]
        p = _Data.of(tried, clusters, None).jackknife_p(delta)
        if p is None:
            return None
        found.append(p)
    return max(found)


def interval(
    differences: ArrayLike, clusters: Sequence[Hashable], alpha: float = 0.05, seed: int = 0
) -> tuple[float, float] | None:
    """The two-sided 1 - 2·alpha interval of the mean difference, by inverting the test; None where it is undecided.

    >>> low, high = interval([0.5, -0.25] * 18, [i // 3 for i in range(36)])
    >>> round(low, 3), round(high, 3)
    (-0.124, 0.318)
    """
    values.checked_level(alpha)
    data = _Data.of(differences, clusters, seed)
    if data.count < FEWEST:
        return None
    return -_margin(data, alpha), _margin(data.mirrored(), alpha)


def _mixtures(unknown: int) -> list[Floats]:
    """How high each unknown value is in its range, from 0 to 1, in each of the completions that are tried."""
    import numpy as np

    dice = np.random.default_rng(0)
    found = [np.full(unknown, share) for share in (0.0, 0.5, 1.0)]
    if unknown <= _EVERY:
        found += list((np.arange(2**unknown)[:, None] >> np.arange(unknown) & 1).astype(float))
    else:
        for alone in np.unique(np.linspace(0, unknown - 1, _ALONE).astype(int)):
            one = np.zeros(unknown)
            one[alone] = 1.0
            found += [one, 1.0 - one]
        found += [dice.integers(0, 2, unknown).astype(float) for _ in range(_MIXED)]
    return found + [dice.random(unknown) for _ in range(_MIXED)]


@dataclass(frozen=True)
class _Data:
    """What the three tests need to know of the clusters."""

    count: int
    mean: float
    error: float
    """The plain standard error by the jackknife."""
    skew: float
    """The mean third power of the clusters' residuals, in units of a cluster of the mean size."""
    kurtosis: float
    flipped_sums: Floats
    """The sum of all differences under each pattern of signs; the data's own pattern is the first."""
    flipped_sizes: Floats
    symmetric: bool
    """Whether swapping the two models gives the same clusters."""

    @classmethod
    def of(cls, differences: ArrayLike, clusters: Sequence[Hashable], seed: int | None) -> _Data:
        """Without a seed, no signs are flipped."""
        import numpy as np

        sums, sizes = _totals(differences, clusters)
        mean, count = fsum(sums) / fsum(sizes), len(sums)
        residuals = (sums - mean * sizes) / np.mean(sizes)
        square = float(np.mean(residuals**2))
        error = 0.0
        if count > 1:
            without = (np.sum(sums) - sums) / (np.sum(sizes) - sizes)
            error = sqrt((count - 1) / count * float(np.sum((without - np.mean(without)) ** 2)))
        none = np.empty(0), np.empty(0), False
        flipped_sums, flipped_sizes, symmetric = none if seed is None else _flipped(sums, sizes, seed)
        return cls(
            count=count,
            mean=mean,
            error=error,
            skew=float(np.mean(residuals**3)),
            kurtosis=float(np.mean(residuals**4)) / square**2 if square > 1e-24 else inf,
            flipped_sums=flipped_sums,
            flipped_sizes=flipped_sizes,
            symmetric=symmetric,
        )

    def mirrored(self) -> _Data:
        """The other model against the candidate."""
        if self.symmetric:
            return self
        return replace(self, mean=-self.mean, skew=-self.skew, flipped_sums=-self.flipped_sums)

    def jackknife_p(self, delta: float) -> float | None:
        """The corrected jackknife t; equal clusters have no variance and are no certainty: then a cluster counts as one case."""
        if self.count < 2:
            return None
        if self.error < 1e-12:
            return values.all_equal(self.mean, self.count, delta)
        against = min(0.0, self.skew) / self.count**2 / self.error**3  # skewness in favour is not believed
        t = skewness.corrected((self.mean + delta) / self.error, against)
        freedom = min(self.count - 1.0, max(1.0, 2.0 * self.count / max(self.kurtosis - 1.0, 1e-9)))
        return beta.student_tail(t, freedom)

    def sign_flip(self, delta: float) -> float:
        """The share of sign patterns whose sum is at least that of the data."""
        import numpy as np

        shifted = self.flipped_sums + delta * self.flipped_sizes
        return float(np.mean(shifted >= shifted[0] - 1e-9))


def _totals(differences: ArrayLike, clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """The sum and the size of each cluster, in an order that does not depend on that of the cases."""
    import numpy as np

    d = values.checked(differences, 1)
    if len(clusters) != d.size:
        raise ValueError(f"{d.size} differences, but {len(clusters)} clusters: one a case is needed")
    members: dict[Hashable, list[float]] = {}
    for cluster, difference in zip(clusters, d.tolist(), strict=True):
        members.setdefault(cluster, []).append(difference)
    totals = _sorted([(fsum(group), float(len(group))) for group in members.values()])
    return np.array([total for total, _ in totals]), np.array([size for _, size in totals])


def _sorted(totals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return sorted(totals, key=lambda pair: (abs(pair[0]), pair[1], pair[0]))


def _flipped(sums: Floats, sizes: Floats, seed: int) -> tuple[Floats, Floats, bool]:
    """Both under every pattern of signs for few clusters, else under seeded ones, of which the first is the data's own.

    The seeded signs fall on the clusters as one of the two models sees them, whichever is called the candidate: swapping the
    models swaps the result exactly. The third value says that both see the same.
    """
    import numpy as np

    ours = list(zip(sums.tolist(), sizes.tolist(), strict=True))
    theirs = _sorted([(-total, size) for total, size in ours])
    both, side = np.array(max(ours, theirs)), 1.0 if ours >= theirs else -1.0
    found = np.concatenate([signs @ both for signs in _signs(len(sums), seed)])
    return side * found[:, 0], found[:, 1], ours == theirs


def _signs(count: int, seed: int) -> Iterable[Floats]:
    """Patterns of signs, block by block: many clusters would fill the memory."""
    if count <= _REMEMBERED:
        return (_few_signs(count, seed),)
    return _drawn(count, seed)


@lru_cache(maxsize=4)
def _few_signs(count: int, seed: int) -> Floats:
    import numpy as np

    if count > EXACT:
        return np.concatenate(list(_drawn(count, seed)))
    return np.where((np.arange(2**count)[:, None] >> np.arange(count) & 1) == 0, 1.0, -1.0)


def _drawn(count: int, seed: int) -> Iterator[Floats]:
    import numpy as np

    dice = np.random.default_rng(seed)
    for start in range(0, DRAWS + 1, _BLOCK):
        patterns = dice.integers(0, 2, (min(_BLOCK, DRAWS + 1 - start), count))
        patterns[0] *= start > 0
        yield np.asarray(1.0 - 2.0 * patterns, dtype=float)


def _margin(data: _Data, alpha: float) -> float:
    """The smallest margin at which all three tests reject."""
    low, high = -1.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2.0
        t = data.jackknife_p(middle)
        if (
            t is not None
            and t <= alpha
            and values.all_equal(data.mean, data.count, middle) <= alpha
            and data.sign_flip(middle) <= alpha
        ):
            high = middle
        else:
            low = middle
    return high

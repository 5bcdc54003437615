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

There are two tests of the null hypothesis that the mean difference is at most -delta. The larger p counts:

- The jackknife t test. The plain test promotes up to a third of the candidates at the limit if a few documents are lost as a
  whole, because the data often contain none of them, and 0.11 if a fifth are won or lost. So Hall's transformation corrects for
  skewness to the bad side, and the degrees of freedom follow from the kurtosis: at most G - 1. The test also allows for
  clusters that the sample missed. For every population in which further clusters, the heavy ones first, are lost as a whole, it
  multiplies the p of the jackknife t, against the mean that the other clusters must then have, by the chance of a sample
  without any lost cluster (``unmet``). The largest product counts; without further lost clusters it is the jackknife t. To
  prove 5 points for equal models, it needs 59 clusters of one size, and more if a few clusters contain most of the cases.
- The sign-flip of whole clusters, which errs only for skewed clusters.

A test that counts clusters without their weights promotes 0.25 of the candidates at the limit if 100 documents have Pareto sizes
and those of 20 cases or more are lost (0.6 if all others are equal). The calibration page has the error rates of this test.
Assumptions: the clusters are independent, and no relevant cluster is much larger than the largest observed one. Cases within a
cluster may depend on each other in any way. The mean is that of the cases, so a large cluster has more weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import fsum, inf, sqrt
from typing import TYPE_CHECKING

from distilltest.statistics import beta, signs, skewness, unmet, values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FEWEST = 10
"""The smallest effective number of clusters with which the test decides."""
_EVERY, _ALONE, _MIXED = 6, 12, 8
"""Up to 6 unknown values, all mixtures of low and high are tried; for more, 12 single values and 8 random mixtures."""


@dataclass(frozen=True)
class Weights:
    """How the cases are spread over clusters."""

    count: int
    effective: float
    """The number of clusters of equal size that carry the same information, (sum of sizes)^2 / sum of squared sizes."""
    heaviest: float
    """The share of all cases in the largest cluster."""

    @classmethod
    def of(cls, clusters: Sequence[Hashable]) -> Weights:
        """Compute them from the cluster of each case.

        >>> Weights.of("aaaabbc")
        Weights(count=3, effective=2.3333333333333335, heaviest=0.5714285714285714)
        """
        sizes = Counter(clusters).values()
        return cls(len(sizes), sum(sizes) ** 2 / sum(size * size for size in sizes), max(sizes) / sum(sizes))

    @property
    def enough(self) -> bool:
        """Whether there are enough clusters to decide."""
        return self.effective > FEWEST - 1e-9


@dataclass(frozen=True)
class Clustered:
    """The mean difference of clustered cases, and p-values of the claim that it is above -delta."""

    mean: float
    """The mean over all cases."""
    standard_error: float
    """The jackknife standard error."""
    clusters: int
    effective: float
    """The number of clusters of equal size that carry the same information."""
    jackknife: float | None
    """The p-value of the corrected jackknife t; None for a single cluster."""
    sign_flip: float
    """The p-value of the cluster sign-flip."""
    unmet: float | None
    """The p-value of the jackknife t that allows for lost clusters missing from the sample; at least that of the t alone."""
    p: float | None
    """The larger of ``sign_flip`` and ``unmet``; None (undecided) if the effective number of clusters is below 10."""


def evaluate(differences: ArrayLike, clusters: Sequence[Hashable], delta: float, seed: int = 0) -> Clustered:
    """Test the claim that the mean difference is above -delta.

    Args:
        differences: Candidate minus other, one for each case, in [-1, 1].
        clusters: The cluster of each case.
        delta: The margin, in (-1, 1).
        seed: The seed of the signs, for more than 16 clusters.

    Raises:
        ValueError: There are no differences, one is not in [-1, 1], or the number of clusters is not that of the cases.

    Without skewness, ten clusters of one case give the ordinary t test (t = 1.5, 9 degrees of freedom: p = 0.0839 in any table):

    >>> result = evaluate([0.5, -0.25] * 5, range(10), 0.0625)
    >>> round((result.mean + 0.0625) / result.standard_error, 6), round(result.jackknife, 4)
    (1.5, 0.0839)

    But if some clusters are lost as a whole, a sample of ten often contains none of them:

    >>> round(result.unmet, 4)
    0.0911
    >>> evaluate([0.1, 0.2, 0.3], "aab", 0.05).p is None
    True
    """
    values.checked_margin(delta)
    data = _Data.of(differences, clusters, seed)
    flip, lost = data.flips.p_value(delta) if data.flips else 1.0, data.unmet_p(delta)
    p = max(flip, lost) if lost is not None and data.enough else None
    return Clustered(data.mean, data.error, data.count, data.effective, data.jackknife_p(delta), flip, lost, p)


def jackknife_p(differences: ArrayLike, clusters: Sequence[Hashable], delta: float) -> float | None:
    """The p-value of the corrected jackknife t alone, as in :func:`evaluate`; None for a single cluster.

    >>> evaluate([0.5, -0.25] * 5, range(10), 0.0625).jackknife == jackknife_p([0.5, -0.25] * 5, range(10), 0.0625)
    True
    """
    values.checked_margin(delta)
    return _Data.of(differences, clusters, None).jackknife_p(delta)


def unmet_p(differences: ArrayLike, clusters: Sequence[Hashable], delta: float) -> float | None:
    """The p-value of the jackknife t that allows for missing clusters, alone; None for a single cluster.

    >>> evaluate([0.5, -0.25] * 5, range(10), 0.0625).unmet == unmet_p([0.5, -0.25] * 5, range(10), 0.0625)
    True
    """
    values.checked_margin(delta)
    return _Data.of(differences, clusters, None).unmet_p(delta)


def largest_p(low: ArrayLike, high: ArrayLike, clusters: Sequence[Hashable], delta: float) -> float | None:
    """The largest p found for differences that are known only by their ranges, without the sign-flip.

    The lowest differences do not always have the largest p: a better value may be an outlier that raises the variance faster
    than the mean. The search tries all low, all high, single values and random mixtures. It is not a proof, but misses little.

    Args:
        low: The lowest possible value of each difference.
        high: The highest possible value.
        clusters: The cluster of each case.
        delta: The margin, in (-1, 1).

    The clusters are a little better, and one answer is unknown. The better that answer, the less is proven:

    >>> known, clusters = [0.05, 0.06] * 20, [i // 4 for i in range(41)]
    >>> round(jackknife_p([*known, 0.05], clusters, 0.0), 9), round(jackknife_p([*known, 1.0], clusters, 0.0), 4)
    (0.0, 0.0253)
    >>> largest_p([*known, 0.05], [*known, 1.0], clusters, 0.0) >= 0.0253
    True
    """
    import numpy as np

    values.checked_margin(delta)
    lowest, highest = values.checked(low, 1), values.checked(high, 1)
    ranges = np.flatnonzero(highest > lowest)
    found: list[float] = []
    for share in _mixtures(ranges.size):
        tried = lowest.copy()
        tried[ranges] += share * (highest - lowest)[ranges]
        p = _Data.of(tried, clusters, None).unmet_p(delta)
        if p is None:
            return None
        found.append(p)
    return max(found)


def interval(
    differences: ArrayLike, clusters: Sequence[Hashable], alpha: float = 0.05, above: float | None = None, seed: int = 0
) -> tuple[float, float] | None:
    """The two-sided interval of the mean difference, by inverting the test; None if there are too few clusters.

    The error rate of the lower end is ``alpha``, that of the upper end ``above`` (or ``alpha``).

    >>> low, high = interval([0.5, -0.25] * 18, [i // 3 for i in range(36)])
    >>> round(low, 3), round(high, 3)
    (-0.081, 0.281)
    """
    values.checked_level(alpha)
    data = _Data.of(differences, clusters, seed)
    if not data.enough:
        return None
    return -_margin(data, alpha), _margin(data.mirrored(), above or alpha)


def _mixtures(unknown: int) -> list[Floats]:
    """The combinations to try: the position of each unknown value in its range, from 0 to 1."""
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
    """The statistics of the clusters that the tests use."""

    count: int
    effective: float
    mean: float
    error: float
    """The plain jackknife standard error."""
    skew: float
    """The mean third power of the clusters' residuals, in units of the mean cluster size."""
    kurtosis: float
    sizes: Floats
    chances: Floats
    """For populations with lost clusters: the chance of a sample without any of them."""
    lost: Floats
    """The share of all cases in the lost clusters."""
    flips: signs.Flips | None

    @classmethod
    def of(cls, differences: ArrayLike, clusters: Sequence[Hashable], seed: int | None) -> _Data:
        """Compute the statistics. Without a seed, no signs are flipped."""
        import numpy as np

        sums, sizes = _totals(differences, clusters)
        mean, count = fsum(sums) / fsum(sizes), len(sums)
        residuals = (sums - mean * sizes) / np.mean(sizes)
        square = float(np.mean(residuals**2))
        error = 0.0
        if count > 1:
            without = (np.sum(sums) - sums) / (np.sum(sizes) - sizes)
            error = sqrt((count - 1) / count * float(np.sum((without - np.mean(without)) ** 2)))
        chances, lost = unmet.scenarios(sizes)
        return cls(
            count=count,
            effective=float(np.sum(sizes)) ** 2 / float(np.sum(sizes**2)),
            mean=mean,
            error=error,
            skew=float(np.mean(residuals**3)),
            kurtosis=float(np.mean(residuals**4)) / square**2 if square > 1e-24 else inf,
            sizes=sizes,
            chances=chances,
            lost=lost,
            flips=None if seed is None else signs.Flips.of(sums, sizes, seed),
        )

    @property
    def enough(self) -> bool:
        """Whether there are enough clusters to decide."""
        return self.effective > FEWEST - 1e-9

    def mirrored(self) -> _Data:
        """The other model against the candidate."""
        if self.flips is None or self.flips.symmetric:
            return self
        return replace(self, mean=-self.mean, skew=-self.skew, flips=self.flips.mirrored())

    def jackknife_p(self, delta: float) -> float | None:
        """The p-value of the corrected jackknife t. If equal clusters leave no variance, only missing clusters count."""
        if self.count < 2:
            return None
        if self.error < 1e-12:
            return self._all_equal(delta)
        return beta.student_tail(self._corrected(self.mean + delta), self._freedom)

    def unmet_p(self, delta: float) -> float | None:
        """The largest p over all populations with lost clusters that the sample missed."""
        import numpy as np

        if self.count < 2:
            return None
        if self.error < 1e-12:
            return self._all_equal(delta)
        others = (self.lost - delta) / (1.0 - self.lost)  # the mean of the other clusters if that of all is -delta
        tails = beta.student_tails(self._corrected(self.mean - others), self._freedom)
        return float(np.max(self.chances * tails))

    def _all_equal(self, delta: float) -> float:
        share = (self.mean + delta) / (self.mean + 1.0) if self.mean > -1.0 else 0.0
        return unmet.chance(self.sizes, share)

    def _corrected(self, excess: skewness.T) -> skewness.T:
        """The t of a mean that exceeds a limit by ``excess``, corrected for skewness to the bad side only."""
        against = min(0.0, self.skew) / self.count**2 / self.error**3
        return skewness.corrected(excess / self.error, against)

    @property
    def _freedom(self) -> float:
        return min(self.count - 1.0, max(1.0, 2.0 * self.count / max(self.kurtosis - 1.0, 1e-9)))


def _totals(differences: ArrayLike, clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """The sum and the size of each cluster, in an order that does not depend on the order of the cases."""
    import numpy as np

    d = values.checked(differences, 1)
    if len(clusters) != d.size:
        raise ValueError(f"{d.size} differences, but {len(clusters)} clusters: each case needs one")
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    of = np.fromiter(map(numbers.__getitem__, clusters), np.intp, d.size)
    sizes = np.bincount(of).astype(float)
    if np.all(d == np.rint(d)):
        sums = np.asarray(np.bincount(of, weights=d), dtype=float)  # sums of whole numbers are exact in any order
    else:
        ends = np.cumsum(sizes).astype(int).tolist()
        sorted_d = d[np.argsort(of, kind="stable")].tolist()
        sums = np.array([fsum(sorted_d[end - int(size) : end]) for end, size in zip(ends, sizes.tolist(), strict=True)])
    order = signs.order(sums, sizes)
    return sums[order], sizes[order]


def _margin(data: _Data, alpha: float) -> float:
    """The smallest margin at which both tests reject."""
    low, high = -1.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2.0
        p = data.unmet_p(middle)
        if p is not None and p <= alpha and data.flips is not None and data.flips.p_value(middle) <= alpha:
            high = middle
        else:
            low = middle
    return high

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

Two tests of a mean difference of at most -delta, of which the larger p counts:

- The jackknife t. Plain, it promotes up to a third of the candidates at the limit where a few documents are lost as a whole,
  because the data often hold none of them, and 0.11 where a fifth are won or lost. So Hall's transformation corrects for
  skewness to the bad side, and the degrees of freedom follow from the kurtosis: G - 1 at most. What the data do not hold is
  reckoned with, too: for every population in which further clusters, the heavy ones first, are lost as a whole, the p of the
  jackknife t against the mean that its other clusters must then have is multiplied by the chance to have met none of the
  lost ones (``unmet``), and the largest product counts. Without further lost clusters it is the jackknife t. It asks for 59
  clusters of one size where equal models must prove 5 points, and for more where a few hold most of the cases.
- The sign-flip of whole clusters, which errs with skewed clusters only.

Counting clusters and not their weight promotes 0.25 of the candidates at the limit (and 0.6 where the others are all equal)
where 100 documents have Pareto sizes and those of 20 cases or more are lost. The page on calibration has what this test does.
Assumption: the clusters are independent, and none that matters is much larger than the largest one met; inside one, anything
goes. The mean is that of the cases, so a large cluster has more weight.
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
"""With fewer clusters nothing is decided, nor with so many of unequal size that they weigh no more than fewer equal ones."""
_EVERY, _ALONE, _MIXED = 6, 12, 8
"""Up to so many unknown values every mixture of low and high is tried; else how many alone, and how many drawn mixtures."""


@dataclass(frozen=True)
class Weights:
    """How the cases are spread over clusters."""

    count: int
    effective: float
    """The number of equal clusters that would tell as much, (sum of sizes)^2 / sum of squared sizes."""
    heaviest: float
    """The share of all cases that the largest cluster holds."""

    @classmethod
    def of(cls, clusters: Sequence[Hashable]) -> Weights:
        """Of the cluster of each case.

        >>> Weights.of("aaaabbc")
        Weights(count=3, effective=2.3333333333333335, heaviest=0.5714285714285714)
        """
        sizes = Counter(clusters).values()
        return cls(len(sizes), sum(sizes) ** 2 / sum(size * size for size in sizes), max(sizes) / sum(sizes))

    @property
    def enough(self) -> bool:
        """Whether anything can be decided."""
        return self.effective > FEWEST - 1e-9


@dataclass(frozen=True)
class Clustered:
    """The mean difference of clustered cases, and how surprising it is if the true one is at most -delta."""

    mean: float
    """The mean over all cases."""
    standard_error: float
    """By the jackknife."""
    clusters: int
    effective: float
    """The number of equal clusters that would tell as much."""
    jackknife: float | None
    """The p-value of the corrected jackknife t; none with fewer than two clusters."""
    sign_flip: float
    """The p-value of the cluster sign-flip."""
    unmet: float | None
    """The p-value of the jackknife t that reckons with lost clusters which were not met; at least that of the t alone."""
    p: float | None
    """The larger of the last two; None, that is undecided, where fewer than 10 equal clusters would tell as much."""


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

    But had some clusters been lost as a whole, so few would often hold none of them:

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
    """The corrected jackknife t alone, one of the three tests of :func:`evaluate`; None for a single cluster.

    >>> evaluate([0.5, -0.25] * 5, range(10), 0.0625).jackknife == jackknife_p([0.5, -0.25] * 5, range(10), 0.0625)
    True
    """
    values.checked_margin(delta)
    return _Data.of(differences, clusters, None).jackknife_p(delta)


def unmet_p(differences: ArrayLike, clusters: Sequence[Hashable], delta: float) -> float | None:
    """The jackknife t that reckons with clusters which were not met, alone; None for a single cluster.

    >>> evaluate([0.5, -0.25] * 5, range(10), 0.0625).unmet == unmet_p([0.5, -0.25] * 5, range(10), 0.0625)
    True
    """
    values.checked_margin(delta)
    return _Data.of(differences, clusters, None).unmet_p(delta)


def largest_p(low: ArrayLike, high: ArrayLike, clusters: Sequence[Hashable], delta: float) -> float | None:
    """The largest p, but for the sign-flip, that was found for differences of which some are only known to lie in a range.

    It is not always that of the lowest differences: a better one may be an outlier, and then the variance rises faster than
    the mean. All are tried low and high, each one alone, and drawn mixtures: no proof, but what it misses is small.

    Args:
        low: The lowest value that each difference can have.
        high: The highest.
        clusters: The cluster of each case.
        delta: The margin, in (-1, 1).

    Clusters are a little better, and one answer is unknown. The better it is, the less is proven:

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
    """The two-sided interval of the mean difference, by inverting the test; None where it is undecided.

    Each end errs with alpha, the upper one with ``above``.

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
    """What the tests need to know of the clusters."""

    count: int
    effective: float
    mean: float
    error: float
    """The plain standard error by the jackknife."""
    skew: float
    """The mean third power of the clusters' residuals, in units of a cluster of the mean size."""
    kurtosis: float
    sizes: Floats
    chances: Floats
    """Of populations with lost clusters: the chance to have met none of these."""
    lost: Floats
    """The share of all cases that they hold."""
    flips: signs.Flips | None

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
        """Whether anything can be decided."""
        return self.effective > FEWEST - 1e-9

    def mirrored(self) -> _Data:
        """The other model against the candidate."""
        if self.flips is None or self.flips.symmetric:
            return self
        return replace(self, mean=-self.mean, skew=-self.skew, flips=self.flips.mirrored())

    def jackknife_p(self, delta: float) -> float | None:
        """The corrected jackknife t; equal clusters have no variance and are no certainty: then only the unmet ones count."""
        if self.count < 2:
            return None
        if self.error < 1e-12:
            return self._all_equal(delta)
        return beta.student_tail(self._corrected(self.mean + delta), self._freedom)

    def unmet_p(self, delta: float) -> float | None:
        """The largest p over all populations with lost clusters that were not met."""
        import numpy as np

        if self.count < 2:
            return None
        if self.error < 1e-12:
            return self._all_equal(delta)
        others = (self.lost - delta) / (1.0 - self.lost)  # the mean of the other clusters where that of all is -delta
        tails = beta.student_tails(self._corrected(self.mean - others), self._freedom)
        return float(np.max(self.chances * tails))

    def _all_equal(self, delta: float) -> float:
        share = (self.mean + delta) / (self.mean + 1.0) if self.mean > -1.0 else 0.0
        return unmet.chance(self.sizes, share)

    def _corrected(self, excess: skewness.T) -> skewness.T:
        """The t of a mean above a limit by so much, corrected for skewness to the bad side; that to the good is not believed."""
        against = min(0.0, self.skew) / self.count**2 / self.error**3
        return skewness.corrected(excess / self.error, against)

    @property
    def _freedom(self) -> float:
        return min(self.count - 1.0, max(1.0, 2.0 * self.count / max(self.kurtosis - 1.0, 1e-9)))


def _totals(differences: ArrayLike, clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """The sum and the size of each cluster, in an order that does not depend on that of the cases."""
    import numpy as np

    d = values.checked(differences, 1)
    if len(clusters) != d.size:
        raise ValueError(f"{d.size} differences, but {len(clusters)} clusters: one a case is needed")
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    of = np.fromiter(map(numbers.__getitem__, clusters), np.intp, d.size)
    sizes = np.bincount(of).astype(float)
    if np.all(d == np.rint(d)):
        sums = np.asarray(np.bincount(of, weights=d), dtype=float)  # whole numbers add up exactly in any order
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

"""Prediction-powered inference: a judge on all cases, corrected by human labels on some.

References:
    Angelopoulos, A. N., Bates, S., Fannjiang, C., Jordan, M. I. and Zrnic, T. (2023). Prediction-powered inference. Science
    382, 669-674.
    Angelopoulos, A. N., Duchi, J. C. and Zrnic, T. (2023). PPI++: Efficient prediction-powered inference. arXiv:2311.01453.
    Zrnic, T. and Candès, E. J. (2024). Cross-prediction-powered inference. PNAS 121, e2322083121. (The fit does not use
    the label that it corrects.)
    Cameron, A. C. and Miller, D. L. (2015). A practitioner's guide to cluster-robust inference. Journal of Human Resources 50,
    317-372.
    Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics Bulletin 2, 110-114.

The mean of the human differences y is estimated by mean(y - weight·f) + weight·mean(f of the others): the judge's mean over the
unlabelled cases, corrected by the judge's error on the labelled ones. The weight with the smallest variance is
cov(y, f)/((1 + n/N) var(f)), clipped to [0, 1]. A useless judge gets the weight 0, so that only the labels count.

Each label is corrected with a weight estimated without this label, or without its whole cluster. One common weight, from the same
labels, promotes up to 0.10 of candidates at the limit if losses are one-sided, because a few differing labels then decide both
the mean and the weight. For the same reason this module deviates from the paper in three ways. Student's t replaces the normal
distribution, with degrees of freedom from the kurtosis and Hall's correction for skewness to the bad side. The variance of the
labelled part grows by 1/(n + 2), as if one more case in n + 2 had differed (see ``recovered``). And p is at least the chance that
the labelled cases contain none of the lost cases or clusters (``values.all_equal``).

For clustered cases, the contributions of each cluster to the mean are added up, and the clusters are independent.

Assumption: the labelled cases are a random sample of all cases. The calibration page has the measured error rates.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt
from typing import TYPE_CHECKING

from distilltest.statistics import beta, skewness, values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_HALVINGS = 40


@dataclass(frozen=True)
class PredictionPowered:
    """A mean difference by human labels, sharpened by a judge's values."""

    mean: float
    standard_error: float
    skew: float
    """The skewness of the mean."""
    freedom: float
    """The degrees of freedom."""
    weight: float
    """The weight of the judge (the paper's lambda), in [0, 1]: the mean of the labels' weights."""
    labelled: int
    cases: int
    heaviest: tuple[float, ...]
    """The share of the labelled cases in the k heaviest clusters, for each k; an independent case is a cluster of its own."""
    classical: float
    """The mean of the human labels alone."""
    judged: float
    """The mean of the judge's values over all cases, which a gate without labels would use."""
    all_equal: bool
    """Whether all human labels are equal, so that only their number is evidence."""

    def p_value(self, delta: float) -> float:
        """The p-value of the claim that the true mean is above -delta."""
        values.checked_margin(delta)
        return max(self._student(delta), self._unseen(delta))

    def interval(self, alpha: float = 0.05, above: float | None = None) -> tuple[float, float]:
        """The two-sided interval of the mean, inside [-1, 1], by inverting the test with ``alpha`` below and ``above`` above."""
        values.checked_level(alpha)
        return self._low(alpha), -self.mirrored()._low(above or alpha)

    def mirrored(self) -> PredictionPowered:
        """The other model against the candidate."""
        return replace(self, mean=-self.mean, skew=-self.skew, classical=-self.classical, judged=-self.judged)

    def _student(self, delta: float) -> float:
        if self.all_equal:
            return 0.0
        return beta.student_tail(
            skewness.corrected((self.mean + delta) / self.standard_error, min(0.0, self.skew)), self.freedom
        )

    def _unseen(self, delta: float) -> float:
        """The chance that the sample misses the clusters, the heaviest first, that would make the mean -delta."""
        mean = self.classical if self.all_equal else max(-1.0, min(1.0, self.mean))
        if mean + delta <= 0.0:
            return 1.0
        import numpy as np

        lost = np.minimum(1.0, (mean + delta) / (1.0 + mean) / np.array(self.heaviest))
        return float(np.max((1.0 - lost) ** np.arange(1, len(self.heaviest) + 1)))

    def _low(self, alpha: float) -> float:
        """The lower end of the interval: minus the smallest margin at which the claim is proven."""
        low, high = -1.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            low, high = (low, middle) if self._unseen(middle) <= alpha else (middle, high)
        if self.all_equal:
            return -high
        t = beta.student_quantile(alpha, self.freedom)
        by_t = self.mean - self.standard_error * skewness.uncorrected(t, min(0.0, self.skew))
        return max(-1.0, min(1.0, by_t, -high))


def estimate(
    human: ArrayLike,
    judge: ArrayLike,
    judge_only: ArrayLike,
    weight: float | None = None,
    *,
    clusters: Sequence[Hashable] = (),
    other_clusters: Sequence[Hashable] = (),
) -> PredictionPowered:
    """Estimate the mean difference.

    Args:
        human: Candidate minus other by human labels, one for each labelled case, in [-1, 1].
        judge: The differences by the judge, for the same cases.
        judge_only: The differences by the judge, for the unlabelled cases; may be empty.
        weight: The weight of the judge, in [0, 1]; None for the one with the smallest variance.
        clusters: The cluster of each labelled case; empty for independent cases.
        other_clusters: The clusters of the unlabelled cases.

    Raises:
        ValueError: There are fewer than two labelled cases, the numbers of values or clusters differ, a value is not in [-1, 1],
            or the weight is not in [0, 1].

    By hand: without any one of these four labels, cov(y, f) is 1/3, and var(f) of all eight cases is 15/56. So each weight is
    (1/3)/(2·15/56) = 28/45. mean(f) is 0.5 for the labelled cases and 0.25 for the others:

    >>> found = estimate([1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0])
    >>> round(found.weight, 6) == round(28 / 45, 6), round(found.mean, 6) == round(0.5 - 7 / 45, 6)
    (True, True)
    """
    import numpy as np

    y = values.checked(human, 2, "human labels")
    f = values.checked(judge, 2, "judge's values")
    others = values.checked(judge_only, 0, "judge's values")
    if y.size != f.size:
        raise ValueError(f"{y.size} human labels, but {f.size} judge's values for the same cases")
    if weight is not None and not 0.0 <= weight <= 1.0:
        raise ValueError(f"weight = {weight} is not in [0, 1]")
    n, more = y.size, others.size
    clustered = bool(clusters or other_clusters)
    if clustered and (len(clusters) != n or len(other_clusters) != more):
        raise ValueError(f"{n + more} cases, but {len(clusters) + len(other_clusters)} clusters: each case needs one")
    everywhere = np.concatenate([f, others])
    group, groups = _numbered([*clusters, *other_clusters]) if clustered else (np.arange(n + more), n + more)
    if weight is not None and more:
        weights = np.full(n, weight)
    else:
        weights = _weights(y, f, group[:n], groups, more, float(np.var(everywhere, ddof=1)) if more else 0.0)
    share = float(weights.mean())
    residual = y - weights * f
    parts = np.zeros(groups)
    np.add.at(parts, group[:n], (residual - residual.mean()) / n)
    mean = float(residual.mean())
    if more:
        mean += share * float(others.mean())
        np.add.at(parts, group[n:], share * (others - others.mean()) / more)
    sizes = np.sort(np.bincount(group[:n], minlength=groups))[::-1]
    sizes = sizes[sizes > 0]
    units = len(sizes)
    seen, fourth = float(np.sum(parts**2)), float(np.sum(parts**4))
    error = sqrt(seen * units / max(1, units - 1) + 1.0 / (units + 2) / units)
    spread = fourth / seen**2 - 1.0 / groups if seen > 1e-24 else 0.0
    return PredictionPowered(
        mean=mean,
        standard_error=error,
        skew=float(np.sum(parts**3)) / error**3,
        freedom=min(max(1.0, units - 1.0), max(1.0, 2.0 / spread if spread > 0.0 else inf)),
        weight=share,
        labelled=n,
        cases=n + more,
        heaviest=tuple((np.cumsum(sizes) / n).tolist()),
        classical=float(y.mean()),
        judged=float(everywhere.mean()),
        all_equal=bool(np.all(y == y[0])),
    )


def from_columns(
    human: Sequence[float | None], judge: Sequence[float], clusters: Sequence[Hashable] = ()
) -> PredictionPowered:
    """:func:`estimate` from one human label (None for an unlabelled case) and one judge's value for each case.

    >>> from_columns([1, 1, 0, 0, None, None, None, None], [1, 1, 0, 0, 1, 0, 0, 0]).cases
    8
    """
    both = [row for row, value in enumerate(human) if value is not None]
    rest = [row for row, value in enumerate(human) if value is None]
    return estimate(
        [value for value in human if value is not None],
        [judge[row] for row in both],
        [judge[row] for row in rest],
        clusters=[clusters[row] for row in both] if clusters else (),
        other_clusters=[clusters[row] for row in rest] if clusters else (),
    )


def _weights(y: Floats, f: Floats, group: NDArray[np.int64], groups: int, more: int, spread: float) -> Floats:
    """The best weight for each label, estimated without the labels of its cluster."""
    import numpy as np

    n = y.size
    if not more or spread <= 1e-15:
        return np.zeros(n)

    def without(each: Floats) -> Floats:
        """The sum over the labels of all other clusters."""
        of = np.zeros(groups)
        np.add.at(of, group, each)
        return np.asarray(each.sum() - of[group])

    left = without(np.ones(n))
    covariance = (without(y * f) - without(y) * without(f) / np.maximum(left, 1.0)) / np.maximum(left - 1.0, 1.0)
    best = np.clip(covariance / ((1.0 + n / more) * spread), 0.0, 1.0)
    return np.asarray(np.where(left >= 2.0, best, 0.0))


def _numbered(clusters: Sequence[Hashable]) -> tuple[NDArray[np.int64], int]:
    import numpy as np

    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters]), len(numbers)

"""Prediction-powered inference: a judge on all cases, corrected by human labels on some.

References:
    Angelopoulos, A. N., Bates, S., Fannjiang, C., Jordan, M. I. and Zrnic, T. (2023). Prediction-powered inference. Science
    382, 669-674.
    Angelopoulos, A. N., Duchi, J. C. and Zrnic, T. (2023). PPI++: Efficient prediction-powered inference. arXiv:2311.01453.

The mean of the human differences y is estimated by mean(y) - weight·(mean(f) - mean(f of the others)): the judge's mean over
the cases without labels, less the judge's error where both are known. The weight that gives the smallest variance is
cov(y, f)/((1 + n/N) var(f)), here kept in [0, 1]; a useless judge gets the weight 0, and only the labels count.

Assumptions: the labelled cases are a random choice of all, and cases are independent. The paper's normal distribution
promotes up to 0.10 of candidates at the limit where few of 200 labelled pairs differ. So Student's t with n - 1 degrees of
freedom takes its place, with Hall's correction for skewness, and 1/(n + 2) is added to the variance of the labelled part, as
if one more case in n + 2 had differed (see ``recovered``): 0.042 to 0.057 were measured then, at nearly the same power.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from distilltest.statistics import beta, skewness, values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ENOUGH = 200
"""With fewer labelled pairs the gate does not use this."""


@dataclass(frozen=True)
class PredictionPowered:
    """A mean difference by human labels, sharpened by a judge."""

    mean: float
    standard_error: float
    skew: float
    """The skewness of the mean."""
    weight: float
    """How much the judge counts (the paper's lambda), in [0, 1]."""
    labelled: int
    cases: int
    classical: float
    """The mean of the human labels alone."""
    judged: float
    """The mean of the judge alone, over all cases: what an uncorrected gate would believe."""
    all_equal: bool
    """Whether the human labels say the same in every case: then only their number is evidence."""

    def p_value(self, delta: float) -> float:
        """How surprising the data are if the true mean is at most -delta."""
        values.checked_margin(delta)
        if self.all_equal:
            return values.all_equal(self.classical, self.labelled, delta)
        t = skewness.corrected((self.mean + delta) / self.standard_error, self.skew)
        return beta.student_tail(t, self.labelled - 1)

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """The two-sided 1 - 2·alpha interval of the mean, inside [-1, 1]."""
        values.checked_level(alpha)
        if self.all_equal:
            low = -values.all_equal_margin(self.classical, self.labelled, alpha)
            high = values.all_equal_margin(-self.classical, self.labelled, alpha)
        else:
            t = beta.student_quantile(alpha, self.labelled - 1)
            low = self.mean - self.standard_error * skewness.uncorrected(t, self.skew)
            high = self.mean - self.standard_error * skewness.uncorrected(-t, self.skew)
        return min(1.0, max(-1.0, low)), max(-1.0, min(1.0, high))


def estimate(
    human: ArrayLike, judge: ArrayLike, judge_only: ArrayLike, weight: float | None = None
) -> PredictionPowered:
    """Estimate the mean difference.

    Args:
        human: Candidate minus other by human labels, one a labelled case, each in [-1, 1].
        judge: The same by the judge, for the same cases.
        judge_only: The same by the judge, for the cases without labels; there may be none.
        weight: How much the judge counts, in [0, 1]; chosen for the smallest variance by default.

    Raises:
        ValueError: There are fewer than two labelled cases, not one judge's value for each, a value is not in [-1, 1], or the
            weight is not in [0, 1].

    By hand: mean(y) = 0.5, mean(f) = 0.5 where labelled and 0.25 elsewhere; cov(y, f) = 1/3 and var(f), of all eight cases,
    is 15/56. So the weight is (1/3)/(2·15/56) = 28/45, and the mean 0.5 - 28/45·0.25:

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
    everywhere = np.concatenate([f, others])
    spread = float(np.var(everywhere, ddof=1))
    chosen = 0.0
    if more and weight is not None:
        chosen = weight
    elif more and spread > 1e-15:
        covariance = float(np.sum((y - y.mean()) * (f - f.mean()))) / (n - 1)
        chosen = min(1.0, max(0.0, covariance / ((1.0 + n / more) * spread)))
    residual = y - chosen * f
    mean = float(y.mean())
    variance = (float(np.var(residual, ddof=1)) + 1.0 / (n + 2)) / n
    third = float(np.mean((residual - residual.mean()) ** 3)) / n**2
    if more:
        mean -= chosen * float(f.mean() - others.mean())
        variance += chosen**2 * spread / more
        third += chosen**3 * float(np.mean((others - others.mean()) ** 3)) / more**2
    error = sqrt(variance)
    return PredictionPowered(
        mean=mean,
        standard_error=error,
        skew=third / error**3,
        weight=chosen,
        labelled=n,
        cases=n + more,
        classical=float(y.mean()),
        judged=float(everywhere.mean()),
        all_equal=bool(np.all(y == y[0])),
    )

"""The t test of a mean with Hall's correction for skewness.

Reference:
    Hall, P. (1992). On the removal of skewness by transformation. Journal of the Royal Statistical Society B 54, 221-228.

If a few cases are much worse than the rest, a sample with too few of them has too small a variance, and a t test errs. Hall's
transformation of t, t + s·t^2/3 + s^2·t^3/27 + s/6 with s the skewness of the mean, removes the first-order error and rises
with t. Assumptions: the cases are independent, and the data show the skewness: the test does not correct for a collapse in one
case of 100 that is missing from the sample. If such a collapse is possible, use the anchored test.
"""

from __future__ import annotations

from math import cbrt, sqrt
from typing import TYPE_CHECKING, TypeVar

from distilltest.statistics import beta, values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

T = TypeVar("T", float, "NDArray[np.float64]")


def p_value(differences: ArrayLike, delta: float) -> float:
    """The p-value of the claim that the true mean is above -delta, in [0, 1].

    Args:
        differences: Candidate minus other, one for each case, in [-1, 1].
        delta: The margin, in (-1, 1).

    Raises:
        ValueError: There are fewer than two differences, one is not in [-1, 1], or delta is not in (-1, 1).

    Without skewness it is the t test (t = 1.5 with 9 degrees of freedom):

    >>> round(p_value([0.5, -0.25] * 5, 0.0625), 4)
    0.0839

    With a tail of bad cases, the same mean and standard error prove less:

    >>> p_value([0.1] * 38 + [-0.6] * 2, 0.0) > 2 * p_value([0.1 - 0.1524, 0.1 + 0.0224] * 20, 0.0)
    True
    """
    values.checked_margin(delta)
    mean, error, skew, n = _moments(differences)
    if error < 1e-12:
        return values.all_equal(mean, n, delta)
    return beta.student_tail(corrected((mean + delta) / error, skew), n - 1)


def interval(differences: ArrayLike, alpha: float = 0.05, above: float | None = None) -> tuple[float, float]:
    """The two-sided interval of the mean difference, by inverting the test, inside [-1, 1].

    The error rate of the lower end is ``alpha``, that of the upper end ``above`` (or ``alpha``).

    >>> low, high = interval([0.5, -0.25] * 5)
    >>> round(low, 3), round(high, 3)
    (-0.104, 0.354)
    """
    values.checked_level(alpha)
    mean, error, skew, n = _moments(differences)
    if error < 1e-12:
        low, high = -values.all_equal_margin(mean, n, alpha), values.all_equal_margin(-mean, n, above or alpha)
    else:
        reach, upwards = (beta.student_quantile(level, n - 1) for level in (alpha, above or alpha))
        low, high = mean - error * uncorrected(reach, skew), mean - error * uncorrected(-upwards, skew)
    return max(-1.0, low), min(1.0, high)


def corrected(t: T, skew: float) -> T:
    """Hall's transformation of a t statistic whose numerator has this skewness.

    >>> corrected(2.0, 0.0), round(corrected(2.0, -0.3), 4)
    (2.0, 1.5767)
    """
    return t + skew * t * t / 3.0 + skew * skew * t**3 / 27.0 + skew / 6.0


def uncorrected(corrected_t: float, skew: float) -> float:
    """The inverse of Hall's transformation.

    >>> round(uncorrected(corrected(2.0, -0.3), -0.3), 9)
    2.0
    """
    if abs(skew) < 1e-6:
        return corrected_t
    return 3.0 / skew * (cbrt(1.0 + skew * (corrected_t - skew / 6.0)) - 1.0)


def _moments(differences: ArrayLike) -> tuple[float, float, float, int]:
    """The mean, its standard error, its skewness, and the number of cases."""
    import numpy as np

    d = values.checked(differences, 2)
    n = d.size
    mean = float(np.mean(d))
    error = sqrt(float(np.sum((d - mean) ** 2)) / (n - 1) / n)
    skew = 0.0 if error < 1e-12 else float(np.sum((d - mean) ** 3)) / n**3 / error**3
    return mean, error, skew, n

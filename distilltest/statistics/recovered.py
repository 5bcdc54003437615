"""The share of the gap from base to teacher that the candidate recovers.

Reference:
    Fieller, E. C. (1954). Some problems in interval estimation. Journal of the Royal Statistical Society B 16, 175-185.

The share is a ratio of two means, (candidate - base)/(teacher - base). If the gap may be 0, the ratio has no finite interval.
Fieller's interval contains every share f that the t test of mean(x - f·y) = 0 does not reject, with x = candidate - base and
y = teacher - base. Assumptions: the cases are independent, and the means are close to normal. Fieller's interval shows whether
the gap is large enough for a share of it to mean something. The bounds in reports come from the test that decides.

Without variance there is still uncertainty, so 1/(n + 2) is added to the variances of x and y, as if one more case in n + 2 had
differed by 1 (as in ``planning``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import TYPE_CHECKING

from distilltest.statistics import beta, values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_FAR = 100.0
"""The search for a bound of the recovered share ends here."""


@dataclass(frozen=True)
class Recovered:
    """The recovered share with its two-sided 1 - 2·alpha interval; None if the gap is too small."""

    gap: float
    """Teacher minus base."""
    gain: float
    """Candidate minus base."""
    share: float | None
    """Gain divided by gap: 1 like the teacher, 0 like the base; None if the gap is too small."""
    low: float | None
    high: float | None

    @property
    def gap_too_small(self) -> bool:
        """Whether the teacher is not proven better than the base."""
        return self.share is None


def evaluate(candidate: ArrayLike, base: ArrayLike, teacher: ArrayLike, alpha: float = 0.05) -> Recovered:
    """The recovered share, from the scores of the three models on the same cases.

    Args:
        candidate: A score in [-1, 1] for each case.
        base: The scores of the untuned model.
        teacher: The scores of the teacher.
        alpha: The level of the two-sided 1 - 2·alpha interval, and of the one-sided test that must prove the gap.

    Raises:
        ValueError: There are fewer than two cases, the numbers of scores differ, or a score is not in [-1, 1].

    Of 100 cases the base passes 50, the teacher 90 and the candidate 80:

    >>> base, candidate, teacher = ([1] * k + [0] * (100 - k) for k in (50, 80, 90))
    >>> found = evaluate(candidate, base, teacher)
    >>> round(found.share, 2), round(found.low, 2), round(found.high, 2)
    (0.75, 0.62, 0.88)
    >>> evaluate(candidate, base, base).gap_too_small
    True
    """
    import numpy as np

    values.checked_level(alpha)
    scores = [values.checked(each, 2, "scores") for each in (candidate, base, teacher)]
    n = scores[0].size
    if any(each.size != n for each in scores):
        raise ValueError(f"scores of {[each.size for each in scores]} cases: all three need the same cases")
    x, y = scores[0] - scores[1], scores[2] - scores[1]
    gain, gap = float(np.mean(x)), float(np.mean(y))
    extra = 1.0 / (n + 2)
    var_x = (float(np.var(x, ddof=1)) + extra) / n
    var_y = (float(np.var(y, ddof=1)) + extra) / n
    covariance = float(np.sum((x - gain) * (y - gap))) / (n - 1) / n
    t = beta.student_quantile(alpha, n - 1)
    # (gain - f·gap)^2 = t^2 (var_x - 2 f covariance + f^2 var_y): a f^2 - 2 b f + c = 0.
    a = gap * gap - t * t * var_y
    if a <= 0.0 or gap <= 0.0:
        return Recovered(gap, gain, None, None, None)
    b = gain * gap - t * t * covariance
    c = gain * gain - t * t * var_x
    root = sqrt(max(0.0, b * b - a * c))
    return Recovered(gap, gain, gain / gap, (b - root) / a, (b + root) / a)


def bounds(
    candidate: ArrayLike,
    base: ArrayLike,
    teacher: ArrayLike,
    clusters: Sequence[Hashable] = (),
    alpha: float = 0.05,
    above: float | None = None,
) -> tuple[float, float] | None:
    """The interval of the recovered share, by inverting the test that decides; None if there are too few clusters.

    Fieller's interval belongs to another test, and would sometimes contradict the verdict.

    Args:
        candidate: A score in [0, 1] for each case. The gap must be large enough for :func:`evaluate`.
        base: The scores of the base.
        teacher: The scores of the teacher.
        clusters: The cluster of each case; empty for independent cases.
        alpha: The error rate of the lower end.
        above: The error rate of the upper end; None for alpha.

    >>> base, candidate, teacher = ([1] * k + [0] * (100 - k) for k in (50, 80, 90))
    >>> low, high = bounds(candidate, base, teacher)
    >>> round(low, 2), round(high, 2), shown(candidate, base, teacher, low) <= 0.05 < shown(candidate, base, teacher, low + 0.001)
    (0.6, 0.89, True)
    """
    import numpy as np

    fieller = evaluate(candidate, base, teacher, alpha)
    share, low, high = fieller.share or 0.0, fieller.low or 0.0, fieller.high or 0.0
    c, b, t = (np.asarray(each, dtype=float) for each in (candidate, base, teacher))
    if shown(c, b, t, share, clusters) is None:
        return None

    def excess(p: float | None, level: float) -> float:
        return log(max(1.0 if p is None else p, 1e-300) / level)

    def below(f: float) -> float:
        return excess(shown(c, b, t, f, clusters), alpha)

    def mirrored(f: float) -> float:  # the claim that less than a share -f is recovered
        return excess(shown(c, b, t, -f, clusters, more=False), above or alpha)

    return _last_rejected(below, low, share - low), -_last_rejected(mirrored, -high, high - share)


def shown(
    candidate: ArrayLike,
    base: ArrayLike,
    teacher: ArrayLike,
    share: float,
    clusters: Sequence[Hashable] = (),
    *,
    more: bool = True,
) -> float | None:
    """The p-value of the claim that more than a share is recovered (``more=False``: less); None if clusters are too few."""
    import numpy as np

    from distilltest.statistics import anchored
    from distilltest.statistics import clusters as clustered

    c, b, t = (np.asarray(each, dtype=float) for each in (candidate, base, teacher))
    # The contrast lies in [-1, 1] for a share in [0, 1], and is scaled to that for other shares.
    contrast = (c - (1.0 - share) * b - share * t) / max(1.0, abs(share), abs(1.0 - share))
    contrast = contrast if more else -contrast
    return clustered.evaluate(contrast, clusters, 0.0).p if clusters else anchored.p_value(contrast, 0.0)


def _last_rejected(excess: Callable[[float], float], guess: float, width: float) -> float:
    """The largest value at which the rising function ``excess`` is at most 0, to a two-thousandth of the width; at least -100."""
    close = max(1e-5, width / 2000.0)
    step = max(1e-4, width / 10.0)
    value = excess(guess)
    low, high = guess, guess
    while value <= 0.0 and high < _FAR:
        low, high, step = high, min(_FAR, high + step), 2.0 * step
        value = excess(high)
    if high > guess or value <= 0.0:
        at_low, at_high = excess(low), value
    else:
        at_high = value
        while value > 0.0:
            if low <= -_FAR:
                return -_FAR
            high, at_high, low, step = low, value, max(-_FAR, low - step), 2.0 * step
            value = excess(low)
        at_low = value
    while high - low > close:
        # The straight line between the ends, moved past its root so that the ends close in from both sides.
        part = at_low / (at_low - at_high) if at_low < at_high else 0.5
        middle = low + min(0.95, max(0.05, part + (0.02 if part < 0.5 else -0.02))) * (high - low)
        value = excess(middle)
        if value <= 0.0:
            low, at_low = middle, value
        else:
            high, at_high = middle, value
    return low


def gap_is_shown(low: ArrayLike, high: ArrayLike, alpha: float = 0.05) -> bool:
    """Whether :func:`evaluate` finds the gap large enough for all values of teacher - base within their ranges.

    The condition is sufficient, not necessary: it combines the smallest mean with the largest variance.

    Args:
        low: The lowest value of teacher - base in each case.
        high: The highest value.
        alpha: The level, as for :func:`evaluate`.

    >>> gap_is_shown([1.0] * 20 + [0.0] * 80, [1.0] * 20 + [0.0] * 80)
    True
    >>> gap_is_shown([1.0] * 20 + [0.0] * 60 + [-1.0] * 20, [1.0] * 20 + [0.0] * 60 + [1.0] * 20)
    False
    """
    import numpy as np

    values.checked_level(alpha)
    lowest, highest = values.checked(low, 0), values.checked(high, 0)
    n, least = lowest.size, float(np.mean(lowest)) if lowest.size else 0.0
    if n < 2:
        return False
    # The sum of squares is smallest around the mean.
    spread = float(np.sum(np.maximum((lowest - least) ** 2, (highest - least) ** 2)))
    variance = (spread / (n - 1) + 1.0 / (n + 2)) / n
    return least > 0.0 and least * least > beta.student_quantile(alpha, n - 1) ** 2 * variance

"""Agreement of two raters, such as a judge and a human, beyond chance.

References:
    Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20, 37-46.
    Fleiss, J. L., Cohen, J. and Everitt, B. S. (1969). Large sample standard errors of kappa and weighted kappa.
    Psychological Bulletin 72, 323-327.
    Gwet, K. L. (2008). Computing inter-rater reliability and its variance in the presence of high agreement. British
    Journal of Mathematical and Statistical Psychology 61, 29-48.

Both coefficients are (agreement - chance)/(1 - chance). Kappa computes chance from each rater's own shares, and falls towards 0
if nearly all cases have one label, however well the raters agree; AC1 does not. Assumption: the cases are independent. The
intervals are for reading, not for deciding: with 100 cases, the measured coverage of 90 % intervals is 84 to 89 %.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from distilltest.statistics import beta, binomial, values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Coefficient:
    """An agreement beyond chance, with its two-sided 1 - 2·alpha interval."""

    value: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """The agreement of two raters on the same cases."""

    labels: tuple[Hashable, ...]
    table: tuple[tuple[int, ...], ...]
    """The confusion table: a row for each label of the first rater, a column for each of the second."""
    n: int
    observed: float
    """The share of cases on which they agree."""
    kappa: Coefficient | None
    """Cohen's kappa; None if both raters used the same single label, which makes it 0/0."""
    ac1: Coefficient
    """Gwet's AC1."""


def evaluate(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    labels: Sequence[Hashable] | None = None,
    alpha: float = 0.05,
) -> Agreement:
    """Compare the labels of two raters, case by case.

    Args:
        first: The first rater's labels, one for each case.
        second: The second rater's labels of the same cases.
        labels: All possible labels, which AC1 depends on; None for the labels in use.
        alpha: The level of the two-sided 1 - 2·alpha intervals.

    Raises:
        ValueError: There are no cases, the numbers of labels differ, or a label is not among ``labels``.

    >>> agreement = evaluate(["pass", "pass", "fail", "pass"], ["pass", "fail", "fail", "pass"])
    >>> agreement.labels, agreement.table, agreement.observed, round(agreement.kappa.value, 3)
    (('fail', 'pass'), ((1, 0), (1, 2)), 0.75, 0.5)
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} labels of the first rater, but {len(second)} of the second")
    if len(first) == 0:
        raise ValueError("agreement: at least one case with both labels is needed")
    used = set(first) | set(second)
    known = tuple(sorted(used, key=lambda label: (str(type(label)), str(label))) if labels is None else labels)
    if len(set(known)) != len(known) or not used <= set(known):
        raise ValueError(f"labels {sorted(map(str, used))} were used, but only {sorted(map(str, known))} are known")
    place = {label: i for i, label in enumerate(known)}
    table = [[0] * len(known) for _ in known]
    for one, other in zip(first, second, strict=True):
        table[place[one]][place[other]] += 1
    return from_table(table, known, alpha)


def from_table(table: ArrayLike, labels: Sequence[Hashable] | None = None, alpha: float = 0.05) -> Agreement:
    """Compare two raters by their confusion table.

    Raises:
        ValueError: The table is not square, has no cases, or a cell is not a count.

    Two pathologists and four stages of cancer in 118 slides: Agresti (2013), Categorical Data Analysis, 11.5, prints a
    kappa of 0.493 with a standard error of 0.057:

    >>> stages = from_table([[22, 2, 2, 0], [5, 7, 14, 0], [0, 2, 36, 0], [0, 1, 17, 10]])
    >>> round(stages.kappa.value, 3), round(stages.kappa.standard_error, 3)
    (0.493, 0.057)

    The paradox, where kappa sees no agreement in 118 of 125 cases: Gwet (2002), Kappa statistic is not satisfactory for
    assessing the extent of agreement between raters, prints a kappa of -0.0234 and an AC1 of 0.9408:

    >>> paradox = from_table([[118, 5], [2, 0]])
    >>> round(paradox.kappa.value, 4), round(paradox.ac1.value, 4)
    (-0.0234, 0.9408)

    Two abstractors of 100 cases: Gwet's package irrCAC prints 0.7964 (0.680 to 0.913) and 0.8493 (0.764 to 0.935):

    >>> a = from_table([[13, 0, 0], [0, 20, 7], [0, 4, 56]], alpha=0.025)
    >>> [(round(c.value, 4), round(c.low, 3), round(c.high, 3)) for c in (a.kappa, a.ac1)]
    [(0.7964, 0.68, 0.913), (0.8493, 0.764, 0.935)]
    """
    import numpy as np

    values.checked_level(alpha)
    counts = np.asarray(table, dtype=float)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError("a confusion table has a row and a column for each label")
    if not np.all(np.isfinite(counts)) or np.any(counts < 0) or np.any(counts != np.rint(counts)):
        raise ValueError("the cells of a confusion table are counts")
    n = int(counts.sum())
    if n < 1:
        raise ValueError("agreement: at least one case with both labels is needed")
    size = counts.shape[0]
    names = tuple(range(size) if labels is None else labels)
    if len(names) != size:
        raise ValueError(f"{len(names)} labels, but {size} rows")
    shares = counts / n
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    agreed = float(np.trace(shares))
    # The derivative of the chance agreement by the share of each cell.
    kappa_chance = float(rows @ columns)
    kappa_slopes = columns[:, None] + rows[None, :]
    mean = (rows + columns) / 2.0
    others = max(1, size - 1)
    ac1_chance = float(mean @ (1.0 - mean)) / others
    ac1_slopes = (1.0 - mean[:, None] - mean[None, :]) / others
    certain = kappa_chance > 1.0 - 1e-12
    return Agreement(
        labels=names,
        table=tuple(tuple(int(cell) for cell in row) for row in counts),
        n=n,
        observed=agreed,
        kappa=None if certain else _coefficient(shares, n, kappa_chance, kappa_slopes, alpha),
        ac1=_coefficient(shares, n, ac1_chance, ac1_slopes, alpha),
    )


def _coefficient(shares: Floats, n: int, chance: float, slopes: Floats, alpha: float) -> Coefficient:
    """(agreed - chance)/(1 - chance), its standard error by the delta method, and its interval with Student's t.

    If no case disagrees, none agrees, or one rater uses a single label, the variance is 0 but the uncertainty is not. The
    interval then is at least the exact one of the share that agrees, as if chance were known.
    """
    import numpy as np

    agreed = float(np.trace(shares))
    value = (agreed - chance) / (1.0 - chance)
    influence = (np.eye(len(shares)) - (1.0 - value) * slopes) / (1.0 - chance)
    spread = max(0.0, float(np.sum(shares * influence**2)) - float(np.sum(shares * influence)) ** 2)
    error = sqrt(spread / n)
    low, high = -1.0, 1.0
    if n > 1:
        reach = beta.student_quantile(alpha, n - 1) * error
        low, high = value - reach, value + reach
    if spread < 1e-12 or not 0.5 / n < agreed < 1.0 - 0.5 / n:
        exact_low, exact_high = binomial.interval(round(agreed * n), n, alpha)
        low = min(low, (exact_low - chance) / (1.0 - chance))
        high = max(high, (exact_high - chance) / (1.0 - chance))
    return Coefficient(value, error, max(-1.0, low), min(1.0, high))

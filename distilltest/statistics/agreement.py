"""How far two raters agree beyond chance: Cohen's kappa and Gwet's AC1, with intervals.

Kappa (Cohen 1960) falls to nothing where one label is rare, however well the raters agree; AC1 (Gwet 2008, "Computing
inter-rater reliability and its variance in the presence of high agreement") does not. Intervals are from the jackknife over
subjects, which are assumed to be independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

Counts = Sequence[Sequence[int]]
"""``counts[i][j]``: subjects that the first rater gave label i and the second label j."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two raters on the same subjects."""

    n: int
    observed: float
    """Share of subjects with the same label."""
    kappa: float | None
    """Cohen's kappa; None where both raters used one label only, so that chance cannot be told from agreement."""
    kappa_low: float | None
    kappa_high: float | None
    ac1: float
    ac1_low: float
    ac1_high: float
    """Two-sided intervals at the level that was asked for, cut at [-1, 1]."""


def agreement(counts: Counts, level: float = 0.95) -> Agreement:
    """The agreement of two raters.

    Args:
        counts: A square table of counts, at least 2 by 2, with at least one subject.
        level: Of the intervals, in (0, 1).

    Raises:
        ValueError: The table is not square, is smaller than 2 by 2, has a negative count or no subject.

    >>> found = agreement([[118, 5], [2, 0]])  # Gwet 2008, table 1
    >>> round(found.kappa, 4), round(found.ac1, 4)
    (-0.0234, 0.9408)
    """
    size = len(counts)
    if size < 2 or any(len(row) != size for row in counts) or any(c < 0 for row in counts for c in row):
        raise ValueError("a table of agreement is square, at least 2 by 2, and has no negative counts")
    n = sum(map(sum, counts))
    if n == 0:
        raise ValueError("a table of agreement has at least one subject")
    if not 0 < level < 1:
        raise ValueError(f"level = {level} is not in (0, 1)")
    kappa, ac1 = _kappa(counts), _ac1(counts)
    assert ac1 is not None
    low, high = _interval(counts, n, ac1, _ac1, level)
    kappa_low, kappa_high = (None, None) if kappa is None else _interval(counts, n, kappa, _kappa, level)
    observed = sum(counts[i][i] for i in range(size)) / n
    return Agreement(n, observed, kappa, kappa_low, kappa_high, ac1, low, high)


def _shares(counts: Counts) -> tuple[float, list[float], list[float]]:
    n = sum(map(sum, counts))
    rows = [sum(row) / n for row in counts]
    columns = [sum(row[j] for row in counts) / n for j in range(len(counts))]
    return sum(counts[i][i] for i in range(len(counts))) / n, rows, columns


def _kappa(counts: Counts) -> float | None:
    """Cohen's kappa.

    >>> round(_kappa([[20, 5], [10, 15]]), 10)
    0.4
    """
    observed, rows, columns = _shares(counts)
    chance = sum(a * b for a, b in zip(rows, columns, strict=True))
    return None if chance > 1 - 1e-12 else (observed - chance) / (1 - chance)


def _ac1(counts: Counts) -> float | None:
    observed, rows, columns = _shares(counts)
    shares = [(a + b) / 2 for a, b in zip(rows, columns, strict=True)]
    chance = sum(share * (1 - share) for share in shares) / (len(counts) - 1)
    return (observed - chance) / (1 - chance)


def _interval(
    counts: Counts, n: int, estimate: float, measure: Callable[[Counts], float | None], level: float
) -> tuple[float, float]:
    if n < 2:
        return -1.0, 1.0
    total = squares = 0.0
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            if count:
                without = [[c - (a == i and b == j) for b, c in enumerate(line)] for a, line in enumerate(counts)]
                left = measure(without)
                value = n * estimate - (n - 1) * (estimate if left is None else left)
                total += count * value
                squares += count * value * value
    variance = max(0.0, squares - total * total / n) / (n - 1) / n
    # Without any disagreement the jackknife sees no variance, which is no certainty: the rule of three stands in.
    spread = max(NormalDist().inv_cdf((1 + level) / 2) * sqrt(variance), min(2.0, 3.0 / n) if variance == 0 else 0.0)
    return max(-1.0, estimate - spread), min(1.0, estimate + spread)

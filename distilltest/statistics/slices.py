"""Slices by tag: whether the candidate got worse in any of them.

References:
    Westfall, P. H. and Young, S. S. (1993). Resampling-Based Multiple Testing. Wiley. (The distribution of the largest
    statistic keeps the family-wise error at the level, even if slices overlap.)
    Fisher, R. A. (1935). The Design of Experiments, 21. (Flipping the signs of paired differences.)

The drop of a slice is -sum(d)/sqrt(sum(d^2)) over its cases. If nothing changed, each difference is as likely to have the
other sign. So each pattern flips a case in all its slices together, and the p-value of a slice is the share of patterns in
which the largest drop of any slice is at least its own. Cases of one cluster are flipped together, and d is then the sum of
a cluster's differences in the slice. Assumption: the clusters (without clusters, the cases) are independent.

Scores and clusters can be skewed although nothing changed on average: many lose a little and a few win much. Flipping signs is
then not valid. So such a slice is also tested by a t test with Hall's correction for skewness (with Bonferroni's correction for
the number of slices), and the larger p counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from distilltest.statistics import clusters as cluster_tests
from distilltest.statistics import skewness, values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FAMILY_LEVEL = 0.10
"""The chance to block a candidate that got worse in no slice, over all slices together."""
EXACT = 14
"""Up to this number of cases (or clusters) with a difference, all patterns of signs are counted."""
DRAWS = 9_999
_BLOCK = 500


@dataclass(frozen=True)
class Slice:
    """One slice: the cases of a tag."""

    tag: str
    cases: int
    difference: float
    """The mean difference, candidate minus other; negative if the candidate is worse."""
    p: float
    """The chance of a drop at least this large in any slice if nothing changed."""


@dataclass(frozen=True)
class Slices:
    """All slices by tag, and those with evidence of a regression."""

    slices: tuple[Slice, ...]
    p: float
    """The p-value of the worst slice; 1 without slices."""
    regressed: tuple[str, ...]
    """The tags of the slices with p <= level."""


def largest_drop(
    differences: ArrayLike,
    tags: Sequence[Iterable[str]],
    clusters: Sequence[Hashable] = (),
    level: float = FAMILY_LEVEL,
    seed: int = 0,
    *,
    corrected: bool = True,
) -> Slices:
    """Test for a regression in any slice.

    Args:
        differences: Candidate minus other, one for each case, in [-1, 1].
        tags: The tags of each case: none, one or many.
        clusters: The cluster of each case; empty for independent cases.
        level: The family-wise level.
        seed: The seed of the signs, for more than 14 cases (clusters) with a difference.
        corrected: Also apply the t test if differences may be skewed. Without it p is smaller.

    Raises:
        ValueError: A difference is not in [-1, 1], or the number of tags or clusters is not that of the cases.

    Five losses in five cases, in the only slice with differences, happen once in 2^5 patterns:

    >>> found = largest_drop([-1] * 5 + [0] * 5, [["legal"]] * 5 + [["code", "long"]] * 5)
    >>> [(s.tag, s.difference, s.p) for s in found.slices], found.regressed
    ([('code', 0.0, 1.0), ('legal', -1.0, 0.03125), ('long', 0.0, 1.0)], ('legal',))

    If the five are from one document, they count as one loss:

    >>> largest_drop([-1] * 5 + [0] * 5, [["legal"]] * 10, ["contract"] * 5 + [*range(5)]).p
    0.5
    """
    import numpy as np

    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level} is not in (0, 1)")
    d = values.checked(differences, 0)
    sets = [frozenset(each) for each in tags]
    if len(sets) != d.size:
        raise ValueError(f"{d.size} differences, but {len(sets)} sets of tags: each case needs one")
    if clusters and len(clusters) != d.size:
        raise ValueError(f"{d.size} differences, but {len(clusters)} clusters: each case needs one")
    names = sorted(frozenset[str]().union(*sets))
    if not names:
        return Slices((), 1.0, ())
    member = np.array([[name in each for name in names] for each in sets], dtype=float)
    sums = d[:, None] * member
    observed, patterns = _drops(_by_cluster(sums, clusters) if clusters else sums, seed)
    # Without an observed drop, the p-value is 1.
    p = [1.0 if drop < 1e-12 else float(np.mean(patterns >= drop - 1e-9)) for drop in observed.tolist()]
    if corrected and (clusters or not np.all(np.isin(d, (-1.0, 0.0, 1.0)))):
        for i in range(len(names)):
            if p[i] <= level:
                inside = member[:, i] > 0
                own = [cluster for cluster, here in zip(clusters, inside, strict=True) if here] if clusters else ()
                p[i] = max(p[i], min(1.0, len(names) * _lopsided(-d[inside], own)))
    slices = tuple(
        Slice(name, int(member[:, i].sum()), fsum(d[member[:, i] > 0]) / int(member[:, i].sum()), p[i])
        for i, name in enumerate(names)
    )
    return Slices(slices, min(p), tuple(s.tag for s in slices if s.p <= level))


def _lopsided(losses: Floats, clusters: Sequence[Hashable]) -> float:
    """The p-value of the claim that the mean loss in one slice is above 0, for any skewness."""
    if clusters:
        p = cluster_tests.jackknife_p(losses, clusters, 0.0)
        return 1.0 if p is None else p
    return skewness.p_value(losses, 0.0) if losses.size > 1 else 1.0


def _by_cluster(sums: Floats, clusters: Sequence[Hashable]) -> Floats:
    """The sum of each cluster in each slice, from the values of the cases."""
    import numpy as np

    numbers: dict[Hashable, int] = {}
    of = [numbers.setdefault(cluster, len(numbers)) for cluster in clusters]
    added = np.zeros((len(numbers), sums.shape[1]))
    np.add.at(added, of, sums)
    return added


def _drops(sums: Floats, seed: int) -> tuple[Floats, Floats]:
    """The drop of each slice, and the largest drop under each pattern of signs, including that of the data.

    Args:
        sums: The difference of each case (cluster) in each slice.
        seed: The seed of the signs.
    """
    import numpy as np

    squares = (sums * sums).sum(axis=0)
    # An order that depends neither on the order of the cases nor on which model is called the candidate.
    order = np.lexsort((*sums.T, *np.abs(sums).T))
    order = order[np.any(sums[order] != 0.0, axis=1)]
    weights = -sums[order] / np.sqrt(np.where(squares > 0, squares, 1.0))
    count = len(order)
    observed = np.ones(count) @ weights
    largest = []
    dice = np.random.default_rng(seed)
    total = 2**count if count <= EXACT else DRAWS + 1
    for start in range(0, total, _BLOCK):
        rows = min(_BLOCK, total - start)
        if count <= EXACT:
            flipped = np.arange(start, start + rows)[:, None] >> np.arange(count) & 1
        else:
            flipped = dice.integers(0, 2, (rows, count), dtype=np.int8)
            flipped[0] *= start > 0
        largest.append(np.max(np.where(flipped == 0, 1.0, -1.0) @ weights, axis=1))
    return observed, np.concatenate(largest)

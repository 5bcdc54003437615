"""Slices by tag: did the candidate get worse in any of them?

References:
    Westfall, P. H. and Young, S. S. (1993). Resampling-Based Multiple Testing. Wiley. (The distribution of the largest
    statistic keeps the error of all slices together at the level, whatever their overlap.)
    Fisher, R. A. (1935). The Design of Experiments, 21. (Flipping the signs of paired differences.)

The drop of a slice is -sum(d)/sqrt(sum(d^2)) over its cases. If nothing changed, each difference could as well have the
other sign. So every case is flipped once, in all its slices together, and the p-value of a slice is the share of patterns
in which the largest drop of any slice is at least its own. Cases of one cluster are flipped together, and d is then the sum
of a cluster's differences in the slice. Assumption: the clusters are independent, or the cases where there are none.

Scores, and clusters, can be lopsided although nothing changed on average: many lose a little and a few win much. Their signs
cannot be flipped. So for these a drop must be one for a t test with Hall's correction for skewness, too (Bonferroni's way,
times the number of slices); the larger p counts.
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
"""The chance to block a candidate that got worse nowhere, over all slices together."""
EXACT = 14
"""Up to so many cases, or clusters, with a difference every pattern of signs is counted."""
DRAWS = 9_999
_BLOCK = 500


@dataclass(frozen=True)
class Slice:
    """One slice: the cases of a tag."""

    tag: str
    cases: int
    difference: float
    """The mean difference, candidate minus other; negative where the candidate is worse."""
    p: float
    """How surprising a drop like this one in any slice would be if nothing had changed."""


@dataclass(frozen=True)
class Slices:
    """All slices by tag, and those with evidence of a regression."""

    slices: tuple[Slice, ...]
    p: float
    """That of the worst slice; 1 where there is none."""
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
    """Look for a regression in any slice.

    Args:
        differences: Candidate minus other, one a case, each in [-1, 1].
        tags: The tags of each case: none, one or many.
        clusters: The cluster of each case; none where the cases are independent.
        level: The family-wise level.
        seed: For the signs where there are more than 14 cases (clusters) with a difference.
        corrected: Ask the t test, too, where differences may be lopsided; without it p is smaller.

    Raises:
        ValueError: A difference is not in [-1, 1], or there are not as many sets of tags, or clusters.

    Five losses in five cases, in the only slice with differences, happen once in 2^5 patterns:

    >>> found = largest_drop([-1] * 5 + [0] * 5, [["legal"]] * 5 + [["code", "long"]] * 5)
    >>> [(s.tag, s.difference, s.p) for s in found.slices], found.regressed
    ([('code', 0.0, 1.0), ('legal', -1.0, 0.03125), ('long', 0.0, 1.0)], ('legal',))

    But if the five are from one document, they are one loss:

    >>> largest_drop([-1] * 5 + [0] * 5, [["legal"]] * 10, ["contract"] * 5 + [*range(5)]).p
    0.5
    """
    import numpy as np

    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level} is not in (0, 1)")
    d = values.checked(differences, 0)
    sets = [frozenset(each) for each in tags]
    if len(sets) != d.size:
        raise ValueError(f"{d.size} differences, but {len(sets)} sets of tags: one a case is needed")
    if clusters and len(clusters) != d.size:
        raise ValueError(f"{d.size} differences, but {len(clusters)} clusters: one a case is needed")
    names = sorted(frozenset[str]().union(*sets))
    if not names:
        return Slices((), 1.0, ())
    member = np.array([[name in each for name in names] for each in sets], dtype=float)
    sums = d[:, None] * member
    observed, patterns = _drops(_by_cluster(sums, clusters) if clusters else sums, seed)
    # An observed drop of nothing or less is no drop: no p-value is smaller than 1 for it.
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
    """How surprising the losses of one slice are if their mean is 0 or less, whatever their skewness."""
    if clusters:
        p = cluster_tests.jackknife_p(losses, clusters, 0.0)
        return 1.0 if p is None else p
    return skewness.p_value(losses, 0.0) if losses.size > 1 else 1.0


def _by_cluster(sums: Floats, clusters: Sequence[Hashable]) -> Floats:
    """The sum of each cluster in each slice, from that of each case."""
    import numpy as np

    numbers: dict[Hashable, int] = {}
    of = [numbers.setdefault(cluster, len(numbers)) for cluster in clusters]
    added = np.zeros((len(numbers), sums.shape[1]))
    np.add.at(added, of, sums)
    return added


def _drops(sums: Floats, seed: int) -> tuple[Floats, Floats]:
    """The drop of each slice, and the largest of each pattern of signs; the data's own pattern is one of them.

    Args:
        sums: What each case (cluster) adds to each slice.
        seed: For the signs.
    """
    import numpy as np

    squares = (sums * sums).sum(axis=0)
    # In an order that depends neither on that of the cases nor on which model is called the candidate.
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

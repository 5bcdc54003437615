"""Slices by tag: did the candidate get worse in any of them?

References:
    Westfall, P. H. and Young, S. S. (1993). Resampling-Based Multiple Testing. Wiley. (The distribution of the largest
    statistic keeps the error of all slices together at the level, whatever their overlap.)
    Fisher, R. A. (1935). The Design of Experiments, 21. (Flipping the signs of paired differences.)

The drop of a slice is -sum(d)/sqrt(sum(d^2)) over its cases. If nothing changed, each difference could as well have the
other sign. So every case is flipped once, in all its slices together, and the p-value of a slice is the share of patterns
in which the largest drop of any slice is at least its own. Assumption: the cases are independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from distilltest.statistics import values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FAMILY_LEVEL = 0.10
"""The chance to block a candidate that got worse nowhere, over all slices together."""
EXACT = 14
"""Up to so many cases with a difference every pattern of signs is counted."""
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
    differences: ArrayLike, tags: Sequence[Iterable[str]], level: float = FAMILY_LEVEL, seed: int = 0
) -> Slices:
    """Look for a regression in any slice.

    Args:
        differences: Candidate minus other, one a case, each in [-1, 1].
        tags: The tags of each case: none, one or many.
        level: The family-wise level.
        seed: For the signs where there are more than 14 cases with a difference.

    Raises:
        ValueError: A difference is not in [-1, 1], or there are not as many sets of tags.

    Five losses in five cases, in the only slice with differences, happen once in 2^5 patterns:

    >>> found = largest_drop([-1] * 5 + [0] * 5, [["legal"]] * 5 + [["code", "long"]] * 5)
    >>> [(s.tag, s.difference, s.p) for s in found.slices], found.regressed
    ([('code', 0.0, 1.0), ('legal', -1.0, 0.03125), ('long', 0.0, 1.0)], ('legal',))
    """
    import numpy as np

    if not 0.0 < level < 1.0:
        raise ValueError(f"level = {level} is not in (0, 1)")
    d = values.checked(differences, 0)
    sets = [frozenset(each) for each in tags]
    if len(sets) != d.size:
        raise ValueError(f"{d.size} differences, but {len(sets)} sets of tags: one a case is needed")
    names = sorted(frozenset[str]().union(*sets))
    if not names:
        return Slices((), 1.0, ())
    member = np.array([[name in each for name in names] for each in sets], dtype=float)
    observed, patterns = _drops(d, member, seed)
    # An observed drop of nothing or less is no drop: no p-value is smaller than 1 for it.
    p = [1.0 if drop < 1e-12 else float(np.mean(patterns >= drop - 1e-9)) for drop in observed.tolist()]
    slices = tuple(
        Slice(name, int(member[:, i].sum()), fsum(d[member[:, i] > 0]) / int(member[:, i].sum()), p[i])
        for i, name in enumerate(names)
    )
    return Slices(slices, min(p), tuple(s.tag for s in slices if s.p <= level))


def _drops(d: Floats, member: Floats, seed: int) -> tuple[Floats, Floats]:
    """The drop of each slice, and the largest of each pattern of signs; the data's own pattern is one of them."""
    import numpy as np

    matters = (d != 0.0) & (member.sum(axis=1) > 0)
    squares = (d * d) @ member
    # Cases in an order that depends neither on theirs nor on which model is called the candidate.
    order = np.lexsort((d, *member.T, np.abs(d)))
    order = order[matters[order]]
    weights = -d[order, None] * member[order] / np.sqrt(np.where(squares > 0, squares, 1.0))
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

"""The sign-flip test of whole clusters.

References:
    Canay, I. A., Romano, J. P. and Shaikh, A. M. (2017). Randomization tests under an approximate symmetry assumption.
    Econometrica 85, 1013-1030.

If nothing changed, the sum of a cluster's differences is as likely to have the other sign. The p-value is the share of patterns
of signs for which the total is at least that of the data. Up to 16 clusters all patterns are counted, otherwise 9,999 random
ones. Of more than 500 clusters, only the heaviest 500 get signs of their own, because the sum of all others is practically
normal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EXACT = 16
"""Up to this number of clusters all patterns of signs are counted."""
DRAWS = 9_999
HEAVIEST = 500
"""At most this number of clusters, the heaviest, get signs of their own."""
_BLOCK = 500
_REMEMBERED = 100
"""Patterns for up to this number of clusters are cached: 8 MB."""


@dataclass(frozen=True)
class Flips:
    """The sums of the clusters under each pattern of signs."""

    sums: Floats
    """The sum of all differences under each pattern. The first pattern is that of the data."""
    sizes: Floats
    rest: tuple[float, float, float]
    """For the clusters without signs of their own, with sum D and size s: the sums of D², D·s and s²."""
    normal: Floats
    """The sum of those clusters under each pattern, in standard deviations; empty if every cluster has its sign."""
    symmetric: bool
    """Whether swapping the two models gives the same clusters."""

    @classmethod
    def of(cls, sums: Floats, sizes: Floats, seed: int) -> Flips:
        """Flip clusters, whose sums and sizes are in the order of :func:`order`.

        The seeded signs do not depend on which model is called the candidate: swapping the models swaps the result exactly.
        """
        import numpy as np

        ours, mirrored = np.column_stack([sums, sizes]), np.column_stack([-sums, sizes])
        theirs = mirrored[order(mirrored[:, 0], mirrored[:, 1])]
        apart = np.flatnonzero(np.any(ours != theirs, axis=1))
        as_ours = not apart.size or tuple(ours[apart[0]]) > tuple(theirs[apart[0]])
        both, side = (ours, 1.0) if as_ours else (theirs, -1.0)
        by_size = np.argsort(-both[:, 1], kind="stable") if len(both) > HEAVIEST else np.arange(len(both))
        heavy, light = both[by_size[:HEAVIEST]], both[by_size[HEAVIEST:]]
        found = np.concatenate([pattern @ heavy for pattern in _signs(len(heavy), seed)])
        found[0] += light.sum(axis=0)  # the data's own pattern
        normal = np.empty(0)
        if len(light):
            normal = np.random.default_rng([seed, 1]).standard_normal(len(found))
            normal[0] = 0.0
        d, s = light[:, 0], light[:, 1]
        rest = float(d @ d), side * float(d @ s), float(s @ s)
        return cls(side * found[:, 0], found[:, 1], rest, normal, not apart.size)

    def mirrored(self) -> Flips:
        """The other model against the candidate."""
        squares, products, sizes = self.rest
        return replace(self, sums=-self.sums, rest=(squares, -products, sizes))

    def p_value(self, delta: float) -> float:
        """The share of patterns for which the sum is at least that of the data, if the mean is -delta."""
        import numpy as np

        shifted = self.sums + delta * self.sizes
        if self.normal.size:
            squares, products, sizes = self.rest
            shifted = shifted + sqrt(max(0.0, squares + 2 * delta * products + delta * delta * sizes)) * self.normal
        return float(np.mean(shifted >= shifted[0] - 1e-9))


def order(sums: Floats, sizes: Floats) -> NDArray[np.intp]:
    """An order of clusters that does not depend on the order of the cases."""
    import numpy as np

    return np.lexsort((sums, sizes, np.abs(sums)))


def _signs(count: int, seed: int) -> Iterable[Floats]:
    """Patterns of signs, in blocks to limit memory."""
    if count <= _REMEMBERED:
        return (_few_signs(count, seed),)
    return _drawn(count, seed)


@lru_cache(maxsize=4)
def _few_signs(count: int, seed: int) -> Floats:
    import numpy as np

    if count > EXACT:
        return np.concatenate(list(_drawn(count, seed)))
    return np.where((np.arange(2**count)[:, None] >> np.arange(count) & 1) == 0, 1.0, -1.0)


def _drawn(count: int, seed: int) -> Iterator[Floats]:
    import numpy as np

    dice = np.random.default_rng(seed)
    for start in range(0, DRAWS + 1, _BLOCK):
        patterns = dice.integers(0, 2, (min(_BLOCK, DRAWS + 1 - start), count))
        patterns[0] *= start > 0
        yield np.asarray(1.0 - 2.0 * patterns, dtype=float)

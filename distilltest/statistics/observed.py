"""Values that a rule weighed, and larger samples like them, from which :mod:`.planning` finds the number of cases needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ObservedValues:
    """The values that a rule weighs, one for each case, and the test that weighs them."""

    values: Sequence[float]
    """In [-1, 1]. The claim is that their mean is above the limit."""
    limit: float
    test: str
    """A key of ``difference_tests.TESTS``, or ``binomial`` for values that are 0 or 1."""
    clusters: Sequence[str] = ()
    equal: float | None = 0.0
    """The mean if the roles are equal; None for a rule that does not compare two roles."""
    corrected: tuple[float, float] | None = None
    """Mean and standard deviation, if the values are people's labels and a judge sharpens them."""

    @property
    def mean(self) -> float:
        """The observed mean."""
        return self.corrected[0] if self.corrected else sum(self.values) / len(self.values)

    @property
    def differing(self) -> float:
        """The share of cases that differ, counting one more than was seen: no differing case is no certainty."""
        return (sum(value != 0.0 for value in self.values) + 1) / (len(self.values) + 2)

    @classmethod
    def assumed(
        cls, differing: float, by: float, limit: float, test: str, clusters: Sequence[str] = ()
    ) -> ObservedValues:
        """Assume values before any were seen: a share ``differing`` of the cases differs by ``by``, half in each direction."""
        values = (by,) * round(500 * differing) + (-by,) * round(500 * differing)
        values += (0.0,) * (1000 - len(values))
        return cls([values[i * 607 % 1000] for i in range(len(clusters) or 1000)], limit, test, clusters)

    def more(self, n: int, mean: float) -> Floats:
        """``n`` values like these, reweighted to a mean; all stay within the range of these, if the mean does."""
        import numpy as np

        x = np.sort(np.asarray(self.values, dtype=float))
        if not x[0] < mean < x[-1]:
            return np.asarray(np.clip(_quantiles(x, None, n) + mean - x.mean(), -1.0, 1.0))
        low, high = -200.0, 200.0
        for _ in range(50):
            middle = (low + high) / 2.0
            low, high = (middle, high) if _tilted(x, middle) @ x < mean else (low, middle)
        found = _quantiles(x, _tilted(x, high), n)
        return np.asarray(np.clip(found + mean - found.mean(), -1.0, 1.0))

    def more_clusters(self, n: int, mean: float) -> tuple[Floats, NDArray[np.int64]]:
        """About ``n`` values in clusters like these, shifted to a mean, and the cluster of each."""
        import numpy as np

        members: dict[str, list[float]] = {}
        for cluster, value in zip(self.clusters, self.values, strict=True):
            members.setdefault(cluster, []).append(value)
        ordered = sorted(members.values(), key=lambda group: (len(group), sum(group)))
        count = max(1, round(n * len(ordered) / len(self.values)))
        chosen = [ordered[int((i + 0.5) * len(ordered) / count)] for i in range(count)]
        d = np.array([value for group in chosen for value in group])
        groups = np.repeat(np.arange(count), [len(group) for group in chosen])
        return np.clip(d + (mean - d.mean()), -1.0, 1.0), groups


def _tilted(x: Floats, by: float) -> Floats:
    """Exponential weights of sorted values."""
    import numpy as np

    weights = np.exp(by * x - np.max(by * x))
    return np.asarray(weights / weights.sum())


def _quantiles(x: Floats, weights: Floats | None, n: int) -> Floats:
    """``n`` equally spaced quantiles of sorted, weighted values."""
    import numpy as np

    shares = np.full(x.size, 1.0 / x.size) if weights is None else weights
    at = np.searchsorted(np.cumsum(shares), (np.arange(n) + 0.5) / n)
    return np.asarray(x[np.minimum(at, x.size - 1)])

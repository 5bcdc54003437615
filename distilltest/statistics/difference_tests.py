"""The tests of a difference between two models, paired case by case: one object each, behind one protocol.

A test imports its statistics when it is used, because a run uses one of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import fsum, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from distilltest.statistics.observed import ObservedValues
    from distilltest.statistics.prediction_powered import PredictionPowered

EXACT_INTERVAL_UP_TO = 1000
"""Up to this many pairs, the interval for pass and fail inverts the exact test. Above, Tango's is as close, and faster."""
_EXACT_PLAN_UP_TO = 200
"""Above this many cases, Tango's test gives the same number of cases needed, and faster."""


class Pairs(Protocol):
    """What a test reads of paired results."""

    @property
    def differences(self) -> Sequence[float]:
        """Candidate minus other, in [-1, 1], one for each pair."""

    @property
    def clusters(self) -> Sequence[str]:
        """The cluster of each pair; empty for independent cases."""

    @property
    def human(self) -> Sequence[float | None]:
        """The difference of each pair by people's labels, None for an unlabelled pair; empty without labels."""

    @property
    def binary(self) -> bool:
        """Whether each answer passes or fails."""

    @property
    def n(self) -> int:
        """The number of pairs."""

    @property
    def wins(self) -> int:
        """Pairs in which the candidate is better."""

    @property
    def losses(self) -> int:
        """Pairs in which the other is better."""


class DifferenceTest(ABC):
    """A test of the claim that the mean difference is above a limit."""

    name: ClassVar[str]
    """The name that reports show."""

    def unsuited(self, pairs: Pairs) -> str:
        """Why the test does not suit the data; empty if it does."""
        return ""

    @abstractmethod
    def p_value(self, pairs: Pairs, delta: float, alpha: float) -> float:
        """The p-value of the claim that the mean difference is above ``-delta``; 1 if there are too few clusters.

        Args:
            pairs: The results.
            delta: The margin, in (-1, 1).
            alpha: The level that the p-value is compared with. The exact test spends a hundredth of it on its nuisance parameter.
        """

    @abstractmethod
    def interval(self, pairs: Pairs, alpha: float, above: float | None) -> tuple[float, float]:
        """The two-sided interval of the mean difference; [-1, 1] if there are too few clusters.

        Args:
            pairs: The results.
            alpha: The error rate of the lower end.
            above: The error rate of the upper end; None for ``alpha``.
        """

    def difference(self, pairs: Pairs) -> float:
        """The estimate of the mean difference; there must be a pair."""
        return fsum(pairs.differences) / pairs.n

    @abstractmethod
    def planned_p(self, seen: ObservedValues, n: int, mean: float, alpha: float) -> float:
        """The p-value of ``n`` cases like those seen, if their mean is ``mean``."""

    def spread(self, seen: ObservedValues, mean: float) -> float:
        """The standard deviation of one case in a population with this mean."""
        n, centre = len(seen.values), seen.mean
        return sqrt(sum((value - centre) ** 2 for value in seen.values) / max(1, n - 1))


class _PassFail(DifferenceTest):
    """A test on the numbers of wins and losses."""

    key: ClassVar[str]

    def unsuited(self, pairs: Pairs) -> str:
        suits = pairs.binary and not pairs.clusters
        return "" if suits else f"{self.key} is for one trial of pass or fail in independent cases"

    def spread(self, seen: ObservedValues, mean: float) -> float:
        return sqrt(max(1e-6, max(seen.differing, abs(mean)) - mean * mean))

    def planned_p(self, seen: ObservedValues, n: int, mean: float, alpha: float) -> float:
        differing = max(seen.differing, abs(mean)) * n
        wins = max(0, round((differing + mean * n) / 2.0))
        losses = max(0, round((differing - mean * n) / 2.0))
        return self.counted(min(wins, n - losses), losses, n, -seen.limit, alpha)

    @abstractmethod
    def counted(self, wins: int, losses: int, n: int, delta: float, alpha: float) -> float:
        """The p-value used for planning."""


class _Tango(_PassFail):
    key = "tango"
    name = "Tango's score test"

    def p_value(self, pairs: Pairs, delta: float, alpha: float) -> float:
        return self.counted(pairs.wins, pairs.losses, pairs.n, delta, alpha)

    def interval(self, pairs: Pairs, alpha: float, above: float | None) -> tuple[float, float]:
        from distilltest.statistics import tango

        return tango.interval(pairs.wins, pairs.losses, pairs.n, alpha, above)

    def counted(self, wins: int, losses: int, n: int, delta: float, alpha: float) -> float:
        from distilltest.statistics import tango

        return tango.p_value(wins, losses, n, delta)


class _Exact(_PassFail):
    key = "exact"
    name = "exact unconditional test"

    def p_value(self, pairs: Pairs, delta: float, alpha: float) -> float:
        from distilltest.statistics import exact_unconditional

        gamma = min(exact_unconditional.GAMMA, alpha / 100.0)
        return exact_unconditional.p_value(pairs.wins, pairs.losses, pairs.n, delta, gamma)

    def interval(self, pairs: Pairs, alpha: float, above: float | None) -> tuple[float, float]:
        if pairs.n > EXACT_INTERVAL_UP_TO:
            return TESTS["tango"].interval(pairs, alpha, above)
        from distilltest.statistics import exact_unconditional

        return exact_unconditional.interval(pairs.wins, pairs.losses, pairs.n, alpha, above)

    def counted(self, wins: int, losses: int, n: int, delta: float, alpha: float) -> float:
        from distilltest.statistics import exact_unconditional, tango

        if n > _EXACT_PLAN_UP_TO:
            return tango.p_value(wins, losses, n, delta)
        return exact_unconditional.p_value(wins, losses, n, delta, min(exact_unconditional.GAMMA, alpha / 100))


class _Anchored(DifferenceTest):
    name = "anchored mean test"

    def unsuited(self, pairs: Pairs) -> str:
        return "anchored is for independent cases, and these have clusters" if pairs.clusters else ""

    def p_value(self, pairs: Pairs, delta: float, alpha: float) -> float:
        from distilltest.statistics import anchored

        return anchored.p_value(pairs.differences, delta)

    def interval(self, pairs: Pairs, alpha: float, above: float | None) -> tuple[float, float]:
        from distilltest.statistics import anchored

        return anchored.interval(pairs.differences, alpha, above)

    def planned_p(self, seen: ObservedValues, n: int, mean: float, alpha: float) -> float:
        from distilltest.statistics import anchored

        return anchored.p_value(seen.more(n, mean), -seen.limit)


class _Skewed(DifferenceTest):
    name = "t test with Hall's correction"

    def unsuited(self, pairs: Pairs) -> str:
        suits = not (pairs.binary or pairs.clusters)
        return "" if suits else "t is for scores, or the mean of several trials, in independent cases"

    def p_value(self, pairs: Pairs, delta: float, alpha: float) -> float:
        from distilltest.statistics import skewness

        return 1.0 if pairs.n < 2 else skewness.p_value(pairs.differences, delta)

    def interval(self, pairs: Pairs, alpha: float, above: float | None) -> tuple[float, float]:
        from distilltest.statistics import skewness

        return (-1.0, 1.0) if pairs.n < 2 else skewness.interval(pairs.differences, alpha, above)

    def planned_p(self, seen: ObservedValues, n: int, mean: float, alpha: float) -> float:
        from distilltest.statistics import skewness

        return skewness.p_value(seen.more(n, mean), -seen.limit)


class _Clustered(DifferenceTest):
    name = "cluster jackknife and sign-flip"

    def unsuited(self, pairs: Pairs) -> str:
        return "" if pairs.clusters else "the cases have no clusters"

    def p_value(self, pairs: Pairs, delta: float, alpha: float) -> float:
        from distilltest.statistics import clusters

        p = clusters.evaluate(pairs.differences, pairs.clusters, delta).p
        return 1.0 if p is None else p

    def interval(self, pairs: Pairs, alpha: float, above: float | None) -> tuple[float, float]:
        from distilltest.statistics import clusters

        return clusters.interval(pairs.differences, pairs.clusters, alpha, above) or (-1.0, 1.0)

    def planned_p(self, seen: ObservedValues, n: int, mean: float, alpha: float) -> float:
        from distilltest.statistics import clusters

        d, groups = seen.more_clusters(n, mean)
        p = clusters.largest_p(d, d, groups.tolist(), -seen.limit)
        return 1.0 if p is None else p

    def spread(self, seen: ObservedValues, mean: float) -> float:
        """Such that its square divided by the number of cases is the variance of the mean."""
        sums: dict[str, float] = {}
        centre = seen.mean
        for cluster, value in zip(seen.clusters, seen.values, strict=True):
            sums[cluster] = sums.get(cluster, 0.0) + value - centre
        count = len(sums)
        return sqrt(sum(total * total for total in sums.values()) / len(seen.values) * count / max(1, count - 1))


class _Labelled(DifferenceTest):
    """People's labels, sharpened by the judge's grades."""

    name = "prediction-powered t test (PPI++)"

    def unsuited(self, pairs: Pairs) -> str:
        return "" if pairs.human else "labels needs answers that people labelled"

    def p_value(self, pairs: Pairs, delta: float, alpha: float) -> float:
        return self.corrected(pairs).p_value(delta)

    def interval(self, pairs: Pairs, alpha: float, above: float | None) -> tuple[float, float]:
        return self.corrected(pairs).interval(alpha, above)

    def difference(self, pairs: Pairs) -> float:
        return self.corrected(pairs).mean

    def planned_p(self, seen: ObservedValues, n: int, mean: float, alpha: float) -> float:
        from distilltest.statistics import values

        excess = mean - seen.limit
        z = excess * sqrt(n) / max(self.spread(seen, mean), 1e-9)
        return max(1.0 - NormalDist().cdf(z), values.all_equal(mean, n, -seen.limit) if excess > 0 else 1.0)

    def spread(self, seen: ObservedValues, mean: float) -> float:
        return seen.corrected[1] if seen.corrected else super().spread(seen, mean)

    @staticmethod
    def corrected(pairs: Pairs) -> PredictionPowered:
        """The labelled differences, sharpened by the differences of all pairs."""
        from distilltest.statistics import prediction_powered

        return prediction_powered.from_columns(pairs.human, pairs.differences, pairs.clusters)


LABELLED = _Labelled()
TESTS: dict[str, DifferenceTest] = {
    "exact": _Exact(),
    "tango": _Tango(),
    "anchored": _Anchored(),
    "clusters": _Clustered(),
    "t": _Skewed(),
    "labels": LABELLED,
}
"""The values of a rule's ``test=``, and their tests."""


def mean_test(clusters: Sequence[str]) -> str:
    """The key of the test for a mean of any bounded values: ``clusters`` for clustered cases, else ``anchored``."""
    return "clusters" if clusters else "anchored"


def default_test(pairs: Pairs) -> str:
    """The key of the test that the data call for, when the suite names none."""
    if pairs.human:
        return "labels"
    return "exact" if pairs.binary and not pairs.clusters else mean_test(pairs.clusters)

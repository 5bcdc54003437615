"""The candidate paired with another role, case by case, and what the pairs prove."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import fsum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distilltest.statistics.prediction_powered import PredictionPowered

EXACT_INTERVAL_UP_TO = 1000
"""Pairs up to which the interval of pass and fail is that of the exact test; above, Tango's is as good to look at, and faster."""
TESTS = {
    "exact": "exact unconditional test",
    "tango": "Tango's score test",
    "anchored": "anchored mean test",
    "clusters": "cluster jackknife and sign-flip",
    "t": "t test with Hall's correction",
    "labels": "prediction-powered t test (PPI++)",
}
"""What a rule's ``test=`` may be → what a report calls it."""


@dataclass(frozen=True)
class Comparison:
    """The candidate against another role."""

    role: str
    differences: tuple[float, ...]
    """Candidate minus other, in [-1, 1], one a whole pair."""
    missing: int
    """Pairs that lack one of the two."""
    binary: bool
    clusters: tuple[str, ...] = ()
    """The cluster of each pair; empty where cases are independent."""
    human: tuple[float | None, ...] = ()
    """The difference by people's labels of each pair, in [-1, 1]; None where one of the two answers has none. Empty where the
    differences are all that counts; otherwise the labels decide, and the differences sharpen them."""
    by_people: bool = False
    """Whether the differences are by people's labels alone."""
    test: str | None = None
    """The test that the suite asked for, instead of what the data suggest; see ``TESTS``."""

    @property
    def n(self) -> int:
        """Whole pairs."""
        return len(self.differences)

    @property
    def wins(self) -> int:
        """Pairs in which the candidate is better."""
        return sum(d > 0 for d in self.differences)

    @property
    def losses(self) -> int:
        """Pairs in which the other is better."""
        return sum(d < 0 for d in self.differences)

    @property
    def difference(self) -> float:
        """The mean difference; there must be a pair."""
        return self._corrected().mean if self.chosen == "labels" else fsum(self.differences) / self.n

    @property
    def labelled(self) -> int:
        """Pairs of which people labelled both answers."""
        return sum(value is not None for value in self.human)

    @property
    def corrected_spread(self) -> tuple[float, float]:
        """Mean and standard deviation of a labelled pair, where the judge sharpens the labels."""
        found = self._corrected()
        return found.mean, found.standard_error * self.labelled**0.5

    def _corrected(self) -> PredictionPowered:
        """People's differences, sharpened by the judge's."""
        from distilltest.statistics import prediction_powered

        return prediction_powered.from_columns(self.human, self.differences, self.clusters)

    def swapped(self) -> Comparison:
        """The other against the candidate."""
        human = tuple(None if d is None else -d for d in self.human)
        return replace(self, differences=tuple(-d for d in self.differences), human=human)

    def by(self, test: str | None) -> Comparison:
        """The same, decided by a test of one's choice.

        Raises:
            ValueError: The test does not suit the data.
        """
        if test in ("exact", "tango") and (not self.binary or self.clusters):
            raise ValueError(f"{test} is for one trial of pass or fail in independent cases")
        if test == "t" and (self.binary or self.clusters):
            raise ValueError("t is for scores, or the mean of several trials, in independent cases")
        if test == "labels" and not self.human:
            raise ValueError("labels needs answers that people labelled")
        if test == "anchored" and self.clusters:
            raise ValueError("anchored is for independent cases, and these have clusters")
        if test == "clusters" and not self.clusters:
            raise ValueError("the cases have no clusters")
        return replace(self, test=test)

    @property
    def chosen(self) -> str:
        """The test: what was asked for, or what the data decide."""
        if self.test is not None:
            return self.test
        if self.human:
            return "labels"
        if self.clusters:
            return "clusters"
        if not self.binary:
            return "anchored"
        return "exact"

    @property
    def test_name(self) -> str:
        """What a report calls the test."""
        return TESTS[self.chosen]

    def p_value(self, delta: float, alpha: float = 0.05) -> float:
        """How surprising the pairs are if the candidate is worse by ``delta`` or more; 1 where clusters are too few.

        Args:
            delta: The margin, in (-1, 1).
            alpha: The level that it will be held against: the exact test adds a hundredth of a small one.
        """
        chosen = self.chosen  # the one test is imported: their modules take longer than it does
        if chosen == "labels":
            return self._corrected().p_value(delta)
        if chosen == "t":
            from distilltest.statistics import skewness

            return 1.0 if self.n < 2 else skewness.p_value(self.differences, delta)
        if chosen == "clusters":
            from distilltest.statistics import clusters

            p = clusters.evaluate(self.differences, self.clusters, delta).p
            return 1.0 if p is None else p
        if chosen == "exact":
            from distilltest.statistics import exact_unconditional

            gamma = min(exact_unconditional.GAMMA, alpha / 100.0)
            return exact_unconditional.p_value(self.wins, self.losses, self.n, delta, gamma)
        if chosen == "tango":
            from distilltest.statistics import tango

            return tango.p_value(self.wins, self.losses, self.n, delta)
        from distilltest.statistics import anchored

        return anchored.p_value(self.differences, delta)

    def interval(self, alpha: float, above: float | None = None) -> tuple[float, float]:
        """The two-sided interval of the difference; all of [-1, 1] where clusters are too few.

        Args:
            alpha: How often each end may be wrong.
            above: The same of the upper end; None for alpha.
        """
        chosen = self.chosen  # the one test is imported: their modules take longer than it does
        if chosen == "labels":
            return self._corrected().interval(alpha, above)
        if chosen == "t":
            from distilltest.statistics import skewness

            return (-1.0, 1.0) if self.n < 2 else skewness.interval(self.differences, alpha, above)
        if chosen == "clusters":
            from distilltest.statistics import clusters

            return clusters.interval(self.differences, self.clusters, alpha, above) or (-1.0, 1.0)
        if chosen == "exact" and self.n <= EXACT_INTERVAL_UP_TO:
            from distilltest.statistics import exact_unconditional

            return exact_unconditional.interval(self.wins, self.losses, self.n, alpha, above)
        if chosen in ("exact", "tango"):
            from distilltest.statistics import tango

            return tango.interval(self.wins, self.losses, self.n, alpha, above)
        from distilltest.statistics import anchored

        return anchored.interval(self.differences, alpha, above)

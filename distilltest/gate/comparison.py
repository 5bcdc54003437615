"""The candidate paired with another role, case by case, and the test of their difference."""

from __future__ import annotations

from dataclasses import dataclass, replace

from distilltest.config.model import ALPHA
from distilltest.statistics.difference_tests import LABELLED, TESTS, DifferenceTest, default_test


@dataclass(frozen=True)
class Comparison:
    """The candidate against another role."""

    role: str
    differences: tuple[float, ...]
    """Candidate minus other, in [-1, 1], one for each complete pair."""
    missing: int
    """The number of incomplete pairs."""
    binary: bool
    clusters: tuple[str, ...] = ()
    """The cluster of each pair; empty for independent cases."""
    human: tuple[float | None, ...] = ()
    """The difference of each pair by people's labels, in [-1, 1]; None if one of the two answers has none. If there are any, the
    labels decide and the differences sharpen them."""
    by_people: bool = False
    """Whether the differences themselves come from people's labels."""
    test: str | None = None
    """The key in ``TESTS`` of the test that the suite names; None for the one that the data call for."""

    @property
    def n(self) -> int:
        """The number of complete pairs."""
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
        return self._decides.difference(self)

    @property
    def corrected_spread(self) -> tuple[float, float]:
        """Mean and standard deviation of a labelled pair, if the judge sharpens the labels."""
        found, labelled = LABELLED.corrected(self), sum(value is not None for value in self.human)
        return found.mean, found.standard_error * labelled**0.5

    def swapped(self) -> Comparison:
        """The other role against the candidate."""
        human = tuple(None if d is None else -d for d in self.human)
        return replace(self, differences=tuple(-d for d in self.differences), human=human)

    def by(self, test: str | None) -> Comparison:
        """The same pairs, decided by the given test; None for the test that the data call for.

        Raises:
            ValueError: The test does not suit the data.
        """
        if test is not None and (why := TESTS[test].unsuited(self)):
            raise ValueError(why)
        return replace(self, test=test)

    @property
    def chosen(self) -> str:
        """The key of the test: the one that the suite names, or the one that the data call for."""
        return self.test or default_test(self)

    @property
    def _decides(self) -> DifferenceTest:
        return TESTS[self.chosen]

    @property
    def test_name(self) -> str:
        """The name of the test in reports."""
        return self._decides.name

    def p_value(self, delta: float, alpha: float = ALPHA) -> float:
        """The p-value of the claim that the mean difference is above ``-delta``; see ``DifferenceTest.p_value``."""
        return self._decides.p_value(self, delta, alpha)

    def interval(self, alpha: float, above: float | None = None) -> tuple[float, float]:
        """The two-sided interval of the mean difference; see ``DifferenceTest.interval``."""
        return self._decides.interval(self, alpha, above)

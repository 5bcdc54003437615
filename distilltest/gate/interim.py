"""Interim analyses: decide before all cases are asked, without a larger error rate (``--stop-early``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt

from distilltest.gate.rule import Rule
from distilltest.gate.verdict import Status, Verdict
from distilltest.statistics import stopping


@dataclass(frozen=True)
class InterimAnalyses:
    """The schedule of the analyses of one evaluation, and their levels.

    A usual run has one analysis, at the end. Several analyses share alpha by the bounds of Lan and DeMets. An analysis promotes
    if all rules hold at its level, so each rule keeps alpha over all analyses together.
    """

    cases: tuple[int, ...]
    """The number of cases asked before each analysis; the last is the total."""
    alpha: float

    @classmethod
    def plan(cls, cases: int, alpha: float, early: bool) -> InterimAnalyses:
        """One analysis at the end, or up to four, equally spaced."""
        return cls(stopping.schedule(cases) if early else (cases,), alpha)

    def over(self, cases: int) -> InterimAnalyses:
        """The same schedule for another number of cases."""
        return InterimAnalyses.plan(cases, self.alpha, early=len(self.cases) > 1)

    @property
    def last(self) -> int:
        """The number of the last analysis, from 0."""
        return len(self.cases) - 1

    def level(self, number: int) -> float:
        """The level of each rule in an analysis.

        >>> [round(InterimAnalyses.plan(400, 0.05, early=True).level(number), 4) for number in range(4)]
        [0.0001, 0.0055, 0.0219, 0.0427]
        """
        if not self.last:
            return self.alpha
        bounds = stopping.bounds(tuple(count / self.cases[-1] for count in self.cases), self.alpha)
        return 0.5 * erfc(bounds[number] / sqrt(2.0))  # 1 - cdf is 0 for a very small level

    def stop(self, rules: Sequence[Rule], verdict: Verdict, number: int) -> str | None:
        """Why the remaining cases need not be asked; None if they must be.

        Guards (slices, costs) neither stop nor prolong a run; they count in its final verdict. A run with missing values
        continues.

        Args:
            rules: The gate.
            verdict: The verdict at this analysis's level.
            number: The number of the analysis, from 0.
        """
        if number == self.last or verdict.status is Status.INCOMPLETE:
            return None
        pairs = zip(rules, verdict.rules, strict=True)
        proving = [each for rule, each in pairs if rule.proves and each.status is not Status.NOT_APPLICABLE]
        if not proving:
            return None
        if any(each.status is Status.BLOCK for each in proving):
            return "a rule is broken"
        if all(each.status is Status.PROMOTE for each in proving):
            return "every rule is proven"
        for each in proving:
            if each.status is Status.UNDECIDED and each.p is not None:
                now = stopping.analyse(each.p, self.cases, number, self.alpha)
                if now.decision == "futile":
                    return (
                        f'"{each.rule}" would hardly be proven by the rest (chance {100 * now.conditional_power:.0f} %)'
                    )
        return None

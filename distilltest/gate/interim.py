"""Planned looks: deciding before all cases were asked, at no larger error (``--stop-early``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt

from distilltest.gate.rule import Rule
from distilltest.gate.verdict import Status, Verdict
from distilltest.statistics import stopping


@dataclass(frozen=True)
class InterimAnalyses:
    """When the gate looks, and at which level.

    One look, at the end, is the usual gate. More looks share alpha by the bounds of Lan and DeMets: to promote at any look all
    rules must hold there, each at that look's level, so that each keeps alpha over all looks together.
    """

    cases: tuple[int, ...]
    """How many cases have been asked at each look; the last is all of them."""
    alpha: float

    @classmethod
    def plan(cls, cases: int, alpha: float, early: bool) -> InterimAnalyses:
        """One look at the end, or up to four, equally far apart."""
        return cls(stopping.schedule(cases) if early else (cases,), alpha)

    def over(self, cases: int) -> InterimAnalyses:
        """The same over another number of cases."""
        return InterimAnalyses.plan(cases, self.alpha, early=len(self.cases) > 1)

    @property
    def last(self) -> int:
        """The number of the last look, from 0."""
        return len(self.cases) - 1

    def level(self, number: int) -> float:
        """The level of each rule at a look.

        >>> [round(InterimAnalyses.plan(400, 0.05, early=True).level(number), 4) for number in range(4)]
        [0.0001, 0.0055, 0.0219, 0.0427]
        """
        if not self.last:
            return self.alpha
        bounds = stopping.bounds(tuple(count / self.cases[-1] for count in self.cases), self.alpha)
        return 0.5 * erfc(bounds[number] / sqrt(2.0))  # 1 - cdf would be 0 where attempts leave little of alpha

    def stop(self, rules: Sequence[Rule], verdict: Verdict, number: int) -> str | None:
        """Why the rest need not be asked, None where it must be.

        Rules that guard rather than prove (slices, costs) neither stop a run nor hold it up; they are part of the verdict in
        which it ends. A run in which something is missing goes on.

        Args:
            rules: The gate.
            verdict: What it says now, at this look's level.
            number: The look, from 0.
        """
        if number == self.last or verdict.status is Status.INCOMPLETE:
            return None
        pairs = zip(rules, verdict.rules, strict=True)
        proving = [judged for rule, judged in pairs if rule.proves and judged.status is not Status.NOT_APPLICABLE]
        if not proving:
            return None
        if any(judged.status is Status.BLOCK for judged in proving):
            return "a rule is broken"
        if all(judged.status is Status.PROMOTE for judged in proving):
            return "every rule is proven"
        for judged in proving:
            if judged.status is Status.UNDECIDED and judged.p is not None:
                now = stopping.look(judged.p, self.cases, number, self.alpha)
                if now.decision == "futile":
                    return (
                        f'"{judged.rule}" would hardly be proven by the rest '
                        f"(chance {100 * now.conditional_power:.0f} %)"
                    )
        return None

"""The results of one evaluation, aligned by case, and the candidate paired with another role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from distilltest.records import Outcome


@dataclass(frozen=True)
class ResultsTable:
    """One value a case and role: what the gate decides on."""

    case_ids: tuple[str, ...]
    values: Mapping[str, Sequence[float | None]]
    """Role → values in [0, 1], aligned with ``case_ids``; None where a call failed. The mean of a case's trials."""
    binary: bool = True
    """Whether every value is 0 or 1 by construction (metric ``pass``, one trial)."""
    narrowed: str | None = None
    """Why these are not all cases of the dataset, None where they are."""
    failures: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Role → kind of call failure → how often."""
    preferences: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Other role → how often the candidate's answer was preferred to its, in [0, 1], aligned with ``case_ids``."""

    @classmethod
    def from_outcomes(
        cls,
        case_ids: Sequence[str],
        roles: Sequence[str],
        outcomes: Iterable[Outcome],
        metric: str,
        trials: int = 1,
        narrowed: str | None = None,
    ) -> ResultsTable:
        """Align outcomes by case id and average trials; a case with a failed trial has no value.

        Raises:
            ValueError: An outcome is of no case or role of the table, or a case has more trials than there are.
        """
        index = {case: row for row, case in enumerate(case_ids)}
        sums: dict[str, list[float]] = {role: [0.0] * len(case_ids) for role in roles}
        seen: dict[str, list[int]] = {role: [0] * len(case_ids) for role in roles}
        failures: dict[str, Counter[str]] = {role: Counter() for role in roles}
        preferred: dict[str, dict[int, float]] = {}
        for outcome in outcomes:
            if outcome.case_id not in index or outcome.role not in sums:
                raise ValueError(f"an outcome of case {outcome.case_id!r} on {outcome.role!r} is not of this table")
            value = outcome.value(metric)
            if value is None:
                failures[outcome.role][outcome.failure or "no grade"] += 1
                continue
            row = index[outcome.case_id]
            for other, share in outcome.preferences.items():
                of = preferred.setdefault(other, {})
                of[row] = of.get(row, 0.0) + share / trials
            sums[outcome.role][row] += value
            seen[outcome.role][row] += 1
        if any(count > trials for counts in seen.values() for count in counts):
            raise ValueError(f"a case has more than {trials} trials")
        return cls(
            case_ids=tuple(case_ids),
            values={
                role: tuple(s / trials if k == trials else None for s, k in zip(sums[role], seen[role], strict=True))
                for role in roles
            },
            binary=metric == "pass" and trials == 1,
            narrowed=narrowed,
            failures={role: dict(counts) for role, counts in failures.items() if counts},
            preferences={
                other: tuple(of.get(row) if seen["candidate"][row] == trials else None for row in range(len(case_ids)))
                for other, of in preferred.items()
            },
        )

    def present(self, role: str) -> list[float]:
        """The values that a role has."""
        return [value for value in self.values.get(role, ()) if value is not None]

    def missing(self, role: str) -> int:
        """Cases without a value."""
        return len(self.case_ids) - len(self.present(role))

    def compare(self, role: str, candidate: str = "candidate") -> Comparison:
        """Pair the candidate with another role, case by case; cases that lack one of the two are counted, not used."""
        pairs = list(zip(self.values[candidate], self.values[role], strict=True))
        whole = [(ours, theirs) for ours, theirs in pairs if ours is not None and theirs is not None]
        return Comparison(role, tuple(ours - theirs for ours, theirs in whole), len(pairs) - len(whole), self.binary)


@dataclass(frozen=True)
class Comparison:
    """The candidate against another role."""

    role: str
    differences: tuple[float, ...]
    """Candidate minus other, in [-1, 1], one a whole pair."""
    missing: int
    """Pairs that lack one of the two."""
    binary: bool

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
        return sum(self.differences) / self.n

    def swapped(self) -> Comparison:
        """The other against the candidate."""
        return Comparison(self.role, tuple(-d for d in self.differences), self.missing, self.binary)

    def p_value(self, delta: float) -> float:
        """How surprising the pairs are if the candidate is worse by ``delta`` or more."""
        from distilltest.statistics import anchored, tango

        if self.binary:
            return tango.p_value(self.wins, self.losses, self.n, delta)
        return anchored.p_value(self.differences, delta)

    def interval(self, alpha: float) -> tuple[float, float]:
        """The two-sided 1 - 2·alpha interval of the difference."""
        from distilltest.statistics import anchored, tango

        if self.binary:
            return tango.interval(self.wins, self.losses, self.n, alpha)
        return anchored.interval(self.differences, alpha)

    @property
    def test_name(self) -> str:
        """What a report calls the test."""
        return "Tango's score test" if self.binary else "anchored mean test"

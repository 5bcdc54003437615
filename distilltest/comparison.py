"""The results of one evaluation, aligned by case, and the candidate paired with another role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import fsum
from typing import TYPE_CHECKING

from distilltest.records import Outcome

if TYPE_CHECKING:
    from distilltest.statistics.prediction_powered import PredictionPowered

EXACT_INTERVAL_UP_TO = 1000
"""Pairs up to which the interval of pass and fail is that of the exact test; above, Tango's is as good to look at, and faster."""
ENOUGH_LABELS = 200
"""Pairs labelled by people from which on they correct a judge."""
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
class ResultsTable:
    """One value a case and role: what the gate decides on."""

    case_ids: tuple[str, ...]
    values: Mapping[str, Sequence[float | None]]
    """Role → values in [0, 1], aligned with ``case_ids``; None where a call failed. The mean of a case's trials."""
    binary: bool = True
    """Whether every value is 0 or 1 by construction (metric ``pass``, one trial)."""
    narrowed: str | None = None
    """Why these are not all cases of the dataset, None where they are."""
    leaked: tuple[str, ...] = ()
    """Ids of the cases that the candidate was trained on: a verdict on them would be worth nothing."""
    failures: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Role → kind of call failure → how often."""
    clusters: Sequence[str | None] = ()
    """What ties cases together, aligned with ``case_ids``; empty where nothing does."""
    tags: Sequence[tuple[str, ...]] = ()
    """The tags of each case, aligned with ``case_ids``; empty where there are none."""
    usd: Mapping[str, float | None] = field(default_factory=dict)
    """Role → money for its answers, None where a price is not known."""
    latencies: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Role → seconds of each case's answer, aligned with ``case_ids``."""
    vacant: tuple[str, ...] = ()
    """Roles that nothing plays yet: a rule about one of them does not apply."""
    preferences: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Other role → how often the candidate's answer was preferred to its, in [0, 1], aligned with ``case_ids``."""
    human: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Role → what people said of its answers, in [0, 1], aligned with ``case_ids``; None where an answer has no label."""

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
        human: dict[str, list[float | None]] = {role: [None] * len(case_ids) for role in roles}
        for outcome in outcomes:
            if outcome.case_id not in index or outcome.role not in sums:
                raise ValueError(f"an outcome of case {outcome.case_id!r} on {outcome.role!r} is not of this table")
            value = outcome.value(metric)
            if value is None:
                failures[outcome.role][outcome.failure or "no grade"] += 1
                continue
            row = index[outcome.case_id]
            human[outcome.role][row] = outcome.human if trials == 1 else None
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
            human={role: tuple(column) for role, column in human.items() if any(v is not None for v in column)},
        )

    def present(self, role: str) -> list[float]:
        """The values that a role has."""
        return [value for value in self.values.get(role, ()) if value is not None]

    def rows(self, role: str) -> list[int]:
        """The rows in which a role has a value."""
        return [row for row, value in enumerate(self.values.get(role, ())) if value is not None]

    def missing(self, role: str) -> int:
        """Cases without a value."""
        return len(self.case_ids) - len(self.present(role))

    def compare(self, role: str, candidate: str = "candidate") -> Comparison:
        """Pair the candidate with another role, case by case; cases that lack one of the two are counted, not used."""
        pairs = list(zip(self.values[candidate], self.values[role], strict=True))
        whole = [row for row, (ours, theirs) in enumerate(pairs) if ours is not None and theirs is not None]
        differences = tuple((pairs[row][0] or 0.0) - (pairs[row][1] or 0.0) for row in whole)
        nobody = (None,) * len(pairs)
        labels = list(zip(self.human.get(candidate, nobody), self.human.get(role, nobody), strict=True))
        human = tuple(
            None if ours is None or theirs is None else ours - theirs for ours, theirs in (labels[row] for row in whole)
        )
        return Comparison(role, differences, len(pairs) - len(whole), self.binary, self.clusters_of(whole), human)

    def clusters_of(self, rows: Iterable[int]) -> tuple[str, ...]:
        """The cluster of each of these rows, of which one without a cluster is one of its own; empty where there are none."""
        if all(cluster is None for cluster in self.clusters):
            return ()
        return tuple(self.clusters[row] or f"\0{self.case_ids[row]}" for row in rows)

    def only(self, tag: str) -> ResultsTable:
        """The cases with a tag."""
        rows = [row for row, tags in enumerate(self.tags) if tag in tags]

        def cut(columns: Mapping[str, Sequence[float | None]]) -> dict[str, tuple[float | None, ...]]:
            return {role: tuple(column[row] for row in rows) for role, column in columns.items()}

        return replace(
            self,
            case_ids=tuple(self.case_ids[row] for row in rows),
            values=cut(self.values),
            clusters=tuple(self.clusters[row] for row in rows) if self.clusters else (),
            tags=tuple(self.tags[row] for row in rows),
            latencies=cut(self.latencies),
            preferences=cut(self.preferences),
            human=cut(self.human),
        )


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
    """The difference by people's labels of each pair, in [-1, 1]; None where one of the two answers has none."""
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

    def _corrected(self) -> PredictionPowered:
        """The judge's differences, corrected by people's."""
        from distilltest.statistics import prediction_powered

        both = [
            (people, judge) for people, judge in zip(self.human, self.differences, strict=True) if people is not None
        ]
        rest = [judge for people, judge in zip(self.human, self.differences, strict=True) if people is None]
        return prediction_powered.estimate([people for people, _ in both], [judge for _, judge in both], rest)

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
        if test == "labels" and (self.labelled < 2 or self.clusters):
            raise ValueError("labels needs answers that people labelled, in independent cases")
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
        if self.clusters:
            return "clusters"
        if self.labelled >= ENOUGH_LABELS:
            return "labels"
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
        from distilltest.statistics import anchored, clusters, exact_unconditional, skewness, tango

        chosen = self.chosen
        if chosen == "labels":
            return self._corrected().p_value(delta)
        if chosen == "t":
            return 1.0 if self.n < 2 else skewness.p_value(self.differences, delta)
        if chosen == "clusters":
            p = clusters.evaluate(self.differences, self.clusters, delta).p
            return 1.0 if p is None else p
        if chosen == "exact":
            gamma = min(exact_unconditional.GAMMA, alpha / 100.0)
            return exact_unconditional.p_value(self.wins, self.losses, self.n, delta, gamma)
        if chosen == "tango":
            return tango.p_value(self.wins, self.losses, self.n, delta)
        return anchored.p_value(self.differences, delta)

    def interval(self, alpha: float) -> tuple[float, float]:
        """The two-sided 1 - 2·alpha interval of the difference; all of [-1, 1] where clusters are too few."""
        from distilltest.statistics import anchored, clusters, exact_unconditional, skewness, tango

        chosen = self.chosen
        if chosen == "labels":
            return self._corrected().interval(alpha)
        if chosen == "t":
            return (-1.0, 1.0) if self.n < 2 else skewness.interval(self.differences, alpha)
        if chosen == "clusters":
            return clusters.interval(self.differences, self.clusters, alpha) or (-1.0, 1.0)
        if chosen == "exact" and self.n <= EXACT_INTERVAL_UP_TO:
            return exact_unconditional.interval(self.wins, self.losses, self.n, alpha)
        if chosen in ("exact", "tango"):
            return tango.interval(self.wins, self.losses, self.n, alpha)
        return anchored.interval(self.differences, alpha)

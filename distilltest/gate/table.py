"""The results of one evaluation, aligned by case. The gate decides on this table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from distilltest.gate.comparison import Comparison
from distilltest.gate.health import AnswerHealth, GraderHealth
from distilltest.records import Outcome


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """A case that a role can never answer, because the same request would fail again."""

    low: float = 0.0
    """Its value if every missing answer were wrong; above 0 only if other trials have answers."""
    high: float = 1.0
    """Its value if every missing answer were right."""
    kind: str = ""
    """The kind of call failure."""
    said: str = ""
    """The server's message."""
    preferred: Mapping[str, float] = field(default_factory=dict)
    """For the candidate: other role → the preferences of the trials that have answers, as a share of all trials."""


@dataclass(frozen=True, slots=True)
class Constant:
    """The answer that passes most often if given to every case, as a model that knows nothing could do."""

    text: str
    passes: Sequence[float]
    """The value of this answer in each case, aligned with the table."""


@dataclass(frozen=True)
class ResultsTable:
    """One value for each case and role."""

    case_ids: tuple[str, ...]
    values: Mapping[str, Sequence[float | None]]
    """Role → values in [0, 1], aligned with ``case_ids``; with several trials, their mean. None if a call failed, or if an answer
    was only compared with another role's."""
    ungraded: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Role → rows with all answers but no value, as one answer was only compared with another role's."""
    binary: bool = True
    """Whether every value is 0 or 1 (metric ``pass``, one trial)."""
    narrowed: str | None = None
    """Why the table lacks cases of the dataset; None if it has all."""
    leaked: tuple[str, ...] = ()
    """The ids of the cases that the candidate was trained on. A verdict on them would be worthless."""
    failures: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Role → kind of call failure → number of failures."""
    clusters: Sequence[str | None] = ()
    """The cluster of each case, aligned with ``case_ids``; empty without clusters."""
    requests: int | None = None
    """The number of different requests, if equal requests form clusters; else None."""
    tags: Sequence[tuple[str, ...]] = ()
    """The tags of each case, aligned with ``case_ids``; empty without tags."""
    usd: Mapping[str, float | None] = field(default_factory=dict)
    """Role → cost of its answers in USD; None if a price or their tokens are unknown."""
    usd_at_least: Mapping[str, float] = field(default_factory=dict)
    """Role → cost in USD of the answers whose tokens are known."""
    without_usage: Mapping[str, int] = field(default_factory=dict)
    """Role → number of answers for which the server sent no usage."""
    latencies: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Role → seconds of each case's answer, aligned with ``case_ids``."""
    vacant: tuple[str, ...] = ()
    """Roles that no model has yet. A rule about one of them does not apply."""
    preferences: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Other role → the share of comparisons in which the candidate's answer was preferred to its, aligned with ``case_ids``."""
    human: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Role → people's labels of its answers, in [0, 1], aligned with ``case_ids``; None for an unlabelled answer. Empty if no
    labels are declared. Declared labels decide, however few they are (see ``gate.tested``)."""
    unlabelled: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Role → rows in which people labelled an earlier answer. The missing labels are then not a random sample."""
    by_people: bool = False
    """Whether the values are people's labels."""
    unanswerable: Mapping[str, Mapping[int, Unanswerable]] = field(default_factory=dict)
    """Role → row → a case that will never have a value. Repeated calls may supply all other missing values."""

    graders: tuple[GraderHealth, ...] = ()
    """The health of each grader; empty if unknown."""
    answers: Mapping[str, AnswerHealth] = field(default_factory=dict)
    """Role → the health of its answers; empty if unknown."""
    constant: Constant | None = None
    """The best constant answer; None if unknown."""
    cannot_fail: bool = False
    """Whether every answer passes, and empty answers, refusals and nonsense would pass as well."""
    same_reference: float | None = None
    """The share of cases with the most common reference; None if a case has no reference."""

    @classmethod
    def from_outcomes(
        cls,
        case_ids: Sequence[str],
        roles: Sequence[str],
        outcomes: Iterable[Outcome],
        metric: str,
        trials: int = 1,
        narrowed: str | None = None,
        labelled: bool = False,
        clusters: Sequence[str | None] = (),
    ) -> ResultsTable:
        """Align outcomes by case id and average trials. A case with a failed trial has no value.

        Cases with the same request share one answer. If no clusters are declared and there are many such cases, they form
        clusters.

        Raises:
            ValueError: The table does not have the case or role of an outcome, or a case has too many trials.
        """
        index = {case: row for row, case in enumerate(case_ids)}
        sums: dict[str, list[float]] = {role: [0.0] * len(case_ids) for role in roles}
        seen: dict[str, list[int]] = {role: [0] * len(case_ids) for role in roles}
        compared: dict[str, Counter[int]] = {role: Counter() for role in roles}
        failures: dict[str, Counter[str]] = {role: Counter() for role in roles}
        never: dict[str, dict[int, list[Outcome]]] = {role: {} for role in roles}
        preferred: dict[str, dict[int, float]] = {}
        human: dict[str, list[float | None]] = {role: [None] * len(case_ids) for role in roles if labelled}
        unlabelled: dict[str, set[int]] = {role: set() for role in roles if labelled}
        asked, shown = (
            list[int | str]([""] * len(case_ids)),
            "candidate" if "candidate" in sums else next(iter(sums), ""),
        )
        for outcome in outcomes:
            if outcome.case_id not in index or outcome.role not in sums:
                raise ValueError(f"an outcome of case {outcome.case_id!r} on {outcome.role!r} is not of this table")
            value, row = outcome.value(metric), index[outcome.case_id]
            if outcome.role == shown and outcome.trial == 0:
                asked[row] = outcome.completion_id or outcome.completion_key
            if outcome.failure is not None:
                failures[outcome.role][outcome.failure] += 1
                if outcome.permanent:
                    never[outcome.role].setdefault(row, []).append(outcome)
                continue
            if labelled and outcome.trial == 0:  # people label the first trial only
                human[outcome.role][row] = outcome.human
                if outcome.unlabelled:
                    unlabelled[outcome.role].add(row)
            for other, share in outcome.preferences.items():
                of = preferred.setdefault(other, {})
                of[row] = of.get(row, 0.0) + share / trials
            if value is None:
                compared[outcome.role][row] += 1
                continue
            sums[outcome.role][row] = value if trials == 1 else sums[outcome.role][row] + value
            seen[outcome.role][row] += 1
        if any(count > trials for counts in seen.values() for count in counts):
            raise ValueError(f"a case has more than {trials} trials")
        tied = _tied(asked) if all(cluster is None for cluster in clusters) else None
        answered = {role: seen[role] for role in roles}
        for role, rows in compared.items():
            if rows:
                answered[role] = [count + rows[row] for row, count in enumerate(seen[role])]
        return cls(
            case_ids=tuple(case_ids),
            values={
                role: tuple(
                    (s if trials == 1 else s / trials) if k == trials else None
                    for s, k in zip(sums[role], seen[role], strict=True)
                )
                for role in roles
            },
            binary=metric == "pass" and trials == 1,
            narrowed=narrowed,
            clusters=tied or tuple(clusters),
            requests=len(set(tied)) if tied else None,
            failures={role: dict(counts) for role, counts in failures.items() if counts},
            preferences={
                other: tuple(
                    of.get(row) if answered["candidate"][row] == trials else None for row in range(len(case_ids))
                )
                for other, of in preferred.items()
            },
            ungraded={
                role: frozenset(row for row in rows if answered[role][row] == trials)
                for role, rows in compared.items()
                if rows
            },
            human={role: tuple(column) for role, column in human.items()},
            unlabelled={role: frozenset(rows) for role, rows in unlabelled.items() if rows},
            unanswerable={
                role: {
                    row: Unanswerable(
                        low=sums[role][row] / trials,
                        high=min(1.0, (sums[role][row] + len(lost)) / trials),
                        kind=lost[0].failure or "",
                        said=lost[0].failure_message,
                        preferred={o: of[row] for o, of in preferred.items() if role == "candidate" and row in of},
                    )
                    for row, lost in rows.items()
                    if answered[role][row] + len(lost) == trials
                }
                for role, rows in never.items()
                if rows
            },
        )

    def present(self, role: str) -> list[float]:
        """The values of a role, without missing ones."""
        return [value for value in self.values.get(role, ()) if value is not None]

    def rows(self, role: str) -> list[int]:
        """The rows in which a role has a value."""
        return [row for row, value in enumerate(self.values.get(role, ())) if value is not None]

    def of_people(self, role: str) -> list[float | None]:
        """People's labels, for the rows in which a role has a value."""
        human = self.human.get(role)
        return [None if human is None else human[row] for row in self.rows(role)]

    def missing(self, role: str) -> int:
        """The number of cases in which an answer or its grade is missing."""
        return len(self.case_ids) - len(self.present(role)) - len(self.ungraded.get(role, ()))

    def never(self, role: str) -> Mapping[int, Unanswerable]:
        """The rows in which a role can never have a value."""
        return self.unanswerable.get(role, {})

    def compare(self, role: str, candidate: str = "candidate") -> Comparison:
        """Pair the candidate with another role, case by case. Incomplete pairs are only counted."""
        pairs = list(zip(self.values[candidate], self.values[role], strict=True))
        whole = [row for row, (ours, theirs) in enumerate(pairs) if ours is not None and theirs is not None]
        differences = tuple((pairs[row][0] or 0.0) - (pairs[row][1] or 0.0) for row in whole)
        nobody = (None,) * len(pairs)
        labels = list(zip(self.human.get(candidate, nobody), self.human.get(role, nobody), strict=True))
        human = (
            tuple(
                None if ours is None or theirs is None else ours - theirs
                for ours, theirs in (labels[row] for row in whole)
            )
            if self.human
            else ()
        )
        clusters = self.clusters_of(whole)
        return Comparison(role, differences, len(pairs) - len(whole), self.binary, clusters, human, self.by_people)

    def clusters_of(self, rows: Iterable[int]) -> tuple[str, ...]:
        """The cluster of each row; empty without clusters. A case without a cluster is a cluster of its own."""
        if all(cluster is None for cluster in self.clusters):
            return ()
        return tuple(self.clusters[row] or f"\0{self.case_ids[row]}" for row in rows)

    def only(self, tag: str) -> ResultsTable:
        """The table of the cases with a tag."""
        return self.cut([row for row, tags in enumerate(self.tags) if tag in tags])

    def cut(self, rows: Sequence[int]) -> ResultsTable:
        """The table of these rows."""

        def cut(columns: Mapping[str, Sequence[float | None]]) -> dict[str, tuple[float | None, ...]]:
            return {role: tuple(column[row] for row in rows) for role, column in columns.items()}

        return replace(
            self,
            case_ids=tuple(self.case_ids[row] for row in rows),
            values=cut(self.values),
            clusters=tuple(self.clusters[row] for row in rows) if self.clusters else (),
            tags=tuple(self.tags[row] for row in rows) if self.tags else (),
            latencies=cut(self.latencies),
            preferences=cut(self.preferences),
            human=cut(self.human),
            constant=None
            if self.constant is None
            else replace(self.constant, passes=tuple(self.constant.passes[row] for row in rows)),
            ungraded={
                role: frozenset(new for new, old in enumerate(rows) if old in of) for role, of in self.ungraded.items()
            },
            unlabelled={
                role: frozenset(new for new, old in enumerate(rows) if old in of)
                for role, of in self.unlabelled.items()
            },
            unanswerable={
                role: {new: of[old] for new, old in enumerate(rows) if old in of}
                for role, of in self.unanswerable.items()
            },
        )


REPEATED = 0.9
"""Equal requests form clusters if all cases carry less than this share of the information of as many different ones."""


def _tied(asked: Sequence[int | str]) -> tuple[str | None, ...] | None:
    """The request of each case as its cluster; None if nearly all requests are different.

    Cases with the same request share one answer, so a case that was copied a hundred times counts once. A few copies change
    little, and keep the tests for independent cases.

    >>> _tied([7, 7, 8]), _tied([7, 8, 9]), _tied(["", ""])
    (('7', '7', '8'), None, None)
    """
    counts = Counter(one for one in asked if one)
    alone = len(asked) - counts.total()
    if len(asked) ** 2 >= REPEATED * len(asked) * (sum(count**2 for count in counts.values()) + alone):
        return None
    return tuple(str(one) if one else None for one in asked)

"""The results of one evaluation, aligned by case: what the gate decides on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from distilltest.gate.comparison import Comparison
from distilltest.gate.health import AnswerHealth, GraderHealth
from distilltest.records import Outcome


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """What is known of a case that a role can never answer: the same request would fail again."""

    low: float = 0.0
    """Its value if every missing answer were wrong; above 0 only where other trials have answers."""
    high: float = 1.0
    """Its value if every missing answer were right."""
    kind: str = ""
    """The kind of call failure."""
    said: str = ""
    """What the server said, the whole sentence."""
    preferred: Mapping[str, float] = field(default_factory=dict)
    """Of the candidate: other role → how often the answers that are there were preferred to its, as a share of all trials."""


@dataclass(frozen=True, slots=True)
class Constant:
    """The answer that is right most often, whatever the case: what a model that knows nothing could give to all of them."""

    text: str
    passes: Sequence[float]
    """What it would be worth to each case, 1 or 0 where cases pass or fail; aligned with the table."""


@dataclass(frozen=True)
class ResultsTable:
    """One value a case and role: what the gate decides on."""

    case_ids: tuple[str, ...]
    values: Mapping[str, Sequence[float | None]]
    """Role → values in [0, 1], aligned with ``case_ids``; None where a call failed, or the answer was only compared with another
    role's. The mean of a case's trials."""
    ungraded: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Role → rows in which it has all answers, and one of them was only compared: they lack no answer, and have no value."""
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
    requests: int | None = None
    """How many different requests there are, where cases that ask the same are clusters; None where they are not."""
    tags: Sequence[tuple[str, ...]] = ()
    """The tags of each case, aligned with ``case_ids``; empty where there are none."""
    usd: Mapping[str, float | None] = field(default_factory=dict)
    """Role → money for its answers, None where a price or their tokens are not known."""
    usd_at_least: Mapping[str, float] = field(default_factory=dict)
    """Role → money for those of its answers whose tokens are known."""
    without_usage: Mapping[str, int] = field(default_factory=dict)
    """Role → answers with which the server sent no usage."""
    latencies: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Role → seconds of each case's answer, aligned with ``case_ids``."""
    vacant: tuple[str, ...] = ()
    """Roles that nothing plays yet: a rule about one of them does not apply."""
    preferences: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Other role → how often the candidate's answer was preferred to its, in [0, 1], aligned with ``case_ids``."""
    human: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Role → what people said of its answers, in [0, 1], aligned with ``case_ids``; None where an answer has no label. Empty
    where no labels are declared: declared ones decide, however few there are (see ``gate.tested``)."""
    unlabelled: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Role → rows whose case people labelled with another answer of this role, so that what is missing is no random choice."""
    by_people: bool = False
    """Whether the values are what people said."""
    unanswerable: Mapping[str, Mapping[int, Unanswerable]] = field(default_factory=dict)
    """Role → row → a case that has no value and never will; what else has none may have one when the calls are repeated."""

    graders: tuple[GraderHealth, ...] = ()
    """What came of each grader; empty where nothing is known of it."""
    answers: Mapping[str, AnswerHealth] = field(default_factory=dict)
    """Role → what its answers are; empty where nothing is known of them."""
    constant: Constant | None = None
    """What guessing would pass, None where this is not known."""
    cannot_fail: bool = False
    """Whether every answer passes, and answers that say nothing would as well."""
    same_reference: float | None = None
    """The share of cases that have the commonest reference, None where some case has none."""

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
        """Align outcomes by case id and average trials; a case with a failed trial has no value.

        Cases that ask the same have the same answer, and are one cluster where clusters are not declared, and these are many.

        Raises:
            ValueError: An outcome is of no case or role of the table, or a case has more trials than there are.
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
            if labelled and outcome.trial == 0:  # which people see; any other that has a label has it by chance
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
        """The values that a role has."""
        return [value for value in self.values.get(role, ()) if value is not None]

    def rows(self, role: str) -> list[int]:
        """The rows in which a role has a value."""
        return [row for row, value in enumerate(self.values.get(role, ())) if value is not None]

    def of_people(self, role: str) -> list[float | None]:
        """What people said, for the rows in which a role has a value."""
        human = self.human.get(role)
        return [None if human is None else human[row] for row in self.rows(role)]

    def missing(self, role: str) -> int:
        """Cases in which an answer, or its grade, is missing."""
        return len(self.case_ids) - len(self.present(role)) - len(self.ungraded.get(role, ()))

    def never(self, role: str) -> Mapping[int, Unanswerable]:
        """The rows in which a role can never have a value."""
        return self.unanswerable.get(role, {})

    def compare(self, role: str, candidate: str = "candidate") -> Comparison:
        """Pair the candidate with another role, case by case; cases that lack one of the two are counted, not used."""
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
        """The cluster of each of these rows, of which one without a cluster is one of its own; empty where there are none."""
        if all(cluster is None for cluster in self.clusters):
            return ()
        return tuple(self.clusters[row] or f"\0{self.case_ids[row]}" for row in rows)

    def only(self, tag: str) -> ResultsTable:
        """The cases with a tag."""
        return self.cut([row for row, tags in enumerate(self.tags) if tag in tags])

    def cut(self, rows: Sequence[int]) -> ResultsTable:
        """The cases of these rows."""

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
"""Cases that ask the same are clusters where they all tell less than this share of so many different ones."""


def _tied(asked: Sequence[int | str]) -> tuple[str | None, ...] | None:
    """The request of each case as its cluster; None where nearly all cases are different.

    One answer is asked for and serves all of them, so that a case that was copied a hundred times is still one. A few copies
    change nothing, and leave the tests for independent cases alone.

    >>> _tied([7, 7, 8]), _tied([7, 8, 9]), _tied(["", ""])
    (('7', '7', '8'), None, None)
    """
    counts = Counter(one for one in asked if one)
    alone = len(asked) - counts.total()
    if len(asked) ** 2 >= REPEATED * len(asked) * (sum(count**2 for count in counts.values()) + alone):
        return None
    return tuple(str(one) if one else None for one in asked)

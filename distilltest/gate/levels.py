"""Rules about a level: a minimum score, no failures, or preference by a judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import fsum
from typing import TYPE_CHECKING

from distilltest.errors import SuiteError
from distilltest.gate.figures import declared, interval, lower, upper
from distilltest.gate.means import corrected, counted, evidence, more_than_half
from distilltest.gate.rule import WORD, ClusteredValues, Measure, Rule, check_role, is_number, settled, weigh
from distilltest.gate.table import ResultsTable, Unanswerable
from distilltest.gate.verdict import RuleVerdict, Status
from distilltest.gate.worst import rows_without
from distilltest.statistics.difference_tests import mean_test

if TYPE_CHECKING:
    from distilltest.statistics.observed import ObservedValues


@dataclass(frozen=True, slots=True)
class _AtLeast(Rule):
    """The pass rate or mean score of a role is at least a given share."""

    score: float
    role: str

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.role,)

    def describe(self) -> str:
        return f"{self.role} at least {declared(self.score)} %"

    @property
    def helped_by(self) -> Mapping[str, bool]:
        return {self.role: True}

    @property
    def sharpened(self) -> bool:
        return True

    def sample(self, table: ResultsTable) -> ClusteredValues | None:
        clusters = table.clusters_of(table.rows(self.role))
        return (
            ClusteredValues([value - self.score for value in table.present(self.role)], clusters, 0.0)
            if clusters
            else None
        )

    def seen(self, table: ResultsTable) -> ObservedValues | None:
        from distilltest.statistics.observed import ObservedValues

        values, clusters = table.present(self.role), table.clusters_of(table.rows(self.role))
        if table.human or not values:
            return None
        if table.binary and not clusters:
            return ObservedValues(values, self.score, "binomial", equal=None)
        ahead = [value - self.score for value in values]
        return ObservedValues(ahead, 0.0, mean_test(clusters), clusters, equal=None)

    def decide(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        values, clusters = table.present(self.role), table.clusters_of(table.rows(self.role))
        n, estimate = len(values), fsum(values) / len(values)
        if table.human:
            human = [None if value is None else value - self.score for value in table.of_people(self.role)]
            found = corrected(human, [v - self.score for v in values], clusters, alpha, block_alpha)
            low, high = max(0.0, found.low + self.score), min(1.0, found.high + self.score)
            estimate = self.score + (found.mean or 0.0)
            counts = f"{n} cases" + (f" of {len(set(clusters))} clusters" if clusters else "")
        elif table.binary and not clusters:
            passed = round(fsum(values))
            found = counted(passed, n, self.score, alpha, block_alpha)
            low, high = found.low, found.high
            counts = f"{passed} of {n} cases pass"
        else:
            found = evidence([v - self.score for v in values], clusters, alpha, block_alpha)
            low, high = max(0.0, found.low + self.score), min(1.0, found.high + self.score)
            counts = f"{round(fsum(values))} of {n} cases pass" if table.binary else f"mean score of {n} cases"
            counts += f" of {len(set(clusters))} clusters" if clusters else ""
        status = weigh(found.p, found.against, alpha, block_alpha)
        low, high = settled(status, low, high, self.score)
        share = f"between {lower(low, self.score)} % and {upper(high, self.score)} %"
        sentence = f"{self.role} {WORD[status]} {share}, asked for {declared(self.score)} % ({counts})"
        return RuleVerdict(
            rule=self.describe(),
            status=status,
            sentence=sentence,
            test=found.test,
            p=found.p,
            estimate=estimate,
            low=low,
            high=high,
            limit=self.score,
            n=n,
        )


@dataclass(frozen=True, slots=True)
class _Preferred(Rule):
    """A judge prefers the candidate's answers to another role's."""

    role: str

    @property
    def needs(self) -> tuple[str, ...]:
        return ("candidate", self.role)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """A preference has no right answer, but a model that repeats one text shows nothing by being preferred."""
        return (Measure("candidate", None), Measure(self.role, None))

    @property
    def reads_grades(self) -> bool:
        return False

    @property
    def beside_labels(self) -> str | None:
        return "which of two answers is preferred"

    def describe(self) -> str:
        return f"preferred to {self.role}"

    def sample(self, table: ResultsTable) -> ClusteredValues | None:
        rows, values = self._shares(table)
        clusters = table.clusters_of(rows)
        return ClusteredValues([2 * value - 1 for value in values], clusters, 0.0) if clusters else None

    def fill(self, table: ResultsTable, *, worst: bool) -> ResultsTable | str:
        """An answer that is missing was preferred in no trial, or in each of them."""
        shares = list(table.preferences.get(self.role, ()))
        if all(share is None for share in shares):
            return self._nothing()
        for row in rows_without(table, self.needs):
            if shares[row] is not None:
                continue
            ours = table.never("candidate").get(row, Unanswerable())
            known = ours.preferred.get(self.role, 0.0)
            shares[row] = known if worst else min(1.0, known + ours.high - ours.low)
        return replace(table, preferences={**table.preferences, self.role: tuple(shares)})

    def _shares(self, table: ResultsTable) -> tuple[list[int], list[float]]:
        """The rows in which the candidate's answer was compared, and how often it was preferred."""
        shares = table.preferences.get(self.role, ())
        rows = [row for row, share in enumerate(shares) if share is not None]
        return rows, [share for share in shares if share is not None]

    def _nothing(self) -> str:
        return f'no answer was compared with {self.role}; call preference("{self.role}") in the test function'

    def seen(self, table: ResultsTable) -> ObservedValues | None:
        from distilltest.statistics.observed import ObservedValues

        rows, values = self._shares(table)
        clusters = table.clusters_of(rows)
        ahead = [2 * value - 1 for value in values]
        return ObservedValues(ahead, 0.0, mean_test(clusters), clusters, equal=None) if values else None

    def decide(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        rows, values = self._shares(table)
        if not values:
            return RuleVerdict(self.describe(), Status.INCOMPLETE, self._nothing())
        found = more_than_half(values, table.clusters_of(rows), alpha, block_alpha)
        won, lost = sum(value > 0.5 for value in values), sum(value < 0.5 for value in values)
        status = weigh(found.p, found.against, alpha, block_alpha)
        low, high = settled(status, found.low, found.high, 0.5)
        share = f"{interval(low, high, 0.5)} %"
        counts = f"{won} preferred, {len(values) - won - lost} ties, {lost} not, in {len(values)} cases"
        return RuleVerdict(
            rule=self.describe(),
            status=status,
            sentence=f"the candidate {WORD[status]} preferred to {self.role} in {share} of cases, ties counted half ({counts})",
            test=found.test,
            p=found.p,
            estimate=fsum(values) / len(values),
            low=low,
            high=high,
            limit=0.5,
            n=len(values),
            wins=won,
            losses=lost,
            preferred_to=self.role,
        )


def at_least(score: float, *, role: str = "candidate") -> Rule:
    """The pass rate (or mean score) of a role is at least a given share.

    Args:
        score: The rate or mean that the role must reach, as a share in (0, 1).
        role: The role that the rule is about.

    Raises:
        SuiteError: The score is not in (0, 1).
    """
    check_role("at_least", role, candidate_too=True)
    if not is_number(score) or not 0 < score < 1:
        raise SuiteError(f"at_least({score!r}): the score is a share in (0, 1); 0.9 is ninety percent.")
    return _AtLeast(float(score), role)


@dataclass(frozen=True, slots=True)
class _Always(Rule):
    """Every case passes."""

    role: str

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.role,)

    @property
    def claims(self) -> bool:
        """Not a claim: two cases without a failure prove nothing."""
        return False

    def describe(self) -> str:
        return f"{self.role} always passes"

    @property
    def helped_by(self) -> Mapping[str, bool]:
        return {self.role: True}

    @property
    def spares_none(self) -> bool:
        return True

    def decide(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        from distilltest.statistics import binomial

        values = table.present(self.role)
        n, failed = len(values), sum(value < 1.0 for value in values)
        low, high = binomial.interval(n - failed, n, alpha)
        status = Status.BLOCK if failed else Status.PROMOTE
        sentence = (
            f"{self.role} fails {failed} of {n} cases, and none may fail"
            if failed
            else f"{self.role} passes all {n} cases; its true share of failures is at most {upper(1 - alpha ** (1 / n))} %"
        )
        return RuleVerdict(
            rule=self.describe(),
            status=status,
            sentence=sentence,
            test="none may fail",
            estimate=1 - failed / n,
            low=low,
            high=high,
            n=n,
        )


def always(*, role: str = "candidate") -> Rule:
    """Every case of a role passes; one failure blocks. For what must never happen, such as invalid JSON.

    Args:
        role: The role that the rule is about.

    Raises:
        SuiteError: The role is not a name.
    """
    check_role("always", role, candidate_too=True)
    return _Always(role)


def preferred_to(role: str) -> Rule:
    """A judge prefers the candidate's answer to a role's in more than half of the cases. A tie counts as half.

    The test function calls the grader ``preference(role)``, which asks in both orders.

    Args:
        role: The role to compare with: ``base``, ``teacher``, ``promoted`` or one of your own.

    Raises:
        SuiteError: The role is not a name.
    """
    check_role("preferred_to", role)
    return _Preferred(role)

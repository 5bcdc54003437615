"""Rules that compare the candidate with another role case by case: better, not worse, on all cases or on a critical slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distilltest.errors import SuiteError
from distilltest.gate.comparison import Comparison
from distilltest.gate.figures import between, declared, interval, lower, signed, upper
from distilltest.gate.rule import ClusteredValues, Measure, Rule, check_role, is_number, settled, weigh
from distilltest.gate.table import ResultsTable
from distilltest.gate.verdict import RuleVerdict, Status
from distilltest.gate.worst import how_many, rows_without
from distilltest.statistics.difference_tests import TESTS

if TYPE_CHECKING:
    from distilltest.statistics.observed import ObservedValues


@dataclass(frozen=True, slots=True)
class _Paired(Rule):
    """The claim that the difference, candidate minus role, is above a limit."""

    role: str
    limit: float
    test: str | None = None
    """The key of the test; None if the data choose it."""
    tag: str | None = None
    """Restricts the rule to the cases with this tag."""

    @property
    def needs(self) -> tuple[str, ...]:
        return ("candidate", self.role)

    @property
    def margin(self) -> float | None:
        return self.limit

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Being better than a role that passes nothing is an achievement; being no worse than one is not."""
        candidate = Measure("candidate", tag=self.tag)
        return (candidate,) if self.limit >= 0 else (Measure(self.role, -self.limit, self.tag), candidate)

    def describe(self) -> str:
        where = f" on {self.tag}" if self.tag else ""
        if self.limit < 0:
            return f"not worse than {self.role} by {declared(-self.limit)} points{where}"
        return f"better than {self.role}" + (f" by {declared(self.limit)} points" if self.limit else "") + where

    @property
    def helped_by(self) -> Mapping[str, bool]:
        return {"candidate": True, self.role: False}

    @property
    def sharpened(self) -> bool:
        return self.test in (None, "labels")

    def scope(self, table: ResultsTable) -> ResultsTable:
        return table.only(self.tag) if self.tag else table

    def sample(self, table: ResultsTable) -> ClusteredValues | None:
        pairs = self._pairs(table)
        return ClusteredValues(pairs.differences, pairs.clusters, -self.limit) if pairs.clusters else None

    def fill(self, table: ResultsTable, *, worst: bool) -> ResultsTable | str:
        if rows_without(self.scope(table), self.needs) and self._pairs(table).chosen == "t":
            return f'{how_many(table)}; as failures they collapse to the worst score, and test="t" is for answers that cannot'
        return super(_Paired, self).fill(table, worst=worst)

    def _pairs(self, table: ResultsTable) -> Comparison:
        try:
            pairs = self.scope(table).compare(self.role)
            return pairs.by(None if pairs.by_people and self.test == "labels" else self.test)
        except ValueError as error:
            raise SuiteError(f"{self.describe()}: test={self.test!r}: {error}.") from None

    def decide(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        pairs = self._pairs(table)
        if not pairs.n:
            return RuleVerdict(self.describe(), Status.INCOMPLETE, f"no case with results has the tag {self.tag!r}")
        p = pairs.p_value(-self.limit, alpha)
        against = pairs.swapped().p_value(self.limit, block_alpha)
        status = weigh(p, against, alpha, block_alpha)
        low, high = settled(status, *pairs.interval(alpha, block_alpha), self.limit)
        return RuleVerdict(
            rule=self.describe(),
            status=status,
            sentence=(f"on {self.tag}: " if self.tag else "") + self._sentence(status, pairs, low, high),
            test=pairs.test_name,
            role=self.role,
            p=p,
            estimate=pairs.difference,
            low=low,
            high=high,
            limit=self.limit,
            n=pairs.n,
            wins=pairs.wins,
            losses=pairs.losses,
        )

    def seen(self, table: ResultsTable) -> ObservedValues | None:
        from distilltest.statistics.observed import ObservedValues

        pairs = self._pairs(table)
        if not pairs.n:
            return None
        if pairs.chosen == "labels":
            values = [value for value in pairs.human if value is not None]
            return ObservedValues(values, self.limit, "labels", corrected=pairs.corrected_spread)
        return ObservedValues(pairs.differences, self.limit, pairs.chosen, pairs.clusters)

    def _sentence(self, status: Status, pairs: Comparison, low: float, high: float) -> str:
        counts = f"{pairs.wins} won, {pairs.losses} lost in {pairs.n} cases" + (" by the judge" if pairs.human else "")
        if pairs.clusters:
            from distilltest.statistics.clusters import FEWEST, Weights

            weights = Weights.of(pairs.clusters)
            counts += f" of {weights.count} clusters"
            if not weights.enough and status is Status.UNDECIDED:
                equal = " of equal size" if weights.count >= FEWEST else ""
                few = "1 cluster is" if weights.count == 1 else f"{weights.count} clusters are"
                return f"{few} too few to tell, at least {FEWEST}{equal} are needed ({counts})"
        if status is Status.PROMOTE and self.limit >= 0:
            return f"better than {self.role} by {interval(low, high, self.limit)} points ({counts})"
        if status is Status.PROMOTE:
            worst = (
                f"at most {upper(-low, -self.limit)} points worse"
                if low < 0
                else f"at least {lower(low)} points better"
            )
            return f"within {declared(-self.limit)} points of {self.role}: {worst} ({counts})"
        if status is Status.BLOCK:
            return f"{between(low, high, self.limit)} than {self.role}; the limit is {signed(self.limit)} ({counts})"
        if self.limit < 0:
            text = f"the candidate may be up to {upper(-low, -self.limit)} points worse than {self.role}"
            return f"{text} (limit {declared(-self.limit)}); {counts}"
        text = f"the candidate may be {between(low, high, self.limit)} than {self.role}"
        return f"{text} (limit {signed(self.limit)}); {counts}"


def better_than(role: str, by: float = 0.0, *, test: str | None = None) -> Rule:
    """The candidate is better than a role, by more than the given share (0.02 is two points).

    Args:
        role: The role to compare with: ``base``, ``teacher``, ``promoted`` or one of your own.
        by: How much better the candidate must be, as a share in [0, 1).
        test: ``exact``, ``tango``, ``anchored``, ``clusters``, ``labels`` or ``t``; None to let the data choose. For scores,
            ``t`` needs fewer cases than ``anchored``, but is valid only if no answer can collapse to the worst score.

    Raises:
        SuiteError: The role is not a name, ``by`` is not in [0, 1), or there is no such test.
    """
    check_role("better_than", role)
    if not is_number(by) or not 0 <= by < 1:
        raise SuiteError(f"better_than({role!r}, by={by!r}): by is a share in [0, 1); 0.05 is five points.")
    return _Paired(role, float(by), _test(test))


def not_worse_than(role: str, *, margin: float, test: str | None = None) -> Rule:
    """If the candidate is worse than a role, then by less than the margin (0.05 is five points).

    Args:
        role: The role to compare with: ``base``, ``teacher``, ``promoted`` or one of your own.
        margin: How much worse the candidate may be, as a share in (0, 1).
        test: The statistical test, as for :func:`better_than`.

    Raises:
        SuiteError: The role is not a name, or the margin is not in (0, 1). No data can prove a margin of 0.
    """
    check_role("not_worse_than", role)
    return _Paired(role, -_margin("not_worse_than", role, margin), _test(test))


def critical_slice(tag: str, *, margin: float, role: str = "teacher") -> Rule:
    """On the cases with a tag, if the candidate is worse than a role, then by less than the margin.

    A slice with too few cases makes the verdict undecided.

    Args:
        tag: The tag of the slice.
        margin: How much worse the candidate may be, as a share in (0, 1).
        role: The role to compare with: ``base``, ``teacher``, ``promoted`` or one of your own.

    Raises:
        SuiteError: The tag or the role is not a name, or the margin is not in (0, 1).
    """
    check_role("critical_slice", role)
    if not isinstance(tag, str) or not tag:
        raise SuiteError(f"critical_slice({tag!r}): a tag is a text, as in the dataset.")
    return _Paired(role, -_margin("critical_slice", tag, margin), tag=tag)


def _margin(rule: str, of: str, margin: float) -> float:
    if not is_number(margin) or not 0 < margin < 1:
        raise SuiteError(
            f"{rule}({of!r}, margin={margin!r}): the margin is a share in (0, 1); 0.05 is five points. "
            "No number of cases can prove that two models are exactly equal."
        )
    return float(margin)


def _test(test: str | None) -> str | None:
    if test is not None and test not in TESTS:
        raise SuiteError(f"test={test!r}: there is no such test; the tests are {', '.join(TESTS)}.")
    return test

"""The gate: rules that are statistical claims, and the verdict on them. Pure functions; nothing is printed here.

*Promote* needs evidence for every claim, *block* needs evidence against one, all else is *undecided*; where values are
missing or the run was narrowed, the verdict is *incomplete*. All rules must hold, so each is tested at alpha without a
correction (an intersection-union test); evidence against a rule is asked for at alpha divided by the number of rules.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import isfinite, isnan
from typing import Any

from distilltest.comparison import Comparison, ResultsTable
from distilltest.errors import SuiteError


class Status(StrEnum):
    """What is said of a rule, an evaluation or a run."""

    PROMOTE = "promote"
    BLOCK = "block"
    UNDECIDED = "undecided"
    INCOMPLETE = "incomplete"


def combine(statuses: Sequence[Status]) -> Status:
    """One status for several: block before incomplete before undecided before promote; of nothing, incomplete."""
    for status in (Status.BLOCK, Status.INCOMPLETE, Status.UNDECIDED):
        if status in statuses:
            return status
    return Status.PROMOTE if statuses else Status.INCOMPLETE


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What the data say of one rule."""

    rule: str
    """The claim in words: ``better than base``."""
    status: Status
    sentence: str
    """Why, for a reader without statistics training."""
    test: str = ""
    """The name of the test."""
    role: str = ""
    """The role that the candidate is compared with, empty for none."""
    p: float | None = None
    estimate: float | None = None
    """The difference, or the rate."""
    low: float | None = None
    high: float | None = None
    """The two-sided 1 - 2·alpha interval of the estimate."""
    limit: float | None = None
    """What the estimate must be above."""
    n: int = 0
    wins: int = 0
    losses: int = 0
    needed: int | None = None
    """Cases that would decide if the roles were equal, None where none would or nothing is undecided."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of one evaluation."""

    status: Status
    sentence: str
    rules: tuple[RuleVerdict, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Verdict:
        """Back from plain values."""
        rules = tuple(RuleVerdict(**rule | {"status": Status(rule["status"])}) for rule in content["rules"])
        return cls(Status(content["status"]), content["sentence"], rules)


class Rule(ABC):
    """A claim about the candidate."""

    @property
    @abstractmethod
    def needs(self) -> tuple[str, ...]:
        """The roles that it speaks of."""

    @abstractmethod
    def describe(self) -> str:
        """The claim in a few words."""

    @abstractmethod
    def judge(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        """Weigh the evidence; the table has a value for at least one case (pair) of the roles."""


@dataclass(frozen=True, slots=True)
class _Paired(Rule):
    """The candidate against another role: difference > limit."""

    role: str
    limit: float
    """The claim is: candidate - role > limit."""

    @property
    def needs(self) -> tuple[str, ...]:
        return ("candidate", self.role)

    def describe(self) -> str:
        if self.limit < 0:
            return f"not worse than {self.role} by {points(-self.limit)} points"
        return f"better than {self.role}" + (f" by {points(self.limit)} points" if self.limit else "")

    def judge(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        pairs = table.compare(self.role)
        p = pairs.p_value(-self.limit)
        against = pairs.swapped().p_value(self.limit)
        low, high = pairs.interval(alpha)
        if p <= alpha:
            status, needed = Status.PROMOTE, None
        elif against <= block_alpha:
            status, needed = Status.BLOCK, None
        else:
            status, needed = Status.UNDECIDED, self._needed(pairs, alpha, 0.0)
        return RuleVerdict(
            rule=self.describe(),
            status=status,
            sentence=self._sentence(status, pairs, low, high, alpha, needed),
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
            needed=needed,
        )

    def _needed(self, pairs: Comparison, alpha: float, difference: float) -> int | None:
        from distilltest.statistics.planning import required_cases

        if self.limit == 0 and difference == 0:
            return None
        needed = required_cases(pairs.wins + pairs.losses, pairs.n, difference, -self.limit, alpha)
        return int(needed) if isfinite(needed) else None

    def _sentence(
        self, status: Status, pairs: Comparison, low: float, high: float, alpha: float, needed: int | None
    ) -> str:
        counts = f"{pairs.wins} won, {pairs.losses} lost in {pairs.n} cases"
        if status is Status.PROMOTE and self.limit >= 0:
            return f"better than {self.role} by {points(low)} to {points(high)} points ({counts})"
        if status is Status.PROMOTE:
            worst = f"at most {points(-low)} points worse" if low < 0 else f"at least {points(low)} points better"
            return f"within {points(-self.limit)} points of {self.role}: {worst} ({counts})"
        if status is Status.BLOCK:
            return f"{_between(low, high)} than {self.role}; the limit is {_signed(self.limit)} ({counts})"
        if self.limit < 0:
            text = f"the candidate may be up to {points(-low)} points worse than {self.role}"
            text += f" (limit {points(-self.limit)}); {counts}"
        else:
            text = f"the candidate may be {_between(low, high)} than {self.role}"
            text += f" (limit {_signed(self.limit)}); {counts}"
        seen = self._needed(pairs, alpha, pairs.difference)
        ways = [(needed, "they are equal"), (seen, "the difference is as seen")]
        more = [f"about {count - pairs.n} if {word}" for count, word in ways if count is not None and count > pairs.n]
        return f"{text}; more cases would decide: {', '.join(more)}" if more else text


@dataclass(frozen=True, slots=True)
class _AtLeast(Rule):
    """The rate, or mean score, of a role is at least so much."""

    score: float
    role: str

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.role,)

    def describe(self) -> str:
        return f"{self.role} at least {points(self.score)} %"

    def judge(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        from distilltest.statistics import anchored, binomial

        values = table.present(self.role)
        n, estimate = len(values), sum(values) / len(values)
        if table.binary:
            passed = round(sum(values))
            p, against = binomial.at_least(passed, n, self.score), binomial.at_most(passed, n, self.score)
            low, high = binomial.interval(passed, n, alpha)
            counts, test = f"{passed} of {n} cases pass", "exact binomial test"
        else:
            # The mean of values in [0, 1] against a number: the same test, anchored at the worst value, 0.
            p = anchored.p_value([v - self.score for v in values], 0.0)
            against = anchored.p_value([self.score - v for v in values], 0.0)
            low, high = (bound + self.score for bound in anchored.interval([v - self.score for v in values], alpha))
            low, high = max(0.0, low), min(1.0, high)
            counts, test = f"mean score of {n} cases", "anchored mean test"
        status = Status.PROMOTE if p <= alpha else Status.BLOCK if against <= block_alpha else Status.UNDECIDED
        word = {Status.PROMOTE: "is", Status.BLOCK: "is only", Status.UNDECIDED: "may be"}[status]
        sentence = f"{self.role} {word} between {points(low)} % and {points(high)} %, asked for {points(self.score)} % ({counts})"
        return RuleVerdict(
            rule=self.describe(),
            status=status,
            sentence=sentence,
            test=test,
            p=p,
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

    def describe(self) -> str:
        return f"preferred to {self.role}"

    def judge(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        from distilltest.statistics import anchored

        values = [value for value in table.preferences.get(self.role, ()) if value is not None]
        if not values:
            return RuleVerdict(
                self.describe(),
                Status.INCOMPLETE,
                f'no answer was compared with {self.role}; call preference("{self.role}") in the test function',
            )
        # A share in [0, 1] against one half, as a difference in [-1, 1].
        apart = [2 * value - 1 for value in values]
        p, against = anchored.p_value(apart, 0.0), anchored.p_value([-d for d in apart], 0.0)
        low, high = ((bound + 1) / 2 for bound in anchored.interval(apart, alpha))
        won, lost = sum(value > 0.5 for value in values), sum(value < 0.5 for value in values)
        status = Status.PROMOTE if p <= alpha else Status.BLOCK if against <= block_alpha else Status.UNDECIDED
        word = {Status.PROMOTE: "is", Status.BLOCK: "is only", Status.UNDECIDED: "may be"}[status]
        share = f"{points(max(0.0, low))} to {points(min(1.0, high))} %"
        counts = f"{won} preferred, {len(values) - won - lost} ties, {lost} not, in {len(values)} cases"
        return RuleVerdict(
            rule=self.describe(),
            status=status,
            sentence=f"the candidate {word} preferred to {self.role} in {share} of cases, ties counted half ({counts})",
            test="anchored mean test",
            p=p,
            estimate=sum(values) / len(values),
            low=max(0.0, low),
            high=min(1.0, high),
            limit=0.5,
            n=len(values),
            wins=won,
            losses=lost,
        )


def preferred_to(role: str) -> Rule:
    """A judge prefers the candidate's answer to a role's in more than half of the cases, ties counted half.

    The test function calls the grader ``preference(role)``, which asks in both orders.

    Raises:
        SuiteError: The role is no name.
    """
    _check_role("preferred_to", role)
    return _Preferred(role)


def better_than(role: str, by: float = 0.0) -> Rule:
    """The candidate is better than a role, by more than so much (0.02 is two points).

    Raises:
        SuiteError: The role is no name or ``by`` is not in [0, 1).
    """
    _check_role("better_than", role)
    if not _is_number(by) or not 0 <= by < 1:
        raise SuiteError(f"better_than({role!r}, by={by!r}): by is a share in [0, 1); 0.05 is five points.")
    return _Paired(role, float(by))


def not_worse_than(role: str, *, margin: float) -> Rule:
    """The candidate is worse than a role by less than the margin, if at all (0.05 is five points).

    Raises:
        SuiteError: The role is no name, or the margin is not in (0, 1): no data can prove a margin of 0.
    """
    _check_role("not_worse_than", role)
    if not _is_number(margin) or not 0 < margin < 1:
        raise SuiteError(
            f"not_worse_than({role!r}, margin={margin!r}): the margin is a share in (0, 1); 0.05 is five points. "
            "No number of cases can prove that two models are exactly equal."
        )
    return _Paired(role, -float(margin))


def at_least(score: float, *, role: str = "candidate") -> Rule:
    """The pass rate (or mean score) of a role is at least so much.

    Raises:
        SuiteError: The score is not in (0, 1).
    """
    _check_role("at_least", role)
    if not _is_number(score) or not 0 < score < 1:
        raise SuiteError(f"at_least({score!r}): the score is a share in (0, 1); 0.9 is ninety percent.")
    return _AtLeast(float(score), role)


def decide(rules: Sequence[Rule], table: ResultsTable, *, alpha: float = 0.05) -> Verdict:
    """The verdict on a table of results.

    Args:
        rules: All must hold; at least one.
        table: Values by role, aligned by case.
        alpha: The level of each rule, one-sided, in (0, 0.5].

    Raises:
        SuiteError: There are no rules.
        ValueError: A value is not a number in [0, 1], or alpha is not in (0, 0.5].
    """
    if not rules:
        raise SuiteError("A gate without rules could never block.")
    if not 0 < alpha <= 0.5:
        raise ValueError(f"alpha = {alpha} is not in (0, 0.5]")
    for role, values in table.values.items():
        for case, value in zip(table.case_ids, values, strict=True):
            if value is not None and not (not isnan(value) and 0.0 <= value <= 1.0):
                raise ValueError(f"the value of case {case!r} on {role} is {value}, not a number in [0, 1]")
    judged = tuple(_judge(rule, table, alpha, alpha / len(rules)) for rule in rules)
    missing = _missing(rules, table)
    if missing:
        return Verdict(Status.INCOMPLETE, f"incomplete: {missing}", judged)
    status = combine([rule.status for rule in judged])
    sentence = f"{status}: " + "; ".join(r.sentence for r in judged if r.status is status)
    if status is Status.PROMOTE and table.narrowed:
        return Verdict(
            Status.INCOMPLETE,
            f"incomplete: only a part was run ({table.narrowed}); run everything to promote. This part says {sentence}",
            judged,
        )
    if table.narrowed:
        sentence += f" (only a part was run: {table.narrowed})"
    return Verdict(status, sentence, judged)


def _judge(rule: Rule, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
    for role in rule.needs:
        if role not in table.values:
            return RuleVerdict(rule.describe(), Status.INCOMPLETE, f"there are no results of {role}")
    cases = [v for v in zip(*(table.values[role] for role in rule.needs), strict=True) if None not in v]
    if not cases:
        return RuleVerdict(rule.describe(), Status.INCOMPLETE, f"no case has results of {' and '.join(rule.needs)}")
    return rule.judge(table, alpha, block_alpha)


def _missing(rules: Sequence[Rule], table: ResultsTable) -> str:
    """What is missing, empty where nothing is. Infrastructure is not quality: a missing value decides nothing."""
    roles = list(dict.fromkeys(role for rule in rules for role in rule.needs))
    parts = [f"there are no results of {role}" for role in roles if role not in table.values]
    if not table.case_ids:
        parts.append("there are no cases")
    for role in table.values:
        if table.missing(role):
            kinds = ", ".join(f"{count} x {kind}" for kind, count in sorted(table.failures.get(role, {}).items()))
            parts.append(
                f"{role} lacks {table.missing(role)} of {len(table.case_ids)} cases" + (f" ({kinds})" if kinds else "")
            )
    return "; ".join(parts) + ". Run again: only what is missing is asked" if parts else ""


def _check_role(rule: str, role: object) -> None:
    if not isinstance(role, str) or not role:
        raise SuiteError(f"{rule}({role!r}): a role is a name, such as 'base' or 'teacher'.")
    if rule != "at_least" and role == "candidate":
        raise SuiteError(f"{rule}('candidate'): the candidate cannot be compared with itself.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def points(share: float) -> str:
    """A share as points, with one decimal where it has one.

    >>> points(0.05), points(0.0273)
    ('5', '2.7')
    """
    text = f"{share * 100:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


def _signed(share: float) -> str:
    return f"{'+' if share > 0 else ''}{points(share)}"


def _between(low: float, high: float) -> str:
    if high <= 0:
        return f"{points(-high)} to {points(-low)} points worse"
    if low >= 0:
        return f"{points(low)} to {points(high)} points better"
    return f"between {points(-low)} points worse and {points(high)} points better"

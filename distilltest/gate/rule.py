"""The base class of all rules, and functions that rules share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from distilltest.errors import SuiteError
from distilltest.gate.figures import points as points
from distilltest.gate.table import ResultsTable
from distilltest.gate.verdict import RuleVerdict, Status
from distilltest.gate.worst import filled, how_many

if TYPE_CHECKING:
    from distilltest.statistics.observed import ObservedValues


class ClusteredValues(NamedTuple):
    """Clustered values. The rule claims that their mean is above ``-delta``."""

    values: Sequence[float]
    clusters: Sequence[str]
    delta: float


class Measure(NamedTuple):
    """A role that a rule relies on, and the level that the role must exceed before the rule means anything."""

    role: str
    above: float | None = 0.0
    """The margin that the rule allows, as a share: a model that is always wrong must not be within it. None if the rule is not
    about the role's values."""
    tag: str | None = None
    """Restricts the rule to the cases with this tag."""


class Rule(ABC):
    """A claim about the candidate."""

    @property
    def claims(self) -> bool:
        """Whether the rule is a claim about the candidate's answers. A gate promotes only if a claim is proven."""
        return self.proves and "candidate" in self.needs

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The roles that must be proven better than a model that knows nothing; see ``competence``."""
        return tuple(Measure(role) for role in self.needs) if self.reads_grades else ()

    @property
    def proves(self) -> bool:
        """Whether the rule asks for proof, case by case. A guard does not, and does not decide when a run may stop early."""
        return True

    @property
    @abstractmethod
    def needs(self) -> tuple[str, ...]:
        """The roles that the rule is about."""

    @property
    def margin(self) -> float | None:
        """The limit that the difference between two roles must exceed, as a share; None for other rules."""
        return None

    @property
    def beside_labels(self) -> str | None:
        """What the claim is about, if labels of single answers cannot decide it; None if they do."""
        return None

    @property
    def sharpened(self) -> bool:
        """Whether a judge's grades may sharpen many labels: the claim is about a mean over all cases, tested as such."""
        return False

    @property
    def spares_none(self) -> bool:
        """Whether a single case can break the rule."""
        return False

    @property
    def reads_tags(self) -> bool:
        """Whether the rule uses tags."""
        return False

    def scope(self, table: ResultsTable) -> ResultsTable:
        """The cases that the rule is about."""
        return table

    @property
    def reads_latencies(self) -> bool:
        """Whether the rule uses latencies. The table has them only for such a rule."""
        return False

    @property
    def reads_grades(self) -> bool:
        """Whether the rule is about grades."""
        return True

    @property
    def reads_prices(self) -> bool:
        """Whether the rule compares costs, so that other prices may change the verdict."""
        return False

    @abstractmethod
    def describe(self) -> str:
        """The claim in a few words."""

    @abstractmethod
    def decide(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        """Weigh the evidence. At least one case has values of all roles that the rule needs."""

    def verdict(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        """The verdict, with advice on the number of cases and notes about clusters."""
        verdict = self.decide(table, alpha, block_alpha)
        if verdict.status is Status.UNDECIDED and verdict.low is not None and "too few" not in verdict.sentence:
            verdict = self._advised(verdict, table, alpha)
        sample = None if verdict.status is Status.INCOMPLETE else self.sample(table)
        return verdict if sample is None else _with_clusters(verdict, sample.clusters)

    def _advised(self, verdict: RuleVerdict, table: ResultsTable, alpha: float) -> RuleVerdict:
        """The verdict with a note on how many more cases would decide."""
        from distilltest.gate.advice import on_more_cases

        seen = self.seen(table)
        if seen is None:
            return verdict
        text, equal, as_seen = on_more_cases(seen, alpha, _unit(table, self.needs))
        sentence = f"{verdict.sentence}; {text}" if text else verdict.sentence
        return replace(verdict, sentence=sentence, needed=equal, needed_as_seen=as_seen)

    def seen(self, table: ResultsTable) -> ObservedValues | None:
        """The values that the rule weighs, to compute how many cases it needs; None for a rule without such a number."""
        return None

    @property
    def helped_by(self) -> Mapping[str, bool]:
        """Role → whether its right answers help the claim; empty for a rule without a worst case for missing answers."""
        return {}

    def sample(self, table: ResultsTable) -> ClusteredValues | None:
        """The values that the test of clusters weighs; None for other tests, or without clusters."""
        return None

    def fill(self, table: ResultsTable, *, worst: bool) -> ResultsTable | str:
        """The table in which unanswerable cases have the least favourable values for the claim, or the most favourable.

        Returns:
            The table, or the reason why there is no such case.
        """
        if not self.helped_by:
            return f"{how_many(table)}, and this rule has no worst case for them"
        return filled(table, {role: helps is not worst for role, helps in self.helped_by.items()})

    def decide_filled(self, table: ResultsTable, alpha: float, block_alpha: float, *, worst: bool) -> RuleVerdict:
        """The verdict if unanswerable cases had the least favourable values for the claim, or the most favourable.

        A rule that is proven in the worst case is proven for all values that these cases could have had.
        """
        made = self.fill(table, worst=worst)
        if isinstance(made, str):
            return RuleVerdict(self.describe(), Status.INCOMPLETE, made)
        verdict = self.verdict(made, alpha, block_alpha)
        if worst and verdict.status is Status.PROMOTE and (p := self._outlying(table, made)) > alpha:
            sentence = f"{verdict.sentence}; not for every value that the missing answers could have had"
            return replace(verdict, status=Status.UNDECIDED, p=p, sentence=sentence)
        return verdict

    def _outlying(self, table: ResultsTable, worst: ResultsTable) -> float:
        """The largest p-value of the test of clusters if missing answers are better than in the worst case; 0 without clusters.

        A better answer can be an outlier, and so raise the p-value.
        """
        from distilltest.statistics.clusters import largest_p

        best = self.fill(table, worst=False)
        low, high = self.sample(worst), None if isinstance(best, str) else self.sample(best)
        if low is None or high is None:
            return 0.0
        p = largest_p(low.values, high.values, low.clusters, low.delta)
        return 1.0 if p is None else p


def _with_clusters(verdict: RuleVerdict, clusters: Sequence[str]) -> RuleVerdict:
    from distilltest.statistics.clusters import FEWEST, Weights

    weights = Weights.of(clusters)
    sentence = verdict.sentence
    if weights.effective < 0.9 * weights.count:
        sentence += f"; the {weights.count} clusters tell as much as {weights.effective:.1f} of equal size"
        sentence += f", the heaviest holds {points(weights.heaviest)} % of the cases"
    if not weights.enough and verdict.status is Status.UNDECIDED and "too few" not in sentence:
        sentence += f"; these are too few to tell, at least {FEWEST} are needed"
    return replace(
        verdict,
        sentence=sentence,
        clusters=weights.count,
        effective_clusters=weights.effective,
        heaviest_cluster=weights.heaviest,
    )


def _unit(table: ResultsTable, roles: Sequence[str]) -> str:
    """The unit in which more cases are counted."""
    labelled = "labelled pairs" if len(roles) > 1 else "labelled cases"
    return labelled if table.human or table.by_people else "cases"


def weigh(p: float, against: float, alpha: float, block_alpha: float) -> Status:
    """*Promote* on evidence for the claim, *block* on evidence against it, else *undecided*."""
    if p <= alpha:
        return Status.PROMOTE
    return Status.BLOCK if against <= block_alpha else Status.UNDECIDED


def settled(status: Status, low: float, high: float, limit: float) -> tuple[float, float]:
    """The interval, adjusted to agree with the status: above the limit, below it, or on both sides.

    The interval comes from inverting the test, so this changes only the last digits: a search ends at some precision, and an
    exact p-value, with few possible outcomes, does not rise everywhere with the limit.
    """
    if status is Status.PROMOTE:
        return max(low, limit), max(high, limit)
    if status is Status.BLOCK:
        return min(low, limit), min(high, limit)
    return min(low, limit), max(high, limit)


WORD = {Status.PROMOTE: "is", Status.BLOCK: "is only", Status.UNDECIDED: "may be"}
"""The verb of a sentence with this status."""


def check_role(rule: str, role: object, *, candidate_too: bool = False) -> None:
    """Check the role of a rule.

    Raises:
        SuiteError: The role is not a name, or is the candidate itself.
    """
    if not isinstance(role, str) or not role:
        raise SuiteError(f"{rule}({role!r}): a role is a name, such as 'base' or 'teacher'.")
    if role == "candidate" and not candidate_too:
        raise SuiteError(f"{rule}('candidate'): the candidate cannot be compared with itself.")


def is_number(value: object) -> bool:
    """Whether a value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)

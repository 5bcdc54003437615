"""What all rules share: their shape, how they decide, and the words of their sentences."""

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
    """The clustered values of which a rule claims that their mean is above -delta."""

    values: Sequence[float]
    clusters: Sequence[str]
    delta: float


class Measure(NamedTuple):
    """A role that a rule leans on, and what it must be shown to be above before the rule means anything."""

    role: str
    above: float | None = 0.0
    """The margin that the rule allows, as a share: a model that is always wrong must not be within it. None: the rule says
    nothing about its values."""
    tag: str | None = None
    """Only on the cases with this tag."""


class Rule(ABC):
    """A claim about the candidate."""

    @property
    def claims(self) -> bool:
        """Whether it is a claim about the candidate's answers: a gate promotes only if one is proven. Guards can only block."""
        return self.proves and "candidate" in self.needs

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The roles that must be shown to be better than a model that knows nothing; see ``competence``."""
        return tuple(Measure(role) for role in self.needs) if self.reads_grades else ()

    @property
    def proves(self) -> bool:
        """Whether it asks for proof, case by case; a rule that only guards does not decide when a run may stop early."""
        return True

    @property
    @abstractmethod
    def needs(self) -> tuple[str, ...]:
        """The roles that it speaks of."""

    @property
    def margin(self) -> float | None:
        """What the difference between two roles must be above, as a share; None where the rule is about something else."""
        return None

    @property
    def beside_labels(self) -> str | None:
        """What the claim is about, where labels of single answers say nothing of it; None where they decide it."""
        return None

    @property
    def sharpened(self) -> bool:
        """Whether many labels may be sharpened by the judge: the claim is about a mean over all cases, by the test for that."""
        return False

    @property
    def spares_none(self) -> bool:
        """Whether a single case breaks it."""
        return False

    @property
    def reads_tags(self) -> bool:
        """Whether it looks at every slice by tag."""
        return False

    def scope(self, table: ResultsTable) -> ResultsTable:
        """The cases that the claim is about."""
        return table

    @property
    def reads_latencies(self) -> bool:
        """Whether it looks at how long each answer took: without such a rule, the table has no column for it."""
        return False

    @property
    def reads_grades(self) -> bool:
        """Whether it is about what graders said of each answer."""
        return True

    @property
    def reads_prices(self) -> bool:
        """Whether it compares money: with other prices, the verdict may be another one."""
        return False

    @abstractmethod
    def describe(self) -> str:
        """The claim in a few words."""

    @abstractmethod
    def judge(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        """Weigh the evidence; the table has a value for at least one case (pair) of the roles."""

    def verdict(self, table: ResultsTable, alpha: float, block_alpha: float) -> RuleVerdict:
        """What the data say, and how the cases are spread over clusters, where there are any."""
        judged = self.judge(table, alpha, block_alpha)
        if judged.status is Status.UNDECIDED and judged.low is not None and "too few" not in judged.sentence:
            judged = self._advised(judged, table, alpha)
        sample = None if judged.status is Status.INCOMPLETE else self.sample(table)
        return judged if sample is None else _with_clusters(judged, sample.clusters)

    def _advised(self, judged: RuleVerdict, table: ResultsTable, alpha: float) -> RuleVerdict:
        """With what more cases would bring, in its sentence."""
        from distilltest.gate.advice import on_more_cases

        seen = self.seen(table)
        if seen is None:
            return judged
        text, equal, as_seen = on_more_cases(seen, alpha, _unit(table, self.needs))
        sentence = f"{judged.sentence}; {text}" if text else judged.sentence
        return replace(judged, sentence=sentence, needed=equal, needed_as_seen=as_seen)

    def seen(self, table: ResultsTable) -> ObservedValues | None:
        """What it weighs, one a case, to say how many cases it needs; None where it needs no number of them."""
        return None

    @property
    def helped_by(self) -> Mapping[str, bool]:
        """Role → whether a right answer of it helps the claim; empty where missing answers have no worst case."""
        return {}

    def sample(self, table: ResultsTable) -> ClusteredValues | None:
        """What a test of clusters decides on; None where it decides on nothing, or the cases have no clusters."""
        return None

    def fill(self, table: ResultsTable, *, worst: bool) -> ResultsTable | str:
        """The table with the answers that never come as unfavourable to the claim as can be, or as favourable.

        Returns:
            The table, or why there is no such case.
        """
        if not self.helped_by:
            return f"{how_many(table)}, and this rule has no worst case for them"
        return filled(table, {role: helps is not worst for role, helps in self.helped_by.items()})

    def judge_filled(self, table: ResultsTable, alpha: float, block_alpha: float, *, worst: bool) -> RuleVerdict:
        """What it says if the answers that never come were as bad for the claim as they can be, or as good.

        If it is proven at worst, it is proven for whatever they would have been.
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
        """The largest p of clusters in which missing answers are better than at worst; 0 where nothing is clustered."""
        from distilltest.statistics.clusters import largest_p

        best = self.fill(table, worst=False)
        low, high = self.sample(worst), None if isinstance(best, str) else self.sample(best)
        if low is None or high is None:
            return 0.0
        p = largest_p(low.values, high.values, low.clusters, low.delta)
        return 1.0 if p is None else p


def _with_clusters(judged: RuleVerdict, clusters: Sequence[str]) -> RuleVerdict:
    from distilltest.statistics.clusters import FEWEST, Weights

    weights = Weights.of(clusters)
    sentence = judged.sentence
    if weights.effective < 0.9 * weights.count:
        sentence += f"; the {weights.count} clusters tell as much as {weights.effective:.1f} of equal size"
        sentence += f", the heaviest holds {points(weights.heaviest)} % of the cases"
    if not weights.enough and judged.status is Status.UNDECIDED and "too few" not in sentence:
        sentence += f"; these are too few to tell, at least {FEWEST} are needed"
    return replace(
        judged,
        sentence=sentence,
        clusters=weights.count,
        effective_clusters=weights.effective,
        heaviest_cluster=weights.heaviest,
    )


def _unit(table: ResultsTable, roles: Sequence[str]) -> str:
    """What more of is needed."""
    labelled = "labelled pairs" if len(roles) > 1 else "labelled cases"
    return labelled if table.human or table.by_people else "cases"


def weigh(p: float, against: float, alpha: float, block_alpha: float) -> Status:
    """*Promote* needs evidence for the claim, *block* evidence against it, all else is *undecided*."""
    if p <= alpha:
        return Status.PROMOTE
    return Status.BLOCK if against <= block_alpha else Status.UNDECIDED


def settled(status: Status, low: float, high: float, limit: float) -> tuple[float, float]:
    """An interval that says what the verdict says: above its limit, below it, or on both sides.

    It is found by inverting the test, so this moves it by the last digits only: an exact p-value, of few outcomes, does not rise
    everywhere with the limit, and a search ends.
    """
    if status is Status.PROMOTE:
        return max(low, limit), max(high, limit)
    if status is Status.BLOCK:
        return min(low, limit), min(high, limit)
    return min(low, limit), max(high, limit)


WORD = {Status.PROMOTE: "is", Status.BLOCK: "is only", Status.UNDECIDED: "may be"}
"""How a sentence goes on."""


def check_role(rule: str, role: object, *, candidate_too: bool = False) -> None:
    """Complain of what is no other role.

    Raises:
        SuiteError: It is no name, or the candidate itself.
    """
    if not isinstance(role, str) or not role:
        raise SuiteError(f"{rule}({role!r}): a role is a name, such as 'base' or 'teacher'.")
    if role == "candidate" and not candidate_too:
        raise SuiteError(f"{rule}('candidate'): the candidate cannot be compared with itself.")


def is_number(value: object) -> bool:
    """Whether it is a number (true and false are none)."""
    return isinstance(value, int | float) and not isinstance(value, bool)

"""What the gate says: four words, of a rule, an evaluation and a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from distilltest.data.stored import restore
from distilltest.exit_codes import OF_VERDICT


class Status(StrEnum):
    """What is said of a rule, an evaluation or a run."""

    PROMOTE = "promote"
    """Every rule is proven."""
    BLOCK = "block"
    """There is evidence against a rule."""
    UNDECIDED = "undecided"
    """Too few cases to tell."""
    INCOMPLETE = "incomplete"
    """Values are missing on which the verdict depends, or the gate cannot be decided."""
    NOT_APPLICABLE = "not applicable"
    """Only of a rule: about a role that nothing plays yet. It counts for nothing."""


def combine(statuses: Sequence[Status]) -> Status:
    """One status for several: block before incomplete before undecided before promote; of nothing, incomplete."""
    return next((status for status in map(Status, OF_VERDICT) if status in statuses), Status.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class SliceVerdict:
    """What the data say of the cases with one tag."""

    tag: str
    cases: int
    difference: float
    """Candidate minus other, as seen."""
    estimate: float
    """Drawn towards the mean of all slices, the more the smaller the slice."""
    low: float
    high: float
    """The 90 % interval of the estimate."""
    p: float
    """How surprising so large a drop in any slice would be; adjusted for the number of slices."""


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What the data say of one rule."""

    rule: str
    """The claim in words: ``better than base``."""
    status: Status
    """What the data say."""
    sentence: str
    """Why, for a reader without statistics training."""
    test: str = ""
    """The name of the test."""
    role: str = ""
    """The role that the candidate is compared with, empty for none."""
    preferred_to: str = ""
    """The role to whose answers a judge preferred the candidate's, or not, in ``wins`` and ``losses``; empty for other rules."""
    p: float | None = None
    """The p-value of the test; None for a rule that has none."""
    estimate: float | None = None
    """The difference, or the rate."""
    low: float | None = None
    """The lower end of the interval; None where there is none."""
    high: float | None = None
    """The interval of the estimate: ``low`` is too high in at most alpha of all runs, ``high`` too low in at most the level at
    which a rule is broken, alpha divided by the number of rules. So it says what the verdict says."""
    limit: float | None = None
    """What the estimate must be above."""
    n: int = 0
    """Cases that were compared."""
    wins: int = 0
    """Cases in which the candidate did better."""
    losses: int = 0
    """Cases in which the other role did better."""
    clusters: int = 0
    """Clusters that the cases come from, 0 where they are independent."""
    effective_clusters: float | None = None
    """The number of equal clusters that would tell as much; None without clusters."""
    heaviest_cluster: float | None = None
    """The share of the cases that the largest cluster holds; None without clusters."""
    needed: int | None = None
    """Cases in all with which it would be proven in 4 of 5 runs if the roles were equal; None where no number would do, or where
    nothing is undecided."""
    needed_as_seen: int | None = None
    """The same if the difference stays as seen."""
    slices: tuple[SliceVerdict, ...] = ()
    """Of a guard over slices: each of them."""
    labels: str = ""
    """How people's labels decided it, or why they did not; empty where none are declared."""
    labelled: int | None = None
    """Cases that people's labels decided; None where they did not."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of one evaluation."""

    status: Status
    """What the gate decided."""
    sentence: str
    """Why, for a reader without statistics training."""
    rules: tuple[RuleVerdict, ...]
    """What the data say of each rule, in the order of the gate."""
    missing: Mapping[str, int] = field(default_factory=dict)
    """Role → cases without a value; empty where every role has all."""
    worst_case: bool = False
    """Whether missing values were counted as wrong for the candidate and right for the role compared with, because they can
    never be known. The numbers of the rules are then those of that case."""
    unanswerable: tuple[str, ...] = ()
    """Ids of the first twenty cases that some role can never answer."""
    transient: bool = False
    """Whether something is missing that asking again may bring."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Verdict:
        """Back from plain values."""

        def rules(each: Any) -> tuple[RuleVerdict, ...]:
            return tuple(restore(RuleVerdict, rule, status=Status, slices=slices) for rule in each)

        def slices(each: Any) -> tuple[SliceVerdict, ...]:
            return tuple(restore(SliceVerdict, one) for one in each)

        return restore(cls, content, status=Status, rules=rules, unanswerable=tuple)

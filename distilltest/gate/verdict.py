"""Verdicts on rules, evaluations and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from distilltest.data.stored import restore
from distilltest.exit_codes import OF_VERDICT


class Status(StrEnum):
    """The verdict on a rule, an evaluation or a run."""

    PROMOTE = "promote"
    """Every rule is proven."""
    BLOCK = "block"
    """There is evidence against a rule."""
    UNDECIDED = "undecided"
    """There are too few cases to tell."""
    INCOMPLETE = "incomplete"
    """Values are missing that the verdict depends on, or the gate cannot decide."""
    NOT_APPLICABLE = "not applicable"
    """Of a rule only: no model has its role yet. The rule does not count."""


def combine(statuses: Sequence[Status]) -> Status:
    """The most severe of several statuses, in the order of ``OF_VERDICT``; *incomplete* for none."""
    return next((status for status in map(Status, OF_VERDICT) if status in statuses), Status.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class SliceVerdict:
    """The result for the cases with one tag."""

    tag: str
    cases: int
    difference: float
    """The observed difference, candidate minus other."""
    estimate: float
    """The difference, shrunk towards the mean of all slices. Smaller slices shrink more."""
    low: float
    high: float
    """The 90 % interval of the estimate."""
    p: float
    """The p-value of so large a drop, adjusted for the number of slices."""


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """The verdict on one rule."""

    rule: str
    """The claim in words: ``better than base``."""
    status: Status
    """The verdict."""
    sentence: str
    """The reason, for readers without training in statistics."""
    test: str = ""
    """The name of the test."""
    role: str = ""
    """The role that the candidate is compared with; empty for none."""
    preferred_to: str = ""
    """The other role of a rule about preferences; ``wins`` and ``losses`` then count a judge's choices. Empty for other rules."""
    p: float | None = None
    """The p-value of the test; None for a rule without one."""
    estimate: float | None = None
    """The observed difference, rate or share."""
    low: float | None = None
    """The lower end of the interval; None without an interval."""
    high: float | None = None
    """The upper end. ``low`` is wrong in at most alpha of all runs, and ``high`` in at most alpha divided by the number of rules,
    the level at which a rule is broken. So the interval agrees with the verdict."""
    limit: float | None = None
    """The limit that the estimate must exceed."""
    n: int = 0
    """Cases that were compared."""
    wins: int = 0
    """Cases in which the candidate did better."""
    losses: int = 0
    """Cases in which the other role did better."""
    clusters: int = 0
    """The number of clusters; 0 for independent cases."""
    effective_clusters: float | None = None
    """The number of clusters of equal size that carry the same information; None without clusters."""
    heaviest_cluster: float | None = None
    """The share of the cases in the largest cluster; None without clusters."""
    needed: int | None = None
    """The total number of cases that would prove the rule in 4 of 5 runs if the roles are equal; None if no number would, or if
    the rule is decided."""
    needed_as_seen: int | None = None
    """The same number if the difference stays as observed."""
    slices: tuple[SliceVerdict, ...] = ()
    """The slices, for a guard over slices."""
    labels: str = ""
    """How people's labels decided the rule, or why they did not; empty without labels."""
    labelled: int | None = None
    """The number of labelled cases that decided; None if labels did not decide."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of one evaluation."""

    status: Status
    """What the gate decided."""
    sentence: str
    """The reason, for readers without training in statistics."""
    rules: tuple[RuleVerdict, ...]
    """The verdict on each rule, in the order of the gate."""
    missing: Mapping[str, int] = field(default_factory=dict)
    """Role → number of cases without a value; roles without missing values are left out."""
    worst_case: bool = False
    """Whether values that can never be known were counted as wrong for the candidate and right for the other role. The numbers
    of the rules are then those of this worst case."""
    unanswerable: tuple[str, ...] = ()
    """The ids of the first twenty cases that a role can never answer."""
    transient: bool = False
    """Whether values are missing that another run may supply."""

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Verdict:
        """The verdict from plain values."""

        def rules(each: Any) -> tuple[RuleVerdict, ...]:
            return tuple(restore(RuleVerdict, rule, status=Status, slices=slices) for rule in each)

        def slices(each: Any) -> tuple[SliceVerdict, ...]:
            return tuple(restore(SliceVerdict, one) for one in each)

        return restore(cls, content, status=Status, rules=rules, unanswerable=tuple)

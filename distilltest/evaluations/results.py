"""What one evaluation found, and what one run is: plain values between grading and showing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distilltest.gate import Verdict
from distilltest.gate.health import AnswerHealth, GraderHealth
from distilltest.records import Model, Outcome


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """What one role said to one case, kept for people to read."""

    role: str
    text: str
    """The answer, or the call failure's sentence."""
    passed: bool | None
    """None for a call failure."""
    reason: str = ""
    """Why it did not pass: the reasons of the grades that failed."""


@dataclass(frozen=True, slots=True)
class Change:
    """A case on which the candidate and another role differ, or which nobody can judge, with what each said."""

    case_id: str
    kind: str
    """``lost`` (the candidate fails, the other passes), ``won`` (the other way round), ``failed`` (a call failed); ``preferred``
    and ``not preferred`` where a judge compared the two answers."""
    against: str
    """The other role; empty for ``failed``."""
    request: str
    """The last user message as it was sent to the candidate."""
    reference: str
    """The expected answer, empty where the dataset has none."""
    tags: tuple[str, ...]
    samples: tuple[ShownAnswer, ...]
    """One a role, the candidate first."""


@dataclass(frozen=True, slots=True)
class JudgeUse:
    """Which judge was asked what in an evaluation."""

    grader: str
    judge: str
    """Its name in the configuration."""
    model: str
    prompt: str
    prompt_fingerprint: str
    asked: int
    """Questions."""
    failed: int
    """Questions without a verdict."""
    agreement: str
    """What is known of its agreement with people, in words."""
    consistent: float | None = None
    """For preferences: the share of pairs in which both orders gave the same verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSummary:
    """What the result and the report of an evaluation share."""

    id: str
    """The pytest node id."""
    verdict: Verdict
    dataset: str
    """The dataset's path as the suite names it."""
    dataset_fingerprint: str
    cases: int
    """Cases in the whole dataset."""
    evaluated: int
    """Cases that this run evaluated, after ``--limit`` and other selections."""
    metric: str
    """``pass`` or ``score``."""
    trials: int
    alpha: float
    """The level of this attempt, which interim analyses share."""
    changes: tuple[Change, ...]
    """Losses against any role, then failures, then wins; each in the order of the dataset."""
    judges: tuple[JudgeUse, ...] = ()
    """The judges that were asked."""
    notes: tuple[str, ...] = ()
    """Sentences to read beside the verdict: the attempt, an early stop, cases left out."""
    level: float | None = None
    """The level of each rule where interim analyses share alpha; None for alpha itself."""
    configured_alpha: float | None = None
    """The level in distilltest.yaml where attempts share it; None for alpha itself."""
    forgotten_attempts: tuple[str, ...] = ()
    """Attempts on the dataset that were not counted, and why: one sentence each."""
    graders: tuple[GraderHealth, ...] = ()
    """The health of each grader over all roles, in the order of the test function."""
    seconds: float = 0.0
    """From the first request to the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult(EvaluationSummary):
    """Everything that a report or the store needs from one evaluation of one run."""

    prompts: Mapping[str, str]
    """Role → prompt file."""
    prompt_fingerprints: Mapping[str, str]
    """Role → fingerprint of the prompt file."""
    models: Mapping[str, Model]
    """Role → its model, in the order of the report: base, teacher, candidate, others."""
    outcomes: Sequence[Outcome]
    """In order of case, role, trial."""
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Case id → its tags."""
    usd: Mapping[str, float | None] = field(default_factory=dict)
    """Role → cost of its completions at today's prices; None where a price or a token count is unknown."""
    usd_at_least: Mapping[str, float] = field(default_factory=dict)
    """Role → cost of those completions whose tokens are known."""
    answers: Mapping[str, AnswerHealth] = field(default_factory=dict)
    """Role → the health of its answers."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The circumstances of a run: what somebody needs to do it again."""

    id: str
    """``20261121-093000-1f3a``: sorts by time, and names the folder below reports/."""
    started: str
    """ISO 8601, UTC."""
    command: str
    """As it was typed."""
    versions: Mapping[str, str]
    """distilltest, python, pytest, openai."""
    git_commit: str | None = None
    """Of the suite's repository, with ``+changes`` where the work tree differs."""
    sent: int = 0
    """Requests that this run sent, each attempt counted, as the servers count them."""
    from_store: int = 0
    """Completions that came from the store."""
    failed: int = 0
    """Calls that failed."""
    seconds: float = 0.0
    retried: int = 0
    """Sent requests that repeated a request whose earlier attempt had failed."""
    shared: int = 0
    """Answers that another process fetched while this run waited for them."""

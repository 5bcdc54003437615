"""The results of an evaluation and the facts of a run: plain values for reports and the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distilltest.gate import Verdict
from distilltest.gate.health import AnswerHealth, GraderHealth
from distilltest.records import Model, Outcome


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """One role's answer to one case, for the report."""

    role: str
    text: str
    """The answer, or the message of the call failure."""
    passed: bool | None
    """None for a call failure."""
    reason: str = ""
    """The reasons of the failed grades."""


@dataclass(frozen=True, slots=True)
class Change:
    """A case on which the candidate and another role differ, or on which a call failed, with all answers."""

    case_id: str
    kind: str
    """``lost`` (the candidate fails, the other role passes), ``won`` (the reverse), ``failed`` (a call failed), or ``preferred``
    and ``not preferred`` if a judge compared the two answers."""
    against: str
    """The other role; empty for ``failed``."""
    request: str
    """The last user message as it was sent to the candidate."""
    reference: str
    """The expected answer; empty if the dataset has none."""
    tags: tuple[str, ...]
    samples: tuple[ShownAnswer, ...]
    """One per role, the candidate first."""


@dataclass(frozen=True, slots=True)
class JudgeUse:
    """The questions of one grader to one judge in an evaluation."""

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
    """Its measured agreement with people, in words."""
    consistent: float | None = None
    """For preferences: the share of pairs with the same verdict in both orders."""


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
    """The facts that you need to repeat a run."""

    id: str
    """``20261121-093000-1f3a``: sorts by time, and names the folder in ``reports/``."""
    started: str
    """ISO 8601, UTC."""
    command: str
    """The command line."""
    versions: Mapping[str, str]
    """distilltest, python, pytest, openai."""
    git_commit: str | None = None
    """The commit of the suite's repository, with ``+changes`` if the work tree differs."""
    sent: int = 0
    """Requests sent, including retries, as the servers count them."""
    from_store: int = 0
    """Completions from the store."""
    failed: int = 0
    """Failed calls."""
    seconds: float = 0.0
    retried: int = 0
    """Sent requests that were retries."""
    shared: int = 0
    """Answers fetched by another process while this run waited."""

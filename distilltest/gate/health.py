"""How an evaluation's graders and the answers that they read are: what a broken one looks like, in counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GraderHealth:
    """What came of one grader, over all roles."""

    name: str
    """Its name, with a number where the test function calls several of this name."""
    graded: int
    """Answers that it graded."""
    passed: int
    """Those that pass."""
    cases: int
    """Cases of which it graded an answer."""
    nobody: int
    """Cases in which no role's answer passes."""
    everybody: int
    """Cases in which every role's answer passes."""
    reason: str = ""
    """Why answers fail, most often: one example of the commonest kind of reason. Empty where none fails."""
    of_this_kind: int = 0
    """Failed answers with a reason of that kind: the same but for quoted texts and numbers."""
    raised: int = 0
    """Answers on which it, or the test function, raised an exception."""


@dataclass(frozen=True, slots=True)
class AnswerHealth:
    """What the answers of one role are, whatever a grader says of them."""

    answers: int
    empty: int = 0
    """Without a text, a call of a tool or a refusal."""
    identical: int = 0
    """So many times the commonest answer was given, letter by letter."""
    commonest: str = ""
    """The beginning of that answer."""

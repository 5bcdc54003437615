"""The health of an evaluation's graders and answers, in counts that reveal broken ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GraderHealth:
    """The grades of one grader, over all roles."""

    name: str
    """Its name, numbered if the test function calls several graders of this name."""
    graded: int
    """The number of answers that it graded."""
    passed: int
    """The number of answers that pass."""
    cases: int
    """The number of cases with a graded answer."""
    nobody: int
    """The number of cases in which no role's answer passes."""
    everybody: int
    """The number of cases in which every role's answer passes."""
    reason: str = ""
    """An example of the most common kind of reason for a failure; empty without failures."""
    of_this_kind: int = 0
    """The number of failures of that kind, whose reasons differ only in quoted texts and numbers."""
    raised: int = 0
    """The number of answers for which the grader or the test function raised an exception."""


@dataclass(frozen=True, slots=True)
class AnswerHealth:
    """The answers of one role, regardless of their grades."""

    answers: int
    empty: int = 0
    """The number of answers without a text, a tool call or a refusal."""
    identical: int = 0
    """How many answers equal the most common one, character by character."""
    commonest: str = ""
    """The beginning of the most common answer."""

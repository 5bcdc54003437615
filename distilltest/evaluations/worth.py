"""What the grades of one answer come to: whether it passes, and its score."""

from __future__ import annotations

from collections.abc import Sequence

from distilltest.evaluations.grading import ASSERT
from distilltest.records import Grade, mean


def worth(grades: Sequence[Grade]) -> tuple[bool, float] | None:
    """Whether the answer passes, and its score; None where it was only compared with another one."""
    own = [grade for grade in grades if grade.against is None]
    return (all(grade.passed for grade in own), _score(own)) if own else None


def _score(grades: Sequence[Grade]) -> float:
    """The mean of their scores.

    Asserts are pass or fail: those that hold say nothing about how good an answer is, and count only where nothing else does. One
    that does not hold ends the body, so that what it would have found is not known: the score is 0.
    """
    if len(grades) == 1:  # it is not made anew, since there is one for every outcome
        return grades[0].score
    if any(grade.name == ASSERT and not grade.passed for grade in grades):
        return 0.0
    return mean([grade.score for grade in grades if grade.name != ASSERT])

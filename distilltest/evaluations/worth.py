"""Combining the grades of one answer: whether it passes, and its score."""

from __future__ import annotations

from collections.abc import Sequence

from distilltest.evaluations.grading import ASSERT
from distilltest.records import Grade, mean


def worth(grades: Sequence[Grade]) -> tuple[bool, float] | None:
    """Whether the answer passes, and its score; None if it was only compared with another answer."""
    own = [grade for grade in grades if grade.against is None]
    return (all(grade.passed for grade in own), _score(own)) if own else None


def _score(grades: Sequence[Grade]) -> float:
    """The mean score.

    A passed assert says nothing about how good an answer is, and counts only if there is no other grade. A failed assert ends the
    body before further graders run, so the score is 0.
    """
    if len(grades) == 1:
        return grades[0].score
    if any(grade.name == ASSERT and not grade.passed for grade in grades):
        return 0.0
    return mean([grade.score for grade in grades if grade.name != ASSERT])

"""Grades that pass from a score on."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

from distilltest.errors import SuiteError, brief
from distilltest.records import Grade

_ROUNDING = 1e-9


def in_unit(score: float) -> float:
    """The score; what is outside [0, 1] by a rounding error only is the bound.

    >>> in_unit(1.0000000000000002), in_unit(1.5)
    (1.0, 1.5)
    """
    return min(1.0, max(0.0, score)) if -_ROUNDING <= score <= 1 + _ROUNDING else score


def scored(name: str, score: float, pass_threshold: float, reason: str) -> Grade:
    """Pass where the score is at least the threshold.

    Raises:
        SuiteError: The threshold is no number in [0, 1].

    >>> scored("similarity", 0.5, 0.5, "half of it").passed
    True
    """
    if isinstance(pass_threshold, bool) or not isinstance(pass_threshold, int | float) or not 0 <= pass_threshold <= 1:
        raise SuiteError(f"{name}: pass_threshold is {pass_threshold!r}; it is a number in [0, 1], as the score is.")
    return Grade(name, score, score >= pass_threshold, reason)


def checked(grade: Grade) -> Grade:
    """The grade with a score that is a float in [0, 1], and a ``passed`` that is true or false.

    What a team's own grader gives may be anything: any text is true, "False" too, so that nothing is taken for what it is not.

    Raises:
        SuiteError: The score is no number in [0, 1], ``passed`` is neither true nor false, or a text is none.

    >>> checked(Grade("own", 1, True)).score
    1.0
    >>> checked(Grade("own", 1.0, "False"))
    Traceback (most recent call last):
    distilltest.errors.SuiteError: own: passed is 'False'; it is True or False.
    """
    score: Any = grade.score
    passed: Any = grade.passed
    texts = isinstance(grade.name, str) and isinstance(grade.reason, str)
    if texts and type(score) is float and type(passed) is bool and 0.0 <= score <= 1.0:  # as nearly all are
        return grade
    if not isinstance(grade.name, str):
        raise SuiteError(f"A grade has the name {_shown(grade.name)}; it is the grader's name, a text.")
    if not isinstance(grade.reason, str):
        raise SuiteError(f"{grade.name}: the reason is {_shown(grade.reason)}; it is a text.")
    if not isinstance(passed, bool) and type(passed).__name__ not in _BOOLEANS:
        raise SuiteError(f"{grade.name}: passed is {_shown(passed)}; it is True or False.")
    if not isinstance(score, Real) and type(score).__name__ not in _BOOLEANS:
        raise SuiteError(f"{grade.name}: the score is {_shown(score)}; it is a number in [0, 1].")
    number = in_unit(float(score))
    if not 0.0 <= number <= 1.0:
        raise SuiteError(f"{grade.name}: the score is {_shown(score)}; a score is in [0, 1].")
    return replace(grade, score=number, passed=bool(passed))


_BOOLEANS = ("bool", "bool_")
"""What NumPy calls its own; it is not imported for that."""


def _shown(value: Any) -> str:
    return brief(repr(value), 80)

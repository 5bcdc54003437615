"""Grades with a pass threshold, and checks of custom grades."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

from distilltest.errors import SuiteError, brief
from distilltest.records import Grade

_ROUNDING = 1e-9


def in_unit(score: float) -> float:
    """The score, moved to the bound if it is outside [0, 1] by a rounding error only.

    >>> in_unit(1.0000000000000002), in_unit(1.5)
    (1.0, 1.5)
    """
    return min(1.0, max(0.0, score)) if -_ROUNDING <= score <= 1 + _ROUNDING else score


def scored(name: str, score: float, pass_threshold: float, reason: str) -> Grade:
    """Pass if the score is at least the threshold.

    Raises:
        SuiteError: The threshold is not a number in [0, 1].

    >>> scored("similarity", 0.5, 0.5, "half of it").passed
    True
    """
    if isinstance(pass_threshold, bool) or not isinstance(pass_threshold, int | float) or not 0 <= pass_threshold <= 1:
        raise SuiteError(
            f"{name}: pass_threshold is {pass_threshold!r}; it must be a number in [0, 1], like the score."
        )
    return Grade(name, score, score >= pass_threshold, reason)


def checked(grade: Grade) -> Grade:
    """The grade of a custom grader, with its score as a float and ``passed`` as a bool.

    Values are not converted by their truth: the text "False" would pass.

    Raises:
        SuiteError: The score is not a number in [0, 1], ``passed`` is not true or false, or the name or reason is not a text.

    >>> checked(Grade("own", 1, True)).score
    1.0
    >>> checked(Grade("own", 1.0, "False"))
    Traceback (most recent call last):
    distilltest.errors.SuiteError: own: passed is 'False'; it is True or False.
    """
    score: Any = grade.score
    passed: Any = grade.passed
    texts = isinstance(grade.name, str) and isinstance(grade.reason, str)
    if texts and type(score) is float and type(passed) is bool and 0.0 <= score <= 1.0:  # the usual case
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
"""Python's and NumPy's types, compared by name to avoid importing NumPy."""


def _shown(value: Any) -> str:
    return brief(repr(value), 80)

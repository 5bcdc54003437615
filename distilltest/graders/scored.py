"""Grades that pass from a score on."""

from __future__ import annotations

from distilltest.errors import SuiteError
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

"""Combining grades by a formula: OpenAI's ``multi`` grader."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from distilltest.errors import NO_SCORE, GraderFailed, SuiteError
from distilltest.graders.formula import formula
from distilltest.graders.formula_parser import FUNCTIONS
from distilltest.graders.scored import in_unit, scored
from distilltest.records import Grade


def multi(
    grades: Mapping[str, Grade],
    calculate_output: str,
    pass_threshold: float = 0.5,
    *,
    name: str = "multi",
    values: Mapping[str, float] = MappingProxyType({}),
) -> Grade:
    """Score the value of the formula for the scores of the grades; pass at the threshold or above.

    A value outside [0, 1] is not clamped, since that would hide weights that do not add up; the answer has no grade. Rounding
    errors up to 1e-9 are corrected. OpenAI publishes no default threshold; ours is 0.5.

    Args:
        grades: The grades by their names in the formula.
        calculate_output: See :func:`distilltest.graders.formula.formula`.
        pass_threshold: The lowest score that passes.
        name: The name of the grade.
        values: Values that replace scores in the formula, such as the number of a ``score_model`` in its own range.

    Raises:
        SuiteError: The formula is invalid.
        GraderFailed: The formula divides by zero or leaves [0, 1] for these values.

    >>> grades = {"label": Grade("string_check", 1.0, True), "text": Grade("text_similarity", 0.5, True)}
    >>> multi(grades, "0.8 * label + 0.2 * text").reason
    '0.9 = 0.8 * label + 0.2 * text with label = 1, text = 0.5'
    >>> multi(grades, "label + text")
    Traceback (most recent call last):
    distilltest.errors.GraderFailed: multi: label + text is 1.5 with label = 1, text = 0.5; a score is in [0, 1].
    """
    parsed = formula(calculate_output)
    check_names(parsed.names, grades, calculate_output)
    known = {key: grade.score for key, grade in grades.items()} | dict(values)
    score = in_unit(parsed.value(known))
    given = ", ".join(f"{key} = {known[key]:g}" for key in parsed.names)
    made = f"{calculate_output.strip()} with {given}" if given else calculate_output.strip()
    if not 0 <= score <= 1:
        told = made.replace(" with ", f" is {score:g} with ", 1) if given else f"{made} is {score:g}"
        raise GraderFailed(f"{name}: {told}; a score is in [0, 1].", kind=NO_SCORE)
    return scored(name, score, pass_threshold, f"{score:g} = {made}")


def check_names(used: tuple[str, ...], there: Mapping[str, object], text: str) -> None:
    """Raise if a formula uses a name that no grade has.

    Raises:
        SuiteError: A name is unknown.
    """
    for name in used:
        if name not in there:
            raise SuiteError(
                f"formula {text!r}: there is no grade {name!r}; the grades are {', '.join(there) or 'none'}, "
                f"the functions {', '.join(FUNCTIONS)}."
            )

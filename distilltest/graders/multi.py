"""Several grades in one, by a formula: the platform's ``multi`` grader."""

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
    """Score what the formula gives for the scores of the grades; pass from the threshold on.

    Nothing is clamped: where a formula leaves [0, 1] for an answer, there is no grade, since a clamped score would hide that its
    weights do not add up (what is outside by a rounding error only, 1e-9, counts as the bound). The platform publishes no
    default threshold; ours is 0.5.

    Args:
        grades: Grades by the names that the formula knows them by.
        calculate_output: See :func:`distilltest.graders.formula.formula`.
        pass_threshold: The least score that passes.
        name: The name of the grade.
        values: What to compute with where it is not the grade's score: the number of a ``score_model`` in its own range.

    Raises:
        SuiteError: The formula is wrong.
        GraderFailed: For these values it divides by zero, or leaves [0, 1].

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
    """Complain about a name in a formula that no grade has.

    Raises:
        SuiteError: There is such a name.
    """
    for name in used:
        if name not in there:
            raise SuiteError(
                f"formula {text!r}: there is no grade {name!r}; the grades are {', '.join(there) or 'none'}, "
                f"the functions {', '.join(FUNCTIONS)}."
            )

"""Several grades in one, by a formula: the platform's ``multi`` grader."""

from __future__ import annotations

from collections.abc import Mapping

from distilltest.errors import SuiteError
from distilltest.graders.formula import formula
from distilltest.graders.formula_parser import FUNCTIONS
from distilltest.graders.scored import scored
from distilltest.records import Grade

_ROUNDING = 1e-9


def multi(
    grades: Mapping[str, Grade], calculate_output: str, pass_threshold: float = 0.5, *, name: str = "multi"
) -> Grade:
    """Score what the formula gives for the scores of the grades; pass from the threshold on.

    Nothing is clamped: a formula that leaves [0, 1] is an error, since a clamped score would hide that its weights do
    not add up (what is outside by a rounding error only, 1e-9, counts as the bound). The platform publishes no default
    threshold; ours is 0.5.

    Args:
        grades: Grades by the names that the formula knows them by.
        calculate_output: See :func:`distilltest.graders.formula.formula`.
        pass_threshold: The least score that passes.
        name: The name of the grade.

    Raises:
        SuiteError: The formula is wrong, divides by zero or leaves [0, 1].

    >>> grades = {"label": Grade("string_check", 1.0, True), "text": Grade("text_similarity", 0.5, True)}
    >>> multi(grades, "0.8 * label + 0.2 * text").reason
    '0.9 = 0.8 * label + 0.2 * text with label = 1, text = 0.5'
    >>> multi(grades, "label + text")
    Traceback (most recent call last):
    distilltest.errors.SuiteError: multi: label + text is 1.5 with label = 1, text = 0.5; a score is in [0, 1].
    """
    parsed = formula(calculate_output)
    check_names(parsed.names, grades, calculate_output)
    score = parsed.value({key: grade.score for key, grade in grades.items()})
    given = ", ".join(f"{key} = {grades[key].score:g}" for key in parsed.names)
    made = f"{calculate_output.strip()} with {given}" if given else calculate_output.strip()
    if not -_ROUNDING <= score <= 1 + _ROUNDING:
        told = made.replace(" with ", f" is {score:g} with ", 1) if given else f"{made} is {score:g}"
        raise SuiteError(f"{name}: {told}; a score is in [0, 1].")
    return scored(name, min(1.0, max(0.0, score)), pass_threshold, f"{score:g} = {made}")


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

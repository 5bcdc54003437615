"""The platform's string check: equals, not, contains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from distilltest.errors import SuiteError
from distilltest.graders.text import quote
from distilltest.records import Grade

Operation = Literal["eq", "ne", "like", "ilike"]

_CHECKS: dict[str, tuple[Callable[[str, str], bool], str, str]] = {
    "eq": (lambda said, reference: said == reference, "is", "is not"),
    "ne": (lambda said, reference: said != reference, "is not", "is"),
    "like": (lambda said, reference: reference in said, "contains", "does not contain"),
    "ilike": (
        lambda said, reference: reference.casefold() in said.casefold(),
        "contains (in any case)",
        "does not contain (in any case)",
    ),
}


def string_check(answer: str, reference: str, operation: Operation = "eq") -> Grade:
    """Score 1 where the check holds, else 0: the platform's ``string_check`` grader.

    Args:
        answer: What the model said.
        reference: The text to compare with.
        operation: ``eq`` the same to the letter, ``ne`` anything else, ``like`` contains the reference,
            ``ilike`` contains it in any case.

    Raises:
        SuiteError: There is no such operation.

    >>> string_check("Run git status.", "GIT STATUS", "ilike").passed
    True
    """
    if operation not in _CHECKS:
        raise SuiteError(
            f"string_check: there is no operation {operation!r}; there are {', '.join(get_args(Operation))}."
        )
    holds, yes, no = _CHECKS[operation]
    passed = holds(answer, reference)
    return Grade("string_check", float(passed), passed, f"{quote(answer)} {yes if passed else no} {quote(reference)}")

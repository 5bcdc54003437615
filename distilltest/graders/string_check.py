"""The platform's string check, and the checks of its dashboard: is, is not, contains, starts, ends, pattern."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, get_args

from distilltest.errors import SuiteError
from distilltest.graders.text import normalise, operands, quote
from distilltest.records import Grade

Operation = Literal["eq", "ne", "like", "ilike", "not", "contains", "starts", "ends", "regex"]

# What holds between answer and reference; "ne" and "not" are the denial of theirs, "regex" is apart.
_CHECKS: dict[str, Callable[[str, str], bool]] = {
    **dict.fromkeys(("eq", "ne", "not"), lambda said, reference: said == reference),
    **dict.fromkeys(("like", "contains"), lambda said, reference: reference in said),
    "ilike": lambda said, reference: reference.casefold() in said.casefold(),
    "starts": lambda said, reference: said.startswith(reference),
    "ends": lambda said, reference: said.endswith(reference),
}
_WORDS = {
    **dict.fromkeys(("eq", "ne", "not"), ("is", "is not")),
    **dict.fromkeys(("like", "contains"), ("contains", "does not contain")),
    "ilike": ("contains (in any case)", "does not contain (in any case)"),
    "starts": ("starts with", "does not start with"),
    "ends": ("ends with", "does not end with"),
    "regex": ("matches", "does not match"),
}


def string_check(
    answer: str,
    reference: str,
    operation: Operation = "eq",
    *,
    alternatives: Sequence[str] = (),
    ignore_case: bool = False,
    ignore_space: bool = False,
    unicode: bool = False,
    code_fence: bool = False,
) -> Grade:
    r"""Score 1 where the check holds, else 0: the platform's ``string_check`` grader and more.

    The platform has ``eq``, ``ne``, ``like`` and ``ilike``; the other operations are those of its older dashboard, and
    patterns. Nothing is folded unless the options say so; they apply to both sides. A pattern itself is not folded:
    there ``ignore_case`` means the pattern's own flag, and the other options apply to the answer only.

    Args:
        answer: What the model said.
        reference: The text to compare with.
        operation: ``eq`` the same to the letter; ``ne`` or ``not`` anything else; ``like`` or ``contains`` contains the
            reference; ``ilike`` contains it in any case; ``starts``, ``ends`` with it; ``regex`` the reference is a
            pattern of Python's ``re`` that is found somewhere (anchor it with ``\A`` and ``\Z``; it has no time limit,
            so a pattern that backtracks without end hangs).
        alternatives: Further references: the check holds where it holds for one of them, ``ne`` and ``not`` where the
            answer is none of them.
        ignore_case: See :func:`distilltest.graders.text.normalise`, also for the other options.
        ignore_space: Strip the ends and fold white space.
        unicode: Compare in Unicode's NFKC.
        code_fence: Look inside a code fence that is the whole answer.

    Raises:
        SuiteError: There is no such operation, the pattern is broken, the alternatives are one text, an operand can never be
            compared as text, or the reference is empty where it is only looked for.

    >>> string_check("Run git status.", "GIT STATUS", "ilike").passed
    True
    >>> string_check("Run git status.", "git push", "contains", alternatives=["git status"]).reason
    "'Run git status.' contains 'git status'"
    >>> string_check("git status -sb", r"\Agit (log|push)\b", "regex").reason
    "'git status -sb' does not match '\\\\Agit (log|push)\\\\b'"
    """
    if operation not in get_args(Operation):
        raise SuiteError(
            f"string_check: there is no operation {operation!r}; there are {', '.join(get_args(Operation))}."
        )

    def fold(text: str) -> str:
        return normalise(
            text, ignore_case=ignore_case, ignore_space=ignore_space, unicode=unicode, code_fence=code_fence
        )

    answer, references = operands("string_check", answer, reference, alternatives)
    if operation not in ("eq", "ne", "not") and not all(fold(text) for text in references):
        raise SuiteError(
            f"string_check: every answer {_WORDS[operation][0]} an empty text; give one that is not empty."
        )
    if operation == "regex":
        said = normalise(answer, ignore_space=ignore_space, unicode=unicode, code_fence=code_fence)
        held = [bool(_pattern(text, ignore_case).search(said)) for text in references]
    else:
        said = fold(answer)
        held = [_CHECKS[operation](said, fold(text)) for text in references]
    yes, no = _WORDS[operation]
    found = next((text for text, holds in zip(references, held, strict=True) if holds), None)
    passed = (found is None) == (operation in ("ne", "not"))
    shown = quote(references[0] if found is None else found)
    others = f" (nor one of {len(alternatives)} alternatives)" if alternatives and found is None else ""
    return Grade(
        "string_check", float(passed), passed, f"{quote(answer)} {no if found is None else yes} {shown}{others}"
    )


@lru_cache(maxsize=256)
def _pattern(text: str, ignore_case: bool) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what re may mean by "[[" in future is no fault of the answer
            return re.compile(text, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise SuiteError(f"string_check: {quote(text)} is no pattern: {error}.") from None

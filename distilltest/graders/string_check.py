"""OpenAI's string check, and the checks of its dashboard: is, is not, contains, starts, ends, matches."""

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

# "ne" and "not" negate their check; "regex" is handled separately.
_CHECKS: dict[str, Callable[[str, str], bool]] = {
    **dict.fromkeys(("eq", "ne", "not"), lambda answer, reference: answer == reference),
    **dict.fromkeys(("like", "contains"), lambda answer, reference: reference in answer),
    "ilike": lambda answer, reference: reference.casefold() in answer.casefold(),
    "starts": lambda answer, reference: answer.startswith(reference),
    "ends": lambda answer, reference: answer.endswith(reference),
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
    r"""Score 1 if the check holds, else 0.

    ``eq``, ``ne``, ``like`` and ``ilike`` are OpenAI's ``string_check`` grader; the other operations come from its older
    dashboard, except ``regex``. The comparison is exact; the options normalise both sides first. With ``regex``,
    ``ignore_case`` sets the pattern's flag, and the other options apply to the answer only.

    Args:
        answer: The model's answer.
        reference: The text to compare with.
        operation: ``eq``: equal; ``ne`` or ``not``: not equal; ``like`` or ``contains``: contains the reference; ``ilike``:
            contains it in any case; ``starts``, ``ends``: starts or ends with it; ``regex``: the reference is a pattern of
            Python's ``re`` that matches somewhere (anchor it with ``\A`` and ``\Z``; there is no time limit, so a pattern with
            catastrophic backtracking hangs).
        alternatives: Other references. The check holds if it holds for one of them; ``ne`` and ``not`` hold if the answer
            equals none of them.
        ignore_case: See :func:`distilltest.graders.text.normalise`, also for the other options.
        ignore_space: Strip the ends and collapse white space.
        unicode: Normalise to NFKC.
        code_fence: If the answer is one Markdown code fence, take its content.

    Raises:
        SuiteError: The operation is unknown, the pattern is invalid, the alternatives are one text, an operand cannot be compared
            as text, or the reference is empty and the operation is not ``eq``, ``ne`` or ``not``.

    >>> string_check("Run git status.", "GIT STATUS", "ilike").passed
    True
    >>> string_check("Run git status.", "git push", "contains", alternatives=["git status"]).reason
    "'Run git status.' contains 'git status'"
    >>> string_check("git status -sb", r"\Agit (log|push)\b", "regex").reason
    "'git status -sb' does not match '\\\\Agit (log|push)\\\\b'"
    """
    if operation not in get_args(Operation):
        raise SuiteError(
            f"string_check: the operation {operation!r} is unknown; use one of {', '.join(get_args(Operation))}."
        )

    def fold(text: str) -> str:
        return normalise(
            text, ignore_case=ignore_case, ignore_space=ignore_space, unicode=unicode, code_fence=code_fence
        )

    answer, references = operands("string_check", answer, reference, alternatives)
    if operation not in ("eq", "ne", "not") and not all(fold(text) for text in references):
        raise SuiteError(
            f"string_check: every answer {_WORDS[operation][0]} an empty text; give a reference that is not empty."
        )
    if operation == "regex":
        text_of_answer = normalise(answer, ignore_space=ignore_space, unicode=unicode, code_fence=code_fence)
        held = [bool(_pattern(text, ignore_case).search(text_of_answer)) for text in references]
    else:
        folded = fold(answer)
        held = [_CHECKS[operation](folded, fold(text)) for text in references]
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
            warnings.simplefilter("ignore")  # a FutureWarning about "[[" is not the answer's fault
            return re.compile(text, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise SuiteError(f"string_check: {quote(text)} is not a valid pattern: {error}.") from None

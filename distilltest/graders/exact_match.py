"""Is the answer the expected text?"""

from __future__ import annotations

from collections.abc import Sequence

from distilltest.graders.text import normalise, operands, quote
from distilltest.records import Grade


def exact_match(
    answer: str,
    expected: str,
    *,
    alternatives: Sequence[str] = (),
    ignore_case: bool = False,
    ignore_space: bool = False,
    unicode: bool = False,
    code_fence: bool = False,
) -> Grade:
    """Score 1 if the answer is the expected text or one of the alternatives, else 0.

    The comparison is exact. The options normalise both sides first.

    Args:
        answer: The model's answer.
        expected: The reference.
        alternatives: Other correct texts.
        ignore_case: See :func:`distilltest.graders.text.normalise`, also for the other options.
        ignore_space: Strip the ends and collapse white space.
        unicode: Normalise to NFKC.
        code_fence: If the answer is one Markdown code fence, take its content.

    Raises:
        SuiteError: An operand cannot be compared as text; see :func:`distilltest.graders.text.operands`.

    >>> exact_match("git status", "git status").passed
    True
    >>> exact_match("Git status", "git status").reason
    "'Git status' is not 'git status'"
    """

    def fold(text: str) -> str:
        return normalise(
            text, ignore_case=ignore_case, ignore_space=ignore_space, unicode=unicode, code_fence=code_fence
        )

    answer, references = operands("exact_match", answer, expected, alternatives)
    folded = fold(answer)
    for number, accepted in enumerate(references):
        if folded == fold(accepted):
            reason = f"is the alternative {quote(accepted)}" if number else "is the reference"
            return Grade("exact_match", 1.0, True, reason)
    others = f" (nor one of {len(alternatives)} alternatives)" if alternatives else ""
    return Grade("exact_match", 0.0, False, f"{quote(answer)} is not {quote(references[0])}{others}")

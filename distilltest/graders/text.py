"""What graders share about text: normalisation, and quoting for a reason."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_FENCE = re.compile(r"\A\s*```[^\n`]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_SPACE = re.compile(r"\s+")


def normalise(
    text: str, *, ignore_case: bool = False, ignore_space: bool = False, unicode: bool = False, code_fence: bool = False
) -> str:
    r"""Fold the differences that a suite asked to ignore; nothing is folded unasked.

    Args:
        text: The text.
        ignore_case: Compare case-folded.
        ignore_space: Strip the ends and fold every run of white space into one space.
        unicode: Unicode's NFKC: one form for letters that look the same.
        code_fence: Take the content of a Markdown code fence where the whole text is one.

    >>> normalise("```sh\ngit  Status\n```", ignore_case=True, ignore_space=True, code_fence=True)
    'git status'
    """
    if code_fence and (match := _FENCE.match(text)):
        text = match[1]
    if unicode:
        text = unicodedata.normalize("NFKC", text)
    if ignore_space:
        text = _SPACE.sub(" ", text).strip()
    return text.casefold() if ignore_case else text


def quote(value: Any, width: int = 120) -> str:
    r"""Show a value in a reason: in quotes, on one line, cut where it is long.

    >>> quote("a\nb")
    "'a\\nb'"
    """
    try:
        text = repr(value)
    except RecursionError:
        text = f"{type(value).__name__} nested too deeply to show"
    return text if len(text) <= width else f"{text[: width - 1]}…"

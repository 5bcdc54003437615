"""Text in graders: normalisation, operands, and quoting in reasons."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import orjson

from distilltest.errors import SuiteError

_FENCE = re.compile(r"\A\s*```[^\n`]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_SPACE = re.compile(r"\s+")


def normalise(
    text: str, *, ignore_case: bool = False, ignore_space: bool = False, unicode: bool = False, code_fence: bool = False
) -> str:
    r"""Remove the differences that the options name, and no others.

    Args:
        text: The text.
        ignore_case: Compare case-folded.
        ignore_space: Strip the ends and collapse every run of white space into one space.
        unicode: Normalise to NFKC: one form for characters that look the same.
        code_fence: If the text is one Markdown code fence, take its content.

    Raises:
        SuiteError: ``text`` is not a text.

    >>> normalise("```sh\ngit  Status\n```", ignore_case=True, ignore_space=True, code_fence=True)
    'git status'
    """
    if not isinstance(text, str):
        raise SuiteError(f"A grader of texts was given {_kind(text)}{_remedy(text)}.")
    if code_fence and (match := _FENCE.match(text)):
        text = match[1]
    if unicode:
        text = unicodedata.normalize("NFKC", text)
    if ignore_space:
        text = _SPACE.sub(" ", text).strip()
    return text.casefold() if ignore_case else text


def operands(grader: str, answer: Any, reference: Any, alternatives: Sequence[Any] = ()) -> tuple[str, list[str]]:
    """The operands of a grader as texts: the answer, and the reference with its alternatives.

    A number, true or false becomes its JSON text, as in templates. The answer may be any JSON value that you read from it.

    Raises:
        SuiteError: An operand cannot be compared as text, such as the completion itself, or a reference that is an object.

    >>> operands("exact_match", "42", 42)
    ('42', ['42'])
    """
    if isinstance(alternatives, str):
        raise SuiteError(f"{grader}: alternatives is a list of texts, not one text: [{quote(alternatives)}].")
    if not isinstance(answer, str | int | float | list | dict | None):
        raise SuiteError(f"{grader} compares texts, and was given {_kind(answer)} as the answer{_remedy(answer)}.")
    for expected in (reference, *alternatives):
        known = isinstance(expected, str | int | float) or (
            isinstance(expected, list | dict) and not isinstance(answer, str)
        )
        if not known:
            raise SuiteError(
                f"{grader} compares texts, and was given {_kind(expected)} as the reference{_remedy(expected)}."
            )
    return as_text(answer), [as_text(each) for each in (reference, *alternatives)]


def as_text(value: Any) -> str:
    """The text itself, or the JSON text of any other value, with sorted keys.

    >>> as_text(4.5), as_text(True), as_text({"b": 1, "a": None})
    ('4.5', 'true', '{"a":null,"b":1}')
    """
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:  # such as an integer of more than 64 bits
        return str(value)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", type(None): "nothing (None)"}
    return names.get(type(value)) or f"a {type(value).__name__}"


def _remedy(value: Any) -> str:
    if isinstance(getattr(value, "text", None), str):
        return ": write completion.text"
    if isinstance(value, dict | list):
        return ": compare completion.json() with it, or its fields one by one"
    return ""


def quote(value: Any, width: int = 120) -> str:
    r"""A value for a reason: in quotes, on one line, and truncated.

    >>> quote("a\nb")
    "'a\\nb'"
    """
    try:
        text = repr(value)
    except RecursionError:
        text = f"{type(value).__name__} nested too deeply to show"
    return text if len(text) <= width else f"{text[: width - 1]}…"

"""The JSON values of YAML scalars."""

from __future__ import annotations

import re
from typing import Any

from distilltest.data.tree import LEAST_WHOLE, MOST_WHOLE

TAG = "tag:yaml.org,2002:"
"""The prefix of YAML's own tags: ``!!str`` is this prefix and ``str``."""
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
"""A number in JSON's notation."""
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Wrong(ValueError):
    """A mistake in a YAML text, and the remedy: a sentence without the place."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


def meant(text: str, line: int) -> Any:
    """The value of a plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.match(text):
        if len(text) > 20 or not LEAST_WHOLE <= int(text) <= MOST_WHOLE:
            raise Wrong(line, f"{short(text)} has more than 64 bits and would lose digits. Put quotes around it.")
        return int(text)
    if NUMBER.match(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise Wrong(line, f"the number {short(text)} is too large. Put quotes around it if it is a text.")
        return number
    if _ENDLESS.match(text):
        raise Wrong(line, f"{text} is not a finite number. Put quotes around it if it is a text.")
    return text


def tagged(text: str, tag: str, line: int) -> bool | int | float | None:
    """The value of a scalar with a tag."""
    value: Any = meant(text, line)
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "bool": (bool,), "null": (type(None),)}
    kind = kinds.get(tag.removeprefix(TAG))
    if kind is None:
        raise Wrong(line, no_tag(tag))
    if type(value) not in kind:
        raise Wrong(line, f"!!{tag.removeprefix(TAG)} {short(text)}: the text is not of that kind. Take the tag off.")
    return float(value) if kind == (float, int) else value


def no_tag(tag: str) -> str:
    """The message for a tag that is not supported."""
    shown = f"!!{tag.removeprefix(TAG)}" if tag.startswith(TAG) else tag
    return f"the tag {short(shown)} is not supported: values are those of JSON. Take it off."


def short(text: str, width: int = 60) -> str:
    """Shorten a text for a message."""
    return text if len(text) <= width else text[: width - 1] + "…"

"""The output of this process: every text passes :func:`shown` here, once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TextIO, TypeVar, cast

from distilltest.untrusted import visible
from distilltest.untrusted.secrets import mask

T = TypeVar("T")


def shown(text: str) -> str:
    """A text for display: without secrets and control characters."""
    return visible.visible(mask(text))


def shown_line(text: str) -> str:
    """The same, in one line."""
    return visible.inline(mask(text))


def mapped(value: T, change: Callable[[str], str]) -> T:
    """Apply ``change`` to every text in dataclasses, mappings (keys too) and sequences.

    >>> mapped({"a": ("b", 1)}, str.upper)
    {'A': ('B', 1)}
    """
    return cast("T", _mapped(value, change))


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_mapped(key, change): _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_mapped(each, change) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _mapped(getattr(value, each.name), change) for each in fields(value)})
    return value


class ShownStream:
    """A text stream that writes only :func:`shown` text; it passes other methods on to its stream."""

    def __init__(self, stream: TextIO) -> None:
        self.raw = stream

    def write(self, text: str) -> int:
        """Write a text; return the length that the caller gave."""
        self.raw.write(shown(text))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def raw(stream: Any) -> TextIO:
    """The underlying stream, for code that moves the cursor; it passes texts to :func:`shown_line` first."""
    return cast("TextIO", stream.raw if isinstance(stream, ShownStream) else stream)


@contextmanager
def shown_output() -> Iterator[None]:
    """Make standard output and standard error write only :func:`shown` text."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", ShownStream(raw(stream))) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before

"""Where texts leave this process: each passes :func:`shown` here, once, whoever wrote it."""

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
    """A text as people see it: without secrets, without control characters."""
    return visible.visible(mask(text))


def shown_line(text: str) -> str:
    """The same in one line."""
    return visible.inline(mask(text))


def mapped(value: T, change: Callable[[str], str]) -> T:
    """A value in which every text is changed: of dataclasses, mappings and sequences, keys included.

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
    """A text stream that shows only :func:`shown` text; everything else is the stream's that it writes to."""

    def __init__(self, stream: TextIO) -> None:
        self.raw = stream

    def write(self, text: str) -> int:
        """Write a text; the caller is told of as many characters as it gave."""
        self.raw.write(shown(text))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write several."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def raw(stream: Any) -> TextIO:
    """The terminal behind a stream, for what moves its cursor on purpose; texts in it pass :func:`shown_line` first."""
    return cast("TextIO", stream.raw if isinstance(stream, ShownStream) else stream)


@contextmanager
def shown_output() -> Iterator[None]:
    """Standard output and standard error show only :func:`shown` text, whoever writes to them."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", ShownStream(raw(stream))) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before

"""A value read from a file, with the lines of its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from distilltest.errors import at

DEEPEST = 100
"""The deepest nesting of lists and objects. Deeper nesting is a mistake, or an attack on recursive code."""
LEAST_WHOLE, MOST_WHOLE = -(2**63), 2**64 - 1
"""The range of whole numbers that JSON writers and databases keep; others would silently lose digits."""

Step = str | int


@dataclass(frozen=True, slots=True)
class Tree:
    """The value of a file, and the line of each part of it."""

    value: Any
    """A JSON value."""
    shown: str
    """The file's name in errors."""
    _find: Callable[[tuple[Step, ...]], int] = field(repr=False)
    """The line of the value at a path, or of its nearest ancestor."""

    def line(self, *steps: Step) -> int:
        """The line on which a part begins; a field of an object begins with its key.

        Args:
            steps: Keys and indices from the root to the part.
        """
        return self._find(steps)

    def place(self, *steps: Step) -> str:
        """File and line of a part, to begin an error with."""
        return at(self.shown, self._find(steps))


def kind_of(value: Any) -> str:
    """The kind of a JSON value, in words.

    >>> kind_of([]), kind_of(None), kind_of(1.5)
    ('a list', 'null', 'a number')
    """
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")

"""A value that was read from a file, with the lines of its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from distilltest.errors import at

DEEPEST = 100
"""Lists and objects within each other. What is deeper is a mistake, or an attack on whoever walks through it."""
LEAST_WHOLE, MOST_WHOLE = -(2**63), 2**64 - 1
"""Whole numbers that JSON writers and databases carry; others would silently lose digits."""

Step = str | int


@dataclass(frozen=True, slots=True)
class Tree:
    """What a file says, and where it says it."""

    value: Any
    """A value of JSON."""
    shown: str
    """What errors call the file."""
    _find: Callable[[tuple[Step, ...]], int] = field(repr=False)
    """The line of the part at a path, or of the nearest part above it."""

    def line(self, *steps: Step) -> int:
        """The line that a part begins on: an object's field begins with its key.

        Args:
            steps: Keys and indices from the whole to the part.
        """
        return self._find(steps)

    def place(self, *steps: Step) -> str:
        """File and line of a part, as errors begin."""
        return at(self.shown, self._find(steps))


def kind_of(value: Any) -> str:
    """What a JSON value is, in words.

    >>> kind_of([]), kind_of(None), kind_of(1.5)
    ('a list', 'null', 'a number')
    """
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")

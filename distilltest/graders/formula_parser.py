"""Parsing a formula by recursive descent; nothing is executed as Python.

The grammar, loosest binding first; ``^`` binds tighter than a sign (``-2^2`` is -4) and to the right (``2^3^2`` is 512)::

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/") signed)*
    signed  = ("+" | "-") signed | power
    power   = atom ("^" signed)?
    atom    = number | name | function "(" sum ("," sum)* ")" | "(" sum ")"
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn

from distilltest.errors import SuiteError
from distilltest.graders.text import quote

SEVERAL = ("min", "max")
"""Functions of one or more numbers."""
SINGLE = ("abs", "floor", "ceil", "exp", "sqrt", "log")
"""Functions of one number."""
FUNCTIONS = (*SEVERAL, *SINGLE)
"""All functions, the same as OpenAI's."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[^\W\d]\w*)|(?P<sign>[-+*/^(),]))"
)
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the calculation in postfix order: put a number or a name's value on the stack, or operate on its top."""

    what: str
    """The operator, function, name or number as written."""
    position: int
    """Its position in the formula, from 0."""
    takes: int = 0
    """The number of values that it takes from the stack."""
    number: float | None = None
    """The number, None for other steps."""


def parse(text: str) -> tuple[Step, ...]:
    """Parse a formula.

    Raises:
        SuiteError: The formula is invalid; the message names the position.

    >>> [step.what for step in parse("1 + 2 * a")]
    ['1', '2', 'a', '*', '+']
    """
    return _Parser(text).steps()


def fail(text: str, position: int, why: str) -> NoReturn:
    """Raise a SuiteError for a position in a formula."""
    raise SuiteError(message(text, position, why))


def message(text: str, position: int, why: str) -> str:
    """The message for a position in a formula."""
    return f"formula {quote(text)}, column {position + 1}: {why}."


class _Parser:
    """One method for each rule of the grammar; each appends the steps of its part."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._next = 0
        self._depth = 0
        self._steps: list[Step] = []

    def steps(self) -> tuple[Step, ...]:
        self._sum()
        kind, token, position = self._tokens[self._next]
        if kind != "end":
            self._fail(position, f"{token!r} stands where an operator or the end was expected")
        return tuple(self._steps)

    def _split(self) -> list[tuple[str, str, int]]:
        tokens, position, end = [], 0, len(self._text.rstrip())
        while position < end:
            match = _TOKEN.match(self._text, position)
            kind = match.lastgroup if match else None
            if match is None or kind is None or (kind == "name" and not match[kind].isidentifier()):
                while self._text[position].isspace():
                    position += 1
                self._fail(position, f"{self._text[position]!r} has no meaning in a formula")
            tokens.append((kind, match[kind], match.start(kind)))
            position = match.end()
        return [*tokens, ("end", "", end)]

    def _fail(self, position: int, why: str) -> NoReturn:
        fail(self._text, position, why)

    def _take(self, *signs: str) -> tuple[str, int] | None:
        """The next token and its position, if it is one of these signs."""
        kind, token, position = self._tokens[self._next]
        if kind != "sign" or token not in signs:
            return None
        self._next += 1
        return token, position

    def _sum(self) -> None:
        self._product()
        while taken := self._take("+", "-"):
            self._product()
            self._steps.append(Step(*taken, takes=2))

    def _product(self) -> None:
        self._signed()
        while taken := self._take("*", "/"):
            self._signed()
            self._steps.append(Step(*taken, takes=2))

    def _signed(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail(self._tokens[self._next][2], f"nested deeper than {_DEEPEST} levels")
        if taken := self._take("+", "-"):
            self._signed()
            self._steps.append(Step(*taken, takes=1))
        else:
            self._power()
        self._depth -= 1

    def _power(self) -> None:
        self._atom()
        if taken := self._take("^"):
            self._signed()
            self._steps.append(Step(*taken, takes=2))

    def _atom(self) -> None:
        if opened := self._take("("):
            self._sum()
            self._close(opened[1])
            return
        kind, text, position = self._tokens[self._next]
        if kind == "number":
            if math.isinf(float(text)):
                self._fail(position, f"{text} is too large")
            self._next += 1
            self._steps.append(Step(text, position, number=float(text)))
        elif kind == "name":
            self._next += 1
            self._name(text, position)
        else:
            found = f"{text!r} stands" if text else "the formula ends"
            self._fail(position, f'{found} where a number, a name or "(" was expected')

    def _name(self, name: str, position: int) -> None:
        opened = self._take("(")
        if opened is None:
            if name in FUNCTIONS:
                self._fail(position, f"{name} is a function; write {name}(…)")
            self._steps.append(Step(name, position))
            return
        if name not in FUNCTIONS:
            self._fail(position, f"there is no function {name!r}; the functions are {', '.join(FUNCTIONS)}")
        self._sum()
        takes = 1
        while self._take(","):
            self._sum()
            takes += 1
        self._close(opened[1])
        if name in SINGLE and takes != 1:
            self._fail(position, f"{name} takes one number, not {takes}")
        self._steps.append(Step(name, position, takes))

    def _close(self, opened: int) -> None:
        if not self._take(")"):
            _, text, position = self._tokens[self._next]
            found = f"{text!r} stands" if text else "the formula ends"
            self._fail(position, f'{found} where the ")" of column {opened + 1} was expected')

"""Formulas over named numbers, as in OpenAI's ``multi`` grader."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from distilltest.errors import NO_SCORE, GraderFailed
from distilltest.graders.formula_parser import Step, fail, message, parse

_SIGNS: dict[str, Callable[[float], float]] = {"+": operator.pos, "-": operator.neg}
_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": math.pow,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": lambda *numbers: min(numbers),
    "max": lambda *numbers: max(numbers),
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
}


@dataclass(frozen=True)
class Formula:
    """A parsed formula."""

    text: str
    steps: tuple[Step, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the formula, each once, in order."""
        return tuple(dict.fromkeys(step.what for step in self.steps if step.number is None and not step.takes))

    def value(self, values: Mapping[str, float]) -> float:
        """The value of the formula for these numbers, which is finite.

        Raises:
            SuiteError: A name has no value.
            GraderFailed: A division by zero, an invalid root or logarithm, or a result that is too large. The message names
                the position.

        >>> formula("max(a, b) / (a + b)").value({"a": 1, "b": 3})
        0.75
        """
        stack: list[float] = []
        for step in self.steps:
            if step.number is not None:
                stack.append(step.number)
            elif step.takes:
                numbers = stack[-step.takes :]
                del stack[-step.takes :]
                stack.append(self._operate(step, numbers))
            elif step.what in values:
                stack.append(float(values[step.what]))
            else:
                fail(
                    self.text, step.position, f"there is no {step.what!r}; the names are {', '.join(values) or 'none'}"
                )
        return stack.pop()

    def _operate(self, step: Step, numbers: list[float]) -> float:
        function = _FUNCTIONS.get(step.what) or (_SIGNS if step.takes == 1 else _OPERATORS)[step.what]
        try:
            result = float(function(*numbers))
        except ZeroDivisionError:
            self._fail(step, f"{numbers[0]:g} is divided by zero; guard it: a / max(b, 0.001)")
        except (ValueError, OverflowError):
            result = math.nan
        if not math.isfinite(result):
            shown = ", ".join(f"{number:g}" for number in numbers)
            self._fail(step, f"{step.what!r} of {shown} is not a number")
        return result

    def _fail(self, step: Step, why: str) -> NoReturn:
        """Raise for these values; other values may work."""
        raise GraderFailed(message(self.text, step.position, why), kind=NO_SCORE)


@lru_cache(maxsize=256)
def formula(text: str) -> Formula:
    """Parse a formula with ``+ - * / ^``, parentheses, ``min max abs floor ceil exp sqrt log`` (natural) and names.

    Raises:
        SuiteError: The formula is invalid; the message names the position.

    >>> formula("0.5 * name + 0.5 * email").names
    ('name', 'email')
    """
    return Formula(text, parse(text))

"""Rules that ``distilltest.yaml`` declares, for evaluations whose suite gives none."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from distilltest.errors import SuiteError
from distilltest.gate.levels import always, at_least, preferred_to
from distilltest.gate.paired import better_than, critical_slice, not_worse_than
from distilltest.gate.rule import Rule
from distilltest.gate.shares import costs_at_most, faster_than, recovers
from distilltest.gate.slices import no_slice_regresses

RULES: dict[str, Callable[..., Rule]] = {
    rule.__name__: rule
    for rule in (
        better_than,
        not_worse_than,
        at_least,
        always,
        recovers,
        no_slice_regresses,
        critical_slice,
        costs_at_most,
        faster_than,
        preferred_to,
    )
}
"""Name → what makes the rule."""


def rules_from(declared: Sequence[tuple[str, Any, str]]) -> tuple[Rule, ...]:
    """The rules that a configuration declares.

    Args:
        declared: Name, argument and place of each rule. The argument is a mapping of the function's arguments, the value of
            its first one, or None for none.

    Raises:
        SuiteError: There is no such rule, or its arguments are wrong; the message begins with the place.

    >>> [rule.describe() for rule in rules_from([("better_than", "base", ""), ("at_least", {"score": 0.9}, "")])]
    ['better than base', 'candidate at least 90 %']
    """
    return tuple(_rule(*each) for each in declared)


def _rule(name: str, argument: Any, place: str) -> Rule:
    make = RULES.get(name)
    if make is None:
        raise SuiteError(f"{place}: there is no rule {name!r}; there are {', '.join(RULES)}.")
    try:
        if isinstance(argument, Mapping):
            inspect.signature(make).bind(**argument)
            return make(**argument)
        given = [] if argument is None else [argument]
        inspect.signature(make).bind(*given)
        return make(*given)
    except TypeError as error:
        takes = ", ".join(inspect.signature(make).parameters)
        raise SuiteError(
            f"{place}: {name}: {error}; it takes {takes}. Write {name}: {{{takes.split(', ')[0]}: …}}."
        ) from None
    except SuiteError as error:
        raise SuiteError(f"{place}: {error}") from None

"""Rules that ``distilltest.yaml`` declares, for evaluations whose suite gives none."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from distilltest.errors import SuiteError
from distilltest.gate.rule import Rule

RULES = {
    "better_than": "paired",
    "not_worse_than": "paired",
    "at_least": "levels",
    "always": "levels",
    "recovers": "shares",
    "no_slice_regresses": "slices",
    "critical_slice": "paired",
    "costs_at_most": "shares",
    "faster_than": "shares",
    "preferred_to": "levels",
}
"""Name → the module of this package with the function that makes the rule, which is imported when a suite asks for it."""


def rule_of(name: str) -> Callable[..., Rule]:
    """The function of ``RULES`` that makes a rule.

    >>> rule_of("at_least")(0.9).describe()
    'candidate at least 90 %'
    """
    make: Callable[..., Rule] = getattr(import_module(f"distilltest.gate.{RULES[name]}"), name)
    return make


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
    if name not in RULES:
        raise SuiteError(f"{place}: there is no rule {name!r}; there are {', '.join(RULES)}.")
    make = rule_of(name)
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

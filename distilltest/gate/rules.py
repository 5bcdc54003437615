"""Rules by name, and the rules that ``distilltest.yaml`` declares for evaluations without a ``gate=``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from distilltest import RULES
from distilltest.errors import SuiteError
from distilltest.gate.rule import Rule


def rule_of(name: str) -> Callable[..., Rule]:
    """The function that makes a rule.

    >>> rule_of("at_least")(0.9).describe()
    'candidate at least 90 %'
    """
    make: Callable[..., Rule] = getattr(import_module(RULES[name]), name)
    return make


def rules_from(declared: Sequence[tuple[str, Any, str]]) -> tuple[Rule, ...]:
    """The rules that a configuration declares.

    Args:
        declared: Name, argument and place of each rule. The argument is a mapping of the function's arguments, the value of
            the first one, or None for no arguments.

    Raises:
        SuiteError: There is no such rule, or its arguments are wrong. The message begins with the place.

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

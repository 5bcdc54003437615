"""The gate: rules, which are statistical claims about the candidate, and the verdict on them. All functions are pure."""

from __future__ import annotations

from collections.abc import Callable

from distilltest import RULES
from distilltest.gate.decide import decide
from distilltest.gate.figures import points
from distilltest.gate.interim import InterimAnalyses
from distilltest.gate.rule import Rule
from distilltest.gate.rules import rule_of, rules_from
from distilltest.gate.verdict import RuleVerdict, Status, Verdict, combine

__all__ = [
    "InterimAnalyses",
    "Rule",
    "RuleVerdict",
    "Status",
    "Verdict",
    "combine",
    "decide",
    "points",
    "rules_from",
]


def __getattr__(name: str) -> Callable[..., Rule]:
    """A rule's function: its module is imported when a suite uses the rule."""
    if name not in RULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return rule_of(name)

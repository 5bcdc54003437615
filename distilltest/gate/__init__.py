"""The gate: rules that are statistical claims, and the verdict on them. Pure functions; nothing is printed here.

A rule's module is imported when a suite takes the rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from distilltest.gate.decide import decide
from distilltest.gate.declared import RULES, rule_of, rules_from
from distilltest.gate.figures import points
from distilltest.gate.interim import InterimAnalyses
from distilltest.gate.rule import Rule
from distilltest.gate.verdict import RuleVerdict, Status, Verdict, combine

if TYPE_CHECKING:
    from distilltest.gate.levels import always, at_least, preferred_to
    from distilltest.gate.paired import better_than, critical_slice, not_worse_than
    from distilltest.gate.shares import costs_at_most, faster_than, recovers
    from distilltest.gate.slices import no_slice_regresses

__all__ = [
    "InterimAnalyses",
    "Rule",
    "RuleVerdict",
    "Status",
    "Verdict",
    "always",
    "at_least",
    "better_than",
    "combine",
    "costs_at_most",
    "critical_slice",
    "decide",
    "faster_than",
    "no_slice_regresses",
    "not_worse_than",
    "points",
    "preferred_to",
    "recovers",
    "rules_from",
]


def __getattr__(name: str) -> Callable[..., Rule]:
    if name not in RULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return rule_of(name)

"""A pytest-style evaluation and regression framework for model distillation.

A suite needs only these names. They are imported on first use, so that a pytest session without evaluations starts fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distilltest.errors import GraderFailed as GraderFailed
    from distilltest.evaluations.declaration import evaluation as evaluation
    from distilltest.gate.decide import decide as decide
    from distilltest.gate.levels import always as always
    from distilltest.gate.levels import at_least as at_least
    from distilltest.gate.levels import preferred_to as preferred_to
    from distilltest.gate.paired import better_than as better_than
    from distilltest.gate.paired import critical_slice as critical_slice
    from distilltest.gate.paired import not_worse_than as not_worse_than
    from distilltest.gate.shares import costs_at_most as costs_at_most
    from distilltest.gate.shares import faster_than as faster_than
    from distilltest.gate.shares import recovers as recovers
    from distilltest.gate.slices import no_slice_regresses as no_slice_regresses
    from distilltest.pytest_plugin.fixtures.custom import grader as grader
    from distilltest.records import Case as Case
    from distilltest.records import Completion as Completion
    from distilltest.records import Grade as Grade

__version__ = "0.1.0"

RULES = {
    "better_than": "distilltest.gate.paired",
    "not_worse_than": "distilltest.gate.paired",
    "at_least": "distilltest.gate.levels",
    "always": "distilltest.gate.levels",
    "recovers": "distilltest.gate.shares",
    "no_slice_regresses": "distilltest.gate.slices",
    "critical_slice": "distilltest.gate.paired",
    "costs_at_most": "distilltest.gate.shares",
    "faster_than": "distilltest.gate.shares",
    "preferred_to": "distilltest.gate.levels",
}
"""The rules of a gate and their modules. ``distilltest.yaml``, its schema and the reference take their rules from here."""
_HOME = RULES | {
    "evaluation": "distilltest.evaluations.declaration",
    "decide": "distilltest.gate",
    "grader": "distilltest.pytest_plugin.fixtures.custom",
    "GraderFailed": "distilltest.errors",
    "Case": "distilltest.records",
    "Completion": "distilltest.records",
    "Grade": "distilltest.records",
}

__all__ = [
    "Case",
    "Completion",
    "Grade",
    "GraderFailed",
    "__version__",
    "always",
    "at_least",
    "better_than",
    "costs_at_most",
    "critical_slice",
    "decide",
    "evaluation",
    "faster_than",
    "grader",
    "no_slice_regresses",
    "not_worse_than",
    "preferred_to",
    "recovers",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'distilltest' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)

"""A pytest-style evaluation and regression framework for model distillation.

A suite needs these names only; everything else is in the modules that are named for it. They are imported when they
are used, so that a pytest session without evaluations does not pay for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distilltest.errors import GraderFailed as GraderFailed
    from distilltest.evaluations.declaration import evaluation as evaluation
    from distilltest.gate import always as always
    from distilltest.gate import at_least as at_least
    from distilltest.gate import better_than as better_than
    from distilltest.gate import costs_at_most as costs_at_most
    from distilltest.gate import critical_slice as critical_slice
    from distilltest.gate import decide as decide
    from distilltest.gate import faster_than as faster_than
    from distilltest.gate import no_slice_regresses as no_slice_regresses
    from distilltest.gate import not_worse_than as not_worse_than
    from distilltest.gate import preferred_to as preferred_to
    from distilltest.gate import recovers as recovers
    from distilltest.pytest_plugin.fixtures.own import grader as grader
    from distilltest.records import Case as Case
    from distilltest.records import Completion as Completion
    from distilltest.records import Grade as Grade

__version__ = "0.1.0"

_HOME = {
    "evaluation": "distilltest.evaluations.declaration",
    "at_least": "distilltest.gate",
    "recovers": "distilltest.gate",
    "no_slice_regresses": "distilltest.gate",
    "faster_than": "distilltest.gate",
    "decide": "distilltest.gate",
    "critical_slice": "distilltest.gate",
    "costs_at_most": "distilltest.gate",
    "always": "distilltest.gate",
    "better_than": "distilltest.gate",
    "not_worse_than": "distilltest.gate",
    "preferred_to": "distilltest.gate",
    "grader": "distilltest.pytest_plugin.fixtures.own",
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

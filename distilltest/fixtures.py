"""The fixtures that a test function of an evaluation takes: ``case``, ``completion`` and the graders.

They are bound anew for each call of the body. ``pytest --fixtures`` shows their docstrings.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from distilltest.grading import PerCall
    from distilltest.records import Grade

# Everything else is imported where it is used: this module is loaded by every pytest session on the machine.


@pytest.fixture
def case() -> PerCall:
    """The case: ``case.id``, ``case.item`` (the row), ``case.reference``, ``case.tags``, ``case.cluster``."""
    from distilltest.grading import PER_CALL_CASE

    return PER_CALL_CASE


@pytest.fixture
def completion() -> PerCall:
    """What a role answered: ``completion.text``, ``.tool_calls``, ``.finish_reason``, ``.refusal``, ``.usage``, ``.latency``."""
    from distilltest.grading import PER_CALL_COMPLETION

    return PER_CALL_COMPLETION


class ExactMatch:
    """Records an ``exact_match`` grade."""

    def __call__(self, answer: str, expected: Any, *, alternatives: list[str] | None = None, **options: bool) -> Grade:
        """Grade and record; the case's own alternatives count where ``expected`` is its reference."""
        from distilltest.graders import exact_match
        from distilltest.grading import current, record

        case = current().case
        reference = current().need("exact_match", expected)
        if alternatives is None:
            alternatives = list(case.alternatives) if expected == case.reference else []
        return record(exact_match(answer, reference, alternatives=alternatives, **options))


class StringCheck:
    """Records a ``string_check`` grade."""

    def __call__(self, answer: str, reference: Any, operation: Any = "eq") -> Grade:
        """Grade and record."""
        from distilltest.graders import string_check
        from distilltest.grading import current, record

        return record(string_check(answer, current().need("string_check", reference), operation))


class JsonSchema:
    """Records a ``json_schema`` grade."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, answer: str, schema: dict[str, Any] | str | Path, *, code_fence: bool = False) -> Grade:
        """Grade and record; the path of a schema is relative to the folder of distilltest.yaml."""
        from distilltest.graders import json_schema
        from distilltest.grading import record

        where = self._root / schema if isinstance(schema, str | Path) else schema
        return record(json_schema(answer, where, code_fence=code_fence))


@pytest.fixture
def exact_match() -> ExactMatch:
    """``exact_match(completion.text, case.reference)``: the same text, or one of the case's alternatives.

    Options: ``ignore_case``, ``ignore_space``, ``unicode``, ``code_fence`` (all off), ``alternatives=[...]``.
    """
    return ExactMatch()


@pytest.fixture
def string_check() -> StringCheck:
    """``string_check(completion.text, case.reference, "eq")``: ``eq``, ``ne``, ``like`` (contains) or ``ilike``."""
    return StringCheck()


@pytest.fixture
def json_schema(pytestconfig: pytest.Config) -> JsonSchema:
    """``json_schema(completion.text, {...})``: JSON that the schema (an object, or a file's path) accepts."""
    return JsonSchema(pytestconfig.rootpath)

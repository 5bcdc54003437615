"""Which roles a test function compares the candidate with, read from its source: their answers are asked for with all others."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

GRADER = "preference"


def compared_roles(body: Callable[..., Any]) -> tuple[str, ...]:
    """The roles that stand as texts in calls of ``preference``; one that is computed is asked when it is needed."""
    return tuple(dict.fromkeys(_roles(source_of(body))))


def source_of(body: Callable[..., Any]) -> ast.Module:
    """The parsed source of a function; empty where there is none to be had."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(body)))
    except (OSError, SyntaxError, TypeError):
        return ast.Module([], [])


def _roles(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == GRADER:
            named = [keyword.value for keyword in node.keywords if keyword.arg == "role"]
            for value in [*node.args[:1], *named]:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value

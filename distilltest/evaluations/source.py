"""Reading a test function's source before it is called: the roles that it compares, and what it requires of judges."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any


def compared_roles(body: Callable[..., Any]) -> tuple[str, ...]:
    """The roles named by string literals in calls of ``preference``. A computed role is asked when it is needed."""
    return tuple(dict.fromkeys(_roles(_parsed(body))))


def demands_agreement(body: Callable[..., Any]) -> bool:
    """Whether any call passes ``requires_agreement=``."""
    return any(isinstance(node, ast.keyword) and node.arg == "requires_agreement" for node in ast.walk(_parsed(body)))


def _parsed(body: Callable[..., Any]) -> ast.Module:
    """The parsed source of a function; empty if the source is not available."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(body)))
    except (OSError, SyntaxError, TypeError):
        return ast.Module([], [])


def _roles(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "preference":
            named = [keyword.value for keyword in node.keywords if keyword.arg == "role"]
            for value in [*node.args[:1], *named]:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value

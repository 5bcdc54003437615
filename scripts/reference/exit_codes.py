"""Generates the page of exit codes from the constants in the module and the docstrings beneath them."""

from __future__ import annotations

import ast
import inspect
import itertools

from distilltest import exit_codes
from scripts.reference.markdown import docstring, table


def page() -> str:
    """The page."""
    body = ast.parse(inspect.getsource(exit_codes)).body
    codes: dict[int, list[tuple[str, str]]] = {}
    for statement, after in itertools.pairwise(body):
        if not isinstance(statement, ast.Assign) or not isinstance(after, ast.Expr):
            continue
        name = ast.unparse(statement.targets[0])
        code = getattr(exit_codes, name)
        if isinstance(code, int):
            codes.setdefault(code, []).append((name, ast.literal_eval(after.value)))
    rows = [(code, f"`{name}`", docstring(said)) for code, found in sorted(codes.items()) for name, said in found]
    summary, _, more = (inspect.getdoc(exit_codes) or "").partition("\n\n")
    parts = ("# Exit codes", docstring(summary), table(("code", "name", "meaning"), rows), docstring(more))
    return "\n\n".join(part.strip() for part in parts)

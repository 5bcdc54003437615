"""Generates the page of the public Python API from docstrings."""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import distilltest
from distilltest import errors, gate, graders
from distilltest.gate.rules import RULES
from scripts.reference.markdown import docstring, inline

INTRODUCTION = """\
# Python API

Everything that `distilltest` exports, the parts of a verdict, and the graders as plain functions. Names that are not on this page
may change without notice.
"""
VALUES = ("Verdict", "RuleVerdict", "Status")
"""The classes that make up the result of ``decide``."""


def signature(function: Any, name: str, *, skip_first: bool = False) -> str:
    """The signature of a function, with one parameter per line if it is long."""
    found = inspect.signature(function)
    inner: list[str] = []
    for each in list(found.parameters.values())[1 if skip_first else 0 :]:
        if each.kind is each.KEYWORD_ONLY and not any(word.startswith("*") for word in inner):
            inner.append("*")
        star = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
        default = "" if each.default is each.empty else f" = {each.default!r}"
        inner.append(f"{star}{each.name}{_annotation(': ', each.annotation)}{default}")
    returned = _annotation(" -> ", found.return_annotation)
    line = f"{name}({', '.join(inner)}){returned}"
    return line if len(line) <= 100 else "\n".join((f"{name}(", *(f"    {each}," for each in inner), f"){returned}"))


def _annotation(before: str, annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    return before + (annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation)))


def fields(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the fields of a class, each with the docstring beneath it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(tree, ast.ClassDef)
    for statement, after in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.AnnAssign):
            name = ast.unparse(statement.target)
            default = f" = {ast.unparse(statement.value)}" if statement.value else ""
            shown = f"{name}: {ast.unparse(statement.annotation)}{default}"
        elif isinstance(statement, ast.Assign) and issubclass(kind, enum.Enum):
            name = shown = ast.unparse(statement)
        else:
            continue
        text = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        if not name.startswith("_"):
            yield shown, " ".join(str(text).split())


def methods(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the public methods and properties of a class, each with its docstring."""
    for name, member in vars(kind).items():
        function = getattr(member, "fget", None) or getattr(member, "func", None) or member
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        call = signature(function, name, skip_first=True) if function is member else name
        yield call, docstring(inspect.getdoc(function) or "")


def described(name: str, found: Any) -> str:
    """The section of a name."""
    parts = [f"### `{name}`"]
    if not inspect.isclass(found):
        parts += [f"```text\n{signature(found, name)}\n```", docstring(inspect.getdoc(found) or "")]
        return "\n\n".join(parts)
    parts.append(docstring(inspect.getdoc(found) or ""))
    if dataclasses.is_dataclass(found) or issubclass(found, enum.Enum):
        parts.append("\n".join(f"- `{shown}`" + (f": {inline(text)}" if text else "") for shown, text in fields(found)))
    for call, text in methods(found):
        parts += [f"**`{call}`**" if "\n" not in call else f"```text\n{call}\n```", text]
    return "\n\n".join(part for part in parts if part)


def tree(kind: type, depth: int = 0) -> Iterator[str]:
    """Yield one line for an error class and for each of its subclasses in the module of errors."""
    summary = (inspect.getdoc(kind) or "").partition("\n")[0]
    yield f"{'    ' * depth}- `{kind.__name__}`: {inline(summary)}"
    below: type
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below, depth + 1)


def public() -> dict[str, Any]:
    """The names that have a section: name → function or class."""
    found = {name: getattr(distilltest, name) for name in distilltest.__all__ if name != "__version__"}
    return (
        found
        | {name: getattr(gate, name) for name in VALUES}
        | {name: getattr(graders, name) for name in graders.__all__}
    )


def unexplained(found: Any) -> list[str]:
    """The parameters of a function, or the fields of a class, without documentation."""
    if not inspect.isclass(found):
        text = inspect.getdoc(found) or ""
        names = inspect.signature(found).parameters
        return [name for name in names if not re.search(rf"^ +\*{{0,2}}{name}: ", text, re.MULTILINE)]
    if dataclasses.is_dataclass(found) or issubclass(found, enum.Enum):
        return [shown for shown, text in fields(found) if not text]
    return []


def page() -> str:
    """The page."""
    exported = public()
    rest = [name for name in distilltest.__all__ if name in exported and name not in RULES and name != "GraderFailed"]
    parts = [INTRODUCTION.strip(), "## Declaring evaluations, and values"]
    parts += [described(name, exported[name]) for name in rest]
    parts += [described(name, getattr(gate, name)) for name in VALUES]
    parts += ["## Rules", "The rules of a gate. [The gate](gate.md) explains the tests behind them."]
    parts += [described(name, exported[name]) for name in RULES]
    parts += [
        "## Grader functions",
        "Import them from `distilltest.graders`. Suites use the [fixtures](pytest.md#fixtures) of the same names.",
    ]
    parts += [described(name, getattr(graders, name)) for name in graders.__all__]
    parts += [
        "## Errors",
        "\n".join(tree(errors.DistilltestError)),
        described("GraderFailed", distilltest.GraderFailed),
    ]
    return "\n\n".join(parts)

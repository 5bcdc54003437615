"""Generates the page of the pytest plugin: options, ini values, fixtures."""

from __future__ import annotations

import argparse
import inspect
import typing
from collections.abc import Iterator

import pytest

from distilltest import graders, pytest_plugin
from distilltest.pytest_plugin import fixtures
from distilltest.pytest_plugin.fixtures import deterministic, judged
from distilltest.pytest_plugin.fixtures.deterministic import RecordedGrader
from scripts.reference.commands import described, named
from scripts.reference.markdown import docstring, table
from scripts.reference.python_api import signature

INTRODUCTION = """\
# pytest options and fixtures

The plugin comes with distilltest and does nothing until pytest collects an evaluation. `pytest --help` and
`pytest --fixtures` print the same in the terminal.

A run never promotes if `--limit`, `--tag`, `--case` or `-k` leaves out cases, or if `-m` or `--deselect` leaves out evaluations.
"""


class Recorder:
    """Stands in for pytest's parser, and records the plugin's options."""

    def __init__(self) -> None:
        self.options = argparse.ArgumentParser(add_help=False)
        self.ini: list[tuple[str, str, object]] = []

    def getgroup(self, name: str, description: str = "", after: str | None = None) -> Recorder:
        """Return the parser itself as the group."""
        return self

    def addoption(self, *names: str, **attributes: typing.Any) -> None:
        """Record an option."""
        self.options.add_argument(*names, **attributes)

    def addini(self, name: str, help: str, type: object = None, default: object = None) -> None:  # noqa: A002
        """Record a value of pytest's configuration file."""
        self.ini.append((name, help, default))


def fixture_functions() -> Iterator[tuple[str, typing.Any]]:
    """Yield the name and the function of each of the plugin's fixtures."""
    for name in ("case", "completion", *fixtures.GRADERS):
        yield name, inspect.unwrap(getattr(fixtures, name))


def called(function: typing.Any) -> str:
    """The signature of a grader fixture's value; empty for a fixture that is a plain value."""
    if function.__name__ not in fixtures.GRADERS:
        return ""
    returned = inspect.get_annotations(function)["return"].rpartition(".")[2]
    if returned == RecordedGrader.__name__:
        return signature(getattr(graders, function.__name__), function.__name__)
    kind = getattr(deterministic, returned, None) or getattr(judged, returned)
    return signature(kind.__call__, function.__name__, skip_first=True)


def page() -> str:
    """The page."""
    declared = Recorder()
    pytest_plugin.pytest_addoption(typing.cast("pytest.Parser", declared))
    options = table(("option", ""), ((named(each), described(each)) for each in declared.options._actions))
    ini = table(("value", "", "default"), ((f"`{name}`", said, f"`{default}`") for name, said, default in declared.ini))
    parts = [INTRODUCTION, "## Options", options, "## Values in pytest's configuration file"]
    parts.append(ini or "None. distilltest is configured by [distilltest.yaml](configuration.md).")
    parts += ["## Fixtures", "[Graders](graders.md) has an example of each grader that runs."]
    for name, function in fixture_functions():
        call = called(function)
        parts += [f"### `{name}`", f"```text\n{call}\n```" if call else "", docstring(inspect.getdoc(function) or "")]
    return "\n\n".join(part.strip() for part in parts if part)

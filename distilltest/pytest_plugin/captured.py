"""Makes text safe for the terminal: distilltest's sections, and pytest's tracebacks and captured output."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distilltest.untrusted.edges import shown

if TYPE_CHECKING:
    from distilltest.reporting.formats import Reports

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""The colours that pytest puts into explanations."""


def show_safely(report: Any) -> None:
    """Make the texts of a pytest report safe to show in a terminal or a JUnit file."""
    report.longrepr = _shown(report.longrepr)
    report.sections = [(name, shown(content)) for name, content in report.sections]


def section(reporter: Any, text: str, **markup: bool) -> None:
    """Write a section with distilltest's heading to pytest's terminal."""
    reporter.section("distilltest", sep="=", **markup)
    reporter.write_line(shown(text))


def conclusion(reports: Reports, folder: Path, root: Path) -> str:
    """The summary of a run, and where to read its report."""
    place = folder.relative_to(root) if folder.is_relative_to(root) else folder
    return f"{reports.summary}\n\n{reports.to_read(place)}"


def _shown(value: Any) -> Any:
    """The same representation of an exception, a tree of pytest's classes, with safe texts."""
    if isinstance(value, str):
        return shown(_COLOURS.sub("", value))
    if isinstance(value, list | tuple):
        return type(value)(map(_shown, value))
    if type(value).__module__.startswith("_pytest._code"):
        for name, each in vars(value).items():
            setattr(value, name, _shown(each))
    return value

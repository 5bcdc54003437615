"""The formats of a run's report. A format that fails to render affects no other format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from distilltest.data.whole_files import write_whole
from distilltest.errors import DistilltestError, unexpected
from distilltest.gate import Status
from distilltest.reporting import json, markdown, terminal
from distilltest.reporting.gfm import block
from distilltest.reporting.report import RunReport
from distilltest.untrusted.edges import shown_line

REMEDY = (
    "The results are in the store. Make room or change the permissions, and run again: answers come from the store."
)


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """How a run is rendered into one file, or onto the terminal."""

    name: str
    """The name of the file in the run's folder; for the terminal, its name in errors."""
    render: Callable[[RunReport], bytes]
    fallback: Callable[[Sequence[str]], str] | None = None
    """Renders the verdicts and the errors, one sentence per line, if ``render`` raises."""
    purpose: str = ""
    """How the terminal describes the file below the summary; empty for the main file."""


SUMMARY = ReportFormat(
    "the summary on the terminal",
    lambda run: terminal.summary(run).encode(),
    fallback=lambda lines: "\n".join(map(shown_line, lines)),
)
FILES = (
    ReportFormat("report.md", lambda run: markdown.render(run).encode(), fallback=lambda lines: f"{block(lines)}\n"),
    ReportFormat("report.json", json.render, purpose="the same as data"),
)
"""The files that a run writes. A new format is one more entry."""


@dataclass(frozen=True, slots=True)
class Reports:
    """A run in every format."""

    run: RunReport
    """The run. Its verdict is never ``promote`` if a format could not be rendered, since a reviewer would miss it."""
    files: Mapping[str, bytes]
    """File name → content."""
    summary: str
    """The text for the terminal."""
    broken: tuple[str, ...]
    """A sentence for each format that could not be rendered, which is a bug in distilltest."""

    def write(self, folder: Path, *, private: bool) -> None:
        """Try to write every file.

        Raises:
            StoreError: At least one file cannot be written.
        """
        failed: DistilltestError | None = None
        for name, content in self.files.items():
            try:
                write_whole(folder / name, content, REMEDY, private=private)
            except DistilltestError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def to_read(self, folder: Path) -> str:
        """A line that names the main file, and the others with their purpose."""
        first, *others = [each for each in FILES if each.name in self.files]
        also = "".join(f" ({each.purpose}: {folder / each.name})" for each in others)
        return f"read {folder / first.name}{also}"


def render_all(run: RunReport) -> Reports:
    """Render a run in every format."""
    made, broken = _render_each(run)
    if broken and run.verdict.status is Status.PROMOTE:
        why = f"incomplete: {' and '.join(broken)} could not be made; the evaluations say {run.verdict.sentence}"
        run = replace(run, verdict=replace(run.verdict, status=Status.INCOMPLETE, sentence=why))
        made, broken = _render_each(run)
    problems = tuple(f"{name} could not be made. {why}" for name, why in broken.items())
    if broken:
        verdicts = [run.verdict.sentence, *(f"{each.id}: {each.verdict.sentence}" for each in run.evaluations)]
        for each in (*FILES, SUMMARY):
            if each.name in broken and each.fallback:
                made[each.name] = each.fallback(verdicts if each is SUMMARY else [*verdicts, *problems]).encode()
    summary = made.pop(SUMMARY.name).decode()
    return Reports(run, made, summary, problems)


def _render_each(run: RunReport) -> tuple[dict[str, bytes], dict[str, str]]:
    """The formats that can be rendered, and the error of each that cannot, by name."""
    made, broken = dict[str, bytes](), dict[str, str]()
    for each in (*FILES, SUMMARY):
        try:
            made[each.name] = each.render(run)
        except Exception as error:
            broken[each.name] = unexpected(error)
    return made, broken

"""A run's reports, made one by one: one that cannot be made takes neither the others nor the verdict with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from distilltest.data.whole_files import write_whole
from distilltest.errors import DistilltestError, unexpected
from distilltest.gate import Status
from distilltest.reporting import json, markdown, terminal
from distilltest.reporting.gfm import block
from distilltest.reporting.report import RunReport
from distilltest.untrusted.edges import shown_line

REMEDY = "The results are in the store; make room or change the rights, and run again: nothing is asked twice."


def _markdown(run: RunReport) -> bytes:
    return markdown.render(run).encode()


def _json(run: RunReport) -> bytes:
    return json.render(run)


def _terminal(run: RunReport) -> bytes:
    return terminal.summary(run).encode()


SUMMARY = "the summary on the terminal"
RENDERERS: dict[str, Callable[[RunReport], bytes]] = {
    "report.md": _markdown,
    "report.json": _json,
    SUMMARY: _terminal,
}
"""Name → what makes it; a name with a dot is a file's."""


@dataclass(frozen=True, slots=True)
class Reports:
    """What was made of a run."""

    run: RunReport
    """With a verdict that does not promote where a report could not be made: nobody could review it."""
    files: Mapping[str, bytes]
    """Name → content."""
    summary: str
    """What the terminal shows."""
    broken: tuple[str, ...]
    """A sentence for each report that could not be made: a bug of ours."""

    def write(self, folder: Path, *, private: bool) -> None:
        """Write the files; each is tried.

        Raises:
            StoreError: One cannot be written.
        """
        failed: DistilltestError | None = None
        for name, content in self.files.items():
            try:
                write_whole(folder / name, content, REMEDY, private=private)
            except DistilltestError as error:
                failed = failed or error
        if failed is not None:
            raise failed


def make(run: RunReport) -> Reports:
    """Render a run in every form."""
    made, broken = _tried(run)
    if broken and run.verdict.status is Status.PROMOTE:
        why = f"incomplete: {' and '.join(broken)} could not be made; the evaluations say {run.verdict.sentence}"
        run = replace(run, verdict=replace(run.verdict, status=Status.INCOMPLETE, sentence=why))
        made, broken = _tried(run)
    said = tuple(f"{name} could not be made. {why}" for name, why in broken.items())
    if broken:
        plain = [run.verdict.sentence, *(f"{each.id}: {each.verdict.sentence}" for each in run.evaluations), *said]
        made.setdefault("report.md", f"{block(plain)}\n".encode())
        made.setdefault(SUMMARY, "\n".join(map(shown_line, plain[: -len(said)])).encode())
    files = {name: content for name, content in made.items() if name != SUMMARY}
    return Reports(run, files, made[SUMMARY].decode(), said)


def _tried(run: RunReport) -> tuple[dict[str, bytes], dict[str, str]]:
    """What could be made, and for what could not, why."""
    made, broken = dict[str, bytes](), dict[str, str]()
    for name, render in RENDERERS.items():
        try:
            made[name] = render(run)
        except Exception as error:
            broken[name] = unexpected(error)
    return made, broken

"""Import a JSONL file of requests and answers, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from distilltest.errors import BadLines, at, brief_lines
from distilltest.exchange.completion_lines import BadLine, check_labels, from_line, is_line
from distilltest.exchange.incoming import ImportContext, read_answered, says_nothing
from distilltest.store import Adding, Store
from distilltest.training_files.lines import read_lines

MOST_SHOWN = 20
"""Bad lines that are printed."""


@dataclass
class Imported:
    """The result of an import."""

    added: int = 0
    known: int = 0
    """Completions that the store had already."""
    empty: int = 0
    """Added completions with an empty answer: no text, no tool call, no refusal."""
    first_empty: str = ""
    """The place of the first empty one."""
    bad: int = 0
    shown: list[str] = field(default_factory=list)
    """The first bad ones: place, problem and remedy."""

    def count(self, added: bool, empty: bool, where: str) -> None:
        """Count a good line."""
        self.added += added
        self.known += not added
        if added and empty:
            self.empty += 1
            self.first_empty = self.first_empty or where

    def complain(self, where: str, problem: str) -> None:
        """Count a bad line."""
        self.bad += 1
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(brief_lines(f"{where}: {problem}"))

    def complaints(self) -> list[str]:
        """The bad ones, one line each."""
        more = self.bad - len(self.shown)
        return [*self.shown, *([f"… and {more:,} more"] if more else [])]


def import_file(
    path: Path,
    store: Store,
    place: ImportContext,
    *,
    skip_bad: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Imported:
    """Add every completion of a file that the store does not have, in constant memory.

    Args:
        path: The JSONL file.
        store: The store to add to.
        place: The context that all completions share.
        skip_bad: Import the good lines even if others are bad.
        progress: Called now and then with the number of lines read.

    Raises:
        TrainingFileError: The file cannot be read.
        BadLines: There are bad lines and ``skip_bad`` is not set; nothing was imported.
        StoreError: The store failed; nothing was imported.
    """
    result = Imported()
    with store.adding() as adding:
        for line in read_lines(path):
            problem = line.problem
            if problem is None:
                try:
                    result.count(*_keep(line.content, adding, place), at(path, line.number))
                except BadLine as bad:
                    problem = str(bad)
                except orjson.JSONEncodeError:  # orjson reads deeper nesting than it writes
                    problem = "objects or lists are nested more than 250 levels deep. Flatten them."
            if problem is not None:
                result.complain(at(path, line.number), problem)
            if line.number % 1000 == 0:
                progress(line.number)
        if result.bad and not skip_bad:
            good = result.added + result.known
            complaints = "\n".join(result.complaints())
            raise BadLines(
                f"{complaints}\nNothing was imported, because {result.bad:,} of {result.bad + good:,} lines are bad. "
                "Fix them, or import the good ones with --skip-bad."
            )
    return result


def _keep(content: object, adding: Adding, place: ImportContext) -> tuple[bool, bool]:
    """Add a line's completion; return whether it is new, and whether its answer is empty."""
    if not is_line(content):
        answered = read_answered(content)
        return answered.keep(adding, place), answered.empty
    assert isinstance(content, dict)
    row = from_line(content)
    if place.labels:
        labels = check_labels({**orjson.loads(row.metadata), **place.labels})
        row = row._replace(metadata=orjson.dumps(labels).decode())
    said = content["completion"]
    return adding.add_exactly(row), says_nothing(said.get("text") or "", said.get("tool_calls"), said.get("refusal"))

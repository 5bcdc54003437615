"""Importing a JSONL file of requests and answers, in one transaction."""

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
"""Bad lines that are told one by one."""


@dataclass
class Imported:
    """What came of an import."""

    added: int = 0
    known: int = 0
    """They were in the store already."""
    empty: int = 0
    """Of the added ones, those that say nothing: no text, no tool call, no refusal."""
    first_empty: str = ""
    """Where the first of them is."""
    bad: int = 0
    shown: list[str] = field(default_factory=list)
    """The first of the bad ones: where, what and the remedy."""

    def count(self, added: bool, empty: bool, where: str) -> None:
        """Count a good one."""
        self.added += added
        self.known += not added
        if added and empty:
            self.empty += 1
            self.first_empty = self.first_empty or where

    def complain(self, where: str, problem: str) -> None:
        """Count a bad one."""
        self.bad += 1
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(brief_lines(f"{where}: {problem}"))

    def complaints(self) -> list[str]:
        """The bad ones, in lines."""
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
    """Add every completion of a file that the store does not have. Memory is flat in the file's size.

    Args:
        path: JSONL.
        store: Where to.
        place: What holds for all of them.
        skip_bad: Keep the good lines although there are bad ones.
        progress: Told now and then how many lines were read.

    Raises:
        TrainingFileError: The file cannot be read.
        BadLines: There are bad lines and ``skip_bad`` is not set; nothing was kept.
        StoreError: The store failed; nothing was kept.
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
                except orjson.JSONEncodeError:  # it reads deeper nests than it writes
                    problem = "objects or lists are nested more than 250 deep. Make it flatter."
            if problem is not None:
                result.complain(at(path, line.number), problem)
            if line.number % 1000 == 0:
                progress(line.number)
        if result.bad and not skip_bad:
            good = result.added + result.known
            complaints = "\n".join(result.complaints())
            raise BadLines(
                f"{complaints}\nNothing was imported, because {result.bad:,} of {result.bad + good:,} lines are bad. "
                "Mend them, or keep the good ones with --skip-bad."
            )
    return result


def _keep(content: object, adding: Adding, place: ImportContext) -> tuple[bool, bool]:
    """Keep what a line says: whether it is new, and whether it says nothing."""
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

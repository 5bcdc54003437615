"""Read ``promotions.yaml`` and append to it; existing entries never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from distilltest.data import Tree, absent, read_yaml, yaml_of
from distilltest.data.whole_files import write_whole
from distilltest.errors import PromotionsError, at, brief
from distilltest.promotion import NAME
from distilltest.promotion.entry import ROLL_BACK, Entry, digest

_HEADER = """\
# Which model is in production, and what proved it. `distilltest promote` appends an entry; none is ever changed: each holds
# a hash of itself and of the entry before it. `distilltest promotions verify` shows edits, `rollback` goes back.
"""
_RESTORE = "Entries are never changed by hand; bring the file back with `git checkout -- promotions.yaml`."


@dataclass(frozen=True, slots=True)
class WrittenEntry:
    """An entry and its place in the file."""

    entry: Entry
    content: Mapping[str, Any]
    line: int
    """Its first line."""


@dataclass(frozen=True, slots=True)
class History:
    """All entries, oldest first."""

    path: Path
    entries: tuple[WrittenEntry, ...]

    @classmethod
    def load(cls, root: Path) -> History:
        """Read ``promotions.yaml`` in a folder; without the file, nothing is promoted yet.

        Raises:
            PromotionsError: It is not YAML, or an entry is not in the format that distilltest writes.
        """
        path = root / NAME
        if absent(path):
            return cls(path, ())
        tree, rows = _read(path)
        entries = []
        for index, row in enumerate(rows):
            _check(index, row, tree)
            entries.append(WrittenEntry(Entry.from_content(row), row, tree.line(index)))
        return cls(path, tuple(entries))

    @property
    def production(self) -> Entry | None:
        """The newest entry, whose model is in production."""
        return self.entries[-1].entry if self.entries else None

    def find(self, number: int | None) -> WrittenEntry:
        """An entry by its number; without one, the newest.

        Raises:
            PromotionsError: There is none.
        """
        if not self.entries:
            raise PromotionsError(f"{NAME}: nothing is promoted yet. `distilltest promote` writes the first entry.")
        if number is None:
            return self.entries[-1]
        found = next((each for each in self.entries if each.entry.number == number), None)
        if found is None:
            raise PromotionsError(f"{NAME}: there is no entry {number}; there are 1 to {len(self.entries)}.")
        return found

    def problems(self) -> list[str]:
        """Signs that the file was edited, each with its line."""
        found = []
        before: str | None = None
        sources: set[int] = set()
        for position, each in enumerate(self.entries, start=1):
            entry, place = each.entry, at(NAME, each.line)
            if entry.number != position:
                found.append(
                    f"{place}: entry {entry.number} stands in place {position}: an entry was removed or moved."
                )
            if digest(each.content) != entry.hash:
                found.append(f"{place}: entry {entry.number} was edited: its content does not match its hash.")
            if entry.previous != before:
                found.append(
                    f"{place}: entry {entry.number} does not follow the entry before it: that one was changed."
                )
            if entry.action == ROLL_BACK and entry.restores not in sources:
                found.append(
                    f"{place}: entry {entry.number} goes back to {entry.restores}, which is no earlier promotion."
                )
            if entry.action != ROLL_BACK:
                sources.add(entry.number)
            before = entry.hash
        return found

    def refuse_edits(self) -> None:
        """Refuse a file that was edited.

        Raises:
            PromotionsError: It was edited.
        """
        problems = self.problems()
        if problems:
            raise PromotionsError("\n".join([*problems, _RESTORE]))

    def append(self, entry: Entry) -> Entry:
        """Append an entry; the existing bytes do not change.

        Returns:
            The entry with its hash.

        Raises:
            DistilltestError: The file cannot be written.
        """
        there = self.path.read_bytes() if self.path.is_file() else _HEADER.encode()
        if not there.endswith(b"\n"):
            there += b"\n"
        content = entry.to_content()
        block = yaml_of([content])
        write_whole(self.path, there + b"\n" + block.encode())
        return replace(entry, hash=content["hash"])


def _read(path: Path) -> tuple[Tree, list[Any]]:
    try:
        tree = read_yaml(path, NAME, PromotionsError)
    except PromotionsError as error:
        raise PromotionsError(f"{error} {_RESTORE}") from None
    rows = tree.value
    if rows is not None and not isinstance(rows, list):
        raise PromotionsError(f"{tree.place()}: promotions are a list of entries. {_RESTORE}")
    return tree, rows or []


def _check(index: int, row: Any, tree: Tree) -> None:
    from jsonschema import Draft202012Validator

    schema = orjson.loads(resources.files("distilltest.promotion").joinpath("schema.json").read_bytes())
    error = next(
        iter(sorted(Draft202012Validator(schema).iter_errors(row), key=lambda e: list(map(str, e.path)))), None
    )
    if error is None:
        return
    where = ".".join(map(str, ["entry", index + 1, *error.absolute_path]))
    place = tree.place(index, *error.absolute_path)
    said = f"{place}: {where}: {brief(error.message)}."
    if isinstance(row, Mapping) and row.get("hash") == digest(row):  # it was not edited
        raise PromotionsError(f"{said} The entry is whole, so a newer distilltest wrote it. Upgrade.")
    raise PromotionsError(f"{said} {_RESTORE}")

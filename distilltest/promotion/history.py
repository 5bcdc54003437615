"""Reading ``promotions.yaml`` and appending to it; entries that are there are never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from distilltest.errors import PromotionsError, at
from distilltest.files import write_whole
from distilltest.promotion.entry import ROLL_BACK, Entry, digest

NAME = "promotions.yaml"
_HEADER = """\
# Which model is in production, and what proved it. `distilltest promote` appends an entry; none is ever changed: each holds
# a hash of itself and of the entry before it. `distilltest promotions verify` shows edits, `rollback` goes back.
"""
_RESTORE = "Entries are never changed by hand; bring the file back with `git checkout -- promotions.yaml`."


@dataclass(frozen=True, slots=True)
class Written:
    """An entry as it stands in the file."""

    entry: Entry
    content: Mapping[str, Any]
    line: int
    """On which it begins."""


@dataclass(frozen=True, slots=True)
class History:
    """All entries, the oldest first."""

    path: Path
    entries: tuple[Written, ...]

    @classmethod
    def load(cls, root: Path) -> History:
        """Read ``promotions.yaml`` in a folder; without one, nothing is promoted yet.

        Raises:
            PromotionsError: It is no YAML, or an entry is not what distilltest writes.
        """
        path = root / NAME
        if not path.is_file():
            return cls(path, ())
        rows, nodes = _read(path)
        entries = []
        for number, (row, node) in enumerate(zip(rows, nodes, strict=True), start=1):
            _check(number, row, node)
            entries.append(Written(Entry.from_content(row), row, int(node.start_mark.line) + 1))
        return cls(path, tuple(entries))

    @property
    def production(self) -> Entry | None:
        """The newest entry: what it names is in production."""
        return self.entries[-1].entry if self.entries else None

    def find(self, number: int | None) -> Written:
        """An entry by its number, the newest without one.

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
        """What shows that somebody edited the file, each with its line; empty where nothing does."""
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
                found.append(
                    f"{place}: entry {entry.number} was edited: its content does not have the hash that it says."
                )
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
        """Complain of a file that somebody edited.

        Raises:
            PromotionsError: Somebody did.
        """
        problems = self.problems()
        if problems:
            raise PromotionsError("\n".join([*problems, _RESTORE]))

    def append(self, entry: Entry) -> Entry:
        """Add an entry at the end; what is there stays as it is, byte for byte.

        Returns:
            The entry with its hash.

        Raises:
            DistilltestError: The file cannot be written.
        """
        import yaml

        there = self.path.read_bytes() if self.path.is_file() else _HEADER.encode()
        if not there.endswith(b"\n"):
            there += b"\n"
        content = entry.to_content()
        block = yaml.safe_dump([content], sort_keys=False, allow_unicode=True, width=1000)
        write_whole(self.path, there + b"\n" + block.encode())
        return replace(entry, hash=content["hash"])


def _read(path: Path) -> tuple[list[Any], list[Any]]:
    """The rows, and the YAML nodes with their lines."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        tree, rows = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or error
        raise PromotionsError(f"{at(NAME, mark.line + 1 if mark else None)}: not YAML: {problem}. {_RESTORE}") from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise PromotionsError(f"{NAME}: cannot be read: {error}. {_RESTORE}") from None
    if rows is None or tree is None:
        return [], []
    if not isinstance(rows, list):
        raise PromotionsError(f"{at(NAME, tree.start_mark.line + 1)}: promotions are a list of entries. {_RESTORE}")
    _refuse_twice(tree)
    return rows, list(tree.value)


def _refuse_twice(node: Any) -> None:
    """YAML takes the last of equal keys; a reader would see the first."""
    if isinstance(node.value, str):
        return
    seen: set[str] = set()
    for child in node.value:
        key, value = child if isinstance(child, tuple) else (None, child)
        if key is not None:
            if str(key.value) in seen:
                line = key.start_mark.line + 1
                raise PromotionsError(f"{at(NAME, line)}: {key.value!r} is there twice. {_RESTORE}")
            seen.add(str(key.value))
        _refuse_twice(value)


def _check(number: int, row: Any, node: Any) -> None:
    from jsonschema import Draft202012Validator

    schema = orjson.loads(resources.files("distilltest.promotion").joinpath("schema.json").read_bytes())
    error = next(
        iter(sorted(Draft202012Validator(schema).iter_errors(row), key=lambda e: list(map(str, e.path)))), None
    )
    if error is None:
        return
    for step in error.absolute_path:
        children = node.value
        node = children[step] if isinstance(step, int) else next(v for k, v in children if k.value == step)
    where = ".".join(map(str, ["entry", number, *error.absolute_path]))
    raise PromotionsError(f"{at(NAME, node.start_mark.line + 1)}: {where}: {error.message}. {_RESTORE}")

"""Read the requests for ``distilltest collect``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distilltest.data import FORMATS, Row, kind_of, read_rows, text_lines
from distilltest.errors import DatasetError, at
from distilltest.records import Case, Message, fingerprint
from distilltest.training_files.lines import digest
from distilltest.training_files.messages import message_problems

PLAIN = ("", ".txt", ".text", ".md")
"""The endings of files with one request on each line."""
TEXT_FIELDS = ("request", "prompt", "question", "instruction", "input", "query", "text")
"""The fields that can hold the request of an object without messages; the first one found is used."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The distinct requests of a file, in order."""

    cases: tuple[Case, ...]
    """Each has the id of its row, or a hash of its content, which stays the same if rows are added or moved."""
    twice: int
    """The number of duplicate rows, which were left out."""


@dataclass
class SeenRows:
    """Digests of the rows that were read, to find duplicates; 170 bytes for each row."""

    twice: int = 0
    """The number of duplicate rows, which were left out."""
    _contents: dict[int, int] = field(default_factory=dict)
    """Digest of an id → digest of the content."""

    def first(self, case: Case) -> bool | None:
        """Whether a case is new (True), a duplicate (False), or has the id of another case (None)."""
        identity, content = (int.from_bytes(digest(value)) for value in (case.id, case.item))
        if identity not in self._contents:
            self._contents[identity] = content
            return True
        if self._contents[identity] != content:
            return None
        self.twice += 1
        return False


def read_inputs(path: Path, name: str | None = None) -> Inputs:
    """Read all requests into memory; see ``iter_inputs``.

    Raises:
        DatasetError: As in ``iter_inputs``.
    """
    seen = SeenRows()
    return Inputs(tuple(iter_inputs(path, name, seen)), seen.twice)


def iter_inputs(path: Path, name: str | None = None, seen: SeenRows | None = None) -> Iterator[Case]:
    """Read distinct requests from a file in one of the formats of ``read_rows``, or with one request on each line.

    A request is a text, an object with ``messages``, or an object with fields that a prompt names. A text becomes an object
    with the field ``request``.

    Args:
        path: The file; without an ending it has one request on each line.
        name: The file's name in errors; ``path`` if None.
        seen: Counts duplicates.

    Raises:
        DatasetError: The file cannot be read or has no request, or a row is not a request; the message names the line.
    """
    name = name or str(path)
    seen = SeenRows() if seen is None else seen
    empty = True
    for line, row in _rows(path):
        empty = False
        case = _case(row, at(name, line))
        new = seen.first(case)
        if new:
            yield case
        elif new is None:
            known = next(_case(row, at(name, line)) for line, row in _rows(path) if _has_id(row, case.id))
            raise DatasetError(
                f"{case.place}: the id {case.id!r} is there twice with different content, first at {known.place}. "
                "Give each request its own id, or none."
            )
    if empty:
        raise DatasetError(f"{name}: there is no request in the file. Write at least one.")


def _has_id(row: Any, identity: str) -> bool:
    return isinstance(row, Mapping) and str(row.get("id")) == identity


def _rows(path: Path) -> Iterator[Row]:
    suffix = path.suffix.lower()
    if suffix in FORMATS:
        return read_rows(path, str(path), DatasetError)
    if suffix in PLAIN:
        return ((number, line.strip()) for number, line in text_lines(path, str(path), DatasetError) if line.strip())
    raise DatasetError(
        f"{path}: it ends in {path.suffix!r}; requests are read from {', '.join(FORMATS)} and, one a line, "
        f"{', '.join(PLAIN[1:])}. Rename or convert it."
    )


def _case(row: Any, place: str) -> Case:
    if isinstance(row, str):
        row = {"request": row}
    if not isinstance(row, Mapping):
        raise DatasetError(f"{place}: the request is {kind_of(row)}; it must be a text or an object.")
    if "messages" in row:
        problems = [problem for problem, fatal in message_problems(row["messages"]) if fatal]
        if problems:
            raise DatasetError(f"{place}: {problems[0]}")
    request = row.get("request")
    filled = any(value not in (None, "", [], {}) for name, value in row.items() if name != "id")
    if not filled or (isinstance(request, str) and not request.strip()):
        raise DatasetError(f"{place}: the request is empty. Fill it or take the row out.")
    content = {name: value for name, value in row.items() if name != "id"}
    tags = row.get("tags") or ()
    if isinstance(tags, str):
        tags = tuple(tag.strip() for tag in tags.split(",") if tag.strip())
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise DatasetError(f'{place}: "tags" must be a list of texts, or a text with commas.')
    cluster = row.get("cluster")
    return Case(
        id=_identity(row, content, place),
        item=content | ({"id": row["id"]} if row.get("id") else {}),
        reference=row.get("reference"),
        tags=tuple(tags),
        cluster=None if cluster in (None, "") else str(cluster),
        place=place,
    )


def _identity(row: Mapping[str, Any], content: Mapping[str, Any], place: str) -> str:
    given = row.get("id")
    if given in (None, ""):
        try:
            return f"r-{fingerprint(content)[:16]}"
        except TypeError as error:  # nested too deeply, or a type that only Parquet has
            raise DatasetError(f"{place}: the request cannot be written as JSON: {error}.") from None
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise DatasetError(f'{place}: the "id" is {kind_of(given)}; it must be a text or a whole number.')
    return str(given)


def messages_of(case: Case) -> tuple[Message, ...] | None:
    r"""The messages of a case if there is no prompt: its own, or its text as a user message; None if it has neither.

    >>> messages_of(Case("a", {"question": "What is a tag?"}))
    ({'role': 'user', 'content': 'What is a tag?'},)
    >>> messages_of(Case("a", {"instruction": "Translate.", "input": "Haus", "output": "house"}))
    ({'role': 'user', 'content': 'Translate.\n\nHaus'},)
    """
    if isinstance(case.item.get("messages"), list):
        return tuple(case.item["messages"])
    used = used_fields(case)
    return ({"role": "user", "content": "\n\n".join(case.item[name] for name in used)},) if used else None


def used_fields(case: Case) -> tuple[str, ...]:
    """The fields that form the request if there is no prompt and no messages: the first text, and the input of an instruction."""
    filled = _texts(case)
    if filled[:1] == ["instruction"] and "input" in filled:
        return ("instruction", "input")
    return tuple(filled[:1])


def unused_fields(case: Case) -> tuple[str, ...]:
    """Fields that may belong to the request, but that are not used without a prompt."""
    if isinstance(case.item.get("messages"), list):
        return tuple(_texts(case))
    used = used_fields(case)
    return tuple(name for name in _texts(case) if name not in used)


def _texts(case: Case) -> list[str]:
    return [name for name in TEXT_FIELDS if isinstance(case.item.get(name), str) and case.item[name].strip()]

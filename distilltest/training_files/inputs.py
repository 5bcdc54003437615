"""Requests for ``distilltest collect``, from whatever file a team has them in."""

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
"""Endings of files with one request a line."""
TEXT_FIELDS = ("request", "prompt", "question", "instruction", "input", "query", "text")
"""Where the request is looked for in an object without messages, in this order."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Distinct requests, in the order of the file."""

    cases: tuple[Case, ...]
    """A row's own id, or one made from its content, which stays the same when rows are added or moved."""
    twice: int
    """Rows left out because another one says the same."""


@dataclass
class SeenRows:
    """The rows that were read, as digests (170 bytes a row), never as text: duplicates are found by them."""

    twice: int = 0
    """Rows left out because another one says the same."""
    _contents: dict[int, int] = field(default_factory=dict)
    """Digest of an id → digest of its content."""

    def first(self, case: Case) -> bool | None:
        """Whether a case is new (True), said before (False), or another one under an id that is taken (None)."""
        identity, content = (int.from_bytes(digest(value)) for value in (case.id, case.item))
        if identity not in self._contents:
            self._contents[identity] = content
            return True
        if self._contents[identity] != content:
            return None
        self.twice += 1
        return False


def read_inputs(path: Path, name: str | None = None) -> Inputs:
    """All that ``iter_inputs`` gives, at once.

    Raises:
        DatasetError: As there.
    """
    seen = SeenRows()
    return Inputs(tuple(iter_inputs(path, name, seen)), seen.twice)


def iter_inputs(path: Path, name: str | None = None, seen: SeenRows | None = None) -> Iterator[Case]:
    """Read distinct requests: JSON ``{"requests": [...]}`` or a list, JSONL, CSV with a header, Parquet, YAML, or plain lines.

    A request is a text, an object with ``messages``, or any object whose fields a prompt names. A text becomes an object
    with the field ``request``. JSONL, CSV, Parquet and plain lines are read row by row, whatever the file's size; JSON and
    YAML are in memory as a whole.

    Args:
        path: The file; its ending says what it is, and without one it is plain lines.
        name: What errors call it.
        seen: Counts what is there twice.

    Raises:
        DatasetError: It cannot be read, has no request, or a row is no request; the message names the line.
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
    said = row.get("request")
    filled = any(value not in (None, "", [], {}) for name, value in row.items() if name != "id")
    if not filled or (isinstance(said, str) and not said.strip()):
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
        except TypeError as error:  # what orjson cannot write: nested too deeply, or a kind that only Parquet has
            raise DatasetError(f"{place}: the request cannot be written as JSON: {error}.") from None
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise DatasetError(f'{place}: the "id" is {kind_of(given)}; it must be a text or a whole number.')
    return str(given)


def messages_of(case: Case) -> tuple[Message, ...] | None:
    r"""What to ask where there is no prompt: the case's own messages, or its text as a user message; None without either.

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
    """The fields that are asked where there is neither a prompt nor messages: the first text, and an instruction's input."""
    filled = _texts(case)
    if filled[:1] == ["instruction"] and "input" in filled:
        return ("instruction", "input")
    return tuple(filled[:1])


def unused_fields(case: Case) -> tuple[str, ...]:
    """Fields that may belong to the request, and are not asked where there is no prompt."""
    if isinstance(case.item.get("messages"), list):
        return tuple(_texts(case))
    used = used_fields(case)
    return tuple(name for name in _texts(case) if name not in used)


def _texts(case: Case) -> list[str]:
    return [name for name in TEXT_FIELDS if isinstance(case.item.get(name), str) and case.item[name].strip()]

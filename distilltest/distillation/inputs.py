"""Requests for ``distilltest collect``, from whatever file a team has them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distilltest.distillation.lines import kind_of
from distilltest.distillation.messages import message_problems
from distilltest.distillation.tables import FORMATS, Row, read_rows, text_lines
from distilltest.errors import DatasetError, at
from distilltest.records import Case, Message, fingerprint

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


def read_inputs(path: Path, name: str | None = None) -> Inputs:
    """Read requests: JSON ``{"requests": [...]}`` or a list, JSONL, CSV with a header, Parquet, or plain lines.

    A request is a text, an object with ``messages``, or any object whose fields a prompt names. A text becomes an object
    with the field ``request``.

    Args:
        path: The file; its ending says what it is, and without one it is plain lines.
        name: What errors call it.

    Raises:
        DatasetError: It cannot be read, has no request, or a row is no request; the message names the line.
    """
    name = name or str(path)
    cases: dict[str, Case] = {}
    twice = 0
    for line, row in _rows(path):
        case = _case(row, at(name, line))
        known = cases.get(case.id)
        if known is None:
            cases[case.id] = case
        elif known.item == case.item:
            twice += 1
        else:
            raise DatasetError(
                f"{case.place}: the id {case.id!r} is there twice with different content, first at {known.place}. "
                "Give each request its own id, or none."
            )
    if not cases:
        raise DatasetError(f"{name}: there is no request in the file. Write at least one.")
    return Inputs(tuple(cases.values()), twice)


def _rows(path: Path) -> Iterator[Row]:
    suffix = path.suffix.lower()
    if suffix in FORMATS:
        return read_rows(path)
    if suffix in PLAIN:
        return ((number, line.strip()) for number, line in text_lines(path) if line.strip())
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
    """What to ask where there is no prompt: the case's own messages, or its text as a user message; None without either.

    >>> messages_of(Case("a", {"question": "What is a tag?"}))
    ({'role': 'user', 'content': 'What is a tag?'},)
    """
    if isinstance(case.item.get("messages"), list):
        return tuple(case.item["messages"])
    text = next((case.item[name] for name in TEXT_FIELDS if isinstance(case.item.get(name), str)), None)
    return None if text is None else ({"role": "user", "content": text},)

"""What the store hands out, and how it is read from rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from distilltest.records import Completion, Grade, Message, Request, ToolCall, Usage
from distilltest.store.selection import Cursor


@dataclass(frozen=True, slots=True)
class StoredCompletion:
    """A completion with the request that it answers."""

    request: dict[str, Any]
    """The JSON body as it was sent."""
    completion: Completion
    metadata: dict[str, str]

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was asked; nothing where an embedding was asked for."""
        return tuple(self.request.get("messages") or ())

    @property
    def cursor(self) -> Cursor:
        """Its place in a list."""
        return Cursor(self.completion.created, self.completion.key)


class StoredRow(NamedTuple):
    """A completion exactly as it is stored, column by column."""

    key: str
    server: str
    model: str
    trial: int
    metadata: str
    """JSON object."""
    request: bytes
    """JSON body."""
    answer: bytes
    """JSON of the Completion record."""
    response: bytes
    """The server's body, byte for byte."""
    created: float
    """Unix time."""
    server_id: str | None

    @property
    def cursor(self) -> Cursor:
        """Its place in a list."""
        return Cursor(self.created, self.key)

    def read(self) -> StoredCompletion:
        """What it says."""
        return StoredCompletion(orjson.loads(self.request), read_completion(self.answer), orjson.loads(self.metadata))


@dataclass(frozen=True, slots=True)
class Graded:
    """What one evaluation said of one completion in one run."""

    stored: StoredCompletion
    run: str
    evaluation: str
    """pytest's node id."""
    case_id: str
    role: str
    trial: int
    passed: bool | None
    """None where a judge failed."""
    score: float | None
    """In [0, 1], None where a judge failed."""
    grades: tuple[Grade, ...]


class Use(NamedTuple):
    """How one evaluation of one run graded a completion."""

    run: str
    evaluation: str
    case_id: str
    role: str
    trial: int
    passed: bool | None
    """None where there is no grade."""
    score: float | None
    failure: str | None
    """Why there is no grade."""
    grades: tuple[Grade, ...]


def row_of(request: Request, completion: Completion, response: bytes) -> StoredRow:
    """The row that keeps a completion."""
    return StoredRow(
        completion.key,
        completion.server,
        completion.model,
        completion.trial,
        orjson.dumps(dict(request.metadata)).decode(),
        request.encoded,
        orjson.dumps(completion),
        response,
        completion.created,
        completion.served_id or None,
    )


def read_completion(answer: bytes) -> Completion:
    """A completion from the JSON of its row."""
    content = orjson.loads(answer)
    content["usage"] = Usage(**content["usage"])
    content["tool_calls"] = tuple(ToolCall(**call) for call in content["tool_calls"])
    content["from_store"] = True
    return Completion(**content)


def read_grades(grades: bytes) -> tuple[Grade, ...]:
    """Grades from the JSON of an outcome."""
    return tuple(Grade(*grade) for grade in orjson.loads(grades))

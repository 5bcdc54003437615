"""The store's records, and their conversion to and from rows.

A response is stored byte for byte and parsed when needed (``distilltest.data.responses``). If it does not contain the answer
(an import without a response, a redacted answer), the column ``answer`` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

import orjson

from distilltest.data.responses import ResponseFields, read_chat_completion, read_embedding
from distilltest.errors import StoreError
from distilltest.records import Completion, Grade, Message, Request, ToolCall, Usage
from distilltest.store.selection import Cursor


@dataclass(frozen=True, slots=True)
class StoredCompletion:
    """A completion with its request."""

    request: dict[str, Any]
    """The JSON body as sent."""
    completion: Completion
    metadata: dict[str, str]

    @property
    def messages(self) -> tuple[Message, ...]:
        """The request's messages; empty for an embedding."""
        return tuple(self.request.get("messages") or ())

    @property
    def cursor(self) -> Cursor:
        """Its place in a list."""
        return Cursor(self.completion.created, self.completion.key)


class StoredRow(NamedTuple):
    """A completion with all its stored data, as in exports."""

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
    id: int = 0
    """The row number."""

    @property
    def cursor(self) -> Cursor:
        """Its place in a list."""
        return Cursor(self.created, self.key)

    def read(self) -> StoredCompletion:
        """Decode the row."""
        return StoredCompletion(orjson.loads(self.request), read_record(self.answer), orjson.loads(self.metadata))


@dataclass(frozen=True, slots=True)
class GradedCompletion:
    """The grades of one completion in one evaluation of one run."""

    stored: StoredCompletion
    run: str
    evaluation: str
    """The pytest node id."""
    case_id: str
    role: str
    trial: int
    passed: bool | None
    """None if a judge failed."""
    score: float | None
    """In [0, 1], None if a judge failed."""
    grades: tuple[Grade, ...]


class Use(NamedTuple):
    """How one evaluation of one run graded a completion."""

    run: str
    evaluation: str
    case_id: str
    role: str
    trial: int
    passed: bool | None
    """None without a grade."""
    score: float | None
    failure: str | None
    """Why there is no grade, None with one."""
    grades: tuple[Grade, ...]


class SupportsOrigins(Protocol):
    """Number of an origin → server and model."""

    def __getitem__(self, number: int, /) -> tuple[str, str]:
        """The names."""


class NewRow(NamedTuple):
    """A row of ``completion`` without its number, with the origin's names. See ``COLUMNS``."""

    key: bytes
    session: int
    server: str
    model: str
    trial: int
    created: float
    latency: float
    attempts: int
    served: int | None
    metadata: str
    request: bytes
    response: bytes
    answer: bytes | None


class FailureRow(NamedTuple):
    """A row of the table ``call_failure``."""

    key: bytes
    session: int
    at: float
    model: str
    kind: str
    message: str
    attempts: int
    permanent: bool


COLUMNS = "id key session origin trial created latency attempts served metadata request response answer".split()
READ = "id, key, session, origin, trial, created, latency, attempts, response, answer"
"""The columns of a Completion: see ``read_completion``."""
_NOT_RECORDED = ("id", "from_store")
_RECORDED = tuple(f.name for f in fields(Completion) if f.name not in _NOT_RECORDED)
_SAID = ResponseFields._fields


def row_of(request: Request, completion: Completion, response: bytes, session: int) -> NewRow:
    """The row of a completion."""
    return NewRow(
        key=bytes.fromhex(completion.key),
        session=session,
        server=completion.server,
        model=completion.model,
        trial=completion.trial,
        created=completion.created,
        latency=completion.latency,
        attempts=completion.attempts,
        served=served_number(completion.served_id),
        metadata=orjson.dumps(dict(request.metadata)).decode() if request.metadata else "{}",
        request=request.encoded,
        response=response,
        answer=answer_beside(said_by(completion), response),
    )


def row_of_stored(row: StoredRow, session: int) -> NewRow:
    """The row of an exported completion."""
    completion = read_record(row.answer)
    return NewRow(
        key=bytes.fromhex(row.key),
        session=session,
        server=row.server,
        model=row.model,
        trial=row.trial,
        created=row.created,
        latency=completion.latency,
        attempts=completion.attempts,
        served=served_number(row.server_id or ""),
        metadata=row.metadata,
        request=row.request,
        response=row.response,
        answer=answer_beside(said_by(completion), row.response),
    )


def said_by(completion: Completion) -> ResponseFields:
    """The server's part of a completion."""
    return ResponseFields(*(getattr(completion, name) for name in _SAID))


def answer_beside(answer: ResponseFields, response: bytes) -> bytes | None:
    """The ``answer`` column: None if the response contains exactly this answer."""
    if read_response(response) == answer:
        return None
    return orjson.dumps(answer._asdict())


def read_response(response: bytes) -> ResponseFields | None:
    """The answer in a response; None if it is neither a chat completion nor an embedding."""
    try:
        content = orjson.loads(response)
        return read_chat_completion(content) if "choices" in content else read_embedding(content)
    except Exception:  # any malformed response
        return None


def read_answer(response: bytes, answer: bytes | None) -> ResponseFields:
    """The answer in a row. Fields that a newer distilltest added are ignored.

    Raises:
        ValueError: Neither column is readable.
    """
    if answer is None:
        read = read_response(response)
        if read is None:
            raise ValueError("the response is not readable, and no answer is stored beside it")
        return read
    return _said_of(orjson.loads(answer))


def _said_of(content: Mapping[str, Any]) -> ResponseFields:
    known = {name: value for name, value in content.items() if name in _SAID}
    known["usage"] = _made(Usage, content.get("usage") or {})
    known["tool_calls"] = tuple(_made(ToolCall, call) for call in content.get("tool_calls") or ())
    return ResponseFields(**known)


def _made(kind: Any, content: Mapping[str, Any]) -> Any:
    """Create a record from the fields that it knows."""
    return kind(**{name: value for name, value in content.items() if name in kind.__slots__})


def read_completion(values: Sequence[Any], origins: SupportsOrigins, session: int | None = None) -> Completion:
    """A completion from the columns ``READ``.

    Raises:
        KeyError: The origin is not loaded yet.
        StoreError: The row is damaged.

    Args:
        values: The columns.
        origins: Number of an origin → server and model.
        session: The session that reads; its own completions are not "from the store".
    """
    number, key, fetched, origin, trial, created, latency, attempts, response, answer = values
    server, model = origins[origin]
    try:
        s = read_answer(response, answer)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"Completion {key.hex()[:12]} in the store cannot be read: {error}. "
            f"Delete it with `distilltest completions delete --key {key.hex()[:12]}`, and the next run requests it again."
        ) from None
    return Completion(
        key.hex(), server, model, s.text, s.finish_reason, s.refusal, s.tool_calls, s.usage, latency, s.served_id,
        s.served_model, s.system_fingerprint, created, attempts, trial, fetched != session, number,
    )  # fmt: skip  # by position: thousands are read in a second


def record_of(completion: Completion) -> bytes:
    """The JSON of a Completion record, as in exports."""
    return orjson.dumps({name: getattr(completion, name) for name in _RECORDED} | {"from_store": False})


def read_record(answer: bytes | Mapping[str, Any]) -> Completion:
    """Read a completion from the JSON of its record. Fields that a newer distilltest added are ignored."""
    content = orjson.loads(answer) if isinstance(answer, bytes) else answer
    known = {name: value for name, value in content.items() if name in _RECORDED}
    spoken = _said_of(content)
    return Completion(**{**known, "usage": spoken.usage, "tool_calls": spoken.tool_calls, "from_store": True})


def served_number(served_id: str) -> int | None:
    """A number derived from a server's id, for lookups; None for an empty id."""
    if not served_id:
        return None
    return int.from_bytes(blake2b(served_id.encode(errors="surrogatepass"), digest_size=8).digest(), "big", signed=True)


def read_grades(grades: bytes) -> tuple[Grade, ...]:
    """Read grades from the JSON of an outcome. Fields that a newer distilltest appended are ignored."""
    return tuple(Grade(*grade[:5]) for grade in orjson.loads(grades))

"""A stored completion as one line of JSON: ``list --jsonl`` and ``export`` write it, ``import`` reads it.

::

    {"request": {...}, "completion": {...}, "metadata": {...}, "response": "..."}

``request`` is the body that was sent, ``completion`` our record of the answer, ``metadata`` the current labels, and
``response`` the server's response body as text (``response_base64`` if it is not UTF-8).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import fields
from typing import Any

import orjson

from distilltest.records import Completion, ToolCall, Usage
from distilltest.store import StoredRow
from distilltest.store.rows import record_of

_TEXT, _NUMBER, _WHOLE = (str,), (int, float), (int,)
_SHAPE: dict[str, tuple[type, ...]] = {
    "key": _TEXT,
    "server": _TEXT,
    "model": _TEXT,
    "text": _TEXT,
    "finish_reason": _TEXT,
    "refusal": (str, type(None)),
    "tool_calls": (list,),
    "usage": (dict,),
    "latency": _NUMBER,
    "served_id": _TEXT,
    "served_model": _TEXT,
    "system_fingerprint": (str, type(None)),
    "created": _NUMBER,
    "attempts": _WHOLE,
    "trial": _WHOLE,
    "from_store": (bool,),
}
"""The fields of a record and their types."""


class BadLine(ValueError):
    """A line that cannot be imported; the message has the reason and the remedy, but not the line's place."""


def to_line(row: StoredRow) -> bytes:
    """Format a completion as a line, without the line break."""
    content: dict[str, Any] = {
        "request": orjson.Fragment(row.request),
        "completion": orjson.Fragment(row.answer),
        "metadata": orjson.Fragment(row.metadata),
    }
    try:
        content["response"] = row.response.decode()
    except UnicodeDecodeError:
        content["response_base64"] = base64.b64encode(row.response).decode()
    return orjson.dumps(content)


def is_line(content: Any) -> bool:
    """Whether a JSON value looks like a line that ``to_line`` wrote."""
    completion = content.get("completion") if isinstance(content, dict) else None
    return isinstance(completion, dict) and "request" in content and "key" in completion


def from_line(content: dict[str, Any]) -> StoredRow:
    """Parse a line that ``to_line`` wrote.

    Raises:
        BadLine: The line was changed, or comes from another version.
    """
    request, recorded, labels = content["request"], content["completion"], content.get("metadata", {})
    if not isinstance(request, dict) or not isinstance(request.get("messages", request.get("input")), list | str):
        raise BadLine('"request" is not a request body with "messages". Export the completion again.')
    completion = _record(recorded)
    return StoredRow(
        key=completion.key,
        server=completion.server,
        model=completion.model,
        trial=completion.trial,
        metadata=orjson.dumps(check_labels(labels)).decode(),
        request=orjson.dumps(request),
        answer=record_of(completion),
        response=_response(content),
        created=completion.created,
        server_id=completion.served_id or None,
    )


def check_labels(labels: Any) -> dict[str, str]:
    """Check that labels are within the API's limits.

    Raises:
        BadLine: They are not.
    """
    from distilltest.store.changes import LONGEST_NAME, LONGEST_VALUE, MOST_LABELS

    if labels is None:
        return {}
    if not isinstance(labels, dict) or len(labels) > MOST_LABELS:
        raise BadLine(f'"metadata" must be an object with at most {MOST_LABELS} labels.')
    for name, value in labels.items():
        if not isinstance(value, str) or len(name) > LONGEST_NAME or len(value) > LONGEST_VALUE:
            raise BadLine(
                f"label {name[:LONGEST_NAME]!r}: a name has up to {LONGEST_NAME} characters, a value is a text of up to "
                f"{LONGEST_VALUE}. Write numbers as strings."
            )
    return dict(labels)


def _record(content: dict[str, Any]) -> Completion:
    unknown = [name for name in content if name not in _SHAPE]
    if unknown:
        raise BadLine(
            f'"completion" has the field {unknown[0]!r}, which this distilltest does not know. Upgrade it, or remove the field.'
        )
    required = {"key", "server", "model", "text", "finish_reason"}
    for name, kinds in _SHAPE.items():
        value = content.get(name)
        if name not in content and name not in required:
            continue
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise BadLine(f'"completion.{name}" is {value!r:.60}. Export the completion again.')
    if len(content["key"]) != 64 or set(content["key"]) - set("0123456789abcdef"):
        raise BadLine(
            f'"completion.key" is {content["key"]!r:.80}, which is not the key of a completion. Export it again.'
        )
    try:
        usage = Usage(**content.get("usage", {}))
        calls = tuple(ToolCall(**call) for call in content.get("tool_calls", ()))
    except TypeError:
        raise BadLine('"completion.usage" or "completion.tool_calls" is invalid. Export it again.') from None
    more = {"usage": usage, "tool_calls": calls, "from_store": False}
    return Completion(**{f.name: content[f.name] for f in fields(Completion) if f.name in content} | more)


def _response(content: dict[str, Any]) -> bytes:
    text = content.get("response", "")
    if "response_base64" in content:
        try:
            return base64.b64decode(content["response_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise BadLine('"response_base64" is not Base64. Export the completion again.') from None
    if not isinstance(text, str):
        raise BadLine('"response" is not a string. Export the completion again.')
    return text.encode()

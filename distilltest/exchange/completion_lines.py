"""The one shape of a stored completion as a line of JSON: what ``list --jsonl`` and ``export`` write and ``import`` reads.

::

    {"request": {...}, "completion": {...}, "metadata": {...}, "response": "..."}

``request`` is the body as it was sent, ``completion`` our record of the answer, ``metadata`` the labels as they are now, and
``response`` the server's body as a text (``response_base64`` where it is no UTF-8).
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
"""What each field of a record is."""


class BadLine(ValueError):
    """Why a line cannot be imported, and the remedy: a sentence without the line's place."""


def to_line(row: StoredRow) -> bytes:
    """A line, without its end."""
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
    """The row that a line was written from.

    Raises:
        BadLine: It was changed, or is of another version.
    """
    request, recorded, labels = content["request"], content["completion"], content.get("metadata", {})
    if not isinstance(request, dict) or not isinstance(request.get("messages", request.get("input")), list | str):
        raise BadLine('"request" is no body of a request with "messages". Export the completion again.')
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
    """Labels within the API's limits.

    Raises:
        BadLine: They are not.
    """
    from distilltest.store.changes import LONGEST_NAME, LONGEST_VALUE, MOST_LABELS

    if labels is None:
        return {}
    if not isinstance(labels, dict) or len(labels) > MOST_LABELS:
        raise BadLine(f'"metadata" is an object with at most {MOST_LABELS} labels.')
    for name, value in labels.items():
        if not isinstance(value, str) or len(name) > LONGEST_NAME or len(value) > LONGEST_VALUE:
            raise BadLine(
                f"label {name[:LONGEST_NAME]!r}: a name has up to {LONGEST_NAME} characters, a value is a text of up to "
                f"{LONGEST_VALUE}. Write numbers as texts."
            )
    return dict(labels)


def _record(content: dict[str, Any]) -> Completion:
    unknown = [name for name in content if name not in _SHAPE]
    if unknown:
        raise BadLine(
            f'"completion" has the field {unknown[0]!r}, which this distilltest does not know. Upgrade it, or take the field out.'
        )
    required = {"key", "server", "model", "text", "finish_reason"}
    for name, kinds in _SHAPE.items():
        value = content.get(name)
        if name not in content and name not in required:
            continue
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise BadLine(f'"completion.{name}" is {value!r:.60}. Export the completion again.')
    if len(content["key"]) != 64 or set(content["key"]) - set("0123456789abcdef"):
        raise BadLine(f'"completion.key" is {content["key"]!r:.80}, no key of a completion. Export it again.')
    try:
        usage = Usage(**content.get("usage", {}))
        calls = tuple(ToolCall(**call) for call in content.get("tool_calls", ()))
    except TypeError:
        raise BadLine('"completion.usage" or "completion.tool_calls" is not as it was. Export it again.') from None
    more = {"usage": usage, "tool_calls": calls, "from_store": False}
    return Completion(**{f.name: content[f.name] for f in fields(Completion) if f.name in content} | more)


def _response(content: dict[str, Any]) -> bytes:
    text = content.get("response", "")
    if "response_base64" in content:
        try:
            return base64.b64decode(content["response_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise BadLine('"response_base64" is no Base64. Export the completion again.') from None
    if not isinstance(text, str):
        raise BadLine('"response" is no text. Export the completion again.')
    return text.encode()

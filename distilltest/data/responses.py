"""Read chat completion and embedding objects from a server's response.

The client reads responses when they arrive, the store reads them again, and imports read those in files. For every JSON value
this module returns a well-typed answer or raises a ``NoAnswer``.

The fields of the answer (content, refusal, tool calls, finish reason) are checked strictly. Fields that only describe it are
read leniently: an id that is not a text is dropped, and token counts that are not numbers are unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

import orjson

from distilltest.records import Completion, Request, ToolCall, Usage

MOST_TOKENS = 10**9
"""A larger number of tokens in one call is not a count."""
_NOT_KNOWN = Usage(known=False)
_TEXT_PARTS = ("text", "output_text")
_UNSAID_PARTS = ("thinking", "reasoning")
"""Parts of the content that are not the answer; Mistral's reasoning models send them."""
_FILTERED = ("content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii")
"""Finish reasons of answers that a filter withheld or cut off; all but the first are Gemini's, which are in capitals."""


class NoAnswer(ValueError):
    """A response has no usable answer; the message completes a sentence."""


class MalformedResponse(NoAnswer):
    """The response does not have the shape of an answer."""


class Filtered(NoAnswer):
    """A content filter withheld the answer or cut it off."""


class ErrorInside(NoAnswer):
    """The server reports an error in a response with a 2xx status."""

    def __init__(self, error: Any) -> None:
        super().__init__("it reports an error")
        self.error = error
        """The JSON value of ``error``."""


class ResponseFields(NamedTuple):
    """The fields of a completion that the response itself holds; key, latency and attempts are the client's."""

    text: str
    finish_reason: str = "stop"
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    served_id: str = ""
    served_model: str = ""
    system_fingerprint: str | None = None


def read_chat_completion(content: Any) -> ResponseFields:
    """Read the choice with index 0 of a chat completion object.

    Raises:
        MalformedResponse: The content is not a chat completion.
    """
    choice = _first(content, "choices")
    message = _mapping(choice.get("message"), "choices[0].message")
    text, refusal = _content(message.get("content"))
    refusal += _text(message.get("refusal"), "choices[0].message.refusal")
    return ResponseFields(
        text=text,
        finish_reason=_text(choice.get("finish_reason"), "choices[0].finish_reason") or "stop",
        refusal=refusal or None,
        tool_calls=_tool_calls(message),
        usage=_usage(content.get("usage"), ("prompt_tokens", "completion_tokens")),
        served_id=_note(content.get("id")) or "",
        served_model=_note(content.get("model")) or "",
        system_fingerprint=_note(content.get("system_fingerprint")),
    )


def read_embedding(content: Any) -> ResponseFields:
    """Read an embedding object: the text is the vector with index 0 as JSON.

    Raises:
        MalformedResponse: The content is not an embedding.
    """
    vector = _first(content, "data").get("embedding")
    if not isinstance(vector, list) or not vector:
        raise MalformedResponse("data[0].embedding is not a vector")
    for number in vector:
        if not isinstance(number, int | float) or isinstance(number, bool) or not isfinite(number):
            raise MalformedResponse("data[0].embedding has an entry that is not a finite number")
    return ResponseFields(
        text=orjson.dumps([float(number) for number in vector]).decode(),
        usage=_usage(content.get("usage"), ("prompt_tokens",)),
        served_model=_note(content.get("model")) or "",
    )


def completion_of(request: Request, content: Any, *, latency: float, created: float) -> Completion:
    """Make a completion from a request and the object in its response.

    Args:
        request: The request; its endpoint decides the kind of object.
        content: The JSON value of the response.
        latency: Seconds from sending the request to the end of the response.
        created: Unix time of arrival.

    Raises:
        MalformedResponse: The object has another shape, or has no text, no tool call and no refusal.
        Filtered: A content filter withheld the answer or cut it off.
        ErrorInside: The response reports an error.
    """
    _raise_error_inside(content)
    if request.endpoint == "embeddings":
        read = read_embedding(content)
    else:
        choice = _first(content, "choices")
        _raise_error_inside(choice)
        read = read_chat_completion(content)
        reason = read.finish_reason.partition(":")[0].lower()  # also "content_filter: RECITATION"
        if reason in _FILTERED:
            raise Filtered(f"its finish_reason is {read.finish_reason!r:.60}")
        if reason == "error":
            raise ErrorInside(None)
        nothing = not read.text and not isinstance(choice["message"].get("content"), str)
        if (
            nothing and not read.refusal and not read.tool_calls and reason != "length"
        ):  # with "length", reasoning used all tokens: a cut-off answer is an answer
            raise MalformedResponse("it has no content, no tool call and no refusal")
    return Completion(
        key=request.key,
        server=request.server,
        model=request.model,
        latency=latency,
        created=created,
        trial=request.trial,
        **read._asdict(),
    )


def _raise_error_inside(part: Any) -> None:
    if isinstance(part, dict) and part.get("error"):
        raise ErrorInside(part["error"])


def _first(content: Any, name: str) -> Mapping[str, Any]:
    """The entry with index 0, at any position; an entry without an index has that of its position."""
    entries = _mapping(content, "the response").get(name)
    if not isinstance(entries, list) or not entries:
        raise MalformedResponse(f"it has no {name}")
    if len(entries) == 1:
        return _mapping(entries[0], f"{name}[0]")
    for place, entry in enumerate(entries):
        index = _mapping(entry, f"{name}[{place}]").get("index")
        if place == 0 if index is None else type(index) is int and index == 0:
            return _mapping(entry, name)
    raise MalformedResponse(f"none of its {name} has the index 0")


def _content(content: Any) -> tuple[str, str]:
    """The text of a message's content, and the text of its refusal parts."""
    if content is None or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list):
        raise MalformedResponse(f"choices[0].message.content is {_shown(content)}, neither a text nor a list of parts")
    text, refusal = "", ""
    for number, part in enumerate(content):
        where = f"choices[0].message.content[{number}]"
        kind = _mapping(part, where).get("type")
        if kind in _TEXT_PARTS and isinstance(part.get("text"), str):
            text += part["text"]
        elif kind == "refusal" and isinstance(part.get("refusal"), str):
            refusal += part["refusal"]
        elif kind not in _UNSAID_PARTS:
            raise MalformedResponse(f"{where} is {_shown(part)}, not a part with a text")
    return text, refusal


def _tool_calls(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    calls = message.get("tool_calls")
    if calls is None:
        old = message.get("function_call")  # the field before parallel calls existed
        return () if old is None else (_function("", old, "arguments", "choices[0].message.function_call"),)
    if not isinstance(calls, list):
        raise MalformedResponse(f"choices[0].message.tool_calls is {_shown(calls)}, not a list")
    found = []
    for number, call in enumerate(calls):
        where = f"choices[0].message.tool_calls[{number}]"
        id_ = _text(_mapping(call, where).get("id"), f"{where}.id")
        if call.get("type") == "custom":
            found.append(_function(id_, call.get("custom"), "input", f"{where}.custom"))
        else:
            found.append(_function(id_, call.get("function"), "arguments", f"{where}.function"))
    return tuple(found)


def _function(id_: str, called: Any, field: str, where: str) -> ToolCall:
    name = _mapping(called, where).get("name")
    if not isinstance(name, str):
        raise MalformedResponse(f"{where}.name is {_shown(name)}, not a text")
    given = called.get(field)
    if not isinstance(given, str):
        raise MalformedResponse(f"{where}.{field} is {_shown(given)}, not a text")
    return ToolCall(id_, name, given)


def _usage(usage: Any, names: tuple[str, ...]) -> Usage:
    """The token counts; unknown if one is invalid, so that no answer is lost or free because of it."""
    if not isinstance(usage, dict):
        return _NOT_KNOWN
    counts = [_count(usage.get(name)) for name in names]
    if None in counts:
        return _NOT_KNOWN
    prompt, *completion = counts
    assert prompt is not None
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(prompt, (completion[0] or 0) if completion else 0, min(cached or 0, prompt))


def _count(value: Any) -> int | None:
    """A number of tokens; None for any other value."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_TOKENS:
        return None
    return int(value) if value == int(value) else None


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedResponse(f"{where} is {_shown(value)}, not an object")
    return value


def _text(value: Any, where: str) -> str:
    """A text; null is the empty text."""
    if value is not None and not isinstance(value, str):
        raise MalformedResponse(f"{where} is {_shown(value)}, not a text")
    return value or ""


def _note(value: Any) -> str | None:
    """A descriptive field; None unless it is a text."""
    return value if isinstance(value, str) else None


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    try:
        return f"{orjson.dumps(value).decode():.80}"
    except TypeError:  # nested too deep
        return "deeply nested"

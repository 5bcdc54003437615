"""The rules for chat messages in supervised and preference files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from distilltest.data import kind_of

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_KEYS = ("role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal", "audio")

Problem = tuple[str, bool]
"""What is wrong and the remedy, and whether a platform would reject the file."""


def message_problems(messages: Any, name: str = "messages") -> Iterator[Problem]:
    """Check a list of messages; yields at most one problem for each message."""
    if not isinstance(messages, list) or not messages:
        found = "is an empty list" if messages == [] else f"is {kind_of(messages)}"
        yield f'"{name}" {found}. Write {{"{name}": [{{"role": "user", "content": "…"}}, …]}}.', True
        return
    calls: set[str] = set()
    for number, message in enumerate(messages, start=1):
        problem = _message(message, f"message {number}", calls)
        if problem:
            yield problem
        if isinstance(message, dict) and isinstance(message.get("tool_calls"), list):
            calls |= {str(call.get("id")) for call in message["tool_calls"] if isinstance(call, dict)}


def _message(message: Any, subject: str, calls: set[str]) -> Problem | None:
    if not isinstance(message, dict):
        return f'{subject} is {kind_of(message)}. Write {{"role": "…", "content": "…"}}.', True
    role = message.get("role")
    if role not in ROLES:
        found = "no role" if "role" not in message else f"the role {role!r}"
        return f"{subject} has {found}. The roles are {', '.join(ROLES)}.", True
    subject = f"{subject} ({role})"
    if "weight" in message and (role != "assistant" or _not_weight(message["weight"])):
        return f'{subject}: "weight" is 0 or 1, and on assistant messages only.', True
    problem = _content(message, subject) or _calls(message, subject)
    if problem:
        return problem, True
    if role == "tool" and str(message.get("tool_call_id")) not in calls:
        return f'{subject}: "tool_call_id" names no call of a message before it. Give it the id of the call.', True
    unknown = [key for key in message if key not in _KEYS]
    if unknown:
        return f"{subject} has unknown fields: {', '.join(unknown)}. Take them out.", False
    return None


def _not_weight(value: Any) -> bool:
    return isinstance(value, bool) or value not in (0, 1)


def _content(message: Mapping[str, Any], subject: str) -> str | None:
    content = message.get("content")
    if isinstance(content, str):
        if content.strip() or _asks(message):
            return None
        return f"{subject} is empty. Write its text, or take the example out."
    if content is None:
        return None if _asks(message) else f"{subject} is empty. Write its text, or take the example out."
    if not isinstance(content, list) or not content:
        found = "an empty list" if content == [] else kind_of(content)
        return f'{subject}: "content" is {found}; it must be a text or a list of parts.'
    for number, part in enumerate(content, start=1):
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            return f'{subject}: part {number} has no "type". Write {{"type": "text", "text": "…"}}.'
        if kind == "text" and not isinstance(part.get("text"), str):
            return f'{subject}: part {number} has no "text".'
        if kind != "text" and message["role"] != "user":
            return f"{subject}: part {number} is {kind!r}; only user messages can have parts other than text."
    return None


def _asks(message: Mapping[str, Any]) -> bool:
    """Whether an assistant's message needs no text."""
    if message["role"] != "assistant":
        return False
    return bool(message.get("tool_calls") or message.get("function_call") or message.get("refusal"))


def _calls(message: Mapping[str, Any], subject: str) -> str | None:
    calls = message.get("tool_calls")
    if calls is None:
        return None
    if message["role"] != "assistant":
        return f'{subject}: "tool_calls" are for assistant messages. Take them out.'
    if not isinstance(calls, list) or not calls:
        return f'{subject}: "tool_calls" is {kind_of(calls)}; it must be a list with at least one call, or not there.'
    for number, call in enumerate(calls, start=1):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or "id" not in call:
            return (
                f'{subject}: call {number} is not {{"id": "…", "type": "function", "function": '
                '{"name": "…", "arguments": "…"}}.'
            )
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            return f"{subject}: the arguments of call {number} are {kind_of(arguments)}; write them as a JSON text."
        try:
            orjson.loads(arguments)
        except orjson.JSONDecodeError as error:
            return f"{subject}: the arguments of call {number} are not JSON: {error.msg}."
    return None


def text_of(content: Any) -> str:
    """The text of a message's content: a text, or the text parts of a list; empty for other values.

    >>> text_of([{"type": "text", "text": "What is"}, {"type": "image_url"}, {"type": "text", "text": "this?"}])
    'What is this?'
    """
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(p["text"] for p in content if isinstance(p, dict) and isinstance(p.get("text"), str))
    return ""


def last_user_text(messages: Sequence[Any]) -> str:
    """The text of the last user message, which is the request."""
    return next((text_of(m.get("content")) for m in reversed(messages) if _is(m, "user")), "")


def spoken(messages: Sequence[Any]) -> str:
    """The text and the tool calls of messages, for counting tokens."""
    texts = [text_of(message.get("content")) for message in messages if isinstance(message, dict)]
    texts += [orjson.dumps(m["tool_calls"]).decode() for m in messages if isinstance(m, dict) and m.get("tool_calls")]
    return "\n".join(texts)


def _is(message: Any, role: str) -> bool:
    return isinstance(message, dict) and message.get("role") == role

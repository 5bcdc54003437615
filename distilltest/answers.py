"""Reading a server's response: what a chat completion object, or an embedding, says.

The one reader for the client (as a response arrives), the store (which keeps responses and reads them again) and imports.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from distilltest.records import Completion, Request, ToolCall, Usage


class Said(NamedTuple):
    """What a response says, without what only the asking side knows (key, latency, attempts). Fields as in Completion."""

    text: str
    finish_reason: str = "stop"
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    served_id: str = ""
    served_model: str = ""
    system_fingerprint: str | None = None


def said(content: Any) -> Said:
    """What a chat completion object says in its first choice.

    Raises:
        KeyError, IndexError, TypeError, AttributeError: It is not a chat completion.
    """
    choice = content["choices"][0]
    message = choice["message"]
    usage = content.get("usage") or {}
    calls = message.get("tool_calls") or ()
    return Said(
        text=message.get("content") or "",
        finish_reason=choice.get("finish_reason") or "stop",
        refusal=message.get("refusal"),
        tool_calls=tuple(ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls),
        usage=Usage(
            prompt_tokens=usage.get("prompt_tokens") or 0,
            completion_tokens=usage.get("completion_tokens") or 0,
            cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
        ),
        served_id=content.get("id") or "",
        served_model=content.get("model") or "",
        system_fingerprint=content.get("system_fingerprint"),
    )


def said_embedding(content: Any) -> Said:
    """What an embedding object says: the text is its first vector in JSON.

    Raises:
        KeyError, IndexError, TypeError, ValueError, AttributeError: It is not an embedding.
    """
    vector = [float(number) for number in content["data"][0]["embedding"]]
    tokens = (content.get("usage") or {}).get("prompt_tokens") or 0
    return Said(text=orjson.dumps(vector).decode(), usage=Usage(prompt_tokens=tokens))


def completion_of(request: Request, content: Any, *, latency: float, created: float) -> Completion:
    """What a response object says, as the answer to a request.

    Args:
        request: What was asked; its endpoint says which kind of object it is.
        content: The response's JSON value.
        latency: Seconds from sending the request to the whole response.
        created: Unix time of arrival.

    Raises:
        KeyError, IndexError, TypeError, ValueError, AttributeError: It is not such an object.
    """
    read = said_embedding if request.endpoint == "embeddings" else said
    return Completion(
        key=request.key,
        server=request.server,
        model=request.model,
        latency=latency,
        created=created,
        trial=request.trial,
        **read(content)._asdict(),
    )

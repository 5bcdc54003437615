"""Chat completions and stored completions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import orjson

from distilltest.server.errors import invalid, not_found
from distilltest.server.interface import ServedModels
from distilltest.server.objects import Objects, page

FINGERPRINT = "fp_distilltest_1"
ROLES = ("system", "developer", "user", "assistant", "tool")


def check_metadata(metadata: Any) -> dict[str, str]:
    """Return the metadata, if they keep the API's limits: 16 pairs, keys of 64 and values of 512 characters."""
    if metadata is None:
        return {}
    if not isinstance(metadata, dict) or len(metadata) > 16:
        raise invalid("metadata is an object with at most 16 pairs", "metadata")
    for key, value in metadata.items():
        if not isinstance(value, str) or len(key) > 64 or len(value) > 512:
            raise invalid(
                f"metadata.{key[:64]}: keys have up to 64 characters, values are texts of up to 512", "metadata"
            )
    return dict(metadata)


def check_messages(messages: Any) -> list[dict[str, Any]]:
    """Return the messages, if there is at least one and all have known roles."""
    if not isinstance(messages, list) or not messages:
        raise invalid("messages is a list with at least one message", "messages")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise invalid(f"messages[{number}] needs a role: system, developer, user, assistant or tool", "messages")
    return messages


def content_text(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


class Chat:
    """Answers chat requests, and stores those with ``store: true``."""

    def __init__(self, models: ServedModels, objects: Objects, clock: Callable[[], float] = time.time) -> None:
        self._models = models
        self._objects = objects
        self._clock = clock

    async def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request.

        Raises:
            ApiError: The request is invalid, or the model does not exist.
        """
        model = body.get("model")
        if not isinstance(model, str):
            raise invalid("you must provide a model parameter", "model")
        if body.get("stream"):
            raise invalid("this server does not stream; leave `stream` out", "stream", "unsupported_value")
        count = body.get("n") or 1
        if not isinstance(count, int) or not 1 <= count <= 128:
            raise invalid("n is a whole number from 1 to 128", "n")
        metadata = check_metadata(body.get("metadata"))
        messages = check_messages(body.get("messages"))
        answer = await self._models.answer(model, body, messages, count)
        now = self._clock()
        completion = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "object": "chat.completion",
            "created": int(now),
            "model": model,
            "choices": [
                {
                    "index": index,
                    "message": {"role": "assistant", "content": choice.text, "refusal": None, "annotations": []},
                    "logprobs": None,
                    "finish_reason": choice.finish_reason,
                }
                for index, choice in enumerate(answer.choices)
            ],
            "usage": {
                "prompt_tokens": answer.prompt_tokens,
                "completion_tokens": answer.completion_tokens,
                "total_tokens": answer.prompt_tokens + answer.completion_tokens,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
        }
        if body.get("store"):
            kept = {
                **completion,
                "metadata": metadata,
                "temperature": body.get("temperature"),
                "seed": body.get("seed"),
            }
            self._objects.put("completion", kept, now, data=orjson.dumps(messages))
        return completion

    def list_all(self, query: dict[str, str]) -> dict[str, Any]:
        """Stored completions, filtered by ``model`` and ``metadata[key]``."""
        wanted = {k[9:-1]: v for k, v in query.items() if k.startswith("metadata[") and k.endswith("]")}
        found = [
            c
            for c in self._objects.all("completion")
            if query.get("model") in (None, c["model"]) and all(c["metadata"].get(k) == v for k, v in wanted.items())
        ]
        return page(found, query, newest_first=False)

    def get(self, identity: str) -> dict[str, Any]:
        """One stored completion."""
        found = self._objects.get("completion", identity)
        if found is None:
            raise not_found("stored completion", identity)
        return found

    def update(self, identity: str, body: dict[str, Any]) -> dict[str, Any]:
        """Replace a stored completion's metadata."""
        changed = {**self.get(identity), "metadata": check_metadata(body.get("metadata"))}
        self._objects.put("completion", changed, changed["created"])
        return changed

    def delete(self, identity: str) -> dict[str, Any]:
        """Delete a stored completion."""
        self.get(identity)
        self._objects.delete("completion", identity)
        return {"id": identity, "object": "chat.completion.deleted", "deleted": True}

    def messages(self, identity: str, query: dict[str, str]) -> dict[str, Any]:
        """The messages of a stored completion's request."""
        self.get(identity)
        messages = orjson.loads(self._objects.data("completion", identity) or b"[]")
        return page([{"id": f"{identity}-{i}", **m} for i, m in enumerate(messages)], query, newest_first=False)

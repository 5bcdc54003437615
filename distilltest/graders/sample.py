"""A completion as OpenAI's graders see it: the ``sample`` of templates and Python graders."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson

from distilltest.records import Completion


def sample_of(completion: Completion) -> dict[str, Any]:
    """The sample of a completion: ``output_text``, ``output_json``, ``output_tools`` and ``choices``.

    ``output_json`` is present only if the text is JSON, whatever the request's ``response_format`` was.

    >>> sample_of(Completion("key", "server", "model", '{"a": 1}', "stop"))["output_json"]
    {'a': 1}
    """
    tools = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in completion.tool_calls
    ]
    message: dict[str, Any] = {"role": "assistant", "content": completion.text, "refusal": completion.refusal}
    if tools:
        message["tool_calls"] = tools
    sample: dict[str, Any] = {
        "output_text": completion.text,
        "output_tools": tools,
        "choices": [{"index": 0, "message": message, "finish_reason": completion.finish_reason}],
    }
    with suppress(orjson.JSONDecodeError):
        sample["output_json"] = orjson.loads(completion.text)
    return sample

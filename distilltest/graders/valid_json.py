"""Is the answer JSON?"""

from __future__ import annotations

import orjson

from distilltest.graders.text import normalise, quote
from distilltest.records import Grade

_KINDS = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}


def valid_json(answer: str, *, code_fence: bool = False) -> Grade:
    """Score 1 if the whole answer is one JSON value (RFC 8259), else 0.

    Any value counts, even a bare number; use ``json_schema`` to demand more. ``NaN``, comments, trailing commas, words around the
    value, and nesting deeper than 1024 levels are not accepted.

    Args:
        answer: The model's answer.
        code_fence: If the answer is one Markdown code fence, take its content.

    >>> valid_json('{"term": 3}').reason
    'is JSON: an object'
    >>> valid_json("{'term': 3}").score
    0.0
    """
    try:
        value = orjson.loads(normalise(answer, code_fence=code_fence))
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return Grade("valid_json", 0.0, False, f"not JSON: {error.msg} ({place}): {quote(answer)}")
    return Grade("valid_json", 1.0, True, f"is JSON: {_KINDS.get(type(value), 'a number')}")

"""Is the answer JSON?"""

from __future__ import annotations

import orjson

from distilltest.graders.text import normalise, quote
from distilltest.records import Grade

_KINDS = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}


def valid_json(answer: str, *, code_fence: bool = False) -> Grade:
    """Score 1 where the whole answer is one JSON value (RFC 8259), else 0.

    Any value counts, a bare number too; ask for more with ``json_schema``. ``NaN``, comments, a comma too many and
    words around the value are not JSON, nor is nesting deeper than 1024.

    Args:
        answer: What the model said.
        code_fence: Look inside a code fence that is the whole answer.

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

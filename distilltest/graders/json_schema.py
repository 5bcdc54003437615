"""Is the answer JSON that a schema accepts?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from distilltest.errors import SuiteError
from distilltest.graders.text import normalise, quote
from distilltest.records import Grade

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


def json_schema(answer: str, schema: Mapping[str, Any] | Path, *, code_fence: bool = False) -> Grade:
    """Score 1 where the answer is JSON and the schema accepts it, else 0.

    The reason names the place in the answer and what was expected there. ``$schema`` picks the draft (4 to 2020-12);
    without it, 2020-12 holds.

    Args:
        answer: What the model said.
        schema: The schema itself, or the path of a JSON file with it.
        code_fence: Look inside a code fence that is the whole answer.

    Raises:
        SuiteError: The schema is broken or cannot be read.

    >>> json_schema('{"term": 3}', {"properties": {"term": {"type": "string"}}}).reason
    "$.term: 3 is not of type 'string'"
    """
    validator = _validator_of_file(schema) if isinstance(schema, Path) else _validator(orjson.dumps(schema))
    try:
        value = orjson.loads(normalise(answer, code_fence=code_fence))
    except orjson.JSONDecodeError as error:
        return Grade("json_schema", 0.0, False, f"not JSON: {error.msg} (column {error.colno}): {quote(answer)}")
    from jsonschema.exceptions import best_match

    try:
        mistake = best_match(validator.iter_errors(value))
    except RecursionError:
        return Grade("json_schema", 0.0, False, "nested too deeply to check")
    if mistake is None:
        return Grade("json_schema", 1.0, True, "the schema accepts it")
    return Grade("json_schema", 0.0, False, f"{mistake.json_path}: {mistake.message}")


@lru_cache(maxsize=64)
def _validator_of_file(path: Path) -> Validator:
    try:
        return _validator(path.read_bytes())
    except OSError as error:
        raise SuiteError(f"json_schema: the schema {path} cannot be read: {error.strerror}.") from None


@lru_cache(maxsize=64)
def _validator(text: bytes) -> Validator:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for

    try:
        schema = orjson.loads(text)
        kind = validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
    except orjson.JSONDecodeError as error:
        raise SuiteError(f"json_schema: the schema is not JSON: {error}.") from None
    except SchemaError as error:
        raise SuiteError(f"json_schema: the schema is broken at {error.json_path}: {error.message}.") from None
    return kind(schema)

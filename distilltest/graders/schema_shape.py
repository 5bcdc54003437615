"""What stands where a JSON schema is expected: the schema itself, or an envelope around it that other interfaces use."""

from __future__ import annotations

from typing import Any

from distilltest.errors import SuiteError
from distilltest.graders.text import quote

_ENVELOPE = frozenset(("type", "name", "description", "strict", "schema"))
_SAYING = frozenset(
    "$ref $dynamicRef $recursiveRef additionalItems additionalProperties allOf anyOf const contains dependencies "
    "dependentRequired dependentSchemas enum exclusiveMaximum exclusiveMinimum format if items maxItems maxLength "
    "maxProperties maximum minItems minLength minProperties minimum multipleOf not oneOf pattern patternProperties "
    "prefixItems properties propertyNames required type unevaluatedItems unevaluatedProperties uniqueItems".split()
)
"""Keywords of any draft by which a schema can refuse a value."""


def schema_within(given: Any) -> Any:
    """Take the schema out of a ``response_format``.

    The envelopes are those of Chat Completions (``{"type": "json_schema", "json_schema": {...}}``), of what stands in it
    (``{"name": ..., "strict": ..., "schema": {...}}``), and of Responses (both in one).

    >>> schema_within({"name": "answer", "strict": True, "schema": {"type": "object"}})
    {'type': 'object'}
    """
    schema = given
    if isinstance(schema, dict) and schema.get("type") == "json_schema" and isinstance(schema.get("json_schema"), dict):
        schema = schema["json_schema"]
    if isinstance(schema, dict) and isinstance(schema.get("schema"), dict | bool) and schema.keys() <= _ENVELOPE:
        schema = schema["schema"]
    return schema


def demand_a_keyword(schema: Any) -> None:
    """Insist that a schema can refuse something; ``{}`` and true say that any JSON will do.

    Raises:
        SuiteError: No keyword of it can.
    """
    if isinstance(schema, dict) and schema and not _SAYING & schema.keys():
        raise SuiteError(
            f"json_schema: {quote(schema, 80)} has no keyword that can refuse an answer, so it accepts everything: look for a "
            "misspelled keyword, or an envelope around the schema. Where any JSON will do, write {} or take valid_json."
        )

"""Finds the schema in the envelopes of other interfaces, and rejects a schema that accepts everything."""

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
"""Keywords of any draft with which a schema can reject a value."""


def schema_within(given: Any) -> Any:
    """Take the schema out of a ``response_format``.

    The envelopes are those of Chat Completions (``{"type": "json_schema", "json_schema": {...}}``), its inner object
    (``{"name": ..., "strict": ..., "schema": {...}}``), and Responses (both in one).

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
    """Raise unless a schema can reject something, or is ``{}`` or true, which accept any JSON.

    Raises:
        SuiteError: No keyword of the schema can reject a value.
    """
    if isinstance(schema, dict) and schema and not _SAYING & schema.keys():
        raise SuiteError(
            f"json_schema: {quote(schema, 80)} has no keyword that can refuse an answer, so it accepts everything: look for a "
            "misspelled keyword, or an envelope around the schema. To accept any JSON, write {} or use valid_json."
        )

"""Generates the page of configuration keys from the JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from distilltest.config.load import schema
from scripts.reference.markdown import table

INTRODUCTION = """\
# Configuration keys

Every key of `distilltest.yaml`, from the JSON Schema that `distilltest schema` prints. `NAME` stands for a name that you choose.
[Configuration](configuration.md) explains the keys with an example.
"""
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "maxLength": "at most {} characters",
    "maxProperties": "at most {} keys",
    "pattern": "matches `{}`",
}
KINDS = {"object": "mapping", "array": "list", "string": "text", "integer": "whole number", "boolean": "true or false"}
HEAD = ("key", "value", "default", "meaning")
SHARED = "#/$defs/"


def kind(part: dict[str, Any]) -> str:
    """The type of a value and its bounds."""
    if "$ref" in part:
        name = part["$ref"].removeprefix(SHARED)
        return f"[{name}](#{name})"
    types = part.get("type", [])
    words = [" or ".join(KINDS.get(each, each) for each in ([types] if isinstance(types, str) else types))]
    if "enum" in part:
        words.append("one of " + ", ".join(f"`{json.dumps(each)}`" for each in part["enum"]))
    words += [text.format(part[bound]) for bound, text in BOUNDS.items() if bound in part]
    if part.get("minItems"):
        words.append("not empty")
    return ", ".join(word for word in words if word)


def rows(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for each key below a part of the schema. Shared definitions have tables of their own."""
    more = part.get("additionalProperties")
    below = dict(part.get("properties", {})) | ({"NAME": more} if isinstance(more, dict) else {})
    for key, given in below.items():
        name = f"{path}.{key}" if path else key
        required = key in part.get("required", ())
        default = "required" if required else f"`{json.dumps(given['default'])}`" if "default" in given else ""
        yield f"`{name}`", kind(given), default, given.get("description", "").replace("<", "&lt;")
        yield from rows(given, name)


def unexplained() -> list[str]:
    """Keys without a description."""
    whole = schema()
    every = [*rows(whole), *(row for part in whole["$defs"].values() for row in rows(part))]
    return [key for key, value, _, said in every if not said and not key.endswith("NAME`") and "](#" not in value]


def page() -> str:
    """The page."""
    whole = schema()
    parts = [INTRODUCTION, table(HEAD, rows(whole))]
    for name, part in whole["$defs"].items():
        parts += [f"## {name}", part.get("description", ""), table(HEAD, rows(part))]
    return "\n\n".join(part.strip() for part in parts if part)

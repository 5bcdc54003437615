"""Explains in one line why a JSON schema does not accept a value: the place and what was expected there.

Whether the schema accepts the value is decided elsewhere. jsonschema finds the mistakes, and its ``best_match`` chooses the one
to name.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import groupby
from typing import TYPE_CHECKING, Any

from distilltest.graders.schema_work import Spent, begin, bounded
from distilltest.graders.text import quote

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

WIDTH = 200
"""The longest line."""
_SHOWN = 60
"""The longest value of the answer in a line, so that the expectation still fits."""
_PATH = 80
_DEEP = 100


def validator(draft: str, schema: Any, resources: Mapping[str, Any], *, formats: bool) -> Validator:
    """Make jsonschema's validator: it fetches nothing, matches patterns like the fast validator, and bounds its work.

    Args:
        draft: The name of jsonschema's class.
        schema: The schema.
        resources: Other schemas that a ``$ref`` may name, by URI.
        formats: Check ``format`` too.
    """
    from jsonschema import validators
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
    from referencing import Resource
    from referencing.jsonschema import DRAFT202012, specification_with

    kind: Any = getattr(validators, draft)
    own = specification_with(kind.META_SCHEMA["$schema"], default=DRAFT202012)
    registry = REGISTRY.with_resources(
        (uri, Resource.from_contents(content, default_specification=own)) for uri, content in resources.items()
    )
    extended: Any = validators.extend(kind, bounded(kind.VALIDATORS))  # type: ignore[no-untyped-call]
    made: Validator = extended(schema, registry=registry, format_checker=kind.FORMAT_CHECKER if formats else None)
    return made


def best_line(validator: Validator, value: Any) -> str | None:
    """The most important mistake found within the bound, None if jsonschema finds none."""
    from jsonschema.exceptions import best_match

    found: list[ValidationError] = []
    begin()
    with suppress(Spent):
        found.extend(validator.iter_errors(value))
    mistake = best_match(found)
    return None if mistake is None else _line(mistake.json_path, _message(mistake))


def is_deep(value: Any) -> bool:
    """Whether a value is nested so deeply that the search for its mistake may exhaust the stack."""
    level = [value]
    for _ in range(_DEEP):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def worst_place(errors: Iterable[Any]) -> str:
    """The first mistake in the words of the fast validator."""
    for error in errors:
        return _line(_json_path(error.instance_path), error.message)
    return "the schema does not accept it"


def broken_place(draft: str, schema: Any) -> str | None:
    """The mistake in a schema, None if it is valid in its draft."""
    from jsonschema import validators
    from jsonschema.exceptions import SchemaError

    kind: Any = getattr(validators, draft)
    try:
        with warnings.catch_warnings():  # a FutureWarning about a pattern is not a mistake in the schema
            warnings.simplefilter("ignore")
            kind.check_schema(schema)
    except SchemaError as error:
        return _line(error.json_path, _message(error))
    except RecursionError:
        return "it is nested too deeply"
    return None


def _line(path: str, message: str) -> str:
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in f"{_cut(path, _PATH)}: {message[: 2 * WIDTH]}")
    return _cut(text, WIDTH)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _json_path(steps: Iterable[str | int]) -> str:
    return "$" + "".join(
        f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]" for step in steps
    )


def _message(error: Any) -> str:
    shown, wanted, value = quote(error.instance, _SHOWN), error.validator_value, error.instance
    match error.validator:
        case "type":
            return f"{shown} is not of type {_either([wanted] if isinstance(wanted, str) else wanted)}"
        case "enum":
            return f"{shown} is not one of {wanted!r}"
        case "const":
            return f"{shown} is not {wanted!r}"
        case "required" if isinstance(wanted, list) and isinstance(value, Mapping):
            missing = [repr(name) for name in wanted if name not in value]
            return f"{', '.join(missing)} required but missing"
        case "minLength" | "minItems" | "minProperties":
            return f"{shown} has {_count(value)}, at least {wanted} expected"
        case "maxLength" | "maxItems" | "maxProperties":
            return f"{shown} has {_count(value)}, at most {wanted} expected"
        case "not":
            return f"{shown} is what the schema forbids: {quote(wanted, _SHOWN)}"
        case "anyOf" | "oneOf":
            return _alternatives(error, shown)
    whole: str = error.message
    return whole.replace(repr(value), shown, 1)


def _alternatives(error: Any, shown: str) -> str:
    count = len(error.validator_value)
    if not error.context:
        return f"{shown} fits more than one of {count} alternatives, exactly one expected"
    from jsonschema.exceptions import best_match

    best: list[ValidationError] = []
    # Errors of the alternative "false" have an empty path in the schema.
    for _, branch in groupby(error.context, key=lambda mistake: next(iter(mistake.schema_path), None)):
        if (mistake := best_match(branch)) is not None:
            best.append(mistake)
    if all(mistake.validator == "type" and not mistake.relative_path for mistake in best):
        types: list[str] = []
        for mistake in best:
            wanted: Any = mistake.validator_value
            types += [wanted] if isinstance(wanted, str) else wanted
        return f"{shown} is not of type {_either(types)}"
    ways = []
    for number, mistake in enumerate(best, 1):
        place = mistake.json_path[len(error.json_path) :]
        ways.append(f"({number}) {place}{': ' if place else ''}{_message(mistake)}")
    return f"none of {count} alternatives fits: {'; '.join(ways)}"


def _either(names: Iterable[Any]) -> str:
    return " or ".join(repr(name) for name in dict.fromkeys(map(str, names)))


def _count(value: Any) -> str:
    thing = "character" if isinstance(value, str) else "item" if isinstance(value, list) else "property"
    if len(value) == 1:
        return f"1 {thing}"
    return f"{len(value)} {'properties' if thing == 'property' else thing + 's'}"

"""A bound on the work of explaining why a JSON schema refuses a value.

The fast validator says no in milliseconds; jsonschema, which has the better words, may then take minutes: alternatives within
alternatives are tried all to their ends, elements are compared each with each, and patterns backtrack. So every keyword pays for
what it does, the same for the same answer on any machine, and where nothing is left, the search ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

STEPS = 5_000
"""What one explanation may cost: about 50 ms."""
_LETTERS = 2_000
"""So many letters of a message are one step more: it shows the value."""

Keyword = Callable[[Any, Any, Any, Any], Iterator["ValidationError"]]

_LEFT: ContextVar[int] = ContextVar("distilltest_schema_steps")


class Spent(Exception):
    """There is nothing left to search with."""


def begin() -> None:
    """Begin one explanation."""
    _LEFT.set(STEPS)


def spend(steps: int = 1) -> None:
    """Pay for some work.

    Raises:
        Spent: There is not so much left.
    """
    left = _LEFT.get() - steps
    _LEFT.set(left)
    if left < 0:
        raise Spent


def bounded(keywords: Mapping[str, Keyword]) -> dict[str, Keyword]:
    """The same keywords, each of which pays; those whose work is not bounded by paying are ours."""
    own = {
        "additionalProperties": _additional_properties,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "uniqueItems": _unique_items,
    }
    return {name: _paying(own.get(name, keyword)) for name, keyword in keywords.items()}


def _paying(keyword: Keyword) -> Keyword:
    def paid(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        spend(1 + (len(wanted) // 10 if isinstance(wanted, list) else 0))
        # Some of jsonschema's keywords give None where they have nothing to say.
        for error in keyword(validator, wanted, instance, schema) or ():
            spend(len(error.message) // _LETTERS)
            yield error

    return paid


@lru_cache(maxsize=512)
def _reads(pattern: str) -> Callable[[str], bool]:
    """A pattern as the fast validator reads it: as ECMA-262 does, and in time that grows with the text only."""
    import jsonschema_rs

    reads: Callable[[str], bool] = jsonschema_rs.Draft202012Validator({"pattern": pattern}).is_valid
    return reads


@lru_cache(maxsize=1)
def _unique() -> Callable[[Any], bool]:
    import jsonschema_rs

    unique: Callable[[Any], bool] = jsonschema_rs.Draft202012Validator({"uniqueItems": True}).is_valid
    return unique


def _unique_items(_: Any, wanted: Any, value: Any, __: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if wanted and isinstance(value, list) and not _unique()(value):
        yield ValidationError(f"{value!r} has non-unique elements")


def _pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if isinstance(value, str) and not _reads(pattern)(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, wanted: Any, value: Any, _: Any) -> Iterator[ValidationError]:
    for pattern, schema in wanted.items() if isinstance(value, dict) else ():
        spend(len(value) // 10)
        for name in filter(_reads(pattern), value):
            yield from validator.descend(value[name], schema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if not isinstance(value, dict):
        return
    patterns = list(map(_reads, schema.get("patternProperties", {})))
    spend(len(value) * (1 + len(patterns)) // 10)
    named = schema.get("properties", {})
    extras = [name for name in value if name not in named and not any(reads(name) for reads in patterns)]
    if isinstance(wanted, dict):
        for name in extras:
            yield from validator.descend(value[name], wanted, path=name)
    elif not wanted and extras:
        told = ", ".join(map(repr, sorted(extras)))
        verb = "was" if len(extras) == 1 else "were"
        yield ValidationError(f"Additional properties are not allowed ({told} {verb} unexpected)")

"""A bound on the work of explaining why a JSON schema refuses a value.

The fast validator takes milliseconds; jsonschema, which explains better, may take minutes: it tries all nested alternatives,
compares every pair of elements, and its patterns backtrack. So each keyword spends steps from a budget, and the search ends
when the budget is spent. The result for an answer is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

STEPS = 5_000
"""The budget of one explanation: about 50 ms."""
_LETTERS = 2_000
"""Characters of a message, which shows the value, for each extra step."""

Keyword = Callable[[Any, Any, Any, Any], Iterator["ValidationError"]]

_LEFT: ContextVar[int] = ContextVar("distilltest_schema_steps")


class Spent(Exception):
    """The budget is spent."""


def begin() -> None:
    """Begin an explanation with a full budget."""
    _LEFT.set(STEPS)


def spend(steps: int = 1) -> None:
    """Spend steps of the budget.

    Raises:
        Spent: Too few steps are left.
    """
    left = _LEFT.get() - steps
    _LEFT.set(left)
    if left < 0:
        raise Spent


def bounded(keywords: Mapping[str, Keyword]) -> dict[str, Keyword]:
    """The keywords, each with a budget; those that a budget cannot bound are replaced."""
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
        # Some of jsonschema's keywords return None instead of an empty iterator.
        for error in keyword(validator, wanted, instance, schema) or ():
            spend(len(error.message) // _LETTERS)
            yield error

    return paid


@lru_cache(maxsize=512)
def _reads(pattern: str) -> Callable[[str], bool]:
    """A pattern in ECMA-262, matched by the fast validator in time linear in the text."""
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

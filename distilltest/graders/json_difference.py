"""Finds the place where two JSON values differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distilltest.graders.text import quote


def difference(actual: Any, expected: Any, *, subset: bool = False, path: str = "$") -> str | None:
    """The first difference between a JSON value and the expected one, None if they are equal.

    Numbers are equal as numbers (1 and 1.0), but true is not 1. The order of keys does not matter, the order of arrays does.

    Args:
        actual: The value.
        expected: The reference.
        subset: Allow extra keys in the value's objects, at any depth. Arrays must still have the expected length.
        path: The place of the value, as JSONPath.

    >>> difference({"city": "Rome", "days": 3}, {"city": "Paris", "days": 3.0})
    "$.city: 'Rome' where 'Paris' was expected"
    >>> difference({"city": "Rome"}, {"city": "Rome", "days": 3})
    '$.days: missing, 3 was expected'
    >>> difference({"city": "Rome", "days": 3}, {"city": "Rome"})
    '$.days: 3 where nothing was expected'
    >>> difference({"city": "Rome", "days": 3}, {"city": "Rome"}, subset=True)
    """
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        return _in_object(actual, expected, subset, path)
    if _is_array(actual) and _is_array(expected):
        for index, (one, other) in enumerate(zip(actual, expected, strict=False)):
            if found := difference(one, other, subset=subset, path=f"{path}[{index}]"):
                return found
        if len(actual) == len(expected):
            return None
        return f"{path}: {len(actual)} elements where {len(expected)} were expected"
    if actual == expected and isinstance(actual, bool) == isinstance(expected, bool):
        return None
    return f"{path}: {quote(actual)} where {quote(expected)} was expected"


def _in_object(actual: Mapping[str, Any], expected: Mapping[str, Any], subset: bool, path: str) -> str | None:
    for key, value in expected.items():
        place = f"{path}.{key}"
        if key not in actual:
            return f"{place}: missing, {quote(value)} was expected"
        if found := difference(actual[key], value, subset=subset, path=place):
            return found
    for key in actual:
        if not subset and key not in expected:
            return f"{path}.{key}: {quote(actual[key])} where nothing was expected"
    return None


def _is_array(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)

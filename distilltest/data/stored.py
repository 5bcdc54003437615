"""Restore records from the JSON that an earlier session, or another version of distilltest, stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from distilltest.errors import StoreError

T = TypeVar("T")


def restore(kind: type[T], content: Any, **convert: Callable[[Any], Any]) -> T:
    """Make a record from its JSON object.

    Unknown fields are ignored: a newer version added them, and this version does not use them.

    Args:
        kind: A dataclass.
        content: The JSON value.
        convert: Field → a function that makes its value from the JSON value.

    Raises:
        StoreError: A field is missing, or has a value that this version cannot read.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Point:
    ...     x: float
    ...     y: float = 0.0
    >>> restore(Point, {"x": "1", "colour": "red"}, x=float)
    Point(x=1.0, y=0.0)
    >>> restore(Point, {"y": 1.0})
    Traceback (most recent call last):
    distilltest.errors.StoreError: A stored Point has no 'x'. Another version of distilltest wrote it: upgrade, or run again.
    """
    name = kind.__name__
    if not isinstance(content, Mapping):
        raise StoreError(_unreadable(f"A stored {name} is not an object"))
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]  # mypy has no type for dataclasses
        if field.name in content:
            try:
                values[field.name] = convert.get(field.name, _as_it_is)(content[field.name])
            except (TypeError, ValueError, KeyError):
                found = repr(content[field.name])
                shown = found if len(found) <= 60 else f"{found[:60]}…"
                raise StoreError(_unreadable(f"A stored {name} has {shown} as {field.name!r}")) from None
        elif field.default is MISSING and field.default_factory is MISSING:
            raise StoreError(_unreadable(f"A stored {name} has no {field.name!r}"))
    return kind(**values)


def _as_it_is(value: Any) -> Any:
    return value


def _unreadable(what: str) -> str:
    return f"{what}. Another version of distilltest wrote it: upgrade, or run again."

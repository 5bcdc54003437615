"""Reading JSON objects into frozen dataclasses by the annotations of their fields, and writing them back unchanged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Annotated, Any, NoReturn, TypeVar, get_origin, get_type_hints

from distilltest.errors import SuiteError
from distilltest.graders.template import Template, template
from distilltest.graders.text import quote

Read = Callable[[Any, str], Any]
"""Converts the JSON value at a path to the value of a field, or raises a SuiteError that names the path."""


@dataclass(frozen=True, kw_only=True)
class Object:
    """The base class of JSON objects.

    A field is ``Annotated[its type, its reader]``; with the default None it may be absent or null. The class variable ``type`` is
    the value of the JSON field ``type``.
    """

    nulls: frozenset[str] = field(default=frozenset(), repr=False)
    """Fields that were null, not absent, so that writing changes nothing."""


AnyObject = TypeVar("AnyObject", bound=Object)


def complain(path: str, why: str) -> NoReturn:
    """Raise a SuiteError for the value at a path."""
    raise SuiteError(f"from_openai: {path}: {why}.")


def obj(cls: type[AnyObject]) -> Callable[[Any, str], AnyObject]:
    """A reader of objects of this class; unknown fields are errors."""
    readers = _readers(cls)
    known = [*(["type"] if _kind(cls) else []), *readers]
    optional = {found.name for found in fields(cls) if found.default is None}

    def read(value: Any, path: str) -> AnyObject:
        for key in mapping(value, path):
            if key not in known:
                complain(f"{path}.{key}", f"is unknown; the fields are {', '.join(known)}")
        for key in readers:
            if key not in value and key not in optional:
                complain(f"{path}.{key}", "is missing")
        nulls = frozenset(key for key in value if value[key] is None and key in optional)
        given = {
            key: read_one(value[key], f"{path}.{key}")
            for key, read_one in readers.items()
            if key in value and key not in nulls
        }
        return cls(**given, nulls=nulls)

    return read


def write(value: Any) -> Any:
    """The JSON value that was read."""
    if isinstance(value, Template):
        return value.source
    if isinstance(value, Object):
        there = {name: getattr(value, name) for name in _readers(type(value))}
        written = {name: write(one) for name, one in there.items() if one is not None or name in value.nulls}
        return _kind(type(value)) | written
    if isinstance(value, tuple):
        return [write(one) for one in value]
    if isinstance(value, Mapping):
        return {key: write(one) for key, one in value.items()}
    return value


def _readers(cls: type[Object]) -> dict[str, Read]:
    hints = get_type_hints(cls, include_extras=True)
    names = [found.name for found in fields(cls)]
    return {name: hints[name].__metadata__[0] for name in names if get_origin(hints[name]) is Annotated}


def _kind(cls: type[Object]) -> dict[str, str]:
    kind = getattr(cls, "type", None)
    return {"type": kind} if kind else {}


def mapping(value: Any, path: str) -> Mapping[str, Any]:
    """Read an object."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        complain(path, f"{quote(value)} is not an object")
    return value


def text(value: Any, path: str) -> str:
    """Read a text."""
    if not isinstance(value, str):
        complain(path, f"{quote(value)} is not a text")
    return value


def templated(value: Any, path: str) -> Template:
    """Read a template."""
    return template(text(value, path), f"from_openai: {path}")


def number(value: Any, path: str) -> float:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        complain(path, f"{quote(value)} is not a number")
    return value


def integer(value: Any, path: str) -> int:
    """Read an integer."""
    if isinstance(value, bool) or not isinstance(value, int):
        complain(path, f"{quote(value)} is not a whole number")
    return value


def one_of(*names: str) -> Read:
    """A reader of one of these texts."""

    def read(value: Any, path: str) -> str:
        if not isinstance(value, str) or value not in names:
            complain(path, f"{quote(value)} is none of {', '.join(names)}")
        return value

    return read


def list_of(read_one: Read) -> Read:
    """A reader of lists."""

    def read(value: Any, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            complain(path, f"{quote(value)} is not a list")
        return tuple(read_one(one, f"{path}[{index}]") for index, one in enumerate(value))

    return read


def by_name(read_one: Read) -> Read:
    """A reader of objects whose keys are names."""

    def read(value: Any, path: str) -> Mapping[str, Any]:
        return MappingProxyType({key: read_one(one, f"{path}.{key}") for key, one in mapping(value, path).items()})

    return read


def by_type(readers: Mapping[str, Read]) -> Read:
    """A reader of objects of several kinds, chosen by ``type``."""

    def read(value: Any, path: str) -> Any:
        kind = mapping(value, path).get("type")
        if not isinstance(kind, str) or kind not in readers:
            complain(f"{path}.type", f"{quote(kind)} is none of {', '.join(readers)}")
        return readers[kind](value, path)

    return read

"""Split a page of a list into its objects without changing a byte."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_LINE_BREAKS = re.compile(rb"[\r\n][ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a list."""

    raw: bytes
    """The object exactly as the server sent it."""
    value: Any
    """The same, parsed."""

    @property
    def id(self) -> str | None:
        """Its id; None if it has none."""
        return identifier(self.value)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    items: tuple[Item, ...]
    has_more: bool | None
    """None if the server does not say."""
    last_id: str | None


def identifier(value: Any) -> str | None:
    """The id of an object; None if it has none."""
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None


def parse(text: bytes) -> Any:
    """Parse JSON, including the extensions that Python's reader accepts, as ``split`` does.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


def encode(value: Any) -> bytes:
    """Encode a value as JSON on one line; lone surrogates, which a server may send, are escaped."""
    return json.dumps(value).encode()


def split(body: bytes) -> Page:
    """Split a response ``{"data": [...], "has_more": ...}`` into its objects.

    >>> split(b'{"object": "list", "data": [{"id": "a", "x": 1.50}], "has_more": false}').items[0].raw
    b'{"id": "a", "x": 1.50}'

    Raises:
        ValueError: It is not such a response.
    """
    text = body.decode("utf-8")
    fields: dict[str, Any] = {}
    items: tuple[Item, ...] | None = None
    try:
        position = _expect(text, _skip(text, 0), "{")
        while text[position] != "}":
            name, position = _DECODER.raw_decode(text, position)
            position = _expect(text, _skip(text, position), ":")
            if name == "data" and text[position] == "[":
                items, position = _array(text, position)
            else:
                fields[name], position = _DECODER.raw_decode(text, position)
            position = _next(text, position, "}")
        if _skip(text, position + 1) != len(text):
            raise ValueError("there is more after the object")
    except IndexError:
        raise ValueError("it breaks off") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if items is None:
        raise ValueError('it has no list "data"')
    more, last = fields.get("has_more"), fields.get("last_id")
    return Page(items, more if isinstance(more, bool) else None, last if isinstance(last, str) and last else None)


def one_line(raw: bytes) -> bytes:
    r"""Put an object on one line: JSON allows line breaks only between tokens, where they have no meaning.

    >>> one_line(b'{\n  "id": "a",\n  "text": "b  c"\n}')
    b'{"id": "a","text": "b  c"}'
    """
    return _LINE_BREAKS.sub(b"", raw)


def _array(text: str, position: int) -> tuple[tuple[Item, ...], int]:
    items = []
    position = _skip(text, position + 1)
    while text[position] != "]":
        value, end = _DECODER.raw_decode(text, position)
        items.append(Item(text[position:end].encode(), value))
        position = _next(text, end, "]")
    return tuple(items), position + 1


def _next(text: str, position: int, end: str) -> int:
    """The position of the next element, or of the end."""
    position = _skip(text, position)
    if text[position] == ",":
        position = _skip(text, position + 1)
        if text[position] == end:
            raise ValueError("there is a comma before the end")
    elif text[position] != end:
        raise ValueError(f"there is no comma at character {position}")
    return position


def _expect(text: str, position: int, sign: str) -> int:
    if text[position] != sign:
        raise ValueError(f"there is no {sign!r} at character {position}")
    return _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position

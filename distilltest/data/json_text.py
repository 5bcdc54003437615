"""Parse JSON strictly: a duplicate key, or a number that would lose digits, is an error.

orjson parses. It is fast and refuses NaN, infinity and lone surrogates, but it keeps the last of several equal keys, turns
whole numbers of more than 64 bits into floats, and reads deeper nesting than it writes. A cheap count detects texts that may
contain these, and only those are parsed again with the slower parser of the standard library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from distilltest.data.files import read_bytes, text_of
from distilltest.data.tree import DEEPEST, LEAST_WHOLE, MOST_WHOLE, Step, Tree
from distilltest.errors import DistilltestError, at

_SPACED_KEY = re.compile(rb'"[ \t\r\n]+:')
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}:,]|[^\s\[\]{}:,"]++')


class Unreadable(ValueError):
    """Why a text cannot be read as JSON, and the remedy: a sentence without the place."""

    def __init__(self, problem: str, line: int = 1) -> None:
        super().__init__(problem)
        self.line = line
        """From 1, in the text."""


class _Twice(ValueError):
    """An object has a key twice."""


def read_json(path: Path, shown: str, error: type[DistilltestError], *, any_size: bool = False) -> Tree:
    """Read a JSON file.

    Args:
        path: The file.
        shown: The file's name in errors.
        error: The class of the errors.
        any_size: Whole numbers may have more than 64 bits, as in a JSON Schema.

    Raises:
        DistilltestError: The file cannot be read, or is not JSON; the message names the line.
    """
    return parse_json(text_of(read_bytes(path, shown, error), shown, error), shown, error, any_size=any_size)


def parse_json(text: str, shown: str, error: type[DistilltestError], *, any_size: bool = False) -> Tree:
    """Parse a JSON text; arguments and errors as in ``read_json``."""
    try:
        value = parse_row(text.encode("utf-8", "surrogatepass"), any_size=any_size)
    except Unreadable as problem:
        raise error(f"{at(shown, problem.line)}: {problem}") from None
    return Tree(value, shown, lambda steps: _line(text, steps))


def parse_row(content: bytes, *, any_size: bool = False) -> Any:
    """The value of a JSON text, such as a line of JSONL.

    Args:
        content: The text in UTF-8.
        any_size: Whole numbers may have more than 64 bits.

    Raises:
        Unreadable: The text is not JSON, has a duplicate key, or has a number that would lose digits.
    """
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith("depth limit"):
            raise Unreadable(_TOO_DEEP, error.lineno) from None
        raise Unreadable(f"not JSON: {error.msg} (column {error.colno}).", error.lineno) from None
    if isinstance(value, dict | list):
        keys, vast = _survey(value, content)
        suspect = vast or keys != content.count(b'":') or _SPACED_KEY.search(content) is not None
    else:
        suspect = isinstance(value, float)
    return _read_again(content.decode(), any_size=any_size) if suspect else value


_TOO_DEEP = f"lists and objects are nested more than {DEEPEST} deep. Make it flatter."


def _survey(value: Any, content: bytes) -> tuple[int, bool]:
    """The number of keys, and whether a float may have been a whole number of more than 64 bits."""
    keys, vast, depth = 0, False, 0
    level = [value]
    while level:
        depth += 1
        if depth > DEEPEST:
            raise Unreadable(_TOO_DEEP, _deep_line(content))
        below = []
        for container in level:
            if type(container) is dict:
                keys += len(container)
                container = container.values()
            for part in container:
                kind = type(part)
                if kind is dict or kind is list:
                    below.append(part)
                elif kind is float and not -9e18 < part < 9e18:
                    vast = True
        level = below
    return keys, vast


def _read_again(text: str, *, any_size: bool) -> Any:
    try:
        return (_ANY_SIZE if any_size else _STRICT).decode(text)
    except _Twice:
        line, key, first = next(_twice(text))
        raise Unreadable(f"the key {key!r:.80} is there twice, first on line {first}. Keep one.", line) from None
    except Unreadable as problem:
        raise Unreadable(str(problem), _line_of_number(text)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Twice
    return made


def _whole(digits: str) -> int:
    if len(digits) > 20 or not LEAST_WHOLE <= int(digits) <= MOST_WHOLE:
        raise Unreadable(f"{digits:.60} has more than 64 bits and would lose digits. Put quotes around it.")
    return int(digits)


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole)
_ANY_SIZE = json.JSONDecoder(object_pairs_hook=_object)


def _places(text: str) -> Iterator[tuple[int, list[Step], str]]:
    """Line, path and token of each key and value of a valid JSON text."""
    path: list[Step] = []
    closers: list[str] = []
    line, counted, key = 1, 0, False
    for match in _TOKEN.finditer(text):
        sign = match[0]
        line += text.count("\n", counted, match.start())
        counted = match.start()
        if sign in "]}":
            closers.pop()
            path.pop()
        elif sign == ",":
            key = closers[-1] == "}"
            if not key:
                path[-1] += 1  # type: ignore[operator]  # of a list, the step is an index
        elif sign == ":":
            key = False
        elif key:
            path[-1] = orjson.loads(sign)
            yield line, path, ":"
        else:
            yield line, path, sign
            if sign in "[{":
                key = sign == "{"
                closers.append("}" if key else "]")
                path.append("" if key else 0)


def _line(text: str, steps: tuple[Step, ...]) -> int:
    """The line of the value at a path, or of its nearest ancestor."""
    found, depth = 1, -1
    for line, path, sign in _places(text):
        if depth < len(path) <= len(steps) and path == list(steps[: len(path)]):
            if sign != ":" and path and isinstance(path[-1], str):
                continue  # the line of the key is known
            found, depth = line, len(path)
            if depth == len(steps):
                break
    return found


def _twice(text: str) -> Iterator[tuple[int, str, int]]:
    """Line and name of duplicate keys, and the line of the first of each."""
    seen: list[dict[str, int]] = []
    for line, path, sign in _places(text):
        del seen[len(path) + (sign in "[{") :]
        if sign in "[{":
            seen += [{} for _ in range(len(path) + 1 - len(seen))]
            seen[-1] = {}
        elif sign == ":":
            key = str(path[-1])
            if key in seen[-1]:
                yield line, key, seen[-1][key]
            seen[-1][key] = line


def _line_of_number(text: str) -> int:
    for line, _, sign in _places(text):
        if sign[0] in "-0123456789" and not set(sign) & set(".eE"):
            try:
                _whole(sign)
            except Unreadable:
                return line
    return 1


def _deep_line(content: bytes) -> int:
    return next((line for line, path, _ in _places(content.decode()) if len(path) >= DEEPEST), 1)


def element_lines(text: str, field: str | None) -> Iterator[int]:
    """The line on which each element of a list begins: the list is the whole text, or a field of its object.

    The text must be valid JSON. The standard library's decoder splits it, which is much faster than reading tokens.
    """
    place = _skip(text, 0)
    if field is not None:
        place = _skip(text, place + 1)
        while True:
            if text[place] == ",":
                place = _skip(text, place + 1)
            key, place = _STRICT.raw_decode(text, place)
            place = _skip(text, _skip(text, place) + 1)  # the colon
            if key == field:
                break
            place = _skip(text, _STRICT.raw_decode(text, place)[1])
    line, counted = 1, 0
    place = _skip(text, place + 1)
    while text[place] != "]":
        if text[place] == ",":
            place = _skip(text, place + 1)
        line += text.count("\n", counted, place)
        counted = place
        yield line
        place = _skip(text, _STRICT.raw_decode(text, place)[1])


def _skip(text: str, place: int) -> int:
    """The next position that is not white space."""
    while text[place] in " \t\r\n":
        place += 1
    return place

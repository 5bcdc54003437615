"""Read JSONL line by line: the value of each line, or why it cannot be read. Memory use does not depend on the file's size."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from distilltest.data import Unreadable, lines, parse_row
from distilltest.data.files import not_utf8, wide_encoding
from distilltest.errors import TrainingFileError, brief_lines


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in a training file."""

    line: int
    """From 1; 0 for the file as a whole."""
    message: str
    """The problem and the remedy."""
    fatal: bool = True
    """Whether a platform would reject the file."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", brief_lines(self.message))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a JSONL file."""

    number: int
    """From 1."""
    content: Any
    """The value; None if the line cannot be read."""
    problem: str | None = None
    """Why the line is not valid JSONL, and the remedy."""


def read_bytes(path: Path) -> Iterator[tuple[int, bytes]]:
    """Read the lines of a training file with their numbers, without line ends.

    Raises:
        TrainingFileError: The file cannot be read, or has a line of more than ``LONGEST`` bytes.
    """
    return lines(path, str(path), TrainingFileError)


def read_lines(path: Path) -> Iterator[Line]:
    """Read and parse every line; stop at the first line if the file is not JSONL at all.

    Raises:
        TrainingFileError: The file cannot be read.
    """
    for number, line in read_bytes(path):
        bom = ""
        if number == 1:
            whole = _another_kind(line)
            if whole:
                yield Line(1, None, whole)
                return
            if line.startswith(codecs.BOM_UTF8):
                line = line.removeprefix(codecs.BOM_UTF8)
                bom = "the file begins with a byte order mark. Save it as UTF-8 without BOM."
        if not line.strip():
            yield Line(number, None, "a blank line. Take it out.")
            continue
        problem = not_utf8(line)
        if problem:
            yield Line(number, None, problem)
            continue
        try:
            yield Line(number, parse_row(line), bom or None)
        except Unreadable as problem:
            more = " Each line is one whole object, in UTF-8." if str(problem).startswith("not JSON") else ""
            yield Line(number, None, f"{problem}{more}")


def _another_kind(first: bytes) -> str | None:
    """Why a file is not JSONL at all, by its first line; None if it may be."""
    wide = wide_encoding(first)
    if wide:
        return f"the file is {wide}. Save it as UTF-8 without BOM. The other lines were not looked at."
    start = first.removeprefix(codecs.BOM_UTF8).strip()
    if start.startswith(b"["):
        return "the file is a JSON list. Write one object a line, no brackets around and no commas between."
    if start == b"{":
        return "an object spread over several lines. Write each object on one line. The other lines were not looked at."
    return None


def digest(*values: Any) -> bytes:
    """Hash JSON values to twelve bytes, with sorted keys, to find duplicates.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    hashed = hashlib.blake2b(digest_size=12)
    for value in values:
        try:
            encoded = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:  # orjson reads deeper nesting than it writes
            encoded = repr(value).encode("utf-8", "surrogatepass")
        hashed.update(encoded + b"\n")
    return hashed.digest()

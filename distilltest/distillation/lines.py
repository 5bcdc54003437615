"""JSONL line by line: what is on each line, or why it cannot be read. Memory stays flat whatever the file's size."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from distilltest.errors import DistilltestError, TrainingFileError, at

LONGEST = 64 * 1024 * 1024
"""Bytes on one line: room for a conversation with pictures, but not for a whole file without line ends."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a training file should not have."""

    line: int
    """From 1; 0 for the file as a whole."""
    message: str
    """What it is, and the remedy."""
    fatal: bool = True
    """Whether a platform would reject the file."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a JSONL file."""

    number: int
    """From 1."""
    content: Any
    """The value; None where it cannot be read."""
    problem: str | None = None
    """What is wrong with the line as text, and the remedy."""


def read_bytes(path: Path, error: type[DistilltestError] = TrainingFileError) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, without their ends.

    Args:
        path: The file.
        error: What to raise.

    Raises:
        DistilltestError: The file cannot be read, or has a line of more than ``LONGEST`` bytes.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST + 1):
                number += 1
                if len(line) > LONGEST:
                    raise error(
                        f"{at(path, number)}: more than {LONGEST // 1024**2} MB on one line. "
                        "JSONL has one object a line: put a line end after each."
                    )
                yield number, line.removesuffix(b"\n")
    except FileNotFoundError:
        raise error(f"{path} cannot be read: there is no such file. Check the path.") from None
    except OSError as caught:
        raise error(f"{path} cannot be read: {caught.strerror}.") from None


def read_lines(path: Path) -> Iterator[Line]:
    """Every line, parsed; reading stops where the whole file is of another kind.

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
            yield Line(number, orjson.loads(line), bom or None)
        except orjson.JSONDecodeError as error:
            yield Line(
                number, None, f"not JSON: {error.msg} (column {error.colno}). Each line is one whole object, in UTF-8."
            )


def _another_kind(first: bytes) -> str | None:
    """What the first line says of a file that is no JSONL at all."""
    wide = wide_encoding(first)
    if wide:
        return f"the file is {wide}. Save it as UTF-8 without BOM. The other lines were not looked at."
    start = first.removeprefix(codecs.BOM_UTF8).strip()
    if start.startswith(b"["):
        return "the file is a JSON list. Write one object a line, no brackets around and no commas between."
    if start == b"{":
        return "an object spread over several lines. Write each object on one line. The other lines were not looked at."
    return None


def wide_encoding(first: bytes) -> str | None:
    """The encoding of a file of wide characters, by its first line; None where it has none.

    >>> wide_encoding("a request".encode("utf-16-le")), wide_encoding(b"a request")
    ('UTF-16', None)
    """
    if first.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    return "UTF-16" if first.count(b"\x00") * 3 > len(first) else None


def not_utf8(line: bytes) -> str | None:
    """Why a line is not UTF-8, None where it is.

    >>> not_utf8("größer".encode("latin-1"))
    "not UTF-8: byte 0xf6 at column 3 ('ö' in Windows-1252 or Latin-1, perhaps). Save the file as UTF-8."
    """
    try:
        line.decode()
    except UnicodeDecodeError as error:
        byte = line[error.start : error.start + 1]
        guess = byte.decode("cp1252", errors="replace")
        perhaps = f" ({guess!r} in Windows-1252 or Latin-1, perhaps)" if guess.isprintable() and guess != "�" else ""
        column = len(line[: error.start].decode()) + 1
        return f"not UTF-8: byte 0x{byte.hex()} at column {column}{perhaps}. Save the file as UTF-8."
    return None


def digest(*values: Any) -> bytes:
    """Twelve bytes that stand for JSON values, keys sorted: what duplicates are found by.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    hashed = hashlib.blake2b(digest_size=12)
    for value in values:
        try:
            encoded = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:  # it reads deeper nests than it writes
            encoded = repr(value).encode("utf-8", "surrogatepass")
        hashed.update(encoded + b"\n")
    return hashed.digest()


def kind_of(value: Any) -> str:
    """What a JSON value is, in words.

    >>> kind_of([]), kind_of(None), kind_of(1.5)
    ('a list', 'null', 'a number')
    """
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")

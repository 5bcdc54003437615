"""Rows of files: JSONL, JSON, YAML and CSV, each row with the line that it begins on; row by row where the format allows."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distilltest.data.files import lines, not_utf8, read_bytes, text_of, wide_encoding
from distilltest.data.json_text import Unreadable, element_lines, parse_json, parse_row
from distilltest.data.tree import Tree, kind_of
from distilltest.data.yaml_text import read_yaml
from distilltest.errors import DistilltestError, at

Row = tuple[int, Any]
"""The line that a row begins on, from 1, and its value."""
_LONGEST_FIELD = 16 * 1024 * 1024
_LONGEST_NAME = 500


def jsonl_rows(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[Row]:
    """One JSON value a line; blank lines are passed over.

    Raises:
        DistilltestError: The file cannot be read, or a line is not JSON.
    """
    for number, line in _utf8_lines(path, shown, error, check=False):
        if not line or line.isspace():
            continue
        try:
            yield number, parse_row(line)
        except Unreadable as problem:
            raise error(f"{at(shown, number)}: {_of_line(line, problem)}") from None


def _of_line(line: bytes, problem: Unreadable) -> str:
    broken = not_utf8(line)
    if broken:
        return broken
    start = line.decode().strip()
    start = start if len(start) <= 60 else start[:59] + "…"
    more = f" JSONL has one whole value on each line; this line is {start!r}."
    return f"{problem}{more}" if str(problem).startswith("not JSON") else str(problem)


def json_rows(path: Path, shown: str, error: type[DistilltestError], field: str | None = None) -> Iterator[Row]:
    """The values of a JSON list.

    Args:
        path: The file.
        shown: What errors call it.
        error: What to raise.
        field: The list may also be this field of an object.

    Raises:
        DistilltestError: The file cannot be read, or is no such list.
    """
    text = text_of(read_bytes(path, shown, error), shown, error)
    rows, wrapped = _list_of(parse_json(text, shown, error), field, error)
    yield from zip(element_lines(text, field if wrapped else None), rows, strict=True)


def yaml_rows(path: Path, shown: str, error: type[DistilltestError], field: str | None = None) -> Iterator[Row]:
    """The values of a YAML list; an empty file has none. Arguments and errors are those of ``json_rows``."""
    tree = read_yaml(path, shown, error)
    if tree.value is None:
        return
    rows, wrapped = _list_of(tree, field, error)
    steps = (field,) if wrapped and field else ()
    yield from ((tree.line(*steps, number), row) for number, row in enumerate(rows))


def _list_of(tree: Tree, field: str | None, error: type[DistilltestError]) -> tuple[list[Any], bool]:
    """The rows, and whether they are in a field."""
    content = tree.value
    if isinstance(content, list):
        return content, False
    if field is None:
        raise error(
            f"{tree.place()}: a dataset is a list of objects, not {kind_of(content)}. One object a line is .jsonl."
        )
    if not isinstance(content, dict):
        raise error(f"{tree.place()}: {kind_of(content)}. Write a list, or a list under {field}:.")
    if not isinstance(content.get(field), list):
        found = f"has {', '.join(repr(name)[:40] for name in list(content)[:5])}" if content else "is empty"
        raise error(f'{tree.place()}: the object {found}. Write {{"{field}": [...]}}, or a list.')
    return content[field], True


def csv_rows(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[Row]:
    """Rows of a CSV file with a header, as objects of texts.

    Raises:
        DistilltestError: The file cannot be read, or a row does not fit the header.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    reader = csv.reader((line for _, line in text_lines(path, shown, error)), strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as caught:
            raise error(
                f"{at(shown, line)}: not CSV: {caught}. Put quotes around fields with quotes or line ends."
            ) from None
        if not row:
            continue
        if header is None:
            header = [column.strip() for column in row]
            _check_header(header, at(shown, line), error)
        elif len(row) != len(header):
            columns = ", ".join(header)
            columns = columns if len(columns) <= 200 else columns[:199] + "…"
            raise error(
                f"{at(shown, line)}: {len(row)} fields, but the header has {len(header)} ({columns}). "
                "Put quotes around a field with a comma."
            )
        else:
            yield line, dict(zip(header, row, strict=True))


def _check_header(header: list[str], place: str, error: type[DistilltestError]) -> None:
    other = next((sign for sign in (";", "\t") if sign in header[0]), None) if len(header) == 1 else None
    if other:
        name = "semicolons" if other == ";" else "tabs"
        raise error(f"{place}: the columns are divided by {name}. Save the file with commas.")
    seen: set[str] = set()
    for number, column in enumerate(header, start=1):
        if len(column) > _LONGEST_NAME:  # each row would repeat it
            raise error(
                f"{place}: the name of column {number} has {len(column):,} characters. Is this line the header? "
                f"Give it a name of at most {_LONGEST_NAME}."
            )
        if column in seen:
            raise error(f"{place}: the header has {column!r:.60} twice. Rename one.")
        seen.add(column)


def text_lines(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[tuple[int, str]]:
    """The lines of a text in UTF-8 with their numbers, each with its end; a byte order mark is taken off.

    Raises:
        DistilltestError: The file cannot be read, or a line is not UTF-8.
    """
    for number, line in _utf8_lines(path, shown, error, check=True):
        yield number, line.decode() + "\n"


def _utf8_lines(path: Path, shown: str, error: type[DistilltestError], *, check: bool) -> Iterator[tuple[int, bytes]]:
    for number, line in lines(path, shown, error):
        if number == 1:
            wide = wide_encoding(line)
            if wide:
                raise error(f"{at(shown, 1)}: the file is {wide}. Save it as UTF-8.")
            line = line.removeprefix(codecs.BOM_UTF8)
        problem = not_utf8(line) if check else None
        if problem:
            raise error(f"{at(shown, number)}: {problem}")
        yield number, line

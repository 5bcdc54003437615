"""Read the rows of JSONL, JSON, YAML, CSV and Parquet files, each with its line."""

from __future__ import annotations

import codecs
import csv
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distilltest.data.files import lines, not_utf8, opened, read_bytes, text_of, wide_encoding
from distilltest.data.json_text import Unreadable, element_lines, parse_json, parse_row
from distilltest.data.tree import Tree, kind_of
from distilltest.data.yaml_text import read_yaml
from distilltest.errors import DistilltestError, at

Row = tuple[int, Any]
"""The line on which a row begins, from 1, and its value."""
_FIELD = "requests"
"""The field of a JSON or YAML object that can hold the list of rows."""
_LONGEST_FIELD = 16 * 1024 * 1024
_LONGEST_NAME = 500


def read_rows(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[Row]:
    """Read the rows of a file in the format that its ending names.

    JSONL, CSV and Parquet are read row by row; JSON and YAML as a whole. JSON and YAML files hold a list, or an object
    whose field ``requests`` is one. The line of a Parquet row is its number.

    Args:
        path: The file.
        shown: The file's name in errors.
        error: The class of the errors.

    Raises:
        DistilltestError: The ending is unknown, the file cannot be read or a row is broken; the message names the line.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise error(
            f"{shown}: it ends in {path.suffix!r}; rows are read from {', '.join(FORMATS)}. Rename or convert it."
        )
    return reader(path, shown, error)


def _jsonl_rows(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[Row]:
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


def _json_rows(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[Row]:
    text = text_of(read_bytes(path, shown, error), shown, error)
    tree = parse_json(text, shown, error)
    if tree.value and isinstance(tree.value, dict) and not any(isinstance(part, list) for part in tree.value.values()):
        raise error(f"{tree.place()}: a dataset is a list of objects, not an object. One object a line is .jsonl.")
    rows, field = _list_of(tree, error)
    yield from zip(element_lines(text, field), rows, strict=True)


def _yaml_rows(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[Row]:
    tree = read_yaml(path, shown, error)
    if tree.value is None:  # an empty file
        return
    rows, field = _list_of(tree, error)
    steps = () if field is None else (field,)
    yield from ((tree.line(*steps, number), row) for number, row in enumerate(rows))


def _list_of(tree: Tree, error: type[DistilltestError]) -> tuple[list[Any], str | None]:
    """The rows, and the name of the field that holds them."""
    content = tree.value
    if isinstance(content, list):
        return content, None
    if not isinstance(content, dict):
        raise error(f"{tree.place()}: {kind_of(content)}. Write a list, or a list under {_FIELD}:.")
    if isinstance(content.get(_FIELD), list):
        return content[_FIELD], _FIELD
    found = f"has {', '.join(repr(name)[:40] for name in list(content)[:5])}" if content else "is empty"
    raise error(f'{tree.place()}: the object {found}. Write {{"{_FIELD}": [...]}}, or a list.')


def _csv_rows(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[Row]:
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
        raise error(f"{place}: the columns are separated by {name}. Save the file with commas.")
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


def _parquet_rows(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[Row]:
    if importlib.util.find_spec("pyarrow") is None:
        raise error(
            f"{shown}: Parquet is read with pyarrow, which is not installed. Run pip install 'distilltest[parquet]', or "
            "convert the file to JSONL or CSV."
        )
    parquet: Any = importlib.import_module("pyarrow.parquet")
    try:
        with opened(path, shown, error), parquet.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=1000)
            yield from enumerate((row for batch in batches for row in batch.to_pylist()), start=1)
    except (OSError, ValueError) as caught:  # pyarrow's errors are ValueErrors
        raise error(f"{shown}: not Parquet: {caught}") from None


_READERS = {
    ".jsonl": _jsonl_rows,
    ".ndjson": _jsonl_rows,
    ".json": _json_rows,
    ".yaml": _yaml_rows,
    ".yml": _yaml_rows,
    ".csv": _csv_rows,
    ".parquet": _parquet_rows,
}
FORMATS = tuple(_READERS)
"""The endings of the files that ``read_rows`` reads."""


def text_lines(path: Path, shown: str, error: type[DistilltestError]) -> Iterator[tuple[int, str]]:
    """Read the lines of a UTF-8 text with their numbers and line ends, without a byte order mark.

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

"""Rows of files that users bring: JSONL, JSON, CSV or Parquet, each row with its line; row by row where the format allows."""

from __future__ import annotations

import codecs
import csv
import importlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from distilltest.distillation.lines import kind_of, not_utf8, read_bytes, wide_encoding
from distilltest.errors import DatasetError, at

Row = tuple[int, Any]
"""A line (a row's number for Parquet), from 1, and the value on it."""
FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
YAML = (".yaml", ".yml")
"""For requests alone: evaluation datasets may be written in it."""
_LONGEST_FIELD = 16 * 1024 * 1024


def read_rows(path: Path) -> Iterator[Row]:
    """All rows of a file; its ending says how to read it.

    Raises:
        DatasetError: It cannot be read; the message names the line.
    """
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return jsonl_rows(path)
    if suffix == ".json":
        return json_rows(path)
    if suffix == ".csv":
        return csv_rows(path)
    if suffix == ".parquet":
        return parquet_rows(path)
    raise DatasetError(
        f"{path}: it ends in {path.suffix!r}; rows are read from {', '.join(FORMATS)}. Rename or convert it."
    )


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text in UTF-8 with their numbers, each with its end; a byte order mark is taken off.

    Raises:
        DatasetError: The file cannot be read, or a line is not UTF-8.
    """
    for number, line in read_bytes(path, DatasetError):
        if number == 1:
            wide = wide_encoding(line)
            if wide:
                raise DatasetError(f"{at(path, 1)}: the file is {wide}. Save it as UTF-8.")
            line = line.removeprefix(codecs.BOM_UTF8)
        problem = not_utf8(line)
        if problem:
            raise DatasetError(f"{at(path, number)}: {problem}")
        yield number, line.decode() + "\n"


def jsonl_rows(path: Path) -> Iterator[Row]:
    """One JSON value a line; blank lines are passed over."""
    for number, line in text_lines(path):
        if line.strip():
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise DatasetError(
                    f"{at(path, number)}: not JSON: {error.msg} (column {error.colno}). "
                    "JSONL has one whole value on each line."
                ) from None


def json_rows(path: Path) -> Iterator[Row]:
    """The values of a JSON list, or of the list in ``{"requests": [...]}``, each with the line that it begins on."""
    text = "".join(line for _, line in text_lines(path)).rstrip()
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DatasetError(f"{at(path, error.lineno)}: not JSON: {error.msg} (column {error.colno}).") from None
    wrapped = isinstance(content, dict)
    if wrapped and not isinstance(content.get("requests"), list):
        found = f"has {', '.join(map(repr, list(content)[:5]))}" if content else "is empty"
        raise DatasetError(f'{at(path, 1)}: the object {found}. Write {{"requests": [...]}}, or a list.')
    if not wrapped and not isinstance(content, list):
        raise DatasetError(f'{at(path, 1)}: {kind_of(content)}. Write a list, or {{"requests": [...]}}.')
    rows = content["requests"] if wrapped else content
    try:
        yield from zip(_lines_of(text, wrapped=wrapped), rows, strict=True)
    except RecursionError:
        raise DatasetError(f"{path}: a value is nested too deeply. Flatten it.") from None


def yaml_rows(path: Path) -> Iterator[Row]:
    """The values of a YAML list, or of the list under ``requests:``, each with the line that it begins on."""
    import yaml

    text = "".join(line for _, line in text_lines(path))
    try:
        content, node = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or error
        raise DatasetError(f"{at(path, mark.line + 1 if mark else None)}: not YAML: {problem}.") from None
    if content is None:
        return
    assert node is not None
    if isinstance(content, dict) and isinstance(content.get("requests"), list):
        content, node = content["requests"], next(value for key, value in node.value if key.value == "requests")
    if not isinstance(content, list):
        raise DatasetError(f"{at(path, 1)}: {kind_of(content)}. Write a list, or a list under requests:.")
    yield from ((child.start_mark.line + 1, row) for child, row in zip(node.value, content, strict=True))


def _lines_of(text: str, *, wrapped: bool) -> Iterator[int]:
    """The line that each element of a list begins on. The text is known to be JSON."""
    decoder = json.JSONDecoder(parse_int=len, parse_float=len)  # numbers are of no interest here, and may be huge
    line, counted = 1, 0
    for start in _elements(text, decoder, _list_in_object(text, decoder) if wrapped else _skip(text, 0)):
        line += text.count("\n", counted, start)
        counted = start
        yield line


def _list_in_object(text: str, decoder: json.JSONDecoder) -> int:
    """Where the value of the last ``requests`` begins: of several, the last one counts."""
    place = _skip(text, 0) + 1
    found = -1
    while text[place := _skip(text, place)] != "}":
        if text[place] == ",":
            place = _skip(text, place + 1)
        key, place = decoder.raw_decode(text, place)
        place = _skip(text, _skip(text, place) + 1)  # the colon
        found = place if key == "requests" else found
        _, place = decoder.raw_decode(text, place)
    return found


def _elements(text: str, decoder: json.JSONDecoder, opening: int) -> Iterator[int]:
    place = opening + 1
    while text[place := _skip(text, place)] != "]":
        if text[place] == ",":
            place = _skip(text, place + 1)
        yield place
        _, place = decoder.raw_decode(text, place)


def _skip(text: str, place: int) -> int:
    """The next place that is no white space."""
    while text[place] in " \t\r\n":
        place += 1
    return place


def csv_rows(path: Path) -> Iterator[Row]:
    """Rows of a CSV file with a header, as objects of texts; a row's line is the one it begins on."""
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    reader = csv.reader((line for _, line in text_lines(path)), strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DatasetError(
                f"{at(path, line)}: not CSV: {error}. Put quotes around fields with quotes or line ends."
            ) from None
        if not row:
            continue
        if header is None:
            header = [column.strip() for column in row]
            other = next((sign for sign in (";", "\t") if sign in header[0]), None) if len(header) == 1 else None
            if other:
                name = "semicolons" if other == ";" else "tabs"
                raise DatasetError(f"{at(path, line)}: the columns are divided by {name}. Save the file with commas.")
            twice = {column for column in header if header.count(column) > 1}
            if twice:
                raise DatasetError(
                    f"{at(path, line)}: the header has {', '.join(map(repr, sorted(twice)))} twice. Rename one."
                )
            continue
        if len(row) != len(header):
            raise DatasetError(
                f"{at(path, line)}: {len(row)} fields, but the header has {len(header)} ({', '.join(header)}). "
                "Put quotes around a field with a comma."
            )
        yield line, dict(zip(header, row, strict=True))


def parquet_rows(path: Path) -> Iterator[Row]:
    """Rows of a Parquet file, a thousand in memory at once. It needs pyarrow, which distilltest does not bring along."""
    if importlib.util.find_spec("pyarrow") is None:
        raise DatasetError(
            f"{path}: Parquet is read with pyarrow, which is not installed. Run pip install 'distilltest[parquet]', or "
            "convert the file to JSONL or CSV."
        )
    parquet: Any = importlib.import_module("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except FileNotFoundError:
        raise DatasetError(f"{path} cannot be read: there is no such file. Check the path.") from None
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise DatasetError(f"{path}: not Parquet: {error}") from None

"""Rows of files that users bring: JSONL, JSON, CSV or Parquet, by the file's ending."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distilltest.data import Row, csv_rows, json_rows, jsonl_rows
from distilltest.data.files import opened
from distilltest.errors import DatasetError

FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
YAML = (".yaml", ".yml")
"""For requests alone: evaluation datasets may be written in it."""
WRAPPED = "requests"
"""The field of an object whose list may stand for a list."""


def read_rows(path: Path) -> Iterator[Row]:
    """All rows of a file; its ending says how to read it.

    Raises:
        DatasetError: It cannot be read; the message names the line.
    """
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return jsonl_rows(path, str(path), DatasetError)
    if suffix == ".json":
        return json_rows(path, str(path), DatasetError, WRAPPED)
    if suffix == ".csv":
        return csv_rows(path, str(path), DatasetError)
    if suffix == ".parquet":
        return parquet_rows(path)
    raise DatasetError(
        f"{path}: it ends in {path.suffix!r}; rows are read from {', '.join(FORMATS)}. Rename or convert it."
    )


def parquet_rows(path: Path) -> Iterator[Row]:
    """Rows of a Parquet file, a thousand in memory at once. It needs pyarrow, which distilltest does not bring along."""
    if importlib.util.find_spec("pyarrow") is None:
        raise DatasetError(
            f"{path}: Parquet is read with pyarrow, which is not installed. Run pip install 'distilltest[parquet]', or "
            "convert the file to JSONL or CSV."
        )
    parquet: Any = importlib.import_module("pyarrow.parquet")
    try:
        with opened(path, str(path), DatasetError), parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise DatasetError(f"{path}: not Parquet: {error}") from None

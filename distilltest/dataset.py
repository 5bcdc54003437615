"""Datasets: ordered cases with a fingerprint, read from JSONL, JSON, YAML or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from distilltest.errors import DatasetError, at
from distilltest.records import Case, Dataset, fingerprint

RESERVED = ("id", "reference", "alternatives", "tags", "cluster")
"""Columns with a meaning of their own. All columns, these too, are ``item.<name>`` in a prompt."""

Row = tuple[int, Any]
"""A row and the line it begins on."""


def load_dataset(path: Path, name: str | None = None) -> Dataset:
    """Read a dataset file; the ending says how.

    Every row is an object. ``id`` is required and unique; ``reference``, ``alternatives`` (a list), ``tags`` (a list, or
    words with commas) and ``cluster`` are optional; whatever else it has is for prompts and graders.

    Args:
        path: The file: ``.jsonl``, ``.json`` (a list), ``.yaml`` / ``.yml`` (a list) or ``.csv`` (with a header).
        name: What reports call it; the path as the user wrote it.

    Raises:
        DatasetError: There is no such file, a row is broken, an id is missing or there twice, or there are no rows.
    """
    name = name or str(path)
    readers = {".jsonl": _jsonl, ".json": _json, ".yaml": _yaml, ".yml": _yaml, ".csv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(f"{name}: a dataset ends in {', '.join(readers)}; this one ends in {path.suffix!r}.")
    cases = []
    first_place: dict[str, str] = {}
    for line, row in reader(_read(path, name), name):
        case = _case(row, at(name, line))
        if case.id in first_place:
            raise DatasetError(
                f"{case.place}: the id {case.id!r} is there twice, first at {first_place[case.id]}. "
                "Ids pair the roles' answers, so each case needs its own."
            )
        first_place[case.id] = case.place
        cases.append(case)
    if not cases:
        raise DatasetError(f"{name}: the dataset is empty. It needs at least one case.")
    return Dataset(name=name, cases=tuple(cases), fingerprint=fingerprint(*(case.item for case in cases)))


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        folder = path.parent
        near = sorted(p.name for p in folder.glob("*") if p.suffix == path.suffix) if folder.is_dir() else []
        hint = f" {folder} has {', '.join(near[:5])}." if near else ""
        raise DatasetError(
            f"{name}: there is no such file ({path}).{hint} "
            "Paths are relative to the folder of distilltest.yaml (pytest's rootdir without one)."
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DatasetError(f"{at(name, line)}: not UTF-8 ({error.reason}). Save the file as UTF-8.") from None
    except OSError as error:
        raise DatasetError(f"{name}: cannot be read: {error.strerror}.") from None


def _case(row: Any, place: str) -> Case:
    if not isinstance(row, Mapping):
        raise DatasetError(f"{place}: a case is an object with an id, not {_kind(row)}.")
    identity = row.get("id")
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    if not isinstance(identity, str) or not identity.strip():
        found = "has no id" if identity is None else f"has the id {identity!r}"
        raise DatasetError(f'{place}: the case {found}. Give it "id": a text or a whole number of its own.')
    alternatives = row.get("alternatives", ())
    if not isinstance(alternatives, list | tuple):
        raise DatasetError(f'{place}: "alternatives" of case {identity!r} is {_kind(alternatives)}; it must be a list.')
    tags = row.get("tags") or ()
    if isinstance(tags, str):
        tags = tuple(tag.strip() for tag in tags.split(",") if tag.strip())
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise DatasetError(f'{place}: "tags" of case {identity!r} must be a list of texts.')
    cluster = row.get("cluster")
    return Case(
        id=identity,
        item=row,
        reference=row.get("reference"),
        alternatives=tuple(alternatives),
        tags=tuple(tags),
        cluster=None if cluster is None else str(cluster),
        place=place,
    )


def _jsonl(text: str, name: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DatasetError(
                f"{at(name, number)}: not JSON: {error.msg} (column {error.colno}). "
                f"JSONL has one whole object on each line; this line is {_short(line)!r}."
            ) from None


def _json(text: str, name: str) -> Iterator[Row]:
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DatasetError(f"{at(name, error.lineno)}: not JSON: {error.msg} (column {error.colno}).") from None
    if not isinstance(rows, list):
        raise DatasetError(
            f"{name}: a .json dataset is a list of objects, not {_kind(rows)}. One object a line is .jsonl."
        )
    yield from ((0, row) for row in rows)


def _yaml(text: str, name: str) -> Iterator[Row]:
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        rows = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or error
        raise DatasetError(f"{at(name, mark.line + 1 if mark else None)}: not YAML: {problem}.") from None
    if rows is None:
        return
    if not isinstance(rows, list) or node is None:
        raise DatasetError(f"{name}: a YAML dataset is a list of objects, not {_kind(rows)}.")
    yield from ((child.start_mark.line + 1, row) for child, row in zip(node.value, rows, strict=True))


def _csv(text: str, name: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DatasetError(f"{at(name, line)}: not CSV: {error}.") from None
        if not row:
            continue
        if header is None:
            header = [column.strip() for column in row]
            continue
        if len(row) != len(header):
            raise DatasetError(
                f"{at(name, line)}: {len(row)} fields, but the header has {len(header)} ({', '.join(header)}). "
                "Put quotes around a field with a comma."
            )
        # An empty field of a column with a meaning is a field that is not there.
        yield line, {k: v for k, v in zip(header, row, strict=True) if v or k not in RESERVED}


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _short(text: str, width: int = 60) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"

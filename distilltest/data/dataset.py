"""Datasets: ordered cases with a fingerprint, read from JSONL, JSON, YAML or CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distilltest.data import Row, absent, csv_rows, json_rows, jsonl_rows, kind_of, yaml_rows
from distilltest.errors import DatasetError, at
from distilltest.records import Case, Dataset, fingerprint

RESERVED = ("id", "reference", "alternatives", "tags", "cluster")
"""Columns with a meaning of their own. All columns, these too, are ``item.<name>`` in a prompt."""


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
    readers = {".jsonl": jsonl_rows, ".json": json_rows, ".yaml": yaml_rows, ".yml": yaml_rows, ".csv": _csv_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(f"{name}: a dataset ends in {', '.join(readers)}; this one ends in {path.suffix!r}.")
    if absent(path):
        raise DatasetError(_missing(path, name))
    cases = []
    first_place: dict[str, str] = {}
    for line, row in reader(path, name, DatasetError):
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


def _missing(path: Path, name: str) -> str:
    folder = path.parent
    near = sorted(p.name for p in folder.glob("*") if p.suffix == path.suffix) if folder.is_dir() else []
    hint = f" {folder} has {', '.join(near[:5])}." if near else ""
    return (
        f"{name}: there is no such file ({path}).{hint} "
        "Paths are relative to the folder of distilltest.yaml (pytest's rootdir without one)."
    )


def _case(row: Any, place: str) -> Case:
    if not isinstance(row, Mapping):
        raise DatasetError(f"{place}: a case is an object with an id, not {kind_of(row)}.")
    identity = row.get("id")
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    if not isinstance(identity, str) or not identity.strip():
        found = "has no id" if identity is None else f"has the id {identity!r:.80}"
        raise DatasetError(f'{place}: the case {found}. Give it "id": a text or a whole number of its own.')
    alternatives = row.get("alternatives", ())
    if not isinstance(alternatives, list | tuple):
        raise DatasetError(
            f'{place}: "alternatives" of case {identity!r:.80} is {kind_of(alternatives)}; it must be a list.'
        )
    tags = row.get("tags") or ()
    if isinstance(tags, str):
        tags = tuple(tag.strip() for tag in tags.split(",") if tag.strip())
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise DatasetError(f'{place}: "tags" of case {identity!r:.80} must be a list of texts.')
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


def _csv_rows(path: Path, shown: str, error: type[DatasetError]) -> Iterator[Row]:
    """An empty field of a column with a meaning is a field that is not there."""
    for line, row in csv_rows(path, shown, error):
        yield line, {name: value for name, value in row.items() if value or name not in RESERVED}

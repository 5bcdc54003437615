"""Load a dataset: cases in order, with a fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distilltest.data import FORMATS, absent, kind_of, read_rows
from distilltest.errors import DatasetError, at
from distilltest.records import Case, Dataset, fingerprint

RESERVED = ("id", "reference", "alternatives", "tags", "cluster")
"""Columns that distilltest uses itself. Every column is ``item.<name>`` in a prompt."""


def load_dataset(path: Path, name: str | None = None) -> Dataset:
    """Load a dataset file in one of the formats of ``read_rows``.

    Every row is an object. ``id`` is required and unique. ``reference``, ``alternatives`` (a list), ``tags`` (a list, or
    a text with commas) and ``cluster`` are optional. Prompts and graders can use every other field.

    Args:
        path: The file.
        name: The file's name in reports and errors; ``path`` if None.

    Raises:
        DatasetError: The file does not exist or is empty, a row is broken, or an id is missing or not unique.
    """
    name = name or str(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DatasetError(f"{name}: a dataset ends in {', '.join(FORMATS)}; this one ends in {path.suffix!r}.")
    if absent(path):
        raise DatasetError(_missing(path, name))
    cases = []
    first_place: dict[str, str] = {}
    for line, row in read_rows(path, name, DatasetError):
        if suffix == ".csv":  # an empty field of a reserved column is a missing value
            row = {column: value for column, value in row.items() if value or column not in RESERVED}
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
    return Dataset(name=name, cases=tuple(cases), fingerprint=_fingerprint(cases))


def _fingerprint(cases: list[Case]) -> str:
    try:
        return fingerprint(*(case.item for case in cases))
    except TypeError:  # Parquet has values that JSON does not have
        for case in cases:
            for column, value in case.item.items():
                try:
                    fingerprint(value)
                except TypeError as error:
                    raise DatasetError(f"{case.place}: {column!r} cannot be written as JSON: {error}.") from None
        raise


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

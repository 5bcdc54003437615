"""Find what saved objects refer to: their files, and reusable prompts that no API exports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distilltest.exchange.archive.pages import parse

PROMPT = re.compile(rb"\bpmpt_[A-Za-z0-9]{8,64}\b")
"""The id of a reusable prompt."""
_FILE_KEYS = ("training_file", "validation_file", "result_files", "file_id", "file_ids")
_HINTS = (b"_file", b'"file')
_USERS = ("completions/", "output_items.jsonl")
"""Files with users' data, in which a key may mean anything."""


def named_files(root: Path) -> list[str]:
    """The ids of the files that the evals, runs, jobs, output items and completions of an archive refer to.

    Args:
        root: The archive.

    Returns:
        Each id once, in a stable order.
    """
    found: dict[str, None] = {}
    for pattern in ("evals/**/*.json", "evals/**/*.jsonl", "jobs/**/*.json", "completions/*.jsonl"):
        for path in sorted(root.glob(pattern)):
            if path.name == "index.jsonl":
                continue
            users = any(part in path.relative_to(root).as_posix() for part in _USERS)
            for text in _objects(path):
                if any(hint in text for hint in _HINTS):
                    found |= {
                        each: None for each in _walk(parse(text)) if not users or each.startswith(("file-", "file_"))
                    }
    return list(found)


def _objects(path: Path) -> Iterator[bytes]:
    if path.suffix == ".json":
        yield path.read_bytes()
    else:
        with path.open("rb") as file:
            yield from file


def _walk(value: Any) -> Iterator[str]:
    """Ids of files, anywhere in an object."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if value.get("type") == "file_id" and isinstance(value.get("id"), str):
                yield value["id"]
            for key in _FILE_KEYS:
                named = value.get(key)
                yield from (each for each in (named if isinstance(named, list) else [named]) if isinstance(each, str))
            pending += value.values()
        elif isinstance(value, list):
            pending += value

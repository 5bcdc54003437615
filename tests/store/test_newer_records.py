"""Records of a newer version can be read: added fields are ignored, and unreadable ones are an error of ours."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
import yaml

from distilltest.completions.engine import Counts
from distilltest.config import Judge
from distilltest.data.stored import restore
from distilltest.errors import PromotionsError, StoreError
from distilltest.evaluations.results import RunInfo
from distilltest.finetuning.order import Order
from distilltest.gate.verdict import Verdict
from distilltest.judges.calibration import Calibration
from distilltest.promotion import NAME
from distilltest.promotion.entry import PROMOTE, Entry, digest
from distilltest.promotion.history import History
from distilltest.reporting.report import EvaluationReport


class OneState:
    """A store with one state value."""

    def __init__(self, content):
        self._content = content

    def get_state(self, _name):
        return self._content


def load_calibration(content):
    return Calibration.load(OneState(content), "g", example(Judge), "p", "c")


RECORDS = {
    EvaluationReport: EvaluationReport.from_json,
    Verdict: Verdict.from_json,
    Order: Order.from_json,
    Calibration: load_calibration,
    RunInfo: lambda content: restore(RunInfo, content),
    Counts: lambda content: restore(Counts, content),
}
"""Every dataclass that is stored as JSON, with its reader (completions excepted, which the store reads)."""


PLAIN = {str: "text", int: 1, float: 0.5, bool: True, Path: Path("file"), Any: 1, object: 1}


def example(kind):
    """A value of a type, with an item in every list and mapping at any depth."""
    origin, inner = get_origin(kind), [each for each in get_args(kind) if each not in (type(None), ...)]
    if kind in PLAIN:
        return PLAIN[kind]
    if origin is tuple:
        return tuple(example(each) for each in inner)
    if origin in (dict, Mapping):
        return {"name": example(inner[1])}
    if origin in (Union, UnionType):
        return example(inner[0])
    if issubclass(kind, Enum):
        return next(iter(kind))
    hints = get_type_hints(kind)
    return kind(**{field.name: example(hints[field.name]) for field in fields(kind)})


def of_a_newer_version(value):
    """The value as JSON, with an added field in every record at any depth."""
    if is_dataclass(value):
        known = {field.name: of_a_newer_version(getattr(value, field.name)) for field in fields(value)}
        return known | {"added_later": {"deep": [1]}}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {name: of_a_newer_version(each) for name, each in value.items()}
    return [of_a_newer_version(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_an_added_field_is_ignored(kind):
    record = example(kind)
    assert repr(RECORDS[kind](of_a_newer_version(record))) == repr(record)


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_an_unreadable_field_is_named_in_the_error(kind):
    content = of_a_newer_version(example(kind))
    needed = [field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING]
    for name in needed:
        with pytest.raises(StoreError, match=rf"has no '{name}'\. Another version of distilltest wrote it"):
            RECORDS[kind]({key: value for key, value in content.items() if key != name})
    for broken in ([], "text", 1):
        with pytest.raises(StoreError, match="is not an object"):
            RECORDS[kind](broken)


def test_an_unknown_status_is_named_in_the_error():
    with pytest.raises(StoreError, match="A stored Verdict has 'perhaps' as 'status'"):
        Verdict.from_json({"status": "perhaps", "sentence": "", "rules": []})


def test_an_entry_of_a_newer_version_does_not_count_as_edited(tmp_path):
    path = tmp_path / NAME
    entry = replace(
        example(Entry), number=1, action=PROMOTE, when="2026-01-01T00:00:00+00:00", restores=None, reason=None
    )
    entry = entry.to_content()
    for content, words in (
        (entry | {"added_later": 1}, "newer distilltest wrote it. Upgrade."),
        ({**entry, "added_by_hand": 1}, "Entries are never changed by hand"),
    ):
        whole = content | {"hash": digest(content)} if "added_later" in content else content
        path.write_text(yaml.safe_dump([whole]))
        with pytest.raises(PromotionsError, match=words):
            History.load(tmp_path)


def test_the_list_of_records_is_complete():
    """Every record created from stored values with ``**`` is in the list, or has a reader that rejects unknown fields."""
    package = Path(__file__).parents[2] / "distilltest"
    found = set()
    for path in package.rglob("*.py"):
        if {"server", "demo_models", "trainer", "store"} & {
            *path.parts
        }:  # the store's own rows have tests of their own
            continue
        found |= {
            (path.relative_to(package).as_posix(), name) for name in re.findall(r"\b([A-Z]\w+)\(\*\*", path.read_text())
        }
    assert found <= {
        ("config/load.py", "Distillation"),  # its schema allows no other keys
        ("config/load.py", "Price"),
        ("exchange/completion_lines.py", "Usage"),  # refuse, and say to upgrade
        ("exchange/completion_lines.py", "ToolCall"),
        ("exchange/completion_lines.py", "Completion"),
        ("graders/python_grader.py", "Isolation"),  # said by a process of ours, not stored
        ("exchange/archive/manifest.py", "SavedFile"),  # its format has a number
        ("exchange/archive/manifest.py", "Manifest"),
        ("promotion/entry.py", "Who"),  # their schema allows no other fields
        ("promotion/entry.py", "PromotedModel"),
        ("promotion/entry.py", "KeptReport"),
        ("promotion/entry.py", "Proof"),
    }

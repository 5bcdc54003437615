"""Measures the time of the grader ``json_schema`` per answer, compared with the bare validator on the same answers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import orjson
from tabulate import tabulate

from distilltest.graders import json_schema

ANSWERS = 100_000
RUNS = 5
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "name": {"type": "string", "minLength": 1},
        "kind": {"enum": ["bug", "feature", "question"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "tags": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"key": {"type": "string"}, "value": {"type": "integer"}},
                "required": ["key", "value"],
            },
        },
    },
    "required": ["id", "name", "kind", "score", "tags"],
    "additionalProperties": False,
}


def answers(count: int) -> list[str]:
    """Answers that the schema accepts, no two alike."""
    tags = [{"key": "size", "value": 3}, {"key": "age", "value": 7}, {"key": "rank", "value": 1}]
    return [
        orjson.dumps({"id": n, "name": f"case {n}", "kind": "bug", "score": 0.5, "tags": tags}).decode()
        for n in range(count)
    ]


def seconds(grade: Callable[[str], Any], texts: list[str]) -> float:
    """Processor time of grading every text, for ANSWERS of them."""
    started = time.process_time()
    for text in texts:
        grade(text)
    return (time.process_time() - started) * ANSWERS / len(texts)


def main() -> None:
    """Measure and print."""
    texts = answers(ANSWERS)
    wrong = [text.replace('"score":0.5', '"score":1.5') for text in texts[: ANSWERS // 50]]
    bare = jsonschema_rs.validator_for(SCHEMA).is_valid
    ways: list[tuple[str, Callable[[str], Any], list[str]]] = [
        ("bare orjson and jsonschema-rs", lambda text: bare(orjson.loads(text)), texts),
        ("json_schema, the same object", lambda text: json_schema(text, SCHEMA), texts),
        ("json_schema, a new object each time", lambda text: json_schema(text, {**SCHEMA}), texts),
        ("json_schema, answers that fail", lambda text: json_schema(text, SCHEMA), wrong),
    ]
    for _, grade, some in ways:
        grade(some[0])
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(RUNS):
        for (_, grade, some), taken in zip(ways, times, strict=True):
            taken.append(seconds(grade, some))
    medians = [statistics.median(taken) for taken in times]
    rows = [
        (name, f"{median:.2f} s", f"{median / medians[0]:.2f}")
        for (name, _, _), median in zip(ways, medians, strict=True)
    ]
    print(f"processor time of {ANSWERS} answers, median of {RUNS} runs")
    print(tabulate(rows, headers=["what", "processor time", "ratio to the bare validator"]))


if __name__ == "__main__":
    main()

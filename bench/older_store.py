"""Creates a store of schema 5, the last one with large rows, and lists the content that a migration must keep."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from distilltest.store import Store
from distilltest.store.migrations import MIGRATIONS

VERSION = 5
Outcome = tuple[Any, ...]
"""run, evaluation, case, role, trial, passed, score, failure, key, grades."""


@dataclass(frozen=True)
class Contents:
    """Everything that a migration must keep."""

    completions: dict[str, tuple[Any, ...]]
    """Key → server, model, trial, labels, request, the answer as values, response, time, the server's id."""
    outcomes: dict[tuple[Any, ...], Outcome]
    """The outcomes, by all values that identify one."""
    others: dict[str, list[tuple[Any, ...]]]
    """The rows of the tables that do not change."""


def key_of(number: int) -> str:
    """The key of a row."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def completion(number: int) -> tuple[Any, ...]:
    """A row of ``completion`` in schema 5; nine kinds take turns."""
    kind, text = number % 9, f"git log -{number} — é\n{'x' * (number % 700)}"
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
    message: dict[str, Any] = {"role": "assistant", "content": text}
    answer: dict[str, Any] = {
        "key": key_of(number), "server": "s", "model": f"m{number % 3}", "text": text, "finish_reason": "stop",
        "refusal": None, "tool_calls": [], "usage": {"prompt_tokens": number, "completion_tokens": 3, "cached_tokens": 0},
        "latency": 0.25, "served_id": f"chatcmpl-{number}", "served_model": "m-1", "system_fingerprint": None,
        "created": 1000.5 + number, "attempts": 1 + number % 2, "trial": number % 2, "from_store": False,
    }  # fmt: skip
    response: Any = None
    if kind == 1:  # tool calls
        call = {"id": "c1", "name": "run", "arguments": '{"a": 1}'}
        answer |= {"text": "", "tool_calls": [call], "finish_reason": "tool_calls"}
        function = {"name": call["name"], "arguments": call["arguments"]}
        message |= {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}
    elif kind == 2:  # a refusal
        answer |= {"text": "", "refusal": "no"}
        message |= {"content": None, "refusal": "no"}
    elif kind == 3:  # imported, without a response
        answer |= {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "cached_tokens": 0}, "served_id": ""}
        response = b""
    elif kind == 4:  # redacted: the texts differ from the response
        answer |= {"text": "[email]"}
    elif kind == 5:  # an embedding
        asked = {"model": "m", "input": f"text {number}"}
        answer |= {"text": "[0.5,1.0]", "usage": {"prompt_tokens": 2, "completion_tokens": 0, "cached_tokens": 0}}
        answer |= {"served_id": "", "served_model": "e"}
        response = {"data": [{"index": 0, "embedding": [0.5, 1]}], "model": "e", "usage": {"prompt_tokens": 2}}
    elif kind == 6:  # read differently by older versions
        response = b"no JSON at all \xff"
    elif kind == 7:  # large
        answer["text"] = message["content"] = text * 20
    if response is None:
        response = {
            "id": answer["served_id"],
            "model": "m-1",
            "choices": [{"index": 0, "message": message, "finish_reason": answer["finish_reason"]}],
            "usage": {"prompt_tokens": number, "completion_tokens": 3},
        }
    body = response if isinstance(response, bytes) else orjson.dumps(response)
    labels = orjson.dumps({"task": "git", "n": str(number)} if number % 2 else {}).decode()
    return (
        answer["key"], "s", answer["model"], answer["trial"], labels, orjson.dumps(asked), orjson.dumps(answer), body,
        answer["created"], answer["served_id"] or None,
    )  # fmt: skip


def outcomes(number: int, run: str) -> list[Outcome]:
    """A run's outcome: a grade, a failed call, or a grade of a completion that has been deleted."""
    grades = orjson.dumps([["exact_match", 1.0, True, "as wanted"], ["judge", 0.5, False, "", "teacher"]])
    place = (run, "suites/test_git.py::test_a", f"case-{number}", "candidate", 0)
    if number % 11 == 0:
        return [(*place, None, None, "timeout", key_of(-1 - number), b"[]")]
    if number % 13 == 0:
        return [(*place, 1, 0.75, None, key_of(-1 - number), grades)]
    return [(*place, number % 2, number % 4 / 4, None, key_of(number), grades)]


def make(path: Path, rows: int) -> Contents:
    """Create the store, and return its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with sqlite3.connect(path, isolation_level=None) as sql:
        sql.execute("PRAGMA journal_mode = WAL")
        for _, script in MIGRATIONS[:VERSION]:
            sql.executescript(script)
        sql.execute(f"PRAGMA user_version = {VERSION}")
        sql.execute("BEGIN")
        kept = [completion(number) for number in range(rows)]
        sql.executemany("INSERT INTO completion VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)
        judged = [
            row for run in ("20261120-1", "20261121-1") for number in range(rows) for row in outcomes(number, run)
        ]
        sql.executemany("INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", judged)
        for run in ("20261120-1", "20261121-1"):
            sql.execute("INSERT INTO run (id, started, command, verdict) VALUES (?, 1.0, 'pytest', 'promote')", (run,))
            sql.execute("INSERT INTO evaluation VALUES (?, 'suites/test_git.py::test_a', '{}')", (run,))
        sql.execute("INSERT INTO state VALUES ('candidate', '{}')")
        sql.execute("INSERT INTO attempt VALUES ('d', 'e', 'm', 'p', 'n', 1.0)")
        sql.execute("COMMIT")
        others = _others(sql)
    sql.close()
    return Contents({row[0]: _values(row) for row in kept}, {row[:5]: row for row in judged}, others)


def read(path: Path) -> Contents:
    """Read the content of a store with the current schema."""
    with Store.open(path) as store:
        rows = [tuple(row)[:10] for row in store.each_row()]
    query = """
        SELECT run, evaluation, case_id, role, outcome.trial, passed, score, failure,
            lower(hex(coalesce(outcome.key, completion.key))), grades
        FROM outcome JOIN judged ON judged.id = judged LEFT JOIN completion ON completion.id = outcome.completion
    """
    with sqlite3.connect(path) as sql:
        judged = sql.execute(query).fetchall()
        others = _others(sql)
    sql.close()
    assert len({row[0] for row in rows}) == len(rows)
    return Contents({row[0]: _values(row) for row in rows}, {row[:5]: row for row in judged}, others)


def _values(row: tuple[Any, ...]) -> tuple[Any, ...]:
    _, server, model, trial, labels, request, answer, response, created, server_id = row
    spoken = orjson.loads(answer)
    spoken["usage"].pop("known", None)  # not in schema 5
    return server, model, trial, labels, request, spoken, response, created, server_id


def _others(sql: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: sql.execute(f"SELECT {columns} FROM {table}").fetchall()
        for table, columns in (
            ("run", "*"),
            ("evaluation", "*"),
            ("state", "*"),
            ("attempt", "dataset, evaluation, model, prompt, name, at"),
        )
    }


def moved_so_far(path: Path) -> tuple[int, int]:
    """Count completions and outcomes, in the old and the new tables.

    Raises:
        ValueError: The file is damaged.
    """
    counts = [0, 0]
    with sqlite3.connect(path) as sql:
        state = sql.execute("PRAGMA integrity_check").fetchone()[0]
        if state != "ok":
            raise ValueError(state)
        tables = {row[0] for row in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for index, name in enumerate(("completion", "outcome")):
            for table in {name, f"{name}_before"} & tables:
                counts[index] += sql.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    sql.close()
    return counts[0], counts[1]

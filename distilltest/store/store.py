"""Reading and writing the store."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from distilltest.records import Completion, Grade, Outcome, Request, ToolCall, Usage
from distilltest.store import attempts
from distilltest.store.attempts import Attempt
from distilltest.store.connection import connect, explain
from distilltest.store.writer import CompletionWriter, Row, insert

_CHUNK = 500
"""Keys in one query."""


@dataclass(frozen=True, slots=True)
class StoredCompletion:
    """A completion with the request that it answers."""

    request: dict[str, Any]
    """The JSON body as it was sent."""
    completion: Completion
    metadata: dict[str, str]


class Store:
    """One store, open in one process. Several processes may have it open at once."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()
        self._writer = CompletionWriter(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a store, making it where there is none.

        Raises:
            StoreError: It cannot be opened; the message says why and what to do.
        """
        return cls(path, connect(path))

    def close(self) -> None:
        """Make everything that was saved durable, and let go of the file."""
        self._writer.close()
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _sql(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; writing is one transaction."""
        with self._lock:
            try:
                if write:
                    self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                if write:
                    self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise explain(self.path, error) from None
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    # completions

    def save(self, request: Request, completion: Completion, response: bytes) -> asyncio.Future[None]:
        """Keep a completion, from a running event loop; the future is done when it is durable."""
        return self._writer.write(_row(request, completion, response))

    def save_all(self, completions: Iterable[tuple[Request, Completion, bytes]]) -> None:
        """Keep completions (request, completion, response), in one transaction; they are durable on return.

        Raises:
            StoreError: Nothing was kept.
        """
        rows = [_row(*each) for each in completions]
        with self._lock:
            try:
                insert(self._connection, rows)
            except sqlite3.Error as error:
                raise explain(self.path, error) from None

    def completion(self, key: str) -> Completion | None:
        """One completion, None where there is none."""
        return self.completions([key]).get(key)

    def completions(self, keys: Sequence[str]) -> dict[str, Completion]:
        """Those of the completions that there are, by key."""
        found = {}
        with self._sql() as sql:
            for start in range(0, len(keys), _CHUNK):
                some = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(some))
                for (answer,) in sql.execute(f"SELECT answer FROM completion WHERE key IN ({marks})", some):  # noqa: S608
                    completion = _completion(answer)
                    found[completion.key] = completion
        return found

    def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys under which there is a completion."""
        found: set[str] = set()
        with self._sql() as sql:
            for start in range(0, len(keys), _CHUNK):
                some = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(some))
                found |= {key for (key,) in sql.execute(f"SELECT key FROM completion WHERE key IN ({marks})", some)}  # noqa: S608
        return found

    def find_completions(
        self, *, model: str | None = None, metadata: Mapping[str, str] | None = None, limit: int | None = None
    ) -> list[StoredCompletion]:
        """The newest completions first, of a model and with all these labels."""
        conditions, values = ["1"], list[Any]()
        if model is not None:
            conditions.append("model = ?")
            values.append(model)
        for name, value in (metadata or {}).items():
            conditions.append(
                "EXISTS (SELECT 1 FROM json_each(metadata) AS label WHERE label.key = ? AND label.value = ?)"
            )
            values += [name, value]
        query = f"""
            SELECT request, answer, metadata FROM completion WHERE {" AND ".join(conditions)}
            ORDER BY created DESC, key LIMIT ?
        """  # noqa: S608  # the conditions are ours, the values are bound
        with self._sql() as sql:
            rows = sql.execute(query, [*values, -1 if limit is None else limit]).fetchall()
        return [StoredCompletion(orjson.loads(r), _completion(a), orjson.loads(m)) for r, a, m in rows]

    # runs

    def start_run(self, run: str, *, started: float, command: str) -> None:
        """Record that a run began; once is enough."""
        with self._sql(write=True) as sql:
            sql.execute("INSERT OR IGNORE INTO run (id, started, command) VALUES (?, ?, ?)", (run, started, command))

    def finish_run(self, run: str, *, verdict: str, finished: float) -> None:
        """Record how a run ended."""
        with self._sql(write=True) as sql:
            sql.execute("UPDATE run SET verdict = ?, finished = ? WHERE id = ?", (verdict, finished, run))

    def latest_run(self) -> tuple[str, str | None] | None:
        """Id and verdict of the run that began last, None where there is none."""
        with self._sql() as sql:
            row = sql.execute("SELECT id, verdict FROM run ORDER BY id DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else None

    def save_evaluation(self, run: str, evaluation: str, report: Mapping[str, Any]) -> None:
        """Keep the report of one evaluation."""
        with self._sql(write=True) as sql:
            sql.execute("INSERT OR REPLACE INTO evaluation VALUES (?, ?, ?)", (run, evaluation, orjson.dumps(report)))

    def run_evaluations(self, run: str) -> list[dict[str, Any]]:
        """The reports of a run's evaluations, by node id."""
        with self._sql() as sql:
            rows = sql.execute("SELECT report FROM evaluation WHERE run = ? ORDER BY id", (run,)).fetchall()
        return [orjson.loads(report) for (report,) in rows]

    def latest_evaluation(self, evaluation: str) -> dict[str, Any] | None:
        """The report of an evaluation in the run that began last, None where there is none."""
        with self._sql() as sql:
            row = sql.execute(
                "SELECT report FROM evaluation WHERE id = ? ORDER BY run DESC LIMIT 1", (evaluation,)
            ).fetchone()
        return orjson.loads(row[0]) if row else None

    def save_outcomes(
        self,
        run: str,
        evaluation: str,
        outcomes: Sequence[Outcome],
        grades: Mapping[tuple[str, str, int], tuple[Grade, ...]],
    ) -> None:
        """Keep outcomes with their grades."""
        rows = [
            (
                run,
                evaluation,
                o.case_id,
                o.role,
                o.trial,
                o.passed,
                o.score,
                o.failure,
                o.completion_key,
                orjson.dumps(
                    [[g.name, g.score, g.passed, g.reason] for g in grades.get((o.case_id, o.role, o.trial), ())]
                ),
            )
            for o in outcomes
        ]
        with self._sql(write=True) as sql:
            sql.executemany("INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def grades(self, run: str, evaluation: str, case_id: str, role: str, trial: int) -> tuple[Grade, ...]:
        """The grades of one trial of one case on one role."""
        query = "SELECT grades FROM outcome WHERE (run, evaluation, case_id, role, trial) = (?, ?, ?, ?, ?)"
        with self._sql() as sql:
            row = sql.execute(query, (run, evaluation, case_id, role, trial)).fetchone()
        return tuple(Grade(*grade) for grade in orjson.loads(row[0])) if row else ()

    def attempt_number(self, attempt: Attempt, since: float = 0.0) -> int:
        """Which candidate this is, from 1, of those gated on the dataset since a time (Unix)."""
        with self._sql() as sql:
            return attempts.number(sql, attempt, since)

    def record_attempt(self, attempt: Attempt, *, at: float, since: float = 0.0) -> None:
        """Remember that the gate has judged a candidate."""
        with self._sql(write=True) as sql:
            attempts.record(sql, attempt, at, since)

    # state

    def get_state(self, name: str) -> Any:
        """What a command remembered, None where it did not."""
        with self._sql() as sql:
            row = sql.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return orjson.loads(row[0]) if row else None

    def set_state(self, name: str, value: Any) -> None:
        """Remember a JSON value."""
        with self._sql(write=True) as sql:
            sql.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, orjson.dumps(value)))


def _row(request: Request, completion: Completion, response: bytes) -> Row:
    return (
        completion.key,
        completion.server,
        completion.model,
        completion.trial,
        orjson.dumps(dict(request.metadata)).decode(),
        request.encoded,
        orjson.dumps(completion),
        response,
        completion.created,
    )


def _completion(answer: bytes) -> Completion:
    content = orjson.loads(answer)
    content["usage"] = Usage(**content["usage"])
    content["tool_calls"] = tuple(ToolCall(**call) for call in content["tool_calls"])
    content["from_store"] = True
    return Completion(**content)

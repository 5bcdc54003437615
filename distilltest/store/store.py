"""The store: runs, evaluations, outcomes, attempts and state."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from distilltest.errors import StoreError
from distilltest.records import Grade, Outcome
from distilltest.store import attempts, state_keys
from distilltest.store.attempts import Attempt, AttemptShare, Recorded
from distilltest.store.old_rows import judged_number
from distilltest.store.retention import Retention
from distilltest.store.rows import read_grades
from distilltest.store.selection import evaluation_condition
from distilltest.store.state_keys import StateKey


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run in the store."""

    id: str
    command: str
    finished: float | None
    """Unix time, None if the run was interrupted."""
    verdict: str | None
    """None if the run was interrupted."""
    record: dict[str, Any] | None
    """``info``, ``candidate``, ``paths``, ``narrowed`` and ``unfinished``; None if the run did not finish."""


class Store(Retention):
    """One store, open in one process. Several processes may open it at once."""

    # runs

    def start_run(self, run: str, *, started: float, command: str) -> None:
        """Record that a run started; later calls do nothing."""
        with self._sql(write=True) as sql:
            sql.execute("INSERT OR IGNORE INTO run (id, started, command) VALUES (?, ?, ?)", (run, started, command))

    def finish_run(self, run: str, *, verdict: str, finished: float, record: Mapping[str, Any] | None = None) -> None:
        """Record how a run ended."""
        content = None if record is None else orjson.dumps(record)
        with self._sql(write=True) as sql:
            sql.execute(
                "UPDATE run SET verdict = ?, finished = ?, record = ? WHERE id = ?", (verdict, finished, content, run)
            )

    def runs(self) -> list[StoredRun]:
        """All runs, newest first."""
        with self._sql() as sql:
            rows = sql.execute("SELECT id, command, finished, verdict, record FROM run ORDER BY id DESC").fetchall()
        return [
            StoredRun(run, command, finished, verdict, orjson.loads(record) if record else None)
            for run, command, finished, verdict, record in rows
        ]

    def latest_run(self) -> tuple[str, str | None] | None:
        """Id and verdict of the latest run, None without runs."""
        with self._sql() as sql:
            row = sql.execute("SELECT id, verdict FROM run ORDER BY id DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else None

    def save_evaluation(self, run: str, evaluation: str, report: Mapping[str, Any]) -> None:
        """Save the report of one evaluation."""
        with self._sql(write=True) as sql:
            sql.execute("INSERT OR REPLACE INTO evaluation VALUES (?, ?, ?)", (run, evaluation, orjson.dumps(report)))

    def run_evaluations(self, run: str) -> list[dict[str, Any]]:
        """The reports of a run's evaluations, by node id."""
        with self._sql() as sql:
            rows = sql.execute("SELECT report FROM evaluation WHERE run = ? ORDER BY id", (run,)).fetchall()
        return [orjson.loads(report) for (report,) in rows]

    def latest_evaluation(self, evaluation: str) -> dict[str, Any] | None:
        """The latest report of an evaluation, None if there is none."""
        with self._sql() as sql:
            row = sql.execute(
                "SELECT report FROM evaluation WHERE id = ? ORDER BY run DESC LIMIT 1", (evaluation,)
            ).fetchone()
        return orjson.loads(row[0]) if row else None

    def earlier_evaluations(self, evaluation: str) -> list[tuple[str, dict[str, Any]]]:
        """Run and report of an evaluation, latest run first."""
        with self._sql() as sql:
            rows = sql.execute(
                "SELECT run, report FROM evaluation WHERE id = ? ORDER BY run DESC", (evaluation,)
            ).fetchall()
        return [(run, orjson.loads(report)) for run, report in rows]

    def latest_evaluations(self) -> list[dict[str, Any]]:
        """The latest report of each evaluation, by node id."""
        query = "SELECT report, max(run) FROM evaluation GROUP BY id ORDER BY id"  # SQLite takes the report of max(run)
        with self._sql() as sql:
            return [orjson.loads(row[0]) for row in sql.execute(query)]

    def run_evaluation(self, run: str, evaluation: str) -> dict[str, Any] | None:
        """The report of one evaluation of a run, None if there is none."""
        with self._sql() as sql:
            row = sql.execute("SELECT report FROM evaluation WHERE (run, id) = (?, ?)", (run, evaluation)).fetchone()
        return orjson.loads(row[0]) if row else None

    def save_outcomes(
        self,
        run: str,
        evaluation: str,
        outcomes: Sequence[Outcome],
        grades: Mapping[tuple[str, str, int], tuple[Grade, ...]],
    ) -> None:
        """Save outcomes with their grades."""
        with self._sql(write=True) as sql:
            judged = judged_number(sql, run, evaluation)
            rows = [
                (
                    judged,
                    o.case_id,
                    o.role,
                    o.trial,
                    *_graded_answer(sql, o),
                    o.passed,
                    o.score,
                    o.failure,
                    orjson.dumps(
                        [
                            [g.name, g.score, g.passed, g.reason, g.against]
                            for g in grades.get((o.case_id, o.role, o.trial), ())
                        ]
                    ),
                )
                for o in outcomes
            ]
            sql.executemany("INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def find_evaluation(self, text: str) -> str:
        """Find an evaluation's node id by the full id, or by its end after ``::`` or ``/``.

        Raises:
            StoreError: No evaluation matches, or several do.
        """
        condition, values = evaluation_condition("evaluation", text)
        with self._sql() as sql:
            known = [row[0] for row in sql.execute("SELECT DISTINCT evaluation FROM judged ORDER BY evaluation")]
            query = f"SELECT DISTINCT evaluation FROM judged WHERE {condition} ORDER BY evaluation"  # noqa: S608
            found = [row[0] for row in sql.execute(query, values)]
        if text in found:
            return text
        if len(found) != 1:
            what = f"{len(found)} evaluations end with" if found else "no evaluation has the node id or ends with"
            shown = ", ".join((found or known)[:5]) or "none; run pytest first"
            raise StoreError(f"{self.path}: {what} {text!r}. It has: {shown}.")
        return str(found[0])

    def grades(self, run: str, evaluation: str, case_id: str, role: str, trial: int) -> tuple[Grade, ...]:
        """The grades of one trial of one case on one role."""
        query = """
            SELECT grades FROM judged JOIN outcome ON outcome.judged = judged.id
            WHERE (run, evaluation, case_id, role, trial) = (?, ?, ?, ?, ?)
        """
        with self._sql() as sql:
            row = sql.execute(query, (run, evaluation, case_id, role, trial)).fetchone()
        return read_grades(row[0]) if row else ()

    def outcomes(self, run: str, evaluation: str) -> list[Outcome]:
        """The stored outcomes of one evaluation of a run; they have no token counts."""
        query = """
            SELECT case_id, role, outcome.trial, passed, score, outcome.completion, failure, grades, latency,
                coalesce(outcome.key, completion.key)
            FROM judged JOIN outcome ON outcome.judged = judged.id
            LEFT JOIN completion ON completion.id = outcome.completion
            WHERE (run, evaluation) = (?, ?) ORDER BY case_id, role, outcome.trial
        """
        with self._sql() as sql:
            rows = sql.execute(query, (run, evaluation)).fetchall()
        return [
            Outcome(
                case_id,
                role,
                trial,
                None if passed is None else bool(passed),
                score,
                key.hex() if key else "",
                failure=failure,
                latency=latency or 0.0,
                completion_id=number or 0,
                preferences={g.against: g.score for g in read_grades(grades) if g.against},
            )
            for case_id, role, trial, passed, score, number, failure, grades, latency, key in rows
        ]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Prevent writes by other processes; do not use the store inside."""
        with self._sql(write=True):
            yield

    def turn(self, attempt: Attempt, since: float = 0.0, declared: int | None = None) -> AttemptShare:
        """The number of a candidate among those gated on the dataset since a time (Unix), and its share of the level."""
        with self._sql() as sql:
            return attempts.turn(sql, attempt, since, declared)

    def record_attempt(
        self, attempt: Attempt, *, at: float, since: float = 0.0, share: float = 0.0, declared: int | None = None
    ) -> bool:
        """Record that the gate decided about a candidate at a share of the level; False if the share was no longer available."""
        with self._sql(write=True) as sql:
            return attempts.record(sql, attempt, at, since, share, declared)

    def attempts(self) -> list[Recorded]:
        """The attempts that count, oldest first."""
        with self._sql() as sql:
            return attempts.listed(sql)

    def forgotten_attempts(self, dataset: str = "") -> list[Recorded]:
        """The forgotten attempts, of one dataset or of all."""
        with self._sql() as sql:
            return attempts.forgotten(sql, dataset)

    def forget_attempt(self, number: int, *, at: float, reason: str) -> Recorded | None:
        """Stop counting an attempt, and record why; None if the number does not exist."""
        with self._sql(write=True) as sql:
            return attempts.forget(sql, number, at, reason)

    # state

    def get_state(self, key: StateKey) -> Any:
        """The value of a key (see :mod:`distilltest.store.state_keys`), None if there is none."""
        with self._sql() as sql:
            row = sql.execute("SELECT value FROM state WHERE name = ?", (key.name,)).fetchone()
        return orjson.loads(row[0]) if row else None

    def set_state(self, key: StateKey, value: Any) -> None:
        """Set the JSON value of a key."""
        with self._sql(write=True) as sql:
            sql.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key.name, orjson.dumps(value)))

    def tuned(self, model: str | None = None) -> dict[str, Any]:
        """The details of a tuned model, by default the last one: model, training file, prompt. Empty if unknown."""
        last = self.get_state(state_keys.CANDIDATE) or {}
        if model is None or last.get("model") == model:
            return dict(last)
        return dict(self.get_state(state_keys.TRAINED.of(model)) or {})


def _graded_answer(sql: sqlite3.Connection, outcome: Outcome) -> tuple[int | None, bytes | None]:
    """The row number of the graded answer, or else the request's key."""
    if outcome.completion_id:
        return outcome.completion_id, None
    key = bytes.fromhex(outcome.completion_key)
    if outcome.failure is None:  # code that grades outside a run may not know the number
        found = sql.execute("SELECT max(id) FROM completion WHERE key = ?", (key,)).fetchone()[0]
        return (found, None) if found is not None else (None, key)
    return None, key
